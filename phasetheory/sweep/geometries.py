"""Geometries that a sweep can name: functions of a lattice and a buffer radius.

Adding a geometry is a function and a line in `GEOMETRIES`. The first parameter is the lattice; a
parameter `radius`, where there is one, becomes the axis along which samples are shared.
"""

from collections.abc import Callable
from math import inf

import numpy as np

from phasetheory.lattice import Lattice, Tripartition
from phasetheory.sweep.parameters import Place

__all__ = ["GEOMETRIES"]


def centre(
    lattice: Lattice,
    *,
    radius: float,
    centre: Place = "middle",
    block: int = 1,
    thickness: float = inf,
) -> Tripartition:
    """A in the middle, B all sites within `radius` of it, C the sites beyond.

    Args:
        lattice: Any lattice with a distance.
        radius: Buffer radius r, in sites.
        centre: "middle", a site index, or the coordinates of A's lowest corner.
        block: Side of the block A.
        thickness: C holds the sites at distances in (r, r + thickness] (an annulus); all others
            by default.

    Returns:
        The tripartition.
    """
    if not thickness > 0:
        raise ValueError(f"thickness={thickness}: a positive number needed")
    place = middle(lattice, block) if centre == "middle" else centre
    parts = lattice.tripartition(place, radius, block)
    if thickness == inf:
        return parts
    near = lattice.distances(parts.A)[parts.C] <= radius + thickness
    return Tripartition(A=parts.A, B=parts.B, C=parts.C[near])


def scaled(lattice: Lattice, *, radius: float, block: float = 0.0) -> Tripartition:
    """A, B and C in proportion to the lattice: `centre` with lengths that grow with it.

    Args:
        lattice: Any lattice with a distance.
        radius: r over the distance from A to the farthest site; the nearest whole number of sites
            is taken.
        block: Side of A over the shortest side of the grid; one site where that rounds to nothing.

    Returns:
        The tripartition.
    """
    if not 0.0 <= radius <= 1.0 or not 0.0 <= block <= 1.0:
        raise ValueError(f"radius={radius}, block={block}: fractions from 0 to 1 needed")
    if block and lattice.shape is None:
        raise ValueError(f"block={block}: a grid needed, this lattice has no sides")
    side = max(1, round(block * min(lattice.shape))) if lattice.shape else 1
    reach = lattice.distances(centre(lattice, radius=0, block=side).A).max()
    return centre(lattice, radius=float(np.floor(radius * reach + 0.5)), block=side)


def slabs(lattice: Lattice, *, radius: int, block: int = 1, start: int = 0) -> Tripartition:
    """Cuts across the last axis of an open grid: A, B and C are slabs of whole columns.

    Args:
        lattice: A grid.
        radius: Columns of B, behind A.
        block: Columns of A.
        start: First column of A; columns before it belong to none.

    Returns:
        The tripartition; C holds all columns behind B.
    """
    if lattice.shape is None:
        raise ValueError("geometry 'slabs' needs a grid: this lattice has no columns")
    if min(radius, start) < 0 or block < 1:
        raise ValueError(f"radius={radius}, start={start}, block={block}: >= 0, >= 0, >= 1 needed")
    column = np.arange(lattice.n_sites) % lattice.shape[-1] - start
    if start + block + radius >= lattice.shape[-1]:
        raise ValueError(
            f"start + block + radius = {start + block + radius} columns: C needs one of the"
            f" {lattice.shape[-1]}"
        )
    return Tripartition(
        A=(column >= 0) & (column < block),
        B=(column >= block) & (column < block + radius),
        C=column >= block + radius,
    )


def counts(lattice: Lattice, *, radius: int, block: int = 1, far: int = 0) -> Tripartition:
    """Numbers of sites, for models whose sites are all alike: A first, then B, then C.

    Args:
        lattice: Any lattice.
        radius: Sites of B.
        block: Sites of A.
        far: Sites of C; 0 for all others.

    Returns:
        The tripartition.
    """
    known = block + radius
    last = known + far if far else lattice.n_sites
    if radius < 0 or block < 1 or far < 0 or not known < last <= lattice.n_sites:
        raise ValueError(
            f"block={block}, radius={radius}, far={far}: at least 1, 0 and 1 of the"
            f" {lattice.n_sites} sites needed"
        )
    return Tripartition(A=range(block), B=range(block, known), C=range(known, last))


def whole(lattice: Lattice) -> Tripartition:
    """Every site in A, for quantities of the data as a whole."""
    return Tripartition(A=range(lattice.n_sites), B=[], C=[])


def middle(lattice: Lattice, block: int = 1) -> tuple[int, ...] | int:
    """Place of a block in the middle: coordinates on a grid, else the site nearest the centroid."""
    if lattice.shape is not None:
        return tuple((side - block) // 2 for side in lattice.shape)
    if lattice.positions is None:
        raise ValueError('centre="middle": this lattice has no positions; name a site')
    offset = lattice.positions - lattice.positions.mean(axis=0)
    # Rounded, so that which of several equally central sites it is does not hang on a last bit.
    return int(np.argmin(np.square(offset).sum(axis=1).round(9)))


GEOMETRIES: dict[str, Callable[..., Tripartition]] = {
    "centre": centre,
    "counts": counts,
    "scaled": scaled,
    "slabs": slabs,
    "whole": whole,
}
