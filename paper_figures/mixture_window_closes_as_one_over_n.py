"""The two-component mixture on N x N images: nonlocal only in a window of width 1/N."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting
from phasetheory.report import limits
from phasetheory.report.studies import mixture_scaling
from phasetheory.transitions.linear import fit
from phasetheory.transitions.mixture_scaling import mixture_windows
from phasetheory.transitions.window import locate_transition

CLAIM = (
    "For images of two kinds, local denoising fails only in a window of width 1/N at pure noise: "
    "in the scaled time (1-t)N growing images approach one curve."
)

CAPTION = (
    "Exact CMI, from one-dimensional integrals, of images of $N$×$N$ pixels that are all $+1$ or "
    "all $-1$ up to Gaussian spread of variance 1, under Gaussian noise. $A$ is the central "
    "block of side $N/4$, $B$ reaches $N/8$ further, $C$ is the rest. Left: against time. Right: "
    "against the scaled time; dashed: the limit of large images. Windows as in Liu et al. 2026 "
    "(T11)."
)

SYMBOLS = {
    "N": "side of the image [pixels]",
    "A": "the central block of side $N/4$",
    "B": "all within $N/8$ of $A$",
    "C": "the rest of the image",
}

COST = "1 CPU second (measured)"

GROUP = "ours"


Numbers = NDArray[Any]

#: Image sides at which the ends of the speciation window are solved for.
SIDES = (64, 128, 256, 512, 1024)


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task per image size."""
    sides = (8, 16) if quick else (8, 16, 32, 64)
    return [{"side": side, "points": 21 if quick else 101} for side in sides]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Exact CMI of one size over the scaled time."""
    scaled = np.linspace(0.05, 8.0, task["points"])
    study = mixture_scaling((task["side"],), scaled)
    return {"scaled": scaled.tolist(), "cmi": study["cmi"].values[0].tolist()}


def landmarks(rows: list[dict[str, Any]]) -> xr.Dataset:
    """1 - t at the peak of the CMI and at the ends of the window above half of it, over `size`."""
    found = []
    for row in rows:
        # Times must increase; the scaled time (1 - t) N falls with them.
        t = 1.0 - np.array(row["scaled"][::-1]) / row["side"]
        cmi = np.array(row["cmi"][::-1])[:, None]
        scan = xr.Dataset(
            {"cmi": (("t", "radius"), cmi), "cmi_stderr": (("t", "radius"), np.zeros_like(cmi))},
            coords={"t": t, "radius": [row["side"] / 4]},
        )
        found.append(locate_transition(scan).isel(radius=0, drop=True))
    places = xr.concat(found, dim=xr.Variable("size", [row["side"] for row in rows]))
    names = {"t_peak": "peak", "window_start": "start", "window_end": "end"}
    return 1.0 - places[list(names)].rename(names)


def located(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Powers of N with which the mixture's landmarks close in on pure noise, for the table.

    Fits log(1 - t) = c + a log N + b/N: what scales is the signal-to-noise ratio, a function of
    (1 - t)/t, so that 1 - t follows a power of N up to a factor 1 + O(1/N). All values are exact
    and the error systematic: how far a moves when the smallest N is left out, after which it is
    quoted. The peak and the window above half of it are those of the rows. The speciation window
    is the one of :mod:`phasetheory.transitions.mixture_scaling`, whose start goes as
    K*(N)/N with K* ~ 2 sqrt(log N), divided out.

    Args:
        rows: Finished rows, at least 4 sizes for a verdict other than "too few sizes".

    Returns:
        One dict a place: transition, quantity, found, stderr, literature, literature_stderr,
        source, verdict.
    """
    places = landmarks(rows)
    sizes = places["size"].values
    table = [
        _power("1 - t* at the peak", sizes, places["peak"].values, -1.0),
        _power("window start", sizes, places["start"].values, -1.0),
        _power("window end", sizes, places["end"].values, -1.0),
    ]
    ends = mixture_windows(SIDES)
    sides = ends["size"].values
    tail = ends["speciation_start_theory"].values * sides
    start = ends["speciation_start"].values / tail
    table.append(_power("speciation start / K*", sides, start, -1.0))
    table.append(_power("speciation end", sides, ends["speciation_end"].values, -2.0))
    return table


def _power(label: str, sizes: Numbers, signal: Numbers, expected: float) -> dict[str, Any]:
    """Exponent of one landmark 1 - t against N, beside the expected one."""
    found, stderr, verdict = np.nan, np.nan, "not located: too few sizes"
    if sizes.size >= 4:
        design = np.stack([np.ones(sizes.size), np.log(sizes), 1.0 / sizes], axis=1)
        y = np.log(signal)
        slopes = [fit(design[k:], y[k:], None).coefficients[1] for k in (0, 1)]
        found, stderr = float(slopes[1]), float(abs(slopes[1] - slopes[0]))
        verdict = f"exact, N = {sizes.min()} to {sizes.max()}"
    return {
        "transition": "two-component mixture, N x N pixels",
        "quantity": f"exponent of N: {label}",
        "found": found,
        "stderr": stderr,
        "literature": expected,
        "literature_stderr": 0.0,
        "source": "Liu et al. 2026",
        "verdict": verdict,
    }


def plot(rows: list[dict[str, Any]]) -> Figure:
    """CMI against time and against scaled time, with the limit curve."""
    study = xr.Dataset(
        {"cmi": (("size", "scaled"), [row["cmi"] for row in rows])},
        coords={"size": [row["side"] for row in rows], "scaled": rows[0]["scaled"]},
    )
    x = study["scaled"].values
    curves = [(f"$N={n}$", n, study["cmi"].sel(size=n).values) for n in study["size"].values]
    figure, (left, right) = new_figure(TEXT, 2.4, ncols=2, sharey=True)
    plotting.cmi_times(
        left, [(name, 1 - x / n, v) for name, n, v in curves], xlabel="diffusion time $t$"
    )
    plotting.cmi_times(right, [(name, x, v) for name, _, v in curves], xlabel="$(1-t)\\,N$")
    limit = {"color": COLOURS["vermillion"], "ls": "--", "label": r"$N\to\infty$"}
    right.plot(x, limits.mixture(x), **limit)
    right.legend(handlelength=1.2)
    left.set_xlim(0, 1)
    right.set_ylabel("")
    return figure
