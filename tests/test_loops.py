"""Loop ensembles: laws of bonds against tables and plain sums, samples, identities, bad input."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom, chi2

import phasetheory as pt
from phasetheory.engines.planar_faces import faces
from tests.planar_patches import delaunay, patch
from tests.strategies import regions, seeds

SQUARE_PAIR = pt.Lattice.grid((2, 3))
WHEEL = pt.Lattice.from_graph(nx.wheel_graph(5))


def table_of(lattice: pt.Lattice, coupling: np.ndarray) -> pt.Table:
    """The law of the bonds as a table, from all spin configurations."""
    n = len(lattice.edges)
    weights = np.zeros((2,) * n)
    for s in itertools.product((-1, 1), repeat=lattice.n_sites):
        x = np.array(s)[lattice.edges].prod(axis=1)
        weights[tuple((x + 1) // 2)] += math.exp(coupling @ x)
    return pt.Table(pt.Lattice.chain(n), weights / weights.sum())


@st.composite
def small_patches(draw):
    """Planar graphs with at most nine bonds."""
    graph = delaunay(draw(st.integers(4, 6)), draw(st.integers(0, 4)), draw(st.integers(0, 10**6)))
    edges = sorted(graph.edges)[:9]
    return pt.Lattice.from_graph(nx.Graph(edges))


NOISES = {
    "BitFlip": pt.BitFlip,
    "Erasure": pt.Erasure,
    "Gaussian": pt.Gaussian,
}


# Laws.


@settings(max_examples=40)
@given(
    small_patches(),
    seeds,
    st.sampled_from(sorted(NOISES)),
    st.floats(0.1, 0.9),
    st.sampled_from([0.0, 0.6]),
    st.data(),
)
def test_laws_equal_the_table_on_any_region(lattice, seed, kind, t, strength, data):
    """log_prob, denoiser, score and posteriors; couplings of both signs."""
    rng = np.random.default_rng(seed)
    coupling = strength * rng.normal(size=len(lattice.edges))
    law = pt.LoopEnsemble(lattice, coupling).noised(NOISES[kind](t))
    table = pt.NoisyLaw(table_of(lattice, coupling), law.noise)
    _, y = law.sample(4, rng=rng)
    region = data.draw(regions(law.n_sites))
    np.testing.assert_allclose(
        law.log_prob(y, region), table.log_prob(y, region), rtol=1e-11, atol=1e-11
    )
    np.testing.assert_allclose(law.denoise(y, region), table.denoise(y, region), atol=1e-11)
    one, other = law.score(y, region), table.score(y, region)
    np.testing.assert_array_equal(np.isinf(one), np.isinf(other))
    finite = np.isfinite(other)
    np.testing.assert_allclose(one[finite], other[finite], rtol=1e-9, atol=1e-9)
    for site in (0, law.n_sites - 1):
        p, q = (which.posterior(y, region, [site]).p for which in (law, table))
        np.testing.assert_allclose(p, q, atol=1e-12)


@settings(max_examples=20)
@given(small_patches(), seeds)
def test_known_bonds_and_couplings(lattice, seed):
    """Infinite evidence takes its probability with it: log E 1[x_e = known]."""
    rng = np.random.default_rng(seed)
    coupling = rng.normal(size=len(lattice.edges))
    prior, table = pt.LoopEnsemble(lattice, coupling), table_of(lattice, coupling)
    x = prior.sample(3, rng=rng)
    h = np.where(rng.random(x.shape) < 0.5, x * np.inf, rng.normal(size=x.shape))
    np.testing.assert_allclose(prior.log_evidence(h), table.log_evidence(h), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(prior.posterior(h).p, table.posterior(h).p, atol=1e-12)


def test_gaussian_density_against_a_plain_sum():
    """Log of the mean over closed loops of prod N(y_e; alpha x_e, sigma^2), sums written out."""
    lattice, t, coupling = SQUARE_PAIR, 0.35, 0.3
    law = pt.LoopEnsemble(lattice, coupling).noised(pt.Gaussian(t))
    _, y = law.sample(5, rng=0)
    spins = np.array(list(itertools.product((-1, 1), repeat=6)))
    x = spins[:, lattice.edges].prod(axis=2)
    weight = coupling * x.sum(axis=1)
    terms = weight - logsumexp(weight)
    for row, found in zip(y, law.log_prob(y), strict=True):
        like = -((row - (1 - t) * x) ** 2) / (2 * t**2) - 0.5 * math.log(2 * math.pi * t**2)
        assert found == pytest.approx(logsumexp(terms + like.sum(axis=1)), abs=1e-11)


# Samples.


@pytest.mark.parametrize("lattice", [SQUARE_PAIR, WHEEL, patch("K4")])
@pytest.mark.parametrize("strength", [0.0, 0.7])
def test_samples_follow_the_law(lattice, strength):
    """Chi-square of 20,000 draws over all loop configurations; quantile 1e-5 of the true law."""
    coupling = strength * np.random.default_rng(1).normal(size=len(lattice.edges))
    x = pt.LoopEnsemble(lattice, coupling).sample(20_000, rng=2)
    assert x.dtype == np.int8
    p = table_of(lattice, coupling).probabilities
    counts = np.zeros(p.shape)
    np.add.at(counts, tuple(((x + 1) // 2).T), 1)
    assert counts[p == 0].sum() == 0
    expected, seen = 20_000 * p[p > 0], counts[p > 0]

    def statistic(expected: np.ndarray) -> float:
        return float(((seen - expected) ** 2 / expected).sum())

    limit = chi2.ppf(1 - 1e-5, expected.size - 1)
    assert statistic(expected) < limit
    wrong = np.roll(expected, 1) if strength else expected * np.linspace(0.9, 1.1, expected.size)
    assert statistic(wrong) > limit


@pytest.mark.parametrize("name", ["annulus", "triangular", "cylinder", "4 x 4 grid", "in pieces"])
@pytest.mark.parametrize("coupling", [0.0, 0.6])
def test_samples_close_around_every_cycle(name, coupling):
    lattice = patch(name)
    x = pt.LoopEnsemble(lattice, coupling).sample(200, rng=3)
    edges = lattice.edges.tolist()
    for cycle in nx.cycle_basis(nx.Graph(edges)):
        ring = [
            edges.index(sorted(pair)) for pair in zip(cycle, [*cycle[1:], cycle[0]], strict=True)
        ]
        assert (x[:, ring].prod(axis=1) == 1).all()


def test_sampled_correlations_of_a_large_patch():
    """Sample means of 24 x 24 bonds against the engine's <s_i s_j>: chi-square of all bonds.

    Neighbouring bonds are correlated, so only the mean square pull is bounded, by 1 within 20 %;
    with the correlations of another temperature it is far off.
    """
    lattice = pt.Lattice.grid((24, 24))
    prior = pt.LoopEnsemble(lattice, 0.35)
    x = prior.sample(800, rng=4)
    pulls = []
    for coupling in (0.35, 0.37):
        law = pt.LoopEnsemble(lattice, coupling).noised(pt.Erasure(1.0))
        mean = law.denoise(np.zeros((1, law.n_sites)))[0]
        pulls.append((x.mean(axis=0) - mean) / np.sqrt((1 - mean**2) / len(x)))
    assert np.abs(pulls[0]).max() < 5
    assert 0.8 < np.square(pulls[0]).mean() < 1.2
    assert np.square(pulls[1]).mean() > 1.5


# Identities and informations.


@pytest.mark.parametrize(
    "noise",
    [pt.BitFlip(0.2), pt.BitFlip(0.3), pt.Gaussian(0.495), pt.Gaussian(0.3)],
    ids=["flips 0.2", "flips 0.3", "Gaussian at t_c", "Gaussian 0.3"],
)
@pytest.mark.parametrize("coupling", [0.0, 0.3])
def test_nishimori_identities_within_error_bars(noise, coupling):
    """E x<x> = E<x>^2 on a 12 x 12 patch, bond by bond and in the mean, four standard errors.

    Negative control: the denoiser of half the flips, or of twice the sigma, fails by far.
    """
    lattice = pt.Lattice.grid((12, 12))
    prior = pt.LoopEnsemble(lattice, coupling)
    law = prior.noised(noise)
    x, y = law.sample(300, rng=5)

    def pull(believed: pt.NoisyLaw) -> float:
        mean = believed.denoise(y)
        difference = (x * mean - mean**2).mean(axis=1)
        return float(difference.mean() / (difference.std(ddof=1) / math.sqrt(len(y))))

    assert abs(pull(law)) < 4
    if isinstance(noise, pt.BitFlip):
        wrong = prior.noised(pt.BitFlip(float(noise.t) / 2))
    else:
        wrong = prior.noised(pt.Gaussian.from_scales(noise.alpha, 2.0 * noise.sigma))
    assert abs(pull(wrong)) > 8


@pytest.mark.parametrize("lattice", [SQUARE_PAIR, patch("K4"), WHEEL])
@pytest.mark.parametrize("coupling", [0.0, 0.5])
def test_nishimori_identity_exactly(lattice, coupling):
    """E x<x> = E<x>^2 by enumeration of x and y under bit flips; any region."""
    t, n = 0.3, len(lattice.edges)
    law = pt.LoopEnsemble(lattice, coupling).noised(pt.BitFlip(t))
    p = table_of(lattice, np.full(n, coupling)).probabilities
    states = 2 * np.argwhere(p > 0) - 1
    y = np.array(list(itertools.product((-1, 1), repeat=n)), dtype=np.int8)
    flips = (states[:, None] != y[None]).sum(axis=2)
    joint = p[p > 0][:, None] * (t / 2) ** flips * (1 - t / 2) ** (n - flips)
    for region in (None, [0, 1, 2]):
        mean = law.denoise(y, region)
        one = np.einsum("xy,xi,yi->i", joint, states, mean)
        other = np.einsum("xy,yi->i", joint, mean**2)
        np.testing.assert_allclose(one, other, rtol=1e-11)
        assert (other > 0.01).any()


def exact_parts():
    """A window on a patch of two squares: the middle bond, a neighbour, and the rest."""
    return pt.Tripartition(A=[3], B=[0], C=[1, 2, 4, 5, 6])


@pytest.mark.parametrize("noise", [pt.BitFlip(0.3), pt.Erasure(0.4)], ids=["flips", "erasure"])
@pytest.mark.parametrize("coupling", [0.0, 0.4])
def test_cmi_error_bars_cover_the_exact_value(noise, coupling):
    """300 runs of 300 samples against the table; halved error bars fail the same criterion."""
    law = pt.LoopEnsemble(SQUARE_PAIR, coupling).noised(noise)
    table = pt.NoisyLaw(table_of(SQUARE_PAIR, np.full(7, coupling)), noise)
    exact = pt.cmi(table, exact_parts(), method="exact").value
    assert exact > 0.01
    found = [
        pt.cmi(law, exact_parts(), n_samples=300, rng=rng)
        for rng in np.random.default_rng(6).spawn(300)
    ]
    assert all(e.trustworthy for e in found)
    lowest, highest = binom.ppf(1e-4, 300, 0.935), binom.ppf(1 - 1e-4, 300, 0.965)
    hits = sum(abs(e.value - exact) < 1.96 * e.stderr for e in found)
    assert lowest <= hits <= highest
    assert sum(abs(e.value - exact) < 0.98 * e.stderr for e in found) < lowest


def test_gaussian_cmi_against_the_table():
    law = pt.LoopEnsemble(SQUARE_PAIR, 0.2).noised(pt.Gaussian(0.5))
    table = pt.NoisyLaw(table_of(SQUARE_PAIR, np.full(7, 0.2)), law.noise)
    one = pt.cmi(law, exact_parts(), n_samples=3000, rng=7)
    other = pt.cmi(table, exact_parts(), n_samples=3000, rng=8)
    assert abs(one.value - other.value) < 5 * math.hypot(one.stderr, other.stderr)
    same = pt.cmi(table, exact_parts(), method="plain", n_samples=3000, rng=9)
    assert abs(one.value - same.value) < 5 * math.hypot(one.stderr, same.stderr)


def test_recovery_of_a_bond():
    """T1 in numbers on a patch of two squares, every entry against the table's."""
    noise = pt.BitFlip(0.2)
    law = pt.LoopEnsemble(SQUARE_PAIR, 0.3).noised(noise)
    table = pt.NoisyLaw(table_of(SQUARE_PAIR, np.full(7, 0.3)), noise)
    one, other = (pt.recovery(which, exact_parts(), pt.BitFlip(0.4)) for which in (law, table))
    for name in ("kl", "tv", "fidelity", "cmi_before", "cmi_after"):
        found, expected = getattr(one, name), getattr(other, name)
        assert found.exact and found.value == pytest.approx(expected.value, rel=1e-9)
    assert 2 * one.tv.value**2 <= one.kl.value <= one.cmi_before.value - one.cmi_after.value
    assert one.kl.value > 1e-4


def test_dependence_on_the_buffer_shows_the_two_phases():
    """Bit flips on 24 x 24: beyond p_c the CMI falls by far from r = 0 to 3, at p_c it lingers."""
    lattice = pt.Lattice.grid((24, 24))
    prior = pt.LoopEnsemble(lattice)
    parts = [prior.lattice.tripartition((12 * 24 + 11, 12 * 24 + 12), r) for r in (0, 3)]
    drop = {}
    for t in (0.2184, 0.7):
        near, far = pt.cmi(prior.noised(pt.BitFlip(t)), parts, n_samples=150, rng=10)
        assert far.value < near.value
        drop[t] = near.value / max(far.value, far.stderr)
    assert drop[0.7] > 10 * drop[0.2184]


# Faces.


@pytest.mark.parametrize(
    "name", ["4 x 4 grid", "cylinder", "triangular", "K4", "annulus", "ladder"]
)
def test_faces_are_independent_cycles(name):
    """Euler: as many inner faces as independent cycles, and they generate all of them."""
    lattice = patch(name)
    cycles = faces(lattice)
    edges = lattice.edges.tolist()
    incidence = np.zeros((len(cycles), len(edges)), dtype=int)
    for row, cycle in zip(incidence, cycles, strict=True):
        for pair in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            row[edges.index(sorted(pair))] += 1
    assert len(cycles) == len(edges) - lattice.n_sites + 1
    # Rank over the two-element field.
    rows, rank = [int("".join(map(str, row % 2)), 2) for row in incidence], 0
    while rows:
        pivot = rows.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    assert rank == len(cycles)


# Bad input.


def closing(bond: float) -> np.ndarray:
    return np.array([[np.inf] * 4, [np.inf, np.inf, np.inf, bond]])


@pytest.mark.parametrize("coupling", [0.0, 0.4])
def test_evidence_against_closure_names_the_sample(coupling):
    prior = pt.LoopEnsemble(pt.Lattice.grid((2, 2)), coupling)
    assert prior.log_evidence(closing(-np.inf))[1] == -np.inf
    for sites in (None, np.array([0]), np.array([3])):
        with pytest.raises(ValueError, match="evidence of sample 1 contradicts closure"):
            prior.posterior(closing(-np.inf), sites)
        assert np.isfinite(prior.posterior(closing(0.0), sites).p).all()
    law = prior.noised(pt.BitFlip(0.0))
    with pytest.raises(ValueError, match=r"contradicts closure: the product of its known bonds"):
        law.denoise(np.array([[1, 1, 1, -1]]))
    assert law.log_prob(np.array([[1, 1, 1, -1]]))[0] == -np.inf


def test_nan_evidence_names_sample_and_bond():
    prior = pt.LoopEnsemble(pt.Lattice.grid((2, 2)))
    evidence = np.zeros((3, 4))
    evidence[2, 1] = np.nan
    for ask in (prior.log_evidence, prior.posterior):
        with pytest.raises(ValueError, match="evidence of sample 2 is NaN at bond 1"):
            ask(evidence)


@pytest.mark.parametrize(
    "graph", [nx.complete_graph(5), nx.complete_bipartite_graph(3, 3), nx.petersen_graph()]
)
def test_graphs_that_are_not_planar_are_refused(graph):
    lattice = pt.Lattice.from_graph(graph)
    message = rf"lattice of {lattice.n_sites} sites and {len(lattice.edges)} edges is not planar"
    with pytest.raises(ValueError, match=message):
        pt.LoopEnsemble(lattice)


def test_tori_are_refused():
    with pytest.raises(ValueError, match="16 sites and 32 edges is not planar"):
        pt.LoopEnsemble(pt.Lattice.grid((4, 4), periodic=True))


def embedding_of(rotation: dict[object, list[object]]) -> nx.PlanarEmbedding:
    embedding = nx.PlanarEmbedding()
    embedding.set_data(rotation)
    return embedding


def test_an_embedding_that_is_not_one_is_refused():
    """K4 with the neighbours of one vertex in the wrong order has Euler characteristic 0."""
    lattice = patch("K4")
    _, good = nx.check_planarity(nx.complete_graph(4))
    pt.LoopEnsemble(lattice, embedding=good)
    data = good.get_data()
    data[0] = data[0][::-1]
    with pytest.raises(ValueError, match="embedding is not a planar embedding"):
        pt.LoopEnsemble(lattice, embedding=embedding_of(data))


def test_an_embedding_of_another_graph_is_refused():
    _, other = nx.check_planarity(nx.cycle_graph(4))
    with pytest.raises(ValueError, match=r"4 nodes and 4 edges that are not those of the lattice"):
        pt.LoopEnsemble(patch("K4"), embedding=other)
    _, larger = nx.check_planarity(nx.complete_graph(4))
    larger.add_node(9)
    with pytest.raises(ValueError, match=r"embedding has 5 nodes and 6 edges"):
        pt.LoopEnsemble(patch("K4"), embedding=larger)


def test_an_embedding_on_labels_is_understood():
    graph = nx.relabel_nodes(nx.wheel_graph(5), dict(enumerate("abcde")))
    lattice = pt.Lattice.from_graph(graph)
    _, found = nx.check_planarity(graph)
    one, other = pt.LoopEnsemble(lattice, 0.3, embedding=found), pt.LoopEnsemble(lattice, 0.3)
    h = np.random.default_rng(11).normal(size=(3, 8))
    np.testing.assert_allclose(one.log_evidence(h), other.log_evidence(h), rtol=1e-13)


def test_fields_are_refused():
    for field in (0.1, [0.0, 0.0, 0.2, 0.0]):
        with pytest.raises(ValueError, match=r"bonds do not see a field on spins.*pt\.Ising"):
            pt.LoopEnsemble(pt.Lattice.grid((2, 2)), 0.3, field=field)
    pt.LoopEnsemble(pt.Lattice.grid((2, 2)), 0.3, field=np.zeros(4))


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="lattice has no edges"):
        pt.LoopEnsemble(pt.Lattice.bare(4))
    with pytest.raises(ValueError, match=r"coupling has shape \(3,\)"):
        pt.LoopEnsemble(pt.Lattice.grid((2, 2)), [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="coupling holds NaN or infinite"):
        pt.LoopEnsemble(pt.Lattice.grid((2, 2)), np.inf)
    prior = pt.LoopEnsemble(pt.Lattice.grid((2, 2)))
    with pytest.raises(ValueError, match="centre=7: a bond index from 0 to 3"):
        prior.lattice.tripartition(7, 1)
    with pytest.raises(ValueError, match=r"centre=\(0, 3\)"):
        prior.lattice.tripartition((0, 3), 1)
    with pytest.raises(ValueError, match="y has shape"):
        prior.noised(pt.BitFlip(0.1)).log_prob(np.ones((2, 5)))


def test_what_it_says_of_itself():
    prior = pt.LoopEnsemble(SQUARE_PAIR, 0.25)
    assert repr(prior) == "LoopEnsemble(7 bonds of 6 spins, coupling=0.25)"
    assert prior.settings == {"coupling": [0.25], "spins": 6, "shape": (2, 3)}
    assert prior.q == 2 and prior.lattice.n_sites == 7
