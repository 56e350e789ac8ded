r"""T3: a buffer radius that is enough, from the decay of the CMI in the law before every gate.

The envelope :math:`I(A;C|B_r) \le \gamma e^{-r/\xi}` has to hold in half-noised laws too: it is
read off circuits of radius 0, 1, 2, ..., whose gates know their own CMI.
"""

import math
from functools import lru_cache

from phasetheory.circuits import Circuit, CircuitRun, envelope, reverse_circuit, sufficient_radii
from phasetheory.lattice import Lattice
from phasetheory.noise import BitFlip, Gaussian
from phasetheory.theorems import zoo
from phasetheory.theorems.circuit_instance import CircuitInstance, circuit_instance, down
from phasetheory.theorems.relation import Ledger, Relation, Theorem
from phasetheory.theorems.zoo import Instance

__all__ = ["RADIUS"]

#: Total variation allowed.
TARGET = 0.25


@lru_cache(maxsize=2)
def _by_radius(instance: CircuitInstance) -> list[CircuitRun]:
    circuit = instance.circuit
    assert circuit is not None
    return [
        reverse_circuit(
            instance.law.prior,
            instance.path,
            Circuit(circuit.lattice, circuit.times, radius, order=circuit.order),
            progress=False,
        )
        for radius in range(int(circuit.radius[0]) + 1)
    ]


def _radii(instance: CircuitInstance) -> tuple[list[CircuitRun], dict[str, int]]:
    """Runs by radius, and the radii that T3 asks for."""
    runs, circuit = _by_radius(instance), instance.circuit
    assert circuit is not None
    gamma, xi = envelope([float(run.cmi.max()) for run in runs])
    asked = sufficient_radii(instance.law.n_sites, circuit.n_steps, gamma, xi, TARGET)
    return runs, {name: max(0, math.ceil(radius)) for name, radius in asked.items()}


def _check(instance: Instance, seed: int) -> list[Relation]:
    assert isinstance(instance, CircuitInstance)
    runs, asked = _radii(instance)
    ledger = Ledger("T3", instance.name)
    for name, text in (
        ("composition", "TV <= eps once r >= xi log(NK gamma/(2 eps^2))"),
        ("triangle", "TV <= eps once r >= 2 xi log(NK sqrt(gamma/2)/eps)"),
    ):
        ledger.at_most(text, runs[asked[name]].tv, TARGET)
    return ledger.rows


def _wrong(instance: Instance, seed: int) -> list[Relation]:
    """One site and one step in place of N and K."""
    assert isinstance(instance, CircuitInstance)
    runs, _ = _radii(instance)
    gamma, xi = envelope([float(run.cmi.max()) for run in runs])
    asked = sufficient_radii(1, 1, gamma, xi, TARGET)
    ledger = Ledger("T3", instance.name)
    for name, text in (
        ("composition", "TV <= eps once r >= xi log(gamma/(2 eps^2))"),
        ("triangle", "TV <= eps once r >= 2 xi log(sqrt(gamma/2)/eps)"),
    ):
        ledger.at_most(text, runs[max(0, math.ceil(asked[name]))].tv, TARGET)
    return ledger.rows


def _instances() -> list[Instance]:
    long = zoo.ising_grid((12,), 0.3, 0.0)
    field = zoo.neighbour_field(Lattice.chain(40), 1.0)
    return [
        circuit_instance("Ising chain", long, BitFlip, down(3), 5),
        circuit_instance("Gaussian chain", field, Gaussian, down(5), 9, quick=False),
    ]


RADIUS = Theorem(
    key="T3",
    name="buffer radius",
    statement=(
        r"I(A;C|B_r) \le \gamma e^{-r/\xi} \text{ before every gate} \;\Rightarrow\;"
        r" \mathrm{TV}(p_0,\hat p_0) \le \epsilon \text{ once }"
        r" r \ge \xi \log\frac{NK\gamma}{2\epsilon^2}"
        r" \text{ (or } r \ge 2\xi\log\frac{NK\sqrt{\gamma/2}}{\epsilon}\text{)}"
    ),
    source="T2; the triangle inequality gives the weaker form, arXiv:2508.06614 the scaling",
    altered="the radius for a single gate, without the factor NK",
    check=_check,
    wrong=_wrong,
    instances=_instances,
)
