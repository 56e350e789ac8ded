"""Distance between the leaves of a regular tree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TreeMetric"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class TreeMetric:
    """Distance of two leaves: the height of the smallest subtree that holds both.

    An ultrametric: 0 for a leaf itself, 1 for its siblings, `depth` across the root.

    Attributes:
        branching: Children of a node.
        depth: Height of the tree.
    """

    branching: int
    depth: int

    def distances(self, sites: Indices) -> Floats:
        """Distance of every leaf from the nearest of `sites`, shape (n_leaves,); inf if none."""
        n = self.branching**self.depth
        nearest = np.full(n, np.inf)
        for height in range(self.depth, -1, -1) if len(sites) else ():
            width = self.branching**height
            nearest.reshape(-1, width)[np.unique(sites // width)] = height
        return nearest

    def block(self, centre: object, size: int) -> Indices:
        """Leaves of the subtree of `size` leaves whose first leaf is `centre`."""
        n = self.branching**self.depth
        sizes = [self.branching**height for height in range(self.depth + 1)]
        if size not in sizes:
            raise ValueError(f"size={size}: the leaves of a subtree, one of {sizes[:8]}, needed")
        if not isinstance(centre, int | np.integer) or not 0 <= centre < n or centre % size:
            raise ValueError(
                f"centre={centre!r}: a leaf from 0 to {n - 1}, divisible by size={size}, needed"
            )
        return np.arange(centre, int(centre) + size, dtype=np.int64)
