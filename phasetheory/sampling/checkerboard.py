r"""Checkerboard Metropolis: two classes of sites, each updated at once."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory._kernels.splitmix import exponentials
from phasetheory._kernels.two_colour import ColourClass, sweep
from phasetheory.sampling.move import Info, SpinState
from phasetheory.sampling.target import Target

__all__ = ["Checkerboard"]


@dataclass(frozen=True, eq=False)
class Checkerboard:
    r"""Metropolis on the two colour classes of a bipartite graph, one after the other.

    Sites of one class have no edge among them, so their flips are independent given the other
    class, each accepted with :math:`\min(1, e^{-\Delta E})`.

    Configurations in which every local field vanishes flip with certainty and form closed cycles
    (++-- on a ring of four): the law is left invariant, but such states are never reached from
    others. They carry a weight of order :math:`e^{-E_{max}}`; on very small lattices take
    'heat-bath'.

    Attributes:
        target: Any couplings and fields on a graph without odd cycles (J = 0 counts as no edge).

    Raises:
        ValueError: If the graph has an odd cycle, or a spin has neither coupling nor field.

    A step is one sweep: O(n_sites * largest degree).
    """

    target: Target
    replicas: ClassVar[int] = 1
    independent: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check that two colours suffice."""
        self.target.refuse_free_spins("checkerboard")
        if self.target.colours is None:
            raise ValueError(
                "checkerboard: the graph has an odd cycle (a periodic axis of odd length?), so two"
                " colours do not suffice: use 'metropolis' or 'heat-bath'"
            )

    @cached_property
    def classes(self) -> tuple[ColourClass, ColourClass]:
        """Neighbour tables of the two colour classes."""
        place = np.empty(self.target.n_sites, dtype=np.uint32)
        for sites in self._colours:
            place[sites] = np.arange(sites.size)
        first, second = (self._class(sites, place) for sites in self._colours)
        return first, second

    @property
    def _colours(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        assert self.target.colours is not None  # checked at construction
        return self.target.colours

    def _class(self, sites: NDArray[np.uint32], place: NDArray[np.uint32]) -> ColourClass:
        graph = self.target.graph
        degree = np.diff(graph.start)[sites]
        depth = int(degree.max(initial=0))
        neighbour = np.zeros((depth, sites.size), dtype=np.uint32)
        weight = np.zeros((depth, sites.size))
        for d in range(depth):
            has = degree > d
            slot = graph.start[sites[has]] + d
            neighbour[d, has], weight[d, has] = place[graph.neighbour[slot]], graph.weight[slot]
        return ColourClass(sites, neighbour, weight, self.target.field[sites])

    def init(self, spins: ArrayLike) -> SpinState:
        """State at one configuration of shape (n_sites,)."""
        return SpinState(self.target.spins(spins))

    def step(self, state: SpinState, rng: np.random.Generator) -> tuple[SpinState, Info]:
        """One sweep over both classes; `acceptance` is the fraction of accepted flips."""
        spins = state.configuration.copy()
        waits = exponentials(rng.integers(2**64, dtype=np.uint64), spins.size)
        flipped = sweep(spins, *self.classes, waits)
        return SpinState(spins), Info(flipped / spins.size)
