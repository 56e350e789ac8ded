"""Maps over time and radius: what a window ignores, and the exact error of a recovery."""

from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import MAP, TEXT, new_figure

CLAIM = (
    "A recovery through a window errs where the map of the conditional mutual information is "
    "bright: in times and radii the exact error has the pattern of the bound, and lies below it."
)

CAPTION = (
    "Exact form of the recovery error over time and radius. A step of noise (from $t$ to "
    "$t+0.05$) on $A$ alone is undone by the Bayes recovery that knows the law of $A$ and $B_r$ "
    "only. Top: the CMI that it ignores. Bottom: KL of the recovered law from the one before the "
    "step, below the CMI everywhere by T1. Left: centre pixel of the Gaussian field fitted to "
    "the test images of Fashion-MNIST. Middle, right: a corner of an Ising model on 2×8 spins "
    "under bit flips, hot and cold. Nothing is sampled; values beyond the ends of the scale are "
    "drawn there."
)

SYMBOLS = {
    "p": "the law of the noisy data at time $t$",
    r"\hat p": "the law after noise on $A$ and recovery",
}

COST = "11 CPU seconds (measured)"

GROUP = "paper"


#: One step of noise on A, in diffusion time.
STEP = 0.05
FLOOR, TOP = 1e-7, 0.2

#: name -> (title, noise, place of A, radii).
ZOO: dict[str, tuple[str, Any, tuple[int, int], tuple[int, ...]]] = {
    "images": ("images, Gaussian field", pt.Gaussian, (14, 14), tuple(range(1, 14))),
    "hot": ("Ising 2×8, $J=0.3$", pt.BitFlip, (0, 0), tuple(range(1, 7))),
    "cold": ("Ising 2×8, $J=1$", pt.BitFlip, (0, 0), tuple(range(1, 7))),
}
COUPLINGS = {"hot": 0.3, "cold": 1.0}


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a law and time."""
    times = np.arange(0.05, 0.951, 0.05).round(2)
    return [
        {"law": name, "t": float(t), "step": STEP, "radii": list(entry[3])}
        for name, entry in ZOO.items()
        for t in (times[::6] if quick else times)
    ]


@cache
def _prior(name: str) -> Any:
    if name == "images":
        return pt.GaussianField.fit(pt.load_images("fashion-mnist"))
    return pt.Ising(pt.Lattice.grid((2, 8)), COUPLINGS[name])


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Exact error of undoing one step of noise on A, and the CMI that bounds it, by radius."""
    _, noise, centre, _ = ZOO[task["law"]]
    prior, now = _prior(task["law"]), noise(task["t"])
    channel = now.increment(noise(min(1.0, task["t"] + task["step"])))
    found = [
        pt.recovery(prior.noised(now), prior.lattice.tripartition(centre, r), channel)
        for r in task["radii"]
    ]
    return {
        "kl": [one.kl.value for one in found],
        "two_tv_squared": [2.0 * one.tv.value**2 for one in found],
        "drop": [one.cmi_before.value - one.cmi_after.value for one in found],
        "cmi": [one.cmi_before.value for one in found],
    }


def plot(rows: list[dict[str, Any]]) -> Figure:
    """CMI above, recovery error below, one column a law, one colour scale."""
    figure, axes = new_figure(TEXT, 3.5, nrows=2, ncols=len(ZOO), sharex=True, sharey="col")
    for column, name in enumerate(ZOO):
        own = sorted((row for row in rows if row["law"] == name), key=lambda row: float(row["t"]))
        for line, kind in enumerate(("cmi", "kl")):
            drawn = _map(axes[line, column], own, kind)
        axes[0, column].set_title(ZOO[name][0])
        axes[1, column].set_xlabel("diffusion time $t$")
    for panel in axes[:, 0]:
        panel.set_ylabel("buffer radius $r$")
    labels = ("$I_t(A;C|B_r)$  [nats]", r"$\mathrm{KL}(p\Vert\hat p)$  [nats]")
    for line, label in enumerate(labels):
        figure.colorbar(drawn, ax=axes[line, :], pad=0.01, extend="min", label=label)
    return figure


def _map(panel: Axes, rows: list[dict[str, Any]], kind: str) -> Any:
    values = np.array([row[kind] for row in rows]).T
    times, radii = [row["t"] for row in rows], np.array(rows[0]["radii"])
    drawn = panel.pcolormesh(
        times, radii, np.maximum(values, FLOOR * 1e-3), norm=LogNorm(FLOOR, TOP), cmap=MAP,
        shading="nearest", rasterized=True,
    )  # fmt: skip
    panel.set(xticks=(0.1, 0.5, 0.9), yticks=radii[:: 1 if radii.size < 8 else 3])
    return drawn
