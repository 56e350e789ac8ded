r"""What a network predicts, as functions of E[x_0 | x_t], for any schedule (alpha, sigma).

With :math:`y = \alpha x_0 + \sigma z` and :math:`\hat x = E[x_0|y]`, :math:`\hat z = E[z|y] =
(y - \alpha \hat x)/\sigma` every parametrisation is linear in :math:`\hat x` and y:

================ ==========================================================================
``"x0"``         :math:`\hat x`
``"eps"``        :math:`\hat z`
``"v"``          :math:`\alpha \hat z - \sigma \hat x` (Salimans and Ho 2022)
``"velocity"``   :math:`\dot\alpha \hat x + \dot\sigma \hat z`, from data to noise; for the
                 linear schedule :math:`\hat z - \hat x`
``"-velocity"``  its negative, from noise to data
``"score"``      :math:`\nabla_y \log p_t(y) = -\hat z/\sigma` (Tweedie)
================ ==========================================================================
"""

from typing import Any

import numpy as np

from phasetheory.schedules import Schedule

__all__ = ["PREDICTS", "coefficients", "rates", "to_prediction", "to_x0"]

PREDICTS = ("x0", "eps", "v", "velocity", "-velocity", "score")

#: Nodes of the interpolating polynomial, and the half-width of their interval: on the schedules of
#: :mod:`phasetheory.schedules` its derivative is right to about 1e-11.
_NODES, _REACH = 13, 0.05


def rates(schedule: Schedule, t: float) -> tuple[float, float]:
    r"""Rates :math:`(\dot\alpha, \dot\sigma)` of a schedule, by a polynomial through nearby times.

    Args:
        schedule: Callable t -> (alpha, sigma), smooth at t.
        t: Time in (0, 1].

    Returns:
        d alpha / dt and d sigma / dt.

    Raises:
        ValueError: If t is not in (0, 1]: sigma of many schedules has no finite rate at 0.
    """
    if not 0.0 < t <= 1.0:
        raise ValueError(f"t={t}: rates of a schedule need a time in (0, 1]")
    # Five half-widths away from 0, where sigma of a variance-preserving schedule is singular.
    low, high = max(t - _REACH, 0.8 * t), min(t + _REACH, 1.2 * t, 1.0)
    angles = (2.0 * np.arange(_NODES) + 1.0) * np.pi / (2.0 * _NODES)
    nodes = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(angles)
    values = np.stack(schedule(nodes))
    unit = 2.0 * (nodes - low) / (high - low) - 1.0
    series = np.polynomial.chebyshev.chebfit(unit, values.T, _NODES - 1)
    slope = np.polynomial.chebyshev.chebder(series)
    place = 2.0 * (t - low) / (high - low) - 1.0
    found = np.asarray(np.polynomial.chebyshev.chebval(place, slope)) * 2.0 / (high - low)
    return float(found[0]), float(found[1])


def coefficients(predicts: str, schedule: Schedule, t: float) -> tuple[float, float]:
    """(a, b) such that the prediction is a E[x_0|y] + b y at time t of the schedule.

    Args:
        predicts: One of :data:`PREDICTS`.
        schedule: Callable t -> (alpha, sigma).
        t: Time with sigma > 0.

    Returns:
        The two coefficients.

    Raises:
        ValueError: If there is no such parametrisation, or sigma = 0.
    """
    alpha, sigma = (float(s) for s in schedule(np.asarray(t, dtype=float)))
    if predicts not in PREDICTS:
        raise ValueError(f"predicts={predicts!r}: one of {', '.join(PREDICTS)} needed")
    if not sigma > 0:
        raise ValueError(f"t={t}: the schedule has sigma = {sigma} there; sigma > 0 needed")
    if predicts == "x0":
        return 1.0, 0.0
    if predicts == "eps":
        return -alpha / sigma, 1.0 / sigma
    if predicts == "score":
        return alpha / sigma**2, -1.0 / sigma**2
    if predicts == "v":
        return -(alpha**2) / sigma - sigma, alpha / sigma
    rate_alpha, rate_sigma = rates(schedule, t)
    a, b = rate_alpha - rate_sigma * alpha / sigma, rate_sigma / sigma
    return (a, b) if predicts == "velocity" else (-a, -b)


def to_prediction(x0: Any, y: Any, predicts: str, schedule: Schedule, t: float) -> Any:
    """Prediction in another parametrisation from E[x_0|y]; arrays or tensors of one shape."""
    a, b = coefficients(predicts, schedule, t)
    return a * x0 + b * y


def to_x0(prediction: Any, y: Any, predicts: str, schedule: Schedule, t: float) -> Any:
    """E[x_0|y] from a prediction; arrays or tensors of one shape.

    Raises:
        ValueError: If the prediction says nothing about x_0 (eps or score at alpha = 0).
    """
    a, b = coefficients(predicts, schedule, t)
    if a == 0.0:
        raise ValueError(
            f"t={t}: alpha = 0 there, where predicts={predicts!r} says nothing about x_0; use an"
            " earlier time"
        )
    return (prediction - b * y) / a
