r"""The way back of a domain-wall sweep: every bond's correlation from one tape.

With :math:`G_{kl} = \partial \log Z / \partial A_{kl}`, the probability that the wall of a bond is
present (relative to the reference at that moment) is :math:`\sum_l A_{kl} G_{kl}`, a sum whose
terms share the small factor of an unlikely wall, so that small probabilities keep their digits.
G runs backwards through the steps of the sweep by the chain rule; summing over a spin changes
only the two rows of the walls that merged.

The tape of a whole sweep would be large, so the state is kept at the start of every segment, and
each segment is run again when the way back reaches it.
"""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit
from phasetheory._kernels.domain_walls import (
    BOND,
    INSERT,
    N_LINKS,
    PIVOT,
    run_segment,
    start,
)

__all__ = ["wall_probabilities"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@jit(nogil=True)
def _set_row(gradient: Floats, wall: int, row: Floats) -> None:
    for j in range(gradient.shape[0]):
        gradient[wall, j] = row[j]
        gradient[j, wall] = -row[j]
    gradient[wall, wall] = 0.0


@jit(nogil=True)
def _products(gradient: Floats, u: Floats, v: Floats, out: Floats) -> None:
    """Products G u and G v, in one pass over G."""
    for i in range(gradient.shape[0]):
        x, y = 0.0, 0.0
        for j in range(gradient.shape[0]):
            x += gradient[i, j] * u[j]
            y += gradient[i, j] * v[j]
        out[0, i] = x
        out[1, i] = y


@jit(nogil=True)
def _undo_insert(gradient: Floats, new: int, old: int, side: int) -> None:
    n = gradient.shape[0]
    gradient[old, new] = 0.0
    gradient[new, old] = 0.0
    for j in range(n):
        gradient[old, j] += side * gradient[new, j]
        gradient[j, old] = -gradient[old, j]
    for j in range(n):
        gradient[new, j] = 0.0
        gradient[j, new] = 0.0


@jit(nogil=True)
def _undo_remove(
    gradient: Floats, pair: tuple[int, int], side: int, rows: Floats, work: Floats
) -> None:
    kept, freed = pair
    n = gradient.shape[0]
    u, v, merged = rows[0], rows[1], work[2]
    c = 1.0 / (1.0 + side * u[freed])
    for j in range(n):
        u[j] *= side
    for i in (kept, freed):
        u[i] = 0.0
        v[i] = 0.0
    for j in range(n):
        merged[j] = side * gradient[kept, j]
        gradient[kept, j] = 0.0
        gradient[j, kept] = 0.0
    _products(gradient, u, v, work)
    total = 0.0
    for j in range(n):
        total += v[j] * work[0, j] + merged[j] * (u[j] + v[j])
        work[0, j] = c * (merged[j] + work[0, j])
        work[1, j] = side * c * (merged[j] - work[1, j])
    for i in (kept, freed):
        work[0, i] = 0.0
        work[1, i] = 0.0
    _set_row(gradient, freed, work[0])
    _set_row(gradient, kept, work[1])
    gradient[kept, freed] = side * (c - c * c * total)
    gradient[freed, kept] = -gradient[kept, freed]


@jit(nogil=True)
def _undo_pivot(
    gradient: Floats,
    pair: tuple[int, int],
    value: tuple[float, float],
    rows: Floats,
    work: Floats,
) -> None:
    wall, partner = pair
    a, damping = value
    n = gradient.shape[0]
    side = np.sign(a)
    r, v, signs = rows[1], rows[2], rows[3]
    first, second = work[2], work[3]
    for j in range(n):
        first[j] = signs[j] * gradient[wall, j]
        second[j] = side * signs[j] * gradient[partner, j]
    between = gradient[wall, partner]
    for i in (wall, partner):
        first[i] = 0.0
        second[i] = 0.0
        for j in range(n):
            gradient[i, j] = 0.0
            gradient[j, i] = 0.0
    for i in range(n):
        for j in range(n):
            gradient[i, j] *= signs[i] * signs[j]
    _products(gradient, r, v, work)
    total, damped = 0.0, side * between
    for j in range(n):
        change = second[j] - work[1, j]
        total += r[j] * change
        damped += first[j] * v[j]
        work[1, j] = change / a
        work[0, j] += damping * first[j]
    for i in (wall, partner):
        work[0, i] = 0.0
        work[1, i] = 0.0
    _set_row(gradient, wall, work[1])
    _set_row(gradient, partner, work[0])
    gradient[wall, partner] = (1.0 - total - damping * damped) / a
    gradient[partner, wall] = -gradient[wall, partner]


@jit(nogil=True)
def _run_back(tape: tuple, gradient: Floats, presence: Floats) -> None:
    """Pull the gradient back through one segment; walls relative to the zero-wall configuration."""
    events, values, rows = tape
    n = gradient.shape[0]
    work = np.empty((4, n))
    for e in range(events.shape[0] - 1, -1, -1):
        step, first, second, argument, reference = events[e]
        if step == INSERT:
            _undo_insert(gradient, first, second, argument)
        elif step == BOND or step == PIVOT:
            p = 0.0
            for j in range(n):
                p += rows[e, 0, j] * gradient[first, j]
            presence[second, 0] = p
            presence[second, 1] = reference
            if step == BOND:
                for j in range(n):
                    gradient[first, j] *= values[e, 1]
                    gradient[j, first] = -gradient[first, j]
            else:
                _undo_pivot(
                    gradient, (first, argument), (values[e, 0], values[e, 1]), rows[e], work
                )
        else:
            _undo_remove(gradient, (first, second), argument, rows[e], work)


@jit(nogil=True)
def wall_probabilities(
    program: Ints, n_slots: int, couplings: Floats, segment: int
) -> tuple[Floats, Floats]:
    """Log partition function and the wall probability of every bond, for one set of couplings.

    Args:
        program: Shape (n_steps, 4).
        n_slots: Slots that the program uses.
        couplings: Shape (n_edges,); +inf ties two spins.
        segment: Steps between stored states.

    Returns:
        Log Z of shape (1,), and shape (n_edges, 2): the probability p that bond e differs from
        the reference, and the reference's own wall, 0 or 1. P(s_i != s_j) is p or 1 - p; p is
        accurate relative to itself. Edges outside the program keep p = 0.5.
    """
    n_segments = (program.shape[0] + segment - 1) // segment
    amplitudes = np.zeros((n_slots, n_slots))
    links = np.zeros((N_LINKS, n_slots), dtype=np.int64)
    states = np.empty((n_segments, n_slots, n_slots))
    orders = np.empty((n_segments, N_LINKS, n_slots), dtype=np.int64)
    nothing = (
        np.zeros((0, 5), dtype=np.int64),
        np.zeros((0, 2)),
        np.zeros((0, 4, n_slots)),
    )
    start(amplitudes, links)
    total = np.full(1, np.log(2.0))
    for s in range(n_segments):
        states[s] = amplitudes
        orders[s] = links
        steps = program[s * segment : (s + 1) * segment]
        gain, _ = run_segment(steps, couplings, amplitudes, links, nothing)
        total[0] += gain
    presence = np.zeros((couplings.shape[0], 2))
    presence[:, 0] = 0.5
    gradient = np.zeros((n_slots, n_slots))
    rows = np.empty((segment, 4, n_slots))
    values = np.empty((segment, 2))
    events = np.empty((segment, 5), dtype=np.int64)
    for s in range(n_segments - 1, -1, -1):
        steps = program[s * segment : (s + 1) * segment]
        m = steps.shape[0]
        tape = (events[:m], values[:m], rows[:m])
        run_segment(steps, couplings, states[s], orders[s], tape)
        _run_back(tape, gradient, presence)
    return total, presence
