"""Parameters of named things: which there are, of what kind, and whether a value fits.

The signature of a function is its declaration: keyword parameters, their annotations (int, float,
bool, str, `Place`, or a `Literal` of strings) and their defaults.
"""

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

__all__ = ["Parameter", "Place", "nearest", "parameters"]

#: A centre: "middle", a site index, or one coordinate per axis.
Place = int | str | tuple[int, ...]

_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a named thing.

    Attributes:
        name: Its name.
        kind: Its annotation; `Any` where there is none.
        default: Its default, or `inspect.Parameter.empty`.
    """

    name: str
    kind: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is inspect.Parameter.empty

    def is_value(self, given: Any) -> bool:
        """Whether a list is one value of this parameter (a coordinate) and no axis of values."""
        flat = isinstance(given, list | tuple) and not any(
            isinstance(entry, list | tuple) for entry in given
        )
        return self.kind == Place and flat and bool(given)

    def value(self, given: Any, where: str) -> Any:
        """One value in the parameter's own type.

        Args:
            given: What a config or a caller wrote.
            where: How to name it in a message, for example "model.size".

        Returns:
            int, float, bool, str or a tuple of int.

        Raises:
            ValueError: If it does not fit.
        """
        if hasattr(given, "tolist"):
            given = given.tolist()
        choices = get_args(self.kind) if get_origin(self.kind) is Literal else ()
        if choices:
            if given not in choices:
                raise ValueError(f"{where}={given!r}: one of {', '.join(map(str, choices))} needed")
            return given
        if self.kind is int and isinstance(given, float) and given.is_integer():
            return int(given)
        if self.kind is float and isinstance(given, str) and given in ("inf", "-inf"):
            return float(given)
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if self.kind is float and is_number and not math.isnan(given):
            return float(given)
        if self.kind is int and is_number and isinstance(given, int):
            return given
        if self.kind in (bool, str) and isinstance(given, self.kind):
            return given
        if self.kind == Place:
            return _place(given, where)
        if self.kind is Any or self.kind not in _NAMES:
            return _any(given, where)
        raise ValueError(f"{where}={given!r}: {_NAMES[self.kind]} needed")


def _place(given: Any, where: str) -> Any:
    whole = isinstance(given, list | tuple) and all(type(entry) is int for entry in given)
    if whole and given:
        return tuple(given)
    if type(given) is int or given == "middle":
        return given
    raise ValueError(f'{where}={given!r}: "middle", a site index or a list of coordinates needed')


def _any(given: Any, where: str) -> Any:
    if isinstance(given, list | tuple):
        return tuple(_any(entry, where) for entry in given)
    if isinstance(given, str | bool | int | float) and given == given:
        return given
    raise ValueError(f"{where}={given!r}: a number, a string, true or false needed")


@cache
def parameters(function: Callable[..., Any]) -> Mapping[str, Parameter]:
    """Parameters that a config may set: the keyword ones, and positional ones but the first.

    Args:
        function: A factory, geometry, noise or quantity.

    Returns:
        Name -> parameter, in the order of the signature.
    """
    signature = inspect.signature(function, eval_str=True)
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    empty = inspect.Parameter.empty
    return {
        name: Parameter(name, Any if p.annotation is empty else p.annotation, p.default)
        for name, p in signature.parameters.items()
        if p.kind in kinds
    }


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest valid one, and all of them.

    Args:
        word: What was given.
        known: What would be valid.

    Returns:
        For example "did you mean 'size'? Known: coupling, size".
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.0)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}Known: {', '.join(names) or 'none'}"
