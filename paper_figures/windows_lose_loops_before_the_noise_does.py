"""One loop configuration in three phases: noisy, denoised through windows, and by all bonds."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting
from phasetheory.sampling.reverse_state import beliefs

CLAIM = (
    "In the data phase the Bayes denoiser gives flipped loops back and small windows leave more "
    "errors; deep in the noise phase both fail alike, for noisy bonds no longer hold the loops."
)

CAPTION = (
    "One configuration of closed loops (walls between random spins, [[side]]×[[side]] of them) "
    "under bit flips at three times, with the same random numbers: clean, noisy, denoised bond "
    "by bond from windows of radius $r$, and denoised from all bonds. Walls are as dark as their "
    "exact posterior probability. Orange, and counted above: bonds whose likelier value is "
    "wrong."
)

SYMBOLS = {
    "r": "radius of the window [bonds]",
}

COST = "1 CPU second (measured)"

GROUP = "ours"


#: Data phase, transition (t_c = 0.2184), noise phase.
TIMES = {"data phase": 0.1, "transition": 0.2184, "noise phase": 0.5}
RADIUS = 1
SEED = 12


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a time; the loops and the random numbers of the flips are the same in all."""
    side = 6 if quick else 16
    return [{"phase": p, "t": t, "side": side, "radius": RADIUS} for p, t in TIMES.items()]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Clean and noisy bonds; posterior means of every bond from its window and from all bonds."""
    side = task["side"]
    law = pt.LoopEnsemble(pt.Lattice.grid((side, side))).noised(pt.BitFlip(task["t"]))
    x, y = law.sample(1, rng=SEED)
    local = np.zeros(x.shape)
    for belief in beliefs(law, y, window=task["radius"]):
        local[:, belief.sites] = belief.laws.mean()
    full = law.denoise(y)
    pictures = {"clean": x, "noisy": y, "local": local.round(4), "full": full.round(4)}
    return {name: values[0].tolist() for name, values in pictures.items()}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """One row a phase; what is wrong is drawn in colour, and counted."""
    figure, axes = new_figure(TEXT, 5.9, nrows=len(rows), ncols=4)
    names = {"clean": "clean loops", "noisy": "noisy", "full": "all bonds"}
    names["local"] = f"windows, $r={rows[0]['radius']}$"
    for panels, row in zip(axes, rows, strict=True):
        clean, shape = np.array(row["clean"]), (row["side"], row["side"])
        panels[0].set_ylabel(f"{row['phase']}, $t={row['t']:g}$")
        for panel, name in zip(panels, ("clean", "noisy", "local", "full"), strict=True):
            mean = np.array(row[name], dtype=float)
            # A mean of zero, up to rounding, is a guess: half an error.
            wrong = mean * clean < -1e-9
            plotting.dual_loops(panel, shape, (1 - mean) / 2, wrong=wrong)
            panel.spines[:].set_visible(True)
            title = names[name] + (f": {wrong.mean():.1%} wrong" if name != "clean" else "")
            panel.set_title(title)
    figure.legend(handles=_key(), loc="outside lower center", ncols=3)
    return figure


def _key() -> list[Line2D]:
    wrong = {"color": COLOURS["vermillion"], "lw": 2}
    return [
        Line2D([], [], color="black", label="wall, surely"),
        Line2D([], [], color="0.6", label="wall, perhaps"),
        Line2D([], [], label="wrong bond (pale: a wall left out)", **wrong),
    ]
