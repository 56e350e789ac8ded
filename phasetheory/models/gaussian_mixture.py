"""Mixtures of isotropic Gaussians; among them the empirical law of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.engines import mixture as engine
from phasetheory.lattice import Lattice
from phasetheory.models.base import Model, checked
from phasetheory.noise import Evidence, Gaussian, GaussianEvidence, Noise
from phasetheory.prior import MixtureLaws

__all__ = ["GaussianMixture"]

Floats = NDArray[np.float64]

#: Largest array (samples x components, or samples x sites x components) held at once, in entries.
_BLOCK, _MAX_ENTRIES = 2**24, 2**28


@dataclass(frozen=True, eq=False)
class GaussianMixture(Model):
    r"""Continuous data with :math:`p(x) = \sum_k w_k N(x; \mu_k, v_k 1)`.

    Two components of equal variance have exact entropies under any Gaussian noise (a
    one-dimensional integral over the log-likelihood ratio); so has one component.

    Attributes:
        lattice: Sites.
        means: mu, shape (k, n_sites), in units of the data.
        variance: v, a scalar or shape (k,), >= 0 (0: points, a law without a density).
        weights: w, shape (k,), summing to 1; equal by default.
        labels: Label of each component, shape (k,), integers from 0 up; by default every
            component is its own label.

    Raises:
        ValueError: If shapes do not fit, a number is not finite, a variance negative, a weight
            negative, or the weights do not sum to 1 (to 1e-9; the remainder is divided out).

    Cost: a matrix product (n, n_sites) x (n_sites, k) for n samples of `log_evidence`,
    `posterior` or, at variance 0, `denoise`.
    """

    lattice: Lattice
    means: Any
    variance: Any
    weights: Any = field(default=None, kw_only=True)
    labels: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check and freeze the parameters."""
        means = np.asarray(self.means, dtype=float)
        if means.ndim != 2 or not len(means) or means.shape[1] != self.lattice.n_sites:
            raise ValueError(
                f"means has shape {means.shape}: (k, {self.lattice.n_sites}), one row a component,"
                " needed"
            )
        k = len(means)
        means = checked("means", means, means.shape, "component and site")
        variance = checked("variance", self.variance, (k,), "component")
        if (variance < 0).any():
            raise ValueError(f"variance holds {variance.min()}: numbers >= 0 needed")
        given = 1.0 / k if self.weights is None else self.weights
        weights = checked("weights", given, (k,), "component")
        if (weights < 0).any() or abs(weights.sum() - 1.0) > 1e-9:
            raise ValueError(
                f"weights run from {weights.min()} and sum to {weights.sum()}: numbers >= 0 that"
                " sum to 1 needed"
            )
        labels = np.arange(k) if self.labels is None else np.asarray(self.labels)
        whole = np.issubdtype(labels.dtype, np.integer)
        if labels.shape != (k,) or not whole or labels.min() < 0:
            raise ValueError(
                f"labels has shape {labels.shape} and dtype {labels.dtype}: {k} integers >= 0, one"
                " a component, needed"
            )
        parts = {"means": means, "variance": variance, "weights": weights / weights.sum()}
        for name, array in (parts | {"labels": labels.astype(np.int64)}).items():
            frozen = np.array(array)  # a copy: the caller's array stays writeable and apart
            frozen.setflags(write=False)
            object.__setattr__(self, name, frozen)

    @classmethod
    def empirical(
        cls,
        samples: ArrayLike,
        lattice: Lattice | None = None,
        variance: ArrayLike = 0.0,
        *,
        labels: ArrayLike | None = None,
    ) -> "GaussianMixture":
        """The empirical law of a data set: one component of equal weight for every sample.

        Args:
            samples: Images of shape (n, height, width), which live on an open grid, or samples
                of shape (n, n_sites).
            lattice: Sites; needed for distances of samples that are not images.
            variance: Width of every component, in squared units of the data; 0 for the empirical
                law itself, positive for a kernel density.
            labels: Class of each sample, shape (n,), integers from 0 up.

        Returns:
            The mixture.

        Raises:
            ValueError: If the samples have another shape or do not fit the lattice.
        """
        data = np.asarray(samples, dtype=float)
        if data.ndim not in (2, 3) or not data.size:
            raise ValueError(
                f"samples has shape {data.shape}: images (n, height, width) or samples"
                " (n, n_sites) needed"
            )
        if lattice is None:
            lattice = (
                Lattice.grid(data.shape[1:]) if data.ndim == 3 else Lattice.bare(data.shape[1])
            )
        elif data.ndim == 3 and lattice.shape != data.shape[1:]:
            raise ValueError(
                f"samples are images of shape {data.shape[1:]}: a grid of that shape needed, the"
                f" lattice has shape {lattice.shape}"
            )
        return cls(lattice, data.reshape(len(data), -1), variance, labels=labels)

    @classmethod
    def symmetric(
        cls, lattice: Lattice, mean: ArrayLike = 1.0, variance: float = 1.0
    ) -> "GaussianMixture":
        """Two equal components around -mean (label 0) and +mean (label 1).

        Args:
            lattice: Sites.
            mean: A scalar or one value per site.
            variance: Common variance.

        Returns:
            The mixture.
        """
        up = checked("mean", mean, (lattice.n_sites,), "site")
        return cls(lattice, np.stack([-up, up]), variance)

    @property
    def q(self) -> int | None:
        """None: sites are continuous."""
        return None

    @property
    def n_components(self) -> int:
        """Number of components."""
        return len(self.means)

    def sample(self, n: int, *, rng: Any = None) -> Floats:
        """Independent draws, shape (n, n_sites): a component, then Gaussian noise around it."""
        rng = np.random.default_rng(rng)
        component = rng.choice(self.n_components, size=n, p=self.weights)
        noise = rng.standard_normal((n, self.lattice.n_sites))
        noise *= np.sqrt(self.variance[component])[:, None]
        return np.asarray(self.means[component] + noise)

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log-density log E_x prod_i N(value_i; x_i, variance_i), shape (n,).

        Raises:
            ValueError: If a component of variance 0 meets a site known exactly: no density.
        """
        value, spread = self._observed(evidence)
        out = np.empty(len(value))
        rows = max(1, _BLOCK // self.n_components)
        for start in range(0, len(value), rows):
            block = slice(start, start + rows)
            out[block] = engine.normalise(self._joint(value[block], _rows(spread, block)))
        return out

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> MixtureLaws:
        """One-site posteriors as mixtures of the same components.

        Returns:
            Weights of shape (n, 1, k), means (1 or n, sites, k), variances broadcastable to it;
            the sample axis has length one where samples share their means (variance 0, or sites
            unobserved), so that posterior means are matrix products.

        Raises:
            ValueError: If a component of variance 0 meets a site known exactly, or the arrays
                would exceed 2^28 entries.
        """
        value, spread = self._observed(evidence)
        # A slice where all sites are wanted: it does not copy the means.
        wanted = slice(None) if sites is None else np.asarray(sites, dtype=np.int64)
        n_wanted = self.lattice.n_sites if sites is None else len(sites)
        dense = bool((self.variance > 0).any() and np.isfinite(spread[:, wanted]).any())
        entries = len(value) * self.n_components * (n_wanted if dense else 1)
        if entries > _MAX_ENTRIES:
            raise ValueError(
                f"posterior of {len(value)} samples, {n_wanted} sites and {self.n_components}"
                f" components holds {entries} numbers ({entries * 8e-9:.1f} GB), the limit is"
                f" {_MAX_ENTRIES}: give fewer samples or sites at a time"
            )
        joint = self._joint(value, spread)
        total = engine.normalise(joint)
        if np.isneginf(total).any():
            raise ValueError(
                f"evidence of sample {int(np.argmin(total))} is infinitely far from every component"
            )
        means, variances = engine.component_posterior(
            self.means[:, wanted], self.variance, value[:, wanted], spread[:, wanted]
        )
        return MixtureLaws(joint[:, None], means, variances)

    def entropies(self, noise: Noise, regions: Sequence[NDArray[np.bool_]]) -> Floats | None:
        """Exact differential entropies under Gaussian noise, nats.

        Args:
            noise: Gaussian noise, uniform or per site.
            regions: Masks of shape (n_sites,).

        Returns:
            Shape (len(regions),); None for more than two components of positive weight or two
            of different variance, which have no closed form.

        Raises:
            ValueError: If the noisy law has no density (variance 0 and sigma = 0 on a region).

        Cost: one integral of about 76 max(1, D/2) terms a region, D the distance of the means in
        standard deviations.
        """
        if not isinstance(noise, Gaussian):
            return None
        used = np.flatnonzero(self.weights > 0)
        shape = (self.lattice.n_sites,)
        alpha, sigma = (np.broadcast_to(s, shape) for s in noise.scales)
        total = alpha**2 * self.variance[used].min() + sigma**2
        for region in regions:
            if (total[region] == 0).any():
                raise ValueError(
                    "no density: components of variance 0 observed without noise (sigma = 0) have"
                    " no differential entropy; use t > 0"
                )
        if used.size > 2 or np.ptp(self.variance[used]) > 0:
            return None
        separation = alpha * (self.means[used[-1]] - self.means[used[0]])
        weights = self.weights[used]
        return np.array(
            [engine.two_component_entropy(separation[r], total[r], weights) for r in regions]
        )

    @property
    def label_weights(self) -> Floats:
        """Probability of each label, shape (n_labels,)."""
        return np.asarray(np.bincount(self.labels, weights=self.weights), dtype=float)

    def given(self, label: int) -> "GaussianMixture":
        """The mixture of the components that carry a label.

        Raises:
            ValueError: If the label is not one of the labels or has probability zero.
        """
        known = self.label_weights
        if not 0 <= label < known.size or known[label] == 0:
            raise ValueError(
                f"label={label}: one of the labels of positive weight,"
                f" {np.flatnonzero(known)[:10].tolist()}, needed"
            )
        here = self.labels == label
        return GaussianMixture(
            self.lattice,
            self.means[here],
            self.variance[here],
            weights=self.weights[here] / known[label],
        )

    @cached_property
    def _components(self) -> tuple[Floats, list[engine.ComponentGroup]]:
        return engine.group_components(self.means, self.variance)

    def _joint(self, value: Floats, spread: Floats) -> Floats:
        """Log of weight times likelihood of every component, shape (n, k)."""
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        joint = engine.log_likelihoods(self._components, value, spread)
        joint += log_weights
        return joint

    def _observed(self, evidence: Evidence) -> tuple[Floats, Floats]:
        """Values (n, n_sites) and variances (1 or n, n_sites) of the evidence, checked."""
        assert isinstance(evidence, GaussianEvidence)
        value = np.asarray(evidence.value, dtype=float)
        spread = np.asarray(evidence.variance, dtype=float)
        n_sites = self.lattice.n_sites
        fits = value.ndim == 2 and value.shape[1] == n_sites
        if not fits or spread.shape not in ((n_sites,), value.shape):
            raise ValueError(
                f"evidence has shapes {value.shape} and {spread.shape}: values (n, {n_sites}) and"
                f" variances ({n_sites},) or (n, {n_sites}) needed"
            )
        spread = np.atleast_2d(spread)
        if (
            not (spread >= 0).all()
            or not np.isfinite(np.where(np.isfinite(spread), value, 0.0)).all()
        ):
            raise ValueError("evidence holds NaN, infinite values or negative variances")
        return value, spread


def _rows(spread: Floats, block: slice) -> Floats:
    """Evidence variances of a block of samples; one shared row stays as it is."""
    return spread if len(spread) == 1 else spread[block]
