"""Drawing: every function puts one picture on given axes, from data that others computed.

The only module of the package that imports matplotlib. Figures are made without pyplot: no window,
no global state. Colours are safe for colour-blind readers and in greyscale.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from phasetheory.estimate import MIN_EFFECTIVE_SAMPLES

__all__ = [
    "COLOURS",
    "MAP",
    "chain_scatter",
    "cmi_map",
    "cmi_profiles",
    "cmi_times",
    "dual_loops",
    "figure",
    "image_grid",
    "markov_lengths",
    "screen_style",
    "sequence",
    "svg",
]

#: Okabe and Ito, "Color Universal Design" (2008); yellow last, since it is faint on white.
COLOURS = {
    "black": "#000000",
    "vermillion": "#D55E00",
    "blue": "#0072B2",
    "green": "#009E73",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
    "yellow": "#F0E442",
}
#: Colour map: perceptually uniform, the same for colour-blind readers and in greyscale.
MAP = "cividis"


_SCREEN: Any = {
    "axes.labelsize": 10.0,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10.0,
    "font.size": 10.0,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "mathtext.fontset": "dejavusans",
    "svg.fonttype": "path",
    "svg.hashsalt": "phasetheory",
}


@contextmanager
def screen_style() -> Iterator[None]:
    """Draw for a page on a screen; the user's own settings come back afterwards."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SCREEN)
        yield


def svg(drawn: Figure) -> bytes:
    """The figure as vector graphics, the same bytes for the same figure."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="svg", dpi=200, metadata={"Date": None})
    return buffer.getvalue()


def figure(width: float, height: float, **subplots: Any) -> tuple[Figure, Any]:
    """A figure and its axes, laid out so that labels do not overlap.

    Args:
        width: Inches.
        height: Inches.
        **subplots: Passed on to `Figure.subplots`.

    Returns:
        The figure and what `Figure.subplots` returns.
    """
    made = Figure(figsize=(width, height))
    made.set_layout_engine("constrained")
    return made, made.subplots(**subplots)


def sequence(n: int) -> NDArray[Any]:
    """N colours along the map, dark to light without its faint end, shape (n, 4)."""
    return np.asarray(mpl.colormaps[MAP](np.linspace(0.0, 0.85, n)))


def cmi_map(
    axes: Axes,
    scan: xr.Dataset,
    *,
    floor: float = 1e-5,
    top: float | None = None,
    bar: bool = True,
    window: xr.Dataset | None = None,
) -> None:
    r"""Map of :math:`I_t(A;C|B_r)` over diffusion time and buffer radius, on a log scale.

    Crosses mark sampled values whose error bar is not to be trusted.

    Args:
        axes: Where to draw.
        scan: Result of :func:`phasetheory.scan`.
        floor: Values below it, in nats, share the darkest colour (a sampled value may be
            negative; it is drawn there too).
        top: Largest value of the scale, in nats; that of the scan by default.
        bar: Whether to draw the colour bar.
        window: Result of :func:`phasetheory.locate_transition`, to mark its peak and window.
    """
    value = scan["cmi"].transpose("radius", "t").values
    top = max(float(np.nanmax(value)), 10 * floor) if top is None else top
    mesh = axes.pcolormesh(
        scan["t"],
        scan["radius"],
        np.maximum(value, floor),
        norm=LogNorm(floor, top),
        cmap=MAP,
        shading="nearest",
        rasterized=True,
    )
    if bar:
        axes.figure.colorbar(mesh, ax=axes, extend="min", label="$I_t(A;C|B_r)$  [nats]")
    if "cmi_n_effective" in scan:
        rare = scan["cmi_n_effective"].transpose("radius", "t").values < MIN_EFFECTIVE_SAMPLES
        r, t = np.nonzero(rare)
        crosses: dict[str, Any] = {"color": "white", "ls": "", "marker": "x", "ms": 2.5, "mew": 0.6}
        axes.plot(scan["t"].values[t], scan["radius"].values[r], **crosses)
    axes.set(xlabel="diffusion time $t$", ylabel="buffer radius $r$")
    if window is not None:
        axes.plot(
            window["t_peak"],
            window["radius"],
            color="white",
            lw=0,
            marker="o",
            ms=3,
            label="peak over $t$",
        )
        for side in ("window_start", "window_end"):
            axes.plot(
                window[side],
                window["radius"],
                color="white",
                lw=1,
                ls="--",
                label="window" if side == "window_start" else None,
            )
        legend = axes.legend(loc="upper left", facecolor="black", framealpha=0.5, frameon=True)
        for text in legend.get_texts():
            text.set_color("white")


def cmi_profiles(axes: Axes, scan: xr.Dataset, times: ArrayLike, *, floor: float = 1e-5) -> None:
    r"""Decay of :math:`I_t(A;C|B_r)` with the buffer radius at a few times, with error bars."""
    wanted = np.atleast_1d(np.asarray(times, dtype=float))
    for time, colour in zip(wanted, sequence(wanted.size), strict=True):
        row = scan.sel(t=time, method="nearest")
        kept = row["cmi"].values > floor
        axes.errorbar(
            row["radius"].values[kept],
            row["cmi"].values[kept],
            row["cmi_stderr"].values[kept],
            color=colour,
            marker="o",
            ms=3,
            label=f"$t={float(row['t']):.2f}$",
        )
    axes.set(xlabel="buffer radius $r$", ylabel="$I_t(A;C|B_r)$  [nats]", yscale="log")
    axes.set_ylim(bottom=floor)
    axes.legend(loc="lower left", handlelength=1.2)


def cmi_times(
    axes: Axes, curves: Iterable[tuple[str, ArrayLike, ArrayLike]], *, xlabel: str
) -> None:
    """CMI against time (or a scaled time), one named curve (label, x, cmi) each."""
    drawn = list(curves)
    for (label, x, value), colour in zip(drawn, sequence(len(drawn)), strict=True):
        axes.plot(np.asarray(x), np.asarray(value), color=colour, label=label)
    axes.set(xlabel=xlabel, ylabel="$I_t(A;C|B)$  [nats]")
    axes.legend(handlelength=1.2)


def markov_lengths(axes: Axes, lengths: xr.Dataset) -> None:
    r"""Markov length :math:`\xi(t)` with its error, where the data support one."""
    good = lengths["verdict"].values == "ok"
    axes.errorbar(
        lengths["t"].values[good],
        lengths["xi"].values[good],
        lengths["xi_stderr"].values[good],
        color=COLOURS["blue"],
        marker="o",
        ms=3,
        lw=1,
    )
    axes.set(xlabel="diffusion time $t$", ylabel=r"Markov length $\xi$  [sites]", ylim=(0, None))


def chain_scatter(axes: Sequence[Axes], chains: xr.Dataset) -> None:
    r"""T1 on many instances, one panel for each inequality of the chain.

    :math:`2\,\mathrm{TV}^2 \le \mathrm{KL} \le I - \tilde I \le I`; the line is equality.

    Args:
        axes: Three axes.
        chains: Variables `two_tv_squared`, `kl`, `cmi_drop` and `cmi`, nats, over one dimension.
    """
    symbol = {
        "two_tv_squared": r"$2\,\mathrm{TV}(p,\hat p)^2$",
        "kl": r"$\mathrm{KL}(p\Vert\hat p)$",
        "cmi_drop": r"$I-\tilde I$",
        "cmi": "$I(A;C|B)$",
    }
    names = list(symbol)
    colours = ("vermillion", "orange", "blue")
    for panel, low, high, colour in zip(axes, names[:-1], names[1:], colours, strict=True):
        x, y = chains[high].values, chains[low].values
        kept = (x > 0) & (y > 0)
        panel.plot(x[kept], y[kept], ls="", marker="o", ms=2, alpha=0.5, mew=0,
                   color=COLOURS[colour])  # fmt: skip
        ends = np.array([x[kept].min(), x[kept].max()])
        panel.plot(ends, ends, color=COLOURS["black"], lw=0.8)
        panel.set(xscale="log", yscale="log", xlabel=f"{symbol[high]}  [nats]",
                  ylabel=f"{symbol[low]}  [nats]")  # fmt: skip


def dual_loops(
    axes: Axes,
    shape: tuple[int, int],
    walls: ArrayLike,
    *,
    wrong: ArrayLike | None = None,
    open_faces: ArrayLike | None = None,
) -> None:
    """Bonds of an open grid drawn as walls: the dual lines that cross them.

    Args:
        axes: Where to draw.
        shape: (rows, columns) of the spins.
        walls: Probability that a bond is a wall (its two spins differ), 0 to 1, in the order of
            `Lattice.grid(shape).edges`, shape (n_bonds,): the line is as dark.
        wrong: Mask of bonds drawn in vermillion, twice as wide and at least half dark: a wrong
            bond is an error whether it draws a wall or leaves one out. Shape (n_bonds,).
        open_faces: Mask of faces marked with a dot, shape (rows - 1, columns - 1).

    Raises:
        ValueError: If `walls` does not have one entry a bond.
    """
    rows, columns = shape
    row, column = np.indices(shape)
    # Edges of a grid, sorted: from each site first to the right, then down.
    across = np.stack([column + 0.5, row - 0.5, column + 0.5, row + 0.5], axis=-1)
    below = np.stack([column - 0.5, row + 0.5, column + 0.5, row + 0.5], axis=-1)
    ends = np.stack([across, below], axis=2)
    exists = np.stack([column < columns - 1, row < rows - 1], axis=-1)
    lines = ends[exists].reshape(-1, 2, 2)
    weight = np.asarray(walls, dtype=float)
    if weight.shape != (len(lines),):
        raise ValueError(
            f"walls has shape {weight.shape}: one entry for each of the {len(lines)} bonds of a"
            f" {rows} x {columns} grid needed"
        )
    marked = np.zeros(len(lines), dtype=bool) if wrong is None else np.asarray(wrong, dtype=bool)
    colours = np.zeros((len(lines), 4))
    colours[marked, :3] = mpl.colors.to_rgb(COLOURS["vermillion"])
    colours[:, 3] = np.where(marked, np.maximum(weight, 0.5), weight)
    widths = np.where(marked, 2.0, 1.0)
    axes.add_collection(LineCollection(list(lines), colors=colours, linewidths=widths))
    if open_faces is not None:
        r, c = np.nonzero(np.asarray(open_faces, dtype=bool))
        axes.plot(c + 0.5, r + 0.5, ls="", marker="o", ms=2.2, mew=0, color=COLOURS["blue"])
    axes.set(xlim=(-0.6, columns - 0.4), ylim=(rows - 0.4, -0.6), aspect="equal")
    axes.set(xticks=[], yticks=[])


def image_grid(
    axes: NDArray[Any],
    images: Sequence[Sequence[NDArray[np.float64]]],
    rows: Sequence[str],
    *,
    columns: Sequence[str],
    limits: Sequence[tuple[float, float]] | None = None,
) -> None:
    """Grid of grey images with named rows and columns.

    Args:
        axes: Shape (n_rows, n_columns).
        images: One list a row, each image of shape (height, width).
        rows: Names of the rows.
        columns: Names of the columns.
        limits: Grey range (black, white) of each row; [0, 1] by default.
    """
    for i, row in enumerate(images):
        black, white = limits[i] if limits is not None else (0.0, 1.0)
        for j, image in enumerate(row):
            panel = axes[i, j]
            panel.imshow(image, cmap="gray", vmin=black, vmax=white, interpolation="nearest")
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
            if i == 0:
                panel.set_title(columns[j])
            if j == 0:
                panel.set_ylabel(rows[i])
