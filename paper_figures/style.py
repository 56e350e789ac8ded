"""One style for all figures: print sizes, legible fonts, colours safe for colour-blind readers.

Figures are drawn at the size at which they are printed, so nothing is scaled afterwards and a font
size here is the font size on paper.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.text import Text

from phasetheory.plotting import COLOURS, MAP, figure

__all__ = ["COLOURS", "COLUMN", "MAP", "TEXT", "journal_style", "new_figure", "save"]

COLUMN = 3.4
"""Width of one journal column, inches."""

TEXT = 7.0
"""Width of the text, two columns, inches."""

SMALLEST_FONT = 7.0
"""Points."""

_RC: Any = {
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.6,
    "axes.prop_cycle": cycler(color=list(COLOURS.values())),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8.0,
    "errorbar.capsize": 1.5,
    "figure.dpi": 150,
    "figure.titlesize": 8.0,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": 8.0,
    "image.cmap": MAP,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.0,
    "mathtext.fontset": "dejavusans",
    "pdf.fonttype": 42,  # TrueType: text stays text, and journals accept it
    "savefig.dpi": 300,
    "xtick.labelsize": 7.0,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 7.0,
    "ytick.major.width": 0.6,
}


@contextmanager
def journal_style() -> Iterator[None]:
    """Draw in the common style; the user's own settings come back afterwards."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def new_figure(
    width: float = COLUMN, height: float | None = None, **subplots: Any
) -> tuple[Figure, Any]:
    """A figure at print size and its axes.

    Made without pyplot: no window, no global state, nothing to close.

    Args:
        width: Inches; `COLUMN` or `TEXT`.
        height: Inches; by default the golden ratio of one column.
        **subplots: Passed on to `Figure.subplots`.

    Returns:
        The figure and what `Figure.subplots` returns.
    """
    return figure(width, COLUMN / 1.618 if height is None else height, **subplots)


def save(fig: Figure, name: str, out: str | os.PathLike[str]) -> list[Path]:
    """Write `name.pdf` (vector) and `name.png` (300 dpi), each whole or not at all.

    Raises:
        ValueError: If the width is neither that of a column nor that of the text, or a text is
            smaller than 7 pt.
    """
    check_print_size(fig, name)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    # Without dates, so that the same rows give the same file.
    for suffix, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
        path = folder / f"{name}.{suffix}"
        temporary = folder / f".{name}.new.{suffix}"
        fig.savefig(temporary, dpi=_RC["savefig.dpi"], metadata=metadata)
        os.replace(temporary, path)
        written.append(path)
    return written


def check_print_size(fig: Figure, name: str) -> None:
    """Raise a ValueError if the figure cannot be printed as it is."""
    width = fig.get_figwidth()
    if not any(abs(width - allowed) < 0.01 for allowed in (COLUMN, TEXT)):
        raise ValueError(f"{name}: is {width:g} in wide, expected {COLUMN} (a column) or {TEXT}")
    texts = [text for text in fig.findobj(Text) if text.get_visible() and text.get_text().strip()]
    small = [text for text in texts if float(text.get_fontsize()) < SMALLEST_FONT - 1e-6]
    if small:
        raise ValueError(
            f"{name}: {small[0].get_text()!r} is set at {small[0].get_fontsize():g} pt, expected "
            f"at least {SMALLEST_FONT:g} pt; draw it within journal_style()"
        )
