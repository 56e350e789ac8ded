"""T8 and T9: what noise does to the CMI, and Markov networks without noise."""

from itertools import pairwise

import numpy as np

from phasetheory.information import cmi, mutual_information
from phasetheory.lattice import Lattice, Tripartition
from phasetheory.models.ising import Ising
from phasetheory.noise import BitFlip, Erasure, Gaussian, Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.theorems import zoo
from phasetheory.theorems.relation import Ledger, Relation, Theorem
from phasetheory.theorems.zoo import Instance

__all__ = ["DATA_PROCESSING", "MARKOV_NETWORKS", "NOISY_BUFFER", "noisy_buffer"]

#: Strengths of the further noise along which the CMI has to fall.
STRENGTHS = (0.0, 0.02, 0.2, 0.5, 0.8)
#: Strength of the noise on B that raises the CMI in :func:`noisy_buffer`.
NOISY_BUFFER = 0.3


def _falls(instance: Instance, seed: int) -> list[Relation]:
    ledger = Ledger("T8", instance.name)
    for region in ("A", "C"):
        text = "I({}) <= I(A;C|B)".format("A~;C|B" if region == "A" else "A;C~|B")
        values = _along(instance, region)
        for before, after in pairwise(values):
            ledger.at_most(text, after, before)
    return ledger.rows


def _falls_with_b(instance: Instance, seed: int) -> list[Relation]:
    ledger = Ledger("T8", instance.name)
    values = _along(instance, "B")
    for after in values[1:]:
        ledger.at_most("I(A;C|B~) <= I(A;C|B)", after, values[0])
    return ledger.rows


def _along(instance: Instance, region: str) -> list[float]:
    """I(A;C|B) as one region gets noisier, each step on top of the last."""
    law, values = instance.law, []
    kind = type(instance.law.noise)
    for strength in STRENGTHS:
        law = law.then(kind(strength), getattr(instance.parts, region))
        values.append(cmi(law, instance.parts, method="exact").value)
    return values


def noisy_buffer() -> Instance:
    """Noise on B raises I(A;C|B) from 8.3e-7 to 0.37 nats.

    Spins A and C hang on B with coupling 2.5 each and see each other with coupling 0.05: B, when
    seen, all but fixes both, and their weak bond is left. Flip B with strength
    :data:`NOISY_BUFFER`, and what A and C share of it is no longer known.
    """
    lattice = Lattice.ring(3)
    prior = Ising(lattice, np.array([2.5, 0.05, 2.5]))
    return Instance(
        "nearly screened pair", prior.noised(BitFlip(0.0)), Tripartition(A=[0], B=[1], C=[2])
    )


def _random_strips() -> list[Instance]:
    """Glassy strips and a chain, the noise uniform."""
    strip, wide = zoo.random_strip((2, 5), 1), zoo.random_strip((3, 4), 2)
    chain = zoo.random_strip((9,), 3)
    return [
        Instance("random strip 2x5, bit flips", strip.noised(BitFlip(0.1)),
                 strip.lattice.tripartition((0, 2), 1)),
        Instance("random strip 2x5, 2x2 block", strip.noised(BitFlip(0.1)),
                 strip.lattice.tripartition((0, 1), 1, size=2)),
        Instance("random strip 3x4, bit flips", wide.noised(BitFlip(0.2)),
                 wide.lattice.tripartition((1, 0), 1), quick=False),
        Instance("random chain, erasure", chain.noised(Erasure(0.2)),
                 chain.lattice.tripartition(4, 1)),
    ]  # fmt: skip


def _noise_instances() -> list[Instance]:
    grid = zoo.ising_grid()
    corner = grid.lattice.tripartition(centre=(0, 0), radius=1)
    chain, image = Lattice.chain(10), zoo.neighbour_field(Lattice.grid((5, 5)), 0.05)
    field = zoo.neighbour_field(chain, 0.1)
    potts = zoo.random_table(4, 3, 5)
    return [
        noisy_buffer(),
        Instance("Ising 3x3, bit flips", grid.noised(BitFlip(0.2)), corner),
        Instance("Ising 3x3, erasure", grid.noised(Erasure(0.2)), corner, quick=False),
        Instance("q = 3, erasure", potts.noised(Erasure(0.2)),
                 Tripartition(A=[0], B=[2], C=[1, 3])),
        Instance("repetition code", zoo.repetition_code(6).noised(BitFlip(0.3)),
                 Tripartition(A=[0], B=[1, 2], C=[3, 4, 5])),
        Instance("Gaussian chain", field.noised(Gaussian(0.3)), chain.tripartition(4, 1)),
        Instance("Gaussian image, 2x2 block", image.noised(Gaussian(0.3)),
                 image.lattice.tripartition(centre=(1, 1), radius=1, size=2)),
        *_random_strips(),
        *(zoo.random_discrete(seed) for seed in range(20, 24)),
        *(zoo.random_gaussian(seed) for seed in range(20, 22)),
    ]  # fmt: skip


DATA_PROCESSING = Theorem(
    key="T8",
    name="data processing",
    statement=r"I(\tilde A;C|B) \le I(A;C|B), \quad I(A;\tilde C|B) \le I(A;C|B)",
    source="data processing inequality; noise on B: Zhang, Gopalakrishnan, arXiv:2502.13210",
    altered="the same claim for noise on B",
    check=_falls,
    wrong=_falls_with_b,
    instances=_noise_instances,
)


def _screens(instance: Instance, seed: int) -> list[Relation]:
    return _screening(instance, instance.law, "I(A;BC) = I(A;B) at t = 0")


def _screens_noisy(instance: Instance, seed: int) -> list[Relation]:
    later: Noise = type(instance.law.noise)(0.3)
    law = NoisyLaw(instance.law.prior, later)
    return _screening(instance, law, "I(A;BC) = I(A;B) at t = 0.3")


def _screening(instance: Instance, law: NoisyLaw, text: str) -> list[Relation]:
    """The chain rule makes I(A;C|B) = 0 an identity between two numbers that do not vanish."""
    parts = instance.parts
    ledger = Ledger("T9", instance.name)
    whole = mutual_information(law, parts.A, parts.union("BC"))
    ledger.equal(text, whole, mutual_information(law, parts.A, parts.B))
    return ledger.rows


def _network_instances() -> list[Instance]:
    grid = zoo.ising_grid((3, 4), 0.5)
    glass = zoo.ising_graph(10, 8)
    strip, thread = zoo.random_strip((2, 6), 4), zoo.random_strip((12,), 5)
    chain = zoo.neighbour_field(Lattice.chain(20), 0.1)
    torus = zoo.neighbour_field(Lattice.grid((6, 6), periodic=True), 0.1)
    return [
        Instance("Ising 3x4", grid.noised(BitFlip(0.0)), grid.lattice.tripartition((0, 0), 1)),
        Instance("Ising 3x4, erasure", grid.noised(Erasure(0.0)),
                 grid.lattice.tripartition((1, 0), 1), quick=False),
        Instance("random strip 2x6", strip.noised(BitFlip(0.0)),
                 strip.lattice.tripartition((0, 2), 1)),
        Instance("random strip 2x6, 2x2 block", strip.noised(BitFlip(0.0)),
                 strip.lattice.tripartition((0, 1), 1, size=2)),
        Instance("random chain", thread.noised(BitFlip(0.0)), thread.lattice.tripartition(5, 1)),
        Instance("spin glass on a graph", glass.noised(BitFlip(0.0)),
                 glass.lattice.tripartition(4, 1)),
        Instance("Gaussian chain", chain.noised(Gaussian(0.0)), chain.lattice.tripartition(9, 1)),
        Instance("Gaussian torus", torus.noised(Gaussian(0.0)),
                 torus.lattice.tripartition((2, 2), 1)),
        Instance("Gaussian torus, 2x2 block", torus.noised(Gaussian(0.0)),
                 torus.lattice.tripartition((2, 2), 1, size=2)),
    ]  # fmt: skip


MARKOV_NETWORKS = Theorem(
    key="T9",
    name="Markov networks",
    statement=r"I_0(A;C|B_1) = 0, \text{ that is } I_0(A;B_1 C) = I_0(A;B_1), \text{ at range 1}",
    source="Hammersley and Clifford; hidden networks: Zhang, Gopalakrishnan, arXiv:2502.13210",
    altered="the same claim after noise of strength t = 0.3",
    check=_screens,
    wrong=_screens_noisy,
    instances=_network_instances,
)
