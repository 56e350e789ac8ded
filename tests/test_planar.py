"""The planar engine against direct sums on every kind of patch; batches, windows, refusals.

Rounding of an energy costs eps sum |K|, and a sweep adds some hundred such roundings: log Z is
asked for to 1e-14 (1 + sum |K|), probabilities to 1e-13. High accuracy and closed
forms have modules of their own.
"""

import math
import warnings

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

import phasetheory as pt
from phasetheory.engines import planar
from phasetheory.engines.planar import PlanarIsing
from phasetheory.engines.planar_plan import planar_plan
from tests import brute
from tests.planar_patches import (
    BOXES,
    FLAT,
    bond_states,
    delaunay,
    direct,
    engine_of,
    patch,
    random_patches,
    tolerance,
)
from tests.strategies import seeds


def compare(lattice: pt.Lattice, couplings: np.ndarray) -> None:
    """Log Z, all log-odds and single log-odds against the direct sum."""
    engine, batch = engine_of(lattice), couplings[None]
    log_z, odds = direct(lattice, couplings)
    found = engine.log_odds(batch)[0]
    if math.isinf(log_z):
        assert engine.log_partition(batch)[0] == -np.inf
        assert np.isnan(found).all()
        return
    slack = tolerance(couplings)
    assert engine.log_partition(batch)[0] == pytest.approx(log_z, rel=0, abs=slack)
    np.testing.assert_allclose(expit(found), expit(odds), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(np.isinf(found[np.isinf(couplings)]), True)
    for bond in (0, len(odds) // 2, len(odds) - 1):
        one = engine.log_odds(batch, np.array([bond]))[0, 0]
        assert one == pytest.approx(odds[bond], rel=0, abs=4 * slack + 1e-14 * abs(one))


def random_couplings(rng: np.random.Generator, n: int, strength: float, known: float):
    """Normal couplings of both signs, some of them infinite, some zero."""
    K = rng.normal(0.0, strength, n)
    K[rng.random(n) < 0.1] = 0.0
    signs = rng.choice([-1.0, 1.0], n)
    return np.where(rng.random(n) < known, signs * np.inf, K)


def unfrustrated(lattice: pt.Lattice, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Couplings of both signs that some configuration satisfies, a few hundredths violated weakly.

    What strong evidence looks like: every bond follows a true configuration.
    """
    spins = rng.choice([-1.0, 1.0], lattice.n_sites)
    truth = spins[lattice.edges].prod(axis=1)
    K = truth * strength * rng.random(len(truth)) ** 2
    K = np.where(rng.random(len(truth)) < 0.05, -0.03 * K, K)
    return np.where(rng.random(len(truth)) < 0.1, truth * np.inf, K)


# Direct sums.


def test_the_reference_equals_brute_force():
    """Plain sums of exponentials, five spins, couplings of order one."""
    lattice = pt.Lattice.from_graph(nx.wheel_graph(5))
    J = np.random.default_rng(0).normal(size=len(lattice.edges))
    edges = [(int(i), int(j)) for i, j in lattice.edges]
    law = brute.ising(5, edges, J.tolist())
    log_z, odds = direct(lattice, J)
    up = {x: p for x, p in law.items() if x == (1,) * 5}
    assert log_z == pytest.approx(J.sum() - math.log(up[(1,) * 5]), abs=1e-13)
    for (i, j), found in zip(edges, odds, strict=True):
        same = math.fsum(p for x, p in law.items() if x[i] == x[j])
        assert found == pytest.approx(math.log(same / (1.0 - same)), abs=1e-12)


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_every_kind_of_patch_equals_the_direct_sum(name, strength):
    lattice, rng = patch(name), np.random.default_rng(1)
    for known in (0.0, 0.15):
        compare(lattice, random_couplings(rng, len(lattice.edges), strength, known))


@pytest.mark.parametrize("name", sorted(BOXES))
def test_planar_boxes_with_three_axes_equal_the_direct_sum(name):
    """A cube graph is planar though its grid is not two-dimensional."""
    lattice = patch(name)
    compare(lattice, np.random.default_rng(2).normal(0.0, 1.0, len(lattice.edges)))


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("strength", [30.0, 120.0])
def test_strong_evidence_for_a_configuration_equals_the_direct_sum(name, strength):
    lattice, rng = patch(name), np.random.default_rng(3)
    for _ in range(3):
        compare(lattice, unfrustrated(lattice, rng, strength))


@settings(max_examples=40)
@given(random_patches(), seeds, st.sampled_from([0.0, 0.5, 3.0]), st.sampled_from([0.0, 0.3]))
def test_random_planar_graphs_equal_the_direct_sum(lattice, seed, strength, known):
    """Both signs, so frustrated as often as not; known bonds contradict each other now and then."""
    rng = np.random.default_rng(seed)
    compare(lattice, random_couplings(rng, len(lattice.edges), strength, known))


@settings(max_examples=25)
@given(random_patches(), seeds, st.sampled_from([20.0, 120.0]))
def test_strong_evidence_on_random_planar_graphs(lattice, seed, strength):
    compare(lattice, unfrustrated(lattice, np.random.default_rng(seed), strength))


@pytest.mark.parametrize("name", ["4 x 4 grid", "cylinder", "icosahedron", "hexagonal"])
@pytest.mark.parametrize("kind", ["uniform to 120", "+-30"])
def test_strong_frustrated_couplings_are_right_or_warned_of(name, kind):
    """A hundred instances: a few in a hundred lose digits, and none of those without a warning.

    Some amplitudes of a frustrated sweep are differences that rounding has erased, and later
    bonds enlarge them by exp(4K) (test_planar_accuracy has larger grids and weaker couplings).
    """
    lattice, rng = patch(name), np.random.default_rng(7)
    n, bonds, engine = len(lattice.edges), bond_states(lattice).astype(float), engine_of(lattice)
    for _ in range(100):
        K = rng.uniform(-120, 120, n) if kind[0] == "u" else 30.0 * rng.choice([-1.0, 1.0], n)
        energy = bonds @ K
        expected = energy.max() + math.log(2.0 * np.exp(energy - energy.max()).sum())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", RuntimeWarning)
            found = engine.log_partition(K[None])[0]
        if not caught:
            assert found == pytest.approx(expected, rel=0, abs=10 * tolerance(K))


@pytest.mark.parametrize("name", ["4 x 4 grid", "wheel"])
def test_contradicting_couplings_beyond_floating_point_leave_the_weakest_bonds(name):
    """Strengths near 400 with signs at random: the bonds that give way are those of the true sum.

    A squared weight e^(-4K) is zero in floating point. The strengths differ by less than 30 nats,
    so that all configurations with the fewest violated bonds keep their relative weights; one more
    violation costs e^(-16) and less even on the moved scale. (Where very many faces contradict at
    once, as on an icosahedron, digits are lost all the same.)
    """
    lattice, rng = patch(name), np.random.default_rng(11)
    n, bonds, engine = len(lattice.edges), bond_states(lattice).astype(float), engine_of(lattice)
    frustrated = 0
    for _ in range(20):
        K = rng.choice([-1.0, 1.0], n) * (400.0 + rng.normal(size=n))
        energy = bonds @ K
        weight = np.exp(energy - energy.max())
        exact = weight @ bonds / weight.sum()
        frustrated += energy.max() < np.abs(K).sum() - 100.0
        for bond in range(0, n, 5):
            odds = engine.log_odds(K[None], np.array([bond]))[0, 0]
            assert math.tanh(odds / 2) == pytest.approx(exact[bond], abs=1e-6)
    assert frustrated > 10


def test_a_wrong_sum_is_found_out():
    """Negative control: one coupling off by 1e-9 fails the comparison."""
    lattice = patch("wheel")
    K = np.random.default_rng(4).normal(size=len(lattice.edges))
    log_z, _ = direct(lattice, K)
    wrong = K.copy()
    wrong[3] += 1e-9
    assert abs(engine_of(lattice).log_partition(wrong[None])[0] - log_z) > 10 * tolerance(K)


# Batches, windows, orders.


def test_batches_workers_and_single_samples():
    lattice, rng = pt.Lattice.grid((7, 6)), np.random.default_rng(11)
    K = rng.normal(0.0, 1.0, (9, len(lattice.edges)))
    K[3, :8] = np.inf
    engine = engine_of(lattice)
    log_z, odds = engine.log_partition(K, workers=1), engine.log_odds(K, workers=1)
    for workers in (2, 4, 30):
        assert (engine.log_partition(K, workers=workers) == log_z).all()
        assert (engine.log_odds(K, workers=workers) == odds).all()
    one_by_one = [engine_of(lattice).log_partition(row[None])[0] for row in K]
    np.testing.assert_allclose(log_z, one_by_one, rtol=1e-14)
    one_by_one = [engine_of(lattice).log_odds(row[None])[0] for row in K]
    np.testing.assert_allclose(odds, one_by_one, rtol=1e-11)
    assert engine.log_odds(K, np.array([], dtype=np.int64)).shape == (9, 0)


@pytest.mark.parametrize("lattice", [pt.Lattice.grid((8, 9)), pt.Lattice.grid((5, 6), (0, 1))])
def test_a_window_is_the_whole_with_zeros(lattice):
    """Couplings in a window only: the sum over its spins times 2 for each of the others."""
    rng = np.random.default_rng(12)
    near = lattice.distances([lattice.n_sites // 2]) <= 1.0
    inside = near[lattice.edges].all(axis=1)
    K = np.where(inside, rng.normal(size=len(inside)), 0.0)
    engine = engine_of(lattice)
    window = lattice.edges[inside]
    alone, order = np.unique(window, return_inverse=True)
    small = PlanarIsing(len(alone), order.reshape(window.shape))
    expected = small.log_partition(K[None, inside])[0]
    expected += (lattice.n_sites - len(alone)) * math.log(2)
    everywhere = K + 0.0
    everywhere[~inside] = 1e-300  # swept, though of no weight
    found = engine.log_partition(K[None])[0]
    assert found == pytest.approx(expected, abs=1e-12)
    assert engine.log_partition(everywhere[None])[0] == pytest.approx(expected, abs=1e-12)
    odds = engine.log_odds(K[None])[0]
    np.testing.assert_allclose(odds[inside], small.log_odds(K[None, inside])[0], rtol=1e-11)
    assert (odds[~inside] == 0).all() or abs(odds[~inside]).max() < 30


def test_a_known_tie_outside_the_window_shows_in_the_odds_of_other_bonds():
    """Three known sides of a square fix the fourth, coupling or no coupling."""
    engine = engine_of(pt.Lattice.grid((2, 2)))
    K = np.array([[np.inf, -np.inf, np.inf, 0.0]])
    odds = engine.log_odds(K)[0]
    assert odds[3] == engine.log_odds(K, np.array([3]))[0, 0] == -np.inf


def test_the_embedding_does_not_matter():
    """A given embedding, its mirror image and the one found by networkx give the same sum."""
    lattice = patch("triangular")
    _, found = nx.check_planarity(nx.Graph(lattice.edges.tolist()))
    data = {v: list(reversed(w)) for v, w in found.get_data().items()}
    mirror = nx.PlanarEmbedding()
    mirror.set_data(data)
    K = np.random.default_rng(13).normal(size=(1, len(lattice.edges)))
    values = [
        pt.LoopEnsemble(lattice, embedding=e).engine.log_partition(K)[0]
        for e in (None, found, mirror)
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-13)


@settings(max_examples=20)
@given(st.integers(4, 30), st.integers(0, 10**6))
def test_programs_cover_every_edge_once(n, seed):
    graph = delaunay(n, seed % (n + 1), seed)
    for e, (i, j) in enumerate(graph.edges):
        graph.edges[i, j]["edge"] = e
    plan = planar_plan(graph)
    assert sorted(plan.edges.tolist()) == list(range(graph.number_of_edges()))


# Refusals.


def test_too_long_a_sweep_is_refused(monkeypatch):
    monkeypatch.setattr(planar, "_LONGEST_SECONDS", 1e-3)
    engine = engine_of(pt.Lattice.grid((80, 90)))
    with pytest.raises(ValueError, match=r"frontier of 80 takes about \d+ s a sweep; the limit"):
        engine.log_partition(np.full((1, len(engine.edges)), 0.4))


def test_a_graph_that_is_not_planar_is_refused():
    graph = nx.complete_graph(5)
    for e, (i, j) in enumerate(graph.edges):
        graph.edges[i, j]["edge"] = e
    with pytest.raises(ValueError, match="5 spins is not planar"):
        planar_plan(graph)
