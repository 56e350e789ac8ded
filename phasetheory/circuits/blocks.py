"""Blocks of sites that are denoised together, and how far a lattice reaches."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.lattice import Lattice

__all__ = ["Indices", "diameter", "partition"]

Indices = NDArray[np.int64]


def partition(lattice: Lattice, block: int | Sequence[Any]) -> tuple[Indices, ...]:
    """Blocks that cover every site once.

    Args:
        lattice: Sites.
        block: Side of the square blocks on grids (those at the far ends are cut), 1 for single
            sites on any lattice; or the blocks themselves, as sequences of sites.

    Returns:
        Sorted site indices of each block.

    Raises:
        ValueError: If the side does not fit the lattice, or blocks repeat or omit a site.
    """
    n = lattice.n_sites
    if isinstance(block, int | np.integer):
        if block == 1:
            return tuple(np.array([site]) for site in range(n))
        if lattice.shape is None or not 1 <= block <= max(lattice.shape):
            raise ValueError(
                f"block={block}: a side between 1 and that of the grid needed (other lattices: 1,"
                " or the blocks themselves)"
            )
        index = np.arange(n).reshape(lattice.shape)
        corners = product(*(range(0, side, int(block)) for side in lattice.shape))
        cuts = (tuple(slice(c, c + int(block)) for c in corner) for corner in corners)
        return tuple(index[cut].ravel() for cut in cuts)
    blocks = tuple(np.flatnonzero(lattice.mask(sites)) for sites in block)
    seen = np.bincount(np.concatenate([*blocks, np.zeros(0, dtype=np.int64)]), minlength=n)
    if (seen != 1).any() or any(one.size == 0 for one in blocks):
        raise ValueError(
            f"block repeats sites {np.flatnonzero(seen > 1).tolist()} and omits"
            f" {np.flatnonzero(seen == 0).tolist()}: each of the {n} sites needed once, in blocks"
            " that are not empty"
        )
    return blocks


def diameter(lattice: Lattice) -> float:
    """Largest finite distance between two sites, in lattice units.

    Cost: closed form on grids, n_sites calls of `lattice.distances` elsewhere.
    """
    if lattice.shape is not None:
        sides = zip(lattice.shape, lattice.periodic, strict=True)
        return float(max(side // 2 if wraps else side - 1 for side, wraps in sides))
    largest = 0.0
    for site in range(lattice.n_sites):
        away = lattice.distances([site])
        largest = max(largest, float(away[np.isfinite(away)].max()))
    return largest
