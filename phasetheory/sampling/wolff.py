r"""Wolff: one Fortuin-Kasteleyn cluster at a time."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from phasetheory._kernels.clusters import wolff
from phasetheory.sampling.move import Info, SpinState
from phasetheory.sampling.target import Target

__all__ = ["Wolff"]


@dataclass(frozen=True, eq=False)
class Wolff:
    r"""Grow the cluster of a random site through open bonds and flip it.

    .. math:: p_{ij} = 1 - e^{-2 |J_{ij}|}

    is the probability that a satisfied bond (:math:`J_{ij} x_i x_j > 0`) is open. Fields are
    bonds to a ghost spin; a cluster tied to the ghost stays as it is, which makes the move slow in
    strong fields.

    Attributes:
        target: Any couplings (efficient without frustration), any fields, any graph.

    A step is one cluster: O(size of the cluster) besides a copy of the configuration. The number
    of clusters between kept states has to be fixed (`thin`): stopping after a number of flipped
    spins would bias the result. Source: Wolff, PRL 62, 361 (1989).
    """

    target: Target
    replicas: ClassVar[int] = 1
    independent: ClassVar[bool] = False

    def init(self, spins: ArrayLike) -> SpinState:
        """State at one configuration of shape (n_sites,)."""
        return SpinState(self.target.spins(spins))

    def step(self, state: SpinState, rng: np.random.Generator) -> tuple[SpinState, Info]:
        """One cluster; `acceptance` is the fraction of spins flipped."""
        n = self.target.n_sites
        spins = np.empty(n + 1, dtype=np.int8)
        spins[:n], spins[n] = state.configuration, 1
        seed, key = rng.integers(n), rng.integers(2**64, dtype=np.uint64)
        size = wolff(spins, self.target.bonds, self.target.slots, seed, key)
        return SpinState(spins[:n]), Info(size / n)
