"""Gaussian mixtures against their densities written out, published integrals and sampling."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from scipy.stats import norm

from phasetheory.engines.binary_input import binary_entropy_loss
from phasetheory.lattice import Lattice
from phasetheory.models.gaussian_mixture import GaussianMixture
from phasetheory.noise import BitFlip, Gaussian, GaussianEvidence

seeds = st.integers(0, 2**32 - 1)


def random_mixture(rng, k, n_sites, *, points=False, shared=False):
    variance = np.zeros(k) if points else rng.uniform(0.1, 2.0, 1 if shared else k)
    return GaussianMixture(
        Lattice.chain(n_sites),
        rng.normal(0.4, 1.5, (k, n_sites)),
        np.broadcast_to(variance, k),
        weights=rng.dirichlet(np.ones(k)),
    )


def random_evidence(rng, n, n_sites, *, per_sample):
    """Noisy, known and unobserved sites; the values of unobserved ones are not numbers."""
    shape = (n, n_sites) if per_sample else (n_sites,)
    variance = rng.choice([0.0, 0.3, 1.7, np.inf], size=shape)
    value = rng.normal(size=(n, n_sites))
    return GaussianEvidence(np.where(np.isinf(variance), np.nan, value), variance)


def dense(model, evidence):
    """Log-weights of the components, written out site by site."""
    n, n_sites = evidence.value.shape
    spread = np.broadcast_to(evidence.variance, (n, n_sites))
    out = np.tile(np.log(model.weights), (n, 1))
    for s in range(n):
        for k in range(len(model.means)):
            for i in range(n_sites):
                if np.isfinite(spread[s, i]):
                    sd = math.sqrt(model.variance[k] + spread[s, i])
                    out[s, k] += norm.logpdf(evidence.value[s, i], model.means[k, i], sd)
    return out


@given(seeds, st.integers(1, 5), st.integers(1, 4), st.booleans(), st.booleans())
def test_evidence_and_posterior_against_the_densities(seed, k, n_sites, per_sample, shared):
    rng = np.random.default_rng(seed)
    model = random_mixture(rng, k, n_sites, shared=shared)
    evidence = random_evidence(rng, 3, n_sites, per_sample=per_sample)
    joint = dense(model, evidence)
    np.testing.assert_allclose(
        model.log_evidence(evidence), logsumexp(joint, axis=1), rtol=1e-11, atol=1e-11
    )
    laws = model.posterior(evidence)
    w = softmax(joint, axis=1)[:, None, :]
    np.testing.assert_allclose(laws.weights, w, rtol=1e-9, atol=1e-13)
    s = np.broadcast_to(evidence.variance, (3, n_sites))[..., None]
    v = model.variance
    # Precision-weighted means in the form that is safe at s = 0, and the prior where unobserved.
    with np.errstate(invalid="ignore"):
        mean = (model.means.T * s + evidence.value[..., None] * v) / (s + v)
        left = v * s / (s + v)
    mean = np.where(np.isinf(s), model.means.T, mean)
    left = np.where(np.isinf(s), v, left)
    expected = (w * mean).sum(-1)
    np.testing.assert_allclose(laws.mean(), expected, rtol=1e-9, atol=1e-11)
    second = (w * (left + mean**2)).sum(-1) - expected**2
    np.testing.assert_allclose(laws.variance(), second, rtol=1e-7, atol=1e-11)
    some = np.array([n_sites - 1])
    np.testing.assert_allclose(model.posterior(evidence, some).mean(), laws.mean()[:, some])


@settings(max_examples=30)
@given(seeds, st.booleans(), st.floats(0.05, 0.95))
def test_score_is_the_gradient(seed, points, t):
    """Central differences of log p, step 1e-5, through the noisy law, on a region."""
    rng = np.random.default_rng(seed)
    model = random_mixture(rng, 3, 3, points=points)
    law = model.noised(Gaussian(t))
    _, y = law.sample(2, rng=rng)
    region = np.array([0, 2])
    score = law.score(y, region)
    assert (score[:, 1] == 0).all()
    for i in region:
        e = 1e-5 * (np.arange(3) == i)
        slope = (law.log_prob(y + e, region) - law.log_prob(y - e, region)) / 2e-5
        np.testing.assert_allclose(score[:, i], slope, rtol=1e-4, atol=1e-4)


def test_empirical_denoiser_against_log_sum_exp():
    """E[x|y] = sum_k softmax(-|y - alpha x_k|^2 / (2 sigma^2))_k x_k, squares formed directly."""
    rng = np.random.default_rng(7)
    images = rng.uniform(size=(300, 6, 5))
    law = GaussianMixture.empirical(images).noised(Gaussian(0.4))
    assert law.lattice.shape == (6, 5)
    _, y = law.sample(20, rng=rng)
    flat = images.reshape(300, -1)
    for region in (np.arange(30), np.array([3, 4, 9])):
        gap = y[:, None, region] - 0.6 * flat[:, region]
        log_w = -0.5 * (gap**2).sum(-1) / 0.4**2
        np.testing.assert_allclose(
            law.denoise(y, region), softmax(log_w, axis=1) @ flat, rtol=1e-10
        )
        log_norm = 0.5 * len(region) * math.log(2 * math.pi * 0.4**2) + math.log(300)
        np.testing.assert_allclose(
            law.log_prob(y, region), logsumexp(log_w, axis=1) - log_norm, rtol=1e-11
        )


def test_expanded_squares_are_refined_at_high_snr():
    """At sigma = 1e-5 on 784 sites of offset 50 the expansion alone loses about 1e4 nats."""
    rng = np.random.default_rng(3)
    data = 50.0 + rng.uniform(size=(40, 784))
    data[1] = data[0] + 1e-5 * rng.standard_normal(784) / 28.0
    noise = Gaussian.from_scales(1.0, 1e-5)
    law = GaussianMixture.empirical(data).noised(noise)
    y = data[[0]] + 1e-5 * rng.standard_normal((1, 784))
    log_w = -0.5 * (np.square(y - data)).sum(1) / 1e-10
    expected = (
        logsumexp(log_w) - math.log(40) - 784 * (0.5 * math.log(2 * math.pi) + math.log(1e-5))
    )
    np.testing.assert_allclose(law.log_prob(y), expected, rtol=1e-12)
    laws = law.posterior(y)
    # Dividing y by alpha = 1 and adding the centre back costs a few ulp(50) / 1e-5 of each z.
    np.testing.assert_allclose(laws.weights[0, 0], softmax(log_w), rtol=1e-6, atol=1e-300)


def test_kernel_density_keeps_class_widths():
    """Components of width v pull the denoiser towards the observation."""
    law = GaussianMixture.empirical([[0.0, 1.0]], variance=1.0).noised(Gaussian(0.5))
    # One component: E[x|y] = mu + v alpha (y - alpha mu) / (alpha^2 v + sigma^2), here slope 1.
    np.testing.assert_allclose(law.denoise([[0.5, 0.5]]), [[0.5, 1.0]], rtol=1e-14)
    np.testing.assert_allclose(law.denoise([[1.0, 0.5]]), [[1.0, 1.0]], rtol=1e-14)


# Entropies.


def test_one_component_is_a_product():
    alpha, sigma = np.array([1.0, 0.5, 0.2]), np.array([0.0, 0.5, 1.0])
    model = GaussianMixture(Lattice.chain(3), np.ones((1, 3)), 2.0)
    (value,) = model.entropies(Gaussian.from_scales(alpha, sigma), [np.array([1, 1, 0], bool)])
    tau = 2.0 * alpha[:2] ** 2 + sigma[:2] ** 2
    assert value == pytest.approx(0.5 * np.log(2 * np.pi * np.e * tau).sum(), rel=1e-14)


@settings(max_examples=30)
@given(seeds, st.floats(0.0, 0.95), st.floats(0.02, 0.98))
def test_two_components_on_one_site_against_quadrature(seed, t, weight):
    """-int p log p on a grid that resolves both Gaussians."""
    rng = np.random.default_rng(seed)
    mu, v = rng.normal(0, 3, 2), rng.uniform(0.1, 2)
    model = GaussianMixture(Lattice.chain(1), mu[:, None], v, weights=[1 - weight, weight])
    (value,) = model.entropies(Gaussian(t), [np.array([True])])
    sd = math.sqrt((1 - t) ** 2 * v + t**2)
    centres = (1 - t) * mu
    y = np.linspace(centres.min() - 12 * sd, centres.max() + 12 * sd, 20_001)
    log_p = np.logaddexp(
        math.log(1 - weight) + norm.logpdf(y, centres[0], sd),
        math.log(weight) + norm.logpdf(y, centres[1], sd),
    )
    assert value == pytest.approx(
        -(np.exp(log_p) * log_p).sum() * (y[1] - y[0]), rel=1e-10, abs=1e-10
    )


@pytest.mark.parametrize("weight", [0.5, 0.1])
def test_two_components_against_sampling(weight):
    """Per-site noise, three sites: the closed form within 5 standard errors of -E log p."""
    model = GaussianMixture(
        Lattice.chain(3), [[0.0, 1.0, -1.0], [0.8, 0.0, 1.0]], 0.3, weights=[1 - weight, weight]
    )
    law = model.noised(Gaussian.from_scales(np.array([1.0, 0.4, 0.7]), np.array([0.2, 0.9, 0.5])))
    _, y = law.sample(20_000, rng=8)
    for region in ([0, 1, 2], [1], [0, 2]):
        exact = law.entropy(region)
        assert exact.exact
        assert exact.quantity == "differential entropy"
        terms = -law.log_prob(y, region)
        assert abs(terms.mean() - exact.value) < 5 * terms.std() / math.sqrt(len(terms))


@pytest.mark.parametrize("t", [0.3, 0.8, 0.97])
def test_cmi_of_the_symmetric_mixture(t):
    """I(A;C|B) = F(K_B) - F(K_AB) - F(K_BC) + F(K_ABC), K_R^2 = (1-t)^2 |R| / ((1-t)^2 v + t^2)."""
    n, v = 400, 0.5
    model = GaussianMixture.symmetric(Lattice.bare(n), 1.0, v)
    cut = np.arange(n)
    A, B, C = cut < 2, (cut >= 2) & (cut < 60), cut >= 60
    H = model.entropies(Gaussian(t), [A | B, B | C, B, A | B | C])
    per_site = (1 - t) ** 2 / ((1 - t) ** 2 * v + t**2)
    F = binary_entropy_loss(np.sqrt(per_site * np.array([58.0, 60.0, 398.0, 400.0])))
    # Four entropies of 400 sites, each rounded at about 1e-13.
    assert (H[0] - H[2]) - (H[3] - H[1]) == pytest.approx(
        F[0] - F[1] - F[2] + F[3], rel=1e-9, abs=1e-12
    )


def test_weights_of_zero_do_not_count():
    lattice = Lattice.chain(2)
    means = np.array([[0.0, 1.0], [5.0, 5.0], [2.0, 0.0]])
    two = GaussianMixture(lattice, means[[0, 2]], 1.0, weights=[0.3, 0.7])
    three = GaussianMixture(lattice, means, [1.0, 9.0, 1.0], weights=[0.3, 0.0, 0.7])
    region = [np.array([True, True])]
    np.testing.assert_allclose(
        three.entropies(Gaussian(0.2), region), two.entropies(Gaussian(0.2), region)
    )
    y = np.array([[0.3, -0.2]])
    law = Gaussian(0.2)
    np.testing.assert_allclose(three.noised(law).log_prob(y), two.noised(law).log_prob(y))


def test_no_closed_form_is_none():
    lattice, region = Lattice.chain(1), [np.array([True])]
    three = GaussianMixture(lattice, [[0.0], [1.0], [2.0]], 1.0)
    assert three.entropies(Gaussian(0.2), region) is None
    unequal = GaussianMixture(lattice, [[0.0], [1.0]], [1.0, 2.0])
    assert unequal.entropies(Gaussian(0.2), region) is None


def test_points_without_noise_have_no_density():
    model = GaussianMixture(Lattice.chain(2), [[0.0, 1.0], [1.0, 0.0]], 0.0)
    with pytest.raises(ValueError, match="no density"):
        model.entropies(Gaussian(0.0), [np.array([True, False])])
    with pytest.raises(ValueError, match="no density"):
        model.noised(Gaussian(0.0)).log_prob([[0.0, 1.0]])
    # Noise on the region asked for is enough.
    partly = Gaussian.from_scales(np.ones(2), np.array([0.0, 1.0]))
    assert np.isfinite(model.entropies(partly, [np.array([False, True])])).all()


# Samples and labels.


def test_samples_follow_the_law():
    """Moments of an asymmetric mixture within 5 standard errors, and empirical rows exactly."""
    model = GaussianMixture(Lattice.chain(1), [[-1.0], [3.0]], [0.25, 4.0], weights=[0.8, 0.2])
    x = model.sample(50_000, rng=2)[:, 0]
    mean, second = 0.8 * -1 + 0.2 * 3, 0.8 * (1 + 0.25) + 0.2 * (9 + 4)
    for moment, values in ((mean, x), (second, x**2)):
        assert abs(values.mean() - moment) < 5 * values.std() / math.sqrt(len(x))
    data = np.arange(12.0).reshape(4, 3)
    rows = GaussianMixture.empirical(data).sample(4000, rng=1)
    index = (rows[:, 0] / 3).astype(int)
    np.testing.assert_array_equal(rows, data[index])
    assert abs(np.bincount(index) / 4000 - 0.25).max() < 5 * math.sqrt(0.25 * 0.75 / 4000)


def test_labels_group_components():
    rng = np.random.default_rng(0)
    images, classes = rng.uniform(size=(6, 2, 2)), np.array([0, 2, 2, 0, 2, 2])
    model = GaussianMixture.empirical(images, labels=classes)
    np.testing.assert_allclose(model.label_weights, [1 / 3, 0.0, 2 / 3])
    part = model.given(2)
    np.testing.assert_array_equal(part.means, images[classes == 2].reshape(4, 4))
    noise, y = Gaussian(0.5), rng.normal(size=(5, 4))
    parts = [model.given(label).noised(noise).log_prob(y) for label in (0, 2)]
    whole = np.logaddexp(parts[0] + math.log(1 / 3), parts[1] + math.log(2 / 3))
    np.testing.assert_allclose(model.noised(noise).log_prob(y), whole, rtol=1e-12)
    for label in (1, 3, -1):
        with pytest.raises(ValueError, match=f"label={label}"):
            model.given(label)


def test_every_component_is_its_own_label_by_default():
    model = GaussianMixture.symmetric(Lattice.chain(3), [1.0, 2.0, 0.0], 0.5)
    assert model.label_weights.tolist() == [0.5, 0.5]
    assert model.given(1).means.tolist() == [[1.0, 2.0, 0.0]]
    assert model.given(0).variance.tolist() == [0.5]


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"means": np.zeros((2, 4))}, r"means has shape \(2, 4\)"),
        ({"means": np.zeros(3)}, r"means has shape \(3,\)"),
        ({"means": np.full((2, 3), np.nan)}, "means holds NaN"),
        ({"variance": -0.1}, r"variance holds -0\.1"),
        ({"variance": [1.0, 1.0, 1.0]}, r"variance has shape \(3,\)"),
        ({"variance": math.inf}, "variance holds NaN or infinite"),
        ({"weights": [0.5, 0.6]}, r"sum to 1\.1"),
        ({"weights": [-0.5, 1.5]}, r"weights run from -0\.5"),
        ({"labels": [0.0, 1.0]}, "dtype float64"),
        ({"labels": [0, -1]}, "integers >= 0"),
        ({"labels": [0, 1, 2]}, r"labels has shape \(3,\)"),
    ],
)
def test_bad_parameters(arguments, message):
    defaults = {"means": np.zeros((2, 3)), "variance": 1.0}
    with pytest.raises(ValueError, match=message):
        GaussianMixture(Lattice.chain(3), **(defaults | arguments))


def test_bad_data_and_evidence():
    with pytest.raises(ValueError, match=r"samples has shape \(3,\)"):
        GaussianMixture.empirical(np.zeros(3))
    with pytest.raises(ValueError, match=r"images of shape \(2, 3\)"):
        GaussianMixture.empirical(np.zeros((4, 2, 3)), Lattice.grid((3, 2)))
    model = GaussianMixture(Lattice.chain(2), [[0.0, 1.0]], 1.0)
    with pytest.raises(ValueError, match="evidence has shapes"):
        model.log_evidence(GaussianEvidence(np.zeros((1, 2)), np.ones(3)))
    with pytest.raises(ValueError, match="negative variances"):
        model.log_evidence(GaussianEvidence(np.zeros((1, 2)), np.array([1.0, -1.0])))
    with pytest.raises(ValueError, match="NaN"):
        model.log_evidence(GaussianEvidence(np.array([[0.0, np.nan]]), np.ones(2)))
    with pytest.raises(ValueError, match="BitFlip"):
        model.noised(BitFlip(0.1))


def test_parameters_are_frozen_and_callers_arrays_are_not():
    means = np.zeros((2, 3))
    model = GaussianMixture(Lattice.chain(3), means, 1.0)
    with pytest.raises(ValueError, match="read-only"):
        model.means[0, 0] = 1.0
    means[0, 0] = 7.0
    assert model.means[0, 0] == 0.0


def test_posterior_beyond_memory_is_refused():
    model = GaussianMixture(Lattice.chain(200), np.zeros((4000, 200)), 1.0)
    evidence = GaussianEvidence(np.zeros((400, 200)), np.ones(200))
    with pytest.raises(ValueError, match="give fewer samples or sites"):
        model.posterior(evidence)
