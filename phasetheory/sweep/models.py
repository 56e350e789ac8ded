"""Models that a sweep can name: functions of a size and a few numbers.

Adding a model is a function and a line in `MODELS`. `size` is the linear size L that finite-size
scaling goes by. Defaults are part of the meaning of old ledgers: add parameters, never change a
default.
"""

from collections.abc import Callable

import numpy as np

from phasetheory.images import load_images
from phasetheory.lattice import Lattice
from phasetheory.models.curie_weiss import CurieWeiss
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.models.gaussian_mixture import GaussianMixture
from phasetheory.models.hierarchy import Hierarchy
from phasetheory.models.ising import Ising
from phasetheory.models.loops import LoopEnsemble
from phasetheory.prior import Prior

__all__ = ["MODELS"]


def ising(
    *,
    size: int,
    coupling: float,
    width: int = 0,
    dimension: int = 2,
    field: float = 0.0,
    negative: float = 0.0,
    disorder_seed: int = 0,
) -> Prior:
    r"""Ising model on an open grid, :math:`p \propto \exp(\sum J_{ij} x_i x_j + h \sum x_i)`.

    Args:
        size: Side L of a square (cube) of `dimension`, or the length of a strip.
        coupling: J, inverse temperature absorbed.
        width: Width of the strip of shape (width, size); 0 for the grid of side L.
        dimension: Dimension of that grid.
        field: h on every site.
        negative: Probability that a bond has coupling -J, drawn once per `disorder_seed`.
        disorder_seed: Which draw of the bonds; an axis of it is an average over disorder.

    Returns:
        The model.
    """
    if not 0.0 <= negative <= 1.0:
        raise ValueError(f"negative={negative}: a probability needed")
    lattice = Lattice.grid((width, size) if width else (size,) * dimension)
    if not negative:
        return Ising(lattice, coupling, field)
    flipped = np.random.default_rng(disorder_seed).random(len(lattice.edges)) < negative
    return Ising(lattice, np.where(flipped, -coupling, coupling), field)


def curie_weiss(*, size: int, coupling: float) -> Prior:
    """Curie-Weiss model of `size` spins; coupling inf is the repetition code."""
    return CurieWeiss(size, coupling)


def gaussian_mixture(
    *, size: int, dimension: int = 2, mean: float = 1.0, variance: float = 1.0
) -> Prior:
    """Two equal Gaussians around -mean and +mean on the open grid of side `size`."""
    return GaussianMixture.symmetric(Lattice.grid((size,) * dimension), mean, variance)


def free_field(*, size: int, mass: float, dimension: int = 2) -> Prior:
    r"""Free lattice field on the torus of side `size`.

    The covariance has the eigenvalues :math:`1/(m^2 + \sum_a 4 \sin^2(k_a/2))`. At mass 0 the
    uniform mode, which has no normalisable law, is left out.
    """
    if not mass >= 0.0:
        raise ValueError(f"mass={mass}: a number >= 0 needed")
    waves = 4.0 * np.sin(np.pi * np.fft.fftfreq(size)) ** 2
    stiffness = sum(np.ix_(*[waves] * dimension), start=np.full((size,) * dimension, mass**2))
    positive = stiffness > 0.0
    spectrum = np.where(positive, 1.0 / np.where(positive, stiffness, 1.0), 0.0)
    return GaussianField.stationary(Lattice.grid((size,) * dimension, periodic=True), spectrum)


def image_field(*, images: str = "fashion-mnist") -> Prior:
    """Gaussian field fitted to a set of images (values in [0, 1], not centred)."""
    return GaussianField.fit(load_images(images))


def loop_ensemble(*, size: int, coupling: float = 0.0) -> Prior:
    """Domain walls of the Ising model on the open size x size grid of spins; sites are bonds."""
    return LoopEnsemble(Lattice.grid((size, size)), coupling)


def pinned_loops(*, size: int, columns: int = 0, coupling: float = 0.0) -> Prior:
    """Loops on a patch of `size` rows between two pinned sides; size - 1 columns by default."""
    return LoopEnsemble.pinned((size, columns or size - 1), coupling)


def hierarchy(*, size: int, eigenvalue: float, branching: int = 2, q: int = 2) -> Prior:
    """Broadcast down a tree of depth `size`: child = parent with the given eigenvalue."""
    return Hierarchy(size, branching, q=q, eigenvalue=eigenvalue)


MODELS: dict[str, Callable[..., Prior]] = {
    "CurieWeiss": curie_weiss,
    "FreeField": free_field,
    "GaussianMixture": gaussian_mixture,
    "Hierarchy": hierarchy,
    "ImageField": image_field,
    "Ising": ising,
    "LoopEnsemble": loop_ensemble,
    "PinnedLoops": pinned_loops,
}
