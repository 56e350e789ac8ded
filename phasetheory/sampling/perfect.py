r"""Perfect sampling: coupling from the past (Propp and Wilson)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from phasetheory._kernels.single_spin import coupled_heat_bath
from phasetheory.sampling.move import Info, SpinState
from phasetheory.sampling.target import Target

__all__ = ["Perfect"]


@dataclass(frozen=True, eq=False)
class Perfect:
    r"""Independent exact draws of a ferromagnet, in any fields.

    Heat-bath sweeps started at time :math:`-T` from all +1 and all -1 use the same random numbers;
    with :math:`J \ge 0` every other start stays between the two. If they have met at time 0, the
    configuration there follows the law exactly. If not, T is doubled, *the same numbers being used
    again for the last T sweeps*: fresh ones, or giving up on slow runs, would bias the result.

    Attributes:
        target: Couplings J >= 0, any fields, any graph.
        max_doublings: T runs up to 2^max_doublings sweeps.

    Raises:
        ValueError: If a coupling is negative (not monotone) or `max_doublings` < 0.

    A step costs O(T n_edges) with T of the order of the relaxation time times log n_sites: a few
    sweeps at high temperature, :math:`L^{2.2}` at criticality, exponential in L below. Source:
    Propp and Wilson, Random Struct. Alg. 9, 223 (1996).
    """

    target: Target
    max_doublings: int = 20
    replicas: ClassVar[int] = 1
    independent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check that the heat bath is monotone."""
        negative = np.flatnonzero(self.target.coupling < 0)
        if negative.size:
            i, j = self.target.edges[negative[0]]
            raise ValueError(
                f"perfect: coupling {self.target.coupling[negative[0]]:g} on edge ({i}, {j}) is"
                " negative, so that order between configurations is lost; flip the sign of one"
                " sublattice if the model is unfrustrated, else use 'tempering'"
            )
        if self.max_doublings < 0:
            raise ValueError(f"max_doublings={self.max_doublings}: at least 0 needed")

    def init(self, spins: ArrayLike) -> SpinState:
        """State at one configuration of shape (n_sites,), which no later state depends on."""
        return SpinState(self.target.spins(spins))

    def step(self, state: SpinState, rng: np.random.Generator) -> tuple[SpinState, Info]:
        """One exact draw; `acceptance` is 1 / T, T the number of sweeps that were needed.

        Raises:
            ValueError: If the chains have not met after 2^max_doublings sweeps.
        """
        n = self.target.n_sites
        key = rng.integers(2**64, dtype=np.uint64)
        apart = n
        for doublings in range(self.max_doublings + 1):
            upper, lower = np.ones(n, dtype=np.int8), -np.ones(n, dtype=np.int8)
            apart = coupled_heat_bath(upper, lower, self.target.graph, key, 2**doublings)
            if not apart:
                return SpinState(upper), Info(0.5**doublings)
        raise ValueError(
            f"perfect: after {2**self.max_doublings} sweeps {apart} of {n} spins still remember"
            " the start: the chain is slow (critical, or ordered in a weak field); use"
            f" 'swendsen-wang', or Perfect(target, max_doublings={self.max_doublings + 4})"
        )
