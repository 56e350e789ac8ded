"""Whether data collapse, and if not, what is wrong with them."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from phasetheory.transitions.linear import MIN_P_VALUE, MIN_SIGNIFICANCE
from phasetheory.transitions.scaling import MIN_OVERLAP, Scaling, overlap
from phasetheory.transitions.smooth import MIN_POINTS, smooth

__all__ = ["verdict"]

Floats = NDArray[np.float64]

#: Exact data collapse up to corrections to scaling: this much of the spread of the values.
EXACT_TOLERANCE = 0.01
#: Least ratio of the widths in t of the smallest and the largest size.
MIN_SHARPENING = 1.05
#: Error of t_c, and distance from the data, in widths of the window.
MAX_UNCERTAINTY, MAX_DISTANCE = 0.25, 0.25


def verdict(problem: Scaling, theta: Floats, error: list[float], misfit: float) -> str:
    """Judge a fitted collapse; the verdicts are listed in :func:`phasetheory.collapse`.

    Args:
        problem: The fit.
        theta: Best (t_c, kappa[, a]).
        error: Their standard errors.
        misfit: Root mean square residual over the standard deviation of the values.

    Returns:
        "ok", or why not.
    """
    curves = problem.curves
    if overlap(curves.size, problem.x(theta)) < MIN_OVERLAP:
        return "sizes do not overlap"
    if curves.exact:
        collapses = misfit <= EXACT_TOLERANCE
    else:
        residual = problem.solve(theta)[0]
        collapses = bool(stats.chi2.sf(residual @ residual, problem.dof) >= MIN_P_VALUE)
    if not collapses:
        return "does not collapse" if _smooth_alone(problem) else "curves are not smooth"
    sharpening = (curves.sizes[-1] / curves.sizes[0]) ** theta[1]
    uncertain = MIN_SIGNIFICANCE * error[1]
    if sharpening < MIN_SHARPENING or theta[1] < 2 * error[1] or not _sharpens(problem, theta):
        return "does not sharpen with size"
    span = float(np.ptp(curves.t))
    if theta[1] <= uncertain or error[0] > MAX_UNCERTAINTY * span:
        return "not determined"
    middle = (curves.t.max() + curves.t.min()) / 2
    if abs(theta[0] - middle) > (0.5 + MAX_DISTANCE) * span:
        return "t_c outside the data"
    return "ok"


def _sharpens(problem: Scaling, theta: Floats) -> bool:
    """Whether curves of one common width fit clearly worse."""
    residual = problem.solve(theta)[0]
    chi2, other = float(residual @ residual), problem.without_sharpening(theta)
    unit = chi2 / problem.dof if problem.curves.exact else max(1.0, chi2 / problem.dof)
    return other - chi2 > MIN_SIGNIFICANCE**2 * unit


def _smooth_alone(problem: Scaling) -> bool:
    """Whether each size by itself is a smooth curve within its errors, where that can be told."""
    curves = problem.curves
    if curves.exact:
        return True
    chi2, dof = 0.0, 0
    for size in curves.sizes:
        own = curves.where(curves.size == size)
        if np.unique(own.t).size >= MIN_POINTS:
            line = smooth(own.t, own.value, own.error).line
            chi2, dof = chi2 + line.chi2, dof + line.dof
    return not dof or bool(stats.chi2.sf(chi2, dof) >= MIN_P_VALUE)
