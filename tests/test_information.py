"""Informations: the cavity quadrature against direct integration, identities, labels, refusals."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm

import phasetheory as pt
from phasetheory.information import enumerate_outputs
from phasetheory.information.cavity import noisy_divergence
from phasetheory.prior import DiscreteLaws, MixtureLaws
from tests import brute
from tests.strategies import seeds

# Relative entropy of two noisy beliefs.


def spin_laws(log_odds):
    """Beliefs with log p(+1) - log p(-1) = log_odds, shape (n, 1, 2)."""
    odds = np.atleast_1d(np.asarray(log_odds, dtype=float))
    log_p = np.stack([-np.logaddexp(0.0, odds), -np.logaddexp(0.0, -odds)], axis=-1)
    return DiscreteLaws(log_p[:, None])


def mixture_laws(weights, means, variances):
    """Beliefs of one sample about one site."""
    parts = (np.asarray(part, dtype=float)[None, None] for part in (weights, means, variances))
    return MixtureLaws(*parts)


def log_mixture(y, weights, means, variances):
    with np.errstate(divide="ignore"):
        terms = np.log(weights) + norm.logpdf(y, means, np.sqrt(variances))
    return logsumexp(terms)


def divergence_by_quad(p, q):
    """KL of two mixtures, component by component of p, 13 standard deviations each side."""
    total = 0.0
    for w, m, v in zip(*p, strict=True):
        if w == 0:
            continue
        s = math.sqrt(v)

        def integrand(y, m=m, s=s):
            return norm.pdf(y, m, s) * (log_mixture(y, *p) - log_mixture(y, *q))

        edges = m + s * np.array([-13, -6, -3, -1, 0, 1, 3, 6, 13])
        total += w * sum(
            quad(integrand, a, b, epsabs=1e-13, epsrel=1e-11, limit=200)[0]
            for a, b in itertools.pairwise(edges)
        )
    return total


@pytest.mark.parametrize("sigma", [0.03, 0.1, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("odds", [(0.0, 1.0), (3.0, -2.0), (-9.0, -8.5), (40.0, 0.1), (0.1, 40.0)])
def test_spins_through_gaussian_noise(sigma, odds):
    """The trapezoid rule against adaptive quadrature, at alpha = 0.7."""
    noise = pt.Gaussian.from_scales(0.7, sigma)
    found = noisy_divergence(spin_laws(odds[0]), spin_laws(odds[1]), noise)[0]
    mixtures = [
        (np.exp(spin_laws(o).log_p[0, 0]), np.array([-0.7, 0.7]), np.full(2, sigma**2))
        for o in odds
    ]
    assert found == pytest.approx(divergence_by_quad(*mixtures), rel=1e-8, abs=1e-11)


def test_spins_through_nearly_no_gaussian_noise_keep_their_clean_divergence():
    """At sigma = 0.03 the two peaks are 23 sigma apart on either side, the overlap is e^-270."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 3, 20), rng.normal(0, 3, 20)
    clean = noisy_divergence(spin_laws(first), spin_laws(second), pt.BitFlip(0.0))
    found = noisy_divergence(spin_laws(first), spin_laws(second), pt.Gaussian(0.03))
    np.testing.assert_allclose(found, clean, rtol=1e-10)


def test_beliefs_beyond_the_range_of_doubles():
    """Certainty against doubt is -log q; doubt against certainty -log of something like e^-800."""
    sure, doubt = spin_laws([900.0, -900.0]), spin_laws([0.0, 0.0])
    for noise in (pt.BitFlip(0.0), pt.Gaussian(0.03)):
        found = noisy_divergence(sure, doubt, noise)
        np.testing.assert_allclose(found, math.log(2.0), rtol=1e-12)
    found = noisy_divergence(doubt, sure, pt.BitFlip(0.0))
    np.testing.assert_allclose(found, 450.0 - math.log(2.0), rtol=1e-14)
    erased = noisy_divergence(sure, doubt, pt.Erasure(0.25))
    np.testing.assert_allclose(erased, 0.75 * math.log(2.0), rtol=1e-14)
    same = noisy_divergence(sure, sure, pt.BitFlip(0.3))
    assert (np.abs(same) < 1e-15).all()


@settings(max_examples=40)
@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 1), st.sampled_from(["flip", "erase"]))
def test_spins_through_discrete_noise(first, second, t, kind):
    """Sum of p log(p/q) over the outputs, in plain Python."""
    channel = brute.bit_flip(t) if kind == "flip" else brute.erasure(t)
    noise = pt.BitFlip(t) if kind == "flip" else pt.Erasure(t)
    laws = []
    for odds in (first, second):
        p = {x: math.exp(-np.logaddexp(0.0, -x * odds)) for x in (-1, 1)}
        laws.append(brute.noisy({(x,): w for x, w in p.items()}, [channel]))
    found = noisy_divergence(spin_laws(first), spin_laws(second), noise)[0]
    assert found >= 0.0
    assert found == pytest.approx(brute.kl(*laws), rel=1e-9, abs=1e-14)


def test_nearly_equal_beliefs_lose_no_digits():
    """KL = delta^2 p (1-p) / 2 (1 + O(delta)) for log-odds that differ by delta."""
    for delta in (1e-3, 1e-5, 1e-7):
        odds = 0.4
        p = 1.0 / (1.0 + math.exp(-odds))
        found = noisy_divergence(spin_laws(odds), spin_laws(odds + delta), pt.BitFlip(0.0))[0]
        assert found == pytest.approx(0.5 * delta**2 * p * (1 - p), rel=delta + 1e-8)


@settings(max_examples=25)
@given(seeds, st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.05, 0.3, 0.9]))
def test_mixtures_through_gaussian_noise(seed, k, m, t):
    """Random weights, means, and variances that differ: against adaptive quadrature."""
    rng = np.random.default_rng(seed)
    noise = pt.Gaussian(t)
    alpha, sigma = 1.0 - t, t
    parts = [
        (rng.dirichlet(np.ones(size)), rng.normal(0, 1.5, size), rng.uniform(0.05, 2.0, size))
        for size in (k, m)
    ]
    found = noisy_divergence(*(mixture_laws(*part) for part in parts), noise)[0]
    through = [(w, alpha * mean, alpha**2 * v + sigma**2) for w, mean, v in parts]
    assert found == pytest.approx(divergence_by_quad(*through), rel=1e-8, abs=1e-11)


@settings(max_examples=40)
@given(
    st.floats(-3, 3), st.floats(-3, 3), st.floats(0.01, 4), st.floats(0.01, 4), st.floats(0, 0.99)
)
def test_single_gaussians_in_closed_form(m, mu, v, u, t):
    """KL = (log(u/v) + (v + (m - mu)^2)/u - 1)/2 after the noise; and as a mixture of copies."""
    noise = pt.Gaussian(t)
    a, s = 1.0 - t, t
    v_out, u_out = a * a * v + s * s, a * a * u + s * s
    expected = 0.5 * (math.log(u_out / v_out) + (v_out + (a * (m - mu)) ** 2) / u_out - 1.0)
    one, other = mixture_laws([1.0], [m], [v]), mixture_laws([1.0], [mu], [u])
    assert noisy_divergence(one, other, noise)[0] == pytest.approx(expected, rel=1e-9, abs=1e-13)
    if expected < 100:  # the quadrature, made to work by writing p as two equal halves
        halves = mixture_laws([0.5, 0.5], [m, m], [v, v])
        found = noisy_divergence(halves, other, noise)[0]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_point_masses_without_noise_have_no_density():
    points = mixture_laws([0.5, 0.5], [0.0, 1.0], [0.0, 0.0])
    with pytest.raises(ValueError, match="no density: a point mass needs noise"):
        noisy_divergence(points, points, pt.Gaussian(0.0))


# Conditional mutual information.

THREE = pt.Ising(pt.Lattice.chain(3), [0.8, -0.5], field=[0.2, -0.1, 0.3])


def test_two_equal_spins_under_gaussian_noise():
    """x_1 known, x_0 = +-1 fair and equal to it: I = ln 2 - F(alpha/sigma), F by quadrature."""
    prior = pt.CurieWeiss(2, coupling=math.inf)
    t = 0.6
    law = prior.noised(pt.Gaussian(t).on(np.array([True, False])))
    K = (1.0 - t) / t

    def lost(z):
        return norm.pdf(z) * math.log1p(math.exp(-2 * K * K - 2 * K * z))

    expected = math.log(2.0) - quad(lost, -12, 12, epsabs=1e-13)[0]
    found = pt.cmi(law, pt.Tripartition([0], [], [1]), method="cavity", n_samples=10, rng=0)
    assert found.value == pytest.approx(expected, abs=1e-11)
    assert found.stderr < 1e-13  # both values of x_1 say equally much


def test_chain_rule_of_blocks():
    """I(a1 a2;C|B) = I(a1;C|B) + I(a2;C|B a1), exactly and sample by sample."""
    prior = pt.Ising(pt.Lattice.chain(4), [0.8, -0.5, 0.6], field=0.2)
    law = prior.noised(pt.BitFlip([0.1, 0.3, 0.2, 0.4]))
    whole = pt.cmi(law, pt.Tripartition([0, 1], [2], [3]))
    first = pt.cmi(law, pt.Tripartition([0], [2], [3]))
    second = pt.cmi(law, pt.Tripartition([1], [0, 2], [3]))
    assert whole.value == pytest.approx(first.value + second.value, abs=1e-14)
    sampled = pt.cmi(law, pt.Tripartition([0, 1], [2], [3]), method="cavity", rng=1)
    assert abs(sampled.value - whole.value) < 4 * sampled.stderr


def test_several_tripartitions_share_their_samples():
    parts = [THREE.lattice.tripartition(0, r) for r in (0, 1, 2)]
    law = THREE.noised(pt.Gaussian(0.5))
    together = pt.cmi(law, parts, n_samples=200, rng=3)
    for part, found in zip(parts, together, strict=True):
        alone = pt.cmi(law, part, n_samples=200, rng=3)
        assert (alone.value, alone.stderr) == (found.value, found.stderr)
    assert together[2].value == 0.0  # C is empty
    assert pt.cmi(law, []) == []
    assert pt.cmi(THREE.noised(pt.BitFlip(0.2)), []) == []


def test_empty_c_and_independent_sites_carry_nothing():
    lattice = pt.Lattice.chain(3)
    for law in (THREE.noised(pt.BitFlip(0.2)), pt.Ising(lattice, 0.0).noised(pt.BitFlip(0.2))):
        parts = pt.Tripartition([0], [1], []) if law.prior is THREE else lattice.tripartition(0, 1)
        for method in ("exact", "cavity", "plain"):
            found = pt.cmi(law, parts, method=method, n_samples=50, rng=0)
            assert abs(found.value) < 1e-14
    alone = pt.cmi(THREE.noised(pt.Gaussian(0.3)), pt.Tripartition([0], [1], []), n_samples=50)
    assert alone.exact and alone.value == 0.0


def test_pure_noise_carries_nothing():
    for noise in (pt.BitFlip(1.0), pt.Erasure(1.0), pt.Gaussian(1.0)):
        found = pt.cmi(
            THREE.noised(noise), pt.Tripartition([0], [], [1, 2]), method="cavity", n_samples=20
        )
        assert abs(found.value) < 1e-14


def test_mutual_information_is_the_cmi_without_a_buffer():
    law = THREE.noised(pt.BitFlip(0.3))
    found = pt.mutual_information(law, [0], np.array([False, False, True]))
    noisy = brute.noisy(
        brute.ising(3, [(0, 1), (1, 2)], [0.8, -0.5], fields=[0.2, -0.1, 0.3]),
        [brute.bit_flip(0.3)] * 3,
    )
    assert found.value == pytest.approx(brute.mutual_information(noisy, [0], [2]), abs=1e-14)


def test_enumeration_of_outputs():
    law = THREE.noised(pt.Erasure([0.2, 0.0, 1.0]))
    y, p = enumerate_outputs(law, [0, 1])
    assert len(y) == 3 * 2  # site 1 is never erased
    assert p.sum() == pytest.approx(1.0, abs=1e-14)
    assert enumerate_outputs(THREE.noised(pt.Gaussian(0.3))) is None
    big = pt.CurieWeiss(5000, coupling=0.5).noised(pt.BitFlip(0.2))
    assert enumerate_outputs(big) is None
    assert enumerate_outputs(big, [])[1].tolist() == [1.0]


def test_locality_gap_of_large_systems_is_sampled():
    """More sites than a float has exponents."""
    law = pt.CurieWeiss(2000, coupling=0.5).noised(pt.BitFlip(0.2))
    parts = pt.Tripartition(A=[0], B=[1], C=np.arange(2, 2000))
    found = pt.locality_gap(law, parts, n_samples=20, rng=0)
    assert not found.exact and found.value > 0


@pytest.mark.parametrize("t", [0.2, 0.5, [0.5, 0.3, 0.7, 0.4]])
def test_gaussian_locality_gap_is_exact(t):
    """Delta^2 = alpha^2/sigma^4 (var(x|y_AB) - var(x|y_ABC)), from the inverse covariances."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    S = root @ root.T
    law = pt.GaussianField(pt.Lattice.chain(4), covariance=S).noised(pt.Gaussian(t))
    alpha = 1.0 - np.broadcast_to(t, 4)
    sigma = np.broadcast_to(t, 4)
    parts = pt.Tripartition(A=[1, 2], B=[0], C=[3])
    noisy = alpha[:, None] * S * alpha + np.diag(sigma**2)

    def score_variance(sites):
        """E s_i^2 = (Cov^-1)_ii on the region."""
        return dict(zip(sites, np.linalg.inv(noisy[np.ix_(sites, sites)]).diagonal(), strict=True))

    full, local = score_variance([0, 1, 2, 3]), score_variance([0, 1, 2])
    expected = sum(full[a] - local[a] for a in (1, 2))
    found = pt.locality_gap(law, parts)
    assert found.exact and found.unit == "1/y^2"
    assert found.value == pytest.approx(expected, rel=1e-10)


def test_score_definition_of_the_gap_for_spins():
    """The sampled gap is the mean square of the difference of two scores."""
    law = THREE.noised(pt.Gaussian(0.5))
    parts = pt.Tripartition(A=[1], B=[0], C=[2])
    found = pt.locality_gap(law, parts, n_samples=300, rng=9)
    _, y = law.sample(300, rng=9)
    squares = (law.score(y) - law.score(y, [0, 1]))[:, 1] ** 2
    assert found.value == pytest.approx(squares.mean(), rel=1e-12)


# Labels.


def test_label_information_against_enumeration():
    """Branches of Curie-Weiss under bit flips: I(S;R) = H(R) - sum_s w_s H(R|s) by brute force."""
    n, J, t = 4, 1.3, 0.3
    law = pt.CurieWeiss(n, J).noised(pt.BitFlip(t))
    region = [0, 2, 3]
    full = brute.noisy(brute.curie_weiss(n, J), [brute.bit_flip(t)] * n)
    slope = math.sqrt(J / n)
    given_up = brute.normalised(
        {x: p * norm.cdf(sum(x) * slope) for x, p in brute.curie_weiss(n, J).items()}
    )
    up = brute.noisy(given_up, [brute.bit_flip(t)] * n)
    expected = brute.entropy(full, region) - brute.entropy(up, region)  # both branches alike
    assert pt.label_information(law, region).value == pytest.approx(expected, abs=1e-12)
    y = np.array([(1, 1, -1, 1), (-1, -1, -1, 1)])
    posterior = pt.label_posterior(law, y, region)
    for k, row in enumerate(y):
        key = brute.restrict(tuple(row), region)
        p_up = 0.5 * brute.marginal(up, region)[key] / brute.marginal(full, region)[key]
        np.testing.assert_allclose(posterior[k], [1 - p_up, p_up], atol=1e-12)
    parts = pt.Tripartition([0], [2], [3])
    inside = pt.cmi_given_label(law, parts)
    assert inside.exact
    assert inside.value == pytest.approx(brute.cmi(up, [0], [2], [3]), abs=1e-12)


def test_labels_of_weight_zero_do_not_count():
    law = pt.CurieWeiss(4, 1.3, 1).noised(pt.BitFlip(0.3))
    assert abs(pt.label_information(law).value) < 1e-13
    assert pt.label_posterior(law, np.ones((2, 4))).tolist() == [[1.0], [1.0]]


# Refusals.


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda law, p: pt.cmi(law, p, method="best"), "method='best': one of auto, exact"),
        (lambda law, p: pt.cmi(law, p, n_samples=1), "n_samples=1: at least 2"),
        (lambda law, p: pt.cmi(law, p, method="exact"), "method='exact': Ising has no closed-form"),
        (lambda law, p: pt.cmi(law, pt.Tripartition([0], [5], [])), "region holds site 5"),
        (lambda law, p: pt.locality_gap(law, pt.Tripartition([3], [], [])), "region holds site 3"),
        (lambda law, p: pt.mutual_information(law, [0], [0, 1]), r"A and C overlap on sites \[0\]"),
        (lambda law, p: pt.mutual_information(law, [], [0, 1]), "A is empty"),
        (lambda law, p: pt.label_information(law), "Ising has no labels"),
        (lambda law, p: pt.label_posterior(law, [[1, 1, 1]]), "Ising has no labels"),
        (lambda law, p: pt.cmi_given_label(law, p), "Ising has no labels"),
        (
            lambda law, p: pt.locality_gap(law.prior.noised(pt.Gaussian(0.0)), p),
            "locality_gap under Gaussian noise needs sigma > 0 on A",
        ),
    ],
)
def test_refusals(work, message):
    with pytest.raises(ValueError, match=message):
        work(THREE.noised(pt.Gaussian(0.5)), pt.Tripartition([0], [1], [2]))
