"""Reverse circuits as small TOML files: what `phasetheory denoise` reads."""

import math
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np

from phasetheory.circuits import Circuit
from phasetheory.noise import Noise
from phasetheory.sweep.describe import Json, digest
from phasetheory.sweep.options import Option, options, values_of
from phasetheory.sweep.parameters import Parameter, nearest, parameters

__all__ = ["DenoiseConfig", "DenoiseTask", "read_denoise_config"]

#: Part of every key; grows when the same description begins to mean other numbers.
FORMAT = 1
_TOP = ("model", "noise", "times", "circuit", "n_samples", "seed", "results")
_NEEDED = ("model", "noise", "times", "circuit")


def _circuit(
    *,
    schedule: Literal["local", "global", "hybrid"] = "local",
    radius: float = 1.0,
    order: Literal["layers", "random", "raster", "simultaneous"] = "layers",
    block: int = 1,
    tolerance: float = 0.1,
    shift: int = 0,
) -> None:
    """Declare the keys of [circuit], their kinds and defaults."""


@dataclass(frozen=True, eq=False)
class DenoiseTask:
    """One circuit on one model.

    Attributes:
        model: How to make the model.
        noise: How to make the noise; its t is set by the times.
        times: Decreasing to 0.
        circuit: Keys of [circuit]; for a hybrid `radius` is the list it may choose from.
        n_samples: Samples; None for an exact run.
        seed: Seed of samples and random orders.
    """

    model: Option
    noise: Option
    times: tuple[float, ...]
    circuit: Json
    n_samples: int | None
    seed: int

    @cached_property
    def description(self) -> Json:
        """Canonical description, all that the result depends on."""
        noise = {k: v for k, v in self.noise.description.items() if k != "t"}
        return {
            "format": FORMAT,
            "model": self.model.description,
            "noise": noise,
            "times": list(self.times),
            "circuit": self.circuit,
            "n_samples": self.n_samples,
            "seed": self.seed,
        }

    @cached_property
    def key(self) -> str:
        """Digest of the description."""
        return digest(self.description)

    @property
    def forward(self) -> Callable[[float], Noise]:
        """The noise at any time."""
        return lambda t: self.noise.call(**(self.noise.arguments | {"t": float(t)}))


@dataclass(frozen=True, eq=False)
class DenoiseConfig:
    """Circuits as their file says them.

    Attributes:
        tasks: All combinations.
        results: File of finished tasks.
    """

    tasks: tuple[DenoiseTask, ...]
    results: Path


def read_denoise_config(path: str | os.PathLike[str]) -> DenoiseConfig:
    """Read a TOML file.

    Args:
        path: The file. Keys: `times` (a list, or start, stop, num; from noise to t = 0),
            `n_samples` (samples in place of an exact run), `seed`, `results` (a path, from the
            current folder; by default the name of the file with the ending .results.jsonl), the
            tables `model` and `noise` (as for a sweep, without t), and `circuit` (or several) with
            `schedule`, `radius`, `order`, `block`, `tolerance` and `shift`. Any list is an axis,
            but the radii of a hybrid schedule are those it may choose from.

    Returns:
        The tasks, every circuit built once to see that it fits its model.

    Raises:
        ValueError: If the file cannot be read or is no TOML, a key is unknown (with the nearest
            valid one) or missing, or a value does not fit.
    """
    file = Path(path)
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
        tasks, results = _config(settings, f"{file.stem}.results.jsonl")
    except OSError as error:
        raise ValueError(f"config {str(path)!r}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"config {str(path)!r} is no TOML: {error}") from error
    except ValueError as error:
        raise ValueError(f"config {str(path)!r}: {error}") from error
    return DenoiseConfig(tuple(tasks), results)


def _config(settings: Json, results: str) -> tuple[list[DenoiseTask], Path]:
    for word in settings:
        if word not in _TOP:
            raise ValueError(f"unknown key {word!r} in the file: {nearest(word, _TOP)}")
    if missing := [name for name in _NEEDED if name not in settings]:
        raise ValueError(f"the keys {', '.join(missing)} are missing")
    times = tuple(values_of(Parameter("t", float, None), settings["times"], "times"))
    n_samples = settings.get("n_samples")
    if n_samples is not None and (type(n_samples) is not int or n_samples < 2):
        raise ValueError(f"n_samples={n_samples!r}: a whole number >= 2 needed")
    seed = settings.get("seed", 0)
    if type(seed) is not int or seed < 0:
        raise ValueError(f"seed={seed!r}: a whole number >= 0 needed")
    results = settings.get("results", results)
    if not isinstance(results, str) or not results:
        raise ValueError(f"results={results!r}: the path of a file needed")
    given = settings["circuit"] if isinstance(settings["circuit"], list) else [settings["circuit"]]
    circuits = [circuit for one in given for circuit in _circuits(one)]
    models = options("model", settings["model"])
    noises = options("noise", _timed(settings["noise"], times))
    tasks = [
        DenoiseTask(model, noise, times, circuit, n_samples, seed)
        for model, noise, circuit in product(models, noises, circuits)
    ]
    for model in models:
        lattice = model().lattice
        for circuit in circuits:
            if circuit["schedule"] == "hybrid":
                for r in circuit["radius"]:
                    Circuit(lattice, times, r, block=circuit["block"])
            else:
                Circuit(lattice, times, circuit["radius"], circuit["order"], circuit["block"])
    return tasks, Path(results)


def _timed(given: Any, times: tuple[float, ...]) -> Any:
    """The noise section with a t to stand for all times."""
    if isinstance(given, list):
        return [_timed(one, times) for one in given]
    section = dict(given) if isinstance(given, Mapping) else {"name": given}
    if "t" in section:
        raise ValueError(f"t={section['t']!r} in [noise]: the times of the circuit are in `times`")
    return section | {"t": times[0]}


def _circuits(given: Any) -> list[Json]:
    """Every combination of the keys of one [circuit]."""
    if not isinstance(given, Mapping):
        raise ValueError(f"circuit={given!r}: a table [circuit] needed")
    known = parameters(_circuit)
    for word in given:
        if word not in known:
            raise ValueError(f"unknown key {word!r} in [circuit]: {nearest(word, known)}")
    axes = {
        name: values_of(parameter, given.get(name, parameter.default), f"circuit.{name}")
        for name, parameter in known.items()
    }
    if (bad := min(axes["radius"])) < 0:
        raise ValueError(f"circuit.radius holds {bad:g}: numbers >= 0 needed")
    if not all(0.0 < tolerance <= 1.0 for tolerance in axes["tolerance"]):
        raise ValueError(f"circuit.tolerance={axes['tolerance']}: numbers in (0, 1] needed")
    found: list[Json] = []
    for schedule, order, block in product(axes["schedule"], axes["order"], axes["block"]):
        base = {"schedule": schedule, "order": order, "block": block}
        if schedule == "local":
            found += [base | {"radius": r} for r in axes["radius"]]
        elif schedule == "global":
            found.append(base | {"radius": math.inf})
        elif order == "simultaneous":
            raise ValueError("order='simultaneous': a hybrid schedule needs gates in turn (T2)")
        else:
            menu = sorted(r for r in axes["radius"] if np.isfinite(r))
            found += [
                base | {"radius": menu, "tolerance": tolerance, "shift": shift}
                for tolerance, shift in product(axes["tolerance"], axes["shift"])
            ]
    return found
