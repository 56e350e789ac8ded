"""Batches as labelled tables: which axes a set of tasks has, and the dataset over them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from phasetheory import __version__
from phasetheory.sweep.describe import Json, canonical
from phasetheory.sweep.ledger import Batch, Batches
from phasetheory.sweep.moments import Moments, pooled
from phasetheory.sweep.options import SECTIONS, catalogue, settable
from phasetheory.sweep.quantities import QUANTITIES

__all__ = ["tabulate"]

#: Axes that are always there where the tasks have them; others only where they vary.
ALWAYS = ("t", "radius")
_UNITS = {"t": "1", "radius": "sites", "size": "sites"}
_LONG = {"t": "diffusion time", "radius": "buffer radius r", "size": "linear size L"}


@dataclass(frozen=True, eq=False)
class Cell:
    """One task with what is known about it."""

    place: Json
    quantity: str
    batches: Sequence[Batch]

    @property
    def moments(self) -> Moments | None:
        """Joint moments of the batches, the same to the last bit in whatever order they came."""
        ordered = sorted(self.batches, key=lambda b: (b.task["n_samples"], b.index))
        return pooled(b.moments for b in ordered) if ordered else None


def tabulate(descriptions: Iterable[Json], batches: Batches) -> xr.Dataset:
    """Dataset of all tasks over the axes along which they vary.

    Tasks that differ in the number of samples a batch only are pooled.

    Args:
        descriptions: Canonical descriptions of the tasks.
        batches: What is known about them, by key.

    Returns:
        For every quantity Q the variables `Q`, `Q_stderr` (0 where exact), `Q_n_effective`,
        `Q_n_samples`, NaN and 0 where nothing is known yet; `size_A`, `size_B`, `size_C`.
        Dimensions `t` and `radius`, and every other parameter that varies; parameters that do
        not vary are scalar coordinates.

    Raises:
        ValueError: If there is no task, or two tasks differ in a way that is no axis.
    """
    cells = _cells(descriptions, batches)
    if not cells:
        raise ValueError("no batches to tabulate: the ledger is empty, or all of it is damaged")
    names = [n for n in _ordered(cells) if all(n in cell.place for cell in cells)]
    values = {n: _sorted({cell.place[n] for cell in cells}) for n in names}
    dims = [n for n in names if n in ALWAYS or len(values[n]) > 1]
    shape = tuple(len(values[n]) for n in dims)
    data = xr.Dataset(coords={n: values[n] for n in dims})
    for quantity in sorted({cell.quantity for cell in cells}):
        own = [cell for cell in cells if cell.quantity == quantity]
        where = [tuple(values[n].index(cell.place[n]) for n in dims) for cell in own]
        _refuse_doubles(own, where)
        _fill(data, quantity, (dims, shape), list(zip(where, own, strict=True)))
    _sizes(data, cells, {n: values[n] for n in dims if n not in ("t", "seed")})
    for name in names:
        if name not in dims:
            data = data.assign_coords({name: values[name][0]})
        data[name].attrs = {
            "units": _UNITS.get(name, "1"), "long_name": _LONG.get(name, name.replace("_", " "))
        }  # fmt: skip
    versions = sorted({batch.version for cell in cells for batch in cell.batches})
    data.attrs = {
        "title": "sweep of noisy laws",
        "model": ", ".join(sorted({cell.place["model"] for cell in cells})),
        "noise": ", ".join(sorted({cell.place["noise"] for cell in cells})),
        "n_tasks": len(cells),
        "n_batches": sum(len(cell.batches) for cell in cells),
        "n_missing": sum(not cell.batches for cell in cells),
        "errors": "values at different radii share samples, so their errors are correlated",
        "made_by": ", ".join(versions),
        "phasetheory_version": __version__,
        "source": "arXiv:2508.06614",
    }
    return data


def _cells(descriptions: Iterable[Json], batches: Batches) -> list[Cell]:
    found: dict[str, Cell] = {}
    seen: set[str] = set()
    for description in descriptions:
        key = Batch(description, 0, Moments(0, 0.0), "", (), 0.0, "").key
        if key in seen:
            continue
        seen.add(key)
        place, quantity = _place(description)
        own = list(batches.get(key, {}).values())
        name = canonical([place, description.get("scales")]) + quantity
        before = found[name].batches if name in found else []
        found[name] = Cell(place, quantity, [*before, *own])
    return list(found.values())


def _place(description: Json) -> tuple[Json, str]:
    """Coordinates of a task: its parameters, those at their defaults included."""
    place: Json = {"seed": description["seed"]}
    for section in SECTIONS:
        given = description[section]
        known = catalogue(section).get(given["name"])
        if known is not None and "content" not in given:
            defaults = {k: p.default for k, p in settable(section, known).items() if not p.required}
            place |= {name: _scalar(value) for name, value in defaults.items()}
        place |= {k: _scalar(v) for k, v in given.items() if k not in ("name", "scales")}
        place[section] = given["name"]
    quantity = str(place.pop("quantity"))
    return place, quantity


def _scalar(value: Any) -> Any:
    if value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, list | tuple):
        return canonical(value)
    return int(value) if isinstance(value, bool) else value


def _ordered(cells: Sequence[Cell]) -> list[str]:
    """Axis names: what the data are, how they are seen, and at last t and radius."""
    first, last = ("model", "size"), ("noise", "geometry", "seed", "t", "radius")
    names = {name for cell in cells for name in cell.place}
    between = sorted(names - set(first) - set(last))
    return [name for name in (*first, *between, *last) if name in names]


def _sorted(values: set[Any]) -> list[Any]:
    return sorted(values, key=lambda v: (isinstance(v, str), v))


def _refuse_doubles(cells: Sequence[Cell], where: Sequence[tuple[int, ...]]) -> None:
    seen: dict[tuple[int, ...], Cell] = {}
    for place, cell in zip(where, cells, strict=True):
        if place in seen:
            one, other = seen[place].place, cell.place
            differ = [k for k in {*one, *other} if one.get(k) != other.get(k)]
            raise ValueError(
                f"two tasks differ only in {', '.join(sorted(differ)) or 'their noise'}, which"
                " not all tasks have: read their ledgers one by one"
            )
        seen[place] = cell


def _fill(
    data: xr.Dataset,
    quantity: str,
    grid: tuple[list[str], tuple[int, ...]],
    cells: list[tuple[tuple[int, ...], Cell]],
) -> None:
    dims, shape = grid
    value, stderr = np.full(shape, np.nan), np.full(shape, np.nan)
    effective, samples = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    unit = ""
    for where, cell in cells:
        moments = cell.moments
        if moments is not None:
            unit = cell.batches[0].unit
            estimate = moments.estimate()
            value[where], stderr[where] = estimate.value, estimate.stderr
            effective[where], samples[where] = estimate.n_effective, estimate.n_samples
    long_name = QUANTITIES[quantity].long_name if quantity in QUANTITIES else quantity
    name = quantity.split(":")[-1]
    notes = (
        ("", value, {"units": unit, "long_name": long_name}),
        ("_stderr", stderr, {"units": unit, "long_name": f"standard error of {name}, 0 if exact"}),
        ("_n_effective", effective, {"long_name": "effective number of samples, inf if exact"}),
        ("_n_samples", samples, {"long_name": "number of samples, 0 if exact or not yet known"}),
    )
    for suffix, array, attrs in notes:
        data[name + suffix] = (dims, array, attrs)


def _sizes(data: xr.Dataset, cells: Sequence[Cell], axes: dict[str, list[Any]]) -> None:
    """Sizes of the regions, which no noise and no seed changes."""
    shape = tuple(len(values) for values in axes.values())
    tables = np.zeros((3, *shape), dtype=np.int64)
    for cell in cells:
        if cell.batches:
            where = tuple(values.index(cell.place[name]) for name, values in axes.items())
            for table, count in zip(tables, cell.batches[0].sizes, strict=True):
                table[where] = count
    for name, table in zip("ABC", tables, strict=True):
        data[f"size_{name}"] = (list(axes), table, {"long_name": f"sites of {name}"})
