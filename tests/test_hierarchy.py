"""Broadcast on a tree: against enumeration of all its nodes, and against itself at other depths."""

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import chi2

from phasetheory.estimate import Estimate
from phasetheory.information import label_information, label_posterior
from phasetheory.models.hierarchy import Hierarchy
from phasetheory.models.tree_metric import TreeMetric
from phasetheory.noise import BitFlip, Erasure, Gaussian
from phasetheory.noise.base import symbols
from tests import brute


def broadcast(depth, b, channel, root):
    """p(leaves) = sum over roots and inner nodes, one level after the other; symbols as indices."""
    q = len(root)
    level = {(x,): float(root[x]) for x in range(q) if root[x] > 0}
    for _ in range(depth):
        below = {}
        for parents, p in level.items():
            for children in itertools.product(range(q), repeat=b * len(parents)):
                weight = p * math.prod(
                    float(channel[parents[k // b]][y]) for k, y in enumerate(children)
                )
                below[children] = below.get(children, 0.0) + weight
        level = below
    return level


def as_values(law, q):
    """The same law in symbols of the package: spins for q = 2."""
    return {tuple(2 * x - 1 if q == 2 else x for x in state): p for state, p in law.items()}


def potts(q, rate):
    return (1 - rate) / q + rate * np.eye(q)


def random_channel(q, seed):
    """Detailed balance from symmetric random flows."""
    flow = np.random.default_rng(seed).gamma(0.5, size=(q, q))
    flow += flow.T
    return flow / flow.sum(axis=1, keepdims=True), flow.sum(axis=1) / flow.sum()


SHAPES = st.sampled_from(
    [(1, 2, 2), (2, 2, 2), (3, 2, 2), (1, 3, 2), (1, 2, 3), (2, 2, 3), (1, 3, 4)]
)


@st.composite
def hierarchies(draw):
    """(prior, its law by enumeration) of a random tree: Potts of either sign, or reversible."""
    depth, b, q = draw(SHAPES)
    seed = draw(st.integers(0, 10**6))
    root = draw(st.sampled_from([None, 0, q - 1]))
    if draw(st.booleans()):
        rate = draw(st.floats(-1 / (q - 1), 1))
        prior = Hierarchy(depth, b, q, eigenvalue=rate, root=root)
        channel, law = potts(q, rate), np.full(q, 1 / q)
    else:
        channel, law = random_channel(q, seed)
        prior = Hierarchy(depth, b, q, channel=channel, root=root)
    start = law if root is None else np.eye(q)[root]
    exact = as_values(broadcast(depth, b, np.maximum(channel, 0), start), q)
    return prior, exact, seed


def evidence_of(prior, seed):
    """Random evidence with some sites unseen and some known, and the same as a function."""
    rng = np.random.default_rng(seed)
    n, q = prior.lattice.n_sites, prior.q
    scale = 10 ** rng.uniform(-3, 1)
    like = scale * rng.normal(size=(n, q))
    like[rng.random(n) < 0.2] = 0.0
    fields = None
    if q == 2:
        fields = 0.5 * (like[:, 1] - like[:, 0])
        like = np.stack([-fields, fields], axis=1)
    if n > 2:
        known = rng.integers(q)
        like[1] = np.where(np.arange(q) == known, 0.0, -np.inf)
        if q == 2:
            fields[1] = math.inf if known else -math.inf
    places = {int(v): k for k, v in enumerate(symbols(q))}
    given = fields if q == 2 else like
    return given[None], lambda i, x: float(like[i, places[x]])


@settings(max_examples=60, deadline=None)
@given(hierarchies())
def test_evidence_and_posteriors_against_enumeration(case):
    prior, law, seed = case
    evidence, like = evidence_of(prior, seed)
    exact = brute.log_evidence(law, like)
    found = prior.log_evidence(evidence)[0]
    if exact == -math.inf:
        assert found == -math.inf
        with pytest.raises(ValueError, match="sample 0 has probability zero"):
            prior.posterior(evidence)
        return
    assert found == pytest.approx(exact, rel=1e-11, abs=1e-11)
    marginals = brute.evidence_marginals(law, like)
    laws = prior.posterior(evidence)
    for i, single in enumerate(marginals):
        expected = [single.get(int(v), 0.0) for v in symbols(prior.q)]
        np.testing.assert_allclose(laws.p[0, i], expected, rtol=1e-9, atol=1e-12)
    some = prior.posterior(evidence, np.array([prior.lattice.n_sites - 1, 0]))
    np.testing.assert_array_equal(some.log_p, laws.log_p[:, [-1, 0]])


@settings(max_examples=25, deadline=None)
@given(hierarchies(), st.sampled_from(["flip", "erasure"]), st.floats(0.05, 0.95))
def test_noisy_law_against_enumeration(case, kind, t):
    prior, law, _ = case
    q, n = prior.q, prior.lattice.n_sites
    values = [int(v) for v in symbols(q)]
    noise, channel = BitFlip(t), brute.bit_flip(t, values)
    if kind == "erasure":
        noise, channel = Erasure(t), brute.erasure(t, values, erased=0 if q == 2 else -1)
    noisy = prior.noised(noise)
    _, y = noisy.sample(4, rng=1)
    for region in (None, [0], [0, n - 1]):
        sites = range(n) if region is None else region
        for k in range(4):
            exact = brute.log_prob(law, [channel] * n, tuple(y[k].tolist()), region=sites)
            assert noisy.log_prob(y[k : k + 1], region)[0] == pytest.approx(exact, abs=1e-11)


def test_root_posterior_and_information_against_enumeration():
    """Bayes by hand: P(root|y) ∝ p(root) p(y|root), and I(S;R) = H(y) - H(y|S)."""
    channel, weights = random_channel(3, 5)
    prior = Hierarchy(2, 2, 3, channel=channel)
    np.testing.assert_allclose(prior.label_weights, weights, rtol=1e-12)
    t, values, region = 0.3, [0, 1, 2], [0, 2, 3]
    noises = [brute.bit_flip(t, values)] * 4
    law = prior.noised(BitFlip(t))
    given_root = [broadcast(2, 2, channel, np.eye(3)[s]) for s in range(3)]
    _, y = law.sample(5, rng=3)
    joint = np.array(
        [
            [
                weights[s] * math.exp(brute.log_prob(single, noises, tuple(row), region=region))
                for s, single in enumerate(given_root)
            ]
            for row in y.tolist()
        ]
    )
    expected = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(label_posterior(law, y, region), expected, rtol=1e-10)
    whole = brute.entropy(brute.noisy(broadcast(2, 2, channel, weights), noises), region)
    inside = sum(
        w * brute.entropy(brute.noisy(single, noises), region)
        for w, single in zip(weights, given_root, strict=True)
    )
    found = label_information(law, region, n_samples=4000, rng=4)
    assert abs(found.value - (whole - inside)) < 5 * found.stderr


@settings(max_examples=30, deadline=None)
@given(hierarchies())
def test_labels_make_up_the_law(case):
    """p(y) = sum_s w_s p(y|s)."""
    prior, _, seed = case
    evidence, _ = evidence_of(prior, seed)
    weights = prior.label_weights
    assert weights.sum() == pytest.approx(1.0)
    parts = [
        math.log(w) + prior.given(s).log_evidence(evidence)[0] for s, w in enumerate(weights) if w
    ]
    whole = prior.log_evidence(evidence)[0]
    assert logsumexp(parts) == pytest.approx(whole, rel=1e-10, abs=1e-10) or whole == -math.inf


# Depth.


@pytest.mark.parametrize("q", [2, 3])
def test_a_subtree_of_a_big_tree_is_a_small_tree(q):
    """The channel keeps its stationary law: leaves of a subtree do not feel what is above."""
    channel, _ = random_channel(q, 11)
    small, big = (Hierarchy(depth, 2, q, channel=channel) for depth in (3, 15))
    rng = np.random.default_rng(0)
    shape = (2, 8) if q == 2 else (2, 8, q)
    inside = rng.normal(size=shape)
    outside = np.zeros((2, 2**15, *shape[2:]))
    start = 8 * 1000
    outside[:, start : start + 8] = inside
    np.testing.assert_allclose(
        big.log_evidence(outside), small.log_evidence(inside), rtol=1e-12, atol=1e-13
    )
    found = big.posterior(outside, np.arange(start, start + 8)).log_p
    np.testing.assert_allclose(found, small.posterior(inside).log_p, rtol=1e-10, atol=1e-12)


def test_a_million_leaves():
    """Nothing seen says nothing, exactly; both roots make up the law; every leaf is denoised."""
    prior = Hierarchy(20, eigenvalue=0.8)
    law = prior.noised(BitFlip(0.6))
    x, y = law.sample(1, rng=0)
    assert x.shape == (1, 2**20)
    assert law.log_prob(y, [])[0] == 0.0
    whole = law.log_prob(y)[0]
    halves = [law.prior.given(s).noised(law.noise).log_prob(y)[0] + math.log(0.5) for s in (0, 1)]
    # Sums of 2^20 terms of a fraction of a nat, rounded to 1e-16 each: 1e-16 of the sum, if lucky,
    # 1e-10 of it at the worst; compensation keeps to the former.
    assert whole == pytest.approx(np.logaddexp(*halves), rel=1e-12)
    # The mean of -log p per leaf of a sample is between H(noise) and ln 2.
    assert 0.5 < -whole / 2**20 < math.log(2)
    assert np.isfinite(law.denoise(y)).all()


def test_huge_and_conflicting_evidence_stays_in_log_space():
    """Two leaves: E e^(h1 x1 + h2 x2) = [(1+r) cosh(h1+h2) + (1-r) cosh(h1-h2)]/2, r = lambda^2."""
    for rate in (0.9, 1.0, -1.0, 1e-8):
        prior = Hierarchy(1, eigenvalue=rate)
        for h1, h2 in ((900.0, -900.0), (5000.0, 4000.0), (1e-9, 2e-9), (-800.0, 0.5)):
            r = rate**2
            plus, minus = abs(h1 + h2), abs(h1 - h2)
            with np.errstate(divide="ignore"):
                terms = [
                    np.log((1 + r) / 4) + np.logaddexp(plus, -plus),
                    np.log((1 - r) / 4) + np.logaddexp(minus, -minus),
                ]
            exact = np.logaddexp(*terms)
            found = prior.log_evidence(np.array([[h1, h2]]))[0]
            assert found == pytest.approx(exact, rel=1e-12, abs=1e-15)


def test_results_do_not_depend_on_batches():
    prior = Hierarchy(6, 2, 3, eigenvalue=0.6)
    evidence = np.random.default_rng(0).normal(size=(7, 64, 3))
    whole, laws = prior.log_evidence(evidence), prior.posterior(evidence).log_p
    for k in range(7):
        assert prior.log_evidence(evidence[k : k + 1])[0] == whole[k]
        np.testing.assert_array_equal(prior.posterior(evidence[k : k + 1]).log_p[0], laws[k])
    assert prior.log_evidence(evidence[:0]).shape == (0,)
    assert prior.posterior(evidence[:0]).log_p.shape == (0, 64, 3)


def test_the_sign_of_the_eigenvalue_is_a_gauge_at_even_depth():
    """Two bonds of -lambda are two of lambda; at odd depth the spins turn over with the root."""
    h = np.random.default_rng(1).normal(size=(5, 8))
    minus, plus = (Hierarchy(3, eigenvalue=s * 0.6, root=1) for s in (-1, 1))
    np.testing.assert_allclose(minus.log_evidence(-h), plus.log_evidence(h), rtol=1e-12)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(minus.log_evidence(h), plus.log_evidence(h), rtol=1e-3)


# Samples.


@pytest.mark.parametrize("case", ["potts", "antiferromagnet", "reversible"])
def test_samples_follow_the_law(case):
    """Chi-squared over all states of three leaves; another law exceeds its 1 - 1e-6 quantile."""
    if case == "reversible":
        channel, weights = random_channel(3, 2)
        prior = Hierarchy(1, 3, 3, channel=channel)
    else:
        rate = 0.5 if case == "potts" else -0.5
        channel, weights = potts(3, rate), np.full(3, 1 / 3)
        prior = Hierarchy(1, 3, 3, eigenvalue=rate)
    n = 20_000
    x = prior.sample(n, rng=8)
    counts = np.bincount(x @ np.array([9, 3, 1]), minlength=27)

    def statistic(law):
        expected = n * np.array([law[s] for s in itertools.product(range(3), repeat=3)])
        if counts[expected == 0].any():
            return math.inf
        return (np.square(counts - expected)[expected > 0] / expected[expected > 0]).sum()

    bound = chi2.ppf(1 - 1e-6, 26)
    assert statistic(broadcast(1, 3, channel, weights)) < bound
    assert statistic(broadcast(1, 3, potts(3, 0.2), np.full(3, 1 / 3))) > bound


def test_leaves_at_distance_h_have_correlation_lambda_to_the_2h():
    prior = Hierarchy(4, eigenvalue=-0.8)
    x = prior.sample(20_000, rng=2).astype(float)
    distance = prior.lattice.distances([0]).astype(int)
    for site in (1, 2, 5, 12):
        found = Estimate.from_samples(x[:, 0] * x[:, site])
        expected = 0.8 ** (2 * distance[site])
        assert abs(found.value - expected) < 5 * found.stderr
        assert abs(found.value - expected**2) > 5 * found.stderr  # control


# Distance.


def test_distance_is_the_height_of_the_common_subtree():
    metric = TreeMetric(3, 3)
    for site in (0, 5, 26):
        for other in range(27):
            height = next(h for h in range(4) if site // 3**h == other // 3**h)
            assert metric.distances(np.array([site]))[other] == height
    both = metric.distances(np.array([0, 26]))
    singly = [metric.distances(np.array([s])) for s in (0, 26)]
    np.testing.assert_array_equal(both, np.minimum(*singly))
    assert np.isinf(metric.distances(np.array([], dtype=int))).all()


def test_tripartition_and_blocks():
    lattice = Hierarchy(3, eigenvalue=0.5).lattice
    parts = lattice.tripartition(centre=4, radius=1, size=2)
    assert (parts.A.tolist(), parts.B.tolist()) == ([4, 5], [])
    parts = lattice.tripartition(centre=4, radius=2, size=2)
    assert (parts.B.tolist(), parts.C.tolist()) == ([6, 7], [0, 1, 2, 3])
    assert len(lattice.edges) == 0
    for centre, size, message in (
        (3, 2, "divisible by size=2"),
        (0, 3, "leaves of a subtree"),
        (8, 1, "a leaf from 0 to 7"),
        ((1,), 1, "a leaf from 0 to 7"),
    ):
        with pytest.raises(ValueError, match=message):
            lattice.tripartition(centre=centre, radius=1, size=size)


# Parameters.


def test_second_eigenvalue():
    """Of a Potts channel given as a matrix its own; of two symbols the trace minus one."""
    for rate in (0.7, -0.3):
        given = Hierarchy(2, 2, 4, channel=potts(4, rate))
        assert given.second_eigenvalue == pytest.approx(rate)
        assert given.signal == pytest.approx(2 * rate**2)
    two = Hierarchy(1, channel=[[0.9, 0.1], [0.4, 0.6]])
    assert two.second_eigenvalue == pytest.approx(0.5)
    np.testing.assert_allclose(two.label_weights, [0.8, 0.2])


def test_works_in_other_processes():
    prior = pickle.loads(pickle.dumps(Hierarchy(3, 2, 3, eigenvalue=0.4)))
    assert prior.sample(2, rng=0).shape == (2, 8)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0,), {"eigenvalue": 0.5}, "depth=0: a whole number >= 1"),
        ((2.5,), {"eigenvalue": 0.5}, "depth=2.5"),
        ((2, 1), {"eigenvalue": 0.5}, "branching=1: a whole number >= 2"),
        ((2, 2, 1), {"eigenvalue": 0.5}, "q=1: a whole number >= 2"),
        ((40,), {"eigenvalue": 0.5}, "the limits are 16777216"),
        ((1, 2, 200), {"eigenvalue": 0.5}, "q = 127"),
        ((2,), {}, "neither is given"),
        ((2,), {"eigenvalue": 0.5, "channel": np.eye(2)}, "both are given"),
        ((2,), {"eigenvalue": 1.5}, r"from -1/\(q-1\) = -1 to 1"),
        ((2, 2, 3), {"eigenvalue": -0.6}, r"-0.5 to 1"),
        ((2,), {"eigenvalue": math.nan}, "eigenvalue=nan"),
        ((2,), {"eigenvalue": 0.5, "root": 2}, "root=2"),
        ((2, 2, 3), {"channel": np.eye(2)}, r"shape \(2, 2\)"),
        ((2,), {"channel": [[0.5, 0.6], [0.5, 0.5]]}, "rows summing"),
        ((2,), {"channel": [[math.nan, 1], [0.5, 0.5]]}, "rows summing"),
        ((2,), {"channel": np.eye(2)}, "does not lead from symbol 0 to symbol 1"),
        ((2, 2, 3), {"channel": [[0, 0.9, 0.1], [0.1, 0, 0.9], [0.9, 0.1, 0]]}, "not reversible"),
    ],
)
def test_bad_arguments_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        Hierarchy(*arguments, **options)


def test_bad_evidence_and_labels_are_refused():
    spins, symbols_ = Hierarchy(2, eigenvalue=0.5), Hierarchy(2, 2, 3, eigenvalue=0.5)
    for prior, evidence, message in (
        (spins, np.zeros((1, 5)), r"evidence has shape \(1, 5\): \(n_samples, 4\)"),
        (spins, np.full((1, 4), np.nan), "sample 0 is nan at leaf 0"),
        (symbols_, np.zeros((1, 4)), r"\(n_samples, 4, 3\)"),
        (symbols_, np.full((1, 4, 3), np.inf), "sample 0 is inf at leaf 0"),
    ):
        with pytest.raises(ValueError, match=message):
            prior.log_evidence(evidence)
    for label in (-1, 2, 0.5):
        with pytest.raises(ValueError, match=f"label={label}"):
            spins.given(label)
    with pytest.raises(ValueError, match="label=0"):
        spins.given(1).given(0)
    rigid = Hierarchy(2, eigenvalue=1.0)
    with pytest.raises(ValueError, match="sample 1 has probability zero"):
        rigid.posterior(np.array([[np.inf] * 4, [np.inf, 0, 0, -np.inf]]))


def test_gaussian_noise_takes_spins_only():
    Hierarchy(2, eigenvalue=0.5).noised(Gaussian(0.5))
    with pytest.raises(ValueError, match="Gaussian noise acts on spins"):
        Hierarchy(2, 2, 3, eigenvalue=0.5).noised(Gaussian(0.5))
