r"""Exact draws of a planar Ising model from the way back of a domain-wall sweep.

Going back, the walls S on the frontier are known. Where the sweep summed over a spin, its two
values are weighed by :math:`\psi(S) \propto |\mathrm{Pf}(A_S)|` with the two sets of walls that
they leave, A being the amplitudes just before the sum.
"""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit
from phasetheory._kernels.domain_walls import BOND, INSERT, N_LINKS, REMOVE, run_segment, start

__all__ = ["draw_bonds"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@jit(nogil=True)
def _log_pfaffian(matrix: Floats, n: int) -> float:
    """Log of abs(Pf) of the leading n x n block, n even; the block is destroyed.

    Skew-symmetric elimination, two rows at a time, with pivoting on the largest entry of a row
    (Parlett and Reid, BIT 10, 386, 1970).
    """
    total = 0.0
    for k in range(0, n, 2):
        best, place = 0.0, k + 1
        for j in range(k + 1, n):
            if abs(matrix[k, j]) > best:
                best, place = abs(matrix[k, j]), j
        if best == 0.0:
            return -np.inf
        if place != k + 1:
            for j in range(n):
                matrix[k + 1, j], matrix[place, j] = matrix[place, j], matrix[k + 1, j]
            for j in range(n):
                matrix[j, k + 1], matrix[j, place] = matrix[j, place], matrix[j, k + 1]
        a = matrix[k, k + 1]
        total += np.log(abs(a))
        for i in range(k + 2, n):
            u, v = matrix[k, i] / a, matrix[k + 1, i] / a
            for j in range(k + 2, n):
                matrix[i, j] += v * matrix[k, j] - u * matrix[k + 1, j]
    return total


@jit(nogil=True)
def _log_weight(
    amplitudes: Floats, walls: NDArray[np.uint8], reference: Ints, work: Floats
) -> float:
    """Log psi of a set of walls relative to the reference."""
    n = 0
    present = np.empty(walls.size, dtype=np.int64)
    for slot in range(walls.size):
        if walls[slot] != reference[slot]:
            present[n] = slot
            n += 1
    for i in range(n):
        for j in range(n):
            work[i, j] = amplitudes[present[i], present[j]]
    return _log_pfaffian(work, n)


@jit(nogil=True)
def draw_bonds(
    program: Ints, n_slots: int, couplings: Floats, segment: int, uniforms: Floats
) -> NDArray[np.int8]:
    """Independent draws of all bonds s_i s_j.

    Args:
        program: Shape (n_steps, 4), see the sweep's kernels.
        n_slots: Slots that the program uses.
        couplings: Shape (n_edges,), finite.
        segment: Steps between stored states.
        uniforms: Shape (n, at least the number of removals).

    Returns:
        Shape (n, n_edges), entries +-1.
    """
    n_samples = uniforms.shape[0]
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
    for s in range(n_segments):
        states[s] = amplitudes
        orders[s] = links
        steps = program[s * segment : (s + 1) * segment]
        run_segment(steps, couplings, amplitudes, links, nothing)
    bonds = np.ones((n_samples, couplings.size), dtype=np.int8)
    walls = np.zeros((n_samples, n_slots), dtype=np.uint8)
    before = np.empty((segment, n_slots, n_slots))
    references = np.empty((segment, n_slots), dtype=np.int64)
    work = np.empty((n_slots, n_slots))
    used = 0
    for s in range(n_segments - 1, -1, -1):
        steps = program[s * segment : (s + 1) * segment]
        for k in range(steps.shape[0]):
            if steps[k, 0] == REMOVE:
                before[k] = states[s]
                references[k] = orders[s, 0]
            run_segment(steps[k : k + 1], couplings, states[s], orders[s], nothing)
        for k in range(steps.shape[0] - 1, -1, -1):
            step, first, second, _ = steps[k]
            for n in range(n_samples):
                if step == INSERT:
                    walls[n, second] ^= walls[n, first]
                    walls[n, first] = 0
                elif step == BOND:
                    bonds[n, second] = -1 if walls[n, first] else 1
                else:
                    walls[n, second] = 0
                    kept = _log_weight(before[k], walls[n], references[k], work)
                    walls[n, first] ^= 1
                    walls[n, second] = 1
                    flipped = _log_weight(before[k], walls[n], references[k], work)
                    # Written so that a set of weight zero is never drawn.
                    if uniforms[n, used] * (1.0 + np.exp(flipped - kept)) < 1.0:
                        walls[n, first] ^= 1
                        walls[n, second] = 0
            if step == REMOVE:
                used += 1
    return bonds
