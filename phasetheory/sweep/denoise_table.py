"""Results of `phasetheory denoise`: a dataset, a table for the terminal, a file."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from phasetheory import __version__
from phasetheory.circuits.comparison import on_front
from phasetheory.sweep.denoise_config import DenoiseTask
from phasetheory.sweep.describe import Json, canonical
from phasetheory.sweep.locate import Finding

__all__ = ["finding", "tabulate_denoised", "write_denoised"]

_TEXT = {
    "kl": ("nats", "KL(p_0 || output), exact"),
    "tv": ("1", "total variation distance"),
    "tv_stderr": ("1", "standard error of tv, 0 if exact"),
    "bound": ("nats", "bound T2 on kl"),
    "neighbours": ("1", "correlation of neighbours in the output, sampled"),
    "neighbours_stderr": ("1", "its standard error"),
    "neighbours_data": ("1", "correlation of neighbours in the data"),
    "neighbours_data_stderr": ("1", "its standard error"),
    "cost": ("sites", "sites read by all gates"),
    "depth": ("1", "layers of gates"),
    "cone": ("sites", "largest light cone"),
    "n_global": ("1", "global steps"),
    "window_start": ("1", "smallest t of a global step"),
    "window_end": ("1", "largest t of a global step"),
}
#: Parameters that make up the name of a circuit.
_IN_LABEL = ("schedule", "radius", "tolerance", "shift")
#: Errors below this are rounding.
_ROUNDING = 1e-12


def tabulate_denoised(tasks: Sequence[DenoiseTask], records: Sequence[Json]) -> xr.Dataset:
    """Finished tasks as one dataset.

    Args:
        tasks: The tasks.
        records: One record a task.

    Returns:
        Dataset over dim `task` (those whose window had no room to be shifted left out, and counted
        in `attrs["left_out"]`): `kl`, `tv`, `bound` (NaN where sampled or not covered by T2),
        `neighbours` (sampled only), `cost`, `depth`, `cone`, the window, and `front` (Pareto front
        of cost and kl among the circuits of one model and noise); the parameters of the tasks as
        coordinates, and `step_radius` over (task, step).
    """
    done = [i for i, record in enumerate(records) if record["numbers"]]
    left_out = len(records) - len(done)
    if not done:
        raise ValueError("no schedule has a window that can be shifted so far")
    tasks, records = [tasks[i] for i in done], [records[i] for i in done]
    names = [name for name in _TEXT if any(name in record["numbers"] for record in records)]
    data = xr.Dataset(
        {n: ("task", [float(r["numbers"].get(n, np.nan)) for r in records]) for n in names},
        attrs={
            "title": "reverse circuits",
            "times": canonical(tasks[0].times),
            "left_out": left_out,
            "phasetheory_version": __version__,
            "source": "arXiv:2508.06614",
        },
    )
    for name in names:
        data[name].attrs = dict(zip(("units", "long_name"), _TEXT[name], strict=True))
    radii = [[float(r) for r in record["radii"]] for record in records]
    data["step_radius"] = (("task", "step"), radii, {"units": "sites"})
    if "kl" in data:
        group = np.array([canonical([r["task"]["model"], r["task"]["noise"]]) for r in records])
        front = np.zeros(len(records), dtype=bool)
        for name in set(group):
            own = group == name
            front[own] = on_front(data["cost"].values[own], data["kl"].values[own])
        data["front"] = ("task", front.astype(np.int8))
    places = [_place(task) for task in tasks]
    for name in dict.fromkeys(name for place in places for name in place):
        data = data.assign_coords({name: ("task", [place.get(name, "") for place in places])})
    return data


def _place(task: DenoiseTask) -> dict[str, str]:
    """Parameters of a task as text."""
    place = {}
    for section in (task.model, task.noise):
        description = {k: v for k, v in section.description.items() if k != "t"}
        kind = "model" if section is task.model else "noise"
        place[kind] = str(description.pop("name"))
        # Noise and circuit both know a "schedule".
        prefix = "" if section is task.model else "noise_"
        place |= {prefix + k: str(v) for k, v in description.items()}
    circuit = dict(task.circuit)
    radius = circuit.pop("radius")
    many = isinstance(radius, list)
    place["radius"] = " ".join(f"{r:g}" for r in radius) if many else f"{radius:g}"
    return place | {k: str(v) for k, v in circuit.items()}


def write_denoised(data: xr.Dataset, path: Path) -> None:
    """Write results as netCDF, or as JSON where the name ends so.

    Args:
        data: From :func:`denoise`.
        path: Ends with .nc or .json.

    Raises:
        ValueError: If it ends otherwise.
    """
    if path.suffix not in (".nc", ".json"):
        raise ValueError(f"out={str(path)!r}: a name that ends with .nc or .json needed")
    temporary = path.with_name(f".{path.name}.new")
    if path.suffix == ".nc":
        data.to_netcdf(temporary, engine="scipy")
    else:
        plain = data.drop_vars("step_radius").to_dataframe().to_dict("records")
        rows = [
            {k: None if v != v else v for k, v in row.items()}
            | {"step_radius": [float(r) if np.isfinite(r) else "inf" for r in radii]}
            for row, radii in zip(plain, data["step_radius"].values, strict=True)
        ]
        temporary.write_text(json.dumps({"attrs": data.attrs, "tasks": rows}, indent=1) + "\n")
    os.replace(temporary, path)


def finding(data: xr.Dataset) -> Finding:
    """The table of the terminal: parameters that vary, costs and errors.

    Args:
        data: From :func:`tabulate_denoised`.

    Returns:
        One row a task.
    """
    text = [str(name) for name in data.coords if data[name].dtype.kind == "U"]
    rest = [name for name in text if name not in _IN_LABEL]
    varied = [name for name in rest if len(set(data[name].values)) > 1]
    fixed = ", ".join(f"{name}={data[name].values[0]}" for name in rest if name not in varied)
    head = [*varied, "circuit", "cost", "depth", "cone"]
    if "n_global" in data and "hybrid" in data["schedule"].values:
        head.append("global, t")
    if "kl" in data:
        head += ["KL (nats)", "TV", "TV <= (T2)", ""]
    if "neighbours" in data:
        head += ["neighbours", "in the data"]
    note = f"{fixed}. Cost: sites read by all gates; cone: most sites that an output can depend on"
    note += "; global: times and number of global steps" if "global, t" in head else ""
    note += "; *: Pareto front of cost and KL." if "kl" in data else "."
    if data.attrs["left_out"]:
        note += f" Left out: {data.attrs['left_out']} schedules without a window to shift so far."
    return Finding("Reverse circuits", tuple(head), tuple(_rows(data, varied, head)), note)


def _rows(data: xr.Dataset, varied: list[str], head: list[str]) -> Iterator[tuple[str, ...]]:
    for i in range(data.sizes["task"]):
        one = {str(name): data[name].values[i] for name in data.variables}
        row = [*(str(one[name]) for name in varied), _label(one)]
        row += [f"{one['cost']:.0f}", f"{one['depth']:.0f}", f"{one['cone']:.0f}"]
        if "global, t" in head:
            row.append(_window(one))
        if "kl" in data:
            error = f" +- {one['tv_stderr']:.1g}" if one["tv_stderr"] > _ROUNDING else ""
            bound = one.get("bound", np.nan)
            allowed = "" if np.isnan(bound) else _small(np.sqrt(max(bound, 0.0) / 2.0))
            row += [_small(one["kl"]), _small(one["tv"]) + error, allowed]
            row.append("*" if one["front"] else "")
        if "neighbours" in data:
            row.append(f"{one['neighbours']:.4f} +- {one['neighbours_stderr']:.1g}")
            row.append(f"{one['neighbours_data']:.4f} +- {one['neighbours_data_stderr']:.1g}")
        yield tuple(row)


def _label(one: dict[str, Any]) -> str:
    """Name of a circuit, for example "r=1", "global" or "hybrid 0.1 (+3)"."""
    if one["schedule"] != "hybrid":
        return "global" if one["radius"] == "inf" else f"r={one['radius']}"
    shift = int(one["shift"])
    return f"hybrid {one['tolerance']}" + (f" ({shift:+d})" if shift else "")


def _small(value: float) -> str:
    return f"{value:.3g}" if value > _ROUNDING else "0"


def _window(one: dict[str, float]) -> str:
    if not one["n_global"]:
        return "-"
    return f"{one['window_start']:.4g} to {one['window_end']:.4g} ({one['n_global']:.0f})"
