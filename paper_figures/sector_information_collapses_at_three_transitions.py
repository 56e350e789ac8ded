"""Where three noises end the data phase of loops, from what noisy bonds say about a sector."""

from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import TEXT, new_figure
from phasetheory import plotting
from phasetheory.transitions import Collapse, Curves, collapse

CLAIM = (
    "What the noisy bonds of a patch say about the sector between its pinned sides grows with the "
    "size below a time and shrinks above it. The curves of all sizes cross there and collapse with "
    "the exponent of percolation (erasure) or of the Nishimori point (bit flips, Gaussian noise)."
)

NOISES = {"erasure": pt.Erasure, "bit flips": pt.BitFlip, "Gaussian": pt.Gaussian}
#: Where the literature has t_c and nu: self-duality of bond percolation and nu = 4/3;
#: arXiv:0803.0444 for bit flips; sigma/alpha = 0.9794 for Gaussian noise, which is taken to share
#: the exponent of bit flips.
KNOWN = {
    "erasure": (0.5, 4 / 3),
    "bit flips": (2 * 0.10919, 1 / 0.655),
    "Gaussian": (0.9794 / 1.9794, 1 / 0.655),
}
SOURCE = {
    "erasure": "bond percolation, self-dual; den Nijs 1979",
    "bit flips": "Hasenbusch et al., arXiv:0803.0444",
    "Gaussian": "sigma/alpha = 0.9794 (Picco, Honecker, Pujol 2006), nu of bit flips",
}
ROWS = {
    "erasure": (8, 16, 32, 64),
    "bit flips": (8, 12, 16, 24, 32),
    "Gaussian": (8, 12, 16, 24, 32),
}
SAMPLES = {8: 8000, 12: 8000, 16: 6000, 24: 5000, 32: 4000}
#: Where to look, roughly, and how far at L = 1; the window narrows as L^(-0.7).
WINDOW = {"erasure": (0.5, 0.5), "bit flips": (0.22, 0.35), "Gaussian": (0.5, 0.45)}
POINTS = 9


def times(noise: str, rows: int) -> list[float]:
    """Times at which a patch is scanned.

    Sizes are shifted against each other: with times that scale into each other any curve through
    the few common points would collapse, and best with the exponent that placed them.
    """
    centre, width = WINDOW[noise]
    shift = (rows * 0.618034) % 1.0 - 0.5
    places = (np.arange(POINTS) + shift) * 2.0 / (POINTS - 1) - 1.0
    return [round(float(t), 6) for t in centre + width * rows**-0.7 * places]


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a noise, size and time; quick: small patches, few samples."""
    return [
        {"noise": noise, "rows": rows, "t": t, "samples": samples, "seed": seed}
        for noise in NOISES
        for rows in ((4, 6, 8) if quick else ROWS[noise])
        for samples in ([200 if quick else _samples(noise, rows)])
        for seed, t in enumerate(times(noise, rows))
    ]


def _samples(noise: str, rows: int) -> int:
    if noise == "erasure":
        return 20000
    return SAMPLES[rows]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Sampled mean of an exact relative entropy."""
    law = _patch(task["rows"]).noised(NOISES[task["noise"]](task["t"]))
    seed = [task["seed"], task["rows"], list(NOISES).index(task["noise"])]
    found = pt.sector_information(law, n_samples=task["samples"], rng=seed)
    return {"information": found.value, "information_stderr": found.stderr}


@cache
def _patch(rows: int) -> pt.LoopEnsemble:
    return pt.LoopEnsemble.pinned((rows, rows - 1))


def curves(rows: list[dict[str, Any]], noise: str) -> Curves:
    """Information against size and time for one noise."""
    own = [row for row in rows if row["noise"] == noise]
    names = ("rows", "t", "information", "information_stderr")
    size, t, value, stderr = (np.array([row[name] for row in own], dtype=float) for name in names)
    # A handful of samples may agree exactly; such points carry no error bar.
    kept = stderr > 0
    return Curves(size=size[kept], t=t[kept], value=value[kept], stderr=stderr[kept])


def located(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Critical times and exponents found, beside those of the literature.

    Args:
        rows: Finished rows of all tasks.

    Returns:
        One dict a noise and quantity: transition, quantity, found, stderr, literature, source,
        verdict. Errors hold the statistics and the drift when the smallest size is left out.
    """
    table = []
    for noise, known in KNOWN.items():
        windows = collapse(curves(rows, noise), a=0.0).windows
        # Small sizes bend the curves: quote the fit without the smallest, and how far it moved.
        last = windows.isel(min_size=min(1, windows.sizes["min_size"] - 1))
        for name, literature in zip(("t_c", "nu"), known, strict=True):
            found, first = float(last[name]), float(windows[name][0])
            table.append(
                {
                    "transition": f"loops, {noise}",
                    "quantity": name,
                    "found": found,
                    "stderr": float(np.hypot(last[f"{name}_stderr"], found - first)),
                    "literature": literature,
                    "source": SOURCE[noise],
                    "verdict": f"collapse {last.verdict.item()}, L >= {int(last.min_size)};"
                    " error: statistics and drift with the smallest size",
                }
            )
    return table


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Curves above, their collapse below, one column a noise."""
    figure, axes = new_figure(TEXT, 4.2, nrows=2, ncols=3, sharey=True)
    for column, noise in enumerate(NOISES):
        data = curves(rows, noise)
        fit = collapse(data, a=0.0)
        _draw_curves(axes[0, column], data, KNOWN[noise][0])
        _draw_collapse(axes[1, column], fit)
        axes[0, column].set_title(noise)
    for panel in axes[:, 0]:
        panel.set_ylabel("$I(S;y)$  [nats]")
    return figure


def _draw_curves(panel: Axes, data: Curves, critical: float) -> None:
    for size, colour in zip(data.sizes, plotting.sequence(data.sizes.size), strict=True):
        own = data.where(data.size == size)
        panel.errorbar(own.t, own.value, own.stderr, marker="o", ms=2, color=colour,
                       label=f"$L={size:.0f}$")  # fmt: skip
    panel.axvline(critical, color="black", ls="--", lw=0.8)
    panel.axhline(np.log(2), color="black", ls=":", lw=0.6)
    panel.text(critical, 0.0, " $t_c$", va="bottom", ha="left")
    panel.set(xlabel="diffusion time $t$", ylim=(-0.03, 0.75))
    panel.legend(handlelength=1.0, loc="upper right")


def _draw_collapse(panel: Axes, fit: Collapse) -> None:
    points = fit.scaled()
    sizes = np.unique(points["size"])
    for size, colour in zip(sizes, plotting.sequence(sizes.size), strict=True):
        own = points.where(points["size"] == size, drop=True)
        panel.errorbar(own["x"], own["y"], own["y_stderr"], ls="", marker="o", ms=2, color=colour)
    x = np.linspace(float(points["x"].min()), float(points["x"].max()), 200)
    panel.plot(x, fit.master(x), color="black", lw=0.8)
    panel.set(xlabel=r"$(t-t_c)\,L^{1/\nu}$")
    label = f"$t_c={_short(fit.t_c)}$\n$\\nu={_short(fit.nu)}$"
    panel.text(0.97, 0.95, label, ha="right", va="top", transform=panel.transAxes)


def _short(estimate: pt.Estimate) -> str:
    """Value with its error in units of the last digit."""
    digits = max(0, 1 - int(np.floor(np.log10(estimate.stderr))))
    return f"{estimate.value:.{digits}f}({estimate.stderr * 10**digits:.0f})"
