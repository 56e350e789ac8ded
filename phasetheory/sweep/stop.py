"""When a sweep stops: how many batches a task needs, and what a call may spend."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isfinite

from phasetheory.sweep.moments import Moments, pooled

__all__ = ["Stop", "expected", "missing"]


@dataclass(frozen=True)
class Stop:
    """Rules that end a sweep.

    Which batches a task gets depends on their numbers alone: not on the workers, nor on where an
    earlier run was killed. Only the budgets `seconds` and `new_batches` cut a run short, and the
    next one goes on from there.

    Attributes:
        batches: Most batches a task gets; an exact task gets one.
        target_stderr: Standard error, in the unit of the quantity, at which a task has enough,
            provided that its error bar is to be trusted; without it every task gets `batches`.
        seconds: No batch is started this many seconds after the start; those running are kept.
        new_batches: No batch is started once a call has added this many to the ledger.
        first: Seed index of the first batch: machines that share a sweep take 0, 1000, 2000, ...

    Raises:
        ValueError: If a number does not fit.
    """

    batches: int = 4
    target_stderr: float | None = None
    seconds: float | None = None
    new_batches: int | None = None
    first: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least in (("batches", 1), ("new_batches", 0), ("first", 0)):
            value = getattr(self, name)
            if value is None and name == "new_batches":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name}={value!r}: a whole number >= {least} needed")
        for name in ("target_stderr", "seconds"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and isfinite(value) and value > 0):
                raise ValueError(f"{name}={value!r}: a positive number needed")


def missing(found: Mapping[int, Moments], stop: Stop) -> list[int]:
    """Seed indices that a task lacks before anything more can be decided; none when it is done.

    The decision is taken on the first n batches for n = 1, 2, 4, ... up to `batches`; with a target
    n grows by what the error so far suggests, doubling at most. It looks at the error, never at
    the mean.

    Args:
        found: Batches that are there already, by seed index.
        stop: The rules.

    Returns:
        Indices, increasing.
    """
    n = 1
    while True:
        span = range(stop.first, stop.first + n)
        if absent := [index for index in span if index not in found]:
            return absent
        if n >= stop.batches:
            return []
        n = _more(pooled(found[index] for index in span), n, stop)
        if n == 0:
            return []


def expected(found: Mapping[int, Moments], stop: Stop) -> int:
    """Batches a task will probably have in the end, for the progress bar."""
    own = [found[index] for index in sorted(found)]
    if not own or stop.target_stderr is None:
        return 1 if own and own[0].exact else stop.batches
    joint = pooled(own)
    if joint.exact:
        return len(own)
    return max(len(own), min(stop.batches, _needed(joint, len(own), stop.target_stderr)))


def _more(joint: Moments, n: int, stop: Stop) -> int:
    """How many batches to look at next after n; 0 for enough."""
    if joint.exact:
        return 0
    if stop.target_stderr is None:
        return min(stop.batches, 2 * n)
    estimate = joint.estimate()
    if estimate.trustworthy and estimate.stderr <= stop.target_stderr:
        return 0
    needed = _needed(joint, n, stop.target_stderr) if estimate.trustworthy else 2 * n
    return min(stop.batches, max(n + 1, min(2 * n, needed)))


def _needed(joint: Moments, n: int, target: float) -> int:
    return ceil(n * (joint.estimate().stderr / target) ** 2)
