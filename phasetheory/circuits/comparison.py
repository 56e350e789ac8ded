"""Exact error of several circuits against what they cost, and which of them are worth it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tqdm import tqdm

from phasetheory.circuits.circuit import Circuit
from phasetheory.circuits.hybrid import HybridSchedule
from phasetheory.circuits.reverse import reverse_circuit
from phasetheory.noise import Noise
from phasetheory.prior import Prior

__all__ = ["error_against_cost", "on_front"]

_TEXT = {
    "kl": ("nats", "KL(p_0 || output)"),
    "tv": ("1", "total variation distance"),
    "tv_stderr": ("1", "standard error of tv, 0 if exact"),
    "bound": ("nats", "bound T2 on kl, NaN if not asked for"),
    "cost": ("sites", "sites read by all gates"),
    "depth": ("1", "layers of gates"),
    "cone": ("sites", "largest light cone"),
    "n_global": ("1", "global steps"),
    "start": ("1", "later end of the global window, NaN without one"),
    "front": ("1", "1 if no other circuit has less error at the same or a lower cost"),
}


def error_against_cost(
    model: Prior,
    noise: Callable[[float], Noise],
    circuits: Mapping[str, Circuit | HybridSchedule],
    *,
    order: Any = "layers",
    block: Any = 1,
    terms: bool = False,
    progress: bool = True,
) -> xr.Dataset:
    """Run circuits exactly and set their errors against their costs.

    The cost of a circuit is the number of sites its gates read, sum over gates of the sizes of A
    and B: operations per site and step, times sites and steps.

    Args:
        model: The data, as for :func:`phasetheory.reverse_circuit`.
        noise: Callable t -> noise.
        circuits: Name -> circuit or schedule, for example ``schedule.alternatives()``.
        order: Order of the gates, for schedules.
        block: Blocks, for schedules.
        terms: Compute the bound T2 as well.
        progress: Show a bar on a terminal.

    Returns:
        Dataset over dim `circuit`: `kl` (nats), `tv`, `tv_stderr`, `bound` (nats), `cost`,
        `depth`, `cone` (sites), `n_global`, `start` (largest t of a global step) and `front`,
        true on the Pareto front of (cost, kl).

    Raises:
        ValueError: If there is no circuit, or one does not fit the model.

    Cost: that of the circuits.

    Example:
        >>> import numpy as np
        >>> import phasetheory as pt
        >>> model, times = pt.Ising(pt.Lattice.chain(8), coupling=0.7), np.linspace(1, 0, 6)
        >>> circuits = {f"r={r}": pt.Circuit(model.lattice, times, r) for r in (0, 1, np.inf)}
        >>> data = pt.error_against_cost(model, pt.BitFlip, circuits)
        >>> data["cost"].values.tolist(), data["front"].values.tolist()
        ([40, 110, 320], [True, True, True])
    """
    if not circuits:
        raise ValueError("circuits is empty: at least one needed")
    made = {
        name: one.circuit(model.lattice, order=order, block=block)
        if isinstance(one, HybridSchedule)
        else one
        for name, one in circuits.items()
    }
    rows = []
    for circuit in tqdm(made.values(), desc="circuits", disable=None if progress else True):
        run = reverse_circuit(model, noise, circuit, terms=terms, progress=False)
        wide = np.isinf(circuit.radius)
        rows.append(
            {
                "kl": run.kl.value,
                "tv": run.tv.value,
                "tv_stderr": run.tv.stderr,
                "bound": run.bound,
                "cost": circuit.cost,
                "depth": circuit.depth,
                "cone": int(circuit.light_cones().sum(axis=1).max()),
                "n_global": int(wide.sum()),
                "start": float(circuit.times[:-1][wide].max()) if wide.any() else np.nan,
            }
        )
    data = xr.Dataset(
        {name: ("circuit", [row[name] for row in rows]) for name in rows[0]},
        coords={"circuit": list(made)},
        attrs={
            "model": type(model).__name__,
            "noise": noise(0.5).name,
            "source": "arXiv:2508.06614",
        },
    )
    data["front"] = ("circuit", on_front(data["cost"].values, data["kl"].values))
    for name, (units, long_name) in _TEXT.items():
        data[name].attrs = {"units": units, "long_name": long_name}
    return data


def on_front(cost: NDArray[Any], error: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points no other one beats: less or equal in both, and less in one.

    Args:
        cost: Shape (n,).
        error: Shape (n,).

    Returns:
        Shape (n,).
    """
    no_worse = (cost[:, None] <= cost) & (error[:, None] <= error)
    better = (cost[:, None] < cost) | (error[:, None] < error)
    return ~np.asarray((no_worse & better).any(axis=0))
