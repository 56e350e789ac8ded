"""Where three noises end the data phase of loops, from what noisy bonds say about a sector."""

from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.located import short
from paper_figures.style import TEXT, new_figure
from phasetheory import plotting
from phasetheory.transitions import Collapse, Curves, collapse

CLAIM = (
    "What the noisy bonds of a patch say about the sector between its pinned sides grows with the "
    "size below a time and shrinks above it. The curves of all sizes cross there and collapse with "
    "the exponent of percolation (erasure) or of the Nishimori point (bit flips, Gaussian noise)."
)

CAPTION = (
    "Closed loops on patches of $L$ rows and $L-1$ columns of spins between two pinned sides: "
    "information of all noisy bonds on the sector, whether an odd number of walls runs between "
    "the sides. Means of exact entropies, [[samples]] samples a point; bars: standard errors. "
    "Top: sizes $L$ = [[rows]]; dashed: $t_c$ (quoted: 1/2; twice 0.10919, arXiv:0803.0444; "
    "0.9794 for the ratio of noise to signal); dotted: ln 2. Bottom: collapse of the sizes from "
    "16 on, without corrections to scaling; line: the master curve; numbers: what the collapse "
    "finds, its statistical error in units of the last digit."
)

SYMBOLS = {
    "L": "rows of the patch",
    "I": "mutual information [nats]",
    "S": "the sector",
    "y": "all noisy bonds",
}

COST = "72 CPU minutes (estimated)"

GROUP = "ours"


NOISES = {"erasure": pt.Erasure, "bit flips": pt.BitFlip, "Gaussian": pt.Gaussian}
#: What the literature has: critical point (t_c, flip probability, sigma/alpha), its error, nu, its
#: error. Bond percolation for erasure; for the others the Nishimori points of the +-J and of the
#: Gaussian model, which are taken to share their exponent. (No error is quoted for 0.9794.)
KNOWN: dict[str, tuple[float, float, float, float]] = {
    "erasure": (0.5, 0.0, 4 / 3, 0.0),
    "bit flips": (0.10919, 0.00007, 1 / 0.655, 0.015 / 0.655**2),
    "Gaussian": (0.9794, 0.0, 1 / 0.655, 0.015 / 0.655**2),
}
#: The same as times.
CRITICAL = {"erasure": 0.5, "bit flips": 2 * 0.10919, "Gaussian": 0.9794 / 1.9794}
SOURCE = {
    "erasure": "bond percolation: self-dual; den Nijs 1979",
    "bit flips": "arXiv:0803.0444",
    "Gaussian": "Picco, Honecker, Pujol 2006; nu of bit flips",
}
#: Sizes of patches, and the smallest that enters the fits: under bit flips smaller ones do not
#: collapse with the others (p < 0.001), and the noises are compared on equal terms.
ROWS, SMALLEST = (8, 12, 16, 24, 32, 48, 64), 16
SAMPLES = {8: 40000, 12: 40000, 16: 30000, 24: 16000, 32: 8000, 48: 3000, 64: 900}
ERASURE_SAMPLES = 20000
#: Where to look, roughly, and how far to either side for sizes up to 16, up to 32, and beyond:
#: from the point where the sector is nearly known to where it is nearly lost. (Where it is lost
#: the errors are so small that they would rule the fit.)
WINDOW = {
    "erasure": (0.5, (0.09, 0.045, 0.03)),
    "bit flips": (0.22, (0.065, 0.033, 0.024)),
    "Gaussian": (0.497, (0.03, 0.017, 0.012)),
}
POINTS = 9


def times(noise: str, rows: int) -> list[float]:
    """Times at which a patch is scanned, evenly spaced and the same for neighbouring sizes.

    They must not scale into each other: any curve through the few common points would collapse,
    and best with the exponent that placed them.
    """
    centre, widths = WINDOW[noise]
    half = widths[0 if rows <= 16 else 1 if rows <= 32 else 2]
    return [round(float(t), 6) for t in np.linspace(centre - half, centre + half, POINTS)]


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a noise, size and time; quick: small patches, few samples."""
    return [
        {"noise": noise, "rows": rows, "t": t, "samples": samples, "seed": seed}
        for noise in NOISES
        for rows in ((4, 6, 8) if quick else ROWS)
        for samples in ([200 if quick else _samples(noise, rows)])
        for seed, t in enumerate(times(noise, rows))
    ]


def _samples(noise: str, rows: int) -> int:
    return ERASURE_SAMPLES if noise == "erasure" else SAMPLES[rows]


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


def fitted(data: Curves) -> Collapse:
    """Collapse of the sizes from SMALLEST on, or of all where those are fewer than three."""
    kept = data.where(data.size >= SMALLEST)
    return collapse(kept if kept.sizes.size >= 3 else data, a=0.0)


def located(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Critical points and exponents found, beside those of the literature.

    Args:
        rows: Finished rows of all tasks.

    Returns:
        One dict a noise and quantity: transition, quantity, found, stderr, literature,
        literature_stderr, source, verdict. Errors hold the statistics and how far the number
        moves when the smallest size is left out.
    """
    table = []
    for noise, (point, point_error, nu, nu_error) in KNOWN.items():
        windows = fitted(curves(rows, noise)).windows
        t_c, exponent = (
            (float(value[0]), float(np.hypot(error[0], value[1] - value[0])))
            for value, error in (
                (windows[name].values, windows[f"{name}_stderr"].values) for name in ("t_c", "nu")
            )
        )
        quantity, found, slope = _native(noise, t_c[0])
        verdict = f"collapse {windows.verdict.values[0]}, L = {SMALLEST} to {ROWS[-1]}"
        for name, value, error, known, known_error in (
            (quantity, found, slope * t_c[1], point, point_error),
            ("nu", *exponent, nu, nu_error),
        ):
            table.append(
                {
                    "transition": f"loops, {noise}",
                    "quantity": name,
                    "found": value,
                    "stderr": error,
                    "literature": known,
                    "literature_stderr": known_error,
                    "source": SOURCE[noise],
                    "verdict": verdict,
                }
            )
    return table


def _native(noise: str, t: float) -> tuple[str, float, float]:
    """What the literature calls the critical point, at time t, and its derivative by t."""
    if noise == "bit flips":
        return "p_c = t_c/2", t / 2, 0.5
    if noise == "Gaussian":
        return "sigma/alpha = t_c/(1-t_c)", t / (1 - t), (1 - t) ** -2
    return "t_c", t, 1.0


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Curves above, their collapse below, one column a noise."""
    figure, axes = new_figure(TEXT, 4.2, nrows=2, ncols=3, sharey=True)
    for column, noise in enumerate(NOISES):
        data = curves(rows, noise)
        colours = dict(zip(data.sizes, plotting.sequence(data.sizes.size), strict=True))
        _draw_curves(axes[0, column], data, colours, CRITICAL[noise])
        _draw_collapse(axes[1, column], fitted(data), colours)
        axes[0, column].set_title(noise)
    axes[0, 0].legend(handlelength=1.0, labelspacing=0.1, loc="lower left")
    for panel in axes[:, 0]:
        panel.set_ylabel("$I(S;y)$  [nats]")
    return figure


Colours = dict[float, Any]


def _draw_curves(panel: Axes, data: Curves, colours: Colours, critical: float) -> None:
    for size, colour in colours.items():
        own = data.where(data.size == size)
        panel.errorbar(own.t, own.value, own.stderr, marker="o", ms=2, color=colour,
                       label=f"$L={size:.0f}$")  # fmt: skip
    panel.axvline(critical, color="black", ls="--", lw=0.8)
    panel.axhline(np.log(2), color="black", ls=":", lw=0.6)
    panel.text(critical, 0.0, " $t_c$", va="bottom", ha="left")
    panel.set(xlabel="diffusion time $t$", ylim=(-0.03, 0.75))
    panel.locator_params(axis="x", nbins=4)


def _draw_collapse(panel: Axes, fit: Collapse, colours: Colours) -> None:
    points = fit.scaled()
    sizes = np.unique(points["size"])
    for size in sizes:
        own = points.where(points["size"] == size, drop=True)
        panel.errorbar(
            own["x"], own["y"], own["y_stderr"], ls="", marker="o", ms=2, color=colours[size]
        )
    x = np.linspace(float(points["x"].min()), float(points["x"].max()), 200)
    panel.plot(x, fit.master(x), color="black", lw=0.8)
    panel.set(xlabel=rf"$(t-t_c)\,L^{{1/\nu}}$, $L\geq{sizes[0]:.0f}$")
    t_c, nu = (short(found.value, found.stderr) for found in (fit.t_c, fit.nu))
    label = f"$t_c={t_c}$\n$\\nu={nu}$"
    panel.text(0.97, 0.95, label, ha="right", va="top", transform=panel.transAxes)
