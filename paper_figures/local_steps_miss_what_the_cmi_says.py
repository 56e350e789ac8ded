"""The idea in one picture: local and global denoiser of one image, and the map that explains it."""

from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import TEXT
from phasetheory import plotting
from phasetheory.report.studies import denoised_path, image_map

CLAIM = (
    "What a local denoising step misses, in units of the noise, is largest at low noise and small "
    "windows, where the conditional mutual information is large."
)

CAPTION = (
    "Left: one clothing image along the path, its noisy version, denoised pixel by pixel from "
    "windows of radius $r$, denoised from all pixels, and what the window misses, "
    r"$(\alpha/\sigma)(\hat x_\mathrm{all}-\hat x_\mathrm{window})$, whose mean square is "
    r"$\sigma^2$ times the squared locality gap; one grey scale. The denoisers are the Bayes "
    "denoisers of the Gaussian field fitted to the test images of Fashion-MNIST, exact. Right: "
    "exact CMI of its centre pixel."
)

SYMBOLS = {
    r"\alpha": "signal, $1-t$",
    r"\sigma": "standard deviation of the noise, $t$",
    r"\hat x_\mathrm{all}": "posterior mean of the pixel given all pixels",
    r"\hat x_\mathrm{window}": "the same given the window",
}

COST = "2 CPU seconds (measured)"

GROUP = "paper"


TIMES = (0.2, 0.4, 0.6, 0.8)
RADIUS = 2
VARIABLES = ("noisy", "local", "full", "missed")


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One image at four times, and the map."""
    return [
        {"what": "path", "image": 1, "times": list(TIMES[:: 2 if quick else 1]), "radius": RADIUS},
        {"what": "map", "n_times": 6 if quick else 21},
    ]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Exact numbers of the Gaussian field fitted to the images."""
    if task["what"] == "map":
        scan = image_map(_field(), n_times=task["n_times"])
        return {name: scan[name].values.tolist() for name in ("t", "radius", "cmi")}
    image = pt.load_images("fashion-mnist")[task["image"]]
    path = denoised_path(
        _field(), image, times=np.array(task["times"]), radius=task["radius"]
    ).round(4)
    return {name: path[name].values.tolist() for name in VARIABLES}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Pictures on the left, map on the right."""
    path, mapped = rows
    pictures = [np.array(path[name]) for name in VARIABLES]
    spread = float(np.abs(pictures[3]).max())
    n = len(path["times"])
    figure = Figure(figsize=(TEXT, 3.0))
    figure.set_layout_engine("constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.05, 1.0))
    names = ["noisy $y$", f"window, $r={path['radius']}$", "all of $y$", "missed"]
    plotting.image_grid(
        left.subplots(4, n, gridspec_kw={"wspace": 0.03, "hspace": 0.03}),
        [list(stack) for stack in pictures],
        names,
        columns=[f"$t={t:.1f}$" for t in path["times"]],
        limits=[(-0.3, 1.1), (0.0, 1.0), (0.0, 1.0), (-spread, spread)],
    )
    scan = xr.Dataset(
        {"cmi": (("t", "radius"), np.array(mapped["cmi"]))},
        coords={"t": mapped["t"], "radius": mapped["radius"]},
    )
    plotting.cmi_map(right.subplots(), scan)
    return figure


@cache
def _field() -> pt.GaussianField:
    return pt.GaussianField.fit(pt.load_images("fashion-mnist"))
