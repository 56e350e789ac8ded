"""Lattices: edges, distances and tripartitions against definitions written out site by site."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phasetheory as pt
from phasetheory.lattice import Lattice, Tripartition
from tests.strategies import lattices


@st.composite
def grids(draw):
    """Shape and periodic axes of a small grid of one to three dimensions."""
    wraps = draw(st.lists(st.booleans(), min_size=1, max_size=3))
    shape = tuple(draw(st.integers(3 if wrap else 1, 5)) for wrap in wraps)
    return shape, wraps


def chebyshev(a, b, shape, wraps):
    steps = []
    for x, y, length, wrap in zip(a, b, shape, wraps, strict=True):
        steps.append(min(abs(x - y), length - abs(x - y)) if wrap else abs(x - y))
    return max(steps)


@settings(max_examples=40)
@given(grids(), st.data())
def test_grid_against_its_definition(grid, data):
    shape, wraps = grid
    lattice = Lattice.grid(shape, wraps)
    places = list(itertools.product(*map(range, shape)))  # row-major
    assert lattice.n_sites == len(places)
    expected = []
    for (i, a), (j, b) in itertools.combinations(enumerate(places), 2):
        steps = [
            min(abs(x - y), length - abs(x - y)) if wrap else abs(x - y)
            for x, y, length, wrap in zip(a, b, shape, wraps, strict=True)
        ]
        if sum(steps) == 1:
            expected.append((i, j))
    assert lattice.edges.tolist() == [list(edge) for edge in expected]
    site = data.draw(st.integers(0, len(places) - 1))
    far = [chebyshev(places[site], b, shape, wraps) for b in places]
    assert lattice.distances([site]).tolist() == far
    joined = {j for i, j in expected if i == site} | {i for i, j in expected if j == site}
    assert lattice.neighbours(site).tolist() == sorted(joined)


@settings(max_examples=40)
@given(lattices(), st.data())
def test_edges_follow_the_convention(lattice, data):
    """(n_edges, 2), i < j, lexicographic, without repetitions; distances are a metric."""
    edges = [tuple(edge) for edge in lattice.edges.tolist()]
    assert edges == sorted(set(edges))
    assert all(i < j for i, j in edges)
    distance = np.array([lattice.distances([i]) for i in range(lattice.n_sites)])
    assert (distance == distance.T).all() and not distance.diagonal().any()
    for i, j in edges:
        assert distance[i, j] == 1
    middle = data.draw(st.integers(0, lattice.n_sites - 1))
    assert (distance <= distance[:, middle, None] + distance[middle]).all()


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(0, 100), st.floats(0, 1))
def test_graph_distance_is_the_shortest_path(n, seed, p):
    graph = nx.gnp_random_graph(n, p, seed=seed)
    shuffled = list(np.random.default_rng(seed).permutation(n))
    named = nx.relabel_nodes(graph, {i: f"node {shuffled[i]}" for i in range(n)})
    lattice = Lattice.from_graph(named)
    assert lattice.labels == tuple(named.nodes)
    lengths = dict(nx.all_pairs_shortest_path_length(named))
    for i, u in enumerate(lattice.labels):
        expected = [lengths[u].get(v, np.inf) for v in lattice.labels]
        assert lattice.distances([i]).tolist() == expected
    assert len(lattice.edges) == graph.number_of_edges()


def test_edges_of_a_small_grid_and_torus():
    assert Lattice.grid((2, 2)).edges.tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]
    assert Lattice.ring(3).edges.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert len(Lattice.grid((4, 5), periodic=True).edges) == 2 * 20
    assert len(Lattice.grid((4, 5), periodic=(True, False)).edges) == 4 * 5 + 4 * 4
    assert Lattice.chain(1).edges.shape == (0, 2)


def test_positions_are_kept_for_drawing_only():
    graph = nx.path_graph(3)
    assert Lattice.from_graph(graph).positions is None
    nx.set_node_attributes(graph, {i: (i, 5.0 * i) for i in graph}, "pos")
    lattice = Lattice.from_graph(graph)
    assert lattice.positions.tolist() == [[0, 0], [1, 5], [2, 10]]
    assert lattice.distances([0]).tolist() == [0, 1, 2]


# Tripartitions.


@settings(max_examples=40)
@given(grids(), st.integers(0, 4), st.data())
def test_tripartition_of_a_grid(grid, radius, data):
    """A the block, B within `radius` of its nearest site, C the rest; they cover the lattice."""
    shape, wraps = grid
    size = data.draw(st.integers(1, min(shape)))
    corner = tuple(
        data.draw(st.integers(0, length - 1 if wrap else length - size))
        for length, wrap in zip(shape, wraps, strict=True)
    )
    lattice = Lattice.grid(shape, wraps)
    parts = lattice.tripartition(centre=corner, radius=radius, size=size)
    places = list(itertools.product(*map(range, shape)))
    block = {
        tuple((c + s) % length for c, s, length in zip(corner, step, shape, strict=True))
        for step in itertools.product(range(size), repeat=len(shape))
    }
    expected = {"A": [], "B": [], "C": []}
    for site, place in enumerate(places):
        nearest = min(chebyshev(place, a, shape, wraps) for a in block)
        expected["A" if place in block else "B" if nearest <= radius else "C"].append(site)
    for name, sites in expected.items():
        assert getattr(parts, name).tolist() == sites
    assert parts.union("ABC").tolist() == list(range(lattice.n_sites))


def test_tripartition_of_the_readme_grid():
    parts = Lattice.grid((3, 4)).tripartition(centre=(1, 1), radius=1)
    assert parts.A.tolist() == [5]
    assert parts.B.tolist() == [0, 1, 2, 4, 6, 8, 9, 10]
    assert parts.C.tolist() == [3, 7, 11]


def test_tripartition_on_a_graph_takes_a_site():
    """A star: the leaves are at distance 1 of the hub and 2 of each other; one site cut off."""
    graph = nx.star_graph(3)
    graph.add_node("alone")
    lattice = Lattice.from_graph(graph)
    parts = lattice.tripartition(centre=1, radius=1)
    assert (parts.A.tolist(), parts.B.tolist(), parts.C.tolist()) == ([1], [0], [2, 3, 4])
    parts = lattice.tripartition(centre=1, radius=100)
    assert parts.C.tolist() == [4]


def test_one_dimension_takes_an_integer_centre():
    parts = Lattice.chain(5).tripartition(centre=2, radius=1)
    assert parts.B.tolist() == [1, 3]


def test_radius_zero_has_no_buffer_and_a_large_one_no_rest():
    lattice = Lattice.grid((3, 3))
    assert not lattice.tripartition((1, 1), 0).B.size
    assert not lattice.tripartition((1, 1), 1).C.size


def test_masks_and_indices_say_the_same():
    by_index = Tripartition(A=[3], B=[2, 0], C=[])
    by_mask = Tripartition(
        A=np.arange(5) == 3, B=[True, False, True, False, False], C=np.zeros(5, dtype=bool)
    )
    for name in "ABC":
        assert getattr(by_index, name).tolist() == getattr(by_mask, name).tolist()
    assert by_index.B.tolist() == [0, 2]  # sorted
    assert by_index.union("BA").tolist() == [0, 2, 3]


def test_tripartitions_compare_and_hash_as_objects():
    """Two of them side by side in a list or a dictionary must not raise."""
    one, other = (Tripartition([0], [1, 2], [3]) for _ in range(2))
    assert one in [other, one]
    assert len({one: 1, other: 2}) == 2


def test_regions_are_frozen():
    parts = Lattice.chain(4).tripartition(0, 1)
    for array in (parts.A, parts.B, parts.C, Lattice.chain(4).edges):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 2


def test_the_callers_indices_stay_writeable():
    A = np.array([0])
    Tripartition(A=A, B=[1], C=[])
    A[0] = 3


def test_region_masks():
    lattice = Lattice.chain(4)
    assert lattice.mask(None).all()
    assert not lattice.mask([]).any()
    assert lattice.mask([2, 0]).tolist() == [True, False, True, False]
    given = np.array([True, False, False, True])
    assert (lattice.mask(given) == given).all()


# Bad input.


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (([], [1], [2]), "A is empty"),
        (([0], [0, 1], [2]), r"A and B overlap on sites \[0\]"),
        (([0], [1], [2, 0]), r"A and C overlap on sites \[0\]"),
        (([0], [1, 2], [2]), r"B and C overlap on sites \[2\]"),
        (([-1], [1], [2]), r"A=\[-1\]: indices must be >= 0"),
        (([0], [1, 1], [2]), r"B=\[1, 1\]: indices must be >= 0 and distinct"),
        (([0.5], [1], [2]), "A has dtype float64"),
        (([0], [1], [np.nan]), "C has dtype float64"),
        (([[0]], [1], [2]), r"A has dtype int64 and shape \(1, 1\)"),
    ],
)
def test_bad_tripartitions(regions, message):
    with pytest.raises(ValueError, match=message):
        Tripartition(*regions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0, 0, 0), 1), r"centre=\(0, 0, 0\): a tuple of 2"),
        (((0.5, 0), 1), r"centre=\(0.5, 0\): a tuple of 2 integer"),
        (((3, 0), 1), r"centre=\(3, 0\) with size=1: the block leaves the grid"),
        (((-1, 0), 1), r"centre=\(-1, 0\) with size=1: the block leaves the grid"),
        (((2, 2), 1, 2), r"centre=\(2, 2\) with size=2: the block leaves the grid"),
        (((0, 0), 1, 0), "size=0: at least 1"),
        (((0, 0), -1), "radius=-1: a number >= 0"),
        (((0, 0), np.nan), "radius=nan: a number >= 0"),
    ],
)
def test_bad_centres_on_a_grid(arguments, message):
    with pytest.raises(ValueError, match=message):
        Lattice.grid((3, 4)).tripartition(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 1), "centre=3: a site index from 0 to 2"),
        ((-1, 1), "centre=-1: a site index"),
        (("a", 1), "centre='a': a site index"),
        ((0, 1, 2), r"size=2: on a graph A is one site"),
    ],
)
def test_bad_centres_on_a_graph(arguments, message):
    with pytest.raises(ValueError, match=message):
        Lattice.from_graph(nx.path_graph(3)).tripartition(*arguments)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ([4], "region holds site 4: sites run to 3"),
        ([True, False], r"region is a mask of shape \(2,\): shape \(4,\) needed"),
        ([-1], r"region=\[-1\]: indices must be >= 0"),
        ([0.0], "region has dtype float64"),
        (2, r"region has dtype int64 and shape \(\)"),
    ],
)
def test_regions_off_the_lattice(region, message):
    with pytest.raises(ValueError, match=message):
        Lattice.chain(4).mask(region)


@pytest.mark.parametrize(
    ("shape", "periodic", "message"),
    [
        ((), False, r"shape=\(\)"),
        ((0, 2), False, r"shape=\(0, 2\)"),
        ((2.5, 3), False, r"shape=\(2\.5, 3\)"),
        ((2, 3), True, r"shape=\(2, 3\): a periodic axis needs length >= 3, got 2"),
        ((3, 3), [True], r"periodic=\[True\]: .* one flag an axis"),
    ],
)
def test_bad_grids(shape, periodic, message):
    with pytest.raises(ValueError, match=message):
        Lattice.grid(shape, periodic)


def test_periodic_axes_as_an_array():
    assert Lattice.grid((3, 3), np.array([True, False])).periodic == (True, False)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (nx.DiGraph([(0, 1)]), "simple undirected graph needed"),
        (nx.MultiGraph([(0, 1)]), "simple undirected graph needed"),
        (nx.Graph(), "non-empty"),
        (nx.Graph([(0, 1), (1, 1)]), r"self-loops at \[1\]"),
    ],
)
def test_bad_graphs(graph, message):
    with pytest.raises(ValueError, match=message):
        Lattice.from_graph(graph)


def test_lattices_without_distances_say_so():
    lattice = pt.CurieWeiss(4, coupling=1.0).lattice
    for work in (lambda: lattice.tripartition(0, 1), lambda: lattice.distances([0])):
        with pytest.raises(ValueError, match="no distances"):
            work()
    with pytest.raises(ValueError, match="n_sites=0: at least 1"):
        Lattice.bare(0)
