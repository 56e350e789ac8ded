"""Distances on lattices: Chebyshev on grids, shortest paths on graphs, and those of bonds."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

__all__ = ["BondMetric", "GraphMetric", "GridMetric", "Indices", "Metric"]

Indices = NDArray[np.int64]


class Metric(Protocol):
    """What a lattice needs to know to say how far sites are from each other."""

    def distances(self, sites: Indices) -> NDArray[np.float64]:
        """Distance of every site from the nearest of `sites`, shape (n_sites,)."""

    def block(self, centre: object, size: int) -> Indices:
        """Sites of the block A that `centre` and `size` name."""


@dataclass(frozen=True)
class GridMetric:
    """Chebyshev distance on a grid, wrapped along periodic axes."""

    shape: tuple[int, ...]
    periodic: tuple[bool, ...]

    def distances(self, sites: Indices) -> NDArray[np.float64]:
        """Distance of every site from the nearest of `sites`, shape (n_sites,)."""
        grid = np.indices(self.shape).reshape(len(self.shape), -1)
        nearest = np.full(grid.shape[1], np.inf)
        for site in sites:
            steps = np.abs(grid - grid[:, site : site + 1])
            for axis, (length, wraps) in enumerate(zip(self.shape, self.periodic, strict=True)):
                if wraps:
                    steps[axis] = np.minimum(steps[axis], length - steps[axis])
            nearest = np.minimum(nearest, steps.max(axis=0))
        return nearest

    def block(self, centre: object, size: int) -> Indices:
        """Sites of the size^d block whose lowest corner is the coordinate tuple `centre`."""
        dimension = len(self.shape)
        corner = np.atleast_1d(np.asarray(centre))
        if corner.shape != (dimension,) or not np.issubdtype(corner.dtype, np.integer):
            raise ValueError(
                f"centre={centre!r}: a tuple of {dimension} integer coordinates needed on a grid"
                f" of shape {self.shape}"
            )
        axes = []
        for low, length, wraps in zip(corner.tolist(), self.shape, self.periodic, strict=True):
            inside = low < length if wraps else low + size <= length
            if low < 0 or not inside or size > length:
                raise ValueError(
                    f"centre={centre!r} with size={size}: the block leaves the grid of shape"
                    f" {self.shape}"
                )
            axes.append((low + np.arange(size)) % length)
        mesh = np.meshgrid(*axes, indexing="ij")
        return np.sort(np.ravel_multi_index([m.ravel() for m in mesh], self.shape))


@dataclass(frozen=True, eq=False)
class GraphMetric:
    """Number of edges on the shortest path."""

    n_sites: int
    edges: Indices

    def distances(self, sites: Indices) -> NDArray[np.float64]:
        """Distance of every site from the nearest of `sites`, shape (n_sites,)."""
        ends = (np.ones(len(self.edges)), (self.edges[:, 0], self.edges[:, 1]))
        graph = coo_array(ends, shape=(self.n_sites, self.n_sites)).tocsr()
        found = dijkstra(graph, directed=False, indices=sites, unweighted=True, min_only=True)
        return np.asarray(found, dtype=float)

    def block(self, centre: object, size: int) -> Indices:
        """Return the one site `centre`; blocks of more than one site exist on grids only."""
        if size != 1:
            raise ValueError(f"size={size}: on a graph A is one site (size=1); larger A by mask")
        if not isinstance(centre, int | np.integer) or not 0 <= centre < self.n_sites:
            raise ValueError(f"centre={centre!r}: a site index from 0 to {self.n_sites - 1} needed")
        return np.array([centre], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class BondMetric:
    """Distance between bonds of a lattice: that of the farther end from the nearer end of A.

    Attributes:
        spins: Distances of the sites at the ends.
        edges: The bonds, shape (n_bonds, 2).
    """

    spins: Metric
    edges: Indices

    def distances(self, sites: Indices) -> NDArray[np.float64]:
        """Distance of every bond from the nearest of the bonds `sites`, shape (n_bonds,).

        Both ends of a bond at distance d lie within distance d of an end of one of `sites`.
        """
        ends = self.edges
        from_spins = np.full(len(ends), np.inf)
        for bond in sites:
            near = self.spins.distances(ends[bond])
            np.minimum(from_spins, near[ends].max(axis=1), out=from_spins)
        return from_spins

    def block(self, centre: object, size: int) -> Indices:
        """Return the one bond `centre`: its index, or its ends (i, j)."""
        if size != 1:
            raise ValueError(f"size={size}: on bonds A is one bond (size=1); larger A by mask")
        n_bonds = len(self.edges)
        if isinstance(centre, int | np.integer) and 0 <= centre < n_bonds:
            return np.array([centre], dtype=np.int64)
        ends = np.sort(np.atleast_1d(np.asarray(centre)))
        found = np.zeros(0, dtype=np.int64)
        if ends.shape == (2,):
            found = np.flatnonzero((self.edges == ends).all(axis=1))
        if found.size != 1:
            raise ValueError(
                f"centre={centre!r}: a bond index from 0 to {n_bonds - 1}, or the two sites (i, j)"
                " of an edge, needed"
            )
        return found.astype(np.int64)
