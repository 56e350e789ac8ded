"""Which sources a result rests on, as BibTeX.

`data/methods.toml` says for every public name of the package, every theorem and every engine which
entries of `data/references.bib` it uses. An empty list means: nothing beyond the software and the
paper, which :func:`citation` always gives.
"""

import json
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import resources
from types import MappingProxyType, ModuleType
from typing import Any, TextIO

from phasetheory import __version__

__all__ = ["METHODS", "bibtex", "citation", "sources"]

_PAPER = "hu2025"
_DATA = resources.files("phasetheory") / "data"


def _read_methods() -> Mapping[str, tuple[str, ...]]:
    sections = tomllib.loads((_DATA / "methods.toml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {name: tuple(keys) for section in sections.values() for name, keys in section.items()}
    )


#: Name of a method -> keys of its sources in `data/references.bib`.
METHODS: Mapping[str, tuple[str, ...]] = _read_methods()
_LOWER = {re.sub("[-_ ]", "", name.lower()): name for name in METHODS}

# What a variable of a labelled result, or the `quantity` of an Estimate, was computed by.
_VARIABLES = {
    "cmi": "cmi",
    "fall": "circuit_falls",
    "gap": "gap_curve",
    "label_information": "label_information",
    "locality_gap": "locality_gap",
    "mutual_information": "mutual_information",
    "sector_information": "sector_information",
    "t_cross": "crossings",
    "t_peak": "locate_transition",
    "xi": "markov_length",
}
_QUANTITIES = {
    "conditional mutual information": "cmi",
    "conditional mutual information given the label": "cmi_given_label",
    "covariance": "cone_bound",
    "fidelity": "recovery",
    "kl": "recovery",
    "label information": "label_information",
    "squared locality gap": "locality_gap",
    "tv": "recovery",
}


def citation(*subjects: Any, file: TextIO | None = None) -> None:
    """Print BibTeX for the methods used: those of the subjects, the software and the paper.

    Args:
        *subjects: What was used. A model, a noise, a law; an :class:`~phasetheory.Estimate`, a scan
            or any other result; a class or a function of the package; or a name: `"planar"`,
            `"mine"`, `"T11"`. None: the software and the paper alone.
        file: Where to print; standard output if None. :func:`phasetheory.citations.bibtex` returns
            the same text.

    Raises:
        ValueError: If a subject is not a method of the package, with names that come close.

    Example:
        >>> import phasetheory as pt
        >>> pt.citation("T7")  # doctest: +ELLIPSIS
        % the software
        @software{phasetheory,
        ...
        % the paper whose theory this is
        @misc{hu2025,
        ...
        % for T7
        @misc{liu2026,
        ...
    """
    print(bibtex(*subjects), file=file or sys.stdout)


def bibtex(*subjects: Any) -> str:
    """Return what :func:`citation` prints.

    Args:
        *subjects: As for :func:`citation`.

    Returns:
        One BibTeX entry for each source, each below a comment that says for which methods.

    Raises:
        ValueError: If a subject is not a method of the package.
    """
    found = sources(*subjects)
    parts = [f"% the software\n{_software()}"]
    paper = ", ".join(["the paper whose theory this is", *found.pop(_PAPER, ())])
    parts.append(f"% {paper}\n{entries()[_PAPER]}")
    parts += [f"% for {', '.join(names)}\n{entries()[key]}" for key, names in found.items()]
    return "\n\n".join(parts)


def sources(*subjects: Any) -> dict[str, list[str]]:
    """Keys of the sources of some methods, each with the methods that rest on it.

    Args:
        *subjects: As for :func:`citation`.

    Returns:
        Key of an entry in `data/references.bib` -> names of methods, in the order of the subjects.

    Raises:
        ValueError: If a subject is not a method of the package.
    """
    found: dict[str, list[str]] = {}
    for subject in subjects:
        for name, keys in _methods_of(subject):
            for key in keys:
                names = found.setdefault(key, [])
                if name not in names:
                    names.append(name)
    return found


@cache
def entries() -> Mapping[str, str]:
    """Key -> text of every entry of `data/references.bib`."""
    text = (_DATA / "references.bib").read_text(encoding="utf-8")
    found = re.finditer(r"^@\w+\{([\w-]+),\n.*?^\}$", text, re.DOTALL | re.MULTILINE)
    return MappingProxyType({entry[1]: entry[0] for entry in found})


def _software() -> str:
    return (
        "@software{phasetheory,\n"
        "  author = {{phasetheory contributors}},\n"
        "  title = {phasetheory: exact phases of data distributions},\n"
        f"  version = {{{__version__}}},\n"
        "  license = {MIT},\n"
        "}"
    )


def _methods_of(subject: Any) -> list[tuple[str, Sequence[str]]]:
    """Names of the methods behind one subject, with the keys of their sources."""
    if isinstance(subject, str):
        return [_named(subject)]
    if isinstance(subject, ModuleType):
        return [_named(subject.__name__.rsplit(".", 1)[-1])]
    if hasattr(subject, "data_vars") and hasattr(subject, "attrs"):
        return _of_dataset(subject)
    if hasattr(subject, "quantity") and subject.quantity in _QUANTITIES:
        return [_named(_QUANTITIES[subject.quantity])]
    if hasattr(subject, "prior") and hasattr(subject, "noise"):
        return _of_law(subject)
    if hasattr(subject, "theorems"):
        return [_named(key) for key in subject.theorems]
    if hasattr(subject, "statement") and hasattr(subject, "key"):
        return [_named(subject.key)]
    own = subject if hasattr(subject, "__qualname__") else type(subject)
    names = [own.__qualname__, *(c.__name__ for c in getattr(own, "__mro__", ()))]
    names.append(own.__qualname__.split(".")[0])
    known = [n for n in names if n in METHODS]
    if not str(own.__module__).startswith("phasetheory") or not known:
        raise ValueError(
            f"subject {subject!r:.60}: not a method of phasetheory; give a model, a noise, a law, a"
            " result, a public class or function, or a name such as 'planar' or 'T11'"
        )
    return [_named(known[0]), *_fitted(subject), *_schedule_of(subject)]


def _named(name: str) -> tuple[str, Sequence[str]]:
    short = re.sub(r"^(pt|phasetheory)\.", "", name.strip())
    for candidate in (short, short.rsplit(".", 1)[-1]):
        found = candidate if candidate in METHODS else _LOWER.get(_plain(candidate))
        if found is not None:
            return found, METHODS[found]
    near = [_LOWER[n] for n in get_close_matches(_plain(short), _LOWER, n=3)]
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise ValueError(f"subject {name!r}: no method of that name in phasetheory.citations{hint}")


def _plain(name: str) -> str:
    return re.sub("[-_ ]", "", name.lower())


def _of_law(law: Any) -> list[tuple[str, Sequence[str]]]:
    """The prior if it is one of ours, the noise, and what the two have together."""
    pair = [type(law.prior).__name__, type(law.noise).__name__]
    named = [*pair, "/".join(pair)]
    found = [_named(n) for n in named if n in METHODS]
    return [*found, *_fitted(law.prior), *_schedule_of(law.noise)]


def _fitted(model: Any) -> list[tuple[str, Sequence[str]]]:
    return [_named("GaussianField.fit")] if "shrinkage" in getattr(model, "settings", {}) else []


def _schedule_of(noise: Any) -> list[tuple[str, Sequence[str]]]:
    name = getattr(getattr(noise, "schedule", None), "__qualname__", "").split(".")[0]
    return [_named(name)] if name in METHODS else []


def _of_dataset(data: Any) -> list[tuple[str, Sequence[str]]]:
    """What the attributes and the variables of a labelled result tell about its making."""
    attrs = data.attrs
    models = str(attrs.get("model", "")).split(", ")
    noises = _noises(attrs.get("noise", ""))
    pairs = [f"{model}/{noise}" for model in models for noise in noises]
    variables = [_VARIABLES[v] for v in data.data_vars if v in _VARIABLES]
    found = [_named(n) for n in [*models, *noises, *pairs, *variables] if n in METHODS]
    if "shrinkage" in str(attrs.get("model_settings", "")):
        found.append(_named("GaussianField.fit"))
    told = re.findall(r"arXiv:([\w./-]*\w)", str(attrs.get("source", "")))
    for key, text in entries().items():
        if key != _PAPER and any(f"eprint = {{{number}}}" in text for number in told):
            found.append((str(attrs.get("title", "a result")), (key,)))
    return found


def _noises(text: Any) -> list[str]:
    """Names in the attribute `noise`: plain, several with commas, or JSON with a schedule."""
    try:
        told = json.loads(text) if isinstance(text, str) else dict(text)
    except ValueError:
        return str(text).split(", ")
    return [told.get("noise", ""), str(told.get("schedule", "")).split(".")[0]]
