"""The two-component mixture on N x N images: nonlocal only in a window of width 1/N."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting
from phasetheory.report import limits
from phasetheory.report.studies import mixture_scaling

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
