"""Canonical descriptions of tasks, and the keys made from them.

A description is a JSON object. Its canonical text has sorted keys, no white space, and numbers in
the shortest form that reads back exactly, which is the same in every process, on every machine
and in every version of Python this package runs on.
"""

import hashlib
import json
import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

__all__ = ["FORMAT", "canonical", "digest", "fingerprint"]

#: Part of every key. It grows when the same description begins to mean other numbers, so that
#: batches of before and after never mix.
FORMAT = 1

Json = dict[str, Any]


def canonical(value: Any) -> str:
    """Canonical JSON text of a description.

    Args:
        value: Nested dicts with string keys, lists, tuples, strings, booleans, None, finite and
            infinite numbers, numpy scalars and arrays.

    Returns:
        The text, ASCII only.

    Raises:
        ValueError: If something has no canonical text: NaN, or another type.
    """
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Key of a description: the first 128 bits of the sha256 of its canonical text, as hex.

    Args:
        value: What :func:`canonical` takes.

    Returns:
        32 hexadecimal digits.

    Example:
        >>> digest({"size": 8, "t": 0.5}) == digest({"t": 0.5, "size": 8})
        True
        >>> digest({"size": 8}) == digest({"size": 8.0})
        False
    """
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]


def plain(value: Any) -> Any:
    """The value in JSON's own types; infinities, which JSON lacks, as "inf" and "-inf"."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise ValueError(f"description has the keys {list(value)}: names needed")
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError("description holds NaN: numbers and infinities needed")
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if value is None or isinstance(value, str | int):
        return value
    raise ValueError(f"description holds {value!r} of type {type(value).__name__}: no JSON value")


def fingerprint(thing: Any) -> Json:
    """Description of an object that exists in memory only: its type and the hash of its content.

    Args:
        thing: A frozen dataclass (every model of the zoo is one) of arrays, numbers, strings and
            further such objects; or an object with a method `describe()` that returns a
            description.

    Returns:
        {"name": type name, "sha256": ...}, the same in every process.

    Raises:
        ValueError: If a part of the object cannot be told from another by its content.
    """
    return {"name": type(thing).__name__, "content": digest(_content(thing, type(thing).__name__))}


def _content(thing: Any, path: str) -> Any:
    describe = getattr(thing, "describe", None)
    if callable(describe):
        return [type(thing).__name__, plain(describe())]
    if isinstance(thing, np.ndarray) and thing.dtype.kind in "biuf":
        # One byte order, whatever the machine's own.
        data = np.ascontiguousarray(thing).astype(thing.dtype.newbyteorder("<"))
        sha = hashlib.sha256(data.tobytes()).hexdigest()
        return [f"{thing.dtype.kind}{thing.dtype.itemsize}", list(thing.shape), sha]
    if is_dataclass(thing) and not isinstance(thing, type):
        inside = {
            f.name: _content(getattr(thing, f.name), f"{path}.{f.name}") for f in fields(thing)
        }
        return [type(thing).__name__, inside]
    if isinstance(thing, dict):
        return {str(name): _content(entry, f"{path}[{name!r}]") for name, entry in thing.items()}
    if isinstance(thing, list | tuple):
        return [_content(entry, f"{path}[{i}]") for i, entry in enumerate(thing)]
    try:
        return plain(thing)
    except ValueError:
        raise ValueError(
            f"{path} of type {type(thing).__name__} has no content to make a key of: use a frozen"
            " dataclass of arrays and numbers, give it a method describe(), or make the model by"
            " a function of plain parameters"
        ) from None
