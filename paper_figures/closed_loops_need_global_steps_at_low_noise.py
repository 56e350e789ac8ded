"""Reverse diffusion of loops: what steps, windows and the transition each cost in open faces."""

from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting
from phasetheory.circuits.observables import open_faces
from phasetheory.estimate import MIN_EFFECTIVE_SAMPLES, Estimate
from phasetheory.sampling.reverse import reverse_diffusion, reverse_from

CLAIM = (
    "Exact steps at low noise close all loops again, whatever windows did to earlier ones; windows "
    "at the end of the way leave open faces, the fewer the wider they are."
)

CAPTION = (
    "Closed loops (walls between random spins on square grids of side [[side | what=steps]]) "
    "drawn by reverse diffusion, [[samples | what=steps]] samples a point; bars: standard "
    "errors. Left: fraction of open faces, where an odd number of walls meet, against the number "
    "of steps that draw all bonds at once; at the foot: none seen. Drawn site by site, one step "
    "leaves none (title). Middle: squared locality gap of the middle bond of a grid of side "
    "[[side | what=gap]] under bit flips, [[samples | what=gap]] samples; open markers: error "
    "bars not to be trusted; dashed: $t_c$ (quoted); grey: the window around the transition. "
    "Right: open faces if the steps named below read windows of radius $r$ only and all others "
    "all bonds."
)

SYMBOLS = {
    "x_A": "the clean bond $A$",
    "y_{AB}": "noisy bonds of $A$ and its buffer $B$",
}

COST = "4 CPU minutes (measured)"

GROUP = "ours"


NOISES = {"erasure": pt.Erasure, "bit flips": pt.BitFlip, "Gaussian": pt.Gaussian}
LOOK = {"erasure": ("blue", "o"), "bit flips": ("vermillion", "s"), "Gaussian": ("green", "^")}
#: Numbers of steps that draw all bonds at once. One contradiction spoils a masked sample for good,
#: so that erasure needs many more.
STEPS = {"erasure": (4, 16, 64, 256)}
FEW_STEPS = (4, 8, 16, 32, 64)
#: Transition windows (end, start) around t_c = 0.2184 and 0.495, for the steps that go back.
WINDOW = {"bit flips": (0.14, 0.3), "Gaussian": (0.43, 0.56)}
FLOOR = 1e-3
T_C = 2 * 0.10919
TIMES = (0.04, 0.07, 0.1, 0.13, 0.16, 0.19, 0.2184, 0.25, 0.3, 0.35, 0.4, 0.5)
#: Parts of the way back that read a window only: above, inside and below the transition window.
LOCAL = {
    "nowhere": (0, 0, 0),
    "inside": (0, 1, 0),
    "outside": (1, 0, 1),
    "below": (0, 0, 1),
    "everywhere": (1, 1, 1),
}


def tasks(quick: bool) -> list[dict[str, Any]]:
    """Open faces against steps; locality gaps against time; windows on parts of the way back."""
    side = {"side": 5 if quick else 14}
    steps = [
        {"what": "steps", "noise": name, "method": "parallel", "steps": k, **side}
        for name in NOISES
        for k in ((4, 8) if quick else STEPS.get(name, FEW_STEPS))
    ]
    exact = [
        {"what": "steps", "noise": name, "method": "sequential", "steps": 1, **side}
        for name in NOISES
    ]
    gaps = [
        {"what": "gap", "t": t, "radii": [1, 2] if quick else [1, 2, 4, 8]}
        | {"side": 10 if quick else 20, "samples": 30 if quick else 2000}
        for t in TIMES[:: 5 if quick else 1]
    ]
    parts = [
        {"what": "parts", "noise": name, "local": local, "radius": radius, **side}
        | {"steps": 2 if quick else 10}
        for name in WINDOW
        for radius in ((1,) if quick else (1, 2))
        for local in LOCAL
        if local != "nowhere" or radius == 1
    ]
    samples = {"samples": 4 if quick else 24}
    return [task | samples for task in steps + exact + parts] + gaps


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Densities of open faces, or squared locality gaps of the middle bond."""
    loops = _loops(task["side"])
    if task["what"] == "gap":
        return _gaps(loops, task)
    noise = NOISES[task["noise"]]
    if task["what"] == "steps":
        times = np.linspace(1.0, 0.0, task["steps"] + 1)
        bonds = reverse_diffusion(
            loops, noise, times=times, n=task["samples"], method=task["method"], rng=task["steps"]
        )
    else:
        bonds = _in_parts(loops, task)
    density = open_faces(loops, bonds).mean(axis=1)
    found = Estimate.from_samples(density)
    return {"open": found.value, "stderr": found.stderr}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Steps on the left, locality gaps in the middle, windows on the right."""
    figure, (left, middle, right) = new_figure(TEXT, 2.9, ncols=3)
    _steps(left, [row for row in rows if row["what"] == "steps"])
    _gap_curves(middle, [row for row in rows if row["what"] == "gap"])
    _parts(right, [row for row in rows if row["what"] == "parts"])
    return figure


def _steps(panel: Axes, rows: list[dict[str, Any]]) -> None:
    """Log axes; the exact sweeps have no open face and are named in the title."""
    for name, (colour, marker) in LOOK.items():
        own = [row for row in rows if row["noise"] == name and row["method"] == "parallel"]
        steps, value, error = (
            np.array([row[k] for row in own]) for k in ("steps", "open", "stderr")
        )
        # No open face at all has no place on a log axis: an open marker at its foot.
        none = value == 0
        panel.errorbar(steps[~none], value[~none], error[~none], color=COLOURS[colour],
                       marker=marker, label=name)  # fmt: skip
        if none.any():
            panel.plot(steps[none], np.full(none.sum(), FLOOR), ls="", color=COLOURS[colour],
                       marker=marker, mfc="white", clip_on=False, zorder=3)  # fmt: skip
    exact = max(row["open"] for row in rows if row["method"] == "sequential")
    panel.set(xscale="log", yscale="log", xlabel="parallel steps from $t=1$ to $0$")
    panel.set(ylabel="fraction of open faces (foot: none)", ylim=(FLOOR, 4.0))
    ticks = (4, 16, 64, 256)
    panel.set_xticks(ticks, [str(k) for k in ticks])
    panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    panel.set_title(f"site by site, one step: {exact:g}")
    panel.legend(loc="upper right", handlelength=1.2)


def _gap_curves(panel: Axes, rows: list[dict[str, Any]]) -> None:
    times, radii = np.array([row["t"] for row in rows]), rows[0]["radii"]
    gap, error, effective = (
        np.array([row[name] for row in rows], dtype=float)
        for name in ("gap", "stderr", "n_effective")
    )
    for r, (radius, colour) in enumerate(zip(radii, plotting.sequence(len(radii)), strict=True)):
        seen = gap[:, r] > 1e-5
        panel.errorbar(times[seen], gap[seen, r], error[seen, r], color=colour, marker="o",
                       label=f"$r={radius}$")  # fmt: skip
        rare = seen & (effective[:, r] < MIN_EFFECTIVE_SAMPLES)
        panel.plot(
            times[rare], gap[rare, r], ls="", marker="o", color=colour, mfc="white", zorder=3
        )
    end, start = WINDOW["bit flips"]
    panel.axvspan(end, start, color="0.9", zorder=0)
    panel.axvline(T_C, color="black", ls="--", lw=0.8)
    panel.text(T_C, 0.7, " $t_c$", va="top")
    panel.set(yscale="log", ylim=(1e-5, 1.0), xlabel="diffusion time $t$")
    panel.set_ylabel(r"$\mathbb{E}\,(\mathbb{E}[x_A|y] - \mathbb{E}[x_A|y_{AB}])^2$")
    panel.set_title("locality gap, bit flips")
    panel.legend(loc="upper right", handlelength=1.2)


def _parts(panel: Axes, rows: list[dict[str, Any]]) -> None:
    """Open faces for each choice of the parts that read a window, side by side."""
    radii = sorted({row["radius"] for row in rows})
    for n, name in enumerate(WINDOW):
        colour, _ = LOOK[name]
        for k, radius in enumerate(radii):
            for place, local in enumerate(LOCAL):
                if local == "nowhere" and radius != radii[0]:
                    continue
                wanted = {"noise": name, "local": local, "radius": radius}
                (row,) = (row for row in rows if wanted.items() <= row.items())
                x = place + 0.2 * (2 * n + k - 1.5)
                label = f"{name}, $r={radius}$" if local == "everywhere" else None
                panel.errorbar(x, row["open"], row["stderr"], color=COLOURS[colour], ls="",
                               marker="os"[k], mfc=COLOURS[colour] if k else "white",
                               label=label)  # fmt: skip
    panel.set_xticks(range(len(LOCAL)), list(LOCAL), rotation=35, ha="right")
    panel.set(xlabel="... the transition", ylabel="fraction of open faces", ylim=(-0.003, 0.1))
    panel.set_title(f"{3 * rows[0]['steps']} parallel steps, windows ...")
    panel.legend(loc="upper left", handlelength=1.0)


def _in_parts(loops: pt.LoopEnsemble, task: dict[str, Any]) -> NDArray[Any]:
    """Three parts of the way back, each with or without a window."""
    noise, (end, start) = NOISES[task["noise"]], WINDOW[task["noise"]]
    rng = np.random.default_rng(3)
    _, y = loops.noised(noise(1.0)).sample(task["samples"], rng=rng)
    ends = ((1.0, start), (start, end), (end, 0.0))
    for (later, earlier), local in zip(ends, LOCAL[task["local"]], strict=True):
        times = np.linspace(later, earlier, task["steps"] + 1)
        window = task["radius"] if local else None
        y = reverse_from(y, loops, noise, times=times, window=window, rng=rng)
    return y


def _gaps(loops: pt.LoopEnsemble, task: dict[str, Any]) -> dict[str, Any]:
    side, row = task["side"], task["side"] // 2
    middle = (row * side + row - 1, row * side + row)
    law = loops.noised(pt.BitFlip(task["t"]))
    found = [
        pt.locality_gap(
            law, loops.lattice.tripartition(middle, r), n_samples=task["samples"], rng=4
        )
        for r in task["radii"]
    ]
    return {
        "gap": [gap.value for gap in found],
        "stderr": [gap.stderr for gap in found],
        "n_effective": [gap.n_effective for gap in found],
    }


@cache
def _loops(side: int) -> pt.LoopEnsemble:
    return pt.LoopEnsemble(pt.Lattice.grid((side, side)))
