"""Error against cost of local, global and hybrid circuits, and where a few global steps belong."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory.theorems import zoo

CLAIM = (
    "Top: hybrids that T2 chooses (circles) lie on or near the front of error against cost; a "
    "window of global steps pays in ordered and massless data. Bottom: the error with five global "
    "steps in 20, over that without; the window that T2 names (shaded) is nearly the best, except "
    "for a code under flips, where global steps belong to the end."
)

CAPTION = (
    "Exact errors of circuits of [[steps]] steps from pure noise, for four laws: Ising models on "
    "4×4 and 2×8 grids with coupling $J$ under bit flips, a nearly massless Gaussian chain of 64 "
    "sites, and a code of 12 spins (all up with weight 0.7, all down with 0.3) under bit flips. "
    "Top: KL of what comes out against the cost, the number of sites that all gates read, over "
    "that of global steps throughout. Squares: one radius in all steps; circles: hybrids chosen "
    "by T2 at tolerances 0.5, 0.3, 0.1 and 0.03 of TV; triangles: the hybrid of tolerance 0.1 "
    "with its window of global steps moved by up to three steps; diamond: global steps only, "
    "exact, drawn at the foot; dotted: the front. Bottom: KL with a window of [[width]] global "
    "steps, $r=1$ in all others, over that of $r=1$ throughout (dashed), against the middle of "
    "the window; shaded: the window with the largest terms of T2. Nothing is sampled."
)

COST = "70 CPU seconds (measured)"

GROUP = "ours"


STEPS, WIDTH, SHIFT = 20, 5, 3
TOLERANCES = (0.5, 0.3, 0.1, 0.03)
#: KL below this is rounding.
FLOOR = 1e-7


def _code(n: int, weight: float) -> pt.Table:
    p = np.zeros((2,) * n)
    p[(0,) * n], p[(1,) * n] = weight, 1.0 - weight
    return pt.Table(pt.Lattice.chain(n), p)


#: name -> (title, model, noise, local radii)
ZOO: dict[str, tuple[str, Any, Any, tuple[int, ...]]] = {
    "hot": (
        "Ising 4×4, $J=0.3$",
        lambda: pt.Ising(pt.Lattice.grid((4, 4)), 0.3),
        pt.BitFlip,
        (0, 1, 2),
    ),
    "cold": (
        "Ising 2×8, $J=0.8$",
        lambda: pt.Ising(pt.Lattice.grid((2, 8)), 0.8),
        pt.BitFlip,
        (0, 1, 2, 3, 4),
    ),
    "massless": (
        "massless chain, 64",
        lambda: zoo.neighbour_field(pt.Lattice.chain(64), 1e-6),
        pt.Gaussian,
        (0, 1, 2, 4, 8, 16),
    ),
    "code": ("code 0.7/0.3, 12", lambda: _code(12, 0.7), pt.BitFlip, (0, 1, 2, 3, 4, 5)),
}

#: Further laws for the table of placements: name -> (label, model, noise).
PLACES: dict[str, tuple[str, Any, Any]] = {
    "grid 0.2": ("Ising 3×5, J = 0.2", lambda: pt.Ising(pt.Lattice.grid((3, 5)), 0.2), pt.BitFlip),
    "grid 0.44": (
        "Ising 3×5, J = 0.44",
        lambda: pt.Ising(pt.Lattice.grid((3, 5)), 0.44),
        pt.BitFlip,
    ),
    "grid 0.7": ("Ising 3×5, J = 0.7", lambda: pt.Ising(pt.Lattice.grid((3, 5)), 0.7), pt.BitFlip),
    "grid 1": ("Ising 3×5, J = 1", lambda: pt.Ising(pt.Lattice.grid((3, 5)), 1.0), pt.BitFlip),
    "chain 0.3": (
        "Ising chain, 15, J = 0.3",
        lambda: pt.Ising(pt.Lattice.chain(15), 0.3),
        pt.BitFlip,
    ),
    "chain 2": ("Ising chain, 15, J = 2", lambda: pt.Ising(pt.Lattice.chain(15), 2.0), pt.BitFlip),
    "code": ("code 0.7/0.3, 14, flips", lambda: _code(14, 0.7), pt.BitFlip),
    "erased": ("code 0.7/0.3, 10, erasure", lambda: _code(10, 0.7), pt.Erasure),
    "massive": (
        "Gaussian chain, 64, mass² = 1",
        lambda: zoo.neighbour_field(pt.Lattice.chain(64), 1.0),
        pt.Gaussian,
    ),
    "light": (
        "Gaussian chain, 64, mass² = 0.01",
        lambda: zoo.neighbour_field(pt.Lattice.chain(64), 0.01),
        pt.Gaussian,
    ),
}


def tasks(quick: bool) -> list[dict[str, Any]]:
    """A front and a placement for each model."""
    chosen = ("hot",) if quick else tuple(ZOO)
    steps = 6 if quick else STEPS
    return [
        {"model": name, "what": what, "steps": steps, "width": 2 if quick else WIDTH}
        for name in chosen
        for what in ("front", "place")
    ] + [
        {"model": name, "what": "table", "steps": steps, "width": 2 if quick else WIDTH}
        for name in ("grid 0.2",) * quick or PLACES
    ]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Exact errors of the circuits of one panel, or of one line of the table."""
    times = np.linspace(1.0, 0.0, task["steps"] + 1)
    if task["what"] == "table":
        _, make, noise = PLACES[task["model"]]
        return _placement(make(), noise, times, task["width"])
    _, make, noise, radii = ZOO[task["model"]]
    model = make()
    if task["what"] == "place":
        return _placement(model, noise, times, task["width"])
    falls = pt.circuit_falls(model, noise, times=times, radius=radii)
    circuits: dict[str, Any] = {
        f"local {radius}": pt.Circuit(model.lattice, times, radius) for radius in radii
    }
    circuits["global"] = pt.Circuit(model.lattice, times, math.inf)
    for tolerance in TOLERANCES:
        schedule = pt.hybrid_schedule(falls, tolerance=tolerance)
        circuits[f"hybrid {tolerance:g}"] = schedule
        early, late = schedule.room
        if schedule.window and tolerance == 0.1:
            if early < 0:
                circuits["early"] = schedule.shifted(max(early, -SHIFT))
            if late > 0:
                circuits["late"] = schedule.shifted(min(late, SHIFT))
    found = pt.error_against_cost(model, noise, circuits, progress=False)
    return {
        "names": found["circuit"].values.tolist(),
        "cost": found["cost"].values.tolist(),
        "kl": found["kl"].values.tolist(),
        "front": found["front"].values.tolist(),
    }


def _placement(model: Any, noise: Any, times: np.ndarray, width: int) -> dict[str, Any]:
    """KL with a window of global steps at every place, r = 1 elsewhere, and T2's choice."""
    n_steps = len(times) - 1
    circuits = {}
    for first in range(n_steps - width + 1):
        radii = np.ones(n_steps)
        radii[first : first + width] = math.inf
        circuits[str(first)] = pt.Circuit(model.lattice, times, radii)
    kl = pt.error_against_cost(model, noise, circuits, progress=False)["kl"].values
    local = pt.reverse_circuit(model, noise, pt.Circuit(model.lattice, times, 1), progress=False)
    sums = [float(local.step_terms[f : f + width].sum()) for f in range(len(kl))]
    return {"kl": kl.tolist(), "local": local.kl.value, "terms": sums}


def placements(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the window of global steps does most good, beside T2's: a record a law.

    Args:
        rows: All rows.

    Returns:
        Records with "data", "T2's window" and "best window" (intervals of t), and the KL of the
        best place, of the median place, and of the places next to t = 1 and t = 0, over the KL of
        T2's window.
    """
    found = []
    for row in rows:
        if row["what"] == "front":
            continue
        named = PLACES if row["what"] == "table" else ZOO
        kl, own, best = np.array(row["kl"]), int(np.argmax(row["terms"])), int(np.argmin(row["kl"]))
        ends = [1.0 - np.array([p + row["width"], p]) / row["steps"] for p in (own, best)]
        windows = [f"{late:.2f} to {early:.2f}" for late, early in ends]
        numbers = (kl[best], np.median(kl), kl[0], kl[-1])
        titles = ("best", "median", "next to t = 1", "next to t = 0")
        found.append(
            {
                "data": named[row["model"]][0].replace("$", ""),
                "T2's window": windows[0],
                "best window": windows[1],
            }
            | {t: f"{n / kl[own]:.2g}" for t, n in zip(titles, numbers, strict=True)}
        )
    return found


def plot(rows: list[dict[str, Any]]) -> Figure:
    """A front above a placement for each model."""
    names = [n for n in ZOO if any(r["model"] == n and r["what"] == "front" for r in rows)]
    figure, axes = new_figure(TEXT, 3.8, nrows=2, ncols=len(names), squeeze=False)
    for column, name in enumerate(names):
        own = {row["what"]: row for row in rows if row["model"] == name and row["what"] != "table"}
        _front(axes[0, column], own["front"])
        _place(axes[1, column], own["place"])
        axes[0, column].set_title(ZOO[name][0])
    axes[0, 0].set_ylabel("KL  [nats]")
    axes[1, 0].set_ylabel("KL / KL of local steps")
    lines, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside upper center", ncols=len(labels), handlelength=1.0)
    return figure


_MARKS = {
    "local": ("s", "blue", "local"),
    "global": ("D", "black", "global (exact)"),
    "hybrid": ("o", "vermillion", "hybrid"),
    "early": (">", "green", "too early"),
    "late": ("<", "green", "too late"),
}


def _front(panel: Axes, row: dict[str, Any]) -> None:
    kinds = [name.split()[0] for name in row["names"]]
    cost = np.array(row["cost"]) / max(row["cost"])
    kl = np.maximum(row["kl"], FLOOR)
    for kind, (marker, colour, label) in _MARKS.items():
        where = [k == kind for k in kinds]
        panel.plot(
            cost[where], kl[where], ls="", marker=marker, color=COLOURS[colour], label=label,
            mfc=COLOURS[colour] if kind in ("local", "hybrid") else "white",
        )  # fmt: skip
    front = np.array(row["front"], dtype=bool)
    order = np.argsort(cost[front])
    panel.plot(cost[front][order], kl[front][order], color="black", lw=0.6, ls=":", zorder=0)
    panel.set(
        xscale="log", yscale="log", xlim=(0.03, 1.3), ylim=(0.5 * FLOOR, 100),
        xlabel="cost / all global",
    )  # fmt: skip
    panel.set_xticks((0.1, 1.0), ("0.1", "1"))
    panel.tick_params(axis="x", which="minor", labelbottom=False)


def _place(panel: Axes, row: dict[str, Any]) -> None:
    kl = np.array(row["kl"]) / row["local"]
    n_steps = row["steps"]
    middle = 1.0 - (np.arange(len(kl)) + 0.5 * row["width"]) / n_steps
    best = int(np.argmax(row["terms"]))
    half = 0.5 * row["width"] / n_steps
    panel.axvspan(middle[best] - half, middle[best] + half, color=COLOURS["sky"], alpha=0.35, lw=0)
    panel.plot(middle, kl, marker="o", color=COLOURS["vermillion"])
    panel.axhline(1.0, color=COLOURS["blue"], lw=0.8, ls="--")
    panel.set(yscale="log", xlim=(0, 1), ylim=(0.02, 1.5), xlabel="middle of the window $t$")
