"""T1 on random laws: every recovery error lies below the conditional mutual information."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from paper_figures.style import TEXT, new_figure
from phasetheory import plotting
from phasetheory.report.studies import recovery_chains

CLAIM = "The error of a local recovery never exceeds the conditional mutual information it ignores."

BATCH = 100


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task per batch of random laws, each with its own seed."""
    return [{"seed": seed, "instances": BATCH} for seed in range(2 if quick else 10)]


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """The chain of T1 on one batch, exact."""
    chains = recovery_chains(task["instances"], rng=task["seed"])
    return {name: chains[name].values.tolist() for name in chains.data_vars}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """One panel for each inequality of the chain."""
    names = ("two_tv_squared", "kl", "cmi_drop", "cmi")
    data = xr.Dataset(
        {name: ("instance", np.concatenate([row[name] for row in rows])) for name in names}
    )
    figure, axes = new_figure(TEXT, 2.2, ncols=3)
    plotting.chain_scatter(axes, data)
    return figure
