"""What a ledger says about transitions: peaks, windows, lengths, crossings, collapse."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from phasetheory.estimate import MIN_EFFECTIVE_SAMPLES
from phasetheory.sweep.quantities import QUANTITIES
from phasetheory.transitions import collapse, crossings, locate_transition, markov_length

__all__ = ["Finding", "findings", "quantities"]

#: Fewest times a peak needs.
MIN_TIMES = 3
#: Standard errors below this share of the value are rounding.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Finding:
    """One table of results, or the reason why there is none.

    Attributes:
        title: What was found, and for which parameters.
        columns: Names of the columns.
        rows: Cells as text, one tuple a row.
        note: What must be said beside the numbers; alone where there are none.
    """

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    note: str = ""


def quantities(data: xr.Dataset) -> list[str]:
    """Names of the quantities in a dataset of a sweep."""
    return [str(name) for name in data.data_vars if f"{name}_stderr" in data]


def findings(
    data: xr.Dataset, *, threshold: float | None = None, seed: int = 0
) -> Iterator[Finding]:
    """Everything that can be located, table by table.

    Peaks, windows and Markov lengths of the CMI for every size; crossings and a finite-size
    scaling collapse of every quantity where there are several sizes. Other parameters that vary
    (coupling, seed, ...) are taken one value at a time. Times not finished at every radius are
    left out, and said so.

    Args:
        data: Result of :func:`phasetheory.sweep.read_ledger`.
        threshold: Level of the window, nats; half the peak of each radius by default.
        seed: Seed of the resamples behind the errors.

    Yields:
        The tables.
    """
    for quantity in quantities(data):
        kept = [quantity + suffix for suffix in ("", "_stderr", "_n_effective", "_n_samples")]
        for label, part in _slices(data[kept]):
            if quantity == "cmi" and "radius" in part.dims:
                for size, curve in _by_size(part):
                    where = ", ".join(filter(None, (label, size)))
                    yield from _profiles(curve, where, threshold, seed)
            if "size" in part.dims:
                yield from _scaling(part, quantity, label, seed)
            elif quantity != "cmi":
                yield _values(part, quantity, label)


def _slices(data: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """Datasets over t, radius and size alone, with the values of the other parameters."""
    others = [str(name) for name in data.dims if name not in ("t", "radius", "size")]
    for values in product(*(data[name].values.tolist() for name in others)):
        chosen = dict(zip(others, values, strict=True))
        label = ", ".join(f"{name}={value}" for name, value in chosen.items())
        yield label, data.sel(chosen)


def _by_size(data: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    if "size" not in data.dims:
        yield "", data
        return
    for size in data["size"].values.tolist():
        yield f"size={size}", data.sel(size=size)


def _profiles(
    data: xr.Dataset, label: str, threshold: float | None, seed: int
) -> Iterator[Finding]:
    """Peak, window and Markov lengths of one profile over t and radius."""
    data = data.transpose("t", "radius")
    whole = np.isfinite(data["cmi"].values).all(axis=1)
    left_out = int((~whole).sum())
    note = f"{left_out} times not finished and left out" if left_out else ""
    data = data.isel(t=whole)
    title = f"Peak and window of the CMI{_of(label)}"
    if data.sizes["t"] < MIN_TIMES:
        yield Finding(title, note=f"{data.sizes['t']} finished times: {MIN_TIMES} needed")
    else:
        found = locate_transition(data, threshold=threshold, rng=seed)
        columns = ("radius", "t of peak", "CMI (nats)", "above (nats)", "from", "to", "")
        yield Finding(title, columns, tuple(_window_rows(found)), note)
    if data.sizes["radius"] > 1 and data.sizes["t"]:
        yield _lengths(markov_length(data), label)


def _window_rows(found: xr.Dataset) -> Iterator[tuple[str, ...]]:
    for row in _rows(found, "radius"):
        yield (
            f"{row['radius']:g}",
            _pm(row["t_peak"], row["t_peak_stderr"]),
            f"{row['cmi_peak']:.4g}",
            f"{row['threshold']:.4g}",
            _pm(row["window_start"], row["window_start_stderr"]),
            _pm(row["window_end"], row["window_end_stderr"]),
            "runs beyond the scan" if row["window_open"] else "",
        )


def _lengths(found: xr.Dataset, label: str) -> Finding:
    rows = []
    for row in _rows(found, "t"):
        chi2 = "" if np.isnan(row["chi2_reduced"]) else f"{row['chi2_reduced']:.2f}"
        length = "" if np.isnan(row["xi"]) else _pm(row["xi"], row["xi_stderr"])
        remark = str(row["verdict"])
        if row.get("decay"):
            remark += f"; decay: {row['decay']}"
        rows.append((f"{row['t']:.6g}", length, str(int(row["n_points"])), chi2, remark))
    columns = ("t", "xi (sites)", "radii used", "chi2 per d.o.f.", "verdict")
    return Finding(f"Markov length{_of(label)}", columns, tuple(rows))


def _values(data: xr.Dataset, quantity: str, label: str) -> Finding:
    """The numbers themselves, for a quantity of one size that has no peak to locate."""
    names = [str(name) for name in data[quantity].dims]
    rows = []
    for index in np.ndindex(*data[quantity].shape):
        point = data[quantity][index]
        error = float(data[f"{quantity}_stderr"].values[index])
        places = tuple(f"{float(point[name]):.6g}" for name in names)
        rows.append((*places, _pm(float(point), error)))
    return Finding(f"Values of {quantity}{_of(label)}", (*names, quantity), tuple(rows))


def _scaling(data: xr.Dataset, quantity: str, label: str, seed: int) -> Iterator[Finding]:
    """Crossings and collapse, radius by radius."""
    radii = data["radius"].values.tolist() if "radius" in data.dims else [None]
    for radius in radii:
        part = data if radius is None else data.sel(radius=radius, drop=True)
        where = ", ".join(filter(None, (label, "" if radius is None else f"radius={radius:g}")))
        for name, analyse in (("Crossings", _crossings), ("Collapse", _collapse)):
            title = f"{name} of {quantity}{_of(where)}"
            try:
                yield analyse(title, _uncertain(part, quantity), quantity, seed)
            except ValueError as error:
                yield Finding(title, note=f"none: {error}")


def _uncertain(data: xr.Dataset, quantity: str) -> xr.Dataset:
    r"""The data without sampled points whose error bar rests on a few samples, or on none.

    Far from a transition nearly all samples may be the same. A variable that varies by at most s
    has :math:`\sum d^4 \le s^2 \sum d^2` for its deviations d from the mean, so at least
    :math:`\sum d^2 / s^2` samples carry the error bar, in the sense of the effective number.
    Without s only errors that are rounding can be told.
    """
    data = data.transpose("size", "t", ...)
    value, stderr = data[quantity], data[f"{quantity}_stderr"]
    n, span = data[f"{quantity}_n_samples"], None
    if quantity in QUANTITIES:
        span = QUANTITIES[quantity].span
    carried = stderr > ROUNDING * abs(value)
    if span is not None:
        carried &= stderr**2 * n * (n - 1) / span**2 >= MIN_EFFECTIVE_SAMPLES
    return data.assign({quantity: value.where(carried | (n == 0))})


def _crossings(title: str, data: xr.Dataset, quantity: str, seed: int) -> Finding:
    """Where each size crosses the next."""
    found = crossings(data, value=quantity, a=_amplitude(quantity) or 0.0, rng=seed)
    rows = tuple(
        (
            f"{row['size_small']:g}, {row['size_large']:g}",
            _pm(row["t_cross"], row["t_cross_stderr"]),
            _pm(row["height"], row["height_stderr"]),
            str(row["verdict"]),
        )
        for row in _rows(found, "pair")
    )
    known = _amplitude(quantity) is not None
    note = "" if known else "curves cross at t_c only if they do not shrink with size (a = 0)"
    return Finding(title, ("sizes", "t of crossing", "height", "verdict"), rows, note)


def _amplitude(quantity: str) -> float | None:
    """Exponent a of the quantity where it is known beforehand."""
    return QUANTITIES[quantity].a if quantity in QUANTITIES else None


def _collapse(title: str, data: xr.Dataset, quantity: str, seed: int) -> Finding:
    """The fit, and what becomes of it when the smallest sizes are left out."""
    found = collapse(data, value=quantity, a=_amplitude(quantity), rng=seed)
    columns = ("sizes from", "t_c", "nu", "a", "chi2 per d.o.f.", "verdict")
    rows = []
    for row in _rows(found.windows, "min_size"):
        pairs = [_pm(row[name], row[f"{name}_stderr"]) for name in ("t_c", "nu", "a")]
        chi2 = "" if np.isnan(row["chi2_reduced"]) else f"{row['chi2_reduced']:.2f}"
        rows.append((f"{row['min_size']:g}", *pairs, chi2, str(row["verdict"])))
    note = "I = L^-a Phi((t - t_c) L^(1/nu)); numbers mean something where the verdict is ok"
    return Finding(title, columns, tuple(rows), note)


def _rows(found: xr.Dataset, dim: str) -> Iterator[dict[str, Any]]:
    """Points along one dim, as mappings of name to number."""
    names = [str(name) for name in found.variables if found[name].dims == (dim,)]
    for i in range(found.sizes[dim]):
        yield {name: found[name].values[i] for name in names}


def _of(label: str) -> str:
    return f" ({label})" if label else ""


def _pm(value: float, error: float) -> str:
    """A value with its error, two digits of it."""
    if not np.isfinite(value):
        return ""
    if not error > 0:
        return f"{value:.6g}"
    places = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{places}f} +- {error:.{places}f}"
