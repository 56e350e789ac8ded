r"""Exact Ising laws of any size with a narrow frontier: partition functions, marginals, samples.

For p(x) ∝ exp(sum_e J_e x_i x_j + sum_i h_i x_i) a *frontier* of at most 18 open sites is moved
over the graph, site by site, with the message psi(s) = the weight of all that lies behind it given
the open spins s. Open strips, cylinders and small tori have such frontiers, and so has any graph
that resembles them. Fields are read when the sites leave, so that each sample may have its own and
+-inf means a known spin.

Messages are linear in the weights where a bound shows that all entries fit into the range of
doubles whatever the fields (see `Transfer.linear`), else logarithms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels.transfer import (
    ATTACH,
    BOND,
    ENTERS,
    FIRST,
    INDEX,
    KIND,
    LAST,
    LEAVES,
    MEET,
    REMOVE,
    TURN,
    WHAT,
    WIDTH,
    Program,
    sweep,
)
from phasetheory._kernels.transfer_draw import draw_back
from phasetheory.engines import transfer_log
from phasetheory.engines.threads import threaded
from phasetheory.engines.transfer_plan import Plan, narrowest_plan
from phasetheory.engines.transfer_program import (
    BOTH_WAYS,
    FORWARDS,
    NOTHING,
    advance,
    cut,
    kept_entries,
    meeting,
    one_by_one,
    varying,
)

__all__ = ["MAX_WIDTH", "Transfer", "refusal", "sweep_plan"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Largest number of open sites: messages of 2^18 doubles, 2 MiB.
MAX_WIDTH = 18
_SECONDS = 2e-10  # per state and operation
_LARGEST = 650.0  # nats: doubles reach from e^-708 to e^709
_LEAST_DRIFT = 20.0
_NONE = np.empty(0, dtype=np.int64)
_KEPT_BYTES = 2**32  # of messages that one thread keeps
_ROOM = 2**23  # numbers: messages up to 64 MiB are held between calls
_LOG_BYTES = 2**26  # memory for a batch of messages in log space


def sweep_plan(n_sites: int, edges: Indices, shape: tuple[int, ...] | None = None) -> Plan:
    """Plan the sweep of a graph and say what it costs, before any work.

    Args:
        n_sites: Number of sites.
        edges: Pairs of sites i < j, (n_edges, 2).
        shape: Side lengths where the sites are those of a grid, row-major.

    Returns:
        The plan (`width`, `states`, `updates`), remembered for the next call.
    """
    return narrowest_plan(n_sites, tuple(map(tuple, np.asarray(edges).tolist())), shape)


def refusal(plan: Plan, n_sites: int) -> str | None:
    """Why a plan is not carried out, with its cost, or None where it fits the limit."""
    if plan.width <= MAX_WIDTH:
        return None
    message_bytes = 8.0 * 2.0 ** min(plan.width, 1000)
    seconds = _SECONDS * float(min(plan.updates, 10**300))
    return (
        f"{n_sites} sites need a frontier of {plan.width} open sites = 2^{plan.width} states,"
        f" {message_bytes:.3g} bytes a message and about {seconds:.2g} s a sample: the limit is"
        f" 2^{MAX_WIDTH} states; take a narrower strip, or Markov chains (phasetheory.sampling)"
    )


def _check_kept(entries: int, what: str) -> None:
    """Refuse a sweep whose kept messages exceed the memory limit."""
    if 8 * entries > _KEPT_BYTES:
        raise ValueError(
            f"the messages to keep for all {what} take {8.0 * entries:.3g} bytes: the limit is"
            f" {_KEPT_BYTES}; ask for fewer sites at a time, or take a shorter or narrower strip"
        )


@dataclass(frozen=True, eq=False)
class Transfer:
    r"""The couplings of an Ising law on a planned graph.

    A gauge x_i -> g_i x_i, g_i = +-1, makes the coupling ferromagnetic wherever a site is replaced
    by a neighbour; those couplings form a forest, so there always is one.

    Attributes:
        plan: From `sweep_plan`.
        edges: Pairs of sites, (n_edges, 2).
        couplings: J, (n_edges,), finite.
        n_sites: Number of sites.
    """

    plan: Plan
    edges: Indices
    couplings: Floats
    n_sites: int

    def log_partition(self, fields: Floats, *, workers: int | None = None) -> Floats:
        r"""Log sum_x exp(sum_e J_e x_i x_j + sum_i h_i x_i) for every sample.

        Args:
            fields: h, (n, n_sites); +-inf fixes a spin, and contributes nothing itself.
            workers: Threads; as many as there are processors by default. Results do not depend
                on it.

        Returns:
            Shape (n,), relative error about 1e-15.

        Cost: 0.1 to 0.25 ns per state and site: 3 ms for a 14 x 64 strip.
        """
        h = self._gauged(fields)
        shift = np.abs(self.couplings).sum() + np.where(np.isinf(h), 0.0, np.abs(h)).sum(axis=1)
        if not self.linear:
            return shift + self._in_log_space(transfer_log.log_weight, h)
        return shift + threaded(self._log_weights, h, workers)

    def log_odds(
        self, fields: Floats, sites: Indices | None = None, *, workers: int | None = None
    ) -> Floats:
        r"""Posterior log-odds log p(x_i = +1) - log p(x_i = -1).

        Args:
            fields: h, (n, n_sites), +-inf allowed.
            sites: Indices wanted; all by default. Each half sweep ends at the last of them, so
                that one site costs as much as one partition function.
            workers: As in `log_partition`.

        Returns:
            Shape (n, len(sites)); +-inf at known sites. A site's own field is left out of the
            sweep and added here: odds beyond the range of doubles lose nothing.

        Cost: about twice `log_partition`.
        """
        h = self._gauged(fields)
        wanted = np.arange(self.n_sites) if sites is None else sites
        if self.linear:
            odds = threaded(lambda part: self._cavity_odds(part, wanted), h, workers)
        else:
            odds = self._in_log_space(transfer_log.cavity_odds, h)[:, wanted]
        return self._gauge[wanted] * (odds + 2.0 * h[:, wanted])

    def sample(self, field: Floats, uniforms: Floats) -> NDArray[np.int8]:
        """Independent exact draws, by forward filtering and backward sampling.

        Args:
            field: h, (n_sites,), the same for all samples.
            uniforms: Numbers in [0, 1), (n, n_sites); spin i is +1 in the sweep's gauge where
                u_i < p(+1 | sites drawn before).

        Returns:
            Spins, int8 (n, n_sites).

        Cost: twice `log_partition`, and about 30 ns per site and sample.
        """
        h = self._gauged(field[None])
        if not self.linear:
            spins = transfer_log.sample(self.plan, self._log_bonds, h, uniforms)
        else:
            spins = self._draw(h[0], uniforms)
        return np.asarray(spins * self._gauge.astype(np.int8), dtype=np.int8)

    @cached_property
    def linear(self) -> bool:
        """Whether messages may be linear in the weights.

        Flipping open spins changes the weight of what lies behind (or before) them by at most
        e^2S, S the sum of |J| over all their bonds: the bound is on the product of both messages,
        drift between rescalings included.
        """
        return self._drift >= _LEAST_DRIFT

    @cached_property
    def _drift(self) -> float:
        """Nats that either message may drift between rescalings."""
        if not len(self.plan.starts):
            return _LARGEST
        reach = 2.0 * np.add.reduceat(self._strength[self.plan.opened], self.plan.starts).max()
        program = Program(self.plan.ops, self.plan.items, np.exp(self._log_bonds), self._loss, 0.0)
        return float(0.5 * (_LARGEST - 1.5 * reach) - meeting(program, _NONE).loss.max())

    @cached_property
    def _strength(self) -> Floats:
        """Sum of |J| over the bonds of each site."""
        strength = np.zeros(self.n_sites)
        for end in self.edges.T:
            np.add.at(strength, end, np.abs(self.couplings))
        return strength

    @cached_property
    def _loss(self) -> Floats:
        """Largest change of log max psi in each operation, forwards and backwards, nats."""
        items, ops = self.plan.items, self.plan.ops
        what, index = items[:, WHAT], items[:, INDEX]
        nats = np.zeros((len(items), 2))
        nats[what == TURN] = np.log(2.0)
        nats[what == BOND] = 2.0 * np.abs(self.couplings)[index[what == BOND], None]
        for way, ends in enumerate((LEAVES, ENTERS)):
            nats[what == ends, way] = 2.0 * self._strength[index[what == ends]]
        total = np.concatenate([np.zeros((1, 2)), np.cumsum(nats, axis=0)])
        summed = np.isin(ops[:, KIND], (ATTACH, REMOVE))[:, None] * np.log(2.0)
        return total[ops[:, LAST]] - total[ops[:, FIRST]] + summed

    @cached_property
    def _gauge(self) -> Floats:
        gauge = np.ones(self.n_sites)
        items = self.plan.items
        for _, _, _, edge, left in items[items[:, WHAT] == TURN].tolist():
            i, j = self.edges[edge]
            gauge[i + j - left] = gauge[left] * (1.0 if self.couplings[edge] >= 0 else -1.0)
        return gauge

    @cached_property
    def _log_bonds(self) -> Floats:
        J = self.couplings * self._gauge[self.edges].prod(axis=1)
        return np.stack([np.where(J > 0, -2.0 * J, 0.0), np.where(J < 0, 2.0 * J, 0.0)], axis=1)

    @cached_property
    def _program(self) -> Program:
        return Program(
            self.plan.ops, self.plan.items, np.exp(self._log_bonds), self._loss, self._drift
        )

    def _meeting(self, wanted: Indices) -> Program:
        """The sweep with the meetings that `wanted` sites need, remembered."""
        key = wanted.tobytes()
        if key not in self._known:
            self._known[key] = meeting(self._program, wanted)
        return self._known[key]

    def __reduce__(self) -> tuple[type["Transfer"], tuple[Plan, Indices, Floats, int]]:
        """Travel to other processes without what was computed or allocated on the way."""
        return Transfer, (self.plan, self.edges, self.couplings, self.n_sites)

    @cached_property
    def _rooms(self) -> list[Floats]:
        return []

    @cached_property
    def _known(self) -> dict[bytes, Program]:
        return {}

    def _gauged(self, fields: Floats) -> Floats:
        return np.ascontiguousarray(fields * self._gauge)

    def _ends(self) -> Floats:
        """Messages of nothing on both sides; other entries are written before they are read."""
        ends = np.empty((2, self.plan.states))
        ends[:, 0] = 1.0
        return ends

    def _log_weights(self, h: Floats) -> Floats:
        program = self._meeting(_NONE)
        # What all samples share is swept once.
        first = np.append(varying(program, h, LEAVES), len(program.ops))[0]
        ends = self._ends()
        shared = advance(cut(program, slice(first)), h, ends, backwards=False)
        psi = np.empty(self.plan.states)
        rest = cut(program, slice(first, None))
        return shared + sweep(rest, h, ends, FORWARDS, psi, *NOTHING)

    def _cavity_odds(self, h: Floats, wanted: Indices) -> Floats:
        program = self._meeting(wanted)
        meets = np.flatnonzero(program.ops[:, KIND] == MEET)
        if not meets.size:
            return np.empty((len(h), 0))
        _check_kept(kept_entries(program), "wanted sites")
        ends = self._ends()
        # What all samples share before the first and after the last meeting is swept once.
        first = np.append(varying(program, h, LEAVES), meets[0]).min()
        last = np.append(varying(program, h, ENTERS), meets[-1]).max() + 1
        advance(cut(program, slice(first)), h, ends, backwards=False)
        advance(cut(program, slice(last, None)), h, ends, backwards=True)
        odds, psi = np.empty(h.shape), np.empty(self.plan.states)
        # Fresh memory costs as much as the sweep itself: room is handed from call to call.
        kept = self._rooms.pop() if self._rooms else np.empty(0)
        kept = kept if kept.size >= kept_entries(program) else np.empty(kept_entries(program))
        sweep(cut(program, slice(first, last)), h, ends, BOTH_WAYS, psi, kept, odds)
        if kept.size <= _ROOM:
            self._rooms.append(kept)
        return odds[:, wanted]

    def _draw(self, h: Floats, uniforms: Floats) -> NDArray[np.int8]:
        program = self._program
        cuts = np.append(np.flatnonzero(program.ops[:, KIND] == MEET), len(program.ops))
        stretches = [cut(program, slice(a, b)) for a, b in zip([0, *cuts[:-1]], cuts, strict=True)]
        _check_kept(sum(1 << int(part.ops[0, WIDTH]) for part in stretches), "samples")
        ends = self._ends()
        starts = []
        for stretch in stretches:
            starts.append(ends[0, : 1 << stretch.ops[0, WIDTH]].copy())
            advance(stretch, h[None], ends, backwards=False)
        single = [one_by_one(stretch) for stretch in stretches]
        kept, psi = np.empty(max(map(kept_entries, single))), np.empty(self.plan.states)
        states = np.zeros(len(uniforms), dtype=np.int64)
        spins = np.empty(uniforms.shape, dtype=np.int8)
        while single:
            stretch, start = single.pop(), starts.pop()
            ends[0, : start.size] = start
            sweep(stretch, h[None], ends, FORWARDS, psi, kept, NOTHING[1])
            draw_back(stretch, kept, states, uniforms, spins)
        return spins

    def _in_log_space(self, work: Callable[[Plan, Floats, Floats], Floats], h: Floats) -> Floats:
        rows = max(1, _LOG_BYTES // (8 * (self.plan.states + self.plan.kept)))
        parts = [h[k : k + rows] for k in range(0, len(h), rows)]
        return np.concatenate([work(self.plan, self._log_bonds, part) for part in parts])
