"""What an exercise is, and what the check of an answer returns."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Exercise", "Slip", "Verdict"]


@dataclass(frozen=True)
class Slip:
    """A mistake that one exercise invites, by what it leads to.

    Attributes:
        wrong: What the mistake computes, with the arguments of the exercise's reference.
        says: What the student is told; it completes "this looks like an answer that ...".
    """

    wrong: Callable[..., Any]
    says: str


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise: what is asked, the right answer, the mistakes it invites.

    Attributes:
        key: Chapter and number, such as "2.4".
        asks: What the answer has to be, in words; starts with "a number" or "an array" or
            "a function".
        reference: Computes the right answer. For a value it takes no arguments, for a function
            those of one case.
        hint: Said when no mistake is recognised.
        slips: Mistakes to look for before the general ones, most specific first.
        cases: Makes the inputs (one tuple of arguments each) on which a function is tried; None
            if the answer is a value.
        unit: "nats" for entropies and informations: then bits are recognised.
        sums: Axes over which the answer must sum to one; None if it need not.
        rtol: Largest error accepted, relative to the largest entry of the reference. A number
            may be given to three digits; a function is held to rounding.
    """

    key: str
    asks: str
    reference: Callable[..., Any]
    hint: str
    slips: tuple[Slip, ...] = ()
    cases: Callable[[], Sequence[tuple[Any, ...]]] | None = None
    unit: str = ""
    sums: tuple[int, ...] | None = None
    rtol: float = 1e-3


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and what is wrong with it. True if it is right.

    Attributes:
        key: The exercise.
        ok: Whether the answer is right.
        says: One or two sentences.
    """

    key: str
    ok: bool
    says: str

    def __bool__(self) -> bool:
        """Whether the answer is right."""
        return self.ok

    def __repr__(self) -> str:
        """Return the message in lines that fit a page, so that a notebook shows it."""
        return textwrap.fill(f"Exercise {self.key}: {self.says}", 80, break_on_hyphens=False)
