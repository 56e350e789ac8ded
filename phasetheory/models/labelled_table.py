"""Any law of a label and a few sites, given by its table: the ground truth of speciation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.lattice import Lattice
from phasetheory.models.base import Model
from phasetheory.models.table import Table
from phasetheory.noise import Evidence, Noise
from phasetheory.prior import DiscreteLaws, Labelled, Prior

__all__ = ["LabelledTable"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelledTable(Model):
    """A joint law p(s, x) of a label s and q^n states x.

    As a prior it is the marginal law of x, a :class:`phasetheory.Table`; the label tells it apart.

    Attributes:
        lattice: Sites.
        joint: Shape (n_labels,) + (q,)*n_sites, summing to 1; for spins index 0 is -1.
        table: The marginal law of x.

    Raises:
        ValueError: If the shape does not fit the lattice, or entries are not probabilities
            summing to one (to 1e-9; the remainder is divided out).

    Example:
        Two fair independent spins, labelled by their product: neither knows the label alone.

        >>> import phasetheory as pt
        >>> fair = Table(pt.Lattice.chain(2), np.full((2, 2), 0.25))
        >>> parity = LabelledTable.by(fair, lambda x: (x.prod(axis=1) > 0).astype(int))
        >>> law = parity.noised(pt.BitFlip(0.0))
        >>> print(pt.label_information(law, [0]), "and", pt.label_information(law))
        0 nats (exact) and 0.6931471806 nats (exact)
    """

    lattice: Lattice
    joint: Any
    table: Table = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check shape and normalisation, and sum over labels."""
        p = np.array(self.joint, dtype=float)
        if p.ndim != self.lattice.n_sites + 1 or not len(p):
            raise ValueError(
                f"joint has shape {p.shape}: one axis of labels before {self.lattice.n_sites} axes"
                " of sites needed"
            )
        if not (p >= 0).all():
            raise ValueError(f"joint holds {p.min()}: probabilities >= 0 needed")
        object.__setattr__(self, "table", Table(self.lattice, p.sum(axis=0)))
        p /= p.sum()
        p.setflags(write=False)
        object.__setattr__(self, "joint", p)

    @classmethod
    def by(cls, prior: Prior, label_of: Any) -> "LabelledTable":
        """A discrete prior on few sites, labelled by a function of its state.

        Args:
            prior: Discrete prior on few sites (up to about 20 spins).
            label_of: Takes states of shape (n, n_sites) (spins -1/+1, else 0..q-1) to integer
                labels of shape (n,), from 0 up.

        Returns:
            The labelled law.

        Raises:
            ValueError: If the labels are no integers >= 0, or the table is too large.
        """
        table = Table.from_prior(prior)
        index = np.indices(table.probabilities.shape).reshape(table.lattice.n_sites, -1).T
        labels = np.asarray(label_of(index * 2 - 1 if table.q == 2 else index))
        whole = np.issubdtype(labels.dtype, np.integer)
        if labels.shape != (len(index),) or not whole or labels.min() < 0:
            raise ValueError(
                f"label_of returns shape {labels.shape} and dtype {labels.dtype}: one integer >= 0"
                f" for each of {len(index)} states needed"
            )
        joint = np.zeros((int(labels.max()) + 1, len(index)))
        joint[labels, np.arange(len(index))] = table.probabilities.ravel()
        return cls(table.lattice, joint.reshape(-1, *table.probabilities.shape))

    @classmethod
    def from_prior(cls, prior: Prior) -> "LabelledTable":
        """Tabulate any labelled discrete prior on few sites.

        Raises:
            ValueError: If the prior has no labels, is continuous, or its table is too large.
        """
        if not isinstance(prior, Labelled):
            raise ValueError(
                f"{type(prior).__name__} has no labels: label_weights and given() needed"
            )
        shape = (prior.q or 0,) * prior.lattice.n_sites
        parts = [
            w * Table.from_prior(prior.given(s)).probabilities if w > 0 else np.zeros(shape)
            for s, w in enumerate(prior.label_weights)
        ]
        return cls(prior.lattice, np.stack(parts))

    @property
    def q(self) -> int:
        """Symbols per site."""
        return self.table.q

    def sample(self, n: int, *, rng: Any = None) -> NDArray[np.int8]:
        """Independent draws of x, shape (n, n_sites)."""
        return self.table.sample(n, rng=rng)

    def log_evidence(self, evidence: Evidence) -> Floats:
        """Log E_x exp sum_i l_i(x_i), shape (n,); -inf for impossible evidence."""
        return self.table.log_evidence(evidence)

    def posterior(self, evidence: Evidence, sites: NDArray[np.int64] | None = None) -> DiscreteLaws:
        """One-site posteriors; see :class:`phasetheory.prior.Prior`."""
        return self.table.posterior(evidence, sites)

    def entropies(self, noise: Noise, regions: Sequence[NDArray[np.bool_]]) -> Floats | None:
        """Exact discrete entropies of the noisy law, nats; None under continuous noise."""
        return self.table.entropies(noise, regions)

    @property
    def label_weights(self) -> Floats:
        """Probability of each label, shape (n_labels,)."""
        return np.asarray(self.joint.reshape(len(self.joint), -1).sum(axis=1), dtype=float)

    def given(self, label: int) -> Table:
        """The law of x given the label.

        Raises:
            ValueError: If the label is none of the labels or has probability zero.
        """
        weights = self.label_weights
        if label not in range(len(weights)) or weights[label] == 0:
            raise ValueError(
                f"label={label}: one of the labels of positive weight,"
                f" {np.flatnonzero(weights)[:10].tolist()}, needed"
            )
        return Table(self.lattice, self.joint[label] / weights[label])
