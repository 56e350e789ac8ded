"""CMI of loop ensembles along the path, for three noises whose transition times are known."""

from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting
from phasetheory.estimate import MIN_EFFECTIVE_SAMPLES

CLAIM = (
    "Under erasure, bit flips and Gaussian noise the CMI of closed loops decays fast with the "
    "buffer on both sides of a known time and slowly only there; its peak at a fixed buffer lies "
    "before that time and drifts towards it."
)

CAPTION = (
    "CMI of the middle bond of closed loops (walls between random spins, grids of 128×128 sites "
    "under erasure, 24×24 under bit flips and Gaussian noise). Top: against time for every "
    "radius; stars: the trusted maximum of each; dashed: $t_c$, quoted (1/2 by self-duality of "
    "bond percolation; 0.2184 from arXiv:0803.0444; 0.495 from the Gaussian Nishimori point). "
    "Bottom: against the radius before, at and after $t_c$; dotted: the four-arm exponent of "
    "percolation. Means of exact terms over [[samples]] samples; bars: standard errors; open "
    "markers: not to be trusted."
)

SYMBOLS = {
    "r": "buffer radius [bonds]",
    "A": "the middle bond",
    "B": "its buffer",
    "C": "all other bonds",
    "B_r": "the buffer: all other bonds within distance $r$ of $A$",
}

COST = "7 CPU minutes (estimated)"

GROUP = "ours"


#: Noises side by side, and where their transitions are.
NOISES = {"erasure": pt.Erasure, "bit flips": pt.BitFlip, "Gaussian": pt.Gaussian}
#: Self-duality of bond percolation; arXiv:0803.0444; sigma/alpha = 0.9794 at t/(1 - t).
CRITICAL = {"erasure": 0.5, "bit flips": 2 * 0.10919, "Gaussian": 0.9794 / 1.9794}
SIDE = {"erasure": 128, "bit flips": 24, "Gaussian": 24}
RADII = {"erasure": (1, 2, 4, 8, 16, 32), "bit flips": (1, 2, 4, 8), "Gaussian": (1, 2, 4, 8)}
SAMPLES = {"erasure": 2000, "bit flips": 4000, "Gaussian": 4000}
TIMES = {
    "erasure": (0.2, 0.25, 0.3, 0.35, 0.4, 0.425, 0.45, 0.475, 0.5, 0.525, 0.55, 0.6, 0.65, 0.7),
    "bit flips": (0.06, 0.09, 0.12, 0.14, 0.16, 0.18, 0.2, 0.2184, 0.24, 0.27, 0.3, 0.35, 0.4),
    "Gaussian": (0.3, 0.35, 0.38, 0.41, 0.43, 0.45, 0.47, 0.495, 0.52, 0.55, 0.58, 0.62),
}
#: Times drawn against the radius: data side, transition, noise side.
PROFILES = {
    "erasure": (0.35, 0.5, 0.65),
    "bit flips": (0.12, 0.2184, 0.35),
    "Gaussian": (0.41, 0.495, 0.58),
}
#: Bond percolation: four arms leave the bond, alternately joined and cut, P ~ r^(-5/4).
ARMS = 1.25
FLOOR = 1e-5


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a noise and time; quick: the transition and one time on either side."""
    return [
        {
            "noise": name,
            "t": t,
            "side": 12 if quick else SIDE[name],
            "radii": [1, 2, 4] if quick else list(RADII[name]),
            "samples": 40 if quick else SAMPLES[name],
            "seed": index,
        }
        for name in NOISES
        for index, t in enumerate(PROFILES[name] if quick else TIMES[name])
    ]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Exact cavity posteriors, averaged over exact samples; A is the bond in the middle."""
    side, row = task["side"], task["side"] // 2
    scan = pt.scan(
        _loops(side),
        NOISES[task["noise"]],
        t=[task["t"]],
        radius=task["radii"],
        centre=(row * side + row - 1, row * side + row),
        n_samples=task["samples"],
        rng=task["seed"],
    ).isel(t=0)
    return {name: scan[name].values.tolist() for name in ("cmi", "cmi_stderr", "cmi_n_effective")}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Against time above, against the radius below, one column a noise."""
    figure, axes = new_figure(TEXT, 4.6, nrows=2, ncols=3, sharey="row")
    for column, name in enumerate(NOISES):
        own = [row for row in rows if row["noise"] == name]
        _against_time(axes[0, column], own)
        _against_radius(axes[1, column], own)
        axes[0, column].set_title(f"{name}, {own[0]['side']}$^2$ spins")
    for panel in axes[:, 0]:
        panel.set_ylabel("$I_t(A;C|B_r)$  [nats]")
    lines, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside upper center", ncols=len(labels), handlelength=1.2)
    return figure


def _against_time(panel: Axes, rows: list[dict[str, Any]]) -> None:
    times = np.array([row["t"] for row in rows])
    radii = rows[0]["radii"]
    cmi, error, trusted = _table(rows)
    colours = plotting.sequence(len(RADII["erasure"]))  # by radius, the same in all panels
    for r, (radius, colour) in enumerate(zip(radii, colours, strict=False)):
        _curve(panel, times, (cmi[:, r], error[:, r], trusted[:, r]), colour, f"$r={radius}$")
        best = np.where(trusted[:, r], cmi[:, r], -np.inf).argmax()
        panel.plot(times[best], cmi[best, r], ls="", marker="*", ms=7, color=colour, mec="black",
                   mew=0.4, zorder=4)  # fmt: skip
    _mark(panel, CRITICAL[rows[0]["noise"]])
    panel.set(yscale="log", ylim=(FLOOR, 0.7), xlabel="diffusion time $t$")


def _against_radius(panel: Axes, rows: list[dict[str, Any]]) -> None:
    name = rows[0]["noise"]
    styles = zip(("blue", "black", "vermillion"), ("o", "s", "^"), PROFILES[name], strict=True)
    for colour, marker, t in styles:
        (row,) = (row for row in rows if row["t"] == t)
        cmi, error, trusted = (part[0] for part in _table([row]))
        label = f"$t={t:g}$" + (" $= t_c$" if colour == "black" else "")
        shown = np.array(row["radii"], dtype=float)
        _curve(panel, shown, (cmi, error, trusted), COLOURS[colour], label, marker)
        if name == "erasure" and colour == "black":
            guide = cmi[2] * (shown / shown[2]) ** -ARMS
            panel.plot(shown, guide, color="black", ls=":", lw=0.8, label="$r^{-5/4}$")
    ticks = rows[0]["radii"]
    panel.set(xscale="log", yscale="log", ylim=(FLOOR, 0.7), xlabel="buffer radius $r$")
    panel.set_xticks(ticks, [str(r) for r in ticks])
    panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    panel.legend(handlelength=1.2, loc="lower left")


def _curve(
    panel: Axes, x: NDArray[Any], points: tuple[NDArray[Any], ...], colour: Any, label: str,
    marker: str = "o",
) -> None:  # fmt: skip
    """Full markers where error bars can be trusted, open ones elsewhere, none below the floor."""
    cmi, error, trusted = points
    seen = cmi > FLOOR
    panel.errorbar(x[seen], cmi[seen], error[seen], color=colour, marker=marker, label=label)
    rare = seen & ~trusted
    panel.plot(x[rare], cmi[rare], ls="", marker=marker, color=colour, mfc="white", zorder=3)


def _mark(panel: Axes, critical: float) -> None:
    panel.axvline(critical, color="black", ls="--", lw=0.8)
    panel.text(critical, 0.62, " $t_c$", va="top", ha="left")


def _table(rows: list[dict[str, Any]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """CMI, its standard error, and whether that can be trusted, each (times, radii)."""
    cmi, error, effective = (
        np.array([row[name] for row in rows], dtype=float)
        for name in ("cmi", "cmi_stderr", "cmi_n_effective")
    )
    return cmi, error, effective >= MIN_EFFECTIVE_SAMPLES


@cache
def _loops(side: int) -> pt.LoopEnsemble:
    return pt.LoopEnsemble(pt.Lattice.grid((side, side)))
