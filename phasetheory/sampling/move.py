"""What a Markov-chain move is: `init` makes a state, `step` returns a new one and what happened."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.sampling.target import Target

__all__ = ["Info", "Move", "SpinState", "State", "sweep_order"]


@dataclass(frozen=True)
class Info:
    """What one step did.

    Attributes:
        acceptance: Fraction of attempted changes that happened; its meaning is the move's.
    """

    acceptance: float


class State(Protocol):
    """State of a chain: whatever it needs besides the spins is the move's business."""

    @property
    def spins(self) -> NDArray[np.int8]:
        """Configurations that follow the target law, shape (replicas, n_sites)."""


@dataclass(frozen=True, eq=False)
class SpinState:
    """State of most moves: the configuration alone.

    Attributes:
        configuration: int8 -1/+1, shape (n_sites,).
    """

    configuration: NDArray[np.int8]

    @property
    def spins(self) -> NDArray[np.int8]:
        """The configuration as a batch of one, shape (1, n_sites)."""
        return self.configuration[None]


class Move(Protocol):
    """A Markov kernel that leaves the target law invariant.

    Moves are frozen dataclasses of arrays; `step` changes nothing but the generator, so that the
    same state and the same generator state give the same result.
    """

    @property
    def target(self) -> Target:
        """The law that is left invariant."""

    @property
    def replicas(self) -> int:
        """Independent chains carried by one state."""

    @property
    def independent(self) -> bool:
        """Whether successive states are independent exact draws (a perfect sampler)."""

    def init(self, spins: ArrayLike) -> Any:
        """State at given configurations: (n_sites,), or (replicas, n_sites) if replicas > 1."""

    def step(self, state: Any, rng: np.random.Generator) -> tuple[Any, Info]:
        """One step: the new state (the old one is left alone) and what happened."""


def sweep_order(n_sites: int) -> NDArray[np.uint32]:
    """Sites in order, as a sequential sweep visits them."""
    return np.arange(n_sites, dtype=np.uint32)
