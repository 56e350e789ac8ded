"""Sections of a grid, spelled out: every combination of a name and its parameters.

A section says what is varied: a name, or a mapping of a name and parameters, any of which may be a
list (an axis), or a list of such mappings (alternatives).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from phasetheory.noise import BitFlip, Erasure, Gaussian, Noise
from phasetheory.prior import Prior
from phasetheory.sweep.describe import Json, fingerprint, plain
from phasetheory.sweep.geometries import GEOMETRIES
from phasetheory.sweep.models import MODELS
from phasetheory.sweep.noises import NOISES
from phasetheory.sweep.parameters import Parameter, nearest, parameters
from phasetheory.sweep.quantities import QUANTITIES

__all__ = ["RESERVED", "SECTIONS", "Option", "catalogue", "options", "settable"]

SECTIONS = ("model", "noise", "geometry", "quantity")
#: Names that have a meaning of their own beside the parameters.
RESERVED = (*SECTIONS, "name", "format", "n_samples", "seed", "content", "scales")
#: How many leading arguments the sweep hands over, and which others: no config sets those.
_LEADING = {"model": 0, "noise": 0, "geometry": 1, "quantity": 2}
_HANDED = {"quantity": ("n_samples", "rng")}
_CLASSES: dict[Any, str] = {BitFlip: "BitFlip", Erasure: "Erasure", Gaussian: "Gaussian"}


@dataclass(frozen=True, eq=False)
class Option:
    """One choice in one section: what to call, and its canonical description.

    Attributes:
        call: Function.
        arguments: Keyword arguments for it.
        description: {"name": ..., parameters that differ from their defaults}.
    """

    call: Callable[..., Any]
    arguments: dict[str, Any]
    description: Json

    def __call__(self, *given: Any, **more: Any) -> Any:
        """Call the function."""
        return self.call(*given, **self.arguments, **more)


@dataclass(frozen=True, eq=False)
class _Ready:
    """A model that exists already, as a factory."""

    model: Prior

    def __call__(self) -> Prior:
        return self.model


def catalogue(section: str) -> dict[str, Callable[..., Any]]:
    """Functions that a section knows by name."""
    if section == "quantity":
        return {name: quantity.measure for name, quantity in QUANTITIES.items()}
    if section == "model":
        return dict(MODELS)
    return dict(NOISES) if section == "noise" else dict(GEOMETRIES)


def settable(section: str, function: Callable[..., Any]) -> dict[str, Parameter]:
    """Parameters of a function that a section may set."""
    own = list(parameters(function).items())[_LEADING[section] :]
    return {name: p for name, p in own if name not in _HANDED.get(section, ())}


def options(section: str, given: Any) -> list[Option]:
    """Every choice that a section leaves.

    Args:
        section: "model", "noise", "geometry" or "quantity".
        given: A name, a callable, a mapping {"name": ..., parameters}, or a list of these. A
            parameter may be a list of values or {"start": a, "stop": b, "num": n}. A model may
            also be a `Prior`.

    Returns:
        The choices, in the order given, the last parameter fastest.

    Raises:
        ValueError: If a name or parameter is unknown (with the nearest valid one), a parameter
            is missing, or a value does not fit.
    """
    several = given if isinstance(given, list | tuple) else [given]
    if not several:
        raise ValueError(f"{section}={given!r}: at least one needed")
    return [option for one in several for option in _spelled_out(section, one)]


def _spelled_out(section: str, given: Any) -> Iterator[Option]:
    settings = dict(given) if isinstance(given, Mapping) else {"name": given}
    if "name" not in settings:
        raise ValueError(f"{section} has no name. {nearest('', catalogue(section))}")
    named = settings.pop("name")
    if section == "model" and not isinstance(named, str | type) and isinstance(named, Prior):
        if settings:
            raise ValueError(f"model is {type(named).__name__}, made already: no {list(settings)}")
        yield Option(_Ready(named), {}, fingerprint(named))
        return
    if section == "noise" and callable(named) and named not in _CLASSES:
        yield from _noises(named, settings)
        return
    name, function = _function(section, _CLASSES.get(named, named))
    known = settable(section, function)
    for word in settings:
        if word not in known:
            raise ValueError(f"unknown key {word!r} in {section} {name!r}: {nearest(word, known)}")
    if missing := [key for key, p in known.items() if p.required and key not in settings]:
        raise ValueError(f"{section} {name!r} lacks {', '.join(missing)}")
    axes = [values_of(known[key], settings[key], f"{section}.{key}") for key in settings]
    for values in product(*axes):
        arguments = dict(zip(settings, values, strict=True))
        # Defaults are left out, so that a new optional parameter does not orphan old ledgers.
        told = {k: plain(v) for k, v in arguments.items() if v != known[k].default}
        yield Option(function, arguments, {"name": name, **told})


def _function(section: str, named: Any) -> tuple[str, Callable[..., Any]]:
    known = catalogue(section)
    if isinstance(named, str):
        if named not in known:
            raise ValueError(f"unknown {section} {named!r}: {nearest(named, known)}")
        return named, known[named]
    for name, function in known.items():
        if function is named:
            return name, function
    name = f"{getattr(named, '__module__', '')}:{getattr(named, '__qualname__', '<')}"
    if not callable(named) or "<lambda>" in name or name.endswith("<"):
        raise ValueError(
            f"{section}={named!r}: a name or a function with a name of its own needed (the name"
            " is part of the key of its batches)"
        )
    if bad := set(settable(section, named)) & set(RESERVED):
        raise ValueError(f"{section} {name!r} has parameters {sorted(bad)}: other names needed")
    return name, named


def _noises(make: Callable[[float], Noise], settings: dict[str, Any]) -> Iterator[Option]:
    """Noises from a callable of t, known by the numbers of what it returns."""
    if set(settings) != {"t"}:
        raise ValueError(f"noise {make!r} is given {sorted(settings)}: t, and nothing else, needed")
    for t in values_of(Parameter("t", float, None), settings["t"], "noise.t"):
        noise = make(t)
        if not isinstance(noise, Noise):
            raise ValueError(f"noise {make!r} returns {type(noise).__name__} at t={t}: no noise")
        description = {"name": noise.name, "t": t}
        if isinstance(noise, Gaussian):
            description["scales"] = plain(noise.scales)
        yield Option(make, {"t": t}, description)


def values_of(parameter: Parameter, given: Any, where: str) -> list[Any]:
    """Values along the axis of one parameter.

    Args:
        parameter: Its declaration.
        given: One value, a list of values, or {"start": a, "stop": b, "num": n}.
        where: How to name it in a message.

    Returns:
        The values, in the parameter's type.

    Raises:
        ValueError: If the list is empty, a value appears twice or does not fit.
    """
    if isinstance(given, Mapping):
        given = _range(given, where)
    if isinstance(given, np.ndarray):
        given = given.tolist()
    one = not isinstance(given, list | tuple | range) or parameter.is_value(given)
    values = [parameter.value(entry, where) for entry in ([given] if one else given)]
    if not values:
        raise ValueError(f"{where}={given!r}: at least one value needed")
    if twice := {value for value in values if values.count(value) > 1}:
        raise ValueError(f"{where} holds {min(twice)!r} twice: distinct values needed")
    return values


def _range(given: Mapping[str, Any], where: str) -> list[float]:
    names = ("start", "stop", "num")
    for word in given:
        if word not in names:
            raise ValueError(f"unknown key {word!r} in {where}: {nearest(word, names)}")
    whole = {"start": float, "stop": float, "num": int}
    if missing := [name for name in names if name not in given]:
        raise ValueError(f"{where}={dict(given)!r} lacks {', '.join(missing)}")
    start, stop, num = (
        Parameter(name, whole[name], None).value(given[name], f"{where}.{name}") for name in names
    )
    if num < 1 or not np.isfinite([start, stop]).all():
        raise ValueError(f"{where}={dict(given)!r}: num >= 1 between finite ends needed")
    # Twelve digits, so that 0.3 from a range and 0.3 from a list are one task.
    return [float(f"{value:.12g}") for value in np.linspace(start, stop, num)]
