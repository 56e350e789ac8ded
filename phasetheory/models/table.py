"""Any law on q^n states, given by its table: the ground truth for all other models."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from phasetheory.engines import table as engine
from phasetheory.lattice import Lattice
from phasetheory.models.base import Model
from phasetheory.noise import Evidence, GaussianEvidence, Noise, symbols
from phasetheory.prior import DiscreteLaws, Prior, normalised

__all__ = ["Table"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table(Model):
    """A law on q^n states by its probabilities; n up to about 24 for spins.

    Attributes:
        lattice: Sites.
        probabilities: Shape (q,)*n_sites, site 0 slowest; for spins index 0 is -1, index 1 is +1.

    Raises:
        ValueError: If the shape does not fit the lattice, or entries are not probabilities
            summing to one (to 1e-9; the remainder is divided out).

    Cost: q^n exponentials for each sample of `log_evidence`, `posterior` or `denoise`.
    """

    lattice: Lattice
    probabilities: Any

    def __post_init__(self) -> None:
        """Check shape and normalisation."""
        p = np.asarray(self.probabilities, dtype=float)
        q = p.shape[0] if p.ndim else 0
        if q < 2 or p.shape != (q,) * self.lattice.n_sites:
            raise ValueError(
                f"probabilities has shape {p.shape}: (q,)*{self.lattice.n_sites} with q >= 2 needed"
            )
        engine.check_size(p.size, "Table", "use a model with its own engine")
        if not (p >= 0).all() or not (p <= 1).all() or abs(p.sum() - 1.0) > 1e-9:
            raise ValueError(
                f"probabilities run from {p.min()} to {p.max()} and sum to {p.sum()}: numbers in"
                " [0, 1] summing to 1 needed"
            )
        p = p / p.sum()
        p.setflags(write=False)
        object.__setattr__(self, "probabilities", p)

    @classmethod
    def from_log_weights(cls, lattice: Lattice, log_weights: ArrayLike) -> "Table":
        """Table of p proportional to exp(log_weights), shape (q,)*n_sites."""
        w = np.asarray(log_weights, dtype=float)
        log_p = w - logsumexp(w)
        table = cls(lattice, np.exp(log_p))
        # States too rare for a linear table keep their weight in log space.
        table.__dict__["_log_p"] = log_p.ravel()
        return table

    @classmethod
    def from_prior(cls, prior: Prior) -> "Table":
        """Tabulate any discrete prior by asking it for the evidence of every known state.

        Args:
            prior: Discrete prior on few sites.

        Returns:
            Its table.

        Raises:
            ValueError: If the prior is continuous, or q^n_sites exceeds the table limit.

        Cost: q^n_sites evidence calls of the prior (none where it holds a table already).
        """
        if isinstance(prior, Table):
            return prior
        n, q = prior.lattice.n_sites, prior.q
        if q is None:
            raise ValueError("a continuous prior has no table: Gaussian fields have closed forms")
        engine.check_size(q**n, "Table.from_prior", "marginalise to fewer sites")
        held = getattr(prior, "table", None)
        if isinstance(held, Table):
            return held
        index = engine.states(n, q)
        values = symbols(q)[index]
        log_p = np.empty(len(index))
        for start in range(0, len(index), 4096):
            chunk = slice(start, start + 4096)
            known: Evidence = np.copysign(np.inf, values[chunk])
            if q > 2:
                known = np.where(values[chunk, :, None] == symbols(q), 0.0, -np.inf)
            log_p[chunk] = prior.log_evidence(known)
        return cls.from_log_weights(prior.lattice, log_p.reshape((q,) * n))

    @property
    def q(self) -> int:
        """Symbols per site."""
        return int(self.probabilities.shape[0])

    @cached_property
    def _log_p(self) -> Floats:
        with np.errstate(divide="ignore"):
            return np.log(self.probabilities).ravel()

    @cached_property
    def _cumulative(self) -> Floats:
        return np.cumsum(self.probabilities.ravel())

    def sample(self, n: int, *, rng: Any = None) -> NDArray[np.int8]:
        """Independent draws by inversion of the cumulative table, shape (n, n_sites)."""
        rng = np.random.default_rng(rng)
        # side="right" never lands on a state of probability zero.
        uniform = rng.random(n) * self._cumulative[-1]
        flat = np.searchsorted(self._cumulative, uniform, side="right")
        index = np.stack(np.unravel_index(flat, self.probabilities.shape), axis=1)
        return symbols(self.q)[index]

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log E_x exp sum_i l_i(x_i), shape (n,); -inf for impossible evidence."""
        return engine.log_evidence(self._log_p, self._likelihoods(evidence))

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> DiscreteLaws:
        """One-site posteriors; see :class:`phasetheory.prior.Prior`.

        Raises:
            ValueError: If the evidence of a sample has probability zero.
        """
        wanted = np.arange(self.lattice.n_sites) if sites is None else sites
        log_z, log_m = engine.posterior(self._log_p, self._likelihoods(evidence), wanted)
        impossible = np.flatnonzero(log_z == -np.inf)
        if impossible.size:
            raise ValueError(
                f"evidence of sample {impossible[0]} has probability zero: no posterior exists"
            )
        return normalised(log_m)

    def entropies(self, noise: Noise, regions: Sequence[NDArray[np.bool_]]) -> Floats | None:
        """Exact discrete entropies of the noisy law, nats; None under continuous noise.

        Cost: for a region of m sites, q^n additions and m passes over a table of n_outputs^m.
        """
        if not noise.is_discrete(self.q).all():
            return None
        n_outputs = float(len(noise.outputs(self.q)))
        if max(n_outputs ** int(r.sum()) for r in regions) * 8 > engine.MAX_TABLE_BYTES:
            return None
        return np.array([engine.entropy(self.noisy_table(noise, region)) for region in regions])

    def noisy_table(self, noise: Noise, region: NDArray[np.bool_]) -> Floats:
        """Law of y on a region as a table, axes in site order, entries in order of `outputs`.

        Args:
            noise: Noise with discrete output.
            region: Mask of shape (n_sites,).

        Returns:
            Shape (n_outputs,)*|region|.

        Raises:
            ValueError: If the noise is continuous or the table too large.
        """
        matrices = noise.channel(self.q)
        n_outputs = matrices.shape[-2]
        engine.check_size(
            float(n_outputs) ** int(region.sum()), "the noisy law", "use a smaller region"
        )
        n = self.lattice.n_sites
        matrices = np.broadcast_to(matrices, (n, n_outputs, self.q))
        return engine.noisy_marginal(self.probabilities, list(matrices), region)

    def _likelihoods(self, evidence: Evidence) -> Floats:
        assert not isinstance(evidence, GaussianEvidence)
        return engine.spin_log_likelihoods(evidence) if self.q == 2 else evidence
