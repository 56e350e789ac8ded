"""General mistakes: units, signs, factors, order, normalisation."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.course.exercise import Exercise

__all__ = ["close", "general_slips", "law_errors", "proportional"]

Floats = NDArray[np.float64]


def close(answers: Sequence[Floats], reference: Sequence[Floats], rtol: float) -> bool:
    """Whether all entries agree to `rtol` of the largest entry of their case, zeros to rounding."""
    for answer, right in zip(answers, reference, strict=True):
        scale = float(np.abs(right).max(initial=0.0)) or 1e-6
        if answer.shape != right.shape or not (np.abs(answer - right) <= rtol * scale).all():
            return False
    return True


def general_slips(exercise: Exercise, right: Sequence[Floats]) -> Iterator[tuple[list[Any], str]]:
    """What common mistakes would give, most likely first, each with what to say about it."""
    if exercise.unit == "nats":
        yield [x / np.log(2) for x in right], "is in bits: nats are needed, use the natural log"
        yield (
            [-x / np.log(2) for x in right],
            "has the wrong sign and is in bits: nats are needed, use the natural log",
        )
    yield [-x for x in right], "has the wrong sign"
    for factor, name in ((2.0, "2"), (0.5, "1/2"), (4.0, "4"), (0.25, "1/4")):
        yield [factor * x for x in right], f"is off by a factor of {name}"
        yield [-factor * x for x in right], f"has the wrong sign and is off by a factor of {name}"
    yield [x**2 for x in right], "is squared"
    if all((x >= 0).all() for x in right):
        yield [np.sqrt(x) for x in right], "is the square root of what is asked"
    yield [1.0 - x for x in right], "is one minus what is asked"
    if all(x.ndim == 2 and x.shape[0] == x.shape[1] for x in right):
        yield [x.T for x in right], "has rows and columns exchanged"
    if all(x.ndim for x in right):
        yield (
            [np.flip(x) for x in right],
            "has its entries in the opposite order (index 0 is spin -1, index 1 is spin +1)",
        )


def proportional(answers: Sequence[Floats], right: Sequence[Floats], rtol: float) -> bool:
    """Whether the answer of every case is the right one times a constant other than zero."""
    if all(x.size < 2 for x in right):
        return False
    scaled = []
    for answer, x in zip(answers, right, strict=True):
        norm = float((x * x).sum())
        factor = float((answer * x).sum()) / norm if norm else 1.0
        if factor == 0.0:
            return False
        scaled.append(answer / factor)
    return close(scaled, right, rtol)


def law_errors(exercise: Exercise, answers: Sequence[Floats]) -> str | None:
    """What keeps the answer from being a law, if it has to be one."""
    if exercise.sums is None:
        return None
    for answer in answers:
        if (answer < 0).any():
            return "a probability is negative"
        total = answer.sum(axis=exercise.sums)
        if not np.allclose(total, 1.0, atol=max(exercise.rtol, 1e-9)):
            off = float(np.ravel(total)[np.abs(np.ravel(total) - 1.0).argmax()])
            return f"not normalised: probabilities that should sum to 1 sum to {off:.4g}"
    return None
