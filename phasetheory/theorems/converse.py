"""T4: correlations across disjoint light cones are lost, whatever the gates do."""

import numpy as np

from phasetheory.circuits import Circuit, cone_bound, reverse_circuit
from phasetheory.lattice import Lattice
from phasetheory.models.table import Table
from phasetheory.noise import BitFlip
from phasetheory.prior import Prior
from phasetheory.theorems import zoo
from phasetheory.theorems.circuit_instance import CircuitInstance, circuit_instance, down, run_of
from phasetheory.theorems.relation import Ledger, Relation, Theorem
from phasetheory.theorems.zoo import Instance

__all__ = ["CONVERSE"]


def _check(instance: Instance, seed: int) -> list[Relation]:
    assert isinstance(instance, CircuitInstance) and instance.circuit is not None
    model = instance.law.prior
    run, found = run_of(instance), cone_bound(model, instance.circuit)
    ledger = Ledger("T4", instance.name)
    ledger.at_most("|Cov(f,g)| <= 4 TV", found.covariance, 4.0 * run.tv.value)
    assert isinstance(run.law, Table)
    if all(_balanced(law, site) for law in (model, run.law) for site in (*found.F, *found.G)):
        text = "|Cov(f,g)| <= 2 TV for means zero"
        ledger.at_most(text, found.covariance, 2.0 * run.tv.value)
    return ledger.rows


def _wrong(instance: Instance, seed: int) -> list[Relation]:
    assert isinstance(instance, CircuitInstance) and instance.circuit is not None
    model = instance.law.prior
    run, found = run_of(instance), cone_bound(model, instance.circuit)
    ledger = Ledger("T4", instance.name)
    ledger.at_most("|Cov(f,g)| <= TV", found.covariance, run.tv)
    raster = Circuit(model.lattice, instance.circuit.times, 1, order="raster")
    reached = reverse_circuit(model, instance.path, raster, progress=False)
    text = "|Cov(f,g)| <= 4 TV of a raster sweep"
    ledger.at_most(text, found.covariance, 4.0 * reached.tv.value)
    return ledger.rows


def _balanced(law: Prior, site: int) -> bool:
    """Whether a spin has mean zero."""
    p = Table.from_prior(law).probabilities
    alone = p.sum(axis=tuple(other for other in range(p.ndim) if other != site))
    return bool(abs(alone[1] - alone[0]) < 1e-12)


def _instances() -> list[Instance]:
    cold = zoo.ising_grid((8,), 1.2, 0.0)
    rare = np.zeros((2, 2))
    rare[0, 0], rare[1, 1] = 0.98, 0.02
    skewed = Table(Lattice.chain(2), rare)
    return [
        circuit_instance("repetition code, r = 0", zoo.repetition_code(6), BitFlip, down(4), 0),
        circuit_instance("repetition code, r = 1", zoo.repetition_code(9), BitFlip, down(1), 1),
        circuit_instance("cold Ising chain, r = 0", cold, BitFlip, down(4), 0),
        circuit_instance("cold Ising chain, r = 1", cold, BitFlip, down(1), 1),
        circuit_instance("correlated pair", zoo.pair(0.4), BitFlip, down(2), 0),
        circuit_instance("rare pair", skewed, BitFlip, down(2), 0),
    ]


CONVERSE = Theorem(
    key="T4",
    name="converse",
    statement=(
        r"\mathrm{TV}(p_0,\hat p_0) \ge \tfrac14|\mathrm{Cov}_{p_0}(f,g)|,"
        r" \quad |f|,|g| \le 1 \text{ on sites with disjoint light cones}"
    ),
    source="light cones of the circuit; the constant 1/4 (1/6 by the triangle inequality) is ours",
    altered="constant 1; a raster sweep, whose light cones meet",
    check=_check,
    wrong=_wrong,
    instances=_instances,
)
