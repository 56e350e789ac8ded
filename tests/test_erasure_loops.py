"""Loops under erasure: union-find against enumeration, networkx, cycle counts and percolation."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

import phasetheory as pt
from phasetheory._kernels.signed_sets import connections, tie
from tests import brute
from tests.planar_patches import random_patches
from tests.strategies import seeds, tripartitions

LN2 = math.log(2.0)


def bond_law(lattice: pt.Lattice) -> brute.Law:
    """Uniform closed loops: the bonds of all spin configurations."""
    edges = [(int(i), int(j)) for i, j in lattice.edges]
    law: brute.Law = {}
    for s in itertools.product(brute.SPINS, repeat=lattice.n_sites):
        x = tuple(s[i] * s[j] for i, j in edges)
        law[x] = law.get(x, 0.0) + 0.5**lattice.n_sites
    return law


def rank(lattice: pt.Lattice, bonds) -> int:
    """Edges less independent cycles: spins less connected pieces."""
    graph = nx.Graph(lattice.edges[bonds].tolist())
    return graph.number_of_edges() - len(nx.cycle_basis(graph))


def joined(lattice: pt.Lattice, bonds, ends) -> bool:
    graph = nx.Graph(lattice.edges[bonds].tolist())
    graph.add_nodes_from(ends)
    return nx.has_path(graph, *ends)


def closed_form(lattice: pt.Lattice, parts: pt.Tripartition, t: float) -> float:
    """(1 - t) ln 2 P(ends of A joined through seen bonds of B and C, not within B), enumerated."""
    ends = lattice.edges[parts.A[0]].tolist()
    others = [*parts.B.tolist(), *parts.C.tolist()]
    total = []
    for pattern in itertools.product((0, 1), repeat=len(others)):
        seen = [e for e, keep in zip(others, pattern, strict=True) if keep]
        in_B = [e for e in seen if e in parts.B]
        if joined(lattice, seen, ends) and not joined(lattice, in_B, ends):
            total.append((1 - t) ** len(seen) * t ** (len(others) - len(seen)))
    return (1 - t) * LN2 * math.fsum(total)


# Kernels.


@settings(max_examples=40)
@given(random_patches(), seeds, st.floats(0.0, 1.0))
def test_connections_equal_networkx(lattice, seed, density):
    """Sets of tied spins, and the product of any bond from a spanning path."""
    rng = np.random.default_rng(seed)
    n, m = lattice.n_sites, len(lattice.edges)
    truth = rng.choice([-1, 1], (3, n))
    values = truth[:, lattice.edges].prod(axis=2)
    evidence = np.where(rng.random((3, m)) < density, values * np.inf, rng.normal(size=(3, m)))
    n_sets, products = connections(lattice.edges, n, evidence, np.arange(m))
    for k in range(3):
        known = np.flatnonzero(np.isinf(evidence[k]))
        graph = nx.Graph(lattice.edges[known].tolist())
        graph.add_nodes_from(range(n))
        assert n_sets[k] == nx.number_connected_components(graph)
        for e, (i, j) in enumerate(lattice.edges.tolist()):
            tied = nx.has_path(graph, i, j)
            assert products[k, e] == (values[k, e] if tied else 0)


@settings(max_examples=40)
@given(random_patches(), seeds)
def test_random_values_contradict_each_other_where_networkx_says_so(lattice, seed):
    """Signs are consistent if every cycle of a basis has product +1."""
    rng = np.random.default_rng(seed)
    n, m = lattice.n_sites, len(lattice.edges)
    values = rng.choice([-1.0, 1.0], m)
    known = rng.random(m) < 0.7
    graph = nx.Graph()
    for e in np.flatnonzero(known).tolist():
        graph.add_edge(*lattice.edges[e].tolist(), value=values[e])
    consistent = all(
        math.prod(graph.edges[a, b]["value"] for a, b in zip(c, [*c[1:], c[0]], strict=True)) > 0
        for c in nx.cycle_basis(graph)
    )
    n_sets, _ = connections(
        lattice.edges, n, np.where(known, values * np.inf, 0.0)[None], np.zeros(0, dtype=np.int64)
    )
    assert (n_sets[0] >= 0) == consistent
    spins = np.ones(n, dtype=np.int8)
    sets, agrees = tie(lattice.edges, np.flatnonzero(known), values, spins)
    assert agrees == consistent
    if consistent:
        assert sets == n_sets[0]
        assert (spins[lattice.edges].prod(axis=1) == values)[known].all()


# The closed form.


@settings(max_examples=20)
@given(random_patches(), seeds, st.sampled_from([0.2, 0.5, 0.8]), st.data())
def test_every_sample_of_the_cavity_form_is_the_closed_form_before_averaging(
    lattice, seed, t, data
):
    """CMI of n samples = (1-t) ln 2 x the share in which networkx finds C to join A's ends."""
    prior = pt.LoopEnsemble(lattice)
    drawn = data.draw(tripartitions(prior.lattice.n_sites))
    parts = pt.Tripartition(A=drawn.A[:1], B=drawn.B, C=drawn.C)
    if not parts.C.size:
        return
    law, n_samples = prior.noised(pt.Erasure(t)), 20
    _, y = law.sample(n_samples, rng=seed)
    ends = lattice.edges[parts.A[0]].tolist()
    hits = 0
    for row in y:
        near = [e for e in parts.B.tolist() if row[e] != 0]
        far = near + [e for e in parts.C.tolist() if row[e] != 0]
        hits += joined(lattice, far, ends) and not joined(lattice, near, ends)
    found = pt.cmi(law, parts, method="cavity", n_samples=n_samples, rng=seed)
    assert found.value == pytest.approx((1 - t) * LN2 * hits / n_samples, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("t", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("shape", [(2, 3), (3, 3)])
def test_closed_form_equals_the_enumerated_law(shape, t):
    """Entropies of the law of y, from its table, against connectivity alone."""
    lattice = pt.Lattice.grid(shape)
    prior = pt.LoopEnsemble(lattice)
    centre = int(np.flatnonzero((lattice.edges == [1, 1 + shape[1]]).all(axis=1))[0])
    parts = prior.lattice.tripartition(centre, 0)
    C = [e for e in parts.C.tolist() if e < 9]
    parts = pt.Tripartition(A=[centre], B=parts.B, C=C)
    exact = closed_form(lattice, parts, t)
    assert exact > 1e-3
    if shape == (2, 3):
        law = brute.noisy(bond_law(lattice), [brute.erasure(t)] * prior.lattice.n_sites)
        assert exact == pytest.approx(brute.cmi(law, parts.A, parts.B, parts.C), rel=1e-11)
    law = prior.noised(pt.Erasure(t))
    found = pt.cmi(law, parts, n_samples=20_000, rng=0)
    assert found.trustworthy
    assert abs(found.value - exact) < 5 * found.stderr


def test_error_bars_cover_the_closed_form():
    """Share of 1.96-sigma intervals that hold the exact value, 300 runs of 400 samples."""
    lattice = pt.Lattice.grid((3, 3))
    prior = pt.LoopEnsemble(lattice)
    parts = pt.Tripartition(A=[2], B=[0, 3, 4], C=[1, 5, 6, 7, 8])
    law, exact = prior.noised(pt.Erasure(0.3)), closed_form(lattice, parts, 0.3)
    found = [
        pt.cmi(law, parts, n_samples=400, rng=rng) for rng in np.random.default_rng(1).spawn(300)
    ]
    assert all(e.trustworthy for e in found)
    hits = sum(abs(e.value - exact) < 1.96 * e.stderr for e in found)
    assert binom.ppf(1e-4, 300, 0.94) <= hits <= binom.ppf(1 - 1e-4, 300, 0.96)
    halved = sum(abs(e.value - exact) < 0.98 * e.stderr for e in found)
    assert halved < binom.ppf(1e-4, 300, 0.94)


# Entropies.


@settings(max_examples=30)
@given(random_patches(), seeds, st.floats(0.05, 0.95))
def test_log_prob_counts_independent_cycles(lattice, seed, t):
    """-log p(y_R) = m ln 2 - (independent cycles) ln 2 over the m seen bonds, and log t, 1-t."""
    rng = np.random.default_rng(seed)
    prior = pt.LoopEnsemble(lattice)
    law, n = prior.noised(pt.Erasure(t)), prior.lattice.n_sites
    _, y = law.sample(4, rng=rng)
    region = np.flatnonzero(rng.random(n) < 0.8)
    for row, found in zip(y, law.log_prob(y, region), strict=True):
        seen = [e for e in region.tolist() if row[e] != 0]
        channel = len(seen) * math.log1p(-t) + (len(region) - len(seen)) * math.log(t)
        assert found == pytest.approx(channel - rank(lattice, seen) * LN2, rel=1e-13, abs=1e-13)


def test_entropy_is_the_mean_rank():
    """H(y) = n h(t) + ln 2 E rank, the mean over all 2^12 patterns; five standard errors."""
    lattice, t = pt.Lattice.grid((3, 3)), 0.4
    ranks = []
    for pattern in itertools.product((0, 1), repeat=12):
        seen = np.flatnonzero(pattern)
        ranks.append((1 - t) ** len(seen) * t ** (12 - len(seen)) * rank(lattice, seen))
    flat = -t * math.log(t) - (1 - t) * math.log(1 - t)
    exact = 12 * flat + LN2 * math.fsum(ranks)
    found = pt.LoopEnsemble(lattice).noised(pt.Erasure(t)).entropy(n_samples=20_000, rng=2)
    assert abs(found.value - exact) < 5 * found.stderr


def test_entropy_without_noise_is_the_number_of_spins_less_one():
    law = pt.LoopEnsemble(pt.Lattice.grid((5, 7))).noised(pt.Erasure(0.0))
    assert law.entropy(n_samples=5, rng=0).value == pytest.approx(34 * LN2, rel=1e-14)


# Other couplings.


@pytest.mark.parametrize("coupling", [1e-9, 0.4])
def test_couplings_go_through_the_planar_engine(coupling):
    """Seen bonds are infinite evidence; as J -> 0 the planar sum is the union-find."""
    lattice = pt.Lattice.grid((6, 6))
    prior, free = pt.LoopEnsemble(lattice, coupling), pt.LoopEnsemble(lattice)
    _, y = prior.noised(pt.Erasure(0.5)).sample(6, rng=3)
    one, other = prior.noised(pt.Erasure(0.5)), free.noised(pt.Erasure(0.5))
    if coupling < 1e-6:
        np.testing.assert_allclose(one.log_prob(y), other.log_prob(y), atol=1e-6)
        np.testing.assert_allclose(one.denoise(y), other.denoise(y), atol=1e-6)
    else:
        sure = other.denoise(y)
        found = one.denoise(y)
        assert (found[sure != 0] == sure[sure != 0]).all()
        assert (np.abs(found[sure == 0]) < 1).all() and (np.abs(found[sure == 0]) > 0).any()


# The transition.


def crossing_bridge(n: int) -> tuple[pt.Lattice, int]:
    """An n x (n + 1) self-dual patch: its left and right sides are one spin each, joined by A."""
    graph = nx.Graph()
    for r, c in itertools.product(range(n + 1), range(n + 2)):
        here = "left" if c == 0 else "right" if c == n + 1 else (r, c)
        if c <= n:
            right = "right" if c == n else (r, c + 1)
            graph.add_edge(here, right) if (here, right) != ("left", "right") else None
        if r < n and 0 < c < n + 1:
            graph.add_edge(here, (r + 1, c))
    graph.add_edge("left", "right")
    lattice = pt.Lattice.from_graph(graph)
    ends = sorted(lattice.labels.index(side) for side in ("left", "right"))
    return lattice, int(np.flatnonzero((lattice.edges == ends).all(axis=1))[0])


@pytest.mark.parametrize("n", [1, 2, 8, 24])
def test_half_is_critical_by_duality(n):
    """I(A; all other bonds) = (1-t) ln 2 / 2 at t = 1/2, whatever the size.

    A rectangle of (n + 1) x (n + 2) sites, its two long sides contracted, is its own dual, so it
    is crossed with probability 1/2 at t = 1/2 (Harris 1960, Kesten 1980). On either side of
    it the information tends to (1-t) ln 2 and to 0.
    """
    lattice, bridge = crossing_bridge(n)
    prior = pt.LoopEnsemble(lattice)
    others = np.setdiff1d(np.arange(prior.lattice.n_sites), [bridge])
    parts = pt.Tripartition(A=[bridge], B=[], C=others)
    if n == 1:
        assert closed_form(lattice, parts, 0.5) == pytest.approx(0.25 * LN2, abs=1e-14)
    found = {
        t: pt.cmi(prior.noised(pt.Erasure(t)), parts, n_samples=2000, rng=4)
        for t in (0.35, 0.5, 0.65)
    }
    assert abs(found[0.5].value - 0.25 * LN2) < 4 * found[0.5].stderr
    below, above = found[0.35].value / (0.65 * LN2), found[0.65].value / (0.35 * LN2)
    assert below > 0.5 + 5 * found[0.35].stderr and above < 0.5 - 5 * found[0.65].stderr
    if n == 24:
        assert below > 0.98 and above < 0.02


def test_large_patches():
    """40,000 spins: every sample against scipy's connected components."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    lattice = pt.Lattice.grid((200, 200))
    law = pt.LoopEnsemble(lattice).noised(pt.Erasure(0.5))
    _, y = law.sample(3, rng=5)
    log_p = law.log_prob(y)
    for row, found in zip(y, log_p, strict=True):
        i, j = lattice.edges[row != 0].T
        graph = coo_array((np.ones(i.size), (i, j)), shape=(40_000, 40_000))
        pieces = connected_components(graph, directed=False)[0]
        expected = len(row) * math.log(0.5) - (40_000 - pieces) * LN2
        assert found == pytest.approx(expected, rel=1e-13)
