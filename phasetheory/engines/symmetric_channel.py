r"""What a symmetric observation says about a fair spin, bracketed from both sides.

Any observation of a fair spin s = -1, +1 that treats both signs alike is a mixture of binary
symmetric channels: with probability w_k the observer learns the sign up to a flip, with posterior
mean :math:`\pm m_k`, :math:`0 \le m_k \le 1`. The law of m says everything:

- overlap :math:`E\,\langle s\rangle^2 = \sum_k w_k m_k^2`,
- information :math:`I(s; y) = \ln 2 - \sum_k w_k\, h_2((1 + m_k)/2)`.

Two independent observations :math:`m, m'` of one spin agree with probability
:math:`(1 + m m')/2` and then have the mean :math:`(m + m')/(1 + m m')`, else
:math:`|m - m'|/(1 - m m')`. A bond :math:`\lambda` between the spin and the one observed turns m
into :math:`|\lambda| m`. The number of masses grows fast, so they are put on a grid. There are two
safe ways, both of which keep :math:`E\,m`: merging the masses of a cell into their mean makes a
*worse* observation, splitting a mass between the ends of its cell a *better* one. (An observation
is better, in Blackwell's order, if every increasing convex function of m has the larger mean.) Both
operations above preserve the order, so the two ways bracket the exact answer at any depth.

Source: Blackwell's order and its use for symmetric channels: Richardson and Urbanke, Modern Coding
Theory (2008), ch. 4; Tal and Vardy, IEEE Trans. Inf. Theory 59, 6562 (2013).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, xlog1py

__all__ = ["SymmetricChannel"]

Floats = NDArray[np.float64]

#: Cells of the fine histogram from which those of the grid are chosen.
_FINE = 4096
#: A Gaussian observation is cut into this many cells, up to so many sigma beyond its mean.
_GAUSSIAN_CELLS, _REACH = 20_000, 9.0


@dataclass(frozen=True, eq=False)
class SymmetricChannel:
    """Law of the absolute posterior mean m of a fair spin.

    Attributes:
        mean: m, in [0, 1], shape (k,).
        weight: Probabilities, shape (k,), summing to 1.
    """

    mean: Floats
    weight: Floats

    @classmethod
    def flip(cls, t: float) -> "SymmetricChannel":
        """A spin flipped with probability t/2."""
        return cls(np.array([1.0 - t]), np.ones(1))

    @classmethod
    def erasure(cls, t: float) -> "SymmetricChannel":
        """A spin erased with probability t."""
        return cls(np.array([0.0, 1.0]), np.array([t, 1.0 - t]))

    @classmethod
    def gaussian(cls, alpha: float, sigma: float, *, better: bool) -> "SymmetricChannel":
        """The observation y = alpha s + sigma z, on a grid that makes it better or worse.

        Args:
            alpha: Signal, >= 0.
            sigma: Noise, >= 0; not both zero.
            better: Whether to round to a better or to a worse observation.
        """
        if sigma == 0 or alpha == 0:
            return cls.flip(0.0 if sigma == 0 else 1.0)
        ratio = alpha / sigma
        y = np.append(np.linspace(0.0, ratio + _REACH, _GAUSSIAN_CELLS), np.inf)
        edges = np.tanh(ratio * y)  # m at abs(y), in units of sigma
        right, wrong = (np.diff(ndtr(y - shift)) for shift in (ratio, -ratio))
        # P(m in cell) = right + wrong, E[m; cell] = right - wrong, both exact.
        weight, moment = right + wrong, right - wrong
        held = weight > 0
        weight, moment, low, high = (v[held] for v in (weight, moment, edges[:-1], edges[1:]))
        mean = np.clip(moment / weight, low, high)  # rounding must not leave the cell
        if not better:
            return cls(mean, weight / weight.sum())
        width = high - low
        share = weight * np.divide(mean - low, width, out=np.zeros_like(low), where=width > 0)
        ends, masses = np.append(low, high), np.append(weight - share, share)
        return cls(ends, masses / masses.sum())

    @property
    def overlap(self) -> float:
        """E <s>^2, between 0 and 1."""
        return float(self.weight @ np.square(self.mean))

    @property
    def information(self) -> float:
        """I(s; y) in nats, between 0 and ln 2."""
        m = self.mean
        gain = 0.5 * (xlog1py(1.0 + m, m) + xlog1py(1.0 - m, -m))
        return float(self.weight @ gain)

    def through(self, eigenvalue: float) -> "SymmetricChannel":
        """The same observation, of a spin at the other end of a bond."""
        return SymmetricChannel(abs(eigenvalue) * self.mean, self.weight)

    def joined(self, other: "SymmetricChannel") -> "SymmetricChannel":
        """Both observations of one spin; at most 2 k k' masses."""
        i, j = np.indices((self.mean.size, other.mean.size)).reshape(2, -1)
        weight = np.outer(self.weight, other.weight).ravel()
        if other is self:  # every pair once
            i, j = np.triu_indices(self.mean.size)
            weight = np.where(i == j, 1.0, 2.0) * self.weight[i] * self.weight[j]
        m, n = self.mean[i], other.mean[j]
        product = m * n
        agree = 0.5 * (1.0 + product) * weight
        differ = weight - agree
        # Two certain observations cannot differ; 0/0 has weight 0.
        certain = product >= 1.0
        apart = np.abs(m - n) / np.where(certain, 1.0, 1.0 - product)
        mean = np.minimum(np.concatenate([(m + n) / (1.0 + product), apart]), 1.0)
        both = np.concatenate([agree, np.where(certain, 0.0, differ)])
        # Without the division a rounding error of the total doubles with every level of a tree.
        return SymmetricChannel(mean, both / both.sum())

    def rounded(self, cells: int, *, better: bool) -> "SymmetricChannel":
        """On a grid of at most so many cells, as a better or a worse observation.

        Args:
            cells: Number of cells, at least 1; they are narrow where the masses are.
            better: Whether to round to a better or to a worse observation.

        Returns:
            A channel with the same E m; with more than `cells` masses only if better (one more).
        """
        if self.mean.size <= cells:
            return self
        if self.mean.max() == 0.0:
            return SymmetricChannel(np.zeros(1), np.ones(1))
        edges = self._grid(cells)
        cell = np.clip(np.searchsorted(edges, self.mean, side="right") - 1, 0, cells - 1)
        if not better:
            weight = _sums(cell, self.weight, cells)
            moment = _sums(cell, self.weight * self.mean, cells)
            held = weight > 0
            return SymmetricChannel(moment[held] / weight[held], weight[held])
        low, high = edges[cell], edges[cell + 1]
        share = self.weight * (self.mean - low) / (high - low)
        weight = _sums(cell, self.weight - share, cells + 1) + _sums(cell + 1, share, cells + 1)
        return SymmetricChannel(edges, weight)

    def _grid(self, cells: int) -> Floats:
        """Edges from 0 to the largest mean; cell width as density^(-1/3), which costs least."""
        fine = np.linspace(0.0, self.mean.max(), _FINE + 1)
        bin_of = np.minimum((self.mean / fine[-1] * _FINE).astype(int), _FINE - 1)
        density = np.cbrt(_sums(bin_of, self.weight, _FINE))
        density += 0.02 * density.mean()
        steps = np.append(0.0, np.cumsum(density))
        edges = np.interp(np.linspace(0.0, steps[-1], cells + 1), steps, fine)
        edges[0], edges[-1] = 0.0, fine[-1]
        return edges


def _sums(cell: NDArray[np.int64], weight: Floats, cells: int) -> Floats:
    """Total weight in every cell."""
    return np.bincount(cell, weight, cells).astype(float)
