"""Gaussian noise under any schedule."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.noise.base import Evidence, Floats, GaussianEvidence, Mask, Noise
from phasetheory.schedules import Schedule, linear

__all__ = ["Gaussian"]


@dataclass(frozen=True, eq=False)
class Gaussian(Noise):
    """y = alpha x + sigma z with z a standard normal; alpha = 1 - t, sigma = t by default.

    Attributes:
        t: Diffusion time in [0, 1], a scalar or one value per site; NaN where the noise was
            made from scales that lie on no schedule.
        schedule: Callable t -> (alpha, sigma).
        scales: (alpha, sigma) as arrays of the shape of t; derived from the schedule.
    """

    schedule: Schedule = linear
    scales: Any = None

    def __post_init__(self) -> None:
        """Evaluate the schedule and check its range."""
        if self.scales is None:
            super().__post_init__()
            scales = self.schedule(self.t)
        else:
            scales = self.scales
        alpha, sigma = np.broadcast_arrays(*(np.array(s, dtype=float) for s in scales))
        bad = ~(np.isfinite(alpha) & np.isfinite(sigma) & (alpha >= 0) & (sigma >= 0))
        if bad.any() or ((alpha == 0) & (sigma == 0)).any() or alpha.ndim > 1:
            raise ValueError(
                f"schedule gives alpha={alpha}, sigma={sigma}: finite numbers >= 0, not both zero,"
                " needed"
            )
        object.__setattr__(self, "scales", (alpha, sigma))
        object.__setattr__(self, "t", np.broadcast_to(np.asarray(self.t, float), alpha.shape))

    @classmethod
    def from_scales(cls, alpha: ArrayLike, sigma: ArrayLike) -> "Gaussian":
        """Noise with given alpha and sigma (scalars or one per site), on no schedule."""
        return cls(np.nan, scales=(alpha, sigma))

    @property
    def alpha(self) -> Floats:
        """Factor of the data in y, shape of t."""
        return self.scales[0]

    @property
    def sigma(self) -> Floats:
        """Standard deviation of the noise in y, shape of t."""
        return self.scales[1]

    @property
    def snr(self) -> Floats:
        """Signal-to-noise ratio alpha^2 / sigma^2, infinite at sigma = 0."""
        with np.errstate(divide="ignore"):
            return self.alpha**2 / self.sigma**2

    def check(self, q: int | None) -> None:
        """Raise ValueError on q > 2 symbols."""
        if q is not None and q != 2:
            raise ValueError(f"Gaussian noise acts on spins and continuous sites, not on q={q}")

    def sample(self, x: NDArray[Any], q: int | None, *, rng: np.random.Generator) -> NDArray[Any]:
        """Noisy version of a batch x of shape (n, n_sites), of the same shape, float64."""
        return self.alpha * x + self.sigma * rng.standard_normal(x.shape)

    def evidence(self, y: NDArray[Any], region: Mask, q: int | None) -> tuple[Evidence, Floats]:
        """See :meth:`Noise.evidence`; spins at sigma = 0 are read off and carry no density."""
        alpha, sigma = (np.broadcast_to(s, region.shape) for s in self.scales)
        y = np.where(region, y, 0.0)
        if not np.isfinite(y).all():
            raise ValueError("y holds NaN or infinite values on its region: finite ones needed")
        noisy = region & (sigma > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if q is None:
                value = np.where(region & (alpha > 0), y / alpha, 0.0)
                variance = np.where(region & (alpha > 0), (sigma / alpha) ** 2, np.inf)
                blind = region & (alpha == 0)
                scale = np.log(alpha[region & ~blind]).sum()
                return GaussianEvidence(value, variance), _log_normal(y, sigma, blind) - scale
            silent = region & ~noisy
            if (np.abs(y[:, silent]) != alpha[silent]).any():
                raise ValueError("y is not +-alpha on a spin observed without noise (sigma = 0)")
            h = np.where(noisy, alpha * y / sigma**2, np.where(silent, np.copysign(np.inf, y), 0.0))
        centred = np.square(alpha[noisy] / sigma[noisy]).sum()
        return h, _log_normal(y, sigma, noisy) - 0.5 * centred

    def increment(self, later: Noise) -> "Gaussian":
        """Channel to a later noise: alpha'/alpha and the variance that is still missing."""
        self._same_kind(later)
        assert isinstance(later, Gaussian)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(self.alpha > 0, later.alpha / self.alpha, 0.0)
        missing = later.sigma**2 - (factor * self.sigma) ** 2
        slack = 1e-14 * later.sigma**2
        if (missing < -slack).any() or ((self.alpha == 0) & (later.alpha > 0)).any():
            raise ValueError(
                f"snr {self.snr} to {later.snr}: noise only grows, a later t is needed"
            )
        factor = np.where((factor == 0) & (missing <= 0), 1.0, factor)
        return Gaussian.from_scales(factor, np.sqrt(np.maximum(missing, 0.0)))

    def then(self, extra: Noise) -> "Gaussian":
        """Noise with alpha = alpha_1 alpha_2, sigma^2 = alpha_2^2 sigma_1^2 + sigma_2^2."""
        self._same_kind(extra)
        assert isinstance(extra, Gaussian)
        sigma = np.hypot(extra.alpha * self.sigma, extra.sigma)
        return Gaussian.from_scales(self.alpha * extra.alpha, sigma)

    def on(self, region: Mask) -> "Gaussian":
        """The same noise inside the region; alpha = 1 and sigma = 0 outside."""
        return Gaussian.from_scales(
            np.where(region, self.alpha, 1.0), np.where(region, self.sigma, 0.0)
        )

    def at(self, site: int) -> "Gaussian":
        """The noise of one site, with scalar alpha and sigma."""
        return Gaussian.from_scales(*(s if s.ndim == 0 else s[site] for s in self.scales))

    def is_discrete(self, q: int | None) -> Mask:
        """Spins observed without noise keep two values; all else is continuous."""
        return (self.sigma == 0) & (q is not None)

    def channel(self, q: int) -> Floats:
        """Identity where sigma = 0; no matrix elsewhere."""
        if (self.sigma > 0).any():
            return super().channel(q)
        return np.broadcast_to(np.eye(q), (*self.sigma.shape, q, q))

    def describe(self) -> dict[str, Any]:
        """Name and parameters, for provenance."""
        alpha, sigma = self.scales
        named = getattr(self.schedule, "__qualname__", repr(self.schedule))
        return super().describe() | {
            "alpha": alpha.tolist(),
            "sigma": sigma.tolist(),
            "schedule": named,
        }


def _log_normal(y: Floats, sigma: Floats, sites: Mask) -> Floats:
    """Sum over the sites of log N(y_i; 0, sigma_i^2), shape (n,)."""
    z = y[:, sites] / sigma[sites]
    norm = np.log(sigma[sites]).sum() + 0.5 * np.log(2.0 * np.pi) * int(sites.sum())
    return -0.5 * np.square(z).sum(axis=1) - norm
