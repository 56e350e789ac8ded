"""Where along the path local steps lose information, and how much of it is lost for good."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import MAP, TEXT, new_figure
from phasetheory.theorems import zoo

CLAIM = (
    "A local step loses most where the data are nonlocal (top: the terms of T2). What of it is "
    "left at t = 0 when every other step is global (bottom) is far less, and nothing at all in a "
    "repetition code or in small patches of loops unless the step is the last: global steps mend "
    "what local ones lost before."
)

CAPTION = (
    "Five laws, noised to the end and drawn back in [[steps]] steps. Top: the terms of T2 that "
    "one step with local gates of radius $r$ adds to the bound, against the place of the step. "
    "Bottom: the KL that is left at $t=0$ if this step alone is local and all others are global. "
    "Ising, code and loops under bit flips by enumeration, Gaussian chains in closed form: "
    "nothing is sampled. Values below the end of the scale are drawn there."
)

SYMBOLS = {
    r"\Delta I": "fall of the CMI at one gate; summed over the gates of a step [nats]",
}

COST = "20 CPU seconds (measured)"

GROUP = "ours"


STEPS = 10
FLOOR = 1e-8


#: Name -> (title, model, noise, radii).
ZOO: dict[str, tuple[str, Any, Any, tuple[int, ...]]] = {
    "ising": (
        "critical Ising\n3×4, flips",
        lambda: pt.Ising(pt.Lattice.grid((3, 4)), 0.5 * math.log1p(math.sqrt(2.0))),
        pt.BitFlip,
        (0, 1, 2),
    ),
    "code": (
        "repetition code\n12, flips",
        lambda: zoo.repetition_code(12),
        pt.BitFlip,
        (0, 1, 2, 3, 4),
    ),
    "loops": (
        "closed loops\n17 bonds, flips",
        lambda: pt.LoopEnsemble(pt.Lattice.grid((3, 4))),
        pt.BitFlip,
        (0, 1, 2),
    ),
    "massive": (
        "massive field\n32, Gaussian",
        lambda: zoo.neighbour_field(pt.Lattice.chain(32), 0.3),
        pt.Gaussian,
        (0, 1, 2, 3, 4),
    ),
    "massless": (
        "nearly massless\n32, Gaussian",
        lambda: zoo.neighbour_field(pt.Lattice.chain(32), 1e-3),
        pt.Gaussian,
        (0, 1, 2, 3, 4),
    ),
}


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a model and radius."""
    chosen = ("ising", "massive") if quick else tuple(ZOO)
    return [
        {"model": name, "radius": radius, "steps": 4 if quick else STEPS}
        for name in chosen
        for radius in ZOO[name][3]
    ]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Terms of T2 by step, and the exact error at t = 0 if that step alone is local."""
    _, make, noise, _ = ZOO[task["model"]]
    model, radius = make(), task["radius"]
    times = np.linspace(1.0, 0.0, task["steps"] + 1)
    run = pt.reverse_circuit(model, noise, pt.Circuit(model.lattice, times, radius), progress=False)
    left = []
    for start, end in pairwise(times):
        # One sweep of global gates from `end` to 0 is the same channel as many: both draw from
        # the exact posterior.
        path, radii = ([start, end, 0.0], [radius, math.inf]) if end else ([start, 0.0], [radius])
        circuit = pt.Circuit(model.lattice, path, radii)
        left.append(pt.reverse_circuit(model, noise, circuit, terms=False, progress=False).kl.value)
    return {"terms": run.step_terms.tolist(), "left": left, "kl": run.kl.value, "bound": run.bound}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Two maps a model over the window of the step and the radius."""
    names = [name for name in ZOO if any(row["model"] == name for row in rows)]
    figure, axes = new_figure(
        TEXT, 2.9, nrows=2, ncols=len(names), sharex=True, sharey="col", squeeze=False
    )
    for column, name in enumerate(names):
        own = sorted((row for row in rows if row["model"] == name), key=lambda row: row["radius"])
        for line, kind in enumerate(("terms", "left")):
            drawn = _map(axes[line, column], own, kind)
        axes[0, column].set_title(ZOO[name][0], fontsize=7.5)
        axes[1, column].set_xlabel("time $t$")
    axes[0, 0].set_ylabel("buffer radius $r$")
    axes[1, 0].set_ylabel("buffer radius $r$")
    for line, label in enumerate((r"step $\sum\Delta I$  [nats]", r"final KL  [nats]")):
        bar = figure.colorbar(drawn, ax=axes[line, :], pad=0.01, fraction=0.03, extend="min")
        bar.set_label(label)
        bar.ax.minorticks_off()
    return figure


def _map(panel: Axes, rows: list[dict[str, Any]], kind: str) -> Any:
    values = np.array([row[kind] for row in rows])
    edges = np.linspace(1.0, 0.0, values.shape[1] + 1)
    radii = np.array([row["radius"] for row in rows])
    drawn = panel.pcolormesh(
        edges, np.append(radii - 0.5, radii[-1] + 0.5), np.maximum(values, FLOOR * 1e-3),
        norm=LogNorm(FLOOR, 10.0), cmap=MAP, rasterized=True,
    )  # fmt: skip
    panel.set(xlim=(0, 1), yticks=radii, xticks=(0, 0.5, 1))
    panel.set_xticklabels(("0", "0.5", "1"))
    return drawn
