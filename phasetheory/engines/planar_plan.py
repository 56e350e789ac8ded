"""Orders in which a planar graph is swept: programs for the domain-wall kernels.

A program starts from one spin, inserts spins beside their neighbours on the frontier, passes bonds
between frontier neighbours, and removes spins whose bonds have all been passed. On grids the
frontier is a row; on other planar graphs the spins follow a canonical order of a triangulation of
the embedding (de Fraysseix, Pach and Pollack 1990), in which every new vertex meets an interval of
the outer boundary.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import networkx as nx
import numpy as np
from networkx.algorithms.planar_drawing import triangulate_embedding
from numpy.typing import NDArray

from phasetheory._kernels.domain_walls import BOND, INSERT, REMOVE
from phasetheory.engines.canonical_order import canonical_order

__all__ = ["SweepPlan", "grid_plan", "planar_plan"]

Indices = NDArray[np.int64]

#: Outer faces tried for a canonical order; the narrowest sweep is taken.
_TRIALS = 6
#: Beyond this many spins fewer are tried: planning would take seconds.
_SMALL = 500


@dataclass(frozen=True, eq=False)
class SweepPlan:
    """A program and what it covers.

    Attributes:
        program: Steps, shape (n_steps, 4), as described with the kernels.
        n_slots: Walls held at once.
        edges: Edges of the model in the program's own numbering; -1 for a bond without coupling.
        n_spins: Spins summed by the program; all others are free.
    """

    program: Indices
    n_slots: int
    edges: Indices
    n_spins: int

    @property
    def cost(self) -> float:
        """Multiplications of one sweep, about n_spins x n_slots^2 x 2."""
        removals = int((self.program[:, 0] == REMOVE).sum())
        return 2.0 * removals * self.n_slots**2


class _Steps:
    """A program under construction: the frontier as a list of spins with the wall after each."""

    def __init__(self, first: int) -> None:
        self.steps: list[tuple[int, int, int, int]] = []
        self.wall = {first: 0}
        self.order = [first]
        self.n_slots = 1
        self._free: list[int] = []

    def insert(self, spin: int, place: int) -> None:
        """Put a spin at a place of the frontier, 0 being the first."""
        new = self._free.pop() if self._free else self.n_slots
        self.n_slots = max(self.n_slots, new + 1)
        left = self.order[place - 1]
        self.steps.append((INSERT, new, self.wall[left], 1 if place else -1))
        # The wall before the first spin is the one after the last.
        self.wall[spin] = new
        self.order.insert(place, spin)

    def bond(self, place: int, edge: int) -> None:
        """Couple the spin at a place with the next one."""
        self.steps.append((BOND, self.wall[self.order[place]], edge, 0))

    def remove(self, place: int) -> None:
        """Sum over the spin at a place."""
        spin = self.order.pop(place)
        left = self.order[place - 1]
        self.steps.append((REMOVE, self.wall[left], self.wall[spin], 1 if place else -1))
        self._free.append(self.wall.pop(spin))

    def finished(self, edges: Indices, n_spins: int) -> SweepPlan:
        """Sum over what is left of the frontier, but for one spin."""
        while len(self.order) > 1:
            self.remove(len(self.order) - 1)
        program = np.array(self.steps, dtype=np.int64).reshape(-1, 4)
        return SweepPlan(program, self.n_slots, edges, n_spins)


def grid_plan(along: Indices, across: Indices) -> SweepPlan:
    """Row by row over an open grid.

    Args:
        along: Edge inside each row between columns c and c + 1, shape (rows, columns - 1); -1
            where there is none.
        across: Edge from each row to the next, shape (rows - 1, columns).

    Returns:
        The plan; its frontier is one row and one spin.
    """
    plan = _grid_program(along.shape[0], across.shape[1])
    return replace(plan, edges=np.concatenate([along.ravel(), across.ravel()])[plan.edges])


@lru_cache(maxsize=64)
def _grid_program(n_rows: int, n_columns: int) -> SweepPlan:
    """Plan of a grid whose edges are numbered inside rows first, then between rows."""
    along = np.arange(n_rows * (n_columns - 1)).reshape(n_rows, n_columns - 1)
    across = along.size + np.arange((n_rows - 1) * n_columns).reshape(n_rows - 1, n_columns)
    local = _Numbering()
    steps = _Steps(0)
    for c in range(1, n_columns):
        steps.insert(c, c)
        steps.bond(c - 1, local(along[0, c - 1]))
    for r in range(1, n_rows):
        for c in range(n_columns):
            steps.insert(r * n_columns + c, c)
            steps.bond(c, local(across[r - 1, c]))
            if c:
                steps.bond(c - 1, local(along[r, c - 1]))
            steps.remove(c + 1)
    return steps.finished(local.edges(), n_rows * n_columns)


def planar_plan(graph: nx.Graph, embedding: nx.PlanarEmbedding | None = None) -> SweepPlan:
    """Any planar graph, by a canonical order of a triangulation.

    Args:
        graph: Integer nodes; edge attribute `edge` is the index of the edge in the model.
        embedding: Planar embedding of the graph; found by networkx if None.

    Returns:
        The plan with the least cost over several outer faces.

    Raises:
        ValueError: If the graph is not planar.
    """
    n_spins = len(graph)
    padded = graph.copy()
    padded.add_nodes_from(-1 - k for k in range(3 - n_spins))  # a face has three corners
    if embedding is None or len(padded) > n_spins:
        planar, found = nx.check_planarity(padded)
        if not planar:
            raise ValueError(f"the graph of {n_spins} spins is not planar")
        embedding = cast("nx.PlanarEmbedding[Any]", found)
    triangulated, outer = triangulate_embedding(embedding)
    plans = [
        _canonical_plan(padded, canonical_order(padded, triangulated, face), n_spins)
        for face in _faces(triangulated, outer)
    ]
    return min(plans, key=lambda plan: plan.cost)


def _faces(triangulated: "nx.PlanarEmbedding[Any]", first: list[int]) -> Iterator[list[int]]:
    """Triangles to try as the outer face, each with every edge as the base.

    The one found, those beside the edge between the busiest vertices (a hub is best kept on the
    frontier for good), then some spread over the graph.
    """
    edges = sorted(triangulated.edges, key=lambda e: -min(triangulated.degree(v) for v in e))
    trials = _TRIALS if len(triangulated) <= _SMALL else 2
    spread = edges[2 :: max(1, len(edges) // trials)]
    faces = [first, *(triangulated.traverse_face(*e) for e in (*edges[:2], *spread))]
    for face in faces:
        for turn in range(3):
            yield [*face[turn:], *face[:turn]]


def _canonical_plan(graph: nx.Graph, order: list[tuple[int, list[int]]], n_spins: int) -> SweepPlan:
    first, second = order[0][0], order[1][0]
    local = _Numbering()
    waiting = dict(graph.degree)
    steps = _Steps(first)
    steps.insert(second, 1)
    _pass_bond(graph, steps, 0, local, waiting)
    # The outer boundary, spins that have been summed included.
    boundary = [first, second]
    for spin, contacts in order[2:]:
        low = boundary.index(contacts[0]) if contacts else 0
        high = boundary.index(contacts[-1]) if contacts else 1
        active = [v for v in boundary[: low + 1] if v in steps.wall]
        place = steps.order.index(active[-1]) + 1 if active else 0
        inside = [v for v in boundary[low + 1 : high] if v in steps.wall]
        boundary[low + 1 : high] = [spin]
        steps.insert(spin, place)
        if active and active[-1] == boundary[low]:
            _pass_bond(graph, steps, place - 1, local, waiting)
        for _ in inside:
            _pass_bond(graph, steps, place, local, waiting)
            steps.remove(place + 1)
        if place + 1 < len(steps.order):
            _pass_bond(graph, steps, place, local, waiting)
        for v in (boundary[low], spin, boundary[low + 2]):
            if v in steps.wall and not waiting[v] and len(steps.order) > 1:
                steps.remove(steps.order.index(v))
    # Nodes that pad a graph of fewer than three spins were summed as free spins.
    return steps.finished(local.edges(), max(n_spins, len(graph)))


def _pass_bond(
    graph: nx.Graph, steps: _Steps, place: int, local: "_Numbering", waiting: dict[int, int]
) -> None:
    """Couple two neighbours on the frontier if the graph does."""
    i, j = steps.order[place], steps.order[place + 1]
    if graph.has_edge(i, j):
        steps.bond(place, local(graph.edges[i, j]["edge"]))
        waiting[i] -= 1
        waiting[j] -= 1


class _Numbering:
    """Numbers edges of a model in the order in which a program meets them."""

    def __init__(self) -> None:
        self._met: list[int] = []

    def __call__(self, edge: int) -> int:
        self._met.append(int(edge))
        return len(self._met) - 1

    def edges(self) -> Indices:
        """Edges in the program's order."""
        return np.array(self._met, dtype=np.int64)
