"""Curie-Weiss spins: every pair interacts; at infinite coupling the repetition code."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from phasetheory.engines import exchangeable as engine
from phasetheory.engines.binary_input import binary_entropy_loss
from phasetheory.engines.exchangeable_entropy import (
    binary_entropy,
    erased_entropies,
    flipped_entropy,
)
from phasetheory.lattice import Lattice
from phasetheory.models.base import Model
from phasetheory.noise import BitFlip, Erasure, Evidence, Gaussian, GaussianEvidence, Noise
from phasetheory.prior import DiscreteLaws

__all__ = ["CurieWeiss"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Largest system, and largest nodes x sites of one evidence call (about two minutes).
MAX_SITES, MAX_TERMS = 1_000_000, 1e10


class _Sectors(NamedTuple):
    """An entropy that is a sum over magnetisation sectors: which noise, and its strength."""

    erased: bool
    t: float


@dataclass(frozen=True, eq=False)
class CurieWeiss(Model):
    r"""Spins with :math:`p(x) \propto \exp\left(J (\sum_i x_i)^2 / 2n\right)`, critical at J = 1.

    Solved through its field integral: a mixture of about 2.9 sqrt(J n) laws of independent spins,
    exact to rounding. The lattice has no edges: regions are given by mask or indices.

    Attributes:
        n_sites: Number of spins n, up to 10^6.
        coupling: J >= 0, inverse temperature absorbed; infinity is the repetition code (all
            spins equal).
        branch: 0 for the whole law; -1 or +1 for the part whose common field has that sign (for
            infinite coupling: one codeword).
        lattice: n_sites sites without edges.

    Raises:
        ValueError: If the coupling is negative or NaN, the branch unknown, or the size beyond
            the limit.

    Source: Hubbard 1959 (field integral); Hu et al. 2025 (repetition code as data).
    """

    n_sites: int
    coupling: float
    branch: int = 0
    lattice: Lattice = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check arguments and size."""
        coupling = float(self.coupling)
        if not coupling >= 0:
            raise ValueError(
                f"coupling={self.coupling}: a number >= 0 or infinity needed (antiferromagnetic"
                " couplings have no field integral with positive weights; tabulate few spins)"
            )
        if self.branch not in (-1, 0, 1):
            raise ValueError(f"branch={self.branch}: 0 (both), -1 or +1 needed")
        if self.n_sites != int(self.n_sites) or self.n_sites < 1:
            raise ValueError(f"n_sites={self.n_sites}: a whole number >= 1 needed")
        n = int(self.n_sites)
        if n > MAX_SITES:
            raise ValueError(
                f"n_sites={n}: the limit is {MAX_SITES} (10^7 terms an entropy); the behaviour"
                " scales with J and n^(1/4) at J = 1, so use a smaller system"
            )
        terms = float(n) * engine.node_count(n, coupling, self.branch)
        if terms > MAX_TERMS:
            unequal = min(1.0, float(n * np.exp(-2.0 * coupling)))
            raise ValueError(
                f"coupling={coupling:g} with n_sites={n}: one sample's evidence costs {terms:.1e}"
                f" terms, the limit is {MAX_TERMS:.0e}; take coupling=inf (about {unequal:.1e} away"
                " in total variation) or fewer spins"
            )
        object.__setattr__(self, "n_sites", n)
        object.__setattr__(self, "coupling", coupling)
        object.__setattr__(self, "lattice", Lattice.bare(n))

    @cached_property
    def _nodes(self) -> engine.FieldNodes:
        return engine.curie_weiss_nodes(self.n_sites, self.coupling, self.branch)

    def sample(self, n: int, *, rng: Any = None) -> NDArray[np.int8]:
        """Independent draws, shape (n, n_sites): a field, then independent spins in it."""
        rng = np.random.default_rng(rng)
        weights = np.exp(self._nodes.log_weight)
        node = rng.choice(weights.size, size=n, p=weights / weights.sum())
        up = expit(2.0 * self._nodes.phi[node])
        spins = np.empty((n, self.n_sites), dtype=np.int8)
        for row, p in zip(spins, up, strict=True):
            row[:] = np.where(rng.random(self.n_sites) < p, 1, -1)
        return spins

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log E_x exp sum_i h_i x_i, shape (n,); -inf where known spins contradict the law.

        Cost: samples x sites x nodes; samples x nodes where h has few distinct values.
        """
        return engine.log_evidence(self._nodes, self._fields(evidence))

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> DiscreteLaws:
        """One-site posteriors; see :class:`phasetheory.prior.Prior`.

        Raises:
            ValueError: If the evidence of a sample has probability zero.
        """
        wanted = np.arange(self.n_sites) if sites is None else np.asarray(sites)
        return DiscreteLaws(engine.spin_posterior(self._nodes, self._fields(evidence), wanted))

    def entropies(self, noise: Noise, regions: Sequence[Mask]) -> Floats | None:
        """Exact entropies of the noisy law, nats, or None where there is no closed form.

        Closed forms: bit flips and erasure with t uniform on each region; at zero and infinite
        coupling also Gaussian noise and per-site erasure. Gaussian noise with sigma = 0 on a
        whole region gives the discrete entropy of the clean spins.

        Args:
            noise: The noise.
            regions: Masks of shape (n_sites,).

        Returns:
            Shape (len(regions),), or None.

        Cost: about 10^6 terms a region at n = 10^5 and J = 1; less elsewhere.
        """
        values = np.empty(len(regions))
        # Regions of one noise strength are done together: they share their work.
        pending: dict[tuple[bool, float], list[int]] = {}
        for index, region in enumerate(regions):
            found = self._entropy(noise, region)
            if found is None:
                return None
            if isinstance(found, float):
                values[index] = found
            else:
                pending.setdefault((found.erased, found.t), []).append(index)
        for (erased, t), where in pending.items():
            sizes, inverse = np.unique([regions[i].sum() for i in where], return_inverse=True)
            if erased:
                distinct = erased_entropies(self._nodes, t, sizes)
            else:
                distinct = np.array([flipped_entropy(self._nodes, t, int(n)) for n in sizes])
            values[where] = distinct[inverse]
        return values

    @property
    def label_weights(self) -> Floats:
        """Probabilities of the labels 0 (negative field) and 1 (positive field)."""
        return (
            np.array([0.5, 0.5])
            if self.branch == 0
            else np.array([float(self.branch < 0), float(self.branch > 0)])
        )

    def given(self, label: int) -> "CurieWeiss":
        """The law of the spins in a field of known sign: label 0 negative, 1 positive.

        Raises:
            ValueError: If the label is neither 0 nor 1, or has probability zero in this branch.
        """
        if label not in (0, 1) or self.label_weights[label] == 0:
            raise ValueError(
                f"label={label}: 0 (negative field) or 1 (positive), of positive weight in"
                f" {self.label_weights.tolist()}, needed"
            )
        return CurieWeiss(self.n_sites, self.coupling, 2 * int(label) - 1)

    def _fields(self, evidence: Evidence) -> Floats:
        assert not isinstance(evidence, GaussianEvidence)
        h = np.asarray(evidence, dtype=float)
        if h.ndim != 2 or h.shape[1] != self.n_sites or np.isnan(h).any():
            raise ValueError(
                f"evidence has shape {h.shape} and {int(np.isnan(h).sum())} NaN values: fields of"
                f" shape (n, {self.n_sites}) needed"
            )
        return h

    def _entropy(self, noise: Noise, region: Mask) -> "float | _Sectors | None":
        """Entropy of one region, or the sector sum that gives it, or None."""
        if isinstance(noise, Gaussian):
            alpha, sigma = (np.broadcast_to(s, region.shape)[region] for s in noise.scales)
            if (sigma > 0).any():
                return self._gaussian_entropy(alpha, sigma)
            return _Sectors(False, 0.0)
        if not isinstance(noise, BitFlip | Erasure):
            return None
        t = np.broadcast_to(noise.t, region.shape)[region]
        if isinstance(noise, Erasure) and self.coupling in (0, np.inf):
            return self._simple_erasure(t)
        if t.size and (t != t[0]).any():
            return None
        return _Sectors(isinstance(noise, Erasure), float(t[0]) if t.size else 0.0)

    def _simple_erasure(self, t: Floats) -> float:
        """Independent or identical spins under erasure; the bit is lost if all are erased."""
        with np.errstate(divide="ignore"):
            pattern = float(binary_entropy(np.log(t), np.log1p(-t)).sum())
            if self.coupling == 0:
                return pattern + float((1.0 - t).sum()) * np.log(2.0)
            seen = -float(np.expm1(np.log(t).sum()))
        return pattern + (0.0 if self.branch else seen * np.log(2.0))

    def _gaussian_entropy(self, alpha: Floats, sigma: Floats) -> float | None:
        """Independent or identical spins: noise entropy plus what is learnt about the bits."""
        if (sigma == 0).any() or self.coupling not in (0, np.inf):
            return None
        noise = float((0.5 * (1.0 + np.log(2.0 * np.pi)) + np.log(sigma)).sum())
        amplitude = alpha / sigma
        if self.coupling == 0:
            return noise + float((np.log(2.0) - binary_entropy_loss(amplitude)).sum())
        if self.branch:
            return noise
        return noise + np.log(2.0) - float(binary_entropy_loss(np.sqrt(np.square(amplitude).sum())))
