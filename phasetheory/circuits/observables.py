"""Observables of batches by which generated samples are told from data.

Each maps a batch of shape (n, n_sites) to one number a sample; see
:meth:`phasetheory.SampledRun.observable`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.engines.planar_faces import faces
from phasetheory.lattice import Lattice
from phasetheory.models.ising import Ising
from phasetheory.models.loops import LoopEnsemble
from phasetheory.noise import BitFlip

__all__ = ["end_correlation", "energy", "is_closed", "magnetisation_squared", "open_faces"]

Floats = NDArray[np.float64]


def energy(model: Ising | LoopEnsemble, x: ArrayLike) -> Floats:
    r"""Energy per site, :math:`-(\sum_{ij} J_{ij} x_i x_j + \sum_i h_i x_i)/n`.

    Of loops it is :math:`-\sum_e J_e x_e / n_{bonds}`; uniform ones have none.

    Args:
        model: Couplings and fields, inverse temperature absorbed.
        x: Spins or bonds -1, +1, shape (n, n_sites).

    Returns:
        Shape (n,), in units of the temperature.

    Raises:
        ValueError: If x has another shape.
    """
    batch = _batch(x, model.lattice.n_sites)
    if isinstance(model, LoopEnsemble):
        return np.asarray(-batch @ model.coupling / model.lattice.n_sites)
    i, j = model.lattice.edges.T
    total = (batch[:, i] * batch[:, j]) @ model.coupling + batch @ model.field
    return np.asarray(-total / model.lattice.n_sites)


def magnetisation_squared(x: ArrayLike) -> Floats:
    """Square of the mean of all sites, shape (n,), for a batch of shape (n, n_sites)."""
    return np.square(np.asarray(x, dtype=float).mean(axis=1))


def end_correlation(lattice: Lattice, x: ArrayLike) -> Floats:
    """Product of the first and the last site along the longest axis, averaged over the others.

    Args:
        lattice: A grid.
        x: Shape (n, n_sites).

    Returns:
        Shape (n,).

    Raises:
        ValueError: If the lattice is no grid, or x has another shape.
    """
    if lattice.shape is None:
        raise ValueError("the lattice has no axes: a grid needed")
    axis = int(np.argmax(lattice.shape))
    grid = np.moveaxis(_batch(x, lattice.n_sites).reshape(-1, *lattice.shape), axis + 1, 1)
    return np.asarray((grid[:, 0] * grid[:, -1]).reshape(len(grid), -1).mean(axis=1))


def open_faces(loops: LoopEnsemble, x: ArrayLike) -> NDArray[np.bool_]:
    """Inner faces around which the product of bonds is -1: where a loop ends.

    Args:
        loops: Gives the planar patch, which has to be connected.
        x: Bonds -1, +1, shape (n, n_bonds).

    Returns:
        Shape (n, n_faces), in the order of the embedding, row-major on open grids; none of them
        on closed loops.

    Raises:
        ValueError: If x has another shape.
    """
    batch = _batch(x, loops.lattice.n_sites)
    number = {tuple(edge): e for e, edge in enumerate(loops.spins.edges.tolist())}
    cycles = faces(loops.spins, loops.embedding)
    found = np.zeros((len(batch), len(cycles)), dtype=bool)
    for face, cycle in enumerate(cycles):
        pairs = zip(cycle, cycle[1:] + cycle[:1], strict=True)
        bonds = [number[(min(pair), max(pair))] for pair in pairs]
        found[:, face] = np.bitwise_xor.reduce(batch[:, bonds] < 0, axis=1)
    return found


def is_closed(loops: LoopEnsemble, x: ArrayLike) -> NDArray[np.bool_]:
    """Whether all loops of a sample close: whether spins with these bonds x_ij = s_i s_j exist.

    Args:
        loops: Gives the patch, any planar one.
        x: Bonds -1, +1, shape (n, n_bonds).

    Returns:
        Shape (n,).

    Raises:
        ValueError: If x has another shape or holds other values.
    """
    batch = _batch(x, loops.lattice.n_sites)
    everywhere = np.ones(batch.shape[1], dtype=bool)
    known, _ = BitFlip(0.0).evidence(batch, everywhere, 2)
    # Uniform loops have the same support, and ties of known bonds are all that it takes.
    uniform = LoopEnsemble(loops.spins, embedding=loops.embedding)
    return np.isfinite(uniform.log_evidence(known))


def _batch(x: ArrayLike, n_sites: int) -> NDArray[np.float64]:
    batch = np.asarray(x, dtype=float)
    if batch.ndim != 2 or batch.shape[1] != n_sites:
        raise ValueError(f"x has shape {batch.shape}: (n, {n_sites}) needed")
    return batch
