r"""What a predictor of one site may see: the noisy values within radius r, at time t.

A context is a set of visible sites. The real ones are B_r for every radius, and BC, everything
but the centre. In the null run every radius has a second context of its own in place of BC: B_r of
one sample together with C_r of *another*, so that :math:`I(A;C'|B_r) = 0` exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.lattice import Lattice
from phasetheory.neural.batches import uniform_scales
from phasetheory.noise import Gaussian

__all__ = ["Contexts"]

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Contexts:
    """Times, radii, and which sites are visible.

    Attributes:
        site: Index of A.
        times: Shape (n_t,), NaN-free; names only, the scales count.
        alpha: Factor of the data at these times, shape (n_t,).
        sigma: Standard deviation of the noise, positive, shape (n_t,).
        radii: Shape (n_r,), increasing.
        buffers: Sites of B_r, shape (n_r, n_sites).
        null: Whether C is taken from another sample.
    """

    site: int
    times: Floats
    alpha: Floats
    sigma: Floats
    radii: Floats
    buffers: Masks
    null: bool = False

    @classmethod
    def build(
        cls,
        lattice: Lattice,
        noise: Callable[[float], Gaussian],
        *,
        t: ArrayLike,
        radius: ArrayLike,
        centre: Any,
        null: bool = False,
    ) -> "Contexts":
        """Contexts of one site of a lattice.

        Args:
            lattice: A grid, chain, or any lattice with a distance.
            noise: Callable t -> Gaussian noise, the same on all sites.
            t: Times, increasing, with sigma > 0 and alpha > 0.
            radius: Buffer radii, increasing, each leaving something outside.
            centre: The site, as for `Lattice.tripartition`.
            null: Whether C is taken from another sample.

        Returns:
            The contexts.

        Raises:
            ValueError: If a time, radius or the centre does not fit.
        """
        times, radii = _increasing("t", t), _increasing("radius", radius)
        scales = [uniform_scales(noise(float(time))) for time in times]
        alpha, sigma = np.array(scales).T
        if (sigma == 0).any() or (alpha == 0).any():
            raise ValueError(
                f"t={times.tolist()}: sigma={sigma.tolist()} and alpha={alpha.tolist()} must be"
                " positive; at sigma = 0 densities of y may not exist, at alpha = 0 the CMI is 0"
            )
        distances = lattice.distances(lattice.tripartition(centre, 0).A)
        largest = float(distances[np.isfinite(distances)].max())
        if radii[0] < 0 or radii[-1] >= largest:
            raise ValueError(
                f"radius={radii.tolist()}: numbers from 0 to below {largest:g} needed; the site"
                f" farthest from centre={centre!r} is at distance {largest:g}, and C must not be"
                " empty"
            )
        parts = [lattice.tripartition(centre, r) for r in radii]
        buffers = np.stack([lattice.mask(part.B) for part in parts])
        return cls(int(parts[0].A[0]), times, alpha, sigma, radii, buffers, null)

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return int(self.buffers.shape[1])

    @property
    def rest(self) -> Masks:
        """All sites but A, shape (n_sites,)."""
        mask = np.ones(self.n_sites, dtype=bool)
        mask[self.site] = False
        return mask

    @cached_property
    def own(self) -> Masks:
        """Sites of the sample itself that a context shows, shape (n_contexts, n_sites)."""
        wide = self.buffers if self.null else self.rest[None]
        return np.concatenate([self.buffers, wide])

    @cached_property
    def other(self) -> Masks:
        """Sites that a context shows of another sample, shape (n_contexts, n_sites)."""
        far = self.rest & ~self.buffers if self.null else np.zeros((1, self.n_sites), dtype=bool)
        return np.concatenate([np.zeros_like(self.buffers), far])

    @property
    def full(self) -> NDArray[np.int64]:
        """Index of the context that shows B and C, for every radius, shape (n_r,)."""
        n = len(self.radii)
        return np.arange(n, 2 * n) if self.null else np.full(n, n)

    def candidates(self, context: int) -> list[int]:
        """Contexts whose predictor may serve for this one, since it sees no more."""
        n = len(self.radii)
        if context < n:
            return list(range(context + 1))
        return [*range(context - n + 1 if self.null else n), context]


def _increasing(name: str, values: ArrayLike) -> Floats:
    array = np.atleast_1d(np.asarray(values, dtype=float))
    if array.ndim != 1 or not array.size or not (np.diff(array) > 0).all():
        raise ValueError(f"{name}={values!r}: a strictly increasing list of numbers needed")
    return array
