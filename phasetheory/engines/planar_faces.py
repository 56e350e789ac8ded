"""Planarity, embeddings, and the faces of planar patches."""

from typing import Any, cast

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from phasetheory.lattice import Lattice

__all__ = ["checked_embedding", "faces", "is_plain_grid"]

Indices = NDArray[np.int64]


def is_plain_grid(lattice: Lattice) -> bool:
    """Whether a lattice is an open grid of one or two dimensions, planar as it stands."""
    shape = lattice.shape
    return shape is not None and len(shape) <= 2 and not any(lattice.periodic)


def checked_embedding(
    lattice: Lattice, embedding: nx.PlanarEmbedding | None
) -> nx.PlanarEmbedding | None:
    """A valid planar embedding of the lattice on site indices; None for open grids without one.

    Args:
        lattice: Spins on the vertices.
        embedding: The embedding to check, on site indices or on the lattice's labels; None to
            have one found.

    Raises:
        ValueError: If the graph is not planar, or the embedding is no embedding of this graph.
    """
    if embedding is None:
        if is_plain_grid(lattice):
            return None
        planar, found = nx.check_planarity(_graph(lattice))
        if not planar:
            raise ValueError(
                f"lattice of {lattice.n_sites} sites and {len(lattice.edges)} edges is not planar:"
                " loop ensembles need a planar graph (an open grid, a cylinder, a planar patch)"
            )
        return cast("nx.PlanarEmbedding[Any]", found)
    given = embedding
    if lattice.labels is not None and set(given) == set(lattice.labels):
        site = {label: i for i, label in enumerate(lattice.labels)}
        around = embedding.get_data()
        given = nx.PlanarEmbedding()
        given.set_data({site[v]: [site[u] for u in nearby] for v, nearby in around.items()})
    try:
        given.check_structure()
    except nx.NetworkXException as error:
        raise ValueError(f"embedding is not a planar embedding: {error}") from error
    wanted = {frozenset(edge) for edge in lattice.edges.tolist()}
    if {frozenset(edge) for edge in given.edges} != wanted or len(given) != lattice.n_sites:
        raise ValueError(
            f"embedding has {len(given)} nodes and {given.number_of_edges() // 2} edges that are"
            f" not those of the lattice ({lattice.n_sites} sites, {len(wanted)} edges)"
        )
    return given


def faces(lattice: Lattice, embedding: nx.PlanarEmbedding | None = None) -> list[list[int]]:
    """Inner faces of a connected planar patch, as cycles of sites.

    Args:
        lattice: Spins on the vertices.
        embedding: As :func:`checked_embedding`; squares in row-major order on open grids.

    Returns:
        One list of sites for each face but the longest one, which is taken as the outside.

    Raises:
        ValueError: As :func:`checked_embedding`.
    """
    if embedding is None and is_plain_grid(lattice):
        assert lattice.shape is not None
        rows, columns = (*lattice.shape, 1)[:2]
        corner = np.arange(rows * columns).reshape(rows, columns)[:-1, :-1].ravel()
        square = corner[:, None] + np.array([0, 1, columns + 1, columns])
        return [[int(site) for site in face] for face in square]
    found = checked_embedding(lattice, embedding)
    assert found is not None
    seen: set[tuple[int, int]] = set()
    cycles = []
    for edge in found.edges:
        if edge not in seen:
            cycles.append(found.traverse_face(*edge, mark_half_edges=seen))
    cycles.sort(key=len)
    return cycles[:-1]


def _graph(lattice: Lattice) -> "nx.Graph[Any]":
    graph: nx.Graph[Any] = nx.Graph()
    graph.add_nodes_from(range(lattice.n_sites))
    graph.add_edges_from(lattice.edges.tolist())
    return graph
