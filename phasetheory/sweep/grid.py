"""Grids of tasks: every combination of model, noise, geometry, quantity and seed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

from phasetheory.lattice import Lattice, Tripartition
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import Prior
from phasetheory.sweep.describe import FORMAT, Json, canonical, digest
from phasetheory.sweep.options import Option, options, values_of
from phasetheory.sweep.parameters import Parameter

__all__ = ["Grid", "Stream", "Task"]

_NO_RADIUS = None


@dataclass(frozen=True, eq=False)
class Task:
    """One number to be found.

    Attributes:
        description: Canonical description, the content of the key.
        radius: Buffer radius, or None where the geometry has none.
    """

    description: Json
    radius: float | None

    @cached_property
    def key(self) -> str:
        """Digest of the description."""
        return digest(self.description)


@dataclass(frozen=True, eq=False)
class Stream:
    """Tasks that differ in the buffer radius only, and share their samples.

    Attributes:
        model: How to make the model.
        noise: How to make the noise.
        geometry: How to make the regions, up to the radius.
        quantity: What to measure.
        n_samples: Samples a batch.
        description: What the tasks have in common; its digest seeds the samples.
        tasks: The tasks.
    """

    model: Option
    noise: Option
    geometry: Option
    quantity: Option
    n_samples: int
    description: Json
    tasks: tuple[Task, ...]

    @cached_property
    def key(self) -> str:
        """Digest of the common description."""
        return digest(self.description)

    def regions(self, lattice: Lattice, radius: float | None) -> Tripartition:
        """Regions of one task."""
        parts = self.geometry(lattice, **({} if radius is _NO_RADIUS else {"radius": radius}))
        if not isinstance(parts, Tripartition):
            raise ValueError(f"geometry returns {type(parts).__name__}: a Tripartition needed")
        return parts


@dataclass(frozen=True, eq=False)
class Grid:
    r"""A grid of tasks.

    Every section is a name, a mapping of a name and parameters, or a list of these; a parameter
    is a value, a list of values (an axis), or {"start": a, "stop": b, "num": n}. In place of a
    name there may be a function: (keyword parameters) -> prior, t -> noise, (lattice, keyword
    parameters) -> tripartition, (law, parts, \*, n_samples, rng) -> estimate. Its qualified name
    becomes part of the key: give it another name when it comes to mean something else.

    Attributes:
        model: One of `phasetheory.sweep.MODELS`, for example {"name": "Ising", "size": [8, 16],
            "coupling": 0.3}; or a prior.
        noise: One of `NOISES` with its times, {"name": "BitFlip", "t": [0.1, 0.2]}.
        geometry: One of `GEOMETRIES`, {"name": "centre", "radius": [1, 2, 3]}.
        quantity: One of `QUANTITIES`; "cmi" by default.
        n_samples: Samples a batch, at least 2; not used where the quantity is exact.
        seed: Seed, or a list of seeds (independent repetitions, an axis).

    Raises:
        ValueError: If a name, parameter or value is unknown or does not fit.
    """

    model: Any
    noise: Any
    geometry: Any
    quantity: Any = "cmi"
    n_samples: int = 2000
    seed: Any = 0
    _streams: tuple[Stream, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Spell out the tasks."""
        sizes = values_of(Parameter("n_samples", int, None), self.n_samples, "n_samples")
        if len(sizes) != 1 or sizes[0] < 2:
            raise ValueError(f"n_samples={self.n_samples!r}: one whole number >= 2 needed")
        object.__setattr__(self, "_streams", tuple(self._spelled_out(sizes[0])))

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Tasks, grouped by the samples they share."""
        return self._streams

    @property
    def tasks(self) -> list[Task]:
        """All tasks."""
        return [task for stream in self.streams for task in stream.tasks]

    def check(self) -> None:
        """Try every model, noise and geometry once, before any work.

        Raises:
            ValueError: If something does not fit together; the message names the combination.

        Cost: every model is built once.
        """
        models: dict[str, Prior] = {}
        seen: set[str] = set()
        for stream in self.streams:
            name = canonical(stream.description["model"])
            if name not in models:
                models = {name: stream.model()}  # one at a time: they may be large
            model = models[name]
            if not isinstance(model, Prior):
                raise ValueError(f"model {name} is {type(model).__name__}: a prior needed")
            NoisyLaw(model, stream.noise())
            for task in stream.tasks:
                geometry = name + canonical(task.description["geometry"])
                if geometry in seen:
                    continue
                seen.add(geometry)
                try:
                    stream.regions(model.lattice, task.radius)
                except ValueError as error:
                    where = canonical(task.description["geometry"])
                    raise ValueError(f"geometry {where} of model {name}: {error}") from error

    def _spelled_out(self, n_samples: int) -> Iterator[Stream]:
        seeds = values_of(Parameter("seed", int, None), self.seed, "seed")
        given = (self.model, self.noise, self.geometry, self.quantity)
        names = ("model", "noise", "geometry", "quantity")
        found = [options(name, section) for name, section in zip(names, given, strict=True)]
        _apart({name: found[i] for i, name in enumerate(names)})
        models, noises, geometries, quantities = found
        shared = _without_radius(geometries)
        for model, noise, (geometry, radii), quantity, seed in product(
            models, noises, shared, quantities, seeds
        ):
            common = {
                "format": FORMAT,
                "geometry": geometry.description,
                "model": model.description,
                "n_samples": n_samples,
                "noise": noise.description,
                "quantity": quantity.description,
                "seed": seed,
            }
            tasks = tuple(Task(_with_radius(common, radius), radius) for radius in radii)
            yield Stream(model, noise, geometry, quantity, n_samples, common, tasks)


def _without_radius(geometries: list[Option]) -> list[tuple[Option, list[float | None]]]:
    """Geometries that differ in the radius only, joined."""
    joined: dict[str, tuple[Option, list[float | None]]] = {}
    for option in geometries:
        rest = {key: value for key, value in option.description.items() if key != "radius"}
        arguments = {key: value for key, value in option.arguments.items() if key != "radius"}
        shared = Option(option.call, arguments, rest)
        radius = option.arguments.get("radius", _NO_RADIUS)
        joined.setdefault(canonical(rest), (shared, []))[1].append(radius)
    return list(joined.values())


def _with_radius(common: Json, radius: float | None) -> Json:
    if radius is _NO_RADIUS:
        return common
    return common | {"geometry": common["geometry"] | {"radius": radius}}


def _apart(sections: dict[str, list[Option]]) -> None:
    """Refuse two sections with parameters of the same name: an axis has one meaning."""
    owner: dict[str, str] = {}
    for section, found in sections.items():
        for name in {name for option in found for name in option.arguments}:
            if owner.setdefault(name, section) != section:
                raise ValueError(
                    f"parameter {name!r} belongs to {owner[name]} and to {section}: rename one"
                )
