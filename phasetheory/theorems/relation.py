"""One checked relation, the ledger that collects them, and the theorem they belong to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from phasetheory.estimate import Estimate
from phasetheory.theorems.zoo import Instance

__all__ = ["ROUNDING", "Check", "Ledger", "Relation", "Theorem"]

#: Rounding allowed in an exact relation, relative to its larger side or to one nat.
ROUNDING = 1e-12
#: Standard errors allowed in a sampled one: one false alarm in two million at 5.
N_STDERR = 5.0


@dataclass(frozen=True)
class Relation:
    """Both sides of one relation on one instance.

    Attributes:
        theorem: Key of the theorem, for example "T1".
        instance: Name of the instance.
        relation: What is claimed, for example "2 TV^2 <= KL".
        lhs: Left side.
        rhs: Right side.
        kind: "<=" or "=".
        stderr: Standard error of lhs - rhs, 0 where both sides are exact; paired where both come
            from the same samples.
        tolerance: Violation that numerics can explain: rounding or quadrature, plus 5 stderr.
        trusted: Whether the error bar can be believed (see `Estimate.trustworthy`).
    """

    theorem: str
    instance: str
    relation: str
    lhs: float
    rhs: float
    kind: str = "<="
    stderr: float = 0.0
    tolerance: float = ROUNDING
    trusted: bool = True

    @property
    def slack(self) -> float:
        """Room left: rhs - lhs for an inequality, minus their distance for an identity."""
        return self.rhs - self.lhs if self.kind == "<=" else -abs(self.rhs - self.lhs)

    @property
    def holds(self) -> bool:
        """Whether the claim survives, numerics allowed for; NaN and infinities never do."""
        return bool(np.isfinite([self.lhs, self.rhs]).all() and self.slack >= -self.tolerance)

    @property
    def vacuous(self) -> bool:
        """Whether this row proves nothing: both sides vanish, or the error bar is not trusted."""
        return not self.trusted or max(abs(self.lhs), abs(self.rhs)) <= self.tolerance

    @property
    def tightness(self) -> float:
        """Ratio lhs / rhs, 1 at equality; NaN where the right side vanishes."""
        return self.lhs / self.rhs if self.rhs != 0.0 else float("nan")

    def record(self) -> dict[str, Any]:
        """The row in plain types, for JSON."""
        return {
            "theorem": self.theorem,
            "instance": self.instance,
            "relation": self.relation,
            "lhs": float(self.lhs),
            "rhs": float(self.rhs),
            "slack": float(self.slack),
            "holds": self.holds,
            "kind": self.kind,
            "stderr": float(self.stderr),
            "tolerance": float(self.tolerance),
            "vacuous": bool(self.vacuous),
        }


@dataclass
class Ledger:
    """Collects the relations of one theorem on one instance.

    Attributes:
        theorem: Key of the theorem.
        instance: Name of the instance.
        rows: Relations so far.
    """

    theorem: str
    instance: str
    rows: list[Relation] = field(default_factory=list)

    def at_most(
        self,
        relation: str,
        lhs: SupportsFloat,
        rhs: SupportsFloat,
        *,
        kind: str = "<=",
        stderr: float | None = None,
        error: float = ROUNDING,
    ) -> None:
        """Add the claim lhs <= rhs.

        Args:
            relation: Its text.
            lhs: Number, or Estimate sampled independently of the other side.
            rhs: Likewise.
            kind: "<=" or "=".
            stderr: Of lhs - rhs; by default from the Estimates.
            error: Rounding or quadrature error relative to max(1, |lhs|, |rhs|).
        """
        sides = [s if isinstance(s, Estimate) else Estimate(float(s)) for s in (lhs, rhs)]
        if stderr is None:
            stderr = float(np.hypot(sides[0].stderr, sides[1].stderr))
        left, right = (side.value for side in sides)
        tolerance = error * max(1.0, abs(left), abs(right)) + N_STDERR * stderr
        trusted = all(side.trustworthy for side in sides)
        self.rows.append(
            Relation(
                self.theorem, self.instance, relation, left, right,
                kind=kind, stderr=stderr, tolerance=tolerance, trusted=trusted,
            )
        )  # fmt: skip

    def equal(
        self,
        relation: str,
        lhs: SupportsFloat,
        rhs: SupportsFloat,
        *,
        stderr: float | None = None,
        error: float = ROUNDING,
    ) -> None:
        """Add the claim lhs = rhs; arguments as in :meth:`at_most`."""
        self.at_most(relation, lhs, rhs, kind="=", stderr=stderr, error=error)

    def paired(
        self, relation: str, lhs: ArrayLike, rhs: ArrayLike, *, kind: str = "=", error: float = 1e-9
    ) -> None:
        """Add a claim about two means over the same samples, both of shape (n,).

        The error bar is that of the mean difference, which is far smaller than those of the sides.
        """
        left, right = np.asarray(lhs, dtype=float), np.asarray(rhs, dtype=float)
        stderr = Estimate.from_samples(left - right).stderr
        sides = Estimate.from_samples(left), Estimate.from_samples(right)
        self.at_most(relation, *sides, kind=kind, stderr=stderr, error=error)


#: (instance, seed) -> relations. A theorem and its wrong variant get the same seed, hence the same
#: samples: the control differs in the claim alone.
Check = Callable[[Instance, int], list[Relation]]


@dataclass(frozen=True)
class Theorem:
    """A theorem with the numbers that would refute it.

    Attributes:
        key: Its number in the design, for example "T1".
        name: A few words.
        statement: LaTeX, without the dollar signs.
        source: Where it is proved or first stated.
        altered: What the deliberately wrong variant changes.
        check: Both sides of every relation on an instance.
        wrong: The same for the wrong variant; each of its relations has to come out violated on
            at least one instance, or the check could not have noticed a false theorem.
        instances: The zoo for this theorem.
    """

    key: str
    name: str
    statement: str
    source: str
    altered: str
    check: Check = field(repr=False)
    wrong: Check = field(repr=False)
    instances: Callable[[], Sequence[Instance]] = field(repr=False)
