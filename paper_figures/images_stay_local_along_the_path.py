"""CMI map of the Gaussian field fitted to real images: a Markov length of a few pixels."""

from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import TEXT, new_figure
from phasetheory import plotting

CLAIM = (
    "The Gaussian field of clothing images keeps a Markov length of a few pixels at every noise "
    "level, so one window serves the whole path."
)

CAPTION = (
    "Exact form of the maps of arXiv:2508.06614: the Gaussian field with mean and covariance of "
    "the 10,000 test images of Fashion-MNIST (28×28 pixels, grey levels from 0 to 1) under "
    "Gaussian noise; $A$ is the centre pixel. Left: CMI over time and radius. Middle: its decay "
    "at four times. Right: Markov length fitted to $r$ from 1 to 10; bars: how far the decay is "
    "from an exponential, for nothing is sampled."
)

COST = "1 CPU second (measured)"

GROUP = "paper"


CENTRE = (14, 14)
RADII = tuple(range(1, 14))


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a time; the quick size has every fourth."""
    times = np.linspace(0.0, 1.0, 21).round(2)[:: 4 if quick else 1]
    return [{"t": float(t), "centre": list(CENTRE), "radii": list(RADII)} for t in times]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Exact CMI at the centre pixel for every radius at one time."""
    field = _field()
    parts = [field.lattice.tripartition(tuple(task["centre"]), r) for r in task["radii"]]
    return {"cmi": [e.value for e in pt.cmi(field.noised(pt.Gaussian(task["t"])), parts)]}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Map, decay with the radius, and Markov length."""
    rows = sorted(rows, key=lambda row: row["t"])
    value = np.array([row["cmi"] for row in rows])
    scan = xr.Dataset(
        {"cmi": (("t", "radius"), value), "cmi_stderr": (("t", "radius"), np.zeros_like(value))},
        coords={"t": [row["t"] for row in rows], "radius": rows[0]["radii"]},
    )
    figure, (left, middle, right) = new_figure(TEXT, 2.3, ncols=3)
    plotting.cmi_map(left, scan)
    plotting.cmi_profiles(middle, scan, (0.2, 0.4, 0.6, 0.8), floor=1e-6)
    plotting.markov_lengths(right, pt.markov_length(scan.sel(radius=slice(1, 10))))
    return figure


@cache
def _field() -> pt.GaussianField:
    return pt.GaussianField.fit(pt.load_images("fashion-mnist"))
