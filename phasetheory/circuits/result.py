"""What a reverse circuit is judged by."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from phasetheory.circuits.circuit import Circuit
from phasetheory.estimate import Estimate
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.models.table import Table

__all__ = ["CircuitRun"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CircuitRun:
    r"""The error of a reverse circuit beside the bound of T2.

    .. math:: 2\,\mathrm{TV}(p_0, \hat p_0)^2 \le \mathrm{KL}(p_0\|\hat p_0) \le \sum_m \Delta I_m

    Attributes:
        circuit: The circuit that was run.
        law: Law of what comes out, itself a model: it can be sampled, noised and compared.
        kl: KL(p_0 || p-hat_0), nats.
        tv: Total variation distance, between 0 and 1.
        terms: Delta I = I(A;C|B) - I(A~;C|B) of every gate in the order of the circuit, nats,
            shape (n_gates,); empty where the terms were not asked for, or where gates read the
            same data at the same time ("simultaneous"), which T2 does not cover.
        cmi: I(A;C|B) in the law before each gate's noise, likewise.
    """

    circuit: Circuit
    law: Table | GaussianField
    kl: Estimate
    tv: Estimate
    terms: Floats = field(repr=False)
    cmi: Floats = field(repr=False)

    @property
    def bound(self) -> float:
        """T2's bound on KL, the sum of the terms, nats; NaN without terms."""
        return float(self.terms.sum()) if self.terms.size else float("nan")

    @property
    def tv_bound(self) -> float:
        """What T2 and Pinsker's inequality say of TV: sqrt(bound/2)."""
        return float(np.sqrt(self.bound / 2.0))

    @property
    def triangle_bound(self) -> float:
        """The weaker bound on TV, the sum of sqrt(term/2); often above 1."""
        if not self.terms.size:
            return float("nan")
        # Rounding can push a term that vanishes below zero.
        return float(np.sqrt(np.maximum(self.terms, 0.0) / 2.0).sum())

    @property
    def step_terms(self) -> Floats:
        """Sum of the terms of each step, shape (n_steps,), nats; empty without terms."""
        return (
            self.terms.reshape(self.circuit.n_steps, -1).sum(axis=1)
            if self.terms.size
            else (self.terms)
        )

    def __str__(self) -> str:
        """Return error, bound, cone and cost, one line each."""
        cone = int(self.circuit.light_cones().sum(axis=1).max())
        return "\n".join(
            (
                f"        kl  {self.kl}",
                f"        tv  {self.tv}",
                f"     bound  {self.bound:.6g} nats (T2), on tv {self.tv_bound:.6g}",
                f"light cone  {cone} of {self.circuit.lattice.n_sites} sites at most",
                f"      cost  {self.circuit.cost} sites read, depth {self.circuit.depth}",
            )
        )
