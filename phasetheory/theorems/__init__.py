"""The theorems of the theory, each with a check of both sides and a variant that must fail."""

from phasetheory.theorems.registry import THEOREMS, Verification, verify
from phasetheory.theorems.relation import Relation, Theorem

__all__ = ["THEOREMS", "Relation", "Theorem", "Verification", "verify"]
