r"""Syndromes: the plaquettes at which independent bond flips of a planar patch end.

Every bond of the patch flips on its own, :math:`P(\eta_e = -1) = p_e`. Plaquette P shows

.. math:: m_P = \prod_{e \in \partial P} \eta_e ,

-1 where a chain of flipped bonds ends (an anyon of the toric code). The probability of the
syndrome on any set of plaquettes is a partition function of the random-bond Ising model on the
Nishimori line: bonds between two plaquettes that are both unknown are summed over, and so is the
parity of each hole that the known plaquettes surround.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.engines.planar import PlanarIsing
from phasetheory.engines.planar_faces import checked_embedding
from phasetheory.engines.syndrome_cells import DualGraph
from phasetheory.engines.syndromes import SyndromeSums
from phasetheory.lattice import Lattice, Region, Tripartition
from phasetheory.models.base import Model, checked
from phasetheory.models.plaquettes import dual_of, plaquettes_of
from phasetheory.noise import Evidence, GaussianEvidence
from phasetheory.prior import DiscreteLaws, normalised

__all__ = ["SyndromeEnsemble"]

Floats = NDArray[np.float64]


class SyndromeEnsemble(Model):
    r"""Syndromes of independent bond flips, and parities of declared holes.

    Its sites are the plaquettes (inner faces; on an open grid of shape (R, L) the row-major grid
    (R - 1, L - 1)), then one site for each declared hole: its *parity*, the product of its
    plaquettes. Distances and tripartitions are those of the plaquettes. A parity lies nowhere: it
    is in none of A, B, C unless put there, for example by :meth:`knowing`.

    Plaquettes may be known or unknown, nothing between: `BitFlip(t=0)`, `BitFlip(t=1)` and
    `Erasure(t)` are the noises it takes. A syndrome read with errors is a gauge theory in three
    dimensions (space, and time to repeat the reading), which is not planar and not solved here.

    Attributes:
        spins: The lattice given; its bonds flip, its faces are the plaquettes.
        lattice: The lattice of plaquettes and parities.
        flip: p of every bond, shape (n_bonds,), bonds as `spins.edges`.
        holes: The declared holes as sorted plaquette indices.

    Args:
        lattice: An open grid of two dimensions, or any connected planar graph with a cycle.
        flip: Scalar, or one per edge, in [0, 1].
        holes: Masks or indices of plaquettes, one for each hole; they need be neither connected
            nor disjoint.
        embedding: Planar embedding on site indices (or on the labels of a lattice made from a
            graph); one is found if none is given.

    Raises:
        ValueError: If the graph is not planar, not connected or without a face, a probability
            is outside [0, 1], or a hole is empty or holds what is no plaquette.

    Cost: one planar sum per sample (L x L plaquettes: about L^4/(1.5e9) s), 2^k of them where k
    holes have unknown parity, at most k = 10; twice that for a one-site posterior.
    Where p is below about 5e-5 but not 0, anyons leave strong bonds frustrated: likelihoods lose
    digits, and the planar sum warns.

    Source: Dennis, Kitaev, Landahl, Preskill, J. Math. Phys. 43, 4452 (2002); syndromes as mixed
    states: Sang, Hsieh, arXiv:2404.07251.

    Example:
        Two plaquettes share a bond. Both are anyons if it flips and none or two of the other bonds
        of each do, or if it does not and one or three of each do.

        >>> import numpy as np
        >>> import phasetheory as pt
        >>> from phasetheory.models.syndromes import SyndromeEnsemble
        >>> pair = SyndromeEnsemble(pt.Lattice.grid((2, 3)), flip=0.1)
        >>> pair.lattice.shape
        (1, 2)
        >>> seen = pair.noised(pt.BitFlip(t=0.0)).log_prob([[-1, -1]])
        >>> even, odd = (1 + 0.8**3) / 2, (1 - 0.8**3) / 2
        >>> bool(np.isclose(np.exp(seen[0]), 0.1 * even**2 + 0.9 * odd**2))
        True
    """

    def __init__(
        self,
        lattice: Lattice,
        flip: ArrayLike,
        *,
        holes: Sequence[Region] = (),
        embedding: nx.PlanarEmbedding | None = None,
    ) -> None:
        p = checked("flip", flip, (len(lattice.edges),), "edge")
        if ((p < 0) | (p > 1)).any():
            raise ValueError(f"flip={p[(p < 0) | (p > 1)][0]}: probabilities in [0, 1] needed")
        self.spins = lattice
        self.flip: Floats = p
        self.embedding = checked_embedding(lattice, embedding)
        self.dual: DualGraph = dual_of(lattice, self.embedding)
        self.holes = tuple(self._hole(k, hole) for k, hole in enumerate(holes))
        self.lattice = plaquettes_of(lattice, self.dual, self.embedding, n_parities=len(self.holes))

    def __repr__(self) -> str:
        """Return the sizes and the flip probability."""
        low, high = self.flip.min(), self.flip.max()
        flip = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        holes = f", holes={len(self.holes)}" if self.holes else ""
        return f"SyndromeEnsemble({self.n_plaquettes} plaquettes{holes}, flip={flip})"

    @property
    def settings(self) -> dict[str, Any]:
        """What a scan records of the model."""
        return {
            "flip": sorted(set(self.flip.tolist()))[:8],
            "shape": self.spins.shape,
            "holes": [hole.size for hole in self.holes],
        }

    @property
    def n_plaquettes(self) -> int:
        """Number of plaquettes, the first sites."""
        return self.dual.n_faces

    @property
    def parities(self) -> NDArray[np.int64]:
        """Sites that are parities, one for each declared hole."""
        return self.n_plaquettes + np.arange(len(self.holes))

    def knowing(self, parts: Tripartition, holes: Sequence[int] | None = None) -> Tripartition:
        """The same tripartition with parities of declared holes put into B.

        With the parity of A among the holes, the CMI of the result is I(A;C|B, parity of A): the
        form of Sang and Hsieh, in whose reduced quantum states a loop around A is observable.

        Args:
            parts: Regions of plaquettes.
            holes: Which declared holes; all by default.

        Returns:
            The tripartition; pass both to :func:`phasetheory.cmi` at once to share samples.

        Raises:
            ValueError: If a hole is not declared, or its parity is in A, B or C already.
        """
        chosen = list(range(len(self.holes))) if holes is None else list(holes)
        if not chosen or not set(chosen) <= set(range(len(self.holes))):
            raise ValueError(
                f"holes={chosen}: declared holes 0 to {len(self.holes) - 1} needed"
                if self.holes
                else "no hole is declared: give holes=[A, ...] to the ensemble"
            )
        told = self.parities[chosen]
        return Tripartition(A=parts.A, B=np.concatenate([parts.B, told]), C=parts.C)

    def split(self, parts: Tripartition) -> tuple[Tripartition, Tripartition]:
        """Chain rule I(A;C|B) = I(h;C|B) + I(A;C|B,h), h the parity of A, a declared hole.

        The first term asks what C says of the parity of A, the second, the form of Sang and
        Hsieh, what it says beyond that (nothing if A is one plaquette). It is also the cheapest
        way to a block: with its parity known first, no open hole is left to sum over, while
        plaquette by plaquette every sum but the last runs over both parities of what remains.

        Args:
            parts: Regions of plaquettes, A one of the declared holes.

        Returns:
            Tripartitions of the two terms: A = {h}, and :meth:`knowing`.

        Raises:
            ValueError: If A is not a declared hole.
        """
        for k, hole in enumerate(self.holes):
            if np.array_equal(hole, parts.A):
                told = self.parities[[k]]
                return Tripartition(A=told, B=parts.B, C=parts.C), self.knowing(parts, [k])
        raise ValueError(
            f"A={parts.A.tolist()[:8]} is no declared hole: give holes=[parts.A] to the ensemble"
        )

    def sample(self, n: int, *, rng: Any = None) -> NDArray[np.int8]:
        """Independent exact draws, shape (n, n_plaquettes + n_holes): flips, then products."""
        rng = np.random.default_rng(rng)
        flipped = (rng.random((n, len(self.flip))) < self.flip).astype(np.int32)
        faces = (flipped @ self.dual.incidence) % 2
        parities = [faces[:, hole].sum(axis=1, keepdims=True) % 2 for hole in self.holes]
        return (1 - 2 * np.concatenate([faces, *parities], axis=1)).astype(np.int8)

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log-probability of the known sites, shape (n,); -inf where it is zero.

        Raises:
            ValueError: If evidence is neither 0 nor infinite, or too many holes are open.
        """
        return self.engine.log_prob(self._known(evidence))

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> DiscreteLaws:
        """One-site posteriors; see :class:`phasetheory.prior.Prior`.

        Raises:
            ValueError: If what is known contradicts itself (a parity differs from the product of
                its hole's plaquettes), is impossible at flip 0 or 1, or too many holes are open.

        Cost: two likelihoods for each sample and site asked for that is not known.
        """
        values = self._known(evidence)
        wanted = np.arange(self.lattice.n_sites) if sites is None else np.asarray(sites)
        log_p = np.empty((len(values), wanted.size, 2))
        for k, site in enumerate(wanted.tolist()):
            for symbol, value in enumerate((-1, 1)):
                tried = values.copy()
                tried[:, site] = value
                # A known site keeps what is known, and the other value is impossible.
                other = values[:, site] == -value
                log_p[other, k, symbol] = -np.inf
                log_p[~other, k, symbol] = self.engine.log_prob(tried[~other])
        impossible = np.isneginf(log_p).all(axis=-1).any(axis=-1)
        if impossible.any():
            raise ValueError(
                f"evidence of sample {np.flatnonzero(impossible)[0]} has probability zero: the"
                " known parity of a hole differs from the product of its plaquettes, or bonds"
                " that never (flip=0) or always (flip=1) flip forbid this syndrome"
            )
        return normalised(log_p)

    @cached_property
    def engine(self) -> SyndromeSums:
        """The sums over bonds."""
        shape = self.spins.shape if self.embedding is None else None
        ising = PlanarIsing(
            self.spins.n_sites,
            self.spins.edges,
            None if shape is None else (shape[0], shape[1]),
            self.embedding,
        )
        masks = np.zeros((len(self.holes), self.n_plaquettes), dtype=bool)
        for row, hole in zip(masks, self.holes, strict=True):
            row[hole] = True
        return SyndromeSums(self.dual, ising, self.flip, masks)

    def _hole(self, number: int, hole: Region) -> NDArray[np.int64]:
        try:
            plaquettes = np.flatnonzero(Lattice.bare(self.dual.n_faces).mask(hole))
        except ValueError as error:
            raise ValueError(f"holes[{number}] is no set of plaquettes: {error}") from error
        if hole is None or not plaquettes.size:
            raise ValueError(f"holes[{number}]={hole!r}: at least one plaquette needed")
        return plaquettes

    def _known(self, evidence: Evidence) -> NDArray[np.int8]:
        """Sign of known sites, 0 for unknown ones."""
        assert not isinstance(evidence, GaussianEvidence)
        h = np.asarray(evidence, dtype=float)
        if h.ndim != 2 or h.shape[1] != self.lattice.n_sites or np.isnan(h).any():
            raise ValueError(
                f"evidence has shape {h.shape} and {int(np.isnan(h).sum())} NaN values: fields of"
                f" shape (n, {self.lattice.n_sites}) without contradictions needed"
            )
        between = (h != 0) & np.isfinite(h)
        if between.any():
            raise ValueError(
                f"evidence={h[between][0]:.4g}: a plaquette is known (+-inf) or unknown (0);"
                " syndromes read with errors are a gauge theory in three dimensions, which is not"
                " planar. Use BitFlip(t=0) or Erasure(t); noise on the bonds themselves is `flip`"
            )
        return np.sign(h).astype(np.int8)
