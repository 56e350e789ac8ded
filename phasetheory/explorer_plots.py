"""Pictures of the explorer, as bytes for a page: fields as pixels, curves and maps with a cursor.

A slider must be answered at once, so pictures that do not depend on it are drawn once: the place of
the cursor on them is told in fractions of the picture, and the page lays the cursor over it.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import NDArray

from phasetheory.plotting import COLOURS, MAP, cmi_map, dual_loops, figure, screen_style, svg

__all__ = ["Framed", "bonds", "map_picture", "pixels", "window_curve"]

Floats = NDArray[np.float64]

#: Negative, zero, positive: for differences, safe for colour-blind readers.
SIGNED = LinearSegmentedColormap.from_list(
    "blue-white-vermillion", [COLOURS["blue"], "#FFFFFF", COLOURS["vermillion"]]
)
#: What an erased site looks like.
ERASED = (0.88, 0.88, 0.88, 1.0)
#: Width of a picture of curves, in inches; lecture mode draws on less paper, with the same type.
_WIDTH, _LECTURE_WIDTH = 4.6, 3.7


@dataclass(frozen=True)
class Framed:
    """A picture, and where its data coordinates are.

    Attributes:
        image: SVG.
        box: Left, right, bottom, top of the axes, in fractions of the picture from its lower left.
        x: Range of the horizontal axis.
        y: Range of the vertical axis.
    """

    image: bytes
    box: tuple[float, float, float, float]
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Fractions of the picture from its upper left corner, of a point in data coordinates."""
        left, right, bottom, top = self.box
        across = left + (right - left) * (x - self.x[0]) / (self.x[1] - self.x[0])
        up = bottom + (top - bottom) * (y - self.y[0]) / (self.y[1] - self.y[0])
        return across, 1.0 - up


def pixels(
    values: Floats, low: float, high: float, *, signed: bool = False, erased: float | None = None
) -> bytes:
    """A field as an image of one pixel a site.

    Args:
        values: Shape (rows, columns).
        low: Value of the darkest colour (or of blue).
        high: Value of the lightest (or of vermillion).
        signed: Blue, white, vermillion in place of cividis.
        erased: Value drawn in grey, if any.

    Returns:
        PNG.
    """
    colours: Colormap = SIGNED if signed else mpl.colormaps[MAP]
    span = high - low if high > low else 1.0
    rgba = colours(np.clip((values - low) / span, 0.0, 1.0))
    if erased is not None:
        rgba[values == erased] = ERASED
    buffer = io.BytesIO()
    imsave(buffer, rgba, format="png")
    return buffer.getvalue()


def bonds(
    shape: tuple[int, int], fields: Sequence[Floats], *, marked: NDArray[np.bool_] | None = None
) -> list[bytes]:
    """Bonds of a grid as walls on the dual lattice; see :func:`phasetheory.plotting.dual_loops`.

    Args:
        shape: (rows, columns) of the spins.
        fields: Darkness of every bond, 0 to 1, for each picture.
        marked: Bonds drawn in vermillion.

    Returns:
        One SVG a field.
    """
    images = []
    with screen_style():  # once: setting a style takes as long as drawing these few lines
        for walls in fields:
            drawn = Figure(figsize=(1.6, 1.6))
            axes = drawn.add_axes((0.01, 0.01, 0.98, 0.98))
            dual_loops(axes, shape, walls, wrong=marked)
            axes.set_axis_off()
            images.append(svg(drawn))
    return images


def map_picture(scan: xr.Dataset, window: xr.Dataset, *, lecture: bool = False) -> Framed:
    """The CMI map with its window; the cursor is left to the page.

    Args:
        scan: Result of `pt.scan`.
        window: Result of `pt.locate_transition`.
        lecture: Larger type.
    """
    with screen_style():
        width = _LECTURE_WIDTH if lecture else _WIDTH
        drawn, axes = figure(width, 0.78 * width)
        cmi_map(axes, scan, window=window)
        radii = scan["radius"].values
        axes.set(xlim=(0.0, 1.0), yticks=radii[:: max(1, len(radii) // 5)])
        return _framed(drawn, axes)


def window_curve(scan: xr.Dataset, window: xr.Dataset, radius: int, *, lecture: bool) -> Framed:
    """I_t(A;C|B_r) over t at one radius, with its peak and its window shaded.

    Args:
        scan: Result of `pt.scan`.
        window: Result of `pt.locate_transition`.
        radius: Buffer radius r.
        lecture: Larger type.
    """
    row, found = scan.sel(radius=radius), window.sel(radius=radius)
    with screen_style():
        width = _LECTURE_WIDTH if lecture else _WIDTH
        drawn = Figure(figsize=(width, 0.78 * width))
        # Fixed margins, since a layout that fits takes as long as the drawing.
        margin = 0.8 / width
        axes = drawn.add_axes((margin, 0.65 * margin, 0.97 - margin, 0.91 - 0.65 * margin))
        axes.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
        ends = float(found["window_start"]), float(found["window_end"])
        if np.isfinite(ends).all():
            axes.axvspan(*ends, color=COLOURS["sky"], alpha=0.25, lw=0, label="window")
        level = float(found["threshold"])
        axes.axhline(level, color=COLOURS["sky"], lw=0.8, ls="--")
        error = row["cmi_stderr"].values
        axes.errorbar(row["t"], row["cmi"], error if error.any() else None, color=COLOURS["blue"],
                      marker="o", ms=2.5, lw=1.2, elinewidth=0.8)  # fmt: skip
        axes.plot(found["t_peak"], found["cmi_peak"], marker="v", ms=6, ls="",
                  color=COLOURS["vermillion"], label="peak")  # fmt: skip
        axes.set(xlabel="diffusion time $t$", xlim=(0.0, 1.0),
                 ylabel=f"$I_t(A;C|B_{{{radius}}})$  [nats]")  # fmt: skip
        top = max(float(row["cmi"].max()), level)
        axes.set_ylim(min(0.0, float(row["cmi"].min())), 1.12 * top if top > 0 else 1.0)
        right = float(found["t_peak"]) < 0.5
        axes.legend(loc="upper right" if right else "upper left", handlelength=1.2)
        return _framed(drawn, axes)


def _framed(drawn: Figure, axes: Axes) -> Framed:
    """The picture with the place of its axes, which the layout knows after drawing only."""
    image = svg(drawn)
    box = axes.get_position()
    x, y = axes.get_xlim(), axes.get_ylim()
    return Framed(image, (box.x0, box.x1, box.y0, box.y1), (x[0], x[1]), (y[0], y[1]))
