"""T11: where local denoising breaks down lies inside the window in which labels are decided."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from phasetheory.information import cmi, cmi_given_label, label_information
from phasetheory.lattice import Lattice, Tripartition
from phasetheory.models.boundary_ising import BoundaryIsing
from phasetheory.models.curie_weiss import CurieWeiss
from phasetheory.models.gaussian_mixture import GaussianMixture
from phasetheory.noise import BitFlip, Erasure, Gaussian
from phasetheory.noisy import NoisyLaw
from phasetheory.theorems import zoo
from phasetheory.theorems.relation import Ledger, Relation, Theorem
from phasetheory.theorems.zoo import Instance

__all__ = ["SPECIATION"]

Floats = NDArray[np.float64]

#: Times of the path on which windows are compared.
TIMES = (0.01, 0.15, 0.35, 0.55, 0.75, 0.92)
#: Thresholds delta, as shares of the largest CMI on these times.
LEVELS = (0.2, 0.6)


@dataclass(frozen=True)
class _Path:
    """Exact informations along the path, arrays over :data:`TIMES`, nats.

    Attributes:
        whole: I_t(A;C|B).
        given: I_t(A;C|B,S).
        gained: I_t(S;A|B).
        gained_far: I_t(S;A|BC).
        drop: I_0(S;AB) - I_t(S;B).
        known: I_t(S;ABC).
    """

    whole: Floats
    given: Floats
    gained: Floats
    gained_far: Floats
    drop: Floats
    known: Floats


@lru_cache(maxsize=1)  # the theorem and its wrong variant look at the same path
def _path(instance: Instance) -> _Path:
    prior, kind, parts = instance.law.prior, type(instance.law.noise), instance.parts
    clean = _label(NoisyLaw(prior, kind(0.0)), parts, "AB")
    rows = []
    for t in TIMES:
        law = NoisyLaw(prior, kind(t))
        b, ab, bc, abc = (_label(law, parts, names) for names in ("B", "AB", "BC", "ABC"))
        whole = cmi(law, parts, method="exact").value
        given = cmi_given_label(law, parts, method="exact").value
        rows.append((whole, given, ab - b, abc - bc, clean - b, abc))
    return _Path(*np.array(rows).T)


def _label(law: NoisyLaw, parts: Tripartition, names: str) -> float:
    """I(S;R) for a union of regions, exact."""
    region = parts.union(names)
    if not region.size:
        return 0.0
    found = label_information(law, region)
    assert found.exact
    return found.value


def _window(curve: Floats, level: float) -> tuple[float, float]:
    """First and last time at which the curve reaches the level: (1, 0), empty, if never."""
    reached = np.flatnonzero(curve >= level)
    return (TIMES[reached[0]], TIMES[reached[-1]]) if reached.size else (1.0, 0.0)


def _contained(instance: Instance, seed: int) -> list[Relation]:
    ledger, path = Ledger("T11", instance.name), _path(instance)
    explained = path.whole - path.given
    for k in range(len(TIMES)):
        ledger.equal(
            "I(A;C|B) - I(A;C|B,S) = I(S;A|B) - I(S;A|BC)",
            explained[k],
            path.gained[k] - path.gained_far[k],
        )
        ledger.at_most("kappa I <= I_0(S;AB) - I_t(S;B)", explained[k], path.drop[k])
        ledger.at_most("kappa I <= I_t(S;ABC)", explained[k], path.known[k])
    for level in LEVELS:
        delta = level * path.whole.max()
        inside = path.whole > delta
        kappa = float((explained[inside] / path.whole[inside]).min())
        if kappa > 0:  # else the hypothesis fails, and the theorem is silent
            _compare(ledger, path, delta, kappa)
    return ledger.rows


def _contained_without_hypothesis(instance: Instance, seed: int) -> list[Relation]:
    ledger, path = Ledger("T11", instance.name), _path(instance)
    for k in range(len(TIMES)):
        ledger.equal(
            "I(A;C|B) - I(A;C|B,S) = I(S;A|B)", path.whole[k] - path.given[k], path.gained[k]
        )
        ledger.at_most("I <= I_0(S;AB) - I_t(S;B)", path.whole[k], path.drop[k])
        ledger.at_most("I <= I_t(S;ABC)", path.whole[k], path.known[k])
    for level in LEVELS:
        _compare(ledger, path, level * path.whole.max(), 1.0, " (kappa = 1)")
    return ledger.rows


def _compare(ledger: Ledger, path: _Path, delta: float, kappa: float, note: str = "") -> None:
    """Both ends of both windows, on the same times."""
    nonlocality = np.flatnonzero(path.whole > delta)
    # The share is taken from the same numbers, so that equality may be off by rounding.
    bar = kappa * delta * (1.0 - 1e-12)
    starts, _ = _window(path.drop, bar)
    _, ends = _window(path.known, bar)
    ledger.at_most(f"speciation starts first{note}", starts, TIMES[nonlocality[0]])
    ledger.at_most(f"nonlocality ends first{note}", TIMES[nonlocality[-1]], ends)


def _instances() -> list[Instance]:
    grid, chain, strip = Lattice.grid((8, 8)), Lattice.chain(12), Lattice.grid((2, 5))
    clusters = GaussianMixture.symmetric(grid, 1.0, 0.5)
    uneven = GaussianMixture(
        chain, np.outer([-1.0, 1.0], np.linspace(0.2, 2.0, 12)), 0.3, weights=[0.2, 0.8]
    )
    ordered = BoundaryIsing(strip, 0.7, 0.9)
    two = Tripartition(A=[0], B=[], C=[1])
    code, magnet = CurieWeiss(24, np.inf), CurieWeiss(24, 1.6)
    tables = [
        Instance(
            f"labelled table {seed}, {kind.__name__}",
            zoo.labelled_table(4, q, labels, seed).noised(kind(0.0)),
            Tripartition(A=[0], B=[1], C=[2, 3]),
            quick=q == 2,
        )
        for seed, ((q, labels), kind) in enumerate(product([(2, 2), (3, 3)], [BitFlip, Erasure]))
    ]
    return [
        Instance("copied spins", CurieWeiss(2, np.inf).noised(BitFlip(0.0)), two),
        Instance("copied spins, erasure", CurieWeiss(2, np.inf).noised(Erasure(0.0)), two),
        Instance("repetition code", code.noised(BitFlip(0.0)),
                 Tripartition(A=[0], B=range(1, 6), C=range(6, 24))),
        Instance("Curie-Weiss magnet", magnet.noised(BitFlip(0.0)),
                 Tripartition(A=[0], B=range(1, 9), C=range(9, 24)), quick=False),
        Instance("two clusters", clusters.noised(Gaussian(0.0)), grid.tripartition((3, 3), 1)),
        Instance("two uneven clusters", uneven.noised(Gaussian(0.0)), chain.tripartition(5, 1)),
        Instance("Ising strip with a boundary spin", ordered.noised(BitFlip(0.0)),
                 strip.tripartition((0, 2), 1)),
        Instance("pair with parity label", zoo.parity_pair(0.95).noised(BitFlip(0.0)), two),
        *tables,
    ]  # fmt: skip


SPECIATION = Theorem(
    key="T11",
    name="speciation contains nonlocality",
    statement=(
        r"\kappa\, I_t(A;C|B) \le I_t(A;C|B) - I_t(A;C|B,S) \Rightarrow \{t : I_t(A;C|B) > \delta\}"
        r" \subseteq [\inf\{t : I_0(S;AB) - I_t(S;B) \ge \kappa\delta\},"
        r" \sup\{t : I_t(S;ABC) \ge \kappa\delta\}]"
    ),
    source=(
        "Liu, Zhang, Nandkishore, Okyay, Hu, Gao 2026; chain rule of I(A;CS|B) and data processing"
    ),
    altered="the hypothesis dropped: kappa = 1 for labels that are parities; one term of the chain",
    check=_contained,
    wrong=_contained_without_hypothesis,
    instances=_instances,
)
