"""T2: the error of a circuit of local recoveries is at most the sum of its CMI terms."""

from phasetheory.lattice import Lattice
from phasetheory.noise import BitFlip, Erasure, Gaussian
from phasetheory.theorems import zoo
from phasetheory.theorems.circuit_instance import CircuitInstance, circuit_instance, down, run_of
from phasetheory.theorems.relation import Ledger, Relation, Theorem
from phasetheory.theorems.zoo import Instance

__all__ = ["COMPOSITION"]


def _check(instance: Instance, seed: int) -> list[Relation]:
    assert isinstance(instance, CircuitInstance)
    run = run_of(instance)
    ledger = Ledger("T2", instance.name)
    error = 4.0 * run.tv.value * run.tv.stderr
    ledger.at_most("2 TV^2 <= KL", 2.0 * run.tv.value**2, run.kl, stderr=error)
    ledger.at_most("KL <= sum_m DeltaI_m", run.kl, run.bound)
    ledger.at_most("TV <= sum_m sqrt(DeltaI_m/2)", run.tv, run.triangle_bound)
    ledger.at_most("sum_m DeltaI_m <= sum_m I_m", run.bound, float(run.cmi.sum()))
    return ledger.rows


def _wrong(instance: Instance, seed: int) -> list[Relation]:
    assert isinstance(instance, CircuitInstance)
    run = run_of(instance)
    ledger = Ledger("T2", instance.name)
    error = 8.0 * run.tv.value * run.tv.stderr
    ledger.at_most("4 TV^2 <= KL", 4.0 * run.tv.value**2, run.kl, stderr=error)
    ledger.at_most("KL <= sum_m DeltaI_m / 2", run.kl, 0.5 * run.bound)
    ledger.at_most("KL <= max_m DeltaI_m", run.kl, float(run.terms.max()))
    return ledger.rows


def _instances() -> list[Instance]:
    chain, weak = Lattice.chain(8), zoo.pair(0.02)
    hot = zoo.ising_grid((3, 3), 0.25, 0.1)
    field = zoo.neighbour_field(chain, 0.3)
    spins = zoo.random_strip((2, 4), 3)
    return [
        circuit_instance("weakly correlated pair, r = 0", weak, BitFlip, down(1), 0),
        circuit_instance("Ising 3x3, r = 0", hot, BitFlip, down(6), 0),
        circuit_instance("Ising 3x3, r = 1", hot, BitFlip, down(6), 1),
        circuit_instance("Ising 3x3, erasure", hot, Erasure, down(4), 1, quick=False),
        circuit_instance("Ising 3x3, random order", hot, BitFlip, down(6), 1, order="random"),
        circuit_instance("random 2x4, raster", spins, BitFlip, down(3), 1, order="raster"),
        circuit_instance("random 2x4, from t = 1/2", spins, BitFlip, down(3, 0.5), 1),
        circuit_instance("Gaussian chain, r = 1", field, Gaussian, down(12), 1),
        circuit_instance("Gaussian chain, r = 2", field, Gaussian, down(12), 2),
    ]


COMPOSITION = Theorem(
    key="T2",
    name="composition",
    statement=(
        r"2\,\mathrm{TV}(p_0,\hat p_0)^2 \le \mathrm{KL}(p_0\|\hat p_0) \le \sum_m \Delta I_m,"
        r" \quad \Delta I_m = I(A;C|B) - I(\tilde A;C|B) \text{ at gate } m"
    ),
    source="T1 (arXiv:2508.06614) along a path: chain rule of KL on paths, then data processing",
    altered="constants doubled or halved; the largest term in place of the sum",
    check=_check,
    wrong=_wrong,
    instances=_instances,
)
