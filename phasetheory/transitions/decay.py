r"""Exponential or power law: which of the two a profile decays by, decided by the data.

Three forms, each linear in its parameters:

.. math:: \log I = c - r/\xi, \qquad \log I = c - \eta \log r, \qquad
          \log I = c - \eta \log r - r/\xi .

The first two have equally many, so that their difference of :math:`\chi^2` is twice the log of the
likelihood ratio and needs no penalty. Both are straight lines against some u(r). If one of them is
true, the other wins by more than T with probability at most :math:`\Phi(-\sqrt T)`, whatever the
amplitude, rate and error bars: with T = 9, 0.13 %. (With unit vectors along the two u, at angle
:math:`\theta`, the difference is a product of two independent normal numbers; it is most often
wrong where the laws differ by :math:`\sqrt T` errors.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasetheory.transitions.linear import DECISIVE, MIN_P_VALUE, LinearFit, fit

__all__ = ["Decay", "decay_law"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Decay:
    r"""Both laws fitted to one profile, and the form that contains them.

    Attributes:
        exponential: Coefficients (c, 1/xi).
        power: Coefficients (c, eta).
        mixed: Coefficients (c, eta, 1/xi), or None with fewer than 5 radii.
        preference: :math:`\chi^2_{power} - \chi^2_{exponential}`; positive is for the
            exponential. For exact data n log of the ratio of squared misfits.
    """

    exponential: LinearFit
    power: LinearFit
    mixed: LinearFit | None
    preference: float

    @property
    def verdict(self) -> str:
        """One of "exponential", "power law", "undecided", "neither".

        "neither" where the better one is rejected (p < 0.001); the mixed form may then fit.
        """
        better = self.exponential if self.preference > 0 else self.power
        if better.p_value < MIN_P_VALUE:
            return "neither"
        if abs(self.preference) <= DECISIVE:
            return "undecided"
        return "exponential" if self.preference > 0 else "power law"


def decay_law(r: Floats, log_value: Floats, error: Floats | None) -> Decay | None:
    """Fit both laws to the points at r > 0.

    Args:
        r: Distances, shape (n,); r = 0 is left out, where a power law says nothing.
        log_value: Natural log of the values, shape (n,).
        error: Standard errors (n,) or covariance (n, n) of log_value; None where exact.

    Returns:
        The comparison; None with fewer than 4 usable radii.

    Source: Vuong, Econometrica 57, 307 (1989), for likelihood ratios of laws that are not nested.
    """
    kept = np.flatnonzero(r > 0)
    if kept.size < 4:
        return None
    if error is not None:
        error = error[kept] if error.ndim == 1 else error[np.ix_(kept, kept)]
    r, log_value = r[kept], log_value[kept]
    columns = np.stack([np.ones(kept.size), -np.log(r), -r], axis=1)
    exponential = fit(columns[:, [0, 2]], log_value, error)
    power = fit(columns[:, [0, 1]], log_value, error)
    mixed = fit(columns, log_value, error) if kept.size >= 5 else None
    return Decay(exponential, power, mixed, exponential.likelihood_against(power))
