"""Named instances on which theorems are checked: a noisy law, three regions, further noise."""

from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.lattice import Lattice, Tripartition
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.models.gaussian_mixture import GaussianMixture
from phasetheory.models.ising import Ising
from phasetheory.models.labelled_table import LabelledTable
from phasetheory.models.table import Table
from phasetheory.noise import BitFlip, Erasure, Gaussian, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import Prior

__all__ = ["Instance"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Instance:
    """What a theorem is checked on.

    Attributes:
        name: Shown in tables.
        law: The noisy law.
        parts: Regions A, B, C.
        extra: Further channel on A, where the theorem speaks of one: a noise, or a column-
            stochastic matrix.
        radius: Window radius of every site's denoiser (T12).
        n_samples: Samples where something is sampled.
        quick: Whether it is part of the short run.
    """

    name: str
    law: NoisyLaw
    parts: Tripartition
    extra: Noise | ArrayLike | None = None
    radius: float = 0.0
    n_samples: int = 4000
    quick: bool = True


# Laws.


def ising_grid(shape: tuple[int, ...] = (3, 3), coupling: float = 0.4, field: float = 0.1) -> Ising:
    """Open Ising grid in a uniform field."""
    return Ising(Lattice.grid(shape), coupling, field)


def ising_graph(n: int, seed: int) -> Ising:
    """Spin glass in random fields on a path with random further edges, so that there are loops."""
    rng = np.random.default_rng(seed)
    graph = nx.path_graph(n)
    while graph.number_of_edges() < min(n + n // 3, n * (n - 1) // 2):
        u, v = rng.choice(n, size=2, replace=False).tolist()
        graph.add_edge(u, v)
    lattice = Lattice.from_graph(graph)
    return Ising(lattice, rng.normal(0.0, 0.8, len(lattice.edges)), rng.normal(0.0, 0.3, n))


def random_strip(shape: tuple[int, ...], seed: int) -> Ising:
    """Open grid with random couplings of both signs and random fields."""
    rng = np.random.default_rng(seed)
    lattice = Lattice.grid(shape)
    coupling = rng.normal(0.0, 0.7, len(lattice.edges))
    return Ising(lattice, coupling, rng.normal(0.0, 0.3, lattice.n_sites))


def repetition_code(n: int) -> Table:
    """N copies of one fair bit."""
    p = np.zeros((2,) * n)
    p[(0,) * n] = p[(1,) * n] = 0.5
    return Table(Lattice.chain(n), p)


def random_table(n: int, q: int, seed: int) -> Table:
    """Random law on q^n states, its weights spread over a few orders of magnitude."""
    weights = np.random.default_rng(seed).gamma(0.3, size=(q,) * n) + 1e-6
    return Table(Lattice.chain(n), weights / weights.sum())


def pair(correlation: float) -> Table:
    """Two spins with p(a, b) = (1 + correlation a b)/4."""
    ab = np.outer([-1.0, 1.0], [-1.0, 1.0])
    return Table(Lattice.chain(2), (1.0 + correlation * ab) / 4.0)


def parity_pair(correlation: float) -> LabelledTable:
    """Two spins labelled by their product, which neither of them alone knows anything about."""
    return LabelledTable.by(pair(correlation), lambda x: (x.prod(axis=1) > 0).astype(int))


def labelled_table(n: int, q: int, n_labels: int, seed: int) -> LabelledTable:
    """Mixture of product laws, one a label, blurred with a random law of label and data."""
    rng = np.random.default_rng(seed)
    joint = np.empty((n_labels,) + (q,) * n)
    for label in range(n_labels):
        law = np.ones(())
        for site in rng.dirichlet(np.full(q, 0.5), n):
            law = np.multiply.outer(law, site)
        joint[label] = law / n_labels
    blur = rng.dirichlet(np.full(joint.size, 0.3)).reshape(joint.shape)
    return LabelledTable(Lattice.chain(n), 0.9 * joint + 0.1 * blur)


def neighbour_field(lattice: Lattice, mass: float) -> GaussianField:
    """Gaussian field with precision mass + graph Laplacian: nearest neighbours only."""
    n = lattice.n_sites
    precision = mass * np.eye(n)
    for i, j in lattice.edges:
        precision[[i, j], [i, j]] += 1.0
        precision[[i, j], [j, i]] -= 1.0
    return GaussianField(lattice, precision=precision)


def random_field(n: int, seed: int) -> GaussianField:
    """Gaussian field with a random covariance and mean, far from any locality."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n))
    covariance = root @ root.T / n + 0.05 * np.eye(n)
    return GaussianField(Lattice.chain(n), rng.standard_normal(n), covariance)


def two_clusters(n: int, distance: float = 1.0, variance: float = 0.5) -> GaussianMixture:
    """Equal mixture of two isotropic Gaussians at +-distance on every site."""
    return GaussianMixture(Lattice.chain(n), distance * np.outer([-1.0, 1.0], np.ones(n)), variance)


def copied_field(snr: float) -> NoisyLaw:
    r"""Two copies of one Gaussian number, the first seen at some snr, the second without noise.

    With snr = alpha^2 v / sigma^2, Var(y_A) = sigma^2 (1 + snr) and Var(y_A|y_C) = sigma^2.
    """
    field = GaussianField(Lattice.chain(2), covariance=snr * np.ones((2, 2)))
    return field.noised(Gaussian.from_scales(np.ones(2), np.array([1.0, 0.0])))


def noisy_on(prior: Prior, site: int, snr: float) -> NoisyLaw:
    """Gaussian noise of the given snr on one site, none elsewhere."""
    sigma = np.zeros(prior.lattice.n_sites)
    sigma[site] = snr**-0.5
    return NoisyLaw(prior, Gaussian.from_scales(np.ones_like(sigma), sigma))


# Random instances, by seed.


def random_parts(n: int, rng: np.random.Generator, *, size: int = 1) -> Tripartition:
    """A of `size` sites, C of at least one, and the rest in B, in C or in neither."""
    order = rng.permutation(n)
    where = rng.choice(3, size=n - size - 1, p=[0.45, 0.45, 0.1])
    rest = order[size + 1 :]
    far = np.append(rest[where == 1], order[size])
    return Tripartition(A=order[:size], B=rest[where == 0], C=far)


def random_discrete(seed: int) -> Instance:
    """Random table (q = 2 or 3) or spin glass, bit flips or erasure, any tripartition."""
    rng = np.random.default_rng(seed)
    kind: Any = BitFlip if rng.random() < 0.5 else Erasure
    q = 2 if kind is Erasure or rng.random() < 0.6 else 3
    n = int(rng.integers(3, 6 if q == 2 else 5))
    prior: Prior = random_table(n, q, seed) if rng.random() < 0.7 else ising_graph(n, seed)
    law = NoisyLaw(prior, kind(0.8 * rng.random(n) if rng.random() < 0.5 else 0.5 * rng.random()))
    parts = random_parts(n, rng, size=int(rng.integers(1, 3)))
    return Instance(f"random {kind.__name__} law {seed}", law, parts, kind(rng.random()))


def random_gaussian(seed: int) -> Instance:
    """Random covariance under uniform or per-site Gaussian noise, any tripartition."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 8))
    t = 0.1 + 0.7 * (rng.random(n) if rng.random() < 0.5 else rng.random())
    parts = random_parts(n, rng, size=int(rng.integers(1, 3)))
    extra = Gaussian(0.1 + 0.8 * rng.random())
    law = random_field(n, seed).noised(Gaussian(t))
    return Instance(f"random Gaussian law {seed}", law, parts, extra)


def random_spins(seed: int, *, n_samples: int = 4000) -> Instance:
    """Spin glass under Gaussian noise on every site: sampled."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 7))
    law = ising_graph(n, seed).noised(Gaussian(0.3 + 0.4 * rng.random()))
    return Instance(f"random noisy spins {seed}", law, random_parts(n, rng), n_samples=n_samples)


def random_mixed(seed: int) -> Instance:
    """Spin glass with Gaussian noise on A only: expectations by enumeration of B and C."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 5))
    parts = random_parts(n, rng)
    law = noisy_on(ising_graph(n, seed), int(parts.A[0]), 0.2 + 2.0 * rng.random())
    return Instance(f"random spins, noise on A {seed}", law, parts)
