"""Windows that are tabulated: a gate as a sum over the states of its window, for many samples."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels.gate_samples import window_sums
from phasetheory.circuits.circuit import Gate
from phasetheory.circuits.window_laws import clean_law
from phasetheory.engines.table import states
from phasetheory.noise import Noise
from phasetheory.prior import Prior

__all__ = ["Likelihoods", "WindowTable", "scaled"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: A sum of products of likelihoods below this is computed again in logarithms.
_SMALL = 1e-200
#: Logarithm of the smallest product that a double holds with room to spare.
_LOG_TINY = -690.0
#: Entries of an array of states by samples held at once.
_BLOCK = 2**22


class Likelihoods:
    """What noisy data say about every site: p(y_i | x_i) up to a factor a site.

    Attributes:
        log: Shape (n_sites, q, n), largest entry 0 over the symbols.
        plain: Its exponential.
    """

    def __init__(self, y: NDArray[np.generic], noise: Noise, q: int):
        self.log = np.empty((y.shape[1], q, len(y)))
        self.plain = np.empty_like(self.log)
        self._q = q
        self.update(np.arange(y.shape[1]), y, noise)

    def copy(self) -> "Likelihoods":
        """Return a copy, whose updates stay apart."""
        twin = object.__new__(Likelihoods)
        twin.log, twin.plain, twin._q = self.log.copy(), self.plain.copy(), self._q
        return twin

    def update(self, sites: Indices, y: NDArray[np.generic], noise: Noise) -> None:
        """Take new data of some sites, shape (n, sites), that carry a uniform noise now."""
        evidence, _ = noise.evidence(y, np.ones(y.shape[1], dtype=bool), self._q)
        if self._q == 2:
            h = np.asarray(evidence).T
            log = np.stack([np.minimum(-2.0 * h, 0.0), np.minimum(2.0 * h, 0.0)], axis=1)
        else:
            like = np.moveaxis(np.asarray(evidence), 0, -1)
            log = like - like.max(axis=1, keepdims=True)
        self.log[sites] = log
        self.plain[sites] = np.exp(log)

    def faint(self, sums: Floats, sites: Indices, least: float) -> Indices:
        """Samples whose sums of products have to be formed again in logarithms.

        Args:
            sums: Sums over the states of a window, shape (blocks, n).
            sites: The window.
            least: Logarithm of the smallest weight of a state.

        Returns:
            Samples whose total is so small that terms may have been lost below the smallest
            double; not those whose total is zero because every state is excluded outright.
        """
        total = sums.sum(axis=0)
        rows = np.flatnonzero(~(total > _SMALL))
        if not rows.size:
            return rows
        window = self.log[np.ix_(sites, np.arange(self._q), rows)]
        lowest = np.where(np.isfinite(window), window, 0.0).min(axis=1).sum(axis=0)
        return rows[(total[rows] > 0) | (lowest + least < _LOG_TINY)]


@dataclass(frozen=True, eq=False)
class WindowTable:
    """The clean law of a gate's window, state by state.

    Attributes:
        gate: A and B.
        q: Symbols a site.
        index: Symbol indices of the states of positive weight, shape (states, |A| + |B|), the
            sites of A first, sorted.
        log_p: Their log-probabilities, shape (states,).
    """

    gate: Gate
    q: int
    index: NDArray[np.int8]
    log_p: Floats

    @classmethod
    def of(cls, model: Prior, gate: Gate) -> "WindowTable":
        """Tabulate the window of a gate; `window_laws.count_states` says how many that takes."""
        sites, q = np.concatenate(gate), model.q
        assert q is not None
        index, log_p = clean_law(model, sites)
        kept = np.flatnonzero(log_p > -np.inf)
        kept = kept[np.lexsort(index[kept].T[::-1])]
        return cls(gate, q, index[kept], log_p[kept])

    def posterior(self, likelihoods: Likelihoods) -> tuple[Floats, NDArray[np.bool_]]:
        """Law of the clean block given the data on the window, up to a factor a sample.

        Returns:
            (weights of shape (q^|A|, n), which samples are impossible). Data of probability zero
            get the posterior of the block by itself, and weights 0 where that has none either.

        Cost: about a nanosecond for each state and sample.
        """
        sums = np.empty((self.q**self.gate.A.size, likelihoods.plain.shape[2]))
        window_sums(likelihoods.plain, *self._layout, sums)
        sums *= self._own(likelihoods.plain, np.multiply)
        faint = likelihoods.faint(sums, np.concatenate(self.gate), self.log_p.min())
        rows = max(1, _BLOCK // len(self.log_p))
        for start in range(0, faint.size, rows):
            chosen = faint[start : start + rows]
            sums[:, chosen] = self._in_logarithms(likelihoods.log[:, :, chosen])
        impossible = ~(sums.sum(axis=0) > 0)
        if impossible.any():
            lost = np.flatnonzero(impossible)
            alone = self._own(likelihoods.log[:, :, lost], np.add) + self._block_log_p[:, None]
            sums[:, lost] = scaled(alone)
        return sums, impossible

    @cached_property
    def _layout(self) -> tuple[Indices, Indices, Indices, Indices, Floats]:
        """The arguments of the kernel: two trees, groups of states, right nodes and weights."""
        size, B = self.gate.A.size, self.gate.B
        half = B.size // 2
        left, first = _prefixes(self.index[:, size : size + half], B[:half], self.q)
        right, last = _prefixes(self.index[:, size + half :], B[half:], self.q)
        pairs = np.stack([self._blocks, first], axis=1)
        new = np.flatnonzero(np.r_[True, (pairs[1:] != pairs[:-1]).any(axis=1)])
        groups = np.stack([*pairs[new].T, new])
        return left, right, np.ascontiguousarray(groups), last, np.exp(self.log_p)

    @cached_property
    def _blocks(self) -> Indices:
        powers = self.q ** np.arange(self.gate.A.size - 1, -1, -1)
        return np.asarray(self.index[:, : self.gate.A.size] @ powers)

    @cached_property
    def _block_log_p(self) -> Floats:
        with np.errstate(divide="ignore"):
            total = np.bincount(self._blocks, np.exp(self.log_p), self.q**self.gate.A.size)
            return np.log(total)

    def _own(self, likelihoods: Floats, combine: np.ufunc) -> Floats:
        """Likelihood of every state of the block, shape (q^|A|, n)."""
        symbol = states(self.gate.A.size, self.q)
        own = likelihoods[self.gate.A[0], symbol[:, 0]]
        for axis, site in enumerate(self.gate.A[1:], start=1):
            own = combine(own, likelihoods[site, symbol[:, axis]])
        return np.asarray(own)

    def _in_logarithms(self, log_likelihoods: Floats) -> Floats:
        """The same sums for likelihoods that underflow, scaled to a largest entry of 1."""
        joint = np.repeat(self.log_p[:, None], log_likelihoods.shape[2], axis=1)
        for axis, site in enumerate(np.concatenate(self.gate)):
            joint += log_likelihoods[site, self.index[:, axis]]
        weights, sums = scaled(joint), np.zeros((self.q**self.gate.A.size, joint.shape[1]))
        np.add.at(sums, self._blocks, weights)
        return sums


def scaled(log_weights: Floats) -> Floats:
    """Exponential along the first axis, scaled to a largest entry of 1; 0 where all are."""
    top = log_weights.max(axis=0)
    return np.exp(log_weights - np.where(np.isneginf(top), 0.0, top))


def _prefixes(index: NDArray[np.int8], sites: Indices, q: int) -> tuple[Indices, Indices]:
    """Tree of the beginnings of some states: nodes (parent, site, symbol), and leaf of each."""
    leaf = np.zeros(len(index), dtype=np.int64)
    nodes, size = [np.zeros((3, 1), dtype=np.int64)], 1
    for axis, site in enumerate(sites.tolist()):
        keys, place = np.unique(leaf * q + index[:, axis], return_inverse=True)
        nodes.append(np.stack([keys // q, np.full(keys.size, site), keys % q]))
        leaf, size = size + place.ravel(), size + keys.size
    return np.ascontiguousarray(np.concatenate(nodes, axis=1)), leaf
