"""Exercises of the course on phases of data distributions: `check` says what is wrong.

The chapters are pages of the documentation (`docs/course/`) and notebooks. Each exercise has a key
such as "2.4". `check` compares an answer with a reference computed here and names the mistake it
recognises, without showing the reference.
"""

from phasetheory.course.catalogue import EXERCISES, check
from phasetheory.course.exercise import Exercise, Slip, Verdict

__all__ = ["EXERCISES", "Exercise", "Slip", "Verdict", "check"]
