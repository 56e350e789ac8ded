r"""Sweep of a planar zero-field Ising model in domain-wall amplitudes.

The spins on the frontier of a planar sweep form a ring, and a configuration is known, up to a
global flip, by the set S of neighbours that differ: its domain walls. The weight of all that has
been summed behind the frontier is a free-fermion state,

.. math:: \psi(S) = \psi(\emptyset)\, \mathrm{Pf}(A_S),

with A antisymmetric and positive above the diagonal in frontier order: A_kl is the weight of two
walls k, l relative to the reference configuration without walls. Three steps keep that form:

- *insert* a free spin beside another: its wall splits in two, rows are copied, A = 1 between them;
- *bond* of coupling K across wall k: row k is scaled by :math:`e^{-2K}`;
- *remove* the spin between walls p and q (sum over it): with a = A_pq, the walls merge into p,
  :math:`A_{kl} \mathrel{+}= (A_{kq} A_{lp} - A_{kp} A_{lq})/(1+a)`,
  :math:`A_{pl} = (A_{pl} + A_{ql})/(1+a)`, and the weight grows by 1 + a.

Where a bond would make a row large, the reference is first moved to the pair of walls it favours
(*pivot*): a reference far from the likely configurations is what loses digits.

Slots hold the walls in no particular order; the links keep the order of the frontier.
"""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit

__all__ = [
    "BOND",
    "INSERT",
    "N_LINKS",
    "PIVOT",
    "REMOVE",
    "log_weights",
    "run_segment",
    "start",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Steps of a program, rows (step, slot, slot, argument):
#: (INSERT, new, old, +1), or -1 where the new spin comes first on the frontier and splits the wall
#: that closes the ring; (BOND, slot, edge, 0); (REMOVE, kept, freed, +1), or -1 where the first
#: spin goes and its wall merges into the one that closes the ring.
INSERT, BOND, REMOVE = 0, 1, 2
#: A bond before which the reference moved; appears on tapes only.
PIVOT = 3

#: Rows of the links: whether the reference has the wall, previous and next slot on the frontier,
#: and (in its entry 0) the first slot.
N_LINKS = 4
_REFERENCE, _PREVIOUS, _NEXT, _FIRST = 0, 1, 2, 3

#: Amplitudes above this move the reference. Any number of order one serves: it bounds the growth
#: of rounding errors, and lower ones cost more pivots.
_LARGEST = 8.0


@jit(nogil=True)
def start(amplitudes: Floats, links: Ints) -> None:
    """Reset to a frontier of one spin, whose one wall (slot 0) closes the ring on itself."""
    amplitudes[:] = 0.0
    links[_REFERENCE] = 0
    links[_PREVIOUS] = -1
    links[_NEXT] = -1
    links[_FIRST, 0] = 0


@jit(nogil=True)
def _insert(amplitudes: Floats, links: Ints, new: int, old: int, side: int) -> None:
    for other in range(amplitudes.shape[0]):
        # Past the cut of the ring the copied wall changes sides with all others.
        amplitudes[new, other] = side * amplitudes[old, other]
        amplitudes[other, new] = -amplitudes[new, other]
    amplitudes[new, new] = 0.0
    amplitudes[old, new] = side
    amplitudes[new, old] = -side
    if side > 0:
        after = links[_NEXT, old]
        links[_NEXT, old] = new
        links[_PREVIOUS, new] = old
        links[_NEXT, new] = after
        if after >= 0:
            links[_PREVIOUS, after] = new
        links[_REFERENCE, new] = links[_REFERENCE, old]
        links[_REFERENCE, old] = 0
    else:
        head = links[_FIRST, 0]
        links[_NEXT, new] = head
        links[_PREVIOUS, new] = -1
        links[_PREVIOUS, head] = new
        links[_FIRST, 0] = new
        links[_REFERENCE, new] = 0


@jit(nogil=True)
def _scale(amplitudes: Floats, wall: int, factor: float) -> None:
    for other in range(amplitudes.shape[0]):
        amplitudes[wall, other] *= factor
        amplitudes[other, wall] = -amplitudes[wall, other]


@jit(nogil=True)
def _remove(amplitudes: Floats, links: Ints, kept: int, freed: int, side: int) -> float:
    n = amplitudes.shape[0]
    if side < 0:
        # The closing wall moves to the front of the ring's cut, next to the first spin.
        for j in range(n):
            amplitudes[kept, j] = -amplitudes[kept, j]
    a = amplitudes[kept, freed]
    c = 1.0 / (1.0 + a)
    for i in range(n):
        if i != kept and i != freed:
            y, z = c * amplitudes[freed, i], c * amplitudes[kept, i]
            if y != 0.0 or z != 0.0:
                for j in range(n):
                    amplitudes[i, j] += y * amplitudes[kept, j] - z * amplitudes[freed, j]
    for j in range(n):
        amplitudes[kept, j] = side * c * (amplitudes[kept, j] + amplitudes[freed, j])
        amplitudes[freed, j] = 0.0
    amplitudes[kept, kept] = 0.0
    amplitudes[kept, freed] = 0.0
    for j in range(n):
        amplitudes[j, kept] = -amplitudes[kept, j]
        amplitudes[j, freed] = 0.0
    links[_REFERENCE, kept] ^= links[_REFERENCE, freed]
    links[_REFERENCE, freed] = 0
    before, after = links[_PREVIOUS, freed], links[_NEXT, freed]
    if before >= 0:
        links[_NEXT, before] = after
    else:
        links[_FIRST, 0] = after
    if after >= 0:
        links[_PREVIOUS, after] = before
    return np.log1p(a)


@jit(nogil=True)
def _partner(amplitudes: Floats, wall: int, coupling: float) -> int:
    """Wall to pivot with before a bond that favours `wall`; -1 where no amplitude gets large."""
    best, partner = 0.0, -1
    for other in range(amplitudes.shape[0]):
        size = abs(amplitudes[wall, other])
        if size > best:
            best, partner = size, other
    if partner >= 0 and np.log(best) - 2.0 * coupling > np.log(_LARGEST):
        return partner
    return -1


@jit(nogil=True)
def _order_signs(links: Ints, wall: int, partner: int, signs: Floats) -> None:
    """-1 on the first of two walls and on those between them, +1 elsewhere."""
    signs[:] = 1.0
    slot = links[_FIRST, 0]
    inside = False
    while slot >= 0:
        if slot == wall or slot == partner:
            if inside:
                return
            inside = True
            signs[slot] = -1.0
        elif inside:
            signs[slot] = -1.0
        slot = links[_NEXT, slot]


@jit(nogil=True)
def _pivot(
    amplitudes: Floats, links: Ints, pair: tuple[int, int], damping: float, work: Floats
) -> None:
    """Toggle two walls of the reference and damp the row of the first by the bond's factor.

    Afterwards work holds, row by row: r = (row of the wall)/a, the row v of its partner, the
    signs of the order; a = A_wall,partner. Ratios never overflow, however large the coupling.
    """
    wall, partner = pair
    n = amplitudes.shape[0]
    a = amplitudes[wall, partner]
    ratios, others, signs = work[0], work[1], work[2]
    _order_signs(links, wall, partner, signs)
    for j in range(n):
        ratios[j] = amplitudes[wall, j] / a
        others[j] = amplitudes[partner, j]
    for i in (wall, partner):
        ratios[i] = 0.0
        others[i] = 0.0
    for i in range(n):
        v, r, sign = others[i], ratios[i], signs[i]
        for j in range(n):
            amplitudes[i, j] = sign * signs[j] * (amplitudes[i, j] + v * ratios[j] - r * others[j])
    side = np.sign(a)
    for j in range(n):
        amplitudes[wall, j] = signs[j] * others[j] * damping
        amplitudes[partner, j] = signs[j] * side * ratios[j]
    amplitudes[wall, partner] = side * damping
    amplitudes[partner, wall] = -side * damping
    for j in range(n):
        amplitudes[j, wall] = -amplitudes[wall, j]
        amplitudes[j, partner] = -amplitudes[partner, j]
    links[_REFERENCE, wall] ^= 1
    links[_REFERENCE, partner] ^= 1


@jit(nogil=True)
def _bond(
    amplitudes: Floats, links: Ints, wall: int, coupling: float, work: Floats
) -> tuple[float, int, float, float]:
    """Log-weight of the (new) reference, pivot partner or -1, a, and the damping s/abs(a)."""
    k = -coupling if links[_REFERENCE, wall] else coupling
    if k < 0.0:
        partner = _partner(amplitudes, wall, k)
        if partner >= 0:
            a = amplitudes[wall, partner]
            damping = np.exp(2.0 * k - np.log(abs(a)))
            _pivot(amplitudes, links, (wall, partner), damping, work)
            return np.log(abs(a)) - (0.0 if np.isinf(k) else k), partner, a, damping
        if np.isinf(k):
            # The other side of a known bond weighs less than the smallest number.
            return -np.inf, -1, 0.0, 0.0
    # What a factor of e^700 would not lift above the largest amplitude is zero already.
    _scale(amplitudes, wall, np.exp(min(-2.0 * k, 700.0)))
    return (0.0 if np.isinf(k) else k), -1, 0.0, 0.0


@jit(nogil=True)
def run_segment(
    steps: Ints, couplings: Floats, amplitudes: Floats, links: Ints, tape: tuple
) -> tuple[float, int]:
    """Run some steps of a program and, where there is room for it, keep what a way back needs.

    Args:
        steps: Shape (n_steps, 4), see the constants of this module.
        couplings: Shape (n_edges,); +inf ties two spins (weight 1), -inf is not allowed.
        amplitudes: State A, shape (slots, slots); changed in place.
        links: Shape (N_LINKS, slots); changed in place.
        tape: Events (n_steps or 0, 5) as (step, slot, slot, argument, reference), values
            (n_steps, 2) as (a, damping), and rows (n_steps, 4, slots).

    Returns:
        Log of the weight that the reference gained, and the number of events.
    """
    events, values, rows = tape
    record = events.shape[0] > 0
    work = np.empty((3, amplitudes.shape[0]))
    total, lost = 0.0, 0.0
    for n in range(steps.shape[0]):
        step, first, second, argument = steps[n]
        gain = 0.0
        if record:
            events[n, 0], events[n, 1], events[n, 2] = step, first, second
            events[n, 3] = argument
        if step == INSERT:
            _insert(amplitudes, links, first, second, argument)
        elif step == BOND:
            gain, partner, a, damping = _bond(amplitudes, links, first, couplings[second], work)
            if record:
                events[n, 4] = links[_REFERENCE, first]
                rows[n, 0] = amplitudes[first]
                values[n, 0], values[n, 1] = a, damping
                if partner >= 0:
                    events[n, 0], events[n, 3] = PIVOT, partner
                    rows[n, 1:] = work
                else:
                    k = -couplings[second] if events[n, 4] else couplings[second]
                    values[n, 1] = np.exp(min(-2.0 * k, 700.0))
        else:
            if record:
                rows[n, 0] = amplitudes[first]
                rows[n, 1] = amplitudes[second]
            gain = _remove(amplitudes, links, first, second, argument)
        # Thousands of terms of one sign: keep what each addition rounds off (Neumaier 1974).
        after = total + gain
        lost += (total - after) + gain if abs(total) >= abs(gain) else (gain - after) + total
        total = after
    return total + lost, steps.shape[0]


@jit(nogil=True)
def log_weights(program: Ints, n_slots: int, couplings: Floats) -> Floats:
    """Log partition function for each row of couplings, by one sweep each.

    Args:
        program: Shape (n_steps, 4), from a frontier of one spin back to one spin.
        n_slots: Slots that the program uses.
        couplings: Shape (n, n_edges).

    Returns:
        Shape (n,): log of the sum over spins of exp(sum_e K_e s_i s_j), where a bond with
        K = +inf weighs 1 if satisfied and 0 if not.
    """
    amplitudes = np.zeros((n_slots, n_slots))
    links = np.zeros((N_LINKS, n_slots), dtype=np.int64)
    tape = (
        np.zeros((0, 5), dtype=np.int64),
        np.zeros((0, 2)),
        np.zeros((0, 4, n_slots)),
    )
    out = np.empty(couplings.shape[0])
    for n in range(couplings.shape[0]):
        start(amplitudes, links)
        total, _ = run_segment(program, couplings[n], amplitudes, links, tape)
        out[n] = total + np.log(2.0)
    return out
