r"""The divergence of a length, :math:`\xi \sim |t - t_c|^{-\nu}`, or why there is none to fit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from phasetheory.estimate import Estimate
from phasetheory.transitions.critical_law import SIDES, CriticalLaw
from phasetheory.transitions.linear import DECISIVE, MIN_P_VALUE, MIN_SIGNIFICANCE

__all__ = ["Divergence", "diverging_length"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Divergence:
    r"""A fit of :math:`\xi(t) = \xi_\pm\,|t - t_c|^{-\nu}`.

    Attributes:
        t_c: Where the length diverges; NaN where refused.
        nu: Its exponent; NaN where refused.
        amplitude: Its factors below and above t_c; NaN on a side that was not fitted.
        side: "both", "below" or "above".
        n_points: Lengths that entered.
        chi2: Of log xi; NaN where the lengths have no errors.
        dof: Points minus parameters.
        verdict: "ok", or why the data support no divergence (see :func:`diverging_length`).
    """

    t_c: Estimate
    nu: Estimate
    amplitude: tuple[float, float]
    side: str
    n_points: int
    chi2: float
    dof: int
    verdict: str

    @property
    def ok(self) -> bool:
        """Whether the data support a divergence."""
        return self.verdict == "ok"

    @property
    def p_value(self) -> float:
        """Probability of a larger chi2 if the law is right; NaN for lengths without errors."""
        return float(stats.chi2.sf(self.chi2, self.dof)) if self.dof > 0 else np.nan

    def __str__(self) -> str:
        """Return the verdict and, where there is one, the divergence."""
        if not self.ok:
            return f"{self.verdict} ({self.n_points} lengths)"
        return (
            f"ok: t_c = {self.t_c.value:.6g} +- {self.t_c.stderr:.2g},"
            f" nu = {self.nu.value:.4g} +- {self.nu.stderr:.2g}"
            f" ({self.n_points} lengths, p = {self.p_value:.2g})"
        )


def diverging_length(
    t: ArrayLike | xr.Dataset,
    xi: ArrayLike | None = None,
    stderr: ArrayLike = 0.0,
    *,
    side: str = "both",
    n_resamples: int = 200,
    rng: Any = 0,
) -> Divergence:
    r"""Fit :math:`\log\xi = \log\xi_\pm - \nu \log|t - t_c|`, or refuse.

    For every t_c the other parameters are linear; t_c is searched between the times (side "both":
    one nu, two amplitudes) or beyond them. Errors are those of a parametric bootstrap (half the
    distance of the 16 % and 84 % quantiles); lengths without errors are taken to scatter by as
    much as the fit leaves over, which for exact lengths is not noise but corrections to the law.

    **Verdict**: "ok", or the first that holds of

    - "too few points": fewer than parameters + 2, or fewer than 2 on a side;
    - "does not grow": nu is less than 4 errors above zero even if t_c were known;
    - "t_c not bounded": one-sided data are as well described by a t_c infinitely far away, that
      is by an exponential in t (chi2 rises by less than 9): the window is too narrow or too far;
    - "stays finite": two-sided data prefer :math:`((t - t_c)^2 + w^2)^{-\nu/2}` with w > 0 by more
      than 9 in chi2: a crossover, or a transition rounded by finite size;
    - "not a power law": p < 0.001;
    - "not determined": nu is less than 4 of its errors above zero.

    Args:
        t: Times, shape (n,), or the result of :func:`phasetheory.markov_length`, of which the
            lengths are taken whose verdict is "ok" and whose `decay` is not a power law; as
            lengths without errors if all come from exact profiles.
        xi: Lengths, shape (n,), positive; not with a dataset.
        stderr: Their standard errors, all positive or all 0; not with a dataset.
        side: "both", or "below" or "above": where the data lie as seen from t_c.
        n_resamples: Resamples of the bootstrap, at least 20.
        rng: Generator or seed.

    Returns:
        The fit; t_c and nu are NaN unless the verdict is "ok".

    Raises:
        ValueError: If shapes do not fit, a length or an error is out of range, times repeat, or the
            side is unknown.

    Cost: 2 ms a resample with 20 points.
    """
    if side not in SIDES:
        raise ValueError(f"side={side!r}: one of {', '.join(SIDES)} needed")
    if n_resamples < 20:
        raise ValueError(f"n_resamples={n_resamples}: at least 20 needed for an error")
    times, lengths, errors = _lengths(t, xi, stderr)
    order = np.argsort(times)
    times, y = times[order], np.log(lengths[order])
    error = (errors / lengths)[order] if errors.any() else None
    n_parameters = 4 if side == "both" else 3
    refusal = _Refusal(side, times.size, times.size - n_parameters)
    if refusal.dof < 2:
        return refusal("too few points")
    law = CriticalLaw(times, side)
    t_c, line = law.best(y, error)
    nu = float(line.coefficients[-1])
    if not nu > MIN_SIGNIFICANCE * line.stderr[-1]:
        return refusal("does not grow")
    if side != "both":
        far = law.fit(law.farthest, y, error)
        if line.likelihood_against(far) <= DECISIVE:
            return refusal("t_c not bounded")
    elif law.rounded(y, error).likelihood_against(line) > DECISIVE:
        return refusal("stays finite")
    if error is not None and stats.chi2.sf(line.chi2, refusal.dof) < MIN_P_VALUE:
        return refusal("not a power law", line.chi2)
    noise = np.random.default_rng(rng).standard_normal((n_resamples, y.size))
    t_error, nu_error = law.errors(t_c, line, error, noise)
    if not nu > MIN_SIGNIFICANCE * nu_error:
        return refusal("not determined", line.chi2)
    amplitude = np.exp(line.coefficients[:-1]).tolist()
    sides = {"both": amplitude, "below": [*amplitude, np.nan], "above": [np.nan, *amplitude]}
    return Divergence(
        Estimate(t_c, t_error, times.size, unit="1"),
        Estimate(nu, nu_error, times.size, unit="1"),
        (sides[side][0], sides[side][1]),
        side,
        times.size,
        np.nan if error is None else line.chi2,
        refusal.dof,
        "ok",
    )


@dataclass(frozen=True)
class _Refusal:
    side: str
    n_points: int
    dof: int

    def __call__(self, verdict: str, chi2: float = np.nan) -> Divergence:
        nothing = Estimate(np.nan, np.nan, self.n_points, unit="1")
        return Divergence(
            nothing, nothing, (np.nan, np.nan), self.side, self.n_points, chi2, self.dof, verdict
        )


def _lengths(
    t: ArrayLike | xr.Dataset, xi: ArrayLike | None, stderr: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Times, lengths and errors, checked."""
    if isinstance(t, xr.Dataset):
        missing = {"xi", "xi_stderr", "chi2_reduced", "verdict", "decay"} - set(t.data_vars)
        if missing or xi is not None:
            raise ValueError(
                f"t lacks {sorted(missing)}: give a result of pt.markov_length"
                if missing
                else "xi given beside a dataset: give one of them"
            )
        good = (t["verdict"].values == "ok") & (t["decay"].values != "power law")
        times, lengths, errors = (t[name].values[good] for name in ("t", "xi", "xi_stderr"))
        if np.isnan(t["chi2_reduced"].values[good]).all():
            # Their errors say how far each profile is from an exponential, which is not noise.
            errors = np.zeros_like(errors)
        return times.astype(float), lengths, errors
    times = np.asarray(t, dtype=float)
    lengths = np.asarray(np.nan if xi is None else xi, dtype=float)
    if times.ndim != 1 or lengths.shape != times.shape:
        raise ValueError(f"xi has shape {lengths.shape}: {times.shape}, one a time, needed")
    if not np.isfinite(times).all() or np.unique(times).size != times.size:
        raise ValueError("t holds repeated or infinite times: distinct finite ones needed")
    errors = np.broadcast_to(np.asarray(stderr, dtype=float), times.shape)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ValueError(f"xi holds {np.min(lengths)}: positive lengths needed")
    if not (np.isfinite(errors).all() and (errors >= 0).all()):
        raise ValueError("stderr holds a negative number or NaN: numbers >= 0 needed")
    if errors.any() and not errors.all():
        raise ValueError(
            f"stderr is 0 for {int((errors == 0).sum())} of {errors.size} lengths: give all of"
            " them an error, or none"
        )
    return times, lengths, errors
