"""Find the figure scripts and make one figure: tasks -> rows -> plot -> files."""

import importlib
import os
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import paper_figures
from paper_figures.captions import caption_of
from paper_figures.store import Rows
from paper_figures.style import journal_style, save

__all__ = ["GROUPS", "command", "draw", "load", "make", "names"]

FOLDER = Path(__file__).parent
OUT = FOLDER / "out"
ROWS = FOLDER / "rows"

HELPERS = {"__main__", "captions", "full_size", "located", "runner", "store", "style"}
INTERFACE = ("CLAIM", "CAPTION", "COST", "GROUP", "tasks", "compute", "plot")
#: Value of GROUP -> what a reader is told of it.
GROUPS = {
    "paper": "The paper's figures, in exact form",
    "ours": "What exact laws add",
}


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
            "CLAIM, CAPTION, COST, GROUP, tasks(quick), compute(task) and plot(rows)"
        )
    if script.GROUP not in GROUPS:
        raise ValueError(f"{name}: GROUP is {script.GROUP!r}, expected one of {', '.join(GROUPS)}")
    return script


def make(
    name: str,
    *,
    quick: bool = False,
    out: str | os.PathLike[str] = OUT,
    rows: str | os.PathLike[str] = ROWS,
    recompute: bool = False,
    page: str = "journal",
) -> list[Path]:
    """Compute the missing rows of a figure, draw it, and return the files written.

    Args:
        name: The figure, one of `names()`.
        quick: Take the small tasks.
        out: Folder for `name.pdf`, `name.png` and the caption `name.tex`.
        rows: Folder with the rows, one file a figure.
        recompute: Compute all rows again.
        page: Whose widths to draw for, a name of `style.FORMATS`.
    """
    script = load(name)
    tasks = script.tasks(quick)
    store = Rows(Path(rows) / f"{name}.jsonl")
    finished = store.get_or_compute(tasks, script.compute, recompute=recompute)
    return draw(script, tasks, finished, Path(out) / name, page=page)


def draw(
    script: ModuleType,
    tasks: Sequence[dict[str, Any]],
    rows: Sequence[dict[str, Any]],
    stem: Path,
    *,
    page: str = "journal",
) -> list[Path]:
    """Draw finished rows and write `stem.pdf`, `stem.png` and `stem.tex`.

    Args:
        script: Of the figure.
        tasks: What was computed, for the sizes in the caption.
        rows: One finished row a task.
        stem: Path of the files without their suffix.
        page: A name of `style.FORMATS`.
    """
    with journal_style():
        figure = script.plot(rows)
        caption = caption_of(script, figure, tasks, command(script))
        made = save(figure, stem.name, stem.parent, page=page)
    text = stem.with_name(f"{stem.name}.tex")
    text.write_text(caption.latex(), encoding="utf-8")
    return [*made, text]


def command(script: ModuleType) -> str:
    """What draws a figure from its kept rows."""
    return f"python -m paper_figures {script.__name__.rpartition('.')[2]}"
