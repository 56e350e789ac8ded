"""Gaussian fields: dense formulas, torus against dense, the ARMA(1,1) chain, fits, real images."""

import math
from functools import lru_cache

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

import phasetheory as pt
from phasetheory.engines.gaussian import nested_log_dets
from tests.strategies import random_covariance, random_spectrum, regions, seeds, tripartitions

# Dense formulas.


def scales(t, n):
    t = np.broadcast_to(np.asarray(t, dtype=float), n)
    return 1.0 - t, t


@st.composite
def fields(draw, max_sites=6):
    """A random field, and noise that is uniform or per site (t = 1 included, t = 0 too)."""
    n, rng = draw(st.integers(1, max_sites)), np.random.default_rng(draw(seeds))
    covariance = random_covariance(rng, n)
    field = pt.GaussianField(pt.Lattice.chain(n), mean=rng.normal(size=n), covariance=covariance)
    t = draw(
        st.floats(0.05, 0.95)
        | st.lists(st.sampled_from([0.0, 0.3, 0.8, 1.0]), min_size=n, max_size=n)
    )
    return field, covariance, t, rng


@settings(max_examples=40)
@given(fields(), st.data())
def test_log_prob_posterior_and_entropy_against_the_joint_law(case, data):
    """(x, y) is jointly Gaussian; condition the big matrix. Condition numbers stay below 1e4."""
    field, covariance, t, rng = case
    n = field.lattice.n_sites
    alpha, sigma = scales(t, n)
    region = data.draw(regions(n))
    y = rng.normal(size=(4, n)) * 2.0
    law = field.noised(pt.Gaussian(t))
    S = alpha[:, None] * covariance * alpha + np.diag(sigma**2)
    S_R = S[np.ix_(region, region)]
    mean = alpha * field.mean
    if region:
        expected = multivariate_normal(mean[region], S_R).logpdf(y[:, region])
        gain = (covariance * alpha)[:, region] @ np.linalg.inv(S_R)
        entropy = 0.5 * np.linalg.slogdet(2 * math.pi * math.e * S_R)[1]
    else:
        expected, gain, entropy = np.zeros(4), np.zeros((n, 0)), 0.0
    np.testing.assert_allclose(law.log_prob(y, region), expected, rtol=1e-9, atol=1e-9)
    posterior = field.mean + (y - mean)[:, region] @ gain.T
    np.testing.assert_allclose(law.denoise(y, region), posterior, atol=1e-9)
    variance = np.diag(covariance - gain @ (alpha[:, None] * covariance)[region])
    found = law.posterior(y, region).variance()
    np.testing.assert_allclose(np.broadcast_to(found, (4, n)), [variance] * 4, atol=1e-9)
    assert law.entropy(region).value == pytest.approx(entropy, abs=1e-10)


def cmi_by_determinants(S, parts):
    def log_det(names):
        sites = parts.union(names)
        return np.linalg.slogdet(S[np.ix_(sites, sites)])[1] if sites.size else 0.0

    return 0.5 * (log_det("AB") + log_det("BC") - log_det("B") - log_det("ABC"))


@settings(max_examples=40)
@given(fields(), st.data())
def test_cmi_against_slogdet(case, data):
    field, covariance, t, _ = case
    parts = data.draw(tripartitions(field.lattice.n_sites))
    alpha, sigma = scales(t, field.lattice.n_sites)
    S = alpha[:, None] * covariance * alpha + np.diag(sigma**2)
    law = field.noised(pt.Gaussian(t))
    expected = cmi_by_determinants(S, parts)
    assert pt.cmi(law, parts).value == pytest.approx(expected, abs=1e-10)
    assert pt.cmi(law, parts).value > -1e-10


def test_cavity_form_of_a_field_has_the_mean_of_its_terms():
    """The KL of two Gaussians of fixed variances: only the shift fluctuates."""
    rng = np.random.default_rng(3)
    field = pt.GaussianField(pt.Lattice.chain(5), covariance=random_covariance(rng, 5))
    law = field.noised(pt.Gaussian(0.4))
    parts = pt.Tripartition(A=[1, 2], B=[0], C=[4])
    exact = pt.cmi(law, parts).value
    for method in ("cavity", "plain"):
        found = pt.cmi(law, parts, method=method, n_samples=4000, rng=5)
        assert abs(found.value - exact) < 4 * found.stderr
    assert (
        pt.cmi(law, parts, method="cavity", n_samples=4000, rng=5).stderr
        < pt.cmi(law, parts, method="plain", n_samples=4000, rng=5).stderr
    )


def test_precision_is_the_inverse():
    rng = np.random.default_rng(0)
    K = random_covariance(rng, 5)
    lattice = pt.Lattice.chain(5)
    y = rng.normal(size=(3, 5))
    one = pt.GaussianField(lattice, precision=K).noised(pt.Gaussian(0.3))
    other = pt.GaussianField(lattice, covariance=np.linalg.inv(K)).noised(pt.Gaussian(0.3))
    np.testing.assert_allclose(one.log_prob(y), other.log_prob(y), rtol=1e-12)
    np.testing.assert_allclose(one.denoise(y, [0, 3]), other.denoise(y, [0, 3]), atol=1e-12)


def test_sparse_precision_is_markov():
    """A chain with nearest-neighbour precision: I(A;C|B_1) = 0 without noise, positive with."""
    K = 2.2 * np.eye(7) - np.eye(7, k=1) - np.eye(7, k=-1)
    field = pt.GaussianField(pt.Lattice.chain(7), precision=K)
    parts = field.lattice.tripartition(3, 1)
    assert abs(pt.cmi(field.noised(pt.Gaussian(0.0)), parts).value) < 1e-13
    assert pt.cmi(field.noised(pt.Gaussian(0.3)), parts).value > 1e-3


def test_singular_covariances():
    """A law on a line: samples stay on it; no density until there is noise."""
    field = pt.GaussianField(pt.Lattice.chain(3), covariance=np.ones((3, 3)))
    x = field.sample(50, rng=0)
    np.testing.assert_allclose(x - x[:, :1], 0.0, atol=1e-7)
    parts = pt.Tripartition([0], [], [1])
    with pytest.raises(ValueError, match=r"singular: the law has no density there; add noise"):
        pt.cmi(field.noised(pt.Gaussian(0.0)), parts)
    with pytest.raises(ValueError, match="singular covariance: no density"):
        field.noised(pt.Gaussian(0.0)).log_prob(x)
    # (alpha^2 + sigma^2)^2 - alpha^4 is the noisy determinant of two copies of one variable.
    alpha, sigma = 0.6, 0.4
    v = alpha**2 + sigma**2
    expected = 0.5 * math.log(v**2 / (v**2 - alpha**4))
    assert pt.cmi(field.noised(pt.Gaussian(0.4)), parts).value == pytest.approx(expected, abs=1e-14)


def test_a_point_mass_is_a_field_of_zero_covariance():
    field = pt.GaussianField(pt.Lattice.chain(2), mean=[1.0, -2.0], covariance=np.zeros((2, 2)))
    assert (field.sample(3, rng=0) == [1.0, -2.0]).all()
    assert pt.cmi(field.noised(pt.Gaussian(0.5)), pt.Tripartition([0], [], [1])).value == 0.0


@settings(max_examples=60)
@given(seeds, st.integers(1, 8), st.lists(st.lists(st.booleans(), min_size=8, max_size=8)))
def test_nested_log_dets_against_slogdet(seed, n, masks):
    """Any regions, nested or not, repeated or empty."""
    matrix = random_covariance(np.random.default_rng(seed), n)
    chosen = [np.array(mask[:n]) for mask in masks]
    chosen += [chosen[0] | chosen[-1]] if chosen else []
    found = nested_log_dets(matrix, chosen)
    for value, mask in zip(found, chosen, strict=True):
        expected = np.linalg.slogdet(matrix[np.ix_(mask, mask)])[1] if mask.any() else 0.0
        assert value == pytest.approx(expected, abs=1e-11)


def test_samples_have_the_right_covariance():
    """Sample covariances within five standard errors sqrt((S_ii S_jj + S_ij^2)/n)."""
    rng = np.random.default_rng(1)
    covariance = random_covariance(rng, 4)
    spectrum = random_spectrum(rng, (3, 4))
    torus = pt.GaussianField.stationary(pt.Lattice.grid((3, 4), periodic=True), spectrum, mean=0.3)
    dense = torus.noisy_covariance(pt.Gaussian(0.0), np.arange(12))
    n = 20_000
    for field, S in (
        (pt.GaussianField(pt.Lattice.chain(4), mean=2.0, covariance=covariance), covariance),
        (torus, dense),
    ):
        x = field.sample(n, rng=2)
        slack = 5 * np.sqrt((np.outer(S.diagonal(), S.diagonal()) + S**2) / n)
        assert (np.abs(np.cov(x.T) - S) < slack).all()
        assert (np.abs(x.mean(axis=0) - field.mean) < 5 * np.sqrt(S.diagonal() / n)).all()


# Torus against dense.


@pytest.mark.parametrize("shape", [(5,), (3, 4), (3, 3, 3)])
@settings(max_examples=15)
@given(data=st.data())
def test_torus_equals_dense(shape, data):
    rng = np.random.default_rng(data.draw(seeds))
    lattice = pt.Lattice.grid(shape, periodic=True)
    n, spectrum = lattice.n_sites, random_spectrum(rng, shape)
    torus = pt.GaussianField.stationary(lattice, spectrum, mean=0.7)
    # The covariance as the sum over waves, site by site.
    places = np.array(np.unravel_index(np.arange(n), shape)).T
    waves = np.exp(2j * np.pi * (places / np.array(shape)) @ places.T)
    covariance = (waves * spectrum.ravel()) @ waves.conj().T / n
    assert np.abs(covariance.imag).max() < 1e-13
    dense = pt.GaussianField(lattice, mean=0.7, covariance=covariance.real)
    t = data.draw(st.floats(0.0, 1.0) | st.just(rng.uniform(0.1, 0.9, n)))
    one, other = torus.noised(pt.Gaussian(t)), dense.noised(pt.Gaussian(t))
    region, parts = data.draw(regions(n)), data.draw(tripartitions(n))
    y = rng.normal(size=(2, n))
    small = dict(rtol=1e-10, atol=1e-10)  # condition numbers below 100, 27 sites at most
    np.testing.assert_allclose(one.log_prob(y, region), other.log_prob(y, region), **small)
    np.testing.assert_allclose(one.denoise(y, region), other.denoise(y, region), **small)
    np.testing.assert_allclose(
        one.posterior(y, region).variance(), other.posterior(y, region).variance(), **small
    )
    assert one.entropy(region).value == pytest.approx(other.entropy(region).value, abs=1e-10)
    assert pt.cmi(one, parts).value == pytest.approx(pt.cmi(other, parts).value, abs=1e-10)


def test_massless_torus_without_its_uniform_mode():
    """A zero eigenvalue: no density of the clean field, none needed once there is noise."""
    k = np.fft.fftfreq(8) * 2 * np.pi
    with np.errstate(divide="ignore"):
        spectrum = np.where(k == 0, 0.0, 1.0 / (2.0 - 2.0 * np.cos(k)))
    field = pt.GaussianField.stationary(pt.Lattice.ring(8), spectrum)
    np.testing.assert_allclose(field.sample(5, rng=0).sum(axis=1), 0.0, atol=1e-12)
    parts = field.lattice.tripartition(0, 1)
    with pytest.raises(ValueError, match="zero eigenvalues: no density without noise"):
        pt.cmi(field.noised(pt.Gaussian(0.0)), parts)
    assert pt.cmi(field.noised(pt.Gaussian(0.2)), parts).value > 0


# The chain in closed form.


@lru_cache
def arma_determinants(a, variance, alpha, sigma):
    r"""D_n, the determinant of n successive noisy sites of an AR(1) chain, as a function.

    x is stationary with covariance s^2 a^|i-j|, y = alpha x + sigma z, and w_1 = y_1,
    w_i = y_i - a y_{i-1}, a map of determinant one. The w_i are tridiagonal:

        var w_1 = c_0 = alpha^2 s^2 + sigma^2,
        var w_i = alpha^2 s^2 (1 - a^2) + sigma^2 (1 + a^2) = v (1 + b^2),
        cov(w_i, w_{i+1}) = -a sigma^2 = -v b,

    the last two being the MA(1) part of an ARMA(1,1) with innovation variance v and root |b| < 1.
    Hence D_n = v (1 + b^2) D_{n-1} - v^2 b^2 D_{n-2} with D_0 = 1, D_1 = c_0, whose solutions are
    v^n and (v b^2)^n. Sympy factorises, solves, and checks the recursion.
    """
    v, b, K, n = sympy.symbols("v b K n", positive=True)
    total, lag = sympy.symbols("total lag", positive=True)  # v (1 + b^2), v b
    roots = sympy.solve([v * (1 + b**2) - total, v * b - lag], [v, b], dict=True)
    noise, signal = sympy.Rational(sigma) ** 2, sympy.Rational(alpha) ** 2 * variance
    a = sympy.Rational(a)
    numbers = {total: signal * (1 - a**2) + noise * (1 + a**2), lag: a * noise}
    root = next(r for r in roots if float(r[b].subs(numbers)) < 1)
    formula = v**n * (K + (1 - K) * b ** (2 * n))
    recursion = formula - total * formula.subs(n, n - 1) + lag**2 * formula.subs(n, n - 2)
    assert sympy.simplify(recursion.subs({total: v * (1 + b**2), lag: v * b})) == 0
    c_0 = sympy.Symbol("c_0", positive=True)
    weight = sympy.solve(formula.subs(n, 1) - c_0, K)[0]
    digits = {symbol: root[symbol].subs(numbers).evalf(50) for symbol in (v, b)}
    digits[K] = weight.subs({c_0: signal + noise, **digits})

    def log_det(size):
        return float(sympy.log(formula.subs({n: size, **digits})))

    return log_det


CHAINS = [("9/10", 1, "3/10"), ("1/2", 2, "1/10"), ("99/100", 1, "7/10"), ("1/5", 1, "1/2")]


def ar_chain(a, variance, n):
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    covariance = variance * float(sympy.Rational(a)) ** distance
    return pt.GaussianField(pt.Lattice.chain(n), covariance=covariance)


@pytest.mark.parametrize(("a", "variance", "t"), CHAINS)
def test_one_sided_cmi_of_the_chain_is_that_of_arma(a, variance, t):
    """A = first site, B the next r, C the rest: all four regions are successive sites."""
    n = 150
    sigma = sympy.Rational(t)
    log_det = arma_determinants(a, variance, 1 - sigma, sigma)
    law = ar_chain(a, variance, n).noised(pt.Gaussian(float(sigma)))
    for r in (0, 1, 2, 5, 20, 100):
        expected = 0.5 * (log_det(r + 1) + log_det(n - 1) - log_det(r) - log_det(n))
        parts = law.lattice.tripartition(0, r)
        assert pt.cmi(law, parts).value == pytest.approx(expected, abs=1e-12), r


@pytest.mark.parametrize(("a", "variance", "t"), CHAINS)
def test_two_sided_cmi_of_the_chain_is_that_of_arma(a, variance, t):
    """A in the middle of 2R + 1 sites, r (then R) neighbours seen on either side.

    y_{r+1} given its r predecessors has the innovation variance D_{r+1}/D_r = alpha^2 P_r +
    sigma^2, P_r the variance of its clean x given one side. Given x both sides are independent,
    so precisions add, the prior counted once: 1/V_r = 2/P_r - 1/s^2, and
    I(A;C|B) = 1/2 log[(alpha^2 V_r + sigma^2)/(alpha^2 V_R + sigma^2)].
    """
    R = 75
    sigma = sympy.Rational(t)
    alpha = 1 - sigma
    log_det = arma_determinants(a, variance, alpha, sigma)

    def output_variance(r):
        P = (math.exp(log_det(r + 1) - log_det(r)) - float(sigma) ** 2) / float(alpha) ** 2
        return float(alpha) ** 2 / (2.0 / P - 1.0 / variance) + float(sigma) ** 2

    law = ar_chain(a, variance, 2 * R + 1).noised(pt.Gaussian(float(sigma)))
    for r in (0, 1, 2, 5, 20):
        expected = 0.5 * math.log(output_variance(r) / output_variance(R))
        parts = law.lattice.tripartition(R, r)
        assert pt.cmi(law, parts).value == pytest.approx(expected, abs=1e-10), r


def test_markov_length_of_the_chain_is_set_by_the_arma_root():
    """I(r) ~ b^(2r): the ratio of successive values tends to b^2, b the root of the MA part."""
    a, s = 0.9, 0.3
    law = ar_chain("9/10", 1, 120).noised(pt.Gaussian(s))
    total = (1 - s) ** 2 * (1 - a**2) + s**2 * (1 + a**2)
    lag = a * s**2
    b = (total - math.sqrt(total**2 - 4 * lag**2)) / (2 * lag)
    radii = [3, 4, 5, 6]
    values = [e.value for e in pt.cmi(law, [law.lattice.tripartition(60, r) for r in radii])]
    ratios = np.array(values[1:]) / np.array(values[:-1])
    # Corrections are of relative order b^(2r) = 4e-3 at r = 3 (b^2 = 0.26... to the third power
    # and smaller), and rounding is 1e-15 against values above 1e-6.
    np.testing.assert_allclose(ratios, b**2, rtol=3 * b**6)


# Fits.


def test_fit_moments_and_shrinkage_limits():
    rng = np.random.default_rng(0)
    images = rng.random((50, 2, 3))
    flat = images.reshape(50, 6)
    mean = flat.mean(axis=0)
    sample = (flat - mean).T @ (flat - mean) / 50
    everything = np.arange(6)
    for s, expected in [
        (0.0, sample),
        (1.0, np.trace(sample) / 6 * np.eye(6)),
        (0.3, 0.7 * sample + 0.3 * np.trace(sample) / 6 * np.eye(6)),
    ]:
        field = pt.GaussianField.fit(images, shrinkage=s)
        assert field.lattice.shape == (2, 3)
        np.testing.assert_allclose(field.mean, mean, rtol=1e-13)
        found = field.noisy_covariance(pt.Gaussian(0.0), everything)
        np.testing.assert_allclose(found, expected, atol=1e-15)
        assert field.settings["shrinkage"] == s and field.settings["n_images"] == 50


@pytest.mark.parametrize("n", [5, 40, 400])
def test_ledoit_wolf_against_a_sum_over_outer_products(n):
    """Shrinkage min(b^2, d^2)/d^2, d^2 = |S - m 1|^2/p, b^2 = sum_k |x_k x_k^T - S|^2/(n^2 p)."""
    rng = np.random.default_rng(n)
    p = 6
    images = rng.normal(size=(n, 2, 3)) * np.linspace(0.5, 2.0, 6).reshape(2, 3)
    centred = images.reshape(n, p) - images.reshape(n, p).mean(axis=0)
    S = sum(np.outer(x, x) for x in centred) / n
    m = np.trace(S) / p
    d2 = np.sum((S - m * np.eye(p)) ** 2) / p
    b2 = sum(np.sum((np.outer(x, x) - S) ** 2) for x in centred) / n**2 / p
    field = pt.GaussianField.fit(images)
    assert field.settings["shrinkage"] == pytest.approx(min(b2, d2) / d2, rel=1e-11)


def test_fit_of_a_known_law_converges():
    """Sample moments of 4000 draws: five standard errors."""
    rng = np.random.default_rng(5)
    covariance = random_covariance(rng, 4)
    field = pt.GaussianField(pt.Lattice.grid((2, 2)), mean=1.0, covariance=covariance)
    fitted = pt.GaussianField.fit(field.sample(4000, rng=6), field.lattice, shrinkage=0.0)
    found = fitted.noisy_covariance(pt.Gaussian(0.0), np.arange(4))
    diagonal = covariance.diagonal()
    slack = 5 * np.sqrt((np.outer(diagonal, diagonal) + covariance**2) / 4000)
    assert (np.abs(found - covariance) < slack).all()


def influence(images, law, parts):
    """First-order response of the CMI to the weight of each image, shape (n,).

    The CMI is 1/2 sum_R c_R log det S_R with S_R = alpha^2 Sigma_R + sigma^2, so adding image x
    with weight epsilon moves it by epsilon psi(x),
    psi(x) = 1/2 alpha^2 sum_R c_R [ (x-mu)_R^T S_R^-1 (x-mu)_R - tr(S_R^-1 Sigma_R) ].
    The estimate from n images then has variance var(psi)/n, whatever the law of the images.
    """
    flat = images.reshape(len(images), -1)
    centred = flat - flat.mean(axis=0)
    alpha = float(law.noise.alpha)
    psi = np.zeros(len(flat))
    for names, sign in (("AB", 1), ("BC", 1), ("B", -1), ("ABC", -1)):
        sites = parts.union(names)
        S = law.prior.noisy_covariance(law.noise, sites)
        weighted = np.linalg.solve(S, centred[:, sites].T)
        psi += 0.5 * sign * alpha**2 * np.einsum("ni,in->n", centred[:, sites], weighted)
    return psi - psi.mean()


def test_fashion_mnist_against_published_covariances():
    """Gaussian field of real images at t = 0.3: I(A;B_1) = 0.1093 and I(A;C|B_1) = 0.0375 nats.

    Those come from the 60,000 training images (rows and columns 1 to 27, centre (13, 13), no
    shrinkage), these from 10,000 others of the same kind. The statistical error follows from the
    influence function; the bias of order 1/n (an overfitted C) from half the images, which
    have twice as much: bias(n) - bias(6n) = 5/6 bias(n). Published digits round at 5e-5.
    """
    images = pt.load_images("fashion-mnist")[:, 1:, 1:]
    noise = pt.Gaussian(t=0.3)

    def measure(some):
        law = pt.GaussianField.fit(some, shrinkage=0.0).noised(noise)
        parts = law.lattice.tripartition(centre=(13, 13), radius=1)
        near = pt.Tripartition(A=parts.A, B=[], C=parts.B)
        return law, [(p, pt.cmi(law, p).value) for p in (near, parts)]

    n = len(images)
    law, found = measure(images)
    halves = [measure(images[half::2])[1] for half in (0, 1)]
    for k, published in enumerate((0.1093, 0.0375)):
        parts, value = found[k]
        error = influence(images, law, parts).std() / math.sqrt(n) * math.sqrt(1 + n / 60_000)
        bias = 0.5 * (halves[0][k][1] + halves[1][k][1]) - value
        assert error < 0.03 * published  # the test is worth something
        assert abs(value - 5 / 6 * bias - published) < 3 * error + 5e-5


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of covariance and precision"),
        ({"covariance": np.eye(2), "precision": np.eye(2)}, "exactly one of covariance and"),
        ({"covariance": np.eye(3)}, r"covariance has shape \(3, 3\): \(2, 2\) needed"),
        ({"covariance": [[1, np.nan], [np.nan, 1]]}, "covariance holds NaN or infinite"),
        ({"covariance": [[1, 0.5], [0.4, 1]]}, "covariance is not symmetric.*0.1"),
        ({"covariance": [[1, 2], [2, 1]]}, "covariance is indefinite: its lowest eigenvalue is -1"),
        ({"precision": [[1, 2], [2, 1]]}, "precision is indefinite: its lowest eigenvalue is -1"),
        ({"precision": np.ones((2, 2))}, "precision is indefinite"),
        ({"covariance": -np.eye(2)}, "covariance is indefinite: its lowest eigenvalue is -1"),
        ({"covariance": np.eye(2), "mean": [1, 2, 3]}, r"mean has shape \(3,\)"),
        ({"covariance": np.eye(2), "mean": np.nan}, "mean holds NaN"),
    ],
)
def test_bad_moments(arguments, message):
    with pytest.raises(ValueError, match=message):
        pt.GaussianField(pt.Lattice.chain(2), **arguments)


@pytest.mark.parametrize(
    ("lattice", "spectrum", "message"),
    [
        (pt.Lattice.chain(4), np.ones(4), r"periodic \(False,\).* torus needed"),
        (pt.Lattice.ring(4), np.ones(5), r"spectrum of shape \(5,\) on a lattice of shape \(4,\)"),
        (pt.Lattice.ring(4), [1, -0.1, 1, -0.1], "spectrum: numbers >= 0"),
        (pt.Lattice.ring(4), [1, 2, 1, 1], "the same at k and -k"),
        (pt.Lattice.ring(4), [1, np.nan, 1, np.nan], "spectrum: numbers >= 0"),
    ],
)
def test_bad_spectra(lattice, spectrum, message):
    with pytest.raises(ValueError, match=message):
        pt.GaussianField.stationary(lattice, spectrum)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((5, 6)), {}, r"images has shape \(5, 6\): \(n, height, width\)"),
        (np.zeros((1, 2, 3)), {}, r"images has shape \(1, 2, 3\): at least 2 images of 6"),
        (np.full((3, 2, 2), np.nan), {}, "images holds NaN"),
        (np.zeros((3, 2, 2)), {"shrinkage": 1.5}, "shrinkage=1.5: a number in"),
        (np.zeros((3, 2, 2)), {"shrinkage": "best"}, "shrinkage='best'"),
        (np.zeros((3, 2, 2)), {"shrinkage": np.nan}, "shrinkage=nan"),
    ],
)
def test_bad_fits(images, options, message):
    with pytest.raises(ValueError, match=message):
        pt.GaussianField.fit(images, **options)


def test_fit_needs_a_lattice_of_its_size():
    with pytest.raises(ValueError, match=r"images has shape \(3, 4\): at least 2 images of 5"):
        pt.GaussianField.fit(np.zeros((3, 4)), pt.Lattice.chain(5))


def test_a_dense_factor_beyond_the_limit_is_refused_before_any_work():
    """Per-site noise breaks translation invariance; 40,000 sites would take 13 GB."""
    lattice = pt.Lattice.grid((200, 200), periodic=True)
    field = pt.GaussianField.stationary(lattice, np.ones((200, 200)))
    noise = pt.Gaussian(np.linspace(0.1, 0.2, 40_000))
    with pytest.raises(ValueError, match=r"40000 sites need a dense factor of 1.28e\+10 bytes"):
        field.noised(noise).entropy()
    # A small region (or the complement of one) of uniform noise is no trouble.
    parts = lattice.tripartition((5, 5), 1)
    assert abs(pt.cmi(field.noised(pt.Gaussian(0.3)), parts).value) < 1e-9
