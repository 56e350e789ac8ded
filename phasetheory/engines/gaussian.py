"""Engines for Gaussian laws: log-determinants on nested regions, conditioning, torus spectra."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky

__all__ = [
    "MAX_DENSE",
    "Covariance",
    "DenseCovariance",
    "TorusCovariance",
    "log_density",
    "nested_log_dets",
    "regress",
]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Sites = NDArray[np.int64]

#: Largest dense covariance that is factorised, in sites (0.8 GB, about a minute).
MAX_DENSE = 10_000


class Covariance(Protocol):
    """The clean covariance of a Gaussian field, in whatever form is cheapest."""

    @property
    def n_sites(self) -> int:
        """Number of sites."""

    def block(self, rows: Sites, columns: Sites) -> Floats:
        """Dense block of the covariance."""

    def draw(self, z: Floats) -> Floats:
        """Centred samples from standard normals z, both of shape (n, n_sites)."""

    def log_density(self, seen: Sites, variance: Floats, deviation: Floats) -> Floats:
        """Log density of noisy centred observations of the sites `seen`, shape (n,)."""

    def predict(
        self, seen: Sites, variance: Floats, deviation: Floats, *, wanted: Sites
    ) -> tuple[Floats, Floats]:
        """Posterior means (n, wanted) and variances (wanted,) of centred sites."""

    def noisy_log_dets(self, alpha: Floats, sigma: Floats, regions: Sequence[Mask]) -> Floats:
        """Log det of (alpha C alpha + sigma^2) on each region; alpha, sigma of shape (n_sites,)."""


@dataclass(frozen=True, eq=False)
class DenseCovariance:
    """A covariance matrix as it stands."""

    matrix: Floats

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.matrix)

    def block(self, rows: Sites, columns: Sites) -> Floats:
        """Dense block of the covariance."""
        return np.asarray(self.matrix[np.ix_(rows, columns)])

    @cached_property
    def _root(self) -> Floats:
        values, vectors = np.linalg.eigh(self.matrix)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))

    def draw(self, z: Floats) -> Floats:
        """Centred samples from standard normals z; the root also serves singular matrices."""
        return z @ self._root.T

    def log_density(self, seen: Sites, variance: Floats, deviation: Floats) -> Floats:
        """Log density of noisy centred observations of the sites `seen`, shape (n,)."""
        return log_density(self.block(seen, seen) + np.diag(variance), deviation)

    def predict(
        self, seen: Sites, variance: Floats, deviation: Floats, *, wanted: Sites
    ) -> tuple[Floats, Floats]:
        """Posterior means (n, wanted) and variances (wanted,) of centred sites."""
        noisy = self.block(seen, seen) + np.diag(variance)
        means, explained = regress(noisy, self.block(wanted, seen), deviation)
        return means, self.matrix.diagonal()[wanted] - explained

    def noisy_log_dets(self, alpha: Floats, sigma: Floats, regions: Sequence[Mask]) -> Floats:
        """Log det on each region, by one Cholesky factor per chain of nested regions."""
        noisy = alpha[:, None] * self.matrix * alpha + np.diag(sigma**2)
        return nested_log_dets(noisy, regions)


@dataclass(frozen=True, eq=False)
class TorusCovariance:
    """A translation-invariant covariance on a periodic grid, by its eigenvalues.

    Attributes:
        spectrum: Eigenvalues lambda(k) of the covariance in the order of `numpy.fft.fftn`,
            shape of the torus, real, even under k -> -k, not negative.
    """

    spectrum: Floats

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return int(self.spectrum.size)

    def block(self, rows: Sites, columns: Sites) -> Floats:
        """Dense block of the covariance."""
        return self._block(self.spectrum, rows, columns)

    def draw(self, z: Floats) -> Floats:
        """Centred samples by the symmetric square root, one FFT pair a sample."""
        waves, axes = self._waves(z)
        return np.asarray(
            np.fft.ifftn(waves * np.sqrt(self.spectrum), axes=axes).real.reshape(z.shape)
        )

    def log_density(self, seen: Sites, variance: Floats, deviation: Floats) -> Floats:
        """Log density of noisy centred observations; two FFTs where all sites are seen alike."""
        if not self._uniform(seen, variance):
            return log_density(self.block(seen, seen) + np.diag(variance), deviation)
        noisy = self.spectrum + variance[0]
        if (noisy <= 0).any():
            raise ValueError("the covariance has zero eigenvalues: no density without noise")
        waves, axes = self._waves(deviation)
        square = (np.square(np.abs(waves)) / noisy).sum(axis=axes) / self.n_sites
        log_det = np.log(noisy).sum()
        return np.asarray(-0.5 * (square + log_det + self.n_sites * np.log(2.0 * np.pi)))

    def predict(
        self, seen: Sites, variance: Floats, deviation: Floats, *, wanted: Sites
    ) -> tuple[Floats, Floats]:
        """Posterior means and variances: the Wiener filter where all sites are seen alike."""
        total = float(self.spectrum.mean())
        if not self._uniform(seen, variance) or variance[0] == 0:
            noisy = self.block(seen, seen) + np.diag(variance)
            means, explained = regress(noisy, self.block(wanted, seen), deviation)
            return means, total - explained
        gain = self.spectrum / (self.spectrum + variance[0])
        waves, axes = self._waves(deviation)
        means = np.fft.ifftn(gain * waves, axes=axes).real.reshape(len(deviation), -1)[:, wanted]
        left = float((self.spectrum * (1.0 - gain)).mean())
        return means, np.full(wanted.size, left)

    def _uniform(self, seen: Sites, variance: Floats) -> bool:
        return seen.size == self.n_sites and float(np.ptp(variance)) == 0.0

    def _waves(self, deviation: Floats) -> tuple[NDArray[np.complex128], tuple[int, ...]]:
        shape = self.spectrum.shape
        axes = tuple(range(1, len(shape) + 1))
        return np.fft.fftn(deviation.reshape(-1, *shape), axes=axes), axes

    def noisy_log_dets(self, alpha: Floats, sigma: Floats, regions: Sequence[Mask]) -> Floats:
        """Log det on each region, through its complement where that is smaller.

        det C_RR = det C det (C^-1)_SS with S the complement of R, and both C and its inverse are
        diagonal in Fourier space; so the cost is min(|R|, |S|)^3. Noise that is not uniform
        breaks translation invariance and goes through the dense matrix.
        """
        if np.ptp(alpha) > 0 or np.ptp(sigma) > 0:
            everything = np.arange(self.n_sites)
            check_dense(self.n_sites)
            return DenseCovariance(self.block(everything, everything)).noisy_log_dets(
                alpha, sigma, regions
            )
        noisy = alpha[0] ** 2 * self.spectrum + sigma[0] ** 2
        if (noisy <= 0).any():
            raise ValueError("the covariance has zero eigenvalues: no density without noise")
        small = [r if 2 * r.sum() <= r.size else ~r for r in regions]
        log_dets = np.empty(len(regions))
        total = np.log(noisy).sum()
        for kind, spectrum, offset in ((True, noisy, 0.0), (False, 1.0 / noisy, total)):
            chosen = [i for i, r in enumerate(regions) if (2 * r.sum() <= r.size) is np.bool_(kind)]
            if not chosen:
                continue
            union = np.flatnonzero(np.any([small[i] for i in chosen], axis=0))
            check_dense(union.size)
            matrix = self._block(spectrum, union, union)
            log_dets[chosen] = offset + nested_log_dets(matrix, [small[i][union] for i in chosen])
        return log_dets

    def _block(self, spectrum: Floats, rows: Sites, columns: Sites) -> Floats:
        shape = spectrum.shape
        correlation = np.fft.ifftn(spectrum).real
        r = np.array(np.unravel_index(rows, shape))
        c = np.array(np.unravel_index(columns, shape))
        offset = (r[:, :, None] - c[:, None, :]) % np.array(shape)[:, None, None]
        return np.asarray(correlation[tuple(offset)])


def check_dense(n: int) -> None:
    """Refuse a dense factorisation over the limit.

    Raises:
        ValueError: With the size, the limit and an alternative.
    """
    if n > MAX_DENSE:
        raise ValueError(
            f"{n} sites need a dense factor of {8 * n * n:.3g} bytes: the limit is {MAX_DENSE}"
            " sites; take a smaller region, or a uniform noise on a torus"
        )


def nested_log_dets(matrix: Floats, regions: Sequence[Mask]) -> Floats:
    """Log-determinants of principal submatrices, one Cholesky factor per chain of regions.

    A region inside another one costs nothing more: with its sites first, its determinant is a
    partial product of the diagonal of the larger factor.

    Args:
        matrix: Symmetric positive definite, shape (n, n).
        regions: Masks of shape (n,); the empty region has log-determinant 0.

    Returns:
        Shape (n_regions,).

    Raises:
        ValueError: If a submatrix is not positive definite (no density).

    Cost: |R|^3 / 3 for the largest region of each chain.
    """
    chains: list[list[int]] = []
    for index in sorted(range(len(regions)), key=lambda i: -int(regions[i].sum())):
        for chain in chains:
            if not (regions[index] & ~regions[chain[-1]]).any():
                chain.append(index)
                break
        else:
            chains.append([index])
    log_dets = np.zeros(len(regions))
    for chain in chains:
        depth = np.sum([regions[i] for i in chain], axis=0)
        order = np.argsort(-depth, kind="stable")[: int(regions[chain[0]].sum())]
        if not order.size:
            continue
        try:
            factor = cholesky(matrix[np.ix_(order, order)], lower=True, check_finite=False)
        except np.linalg.LinAlgError as error:
            raise ValueError(
                f"the covariance on a region of {order.size} sites is singular: the law has no"
                " density there; add noise (t > 0) or shrinkage"
            ) from error
        partial = np.concatenate([[0.0], 2.0 * np.cumsum(np.log(np.diag(factor)))])
        for i in chain:
            log_dets[i] = partial[int(regions[i].sum())]
    return log_dets


def log_density(matrix: Floats, deviation: Floats) -> Floats:
    """Log N(deviation; 0, matrix) for each sample.

    Args:
        matrix: Covariance, shape (m, m), positive definite.
        deviation: Shape (n, m).

    Returns:
        Shape (n,), nats.

    Raises:
        ValueError: If the covariance is singular.
    """
    if not len(matrix):
        return np.zeros(len(deviation))
    factor = _factor(matrix)
    square = (deviation.T * cho_solve(factor, deviation.T)).sum(axis=0)
    log_det = 2.0 * np.log(np.diag(factor[0])).sum()
    return np.asarray(-0.5 * (square + log_det + len(matrix) * np.log(2.0 * np.pi)))


def regress(matrix: Floats, cross: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """Best linear prediction from correlated observations, and the variance it explains.

    Args:
        matrix: Covariance of the observations, shape (m, m), positive definite.
        cross: Covariance of the wanted sites with them, shape (sites, m).
        deviation: Observations minus their mean, shape (n, m).

    Returns:
        (predictions (n, sites), explained variances (sites,)).

    Raises:
        ValueError: If the covariance is singular.
    """
    if not len(matrix):
        return np.zeros((len(deviation), len(cross))), np.zeros(len(cross))
    gain = cho_solve(_factor(matrix), cross.T)
    return deviation @ gain, (cross.T * gain).sum(axis=0)


def _factor(matrix: Floats) -> tuple[Floats, bool]:
    check_dense(len(matrix))
    try:
        factor, lower = cho_factor(matrix, lower=True, check_finite=False)
    except np.linalg.LinAlgError as error:
        raise ValueError("the observations have a singular covariance: no density") from error
    return factor, lower
