"""Ising model with a label: the sign of a boundary spin that is coupled to a whole side."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.lattice import Lattice
from phasetheory.models.base import Model, checked
from phasetheory.models.ising import Ising
from phasetheory.noise import BitFlip, Erasure, Evidence, Noise
from phasetheory.prior import DiscreteLaws

__all__ = ["BoundaryIsing"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BoundaryIsing(Model):
    r"""Ising spins next to a hidden fair boundary spin S.

    .. math:: p(x, S) \propto \exp\Bigl(\sum_{ij} J_{ij} x_i x_j + J_S \sum_{i \in \text{side}}
              S x_i\Bigr).

    The data are x alone, the label is S: what S says is the phase that the boundary selects. In
    the ordered phase the whole lattice knows it, in the disordered phase only the side does.
    Given S this is an :class:`phasetheory.Ising` model in a field on the side; both signs are
    equally likely.

    Attributes:
        lattice: Sites and edges.
        coupling: J, a scalar, or one per edge.
        boundary: J_S, finite.
        side: Sites coupled to S: mask or indices; by default the first layer (along axis 0) of a
            grid.
        engine: As in :class:`phasetheory.Ising`.

    Raises:
        ValueError: If an argument has the wrong shape or is not finite, or the lattice is no grid
            and no side is given.

    Cost: that of two Ising models. Source: Takahashi et al. 2026, arXiv:2604.10961 (two-class Ising
    data).
    """

    lattice: Lattice
    coupling: Any
    boundary: float = 1.0
    side: Any = None
    engine: str = "auto"
    _given: tuple[Ising, Ising] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make both branches."""
        boundary = float(self.boundary)
        if not np.isfinite(boundary):
            raise ValueError(f"boundary={self.boundary}: a finite coupling needed")
        if self.side is None:
            if self.lattice.shape is None:
                raise ValueError("side=None: mask or indices needed on a lattice that is no grid")
            mask = np.arange(self.lattice.n_sites) < np.prod(self.lattice.shape[1:], dtype=int)
        else:
            mask = self.lattice.mask(self.side)
        n_edges = (len(self.lattice.edges),)
        object.__setattr__(self, "coupling", checked("coupling", self.coupling, n_edges, "edge"))
        object.__setattr__(self, "boundary", boundary)
        object.__setattr__(self, "side", mask)
        branches = tuple(
            Ising(self.lattice, self.coupling, sign * boundary * mask, self.engine)
            for sign in (-1.0, 1.0)
        )
        object.__setattr__(self, "_given", branches)

    def sample(self, n: int, *, rng: Any = None) -> NDArray[np.int8]:
        """Independent exact draws, shape (n, n_sites): a label, then spins; flipped with it."""
        rng = np.random.default_rng(rng)
        signs = np.where(rng.random((n, 1)) < 0.5, -1, 1).astype(np.int8)
        return signs * self._given[1].sample(n, rng=rng)

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log E_x exp sum_i l_i(x_i), shape (n,)."""
        down, up = (branch.log_evidence(evidence) for branch in self._given)
        return np.asarray(np.logaddexp(down, up) - np.log(2.0))

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> DiscreteLaws:
        """One-site posteriors: those of both labels, weighted by how well they explain."""
        log_w = np.stack([branch.log_evidence(evidence) for branch in self._given])
        log_w -= np.logaddexp(*log_w)
        laws = [branch.posterior(evidence, sites).log_p for branch in self._given]
        return DiscreteLaws(
            np.logaddexp(*(w[:, None, None] + p for w, p in zip(log_w, laws, strict=True)))
        )

    def entropies(self, noise: Noise, regions: Sequence[NDArray[np.bool_]]) -> Floats | None:
        """Exact discrete entropies of the noisy law, nats, or None; the limits are Ising's.

        S is one more spin of an Ising model that nobody looks at.
        """
        if isinstance(noise, BitFlip | Erasure):
            t = np.append(np.broadcast_to(noise.t, (self.lattice.n_sites,)), 1.0)
            widened: Noise = type(noise)(t)
        elif noise.is_discrete(2).all():
            widened = BitFlip(0.0)
        else:
            return None
        return self._joint.entropies(widened, [np.append(region, False) for region in regions])

    @property
    def label_weights(self) -> Floats:
        """Probabilities of the labels 0 (S = -1) and 1 (S = +1)."""
        return np.array([0.5, 0.5])

    def given(self, label: int) -> Ising:
        """The Ising model in the field of S: label 0 for S = -1, 1 for S = +1.

        Raises:
            ValueError: If the label is neither 0 nor 1.
        """
        if label not in (0, 1):
            raise ValueError(f"label={label}: 0 (S = -1) or 1 (S = +1) needed")
        return self._given[label]

    @cached_property
    def _joint(self) -> Ising:
        """Spins and S (the last site) in one Ising model."""
        n = self.lattice.n_sites
        touched = np.flatnonzero(self.side)
        bonds = np.stack([touched, np.full(touched.size, n)], axis=1)
        edges = np.concatenate([self.lattice.edges, bonds])
        couplings = np.append(self.coupling, np.full(touched.size, self.boundary))
        order = np.lexsort((edges[:, 1], edges[:, 0]))
        return Ising(Lattice(n + 1, edges[order], None), couplings[order])
