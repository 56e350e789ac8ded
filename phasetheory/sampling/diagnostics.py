r"""How far a set of Markov chains can be believed: autocorrelation time, sample size, R-hat.

All functions take a series of shape (n_chains, n) and work within and between chains. With W the
mean of the chains' variances and B/n the variance of their means,

.. math:: \hat V = \tfrac{n-1}{n} W + \tfrac{B}{n}, \qquad
   \rho_t = 1 - \frac{W - \overline{c_t}}{\hat V},

:math:`c_t` the autocovariance of a chain at lag t: chains that sit in different places show up as a
correlation that never decays. Source: Vehtari, Gelman, Simpson, Carpenter, Buerkner, Bayesian
Analysis 16, 667 (2021); window: Sokal, "Monte Carlo methods in statistical mechanics" (1997).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import ndtri
from scipy.stats import rankdata

__all__ = ["WINDOW", "autocorrelation_time", "effective_sample_size", "r_hat", "variance_of_mean"]

#: The sum over lags stops at the first lag above this many autocorrelation times.
WINDOW = 5.0

Floats = NDArray[np.float64]


def autocorrelation_time(series: ArrayLike) -> float:
    r"""Integrated autocorrelation time :math:`\tau = 1 + 2 \sum_{t=1}^{M} \rho_t`, in steps.

    M is the smallest lag with :math:`M \ge 5 \max(\tau_M, 1)`. An AR(1) series with coefficient
    :math:`\phi` has :math:`\tau = (1+\phi)/(1-\phi)`; independent draws have 1.

    Args:
        series: Shape (n_chains, n), n >= 4; one chain may be given as shape (n,).

    Returns:
        The time; the length n where the window never closes (the chains are too short, or they
        disagree); 1 for a constant series; at least 1/log10(n_chains n) for anticorrelated ones.

    Raises:
        ValueError: If the series is too short or not finite.

    Cost: O(n_chains n log n).
    """
    x = _chains(series)
    n_chains, n = x.shape
    within, total = _variances(x)
    if total == 0.0:
        return 1.0
    centred = x - x.mean(axis=1, keepdims=True)
    size = next_fast_len(2 * n, real=True)
    power = np.square(np.abs(rfft(centred, size, axis=1)))
    covariance = irfft(power.mean(axis=0), size)[:n] / n
    rho = 1.0 - (within - covariance) / total
    tau = 2.0 * np.cumsum(rho[1:]) + 1.0
    closed = np.flatnonzero(np.arange(1, n) >= WINDOW * np.maximum(tau, 1.0))
    # A window longer than half a chain sums noise: such a chain is too short to tell.
    if not closed.size or closed[0] + 1 > n // 2:
        return float(n)
    return float(max(tau[closed[0]], 1.0 / np.log10(max(n_chains * n, 10))))


def effective_sample_size(series: ArrayLike) -> float:
    r"""Number of independent draws worth as much for the mean: :math:`n_{chains} n / \tau`."""
    x = _chains(series)
    return x.size / autocorrelation_time(x)


def variance_of_mean(series: ArrayLike) -> float:
    r"""Squared standard error of the mean over all chains: :math:`\hat V \tau / (n_{chains} n)`."""
    x = _chains(series)
    return _variances(x)[1] / effective_sample_size(x)


def r_hat(series: ArrayLike, *, rank: bool = True) -> float:
    r"""Split R-hat, :math:`\sqrt{\hat V / W}` over half-chains: near 1 if the chains agree.

    Args:
        series: Shape (n_chains, n), n >= 4; one chain may be given as shape (n,).
        rank: Take the larger value of the rank-normalised series and of its distances from the
            median (so that heavy tails do no harm and unequal widths are seen); else the plain one.

    Returns:
        R-hat: infinite for half-chains that are constant and differ, NaN for a series that never
        changes, of which nothing can be said.

    Raises:
        ValueError: If the series is too short or not finite.
    """
    x = _chains(series)
    half = x.shape[1] // 2
    split = np.concatenate([x[:, :half], x[:, -half:]])
    if np.ptp(split) == 0.0:
        return float("nan")
    if not rank:
        return _ratio(split)
    folded = np.abs(split - np.median(split))
    return max(_ratio(_normal_scores(split)), _ratio(_normal_scores(folded)))


def _ratio(x: Floats) -> float:
    # Constants are told by their range: the variance of equal numbers is rounding, not zero.
    if np.ptp(x) == 0.0:  # folded: two values at equal distance from the median
        return 1.0
    if not np.ptp(x, axis=1).any():
        return float("inf")
    within, total = _variances(x)
    return float(np.sqrt(total / within))


def _normal_scores(x: Floats) -> Floats:
    """Normal quantiles of the ranks (Blom)."""
    return np.asarray(ndtri((rankdata(x).reshape(x.shape) - 0.375) / (x.size + 0.25)))


def _variances(x: Floats) -> tuple[float, float]:
    """W and V-hat of chains of shape (n_chains, n)."""
    n = x.shape[1]
    within = float(x.var(axis=1, ddof=1).mean())
    between = float(x.mean(axis=1).var(ddof=1)) if len(x) > 1 else 0.0
    return within, (n - 1) / n * within + between


def _chains(series: ArrayLike) -> Floats:
    x = np.atleast_2d(np.asarray(series, dtype=float))
    if x.ndim != 2 or x.shape[1] < 4 or not len(x):
        raise ValueError(f"series has shape {x.shape}: (n_chains, n) with n >= 4 needed")
    if not np.isfinite(x).all():
        raise ValueError(f"series holds {int((~np.isfinite(x)).sum())} values that are not finite")
    return x
