"""What a noise is: a channel on every site, and the evidence that its output gives."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Evidence", "GaussianEvidence", "Noise", "symbols"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class GaussianEvidence(NamedTuple):
    """Evidence log N(value; x, variance) on continuous sites.

    Attributes:
        value: Shape (n, n_sites).
        variance: Shape (n_sites,), shared by all samples, or (n, n_sites); 0 = known exactly,
            inf = unobserved.
    """

    value: Floats
    variance: Floats


Evidence = Floats | GaussianEvidence


@dataclass(frozen=True, eq=False)
class Noise(ABC):
    """A noise of strength t on every site; t = 0 leaves the data as they are.

    Attributes:
        t: Diffusion time in [0, 1]: a scalar, or one value per site.
    """

    t: Any

    def __post_init__(self) -> None:
        """Check the range of t."""
        t = np.array(self.t, dtype=float)  # a copy: later changes by the caller stay outside
        if t.ndim > 1 or not ((t >= 0) & (t <= 1)).all():
            raise ValueError(f"t={self.t!r}: a number in [0, 1], or one per site, needed")
        object.__setattr__(self, "t", t)

    @property
    def name(self) -> str:
        """Name of the noise, for provenance and tables."""
        return type(self).__name__

    @property
    def n_sites(self) -> int | None:
        """Number of sites a per-site noise is made for; None for a uniform one."""
        return None if self.t.ndim == 0 else int(self.t.size)

    @abstractmethod
    def check(self, q: int | None) -> None:
        """Raise ValueError unless the noise acts on sites with q symbols (None: continuous)."""

    @abstractmethod
    def sample(self, x: NDArray[Any], q: int | None, *, rng: np.random.Generator) -> NDArray[Any]:
        """Noisy version of a batch x of shape (n, n_sites), of the same shape."""

    @abstractmethod
    def evidence(self, y: NDArray[Any], region: Mask, q: int | None) -> tuple[Evidence, Floats]:
        """Evidence of y on the region, and the log-likelihood's x-independent part.

        Args:
            y: Shape (n, n_sites), entries outside the region ignored.
            region: Shape (n_sites,).
            q: Symbols per site, None for continuous sites.

        Returns:
            (evidence, constant of shape (n,)) with log p(y | x) = constant + sum_i l_i(x_i).
        """

    @abstractmethod
    def increment(self, later: "Noise") -> "Noise":
        """Channel that takes the law at this t to that at a later t (1 - t multiplies)."""

    @abstractmethod
    def then(self, extra: "Noise") -> "Noise":
        """The single noise equal to this one followed by `extra`."""

    @abstractmethod
    def on(self, region: Mask) -> "Noise":
        """The same noise inside the region and none outside; per-site from a uniform t."""

    @abstractmethod
    def at(self, site: int) -> "Noise":
        """The noise of one site, with scalar t."""

    @abstractmethod
    def is_discrete(self, q: int | None) -> Mask:
        """Whether noisy sites have finitely many values; shape of t."""

    def channel(self, q: int) -> Floats:
        """Single-site channel matrix p(y | x), columns x, rows in the order of :meth:`outputs`.

        Args:
            q: Symbols per clean site.

        Returns:
            Shape (n_outputs, q), with t's axis in front for a per-site noise.

        Raises:
            ValueError: If the noisy site is continuous.
        """
        raise ValueError(f"{self.name} noise has no channel matrix: its output is continuous")

    def outputs(self, q: int) -> NDArray[np.int8]:
        """Values that a noisy site takes, in the order of the channel's rows."""
        return symbols(q)

    def describe(self) -> dict[str, Any]:
        """Name and parameters, for provenance."""
        return {"noise": self.name, "t": self.t.tolist()}

    def _same_kind(self, other: "Noise") -> None:
        if type(other) is not type(self):
            raise ValueError(f"{self.name} noise does not compose with {other.name}: use one kind")


def symbols(q: int) -> NDArray[np.int8]:
    """Values of a clean site in table order: -1, +1 for spins (q = 2), else 0..q-1."""
    return np.array([-1, 1], np.int8) if q == 2 else np.arange(q, dtype=np.int8)
