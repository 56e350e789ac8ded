"""All exercises by their keys, and the one function that students call."""

from typing import Any

from phasetheory.course.chapter_1 import EXERCISES as CHAPTER_1
from phasetheory.course.chapter_2 import EXERCISES as CHAPTER_2
from phasetheory.course.chapter_3 import EXERCISES as CHAPTER_3
from phasetheory.course.chapter_4 import EXERCISES as CHAPTER_4
from phasetheory.course.chapter_5 import EXERCISES as CHAPTER_5
from phasetheory.course.chapter_6 import EXERCISES as CHAPTER_6
from phasetheory.course.chapter_7 import EXERCISES as CHAPTER_7
from phasetheory.course.chapter_8 import EXERCISES as CHAPTER_8
from phasetheory.course.checking import judge
from phasetheory.course.exercise import Exercise, Verdict

__all__ = ["EXERCISES", "check"]

#: Key ("1.1") -> exercise, in the order of the course.
EXERCISES: dict[str, Exercise] = {
    exercise.key: exercise
    for chapter in (
        CHAPTER_1,
        CHAPTER_2,
        CHAPTER_3,
        CHAPTER_4,
        CHAPTER_5,
        CHAPTER_6,
        CHAPTER_7,
        CHAPTER_8,
    )
    for exercise in chapter
}


def check(exercise: str, answer: Any) -> Verdict:
    """Whether an answer to an exercise is right, and if not, what is wrong with it.

    Recognised are the mistakes that the exercise invites, then wrong type or shape, NaN, bits for
    nats, sign, simple factors, a missing normalisation, order of entries. The right answer is
    never shown.

    Args:
        exercise: Key of the exercise, such as "2.4".
        answer: A number, an array or a function, as the exercise asks. An
            :class:`~phasetheory.Estimate` counts by its value; None means not answered yet.

    Returns:
        The verdict: true if the answer is right; a notebook shows its message.

    Raises:
        ValueError: If there is no such exercise.

    Cost: below a second, a function being tried on a few small inputs.

    Example:
        >>> import numpy as np
        >>> from phasetheory.course import check
        >>> check("2.3", np.log(2))
        Exercise 2.3: not yet. This looks like an answer that takes the parity
        without its noise.
    """
    if exercise not in EXERCISES:
        raise ValueError(f"exercise={exercise!r}: one of {', '.join(EXERCISES)} needed")
    return judge(EXERCISES[exercise], answer)
