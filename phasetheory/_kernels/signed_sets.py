"""Disjoint sets of spins tied to each other by known bonds: union-find with relative signs."""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit

__all__ = ["connections", "tie"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@jit(nogil=True)
def _find(parent: NDArray[np.int32], sign: NDArray[np.int8], i: int) -> tuple[int, int]:
    """Root of a spin and its sign relative to the root; paths are halved on the way."""
    relative = 1
    while parent[i] != i:
        above = parent[i]
        if parent[above] != above:
            sign[i] *= sign[above]
            parent[i] = parent[above]
        relative *= sign[i]
        i = parent[i]
    return i, relative


@jit(nogil=True)
def _join(parent: NDArray[np.int32], sign: NDArray[np.int8], ends: Ints, value: int) -> int:
    """Tie two spins with s_i s_j = value: 1 if two sets became one, 0 if known, -1 if refuted."""
    i, first = _find(parent, sign, ends[0])
    j, second = _find(parent, sign, ends[1])
    relative = first * second * value
    if i == j:
        return 0 if relative > 0 else -1
    low, high = min(i, j), max(i, j)
    parent[high] = low
    sign[high] = relative
    return 1


@jit(nogil=True)
def tie(edges: Ints, order: Ints, values: Floats, spins: NDArray[np.int8]) -> tuple[int, bool]:
    """Tie spins along bonds, in the order given; a bond between tied spins changes nothing.

    Args:
        edges: Shape (n_edges, 2).
        order: Indices of the bonds to go through.
        values: Shape (n_edges,): the sign of an entry is s_i s_j.
        spins: Shape (n_spins,); on return each spin's sign relative to the root of its set.

    Returns:
        Number of sets, and whether no bond contradicted those before it.
    """
    n = spins.size
    parent = np.arange(n).astype(np.int32)
    sign = np.ones(n, dtype=np.int8)
    n_sets, consistent = n, True
    for e in order:
        joined = _join(parent, sign, edges[e], 1 if values[e] > 0 else -1)
        if joined > 0:
            n_sets -= 1
        elif joined < 0:
            consistent = False
    for i in range(n):
        spins[i] = _find(parent, sign, i)[1]
    return n_sets, consistent


@jit(nogil=True)
def connections(
    edges: Ints, n_spins: int, evidence: Floats, queries: Ints
) -> tuple[Ints, NDArray[np.int8]]:
    """What exactly known bonds say: sets of tied spins, and the product across other bonds.

    Args:
        edges: Shape (n_edges, 2).
        n_spins: Number of spins.
        evidence: Shape (n, n_edges); +inf or -inf where a bond is known, other entries ignored.
        queries: Bonds asked for, shape (m,).

    Returns:
        Number of sets per sample, shape (n,), or -1 where known bonds contradict each other; and
        s_i s_j of the bonds asked for, shape (n, m), 0 where they are not tied.
    """
    n = evidence.shape[0]
    n_sets = np.empty(n, dtype=np.int64)
    products = np.zeros((n, queries.size), dtype=np.int8)
    parent = np.empty(n_spins, dtype=np.int32)
    sign = np.empty(n_spins, dtype=np.int8)
    for k in range(n):
        for i in range(n_spins):
            parent[i] = i
            sign[i] = 1
        n_sets[k] = n_spins
        for e in range(edges.shape[0]):
            if np.isinf(evidence[k, e]):
                joined = _join(parent, sign, edges[e], 1 if evidence[k, e] > 0 else -1)
                if joined > 0:
                    n_sets[k] -= 1
                elif joined < 0:
                    n_sets[k] = -1
                    break
        for m in range(queries.size):
            i, first = _find(parent, sign, edges[queries[m], 0])
            j, second = _find(parent, sign, edges[queries[m], 1])
            if i == j:
                products[k, m] = first * second
    return n_sets, products
