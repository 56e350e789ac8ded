"""Ising models on any graph, with any couplings and fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.engines import frontier
from phasetheory.engines.table import check_size
from phasetheory.lattice import Lattice
from phasetheory.models.base import Model, checked
from phasetheory.models.table import Table
from phasetheory.noise import BitFlip, Evidence, Noise
from phasetheory.prior import DiscreteLaws

__all__ = ["Ising"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ising(Model):
    r"""Spins with :math:`p(x) \propto \exp(\sum_{ij} J_{ij} x_i x_j + \sum_i h_i x_i)`.

    Attributes:
        lattice: Sites and edges.
        coupling: J, inverse temperature absorbed: a scalar, or one per edge of `lattice.edges`.
        field: h, a scalar, or one per site.

    Raises:
        ValueError: If couplings or fields have another shape or are not finite.

    Likelihoods and posteriors enumerate 2^n states (n up to 25); entropies under bit flips go
    through a frontier (about 2^n work and no table, up to about 30 sites of a narrow grid).
    """

    lattice: Lattice
    coupling: Any
    field: Any = 0.0

    def __post_init__(self) -> None:
        """Spread scalars over edges and sites."""
        n_edges = (len(self.lattice.edges),)
        object.__setattr__(self, "coupling", checked("coupling", self.coupling, n_edges, "edge"))
        n_sites = (self.lattice.n_sites,)
        object.__setattr__(self, "field", checked("field", self.field, n_sites, "site"))

    @cached_property
    def table(self) -> Table:
        """The full table of 2^n probabilities.

        Raises:
            ValueError: If it exceeds the memory limit.
        """
        n = self.lattice.n_sites
        check_size(2**n, f"Ising on {n} sites", "take fewer sites; cmi under BitFlip needs none")
        log_w = np.zeros((2,) * n)
        spin = np.array([-1.0, 1.0])
        for site, h in enumerate(self.field):
            log_w += (h * spin).reshape([2 if axis == site else 1 for axis in range(n)])
        for (i, j), coupling in zip(self.lattice.edges, self.coupling, strict=True):
            bond = coupling * np.outer(spin, spin)
            log_w += bond.reshape([2 if axis in (i, j) else 1 for axis in range(n)])
        return Table.from_log_weights(self.lattice, log_w)

    def sample(self, n: int, *, rng: Any = None) -> NDArray[np.int8]:
        """Independent exact draws, shape (n, n_sites)."""
        return self.table.sample(n, rng=rng)

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log E_x exp sum_i l_i(x_i), shape (n,)."""
        return self.table.log_evidence(evidence)

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> DiscreteLaws:
        """One-site posteriors; see :class:`phasetheory.prior.Prior`."""
        return self.table.posterior(evidence, sites)

    def entropies(self, noise: Noise, regions: Sequence[NDArray[np.bool_]]) -> Floats | None:
        """Exact discrete entropies of the noisy law, nats; None under continuous noise."""
        if not isinstance(noise, BitFlip):
            return self.table.entropies(noise, regions)
        flip = np.broadcast_to(noise.t / 2.0, (self.lattice.n_sites,))
        edges = np.asarray(self.lattice.edges)
        return frontier.noisy_entropies(
            edges, self.coupling, self.field, flip=flip, regions=np.array(regions)
        )
