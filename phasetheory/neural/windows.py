"""Where to spend a given number of global steps: the window that a measured map suggests.

On images the bounds T2 and T12, sums over all pixels, exceed any tolerance below one long before
every step is global. So here the number of global steps is given, and the map only says where they
go; ``pt.hybrid_schedule`` with a tolerance is for laws whose bound is small.
"""

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from phasetheory.circuits.falls import SAME_TIME, from_scan
from phasetheory.circuits.hybrid import HybridSchedule

__all__ = ["window_of_steps", "with_ends"]


def window_of_steps(
    scan: xr.Dataset, *, times: ArrayLike, radius: float, n_global: int
) -> HybridSchedule:
    """A window of consecutive global steps where the local ones lose most by prediction.

    Args:
        scan: `locality_gap` (:func:`gap_scan`) or `cmi` (of images: with :func:`with_ends`) over
            (t, radius), as for ``pt.hybrid_schedule``.
        times: Decreasing to 0.
        radius: Of the local steps, one of the scan.
        n_global: Number of global steps, at least 1.

    Returns:
        The schedule, of NaN tolerance; its `shifted` gives misplaced windows of the same cost. The
        central estimates of the scan decide; of equal windows the earliest in time order.

    Raises:
        ValueError: If the scan does not cover the times, or n_global does not fit.
    """
    falls = from_scan(scan, times, [radius], None, n_stderr=0.0)
    steps = len(falls.nats)
    if int(n_global) != n_global or not 1 <= n_global <= steps:
        raise ValueError(f"n_global={n_global}: a whole number from 1 to {steps} needed")
    loss = falls.nats[:, 0]
    sums = np.convolve(loss, np.ones(int(n_global)), mode="valid")
    first = int(sums.argmax())
    choice = np.zeros(steps, dtype=np.int64)
    choice[first : first + int(n_global)] = 1
    return HybridSchedule(falls, choice, float("nan"))


def with_ends(scan: xr.Dataset) -> xr.Dataset:
    """A CMI map of noisy images carried to t = 0 and t = 1, which no estimate reaches.

    Args:
        scan: `cmi` and `cmi_stderr` over (t, radius), from :func:`scan_images`.

    Returns:
        The variables that schedules need. At t = 1 the CMI is 0 exactly; at t = 0 the values at the
        earliest time are repeated, an assumption.

    Raises:
        ValueError: If there is no CMI in it.
    """
    if "cmi" not in scan or set(scan["cmi"].dims) != {"t", "radius"}:
        raise ValueError(f"scan has {sorted(map(str, scan.data_vars))}: cmi (t, radius) needed")
    names = [name for name in ("cmi", "cmi_stderr", "size_A", "size_B", "size_C") if name in scan]
    inner = scan[names].sortby("t")
    parts = [inner]
    if float(inner["t"][0]) > SAME_TIME:
        parts.insert(0, inner.isel(t=[0]).assign_coords(t=[0.0]))
    if float(inner["t"][-1]) < 1.0 - SAME_TIME:
        last = inner.isel(t=[-1]).assign_coords(t=[1.0])
        parts.append(last.assign(cmi=0.0 * last["cmi"], cmi_stderr=0.0 * last["cmi_stderr"]))
    return xr.concat(parts, dim="t", data_vars="minimal", combine_attrs="override")
