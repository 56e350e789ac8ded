r"""The fit behind a collapse: exponents by least squares, the master curve eliminated exactly.

.. math:: I(L, t) = L^{-a} \left[\Phi(x) + L^{-\omega}\,\Psi(x)\right], \qquad
          x = (t - t_c)\, L^{\kappa}, \quad \kappa = 1/\nu .

For given :math:`\theta = (t_c, \kappa, a)` the master curve is linear in its coefficients, so it is
solved for by one QR factorisation and only :math:`\theta` is searched (variable projection; Golub
and Pereyra 1973, derivative after Kaufman 1975). The result is the least-squares fit in *all*
parameters, with a :math:`\chi^2` and degrees of freedom that mean what they say. (A measure of how
well points lie on a curve interpolated from the other sizes needs no basis, but its terms share
points, so that its minimum has no known distribution.)

The curve is a polynomial in x, in Chebyshev form. Its span does not change when x is shifted or
stretched, which splines with knots in x cannot say: moving :math:`\theta` moves no knots, and
:math:`\chi^2` is smooth.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.optimize import least_squares

from phasetheory.transitions.curves import Curves
from phasetheory.transitions.linear import akaike
from phasetheory.transitions.smooth import MAX_DEGREE

__all__ = ["MIN_OVERLAP", "Scaling", "best_scaling", "overlap"]

Floats = NDArray[np.float64]

#: Share of the points that must lie within the range of x of another size: else any curve fits.
MIN_OVERLAP = 0.5
#: Degree of the curve while starting points are compared.
_START_DEGREE = 5
#: Degrees added to the best one. The criterion balances error and bias of the *curve*, but a bias
#: of the curve is one of the exponents too, many times their error where noise is high: at its own
#: choice the error bars of nu cover the truth in 75 % instead of 95 % of the cases.
_UNDERSMOOTHING = 4


@dataclass(frozen=True, eq=False)
class Scaling:
    r"""One least-squares problem.

    Attributes:
        curves: The data.
        scale: :math:`\log(L/L_0)` of each point, L_0 the geometric mean of the sizes, which takes
            most of the correlation between the exponents and the amplitudes away.
        a: The exponent a where it is given; None where it is fitted.
        omega: Exponent of the correction; None without one.
        degree: Degree of the master curve (and of the correction's).
    """

    curves: Curves
    scale: Floats
    a: float | None
    omega: float | None
    degree: int

    @property
    def n_nonlinear(self) -> int:
        """Number of searched parameters."""
        return 2 if self.a is not None else 3

    @property
    def dof(self) -> int:
        """Points minus all parameters."""
        linear = (self.degree + 1) * (1 if self.omega is None else 2)
        return self.curves.value.size - linear - self.n_nonlinear

    def x(self, theta: Floats) -> Floats:
        """Scaled control parameter of every point, in units of L_0."""
        return (self.curves.t - theta[0]) * np.exp(theta[1] * self.scale)

    def solve(self, theta: Floats, value: Floats | None = None) -> tuple[Floats, Floats, Floats]:
        """Eliminate the master curve.

        Args:
            theta: (t_c, kappa) or (t_c, kappa, a).
            value: Values in place of those of the curves, shape (n_points,).

        Returns:
            Weighted residuals (n,), their derivatives by theta (n, n_nonlinear) with the curve
            following, and the coefficients.
        """
        value = self.curves.value if value is None else value
        x = self.x(theta)
        middle, half = (x.max() + x.min()) / 2, (x.max() - x.min()) / 2
        basis = chebyshev.chebvander((x - middle) / half, self.degree)
        amplitude = self._amplitude(theta)
        weight = 1.0 if self.curves.exact else 1.0 / self.curves.stderr
        design = np.hstack([(weight * f)[:, None] * basis for f in amplitude])
        q, r = np.linalg.qr(design)
        target = weight * value
        coefficients = np.linalg.solve(r, q.T @ target).reshape(len(amplitude), -1)
        model = design @ coefficients.ravel()
        rise = sum(
            f * (basis[:, :-1] @ chebyshev.chebder(c) / half)
            for f, c in zip(amplitude, coefficients, strict=True)
        )
        stretch = np.exp(theta[1] * self.scale)
        columns = [-weight * rise * stretch, weight * rise * x * self.scale]
        if self.a is None:
            columns.append(-self.scale * model)
        moved = np.stack(columns, axis=1)
        return target - model, -(moved - q @ (q.T @ moved)), coefficients

    def curve(self, theta: Floats, x: Floats) -> Floats:
        """Master curve (without correction) at x in units of L_0, as a value at size L_0."""
        own = self.x(theta)
        middle, half = (own.max() + own.min()) / 2, (own.max() - own.min()) / 2
        return np.asarray(chebyshev.chebval((x - middle) / half, self.solve(theta)[2][0]))

    def fitted(self, theta: Floats) -> Floats:
        """Values of the fit at the points, shape (n_points,)."""
        residual = self.solve(theta)[0]
        error = 1.0 if self.curves.exact else self.curves.stderr
        return np.asarray(self.curves.value - residual * error)

    def refine(self, theta: Floats, value: Floats | None = None) -> tuple[Floats, float]:
        """Least squares from a start: the parameters and chi2.

        Where two parameters cannot be told apart the search ends anywhere in the valley; the
        bootstrap sees that as a large error.
        """
        memory: dict[bytes, tuple[Floats, Floats, Floats]] = {}

        def at(where: Floats) -> tuple[Floats, Floats, Floats]:
            key = where.tobytes()
            if key not in memory:
                memory.clear()
                memory[key] = self.solve(where, value)
            return memory[key]

        def residual(where: Floats) -> Floats:
            return at(where)[0]

        def derivative(where: Floats) -> Floats:
            return at(where)[1]

        span = float(np.ptp(self.curves.t))
        # Soft walls: far outside, curves of different sizes no longer overlap and anything fits.
        low = np.array([self.curves.t.min() - span, -10.0, -20.0])[: self.n_nonlinear]
        high = np.array([self.curves.t.max() + span, 10.0, 20.0])[: self.n_nonlinear]
        found = least_squares(
            residual,
            np.clip(theta, low, high),
            jac=derivative,
            bounds=(low, high),
            x_scale=np.array([span, 1.0, 1.0])[: self.n_nonlinear],
            max_nfev=60,
        )
        return found.x, 2.0 * float(found.cost)

    def without_sharpening(self, theta: Floats) -> float:
        """Chi2 of the same curve with kappa = 0 (then t_c says nothing), a refitted."""
        if self.a is not None:
            residual = self.solve(np.array([theta[0], 0.0]))[0]
            return float(residual @ residual)

        def residual_of(a: Floats) -> Floats:
            return self.solve(np.array([theta[0], 0.0, a[0]]))[0]

        return 2.0 * float(least_squares(residual_of, theta[2:], max_nfev=60).cost)

    def _amplitude(self, theta: Floats) -> list[Floats]:
        """L^-a, and L^(-a-omega) with a correction, of every point."""
        a = theta[2] if self.a is None else self.a
        factors = [np.exp(-a * self.scale)]
        if self.omega is not None:
            factors.append(factors[0] * np.exp(-self.omega * self.scale))
        return factors


def overlap(size: Floats, x: Floats) -> float:
    """Share of the points whose x lies within the range of x of some other size."""
    inside = np.zeros(x.size, dtype=bool)
    for L in np.unique(size):
        own = size == L
        inside |= ~own & (x >= x[own].min()) & (x <= x[own].max())
    return float(inside.mean())


def best_scaling(
    curves: Curves, *, a: float | None, omega: float | None, start: Floats | None = None
) -> tuple[Scaling, Floats]:
    """Degree and exponents that the data ask for.

    Starts on a grid of (t_c, kappa, a), refines the best few, and goes up in degree: 4 beyond the
    one of least corrected Akaike criterion.

    Args:
        curves: The data.
        a: Given exponent, or None.
        omega: Exponent of the correction, or None.
        start: Exponents to try first, besides the grid.

    Returns:
        The problem with its degree, and the best (t_c, kappa[, a]).

    Raises:
        ValueError: If there are fewer points than the simplest fit needs.
    """
    scale = np.log(curves.size) - np.log(curves.sizes).mean()
    linear = 1 if omega is None else 2
    room = curves.value.size - (2 if a is not None else 3) - 4
    # Times that scale into each other show the curve at as many places as one size has times; a
    # higher degree would swing between them, and collapse best with the exponent that placed them.
    places = int(np.unique(curves.size, return_counts=True)[1].max())
    largest = min(MAX_DEGREE, room // linear - 1, max(2, places - 1))
    if largest < 2:
        raise ValueError(
            f"data has {curves.value.size} points: at least {curves.value.size + 3 * linear - room}"
            " needed for a parabola and its exponents"
        )
    problem = Scaling(curves, scale, a, omega, min(_START_DEGREE, largest))
    starts = [] if start is None else [start[: problem.n_nonlinear]]
    refined = [problem.refine(theta) for theta in [*starts, *_grid(problem)]]
    theta = min(refined, key=lambda pair: pair[1])[0]
    fits, scores = [], []
    for degree in range(2, largest + 1):
        trial = replace(problem, degree=degree)
        theta, chi2 = trial.refine(theta)
        n, k = curves.value.size, curves.value.size - trial.dof
        scores.append(akaike(chi2, n, k, exact=curves.exact))
        fits.append((trial, theta))
    chosen = int(np.argmin(scores)) + _UNDERSMOOTHING
    return fits[min(chosen, len(fits) - 1)]


def _grid(problem: Scaling) -> list[Floats]:
    """The few best starting points whose sizes overlap."""
    t = problem.curves.t
    exponents: list[float | None] = [None]
    if problem.a is None:
        # The spread of the values goes as L^-a, up to what of the curve each size shows.
        sizes = problem.curves.sizes
        spread = [problem.curves.value[problem.curves.size == L].std() for L in sizes]
        guess = -np.polyfit(np.log(sizes), np.log(np.maximum(spread, 1e-300)), 1)[0]
        exponents = [guess + shift for shift in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    scored = []
    for t_c in np.linspace(t.min(), t.max(), 13):
        for kappa in (0.25, 0.5, 0.75, 1.0, 1.5, 2.5):
            for a in exponents:
                theta = np.array([t_c, kappa] if a is None else [t_c, kappa, a])
                if overlap(problem.curves.size, problem.x(theta)) >= MIN_OVERLAP:
                    residual = problem.solve(theta)[0]
                    scored.append((float(residual @ residual), theta))
    scored.sort(key=lambda pair: pair[0])
    if not scored:
        return [np.array([t.mean(), 0.1, 0.0])[: problem.n_nonlinear]]
    return [theta for _, theta in scored[:3]]
