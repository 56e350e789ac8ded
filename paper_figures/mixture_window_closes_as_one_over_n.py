"""The two-component mixture on N x N images: nonlocal only in a window of width 1/N."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting
from phasetheory.report import limits
from phasetheory.report.studies import mixture_scaling
from phasetheory.transitions.linear import fit
from phasetheory.transitions.window import locate_transition

CLAIM = (
    "For images of two kinds, local denoising fails only in a window of width 1/N at pure noise: "
    "in the scaled time (1-t)N growing images approach one curve."
)


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
    """Exponents of 1 - t* and of the ends of the window against N, for the table of transitions.

    Fits log(1 - t) = c + a log N + b/N: what scales is the signal-to-noise ratio, a function of
    (1 - t)/t, so that 1 - t follows a power of N up to a factor 1 + O(1/N). The CMI is exact and
    the error systematic: how far a moves when the smallest N is left out, after which it is quoted.

    Args:
        rows: Finished rows, at least 4 sizes for a verdict other than "too few sizes".

    Returns:
        One dict a place: transition, quantity, found, stderr, literature, source, verdict.
    """
    places = landmarks(rows)
    log_n = np.log(places["size"].values.astype(float))
    labels = {"peak": "1 - t* at the peak", "start": "window start", "end": "window end"}
    table = []
    for name, label in labels.items():
        found, stderr, verdict = np.nan, np.nan, "not located: too few sizes"
        if log_n.size >= 4:
            design = np.stack([np.ones(log_n.size), log_n, np.exp(-log_n)], axis=1)
            y = np.log(places[name].values)
            slopes = [fit(design[k:], y[k:], None).coefficients[1] for k in (0, 1)]
            found, stderr = float(slopes[1]), float(abs(slopes[1] - slopes[0]))
            off = abs(found + 1.0) / stderr
            judged = "agrees" if off <= 2 else "off"
            verdict = f"{judged}: {off:.1f} errors; exact CMI, N = {_range(places)}"
        table.append(
            {
                "transition": "two-component mixture, N x N pixels",
                "quantity": f"exponent of N: {label}",
                "found": found,
                "stderr": stderr,
                "literature": -1.0,
                "source": "Liu et al. 2026",
                "verdict": verdict,
            }
        )
    return table


def _range(places: xr.Dataset) -> str:
    return f"{int(places['size'].min())} to {int(places['size'].max())}"


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
