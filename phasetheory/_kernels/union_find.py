"""Disjoint sets on an array of parents; every root is the smallest member of its set."""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit

__all__ = ["flatten", "join"]

Parents = NDArray[np.uint32]


@jit(nogil=True)
def join(parent: Parents, i: int, j: int) -> None:
    """Merge the sets of i and j.

    Both paths are walked together, each step hanging the lower node's parent under the upper one
    (Rem's algorithm; Patwary, Blair and Manne, SEA 2010).
    """
    while parent[i] != parent[j]:
        if parent[i] < parent[j]:
            i, j = j, i
        above = parent[i]
        parent[i] = parent[j]
        if above == i:
            break
        i = above


@jit(nogil=True)
def flatten(parent: Parents) -> int:
    """Point every member straight at its root and return the number of sets.

    Parents are smaller than their children, so one ascending pass suffices.
    """
    n_sets = 0
    for i in range(parent.size):
        if parent[i] == i:
            n_sets += 1
        else:
            parent[i] = parent[parent[i]]
    return n_sets
