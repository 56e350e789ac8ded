"""The error of the best local circuit against its radius, beside what theory demands."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory.theorems import zoo

CLAIM = (
    "Disordered data: the divergence falls exponentially with the radius, the total variation half "
    "as fast, and the radius that T3 asks for is more than enough. Ordered data: while two light "
    "cones stay apart the error cannot fall below T4's bound, which the repetition code attains; "
    "many steps or wide windows reach across these small systems, and only then it can."
)

CAPTION = (
    "Exact errors of circuits of local gates from pure noise, against their radius. Left: "
    "disordered laws in [[steps]] steps, the most drawn: KL (circles) and TV (squares, dashed). "
    "The legend has the rates of KL and of TV by unit of $r$, the radius that T3 asks for TV = "
    "0.05 (dotted) and the smallest that is enough. Right: ordered laws, TV of one step "
    "(circles) and the best of up to 16 steps (crosses); bars: no circuit of one step can do "
    "better, by T4, while two light cones are disjoint. Bit flips, Gaussian noise on the "
    "Gaussian chain. Exact but for TV of the Gaussian chain, sampled with errors smaller than "
    "the markers."
)

COST = "60 CPU seconds (estimated)"

GROUP = "ours"


#: T3's target of total variation.
TARGET = 0.05
#: Numbers of steps among which the best circuit is chosen.
STEPS = (1, 2, 4, 8, 16)

#: name -> (label, model, noise, largest radius); disordered laws, then ordered ones.
DISORDERED: dict[str, tuple[str, Any, Any, int]] = {
    "field": (
        "Gaussian chain, 64",
        lambda: zoo.neighbour_field(pt.Lattice.chain(64), 0.3),
        pt.Gaussian,
        8,
    ),
    "chain": ("Ising chain, 14", lambda: pt.Ising(pt.Lattice.chain(14), 0.4), pt.BitFlip, 5),
    "hot": ("hot Ising 4×4", lambda: pt.Ising(pt.Lattice.grid((4, 4)), 0.25), pt.BitFlip, 2),
}
ORDERED: dict[str, tuple[str, Any, Any, int]] = {
    "code": ("repetition code, 16", lambda: zoo.repetition_code(16), pt.BitFlip, 7),
    "cold": ("cold Ising 2×8", lambda: pt.Ising(pt.Lattice.grid((2, 8)), 1.0), pt.BitFlip, 6),
    "loops": (
        "closed loops, pinned, 18 bonds",
        lambda: pt.LoopEnsemble.pinned((2, 5)),
        pt.BitFlip,
        3,
    ),
}


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a model, radius and number of steps."""
    chosen = ("chain", "code") if quick else (*DISORDERED, *ORDERED)
    return [
        {"model": name, "radius": radius, "steps": steps}
        for name in chosen
        for radius in range(min(2, _entry(name)[3]) if quick else _entry(name)[3] + 1)
        for steps in (STEPS[:2] if quick else STEPS)
    ]


def _entry(name: str) -> tuple[str, Any, Any, int]:
    return (DISORDERED | ORDERED)[name]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Exact error of the circuit, its largest CMI, and the lower bound that its cones leave."""
    _, make, noise, _ = _entry(task["model"])
    model = make()
    times = np.linspace(1.0, 0.0, task["steps"] + 1)
    circuit = pt.Circuit(model.lattice, times, task["radius"])
    run = pt.reverse_circuit(model, noise, circuit, progress=False)
    lower = 0.0
    if model.q is not None:
        # All these laws are symmetric under a global flip: the means vanish, so half of the
        # covariance is a bound (a quarter in general).
        lower = 2.0 * pt.cone_bound(model, circuit).tv.value
    return {
        "kl": run.kl.value,
        "tv": run.tv.value,
        "tv_stderr": run.tv.stderr,
        "tv_bound": run.tv_bound,
        "cmi": float(run.cmi.max()),
        "sites": model.lattice.n_sites,
        "cone": int(circuit.light_cones().sum(axis=1).max()),
        "lower": lower,
    }


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Success on the left, failure on the right."""
    figure, (success, failure) = new_figure(TEXT, 2.9, ncols=2)
    colours = ("blue", "vermillion", "green")
    for name, colour in zip(DISORDERED, colours, strict=True):
        if own := [row for row in rows if row["model"] == name]:
            _success(success, DISORDERED[name][0], own, COLOURS[colour])
    for name, colour in zip(ORDERED, colours, strict=True):
        if own := [row for row in rows if row["model"] == name]:
            _failure(failure, ORDERED[name][0], own, COLOURS[colour])
    success.axhline(TARGET, color="black", lw=0.6, ls=":")
    success.set(
        yscale="log", ylim=(1e-11, 30), xlabel="buffer radius $r$",
        ylabel="KL  [nats] (circles), TV (squares)",
        title="disordered (legend: rates of KL, TV; T3's $r$, enough)",
    )  # fmt: skip
    success.legend(loc="lower left")
    failure.set(
        ylim=(0, 1.25), yticks=np.linspace(0, 1, 6), xlabel="buffer radius $r$", ylabel="TV",
        title="ordered: one step; crosses: best of many; bars: T4",
    )  # fmt: skip
    failure.legend(loc="upper right")
    return figure


def rates(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Decay rates of KL and TV by radius, and radii that T3 asks for and that suffice.

    Args:
        rows: Rows of the disordered models.

    Returns:
        Model -> "kl" and "tv" (rates per lattice unit from least squares of the logarithms, at the
        most steps), "asked" (T3, for TARGET), "enough" (smallest radius within TARGET).
    """
    found = {}
    for name in dict.fromkeys(row["model"] for row in rows):
        steps = max(row["steps"] for row in rows if row["model"] == name)
        own = [row for row in rows if row["model"] == name and row["steps"] == steps]
        radii = np.array([row["radius"] for row in own])
        kl, tv, cmi = (np.array([row[key] for row in own]) for key in ("kl", "tv", "cmi"))
        gamma, xi = pt.envelope(cmi)
        asked = pt.sufficient_radii(own[0]["sites"], steps, gamma, xi, TARGET)["composition"]
        within = radii[tv <= TARGET]
        found[name] = {
            "kl": -float(np.polyfit(radii, np.log(kl), 1)[0]),
            "tv": -float(np.polyfit(radii, np.log(tv), 1)[0]),
            "asked": asked,
            "enough": float(within.min()) if within.size else math.nan,
        }
    return found


def _success(panel: Axes, label: str, rows: list[dict[str, Any]], colour: str) -> None:
    steps = max(row["steps"] for row in rows)
    own = [row for row in rows if row["steps"] == steps]
    radii = [row["radius"] for row in own]
    (found,) = rates(rows).values()
    label += f": {found['kl']:.2f}, {found['tv']:.2f}; {found['asked']:.1f}, {found['enough']:.0f}"
    panel.plot(radii, [row["kl"] for row in own], color=colour, marker="o", label=label)
    panel.plot(radii, [row["tv"] for row in own], color=colour, marker="s", ls="--")


def _failure(panel: Axes, label: str, rows: list[dict[str, Any]], colour: str) -> None:
    one = [row for row in rows if row["steps"] == 1]
    radii = [row["radius"] for row in one]
    best = [min(row["tv"] for row in rows if row["radius"] == radius) for radius in radii]
    panel.plot(radii, [row["tv"] for row in one], color=colour, marker="o", label=label)
    panel.plot(radii, best, color=colour, marker="x", ls=":")
    lower = [(row["radius"], row["lower"]) for row in one if row["lower"] > 0]
    for radius, value in lower:
        panel.plot([radius - 0.3, radius + 0.3], [value, value], color=colour, lw=2.0, alpha=0.6)
