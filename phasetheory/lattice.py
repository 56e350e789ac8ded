"""Lattices, their distances, and the tripartitions A, B, C of conditional mutual information."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.metrics import BondMetric, GraphMetric, GridMetric, Indices, Metric

__all__ = ["Lattice", "Region", "Tripartition"]

#: A set of sites: a boolean mask of length n_sites, or site indices. None means every site.
Region = ArrayLike | None


@dataclass(frozen=True, eq=False)
class Tripartition:
    """Three disjoint sets of sites: A to denoise, B its buffer, C the rest.

    Sites in none of the three are marginalised (summed or integrated out).

    Attributes:
        A: Sorted site indices of the site or block to denoise; not empty.
        B: Sorted site indices of the buffer; may be empty.
        C: Sorted site indices of the rest; may be empty.
    """

    A: Indices
    B: Indices
    C: Indices

    def __init__(self, A: ArrayLike, B: ArrayLike, C: ArrayLike) -> None:
        """Take the regions as boolean masks or as site indices.

        Args:
            A: Mask of shape (n_sites,) or indices.
            B: Likewise.
            C: Likewise.

        Raises:
            ValueError: If A is empty, an index is negative or repeated, or regions overlap.
        """
        parts = {
            name: _indices(name, region) for name, region in zip("ABC", (A, B, C), strict=True)
        }
        if not parts["A"].size:
            raise ValueError("A is empty: name at least one site to denoise")
        for first, second in ("AB", "AC", "BC"):
            shared = np.intersect1d(parts[first], parts[second])
            if shared.size:
                raise ValueError(
                    f"{first} and {second} overlap on sites {shared[:5].tolist()}:"
                    " the regions of a tripartition are disjoint"
                )
        for name, sites in parts.items():
            sites.setflags(write=False)
            object.__setattr__(self, name, sites)

    def union(self, names: str) -> Indices:
        """Sorted indices of a union of regions, for example ``parts.union("AB")``."""
        return np.sort(np.concatenate([getattr(self, name) for name in names]))

    def __repr__(self) -> str:
        """Return the sizes of the three regions."""
        return f"Tripartition(|A|={self.A.size}, |B|={self.B.size}, |C|={self.C.size})"


@dataclass(frozen=True, eq=False)
class Lattice:
    """Sites, edges and a distance.

    Build one with :meth:`grid`, :meth:`chain`, :meth:`ring`, :meth:`from_graph` or :meth:`bare`.

    Attributes:
        n_sites: Number of sites.
        edges: Shape (n_edges, 2), i < j, sorted lexicographically; per-edge arrays follow it.
        shape: Side lengths on grids (sites are row-major), None elsewhere.
        periodic: Which axes wrap round, on grids; empty elsewhere.
        labels: Node names in site order, for lattices made from a graph.
        positions: Shape (n_sites, 2), for drawing only, or None.
    """

    n_sites: int
    edges: Indices
    metric: Metric | None = field(repr=False)
    shape: tuple[int, ...] | None = None
    periodic: tuple[bool, ...] = ()
    labels: tuple[Hashable, ...] | None = field(default=None, repr=False)
    positions: NDArray[np.float64] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Freeze the edge list."""
        self.edges.setflags(write=False)

    @classmethod
    def grid(cls, shape: Sequence[int], periodic: bool | Sequence[bool] = False) -> "Lattice":
        """Hypercubic grid with nearest-neighbour edges, sites in row-major order.

        Args:
            shape: Side lengths, one per axis, each at least 1 (3 on a periodic axis).
            periodic: Whether axes wrap round: one flag for all, or one per axis.

        Returns:
            The lattice; its distance is Chebyshev (wrapped on periodic axes).

        Raises:
            ValueError: If a side length or the number of flags is off.
        """
        sides = tuple(int(length) for length in shape)
        flags = np.asarray(periodic, dtype=bool)
        wraps = tuple(flags.tolist()) if flags.ndim else (bool(flags),) * len(sides)
        whole = all(side == length for side, length in zip(sides, shape, strict=True))
        if not sides or not whole or min(sides) < 1 or len(wraps) != len(sides):
            raise ValueError(
                f"shape={tuple(shape)}, periodic={periodic!r}: one side length >= 1 and one flag"
                " an axis needed"
            )
        for length, wrap in zip(sides, wraps, strict=True):
            if wrap and length < 3:
                raise ValueError(f"shape={sides}: a periodic axis needs length >= 3, got {length}")
        index = np.arange(int(np.prod(sides))).reshape(sides)
        pairs = []
        for axis, wrap in enumerate(wraps):
            ahead = np.roll(index, -1, axis=axis)
            here = index if wrap else np.take(index, np.arange(sides[axis] - 1), axis=axis)
            there = ahead if wrap else np.take(ahead, np.arange(sides[axis] - 1), axis=axis)
            pairs.append(np.stack([here.ravel(), there.ravel()], axis=1))
        metric = GridMetric(sides, wraps)
        return cls(index.size, _sorted_edges(np.concatenate(pairs)), metric, sides, wraps)

    @classmethod
    def chain(cls, length: int, periodic: bool = False) -> "Lattice":
        """One-dimensional grid of `length` sites (a ring if periodic)."""
        return cls.grid((length,), periodic)

    @classmethod
    def ring(cls, length: int) -> "Lattice":
        """Periodic chain of `length` >= 3 sites."""
        return cls.chain(length, periodic=True)

    @classmethod
    def from_graph(cls, graph: nx.Graph) -> "Lattice":
        """Lattice of any simple undirected networkx graph; sites follow the node order.

        Args:
            graph: Node attribute `pos`, where every node has one, is used for drawing only.

        Returns:
            The lattice; its distance is the number of edges on the shortest path.

        Raises:
            ValueError: If the graph is directed, empty, a multigraph, or has self-loops.
        """
        if graph.is_directed() or graph.is_multigraph() or not len(graph):
            raise ValueError(f"graph={graph}: a non-empty simple undirected graph needed")
        loops = list(nx.selfloop_edges(graph))
        if loops:
            raise ValueError(f"graph has self-loops at {[u for u, _ in loops[:5]]}: remove them")
        nodes = tuple(graph.nodes)
        site = {node: i for i, node in enumerate(nodes)}
        pairs = np.array([(site[u], site[v]) for u, v in graph.edges], dtype=np.int64)
        edges = _sorted_edges(pairs.reshape(-1, 2))
        drawn = nx.get_node_attributes(graph, "pos")
        positions = np.array([drawn[v] for v in nodes], float) if len(drawn) == len(nodes) else None
        metric = GraphMetric(len(nodes), edges)
        return cls(len(nodes), edges, metric, labels=nodes, positions=positions)

    @classmethod
    def bare(cls, n_sites: int) -> "Lattice":
        """Sites without edges or distances (exchangeable models): regions by mask only."""
        if n_sites < 1:
            raise ValueError(f"n_sites={n_sites}: at least 1 needed")
        return cls(int(n_sites), np.zeros((0, 2), dtype=np.int64), None)

    @classmethod
    def of_bonds(cls, spins: "Lattice") -> "Lattice":
        """Lattice whose sites are the edges of another, in their order.

        Two bonds are neighbours where they share a spin. B of a tripartition with radius r holds
        the other bonds with both ends within distance r of an end of A; a centre is a bond index
        or the pair of its ends.

        Args:
            spins: The lattice that gives the bonds.

        Returns:
            The lattice of bonds, its positions the midpoints of bonds.
        """
        metric = None if spins.metric is None else BondMetric(spins.metric, spins.edges)
        places = spins.positions
        if places is None and spins.shape is not None and len(spins.shape) == 2:
            places = np.indices(spins.shape)[::-1].reshape(2, -1).T.astype(float)
        middle = None if places is None else places[spins.edges].mean(axis=1)
        return cls(len(spins.edges), _sharing_a_spin(spins), metric, positions=middle)

    def neighbours(self, site: int) -> Indices:
        """Sorted sites that share an edge with `site`."""
        i, j = self.edges[:, 0], self.edges[:, 1]
        return np.sort(np.concatenate([j[i == site], i[j == site]]))

    def distances(self, sites: ArrayLike) -> NDArray[np.float64]:
        """Distance of every site from the nearest of `sites`, shape (n_sites,); inf if cut off.

        Raises:
            ValueError: If the lattice has no distance (exchangeable models).
        """
        if self.metric is None:
            raise ValueError("this lattice has no distances: give regions by mask or indices")
        return self.metric.distances(np.flatnonzero(self.mask(sites)))

    def mask(self, region: Region) -> NDArray[np.bool_]:
        """Boolean mask of a region given as mask, indices, or None for every site.

        Raises:
            ValueError: If the mask has the wrong length or an index is not a site.
        """
        if region is None:
            return np.ones(self.n_sites, dtype=bool)
        given = np.asarray(region)
        if given.dtype == bool and given.shape != (self.n_sites,):
            raise ValueError(
                f"region is a mask of shape {given.shape}: shape ({self.n_sites},) needed"
            )
        sites = _indices("region", given)
        if sites.size and sites[-1] >= self.n_sites:
            raise ValueError(f"region holds site {sites[-1]}: sites run to {self.n_sites - 1}")
        mask = np.zeros(self.n_sites, dtype=bool)
        mask[sites] = True
        return mask

    def tripartition(self, centre: object, radius: float, size: int = 1) -> Tripartition:
        """A at `centre`, B within distance `radius` of A, C everything else.

        Args:
            centre: Coordinate tuple on grids (an integer will do in one dimension), a site index
                elsewhere: the lowest corner of A.
            radius: Buffer radius r >= 0, in lattice units.
            size: A is the block of size^d sites on a d-dimensional grid.

        Returns:
            The tripartition; A, B and C cover the lattice.

        Raises:
            ValueError: If the centre, the block or the radius does not fit the lattice, or the
                lattice has no distance.

        Example:
            >>> parts = Lattice.grid((3, 4)).tripartition(centre=(1, 1), radius=1)
            >>> parts.A.tolist(), parts.B.tolist(), parts.C.tolist()
            ([5], [0, 1, 2, 4, 6, 8, 9, 10], [3, 7, 11])
        """
        if self.metric is None:
            raise ValueError("this lattice has no distances: build pt.Tripartition from masks")
        if not radius >= 0:
            raise ValueError(f"radius={radius}: a number >= 0 needed")
        if size < 1:
            raise ValueError(f"size={size}: at least 1 needed")
        block = self.metric.block(centre, size)
        near = self.metric.distances(block) <= radius
        near[block] = False
        far = ~near
        far[block] = False
        return Tripartition(A=block, B=near, C=far)


def _indices(name: str, region: ArrayLike) -> Indices:
    """Sorted indices of a mask or of a list of distinct indices."""
    given = np.asarray(region)
    if given.dtype == bool:
        return np.flatnonzero(given)
    if given.size == 0:
        return np.zeros(0, dtype=np.int64)
    if given.ndim != 1 or not np.issubdtype(given.dtype, np.integer):
        raise ValueError(
            f"{name} has dtype {given.dtype} and shape {given.shape}: a boolean mask or a"
            " one-dimensional list of integer site indices needed"
        )
    sites, counts = np.unique(given, return_counts=True)
    if sites[0] < 0 or counts.max() > 1:
        raise ValueError(f"{name}={given.tolist()[:8]}: indices must be >= 0 and distinct")
    return sites.astype(np.int64)


def _sharing_a_spin(spins: Lattice) -> Indices:
    """Pairs of bonds with a spin in common, sorted."""
    bond = np.repeat(np.arange(len(spins.edges)), 2)
    spin = spins.edges.ravel()
    order = np.argsort(spin, kind="stable")
    bond, spin = bond[order], spin[order]
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for step in range(1, int(np.bincount(spin).max(initial=0))):
        same = spin[step:] == spin[:-step]
        pairs.append(np.stack([bond[:-step][same], bond[step:][same]], axis=1))
    return _sorted_edges(np.concatenate(pairs))


def _sorted_edges(pairs: NDArray[np.int64]) -> Indices:
    """Edges as (i, j) with i < j in lexicographic order."""
    ordered = np.sort(pairs, axis=1)
    return ordered[np.lexsort((ordered[:, 1], ordered[:, 0]))]
