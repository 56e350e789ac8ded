r"""An Ising law laid out for Markov chains: flat arrays, checked once, energies on demand."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory._kernels.clusters import Bonds, Slots
from phasetheory._kernels.single_spin import Graph, energies
from phasetheory.models.ising import Ising

__all__ = ["Target", "target_of"]

Floats = NDArray[np.float64]
Spins = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Target:
    r"""An Ising law as the moves see it.

    .. math:: \pi(x) \propto e^{-E(x)}, \qquad E = -\sum_{ij} J_{ij} x_i x_j - \sum_i h_i x_i

    Temperature is absorbed in J and h, so that E has no unit.

    Attributes:
        edges: Shape (n_edges, 2), distinct pairs of distinct sites.
        coupling: J, shape (n_edges,), finite; edges with J = 0 are left out of every move.
        field: h, shape (n_sites,), finite.

    Raises:
        ValueError: If a coupling or field is infinite or NaN.
    """

    edges: NDArray[np.int64]
    coupling: Floats
    field: Floats

    def __post_init__(self) -> None:
        """Refuse hard constraints, which no move here can cross."""
        for name, values in (("coupling", self.coupling), ("field", self.field)):
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                raise ValueError(
                    f"{name}[{bad[0]}]={values[bad[0]]}: Markov chains need finite values; merge"
                    " spins tied by infinite couplings and drop known ones, or use an exact engine"
                )
        kept = self.coupling != 0
        object.__setattr__(self, "edges", self.edges[kept])
        object.__setattr__(self, "coupling", self.coupling[kept])
        # A writable copy: kernels would be compiled once more for read-only arrays.
        object.__setattr__(self, "field", np.array(self.field))

    def equals(self, other: "Target") -> bool:
        """Whether both have the same edges, couplings and fields."""
        return all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("edges", "coupling", "field")
        )

    @property
    def n_sites(self) -> int:
        """Number of spins."""
        return int(self.field.size)

    @cached_property
    def graph(self) -> Graph:
        """Neighbour lists with couplings and fields."""
        slots, order = _slots(self.edges.T, self.n_sites)
        weight = np.concatenate([self.coupling, self.coupling])[order]
        return Graph(slots.start, slots.neighbour, weight, self.field)

    @cached_property
    def bonds(self) -> Bonds:
        """Edges, and a bond of strength h_i from every site with a field to the ghost spin."""
        pinned = np.flatnonzero(self.field)
        ghost = np.full(pinned.size, self.n_sites)
        ends = np.concatenate([self.edges.T, np.stack([pinned, ghost])], axis=1).astype(np.uint32)
        strength = np.concatenate([self.coupling, self.field[pinned]])
        return Bonds(ends, np.sign(strength).astype(np.int8), -np.expm1(-2.0 * np.abs(strength)))

    @cached_property
    def slots(self) -> Slots:
        """Neighbour lists over `bonds`, the ghost included as a neighbour."""
        return _slots(self.bonds.ends, self.n_sites + 1)[0]

    @cached_property
    def colours(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]] | None:
        """The two classes of sites without edges inside; None if the graph is not bipartite."""
        colour = np.full(self.n_sites, -1, dtype=np.int64)
        for root in range(self.n_sites):
            if colour[root] >= 0:
                continue
            colour[root] = 0
            front = [root]
            while front:
                i = front.pop()
                for j in self.graph.neighbour[self.graph.start[i] : self.graph.start[i + 1]]:
                    if colour[j] < 0:
                        colour[j] = 1 - colour[i]
                        front.append(int(j))
                    elif colour[j] == colour[i]:
                        return None
        even, odd = (np.flatnonzero(colour == c).astype(np.uint32) for c in (0, 1))
        return even, odd

    def energy(self, spins: ArrayLike) -> Floats:
        """E of each configuration, shape (...,) for spins of shape (..., n_sites).

        Raises:
            ValueError: If the last axis has another length.
        """
        x = np.asarray(spins)
        if x.ndim < 1 or x.shape[-1] != self.n_sites:
            raise ValueError(f"spins has shape {x.shape}: (..., {self.n_sites}) needed")
        flat = np.ascontiguousarray(x.reshape(-1, self.n_sites), dtype=np.int8)
        return np.asarray(energies(flat, self.graph).reshape(x.shape[:-1]))

    def spins(self, given: ArrayLike) -> Spins:
        """One configuration as a fresh int8 array.

        Raises:
            ValueError: If the shape is wrong or a value is neither -1 nor +1.
        """
        x = np.array(given)
        if x.shape != (self.n_sites,) or not np.isin(x, (-1, 1)).all():
            raise ValueError(
                f"spins has shape {x.shape}, values {np.unique(x)[:4]}: ({self.n_sites},) of -1, +1"
                " needed"
            )
        return x.astype(np.int8)

    def refuse_free_spins(self, move: str) -> None:
        """Refuse spins without coupling and field, which a Metropolis step flips every time.

        Raises:
            ValueError: If there is one.
        """
        free = np.flatnonzero((np.diff(self.graph.start) == 0) & (self.field == 0))
        if free.size:
            raise ValueError(
                f"{move}: {free.size} spins (first: site {free[0]}) have neither coupling nor"
                " field; every flip of theirs is accepted, so they alternate for ever: use"
                " 'heat-bath'"
            )


def target_of(model: Any) -> Target:
    """Lay out an Ising model.

    Raises:
        ValueError: If the model is no `phasetheory.Ising`.
    """
    if isinstance(model, Target):
        return model
    if not isinstance(model, Ising):
        raise ValueError(
            f"model is a {type(model).__name__}: Markov chains run on phasetheory.Ising; other"
            " models draw exactly with model.sample(n)"
        )
    edges = np.asarray(model.lattice.edges)
    return Target(edges, np.asarray(model.coupling, float), np.asarray(model.field, float))


def _slots(ends: NDArray[Any], n: int) -> tuple[Slots, NDArray[np.int64]]:
    """Neighbour lists of n nodes, and which half-edge (2 n_bonds of them) sits in each slot."""
    here, there = np.concatenate([ends[0], ends[1]]), np.concatenate([ends[1], ends[0]])
    order = np.lexsort((there, here))
    start = np.concatenate([[0], np.cumsum(np.bincount(here, minlength=n))]).astype(np.uint32)
    bond = np.tile(np.arange(len(ends[0])), 2)[order].astype(np.uint32)
    return Slots(start, there[order].astype(np.uint32), bond), order
