r"""Heat-bath (Glauber) updates, one spin after the other."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from phasetheory._kernels.single_spin import heat_bath
from phasetheory._kernels.splitmix import logistics
from phasetheory.sampling.move import Info, SpinState, sweep_order
from phasetheory.sampling.target import Target

__all__ = ["HeatBath"]


@dataclass(frozen=True, eq=False)
class HeatBath:
    r"""Sweep over all sites in order and redraw each spin given the others.

    .. math:: P(x_i = +1 | x_{-i}) = \frac{1}{1 + e^{-2 (h_i + \sum_j J_{ij} x_j)}}.

    Attributes:
        target: Any couplings, any fields, any graph.

    A step is one sweep: O(n_sites + n_edges). Slower per sweep than Metropolis, but irreducible
    and aperiodic for every finite J and h. Source: Glauber, J. Math. Phys. 4, 294 (1963).
    """

    target: Target
    replicas: ClassVar[int] = 1
    independent: ClassVar[bool] = False

    def init(self, spins: ArrayLike) -> SpinState:
        """State at one configuration of shape (n_sites,)."""
        return SpinState(self.target.spins(spins))

    def step(self, state: SpinState, rng: np.random.Generator) -> tuple[SpinState, Info]:
        """One sweep; `acceptance` is the fraction of spins that changed."""
        n = self.target.n_sites
        spins = state.configuration.copy()
        draws = logistics(rng.integers(2**64, dtype=np.uint64), n)
        changed = heat_bath(spins, self.target.graph, sweep_order(n), draws)
        return SpinState(spins), Info(changed / n)
