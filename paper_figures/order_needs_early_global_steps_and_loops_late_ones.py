"""Samples of cold spins and of closed loops, denoised by local, global and hybrid circuits."""

import math
from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import phasetheory as pt
from paper_figures.style import TEXT, new_figure
from phasetheory.circuits.observables import is_closed, magnetisation_squared, open_faces
from phasetheory.plotting import dual_loops

CLAIM = (
    "From pure noise, ten steps of radius 2, some of them global. Cold spins (J = 0.55, above) "
    "come out ordered if the early half is global, hardly if the late half is. Loops (below) "
    "come out closed if the last two steps are global; two global steps next to t_c = 0.22 help "
    "less in so few steps."
)

CAPTION = (
    "Exact form of local, global and hybrid generation: samples of circuits whose gates draw "
    "from the exact posterior given a window of radius 2, or given everything, in ten steps from "
    "pure noise; bit flips. Top: Ising model with $J=0.55$ on a strip of 8×32 spins. Bottom: "
    "closed loops on 12×12 spins; dots: open faces. Below each, the order parameter over "
    "[[samples]] samples of the same circuit (its standard error in units of the last digit; "
    "beside the global one that of the data), the squared magnetisation or the fraction of "
    "samples without an open face, and the cost in per cent of global steps throughout."
)

SYMBOLS = {
    "m": "magnetisation per spin",
}

COST = "150 CPU seconds (measured)"

GROUP = "paper"


N_STEPS, RADIUS = 10, 2
#: model -> name of a column -> steps that are global.
COLUMNS: dict[str, dict[str, tuple[int, ...]]] = {
    "spins": {
        "local": (),
        "global for $t>0.5$": tuple(range(5)),
        "global for $t<0.5$": tuple(range(5, 10)),
        "global": tuple(range(10)),
    },
    "loops": {
        "local": (),
        "global for $0.1<t<0.3$": (7, 8),
        "global for $t<0.2$": (8, 9),
        "global": tuple(range(10)),
    },
}


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a panel."""
    size = {"spins": [4, 10] if quick else [8, 32], "loops": [5, 5] if quick else [12, 12]}
    return [
        {
            "model": model,
            "shape": size[model],
            "global": list(steps),
            "samples": 8 if quick else 64,
            "seed": 3,
        }
        for model, columns in COLUMNS.items()
        for steps in columns.values()
    ]


@cache
def _model(name: str, shape: tuple[int, int]) -> Any:
    lattice = pt.Lattice.grid(shape)
    return pt.Ising(lattice, 0.55) if name == "spins" else pt.LoopEnsemble(lattice)


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Samples of the circuit: one to draw, and an order parameter of all, beside the data's."""
    model = _model(task["model"], tuple(task["shape"]))
    radii = [math.inf if k in task["global"] else RADIUS for k in range(N_STEPS)]
    circuit = pt.Circuit(model.lattice, np.linspace(1.0, 0.0, N_STEPS + 1), radii)
    run = pt.sample_circuit(
        model, pt.BitFlip, circuit, task["samples"], rng=task["seed"], progress=False
    )

    def order(x: NDArray[Any]) -> NDArray[np.float64]:
        if task["model"] == "spins":
            return magnetisation_squared(x)
        return is_closed(model, x).astype(float)

    found = run.observable(order)
    data = order(model.sample(4000, rng=task["seed"] + 1))
    return {
        "x": "".join("+" if value > 0 else "-" for value in run.samples[0]),
        "order": found.value,
        "stderr": found.stderr,
        "data": float(data.mean()),
        "cost": circuit.cost,
    }


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Spins above, loops below, a column a schedule."""
    figure, axes = new_figure(TEXT, 2.85, nrows=2, ncols=4, height_ratios=(1.0, 3.4), squeeze=False)
    for line, (model, columns) in enumerate(COLUMNS.items()):
        own = [row for row in rows if row["model"] == model]
        most = max(row["cost"] for row in own)
        for panel, row, name in zip(axes[line], own, columns, strict=True):
            _draw(panel, row)
            share = f"{100 * row['cost'] / most:.0f} % of the cost"
            label = r"$\langle m^2\rangle$" if model == "spins" else "closed"
            text = f"{label} {row['order']:.2f}({math.ceil(100 * row['stderr'])})"
            if len(row["global"]) == N_STEPS:
                share = f"data {row['data']:.2f}"
            panel.set_title(name, fontsize=7.5)
            panel.set_xlabel(f"{text}, {share}", fontsize=7.0)
    return figure


def _draw(panel: Axes, row: dict[str, Any]) -> None:
    x = np.array([1 if one == "+" else -1 for one in row["x"]])
    if row["model"] == "spins":
        panel.imshow(x.reshape(row["shape"]), cmap="gray", vmin=-1, vmax=1)
    else:
        shape = tuple(row["shape"])
        faces = open_faces(_model("loops", shape), x[None])[0].reshape(shape[0] - 1, -1)
        dual_loops(panel, shape, (1 - x) / 2, open_faces=faces)
    panel.set(xticks=[], yticks=[])
