"""Cluster moves on any graph: Swendsen-Wang (all clusters) and Wolff (one cluster).

Fields are bonds to a ghost spin, which is the last entry of `spins`, always +1: a cluster that
holds the ghost stays as it is. A bond e is satisfied if sign[e] x_i x_j = +1; a satisfied bond is
open if u_e < p[e] with p = 1 - exp(-2 |J|), and u_e number e of the splitmix64 stream `key`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit
from phasetheory._kernels.splitmix import uniform
from phasetheory._kernels.union_find import flatten, join

__all__ = ["Bonds", "Slots", "swendsen_wang", "wolff"]

Spins = NDArray[np.int8]
Floats = NDArray[np.float64]
Ints = NDArray[np.uint32]


class Bonds(NamedTuple):
    """Bonds as a list.

    Attributes:
        ends: Shape (2, n_bonds), uint32; the ghost has index n_sites.
        sign: Sign of the coupling, int8, shape (n_bonds,).
        p: Probability that a satisfied bond is open, shape (n_bonds,).
    """

    ends: Ints
    sign: Spins
    p: Floats


class Slots(NamedTuple):
    """The same bonds as neighbour lists: those of site i sit at start[i]:start[i + 1].

    Attributes:
        start: Shape (n_sites + 1,), uint32.
        neighbour: Site at the other end, uint32.
        bond: Index of the bond, uint32.
    """

    start: Ints
    neighbour: Ints
    bond: Ints


@jit(nogil=True)
def swendsen_wang(spins: Spins, bonds: Bonds, key: np.uint64, coins: NDArray[np.uint8]) -> int:
    """Open bonds, find the clusters, flip each with probability one half.

    Args:
        spins: Shape (n_sites + 1,), the ghost last; changed in place.
        bonds: Bonds, those to the ghost included.
        key: Stream of the bonds' random numbers.
        coins: Shape (n_sites + 1,): the lowest bit at a cluster's smallest site decides.

    Returns:
        Number of clusters, that of the ghost included.
    """
    parent = np.arange(spins.size).astype(np.uint32)
    # Open bonds are listed first, without a branch that could not be predicted.
    is_open = np.empty(bonds.p.size + 1, dtype=np.uint32)
    n_open = 0
    for e in range(bonds.p.size):
        is_open[n_open] = e
        satisfied = spins[bonds.ends[0, e]] * spins[bonds.ends[1, e]] == bonds.sign[e]
        n_open += satisfied & (uniform(key, e) < bonds.p[e])
    for k in range(n_open):
        join(parent, bonds.ends[0, is_open[k]], bonds.ends[1, is_open[k]])
    n_clusters = flatten(parent)
    ghost = parent[spins.size - 1]
    for i in range(spins.size - 1):
        if coins[parent[i]] & 1 and parent[i] != ghost:
            spins[i] = -spins[i]
    return n_clusters


@jit(nogil=True)
def wolff(spins: Spins, bonds: Bonds, slots: Slots, seed: int, key: np.uint64) -> int:
    """Flip the cluster of one site, unless it reaches the ghost.

    Args:
        spins: Shape (n_sites + 1,), the ghost last; changed in place.
        bonds: Bonds, those to the ghost included.
        slots: Neighbour lists of the sites (the ghost has none).
        seed: Site whose cluster is grown.
        key: Stream of the bonds' random numbers.

    Returns:
        Number of sites flipped: the size of the cluster, 0 if it was tied to the ghost.
    """
    ghost = spins.size - 1
    cluster = np.empty(ghost, dtype=np.uint32)
    member = np.zeros(ghost + 1, dtype=np.uint8)
    cluster[0], member[seed] = seed, 1
    size, done = 1, 0
    while done < size:
        i = cluster[done]
        done += 1
        for slot in range(slots.start[i], slots.start[i + 1]):
            j, e = slots.neighbour[slot], slots.bond[slot]
            if (
                not member[j]
                and spins[i] * spins[j] == bonds.sign[e]
                and uniform(key, e) < bonds.p[e]
            ):
                if j == ghost:
                    return 0
                member[j] = 1
                cluster[size] = j
                size += 1
    for k in range(size):
        spins[cluster[k]] = -spins[cluster[k]]
    return size
