"""Curie-Weiss spins against enumeration, magnetisation sectors and closed forms."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln, log_ndtr, logsumexp
from scipy.stats import norm

from phasetheory.engines.exchangeable import curie_weiss_nodes, node_count
from phasetheory.models.curie_weiss import CurieWeiss
from phasetheory.noise import BitFlip, Erasure, Gaussian
from tests import brute

LN2 = math.log(2.0)
COUPLINGS = [0.0, 1e-8, 0.3, 1.0, 2.5, 12.0, math.inf]
SPINS = (-1, 1)

couplings = st.one_of(st.floats(0, 3), st.floats(3, 40), st.just(math.inf))


def channels(noise, n):
    make = brute.bit_flip if isinstance(noise, BitFlip) else brute.erasure
    return [make(float(t)) for t in np.broadcast_to(noise.t, n)]


def branch_law(n, coupling, branch):
    """p(x|S) by Bayes: P(S|x) = Phi(S M sqrt(J/n)), the weight of the half-line of fields."""
    law = brute.curie_weiss(n, coupling)
    if coupling == math.inf:
        return {(branch,) * n: 1.0}
    slope = math.sqrt(coupling / n)
    return {x: 2.0 * p * norm.cdf(branch * sum(x) * slope) for x, p in law.items()}


def law_of(model):
    if model.branch:
        return branch_law(model.n_sites, model.coupling, model.branch)
    return brute.curie_weiss(model.n_sites, model.coupling)


models = st.builds(CurieWeiss, st.integers(1, 7), couplings, st.sampled_from([0, 1, -1]))
fields = st.one_of(st.floats(-6, 6), st.sampled_from([0.0, math.inf, -math.inf]))


def spin_likelihood(h):
    def log_likelihood(i, x):
        if math.isinf(h[i]):
            return 0.0 if h[i] * x > 0 else -math.inf
        return h[i] * x

    return log_likelihood


# Probabilities.


@given(models)
def test_every_state_has_its_probability(model):
    """Exact to rounding for all 2^n states, however rare."""
    law = law_of(model)
    states = list(itertools.product(SPINS, repeat=model.n_sites))
    log_p = model.log_evidence(np.inf * np.array(states))
    for x, value in zip(states, log_p, strict=True):
        if law.get(x, 0.0) > 1e-250:
            assert value == pytest.approx(math.log(law[x]), rel=1e-12, abs=1e-12)
        else:
            assert value < -570


@given(models, st.data())
def test_evidence_and_posterior_against_enumeration(model, data):
    n, law = model.n_sites, law_of(model)
    h = data.draw(st.lists(fields, min_size=n, max_size=n))
    expected = brute.log_evidence(law, spin_likelihood(h))
    value = model.log_evidence(np.array([h]))
    if expected == -math.inf:
        assert value[0] == -math.inf
        with pytest.raises(ValueError, match="evidence of sample 0 has probability zero"):
            model.posterior(np.array([h]))
        return
    assert value[0] == pytest.approx(expected, rel=1e-11, abs=1e-11)
    posterior = model.posterior(np.array([h]))
    assert posterior.log_p.shape == (1, n, 2)
    for marginals, log_p in zip(
        brute.evidence_marginals(law, spin_likelihood(h)), posterior.log_p[0], strict=True
    ):
        for index, spin in enumerate(SPINS):
            p = marginals.get(spin, 0.0)
            assert np.exp(log_p[index]) == pytest.approx(p, rel=1e-10, abs=1e-300)


@pytest.mark.parametrize("coupling", [0.4, 1.0, 1.7, math.inf])
@pytest.mark.parametrize("branch", [0, 1])
def test_many_spins_against_sectors(coupling, branch):
    """Counted, dense and blocked sums over sites agree with the sum over magnetisations."""
    n = 300
    model = CurieWeiss(n, coupling, branch)
    rng = np.random.default_rng(5)
    few = rng.choice([-0.4, 0.0, 0.4, 1.1], size=(3, n))
    for h in (few, few + 1e-6 * rng.standard_normal(few.shape)):
        np.testing.assert_allclose(
            model.log_evidence(h), [sector_evidence(model, row) for row in h], rtol=1e-11
        )
        means = model.posterior(h, np.array([0, 7])).mean()
        step = 1e-4
        for column, site in enumerate((0, 7)):
            shift = step * (np.arange(n) == site)
            slope = model.log_evidence(h + shift) - model.log_evidence(h - shift)
            np.testing.assert_allclose(means[:, column], slope / (2 * step), atol=1e-6)


def sector_evidence(model, h):
    """Log sum_x p(x) e^(h.x) from the generating polynomial of the number of up spins."""
    n = model.n_sites
    log_poly = np.array([0.0])
    for field in h:
        up, down = field + np.append(-np.inf, log_poly), -field + np.append(log_poly, -np.inf)
        log_poly = np.logaddexp(up, down)
    M = 2.0 * np.arange(n + 1) - n
    log_binomial = (
        gammaln(n + 1) - gammaln(np.arange(n + 1) + 1) - gammaln(n - np.arange(n + 1) + 1)
    )
    if model.coupling == math.inf:
        ends = [n] if model.branch > 0 else [0] if model.branch < 0 else [0, n]
        return logsumexp(log_poly[ends]) - math.log(len(ends))
    weight = model.coupling * M**2 / (2 * n)
    if model.branch:
        weight = weight + log_ndtr(model.branch * M * math.sqrt(model.coupling / n))
    return logsumexp(log_poly + weight) - logsumexp(log_binomial + weight)


def test_marginals_far_from_the_bulk_keep_their_relative_accuracy():
    """Evidence of +-30 on one spin against a magnetised background, n = 400 (800 nodes)."""
    n, J = 400, 3.0
    model = CurieWeiss(n, J)
    h = np.zeros((1, n))
    h[0, 0], h[0, 1:50] = -30.0, 0.5
    log_p = model.posterior(h, np.array([0])).log_p[0, 0]
    up, down = h.copy(), h.copy()
    up[0, 0], down[0, 0] = np.inf, -np.inf
    joint = np.array([sector_known(model, row, spin) for row, spin in ((h[0], -1), (h[0], 1))])
    np.testing.assert_allclose(log_p[1], joint[1] - logsumexp(joint), rtol=1e-9)
    np.testing.assert_allclose(log_p[0], -np.exp(log_p[1]), rtol=1e-9)
    np.testing.assert_allclose(
        log_p[1] - log_p[0], model.log_evidence(up) - model.log_evidence(down) - 60.0, rtol=1e-9
    )


def test_marginals_too_rare_for_a_double():
    """Fields of 1000: log p(-1) = -2000 + (log-odds of the clean spin), for independent spins."""
    for coupling in (0.0, 1e-12):
        log_p = CurieWeiss(2, coupling).posterior(np.array([[1000.0, -0.5]])).log_p[0]
        np.testing.assert_allclose(log_p[0], [-2000.0, 0.0], atol=1e-9)
        np.testing.assert_allclose(log_p[1], [-np.log1p(np.exp(-1.0)), -np.log1p(np.e)], rtol=1e-9)


def sector_known(model, h, spin):
    """Log sum over x with x_0 = spin: conditioning shifts M of the other spins."""
    n = model.n_sites
    log_poly = np.array([0.0])
    for field in h[1:]:
        up, down = field + np.append(-np.inf, log_poly), -field + np.append(log_poly, -np.inf)
        log_poly = np.logaddexp(up, down)
    M = 2.0 * np.arange(n) - (n - 1) + spin
    return logsumexp(log_poly + model.coupling * M**2 / (2 * n)) + spin * h[0]


def test_field_grid_is_exact_for_every_configuration():
    """Log p(x) of the all-up, the neutral and a mixed state against the exact sector weights."""
    for n, J in ((1000, 0.5), (1000, 1.0), (4000, 1.3)):
        k = np.arange(n + 1)
        log_c = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        log_z = logsumexp(log_c + J * (2 * k - n) ** 2 / (2 * n))
        known = np.where(np.arange(n) < np.array([[n], [n // 2], [n // 3]]), np.inf, -np.inf)
        M = np.sign(known).sum(axis=1)
        expected = J * M**2 / (2 * n) - log_z
        np.testing.assert_allclose(CurieWeiss(n, J).log_evidence(known), expected, rtol=1e-13)


def test_node_counts_are_as_announced():
    for n, J, branch in itertools.product((1, 50, 3000), COUPLINGS, (0, 1)):
        assert curie_weiss_nodes(n, J, branch).phi.size == node_count(n, J, branch)


# Noisy laws.


@settings(max_examples=25)
@given(
    st.integers(1, 4),
    couplings,
    st.sampled_from([BitFlip, Erasure]),
    st.data(),
)
def test_noisy_law_against_enumeration(n, coupling, kind, data):
    """Likelihoods, denoiser and score of per-site noise on a region."""
    t = data.draw(st.lists(st.floats(0.05, 0.95), min_size=n, max_size=n))
    region = data.draw(st.lists(st.integers(0, n - 1), min_size=1, unique=True))
    noise = kind(np.array(t))
    law, model = brute.curie_weiss(n, coupling), CurieWeiss(n, coupling)
    noisy, steps = model.noised(noise), channels(noise, n)
    states = [x for x, p in brute.noisy(law, steps).items() if p > 0.0]
    y = np.array(states)
    score_of = brute.flip_scores if kind is BitFlip else brute.erasure_scores
    log_p, mean, score = (f(y, region) for f in (noisy.log_prob, noisy.denoise, noisy.score))
    for row, state in enumerate(states):
        arguments = (law, steps, state)
        expected = brute.log_prob(*arguments, region=region)
        assert log_p[row] == pytest.approx(expected, rel=1e-11, abs=1e-11)
        posterior_mean = brute.posterior_mean(*arguments, region=region)
        np.testing.assert_allclose(mean[row], posterior_mean, atol=1e-11)
        np.testing.assert_allclose(
            score[row], score_of(*arguments, region=region), rtol=1e-7, atol=1e-9
        )


@settings(max_examples=25)
@given(st.integers(1, 5), couplings, st.floats(0.1, 0.9))
def test_gaussian_score_is_the_gradient(n, coupling, t):
    """Central differences of log p, step 1e-5: error of order 1e-10 / sigma^3 plus rounding."""
    law = CurieWeiss(n, coupling).noised(Gaussian(t))
    _, y = law.sample(2, rng=1)
    score = law.score(y)
    for i in range(n):
        e = 1e-5 * (np.arange(n) == i)
        slope = (law.log_prob(y + e) - law.log_prob(y - e)) / 2e-5
        np.testing.assert_allclose(score[:, i], slope, rtol=1e-5, atol=1e-5)


# Labels.


@settings(max_examples=25)
@given(st.integers(1, 6), couplings)
def test_branches_add_up_to_the_whole(n, coupling):
    model = CurieWeiss(n, coupling)
    np.testing.assert_array_equal(model.label_weights, [0.5, 0.5])
    states = np.array(list(itertools.product(SPINS, repeat=n)))
    down, up = (model.given(label).log_evidence(np.inf * states) for label in (0, 1))
    whole = model.log_evidence(np.inf * states)
    np.testing.assert_allclose(np.logaddexp(down, up) - LN2, whole, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(down, up[::-1], rtol=1e-12, atol=1e-12)


def test_labels_of_a_branch():
    branch = CurieWeiss(4, 2.0).given(1)
    assert branch.branch == 1
    assert branch.label_weights.tolist() == [0.0, 1.0]
    assert branch.given(1).branch == 1
    with pytest.raises(ValueError, match=r"label=0: .*positive weight"):
        branch.given(0)
    with pytest.raises(ValueError, match="label=2"):
        CurieWeiss(4, 2.0).given(2)


# Sampling.


@pytest.mark.parametrize(("coupling", "branch"), [(0.0, 0), (0.7, 0), (1.5, 1), (math.inf, 0)])
def test_samples_follow_the_law(coupling, branch):
    """Every state's frequency within 5 binomial standard errors (asymmetric in the branch)."""
    n, draws = 4, 40_000
    model = CurieWeiss(n, coupling, branch)
    x = model.sample(draws, rng=20)
    assert x.dtype == np.int8
    counts = np.bincount((x > 0) @ (2 ** np.arange(n)[::-1]), minlength=2**n)
    p = np.array(brute.table(law_of(model), n, SPINS))
    error = np.sqrt(p * (1 - p) / draws)
    assert (np.abs(counts / draws - p) <= 5 * error + 1e-12).all()


def test_same_seed_same_samples():
    model = CurieWeiss(50, 1.0)
    np.testing.assert_array_equal(model.sample(9, rng=4), model.sample(9, rng=4))


def test_large_system_stays_finite():
    n = 100_000
    for coupling in (1.0, math.inf):
        law = CurieWeiss(n, coupling).noised(BitFlip(0.5))
        _, y = law.sample(1, rng=0)
        assert np.isfinite(law.log_prob(y)).all()
        mean = law.denoise(y)
        assert mean.shape == (1, n)
        # Spins are exchangeable: at most two distinct values, one for each observation.
        assert np.unique(mean).size <= 2


# Bad input.


@pytest.mark.parametrize("coupling", [-0.1, math.nan, -math.inf])
def test_bad_coupling(coupling):
    with pytest.raises(ValueError, match=r"coupling=.*antiferromagnetic"):
        CurieWeiss(4, coupling)


def test_bad_sizes_and_branches():
    with pytest.raises(ValueError, match="n_sites=0"):
        CurieWeiss(0, 1.0)
    with pytest.raises(ValueError, match=r"n_sites=2\.5"):
        CurieWeiss(2.5, 1.0)
    with pytest.raises(ValueError, match="the limit is 1000000"):
        CurieWeiss(10**7, 1.0)
    with pytest.raises(ValueError, match=r"costs .* the limit is 1e\+10; take coupling=inf"):
        CurieWeiss(10**5, 1e6)
    with pytest.raises(ValueError, match="branch=2"):
        CurieWeiss(4, 1.0, 2)


def test_bad_evidence():
    model = CurieWeiss(3, 1.0)
    with pytest.raises(ValueError, match=r"shape \(1, 4\)"):
        model.log_evidence(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="1 NaN"):
        model.log_evidence(np.array([[0.0, np.nan, 0.0]]))
    contradiction = np.array([[0.0, 0.0, 0.0], [np.inf, -np.inf, 0.0]])
    code = CurieWeiss(3, math.inf)
    assert code.log_evidence(contradiction).tolist() == [0.0, -np.inf]
    with pytest.raises(ValueError, match="evidence of sample 1"):
        code.posterior(contradiction)
