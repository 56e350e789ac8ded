"""Drawing finite-size scaling: raw curves, their collapse, and what drifts with the sizes."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from phasetheory.plotting import COLOURS, sequence
from phasetheory.transitions import Collapse

__all__ = ["draw_collapse", "draw_curves", "draw_windows"]


def draw_curves(axes: Axes, found: Collapse, *, ylabel: str = "$I$  [nats]") -> None:
    """Curves of every size against t with their error bars, and t_c as a band of one error.

    Args:
        axes: Where to draw.
        found: The collapse, which holds its data.
        ylabel: Name of the quantity.
    """
    curves = found.fit.curves
    for size, colour in zip(curves.sizes, sequence(curves.sizes.size), strict=True):
        own = curves.where(curves.size == size)
        axes.errorbar(own.t, own.value, own.stderr, color=colour, marker="o", ms=3, lw=0.8,
                      label=f"$L={size:g}$")  # fmt: skip
    centre, half = found.t_c.value, found.t_c.stderr
    if found.ok:
        axes.axvspan(centre - half, centre + half, color=COLOURS["vermillion"], alpha=0.4, lw=0)
    axes.set(xlabel="$t$", ylabel=ylabel)
    axes.legend(handlelength=1.2)


def draw_collapse(axes: Axes, found: Collapse) -> None:
    r"""All points on the master curve's axes, :math:`L^a I` against :math:`(t-t_c) L^{1/\nu}`.

    The master curve is drawn where two sizes or more have points. The verdict stands in the title,
    so that a failed collapse cannot be taken for a good one.

    Args:
        axes: Where to draw.
        found: The collapse.
    """
    points = found.scaled()
    sizes = np.unique(points["size"])
    each = [points["x"].values[points["size"].values == size] for size in sizes]
    # Where only one size has points nothing is collapsed, and between them nothing holds the curve.
    low, high = sorted(x.min() for x in each)[1], sorted(x.max() for x in each)[-2]
    x = np.linspace(low, high, 400)
    axes.plot(x, found.master(x), color=COLOURS["black"], lw=0.8)
    for size, colour in zip(sizes, sequence(sizes.size), strict=True):
        own = points.isel(point=points["size"].values == size)
        axes.errorbar(own["x"], own["y"], own["y_stderr"], color=colour, marker="o", ms=3, ls="",
                      lw=0.8, label=f"$L={size:g}$")  # fmt: skip
    amplitude = "$I$" if found.a.value == 0 else "$L^a I$"
    axes.set(xlabel=r"$(t - t_c)\,L^{1/\nu}$", ylabel=amplitude, title=found.verdict)
    axes.legend(handlelength=1.2)


def draw_windows(
    axes: Axes, windows: xr.Dataset, name: str, *, expected: float | None = None
) -> None:
    """One fitted number against the smallest size in the fit.

    Open symbols are fits whose verdict is not "ok".

    Args:
        axes: Where to draw.
        windows: `Collapse.windows`.
        name: "t_c", "nu" or "a".
        expected: A value to compare with, drawn as a line.
    """
    good = windows["verdict"].values == "ok"
    for kept, face in ((good, COLOURS["blue"]), (~good, "white")):
        part = windows.isel(min_size=kept)
        axes.errorbar(part["min_size"], part[name], part[f"{name}_stderr"], ls="", marker="o", ms=4,
                      color=COLOURS["blue"], markerfacecolor=face)  # fmt: skip
    if expected is not None:
        axes.axhline(expected, color=COLOURS["black"], ls=":", lw=1)
    label = {"t_c": "$t_c$", "nu": r"$\nu$", "a": "$a$"}[name]
    axes.set(xlabel="smallest size in the fit", ylabel=label, xscale="log")
