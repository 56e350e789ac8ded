r"""How the windows of the two-cluster mixture narrow with the size of the image.

N x N pixels, two clusters :math:`\pm\mu` of variance v, linear schedule, one pixel A; a share
:math:`\beta` of the pixels is the buffer, the rest C. Every information is one function of

.. math:: K_R^2 = \frac{(1-t)^2 \mu^2 |R|}{(1-t)^2 v + t^2}

(F as in ``phasetheory.engines.binary_input``), the label explains all of the CMI
(:math:`\kappa = 1`), and for a threshold :math:`\delta = \delta_0/N^2` the four ends are where

- speciation starts: :math:`F(K_B) - F(K_{AB}(0)) = \delta`, a tail
  :math:`e^{-K_B^2/2} \sim 1/N^2`, so :math:`1 - t \simeq K_*/(\mu \sqrt\beta N)` with
  :math:`K_*^2 = W(\pi/2\delta^2) \simeq 4 \ln N` (Lambert's W): :math:`\sqrt{\log N}/N`;
- nonlocality starts and ends: :math:`I_t(A;C|B) = \delta` at :math:`K_B` of order one: :math:`1/N`;
- speciation ends: :math:`\ln 2 - F(K_{ABC}) \simeq K_{ABC}^2/2 = \delta`, so
  :math:`1 - t \simeq \sqrt{2\delta_0}/(\mu N^2)`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import lambertw
from scipy.stats import linregress

from phasetheory.engines.binary_input import binary_entropy_loss

__all__ = ["ENDS", "fit_window_ends", "mixture_windows"]

Floats = NDArray[np.float64]

#: The four ends in the order of time, with the power of N that 1 - t must follow.
ENDS = {
    "speciation_start": -1.0,
    "nonlocality_start": -1.0,
    "nonlocality_end": -1.0,
    "speciation_end": -2.0,
}
#: Largest N: beyond it differences of F of order 1/N^2 lose their digits.
MAX_SIZE = 10_000
#: Range of log(1 - t) searched.
_LOG_SIGNAL = (np.log(1e-14), np.log(0.999))


def mixture_windows(
    sizes: Sequence[int],
    *,
    threshold: float = 0.1,
    share: float = 0.25,
    mean: float = 1.0,
    variance: float = 1.0,
) -> xr.Dataset:
    r"""Ends of both windows of the two-cluster mixture on N x N pixels, to rounding.

    Args:
        sizes: N, each from 4 to 10^4.
        threshold: :math:`\delta_0`; the threshold is :math:`\delta_0/N^2` nats. At most about
            0.9 for a quarter of the pixels in B: beyond it the CMI never reaches it.
        share: :math:`\beta` in (0, 1): B has round(beta N^2) pixels, C all others but A.
        mean: :math:`\mu` > 0, in units of the data.
        variance: v >= 0, in squared units.

    Returns:
        Dataset over size: 1 - t at `speciation_start`, `nonlocality_start`, `nonlocality_end`,
        `speciation_end` (falling, no unit), and the leading asymptotic forms of the first and the
        last, `speciation_start_theory` and `speciation_end_theory`.

    Raises:
        ValueError: If a parameter leaves its range, or the threshold lies above the largest CMI.

    Cost: about 10 ms a size. Source: Liu et al. 2026; forms derived above.
    """
    n = np.asarray(sizes)
    if n.ndim != 1 or not n.size or (n != np.round(n)).any() or n.min() < 4 or n.max() > MAX_SIZE:
        raise ValueError(f"sizes={sizes!r}: whole numbers from 4 to {MAX_SIZE} needed")
    limits = {"threshold": (threshold, np.inf), "share": (share, 1.0), "mean": (mean, np.inf)}
    for name, (value, top) in limits.items():
        if not 0 < value < top:
            raise ValueError(f"{name}={value}: a number in (0, {top}) needed")
    if not 0 <= variance < np.inf:
        raise ValueError(f"variance={variance}: a finite number >= 0 needed")
    rows = [_ends(int(size), threshold, share, mean, variance) for size in n]
    delta = threshold / n.astype(float) ** 2
    tail = np.sqrt([lambertw(complex(x)).real for x in 0.5 * np.pi / delta**2])
    data = xr.Dataset(
        {
            name: ("size", np.array(c))
            for name, c in zip(ENDS, zip(*rows, strict=True), strict=True)
        },
        coords={"size": n},
        attrs={"threshold": threshold, "share": share, "mean": mean, "variance": variance},
    )
    data["speciation_start_theory"] = ("size", tail / (mean * np.sqrt(share) * n))
    data["speciation_end_theory"] = (
        "size",
        np.sqrt(2.0 * threshold) / (mean * n.astype(float) ** 2),
    )
    for column in data.data_vars:
        data[column].attrs = {"units": "1", "long_name": "1 - t"}
    return data


def fit_window_ends(windows: xr.Dataset) -> xr.Dataset:
    r"""Exponents of the window ends against N, compared with the theory.

    Least squares of log(1 - t) against log N; the start of speciation, which goes as
    :math:`\sqrt{\log N}/N`, twice: as it stands, and with the factor :math:`K_*(N)` divided out.

    Args:
        windows: Result of :func:`phasetheory.mixture_windows`, at least 4 sizes.

    Returns:
        Dataset over `end` (the four ends, and "speciation_start / K*"): `exponent`, `stderr` (of
        the straight line: it measures curvature, for there is no noise), `expected`.

    Raises:
        ValueError: If the dataset is no such result or has too few sizes.
    """
    missing = set(ENDS) - set(windows.data_vars)
    if missing or windows.sizes["size"] < 4:
        raise ValueError(
            f"windows lack {sorted(missing) or 'sizes: at least 4'}: give a result of"
            " mixture_windows"
        )
    size = windows["size"].values.astype(float)
    curves = {name: windows[name].values for name in ENDS}
    slow = windows["speciation_start_theory"].values * size
    curves["speciation_start / K*"] = windows["speciation_start"].values / slow
    fits = [linregress(np.log(size), np.log(curve)) for curve in curves.values()]
    return xr.Dataset(
        {
            "exponent": ("end", [fit.slope for fit in fits]),
            "stderr": ("end", [fit.stderr for fit in fits]),
            "expected": ("end", [*ENDS.values(), -1.0]),
        },
        coords={"end": list(curves)},
    )


def _ends(
    size: int, threshold: float, share: float, mean: float, variance: float
) -> tuple[float, float, float, float]:
    """1 - t at the four ends."""
    delta = threshold / size**2
    whole = size**2
    buffer = min(max(1, round(share * whole)), whole - 2)

    def loss(log_signal: float, *counts: int) -> Floats:
        u = np.exp(log_signal)
        return binary_entropy_loss(
            u * mean * np.sqrt(np.array(counts) / (u**2 * variance + (1 - u) ** 2))
        )

    def nonlocal_excess(log_signal: float) -> float:
        b, ab, bc, abc = loss(log_signal, buffer, buffer + 1, whole - 1, whole)
        return float((b - ab) - (bc - abc)) - delta

    with np.errstate(divide="ignore"):
        clean = float(binary_entropy_loss(mean * np.sqrt((buffer + 1) / np.float64(variance))))
    low, high = _LOG_SIGNAL
    # The CMI peaks where B is about to lose the label: K_B of order one.
    middle = -np.log(mean * np.sqrt(buffer) + 1.0)
    top = minimize_scalar(
        lambda x: -nonlocal_excess(x),
        bounds=(middle - 4.0, min(middle + 4.0, high)),
        method="bounded",
    )
    if -top.fun <= 0:
        raise ValueError(
            f"threshold={threshold}: on {size} x {size} pixels N^2 I_t(A;C|B) does not exceed"
            f" {(delta - top.fun) * whole:.3g}; take a smaller one"
        )
    return (
        _root(lambda x: float(loss(x, buffer)[0]) - clean - delta, low, high),
        _root(nonlocal_excess, top.x, high),
        _root(nonlocal_excess, low, top.x),
        _root(lambda x: float(np.log(2.0) - loss(x, whole)[0]) - delta, low, high),
    )


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(np.exp(brentq(function, low, high, xtol=1e-13)))
