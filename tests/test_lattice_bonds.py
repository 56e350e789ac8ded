"""Lattices of bonds: neighbours, distances and tripartitions against networkx."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phasetheory as pt
from tests.planar_patches import random_patches

GRID = pt.Lattice.grid((4, 5))


def index_of(lattice: pt.Lattice, i: int, j: int) -> int:
    return lattice.edges.tolist().index([i, j])


@settings(max_examples=30)
@given(random_patches())
def test_neighbours_are_the_line_graph(lattice):
    bonds = pt.Lattice.of_bonds(lattice)
    edges = [tuple(edge) for edge in lattice.edges.tolist()]
    line = nx.line_graph(nx.Graph(edges))
    expected = {
        tuple(sorted((edges.index(tuple(sorted(a))), edges.index(tuple(sorted(b))))))
        for a, b in line.edges
    }
    assert {tuple(edge) for edge in bonds.edges.tolist()} == expected
    assert bonds.n_sites == len(edges)
    assert bonds.edges.tolist() == sorted(bonds.edges.tolist())


@settings(max_examples=30)
@given(random_patches(), st.integers(0, 10**6), st.integers(0, 3))
def test_buffer_holds_bonds_with_both_ends_near_an_end_of_the_centre(lattice, seed, radius):
    bonds = pt.Lattice.of_bonds(lattice)
    centre = seed % bonds.n_sites
    graph = nx.Graph(lattice.edges.tolist())
    near: set[int] = set()
    for end in lattice.edges[centre].tolist():
        near |= set(nx.single_source_shortest_path_length(graph, end, cutoff=radius))
    expected = [
        e
        for e, (i, j) in enumerate(lattice.edges.tolist())
        if e != centre and i in near and j in near
    ]
    parts = bonds.tripartition(centre, radius)
    assert parts.A.tolist() == [centre]
    assert parts.B.tolist() == expected
    assert sorted([*parts.A, *parts.B, *parts.C]) == list(range(bonds.n_sites))


def test_grids_use_chebyshev_distance():
    """Bond (1,1)-(1,2) of a 4 x 5 grid: at r = 1 the window is 3 x 4 spins with its 17 bonds."""
    bonds = pt.Lattice.of_bonds(GRID)
    parts = bonds.tripartition((6, 7), 1)
    inside = {r * 5 + c for r, c in itertools.product(range(3), range(4))}
    expected = [e for e, edge in enumerate(GRID.edges.tolist()) if set(edge) <= inside]
    assert sorted([*parts.A, *parts.B]) == expected
    assert len(expected) == 17


def test_distances_of_several_bonds_are_the_nearest_ones():
    bonds = pt.Lattice.of_bonds(GRID)
    several = bonds.distances([0, 12, 30])
    each = np.array([bonds.distances([e]) for e in (0, 12, 30)])
    np.testing.assert_array_equal(several, each.min(axis=0))
    assert several[[0, 12, 30]].tolist() == [0.0, 0.0, 0.0]


def test_bonds_of_another_piece_are_infinitely_far():
    lattice = pt.Lattice.from_graph(nx.Graph([(0, 1), (1, 2), (3, 4)]))
    bonds = pt.Lattice.of_bonds(lattice)
    assert bonds.distances([0]).tolist() == [0.0, 1.0, np.inf]
    assert bonds.tripartition(0, 100).C.tolist() == [2]


def test_centre_is_an_index_or_the_ends():
    bonds = pt.Lattice.of_bonds(GRID)
    bond = index_of(GRID, 6, 11)
    for centre in (bond, np.int64(bond), (6, 11), [11, 6], np.array([6, 11])):
        assert bonds.tripartition(centre, 1).A.tolist() == [bond]


@pytest.mark.parametrize("centre", [-1, 31, (0, 6), (6, 6), (0, 1, 2), 1.5, "ab", (0, 99), None])
def test_what_is_no_bond_is_refused(centre):
    message = r"a bond index from 0 to 30, or the two sites \(i, j\) of an edge, needed"
    with pytest.raises(ValueError, match=message):
        pt.Lattice.of_bonds(GRID).tripartition(centre, 1)


def test_blocks_and_bare_lattices_are_refused():
    with pytest.raises(ValueError, match="size=2: on bonds A is one bond"):
        pt.Lattice.of_bonds(GRID).tripartition(0, 1, size=2)
    bare = pt.Lattice.of_bonds(pt.Lattice.bare(3))
    assert bare.n_sites == 0


def test_positions_are_midpoints():
    bonds = pt.Lattice.of_bonds(GRID)
    assert bonds.positions[index_of(GRID, 6, 7)].tolist() == [1.5, 1.0]
    assert bonds.positions[index_of(GRID, 6, 11)].tolist() == [1.0, 1.5]
    graph = nx.Graph([(0, 1)])
    assert pt.Lattice.of_bonds(pt.Lattice.from_graph(graph)).positions is None
