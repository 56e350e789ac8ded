"""Planar patches of every kind with at most 16 spins, and direct sums over their states.

Sums are in long double and log space, over half of the states (a global flip changes nothing), so
that couplings of 120 and infinite ones are no matter.
"""

import itertools
from functools import lru_cache

import networkx as nx
import numpy as np
from hypothesis import strategies as st
from scipy.spatial import Delaunay

import phasetheory as pt
from phasetheory.engines.planar import PlanarIsing

Floats = np.ndarray


def without(shape: tuple[int, int], holes: set[tuple[int, int]]) -> nx.Graph:
    """Open grid without some vertices: an annulus where they are inside."""
    graph = nx.grid_2d_graph(*shape)
    graph.remove_nodes_from(holes)
    return graph


def missing_bonds(shape: tuple[int, int], n: int, seed: int) -> nx.Graph:
    """Open grid without n random bonds."""
    graph = nx.grid_2d_graph(*shape)
    edges = sorted(graph.edges)
    picked = np.random.default_rng(seed).choice(len(edges), n, replace=False)
    graph.remove_edges_from([edges[k] for k in picked])
    return graph


def in_pieces() -> nx.Graph:
    """A square, a triangle, a path and two spins alone."""
    parts = [nx.cycle_graph(4), nx.cycle_graph(3), nx.path_graph(3), nx.empty_graph(2)]
    return nx.disjoint_union_all(parts)


def delaunay(n: int, n_removed: int, seed: int) -> nx.Graph:
    """Random triangulation, some edges taken out: any planar graph may come of it."""
    rng = np.random.default_rng(seed)
    graph = nx.empty_graph(n)
    for corners in Delaunay(rng.random((n, 2))).simplices:
        graph.add_edges_from(itertools.combinations(corners.tolist(), 2))
    edges = sorted(graph.edges)
    graph.remove_edges_from([edges[k] for k in rng.permutation(len(edges))[:n_removed]])
    return graph


GRIDS = {
    "chain": ((7,), False),
    "row": ((1, 6), False),
    "column": ((5, 1), False),
    "square": ((2, 2), False),
    "ladder": ((2, 8), False),
    "wide grid": ((3, 5), False),
    "tall grid": ((5, 3), False),
    "4 x 4 grid": ((4, 4), False),
    "three axes": ((1, 3, 3), False),
    "cube": ((2, 2, 2), False),
    "tower of cubes": ((2, 2, 4), False),
    "ring": ((9,), True),
    "cylinder": ((4, 4), (True, False)),
    "flat cylinder": ((3, 5), (True, False)),
    "lying cylinder": ((2, 6), (False, True)),
}
GRAPHS = {
    "annulus": lambda: without((4, 4), {(1, 1), (1, 2), (2, 1), (2, 2)}),
    "thick annulus": lambda: without((3, 5), {(1, 2)}),
    "two holes": lambda: without((3, 6), {(1, 1), (1, 4)}),
    "grid with bonds missing": lambda: missing_bonds((4, 4), 7, 0),
    "dangling bonds": lambda: missing_bonds((3, 5), 9, 1),
    "triangular": lambda: nx.triangular_lattice_graph(3, 5),
    "hexagonal": lambda: nx.hexagonal_lattice_graph(2, 2),
    "wheel": lambda: nx.wheel_graph(9),
    "star": lambda: nx.star_graph(7),
    "tree": lambda: nx.balanced_tree(2, 3),
    "octahedron": nx.octahedral_graph,
    "icosahedron": nx.icosahedral_graph,
    "K4": lambda: nx.complete_graph(4),
    "K_2,5": lambda: nx.complete_bipartite_graph(2, 5),
    "one bond": lambda: nx.path_graph(2),
    "in pieces": in_pieces,
}
#: Grids of three axes whose graphs are planar; not swept as grids.
BOXES = ["three axes", "cube", "tower of cubes"]
NAMES = [*GRIDS, *GRAPHS]
FLAT = [name for name in NAMES if name not in BOXES]


@lru_cache
def patch(name: str) -> pt.Lattice:
    """The lattice of spins of that name."""
    if name in GRIDS:
        shape, periodic = GRIDS[name]
        return pt.Lattice.grid(shape, periodic)
    return pt.Lattice.from_graph(GRAPHS[name]())


def engine_of(lattice: pt.Lattice) -> PlanarIsing:
    return pt.LoopEnsemble(lattice).engine


def tolerance(couplings: Floats) -> float:
    """Rounding of log Z: some hundred roundings of an energy."""
    return 1e-14 * (1.0 + np.abs(couplings[np.isfinite(couplings)]).sum())


@st.composite
def random_patches(draw: st.DrawFn) -> pt.Lattice:
    """Random planar graphs of 4 to 11 spins with at least one bond."""
    n = draw(st.integers(4, 11))
    removed = draw(st.integers(0, n))
    return pt.Lattice.from_graph(delaunay(n, removed, draw(st.integers(0, 10**6))))


@lru_cache(maxsize=4)
def _states(n_spins: int) -> np.ndarray:
    """Spins of every configuration with the first one up."""
    half = np.arange(2 ** (n_spins - 1))
    bits = (half[:, None] >> np.arange(n_spins - 1)) & 1
    return np.concatenate([np.ones((len(half), 1), np.int8), 1 - 2 * bits.astype(np.int8)], axis=1)


def bond_states(lattice: pt.Lattice) -> np.ndarray:
    """s_i s_j on every edge for all configurations up to a global flip, in {-1, +1}."""
    states, (i, j) = _states(lattice.n_sites), lattice.edges.T
    return states[:, i] * states[:, j]


def log_sum(terms: Floats) -> np.longdouble:
    """Log of the sum of exponentials; -inf of nothing."""
    if not terms.size:
        return np.longdouble(-np.inf)
    top = terms.max()
    return top + np.log(np.exp(terms - top).sum()) if np.isfinite(top) else top


def direct(lattice: pt.Lattice, couplings: Floats) -> tuple[float, Floats]:
    """Log Z and the log-odds of every bond; K = +-inf keeps the states that agree, at weight 1."""
    bonds = bond_states(lattice)
    known = np.isinf(couplings)
    allowed = (bonds[:, known] == np.sign(couplings[known])).all(axis=1)
    bonds = bonds[allowed]
    energy = bonds[:, ~known].astype(np.longdouble) @ couplings[~known].astype(np.longdouble)
    odds = [log_sum(energy[b > 0]) - log_sum(energy[b < 0]) if len(bonds) else np.nan
            for b in bonds.T]  # fmt: skip
    return float(log_sum(energy) + np.log(np.longdouble(2))), np.array(odds, dtype=float)
