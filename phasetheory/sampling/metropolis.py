r"""Metropolis updates, one spin after the other."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from phasetheory._kernels.single_spin import metropolis
from phasetheory._kernels.splitmix import exponentials
from phasetheory.sampling.move import Info, SpinState, sweep_order
from phasetheory.sampling.target import Target

__all__ = ["Metropolis"]


@dataclass(frozen=True, eq=False)
class Metropolis:
    r"""Sweep over all sites in order and offer each spin a flip.

    .. math:: P(\text{flip}) = \min(1, e^{-\Delta E}), \qquad
       \Delta E = 2 x_i (h_i + \sum_j J_{ij} x_j).

    Each single-site kernel satisfies detailed balance, so the sweep leaves the target invariant
    (it is not reversible itself). Flips that cost nothing are always accepted; a spin without
    coupling and field would alternate for ever and is refused.

    Attributes:
        target: Any couplings, any fields, any graph.

    Raises:
        ValueError: If a spin has neither coupling nor field.

    A step is one sweep: O(n_sites + n_edges). Source: Metropolis et al., J. Chem. Phys. 21, 1087
    (1953).
    """

    target: Target
    replicas: ClassVar[int] = 1
    independent: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse spins that would alternate for ever."""
        self.target.refuse_free_spins("metropolis")

    def init(self, spins: ArrayLike) -> SpinState:
        """State at one configuration of shape (n_sites,)."""
        return SpinState(self.target.spins(spins))

    def step(self, state: SpinState, rng: np.random.Generator) -> tuple[SpinState, Info]:
        """One sweep; `acceptance` is the fraction of accepted flips."""
        n = self.target.n_sites
        spins = state.configuration.copy()
        waits = exponentials(rng.integers(2**64, dtype=np.uint64), n)
        accepted = metropolis(spins, self.target.graph, sweep_order(n), waits)
        return SpinState(spins), Info(accepted / n)
