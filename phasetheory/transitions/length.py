r"""Markov length: the scale on which conditional mutual information decays with the buffer."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from phasetheory.estimate import MIN_EFFECTIVE_SAMPLES

__all__ = ["markov_length"]

Floats = NDArray[np.float64]

#: Below this many nats the differences of exact entropies are rounding.
ROUNDING = 1e-11
#: Points a straight line needs before its error means anything.
MIN_POINTS = 4
#: A slope this many standard errors from zero counts as decay.
MIN_SIGNIFICANCE = 4.0


def markov_length(scan: xr.Dataset) -> xr.Dataset:
    r"""Markov length :math:`\xi(t)` from a weighted fit of log I against r.

    Fits :math:`\log I_t(A;C|B_r) = \log\gamma - r/\xi` at every t. Sampled points weigh by their
    standard error (that of log I is stderr/I); exact ones weigh equally, and there the error says
    how far the profile is from an exponential. Both errors are scaled up by
    :math:`\sqrt{\chi^2/\nu}` where the scatter exceeds the error bars.

    Left out: points that are not positive, are exact but below 1e-11 nats (rounding), whose error
    bar is not to be trusted, or that lie within 2 stderr of zero. Where C shrinks with r
    (a finite lattice) the last radii bend down: select the radii first,
    ``pt.markov_length(scan.sel(radius=slice(1, 8)))``.

    Args:
        scan: Result of :func:`phasetheory.scan`.

    Returns:
        Dataset over t: `xi` and `xi_stderr` (in units of radius), `gamma` (nats), `n_points`,
        `chi2_reduced` (NaN where exact) and `verdict`: "ok", or why the data support no length
        ("too few points", "no significant decay"), in which case xi is NaN.

    Raises:
        ValueError: If the dataset is not a scan.
    """
    missing = {"cmi", "cmi_stderr"} - set(scan.data_vars)
    if missing or not {"t", "radius"} <= set(scan.dims):
        raise ValueError(
            f"scan lacks {sorted(missing) or 'dims t, radius'}: give a result of pt.scan"
        )
    rows = [_fit(scan.isel(t=i)) for i in range(scan.sizes["t"])]
    fields = ("xi", "xi_stderr", "gamma", "n_points", "chi2_reduced", "verdict")
    data = xr.Dataset(
        {name: ("t", [row[name] for row in rows]) for name in fields},
        coords={"t": scan["t"]},
        attrs=dict(scan.attrs),
    )
    data["xi"].attrs = {"units": "sites", "long_name": "Markov length"}
    data["xi_stderr"].attrs = {"units": "sites", "long_name": "standard error of xi"}
    data["gamma"].attrs = {"units": "nats", "long_name": "prefactor of exp(-r/xi)"}
    return data


def _fit(profile: xr.Dataset) -> dict[str, float | int | str]:
    r = profile["radius"].values
    value, stderr = profile["cmi"].values, profile["cmi_stderr"].values
    effective = profile.get("cmi_n_effective", xr.full_like(profile["cmi"], np.inf)).values
    exact = stderr == 0
    usable = np.where(exact, value > ROUNDING, value > 2.0 * stderr)
    usable &= (effective >= MIN_EFFECTIVE_SAMPLES) & np.isfinite(value)
    n = int(usable.sum())
    refused: dict[str, float | int | str] = {
        "xi": np.nan,
        "xi_stderr": np.nan,
        "gamma": np.nan,
        "n_points": n,
        "chi2_reduced": np.nan,
    }
    if n < MIN_POINTS:
        return refused | {"verdict": "too few points"}
    r, log_i = r[usable], np.log(value[usable])
    sampled = not exact[usable].any()
    error = stderr[usable] / value[usable] if sampled else np.ones(n)
    design = np.stack([np.ones(n), r], axis=1) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    intercept, slope = covariance @ design.T @ (log_i / error)
    chi2 = float(np.square((log_i - intercept - slope * r) / error).sum() / (n - 2))
    scale = max(chi2, 1.0) if sampled else chi2
    # Few degrees of freedom: Student's t, so that 4 "standard errors" keep their meaning.
    inflate = stats.t.ppf(stats.norm.cdf(1.0), n - 2)
    slope_error = float(np.sqrt(covariance[1, 1] * scale)) * float(inflate)
    reduced = chi2 if sampled else np.nan
    if not -slope > MIN_SIGNIFICANCE * slope_error:
        return refused | {"chi2_reduced": reduced, "verdict": "no significant decay"}
    xi = -1.0 / slope
    return {
        "xi": xi,
        "xi_stderr": slope_error * xi**2,
        "gamma": float(np.exp(intercept)),
        "n_points": n,
        "chi2_reduced": reduced,
        "verdict": "ok",
    }
