"""Phase diagram of closed loops under erasures and flips at once: computed points, known ends."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import entr

import phasetheory as pt
from paper_figures.style import COLOURS, COLUMN, new_figure
from phasetheory.transitions.crossing import crossings
from phasetheory.transitions.curves import Curves

CLAIM = (
    "Erased and flipped bonds end one data phase: the boundary runs without a break from the "
    "percolation threshold to the Nishimori point, within a per cent of the curve on which a noisy "
    "bond carries half a bit."
)

CAPTION = (
    "Phase diagram of closed loops (walls between random spins) whose bonds are erased with "
    "probability $e$ and flipped, if not erased, with probability $p$. Circles, computed: "
    "crossings of the sector informations of patches with [[rows]] rows ([[samples]] samples a "
    "point) along six rays from the origin; bars along the rays: standard errors, without "
    "corrections for finite size. Stars, quoted: the threshold of bond percolation, and the "
    "Nishimori point of arXiv:0803.0444. Dashed, a formula: the curve $(1-e)(1-h_2(p))=1/2$, on "
    "which a noisy bond carries half a bit."
)

SYMBOLS = {
    "e": "probability that a bond is erased",
    "h_2": "binary entropy [bits]",
}

COST = "170 CPU seconds (measured)"

GROUP = "ours"


#: Directions in the plane of (erasure, flip): fraction of the way from the flip axis to the other.
RAYS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
#: Points along a ray, in units of the point where a bond carries half a bit.
SCALES = (0.76, 0.84, 0.92, 0.98, 1.04, 1.12, 1.2)
SAMPLES = {12: 5000, 24: 3000}
#: Quoted: self-duality of bond percolation, and arXiv:0803.0444.
PERCOLATION, NISHIMORI = 0.5, 0.10919


def half_bit(erased: float) -> float:
    """Flip probability p at which (1 - e)(1 - h_2(p)) = 1/2, for e in [0, 1/2]."""
    known = 0.5 / (1.0 - erased)
    if known >= 1.0:
        return 0.0

    def excess(p: float) -> float:
        return float(1.0 - entr([p, 1.0 - p]).sum() / np.log(2.0) - known)

    return float(brentq(excess, 1e-12, 0.5))


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a ray, size and point on the ray."""
    return [
        {"ray": ray, "scale": scale, "rows": rows, "samples": samples, "seed": [k, rows]}
        for ray in (RAYS[::5] if quick else RAYS)
        for rows, samples in ({3: 200, 6: 200} if quick else SAMPLES).items()
        for k, scale in enumerate(SCALES[::2] if quick else SCALES)
    ]


def place(ray: float, scale: float) -> tuple[float, float]:
    """Erased fraction and flip probability of a point."""
    erased = ray * PERCOLATION
    return scale * erased, scale * half_bit(erased)


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Mean of ln 2 minus the entropy of the sector, given bonds erased and flipped at random."""
    rng = np.random.default_rng([*task["seed"], round(100 * task["ray"])])
    patch = pt.LoopEnsemble.pinned((task["rows"], task["rows"] - 1))
    erased, flipped = place(task["ray"], task["scale"])
    x = patch.sample(task["samples"], rng=rng).astype(float)
    y = np.where(rng.random(x.shape) < flipped, -x, x)
    weight = np.arctanh(1.0 - 2.0 * flipped) if flipped > 0 else np.inf
    evidence = np.where(rng.random(x.shape) < erased, 0.0, weight * y)
    # Bond 0 joins the two pinned sides: it is the sector, and not observed.
    evidence[:, 0] = 0.0
    up = np.clip((1.0 + patch.posterior(evidence, sites=[0]).mean()[:, 0]) / 2.0, 0.0, 1.0)
    found = pt.Estimate.from_samples(np.log(2.0) - entr(up) - entr(1.0 - up))
    return {"information": found.value, "stderr": found.stderr}


def boundary(rows: list[dict[str, Any]]) -> NDArray[np.float64]:
    """Where curves of two sizes cross on every ray: (ray, scale, its standard error) in rows.

    Log odds of the share of ln 2 are straighter than the information itself, which saturates.
    """
    found = []
    for ray in sorted({row["ray"] for row in rows}):
        own = [row for row in rows if row["ray"] == ray]
        names = ("rows", "scale", "information", "stderr")
        sizes, scale, value, error = (np.array([row[n] for row in own], float) for n in names)
        share = value / np.log(2.0)
        kept = (share > 0.0) & (share < 1.0) & (error > 0)
        slope = 1.0 / (np.log(2.0) * share[kept] * (1.0 - share[kept]))
        odds = np.log(share[kept] / (1.0 - share[kept]))
        met = crossings(Curves(sizes[kept], scale[kept], odds, slope * error[kept]))
        if met.sizes["pair"] and str(met["verdict"].values[0]) == "ok":
            found.append((ray, float(met["t_cross"][0]), float(met["t_cross_stderr"][0])))
    return np.array(found).reshape(-1, 3)


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Crossings with their errors, the known ends, and the curve of half a bit."""
    figure, panel = new_figure(COLUMN, 2.7)
    erased = np.linspace(0.0, PERCOLATION, 200)
    panel.plot(
        erased, [half_bit(e) for e in erased], color="black", ls="--", lw=0.8,
        label="half a bit a bond",
    )  # fmt: skip
    found = boundary(rows)
    ends = [np.array([place(ray, scale) for ray, scale, _ in found]).reshape(-1, 2)]
    ends += [
        np.array([place(ray, scale + sign * error) for ray, scale, error in found]).reshape(-1, 2)
        for sign in (-1, 1)
    ]
    for low, high in zip(*ends[1:], strict=True):
        panel.plot(*zip(low, high, strict=True), color=COLOURS["blue"], lw=1.2)
    panel.plot(
        *ends[0].T, ls="", marker="o", color=COLOURS["blue"], label="computed", clip_on=False
    )
    panel.plot(
        (0.0, PERCOLATION), (NISHIMORI, 0.0), ls="", marker="*", ms=9, mfc="none",
        color=COLOURS["vermillion"], label="quoted", clip_on=False, zorder=4,
    )  # fmt: skip
    panel.text(0.13, 0.03, "data phase", ha="center")
    panel.text(0.37, 0.09, "noise phase", ha="center")
    panel.set(xlabel="erased fraction $e$", ylabel="flip probability $p$")
    panel.set(xlim=(0, 0.56), ylim=(0, 0.13))
    panel.legend(loc="upper right", handlelength=1.4)
    return figure
