"""Where along the path conditional mutual information peaks, and the window where it is large."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

__all__ = ["crossing_time", "grid_cell", "landmarks", "locate_transition", "spread"]

Floats = NDArray[np.float64]


def locate_transition(
    scan: xr.Dataset, *, threshold: float | None = None, n_resamples: int = 200, rng: Any = 0
) -> xr.Dataset:
    r"""Peak of the CMI over t at every radius, and the window where it exceeds a threshold.

    The peak is refined by the parabola through the largest point and its neighbours, the window's
    ends by linear interpolation. The peak at a fixed small radius is not the critical time: it
    drifts there slowly as r grows.

    Uncertainty: half a grid cell as a uniform error (spacing / sqrt(12)), plus, for sampled
    scans, the spread over parametric resamples (Gaussian with each point's stderr).

    Args:
        scan: Result of :func:`phasetheory.scan`, at least 3 times.
        threshold: delta in nats; half the peak of each radius by default.
        n_resamples: Resamples of a sampled scan.
        rng: Generator or seed of the resamples.

    Returns:
        Dataset over radius: `t_peak`, `t_peak_stderr`, `cmi_peak` (nats), `threshold` (nats),
        `window_start`, `window_end` with `_stderr` (the first and last crossing; NaN where the
        threshold is never reached), and `window_open` (True where the window runs beyond the
        scanned times, so that the end given is only the last time scanned).

    Raises:
        ValueError: If the dataset is not a scan, has fewer than 3 times, or the threshold is not
            positive.
    """
    if not {"cmi", "cmi_stderr"} <= set(scan.data_vars) or not {"t", "radius"} <= set(scan.dims):
        raise ValueError(
            "scan lacks cmi and cmi_stderr over t and radius: give a result of pt.scan"
        )
    t = scan["t"].values
    if t.size < 3:
        raise ValueError(f"scan has {t.size} times: at least 3 needed to see a peak")
    if threshold is not None and not threshold > 0:
        raise ValueError(f"threshold={threshold}: a positive number of nats needed")
    rng = np.random.default_rng(rng)
    value = scan["cmi"].transpose("t", "radius").values
    stderr = scan["cmi_stderr"].transpose("t", "radius").values
    columns = []
    for k in range(value.shape[1]):
        best = landmarks(t, value[:, k], threshold)
        scatter = np.zeros(3)
        if (stderr[:, k] > 0).any():
            draws = value[:, k] + stderr[:, k] * rng.standard_normal((n_resamples, t.size))
            marks = np.array([landmarks(t, draw, threshold)[:3] for draw in draws], dtype=float)
            scatter = spread(marks)
        cells = np.array([grid_cell(t, place) for place in best[:3]]) / np.sqrt(12.0)
        columns.append((*best, *np.hypot(cells, scatter)))
    names = (
        "t_peak",
        "window_start",
        "window_end",
        "cmi_peak",
        "threshold",
        "window_open",
        "t_peak_stderr",
        "window_start_stderr",
        "window_end_stderr",
    )
    data = xr.Dataset(
        {
            name: ("radius", np.array(column))
            for name, column in zip(names, zip(*columns, strict=True), strict=True)
        },
        coords={"radius": scan["radius"]},
        attrs=dict(scan.attrs),
    )
    for name in ("cmi_peak", "threshold"):
        data[name].attrs = {"units": "nats"}
    return data


def landmarks(
    t: Floats, value: Floats, threshold: float | None
) -> tuple[float, float, float, float, float, bool]:
    """Peak time, window start and end, peak value, threshold, whether the window is open."""
    top = int(np.argmax(value))
    peak_t, peak = float(t[top]), float(value[top])
    if 0 < top < t.size - 1:
        # Vertex of the parabola through three points, which may be unequally spaced.
        c = np.polynomial.polynomial.polyfit(
            t[top - 1 : top + 2] - t[top], value[top - 1 : top + 2], 2
        )
        if c[2] < 0:
            peak_t, peak = float(t[top] - c[1] / (2 * c[2])), float(c[0] - c[1] ** 2 / (4 * c[2]))
    level = 0.5 * peak if threshold is None else threshold
    above = np.flatnonzero(value > level)
    if not above.size:
        return peak_t, np.nan, np.nan, peak, level, False
    first, last = int(above[0]), int(above[-1])
    start = crossing_time(t, value, level, first - 1) if first > 0 else float(t[0])
    end = crossing_time(t, value, level, last) if last < t.size - 1 else float(t[-1])
    return peak_t, start, end, peak, level, first == 0 or last == t.size - 1


def crossing_time(t: Floats, value: Floats, level: float, i: int) -> float:
    """Where the segment from i to i + 1 passes the level."""
    return float(t[i] + (level - value[i]) / (value[i + 1] - value[i]) * (t[i + 1] - t[i]))


def grid_cell(t: Floats, place: float) -> float:
    """Spacing of the time grid around a place; NaN for NaN."""
    if np.isnan(place):
        return float("nan")
    i = int(np.clip(np.searchsorted(t, place), 1, t.size - 1))
    return float(t[i] - t[i - 1])


def spread(marks: Floats) -> Floats:
    """Standard deviation over resamples of each landmark that exists in at least half of them."""
    found = np.isfinite(marks)
    return np.array(
        [
            marks[ok, k].std() if 2 * ok.sum() >= len(marks) else np.nan
            for k, ok in enumerate(found.T)
        ]
    )
