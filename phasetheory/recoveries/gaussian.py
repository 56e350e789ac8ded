r"""Local Bayes recovery of Gaussian laws, in closed form.

Given (b, c), the site block a has mean m_1 and covariance V_1; given b alone, m_0 and V_0. With the
noisy block D a + S z the local recovery is the Kalman update of the local prior, gain
K = V_0 D (D V_0 D + S^2)^{-1}. Only the conditional law of A changes, so

.. math:: p(a|bc) = N(m_1, V_1), \quad \hat p(a|bc) = N(m_0 + KD(m_1 - m_0),\,
          K(DV_1D + S^2)K^T + (1 - KD)V_0),

and the difference of the means is (1 - KD)(m_1 - m_0), with m_1 - m_0 ~ N(0, V_0 - V_1).
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtr

from phasetheory.estimate import Estimate
from phasetheory.lattice import Tripartition
from phasetheory.noise import Gaussian, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.recoveries.result import Recovery

__all__ = ["HasCovariance", "recover_gaussian"]

Floats = NDArray[np.float64]


@runtime_checkable
class HasCovariance(Protocol):
    """A prior whose noisy law is Gaussian."""

    def noisy_covariance(self, noise: Noise, region: NDArray[np.int64]) -> Floats:
        """Covariance of y on the sites of a region, shape (|R|, |R|)."""


def recover_gaussian(
    law: NoisyLaw, parts: Tripartition, noise: Gaussian, *, n_samples: int, rng: Any
) -> Recovery:
    """All quantities of T1 in closed form; see :func:`phasetheory.recovery`.

    The total variation is a one-dimensional quadrature for a one-site A, else an Estimate from
    `n_samples` draws. Cost: one Cholesky factor of B and one of B and C.
    """
    alpha, sigma = (np.diag(np.broadcast_to(s, (law.n_sites,))[parts.A]) for s in noise.scales)
    sites = np.concatenate([parts.A, parts.B, parts.C])
    assert isinstance(law.prior, HasCovariance)
    covariance = law.prior.noisy_covariance(law.noise, sites)
    m = parts.A.size
    local = _conditional_covariance(covariance, m, m + parts.B.size)
    exact = _conditional_covariance(covariance, m, sites.size)
    noisy_local = alpha @ local @ alpha + sigma**2
    noisy_exact = alpha @ exact @ alpha + sigma**2
    gain = np.linalg.solve(noisy_local, alpha @ local).T
    exact_gain = np.linalg.solve(noisy_exact, alpha @ exact).T
    keep = np.eye(m) - gain @ alpha
    rest = keep @ local
    recovered = gain @ noisy_exact @ gain.T + rest
    shift = keep @ (local - exact) @ keep.T
    extra = (exact_gain - gain) @ noisy_exact @ (exact_gain - gain).T
    exact_rest = (np.eye(m) - exact_gain @ alpha) @ exact
    average = 0.5 * (exact + recovered)
    overlap = 0.25 * (_log_det(exact) + _log_det(recovered)) - 0.5 * _log_det(average)
    overlap -= 0.5 * _log_det(np.eye(m) + np.linalg.solve(average, shift) / 4.0)
    if m == 1:
        tv = Estimate(_mean_tv(exact[0, 0], recovered[0, 0], shift[0, 0]), unit="1", quantity="tv")
    else:
        tv = _sampled_tv(exact, recovered, shift, n_samples=n_samples, rng=rng)
    # Without noise on A both posteriors are points at the same place.
    silent = not np.diag(sigma).any()
    posterior_kl = 0.0 if silent else _divergence(exact_rest, rest, shift + extra)
    return Recovery(
        kl=Estimate(_divergence(exact, recovered, shift), quantity="kl"),
        tv=tv,
        fidelity=Estimate(float(np.exp(overlap)), unit="1", quantity="fidelity"),
        cmi_before=Estimate(0.5 * (_log_det(local) - _log_det(exact)), quantity="cmi_before"),
        cmi_after=Estimate(
            0.5 * (_log_det(noisy_local) - _log_det(noisy_exact)), quantity="cmi_after"
        ),
        posterior_kl=Estimate(posterior_kl, quantity="posterior_kl"),
    )


def _conditional_covariance(covariance: Floats, m: int, end: int) -> Floats:
    """Covariance of the first m sites given sites m..end."""
    block = covariance[:m, :m]
    if end == m:
        return block
    try:
        factor = cho_factor(covariance[m:end, m:end], lower=True)
    except np.linalg.LinAlgError as error:
        raise ValueError("the law has no density (singular covariance): add noise first") from error
    cross = covariance[m:end, :m]
    rest = block - cross.T @ cho_solve(factor, cross)
    return np.asarray(0.5 * (rest + rest.T))


def _log_det(matrix: Floats) -> float:
    sign, log_det = np.linalg.slogdet(matrix)
    if sign <= 0:
        raise ValueError("the law has no density (singular covariance): add noise first")
    return float(log_det)


def _divergence(v1: Floats, v2: Floats, shift: Floats) -> float:
    """E KL(N(m1, v1) || N(m2, v2)) with m1 - m2 ~ N(0, shift)."""
    ratio = np.linalg.solve(v2, v1)
    excess = np.trace(ratio) - len(v1) - _log_det(v1) + _log_det(v2)
    return float(0.5 * (excess + np.trace(np.linalg.solve(v2, shift))))


def _mean_tv(v1: float, v2: float, shift: float) -> float:
    """E TV(N(d, v1), N(0, v2)) with d ~ N(0, shift): a quadrature over d, closed form inside.

    The total variation is even in d and bends sharply at 0 where v1 and v2 are close (a kink where
    they are equal), so Gauss-Legendre runs over half the line: relative accuracy 1e-7 at worst.
    """
    if shift <= 0:
        return float(_tv(np.zeros(1), v1, v2)[0])
    nodes, weights = np.polynomial.legendre.leggauss(200)
    z = 4.5 * (nodes + 1.0)
    density = 9.0 * weights * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return float(density @ _tv(np.sqrt(shift) * z, v1, v2))


def _tv(d: Floats, v1: float, v2: float) -> Floats:
    """TV(N(d, v1), N(0, v2)), from the points where the densities cross."""
    s1, s2 = np.sqrt(v1), np.sqrt(v2)
    if abs(v1 - v2) <= 1e-12 * max(v1, v2):
        return np.asarray(2.0 * ndtr(np.abs(d) / (s1 + s2)) - 1.0)
    # (x-d)^2/v1 + log v1 = x^2/v2 + log v2
    a, b = 1.0 / v1 - 1.0 / v2, -2.0 * d / v1
    c = d**2 / v1 + np.log(v1 / v2)
    root = np.sqrt(np.maximum(b**2 - 4.0 * a * c, 0.0))
    # Stable pair of roots: their product is c/a.
    big = -0.5 * (b + np.where(b < 0, -root, root))
    with np.errstate(divide="ignore", invalid="ignore"):
        x1, x2 = big / a, np.where(big != 0, c / big, 0.0)
    mass1 = ndtr((x2 - d) / s1) - ndtr((x1 - d) / s1)
    mass2 = ndtr(x2 / s2) - ndtr(x1 / s2)
    return np.asarray(np.abs(mass1 - mass2))


def _sampled_tv(v1: Floats, v2: Floats, shift: Floats, *, n_samples: int, rng: Any) -> Estimate:
    """E_p max(0, 1 - p-hat/p), every term in [0, 1]."""
    rng = np.random.default_rng(rng)
    m = len(v1)
    values, vectors = np.linalg.eigh(shift)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    d = rng.standard_normal((n_samples, m)) @ root.T
    x = rng.standard_normal((n_samples, m)) @ np.linalg.cholesky(v1).T
    log_p = -0.5 * ((x * np.linalg.solve(v1, x.T).T).sum(axis=1) + _log_det(v1))
    moved = x + d
    log_q = -0.5 * ((moved * np.linalg.solve(v2, moved.T).T).sum(axis=1) + _log_det(v2))
    terms = np.maximum(0.0, -np.expm1(np.minimum(log_q - log_p, 0.0)))
    return Estimate.from_samples(terms, unit="1", quantity="tv")
