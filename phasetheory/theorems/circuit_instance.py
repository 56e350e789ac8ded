"""Instances of the theorems on circuits: a model, a path of noise, and a reverse circuit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from phasetheory.circuits import Circuit, CircuitRun, reverse_circuit
from phasetheory.lattice import Tripartition
from phasetheory.noise import BitFlip, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import Prior
from phasetheory.theorems.zoo import Instance

__all__ = ["CircuitInstance", "circuit_instance", "down", "run_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CircuitInstance(Instance):
    """A circuit beside the law it starts from.

    Attributes:
        circuit: The circuit.
        path: Callable t -> noise.
    """

    circuit: Circuit | None = None
    path: Callable[[float], Noise] = BitFlip


def circuit_instance(
    name: str,
    model: Prior,
    path: Callable[[float], Noise],
    times: Floats,
    radius: float,
    *,
    order: str = "layers",
    quick: bool = True,
) -> CircuitInstance:
    """An instance whose law is the start of its circuit and whose parts are its first gate."""
    circuit = Circuit(model.lattice, times, radius, order=order)
    gate = circuit.layers(0)[0][0]
    rest = np.setdiff1d(np.arange(model.lattice.n_sites), np.concatenate(gate))
    return CircuitInstance(
        name,
        NoisyLaw(model, path(float(times[0]))),
        Tripartition(A=gate.A, B=gate.B, C=rest),
        quick=quick,
        circuit=circuit,
        path=path,
    )


def down(steps: int, start: float = 1.0) -> Floats:
    """Equal steps from a time to 0."""
    return np.linspace(start, 0.0, steps + 1)


@lru_cache(maxsize=1)  # the theorem and its wrong variant look at the same circuit
def run_of(instance: CircuitInstance) -> CircuitRun:
    """The exact run of an instance's circuit."""
    assert instance.circuit is not None
    return reverse_circuit(instance.law.prior, instance.path, instance.circuit, progress=False)
