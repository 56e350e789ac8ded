"""Syndromes of independent bond flips: against brute force, loops, closed forms, and limits.

Brute force below is plain Python: bonds are added one by one to the law of the plaquettes, which
never mentions gauge orbits, partition functions or cells.
"""

import itertools
import math
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom, chi2

import phasetheory as pt
from phasetheory.engines.planar_faces import checked_embedding, faces
from phasetheory.engines.syndrome_cells import DualGraph, cells_of
from phasetheory.models.syndromes import SyndromeEnsemble
from tests import brute
from tests.strategies import seeds

KNOWN = pt.BitFlip(t=0.0)


def squares(rows, columns):
    """Plaquettes of an open grid of vertices as vertex walks, row-major; written independently."""
    corner = [r * columns + c for r in range(rows - 1) for c in range(columns - 1)]
    return [[v, v + 1, v + columns + 1, v + columns] for v in corner]


def syndrome_law(edges, walks, p, holes=()):
    """Law of plaquettes and parities: every bond toggles the plaquettes that it borders on."""
    sides = []
    for i, j in edges:
        crossed = [{a, b} == {i, j} for walk in walks for a, b in steps(walk)]
        owner = [face for face, walk in enumerate(walks) for _ in steps(walk)]
        sides.append([face for face, hit in zip(owner, crossed, strict=True) if hit])
    law = {0: 1.0}  # bit k of a state: plaquette k is -1
    for touched, rate in zip(sides, p, strict=True):
        toggled = 0
        for face in touched:
            toggled ^= 1 << face
        after = {}
        for state, weight in law.items():
            after[state] = after.get(state, 0.0) + (1.0 - rate) * weight
            after[state ^ toggled] = after.get(state ^ toggled, 0.0) + rate * weight
        law = after
    result = {}
    for bits, weight in law.items():
        state = tuple(1 - 2 * (bits >> face & 1) for face in range(len(walks)))
        result[(*state, *(math.prod(state[i] for i in hole) for hole in holes))] = weight
    return result


def steps(walk):
    return list(zip(walk, [*walk[1:], walk[0]], strict=True))


def grid_case(shape, p, holes=()):
    """The package's ensemble and brute force's law of one open grid of vertices."""
    lattice = pt.Lattice.grid(shape)
    rates = np.broadcast_to(p, len(lattice.edges)).tolist()
    prior = SyndromeEnsemble(lattice, p, holes=holes)
    return prior, syndrome_law(lattice.edges.tolist(), squares(*shape), rates, holes)


def log_marginals(law, region, y):
    """Log p(y_R) of every row of y, -inf where impossible."""
    weights = brute.marginal(law, region)
    found = [weights.get(tuple(row), 0.0) for row in y[:, region].tolist()]
    return np.array([math.log(w) if w > 0 else -math.inf for w in found])


def outputs(n):
    return np.array(list(itertools.product((-1, 1), repeat=n)), dtype=np.int8)


def exact_cmi(law, parts):
    """Sum over all outputs of p log p(abc) p(b) / (p(ab) p(bc)), from the package's likelihoods."""
    y = outputs(law.n_sites)
    log_p = law.log_prob(y)
    y, log_p = y[log_p > -np.inf], log_p[log_p > -np.inf]
    of = {names: law.log_prob(y, parts.union(names)) for names in ("AB", "BC", "B", "ABC")}
    return float(np.exp(log_p) @ (of["ABC"] + of["B"] - of["AB"] - of["BC"]))


rates = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0.01, 0.99)


@st.composite
def grid_cases(draw, special=True):
    shape = draw(st.sampled_from([(2, 2), (2, 4), (3, 3), (3, 4), (4, 3)]))
    n_faces = (shape[0] - 1) * (shape[1] - 1)
    n_bonds = len(pt.Lattice.grid(shape).edges)
    of_bond = rates if special else st.floats(0.02, 0.6)
    p = draw(st.lists(of_bond, min_size=n_bonds, max_size=n_bonds))
    some = st.sets(st.integers(0, n_faces - 1), min_size=1).map(sorted)
    holes = draw(st.lists(some, max_size=3))
    return shape, p, holes


# Likelihoods.


@settings(max_examples=60, deadline=None)
@given(case=grid_cases(), data=st.data())
def test_likelihood_of_any_region_equals_brute_force(case, data):
    """Random p per bond (0, 1/2 and 1 among them), declared holes that overlap and nest."""
    shape, p, holes = case
    prior, clean = grid_case(shape, p, holes)
    n = prior.lattice.n_sites
    region = data.draw(st.sets(st.integers(0, n - 1)).map(sorted))
    y = np.concatenate(
        [
            prior.sample(2, rng=data.draw(seeds)),
            np.array(
                data.draw(
                    st.lists(
                        st.lists(st.sampled_from([-1, 1]), min_size=n, max_size=n),
                        min_size=1,
                        max_size=2,
                    )
                )
            ),
        ]
    )
    found = prior.noised(KNOWN).log_prob(y, region)
    expected = log_marginals(clean, region, y)
    # Brute force adds up to 2^17 rounded products: probabilities below 1e-12 are not compared.
    likely = expected > math.log(1e-12)
    np.testing.assert_allclose(found[likely], expected[likely], rtol=1e-10, atol=1e-10)
    assert (found[np.isneginf(expected)] < math.log(1e-12)).all()


@pytest.mark.parametrize(
    ("shape", "inside"), [((4, 4), [4]), ((4, 5), [5, 6]), ((5, 4), [4, 5, 7]), ((4, 6), [6, 7, 8])]
)
def test_annuli(shape, inside):
    """Holes of one to three plaquettes: marginal, with the parity known, and either parity.

    One hole of three reaches the side of the patch: open there, it is no hole, unless its parity
    is known.
    """
    rng = np.random.default_rng(len(inside))
    n_faces = (shape[0] - 1) * (shape[1] - 1)
    p = rng.uniform(0.02, 0.45, len(pt.Lattice.grid(shape).edges))
    prior, clean = grid_case(shape, p, [inside])
    around = [f for f in range(n_faces) if f not in inside]
    law = prior.noised(KNOWN)
    y = prior.sample(20, rng=rng)
    for region in (around, [*around, n_faces]):
        expected = log_marginals(clean, region, y)
        np.testing.assert_allclose(law.log_prob(y, region), expected, rtol=1e-11)
    both = []
    for parity in (-1, 1):
        tried = y.copy()
        tried[:, n_faces] = parity
        both.append(law.log_prob(tried, [*around, n_faces]))
    np.testing.assert_allclose(np.logaddexp(*both), law.log_prob(y, around), rtol=1e-12)
    # Negative control: without the sum over the parity of the hole the likelihood is wrong.
    assert np.abs(both[1] - law.log_prob(y, around)).min() > 1e-3


def test_holes_that_touch_at_a_corner_are_two():
    """Diagonal neighbours share no bond, so that each parity is summed over on its own."""
    lattice = pt.Lattice.grid((5, 5))
    prior = SyndromeEnsemble(lattice, np.linspace(0.05, 0.4, 40))
    known = ~np.isin(np.arange(16), [5, 10])
    nothing = np.zeros((0, 16), dtype=bool)
    assert len(cells_of(prior.dual, known, nothing).freedom) == 2
    law, y = prior.noised(KNOWN), prior.sample(4, rng=0)
    every = []
    for pair in itertools.product((-1, 1), repeat=2):
        tried = y.copy()
        tried[:, [5, 10]] = pair
        every.append(law.log_prob(tried))
    np.testing.assert_allclose(law.log_prob(y, known), logsumexp(every, axis=0), rtol=1e-12)
    known[6] = False
    assert len(cells_of(prior.dual, known, nothing).freedom) == 1


GRAPHS = {
    "wheel": nx.wheel_graph(6),
    "hexagons": nx.convert_node_labels_to_integers(nx.hexagonal_lattice_graph(2, 2)),
    "pendant bonds and a bridge": nx.Graph(
        [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 5), (5, 3), (1, 6), (4, 7), (0, 8), (8, 1)]
    ),
    "triangles": nx.convert_node_labels_to_integers(nx.triangular_lattice_graph(2, 4)),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_planar_graphs(name):
    lattice = pt.Lattice.from_graph(GRAPHS[name])
    walks = faces(replace(lattice, labels=None), checked_embedding(lattice, None))
    n_bonds = len(lattice.edges)
    # Euler: all faces but the outer one.
    assert len(walks) == n_bonds - lattice.n_sites + 1
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.5, n_bonds)
    holes = [[0, 1], [1]]
    prior = SyndromeEnsemble(lattice, p, holes=holes)
    clean = syndrome_law(lattice.edges.tolist(), walks, p.tolist(), holes)
    law, y = prior.noised(KNOWN), prior.sample(6, rng=rng)
    for _ in range(12):
        region = np.flatnonzero(rng.random(law.n_sites) < 0.6).tolist()
        expected = log_marginals(clean, region, y)
        np.testing.assert_allclose(law.log_prob(y, region), expected, rtol=1e-10, atol=1e-11)


@settings(max_examples=25, deadline=None)
@given(case=grid_cases(special=False), t=st.floats(0.1, 0.9), seed=seeds)
def test_erasure_equals_brute_force(case, t, seed):
    shape, p, holes = case
    prior, clean = grid_case(shape, p, holes[:1])
    n = prior.lattice.n_sites
    law = prior.noised(pt.Erasure(t))
    _, y = law.sample(4, rng=seed)
    channels = [brute.erasure(t)] * n
    expected = [brute.log_prob(clean, channels, tuple(row.tolist()), region=range(n)) for row in y]
    np.testing.assert_allclose(law.log_prob(y), expected, rtol=1e-10)
    for row in y[:2]:
        singles = brute.posterior_marginals(clean, channels, tuple(row.tolist()), region=range(n))
        mean = [one.get(1, 0.0) - one.get(-1, 0.0) for one in singles]
        np.testing.assert_allclose(law.denoise(row[None])[0], mean, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(case=grid_cases(special=False), data=st.data())
def test_posteriors_equal_brute_force(case, data):
    shape, p, holes = case
    prior, clean = grid_case(shape, p, holes)
    n = prior.lattice.n_sites
    region = data.draw(st.sets(st.integers(0, n - 1)).map(sorted))
    y = prior.sample(2, rng=data.draw(seeds))
    found = prior.noised(KNOWN).posterior(y, region).p
    channels = [brute.identity(brute.SPINS)] * n
    for row, laws in zip(y, found, strict=True):
        singles = brute.posterior_marginals(clean, channels, tuple(row.tolist()), region=region)
        expected = [[one.get(-1, 0.0), one.get(1, 0.0)] for one in singles]
        np.testing.assert_allclose(laws, expected, atol=1e-10)


def test_chain_rule_on_a_patch_beyond_brute_force():
    """Plaquettes revealed one by one, inside out and outside in: the same likelihood of them all.

    The partial regions run through discs, annuli and a hole with a piece of its own inside.
    """
    rng = np.random.default_rng(7)
    lattice = pt.Lattice.grid((9, 9))
    prior = SyndromeEnsemble(lattice, rng.uniform(0.02, 0.4, len(lattice.edges)))
    law, y = prior.noised(KNOWN), prior.sample(3, rng=rng)
    whole = law.log_prob(y)
    distance = prior.lattice.distances([27])
    for order in (np.argsort(distance, kind="stable"), np.argsort(-distance, kind="stable")):
        total, seen = np.zeros(3), []
        for site in order.tolist():
            laws = law.posterior(y, np.array(seen, dtype=int), [site]).log_p[:, 0]
            total += np.where(y[:, site] > 0, laws[:, 1], laws[:, 0])
            seen.append(site)
        np.testing.assert_allclose(total, whole, rtol=1e-11)


# Closed forms and limits.


def test_parity_of_a_large_hole_alone():
    """Nothing else known: the parity is the product of the bonds on the rim, whatever inside."""
    rng = np.random.default_rng(11)
    lattice = pt.Lattice.grid((21, 21))
    p = rng.uniform(0.0, 0.02, len(lattice.edges))
    hole = pt.Lattice.grid((20, 20)).tripartition((5, 4), 0, size=9).A
    prior = SyndromeEnsemble(lattice, p, holes=[hole])
    row, column = np.divmod(lattice.edges, 21)
    across = (row[:, 0] == row[:, 1]) & np.isin(row[:, 0], (5, 14)) & (column[:, 0] >= 4)
    across &= column[:, 1] <= 13
    down = (column[:, 0] == column[:, 1]) & np.isin(column[:, 0], (4, 13)) & (row[:, 0] >= 5)
    down &= row[:, 1] <= 14
    assert (across | down).sum() == 36
    mean = np.prod(1.0 - 2.0 * p[across | down])
    law = prior.noised(KNOWN)
    even = np.ones((1, law.n_sites), dtype=np.int8)
    assert law.posterior(even, [], [400]).mean()[0, 0] == pytest.approx(mean, abs=1e-13)


def test_half_is_uniform_and_beyond_half_mirrors():
    """At p = 1/2 plaquettes are fair and independent; p -> 1 - p keeps every square."""
    lattice = pt.Lattice.grid((7, 6))
    y = SyndromeEnsemble(lattice, 0.3).sample(4, rng=1)
    fair = SyndromeEnsemble(lattice, 0.5).noised(KNOWN)
    for region in ([3, 4, 9], np.arange(30), np.delete(np.arange(30), [12])):
        np.testing.assert_allclose(fair.log_prob(y, region), -math.log(2) * len(region), rtol=1e-13)
    p = np.random.default_rng(2).uniform(0.0, 1.0, len(lattice.edges))
    one, other = (SyndromeEnsemble(lattice, q).noised(KNOWN) for q in (p, 1.0 - p))
    np.testing.assert_allclose(one.log_prob(y), other.log_prob(y), rtol=1e-11)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_bonds_that_never_flip(p):
    prior = SyndromeEnsemble(pt.Lattice.grid((4, 5)), p)
    assert (prior.sample(5, rng=0) == 1).all()
    y = np.ones((2, 12), dtype=np.int8)
    y[1, 4] = -1
    np.testing.assert_array_equal(prior.noised(KNOWN).log_prob(y), [0.0, -np.inf])
    with pytest.raises(ValueError, match=r"sample 1 has probability zero"):
        prior.noised(KNOWN).denoise(y, [4])


def test_one_pair_of_anyons_at_small_p():
    """Neighbours at p = 1e-4: one flip of 60 bonds, up to relative corrections of order 60 p."""
    p, lattice = 1e-4, pt.Lattice.grid((6, 6))
    y = np.ones((2, 25), dtype=np.int8)
    y[0, [12, 13]] = -1  # one bond between them
    y[1, [11, 13]] = -1  # two bonds apart: one shortest chain
    found = SyndromeEnsemble(lattice, p).noised(KNOWN).log_prob(y)
    np.testing.assert_allclose(found, np.log(p) * np.array([1.0, 2.0]), atol=100 * p)


@pytest.mark.parametrize("t", [0.1, 0.35])
def test_noisy_loops_depend_on_their_syndrome_only(t):
    """Uniform loops under bit flips: log P(y on R's bonds) = log P(m_R, hole) - rank ln 2, p = t/2.

    R is an annulus: closed loops through the hole are invisible, hence the parity. The rank is
    that of the gauge orbit on the bonds of R: 32 vertices, one piece.
    """
    lattice = pt.Lattice.grid((6, 6))
    plaquettes = pt.Lattice.grid((5, 5))
    hole = [11, 12, 13]
    ring = np.flatnonzero(plaquettes.distances(hole) == 1)
    prior = SyndromeEnsemble(lattice, t / 2, holes=[hole])
    walks = squares(6, 6)
    index = {tuple(edge): e for e, edge in enumerate(lattice.edges.tolist())}
    borders = [[index[min(a, b), max(a, b)] for a, b in steps(walk)] for walk in walks]
    loops = pt.LoopEnsemble(lattice).noised(pt.BitFlip(t=t))
    _, y = loops.sample(8, rng=5)
    m = np.stack([y[:, border].prod(axis=1) for border in borders], axis=1)
    m = np.concatenate([m, m[:, hole].prod(axis=1, keepdims=True)], axis=1)
    law = prior.noised(KNOWN)
    np.testing.assert_allclose(
        loops.log_prob(y), law.log_prob(m, np.arange(25)) - 35 * math.log(2), rtol=1e-12
    )
    bonds = sorted({e for face in ring for e in borders[face]})
    vertices = {v for face in ring for v in walks[face]}
    expected = law.log_prob(m, [*ring, 25]) - (len(vertices) - 1) * math.log(2)
    np.testing.assert_allclose(loops.log_prob(y, bonds), expected, rtol=1e-12)


# Informations.

BLOCK = pt.Tripartition(A=[4, 5], B=[1, 2, 3, 7, 8], C=[0, 6])


def annulus_case(block, rng_seed=4):
    """3 x 3 plaquettes, A a block, its parity declared."""
    rng = np.random.default_rng(rng_seed)
    return grid_case((4, 4), rng.uniform(0.02, 0.12, 24), [block])


def test_cmi_and_its_split_equal_brute_force():
    """I(A;C|B), I(h;C|B) and I(A;C|B,h), all outputs summed; the chain rule between them."""
    prior, clean = annulus_case([4, 5])
    law = prior.noised(KNOWN)
    parity, given_parity = prior.split(BLOCK)
    values = []
    for parts in (BLOCK, parity, given_parity):
        expected = brute.cmi(clean, *(region.tolist() for region in (parts.A, parts.B, parts.C)))
        assert expected > 1e-4
        values.append(exact_cmi(law, parts))
        assert values[-1] == pytest.approx(expected, abs=1e-11)
    assert values[0] == pytest.approx(values[1] + values[2], abs=1e-12)


def test_the_form_of_sang_and_hsieh_vanishes_for_one_plaquette():
    prior, clean = annulus_case([4])
    law = prior.noised(KNOWN)
    parts = pt.Tripartition(A=[4], B=[1, 3, 5, 7], C=[0, 2, 6, 8])
    plain, told = pt.cmi(law, [parts, prior.knowing(parts)], n_samples=200, rng=0)
    assert abs(told.value) < 1e-20
    expected = brute.cmi(clean, [4], [1, 3, 5, 7], [0, 2, 6, 8])
    assert expected > 1e-3
    assert abs(plain.value - expected) < 5 * plain.stderr


def test_error_bars_cover_and_are_far_below_those_of_the_plain_average():
    """Binomial hits in 120 runs at 1e-4, as for all estimators; halved error bars must fail."""
    prior, clean = annulus_case([4, 5])
    _, parts = prior.split(BLOCK)
    law = prior.noised(KNOWN)
    exact = brute.cmi(clean, *(region.tolist() for region in (parts.A, parts.B, parts.C)))
    runs = 120
    every = [pt.cmi(law, parts, n_samples=200, rng=seed) for seed in range(runs)]
    off = np.array([abs(one.value - exact) / one.stderr for one in every])
    hits = int((off < 1.96).sum())
    assert binom.ppf(1e-4, runs, 0.945) <= hits <= binom.ppf(1 - 1e-4, runs, 0.955)
    assert (off < 0.98).sum() < binom.ppf(1e-4, runs, 0.945)
    plain = pt.cmi(law, parts, method="plain", n_samples=4000, rng=1)
    assert abs(plain.value - exact) < 5 * plain.stderr
    typical = float(np.median([one.stderr for one in every])) * math.sqrt(200 / 4000)
    assert typical < plain.stderr / 3


def test_decay_on_both_sides_and_slowest_between():
    """Sang and Hsieh, Fig. 3: from r = 1 to 3 the CMI falls faster at 0.05 and 0.15 than near p_c.

    A is 2 x 2 with its parity known, C everything else in a patch of 14 x 14.
    """
    plaquettes = pt.Lattice.grid((14, 14))
    ratio, error = {}, {}
    for p in (0.03, 0.1, 0.18):
        ring = [plaquettes.tripartition((6, 6), r, size=2) for r in (1, 3)]
        prior = SyndromeEnsemble(pt.Lattice.grid((15, 15)), p, holes=[ring[0].A])
        parts = [prior.knowing(one) for one in ring]
        near, far = pt.cmi(prior.noised(KNOWN), parts, n_samples=300, rng=8)
        ratio[p] = far.value / near.value
        error[p] = ratio[p] * math.hypot(far.stderr / far.value, near.stderr / near.value)
    for p in (0.03, 0.18):
        assert ratio[0.1] - ratio[p] > 3 * math.hypot(error[0.1], error[p])


def test_a_square_knows_the_parity_beyond_its_side_below_the_threshold_only():
    """L x L plaquettes, two shut sides; I(parity; square) -> ln 2 at p = 0.04 and -> 0 at 0.2."""
    found = {}
    for L, p in itertools.product((4, 10), (0.04, 0.2)):
        spins = pt.Lattice.grid((L + 2, L + 1))
        row, column = np.divmod(spins.edges, L + 1)
        shut = (column == 0).all(axis=1) | (column == L).all(axis=1) | (row == 0).all(axis=1)
        prior = SyndromeEnsemble(spins, np.where(shut, 0.0, p), holes=[np.arange(L)])
        parts = pt.Tripartition(A=prior.parities, B=[], C=np.arange(L, L * (L + 1)))
        found[L, p] = pt.cmi(prior.noised(KNOWN), parts, n_samples=300, rng=L)
    ends = {0.04: math.log(2), 0.2: 0.0}
    for p, end in ends.items():
        small, large = found[4, p], found[10, p]
        gap = abs(small.value - end) - abs(large.value - end)
        assert gap > 3 * math.hypot(small.stderr, large.stderr)


# Samples.


def test_samples_follow_the_law():
    """Chi-square over all 2^4 syndromes of 2 x 2 plaquettes, and parities are products."""
    prior, clean = grid_case((3, 3), np.linspace(0.05, 0.5, 12), [[0, 3], [0, 1, 2]])
    n = 20_000
    x = prior.sample(n, rng=3)
    assert (x[:, 4] == x[:, [0, 3]].prod(axis=1)).all()
    assert (x[:, 5] == x[:, [0, 1, 2]].prod(axis=1)).all()
    counts = {state: 0 for state in clean}
    for row in map(tuple, x.tolist()):
        counts[row] += 1
    score = sum((counts[s] - n * w) ** 2 / (n * w) for s, w in clean.items())
    assert chi2.ppf(1e-5, 15) < score < chi2.ppf(1 - 1e-5, 15)


# The lattice.


def test_without_holes_the_lattice_is_the_grid_of_plaquettes():
    prior = SyndromeEnsemble(pt.Lattice.grid((4, 6)), 0.1)
    grid = pt.Lattice.grid((3, 5))
    assert prior.lattice.shape == (3, 5)
    np.testing.assert_array_equal(prior.lattice.edges, grid.edges)
    assert prior.parities.size == 0


def test_parities_are_in_no_region_unless_named():
    prior = SyndromeEnsemble(pt.Lattice.grid((6, 6)), 0.1, holes=[[12], [6, 7]])
    grid = pt.Lattice.grid((5, 5))
    for radius in (0, 1, 2, 100, math.inf):
        found = prior.lattice.tripartition((1, 2), radius, size=2)
        expected = grid.tripartition((1, 2), radius, size=2)
        for name in "ABC":
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    distance = prior.lattice.distances([12])
    np.testing.assert_array_equal(distance[:25], grid.distances([12]))
    assert np.isnan(distance[25:]).all()
    with pytest.raises(ValueError, match=r"site 25 is the parity of a hole, which lies nowhere"):
        prior.lattice.distances([25])
    parts = prior.lattice.tripartition((2, 2), 1)
    assert prior.knowing(parts).B.tolist() == [*parts.B.tolist(), 25, 26]
    assert prior.knowing(parts, [1]).B.tolist() == [*parts.B.tolist(), 26]
    assert prior.split(parts)[0].A.tolist() == [25]


def test_distance_on_a_graph_counts_shared_bonds():
    lattice = pt.Lattice.from_graph(nx.grid_2d_graph(3, 4))
    prior = SyndromeEnsemble(lattice, 0.1, holes=[[0]])
    ring = prior.lattice.distances([0])
    # Squares of a 2 x 3 grid in some order: the taxicab distances from one of them.
    assert sorted(ring[:6].tolist()) in ([0, 1, 1, 2, 2, 3], [0, 1, 1, 1, 2, 2])
    parts = prior.lattice.tripartition(0, 1)
    assert 6 not in parts.union("ABC")


def test_a_bond_with_one_face_on_both_sides_enters_no_flux():
    graph = nx.Graph([(0, 1), (1, 2), (2, 0), (2, 3)])
    lattice = pt.Lattice.from_graph(graph)
    dual = DualGraph.of_faces([[0, 1, 2]], lattice.edges, 4)
    assert dual.incidence.toarray().ravel().tolist() == [1, 1, 1, 0]


# Bad input.


def test_noise_on_the_reading_is_refused():
    prior = SyndromeEnsemble(pt.Lattice.grid((4, 4)), 0.1)
    law = prior.noised(pt.BitFlip(t=0.1))
    _, y = law.sample(2, rng=0)
    with pytest.raises(ValueError, match=r"gauge theory in three dimensions.*not\s+planar"):
        law.log_prob(y)
    with pytest.raises(ValueError, match=r"evidence=.*known .* or unknown"):
        prior.noised(pt.Gaussian(t=0.3)).denoise(y.astype(float))
    assert prior.noised(pt.BitFlip(t=1.0)).log_prob(y, [0])[0] == pytest.approx(-math.log(2))


def test_contradictory_parity():
    prior = SyndromeEnsemble(pt.Lattice.grid((4, 4)), 0.1, holes=[[0, 1]])
    law = prior.noised(KNOWN)
    y = prior.sample(2, rng=0)
    y[1, 9] = -y[1, 9]
    assert np.isfinite(law.log_prob(y)[0]) and np.isneginf(law.log_prob(y)[1])
    with pytest.raises(ValueError, match=r"sample 1 has probability zero.*parity of a hole"):
        law.denoise(y, [0, 1, 9])


def test_too_many_open_holes_are_refused():
    prior = SyndromeEnsemble(pt.Lattice.grid((14, 14)), 0.1)
    row, column = np.divmod(np.arange(169), 13)
    single = (row % 3 == 1) & (column % 3 == 1)
    y = prior.sample(1, rng=0)
    with pytest.raises(ValueError, match=r"leave 16 holes of unknown parity.*limit is 10"):
        prior.noised(KNOWN).log_prob(y, ~single)
    told = SyndromeEnsemble(prior.spins, 0.1, holes=[[f] for f in np.flatnonzero(single).tolist()])
    y = told.sample(1, rng=0)
    region = np.append(~single, np.ones(16, dtype=bool))
    np.testing.assert_allclose(
        told.noised(KNOWN).log_prob(y, region), prior.noised(KNOWN).log_prob(y[:, :169]), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("lattice", "options", "message"),
    [
        (pt.Lattice.chain(5), {}, r"5 sites and 4 edges has no faces"),
        (pt.Lattice.grid((4, 4), periodic=True), {}, r"is not planar"),
        (pt.Lattice.from_graph(nx.Graph([(0, 1), (1, 2), (2, 0), (3, 4)])), {}, r"has 2 pieces"),
        (pt.Lattice.grid((3, 3)), {"flip": 1.2}, r"flip=1\.2: probabilities in \[0, 1\]"),
        (pt.Lattice.grid((3, 3)), {"flip": [0.1] * 5}, r"flip has shape \(5,\)"),
        (pt.Lattice.grid((3, 3)), {"flip": math.nan}, r"flip holds NaN"),
        (pt.Lattice.grid((3, 3)), {"holes": [[4]]}, r"holes\[0\] is no set of plaquettes.*site 4"),
        (pt.Lattice.grid((3, 3)), {"holes": [[0], []]}, r"holes\[1\].*at least one plaquette"),
        (pt.Lattice.grid((3, 3)), {"holes": [None]}, r"holes\[0\]=None: at least one plaquette"),
    ],
)
def test_bad_arguments(lattice, options, message):
    with pytest.raises(ValueError, match=message):
        SyndromeEnsemble(lattice, **{"flip": 0.1, **options})


def test_bad_evidence_and_holes():
    prior = SyndromeEnsemble(pt.Lattice.grid((3, 3)), 0.1)
    with pytest.raises(ValueError, match=r"evidence has shape \(1, 3\).*\(n, 4\)"):
        prior.log_evidence(np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"1 NaN values"):
        prior.log_evidence(np.array([[0.0, np.nan, 0.0, 0.0]]))
    parts = prior.lattice.tripartition((0, 0), 1)
    with pytest.raises(ValueError, match=r"no hole is declared"):
        prior.knowing(parts)
    with pytest.raises(ValueError, match=r"A=\[0\] is no declared hole"):
        prior.split(parts)
    with pytest.raises(ValueError, match=r"holes=\[3\]: declared holes 0 to 0"):
        SyndromeEnsemble(prior.spins, 0.1, holes=[[0]]).knowing(parts, [3])
