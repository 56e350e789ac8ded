"""What the explorer can show: laws with their sizes, their noises and where A is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.images import load_images
from phasetheory.lattice import Lattice, Tripartition
from phasetheory.models.curie_weiss import CurieWeiss
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.models.gaussian_mixture import GaussianMixture
from phasetheory.models.ising import Ising
from phasetheory.models.loops import LoopEnsemble
from phasetheory.models.table import Table
from phasetheory.noise import BitFlip, Erasure, Gaussian, Noise

__all__ = ["NOISES", "SCENES", "Scene", "Stage"]

Shape = tuple[int, int]

#: Names on the page -> noises, callables t -> noise.
NOISES: dict[str, Callable[[float], Noise]] = {
    "bit flips": BitFlip,
    "erasure": Erasure,
    "Gaussian": Gaussian,
}
_DISCRETE = ("bit flips", "erasure")
#: Critical coupling of the square lattice, log(1 + sqrt 2)/2 (Onsager 1944).
_CRITICAL = float(np.log1p(np.sqrt(2.0)) / 2.0)
#: The CMI of exact laws costs little, so that their path has finer steps. Both avoid t = 0, where
#: laws without a density have none, and t = 1, where nothing is left.
_FINE = tuple(np.round(np.linspace(0.02, 0.98, 49), 2).tolist())
_COARSE = tuple(np.round(np.linspace(0.02, 0.98, 25), 2).tolist())
#: Largest buffer radius on offer, and that of the law whose windows all have to be solved apart:
#: at r = 4, 784 windows of 81 pixels.
_MAX_RADIUS, _MAX_RADIUS_PIXELS = 8, 4


@dataclass(frozen=True, eq=False)
class Stage:
    """A law of one size.

    Attributes:
        model: The clean law.
        shape: Rows and columns of the picture; of the spins where the sites are bonds.
        centre: Where A is, as for `Lattice.tripartition` of `places`.
        places: The lattice that gives distances: that of the model, or, where the model has none,
            the grid on which its sites are laid out.
        max_radius: Largest buffer radius on offer.
    """

    model: Any
    shape: Shape
    centre: Any
    places: Lattice
    max_radius: int = _MAX_RADIUS

    @property
    def bonds(self) -> bool:
        """Whether the sites are bonds, drawn as lines."""
        return isinstance(self.model, LoopEnsemble)

    @cached_property
    def parts(self) -> dict[int, Tripartition]:
        """Tripartition of every radius with sites left in C, from 0."""
        found: dict[int, Tripartition] = {}
        for radius in range(self.max_radius + 1):
            parts = self.places.tripartition(self.centre, radius)
            if not parts.C.size:
                break
            found[radius] = parts
        return found

    @cached_property
    def distances(self) -> NDArray[np.float64]:
        """Distance of all pairs of sites, shape (n_sites, n_sites): row i from site i."""
        return np.array([self.places.distances([i]) for i in range(self.places.n_sites)])


@dataclass(frozen=True, eq=False)
class Scene:
    """A law on offer.

    Attributes:
        name: Name on the page.
        law: Its definition in one line of HTML.
        lesson: What to look for, in one sentence.
        build: Shape -> stage.
        shapes: Sizes on offer, the default first.
        noises: Keys of :data:`NOISES` that fit.
        patch: (shape, centre) of the small copy on which recovery by tables is exact, by noise;
            empty where recovery needs none.
        times: Diffusion times of the path.
        n_samples: Draws at every time where the CMI is sampled.
    """

    name: str
    law: str
    lesson: str
    build: Callable[[Shape], Stage]
    shapes: tuple[Shape, ...]
    noises: tuple[str, ...]
    patch: Mapping[str, tuple[Shape, Any]]
    times: tuple[float, ...] = _FINE
    n_samples: int = 400

    def stage(self, shape: Shape) -> Stage:
        """The law of one size, built once."""
        return _stage(self, shape)


@cache
def _stage(scene: Scene, shape: Shape) -> Stage:
    return scene.build(shape)


#: A at one end of a patch, so that several buffer radii leave sites in C. Erasure has three
#: symbols, and Gaussian noise is sampled: these take fewer sites.
_PATCH: dict[str, tuple[Shape, Any]] = {
    "bit flips": ((3, 5), (1, 0)),
    "erasure": ((2, 5), (0, 0)),
    "Gaussian": ((2, 5), (0, 0)),
}


def _middle(shape: Shape) -> Shape:
    return shape[0] // 2, shape[1] // 2


def _ising(coupling: float) -> Callable[[Shape], Stage]:
    def build(shape: Shape) -> Stage:
        lattice = Lattice.grid(shape)
        return Stage(Ising(lattice, coupling), shape, _middle(shape), lattice)

    return build


def _curie_weiss(coupling: float) -> Callable[[Shape], Stage]:
    def build(shape: Shape) -> Stage:
        model = CurieWeiss(shape[0] * shape[1], coupling)
        return Stage(model, shape, _middle(shape), Lattice.grid(shape))

    return build


def _even_parity(shape: Shape) -> Stage:
    lattice = Lattice.grid(shape)
    n = lattice.n_sites
    states = np.indices((2,) * n).sum(axis=0)
    table = Table(lattice, np.where((n - states) % 2 == 0, 0.5 ** (n - 1), 0.0))
    return Stage(table, shape, (0, 0), lattice)


def _torus(mass: float) -> Callable[[Shape], Stage]:
    def build(shape: Shape) -> Stage:
        lattice = Lattice.grid(shape, periodic=True)
        down, across = (2.0 - 2.0 * np.cos(2.0 * np.pi * np.arange(n) / n) for n in shape)
        spectrum = 1.0 / (down[:, None] + across[None, :] + mass**2)
        return Stage(GaussianField.stationary(lattice, spectrum), shape, _middle(shape), lattice)

    return build


def _clothes(shape: Shape) -> Stage:
    images = load_images("fashion-mnist")
    rows, columns = shape
    down, across = images.shape[1] // rows, images.shape[2] // columns
    images = images.reshape(len(images), rows, down, columns, across).mean(axis=(2, 4))
    model = GaussianField.fit(images)
    return Stage(model, shape, _middle(shape), model.lattice, _MAX_RADIUS_PIXELS)


def _two_classes(shape: Shape) -> Stage:
    lattice = Lattice.grid(shape)
    means = np.array([[1.0], [-1.0]]) * np.ones(lattice.n_sites)
    model = GaussianMixture(lattice, means=means, variance=1.0)
    return Stage(model, shape, _middle(shape), lattice)


def _loops(shape: Shape) -> Stage:
    spins = Lattice.grid(shape)
    model = LoopEnsemble(spins)
    row, column = (shape[0] - 1) // 2, (shape[1] - 1) // 2
    left = row * shape[1] + column
    return Stage(model, shape, (left, left + 1), model.lattice)


_SQUARES = ((9, 9), (7, 7), (5, 21))
_PAIR = "<i>p</i> ∝ exp(<i>J</i> ∑<sub>⟨ij⟩</sub> <i>x<sub>i</sub>x<sub>j</sub></i>)"
#: Shape of the spins, and the bond A.
_BONDS: dict[str, tuple[Shape, Any]] = {
    "bit flips": ((3, 4), (0, 1)),
    "erasure": ((2, 4), (0, 1)),
}

#: All scenes, in the order of the menu.
SCENES: dict[str, Scene] = {
    scene.name: scene
    for scene in (
        Scene(
            "Ising, critical",
            f"{_PAIR}, <i>J</i> = {_CRITICAL:.4f}, open grid",
            "The Markov length is largest near pure noise, and grows with the grid.",
            _ising(_CRITICAL), _SQUARES, tuple(NOISES), _PATCH, _COARSE,
        ),
        Scene(
            "Ising, hot",
            f"{_PAIR}, <i>J</i> = 0.25, open grid",
            "A buffer of one site is nearly enough at every <i>t</i>.",
            _ising(0.25), _SQUARES, tuple(NOISES), _PATCH, _COARSE,
        ),
        Scene(
            "Ising, cold",
            f"{_PAIR}, <i>J</i> = 0.7, open grid",
            "A small window loses the sign at a smaller <i>t</i> than the whole grid does.",
            _ising(0.7), _SQUARES, tuple(NOISES), _PATCH, _COARSE,
        ),
        Scene(
            "Repetition code",
            "All spins equal, either sign with probability 1/2; no distances: laid out on a grid",
            "Nonlocal where the buffer no longer tells the sign and the whole code does.",
            _curie_weiss(np.inf), ((15, 15), (9, 9), (21, 21)), tuple(NOISES), _PATCH,
        ),
        Scene(
            "Curie-Weiss, ordered",
            "<i>p</i> ∝ exp(<i>J</i> (∑<i>x</i>)<sup>2</sup>/2<i>n</i>), <i>J</i> = 1.2; no"
            " distances: laid out on a grid",
            "Given the sign of the magnetisation the spins are almost independent.",
            _curie_weiss(1.2), ((9, 9), (15, 15)), tuple(NOISES), _PATCH, _COARSE, 200,
        ),
        Scene(
            "Even parity",
            "Uniform on all spin patterns with an even number of −1",
            "One check on all spins: no buffer helps until it holds them all.",
            _even_parity, ((2, 5), (3, 3)), _DISCRETE, {},
        ),
        Scene(
            "Closed loops",
            "Bonds <i>x<sub>ij</sub></i> = <i>s<sub>i</sub>s<sub>j</sub></i> of independent fair"
            " spins: domain walls close",
            "Transition: <i>t</i> = 1/2 under erasure (bond percolation), 0.218 under bit flips.",
            _loops, ((8, 8), (6, 6)), _DISCRETE, _BONDS, _COARSE,
        ),
        Scene(
            "Gaussian field, massive",
            "Torus, spectrum 1/(<i>k̂</i><sup>2</sup> + <i>m</i><sup>2</sup>), <i>m</i> = 1",
            "The Markov length stays below a site at every <i>t</i>.",
            _torus(1.0), ((16, 16), (24, 24)), ("Gaussian",), {},
        ),
        Scene(
            "Gaussian field, light",
            "Torus, spectrum 1/(<i>k̂</i><sup>2</sup> + <i>m</i><sup>2</sup>), <i>m</i> = 0.1",
            "The Markov length grows towards pure noise.",
            _torus(0.1), ((16, 16), (24, 24)), ("Gaussian",), {},
        ),
        Scene(
            "Fashion-MNIST, Gaussian field",
            "Mean and covariance of 10,000 images of clothes in [0, 1], covariance shrunk",
            "Most of it sits within a few pixels; a tail reaches further.",
            _clothes, ((28, 28), (14, 14)), ("Gaussian",), {},
        ),
        Scene(
            "Gaussian mixture",
            "Two classes <i>N</i>(±1, 1) at every site, equal weights",
            "Nonlocal where the buffer cannot tell the class and everything can.",
            _two_classes, ((16, 16), (8, 8), (24, 24)), ("Gaussian",), {},
        ),
    )
}  # fmt: skip
