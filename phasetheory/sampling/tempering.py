r"""Parallel tempering: a ladder of temperatures that exchange configurations."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory._kernels.single_spin import Graph, heat_bath, swap_rungs
from phasetheory._kernels.splitmix import logistics
from phasetheory.sampling.move import Info, sweep_order
from phasetheory.sampling.target import Target

__all__ = ["Tempering", "TemperingState", "ladder"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TemperingState:
    """One configuration on each rung.

    Attributes:
        rungs: int8, shape (n_rungs, n_sites); the last rung is the target.
        parity: Which pairs exchange next: 0 for (0, 1), (2, 3), ..., 1 for (1, 2), (3, 4), ...
    """

    rungs: NDArray[np.int8]
    parity: int

    @property
    def spins(self) -> NDArray[np.int8]:
        """Configuration of the target, shape (1, n_sites)."""
        return self.rungs[-1:]


@dataclass(frozen=True, eq=False)
class Tempering:
    r"""Heat-bath sweeps on every rung, then exchanges between neighbouring rungs.

    .. math:: \pi_k \propto e^{-\beta_k E}, \qquad
       P(\text{swap } k, l) = \min(1, e^{(\beta_k - \beta_l)(E_k - E_l)}).

    Even and odd pairs take turns. The product of all :math:`\pi_k` is left invariant.

    Attributes:
        target: Any couplings, any fields, any graph; made for frustrated ones.
        beta: Increasing inverse temperatures relative to the target's, the last one 1, shape
            (n_rungs,); :func:`ladder` of the target by default.

    Raises:
        ValueError: If `beta` is not of that form.

    A step is one sweep of every rung: O(n_rungs n_edges). Look at `acceptance`: below about 0.2
    more rungs are needed. Source: Hukushima and Nemoto, J. Phys. Soc. Japan 65, 1604 (1996); turns
    of even and odd pairs: Syed et al., J. R. Stat. Soc. B 84, 321 (2022).
    """

    target: Target
    beta: Any = None
    replicas: ClassVar[int] = 1
    independent: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Fill in the ladder and check it."""
        given = ladder(self.target) if self.beta is None else np.array(self.beta, dtype=float)
        increasing = given.ndim == 1 and given.size >= 2 and (np.diff(given) > 0).all()
        if not increasing or given[0] < 0 or given[-1] != 1.0:
            raise ValueError(
                f"beta={self.beta!r}: at least two increasing numbers >= 0 that end at 1 needed"
            )
        object.__setattr__(self, "beta", given)

    @cached_property
    def graphs(self) -> list[Graph]:
        """Couplings and fields of each rung."""
        start, neighbour, weight, field = self.target.graph
        return [Graph(start, neighbour, b * weight, b * field) for b in self.beta]

    def init(self, spins: ArrayLike) -> TemperingState:
        """State with one configuration of shape (n_sites,) on every rung."""
        return TemperingState(np.tile(self.target.spins(spins), (self.beta.size, 1)), 0)

    def step(self, state: TemperingState, rng: np.random.Generator) -> tuple[TemperingState, Info]:
        """One sweep of each rung, one round of swaps; `acceptance` is the fraction swapped."""
        rungs, order = state.rungs.copy(), sweep_order(self.target.n_sites)
        for spins, graph in zip(rungs, self.graphs, strict=True):
            draws = logistics(rng.integers(2**64, dtype=np.uint64), order.size)
            heat_bath(spins, graph, order, draws)
        pairs = (self.beta.size - state.parity) // 2
        source = swap_rungs(self.target.energy(rungs), self.beta, state.parity, rng.random(pairs))
        swapped = np.count_nonzero(source != np.arange(self.beta.size)) / 2
        # With two rungs the odd turn has no pair: nothing was attempted, nothing refused.
        rate = swapped / pairs if pairs else 1.0
        return TemperingState(rungs[source], 1 - state.parity), Info(rate)


def ladder(target: Target) -> Floats:
    r"""Geometric ladder of inverse temperatures from one where spins are nearly free.

    Args:
        target: The law; :math:`K = \max_i (|h_i| + \sum_j |J_{ij}|)` is its largest local field.

    Returns:
        Rungs from :math:`\beta = \min(1/2, 1/K)` to 1, ratio :math:`1 + 2/\sqrt{n}` at most: energy
        fluctuations of order :math:`\sqrt n` overlap then.
    """
    reach = np.abs(target.field)
    np.add.at(reach, target.edges[:, 0], np.abs(target.coupling))
    np.add.at(reach, target.edges[:, 1], np.abs(target.coupling))
    lowest = min(0.5, 1.0 / max(float(reach.max()), 1.0))
    ratio = np.log1p(2.0 / np.sqrt(target.n_sites))
    rungs = np.geomspace(lowest, 1.0, int(np.ceil(-np.log(lowest) / ratio)) + 1)
    rungs[-1] = 1.0
    return np.asarray(rungs)
