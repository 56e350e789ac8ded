"""Ising models on any graph, with any couplings and fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.engines import frontier
from phasetheory.engines.chain import Chain, is_chain
from phasetheory.engines.table import MAX_TABLE_BYTES, check_size
from phasetheory.engines.transfer import Transfer, refusal, sweep_plan
from phasetheory.engines.transfer_plan import Plan
from phasetheory.lattice import Lattice
from phasetheory.models.base import Model, checked
from phasetheory.models.table import Table
from phasetheory.noise import BitFlip, Evidence, GaussianEvidence, Noise
from phasetheory.prior import DiscreteLaws

__all__ = ["ENGINES", "Ising"]

Floats = NDArray[np.float64]

ENGINES = ("auto", "table", "transfer")

#: Up to this many sites a table is as fast as anything, and as exact as anything can be.
_SMALL = 12
#: Up to this many sites a table is built for entropies under erasure: 2^20 states.
_TABLE_ENTROPY_SITES = 20


@dataclass(frozen=True, eq=False)
class Ising(Model):
    r"""Spins with :math:`p(x) \propto \exp(\sum_{ij} J_{ij} x_i x_j + \sum_i h_i x_i)`.

    Attributes:
        lattice: Sites and edges.
        coupling: J, inverse temperature absorbed: a scalar, or one per edge of `lattice.edges`.
        field: h, a scalar, or one per site.
        engine: "table" enumerates 2^n states (n up to 25); "transfer" sweeps a frontier of up to
            2^18 states over the lattice (open strips and cylinders of width up to 18, tori up to
            9, chains of any length, any graph with a small frontier); "auto" takes the table up
            to 12 sites, else the sweep, else, where that is too wide, the table.

    Raises:
        ValueError: If couplings or fields have another shape or are not finite, or the engine is
            unknown. A model beyond every limit is refused at its first use, with its cost.

    Cost: on a strip of width W and length L about 0.2 ns x 2^W W L for each evidence, twice that
    for all posteriors; a chain about 50 ns per site.
    """

    lattice: Lattice
    coupling: Any
    field: Any = 0.0
    engine: str = "auto"

    def __post_init__(self) -> None:
        """Spread scalars over edges and sites."""
        n_edges = (len(self.lattice.edges),)
        object.__setattr__(self, "coupling", checked("coupling", self.coupling, n_edges, "edge"))
        n_sites = (self.lattice.n_sites,)
        object.__setattr__(self, "field", checked("field", self.field, n_sites, "site"))
        if self.engine not in ENGINES:
            raise ValueError(f"engine={self.engine!r}: one of {', '.join(ENGINES)} needed")

    @property
    def solver(self) -> str:
        """The engine that answers: "table" or "transfer".

        Raises:
            ValueError: If the model is beyond the limit of the engine asked for, or of both.
        """
        n = self.lattice.n_sites
        if self.engine == "table" or (self.engine == "auto" and n <= _SMALL):
            return "table"
        why = None if self._is_chain else refusal(self._plan, n)
        if why is None:
            return "transfer"
        if self.engine == "auto" and 2**n * 8 <= MAX_TABLE_BYTES:
            return "table"
        raise ValueError(f"Ising on {why}")

    @cached_property
    def table(self) -> Table:
        """The full table of 2^n probabilities.

        Raises:
            ValueError: If it exceeds the memory limit.
        """
        n = self.lattice.n_sites
        check_size(2**n, f"Ising on {n} sites", "take fewer sites, or engine='transfer'")
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
        if self.solver == "table":
            return self.table.sample(n, rng=rng)
        uniforms = np.random.default_rng(rng).random((n, self.lattice.n_sites))
        return self._sweep.sample(self.field, uniforms)

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log E_x exp sum_i l_i(x_i), shape (n,)."""
        if self.solver == "table":
            return self.table.log_evidence(evidence)
        h = self._spin_evidence(evidence)
        known = np.isinf(h)
        # A known spin's own field is no longer an evidence, but it is still a weight.
        weight = np.where(known, self.field * np.where(known, np.sign(h), 0.0), 0.0).sum(axis=1)
        return self._sweep.log_partition(h + self.field) + weight - self._log_partition

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> DiscreteLaws:
        """One-site posteriors; see :class:`phasetheory.prior.Prior`.

        Raises:
            ValueError: If the evidence of a sample is contradictory.
        """
        if self.solver == "table":
            return self.table.posterior(evidence, sites)
        odds = self._sweep.log_odds(self._spin_evidence(evidence) + self.field, sites)
        return DiscreteLaws(-np.stack([np.logaddexp(0.0, odds), np.logaddexp(0.0, -odds)], -1))

    def entropies(self, noise: Noise, regions: Sequence[NDArray[np.bool_]]) -> Floats | None:
        """Exact discrete entropies of the noisy law, nats.

        None under continuous noise, and where the regions are too large for a sweep (BitFlip,
        about 30 sites) or the lattice for a table (Erasure, 20 sites).
        """
        n = self.lattice.n_sites
        if not isinstance(noise, BitFlip):
            small = n <= _TABLE_ENTROPY_SITES and noise.is_discrete(2).all()
            return self.table.entropies(noise, regions) if small else None
        flip = np.broadcast_to(noise.t / 2.0, (n,))
        masks, edges = np.array(regions), np.asarray(self.lattice.edges)
        if not frontier.fits(edges, masks & (flip < 0.5), symmetric=not self.field.any()):
            return None
        return frontier.noisy_entropies(edges, self.coupling, self.field, flip=flip, regions=masks)

    @cached_property
    def _is_chain(self) -> bool:
        return is_chain(self.lattice.n_sites, self.lattice.edges)

    @cached_property
    def _plan(self) -> Plan:
        return sweep_plan(self.lattice.n_sites, self.lattice.edges, self.lattice.shape)

    @cached_property
    def _sweep(self) -> Chain | Transfer:
        if self._is_chain:
            return Chain(self.coupling)
        return Transfer(self._plan, self.lattice.edges, self.coupling, self.lattice.n_sites)

    @cached_property
    def _log_partition(self) -> float:
        return float(self._sweep.log_partition(self.field[None])[0])

    def _spin_evidence(self, evidence: Evidence) -> Floats:
        assert not isinstance(evidence, GaussianEvidence)
        h = np.asarray(evidence, dtype=float)
        bad = np.argwhere(np.isnan(h))
        if len(bad):
            raise ValueError(
                f"evidence of sample {bad[0, 0]} is NaN at site {bad[0, 1]}: contradictory"
                " observations of a known spin (+inf - inf) have probability zero"
            )
        return h
