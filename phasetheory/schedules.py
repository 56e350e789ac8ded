r"""Schedules t -> (alpha, sigma) of Gaussian noise y = alpha x + sigma z, and conversions.

Two schedules describe the same family of noisy laws up to the scale of y: what matters is the
signal-to-noise ratio snr = alpha^2 / sigma^2. :func:`convert_time` finds the time at which
another schedule has the same snr.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

__all__ = [
    "Schedule",
    "convert_time",
    "from_alpha_bar",
    "linear",
    "ornstein_uhlenbeck",
    "time_at_snr",
    "variance_exploding",
    "variance_preserving",
]

Floats = NDArray[np.float64]
#: A map from t in [0, 1] to (alpha, sigma), elementwise on arrays.
Schedule = Callable[[Floats], tuple[Floats, Floats]]


def linear(t: Floats) -> tuple[Floats, Floats]:
    """Return alpha = 1 - t and sigma = t: straight lines from data to noise (the default)."""
    return 1.0 - t, t


def variance_preserving(beta_min: float = 0.1, beta_max: float = 20.0) -> Schedule:
    r"""VP schedule: alpha = exp(-1/2 int_0^t beta), sigma = sqrt(1 - alpha^2), beta linear in t.

    Args:
        beta_min: Rate at t = 0, positive.
        beta_max: Rate at t = 1, at least beta_min.

    Returns:
        The schedule.

    Raises:
        ValueError: If the rates are not 0 < beta_min <= beta_max.

    Source: Song et al. 2021, "Score-based generative modeling through SDEs", eq. (32).
    """
    if not 0 < beta_min <= beta_max:
        raise ValueError(
            f"beta_min={beta_min}, beta_max={beta_max}: 0 < beta_min <= beta_max needed"
        )

    def schedule(t: Floats) -> tuple[Floats, Floats]:
        integral = beta_min * t + 0.5 * (beta_max - beta_min) * t**2
        return np.exp(-0.5 * integral), np.sqrt(-np.expm1(-integral))

    return schedule


def variance_exploding(sigma_max: float) -> Schedule:
    """VE schedule: alpha = 1, sigma = sigma_max t.

    Args:
        sigma_max: Noise level at t = 1, in units of the data; positive. The law at t = 1 is pure
            noise only in the limit of large sigma_max.

    Returns:
        The schedule.

    Raises:
        ValueError: If sigma_max is not positive.
    """
    if not sigma_max > 0:
        raise ValueError(f"sigma_max={sigma_max}: a positive number needed")

    def schedule(t: Floats) -> tuple[Floats, Floats]:
        return np.ones_like(t), sigma_max * t

    return schedule


def ornstein_uhlenbeck(horizon: float) -> Schedule:
    """OU schedule: alpha = exp(-s), sigma^2 = 1 - exp(-2 s) at time s = horizon * t.

    Args:
        horizon: OU time reached at t = 1; positive.

    Returns:
        The schedule.

    Raises:
        ValueError: If the horizon is not positive.
    """
    if not horizon > 0:
        raise ValueError(f"horizon={horizon}: a positive number needed")

    def schedule(t: Floats) -> tuple[Floats, Floats]:
        return np.exp(-horizon * t), np.sqrt(-np.expm1(-2.0 * horizon * t))

    return schedule


def from_alpha_bar(alpha_bar: ArrayLike | Callable[[Floats], Floats]) -> Schedule:
    """Return alpha = sqrt(alpha_bar), sigma = sqrt(1 - alpha_bar).

    Args:
        alpha_bar: Either a function of t in [0, 1], or the decreasing table of a trained
            network, one entry a step, taken at t = 1/n, 2/n, ..., 1 with alpha_bar = 1 at t = 0
            and interpolated linearly between.

    Returns:
        The schedule.

    Raises:
        ValueError: If a table leaves [0, 1] or increases.
    """
    if callable(alpha_bar):
        function = alpha_bar
    else:
        table = np.concatenate([[1.0], np.asarray(alpha_bar, dtype=float).ravel()])
        if not ((table >= 0) & (table <= 1)).all() or (np.diff(table) > 0).any():
            raise ValueError("alpha_bar: a non-increasing table of numbers in [0, 1] needed")
        knots = np.linspace(0.0, 1.0, table.size)

        def function(t: Floats) -> Floats:
            return np.interp(t, knots, table)

    def schedule(t: Floats) -> tuple[Floats, Floats]:
        squared = function(t)
        return np.sqrt(squared), np.sqrt(1.0 - squared)

    return schedule


def time_at_snr(schedule: Schedule, snr: float) -> float:
    """Time t in [0, 1] at which alpha^2 / sigma^2 equals `snr`.

    Args:
        schedule: Any schedule whose snr decreases with t.
        snr: Signal-to-noise ratio, not negative; infinity gives t = 0.

    Returns:
        The time, to about 1e-14.

    Raises:
        ValueError: If the schedule never reaches that ratio.
    """
    if snr == np.inf:
        return 0.0
    if not snr >= 0:
        raise ValueError(f"snr={snr}: a number >= 0 needed")

    def excess(t: float) -> float:
        alpha, sigma = schedule(np.asarray(t, dtype=float))
        return float(alpha**2 - snr * sigma**2)

    last = excess(1.0)
    # A schedule's own snr at t = 1 comes back from a quotient, with its rounding.
    rounding = 4.0 * np.finfo(float).eps * float(schedule(np.asarray(1.0))[0]) ** 2
    if last > rounding:
        alpha, sigma = schedule(np.asarray(1.0))
        raise ValueError(f"snr={snr}: the schedule stops at snr {float(alpha**2 / sigma**2):.6g}")
    if last >= -rounding:
        return 1.0
    if excess(0.0) < 0:
        alpha, sigma = schedule(np.asarray(0.0))
        raise ValueError(f"snr={snr}: the schedule starts at snr {float(alpha**2 / sigma**2):.6g}")
    return float(brentq(excess, 0.0, 1.0, xtol=1e-15, rtol=8.9e-16))


def convert_time(t: float, source: Schedule, target: Schedule) -> tuple[float, float]:
    """Time of `target` with the snr that `source` has at t, and the factor that rescales y.

    Args:
        t: Time in [0, 1] on the source schedule.
        source: Schedule that produced y.
        target: Schedule to express it in.

    Returns:
        (t', c) such that c * y at (t, source) has the law of y at (t', target).

    Raises:
        ValueError: If the target never reaches that snr.
    """
    alpha, sigma = (float(v) for v in source(np.asarray(t, dtype=float)))
    time = time_at_snr(target, np.inf if sigma == 0 else (alpha / sigma) ** 2)
    new_alpha, new_sigma = (float(v) for v in target(np.asarray(time)))
    # At snr = 0 the signal says nothing about the scale, so the noise sets it.
    return time, new_alpha / alpha if alpha > 0 else new_sigma / sigma
