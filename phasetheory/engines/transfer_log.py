r"""Transfer-matrix sweeps in log space, plain numpy: any couplings, some twenty times slower.

The same operations as in `phasetheory._kernels.transfer`, on messages log psi of shape
(n, 2^width). Linear weights cannot hold messages whose entries differ by more than e^700, which
couplings of several tens on wide frontiers, or frustrated ones, can produce; logarithms can, with
an absolute error of about 10^-16 times the largest energy.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from phasetheory._kernels.transfer import (
    ATTACH,
    BOND,
    DIAG,
    ENTERS,
    FIRST,
    INDEX,
    KIND,
    LAST,
    LEAVES,
    MEET,
    REMOVE,
    SITE,
    SLOT,
    SLOT_A,
    TURNS,
)
from phasetheory.engines.transfer_plan import Plan

__all__ = ["cavity_odds", "log_weight", "sample"]

Floats = NDArray[np.float64]


def log_weight(plan: Plan, weak: Floats, h: Floats) -> Floats:
    """Log sum over all states of the product of factors <= 1.

    Args:
        plan: The sweep.
        weak: Log factors of opposite and of equal spins for each edge, 0 and -2|J| in some order,
            (n_edges, 2), in a gauge that favours equal spins in every `TURN`.
        h: Fields, (n, n_sites).

    Returns:
        Shape (n,).

    Cost: about 20 ns per state, operation and sample.
    """
    psi = np.zeros((len(h), 1))
    for op in plan.ops:
        psi = _step(plan, op, weak, h, psi)
    return psi[:, 0]


def cavity_odds(plan: Plan, weak: Floats, h: Floats) -> Floats:
    """Log-odds of every site without its own field, (n, n_sites); arguments of `log_weight`."""
    kept = []
    psi = np.zeros((len(h), 1))
    for op in plan.ops:
        psi = _step(plan, op, weak, h, psi)
        if op[KIND] == MEET:
            kept.append(psi)
    odds = np.zeros(h.shape)
    psi = np.zeros((len(h), 1))
    for op in plan.ops[::-1]:
        psi = _step(plan, op, weak, h, psi, backwards=True)
        if op[KIND] == MEET:
            here = plan.items[op[FIRST] : op[LAST], INDEX]
            both = kept.pop() + psi
            fields = [_log_field(h[:, site]) for site in here]
            for own, site in enumerate(here):
                rest = both.copy()
                for k, field in enumerate(fields):
                    if k != own:
                        _split(rest, k)[:] += field[:, None, :, None]
                mass = np.logaddexp.reduce(_split(rest, own), axis=(1, 3))
                odds[:, site] = mass[:, 1] - mass[:, 0]
    return odds


def sample(plan: Plan, weak: Floats, h: Floats, uniforms: Floats) -> NDArray[np.int8]:
    """Exact draws by forward filtering and backward sampling.

    Args:
        plan: The sweep.
        weak: As in `log_weight`.
        h: Fields of the one law that is sampled, (1, n_sites).
        uniforms: Numbers in [0, 1), (n, n_sites): spin i is +1 where u_i < p(+1).

    Returns:
        Spins, (n, n_sites).
    """
    before: list[tuple[int, int, int, float, Floats]] = []
    psi = np.zeros((1, 1))
    for op in plan.ops:
        if op[KIND] == TURNS:
            for _, slot, _, edge, site in plan.items[op[FIRST] : op[LAST]]:
                before.append((TURNS, slot, site, weak[edge, 0], psi[0]))
                psi = _turn(psi, slot, weak[edge, 0])
            continue
        if op[KIND] in (ATTACH, REMOVE):
            before.append((op[KIND], op[SLOT], op[SITE], 0.0, psi[0]))
        psi = _step(plan, op, weak, h, psi)
    spins = np.empty(uniforms.shape, dtype=np.int8)
    state = np.zeros(len(uniforms), dtype=np.int64)
    for kind, slot, site, log_r, log_p in reversed(before):
        bit = 1 << slot
        if kind == ATTACH:
            state &= bit - 1
            continue
        if kind == REMOVE:
            state = ((state >> slot) << (slot + 1)) | (state & (bit - 1))
        # The neighbour that took the slot, drawn before, pulls this site its way.
        pull = np.where(state & bit, -log_r, log_r)
        plus = uniforms[:, site] < expit(log_p[state | bit] - log_p[state & ~bit] + pull)
        spins[:, site] = np.where(plus, 1, -1)
        state = np.where(plus, state | bit, state & ~bit)
    return spins


def _step(
    plan: Plan, op: NDArray[np.int64], weak: Floats, h: Floats, psi: Floats, backwards: bool = False
) -> Floats:
    """One operation, or its transpose, on every message."""
    items = plan.items[op[FIRST] : op[LAST]]
    if op[KIND] == TURNS:
        for item in items:
            psi = _turn(psi, item[SLOT_A], weak[item[INDEX], 0])
    elif op[KIND] == DIAG:
        psi = psi.copy()
        s = np.arange(psi.shape[1])
        for what, a, b, index, _ in items:
            if what == BOND:
                psi += weak[index][1 - (((s >> a) ^ (s >> b)) & 1)]
            elif what == (ENTERS if backwards else LEAVES):
                _split(psi, a)[:] += _log_field(h[:, index])[:, None, :, None]
    elif op[KIND] in (ATTACH, REMOVE):
        if (op[KIND] == ATTACH) != backwards:
            rows = psi.reshape(len(psi), -1, 1, 1 << op[SLOT])
            psi = np.repeat(rows, 2, axis=2).reshape(len(psi), -1)
        else:
            psi = np.logaddexp.reduce(_split(psi, op[SLOT]), axis=2).reshape(len(psi), -1)
    return psi


def _turn(psi: Floats, slot: int, log_r: float) -> Floats:
    low, high = np.moveaxis(_split(psi, slot), 2, 0)
    both = [np.logaddexp(low, high + log_r), np.logaddexp(low + log_r, high)]
    return np.stack(both, axis=2).reshape(psi.shape)


def _split(psi: Floats, slot: int) -> Floats:
    """View of messages with the bit of a slot as an axis of its own, (n, above, 2, below)."""
    return psi.reshape(len(psi), -1, 2, 1 << slot)


def _log_field(h: Floats) -> Floats:
    """Log factors of spins -1 and +1 in fields h (n,), the favoured one 0: shape (n, 2)."""
    return np.stack([np.where(h > 0, -2.0 * h, 0.0), np.where(h < 0, 2.0 * h, 0.0)], axis=1)
