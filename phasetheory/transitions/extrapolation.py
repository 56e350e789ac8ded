r"""From the crossings of finite sizes to the critical point of the infinite system."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import minimize_scalar

from phasetheory.estimate import Estimate
from phasetheory.transitions.linear import MIN_P_VALUE, LinearFit, fit

__all__ = ["Extrapolation", "extrapolate_crossings"]

Floats = NDArray[np.float64]

#: Exponents that are searched.
_EXPONENTS = np.geomspace(0.1, 10.0, 61)
#: A fit without drift is believed where its p-value is at least this.
_NO_DRIFT = 0.05
#: The exponent is bounded where chi2 rises by this much on both sides.
_BOUNDED = 4.0


@dataclass(frozen=True)
class Extrapolation:
    r"""The limit of crossings, :math:`t^*(L) = t_c + b L^{-w}`.

    Attributes:
        t_c: The limit; NaN where refused.
        exponent: w = 1/nu + omega; NaN where no drift is seen, stderr 0 where given.
        drift: :math:`b \bar L^{-w}`, the shift at the geometric mean of the sizes, in units of t.
        chi2: Of the fit, correlations included.
        dof: Degrees of freedom; with 0 the fit says nothing about itself.
        verdict: "ok"; "no drift seen" (t_c is the weighted mean, and its error knows nothing of a
            drift that hides in the error bars); or "too few crossings", "exponent not determined",
            "does not fit" (p < 0.001), where t_c is NaN.
    """

    t_c: Estimate
    exponent: Estimate
    drift: Estimate
    chi2: float
    dof: int
    verdict: str

    @property
    def p_value(self) -> float:
        """Probability of a larger chi2; NaN without degrees of freedom or for exact data."""
        return float(stats.chi2.sf(self.chi2, self.dof)) if self.dof > 0 else np.nan

    def __str__(self) -> str:
        """Return the verdict and, where there is one, the limit."""
        if np.isnan(self.t_c.value):
            return self.verdict
        drift = "" if np.isnan(self.exponent.value) else f", w = {self.exponent.value:.3g}"
        if self.exponent.stderr > 0:
            drift += f" +- {self.exponent.stderr:.2g}"
        return (
            f"{self.verdict}: t_c = {self.t_c.value:.6g} +- {self.t_c.stderr:.2g}{drift}"
            f" (p = {self.p_value:.2g})"
        )


def extrapolate_crossings(found: xr.Dataset, *, exponent: float | None = None) -> Extrapolation:
    r"""Limit of :math:`t^*(L) = t_c + b L^{-w}` for infinite size.

    L is the geometric mean of the two sizes, which is right for pairs of one ratio only: b depends
    on the ratio.

    Args:
        found: Result of :func:`phasetheory.crossings`; pairs whose verdict is not "ok" are left
            out. With a given exponent 2 crossings are needed (3 where exact, or for a test of the
            fit), without one 4.
        exponent: w > 0, where :math:`1/\nu + \omega` is known; fitted by default, unless the
            crossings agree within their errors without any drift.

    Returns:
        The limit with its error and a verdict. For exact data the error is that of a fit whose
        misfit is taken as noise (see :func:`phasetheory.crossings`).

    Raises:
        ValueError: If the dataset is not of crossings, the exponent not positive, or the ratios of
            the pairs differ by more than a third.
    """
    missing = {"t_cross", "covariance", "verdict", "ratio"} - set(found.variables)
    if missing:
        raise ValueError(f"found lacks {sorted(missing)}: give a result of pt.crossings")
    if exponent is not None and not 0 < exponent < np.inf:
        raise ValueError(f"exponent={exponent}: a positive number, or None (fitted), needed")
    good = np.flatnonzero(found["verdict"].values == "ok")
    ratio = found["ratio"].values[good]
    if good.size and ratio.max() > ratio.min() * 4 / 3:
        raise ValueError(
            f"found has pairs of ratios {ratio.min():.3g} to {ratio.max():.3g}: crossings drift"
            " alike at one ratio only; choose pairs= of pt.crossings"
        )
    t = found["t_cross"].values[good]
    exact = bool(found.attrs.get("exact", 0))
    error = None if exact else found["covariance"].values[np.ix_(good, good)]
    length = found["size"].values[good]
    if good.size < (3 if exact else 2):
        return _refused("too few crossings")
    length = length / np.exp(np.log(length).mean())
    if exponent is not None:
        return _drifting(t, error, length, exponent, None)
    flat = fit(np.ones((t.size, 1)), t, error)
    if flat.p_value >= _NO_DRIFT:
        mean = Estimate(float(flat.coefficients[0]), float(flat.stderr[0]), t.size, unit="1")
        nothing = Estimate(np.nan, np.nan, t.size, unit="1")
        return Extrapolation(mean, nothing, nothing, flat.chi2, flat.dof, "no drift seen")
    if good.size < 4:
        return _refused("too few crossings")
    profile = [_line(t, error, length, w).chi2 for w in _EXPONENTS]
    best = int(np.argmin(profile))
    if best in (0, _EXPONENTS.size - 1):
        return _refused("exponent not determined")
    sharp = minimize_scalar(
        lambda w: _line(t, error, length, float(w)).chi2,
        bounds=(_EXPONENTS[best - 1], _EXPONENTS[best + 1]),
        method="bounded",
        options={"xatol": 1e-10},
    )
    line = _line(t, error, length, float(sharp.x))
    unit = line.chi2 / (line.dof - 1) if exact else 1.0
    if min(profile[0], profile[-1]) - line.chi2 < _BOUNDED * unit:
        return _refused("exponent not determined")
    return _drifting(t, error, length, float(sharp.x), line.coefficients[1])


def _line(t: Floats, error: Floats | None, length: Floats, w: float) -> LinearFit:
    return fit(np.stack([np.ones(t.size), length**-w], axis=1), t, error)


def _drifting(
    t: Floats, error: Floats | None, length: Floats, w: float, fitted_drift: float | None
) -> Extrapolation:
    """Limit at a given exponent, or at the best one with its uncertainty carried along."""
    columns = [np.ones(t.size), length**-w]
    line = fit(np.stack(columns, axis=1), t, error)
    if fitted_drift is not None:
        # Linearised around the optimum: the third column adds no fit, only freedom.
        columns.append(-fitted_drift * np.log(length) * length**-w)
        line = fit(np.stack(columns, axis=1), t, error)
    if line.p_value < MIN_P_VALUE:
        return _refused("does not fit", line)
    value, stderr = line.coefficients, line.stderr
    free = fitted_drift is not None
    return Extrapolation(
        Estimate(float(value[0]), float(stderr[0]), t.size, unit="1"),
        Estimate(w, float(stderr[2]) if free else 0.0, t.size if free else 0, unit="1"),
        Estimate(float(value[1]), float(stderr[1]), t.size, unit="1"),
        np.nan if line.exact else line.chi2,
        line.dof,
        "ok",
    )


def _refused(verdict: str, line: LinearFit | None = None) -> Extrapolation:
    nothing = Estimate(np.nan, np.nan, 1, unit="1")
    chi2, dof = (np.nan, 0) if line is None else (line.chi2, line.dof)
    return Extrapolation(nothing, nothing, nothing, chi2, dof, verdict)
