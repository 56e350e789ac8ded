r"""Fits of :math:`\log\xi = \log\xi_\pm - \nu \log|t - t_c|`: linear but for t_c."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from phasetheory.transitions.bootstrap import half_widths
from phasetheory.transitions.linear import LinearFit, fit, whiten

__all__ = ["SIDES", "CriticalLaw"]

Floats = NDArray[np.float64]

SIDES = ("both", "below", "above")
#: Distances of t_c from the data, in widths of the data, that a one-sided fit looks at.
_REACH = np.geomspace(1e-4, 30.0, 60)
#: Places looked at within each gap between times, and roundings in units of the data's width.
_PLACES = np.array([0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97])
_ROUNDINGS = np.geomspace(3e-3, 1.0, 16)


@dataclass(frozen=True, eq=False)
class CriticalLaw:
    """The linear problem at every t_c, and where to look for t_c.

    Attributes:
        t: Times, shape (n,), increasing.
        side: "both", or where the times lie as seen from t_c: "below" or "above".
    """

    t: Floats
    side: str

    def columns(self, t_c: float, rounding: float = 0.0) -> Floats:
        """Design of log xi: one level, or one for each side, then nu.

        Args:
            t_c: Critical time.
            rounding: w >= 0 of a length that stays finite, ((t - t_c)^2 + w^2)^(-nu/2).
        """
        decay = -0.5 * np.log(np.square(self.t - t_c) + rounding**2)
        if self.side != "both":
            return np.stack([np.ones(self.t.size), decay], axis=1)
        below = (self.t < t_c).astype(float)
        return np.stack([below, 1.0 - below, decay], axis=1)

    def fit(self, t_c: float, y: Floats, error: Floats | None, rounding: float = 0.0) -> LinearFit:
        """Best levels and nu for log xi = y with errors (n,), or None where exact."""
        return fit(self.columns(t_c, rounding), y, error)

    @property
    def brackets(self) -> list[Floats]:
        """Trial values of t_c, one array for each interval within which chi2 is smooth."""
        if self.side == "both":
            # chi2 jumps where t_c passes a time; two times at least stay on each side.
            inner = zip(self.t[1:-2], self.t[2:-1], strict=True)
            return [low + (high - low) * _PLACES for low, high in inner]
        span = float(np.ptp(self.t))
        if self.side == "below":
            return [self.t[-1] + span * _REACH]
        return [self.t[0] - span * _REACH[::-1]]

    @property
    def farthest(self) -> float:
        """The t_c that stands for infinity, where the law is an exponential in t."""
        return float(self.brackets[0][-1 if self.side == "below" else 0])

    def best(
        self, y: Floats, error: Floats | None, rounding: float = 0.0
    ) -> tuple[float, LinearFit]:
        """Best t_c, and the fit there; arguments as in :meth:`fit`."""
        trials, bases = self._trials(error, rounding)
        return self._polished(y, error, rounding, (trials, bases))

    def _trials(self, error: Floats | None, rounding: float) -> tuple[Floats, Floats]:
        """Trial t_c (n_brackets, m), and orthonormal bases of their fits (n_brackets, m, n, k)."""
        trials = np.stack(self.brackets)
        designs = [whiten(error, self.columns(t_c, rounding)) for t_c in trials.ravel()]
        bases = np.linalg.qr(np.stack(designs))[0]
        return trials, bases.reshape(*trials.shape, *bases.shape[1:])

    def _polished(
        self,
        y: Floats,
        error: Floats | None,
        rounding: float,
        trials: tuple[Floats, Floats],
    ) -> tuple[float, LinearFit]:
        """Best trial, improved within its bracket and within the second best one."""
        times, bases = trials
        target = whiten(error, y)
        inside = np.einsum("gmnk,n->gmk", bases, target)
        left = target - np.einsum("gmnk,gmk->gmn", bases, inside)
        values = np.square(left).sum(axis=-1)

        def chi2(t_c: float) -> float:
            design = whiten(error, self.columns(float(t_c), rounding))
            q = np.linalg.qr(design)[0]
            return float(np.square(target - q @ (q.T @ target)).sum())

        found = []
        for g in np.argsort(values.min(axis=1))[:2]:
            k = int(np.argmin(values[g]))
            found.append((float(values[g, k]), float(times[g, k])))
            around = times[g, max(k - 1, 0) : k + 2]
            sharp = minimize_scalar(
                chi2, bounds=(around[0], around[-1]), method="bounded", options={"xatol": 1e-10}
            )
            found.append((float(sharp.fun), float(sharp.x)))
        t_c = min(found)[1]
        return t_c, self.fit(t_c, y, error, rounding)

    def rounded(self, y: Floats, error: Floats | None) -> LinearFit:
        """Best fit of a length that stays finite."""
        span = float(np.ptp(self.t))
        fits = [self.best(y, error, w * span)[1] for w in _ROUNDINGS]
        return min(fits, key=lambda line: line.chi2)

    def errors(
        self, t_c: float, line: LinearFit, error: Floats | None, noise: Floats
    ) -> tuple[float, float]:
        """One-sigma errors of t_c and nu by a parametric bootstrap.

        Args:
            t_c: Best critical time.
            line: The fit there.
            error: Errors of the data, shape (n,), or None where exact.
            noise: Standard normal numbers, shape (n_resamples, n).

        Returns:
            Half the distances of the 16 % and 84 % quantiles.
        """
        spread = line.chi2 / (line.dof - 1)  # t_c is a parameter too
        size = np.sqrt(spread) if error is None else error * np.sqrt(max(1.0, spread))
        centre = self.columns(t_c) @ line.coefficients
        trials = self._trials(error, 0.0)
        found = [self._polished(centre + size * row, error, 0.0, trials) for row in noise]
        draws = np.array([(time, refit.coefficients[-1]) for time, refit in found])
        of_t_c, of_nu = half_widths(draws)
        return of_t_c, of_nu
