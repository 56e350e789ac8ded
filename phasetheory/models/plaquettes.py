"""Lattices of plaquettes: the faces of a planar patch, and parities of holes beside them."""

from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from phasetheory.engines.planar_faces import faces, is_plain_grid
from phasetheory.engines.syndrome_cells import DualGraph
from phasetheory.lattice import Lattice, Tripartition
from phasetheory.metrics import Metric

__all__ = ["PlaquetteLattice", "PlaquetteMetric", "dual_of", "plaquettes_of"]

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PlaquetteMetric:
    """Distances between plaquettes; parities of holes lie nowhere.

    Attributes:
        plaquettes: Distances without the parities.
        n_plaquettes: Number of plaquettes; sites beyond are parities.
        n_parities: Number of parities.
    """

    plaquettes: Metric
    n_plaquettes: int
    n_parities: int

    def distances(self, sites: Indices) -> NDArray[np.float64]:
        """Distance of every site from the nearest of `sites`; NaN for parities.

        Raises:
            ValueError: If one of `sites` is a parity.
        """
        if (sites >= self.n_plaquettes).any():
            raise ValueError(
                f"site {sites.max()} is the parity of a hole, which lies nowhere: distances are"
                f" from plaquettes only, sites 0 to {self.n_plaquettes - 1}"
            )
        near = self.plaquettes.distances(sites)
        return np.concatenate([near, np.full(self.n_parities, np.nan)])

    def block(self, centre: object, size: int) -> Indices:
        """Plaquettes of the block A that `centre` and `size` name."""
        return self.plaquettes.block(centre, size)


@dataclass(frozen=True, eq=False)
class PlaquetteLattice(Lattice):
    """Lattice of plaquettes followed by parities, which no tripartition takes by itself.

    A parity is the product of plaquettes on both sides of a buffer's rim or deep inside it: it
    belongs to A, B or C only where one puts it there.
    """

    n_parities: int = 0

    def tripartition(self, centre: object, radius: float, size: int = 1) -> Tripartition:
        """A at `centre`, B the plaquettes within `radius`, C the plaquettes beyond; no parities.

        Args:
            centre: Coordinate tuple (row, column) on grids, a plaquette's index elsewhere.
            radius: Buffer radius r >= 0.
            size: A is the block of size x size plaquettes, on grids.

        Returns:
            The tripartition; it covers the plaquettes, and leaves parities out of A, B and C.

        Raises:
            ValueError: If the centre, the block or the radius does not fit the lattice.
        """
        parts = Lattice.tripartition(self, centre, radius, size)
        last = self.n_sites - self.n_parities
        A, B, C = (region[region < last] for region in (parts.A, parts.B, parts.C))
        return Tripartition(A=A, B=B, C=C)


def dual_of(spins: Lattice, embedding: nx.PlanarEmbedding | None) -> DualGraph:
    """Faces of a planar patch and the bonds between them.

    Args:
        spins: The lattice whose faces are the plaquettes.
        embedding: Planar embedding on site indices; None for open grids.

    Raises:
        ValueError: If the patch is not connected or has no faces.
    """
    pieces = nx.number_connected_components(_graph(spins))
    if pieces > 1:
        raise ValueError(f"lattice has {pieces} pieces: a connected patch needed")
    found = _walks(spins, embedding)
    if not found:
        raise ValueError(
            f"lattice of {spins.n_sites} sites and {len(spins.edges)} edges has no faces: a"
            " syndrome needs at least one closed path"
        )
    return DualGraph.of_faces(found, spins.edges, spins.n_sites)


def plaquettes_of(
    spins: Lattice, dual: DualGraph, embedding: nx.PlanarEmbedding | None, *, n_parities: int
) -> Lattice:
    """Lattice whose sites are the faces of a patch, then `n_parities` parities.

    Plaquettes are neighbours where they share a bond. On an open grid they are a row-major grid
    themselves, with Chebyshev distance; elsewhere the distance is the number of shared bonds
    crossed on the way.
    """
    n_sites = dual.n_faces + n_parities
    if is_plain_grid(spins):
        assert spins.shape is not None
        grid = Lattice.grid([side - 1 for side in spins.shape])
        if not n_parities:
            return grid
        inner, metric = grid, grid.metric
        middle = np.indices(grid.shape or ()).reshape(2, -1)[::-1].T + 0.5
        places = np.asarray(middle, dtype=np.float64)
    else:
        inside = (dual.sides < dual.n_faces).all(axis=1) & (dual.sides[:, 0] != dual.sides[:, 1])
        graph = nx.empty_graph(dual.n_faces)
        graph.add_edges_from(dual.sides[inside].tolist())
        inner = Lattice.from_graph(graph)
        metric = inner.metric
        places = np.zeros((0, 2))
        if spins.positions is not None:
            cycles = _walks(spins, embedding)
            places = np.array([spins.positions[cycle].mean(axis=0) for cycle in cycles])
    assert metric is not None
    if len(places):
        # Parities are drawn in a row below the plaquettes.
        below = places.min(axis=0) - [0.0, 1.5]
        parities = below + np.arange(n_parities)[:, None] * [1.0, 0.0]
        places = np.concatenate([places, parities])
    return PlaquetteLattice(
        n_sites,
        inner.edges,
        PlaquetteMetric(metric, dual.n_faces, n_parities),
        positions=places if len(places) else None,
        n_parities=n_parities,
    )


def _walks(spins: Lattice, embedding: nx.PlanarEmbedding | None) -> list[list[int]]:
    """Inner faces as closed walks of site indices, on which the embedding is already."""
    return faces(replace(spins, labels=None), embedding)


def _graph(lattice: Lattice) -> nx.Graph:
    graph = nx.empty_graph(lattice.n_sites)
    graph.add_edges_from(lattice.edges.tolist())
    return graph
