"""The concept: data, noise, and the transition between them, where no window is enough."""

from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting

CLAIM = (
    "Data and noise are two phases: inside either, a window of a few sites ignores nearly nothing, "
    "and a local step denoises as well as a global one; at the transition between them what a "
    "window ignores falls off slowly, and no window is enough."
)

CAPTION = (
    "The concept of arXiv:2508.06614 on a law that is solved. Top: closed loops (walls between "
    "random spins) with more and more bonds erased (grey). Left: a site, its buffer and the "
    "rest. Right: share of the information behind the nearest bonds that a window of radius $r$ "
    "still ignores, for the middle bond of a grid of side [[side | what=curve]]: means of exact "
    "terms over [[samples]] samples, with standard errors of the numerator. Dashed: $t_c=1/2$, "
    "by self-duality of bond percolation. On either side of it the share falls off exponentially "
    "with the radius, and a local step does nearly what a global one does."
)

SYMBOLS = {
    "B_1": "the buffer of radius one",
}

COST = "50 CPU seconds (estimated)"

GROUP = "paper"


#: Self-duality of bond percolation.
T_C = 0.5
#: Times of the pictures: data, data phase, transition, noise phase, nearly pure noise.
SHOWN = (0.0, 0.25, 0.5, 0.75, 0.95)
TIMES = (0.1, 0.2, 0.3, 0.36, 0.4, 0.44, 0.47, 0.5, 0.53, 0.56, 0.6, 0.64, 0.7, 0.8)
RADII = (1, 2, 4, 8, 16)
#: Window of the sketch.
SKETCH, RADIUS = 11, 2


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a picture, one a time of the curves."""
    pictures = [{"what": "picture", "t": t, "side": 6 if quick else 12, "seed": 5} for t in SHOWN]
    curves = [
        {
            "what": "curve",
            "t": t,
            "side": 12 if quick else 48,
            "radii": list(RADII[:3] if quick else RADII),
            "samples": 60 if quick else 4000,
            "seed": k,
        }
        for k, t in enumerate(TIMES[::4] if quick else TIMES)
    ]
    return pictures + curves


@cache
def _loops(side: int) -> pt.LoopEnsemble:
    return pt.LoopEnsemble(pt.Lattice.grid((side, side)))


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Bonds of one sample, clean and erased; or the CMI of the middle bond by radius."""
    loops, side = _loops(task["side"]), task["side"]
    if task["what"] == "picture":
        x, y = loops.noised(pt.Erasure(task["t"])).sample(1, rng=task["seed"])
        return {"clean": x[0].tolist(), "noisy": y[0].tolist()}
    row = side // 2
    scan = pt.scan(
        loops, pt.Erasure, t=[task["t"]], radius=task["radii"],
        centre=(row * side + row - 1, row * side + row), n_samples=task["samples"],
        rng=task["seed"],
    ).isel(t=0)  # fmt: skip
    return {name: scan[name].values.tolist() for name in ("cmi", "cmi_stderr")}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Pictures along the path above; regions and the share that a window ignores below."""
    figure, grid = new_figure(TEXT, 3.6, nrows=2, ncols=5, height_ratios=(1.0, 1.5))
    pictures = [row for row in rows if row["what"] == "picture"]
    for panel, row in zip(grid[0], pictures, strict=True):
        clean, noisy = np.array(row["clean"]), np.array(row["noisy"])
        walls = np.where(noisy == 0, 0.18, (1 - clean) / 2)
        plotting.dual_loops(panel, (row["side"],) * 2, walls)
        panel.spines[:].set_visible(True)
        name = {0.0: "data, ", T_C: "transition, "}.get(row["t"], "")
        panel.set_title(f"{name}$t={row['t']:g}$")
    for panel in grid[1]:
        panel.remove()
    space = grid[1, 0].get_gridspec()
    _regions(figure.add_subplot(space[1, :2]))
    _shares(figure.add_subplot(space[1, 2:]), [row for row in rows if row["what"] == "curve"])
    return figure


def _regions(panel: Axes) -> None:
    """A site, its buffer, and the rest, as the package cuts a grid."""
    lattice = pt.Lattice.grid((SKETCH, SKETCH))
    parts = lattice.tripartition((SKETCH // 2, SKETCH // 2), RADIUS)
    colours = {"A": COLOURS["vermillion"], "B": COLOURS["sky"], "C": "0.75"}
    picture = np.zeros((SKETCH * SKETCH, 3))
    for name, colour in colours.items():
        picture[getattr(parts, name)] = to_rgb(colour)
    panel.imshow(picture.reshape(SKETCH, SKETCH, 3), interpolation="nearest")
    edges = np.arange(SKETCH + 1) - 0.5
    panel.vlines(edges, -0.5, SKETCH - 0.5, color="white", lw=0.8)
    panel.hlines(edges, -0.5, SKETCH - 0.5, color="white", lw=0.8)
    centre = SKETCH // 2
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9}
    panel.text(centre, centre, "$A$", **style)
    panel.text(centre - RADIUS + 0.5, centre - RADIUS + 0.5, "$B$", **style)
    panel.text(1.0, 1.0, "$C$", **style)
    panel.annotate(
        "", (centre + RADIUS + 0.5, centre), (centre + 0.5, centre),
        arrowprops={"arrowstyle": "<->", "lw": 0.8, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip
    panel.text(centre + 0.5 + RADIUS / 2, centre - 0.1, "$r$", ha="center", va="bottom")
    panel.set(xticks=[], yticks=[], xlabel="a local step reads $A$ and $B$")
    panel.spines[:].set_visible(False)


def _shares(panel: Axes, rows: list[dict[str, Any]]) -> None:
    """CMI behind r over the CMI behind the smallest buffer; three phases named above."""
    times = np.array([row["t"] for row in rows])
    cmi, error = (np.array([row[name] for row in rows]) for name in ("cmi", "cmi_stderr"))
    radii, seen = rows[0]["radii"], cmi[:, 0] > 0
    times, first = times[seen], cmi[seen, 0]
    for k, colour in zip(range(1, len(radii)), plotting.sequence(len(radii) - 1), strict=True):
        panel.errorbar(
            times, cmi[seen, k] / first, error[seen, k] / first, color=colour, marker="o",
            label=f"$r={radii[k]}$",
        )  # fmt: skip
    panel.axvline(T_C, ymax=0.88, color="black", ls="--", lw=0.8)
    top = panel.get_ylim()[1]
    panel.set(xlim=(0, 1), ylim=(-0.02 * top, 1.3 * top), xlabel="diffusion time $t$")
    panel.set_ylabel("$I_t(A;C|B_r)\\,/\\,I_t(A;C|B_1)$")
    panel.text(0.02, 1.2 * top, "data phase:\nlocal steps", va="center")
    panel.text(T_C, 1.2 * top, "$t_c$: global steps", va="center", ha="center")
    panel.text(0.98, 1.2 * top, "noise phase:\nlocal steps", va="center", ha="right")
    panel.legend(loc="center left", bbox_to_anchor=(0.0, 0.5), handlelength=1.2)
