r"""Batches of samples as three moments, and how they add up.

A batch of n samples is kept as its count n, its mean and its centred second moment
:math:`M_2 = \sum_i (x_i - \bar x)^2`. Two batches join without cancellation by

.. math:: \bar x = \bar x_1 + \delta\, n_2/n, \qquad
          M_2 = M_{2,1} + M_{2,2} + \delta^2\, n_1 n_2/n, \qquad \delta = \bar x_2 - \bar x_1

(Chan, Golub, LeVeque 1983, Am. Stat. 37, 242). The sum of absolute values rides along, because
the effective number of samples :math:`(\sum |x|)^2/\sum x^2` needs it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from math import isfinite, sqrt

from phasetheory.estimate import Estimate

__all__ = ["Moments", "pooled"]


@dataclass(frozen=True)
class Moments:
    """Count, mean and centred second moment of a batch; an exact value has count 0.

    Attributes:
        count: Number of independent samples n; 0 where the mean is an exact value.
        mean: Their mean, in the unit of the quantity.
        m2: Sum of squared deviations from the mean, unit squared.
        sum_abs: Sum of absolute values.

    Raises:
        ValueError: If a number is not finite, m2 or sum_abs negative, or the count is 1 (one
            sample has no error) or negative.
    """

    count: int
    mean: float
    m2: float = 0.0
    sum_abs: float = 0.0

    def __post_init__(self) -> None:
        """Check the numbers: a batch that is not one must not reach a ledger."""
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 0:
            raise ValueError(f"count={self.count!r}: a whole number >= 0 needed")
        if self.count == 1:
            raise ValueError("count=1: at least 2 samples needed for an error (0 for exact)")
        for name in ("mean", "m2", "sum_abs"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{name}={value!r}: a number needed")
            if not isfinite(value) or (name != "mean" and value < 0):
                raise ValueError(f"{name}={value!r}: a finite number needed, not negative spread")

    @property
    def exact(self) -> bool:
        """Whether the mean is an exact value."""
        return self.count == 0

    @classmethod
    def of(cls, estimate: Estimate) -> "Moments":
        """Moments of the samples behind an estimate that is their plain mean.

        Args:
            estimate: Exact, or the mean of independent samples with its standard error.

        Returns:
            The moments: m2 = stderr^2 n (n - 1), sum_abs from the effective number.
        """
        n, mean = estimate.n_samples, float(estimate.value)
        if n == 0:
            return cls(0, mean)
        m2 = float(estimate.stderr) ** 2 * n * (n - 1)
        squares = m2 + n * mean**2
        return cls(int(n), mean, m2, sqrt(estimate.n_effective * squares))

    def estimate(self, *, unit: str = "nats", quantity: str = "") -> Estimate:
        """Mean with standard error sqrt(m2 / (n (n - 1))), as `Estimate.from_samples` has it.

        Args:
            unit: Unit of the mean.
            quantity: What it is.

        Returns:
            The estimate; exact where the count is 0.
        """
        if self.exact:
            return Estimate(self.mean, unit=unit, quantity=quantity)
        squares = self.m2 + self.count * self.mean**2
        effective = self.sum_abs**2 / squares if squares > 0.0 else 0.0
        stderr = sqrt(self.m2 / (self.count * (self.count - 1)))
        return Estimate(self.mean, stderr, self.count, effective, unit, quantity)

    def __add__(self, other: "Moments") -> "Moments":
        """Join two batches of different samples."""
        if self.exact or other.exact:
            # No sampled batch can improve on an exact value.
            return self if self.exact else other
        count = self.count + other.count
        delta = other.mean - self.mean
        return Moments(
            count,
            self.mean + delta * other.count / count,
            self.m2 + other.m2 + delta**2 * self.count * other.count / count,
            self.sum_abs + other.sum_abs,
        )


def pooled(batches: Iterable[Moments]) -> Moments:
    """Moments of all samples of several batches, joined in the order given.

    Args:
        batches: At least one; the order matters to the last bits only, so give it a fixed one.

    Returns:
        The joint moments.
    """
    return reduce(Moments.__add__, batches)
