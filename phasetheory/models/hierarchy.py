"""A symbol broadcast down a regular tree; the data are the leaves."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.engines.table import spin_log_likelihoods
from phasetheory.engines.tree import Tree, stationary_law
from phasetheory.lattice import Lattice
from phasetheory.models.base import Model
from phasetheory.models.tree_metric import TreeMetric
from phasetheory.noise import Evidence, GaussianEvidence, symbols
from phasetheory.prior import DiscreteLaws, normalised

__all__ = ["Hierarchy"]

Floats = NDArray[np.float64]

#: Largest leaves x symbols of a tree, and largest alphabet (symbols are int8).
MAX_ENTRIES, MAX_SYMBOLS = 2**24, 127
#: Largest samples x leaves x symbols worked on at once.
_BLOCK = 2**24


@dataclass(frozen=True, eq=False)
class Hierarchy(Model):
    r"""Leaves of a tree down which the symbol of the root is broadcast.

    Every node has b children; each bond passes the symbol through the channel

    .. math:: M(x, y) = p(\text{child} = y | \text{parent} = x)
              = \lambda\, 1[x = y] + \frac{1 - \lambda}{q}

    (or any reversible M). The root has the stationary law, which is uniform here. Data are the
    :math:`n = b^{\text{depth}}` leaves; the root's symbol is their label. Two leaves at distance h
    (height of their smallest common subtree) have the correlation :math:`\lambda^{2h}`.

    The leaves remember the root, as the depth grows, for :math:`b\lambda^2 > 1` (Kesten and
    Stigum). For q = 2 they do so only then. For q >= 5 they also do for some smaller
    :math:`b\lambda^2`, where no count of the leaves shows it.

    Attributes:
        depth: Bonds from root to leaf, at least 1.
        branching: b, at least 2.
        q: Symbols, at least 2: spins -1/+1 for q = 2, else 0..q-1.
        eigenvalue: :math:`\lambda` in [-1/(q-1), 1] of the channel above.
        channel: Or, instead, M itself: shape (q, q), reversible, every symbol reachable.
        root: Symbol *index* 0..q-1 to which the root is fixed; None for the stationary law.
        lattice: The leaves, from left to right, with the distance above; no edges.

    Raises:
        ValueError: If a number leaves its range, neither or both of eigenvalue and channel are
            given, the channel is no reversible channel, or the tree exceeds 2^24 leaves x symbols.

    Cost: belief propagation, about 0.2 microseconds a leaf for the evidence at q = 2 and two to
    three times that for all posteriors; q^2 beyond. A million leaves take a fraction of a second.

    Source: Kesten and Stigum 1966; Evans, Kenyon, Peres, Schulman 2000 (q = 2); Sly 2011 (q >= 3);
    as data for diffusion models: Sclocchi, Favero, Wyart 2025.

    Example:
        >>> prior = Hierarchy(3, branching=2, eigenvalue=0.8)
        >>> parts = prior.lattice.tripartition(centre=0, radius=1)
        >>> parts.B.tolist(), parts.C.tolist()
        ([1], [2, 3, 4, 5, 6, 7])
    """

    depth: int
    branching: int = 2
    q: int = 2
    eigenvalue: float | None = field(default=None, kw_only=True)
    channel: Any = field(default=None, kw_only=True, repr=False)
    root: int | None = field(default=None, kw_only=True)
    lattice: Lattice = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check arguments and size."""
        for name, least in (("depth", 1), ("branching", 2), ("q", 2)):
            value = getattr(self, name)
            if value != int(value) or value < least:
                raise ValueError(f"{name}={value}: a whole number >= {least} needed")
            object.__setattr__(self, name, int(value))
        entries = self.branching**self.depth * self.q
        if self.q > MAX_SYMBOLS or entries > MAX_ENTRIES:
            raise ValueError(
                f"depth={self.depth}, branching={self.branching}, q={self.q}: {entries:.3g} leaves"
                f" x symbols (8 bytes each, four times), the limits are {MAX_ENTRIES} and"
                f" q = {MAX_SYMBOLS}; take a smaller depth, or phasetheory.transitions.root_overlap"
                " for what a binary tree of any depth says about its root"
            )
        if (self.eigenvalue is None) == (self.channel is None):
            both = "both are given" if self.channel is not None else "neither is given"
            raise ValueError(f"eigenvalue or channel, exactly one of them, needed: {both}")
        if self.eigenvalue is not None:
            low, rate = -1.0 / (self.q - 1), float(self.eigenvalue)
            if not low <= rate <= 1.0:
                raise ValueError(
                    f"eigenvalue={self.eigenvalue}: a number from -1/(q-1) = {low:.4g} to 1 needed"
                )
            object.__setattr__(self, "eigenvalue", rate)
        else:
            matrix = np.array(self.channel, dtype=float)  # a copy: the caller's stays apart
            if matrix.shape != (self.q, self.q):
                raise ValueError(
                    f"channel has shape {matrix.shape}: ({self.q}, {self.q}), one row a symbol of"
                    " the parent, needed"
                )
            stationary_law(matrix)
            matrix.setflags(write=False)
            object.__setattr__(self, "channel", matrix)
        if self.root is not None and self.root not in range(self.q):
            raise ValueError(f"root={self.root}: None or a symbol index 0..{self.q - 1} needed")
        n_leaves = self.branching**self.depth
        no_edges = np.zeros((0, 2), dtype=np.int64)
        lattice = Lattice(n_leaves, no_edges, TreeMetric(self.branching, self.depth))
        object.__setattr__(self, "lattice", lattice)

    @cached_property
    def second_eigenvalue(self) -> float:
        r""":math:`\lambda`: of a general channel the eigenvalue of largest size after 1."""
        if self.eigenvalue is not None:
            return self.eigenvalue
        root = np.sqrt(self._tree.stationary)
        # Similar to a symmetric matrix by detailed balance; its top eigenvector is `root`.
        symmetric = root[:, None] * self.channel / root - np.outer(root, root)
        rates = np.linalg.eigvalsh(0.5 * (symmetric + symmetric.T))
        return float(rates[np.argmax(np.abs(rates))])

    @property
    def signal(self) -> float:
        r""":math:`b\lambda^2`, 1 at the Kesten-Stigum threshold."""
        return self.branching * self.second_eigenvalue**2

    def sample(self, n: int, *, rng: Any = None) -> NDArray[np.int8]:
        """Independent draws, shape (n, n_leaves), level by level from the root."""
        index = self._tree.sample(n, np.random.default_rng(rng))
        return symbols(self.q)[index]

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log E_x exp sum_i l_i(x_i), shape (n,); -inf for impossible evidence."""
        leaves, rows = self._leaves(evidence)
        found = [self._tree.log_evidence(self._likelihoods(leaves[block])) for block in rows]
        return np.concatenate(found) if found else np.empty(0)

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> DiscreteLaws:
        """One-site posteriors; see :class:`phasetheory.prior.Prior`.

        Raises:
            ValueError: If the evidence of a sample has probability zero.
        """
        leaves, rows = self._leaves(evidence)
        wanted = slice(None) if sites is None else np.asarray(sites, dtype=np.int64)
        parts = []
        for block in rows:
            log_p = self._tree.log_posterior(self._likelihoods(leaves[block]))
            impossible = np.flatnonzero((log_p == -np.inf).all(axis=2).any(axis=1))
            if impossible.size:
                raise ValueError(
                    f"evidence of sample {block.start + impossible[0]} has probability zero: no"
                    " posterior exists"
                )
            parts.append(log_p[:, wanted])
        n_wanted = np.arange(self.lattice.n_sites)[wanted].size
        return normalised(np.concatenate(parts) if parts else np.empty((0, n_wanted, self.q)))

    @property
    def label_weights(self) -> Floats:
        """Probability of each symbol of the root, shape (q,), in the order of symbols."""
        return np.array(self._tree.root)

    def given(self, label: int) -> "Hierarchy":
        """The law of the leaves when the root has the symbol of index `label`.

        Raises:
            ValueError: If the label is no symbol index or has probability zero.
        """
        if label not in range(self.q) or self.label_weights[label] == 0:
            raise ValueError(
                f"label={label}: the index of a symbol of positive weight in"
                f" {self.label_weights.tolist()} needed"
            )
        return replace(self, root=int(label))

    @cached_property
    def _tree(self) -> Tree:
        if self.channel is None:
            assert self.eigenvalue is not None
            channel = np.full((self.q, self.q), (1.0 - self.eigenvalue) / self.q)
            np.fill_diagonal(channel, 0.0)
            # The rest of every row: exactly zero at the lower end of the range.
            np.fill_diagonal(channel, np.maximum(1.0 - channel.sum(axis=1), 0.0))
            stationary = np.full(self.q, 1.0 / self.q)
        else:
            channel, stationary = self.channel, stationary_law(self.channel)
        law = stationary if self.root is None else np.eye(self.q)[self.root]
        return Tree(channel, stationary, law, self.branching, self.depth)

    def _leaves(self, evidence: Evidence) -> tuple[Floats, list[slice]]:
        """The evidence, checked, and the blocks of samples that are done at once."""
        assert not isinstance(evidence, GaussianEvidence)
        leaves = np.asarray(evidence, dtype=float)
        n, q = self.lattice.n_sites, self.q
        shape = (n,) if q == 2 else (n, q)
        if leaves.shape[1:] != shape or leaves.ndim != len(shape) + 1:
            raise ValueError(
                f"evidence has shape {leaves.shape}: (n_samples, {', '.join(map(str, shape))})"
                " needed"
            )
        bad = np.argwhere(np.isnan(leaves) if q == 2 else np.isnan(leaves) | (leaves == np.inf))
        if len(bad):
            raise ValueError(
                f"evidence of sample {bad[0, 0]} is {leaves[tuple(bad[0])]} at leaf {bad[0, 1]}:"
                " no NaN and, for q > 2, no +inf allowed"
            )
        step = max(1, _BLOCK // (n * q))
        return leaves, [slice(start, start + step) for start in range(0, len(leaves), step)]

    def _likelihoods(self, leaves: Floats) -> Floats:
        return spin_log_likelihoods(leaves) if self.q == 2 else leaves
