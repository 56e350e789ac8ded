"""From maps of conditional mutual information to lengths and transitions."""

from phasetheory.transitions.length import markov_length
from phasetheory.transitions.window import locate_transition

__all__ = ["locate_transition", "markov_length"]
