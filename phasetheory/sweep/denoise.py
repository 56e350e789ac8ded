"""Run the circuits of a config, keep what is done, and put the results into one table."""

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
from tqdm import tqdm

from phasetheory import __version__
from phasetheory.circuits import Circuit, reverse_circuit
from phasetheory.circuits.falls import circuit_falls
from phasetheory.circuits.hybrid import hybrid_schedule
from phasetheory.circuits.sampled import SampledRun, sample_circuit
from phasetheory.lattice import Lattice
from phasetheory.noise import Noise
from phasetheory.prior import Prior
from phasetheory.sweep.denoise_config import DenoiseTask
from phasetheory.sweep.denoise_table import tabulate_denoised
from phasetheory.sweep.describe import Json, canonical
from phasetheory.sweep.geometries import GEOMETRIES
from phasetheory.sweep.ledger import Batch, Ledger
from phasetheory.sweep.profile import profile

__all__ = ["denoise"]


INEXACT = (
    "Exact runs need few discrete sites or a Gaussian field; n_samples samples the circuit instead"
)


class _Line:
    """One finished task, as a line of the file of results."""

    def __init__(self, record: Json):
        self.record = record

    def line(self) -> str:
        return canonical(self.record | {"check": _check(self.record)})


def denoise(
    tasks: Sequence[DenoiseTask], results: Path | None = None, *, progress: bool = True
) -> xr.Dataset:
    """Run reverse circuits, exactly or by sampling, and keep what is finished.

    Args:
        tasks: From :func:`phasetheory.sweep.denoise_config.read_denoise_config`.
        results: File to which every finished task is added as a line of JSON; tasks that are
            there already are not run again. None keeps nothing.
        progress: Show a bar on a terminal.

    Returns:
        See :func:`phasetheory.sweep.denoise_table.tabulate_denoised`.

    Raises:
        ValueError: If a circuit does not fit its model, with the task in the message.
        OSError: If the file cannot be written; what it held before stays.

    A damaged line is reported in a warning and its task run again.
    """
    book = None if results is None else Ledger(results)
    found = {} if results is None else _read(results)
    cache = _Cache()
    with tqdm(total=len(tasks), desc="circuits", disable=None if progress else True) as bar:
        for task in tasks:
            if task.key not in found:
                try:
                    record = _run(task, cache)
                except ValueError as error:
                    raise ValueError(f"{error} (in {canonical(task.description)})") from error
                found[task.key] = record
                if book is not None:
                    # Its lock and its care for half-written lines do not depend on what a line is.
                    book.append(cast(list[Batch], [_Line(record)]))
            bar.update()
    return tabulate_denoised(tasks, [found[task.key] for task in tasks])


def _read(path: Path) -> dict[str, Json]:
    """Finished tasks by key."""
    found: dict[str, Json] = {}
    if not path.exists():
        return found
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        try:
            record = json.loads(line)
            right = record.pop("check") == _check(record)
        except (ValueError, TypeError, KeyError, AttributeError):
            right = False
        if right:
            found[record["key"]] = record
        elif line.strip():
            warnings.warn(
                f"{path}:{number}: skipped a damaged line: {line[:50]!r}", UserWarning, stacklevel=3
            )
    return found


def _check(record: Json) -> str:
    return hashlib.sha256(canonical(record).encode()).hexdigest()[:16]


class _Cache:
    """The last model, and the last table of falls: tasks that share them follow each other."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, Any]] = {}

    def __call__(self, kind: str, key: str, make: Callable[[], Any]) -> Any:
        if kind not in self._kept or self._kept[kind][0] != key:
            self._kept[kind] = (key, make())
        return self._kept[kind][1]


def _run(task: DenoiseTask, cache: _Cache) -> Json:
    model = cache("model", canonical(task.model.description), task.model)
    same = {"key": task.key, "task": task.description, "version": __version__}
    circuit = _circuit(task, model, cache)
    if circuit is None:
        return same | {"radii": [], "numbers": {}}
    wide = np.isinf(circuit.radius)
    numbers: dict[str, float] = {
        "cost": circuit.cost,
        "depth": circuit.depth,
        "cone": int(circuit.light_cones().sum(axis=1).max()),
        "n_global": int(wide.sum()),
    }
    if wide.any():
        numbers["window_start"] = float(circuit.times[1:][wide].min())
        numbers["window_end"] = float(circuit.times[:-1][wide].max())
    if task.n_samples is None:
        try:
            run = reverse_circuit(model, task.forward, circuit, progress=False)
        except ValueError as error:
            raise ValueError(f"{error}. {INEXACT}") from error
        numbers |= {"kl": run.kl.value, "tv": run.tv.value, "tv_stderr": run.tv.stderr}
        if run.terms.size:
            numbers["bound"] = run.bound
    else:
        sampled = sample_circuit(
            model, task.forward, circuit, task.n_samples, rng=task.seed, progress=False
        )
        numbers |= _neighbours(model.lattice, sampled, task.seed + 1)
    return same | {"radii": [float(r) for r in circuit.radius], "numbers": numbers}


def _circuit(task: DenoiseTask, model: Prior, cache: _Cache) -> Circuit | None:
    """The circuit; None where there is no window to shift, or no room for it."""
    given = task.circuit
    radius, order, block = given["radius"], given["order"], given["block"]
    if given["schedule"] == "hybrid":
        same = {k: v for k, v in given.items() if k not in ("tolerance", "shift")}
        key = canonical(task.description | {"circuit": same})
        scan = cache("scan", key, lambda: _scan(task, model, radius))
        schedule = hybrid_schedule(
            scan, tolerance=given["tolerance"], n_sites=model.lattice.n_sites
        )
        if given["shift"]:
            low, high = schedule.room
            if not low <= given["shift"] <= high:
                return None
            schedule = schedule.shifted(given["shift"])
        radius = schedule.radius
    return Circuit(model.lattice, task.times, radius, order, block, task.seed)


def _scan(task: DenoiseTask, model: Prior, radii: list[float]) -> xr.Dataset:
    """What a hybrid schedule is chosen from: exact falls, or a scan around the middle."""
    noise: Callable[[float], Noise] = task.forward
    order, block = task.circuit["order"], task.circuit["block"]
    if task.n_samples is None:
        return circuit_falls(
            model, noise, times=task.times, radius=radii, order=order, block=block, rng=task.seed
        )
    parts = {r: GEOMETRIES["centre"](model.lattice, radius=r, block=block) for r in radii}
    return profile(
        model, noise, t=task.times[::-1], radius=parts, rng=task.seed, n_samples=task.n_samples
    )


def _neighbours(lattice: Lattice, run: SampledRun, seed: int) -> dict[str, float]:
    """Mean of x_i x_j over edges (of the indicator x_i = x_j for more than two symbols)."""
    edges, q = lattice.edges, run.model.q
    if not len(edges):
        raise ValueError("the lattice has no edges: no correlation of neighbours to measure")

    def correlation(x: Any) -> Any:
        first, second = x[:, edges[:, 0]], x[:, edges[:, 1]]
        if q is not None and q > 2:
            return (first == second).mean(axis=1)
        return (first.astype(float) * second).mean(axis=1)

    output, data = run.compare(correlation, rng=seed)
    return {
        "neighbours": output.value,
        "neighbours_stderr": output.stderr,
        "neighbours_data": data.value,
        "neighbours_data_stderr": data.stderr,
    }
