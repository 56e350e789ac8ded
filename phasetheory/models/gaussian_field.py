"""Gaussian fields: everything in closed form, and the first model of real images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.engines.gaussian import DenseCovariance, TorusCovariance
from phasetheory.lattice import Lattice
from phasetheory.models.base import Model, checked
from phasetheory.noise import Evidence, Gaussian, GaussianEvidence, Noise
from phasetheory.prior import MixtureLaws

__all__ = ["GaussianField"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GaussianField(Model):
    r"""A Gaussian law :math:`x \sim N(\mu, \Sigma)` on a lattice.

    Attributes:
        lattice: Sites.
        mean: A scalar or one value per site.
        covariance: Symmetric positive semi-definite, shape (n_sites, n_sites).
        precision: Its inverse, instead of it.
        settings: How the field was made (fitted, stationary), for provenance.

    Raises:
        ValueError: If not exactly one of covariance and precision is given, or it has another
            shape, holds NaN, is not symmetric, or has a negative eigenvalue.

    Costs: one Cholesky factor of the observed sites a call, shared by all samples; on a torus
    (:meth:`stationary`) entropies cost the cube of the smaller of a region and its complement.
    """

    lattice: Lattice
    mean: Any = 0.0
    covariance: Any = field(default=None, repr=False)
    precision: Any = field(default=None, repr=False)
    settings: dict[str, Any] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        """Check the moments."""
        n = self.lattice.n_sites
        object.__setattr__(self, "mean", checked("mean", self.mean, (n,), "site"))
        if (self.covariance is None) == (self.precision is None):
            raise ValueError("give exactly one of covariance and precision")
        if isinstance(self.covariance, TorusCovariance):
            return
        if self.precision is not None:
            matrix = np.linalg.inv(_symmetric("precision", self.precision, n, definite=True))
            object.__setattr__(self, "covariance", DenseCovariance(0.5 * (matrix + matrix.T)))
        else:
            matrix = _symmetric("covariance", self.covariance, n, definite=False)
            object.__setattr__(self, "covariance", DenseCovariance(matrix))

    @classmethod
    def stationary(
        cls, lattice: Lattice, spectrum: ArrayLike, mean: float = 0.0
    ) -> "GaussianField":
        """Translation-invariant field on a torus from the eigenvalues of its covariance.

        Args:
            lattice: Grid that is periodic along every axis.
            spectrum: Eigenvalues lambda(k) >= 0 in the order of `numpy.fft.fftn`, shape of the
                lattice, even under k -> -k. A zero removes that mode (a massless field without
                its uniform mode, say).
            mean: The same on every site.

        Returns:
            The field.

        Raises:
            ValueError: If the lattice is not a torus or the spectrum is not one.
        """
        values = np.asarray(spectrum, dtype=float)
        if lattice.shape is None or not all(lattice.periodic) or values.shape != lattice.shape:
            raise ValueError(
                f"spectrum of shape {values.shape} on a lattice of shape {lattice.shape}, periodic"
                f" {lattice.periodic}: one eigenvalue a site of a torus needed"
            )
        axes = tuple(range(values.ndim))
        mirrored = np.roll(np.flip(values, axes), 1, axes)
        scale = np.abs(values).max() if np.isfinite(values).all() else np.nan
        if not (values >= 0).all() or not np.abs(values - mirrored).max() <= 1e-10 * scale:
            raise ValueError("spectrum: numbers >= 0, the same at k and -k, needed")
        covariance = TorusCovariance(0.5 * (values + mirrored))
        return cls(lattice, mean, covariance, settings={"made": "stationary"})

    @classmethod
    def fit(
        cls,
        images: ArrayLike,
        lattice: Lattice | None = None,
        *,
        shrinkage: float | str = "ledoit-wolf",
    ) -> "GaussianField":
        r"""Gaussian field with the mean and covariance of a data set.

        The covariance is :math:`(1-s) S + s \frac{\mathrm{tr} S}{n} 1`, S the sample covariance.

        Args:
            images: Shape (n, height, width), or (n, n_sites) together with a lattice.
            lattice: Sites; the open grid of the images by default.
            shrinkage: s in [0, 1], or "ledoit-wolf" for the value that minimises the expected
                squared error (Ledoit and Wolf, J. Multivariate Anal. 88, 365, 2004, Lemma 3.3-3.5).

        Returns:
            The field; `settings` records the shrinkage and the number of images.

        Raises:
            ValueError: If the images have the wrong shape, hold NaN, or are fewer than two.
        """
        data = np.asarray(images, dtype=float)
        if lattice is None:
            if data.ndim != 3:
                raise ValueError(f"images has shape {data.shape}: (n, height, width) needed")
            lattice = Lattice.grid(data.shape[1:])
        if data.ndim < 2 or len(data) < 2 or data[0].size != lattice.n_sites:
            raise ValueError(
                f"images has shape {data.shape}: at least 2 images of {lattice.n_sites} sites"
                " needed"
            )
        if not np.isfinite(data).all():
            raise ValueError("images holds NaN or infinite values: finite ones needed")
        flat = data.reshape(len(data), -1)
        mean = flat.mean(axis=0)
        centred = flat - mean
        sample = centred.T @ centred / len(flat)
        if shrinkage == "ledoit-wolf":
            s = _ledoit_wolf(centred, sample)
        elif isinstance(shrinkage, str) or not 0.0 <= shrinkage <= 1.0:
            raise ValueError(f"shrinkage={shrinkage!r}: a number in [0, 1] or 'ledoit-wolf' needed")
        else:
            s = float(shrinkage)
        covariance = (1.0 - s) * sample
        covariance[np.diag_indices_from(covariance)] += s * np.trace(sample) / len(sample)
        # Half the grey scale is another signal-to-noise ratio, so the scale is on record.
        scale = [float(flat.min()), float(flat.max())]
        settings = {"made": "fit", "shrinkage": s, "n_images": len(flat), "data_range": scale}
        return cls(lattice, mean, covariance, settings=settings)

    @property
    def q(self) -> None:
        """Continuous sites."""
        return None

    def sample(self, n: int, *, rng: Any = None) -> Floats:
        """Independent draws, shape (n, n_sites)."""
        z = np.random.default_rng(rng).standard_normal((n, self.lattice.n_sites))
        return self.mean + self.covariance.draw(z)

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log E_x prod_i N(value_i; x_i, variance_i) over observed sites, shape (n,)."""
        log_z = np.empty(len(evidence[0]))
        for rows, seen, variance, deviation in self._by_pattern(evidence):
            log_z[rows] = self.covariance.log_density(seen, variance, deviation)
        return log_z

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> MixtureLaws:
        """One-site posteriors, single Gaussians; see :class:`phasetheory.prior.Prior`."""
        wanted = np.arange(self.lattice.n_sites) if sites is None else sites
        means = np.empty((len(evidence[0]), wanted.size))
        spread = np.empty_like(means)
        for rows, seen, variance, deviation in self._by_pattern(evidence):
            means[rows], spread[rows] = self.covariance.predict(
                seen, variance, deviation, wanted=wanted
            )
        # Rounding can push the variance of a site that is known exactly below zero.
        spread = np.maximum(spread, 0.0)
        means += self.mean[wanted]
        return MixtureLaws(np.ones((1, 1, 1)), means[..., None], spread[..., None])

    def entropies(self, noise: Noise, regions: Sequence[NDArray[np.bool_]]) -> Floats:
        r"""Differential entropies :math:`\frac12 \log\det(2\pi e\,\Sigma_R(t))`, nats.

        Raises:
            ValueError: If the noisy covariance of a region is singular.
        """
        alpha, sigma = _scales(noise, self.lattice.n_sites)
        log_dets = self.covariance.noisy_log_dets(alpha, sigma, regions)
        sizes = np.array([int(r.sum()) for r in regions])
        return np.asarray(0.5 * log_dets + 0.5 * sizes * (1.0 + np.log(2.0 * np.pi)))

    def noisy_covariance(self, noise: Noise, region: NDArray[np.int64]) -> Floats:
        """Covariance of y on the m sites of a region, shape (m, m)."""
        alpha, sigma = (s[region] for s in _scales(noise, self.lattice.n_sites))
        block = self.covariance.block(region, region)
        return np.asarray(alpha[:, None] * block * alpha + np.diag(sigma**2))

    def _by_pattern(
        self, evidence: Evidence
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]]:
        """(rows, seen sites, variances, centred values) for samples that share their variances."""
        assert isinstance(evidence, GaussianEvidence)
        value, variance = evidence
        patterns, which = variance[None], np.zeros(len(value), dtype=np.int64)
        if variance.ndim == 2:
            patterns, which = np.unique(variance, axis=0, return_inverse=True)
        for index, pattern in enumerate(patterns):
            rows = np.flatnonzero(which.ravel() == index)
            seen = np.flatnonzero(np.isfinite(pattern))
            yield rows, seen, pattern[seen], value[np.ix_(rows, seen)] - self.mean[seen]


def _scales(noise: Noise, n_sites: int) -> tuple[Floats, Floats]:
    assert isinstance(noise, Gaussian)
    alpha, sigma = (np.broadcast_to(s, (n_sites,)) for s in noise.scales)
    return alpha, sigma


def _symmetric(name: str, given: ArrayLike, n: int, *, definite: bool) -> Floats:
    """Symmetric matrix with no negative eigenvalue beyond rounding."""
    matrix = np.asarray(given, dtype=float)
    if matrix.shape != (n, n):
        raise ValueError(f"{name} has shape {matrix.shape}: ({n}, {n}) needed")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} holds NaN or infinite values: finite ones needed")
    skew = float(np.abs(matrix - matrix.T).max())
    scale = float(np.abs(matrix).max())
    if skew > 1e-10 * scale:
        raise ValueError(f"{name} is not symmetric: entries differ by up to {skew:.3g}")
    matrix = 0.5 * (matrix + matrix.T)
    lift = 0.0 if definite else 1e-12 * n * (scale or 1.0)
    try:
        np.linalg.cholesky(matrix + lift * np.eye(n))
    except np.linalg.LinAlgError as error:
        lowest = float(np.linalg.eigvalsh(matrix)[0])
        raise ValueError(f"{name} is indefinite: its lowest eigenvalue is {lowest:.3g}") from error
    return matrix


def _ledoit_wolf(centred: Floats, sample: Floats) -> float:
    """Optimal shrinkage towards the scaled identity."""
    n, p = centred.shape
    spread = np.square(sample).sum() - np.trace(sample) ** 2 / p
    if spread <= 0:
        return 1.0
    fourth = np.square(np.square(centred).sum(axis=1)).sum() / n
    error = (fourth - np.square(sample).sum()) / n
    return float(min(max(error, 0.0) / spread, 1.0))
