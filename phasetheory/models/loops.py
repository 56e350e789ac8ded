r"""Loop ensembles: the domain walls of the two-dimensional Ising model, noise on bonds.

Spins s on the vertices of a planar patch, :math:`p(s) \propto \exp(\sum_{ij} J_{ij} s_i s_j)`; the
variables are the bonds :math:`x_{ij} = s_i s_j`. Bonds with x = -1 cross closed loops of the dual
patch, and around every face the product of bonds is +1. With evidence h on the bonds,

.. math:: \log \mathbb{E}_x \exp \sum_e h_e x_e = \log Z(J + h) - \log Z(J),

a planar Ising sum without field, whatever the region: an unobserved bond has h = 0. The Bayes
denoiser is the bond correlation :math:`\langle s_i s_j \rangle`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory._kernels.signed_sets import connections
from phasetheory.engines.planar import PlanarIsing
from phasetheory.engines.planar_faces import checked_embedding, is_plain_grid
from phasetheory.lattice import Lattice
from phasetheory.models.base import Model, checked
from phasetheory.noise import Evidence, GaussianEvidence
from phasetheory.prior import DiscreteLaws

__all__ = ["LoopEnsemble"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class LoopEnsemble(Model):
    r"""Closed loops on a planar patch: bond variables :math:`x_e = s_i s_j` of an Ising model.

    Attributes:
        spins: The lattice of spins given, an open grid of one or two dimensions (one axis of two
            may be periodic) or any planar graph.
        lattice: The lattice of bonds: site e is `spins.edges[e]`.
        coupling: J of every bond, shape (n_edges,), inverse temperature absorbed; 0 is the
            uniform ensemble of closed loops.

    Args:
        lattice: The lattice of spins.
        coupling: Scalar, or one per edge.
        field: A field on spins, which must be 0: it is here to say that loops do not see one.
        embedding: Planar embedding on site indices (or on the labels of a lattice made from a
            graph); one is found if none is given.

    Raises:
        ValueError: If the graph is not planar or has no edges, the embedding is not one or is of
            another graph, couplings are not finite or of another shape, or a field is given.

    Cost: with known or unobserved bonds only and coupling 0 (erasure), about 20 ns a bond;
    otherwise one planar sum per sample (an L x L patch takes about L^4/(1.5e9) s, L = 64: 12 ms).

    Source: domain walls and the Nishimori line: Nishimori, Prog. Theor. Phys. 66, 1169 (1981);
    Dennis, Kitaev, Landahl, Preskill, J. Math. Phys. 43, 4452 (2002).

    Example:
        Around a face the product of bonds is one.

        >>> import phasetheory as pt
        >>> loops = pt.LoopEnsemble(pt.Lattice.grid((2, 2)))
        >>> bool((loops.sample(100, rng=0).prod(axis=1) == 1).all())
        True
    """

    spins: Lattice
    lattice: Lattice
    coupling: Floats
    embedding: nx.PlanarEmbedding | None

    def __init__(
        self,
        lattice: Lattice,
        coupling: ArrayLike = 0.0,
        *,
        field: ArrayLike = 0.0,
        embedding: nx.PlanarEmbedding | None = None,
    ) -> None:
        if np.any(np.asarray(field) != 0):
            raise ValueError(
                f"field={field!r}: bonds do not see a field on spins, and with one the sum over"
                " spins is not planar; use pt.Ising for noisy spins"
            )
        if not len(lattice.edges):
            raise ValueError("lattice has no edges: loops live on bonds, at least one needed")
        values = checked("coupling", coupling, (len(lattice.edges),), "edge")
        object.__setattr__(self, "spins", lattice)
        object.__setattr__(self, "coupling", values)
        object.__setattr__(self, "embedding", checked_embedding(lattice, embedding))
        object.__setattr__(self, "lattice", Lattice.of_bonds(lattice))

    @classmethod
    def pinned(cls, shape: tuple[int, int], coupling: float = 0.0) -> "LoopEnsemble":
        """Rectangular patch between two pinned sides, each of them one spin.

        Bond 0 joins the two sides: its value is the *sector*, whether an odd number of domain
        walls runs between them. It carries no coupling. What noisy data say about it is
        :func:`phasetheory.sector_information`. With columns = rows - 1 the patch under erasure is
        its own dual, so that the sides are connected with probability 1/2 at t = 1/2, exactly.

        Args:
            shape: Rows and columns of spins between the sides, each at least 1.
            coupling: J of every bond but bond 0.

        Returns:
            The ensemble; `spins.labels` are "left", "right" and (row, column).

        Raises:
            ValueError: If the shape is not two whole numbers >= 1.
        """
        sides = np.asarray(shape)
        if sides.shape != (2,) or not np.issubdtype(sides.dtype, np.integer) or sides.min() < 1:
            raise ValueError(f"shape={shape!r}: rows and columns, whole numbers >= 1, needed")
        rows, columns = sides.tolist()
        graph: nx.Graph[Any] = nx.Graph()
        graph.add_edge("left", "right")
        for r in range(rows):
            nx.add_path(graph, ["left", *((r, c) for c in range(columns)), "right"])
        graph.add_edges_from(((r, c), (r + 1, c)) for r in range(rows - 1) for c in range(columns))
        lattice = Lattice.from_graph(graph)
        bonds = np.full(len(lattice.edges), float(coupling))
        bonds[0] = 0.0
        return cls(lattice, bonds)

    def __repr__(self) -> str:
        """Return the sizes and the coupling."""
        low, high = self.coupling.min(), self.coupling.max()
        coupling = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        return (
            f"LoopEnsemble({self.lattice.n_sites} bonds of {self.spins.n_sites} spins,"
            f" coupling={coupling})"
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What a scan records of the model."""
        return {
            "coupling": sorted(set(self.coupling.tolist()))[:8],
            "spins": self.spins.n_sites,
            "shape": self.spins.shape,
        }

    def describe(self) -> dict[str, Any]:
        """All that the law depends on, for keys of sweeps kept in ledgers."""
        return {
            "coupling": self.coupling,
            "edges": self.spins.edges,
            "shape": self.spins.shape,
            "periodic": self.spins.periodic,
        }

    def sample(self, n: int, *, rng: Any = None) -> NDArray[np.int8]:
        """Independent exact draws, shape (n, n_bonds)."""
        rng = np.random.default_rng(rng)
        i, j = self.spins.edges.T
        if not self.coupling.any():
            spins = rng.integers(0, 2, size=(n, self.spins.n_sites), dtype=np.int8)
            return (1 - 2 * (spins[:, i] ^ spins[:, j])).astype(np.int8)
        return self.engine.sample_bonds(self.coupling, n, rng=rng)

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log E_x exp sum_e l_e(x_e), shape (n,); -inf where known bonds do not close."""
        h = self._bond_evidence(evidence)
        if self._only_ties(h):
            n_sets, _ = self._ties(h, np.zeros(0, dtype=np.int64))
            merged = self.spins.n_sites - n_sets
            return np.where(n_sets < 0, -np.inf, -np.log(2.0) * merged)
        known = np.isinf(h)
        # A known bond's own coupling is no longer an evidence, but it is still a weight.
        weight = np.where(known, self.coupling * np.sign(h), 0.0).sum(axis=1)
        return self.engine.log_partition(h + self.coupling) + weight - self._log_partition

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> DiscreteLaws:
        """One-bond posteriors; see :class:`phasetheory.prior.Prior`.

        Raises:
            ValueError: If known bonds contradict closure (their product around a face, or around
                any closed path, is -1).
        """
        h = self._bond_evidence(evidence)
        wanted = np.arange(self.lattice.n_sites) if sites is None else np.asarray(sites)
        if self._only_ties(h):
            n_sets, products = self._ties(h, wanted)
            refuted = np.asarray(n_sets < 0)
            with np.errstate(divide="ignore"):
                odds = np.where(products == 0, 0.0, np.copysign(np.inf, products))
        else:
            odds = self.engine.log_odds(h + self.coupling, None if sites is None else wanted)
            refuted = np.asarray(np.isnan(odds).any(axis=1))
        bad = np.flatnonzero(refuted)
        if bad.size:
            raise ValueError(
                f"evidence of sample {bad[0]} contradicts closure: the product of its known bonds"
                " around some closed path is -1; loops have +1 around every face"
            )
        return DiscreteLaws(-np.stack([np.logaddexp(0.0, odds), np.logaddexp(0.0, -odds)], -1))

    @cached_property
    def engine(self) -> PlanarIsing:
        """The planar Ising engine of the patch."""
        shape = None
        if is_plain_grid(self.spins):
            assert self.spins.shape is not None
            rows, columns = (*self.spins.shape, 1)[:2]
            shape = (rows, columns)
        return PlanarIsing(self.spins.n_sites, self.spins.edges, shape, self.embedding)

    @cached_property
    def _log_partition(self) -> float:
        return float(self.engine.log_partition(np.array(self.coupling)[None])[0])

    def _only_ties(self, h: Floats) -> bool:
        """Whether all bonds are known or unobserved, on top of uniform loops."""
        return not self.coupling.any() and bool(((h == 0) | np.isinf(h)).all())

    def _ties(self, h: Floats, queries: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        result: tuple[NDArray[Any], NDArray[Any]] = connections(
            self.spins.edges, self.spins.n_sites, h, queries
        )
        return result

    def _bond_evidence(self, evidence: Evidence) -> Floats:
        assert not isinstance(evidence, GaussianEvidence)
        h = np.asarray(evidence, dtype=float)
        bad = np.argwhere(np.isnan(h))
        if len(bad):
            raise ValueError(
                f"evidence of sample {bad[0, 0]} is NaN at bond {bad[0, 1]}: contradictory"
                " observations of a known bond (+inf - inf) have probability zero"
            )
        return h
