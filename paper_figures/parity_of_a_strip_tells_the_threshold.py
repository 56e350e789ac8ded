"""What the syndrome of a surface code says of the parity beyond its end: ln 2, or nothing."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.special import entr

import phasetheory as pt
from paper_figures.located import short
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting
from phasetheory.models.syndromes import SyndromeEnsemble
from phasetheory.transitions.crossing import crossings
from phasetheory.transitions.curves import Curves
from phasetheory.transitions.finite_size import collapse

CLAIM = (
    "The syndrome of a surface code knows the parity of the anyons that left by one of its sides "
    "up to the threshold and forgets it beyond: curves of all sizes cross at p_c."
)

CAPTION = (
    "Surface codes of distance $L$ with two open sides under independent flips of probability "
    "$p$: the information that the syndrome has on the parity of the anyons that left by the "
    "upper side, ln 2 if it knows it. Means of exact entropies over [[n_samples]] samples; bars: "
    "standard errors. Left: all sizes; dotted: ln 2 and the quoted $p_c$; crosses in orange: "
    "crossings of $L$ and $2L$ with their errors. Right: collapse of all sizes, with its two "
    "numbers; line: the master curve."
)

SYMBOLS = {
    "L": "distance of the code",
    "H": "conditional entropy [nats]",
}

COST = "8 CPU minutes (estimated)"

GROUP = "ours"


#: Hasenbusch et al., arXiv:0803.0444: p_c = 0.10919(7), 1/nu = 0.655(15).
THRESHOLD, THRESHOLD_ERROR = 0.10919, 0.00007
NU, NU_ERROR = 1 / 0.655, 0.015 / 0.655**2

FLIPS = (0.09, 0.095, 0.1, 0.104, 0.109, 0.114, 0.118, 0.124, 0.13)
SAMPLES = {6: 8000, 8: 8000, 12: 8000, 16: 6000, 24: 4000, 32: 3000, 48: 800}


def tasks(quick: bool) -> list[dict[str, Any]]:
    """Every size at every flip probability."""
    chosen = {4: 300, 6: 300, 8: 300} if quick else SAMPLES
    return [
        {"code": "distance L", "L": L, "p": p, "n_samples": n_samples, "seed": 100 * L + k}
        for L, n_samples in chosen.items()
        for k, p in enumerate(FLIPS)
    ]


def strip(L: int, p: float) -> tuple[SyndromeEnsemble, pt.Tripartition]:
    """The surface code of distance L: L - 1 rows of L plaquettes with two open sides, and a cap.

    The bonds of the left and right side and around the cap never flip: anyons leave downwards, or
    upwards into the cap (row 0), whose parity is the declared hole. L flips in a column cross the
    code unseen. (L rows would add a correction of order 1/L to every crossing.)
    """
    spins = pt.Lattice.grid((L + 1, L + 1))
    row, column = np.divmod(spins.edges, L + 1)
    shut = (column == 0).all(axis=1) | (column == L).all(axis=1) | (row == 0).all(axis=1)
    prior = SyndromeEnsemble(spins, np.where(shut, 0.0, p), holes=[np.arange(L)])
    return prior, pt.Tripartition(A=prior.parities, B=[], C=np.arange(L, L * L))


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Return ln 2 - H(parity | syndrome): their mutual information, a CMI with an empty buffer.

    To it is added what the parity of a small code lacks of ln 2 on its own, L bonds deciding it,
    so that the curves of small codes end at the same ln 2.
    """
    prior, parts = strip(task["L"], task["p"])
    law = prior.noised(pt.BitFlip(t=0.0))
    found = pt.cmi(law, parts, n_samples=task["n_samples"], rng=task["seed"])
    even = (1.0 + (1.0 - 2.0 * task["p"]) ** task["L"]) / 2.0
    missing = np.log(2.0) - float(entr([even, 1.0 - even]).sum())
    return {"value": found.value + missing, "stderr": found.stderr}


def curves(rows: list[dict[str, Any]]) -> Curves:
    """The information against the distance and the flip probability."""
    sizes = sorted({row["L"] for row in rows})
    p = sorted({row["p"] for row in rows})
    of = {(row["L"], row["p"]): row for row in rows}
    value, error = (
        np.array([[of[L, flip][key] for flip in p] for L in sizes]) for key in ("value", "stderr")
    )
    return Curves.from_arrays(sizes, p, value, stderr=error)


def located(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """p_c and nu from the collapse of all sizes, beside those of the literature.

    Args:
        rows: Finished rows of all tasks.

    Returns:
        One dict a quantity: transition, quantity, found, stderr, literature, literature_stderr,
        source, verdict. Errors hold the statistics and how far the number moves when the smallest
        size is left out.
    """
    windows = collapse(curves(rows), a=0.0).windows
    sizes = f"L = {min(row['L'] for row in rows)} to {max(row['L'] for row in rows)}"
    known = {"t_c": (THRESHOLD, THRESHOLD_ERROR), "nu": (NU, NU_ERROR)}
    table = []
    for name, (literature, literature_error) in known.items():
        first, second = (float(value) for value in windows[name][:2])
        table.append(
            {
                "transition": "surface code, bit flips",
                "quantity": "p_c" if name == "t_c" else name,
                "found": first,
                "stderr": float(np.hypot(windows[f"{name}_stderr"][0], second - first)),
                "literature": literature,
                "literature_stderr": literature_error,
                "source": "arXiv:0803.0444",
                "verdict": f"collapse {windows.verdict.values[0]}, {sizes}",
            }
        )
    return table


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Crossing on the left, collapse on the right."""
    figure, (left, right) = new_figure(TEXT, 2.6, ncols=2)
    data = curves(rows)
    fit = collapse(data, a=0.0)
    points = fit.scaled()
    for L, colour in zip(data.sizes, plotting.sequence(data.sizes.size), strict=True):
        own = data.where(data.size == L)
        left.errorbar(
            own.t, own.value, own.stderr, color=colour, marker="o", ms=2, label=f"$L={L:.0f}$"
        )
        own = points.where(points["size"] == L, drop=True)
        right.errorbar(own["x"], own["y"], own["y_stderr"], color=colour, ls="", marker="o", ms=2)
    x = np.linspace(float(points["x"].min()), float(points["x"].max()), 200)
    right.plot(x, fit.master(x), color=COLOURS["black"], lw=0.7)
    left.axvline(THRESHOLD, color=COLOURS["black"], ls=":", lw=0.7)
    left.axhline(np.log(2.0), color=COLOURS["black"], ls=":", lw=0.7)
    left.set(
        xlabel="flip probability $p$",
        ylabel=r"$\ln 2 - H(\mathrm{parity}|\mathrm{syndrome})$  [nats]",
    )
    left.legend(handlelength=1.0)
    doubled = [(L, 2 * L) for L in data.sizes if 2 * L in data.sizes]
    met = crossings(data, pairs=doubled)
    good = met["verdict"].values == "ok"
    middle, spread = met["t_cross"].values[good], met["t_cross_stderr"].values[good]
    height = met["height"].values[good]
    left.errorbar(middle, height, xerr=spread, color=COLOURS["vermillion"], ls="", zorder=5)
    left.set_title("dotted: ln 2, $p_c$ (arXiv:0803.0444); red: crossings of $L$, $2L$", fontsize=7)
    right.set(xlabel=r"$(p-p_c)\,L^{1/\nu}$", ylabel="same  [nats]")
    right.set_title(
        f"$p_c={short(fit.t_c.value, fit.t_c.stderr)}$,"
        f" $\\nu={short(fit.nu.value, fit.nu.stderr)}$ (no corrections)",
        fontsize=7,
    )
    return figure
