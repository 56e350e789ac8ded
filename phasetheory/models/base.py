"""What every model of the zoo shares: the way from a prior to its noisy law."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.lattice import Lattice
from phasetheory.noise import Evidence, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import SiteLaws

__all__ = ["Model", "checked"]


class Model(ABC):
    """A prior of the zoo, final in its subclasses.

    Subclasses supply the members of :class:`phasetheory.prior.Prior`; optional extras are those of
    :class:`phasetheory.prior.Entropic` and :class:`phasetheory.prior.Labelled`.
    """

    lattice: Lattice

    @property
    def q(self) -> int | None:
        """Symbols per site: 2 for spins; None for continuous sites."""
        return 2

    @abstractmethod
    def sample(self, n: int, *, rng: Any = None) -> NDArray[Any]:
        """Independent exact draws, shape (n, n_sites)."""

    @abstractmethod
    def log_evidence(self, evidence: Evidence) -> NDArray[np.float64]:
        """Log E_x exp sum_i l_i(x_i), shape (n,)."""

    @abstractmethod
    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> SiteLaws:
        """One-site posteriors p(x_i | evidence) at `sites` (all by default)."""

    def noised(self, noise: Noise) -> NoisyLaw:
        """The law of the data after the noise.

        Args:
            noise: For example ``pt.BitFlip(t=0.2)``.

        Returns:
            The noisy law, on which every diagnostic works.

        Raises:
            ValueError: If the noise does not act on this model's sites.
        """
        return NoisyLaw(self, noise)


def checked(name: str, given: ArrayLike, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Finite float array broadcast to `shape`, read-only.

    Args:
        name: Argument name, for the message.
        given: Scalar or array.
        shape: Shape wanted.
        what: What one entry belongs to, for example "edge".

    Raises:
        ValueError: If the shape does not fit or an entry is not finite.
    """
    array = np.array(given, dtype=float)  # a copy: later changes by the caller stay outside
    if array.ndim and array.shape != shape:
        raise ValueError(
            f"{name} has shape {array.shape}: a scalar or {shape} (one per {what}) needed"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values: finite ones needed")
    return np.broadcast_to(array, shape)
