r"""Linear least squares with known errors, with correlated errors, or with none at all.

The one place where "what does the error of exact data mean" is decided. With error bars,
:math:`\chi^2` is a test, and errors grow by :math:`\sqrt{\chi^2/\nu}` where it exceeds one. Without
(exact data) the misfit is all there is: errors are what they would be if the misfit were
independent noise of unknown size, with Student's factor for few degrees of freedom.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

__all__ = ["DECISIVE", "MIN_P_VALUE", "MIN_SIGNIFICANCE", "LinearFit", "akaike", "fit", "whiten"]

Floats = NDArray[np.float64]

#: A fit with a smaller p-value is rejected: one good fit in a thousand is.
MIN_P_VALUE = 1e-3
#: A slope this many standard errors from zero counts as one.
MIN_SIGNIFICANCE = 4.0
#: Difference of chi2 that decides between two laws of equally many parameters. Whatever the
#: data, the wrong one wins with probability at most Phi(-3) = 0.13 % (see `decay`).
DECISIVE = 9.0
#: Relative misfit of exact data below which there is only rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class LinearFit:
    r"""Coefficients c of :math:`y \approx D c` with their errors and goodness of fit.

    Attributes:
        coefficients: c, shape (k,).
        unit_covariance: :math:`(D^T C^{-1} D)^{-1}`, shape (k, k), C the covariance of y (the
            identity for exact data).
        chi2: :math:`(y - Dc)^T C^{-1} (y - Dc)`; for exact data the sum of squared residuals.
        dof: Points minus coefficients.
        exact: Whether y came without errors.
    """

    coefficients: Floats
    unit_covariance: Floats
    chi2: float
    dof: int
    exact: bool

    @property
    def reduced(self) -> float:
        """Chi2 per degree of freedom; NaN where the data are exact or nothing is left over."""
        return np.nan if self.exact or self.dof < 1 else self.chi2 / self.dof

    @property
    def p_value(self) -> float:
        """Probability of a larger chi2 if model and errors are right; NaN where exact."""
        return np.nan if self.exact or self.dof < 1 else float(stats.chi2.sf(self.chi2, self.dof))

    @property
    def scale(self) -> float:
        """Factor on the squared errors: the misfit where exact, else max(1, chi2/dof)."""
        if self.dof < 1:
            return np.inf if self.exact else 1.0
        return self.chi2 / self.dof if self.exact else max(1.0, self.chi2 / self.dof)

    @property
    def covariance(self) -> Floats:
        """Covariance of the coefficients with the scale in it, shape (k, k)."""
        return self.unit_covariance * self.scale

    @property
    def stderr(self) -> Floats:
        """One-sigma errors of the coefficients, shape (k,), Student's factor included."""
        inflate = stats.t.ppf(stats.norm.cdf(1.0), max(self.dof, 1))
        return np.sqrt(np.diag(self.covariance)) * float(inflate)

    def likelihood_against(self, other: "LinearFit") -> float:
        r"""Twice the log-likelihood by which this fit is better than another of the same data.

        :math:`\chi^2_{other} - \chi^2_{this}`, or for exact data (error size unknown)
        :math:`n \ln(\mathrm{RSS}_{other}/\mathrm{RSS}_{this})`.
        """
        if not self.exact:
            return other.chi2 - self.chi2
        n = self.dof + self.coefficients.size
        floor = n * _ROUNDING**2
        return n * float(np.log(max(other.chi2, floor) / max(self.chi2, floor)))


def whiten(error: Floats | None, array: Floats) -> Floats:
    """Divide rows by their errors, so that the result has unit, uncorrelated ones.

    Args:
        error: Standard errors (n,), a covariance matrix (n, n), or None (exact data).
        array: Shape (n,) or (n, k).

    Returns:
        The same shape.

    Raises:
        ValueError: If the covariance is not positive definite.
    """
    if error is None:
        return array
    if error.ndim == 1:
        return np.asarray((array.T / error).T)
    try:
        root = linalg.cholesky(error, lower=True)
    except linalg.LinAlgError:
        raise ValueError(
            f"covariance of {len(error)} points is not positive definite: more samples than"
            " points are needed to estimate one"
        ) from None
    return np.asarray(linalg.solve_triangular(root, array, lower=True))


def fit(design: Floats, y: Floats, error: Floats | None) -> LinearFit:
    """Weighted linear least squares.

    Args:
        design: Shape (n, k), n >= k, of full rank.
        y: Shape (n,).
        error: As in :func:`whiten`.

    Returns:
        The fit.

    Cost: O(n k^2), O(n^3) with a covariance matrix.
    """
    rows, target = whiten(error, design), whiten(error, y)
    q, r = np.linalg.qr(rows)
    inverse = linalg.solve_triangular(r, np.eye(len(r)))
    coefficients = inverse @ (q.T @ target)
    chi2 = float(np.square(target - rows @ coefficients).sum())
    n, k = design.shape
    return LinearFit(coefficients, inverse @ inverse.T, chi2, n - k, error is None)


def akaike(chi2: float, n: int, k: int, *, exact: bool) -> float:
    """Corrected Akaike criterion: smaller is better, infinite where parameters use up the data.

    Args:
        chi2: Of the fit, or the sum of squared residuals where exact.
        n: Points.
        k: Parameters.
        exact: Whether the size of the error is itself unknown.

    Source: Hurvich and Tsai, Biometrika 76, 297 (1989).
    """
    if n - k < 2:
        return np.inf
    badness = n * float(np.log(max(chi2 / n, 1e-300))) if exact else chi2
    return badness + 2 * k * n / (n - k - 1)
