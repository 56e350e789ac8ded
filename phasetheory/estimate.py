"""One number with its standard error: the result type of every diagnostic."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["MIN_EFFECTIVE_SAMPLES", "Estimate"]

#: Below this many effective contributions an error bar is dominated by rare events.
MIN_EFFECTIVE_SAMPLES = 30.0


@dataclass(frozen=True)
class Estimate:
    r"""A value, its standard error, and how many samples carry it.

    An exact value has `stderr` 0 and `n_samples` 0. A sampled one is the mean
    :math:`\bar x = \sum_i x_i / n` with standard error :math:`s / \sqrt n` (`s` the sample standard
    deviation). Estimates are never clipped: a sampled CMI may be slightly negative.

    Attributes:
        value: The number, in `unit`.
        stderr: Standard error of `value`, same unit; 0 where the value is exact.
        n_samples: Number of independent samples behind it; 0 where the value is exact.
        n_effective: :math:`(\sum_i |x_i|)^2 / \sum_i x_i^2`, the number of samples that carry the
            mean (of contributions of one sign: :math:`(\sum x)^2/\sum x^2`); infinite where the
            value is exact, 0 where all samples are zero (a rare event may just not have been seen).
        unit: Unit of value and stderr.
        quantity: What the number is, for example "conditional mutual information".
    """

    value: float
    stderr: float = 0.0
    n_samples: int = 0
    n_effective: float = float("inf")
    unit: str = "nats"
    quantity: str = ""

    @classmethod
    def from_samples(
        cls, samples: ArrayLike, *, unit: str = "nats", quantity: str = ""
    ) -> "Estimate":
        """Mean of independent samples with its standard error.

        Args:
            samples: Shape (n,), n >= 2, one contribution a sample, in `unit`.
            unit: Unit of the samples.
            quantity: What the mean is.

        Returns:
            The estimate.

        Raises:
            ValueError: If there are fewer than two samples, or one is not finite.
        """
        x = np.asarray(samples, dtype=float)
        if x.ndim != 1 or x.size < 2:
            raise ValueError(f"samples has shape {x.shape}: at least 2 samples in one axis needed")
        if not np.isfinite(x).all():
            raise ValueError(
                f"samples holds {int((~np.isfinite(x)).sum())} values that are not finite"
            )
        squares = float(np.square(x).sum())
        effective = float(np.abs(x).sum()) ** 2 / squares if squares > 0.0 else 0.0
        stderr = float(x.std(ddof=1)) / np.sqrt(x.size)
        return cls(float(x.mean()), float(stderr), x.size, effective, unit, quantity)

    @property
    def exact(self) -> bool:
        """Whether the value comes from a closed form or an enumeration (no sampling error)."""
        return self.n_samples == 0

    @property
    def trustworthy(self) -> bool:
        """Whether the error bar can be believed: exact, or enough effective samples."""
        return self.exact or self.n_effective >= MIN_EFFECTIVE_SAMPLES

    def __float__(self) -> float:
        """Return the value alone."""
        return self.value

    def __neg__(self) -> "Estimate":
        """Return the estimate of minus the quantity."""
        return self._derived(-self.value, self.stderr)

    def __mul__(self, factor: float) -> "Estimate":
        """Return the estimate scaled by an exact factor."""
        return self._derived(factor * self.value, abs(factor) * self.stderr)

    __rmul__ = __mul__

    def _derived(self, value: float, stderr: float) -> "Estimate":
        return Estimate(value, stderr, self.n_samples, self.n_effective, self.unit, self.quantity)

    def __str__(self) -> str:
        """Return value and error with as many digits as the error supports."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.exact:
            return f"{self.value:.10g}{unit} (exact)"
        digits = 3
        if self.stderr > 0 and self.value != 0:
            # Two digits of the error, the value down to the same place.
            digits = int(np.floor(np.log10(abs(self.value))) - np.floor(np.log10(self.stderr))) + 2
        note = "" if self.trustworthy else f", only {self.n_effective:.0f} effective: not trusted"
        return (
            f"{self.value:.{max(digits, 1)}g} +- {self.stderr:.2g}{unit}"
            f" ({self.n_samples} samples{note})"
        )
