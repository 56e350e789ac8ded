r"""What each step of a reverse circuit loses at each buffer radius, estimated or exact.

By T2 (arXiv:2508.06614, composed along a path) the error of a circuit is at most the sum over its
gates of :math:`\Delta I = I(A;C|B_r) - I(\tilde A;C|B_r)`, the fall of the conditional mutual
information through the noise that the gate undoes. A term depends on the forward law, the place of
the gate in its step, and its radius, but not on the radii of the other gates. So one table of falls
over steps and radii holds the bounds of all schedules.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from phasetheory.circuits.circuit import Circuit
from phasetheory.circuits.reverse import reverse_circuit
from phasetheory.noise import Noise
from phasetheory.prior import Prior
from phasetheory.seeds import seed_sequence

__all__ = ["Falls", "circuit_falls", "from_scan"]

Floats = NDArray[np.float64]
#: Times of a scan that differ by less are equal.
SAME_TIME = 1e-9


@dataclass(frozen=True, eq=False)
class Falls:
    """Errors and costs of all steps at all radii.

    Attributes:
        times: Decreasing to 0, shape (K + 1,).
        radii: Increasing, `math.inf` (global) the last, shape (R,).
        nats: Sum of the falls of the gates of a step, shape (K, R), >= 0; 0 where global.
        costs: Sites read in a step, shape (R,).
        n_sites: Number of sites.
        basis: "fall" (exact terms of T2), "cmi" or "locality_gap" (estimates).
    """

    times: Floats
    radii: Floats
    nats: Floats
    costs: NDArray[np.int64]
    n_sites: int
    basis: str


def circuit_falls(
    model: Prior,
    noise: Callable[[float], Noise],
    *,
    times: ArrayLike,
    radius: Sequence[float],
    order: Any = "layers",
    block: Any = 1,
    rng: Any = 0,
) -> xr.Dataset:
    r"""Exact falls :math:`\sum_A \Delta I` of every step of a circuit at every buffer radius.

    A schedule that :func:`phasetheory.hybrid_schedule` makes from them keeps what it promises: by
    T2 the total variation distance is at most the tolerance, in the same order and with the same
    blocks.

    Args:
        model: Few discrete sites, or a Gaussian field, as for :func:`phasetheory.reverse_circuit`.
        noise: Callable t -> noise.
        times: Decreasing to 0, shape (K + 1,).
        radius: Finite buffer radii, distinct.
        order: Order of the circuit that will be run; not "simultaneous", which T2 does not cover.
        block: Its blocks.
        rng: Seed of random orders, that of the circuit.

    Returns:
        Dataset over dims (t, radius), both increasing, t the later time of the step: `fall`
        (nats), `t_early` (over t) and `cost` (sites read in a step, over radius).

    Raises:
        ValueError: If a radius is infinite or repeated, the order has no terms, or the circuit
            does not fit the model.

    Cost: a circuit with terms for each radius.

    Source: T2, from T1 of arXiv:2508.06614.

    Example:
        >>> import phasetheory as pt
        >>> model = pt.Ising(pt.Lattice.chain(6), coupling=0.5)
        >>> falls = pt.circuit_falls(model, pt.BitFlip, times=[1, 0.5, 0], radius=[0, 1])
        >>> falls["cost"].values.tolist(), bool((falls["fall"] >= 0).all())
        ([6, 16], True)
    """
    radii = np.sort(np.array(radius, dtype=float).ravel())
    if not radii.size or not np.isfinite(radii).all() or (np.diff(radii) == 0).any():
        raise ValueError(
            f"radius={radius!r}: distinct finite numbers needed (global gates have no fall)"
        )
    if isinstance(order, str) and order == "simultaneous":
        raise ValueError("order='simultaneous' has no terms: T2 covers gates one after the other")
    seed = seed_sequence(rng)
    circuits = [
        # A sequence that has spawned goes on: each radius gets a copy, for the same orders.
        Circuit(
            model.lattice, times, float(r), order, block,
            np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key),
        )
        for r in radii
    ]  # fmt: skip
    runs = [reverse_circuit(model, noise, circuit, progress=False) for circuit in circuits]
    grid, late = circuits[0].times, slice(None, None, -1)
    data = xr.Dataset(
        {
            "fall": (("t", "radius"), np.array([run.step_terms for run in runs]).T[late]),
            "t_early": ("t", grid[1:][late]),
            "cost": ("radius", [int(c.step_costs[0]) for c in circuits]),
        },
        coords={"t": grid[:-1][late], "radius": radii},
        attrs={
            "title": "falls of conditional mutual information, the terms of T2",
            "model": type(model).__name__,
            "n_sites": model.lattice.n_sites,
            "n_gates": len(circuits[0].blocks),
            "order": order if isinstance(order, str) else json.dumps(list(map(int, order))),
            "source": "arXiv:2508.06614",
        },
    )
    data["fall"].attrs = {"units": "nats", "long_name": "fall of I(A;C|B), summed over a step"}
    data["cost"].attrs = {"units": "sites", "long_name": "sites read in a step"}
    return data


def from_scan(
    scan: xr.Dataset,
    times: ArrayLike | None,
    radius: ArrayLike | None,
    n_sites: int | None,
    *,
    n_stderr: float,
) -> Falls:
    """Falls of all steps, from a scan or from exact falls; see :func:`hybrid_schedule`.

    Raises:
        ValueError: If a variable is missing, a value is not finite, the times do not cover the
            path, or a radius was not scanned.
    """
    basis = next((name for name in ("fall", "cmi", "locality_gap") if name in scan), None)
    if basis is None or not {"t", "radius"} == set(scan[basis].dims):
        raise ValueError(
            f"scan has the variables {sorted(map(str, scan.data_vars))} over"
            f" {sorted(map(str, scan.dims))}: 'cmi' (pt.scan), 'fall' (pt.circuit_falls) or"
            " 'locality_gap' over exactly t and radius needed"
        )
    scan = _radii(scan.transpose("t", "radius", ...).sortby(["t", "radius"]), radius)
    n = _n_sites(scan, n_sites)
    if basis == "fall":
        grid, nats = _exact(scan, times), scan["fall"].values[::-1]
        n_gates, costs = int(scan.attrs["n_gates"]), scan["cost"].values
    else:
        missing = {f"{basis}_stderr", "size_A", "size_B", "size_C"} - set(scan.data_vars)
        if missing:
            raise ValueError(f"scan lacks {sorted(missing)}: give a result of pt.scan")
        # Where C is empty the scan says nothing: other sites may still have one.
        scan = scan.isel(radius=scan["size_C"].values > 0)
        if not scan.sizes["radius"]:
            raise ValueError(
                "no scanned radius leaves sites in C: the lattice is too small for a schedule,"
                " or give exact falls (pt.circuit_falls)"
            )
        size = int(scan["size_A"].values[0])
        n_gates = -(-n // size)
        costs = n_gates * (size + scan["size_B"].values)
        upper = scan[basis].values + n_stderr * scan[f"{basis}_stderr"].values
        known = scan["t"].values.astype(float)
        if basis == "cmi":
            grid = _times(known, times)
            erasure = "Erasure" in str(scan.attrs.get("noise", ""))
            nats = n_gates * _by_signal(grid, _along(grid, known, upper), 1 if erasure else 2)
        else:
            known, rate = _rates(known, upper)
            grid = _times(known, times)
            nats = n_gates * 0.5 * -np.diff(grid)[:, None] * _means(_along(grid, known, rate))
    if not np.isfinite(nats).all():
        raise ValueError(f"{basis} holds {int((~np.isfinite(nats)).sum())} NaN: finish the scan")
    radii = np.append(scan["radius"].values.astype(float), np.inf)
    nats = np.append(np.maximum(nats, 0.0), np.zeros((len(nats), 1)), axis=1)
    return Falls(grid, radii, nats, np.append(costs, n_gates * n).astype(np.int64), n, basis)


def _radii(scan: xr.Dataset, radius: ArrayLike | None) -> xr.Dataset:
    if radius is None:
        return scan
    known = scan["radius"].values.astype(float)
    wanted = np.unique(np.asarray(radius, dtype=float))
    wanted = wanted[np.isfinite(wanted)]
    if absent := sorted(set(wanted.tolist()) - set(known.tolist())):
        raise ValueError(f"radius={absent[0]:g} is not in the scan, which has {known.tolist()}")
    return scan.isel(radius=np.isin(known, wanted))


def _n_sites(scan: xr.Dataset, n_sites: int | None) -> int:
    found = n_sites or scan.attrs.get("n_sites")
    if found is None and "lattice" in scan.attrs:
        found = json.loads(scan.attrs["lattice"]).get("n_sites")
    if found is None or int(found) != found or found < 1:
        raise ValueError(f"n_sites={n_sites!r}: the scan does not say it; a whole number needed")
    return int(found)


def _exact(scan: xr.Dataset, times: ArrayLike | None) -> Floats:
    grid = np.append(scan["t"].values[::-1], scan["t_early"].values[0]).astype(float)
    if times is not None and not np.array_equal(np.asarray(times, dtype=float), grid):
        raise ValueError(
            f"times={np.asarray(times).tolist()}: the falls belong to {grid.tolist()}, leave it out"
        )
    return grid


def _times(known: Floats, times: ArrayLike | None) -> Floats:
    grid = known[::-1].copy() if times is None else np.array(times, dtype=float)
    if grid.ndim != 1 or grid.size < 2 or not (np.diff(grid) < 0).all():
        raise ValueError(f"times={grid.tolist()}: at least two decreasing times needed")
    if abs(grid[-1]) > SAME_TIME or grid[0] - SAME_TIME > known[-1] or known[0] > SAME_TIME:
        raise ValueError(
            f"times run from {grid[0]:g} to {grid[-1]:g} and the scan from t = {known[0]:g} to"
            f" {known[-1]:g}: a circuit has to reach t = 0, and the scan to cover it"
        )
    grid[-1] = 0.0
    return grid


def _along(times: Floats, known: Floats, value: Floats) -> Floats:
    """Columns of value, linear between the known times, at the times of the circuit."""
    return np.array([np.interp(times, known, column) for column in value.T]).T


def _means(value: Floats) -> Floats:
    return np.asarray(0.5 * (value[1:] + value[:-1]))


def _by_signal(times: Floats, value: Floats, power: int) -> Floats:
    """Estimated fall of one gate from the CMI before and after, shape (K, R).

    With the signal s = (1 - t)^power of A, the CMI is taken to be proportional to s where only A
    is noised; of the two ratios CMI/s at the ends of the step the larger one counts.
    """
    signal = (1.0 - times) ** power
    ratio = np.full_like(value, -np.inf)  # nothing left at t = 1: the other end counts
    ratio[signal > 0] = value[signal > 0] / signal[signal > 0, None]
    return np.asarray(np.diff(signal)[:, None] * np.maximum(ratio[1:], ratio[:-1]))


def _rates(known: Floats, gap: Floats) -> tuple[Floats, Floats]:
    r"""T12's rate g^2 Delta^2 with g^2 = 2t/(1-t), and its zeros at t = 0 and t = 1."""
    inside = (known > 0.0) & (known < 1.0)
    t = known[inside]
    rate = (2.0 * t / (1.0 - t))[:, None] * gap[inside]
    return np.concatenate([[0.0], t, [1.0]]), np.pad(rate, ((1, 1), (0, 0)))
