"""Metropolis on one colour class of a bipartite graph: sites that do not see each other.

The two classes are arrays of their own, and nothing depends on the outcome at another site of the
class: every loop runs in vectors. Neighbour tables are padded to the largest degree with coupling
0, which changes no sum.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit

__all__ = ["ColourClass", "sweep", "update_class"]

Floats = NDArray[np.float64]


class ColourClass(NamedTuple):
    """Sites of one colour.

    Attributes:
        sites: Shape (m,), uint32.
        neighbour: Position within the other class, uint32, shape (degree, m).
        weight: Couplings J, shape (degree, m).
        field: Fields h, shape (m,).
    """

    sites: NDArray[np.uint32]
    neighbour: NDArray[np.uint32]
    weight: Floats
    field: Floats


@jit(nogil=True)
def update_class(mine: Floats, other: Floats, members: ColourClass, exponentials: Floats) -> None:
    """Flip each site of the class with probability min(1, exp(-2 x_i local_i)).

    Args:
        mine: Spins of the class as floats, shape (m,), changed in place.
        other: Spins of the other class.
        members: Neighbours, couplings and fields of the class.
        exponentials: Standard exponential numbers, shape (m,): a flip happens if its cost is at
            most that.
    """
    local = members.field.copy()
    for d in range(members.neighbour.shape[0]):
        near, weight = members.neighbour[d], members.weight[d]
        for k in range(mine.size):
            local[k] += weight[k] * other[near[k]]
    for k in range(mine.size):
        x = mine[k]
        mine[k] = -x if 2.0 * x * local[k] <= exponentials[k] else x


@jit(nogil=True)
def sweep(
    spins: NDArray[np.int8], first: ColourClass, second: ColourClass, exponentials: Floats
) -> int:
    """Update one class, then the other.

    Args:
        spins: Shape (n_sites,), changed in place.
        first: The class updated first.
        second: The other one.
        exponentials: Shape (n_sites,), those of the first class first.

    Returns:
        Number of spins flipped.
    """
    m = first.sites.size
    one, two = np.empty(m), np.empty(second.sites.size)
    for k in range(m):
        one[k] = spins[first.sites[k]]
    for k in range(two.size):
        two[k] = spins[second.sites[k]]
    update_class(one, two, first, exponentials[:m])
    update_class(two, one, second, exponentials[m:])
    flipped = 0
    for half, sites in ((one, first.sites), (two, second.sites)):
        for k in range(sites.size):
            new = np.int8(half[k])
            flipped += new != spins[sites[k]]
            spins[sites[k]] = new
    return flipped
