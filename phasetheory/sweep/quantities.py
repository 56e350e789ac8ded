"""Quantities that a sweep can name: sampled (or exact) numbers of a noisy law and regions.

Adding a quantity is a function and a line in `QUANTITIES`. The function takes the law, the
regions, `n_samples` and `rng`, and returns an `Estimate` that is exact or the plain mean of
independent samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Literal

from phasetheory.estimate import Estimate
from phasetheory.information import (
    cmi,
    label_information,
    locality_gap,
    mutual_information,
    sector_information,
)
from phasetheory.lattice import Tripartition
from phasetheory.noisy import NoisyLaw

__all__ = ["QUANTITIES", "Quantity"]


@dataclass(frozen=True)
class Quantity:
    r"""A number of a noisy law.

    Attributes:
        measure: Function (law, parts, \*, n_samples, rng, ...) -> Estimate.
        long_name: What it is, for axis labels.
        profile: Whether `measure` also takes a list of tripartitions and returns a list, all from
            the same samples (cheaper than one by one).
        a: Exponent of its amplitude in finite-size scaling, L^-a, where it is known: 0 for
            informations about the state as a whole.
        span: Largest minus smallest value of a sample, where it is known; it tells whether an
            error bar rests on a few samples that differ from all others.
    """

    measure: Callable[..., Any]
    long_name: str
    profile: bool = False
    a: float | None = None
    span: float | None = None


def _cmi(
    law: NoisyLaw,
    parts: Sequence[Tripartition],
    *,
    n_samples: int,
    rng: Any,
    method: Literal["auto", "exact", "cavity", "plain"] = "auto",
) -> list[Estimate]:
    return cmi(law, parts, method=method, n_samples=n_samples, rng=rng)


def _mutual_information(
    law: NoisyLaw, parts: Tripartition, *, n_samples: int, rng: Any
) -> Estimate:
    return mutual_information(law, parts.A, parts.C, n_samples=n_samples, rng=rng)


def _label_information(law: NoisyLaw, parts: Tripartition, *, n_samples: int, rng: Any) -> Estimate:
    return label_information(law, parts.union("AB"), n_samples=n_samples, rng=rng)


def _entropy(law: NoisyLaw, parts: Tripartition, *, n_samples: int, rng: Any) -> Estimate:
    return law.entropy(parts.union("AB"), n_samples=n_samples, rng=rng)


def _sector_information(
    law: NoisyLaw, parts: Tripartition, *, n_samples: int, rng: Any
) -> Estimate:
    if parts.A.size != law.n_sites:
        raise ValueError(f"{parts!r}: sector_information is that of all bonds, geometry 'whole'")
    return sector_information(law, n_samples=n_samples, rng=rng)


QUANTITIES: dict[str, Quantity] = {
    "cmi": Quantity(_cmi, "conditional mutual information I(A;C|B)", profile=True),
    "entropy": Quantity(_entropy, "entropy H(AB)"),
    "label_information": Quantity(_label_information, "information I(S;AB) about the label", a=0.0),
    "locality_gap": Quantity(locality_gap, "squared locality gap"),
    "mutual_information": Quantity(_mutual_information, "mutual information I(A;C)"),
    "sector_information": Quantity(
        _sector_information,
        "information I(S;y) about the sector between pinned sides",
        a=0.0,
        span=log(2.0),
    ),
}
