r"""The three noises: channels that act independently on every site, and what they say about it.

Observing y puts a log-likelihood l_i(x_i) = log p(y_i | x_i) on every site. A noise hands it over
as *evidence* (the part that depends on x) plus the constant that a density of y needs:

- spins (q = 2): the array h of shape (n, n_sites), l_i = h_i x_i; 0 = unobserved, +-inf = known;
- q > 2 symbols: log-likelihoods of shape (n, n_sites, q);
- continuous sites (q = None): :class:`GaussianEvidence`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.schedules import Schedule, linear

__all__ = ["BitFlip", "Erasure", "Evidence", "Gaussian", "GaussianEvidence", "Noise"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class GaussianEvidence(NamedTuple):
    """Evidence log N(value; x, variance) on continuous sites.

    Attributes:
        value: Shape (n, n_sites).
        variance: Shape (n_sites,), shared by all samples, or (n, n_sites); 0 = known exactly,
            inf = unobserved.
    """

    value: Floats
    variance: Floats


Evidence = Floats | GaussianEvidence


@dataclass(frozen=True, eq=False)
class Noise(ABC):
    """A noise of strength t on every site; t = 0 leaves the data as they are.

    Attributes:
        t: Diffusion time in [0, 1]: a scalar, or one value per site.
    """

    t: Any

    def __post_init__(self) -> None:
        """Check the range of t."""
        t = np.asarray(self.t, dtype=float)
        if t.ndim > 1 or not ((t >= 0) & (t <= 1)).all():
            raise ValueError(f"t={self.t!r}: a number in [0, 1], or one per site, needed")
        object.__setattr__(self, "t", t)

    @property
    def name(self) -> str:
        """Name of the noise, for provenance and tables."""
        return type(self).__name__

    @property
    def n_sites(self) -> int | None:
        """Number of sites a per-site noise is made for; None for a uniform one."""
        return None if self.t.ndim == 0 else int(self.t.size)

    @abstractmethod
    def check(self, q: int | None) -> None:
        """Raise ValueError unless the noise acts on sites with q symbols (None: continuous)."""

    @abstractmethod
    def sample(self, x: NDArray[Any], q: int | None, *, rng: np.random.Generator) -> NDArray[Any]:
        """Noisy version of a batch x of shape (n, n_sites), of the same shape."""

    @abstractmethod
    def evidence(self, y: NDArray[Any], region: Mask, q: int | None) -> tuple[Evidence, Floats]:
        """Evidence of y on the region, and the log-likelihood's x-independent part.

        Args:
            y: Shape (n, n_sites), entries outside the region ignored.
            region: Shape (n_sites,).
            q: Symbols per site, None for continuous sites.

        Returns:
            (evidence, constant of shape (n,)) with log p(y | x) = constant + sum_i l_i(x_i).
        """

    @abstractmethod
    def increment(self, later: "Noise") -> "Noise":
        """Channel that takes the law at this t to that at a later t (1 - t multiplies)."""

    @abstractmethod
    def then(self, extra: "Noise") -> "Noise":
        """The single noise equal to this one followed by `extra`."""

    @abstractmethod
    def on(self, region: Mask) -> "Noise":
        """The same noise inside the region and none outside; per-site from a uniform t."""

    @abstractmethod
    def at(self, site: int) -> "Noise":
        """The noise of one site, with scalar t."""

    @abstractmethod
    def is_discrete(self, q: int | None) -> Mask:
        """Whether noisy sites have finitely many values; shape of t."""

    def channel(self, q: int) -> Floats:
        """Single-site channel matrix p(y | x), columns x, rows in the order of :meth:`outputs`.

        Args:
            q: Symbols per clean site.

        Returns:
            Shape (n_outputs, q), with t's axis in front for a per-site noise.

        Raises:
            ValueError: If the noisy site is continuous.
        """
        raise ValueError(f"{self.name} noise has no channel matrix: its output is continuous")

    def outputs(self, q: int) -> NDArray[np.int8]:
        """Values that a noisy site takes, in the order of the channel's rows."""
        return symbols(q)

    def describe(self) -> dict[str, Any]:
        """Name and parameters, for provenance."""
        return {"noise": self.name, "t": self.t.tolist()}

    def _same_kind(self, other: "Noise") -> None:
        if type(other) is not type(self):
            raise ValueError(f"{self.name} noise does not compose with {other.name}: use one kind")


def symbols(q: int) -> NDArray[np.int8]:
    """Values of a clean site in table order: -1, +1 for spins (q = 2), else 0..q-1."""
    return np.array([-1, 1], np.int8) if q == 2 else np.arange(q, dtype=np.int8)


def _remaining_time(first: Floats, later: Floats) -> Floats:
    """Time s with (1 - first)(1 - s) = 1 - later."""
    if (later < first).any():
        raise ValueError(f"t={first} to t={later}: noise only grows, a later t is needed")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(first < 1.0, (later - first) / (1.0 - first), 0.0)


def _check_symbols(y: NDArray[Any], region: Mask, allowed: NDArray[Any], name: str) -> None:
    bad = ~np.isin(y[:, region], allowed)
    if bad.any():
        raise ValueError(
            f"y holds {y[:, region][bad][0]!r} on its region: {name} noise gives values"
            f" {allowed.tolist()}"
        )


@dataclass(frozen=True, eq=False)
class BitFlip(Noise):
    """With probability t a symbol is replaced by a uniform one: a spin flips with p = t/2."""

    def check(self, q: int | None) -> None:
        """Raise ValueError on continuous sites."""
        if q is None:
            raise ValueError(
                "BitFlip noise acts on discrete sites: use Gaussian on continuous ones"
            )

    def sample(self, x: NDArray[Any], q: int | None, *, rng: np.random.Generator) -> NDArray[Any]:
        """Noisy version of a batch x of shape (n, n_sites), of the same shape."""
        assert q is not None
        values = symbols(q)
        fresh = values[rng.integers(q, size=x.shape)]
        return np.where(rng.random(x.shape) < self.t, fresh, x).astype(np.int8)

    def evidence(self, y: NDArray[Any], region: Mask, q: int | None) -> tuple[Evidence, Floats]:
        """See :meth:`Noise.evidence`."""
        assert q is not None
        _check_symbols(y, region, symbols(q), self.name)
        y = np.where(region, y, 0)
        with np.errstate(divide="ignore"):
            if q > 2:
                wrong, right = np.log(self.t / q), np.log1p(-self.t * (1.0 - 1.0 / q))
                hit = y[..., None] == symbols(q)
                like = np.where(hit, np.expand_dims(right, -1), np.expand_dims(wrong, -1))
                return np.where(region[:, None], like, 0.0), np.zeros(len(y))
            flip = self.t / 2.0
            field = 0.5 * (np.log1p(-flip) - np.log(flip))
            constant = np.where(flip > 0, 0.5 * (np.log1p(-flip) + np.log(flip)), 0.0)
        field = np.broadcast_to(field, region.shape)
        h = np.where(y == 0, 0.0, np.copysign(field, y))
        return h, np.full(len(y), np.broadcast_to(constant, region.shape)[region].sum())

    def increment(self, later: Noise) -> "BitFlip":
        """Channel to a later t: strength (t' - t)/(1 - t)."""
        self._same_kind(later)
        return BitFlip(_remaining_time(self.t, later.t))

    def then(self, extra: Noise) -> "BitFlip":
        """Noise of strength 1 - (1 - t)(1 - s)."""
        self._same_kind(extra)
        return BitFlip(1.0 - (1.0 - self.t) * (1.0 - extra.t))

    def on(self, region: Mask) -> "BitFlip":
        """The same noise inside the region and none outside."""
        return BitFlip(np.where(region, self.t, 0.0))

    def at(self, site: int) -> "BitFlip":
        """The noise of one site, with scalar t."""
        return BitFlip(self.t if self.t.ndim == 0 else self.t[site])

    def is_discrete(self, q: int | None) -> Mask:
        """Always: noisy sites keep their alphabet."""
        return np.ones_like(self.t, dtype=bool)

    def channel(self, q: int) -> Floats:
        """(1 - t) identity + t/q, shape (q, q) or (n_sites, q, q)."""
        t = self.t[..., None, None]
        return (1.0 - t) * np.eye(q) + t / q


@dataclass(frozen=True, eq=False)
class Erasure(Noise):
    """With probability t a site is replaced by the erased symbol (masked diffusion).

    The erased symbol is 0 for spins and -1 for symbols 0..q-1.
    """

    def check(self, q: int | None) -> None:
        """Raise ValueError on continuous sites."""
        if q is None:
            raise ValueError(
                "Erasure noise acts on discrete sites: use Gaussian on continuous ones"
            )

    def sample(self, x: NDArray[Any], q: int | None, *, rng: np.random.Generator) -> NDArray[Any]:
        """Noisy version of a batch x (already erased sites stay erased), of the same shape."""
        assert q is not None
        return np.where(rng.random(x.shape) < self.t, erased_symbol(q), x).astype(np.int8)

    def evidence(self, y: NDArray[Any], region: Mask, q: int | None) -> tuple[Evidence, Floats]:
        """See :meth:`Noise.evidence`."""
        assert q is not None
        erased = erased_symbol(q)
        _check_symbols(y, region, self.outputs(q), self.name)
        y = np.where(region, y, erased)
        t = np.broadcast_to(self.t, region.shape)
        with np.errstate(divide="ignore"):
            terms = np.where(y == erased, np.log(t), np.log1p(-t))
        constant = np.where(region, terms, 0.0).sum(axis=1)
        if q > 2:
            compatible = (y[..., None] == symbols(q)) | (y[..., None] == erased)
            return np.where(compatible, 0.0, -np.inf), constant
        return np.where(y == 0, 0.0, np.copysign(np.inf, y)), constant

    def increment(self, later: Noise) -> "Erasure":
        """Channel to a later t: erases the sites still seen with (t' - t)/(1 - t)."""
        self._same_kind(later)
        return Erasure(_remaining_time(self.t, later.t))

    def then(self, extra: Noise) -> "Erasure":
        """Noise of strength 1 - (1 - t)(1 - s)."""
        self._same_kind(extra)
        return Erasure(1.0 - (1.0 - self.t) * (1.0 - extra.t))

    def on(self, region: Mask) -> "Erasure":
        """The same noise inside the region and none outside."""
        return Erasure(np.where(region, self.t, 0.0))

    def at(self, site: int) -> "Erasure":
        """The noise of one site, with scalar t."""
        return Erasure(self.t if self.t.ndim == 0 else self.t[site])

    def is_discrete(self, q: int | None) -> Mask:
        """Always: a noisy site has q + 1 values."""
        return np.ones_like(self.t, dtype=bool)

    def channel(self, q: int) -> Floats:
        """Seen with 1 - t, erased (last row) with t: shape (q + 1, q) or (n_sites, q + 1, q)."""
        t = self.t[..., None, None]
        rows = np.concatenate([np.eye(q), np.zeros((1, q))])
        return (1.0 - t) * rows + t * np.eye(q + 1)[:, -1:]

    def outputs(self, q: int) -> NDArray[np.int8]:
        """Clean symbols, then the erased one."""
        return np.append(symbols(q), np.int8(erased_symbol(q)))


def erased_symbol(q: int) -> int:
    """Value of an erased site: 0 for spins, -1 for symbols 0..q-1."""
    return 0 if q == 2 else -1


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
        alpha, sigma = np.broadcast_arrays(*(np.asarray(s, dtype=float) for s in scales))
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
            if not np.isin(y[:, silent], alpha[silent] * np.array([[-1.0], [1.0]])).all():
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
