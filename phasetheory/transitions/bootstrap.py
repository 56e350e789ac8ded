"""Errors of fitted numbers from fits to resampled data."""

import numpy as np
from numpy.typing import NDArray

from phasetheory.transitions.scaling import Scaling

__all__ = ["ONE_SIGMA", "half_widths", "resampled"]

Floats = NDArray[np.float64]

#: Phi(-1) and Phi(1).
ONE_SIGMA = (0.15865525393145707, 0.8413447460685429)


def half_widths(draws: Floats) -> list[float]:
    """Half the distance of the one-sigma quantiles of each column; a few wild draws do not count.

    Args:
        draws: Shape (n_resamples, k).

    Returns:
        k numbers.
    """
    low, high = np.quantile(draws, ONE_SIGMA, axis=0)
    return [float(width) / 2 for width in high - low]


def resampled(problem: Scaling, theta: Floats, n: int, seed: np.random.SeedSequence) -> Floats:
    r"""Parametric bootstrap of a collapse.

    Data are drawn from the fitted curve with the error bars, widened by
    :math:`\sqrt{\chi^2/\mathrm{dof}}` where that exceeds one; for exact data with the misfit.

    Args:
        problem: The fit.
        theta: Best (t_c, kappa[, a]).
        n: Number of resamples.
        seed: Seed; the same one gives the same draws.

    Returns:
        Refitted theta, shape (n, theta.size).
    """
    residual = problem.solve(theta)[0]
    spread = float(residual @ residual) / problem.dof
    if problem.curves.exact:
        size = np.full(residual.size, np.sqrt(spread))
    else:
        size = problem.curves.stderr * np.sqrt(max(1.0, spread))
    centre = problem.fitted(theta)
    noise = np.random.default_rng(seed).standard_normal((n, centre.size))
    return np.array([problem.refine(theta, centre + size * row)[0] for row in noise])
