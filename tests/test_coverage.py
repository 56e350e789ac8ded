"""Error bars: exact values lie within 1.96 standard errors of estimates in 95 % of the runs.

Each case is run with many seeds on a model whose exact value is known in another way. The number of
hits is binomial, up to the skewness of the mean (Edgeworth: of order skew^2/n, below 0.5 % here),
so the share must lie between the 1e-4 quantiles of binomial laws of 94.5 and 95.5 %. The same
criterion must fail when the error bars are halved (67 %) or doubled (99.99 %).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, norm

import phasetheory as pt

RUNS, SAMPLES = 400, 400
LOWEST = binom.ppf(1e-4, RUNS, 0.945)
HIGHEST = binom.ppf(1 - 1e-4, RUNS, 0.955)


@dataclass(frozen=True)
class Case:
    """An exact value and an estimator of it that takes a seed."""

    exact: float
    estimate: Callable[[np.random.Generator], pt.Estimate]


def information(method):
    """CMI of a ring of four spins under bit flips: exact from the table of the noisy law."""
    prior = pt.Ising(pt.Lattice.ring(4), [0.7, 0.4, -0.6, 0.5], field=[0.3, 0.0, -0.2, 0.1])
    law = prior.noised(pt.BitFlip(0.25))
    parts = pt.Tripartition(A=[0], B=[1], C=[2, 3])
    return Case(
        pt.cmi(law, parts, method="exact").value,
        lambda rng: pt.cmi(law, parts, method=method, n_samples=SAMPLES, rng=rng),
    )


def gaussian_cavity():
    """CMI of a Gaussian field: exact from determinants."""
    covariance = np.array([[1.0, 0.6, 0.3], [0.6, 1.2, 0.7], [0.3, 0.7, 0.9]])
    law = pt.GaussianField(pt.Lattice.chain(3), covariance=covariance).noised(pt.Gaussian(0.3))
    parts = pt.Tripartition(A=[0], B=[], C=[1, 2])
    return Case(
        pt.cmi(law, parts).value,
        lambda rng: pt.cmi(law, parts, method="plain", n_samples=SAMPLES, rng=rng),
    )


def entropy():
    """One fair spin under Gaussian noise: -int p log p of two peaks, by quadrature."""
    t = 0.45
    law = pt.Ising(pt.Lattice.chain(1), 0.0).noised(pt.Gaussian(t))

    def integrand(y):
        p = 0.5 * (norm.pdf(y, 1 - t, t) + norm.pdf(y, t - 1, t))
        return -p * math.log(p)

    exact = quad(integrand, -7.0, 7.0, points=[0.0, t - 1, 1 - t], epsabs=1e-12)[0]
    return Case(exact, lambda rng: law.entropy(n_samples=SAMPLES, rng=rng))


def labels():
    """Three components of one site: I(S; y) = H(y) - H(noise), by quadrature."""
    means, weights, variance, t = np.array([-1.2, 0.1, 1.5]), np.array([0.3, 0.3, 0.4]), 0.2, 0.3
    prior = pt.GaussianMixture(pt.Lattice.chain(1), means[:, None], variance, weights=weights)
    law = prior.noised(pt.Gaussian(t))
    spread = math.sqrt((1 - t) ** 2 * variance + t**2)

    def integrand(y):
        parts = norm.pdf(y, (1 - t) * means, spread)
        return float((weights * parts * np.log(parts / (weights @ parts))).sum())

    exact = quad(integrand, -6.0, 6.0, points=(1 - t) * means, epsabs=1e-12)[0]
    return Case(exact, lambda rng: pt.label_information(law, n_samples=SAMPLES, rng=rng))


def gap():
    r"""Two equal spins under Gaussian noise, K = alpha/sigma.

    E[x|y] = tanh of the evidence, and E tanh^2 = E tanh = g(K) for one look (Nishimori),
    g(sqrt(2) K) for two; the conditional means are nested, so Delta^2 is
    alpha^2/sigma^4 [g(sqrt(2) K) - g(K)], g(K) = E tanh(K^2 + K z).
    """
    t = 0.55
    K = (1 - t) / t

    def g(k):
        return quad(lambda z: norm.pdf(z) * math.tanh(k * k + k * z), -9, 9, epsabs=1e-12)[0]

    law = pt.CurieWeiss(2, coupling=math.inf).noised(pt.Gaussian(t))
    parts = pt.Tripartition(A=[0], B=[], C=[1])
    exact = (1 - t) ** 2 / t**4 * (g(math.sqrt(2) * K) - g(K))
    return Case(exact, lambda rng: pt.locality_gap(law, parts, n_samples=SAMPLES, rng=rng))


CASES = {
    "cavity": lambda: information("cavity"),
    "plain": lambda: information("plain"),
    "plain, Gaussian field": gaussian_cavity,
    "entropy": entropy,
    "label information": labels,
    "locality gap": gap,
}
every_case = pytest.mark.parametrize("name", CASES)


@lru_cache
def pulls(name: str) -> np.ndarray:
    """(estimate - exact) / stderr of every run."""
    case = CASES[name]()
    found = [case.estimate(rng) for rng in np.random.default_rng(11).spawn(RUNS)]
    assert all(e.n_samples == SAMPLES and e.trustworthy for e in found)
    return np.array([(e.value - case.exact) / e.stderr for e in found])


def covered(standardised: np.ndarray) -> bool:
    hits = int((np.abs(standardised) <= 1.96).sum())
    return LOWEST <= hits <= HIGHEST


@every_case
def test_error_bars_cover_the_exact_value(name):
    assert covered(pulls(name))


@every_case
def test_estimates_have_no_bias(name):
    """The mean pull is a standard normal over sqrt(RUNS); skewness adds skew/(2 sqrt(n)) < 0.1."""
    assert abs(pulls(name).mean()) < 4 / math.sqrt(RUNS) + 0.1


@every_case
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_wrong_error_bars_are_found_out(name, factor):
    """Negative control: error bars half or twice as long fail the criterion."""
    assert not covered(pulls(name) / factor)


def test_rare_events_are_flagged():
    """Erased repetition code: I = (1-t) t^|B| (1 - t^|C|) ln 2, carried by one sample in 130.

    The cavity term is (1-t) ln 2 where B is erased and C is not, else zero: n_effective counts
    exactly those samples.
    """
    t = 0.2
    law = pt.CurieWeiss(6, coupling=math.inf).noised(pt.Erasure(t))
    parts = pt.Tripartition(A=[0], B=[1, 2, 3], C=[4, 5])
    exact = (1 - t) * t**3 * (1 - t**2) * math.log(2.0)
    assert pt.cmi(law, parts).value == pytest.approx(exact, abs=1e-14)
    for size, trusted in ((1000, False), (10_000, True)):
        found = pt.cmi(law, parts, method="cavity", n_samples=size, rng=5)
        _, y = law.sample(size, rng=5)
        rare = int(((y[:, 1:4] == 0).all(axis=1) & (y[:, 4:] != 0).any(axis=1)).sum())
        assert found.n_effective == pytest.approx(rare, rel=1e-9)
        assert found.trustworthy is trusted
        assert found.value == pytest.approx((1 - t) * math.log(2.0) * rare / size, rel=1e-9)


def test_untrusted_error_bars_do_fail():
    """The reason for the flag: with some two rare events a run, coverage is lost.

    With k ~ Poisson(2) events the bar is about sqrt(k), so runs with k = 0 (one in seven) have
    a bar of zero length and miss for sure.
    """
    t = 0.2
    law = pt.CurieWeiss(6, coupling=math.inf).noised(pt.Erasure(t))
    parts = pt.Tripartition(A=[0], B=[1, 2, 3], C=[4, 5])
    exact = (1 - t) * t**3 * (1 - t**2) * math.log(2.0)
    hits, runs = 0, 200
    for rng in np.random.default_rng(2).spawn(runs):
        found = pt.cmi(law, parts, method="cavity", n_samples=260, rng=rng)
        assert not found.trustworthy  # above all where nothing was seen: 0 +- 0
        hits += abs(found.value - exact) <= 1.96 * found.stderr
    assert hits < binom.ppf(1e-4, runs, 0.95)
