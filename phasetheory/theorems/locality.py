"""T5 and T7: the best local score, what it loses, and how the CMI bounds the loss."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasetheory.information import cmi, enumerate_outputs, locality_gap
from phasetheory.lattice import Lattice, Tripartition
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.noise import BitFlip, Erasure, Gaussian
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import DiscreteLaws, MixtureLaws
from phasetheory.theorems import zoo
from phasetheory.theorems.linear import covariance, linear_part, mean_square
from phasetheory.theorems.relation import ROUNDING, Ledger, Relation, Theorem
from phasetheory.theorems.zoo import Instance

__all__ = ["BEST_LOCAL_SCORE", "BEST_SINGLE_SITE_RATIO", "BEST_SINGLE_SITE_SNR", "GAP_AND_CMI"]

Floats = NDArray[np.float64]

#: T7 on Gaussian fields with one-site A. With V_0 = Var(y_A|y_B) and V_1 = Var(y_A|y_BC),
#: Delta^2 = 1/V_1 - 1/V_0, I = log(V_0/V_1)/2 and V_1 >= sigma^2, so that with s = 2I
#:     Delta^2 sigma^2 / (4 sqrt I) <= (1 - e^-s) / (4 sqrt(s/2)).
#: The right side is largest where 2 s = e^s - 1, at s = 1.25643: there it is 0.22563. It is
#: attained where C tells x_A exactly (V_1 = sigma^2) and snr = V_0/V_1 - 1 = e^s - 1 = 2 s.
BEST_SINGLE_SITE_SNR = 2.512862417252339
BEST_SINGLE_SITE_RATIO = 0.2256281170391541


@dataclass(frozen=True)
class _Errors:
    """Mean squares that T5 relates: numbers, or arrays over samples of shape (n,).

    Attributes:
        gap: |s - s_loc|^2, or |m - m_loc|^2 of posterior means for discrete noise.
        other: |s - f|^2 for another function f of y_AB.
        excess: |s_loc - f|^2 for it.
        reader: |s - f|^2 for an f that reads C as well.
        mmse: |x_A - m_loc|^2 - |x_A - m|^2, each site times alpha^2/sigma^4 (Gaussian noise).
    """

    gap: Floats
    other: Floats
    excess: Floats
    reader: Floats
    mmse: Floats


def _best_score(instance: Instance, seed: int) -> list[Relation]:
    errors, sampled = _errors(instance, seed)
    ledger = Ledger("T5", instance.name)
    add = ledger.paired if sampled else ledger.at_most
    tweedie = "alpha^2/sigma^4 [mmse(x_A|y_AB) - mmse(x_A|y)] = Delta^2"
    pythagoras = "E|s - f|^2 = Delta^2 + E|s_loc - f|^2"
    add(pythagoras, errors.other, errors.gap + errors.excess, kind="=")
    add("Delta^2 <= E|s - f|^2", errors.gap, errors.other, kind="<=")
    if sampled:
        ledger.paired(tweedie, errors.mmse, errors.gap)
    else:
        error = _rounding(instance.law, instance.parts)
        exact = locality_gap(instance.law, instance.parts)
        ledger.equal(tweedie, errors.mmse, errors.gap, error=error)
        ledger.equal("locality_gap = E|s - s_loc|^2", exact, errors.gap, error=error)
    return ledger.rows


def _reads_far(instance: Instance, seed: int) -> list[Relation]:
    errors, sampled = _errors(instance, seed)
    ledger = Ledger("T5", instance.name)
    add = ledger.paired if sampled else ledger.at_most
    add("Delta^2 <= E|s - f|^2, f reading C", errors.gap, errors.reader, kind="<=")
    add("alpha^2/sigma^4 [mmse(x_A|y_AB) - mmse(x_A|y)] = 2 Delta^2", errors.mmse,
        2.0 * errors.gap, kind="=")  # fmt: skip
    add("E|s - f|^2 = Delta^2", errors.other, errors.gap, kind="=")
    return ledger.rows


def _errors(instance: Instance, seed: int) -> tuple[_Errors, bool]:
    """The mean squares, and whether they are arrays over samples."""
    if isinstance(instance.law.prior, GaussianField):
        return _gaussian_errors(instance.law, instance.parts), False
    outputs = enumerate_outputs(instance.law, instance.parts.union("ABC"))
    if outputs is not None:
        each = _pointwise(instance.law, instance.parts, outputs[0], None)
        return _Errors(
            *(np.dot(outputs[1], part) for part in
              (each.gap, each.other, each.excess, each.reader, each.mmse)),
        ), False  # fmt: skip
    x, y = instance.law.sample(instance.n_samples, rng=seed)
    return _pointwise(instance.law, instance.parts, y, x), True


def _gaussian_errors(law: NoisyLaw, parts: Tripartition) -> _Errors:
    """Exact mean squares of linear scores; their offsets vanish."""
    A, spread = parts.A, covariance(law)
    full, local, alone = (
        linear_part(law.score, law, parts.union(names))[0][A] for names in ("ABC", "AB", "A")
    )
    # Any function of y_AB will do; this one is neither optimal nor far off.
    f = 0.8 * local + 0.1 * alone
    mmse = 0.0
    for names, sign in (("AB", 1.0), ("ABC", -1.0)):
        laws = law.posterior(np.zeros((1, law.n_sites)), parts.union(names), A)
        assert isinstance(laws, MixtureLaws)
        mmse += sign * float(laws.variance()[0] @ _scale(law, parts))
    reader = 0.5 * (full + local)
    squares = (full - local, full - f, local - f, full - reader)
    gap, other, excess, reader = (np.asarray(mean_square(m, spread)) for m in squares)
    return _Errors(gap, other, excess, reader, np.asarray(mmse))


def _pointwise(
    law: NoisyLaw, parts: Tripartition, y: NDArray[Any], x: NDArray[Any] | None
) -> _Errors:
    """The squares at every y, shape (n,); without x, its square errors averaged given y."""
    laws = [law.posterior(y, parts.union(names), parts.A) for names in ("ABC", "AB", "A")]
    means = [one.mean() for one in laws]
    q = law.prior.q
    if isinstance(law.noise, Gaussian):
        full, local, alone = (
            law.score(y, parts.union(names))[:, parts.A] for names in ("ABC", "AB", "A")
        )
    else:
        full, local, alone = means
    f, reader = 0.8 * local + 0.1 * alone, 0.5 * (full + local)
    if x is not None:
        root = np.sqrt(_scale(law, parts))
        errors = [_square(root * (x[:, parts.A] - mean)) for mean in means[:2]]
    else:
        # E x^2 = 1 for spins, and sum_a 1[x = a]^2 = 1 for the indicators of q > 2 symbols.
        assert q is not None and isinstance(laws[0], DiscreteLaws)
        errors = [parts.A.size - _square(mean) for mean in means[:2]]
    return _Errors(
        _square(full - local), _square(full - f), _square(local - f), _square(full - reader),
        errors[1] - errors[0],
    )  # fmt: skip


def _square(values: Floats) -> Floats:
    return np.asarray(np.square(values).reshape(len(values), -1).sum(axis=1))


def _scale(law: NoisyLaw, parts: Tripartition) -> Floats:
    """alpha^2/sigma^4 of every site of A; 1 for discrete noise."""
    if not isinstance(law.noise, Gaussian):
        return np.ones(parts.A.size)
    alpha, sigma = (np.broadcast_to(s, (law.n_sites,))[parts.A] for s in law.noise.scales)
    return np.asarray(alpha**2 / sigma**4)


def _rounding(law: NoisyLaw, parts: Tripartition) -> float:
    """Rounding of Tweedie's identity: it subtracts numbers of the size alpha^2/sigma^4 E x_A^2."""
    if not isinstance(law.prior, GaussianField):
        return ROUNDING
    clean = np.diag(law.prior.noisy_covariance(Gaussian(0.0), parts.A))
    return ROUNDING * max(1.0, float(_scale(law, parts) @ clean))


def _score_instances() -> list[Instance]:
    grid, chain = zoo.ising_grid(), Lattice.chain(10)
    corner = grid.lattice.tripartition(centre=(0, 0), radius=1)
    field = zoo.neighbour_field(chain, 0.1).noised(Gaussian(0.4))
    image = zoo.neighbour_field(Lattice.grid((5, 5)), 0.05).noised(Gaussian(0.5))
    block = image.lattice.tripartition(centre=(1, 1), radius=1, size=2)
    strong = zoo.ising_graph(6, 3).noised(Gaussian(0.4))
    cluster = zoo.two_clusters(6).noised(Gaussian(0.6))
    ends = Tripartition(A=[0], B=[1], C=[2, 3, 4, 5])
    return [
        Instance("Ising 3x3, bit flips", grid.noised(BitFlip(0.3)), corner),
        Instance("q = 3, erasure", zoo.random_table(4, 3, 5).noised(Erasure(0.4)),
                 Tripartition(A=[0], B=[2], C=[1, 3])),
        Instance("random spins, erasure", zoo.random_table(5, 2, 6).noised(Erasure(0.3)),
                 Tripartition(A=[0, 4], B=[1], C=[2, 3])),
        Instance("Gaussian chain", field, chain.tripartition(centre=4, radius=1)),
        Instance("Gaussian image, 2x2 block", image, block),
        Instance("spin glass, Gaussian noise", strong, ends, n_samples=20_000),
        Instance("two clusters, Gaussian noise", cluster, ends, n_samples=20_000),
    ]  # fmt: skip


BEST_LOCAL_SCORE = Theorem(
    key="T5",
    name="best local score",
    statement=(
        r"\mathbb{E}|\nabla_A \log p_t(y) - f(y_{AB})|^2 = \Delta^2 +"
        r" \mathbb{E}|\nabla_A \log p_t(y_{AB}) - f(y_{AB})|^2 \ge \Delta^2, \quad"
        r" \mathrm{mmse}(x_A|y_{AB}) - \mathrm{mmse}(x_A|y) = \frac{\sigma^4}{\alpha^2} \Delta^2"
    ),
    source="orthogonality of conditional expectations; Tweedie's formula",
    altered="f reads C; the factor in Tweedie's identity doubled; the second square left out",
    check=_best_score,
    wrong=_reads_far,
    instances=_score_instances,
)


def _gap_and_cmi(instance: Instance, seed: int) -> list[Relation]:
    return _gap_rows(instance, seed, "Delta^2 <= 2 sqrt(m(m+3)) sqrt(I) / sigma^2", 1.0)


def _gap_and_too_little(instance: Instance, seed: int) -> list[Relation]:
    return _gap_rows(instance, seed, "Delta^2 <= sqrt(m(m+3)) sqrt(I) / (5 sigma^2)", 0.1)


def _gap_rows(instance: Instance, seed: int, text: str, scale: float) -> list[Relation]:
    law, parts = instance.law, instance.parts
    assert isinstance(law.noise, Gaussian)
    sigma = float(np.broadcast_to(law.noise.sigma, (law.n_sites,))[parts.A].min())
    m = parts.A.size
    first, second = np.random.default_rng(seed).spawn(2)
    gap = locality_gap(law, parts, n_samples=instance.n_samples, rng=first)
    information = cmi(law, parts, n_samples=instance.n_samples, rng=second)
    constant = scale * 2.0 * np.sqrt(m * (m + 3.0)) / sigma**2
    root = float(np.sqrt(max(information.value, 0.0)))
    # d sqrt(I) = dI / (2 sqrt I); both sides come from samples of their own.
    blur = information.stderr / (2.0 * root) if root > 0 else 0.0
    ledger = Ledger("T7", instance.name)
    ledger.at_most(text, gap, constant * root, stderr=float(np.hypot(gap.stderr, constant * blur)))
    return ledger.rows


def _gap_instances() -> list[Instance]:
    chain, image = Lattice.chain(12), zoo.neighbour_field(Lattice.grid((5, 5)), 0.05)
    field = zoo.neighbour_field(chain, 0.1)
    near = chain.tripartition(centre=5, radius=1)
    copies = zoo.repetition_code(2)
    two = Tripartition(A=[0], B=[], C=[1])
    glass = zoo.ising_graph(6, 3).noised(Gaussian(0.4))
    cluster = zoo.two_clusters(6).noised(Gaussian(0.6))
    ends = Tripartition(A=[0], B=[1], C=[2, 3, 4, 5])
    return [
        Instance("copied Gaussian, best snr", zoo.copied_field(BEST_SINGLE_SITE_SNR), two),
        *(Instance(f"Gaussian chain, t = {t}", field.noised(Gaussian(t)), near)
          for t in (0.1, 0.5, 0.9)),
        Instance("Gaussian image, 2x2 block", image.noised(Gaussian(0.4)),
                 image.lattice.tripartition(centre=(1, 1), radius=1, size=2)),
        Instance("copied spin, snr 1", zoo.noisy_on(copies, 0, 1.0), two, n_samples=2000),
        Instance("spin glass, Gaussian noise", glass, ends, n_samples=2000),
        Instance("two clusters, Gaussian noise", cluster, ends, n_samples=2000),
        *(zoo.random_gaussian(seed) for seed in range(10, 14)),
    ]  # fmt: skip


GAP_AND_CMI = Theorem(
    key="T7",
    name="gap against CMI",
    statement=r"\Delta^2(t) \le \frac{2\sqrt{m(m+3)}}{\sigma^2} \sqrt{I_t(A;C|B)}, \quad m=\dim A",
    source='Liu et al. 2026, "Breakdown of Local Denoising as Semantic Speciation", Prop. 2',
    altered="a constant ten times smaller (on Gaussian fields with m = 1 the best is 4.4 times)",
    check=_gap_and_cmi,
    wrong=_gap_and_too_little,
    instances=_gap_instances,
)
