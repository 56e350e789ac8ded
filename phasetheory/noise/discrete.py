"""Noises of discrete sites: bit flips and erasure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.noise.base import Evidence, Floats, Mask, Noise, symbols

__all__ = ["BitFlip", "Erasure", "erased_symbol"]


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
