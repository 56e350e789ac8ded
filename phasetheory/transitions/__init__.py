"""From maps of conditional mutual information to lengths, transitions and their exponents."""

from phasetheory.transitions.crossing import crossings
from phasetheory.transitions.curves import Curves
from phasetheory.transitions.divergence import Divergence, diverging_length
from phasetheory.transitions.extrapolation import Extrapolation, extrapolate_crossings
from phasetheory.transitions.finite_size import Collapse, collapse
from phasetheory.transitions.length import markov_length
from phasetheory.transitions.window import locate_transition

__all__ = [
    "Collapse",
    "Curves",
    "Divergence",
    "Extrapolation",
    "collapse",
    "crossings",
    "diverging_length",
    "extrapolate_crossings",
    "locate_transition",
    "markov_length",
]
