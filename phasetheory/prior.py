r"""What a model supplies: the protocol that every diagnostic is written against.

A prior is a law of clean data on a lattice. It answers one question, the evidence integral

.. math:: \log \mathbb{E}_x \exp \sum_i \ell_i(x_i),

and gives the one-site posteriors that belong to the same evidence. Everything else in the package
(noisy likelihoods, denoisers, scores, conditional mutual information, recovery) follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from phasetheory.lattice import Lattice
from phasetheory.noise import Evidence, Noise, symbols

__all__ = ["DiscreteLaws", "Entropic", "Labelled", "MixtureLaws", "Prior", "SiteLaws"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DiscreteLaws:
    """One-site posteriors of discrete sites.

    Attributes:
        log_p: Log-marginals, shape (n, sites, q), normalised over the last axis; symbols in table
            order (-1, +1 for spins).
    """

    log_p: Floats

    @property
    def q(self) -> int:
        """Symbols per site."""
        return int(self.log_p.shape[-1])

    @property
    def p(self) -> Floats:
        """Marginals, shape (n, sites, q)."""
        return np.exp(self.log_p)

    def mean(self) -> Floats:
        """Posterior mean of spins, shape (n, sites); for q > 2 the marginals themselves."""
        return self.p @ symbols(2).astype(float) if self.q == 2 else self.p


@dataclass(frozen=True, eq=False)
class MixtureLaws:
    """One-site posteriors of continuous sites: Gaussian mixtures with k components.

    Attributes:
        weights: Broadcastable to (n, sites, k), sums to one over the last axis.
        means: Likewise.
        variances: Likewise.
    """

    weights: Floats
    means: Floats
    variances: Floats

    def mean(self) -> Floats:
        """Posterior mean, shape (n, sites)."""
        if self.weights.ndim == 3 and self.weights.shape[1] == self.means.shape[0] == 1:
            # Sites share their weights and samples their means: one matrix product, where the
            # broadcast product of an empirical law of 10^4 images would not fit in memory.
            return np.asarray(self.weights[:, 0] @ self.means[0].T)
        return np.asarray((self.weights * self.means).sum(axis=-1))

    @property
    def n_components(self) -> int:
        """Components per site; with one, variances do not depend on the observation."""
        return int(self.means.shape[-1])

    def variance(self) -> Floats:
        """Posterior variance, shape (n, sites)."""
        spread = np.square(self.means - self.mean()[..., None]) + self.variances
        return np.asarray((self.weights * spread).sum(axis=-1))


SiteLaws = DiscreteLaws | MixtureLaws


@runtime_checkable
class Prior(Protocol):
    """A law of clean data.

    Attributes:
        lattice: Where the sites live.
        q: Symbols per site: 2 for spins -1/+1, q > 2 for symbols 0..q-1, None for continuous.
    """

    @property
    def lattice(self) -> Lattice:
        """Sites, edges and distance."""

    @property
    def q(self) -> int | None:
        """Symbols per site; None for continuous sites."""

    def sample(self, n: int, *, rng: Any = None) -> NDArray[Any]:
        """Independent exact draws, shape (n, n_sites)."""

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log E_x exp sum_i l_i(x_i), shape (n,)."""

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> SiteLaws:
        """One-site posteriors p(x_i | evidence) at `sites` (all by default)."""


@runtime_checkable
class Entropic(Protocol):
    """Optional extra of a prior: exact entropies of its noisy law."""

    def entropies(self, noise: Noise, regions: Sequence[NDArray[np.bool_]]) -> Floats | None:
        """Exact H(y_R) in nats for each region; None if this noise has no closed form."""


@runtime_checkable
class Labelled(Protocol):
    """Optional extra of a prior: it is a mixture of priors, one per label."""

    @property
    def label_weights(self) -> Floats:
        """Probability of each label, shape (n_labels,)."""

    def given(self, label: int) -> Prior:
        """The law of the data given the label."""


def normalised(log_weights: Floats) -> DiscreteLaws:
    """Discrete laws from unnormalised log-weights of shape (n, sites, q)."""
    return DiscreteLaws(log_weights - logsumexp(log_weights, axis=-1, keepdims=True))
