r"""The one noisy law: a prior seen through a noise, written once for every model.

With y the noisy data, R a region and :math:`\ell_i(x_i) = \log p(y_i | x_i)`,

.. math:: p_t(y_R) = \mathbb{E}_x \prod_{i \in R} p(y_i | x_i)

is the prior's evidence integral with evidence on R only. Denoiser, score and cavity posteriors are
read off the one-site posteriors that belong to the same evidence.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from phasetheory.estimate import Estimate
from phasetheory.lattice import Lattice, Region
from phasetheory.noise import BitFlip, Erasure, Evidence, Gaussian, Noise, erased_symbol, symbols
from phasetheory.prior import DiscreteLaws, Entropic, Prior, SiteLaws

__all__ = ["NoisyLaw"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NoisyLaw:
    """The law of y, the noisy version of data x_0 drawn from a prior.

    Attributes:
        prior: Law of the clean data.
        noise: Channel acting independently on every site.

    Raises:
        ValueError: If the noise does not act on the prior's sites, or is made for another number
            of sites.
    """

    prior: Prior
    noise: Noise

    def __post_init__(self) -> None:
        """Check that prior and noise fit together."""
        self.noise.check(self.prior.q)
        if self.noise.n_sites not in (None, self.n_sites):
            raise ValueError(
                f"noise has t for {self.noise.n_sites} sites: the lattice has {self.n_sites}"
            )

    @property
    def lattice(self) -> Lattice:
        """Lattice of the prior."""
        return self.prior.lattice

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return self.prior.lattice.n_sites

    @property
    def discrete(self) -> NDArray[np.bool_]:
        """Which noisy sites have finitely many values, shape (n_sites,)."""
        return np.broadcast_to(self.noise.is_discrete(self.prior.q), (self.n_sites,))

    def then(self, noise: Noise, region: Region = None) -> "NoisyLaw":
        """The law after further noise on a region (everywhere by default)."""
        return NoisyLaw(self.prior, self.noise.then(noise.on(self.lattice.mask(region))))

    def sample(self, n: int, *, rng: Any = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Independent pairs (x_0, y), each of shape (n, n_sites).

        Args:
            n: Number of samples, at least 1.
            rng: Generator or seed.

        Returns:
            Clean and noisy batch: int8 for discrete values, float64 for continuous ones.
        """
        if n < 1:
            raise ValueError(f"n={n}: at least 1 sample needed")
        rng = np.random.default_rng(rng)
        x = self.prior.sample(n, rng=rng)
        return x, self.noise.sample(x, self.prior.q, rng=rng)

    def log_prob(self, y: ArrayLike, region: Region = None) -> Floats:
        r"""Exact log marginal likelihood :math:`\log p_t(y_R)`.

        Args:
            y: Shape (n, n_sites); entries outside the region are ignored.
            region: Mask or indices; every site by default.

        Returns:
            Shape (n,), nats (log density where y is continuous).

        Raises:
            ValueError: If y does not fit the lattice or the noise, or the law has no density
                (spins under Gaussian noise of sigma = 0).

        Spins under weak Gaussian noise lose digits: the error is about 1e-16/sigma^2 nats a site.
        """
        mask = self.lattice.mask(region)
        if isinstance(self.noise, Gaussian) and self.discrete[mask].any():
            raise ValueError(
                "spins observed without noise (sigma = 0) have no density: use t > 0, or"
                " BitFlip(t=0) for probabilities"
            )
        evidence, constant = self._evidence(y, mask)
        return constant + self.prior.log_evidence(evidence)

    def posterior(
        self, y: ArrayLike, region: Region = None, sites: ArrayLike | None = None
    ) -> SiteLaws:
        """One-site posteriors p(x_i | y_R).

        Args:
            y: Shape (n, n_sites); entries outside the region are ignored.
            region: Mask or indices; every site by default.
            sites: Indices of the sites wanted; all by default. Where a site lies outside the
                region this is its *cavity* posterior.

        Returns:
            Site laws of shape (n, len(sites), ...).
        """
        evidence, _ = self._evidence(y, self.lattice.mask(region))
        wanted = None if sites is None else np.asarray(sites, dtype=np.int64)
        return self.prior.posterior(evidence, wanted)

    def denoise(self, y: ArrayLike, region: Region = None) -> Floats:
        r"""Bayes denoiser :math:`\mathbb{E}[x_0 | y_R]`; local when the region is a window.

        Args:
            y: Shape (n, n_sites); entries outside the region are ignored.
            region: Mask or indices; every site by default.

        Returns:
            Shape (n, n_sites), for all sites whatever the region; for q > 2 symbols a last axis
            of marginals, shape (n, n_sites, q).
        """
        return self.posterior(y, region).mean()

    def score(self, y: ArrayLike, region: Region = None) -> Floats:
        r"""Score of :math:`p_t(y_R)`; zero outside the region.

        - Gaussian: :math:`\nabla_{y_i} \log p_t = (\alpha \mathbb{E}[x_i|y_R] - y_i)/\sigma^2`
          (Tweedie).
        - BitFlip, spins: :math:`\log p(\mathrm{flip}_i y) - \log p(y)`; q > 2: the same for every
          replacement symbol along a last axis.
        - Erasure: posterior log-odds :math:`\log P(+1|y) - \log P(-1|y)` of erased sites, 0 at
          seen ones; q > 2: log-odds against symbol 0 along a last axis.

        Args:
            y: Shape (n, n_sites); entries outside the region are ignored.
            region: Mask or indices; every site by default.

        Returns:
            Shape (n, n_sites), or (n, n_sites, q) for q > 2.

        Raises:
            ValueError: If Gaussian noise has sigma = 0 on the region.
        """
        mask = self.lattice.mask(region)
        y = self._batch(y)
        if isinstance(self.noise, Gaussian):
            alpha, sigma = np.broadcast_arrays(*self.noise.scales, np.ones(self.n_sites))[:2]
            if (sigma[mask] == 0).any():
                raise ValueError("score needs noise (sigma > 0) on the whole region")
            pull = alpha * self.denoise(y, mask) - np.where(mask, y, 0.0)
            return np.where(mask, pull / np.where(sigma > 0, sigma, 1.0) ** 2, 0.0)
        if isinstance(self.noise, Erasure):
            laws = self.posterior(y, mask)
            assert isinstance(laws, DiscreteLaws)
            if laws.q == 2:
                odds = laws.log_p[..., 1] - laws.log_p[..., 0]
            else:
                first = laws.log_p[..., :1]
                # Equal log-probabilities have odds 0, the -inf of excluded symbols included.
                same = laws.log_p == first
                odds = np.where(same, 0.0, laws.log_p) - np.where(same, 0.0, first)
            shown = mask & (y == erased_symbol(laws.q))
            return np.where(shown if laws.q == 2 else shown[..., None], odds, 0.0)
        return self._flip_score(y, mask)

    def entropy(
        self, region: Region = None, *, n_samples: int = 10_000, rng: Any = None
    ) -> Estimate:
        r"""Entropy :math:`H(y_R) = -\mathbb{E} \log p_t(y_R)`.

        Args:
            region: Mask or indices; every site by default.
            n_samples: Samples drawn where there is no closed form.
            rng: Generator or seed for them.

        Returns:
            Discrete or differential entropy in nats (`quantity` says which): exact where the
            prior has a closed form, else the sampled mean of -log p.

        Raises:
            ValueError: If the region mixes discrete and continuous sites, whose entropies have
                no common meaning, or the law has no density.
        """
        mask = self.lattice.mask(region)
        kinds = self.discrete[mask]
        if kinds.any() and not kinds.all():
            raise ValueError(
                f"region mixes {int(kinds.sum())} discrete and {int((~kinds).sum())} continuous"
                " sites: ask for their entropies separately"
            )
        if kinds.any() and isinstance(self.noise, Gaussian):
            # Spins read off without noise; the noise of other sites does not matter.
            return NoisyLaw(self.prior, BitFlip(0.0)).entropy(mask, n_samples=n_samples, rng=rng)
        quantity = ("discrete" if kinds.all() else "differential") + " entropy"
        exact = self.exact_entropies([mask])
        if exact is not None:
            return Estimate(float(exact[0]), quantity=quantity)
        _, y = self.sample(n_samples, rng=rng)
        return Estimate.from_samples(-self.log_prob(y, mask), quantity=quantity)

    def exact_entropies(self, regions: list[NDArray[np.bool_]]) -> Floats | None:
        """Exact entropies of several regions, nats; None where the prior has no closed form."""
        if not isinstance(self.prior, Entropic):
            return None
        return self.prior.entropies(self.noise, regions)

    def _batch(self, y: ArrayLike) -> NDArray[Any]:
        batch = np.asarray(y)
        if batch.ndim != 2 or batch.shape[1] != self.n_sites:
            raise ValueError(f"y has shape {batch.shape}: (n_samples, {self.n_sites}) needed")
        return batch

    def _evidence(self, y: ArrayLike, mask: NDArray[np.bool_]) -> tuple[Evidence, Floats]:
        return self.noise.evidence(self._batch(y), mask, self.prior.q)

    def _flip_score(self, y: NDArray[Any], mask: NDArray[np.bool_]) -> Floats:
        """Log-ratios log p(y with site i replaced) - log p(y), from cavity posteriors."""
        q = self.prior.q
        assert q is not None
        with np.errstate(divide="ignore"):
            log_channel = np.log(np.broadcast_to(self.noise.channel(q), (self.n_sites, q, q)))
        seen = np.searchsorted(symbols(q), np.where(mask, y, symbols(q)[0]))
        laws = self.posterior(y, mask)
        assert isinstance(laws, DiscreteLaws)
        own = log_channel[np.arange(self.n_sites), seen]
        # Dividing the own observation out of the posterior leaves the cavity law, one evidence
        # call for all sites; a site seen without noise has to be left out by hand.
        # Sites outside the region are set aside: whatever they hold, their score is 0.
        cavity = np.where(mask[:, None], laws.log_p - np.where(np.isfinite(own), own, 0.0), 0.0)
        for site in np.flatnonzero(mask & ~np.isfinite(log_channel).all(axis=(1, 2))):
            others = mask.copy()
            others[site] = False
            alone = self.posterior(y, others, [site])
            assert isinstance(alone, DiscreteLaws)
            cavity[:, site] = alone.log_p[:, 0]
        log_p = logsumexp(cavity[..., None, :] + log_channel, axis=-1)
        score = log_p - np.take_along_axis(log_p, seen[..., None], axis=-1)
        if q > 2:
            return np.where(mask[:, None], score, 0.0)
        return np.where(mask, np.where(seen == 0, score[..., 1], score[..., 0]), 0.0)
