r"""Noisy Ising chains of any length, infinite ones included, by transfer operators on beliefs.

Open chain at zero field with coupling J > 0. What the sites to the left say about the next spin is
one number, the field u of its belief :math:`p(x) \propto e^{u x}`. A noisy value y adds a field of
its own, half the log-likelihood ratio :math:`h = \frac12 \log p(y|+)/p(y|-)`, and a bond damps:

.. math:: u' = f(u + h), \qquad f(v) = \operatorname{artanh}(\tanh J \tanh v), \qquad
   P(h|u) = \omega(h)\, \frac{\cosh(u + h)}{\cosh u \cosh h},

with :math:`\omega` the law of h for a fair spin: a noise is nothing else. Two operators follow.

*Filter*: :math:`(F\varphi)(u) = \sum_h P(h|u)\, \varphi(u')`. After r sites the left message has
the law :math:`E_r = \delta_0 F^r`. Messages from both sides are independent but for the factor
:math:`1 + \tanh u \tanh v`, so with G(u, v) that factor times the information that y_A gives when
A has the field u + v,

.. math:: I(A;C|B_r) = (E_\infty \otimes E_\infty - E_r \otimes E_r)\, G .

*Gain*: a small change of u grows by :math:`f'(u+h)` at each site and the CMI is quadratic in it, so
it decays as :math:`\lambda^r` with the leading eigenvalue of

.. math:: (L\varphi)(u) = \sum_h P(h|u)\, f'(u+h)^2\, \varphi(u') .

Changes shrink by :math:`|f'| \le \tanh J` at each site whatever the data, so that linearising is
exact in the limit: :math:`\xi = -1/\ln\lambda`. For erasure :math:`\lambda = t \tanh^2 J`. (The
same number is the second eigenvalue of F on even functions.)

**Numerics.** Both operators map functions analytic around [-J, J] to functions analytic in a wider
region (singular at :math:`|\mathrm{Im}\, u| = \pi/2`), so a Galerkin method on n Legendre
polynomials errs by :math:`\rho^{-n}` with :math:`\ln\rho = \operatorname{arsinh}(\pi/2J)`. It acts
on :math:`\chi = \varphi \cosh u`: there the operators of a cold chain are nearly a symmetric random
walk, and their projections have no spurious eigenvalues, as those of collocation do. Only
even functions matter, since flipping all spins changes nothing.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

__all__ = ["MAX_COUPLING", "HiddenChain"]

Floats = NDArray[np.float64]

#: Largest coupling: the weight cosh u costs e^J of the accuracy.
MAX_COUPLING = 6.0
#: rho^-n at this many e-foldings is below rounding.
_FOLDS = 38.0


@dataclass(frozen=True, eq=False)
class HiddenChain:
    """A chain seen through a noise.

    Attributes:
        coupling: J > 0 of every bond, at most :data:`MAX_COUPLING`.
        h: Fields that an observation can give, shape (m,); +-inf where it tells the spin.
        weight: Their probabilities for a fair spin, shape (m,), symmetric under h -> -h.

    Cost: m n^2 for the operators, n^3 for the decay, n^2 a site of the radius, with n about
    24 J (at least 24) polynomials, half of them even.
    """

    coupling: float
    h: Floats
    weight: Floats

    @cached_property
    def operators(self) -> tuple[Floats, Floats]:
        """Matrices of the filter F and of the gain L on even polynomials chi."""
        u, J = self._points, self.coupling
        filtered, gain = np.zeros((2, u.size, self._degrees.size))
        for h, weight in zip(self.h, self.weight, strict=True):
            after, slope, log_weight = self._damped(h)
            rows = weight * np.exp(log_weight)[:, None] * self._basis(after / J)
            filtered += rows
            gain += np.square(slope)[:, None] * rows
        project = self._projection
        return project @ filtered, project @ gain

    @property
    def decay(self) -> float:
        """Leading eigenvalue of the gain: the factor of the CMI a site of the radius."""
        return float(np.abs(np.linalg.eigvals(self.operators[1])).max())

    def cmi(self, radii: NDArray[np.int64], arms: tuple[float, float]) -> Floats:
        """I(A;C|B_r) in nats.

        Args:
            radii: Sites of the buffer on either side, shape (k,).
            arms: Sites to the left and right of A in all, infinity allowed.

        Returns:
            Shape (k,). Differences E_inf - E_r are propagated by themselves, so that small values
            keep their relative accuracy.
        """
        limit, constant = self._limit
        # E_inf - E_r for every r, kept free of what rounding adds along E_inf.
        rest = [limit - self._basis(np.zeros(1))[0]]
        for _ in range(max([int(radii.max()), *(int(n) for n in arms if np.isfinite(n))])):
            ahead = rest[-1] @ self.operators[0]
            rest.append(ahead - (ahead @ constant) * limit)
        table = self._information()
        values = np.empty(radii.size)
        for index, r in enumerate(radii):
            here = [rest[int(min(r, n))] for n in arms]
            end = [np.zeros_like(limit) if np.isinf(n) else rest[int(n)] for n in arms]
            left, right = (a - b for a, b in zip(here, end, strict=True))
            values[index] = left @ table @ (limit - end[1]) + (limit - here[0]) @ table @ right
        return values

    @cached_property
    def _limit(self) -> tuple[Floats, Floats]:
        """E_inf as a functional on coefficients, and the coefficients of the constant 1."""
        constant = self._projection @ np.cosh(self._points)
        some = constant / (constant @ constant)
        matrix = np.eye(constant.size) - self.operators[0] + np.outer(constant, some)
        limit = np.linalg.solve(matrix.T, some)  # E (1 - F + c s) = s, where s c = 1
        return limit / (limit @ constant), constant

    def _information(self) -> Floats:
        """Coefficients of G(u, v) cosh u cosh v = cosh(u + v) I(y_A; x_A | field u + v)."""
        total = np.add.outer(self._points, self._points)
        terms = np.zeros_like(total)
        for h, weight in zip(self.h, self.weight, strict=True):
            # (1 + d) log(1 + d) - d, every term >= 0; the d's average to zero.
            log_ratio = _log_ratio(total, h)
            terms += weight * (np.exp(log_ratio) * log_ratio - np.expm1(log_ratio))
        return np.asarray(self._projection @ (np.cosh(total) * terms) @ self._projection.T)

    def _damped(self, h: float) -> tuple[Floats, Floats, Floats]:
        """u', f'(u + h), and log of P(h|u)/omega(h) times cosh u/cosh u' at the points."""
        u, J = self._points, self.coupling
        if np.isinf(h):
            after = np.full(u.size, np.sign(h) * J)
            return after, np.zeros(u.size), np.sign(h) * u - _log_cosh(after)
        v = u + h
        after = np.clip(0.5 * (_log_cosh(v + J) - _log_cosh(v - J)), -J, J)
        slope = 0.5 * (np.tanh(v + J) - np.tanh(v - J))
        return after, slope, _log_cosh(v) - _log_cosh(after) - _log_cosh(np.array(h))

    @cached_property
    def _degrees(self) -> NDArray[np.int64]:
        n = max(24, int(np.ceil(_FOLDS / np.arcsinh(np.pi / (2.0 * self.coupling)))))
        return np.arange(0, n, 2)

    @cached_property
    def _points(self) -> Floats:
        """Gauss-Legendre points on [-J, J], four for every even polynomial."""
        return self.coupling * legendre.leggauss(4 * self._degrees.size)[0]

    @cached_property
    def _projection(self) -> Floats:
        """From values at the points to coefficients."""
        x, weight = legendre.leggauss(4 * self._degrees.size)
        return np.asarray((self._basis(x) * weight[:, None]).T)

    def _basis(self, x: Floats) -> Floats:
        """Orthonormal even Legendre polynomials at x in [-1, 1], shape (points, n/2)."""
        norm = np.sqrt(self._degrees + 0.5)
        return np.asarray(legendre.legvander(x, self._degrees[-1])[:, self._degrees] * norm)


def _log_cosh(x: Floats) -> Floats:
    size = np.abs(x)
    return np.asarray(size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0))


def _log_ratio(u: Floats, h: float) -> Floats:
    """Log of P(h|u)/omega(h) = cosh(u + h)/(cosh u cosh h), infinite h included."""
    if np.isinf(h):
        return np.asarray(np.sign(h) * u - _log_cosh(u))
    return _log_cosh(u + h) - _log_cosh(u) - _log_cosh(np.array(h))
