"""T1: the recovery bound of one local Bayes recovery, with every step of its chain."""

import numpy as np

from phasetheory.lattice import Lattice, Tripartition
from phasetheory.noise import BitFlip, Erasure, Gaussian
from phasetheory.recoveries import Recovery, recovery
from phasetheory.theorems import zoo
from phasetheory.theorems.relation import ROUNDING, Ledger, Relation, Theorem
from phasetheory.theorems.zoo import Instance

__all__ = ["RECOVERY_BOUND"]

#: Relative error of the one-dimensional quadrature behind the total variation of Gaussian laws.
TV_ERROR = 1e-7


def _check(instance: Instance, seed: int) -> list[Relation]:
    result = _recover(instance, seed)
    ledger = Ledger("T1", instance.name)
    lost = result.cmi_before.value - result.cmi_after.value
    square, stderr, error = _pinsker(instance, result)
    ledger.at_most("2 TV^2 <= KL", 2.0 * square, result.kl, stderr=2.0 * stderr, error=error)
    ledger.at_most("KL <= I - I~", result.kl, lost)
    ledger.at_most("I - I~ <= I", lost, result.cmi_before)
    # F >= exp(-I/2) in logarithms, so that both sides vanish where there is nothing to lose.
    ledger.at_most("-2 ln F <= I", -2.0 * np.log(result.fidelity.value), result.cmi_before)
    ledger.equal("I - I~ = E_y KL(p(x|y)||q(x|y))", lost, result.posterior_kl)
    return ledger.rows


def _wrong(instance: Instance, seed: int) -> list[Relation]:
    result = _recover(instance, seed)
    ledger = Ledger("T1", instance.name)
    lost = result.cmi_before.value - result.cmi_after.value
    square, stderr, error = _pinsker(instance, result)
    ledger.at_most("4 TV^2 <= KL", 4.0 * square, result.kl, stderr=4.0 * stderr, error=error)
    ledger.at_most("KL <= (I - I~)/2", result.kl, 0.5 * lost)
    ledger.at_most("I - I~ <= I/2", lost, 0.5 * result.cmi_before.value)
    ledger.at_most("-4 ln F <= I", -4.0 * np.log(result.fidelity.value), result.cmi_before)
    ledger.equal("I - I~ = KL(p||p-hat)", lost, result.kl)
    return ledger.rows


def _recover(instance: Instance, seed: int) -> Recovery:
    assert instance.extra is not None
    return recovery(
        instance.law, instance.parts, instance.extra, n_samples=instance.n_samples, rng=seed
    )


def _pinsker(instance: Instance, result: Recovery) -> tuple[float, float, float]:
    """TV^2, its standard error, and its numerical error."""
    tv = result.tv
    quadrature = 2.0 * TV_ERROR * tv.value**2 if instance.law.prior.q is None else 0.0
    return tv.value**2, 2.0 * tv.value * tv.stderr, max(2.0 * quadrature, ROUNDING)


def _instances() -> list[Instance]:
    grid, chain = zoo.ising_grid(), Lattice.chain(12)
    corner = grid.lattice.tripartition(centre=(0, 0), radius=1)
    two = Tripartition(A=[0], B=[], C=[1])
    field = zoo.neighbour_field(chain, 0.1)
    around = chain.tripartition(centre=5, radius=2)
    image = zoo.neighbour_field(Lattice.grid((6, 6)), 0.05)
    block = image.lattice.tripartition(centre=(2, 2), radius=1, size=2)
    forgets = np.array([[0.9, 0.0], [0.1, 1.0]])
    weak = zoo.pair(0.01).noised(BitFlip(0.0))
    copies = zoo.repetition_code(2).noised(Erasure(0.0))
    code = zoo.repetition_code(6).noised(BitFlip(0.3))
    return [
        Instance("weakly correlated pair, all noise", weak, two, BitFlip(1.0)),
        Instance("copied spins, all erased", copies, two, Erasure(1.0)),
        Instance("Ising 3x3, corner", grid.noised(BitFlip(0.2)), corner, BitFlip(0.1)),
        Instance("Ising 3x3, all noise", grid.noised(BitFlip(0.2)), corner, BitFlip(1.0)),
        Instance("Ising 3x3, A asymmetric", grid.noised(BitFlip(0.3)), corner, forgets),
        Instance(
            "Ising 3x3, erasure", grid.noised(Erasure(0.4)), corner, Erasure(0.5), quick=False
        ),
        Instance("repetition code", code, Tripartition(A=[0], B=[1], C=[2, 3, 4, 5]), BitFlip(0.5)),
        Instance("Gaussian chain", field.noised(Gaussian(0.4)), around, Gaussian(0.5)),
        Instance("Gaussian image, 2x2 block", image.noised(Gaussian(0.3)), block, Gaussian(0.4)),
        *(zoo.random_discrete(seed) for seed in range(6)),
        *(zoo.random_gaussian(seed) for seed in range(3)),
    ]


RECOVERY_BOUND = Theorem(
    key="T1",
    name="recovery bound",
    statement=(
        r"2\,\mathrm{TV}(p,\hat p)^2 \le \mathrm{KL}(p\|\hat p) \le I(A;C|B) - I(\tilde A;C|B)"
        r" \le I(A;C|B), \quad F \ge e^{-I(A;C|B)/2}, \quad I(A;C|B) - I(\tilde A;C|B) ="
        r" \mathbb{E}_y \mathrm{KL}(p(x|y)\|q(x|y))"
    ),
    source="Hu, Liu, Zhang, Gao, arXiv:2508.06614; chain rule of relative entropy and Pinsker",
    altered="constants doubled or halved; the posteriors' divergence replaced by that of the laws",
    check=_check,
    wrong=_wrong,
    instances=_instances,
)
