r"""Phase-aware schedules: local gates outside the transition window, global ones inside.

Each step of a reverse circuit may use any buffer radius r of a list, or see everything. It costs
the sites its gates read, and it adds to the bound T2 on KL the fall of the conditional mutual
information I(A;C|B_r) through the noise it undoes; a global gate loses nothing. A schedule is the
cheapest choice whose falls add up to at most :math:`2\,\mathrm{tol}^2`, which by T2 and Pinsker's
inequality keeps the total variation distance below tol.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from phasetheory.circuits.allocation import allocate
from phasetheory.circuits.circuit import Circuit
from phasetheory.circuits.falls import Falls, from_scan
from phasetheory.lattice import Lattice

__all__ = ["HybridSchedule", "hybrid_schedule"]

Floats = NDArray[np.float64]

#: Standard errors added to sampled values, so that the budget is kept by the upper ends.
N_STDERR = 2.0


@dataclass(frozen=True, eq=False)
class HybridSchedule:
    """A buffer radius for every step of a reverse circuit.

    Attributes:
        falls: Errors and costs of all steps at all radii.
        choice: Index of the radius of each step, shape (K,).
        tolerance: On the total variation distance; NaN for a schedule made by hand.
    """

    falls: Falls = field(repr=False)
    choice: NDArray[np.int64]
    tolerance: float

    @property
    def times(self) -> Floats:
        """Times, decreasing to 0, shape (K + 1,)."""
        return self.falls.times

    @property
    def radius(self) -> Floats:
        """Buffer radius of each step, infinite where global, shape (K,), in lattice units."""
        return self.falls.radii[self.choice]

    @property
    def predicted(self) -> Floats:
        """Predicted part of each step in the bound on KL, shape (K,), nats."""
        return self.falls.nats[np.arange(self.choice.size), self.choice]

    @property
    def kl_bound(self) -> float:
        """Predicted bound on KL(p_0 || p-hat_0), nats; T2's own if the falls are exact."""
        return float(self.predicted.sum())

    @property
    def tv_bound(self) -> float:
        """What it says of the total variation distance: sqrt(kl_bound/2)."""
        return float(np.sqrt(self.kl_bound / 2.0))

    @property
    def step_costs(self) -> NDArray[np.int64]:
        """Sites read in each step, shape (K,), all windows as large as that of the scan."""
        return self.falls.costs[self.choice]

    @property
    def cost(self) -> int:
        """Sites read by all gates, the cost model of :class:`phasetheory.Circuit`."""
        return int(self.step_costs.sum())

    @property
    def n_global(self) -> int:
        """Number of global steps."""
        return int(self._global.sum())

    @property
    def window(self) -> tuple[tuple[float, float], ...]:
        """Intervals (from, to) of t in which the steps are global; empty if all are local."""
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self._global.astype(int), [0]])))
        starts, ends = edges[::2], edges[1::2]
        return tuple(
            (float(self.times[end]), float(self.times[start]))
            for start, end in zip(starts, ends, strict=True)
        )

    @property
    def room(self) -> tuple[int, int]:
        """Smallest and largest number of steps by which the window can be shifted."""
        places = np.flatnonzero(self._global)
        if not places.size:
            return 0, 0
        return -int(places[0]), self.choice.size - 1 - int(places[-1])

    def circuit(
        self, lattice: Lattice, *, order: Any = "layers", block: Any = 1, rng: Any = 0
    ) -> Circuit:
        """The schedule as a circuit on a lattice.

        Args:
            lattice: Sites.
            order: Order of the gates, as for :class:`phasetheory.Circuit`.
            block: Blocks, those of the scan.
            rng: Generator or seed of random orders.

        Raises:
            ValueError: If the lattice has another number of sites, or the circuit is refused.
        """
        if lattice.n_sites != self.falls.n_sites:
            raise ValueError(
                f"lattice has {lattice.n_sites} sites: the schedule is made for"
                f" {self.falls.n_sites}"
            )
        return Circuit(lattice, self.times, self.radius, order, block, rng)

    def shifted(self, k: int) -> "HybridSchedule":
        """The schedule with its window k steps away, at the same cost.

        Args:
            k: Steps towards the data (t = 0); negative towards the noise. The radii of the local
                steps keep their order.

        Raises:
            ValueError: If no step is global, or the window would leave the circuit.
        """
        places = np.flatnonzero(self._global)
        if not places.size:
            raise ValueError(f"k={k}: the schedule has no global step to shift")
        low, high = self.room
        if not low <= k <= high:
            raise ValueError(f"k={k}: the window can be shifted by {low} to {high} steps")
        where = np.zeros(self.choice.size, dtype=bool)
        where[places + k] = True
        choice = np.full(self.choice.size, len(self.falls.radii) - 1, dtype=np.int64)
        choice[~where] = self.choice[~self._global]
        return replace(self, choice=choice, tolerance=float("nan"))

    def local_only(self, radius: float | None = None) -> "HybridSchedule":
        """The same radius at every step.

        Args:
            radius: A finite radius of the scan; the largest by default.

        Raises:
            ValueError: If it was not scanned.
        """
        known = self.falls.radii[:-1]
        found = np.flatnonzero(known == (known[-1] if radius is None else radius))
        if not found.size:
            raise ValueError(f"radius={radius!r}: one of {known.tolist()} needed")
        return self._everywhere(int(found[0]))

    def global_only(self) -> "HybridSchedule":
        """Global gates at every step."""
        return self._everywhere(len(self.falls.radii) - 1)

    def alternatives(self) -> Mapping[str, "HybridSchedule"]:
        """What a hybrid is to be compared with, by name.

        Returns:
            "hybrid", "global", "local r=..." for every radius, and "shifted ..." for every other
            place of the window.
        """
        return dict(self._alternatives())

    def _alternatives(self) -> Iterator[tuple[str, "HybridSchedule"]]:
        yield "hybrid", self
        yield "global", self.global_only()
        for r in self.falls.radii[:-1]:
            yield f"local r={r:g}", self.local_only(r)
        for k in range(self.room[0], self.room[1] + 1):
            if k:
                yield f"shifted {k:+d}", self.shifted(k)

    @property
    def _global(self) -> NDArray[np.bool_]:
        return np.isinf(self.radius)

    def _everywhere(self, option: int) -> "HybridSchedule":
        return replace(self, choice=np.full_like(self.choice, option), tolerance=float("nan"))

    def __str__(self) -> str:
        """Return one line a step, and what they add up to."""
        rows = ["       t          radius  predicted KL   sites read"]
        for k, (radius, nats, cost) in enumerate(
            zip(self.radius, self.predicted, self.step_costs, strict=True)
        ):
            name = "global" if np.isinf(radius) else f"{radius:g}"
            start, end = self.times[k], self.times[k + 1]
            rows.append(f"{start:6.3f} -> {end:5.3f}  {name:>6}  {nats:12.3g}  {cost:11d}")
        windows = ", ".join(f"{a:g} to {b:g}" for a, b in self.window) or "none"
        how = "T2, exact" if self.falls.basis == "fall" else f"estimated from {self.falls.basis}"
        share = self.cost / self.global_only().cost
        return "\n".join(
            (
                *rows,
                f"window  {windows}",
                f" bound  KL {self.kl_bound:.4g} nats, TV {self.tv_bound:.4g} ({how})",
                f"  cost  {self.cost} sites read, {100 * share:.1f} % of all global",
            )
        )


def hybrid_schedule(
    scan: xr.Dataset,
    *,
    tolerance: float,
    times: ArrayLike | None = None,
    radius: ArrayLike | None = None,
    n_sites: int | None = None,
    max_global_steps: int | None = None,
) -> HybridSchedule:
    r"""Cheapest schedule of local and global steps whose predicted error stays in tolerance.

    .. math:: \min \sum_k c(r_k) \quad\text{with}\quad \sum_k \Delta_k(r_k) \le
              2\,\mathrm{tol}^2, \qquad \Delta_k(\infty) = 0,

    c(r) being the sites read in a step of radius r (each of n gates reads its window; a global
    step reads n^2), and the sum what T2 allows KL(p_0||p-hat_0) to be. The minimum is found
    exactly, by dynamic programming (to a common unit of cost in very large systems).

    What :math:`\Delta_k(r)` is depends on the scan:

    - `fall` (:func:`phasetheory.circuit_falls`): the exact terms of T2. TV <= tolerance is then
      proved for the circuit that is run with the same order and blocks.
    - `cmi` (:func:`phasetheory.scan`): an estimate, n gates times
      :math:`(s_{k+1} - s_k) \max(I_k/s_k, I_{k+1}/s_{k+1})` with the signal
      :math:`s = (1-t)^p` left in A, p = 1 for erasure (I is linear in it), p = 2 else. For bit
      flips noise of ratio :math:`\rho = (1-t_k)/(1-t_{k+1})` on A takes at least
      :math:`(1-\rho^2) I` (strong data processing), so this is no upper bound; and it takes the
      scanned A as typical of all. Its sum was 0.5 to 2.2 times T2's over chains, 3 x 5 Ising
      grids, repetition codes and Gaussian fields with 5 to 20 steps; radii that leave C empty
      around the scanned A are left out.
    - `locality_gap` under Gaussian noise of the default schedule: n gates times T12's
      :math:`\frac12\int \frac{2t}{1-t}\Delta^2\,dt`, for the limit of small steps.

    Sampled values count with two standard errors added.

    Args:
        scan: Dataset over (t, radius); t from 0 (a locality gap may start later) to the start.
        tolerance: On the total variation distance, in (0, 1].
        times: Times of the circuit, decreasing to 0, within those of the scan (linear between
            them); those of the scan by default.
        radius: Radii that may be used, among those of the scan; all by default. Global steps are
            always allowed.
        n_sites: Number of sites; where the scan does not say it.
        max_global_steps: Most global steps.

    Returns:
        The schedule: radii, predicted error of each step, window, cost.

    Raises:
        ValueError: If the tolerance is out of range or not met within `max_global_steps` (the
            least bound that can be reached is named), the scan lacks variables or the times are
            not covered.

    Cost: milliseconds to a second.

    Source: the window of arXiv:2508.06614 made quantitative by T2.

    Example:
        >>> import numpy as np
        >>> import phasetheory as pt
        >>> model = pt.Ising(pt.Lattice.chain(8), coupling=1.5)
        >>> times = np.linspace(1, 0, 9)
        >>> falls = pt.circuit_falls(model, pt.BitFlip, times=times, radius=[1, 2])
        >>> schedule = pt.hybrid_schedule(falls, tolerance=0.2)
        >>> schedule.window
        ((0.125, 0.625),)
        >>> run = pt.reverse_circuit(model, pt.BitFlip, schedule.circuit(model.lattice))
        >>> run.tv.value <= run.tv_bound <= 0.2
        True
    """
    if not 0.0 < tolerance <= 1.0:
        raise ValueError(f"tolerance={tolerance}: a total variation distance in (0, 1] needed")
    if max_global_steps is not None and (
        max_global_steps != int(max_global_steps) or max_global_steps < 0
    ):
        raise ValueError(f"max_global_steps={max_global_steps}: a whole number >= 0 needed")
    falls = from_scan(scan, times, radius, n_sites, n_stderr=N_STDERR)
    choice = allocate(
        falls.nats,
        falls.costs,
        2.0 * tolerance**2,
        rationed=len(falls.radii) - 1,
        most=max_global_steps,
    )
    if choice is None:
        local = np.sort(falls.nats[:, :-1].min(axis=1))
        least = np.sqrt(local[: local.size - int(max_global_steps or 0)].sum() / 2.0)
        raise ValueError(
            f"tolerance={tolerance:g} is met by no schedule with max_global_steps="
            f"{max_global_steps} and radii up to {falls.radii[-2]:g}: the least bound on TV is"
            f" {least:.4g}"
        )
    return HybridSchedule(falls, choice, float(tolerance))
