"""Sweeps as small TOML files."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from phasetheory.sweep.grid import Grid
from phasetheory.sweep.parameters import nearest
from phasetheory.sweep.stop import Stop

__all__ = ["Config", "read_config"]

_TOP = ("ledger", "quantity", "n_samples", "seed", "model", "noise", "geometry", "stop")
_NEEDED = ("model", "noise", "geometry")


@dataclass(frozen=True, eq=False)
class Config:
    """A sweep as its file says it.

    Attributes:
        grid: The tasks.
        ledger: Where finished batches go.
        stop: When to stop.
    """

    grid: Grid
    ledger: Path
    stop: Stop


def read_config(path: str | os.PathLike[str]) -> Config:
    """Read a TOML file.

    Args:
        path: The file. Keys: `ledger` (a path, from the current folder; by default the name of
            the file with the ending .jsonl), `quantity` (a name, or a table), `n_samples`,
            `seed`, and the tables `model`, `noise`, `geometry` (or arrays of such tables) and
            `stop`, whose keys are those of :class:`phasetheory.sweep.Grid` and
            :class:`phasetheory.sweep.Stop`.

    Returns:
        The configuration.

    Raises:
        ValueError: If the file cannot be read or is no TOML, a key is unknown (with the nearest
            valid one) or missing, or a value does not fit.
    """
    file = Path(path)
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"config {str(path)!r}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"config {str(path)!r} is no TOML: {error}") from error
    try:
        return _config(settings, file.with_suffix(".jsonl").name)
    except ValueError as error:
        raise ValueError(f"config {str(path)!r}: {error}") from error


def _config(settings: dict[str, Any], ledger: str) -> Config:
    _known("the file", settings, _TOP)
    if missing := [name for name in _NEEDED if name not in settings]:
        raise ValueError(f"the tables {', '.join(f'[{name}]' for name in missing)} are missing")
    ledger = settings.pop("ledger", ledger)
    if not isinstance(ledger, str) or not ledger:
        raise ValueError(f"ledger={ledger!r}: the path of a file needed")
    stop = settings.pop("stop", {})
    if not isinstance(stop, Mapping):
        raise ValueError(f"stop={stop!r}: a table [stop] needed")
    _known("[stop]", stop, [f.name for f in fields(Stop)])
    return Config(Grid(**settings), Path(ledger), Stop(**stop))


def _known(where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    names = list(known)
    for word in given:
        if word not in names:
            raise ValueError(f"unknown key {word!r} in {where}: {nearest(word, names)}")
