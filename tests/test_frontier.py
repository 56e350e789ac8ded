"""The frontier engine against direct sums, its branches against each other, and its refusals."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasetheory._kernels.frontier import sum_p_log_p
from phasetheory.engines.frontier import conditionals, noisy_entropies, plans, swept_entropy
from phasetheory.engines.frontier_plan import cheapest_plan
from phasetheory.engines.orders import candidate_sweeps, neighbour_sets
from tests import brute

TOLERANCE = 1e-13  # nats, on entropies of a few nats


@dataclass(frozen=True)
class Instance:
    """A noisy Ising law and some regions of it, in plain Python."""

    n: int
    edges: list[tuple[int, int]]
    couplings: list[float]
    fields: list[float]
    flip: list[float]
    regions: list[list[bool]]

    def entropies(self, regions: Sequence[Sequence[bool]] | None = None) -> np.ndarray:
        regions = self.regions if regions is None else regions
        return noisy_entropies(
            np.array(self.edges, dtype=int).reshape(-1, 2),
            self.couplings,
            self.fields,
            flip=self.flip,
            regions=np.array(regions),
        )

    def expected(self) -> list[float]:
        law = brute.ising(self.n, self.edges, self.couplings, fields=self.fields)
        noisy = brute.noisy(law, [brute.bit_flip(2 * p) for p in self.flip])
        return [brute.entropy(noisy, np.flatnonzero(mask).tolist()) for mask in self.regions]


@st.composite
def instances(draw: st.DrawFn, strength: float, *, field: bool) -> Instance:
    """Random graphs, couplings of either sign, flips from none to a fair coin, any regions."""
    n = draw(st.integers(1, 6))
    pairs = [(i, j) for j in range(n) for i in range(j)]
    edges = sorted(draw(st.sets(st.sampled_from(pairs), max_size=12))) if pairs else []

    def numbers(count: int, bound: float) -> list[float]:
        return draw(st.lists(st.floats(-bound, bound), min_size=count, max_size=count))

    flips = st.sampled_from([0.0, 0.5, 0.25]) | st.floats(0.0, 0.5)
    mask = st.lists(st.booleans(), min_size=n, max_size=n)
    return Instance(
        n,
        edges,
        numbers(len(edges), strength),
        numbers(n, 1.5) if field else [0.0] * n,
        draw(st.lists(flips, min_size=n, max_size=n)),
        [[True] * n, [False] * n, draw(mask), draw(mask)],
    )


def grid(rows: int, cols: int) -> np.ndarray:
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, cols), ordering="sorted")
    return np.array(sorted(tuple(sorted(edge)) for edge in graph.edges()))


@pytest.mark.parametrize("field", [False, True])
@given(data=st.data())
@settings(max_examples=60)
def test_equals_brute_force(data: st.DataObject, field: bool) -> None:
    case = data.draw(instances(1.5, field=field))
    assert case.entropies() == pytest.approx(case.expected(), abs=TOLERANCE)


@given(case=instances(50.0, field=False))
@settings(max_examples=40)
def test_strong_couplings_equal_brute_force(case: Instance) -> None:
    # Differences of energies of several hundred cost digits: 600 x 2^-52 is 1.3e-13.
    assert case.entropies() == pytest.approx(case.expected(), abs=1e-11)


@pytest.mark.parametrize("strength", [50.0, 1e4])
def test_frustration_leaves_the_ground_states(strength: float) -> None:
    """A clean antiferromagnetic K_5 is uniform on its 2 C(5, 2) ground states."""
    edges = [(i, j) for j in range(5) for i in range(j)]
    case = Instance(5, edges, [-strength] * 10, [0.0] * 5, [0.0] * 5, [[True] * 5])
    assert case.entropies() == pytest.approx([math.log(20)], abs=1e-12)


def test_frustrated_ring_keeps_its_energy_gap() -> None:
    """A ring of m bonds, one of them negative: 2m ground states whatever the coupling."""
    m = 17
    edges = [(i, i + 1) for i in range(m - 1)] + [(0, m - 1)]
    case = Instance(m, edges, [700.0] * (m - 1) + [-700.0], [0.0] * m, [0.0] * m, [[True] * m])
    assert case.entropies() == pytest.approx([math.log(2 * m)], abs=1e-12)


@given(case=instances(1.5, field=False))
@settings(max_examples=40)
def test_symmetric_branch_equals_generic_branch(case: Instance) -> None:
    edges = np.array(case.edges, dtype=int).reshape(-1, 2)
    sweeps = candidate_sweeps(neighbour_sets(case.n, case.edges))
    zero, flip = np.zeros(case.n), np.array(case.flip)
    for mask in map(np.array, case.regions):
        if mask.any():
            both = [cheapest_plan(sweeps, mask, symmetric=choice) for choice in (True, False)]
            couplings = np.array(case.couplings)
            one, other = (
                swept_entropy(plan, conditionals(plan.sweep, edges, couplings, zero), flip)
                for plan in both
            )
            assert one == pytest.approx(other, abs=TOLERANCE)


@pytest.mark.parametrize("symmetric", [False, True])
def test_slabs_and_orders_do_not_matter(symmetric: bool) -> None:
    """Every order and every slab size, down to single columns, gives the same entropy."""
    edges = grid(3, 4)
    rng = np.random.default_rng(7)
    couplings, flip = rng.normal(size=len(edges)), rng.uniform(0, 0.4, size=12)
    fields = np.zeros(12) if symmetric else rng.normal(size=12)
    region = np.arange(12) % 5 != 2
    values, cuts = [], []
    for sweep in candidate_sweeps(neighbour_sets(12, edges.tolist())):
        weights = conditionals(sweep, edges, couplings, fields)
        for bits in (0, 3, 5, 8, 40):
            plan = cheapest_plan([sweep], region, symmetric=symmetric, slab_bits=bits)
            values.append(swept_entropy(plan, weights, flip))
            cuts.append(len(plan.levels) - 2)
    assert min(cuts) == 0 and max(cuts) >= 5  # uncut and much cut sweeps both occur
    assert values == pytest.approx([values[0]] * len(values), abs=TOLERANCE)


def test_grid_beyond_the_default_slab_equals_one_piece() -> None:
    edges = grid(4, 4)
    region, flip = np.ones(16, dtype=bool), np.full(16, 0.1)
    couplings, fields = np.full(len(edges), 0.44), np.linspace(-0.3, 0.4, 16)
    whole = cheapest_plan(
        candidate_sweeps(neighbour_sets(16, edges.tolist())), region, symmetric=False, slab_bits=40
    )
    assert len(whole.levels) == 2
    (plan,) = plans(edges, region[None])
    assert plan is not None and len(plan.levels) > 2
    expected = swept_entropy(whole, conditionals(whole.sweep, edges, couplings, fields), flip)
    value = noisy_entropies(edges, couplings, fields, flip=flip, regions=region[None])
    assert value == pytest.approx([expected], abs=TOLERANCE)


def test_wide_graph_with_a_small_region() -> None:
    """Only what a region needs is swept: pairs on a 30-site tree obey I = product of tanh."""
    depth, coupling = 4, 0.7
    edges = [((j - 1) // 2, j) for j in range(1, 2 ** (depth + 1) - 1)]
    n = len(edges) + 1
    region = np.zeros((1, n), dtype=bool)
    region[0, [n - 1, 2**depth - 1]] = True  # two leaves, 2 depth bonds apart
    value = noisy_entropies(
        edges, [coupling] * len(edges), np.zeros(n), flip=np.full(n, 0.1), regions=region
    )
    c = 0.8**2 * math.tanh(coupling) ** (2 * depth)
    expected = -sum(2 * p * math.log(p) for p in ((1 + c) / 4, (1 - c) / 4))
    assert value == pytest.approx([expected], abs=TOLERANCE)


def test_repeated_edges_add_up() -> None:
    args = {"flip": [0.1, 0.2], "regions": np.ones((1, 2), dtype=bool)}
    twice = noisy_entropies([(0, 1), (1, 0)], [0.3, 0.4], [0.1, 0.0], **args)
    assert twice == pytest.approx(noisy_entropies([(0, 1)], [0.7], [0.1, 0.0], **args), abs=1e-14)


def test_p_log_p_over_the_whole_range() -> None:
    rng = random.Random(3)
    values = [10.0 ** rng.uniform(-289, 0) for _ in range(2000)]
    values += [1.0, math.nextafter(1.0, 0), 0.5, math.sqrt(0.5), math.nextafter(0.5, 1)]
    got = np.array([sum_p_log_p(np.array([p])) for p in values])
    exact = np.array([p * math.log(p) for p in values])
    assert np.abs(got - exact).max() <= 4 * np.finfo(float).eps
    assert (np.abs(got - exact) <= 4 * np.spacing(np.abs(exact))).all()


def test_p_log_p_of_zero_and_of_subnormals() -> None:
    assert sum_p_log_p(np.zeros(100)) == 0.0
    assert abs(sum_p_log_p(np.array([5e-324, 1e-310, 1e-300]))) < 1e-286


def test_p_log_p_of_many() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(1003))
    assert sum_p_log_p(p) == pytest.approx(math.fsum(x * math.log(x) for x in p), rel=1e-14)


def test_cost_is_known_before_the_work() -> None:
    edges = grid(5, 6)
    full, empty = plans(edges, np.array([[True] * 30, [False] * 30]), symmetric=True)
    assert empty is None
    assert full is not None and full.states == 2**29
    assert full.updates < 8 * full.states and full.bytes < 4 * 2**20
    assert max(len(frontier) for frontier in full.sweep.frontiers()) == 5


@pytest.mark.parametrize(
    ("limits", "named"),
    [({}, "2\\^63 states"), ({"limit_bytes": 1000, "limit_states": 2**70}, "MiB")],
)
def test_too_large_is_refused(limits: dict[str, int], named: str) -> None:
    edges = grid(8, 8)
    with pytest.raises(ValueError, match=rf"64 of 64 sites.*{named}.*cavity"):
        noisy_entropies(
            edges,
            np.ones(len(edges)),
            np.zeros(64),
            flip=np.full(64, 0.1),
            regions=np.ones((1, 64), dtype=bool),
            **limits,
        )


def test_hopeless_sizes_are_refused_too() -> None:
    """No overflow on the way to the message: a complete graph with a frontier of 120."""
    n = 120
    edges = [(i, j) for j in range(n) for i in range(j)]
    with pytest.raises(ValueError, match="limit_states"):
        noisy_entropies(
            edges,
            np.ones(len(edges)),
            np.ones(n),
            flip=np.full(n, 0.1),
            regions=np.ones((1, n), dtype=bool),
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges": [(0, 3)]}, "edges: sites 0 to 3, expected 0 to 2"),
        ({"edges": [(1, 1)]}, "edges: a site is joined to itself"),
        ({"edges": [(0.0, 1.0)]}, "edges: dtype"),
        ({"edges": [0, 1]}, "edges: shape"),
        ({"couplings": [1.0, 2.0]}, "couplings: shape"),
        ({"couplings": [math.inf]}, "couplings: not finite"),
        ({"couplings": [1e200]}, "couplings: not finite, or beyond 1e\\+100"),
        ({"fields": [0.0, math.nan, 0.0]}, "fields: not finite"),
        ({"fields": 0.0}, "fields: shape"),
        ({"flip": [0.1, 0.1, 0.6]}, "flip: from 0.1 to 0.6"),
        ({"flip": [0.1, 0.1, math.nan]}, "flip: from"),
        ({"flip": [0.1]}, "flip: shape"),
        ({"regions": np.ones(3, dtype=bool)}, "regions: bool array of shape"),
        ({"regions": [[0, 1, 2]]}, "regions: int64 array"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], message: str) -> None:
    good: dict[str, object] = {
        "edges": [(0, 1)],
        "couplings": [0.5],
        "fields": [0.0, 0.0, 0.0],
        "flip": [0.1, 0.1, 0.1],
        "regions": np.ones((1, 3), dtype=bool),
    }
    with pytest.raises(ValueError, match=message):
        noisy_entropies(**(good | change))  # type: ignore[arg-type]
