"""Canonical orders of triangulated planar graphs, chosen to keep the boundary short.

In a canonical order every vertex after the first two meets an interval of the outer boundary of
those before it (de Fraysseix, Pach and Pollack, Combinatorica 10, 41, 1990). It is found backwards
by peeling vertices without chords off the boundary; among those that can go, the one goes that is
nearest to the top. "Near" is the potential of a network of resistors on the edges of the graph,
held at 1 at the top and at 0 at the base edge: its level lines run across the graph and are short.
"""

import heapq
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import splu

__all__ = ["canonical_order"]

#: Conductance of edges that only triangulate: small, so that lengths are those of the graph, but
#: not zero, so that every vertex has a potential.
_ADDED = 1e-4


def canonical_order(
    graph: "nx.Graph[Any]", triangulated: "nx.PlanarEmbedding[Any]", face: list[Any]
) -> list[tuple[Any, list[Any]]]:
    """Order in which to build a triangulated planar graph up from a base edge.

    Args:
        graph: The graph itself.
        triangulated: Embedding of it and of further edges, whose faces are all triangles; at
            least three vertices.
        face: The outer face: two ends of the base edge and the top.

    Returns:
        The vertices; each with the interval of the boundary that it meets when it comes, from
        the first base vertex's side to the second's, empty for the base itself.

    Cost: one sparse linear solve and about 10 microseconds a vertex.
    """
    first, second, top = face
    height = _potential(graph, triangulated, face)
    peel = _Boundary(triangulated, face)
    ready = [(-height[top], str(top), top)]
    removed: list[tuple[Any, list[Any]]] = []
    while len(removed) < len(triangulated) - 2:
        _, _, vertex = heapq.heappop(ready)
        if not peel.is_free(vertex):
            continue
        interval = peel.remove(vertex)
        removed.append((vertex, interval))
        for other in interval:
            if peel.is_free(other):
                heapq.heappush(ready, (-height[other], str(other), other))
    return [(first, []), (second, []), *reversed(removed)]


class _Boundary:
    """The outer boundary, as neighbours to the left and right, and its chords."""

    def __init__(self, triangulated: "nx.PlanarEmbedding[Any]", face: list[Any]) -> None:
        first, second, top = face
        self._graph = triangulated
        self._base = (first, second)
        self._left = {top: first, second: top}
        self._right = {first: top, top: second}
        self._gone: set[Any] = set()
        self._on = {first, second, top}
        self._chords = dict.fromkeys(triangulated, 0)

    def is_free(self, vertex: Any) -> bool:
        """Whether a vertex can be peeled off."""
        return vertex in self._on and vertex not in self._base and self._chords[vertex] == 0

    def remove(self, vertex: Any) -> list[Any]:
        """Peel a vertex off; return its neighbours from left to right."""
        left, right = self._left[vertex], self._right[vertex]
        self._on.discard(vertex)
        self._gone.add(vertex)
        interval = self._interval(vertex, left, right)
        exposed = interval[1:-1]
        self._on.update(exposed)
        for one, next_one in pairwise(interval):
            self._right[one], self._left[next_one] = next_one, one
        if not exposed:
            # The edge between its neighbours was a chord and lies on the boundary now.
            self._chords[left] -= 1
            self._chords[right] -= 1
        new = set(exposed)
        for one in exposed:
            for other in self._graph[one]:
                if other in self._on and other not in (self._left[one], self._right[one]):
                    self._chords[one] += 1
                    if other not in new:
                        self._chords[other] += 1
        return interval

    def _interval(self, vertex: Any, left: Any, right: Any) -> list[Any]:
        around = [u for u in self._graph.neighbors_cw_order(vertex) if u not in self._gone]
        start = around.index(left)
        around = around[start:] + around[:start]
        if around[-1] != right:
            around = [left, *reversed(around[1:])]
        return around


def _potential(
    graph: "nx.Graph[Any]", triangulated: "nx.PlanarEmbedding[Any]", face: list[Any]
) -> dict[Any, float]:
    """Harmonic function that is 0 at the base edge and 1 at the top."""
    vertices = list(triangulated)
    index = {v: i for i, v in enumerate(vertices)}
    edges = list(triangulated.edges)
    rows, columns = np.array([(index[u], index[v]) for u, v in edges]).T
    conductance = [1.0 if graph.has_edge(u, v) else _ADDED for u, v in edges]
    n = len(vertices)
    adjacency = coo_array((conductance, (rows, columns)), shape=(n, n)).tocsr()
    value = np.zeros(n)
    value[index[face[2]]] = 1.0
    inner = np.setdiff1d(np.arange(n), [index[v] for v in face])
    if inner.size:
        degree = coo_array((adjacency.sum(axis=1), (np.arange(n), np.arange(n)))).tocsr()
        laplacian = (degree - adjacency)[inner]
        value[inner] = splu(csc_array(laplacian[:, inner])).solve(-(laplacian @ value))
    return dict(zip(vertices, _as_floats(value), strict=True))


def _as_floats(values: NDArray[np.float64]) -> list[float]:
    result: list[float] = values.tolist()
    return result
