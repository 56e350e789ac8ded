"""One style for all figures: print sizes, legible fonts, colours safe for colour-blind readers.

Figures are drawn at the size at which they are printed, so nothing is scaled afterwards and a font
size here is the font size on paper. A script draws for a journal; `fit` makes the same figure as
wide as another page wants it, at the same height and font sizes, and the layout follows.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from phasetheory.plotting import COLOURS, MAP, figure

__all__ = [
    "COLOURS",
    "COLUMN",
    "FORMATS",
    "MAP",
    "TEXT",
    "Format",
    "collisions",
    "fit",
    "journal_style",
    "new_figure",
    "save",
]

COLUMN = 3.4
"""Width of one journal column, inches."""

TEXT = 7.0
"""Width of the text, two columns, inches."""


@dataclass(frozen=True)
class Format:
    """Widths of a page of print.

    Attributes:
        column: Width of one column, inches.
        text: Width of the text, two columns, inches.
        pages: Whose pages these are.
    """

    column: float
    text: float
    pages: str


#: Proceedings: two columns, as at ICML and AISTATS. Pages of one column of 5.5 in (NeurIPS, ICLR)
#: take a figure of 6.75 in scaled by 0.81: its smallest print is then 5.7 pt.
FORMATS = {
    "journal": Format(COLUMN, TEXT, "two-column physics journals (APS, AIP, IOP)"),
    "proceedings": Format(3.25, 6.75, "two-column machine-learning proceedings (ICML, AISTATS)"),
}

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


def fit(fig: Figure, page: str) -> None:
    """Give a figure drawn for a journal the width that it has on another page.

    Args:
        fig: As wide as a column or as the text of any format.
        page: A name of `FORMATS`.

    Raises:
        ValueError: If there is no such format, or the figure has no such width.
    """
    if page not in FORMATS:
        raise ValueError(f"format {page!r}: expected one of {', '.join(FORMATS)}")
    width = fig.get_figwidth()
    for name in ("column", "text"):
        if any(abs(width - getattr(one, name)) < 0.01 for one in FORMATS.values()):
            fig.set_figwidth(getattr(FORMATS[page], name))
            return
    raise ValueError(
        f"figure: is {width:g} in wide, expected {COLUMN} (a column) or {TEXT} (the text)"
    )


def save(
    fig: Figure, name: str, out: str | os.PathLike[str], *, page: str = "journal"
) -> list[Path]:
    """Write `name.pdf` (vector) and `name.png` (300 dpi), each whole or not at all.

    Args:
        fig: The figure; its width becomes that of the page.
        name: Of the files.
        out: Folder of the files.
        page: A name of `FORMATS`.

    Raises:
        ValueError: If the width is neither that of a column nor that of the text, or a text is
            smaller than 7 pt.
    """
    check_print_size(fig, name)
    fit(fig, page)
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


def visible_texts(fig: Figure) -> list[Text]:
    """Every text that is drawn: no blank ones, nor labels of ticks beyond the limits of an axis."""
    beyond = set()
    for axes in fig.findobj(Axes):
        for axis in (axes.xaxis, axes.yaxis):
            ends = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                at = tick.get_loc()
                if not (ends[0] <= at <= ends[1] or any(math.isclose(at, end) for end in ends)):
                    beyond |= {tick.label1, tick.label2}
    texts: list[Text] = fig.findobj(Text)
    return [
        text
        for text in texts
        if text.get_visible() and text.get_text().strip() and text not in beyond
    ]


def check_print_size(fig: Figure, name: str) -> None:
    """Raise a ValueError if the figure cannot be printed as it is."""
    width = fig.get_figwidth()
    widths = [width for page in FORMATS.values() for width in (page.column, page.text)]
    if not any(abs(width - allowed) < 0.01 for allowed in widths):
        raise ValueError(f"{name}: is {width:g} in wide, expected {COLUMN} (a column) or {TEXT}")
    texts = visible_texts(fig)
    small = [text for text in texts if float(text.get_fontsize()) < SMALLEST_FONT - 1e-6]
    if small:
        raise ValueError(
            f"{name}: {small[0].get_text()!r} is set at {small[0].get_fontsize():g} pt, expected "
            f"at least {SMALLEST_FONT:g} pt; draw it within journal_style()"
        )


def collisions(fig: Figure) -> list[str]:
    """Texts that overlap one another or leave the figure, as it is laid out now.

    Not looked for: text over lines and markers, and text at a slant, whose box is not its shape.
    """
    fig.draw_without_rendering()
    page = fig.bbox
    upright = [text for text in visible_texts(fig) if text.get_rotation() % 90 == 0]
    seen = [(text.get_text(), text.get_window_extent()) for text in upright]
    found = [
        f"{text!r} leaves the page"
        for text, box in seen
        if min(box.x0 - page.x0, page.x1 - box.x1, box.y0 - page.y0, page.y1 - box.y1) < -1
    ]
    for (first, one), (second, other) in combinations(seen, 2):
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        if wide > 1 and high > 1:
            found.append(f"{first!r} lies over {second!r}")
    return found
