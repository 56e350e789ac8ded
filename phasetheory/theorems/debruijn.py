r"""T6: the CMI as an integral of the locality gap over extra noise on A, and over its snr.

Given y_B and y_C, beliefs about x_A are two one-site laws; noise of variance u on top turns them
into densities of y_A, whose relative entropy falls by half their relative Fisher information.
Integrals over u and g map to (0, 1) and go by Gauss and Legendre: the integrands are analytic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from phasetheory.information import cmi, enumerate_outputs
from phasetheory.information.cavity import noisy_divergence
from phasetheory.lattice import Lattice, Tripartition
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.noise import BitFlip, Gaussian
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import DiscreteLaws, MixtureLaws, SiteLaws
from phasetheory.theorems import zoo
from phasetheory.theorems.linear import covariance, linear_part, mean_square
from phasetheory.theorems.relation import Ledger, Relation, Theorem
from phasetheory.theorems.zoo import Instance

__all__ = ["DE_BRUIJN"]

Floats = NDArray[np.float64]
Integrand = Callable[[NoisyLaw], Floats]

#: Gauss-Legendre nodes: closed-form integrands cost little, the others a grid in y_A each.
N_EXACT, N_GRID = 40, 20
#: The grid in y_A: reach beyond the outermost mean, and step, in standard deviations.
REACH, STEP = 8.5, 0.35
#: What the quadratures leave, relative to the integral or to one nat.
QUADRATURE = 1e-9
#: End of the finite interval of extra variance, in units of alpha^2 + sigma^2 on A.
SPAN = 0.5


@dataclass(frozen=True)
class _Integrals:
    """What T6 relates, one entry for each (y_B, y_C), shape (n,); closed forms have one entry.

    Attributes:
        information: Relative entropy of the two beliefs about y_A: I(A;C|B) on average.
        decrease: What the extra variance SPAN takes off it.
        gap: Integral of Delta^2(u) over u from 0 to infinity.
        part: The same over the finite interval.
        mmse: Integral of mmse(A|B,g) - mmse(A|BC,g) over g from 0 to the snr.
        weight: Probabilities of the entries.
        sampled: Whether they are samples.
    """

    information: Floats
    decrease: Floats
    gap: Floats
    part: Floats
    mmse: Floats
    weight: Floats
    sampled: bool


def _check(instance: Instance, seed: int) -> list[Relation]:
    return _rows(instance, seed, 0.5, "1/2")


def _wrong(instance: Instance, seed: int) -> list[Relation]:
    return _rows(instance, seed, 1.0, "1")


def _rows(instance: Instance, seed: int, factor: float, shown: str) -> list[Relation]:
    found = _integrals(instance, seed)
    ledger = Ledger("T6", instance.name)
    for text, information, integral in (
        (f"I(0) - I(u) = {shown} int_0^u Delta^2", found.decrease, found.part),
        (f"I = {shown} int_0^inf Delta^2(u) du", found.information, found.gap),
        (f"I = {shown} int_0^snr [mmse(A|B,g) - mmse(A|BC,g)] dg", found.information, found.mmse),
    ):
        if found.sampled:
            ledger.paired(text, information, factor * integral, error=QUADRATURE)
        else:
            sides = float(found.weight @ information), factor * float(found.weight @ integral)
            ledger.equal(text, *sides, error=QUADRATURE)
    return ledger.rows


@lru_cache(maxsize=1)  # the theorem and its wrong variant look at the same numbers
def _integrals(instance: Instance, seed: int) -> _Integrals:
    law, parts = instance.law, instance.parts
    closed = isinstance(law.prior, GaussianField)
    if closed:
        y, weight, sampled = np.zeros((1, law.n_sites)), np.ones(1), False
    else:
        y, weight, sampled = _surroundings(instance, seed)

    def information(at: NoisyLaw) -> Floats:
        if closed:
            return np.array([cmi(at, parts).value])
        site = int(parts.A[0])
        full, local = (at.posterior(y, parts.union(names), [site]) for names in ("BC", "B"))
        return noisy_divergence(full, local, at.noise.at(site))

    def gap(at: NoisyLaw) -> Floats:
        return _linear_gap(at, parts) if closed else _average(at, parts, y, _squared_difference)

    def excess(at: NoisyLaw) -> Floats:
        return _linear_excess(at, parts) if closed else _average(at, parts, y, _excess_variance)

    alpha, sigma = _scales_on(law, parts)
    total, snr = alpha**2 + sigma**2, alpha**2 / sigma**2
    nodes, weights = np.polynomial.legendre.leggauss(N_EXACT if closed else N_GRID)
    s, ds = 0.5 * (nodes + 1.0), 0.5 * weights
    far = [(total * a / (1.0 - a), total * b / (1.0 - a) ** 2) for a, b in zip(s, ds, strict=True)]
    near = [(SPAN * total * a, SPAN * total * b) for a, b in zip(s, ds, strict=True)]
    before = information(law)
    return _Integrals(
        information=before,
        decrease=before - information(_noisier(law, parts, SPAN * total)),
        gap=sum((b * gap(_noisier(law, parts, u)) for u, b in far), np.zeros(len(y))),
        part=sum((b * gap(_noisier(law, parts, u)) for u, b in near), np.zeros(len(y))),
        mmse=sum(
            (snr * b * excess(_with_snr(law, parts, snr * a)) for a, b in zip(s, ds, strict=True)),
            np.zeros(len(y)),
        ),
        weight=weight,
        sampled=sampled,
    )


def _scales_on(law: NoisyLaw, parts: Tripartition) -> tuple[float, float]:
    """Alpha and sigma of A, the same on all its sites."""
    assert isinstance(law.noise, Gaussian)
    alpha, sigma = (np.broadcast_to(s, (law.n_sites,))[parts.A] for s in law.noise.scales)
    return float(alpha[0]), float(sigma[0])


def _noisier(law: NoisyLaw, parts: Tripartition, variance: float) -> NoisyLaw:
    """The law after Gaussian noise of the given variance on A alone."""
    return law.then(Gaussian.from_scales(1.0, np.sqrt(variance)), parts.A)


def _with_snr(law: NoisyLaw, parts: Tripartition, snr: float) -> NoisyLaw:
    """The law with A observed at another snr, B and C as they are."""
    assert isinstance(law.noise, Gaussian)
    alpha, sigma = (np.array(np.broadcast_to(s, (law.n_sites,))) for s in law.noise.scales)
    alpha[parts.A], sigma[parts.A] = np.sqrt(snr), 1.0
    return NoisyLaw(law.prior, Gaussian.from_scales(alpha, sigma))


def _linear_gap(law: NoisyLaw, parts: Tripartition) -> Floats:
    full, local = (
        linear_part(law.score, law, parts.union(names))[0][parts.A] for names in ("ABC", "AB")
    )
    return np.array([mean_square(full - local, covariance(law))])


def _linear_excess(law: NoisyLaw, parts: Tripartition) -> Floats:
    y = np.zeros((1, law.n_sites))
    local, full = (_variance(law.posterior(y, parts.union(n), parts.A)) for n in ("AB", "ABC"))
    return np.array([(local - full).sum()])


def _surroundings(instance: Instance, seed: int) -> tuple[Floats, Floats, bool]:
    """Values of y on B and C: all of them with their probabilities, or samples."""
    law, rest = instance.law, instance.parts.union("BC")
    if law.discrete[rest].all():
        outputs = enumerate_outputs(NoisyLaw(law.prior, BitFlip(0.0)), rest)
        assert outputs is not None and isinstance(law.noise, Gaussian)
        return law.noise.alpha * outputs[0], outputs[1], False
    n = instance.n_samples
    return law.sample(n, rng=seed)[1], np.full(n, 1.0 / n), True


def _average(
    law: NoisyLaw,
    parts: Tripartition,
    y: Floats,
    integrand: Callable[[NoisyLaw, Tripartition, Floats], Floats],
) -> Floats:
    """Integral over y_A of p(y_A|y_BC) times the integrand, for every row of y: trapezoid rule."""
    site = int(parts.A[0])
    alpha, sigma = _scales_on(law, parts)
    belief = law.posterior(y, parts.union("BC"), [site])
    if isinstance(belief, DiscreteLaws):
        weights, means, variances = belief.p[:, 0], np.array([[-1.0, 1.0]]), np.zeros((1, 2))
    else:
        assert isinstance(belief, MixtureLaws)
        every = np.broadcast_arrays(belief.weights, belief.means, belief.variances)
        weights, means, variances = (part[:, 0] for part in every)
    means, spread = alpha * means, np.sqrt(alpha**2 * variances + sigma**2)
    low, high = (means - REACH * spread).min(), (means + REACH * spread).max()
    grid = np.linspace(low, high, int(np.ceil((high - low) / (STEP * spread.min()))) + 1)
    z = (grid - means[..., None]) / spread[..., None]
    density = (weights[..., None] * np.exp(-0.5 * z**2) / spread[..., None]).sum(axis=1)
    everywhere = np.repeat(y, grid.size, axis=0)
    everywhere[:, site] = np.tile(grid, len(y))
    values = integrand(law, parts, everywhere).reshape(len(y), grid.size)
    return np.asarray((density * values).sum(axis=1) * (grid[1] - grid[0]) / np.sqrt(2.0 * np.pi))


def _squared_difference(law: NoisyLaw, parts: Tripartition, y: Floats) -> Floats:
    """Squared difference of the full and the local score on A; by Tweedie, y_A drops out."""
    full, local = (law.posterior(y, parts.union(n), parts.A).mean() for n in ("ABC", "AB"))
    alpha, sigma = _scales_on(law, parts)
    return np.asarray(np.square(alpha / sigma**2 * (full - local)).sum(axis=1))


def _excess_variance(law: NoisyLaw, parts: Tripartition, y: Floats) -> Floats:
    """Posterior variance of x_A given y_AB, less that given y."""
    local, full = (_variance(law.posterior(y, parts.union(n), parts.A)) for n in ("AB", "ABC"))
    return np.asarray((local - full).sum(axis=1))


def _variance(laws: SiteLaws) -> Floats:
    return 1.0 - np.square(laws.mean()) if isinstance(laws, DiscreteLaws) else laws.variance()


def _instances() -> list[Instance]:
    chain = Lattice.chain(10)
    field = zoo.neighbour_field(chain, 0.1)
    image = zoo.neighbour_field(Lattice.grid((5, 5)), 0.05)
    two = Tripartition(A=[0], B=[], C=[1])
    ends = Tripartition(A=[0], B=[1], C=[2, 3])
    glass = zoo.ising_graph(5, 3)
    middle = Tripartition(A=[2], B=[1], C=[0, 3, 4])
    ising = zoo.ising_grid((4,), 1.0, 0.0)
    cluster = zoo.two_clusters(6).noised(Gaussian(0.6))
    return [
        Instance("Gaussian chain", field.noised(Gaussian(0.4)), chain.tripartition(4, 1)),
        Instance("Gaussian image, 2x2 block", image.noised(Gaussian(0.5)),
                 image.lattice.tripartition(centre=(1, 1), radius=1, size=2)),
        Instance("copied spin, noise on A", zoo.noisy_on(zoo.repetition_code(2), 0, 1.0), two),
        Instance("spin glass, noise on A", zoo.noisy_on(glass, 2, 0.7), middle),
        Instance("two clusters", cluster, ends, n_samples=400),
        Instance("Ising chain, noise everywhere", ising.noised(Gaussian(0.4)),
                 Tripartition(A=[1], B=[0], C=[2, 3]), n_samples=400, quick=False),
    ]  # fmt: skip


DE_BRUIJN = Theorem(
    key="T6",
    name="de Bruijn and I-MMSE",
    statement=(
        r"\frac{dI}{du} = -\tfrac12 \Delta^2(u), \quad I_t(A;C|B) ="
        r" \tfrac12 \int_0^\infty \Delta^2(u)\,du = \tfrac12 \int_0^{\mathrm{snr}}"
        r" [\mathrm{mmse}(A|B,g) - \mathrm{mmse}(A|BC,g)]\,dg"
    ),
    source="de Bruijn's identity (Stam 1959) and Guo, Shamai, Verdu 2005, applied given B and C",
    altered="the factor 1/2 left out",
    check=_check,
    wrong=_wrong,
    instances=_instances,
)
