"""Compare an answer with its reference and say, in words, what is wrong with it."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.course.exercise import Exercise, Verdict
from phasetheory.course.slips import close, general_slips, law_errors, proportional
from phasetheory.estimate import Estimate

__all__ = ["judge"]

Floats = NDArray[np.float64]


class _Unfit(Exception):
    """The answer cannot be compared with the reference; says why."""


def judge(exercise: Exercise, answer: Any) -> Verdict:
    """The verdict on an answer; see :func:`phasetheory.course.check`."""
    if answer is None:
        return Verdict(exercise.key, False, f"no answer yet. Needed: {exercise.asks}.")
    right = [_floats(exercise.reference(*case)) for case in _cases(exercise)]
    try:
        given = _answers(exercise, answer, right)
    except _Unfit as wrong:
        return Verdict(exercise.key, False, str(wrong))
    if close(given, right, exercise.rtol):
        return Verdict(exercise.key, True, "right.")
    return Verdict(exercise.key, False, f"not yet. {_diagnosis(exercise, given, right)}")


def _diagnosis(exercise: Exercise, given: list[Floats], right: list[Floats]) -> str:
    """The first mistake that explains the answer."""
    for slip in exercise.slips:
        wrong = [_floats(slip.wrong(*case)) for case in _cases(exercise)]
        if close(given, wrong, exercise.rtol):
            return f"This looks like an answer that {slip.says}."
    error = law_errors(exercise, given)
    if error is not None:
        scaled = proportional(given, right, exercise.rtol)
        return f"It is {error}." if scaled else f"Here {error}. {exercise.hint}"
    for values, says in general_slips(exercise, right):
        if close(given, values, exercise.rtol):
            return f"This looks like an answer that {says}."
    if proportional(given, right, exercise.rtol):
        return "It is proportional to the right answer: a constant factor is missing or too much."
    if close(given, right, 20 * exercise.rtol):
        return "It is close, but not close enough: rounded too early, or sampled?"
    return f"{_where(given, right, exercise.rtol)} {exercise.hint}"


def _where(given: list[Floats], right: list[Floats], rtol: float) -> str:
    """Which part of the answer is wrong, without its value."""
    if len(right) > 1:
        good = [close([x], [y], rtol) for x, y in zip(given, right, strict=True)]
        return f"It is right on {sum(good)} of {len(good)} inputs that were tried."
    (x,), (y,) = given, right
    if y.ndim == 0:
        return f"It is too {'large' if x > y else 'small'}."
    scale = float(np.abs(y).max()) or 1.0
    entries = int((np.abs(x - y) <= rtol * scale).sum())
    return f"{entries} of {y.size} entries are right."


def _cases(exercise: Exercise) -> Sequence[tuple[Any, ...]]:
    return ((),) if exercise.cases is None else exercise.cases()


def _answers(exercise: Exercise, answer: Any, right: list[Floats]) -> list[Floats]:
    """The answer on every case, with the right shapes."""
    if exercise.cases is None:
        if callable(answer):
            raise _Unfit(f"a function was given. Needed: {exercise.asks}.")
        return [_fitted(exercise, answer, right[0], "the answer")]
    if not callable(answer):
        raise _Unfit(f"{type(answer).__name__} was given. Needed: {exercise.asks}.")
    found = []
    for case, expected in zip(_cases(exercise), right, strict=True):
        found.append(_fitted(exercise, _called(answer, case), expected, "what it returns"))
    return found


def _called(function: Callable[..., Any], case: tuple[Any, ...]) -> Any:
    """The function's value on its own copy of the arguments, floating-point warnings left out."""
    try:
        with np.errstate(all="ignore"):
            return function(*copy.deepcopy(case))
    except Exception as error:  # a student's function may raise anything
        what = f"{type(error).__name__}: {error}"
        raise _Unfit(f"the function raised {what}, for {_described(case)}.") from error


def _described(case: tuple[Any, ...]) -> str:
    """The arguments of a case, arrays by their shapes."""
    words = [f"an array of shape {a.shape}" if isinstance(a, np.ndarray) else repr(a) for a in case]
    return "the arguments " + ", ".join(words)


def _fitted(exercise: Exercise, answer: Any, right: Floats, name: str) -> Floats:
    if answer is None:
        raise _Unfit(f"{name} is None: is there a return? Needed: {exercise.asks}.")
    if np.iscomplexobj(np.asarray(answer)):
        raise _Unfit(f"{name} is complex: a real answer is needed.")
    try:
        values = _floats(answer)
    except (TypeError, ValueError) as error:
        kind = type(answer).__name__
        raise _Unfit(f"{name} is no number or array ({kind}). Needed: {exercise.asks}.") from error
    if values.shape != right.shape:
        tip = " Transpose it?" if values.T.shape == right.shape else ""
        raise _Unfit(f"{name} has shape {values.shape}: {right.shape} is needed.{tip}")
    if not np.isfinite(values).all():
        tip = " Remember that 0 log 0 counts as 0." if exercise.unit == "nats" else ""
        raise _Unfit(f"{name} holds NaN or infinite values.{tip}")
    return values


def _floats(answer: Any) -> Floats:
    """An answer as a float array; an Estimate counts by its value."""
    return np.asarray(answer.value if isinstance(answer, Estimate) else answer, dtype=np.float64)
