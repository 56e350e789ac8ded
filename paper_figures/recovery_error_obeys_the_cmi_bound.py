"""T1 on random laws: every recovery error lies below the conditional mutual information."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from paper_figures.style import TEXT, new_figure
from phasetheory import plotting
from phasetheory.report.studies import recovery_chains

CLAIM = "The error of a local recovery never exceeds the conditional mutual information it ignores."

CAPTION = (
    "The chain of T1, inequality by inequality, on 1,000 random laws of six spins ($A$ one spin, "
    "$B$ two, $C$ three; tables from nearly uniform to sparse, at random noise), each with a "
    "random bit flip on $A$ undone by the Bayes recovery that knows the law of $AB$ only. All "
    "numbers are exact; lines: equality."
)

SYMBOLS = {
    "p": "the law before the flip",
    r"\hat p": "the law after flip and recovery",
    "A": "the spin that is flipped",
    "B": "the two spins that the recovery reads",
    "C": "the other three spins",
    "I": "short for $I(A;C|B)$ before the flip [nats]",
    r"\tilde I": "the same after the flip [nats]",
}

COST = "1 CPU second (measured)"

GROUP = "ours"


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
