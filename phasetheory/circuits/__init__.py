"""Circuits of local recoveries: exact error, bounds, light cones, and phase-aware schedules."""

from phasetheory.circuits.circuit import Circuit, Gate
from phasetheory.circuits.result import CircuitRun
from phasetheory.circuits.reverse import reverse_circuit

__all__ = ["Circuit", "CircuitRun", "Gate", "reverse_circuit"]
