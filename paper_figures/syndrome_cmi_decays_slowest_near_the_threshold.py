"""Anyons of the noisy toric code: decay of the CMI, and its collapse around the threshold."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting
from phasetheory.models.syndromes import SyndromeEnsemble
from phasetheory.transitions.curves import Curves
from phasetheory.transitions.finite_size import collapse

CLAIM = (
    "The CMI of toric-code syndromes decays exponentially on both sides of the threshold and "
    "slowest near it; at a fixed small buffer its peak lies well inside the ordered phase and "
    "drifts to the threshold only slowly."
)

CAPTION = (
    "CMI of the syndromes of a toric code under flips of probability $p$. Left: $A$ a block of "
    "2×2 plaquettes, given its parity, $C$ everything beyond the buffer (circles); dotted, open "
    "squares: $A$ a single plaquette. Middle: the block with $C$ cut off at twice the radius; "
    "dotted: the quoted $p_c$ (arXiv:0803.0444). Right: collapse of these curves (from $r=2$ "
    "on), with the numbers that it finds. Means over [[n_samples]] samples; bars: standard "
    "errors."
)

SYMBOLS = {
    "I": "the conditional mutual information of $A$ and $C$ given the buffer [nats]",
    "a": "exponent of the decay at the threshold",
    "r": "buffer radius [plaquettes]",
    "A": "the block of plaquettes, or single plaquette",
    "C": "plaquettes beyond the buffer",
}

COST = "17 CPU minutes (estimated)"

GROUP = "ours"


THRESHOLD = 0.10919
"""Hasenbusch et al., arXiv:0803.0444."""

FLIPS = (0.05, 0.07, 0.08, 0.09, 0.1, 0.109, 0.12, 0.13, 0.15)
SHOWN = (0.05, 0.08, 0.109, 0.13, 0.15)
DOUBLED = (1, 2, 3, 4, 6, 8)
"""Radii at which C ends at 2r."""


def tasks(quick: bool) -> list[dict[str, Any]]:
    """A block of 2 x 2 plaquettes and a single plaquette for every flip probability."""
    radii, n_samples = ((1, 2, 3), 40) if quick else ((1, 2, 3, 4, 5, 6, 7, 8), 1000)
    return [
        {"p": p, "block": block, "radii": radii, "n_samples": n_samples, "seed": k}
        for k, p in enumerate(FLIPS)
        for block in (2, 1)
    ]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Sampled CMI: given the parity of A, and that parity's own share; all from one set of samples.

    "far": C is everything beyond B, out to twice the largest radius; "doubled": out to 2r.
    """
    radii, block = task["radii"], task["block"]
    outer = 2 * max(radii)
    side = 2 * outer + block
    plaquettes = pt.Lattice.grid((side, side))
    A = plaquettes.tripartition((outer, outer), 0, size=block).A
    distance = plaquettes.distances(A)
    prior = SyndromeEnsemble(pt.Lattice.grid((side + 1, side + 1)), task["p"], holes=[A])
    parts, names = [], []
    for r in radii:
        for name, reach in (("far", outer), ("doubled", 2 * r)):
            near, beyond = (distance > 0) & (distance <= r), (distance > r) & (distance <= reach)
            ring = pt.Tripartition(A=A, B=np.flatnonzero(near), C=np.flatnonzero(beyond))
            parity, given = prior.split(ring)
            parts += [parity, given] if block > 1 else [parity]
            names += [f"parity_{name}", f"given_{name}"] if block > 1 else [f"parity_{name}"]
    law = prior.noised(pt.BitFlip(t=0.0))
    found = pt.cmi(law, parts, n_samples=task["n_samples"], rng=task["seed"])
    row: dict[str, Any] = {}
    for name, estimate in zip(names, found, strict=True):
        column = row.setdefault(name, {"value": [], "stderr": [], "n_effective": []})
        for key, values in column.items():
            values.append(getattr(estimate, key))
    return row


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Profiles, curves at fixed radius, and their collapse."""
    figure, (left, middle, right) = new_figure(TEXT, 2.5, ncols=3)
    blocks = {row["p"]: row for row in rows if row["block"] == 2}
    single = {row["p"]: row for row in rows if row["block"] == 1}
    _profiles(left, blocks, single)
    radii = np.array(rows[0]["radii"])
    sizes = [r for r in DOUBLED if r in radii]
    at = [int(np.flatnonzero(radii == r)[0]) for r in sizes]
    p = np.array(list(blocks))
    value, error = (
        np.array([[row["given_doubled"][key][k] for row in blocks.values()] for k in at])
        for key in ("value", "stderr")
    )
    for r, one, bar, colour in zip(sizes, value, error, plotting.sequence(len(sizes)), strict=True):
        middle.errorbar(p, one, bar, color=colour, marker="o", ms=2, label=f"$r={r}$")
    middle.set(yscale="log", xlabel="flip probability $p$", ylim=(1e-6, 0.2))
    middle.set_title("$C$ out to $2r$: peaks drift")
    near = (p >= 0.07) & (p <= 0.15)
    curves = Curves.from_arrays(sizes, p[near], value[:, near], stderr=error[:, near])
    fit = collapse(curves.where(curves.size >= (2 if len(sizes) > 3 else 1)))
    points = fit.scaled()
    for r, colour in zip(sizes, plotting.sequence(len(sizes)), strict=True):
        own = points.where(points["size"] == r, drop=True)
        right.errorbar(own["x"], own["y"], own["y_stderr"], color=colour, ls="", marker="o", ms=2)
    right.set(xlabel=r"$(p-p_c)\,r^{1/\nu}$", ylabel="$r^a\\,I$  [nats]")
    right.locator_params(axis="x", nbins=5)
    right.set_title(
        f"$p_c={_short(fit.t_c, 3)}$, $a={_short(fit.a, 2)}$, $\\nu={_short(fit.nu, 1)}$",
        fontsize=7,
    )
    middle.axvline(THRESHOLD, color=COLOURS["black"], ls=":", lw=0.7)
    middle.legend(handlelength=1.0, labelspacing=0.1, loc="lower left")
    return figure


def _profiles(
    axes: Axes, blocks: dict[float, dict[str, Any]], single: dict[float, dict[str, Any]]
) -> None:
    for p, colour in zip(SHOWN, plotting.sequence(len(SHOWN)), strict=True):
        r = np.array(blocks[p]["radii"])
        far = blocks[p]["given_far"]
        axes.errorbar(r, far["value"], far["stderr"], color=colour, marker="o", ms=2, label=f"{p}")
        plain = single[p]["parity_far"]["value"]
        axes.plot(r, plain, color=colour, ls=":", marker="s", ms=2, mfc="white")
    axes.set(yscale="log", ylim=(1e-7, 1.0), xlabel="buffer radius $r$", ylabel="$I$  [nats]")
    axes.set_title("$2\\times2$ given parity (dotted: $1\\times1$, plain)", fontsize=7)
    axes.legend(title="$p$", handlelength=1.0, labelspacing=0.1, loc="lower left")


def _short(estimate: pt.Estimate, places: int) -> str:
    """A number with its error in units of the last decimal place, as in 0.109(2)."""
    if not np.isfinite(estimate.value) or not np.isfinite(estimate.stderr):
        return r"\mathrm{?}"
    return f"{estimate.value:.{places}f}({int(np.ceil(estimate.stderr * 10**places))})"
