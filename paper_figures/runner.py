"""Find the figure scripts and make one figure: tasks -> rows -> plot -> files."""

import importlib
import os
import pkgutil
from pathlib import Path
from types import ModuleType

import paper_figures
from paper_figures.store import Rows
from paper_figures.style import journal_style, save

__all__ = ["load", "make", "names"]

FOLDER = Path(__file__).parent
OUT = FOLDER / "out"
ROWS = FOLDER / "rows"

HELPERS = {"__main__", "full_size", "located", "runner", "store", "style"}
INTERFACE = ("CLAIM", "tasks", "compute", "plot")


def names() -> list[str]:
    """Names of all figures, in alphabetical order."""
    found = {module.name for module in pkgutil.iter_modules(paper_figures.__path__)}
    return sorted(found - HELPERS)


def load(name: str) -> ModuleType:
    """The script of a figure.

    Raises:
        ValueError: If there is no such figure, or its script lacks a part of the interface.
    """
    if name not in names():
        raise ValueError(f"no figure {name!r}; there are {', '.join(names()) or 'none'}")
    script = importlib.import_module(f"paper_figures.{name}")
    if missing := [part for part in INTERFACE if not hasattr(script, part)]:
        raise ValueError(
            f"paper_figures/{name}.py has no {', '.join(missing)}; expected "
            "CLAIM, tasks(quick), compute(task) and plot(rows)"
        )
    return script


def make(
    name: str,
    *,
    quick: bool = False,
    out: str | os.PathLike[str] = OUT,
    rows: str | os.PathLike[str] = ROWS,
    recompute: bool = False,
) -> list[Path]:
    """Compute the missing rows of a figure, draw it, and return the files written.

    Args:
        name: The figure, one of `names()`.
        quick: Take the small tasks.
        out: Folder for `name.pdf` and `name.png`.
        rows: Folder with the rows, one file a figure.
        recompute: Compute all rows again.
    """
    script = load(name)
    store = Rows(Path(rows) / f"{name}.jsonl")
    finished = store.get_or_compute(script.tasks(quick), script.compute, recompute=recompute)
    with journal_style():
        return save(script.plot(finished), name, out)
