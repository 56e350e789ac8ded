"""Random laws, noises and regions for the property tests, beside their plain-Python twins.

Sizes are small enough for brute force; the values that break formulas (t = 0 and t = 1, states of
probability zero, empty B or C, marginalised sites) are drawn on purpose, not by luck.
"""

import itertools
from dataclasses import dataclass

import networkx as nx
import numpy as np
from hypothesis import strategies as st

import phasetheory as pt
from phasetheory.noise import Noise
from tests import brute

#: Bit flips and erasure as functions of t, with brute force's channel of the same name.
DISCRETE = {"BitFlip": pt.BitFlip, "Erasure": pt.Erasure}

#: Times: the two ends, and a generic one far enough from them that products of rates stay normal.
times = st.sampled_from([0.0, 1.0]) | st.floats(0.01, 0.99)
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Discrete:
    """A discrete law seen through a noise, in the package (`law`) and in plain Python."""

    prior: pt.Table | pt.Ising
    noise: Noise
    clean: brute.Law
    channels: list[brute.Channel]

    @property
    def law(self) -> pt.NoisyLaw:
        return self.prior.noised(self.noise)

    @property
    def n(self) -> int:
        return len(self.channels)

    @property
    def noisy(self) -> brute.Law:
        return brute.noisy(self.clean, self.channels)

    def outputs(self) -> np.ndarray:
        """Every noisy configuration, possible or not."""
        values = [sorted({y for row in N.values() for y in row}) for N in self.channels]
        return np.array(list(itertools.product(*values)), dtype=np.int8)


def symbols(q: int) -> tuple[int, ...]:
    return brute.SPINS if q == 2 else tuple(range(q))


def channel(kind: str, t: float, q: int) -> brute.Channel:
    """Brute force's channel of that name."""
    if kind == "BitFlip":
        return brute.bit_flip(t, symbols(q))
    return brute.erasure(t, symbols(q), erased=0 if q == 2 else -1)


@st.composite
def lattices(draw: st.DrawFn, max_sites: int = 6) -> pt.Lattice:
    """Open and periodic grids, chains, and random graphs (possibly in pieces)."""
    kind = draw(st.sampled_from(["chain", "grid", "ring", "graph"]))
    if kind == "chain":
        return pt.Lattice.chain(draw(st.integers(1, max_sites)))
    if kind == "ring":
        return pt.Lattice.ring(draw(st.integers(3, max(3, max_sites))))
    if kind == "grid":
        shapes = [(1, 3), (2, 2), (3, 2), (2, 3), (2, 1, 2)]
        return pt.Lattice.grid(
            draw(st.sampled_from([s for s in shapes if np.prod(s) <= max_sites]))
        )
    n = draw(st.integers(1, max_sites))
    pairs = list(itertools.combinations(range(n), 2))
    graph = nx.empty_graph(n)
    graph.add_edges_from(draw(st.sets(st.sampled_from(pairs))) if pairs else [])
    return pt.Lattice.from_graph(graph)


@st.composite
def noise_times(draw: st.DrawFn, n: int) -> float | list[float]:
    """One t for all sites, or one for each."""
    return draw(times | st.lists(times, min_size=n, max_size=n))


@st.composite
def tripartitions(draw: st.DrawFn, n: int) -> pt.Tripartition:
    """Random A (not empty), B, C; sites in none of them; B or C empty now and then."""
    part = draw(st.lists(st.sampled_from("ABC-"), min_size=n, max_size=n))
    part[draw(st.integers(0, n - 1))] = "A"
    return pt.Tripartition(*([i for i, p in enumerate(part) if p == name] for name in "ABC"))


def regions(n: int) -> st.SearchStrategy[list[int]]:
    """Site indices, possibly none, possibly all."""
    return st.sets(st.integers(0, n - 1)).map(sorted)


@st.composite
def discrete_cases(draw: st.DrawFn, model: str, max_sites: int = 5) -> Discrete:
    """An Ising model or a random table (q = 2 or 3, often with zeros) and a discrete noise."""
    if model == "Ising":
        lattice = draw(lattices(max_sites))
        n, q = lattice.n_sites, 2
        rng = np.random.default_rng(draw(seeds))
        coupling, field = rng.normal(0.0, 0.8, len(lattice.edges)), rng.normal(0.0, 0.7, n)
        if draw(st.booleans()):
            field[:] = 0.0
        edges = [(int(i), int(j)) for i, j in lattice.edges]
        clean = brute.ising(n, edges, coupling.tolist(), fields=field.tolist())
        prior: pt.Table | pt.Ising = pt.Ising(lattice, coupling=coupling, field=field)
    else:
        q = {"Table2": 2, "Table3": 3}[model]
        n = draw(st.integers(1, max_sites if q == 2 else 3))
        zeros = draw(st.sampled_from([0.0, 0.4]))
        clean = brute.random_table(n, symbols(q), draw(st.integers(0, 10**6)), zeros=zeros)
        shape = (q,) * n
        prior = pt.Table(pt.Lattice.chain(n), np.reshape(brute.table(clean, n, symbols(q)), shape))
    kind, t = draw(st.sampled_from(sorted(DISCRETE))), draw(noise_times(n))
    per_site = np.broadcast_to(np.asarray(t, dtype=float), n)
    channels = [channel(kind, float(s), q) for s in per_site]
    return Discrete(prior, DISCRETE[kind](t), clean, channels)


def random_covariance(rng: np.random.Generator, n: int) -> np.ndarray:
    """Well-conditioned covariance with long-range correlations."""
    root = rng.normal(size=(n, n + 2))
    return root @ root.T / n + 0.05 * np.eye(n)


def random_spectrum(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Positive eigenvalues lambda(k) = lambda(-k) of a stationary covariance on a torus."""
    values = rng.uniform(0.05, 3.0, shape)
    axes = tuple(range(len(shape)))
    return 0.5 * (values + np.roll(np.flip(values, axes), 1, axes))
