"""A smooth curve through points with errors: a polynomial of the degree the data ask for."""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from phasetheory.transitions.linear import LinearFit, akaike, fit

__all__ = ["MAX_DEGREE", "MIN_POINTS", "Smooth", "smooth"]

Floats = NDArray[np.float64]

#: Beyond this degree a polynomial through unevenly spaced points oscillates between them.
MAX_DEGREE = 16
#: Points that leave two over from a straight line.
MIN_POINTS = 4


@dataclass(frozen=True)
class Smooth:
    """A fitted Chebyshev series on an interval.

    Attributes:
        line: The fit of its coefficients.
        domain: Interval (low, high) that is mapped to [-1, 1].
    """

    line: LinearFit
    domain: tuple[float, float]

    @property
    def degree(self) -> int:
        """Degree of the polynomial."""
        return self.line.coefficients.size - 1

    def basis(self, t: Floats) -> Floats:
        """Chebyshev polynomials at t, shape (t.size, degree + 1)."""
        return _basis(t, self.domain, self.degree)

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Coefficients of n curves as likely as the fitted one, shape (n, degree + 1).

        The sampling distribution of a linear fit is Gaussian, so this is the parametric bootstrap.
        """
        normal = rng.standard_normal((n, self.degree + 1))
        return self.line.coefficients + normal @ np.linalg.cholesky(self.line.covariance).T


def smooth(t: Floats, value: Floats, error: Floats | None) -> Smooth:
    """Fit the polynomial of least corrected Akaike criterion.

    Args:
        t: Shape (n,), n >= 4 different points.
        value: Shape (n,).
        error: Standard errors, shape (n,), or None where exact.

    Returns:
        The curve; at least 2 points are left over for its error.

    Raises:
        ValueError: If there are fewer than 4 different t.
    """
    domain = (float(t.min()), float(t.max()))
    distinct = np.unique(t).size
    if distinct < MIN_POINTS:
        raise ValueError(f"t has {distinct} different values: at least {MIN_POINTS} needed")
    degrees = range(1, min(MAX_DEGREE, distinct - 3) + 1)
    lines = [fit(_basis(t, domain, degree), value, error) for degree in degrees]
    scores = [
        akaike(line.chi2, t.size, line.coefficients.size, exact=error is None) for line in lines
    ]
    return Smooth(lines[int(np.argmin(scores))], domain)


def _basis(t: Floats, domain: tuple[float, float], degree: int) -> Floats:
    low, high = domain
    return np.asarray(chebyshev.chebvander((2 * t - low - high) / (high - low), degree))
