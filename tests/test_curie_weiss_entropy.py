"""Entropies of noisy Curie-Weiss spins against enumeration, sectors and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln, logsumexp
from scipy.stats import binom, hypergeom

from phasetheory.engines.exchangeable import curie_weiss_nodes
from phasetheory.engines.exchangeable_entropy import (
    _informations,
    _log_symbols,
    count_information,
)
from phasetheory.models.curie_weiss import CurieWeiss
from phasetheory.noise import BitFlip, Erasure, Gaussian
from tests import brute
from tests.test_curie_weiss import LN2, channels, law_of, models


def mask(n, sites):
    chosen = np.zeros(n, dtype=bool)
    chosen[list(sites)] = True
    return chosen


@settings(max_examples=40)
@given(models, st.sampled_from([BitFlip, Erasure]), st.floats(0, 1), st.data())
def test_entropies_against_enumeration(model, kind, t, data):
    n = model.n_sites
    sites = st.lists(st.integers(0, n - 1), unique=True)
    regions = data.draw(st.lists(sites, min_size=1, max_size=4))
    noise = kind(t)
    noisy = brute.noisy(law_of(model), channels(noise, n))
    exact = model.entropies(noise, [mask(n, region) for region in regions])
    assert exact is not None
    for region, value in zip(regions, exact, strict=True):
        assert value == pytest.approx(brute.entropy(noisy, sorted(region)), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("coupling", [0.0, math.inf])
def test_per_site_erasure_of_simple_codes(coupling):
    t = np.array([0.0, 0.3, 0.9, 0.5])
    for branch in (0, 1):
        model = CurieWeiss(4, coupling, branch)
        noisy = brute.noisy(law_of(model), channels(Erasure(t), 4))
        for region in ([0, 1, 2, 3], [1, 2], [2], []):
            (value,) = model.entropies(Erasure(t), [mask(4, region)])
            assert value == pytest.approx(brute.entropy(noisy, region), rel=1e-12, abs=1e-14)


def test_noise_uniform_within_each_region_is_enough():
    noise = BitFlip(np.array([0.1, 0.1, 0.7, 0.7, 0.7]))
    model = CurieWeiss(5, 1.2)
    noisy = brute.noisy(brute.curie_weiss(5, 1.2), channels(noise, 5))
    values = model.entropies(noise, [mask(5, [0, 1]), mask(5, [2, 3, 4])])
    np.testing.assert_allclose(
        values, [brute.entropy(noisy, [0, 1]), brute.entropy(noisy, [2, 3, 4])], rtol=1e-12
    )
    assert model.entropies(noise, [mask(5, [0, 1]), mask(5, [1, 2])]) is None
    # The sampled entropy takes over and agrees.
    sampled = model.noised(noise).entropy([1, 2], n_samples=4000, rng=3)
    assert not sampled.exact
    assert abs(sampled.value - brute.entropy(noisy, [1, 2])) < 5 * sampled.stderr


def sector_entropy(n, J, t, R):
    """H(y_R) under bit flips from exact sectors: hypergeometric draw, then binomial flips."""
    k = np.arange(n + 1)
    log_w = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + J * (2 * k - n) ** 2 / (2 * n)
    p_k = np.exp(log_w - logsumexp(log_w))
    j = np.arange(R + 1)
    clean = p_k @ hypergeom.pmf(j[None], n, k[:, None], R)
    noisy = np.zeros(R + 1)
    for ups, weight in enumerate(clean):
        stay, flip = binom.pmf(j, ups, 1 - t / 2), binom.pmf(j, R - ups, t / 2)
        noisy += weight * np.convolve(stay[: ups + 1], flip[: R - ups + 1])
    log_c = gammaln(R + 1) - gammaln(j + 1) - gammaln(R - j + 1)
    kept = noisy > 0
    return -(noisy[kept] * (np.log(noisy[kept]) - log_c[kept])).sum()


@pytest.mark.parametrize("coupling", [0.5, 1.0, 1.4, 3.0])
@pytest.mark.parametrize("t", [0.0, 0.35, 0.98])
def test_entropies_of_many_spins_against_sectors(coupling, t):
    n = 240
    model = CurieWeiss(n, coupling)
    sizes = [1, 60, 239, 240]
    values = model.entropies(BitFlip(t), [mask(n, range(R)) for R in sizes])
    np.testing.assert_allclose(
        values, [sector_entropy(n, coupling, t, R) for R in sizes], rtol=1e-10
    )


@pytest.mark.parametrize("coupling", [0.6, 1.0, 1.05, 1.6])
def test_cmi_has_no_cancellation_error(coupling):
    """I(A;C|B) from four entropies of 10^4 nats against H(A|B) - H(A|BC), free of large numbers.

    H(A|R) = E_k h_2(P(y_A = +1 | k up among R)), with a finer field grid and scipy's binomials.
    The four rounded entropies allow 4 ulp(7000) = 4e-12.
    """
    n, t, n_b = 10_000, 0.3, 3000
    s = math.sqrt(coupling / n)
    z = np.arange(-math.sqrt(coupling * n) - 10, math.sqrt(coupling * n) + 10, 0.31)
    log_w = -0.5 * z**2 + n * (np.logaddexp(s * z, -s * z) - LN2)
    log_w -= logsumexp(log_w)
    z, w = z[log_w > -46], np.exp(log_w[log_w > -46])
    p = 0.5 + 0.5 * (1 - t) * np.tanh(s * z)

    def conditional(R):
        k = np.arange(R + 1)
        total, up = np.zeros(R + 1), np.zeros(R + 1)
        for p_z, w_z in zip(p, w, strict=True):
            law = w_z * binom.pmf(k, R, p_z)
            total += law
            up += law * p_z
        seen = total > 1e-30
        q = up[seen] / total[seen]
        return -(total[seen] * (q * np.log(q) + (1 - q) * np.log1p(-q))).sum()

    A, B = mask(n, [0]), mask(n, range(1, 1 + n_b))
    C = ~(A | B)
    H = CurieWeiss(n, coupling).entropies(BitFlip(t), [A | B, B | C, B, A | B | C])
    cmi = (H[0] - H[2]) - (H[3] - H[1])
    assert cmi == pytest.approx(conditional(n_b) - conditional(n - 1), abs=2e-11)


@pytest.mark.parametrize("coupling", [0.7, 1.0, 1.1, 2.0])
def test_erasure_interpolation_against_the_full_sum(coupling):
    """Interpolated I(phi; j) on 512..1800 against every j, odd and even."""
    n, t = 1800, 0.4
    nodes = curie_weiss_nodes(n, coupling)
    log_p, log_q = _log_symbols(nodes, 0.0)
    w, p = np.exp(nodes.log_weight), np.exp(log_p)
    clean = -(w * (p * log_p + np.exp(log_q) * log_q)).sum()
    j = np.arange(n + 1)
    weight = binom.pmf(j, n, 1 - t)
    kept = np.flatnonzero(weight > 1e-18)
    information = [count_information(nodes.log_weight, log_p, log_q, int(i)) for i in kept]
    h_t = -t * math.log(t) - (1 - t) * math.log1p(-t)
    expected = n * (h_t + (1 - t) * clean) + weight[kept] @ np.array(information)
    (value,) = CurieWeiss(n, coupling).entropies(Erasure(t), [mask(n, range(n))])
    assert value == pytest.approx(expected, rel=2e-13)


@pytest.mark.parametrize("coupling", [0.3, 1.0, 1.02, 1.2, 2.5])
def test_interpolated_information_at_odd_and_even_sizes(coupling):
    """Whole panels [512, 724), [724, 1024), ... against the direct sum."""
    nodes = curie_weiss_nodes(5000, coupling)
    arguments = (nodes.log_weight, *_log_symbols(nodes, 0.0))
    sizes = np.arange(500, 2000)
    interpolated = _informations(*arguments, sizes)
    some = np.r_[500, 512:540:3, 540:2000:97]
    direct = [count_information(*arguments, int(j)) for j in some]
    np.testing.assert_allclose(interpolated[some - 500], direct, rtol=0, atol=1e-13)


# The repetition code and independent spins under Gaussian noise.


def test_repetition_code_under_erasure():
    """I(A;C|B) = (1-t) ln 2 t^|B| (1 - t^|C|): A seen, B all erased, C not."""
    n, t = 9, 0.6
    A, B = mask(n, [4]), mask(n, [3, 5])
    C = ~(A | B)
    H = CurieWeiss(n, math.inf).entropies(Erasure(t), [A | B, B | C, B, A | B | C])
    expected = (1 - t) * LN2 * t**2 * (1 - t**6)
    assert H[0] + H[1] - H[2] - H[3] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("coupling", [0.0, math.inf])
@pytest.mark.parametrize("branch", [0, -1])
def test_gaussian_entropies_against_sampling(coupling, branch):
    """Per-site sigma; the closed form lies within 5 standard errors of -E log p."""
    noise = Gaussian.from_scales(np.array([1.0, 0.5, 0.8]), np.array([0.7, 0.9, 2.0]))
    law = CurieWeiss(3, coupling, branch).noised(noise)
    _, y = law.sample(20_000, rng=11)
    for region in ([0, 1, 2], [1], [0, 2]):
        exact = law.entropy(region)
        assert exact.exact
        terms = -law.log_prob(y, region)
        assert abs(terms.mean() - exact.value) < 5 * terms.std() / math.sqrt(len(terms))


def test_gaussian_noise_of_zero_strength_is_the_clean_law():
    model = CurieWeiss(5, 0.8)
    clean = brute.curie_weiss(5, 0.8)
    (value,) = model.entropies(Gaussian(0.0), [mask(5, [0, 3])])
    assert value == pytest.approx(brute.entropy(clean, [0, 3]), rel=1e-12)
    assert model.noised(Gaussian(0.0)).entropy([0, 3]).quantity == "discrete entropy"
    assert model.entropies(Gaussian(0.5), [mask(5, [0])]) is None
    mixed = Gaussian.from_scales(np.ones(5), np.array([0.0, 1, 1, 1, 1]))
    assert CurieWeiss(5, math.inf).entropies(mixed, [mask(5, [0, 1])]) is None
