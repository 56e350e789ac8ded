r"""Swendsen-Wang: all Fortuin-Kasteleyn clusters at once."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from phasetheory._kernels.clusters import swendsen_wang
from phasetheory.sampling.move import Info, SpinState
from phasetheory.sampling.target import Target

__all__ = ["SwendsenWang"]


@dataclass(frozen=True, eq=False)
class SwendsenWang:
    r"""Open each satisfied bond with probability :math:`p`, flip each cluster with probability 1/2.

    .. math:: p_{ij} = 1 - e^{-2 |J_{ij}|}, \quad \text{satisfied:}\; J_{ij} x_i x_j > 0.

    A field is a bond of strength :math:`h_i` to a ghost spin that is always +1; the cluster of the
    ghost stays. Couplings of either sign are exact; the move is fast where the model has no
    frustration, and useless in a spin glass, where clusters percolate (take 'tempering').

    Attributes:
        target: Any couplings, any fields, any graph.

    A step costs O(n_sites + n_edges), nearly. Source: Swendsen and Wang, PRL 58, 86 (1987); ghost
    spin: Griffiths, J. Math. Phys. 8, 484 (1967).
    """

    target: Target
    replicas: ClassVar[int] = 1
    independent: ClassVar[bool] = False

    def init(self, spins: ArrayLike) -> SpinState:
        """State at one configuration of shape (n_sites,)."""
        return SpinState(self.target.spins(spins))

    def step(self, state: SpinState, rng: np.random.Generator) -> tuple[SpinState, Info]:
        """One update of all clusters; `acceptance` is the fraction of spins that changed."""
        n = self.target.n_sites
        spins = np.empty(n + 1, dtype=np.int8)
        spins[:n], spins[n] = state.configuration, 1
        key = rng.integers(2**64, dtype=np.uint64)
        coins = rng.integers(256, size=n + 1, dtype=np.uint8)
        swendsen_wang(spins, self.target.bonds, key, coins)
        changed = np.count_nonzero(spins[:n] != state.configuration)
        return SpinState(spins[:n]), Info(changed / n)
