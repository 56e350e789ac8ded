"""Circuits of local recoveries: exact error, bounds, light cones, and phase-aware schedules."""

from phasetheory.circuits.circuit import Circuit, Gate
from phasetheory.circuits.converse import Converse, cone_bound
from phasetheory.circuits.radius import envelope, sufficient_radii
from phasetheory.circuits.result import CircuitRun
from phasetheory.circuits.reverse import reverse_circuit
from phasetheory.circuits.sampled import SampledRun, sample_circuit

__all__ = [
    "Circuit",
    "CircuitRun",
    "Converse",
    "Gate",
    "SampledRun",
    "cone_bound",
    "envelope",
    "reverse_circuit",
    "sample_circuit",
    "sufficient_radii",
]
