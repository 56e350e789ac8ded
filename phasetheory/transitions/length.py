r"""Markov length: the scale on which conditional mutual information decays with the buffer."""

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from phasetheory.estimate import MIN_EFFECTIVE_SAMPLES
from phasetheory.transitions.decay import decay_law
from phasetheory.transitions.linear import MIN_SIGNIFICANCE, fit

__all__ = ["markov_length"]

Floats = NDArray[np.float64]

#: Below this many nats the differences of exact entropies are rounding.
ROUNDING = 1e-11
#: Points a straight line needs before its error means anything.
MIN_POINTS = 4

_TEXT = {
    "xi": ("sites", "Markov length"),
    "xi_stderr": ("sites", "standard error of xi"),
    "gamma": ("nats", "prefactor of exp(-r/xi)"),
    "n_points": ("1", "radii that entered the fit"),
    "chi2_reduced": ("1", "chi2 per degree of freedom of the exponential"),
    "p_value": ("1", "probability of a larger chi2 for the exponential"),
    "exponent": ("1", "eta of the power law r^-eta"),
    "exponent_stderr": ("1", "standard error of eta"),
    "chi2_reduced_power": ("1", "chi2 per degree of freedom of the power law"),
    "preference": ("1", "chi2 of the power law minus that of the exponential"),
    "mixed_rate": ("1/sites", "1/xi of r^-eta exp(-r/xi)"),
    "mixed_rate_stderr": ("1/sites", "its standard error"),
    "mixed_exponent": ("1", "eta of r^-eta exp(-r/xi)"),
    "mixed_exponent_stderr": ("1", "its standard error"),
}

Row = dict[str, float | int | str]


def markov_length(scan: xr.Dataset, *, covariance: ArrayLike | None = None) -> xr.Dataset:
    r"""Markov length :math:`\xi(t)` from a weighted fit of log I against r.

    Fits :math:`\log I_t(A;C|B_r) = \log\gamma - r/\xi` at every t. Sampled points weigh by their
    standard error (that of log I is stderr/I); exact ones weigh equally, and there the error says
    how far the profile is from an exponential. Both errors are scaled up by
    :math:`\sqrt{\chi^2/\nu}` where the scatter exceeds the error bars.

    The same points are fitted by a power law :math:`r^{-\eta}`, and `decay` says which of the two
    the data prefer (:mod:`phasetheory.transitions.decay`). Where that is the power law, xi is only
    the range of radii in disguise.

    Radii of one scan share their samples, hence their errors: mostly a common factor, which moves
    log gamma and not the slope. Without `covariance` the fit takes errors as independent: then
    `xi_stderr` is usually too large, chi2 too small, and `preference` too timid. But errors
    correlated over a few neighbouring radii only make it too small.

    Left out: points that are not positive, are exact but below 1e-11 nats (rounding), whose error
    bar is not to be trusted, or that lie within 2 stderr of zero. Where C shrinks with r
    (a finite lattice) the last radii bend down: select the radii first,
    ``pt.markov_length(scan.sel(radius=slice(1, 8)))``.

    Args:
        scan: Result of :func:`phasetheory.scan`.
        covariance: Of the sampled values over radii, shape (n_t, n_radius, n_radius), nats^2;
            in place of `cmi_stderr`. All values sampled, all times the same radii.

    Returns:
        Dataset over t: `xi` and `xi_stderr` (in units of radius), `gamma` (nats), `n_points`,
        `chi2_reduced` and `p_value` (NaN where exact) and `verdict`: "ok", or why the data support
        no length ("too few points", "no significant decay"), in which case xi is NaN. Also
        `decay`: "exponential", "power law", "undecided", "neither" (both rejected) or "" (fewer
        than 4 points at r > 0); `preference`, the difference of chi2 behind it;
        `exponent` and `chi2_reduced_power` of the power law; `mixed_rate` and `mixed_exponent` of
        :math:`r^{-\eta} e^{-r/\xi}` (5 points at least), each with `_stderr`.

    Raises:
        ValueError: If the dataset is not a scan, or the covariance does not fit it.
    """
    missing = {"cmi", "cmi_stderr"} - set(scan.data_vars)
    if missing or not {"t", "radius"} <= set(scan.dims):
        raise ValueError(
            f"scan lacks {sorted(missing) or 'dims t, radius'}: give a result of pt.scan"
        )
    scan = scan.transpose("t", "radius", ...)
    matrices = [None] * scan.sizes["t"] if covariance is None else _checked(scan, covariance)
    rows = [_row(scan.isel(t=i), matrix) for i, matrix in enumerate(matrices)]
    data = xr.Dataset(
        {name: ("t", [row[name] for row in rows]) for name in (*_TEXT, "decay", "verdict")},
        coords={"t": scan["t"]},
        attrs=dict(scan.attrs),
    )
    for name, (units, long_name) in _TEXT.items():
        data[name].attrs = {"units": units, "long_name": long_name}
    return data


def _checked(scan: xr.Dataset, covariance: ArrayLike) -> list[Floats]:
    matrices = np.asarray(covariance, dtype=float)
    n_t, n_r = scan.sizes["t"], scan.sizes["radius"]
    if matrices.shape != (n_t, n_r, n_r):
        raise ValueError(f"covariance has shape {matrices.shape}: ({n_t}, {n_r}, {n_r}) needed")
    skew = np.abs(matrices - matrices.swapaxes(1, 2)).max()
    if not skew <= 1e-9 * np.abs(matrices).max():
        raise ValueError(f"covariance differs from its transpose by {skew:.2g}: symmetric needed")
    return list(matrices)


def _row(profile: xr.Dataset, covariance: Floats | None) -> Row:
    r, value = profile["radius"].values.astype(float), profile["cmi"].values
    stderr = profile["cmi_stderr"].values
    if covariance is not None:
        stderr = np.sqrt(np.diag(covariance))
    effective = profile.get("cmi_n_effective", xr.full_like(profile["cmi"], np.inf)).values
    exact = stderr == 0
    usable = np.where(exact, value > ROUNDING, value > 2.0 * stderr)
    usable &= (effective >= MIN_EFFECTIVE_SAMPLES) & np.isfinite(value)
    kept = np.flatnonzero(usable)
    row: Row = {name: float("nan") for name in _TEXT}
    row |= {"n_points": kept.size, "decay": ""}
    if kept.size < MIN_POINTS:
        return row | {"verdict": "too few points"}
    error: Floats | None = None
    if covariance is not None:
        error = covariance[np.ix_(kept, kept)] / np.outer(value[kept], value[kept])
    elif not exact[kept].any():
        error = stderr[kept] / value[kept]
    return row | _fitted(r[kept], np.log(value[kept]), error)


def _fitted(r: Floats, log_value: Floats, error: Floats | None) -> Row:
    line = fit(np.stack([np.ones(r.size), -r], axis=1), log_value, error)
    rate, rate_error = float(line.coefficients[1]), float(line.stderr[1])
    row: Row = {"chi2_reduced": line.reduced, "p_value": line.p_value}
    decay = decay_law(r, log_value, error)
    if decay is not None:
        row |= {
            "decay": decay.verdict,
            "preference": decay.preference,
            "exponent": float(decay.power.coefficients[1]),
            "exponent_stderr": float(decay.power.stderr[1]),
            "chi2_reduced_power": decay.power.reduced,
        }
        if decay.mixed is not None:
            names = ("mixed_exponent", "mixed_rate")
            row |= dict(zip(names, decay.mixed.coefficients[1:].tolist(), strict=True))
            names = ("mixed_exponent_stderr", "mixed_rate_stderr")
            row |= dict(zip(names, decay.mixed.stderr[1:].tolist(), strict=True))
    if not rate > MIN_SIGNIFICANCE * rate_error:
        return row | {"verdict": "no significant decay", "decay": ""}
    return row | {
        "xi": 1.0 / rate,
        "xi_stderr": rate_error / rate**2,
        "gamma": float(np.exp(line.coefficients[0])),
        "verdict": "ok",
    }
