r"""T10: a Bayes-optimal denoiser cannot tell its own samples from the truth.

With <.> the average over the posterior p(x|y_R), R any region, and x the truth,
E x_i <x_i> = E <x_i>^2; and a draw x' from the posterior agrees with the truth as often as two
draws agree with each other, E 1[x_i = x'_i] = E sum_a p(x_i = a|y_R)^2.
"""

import numpy as np
from numpy.typing import NDArray

from phasetheory.lattice import Lattice, Region, Tripartition
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.models.table import Table
from phasetheory.noise import BitFlip, Erasure, Gaussian
from phasetheory.noisy import NoisyLaw
from phasetheory.prior import DiscreteLaws
from phasetheory.theorems import zoo
from phasetheory.theorems.linear import linear_part
from phasetheory.theorems.relation import Ledger, Relation, Theorem
from phasetheory.theorems.zoo import Instance

__all__ = ["NISHIMORI"]

Floats = NDArray[np.float64]


def _check(instance: Instance, seed: int) -> list[Relation]:
    return _rows(instance, seed, instance.law, "")


def _wrong(instance: Instance, seed: int) -> list[Relation]:
    """A denoiser that is Bayes-optimal for another law."""
    law = instance.law
    if isinstance(law.noise, Gaussian):
        alpha, sigma = law.noise.scales
        believed = NoisyLaw(law.prior, Gaussian.from_scales(alpha, 2.0 * sigma))
        return _rows(instance, seed, believed, ", sigma taken twice too large")
    weights = np.sqrt(Table.from_prior(law.prior).probabilities)
    hot = Table(law.lattice, weights / weights.sum())
    return _rows(instance, seed, NoisyLaw(hot, law.noise), ", prior taken twice too hot")


def _rows(instance: Instance, seed: int, believed: NoisyLaw, note: str) -> list[Relation]:
    """Both identities for the denoisers that read everything and that read A and B only."""
    law, parts = instance.law, instance.parts
    ledger = Ledger("T10", instance.name)
    magnetisation = ("E x<x> = E <x>^2" + note, "E x<x>_AB = E <x>_AB^2" + note)
    replicas = ("P(x = x') = P(x' = x'')" + note, "P(x = x'_AB) = P(x'_AB = x''_AB)" + note)
    regions = (parts.union("ABC"), parts.union("AB"))
    if isinstance(law.prior, GaussianField):
        for text, region in zip(magnetisation, regions, strict=True):
            ledger.equal(text, *_linear_overlaps(law, believed, region, parts.A))
        return ledger.rows
    if law.discrete.all() and not isinstance(law.noise, Gaussian):
        x, y, weight = _joint(law)
    else:
        x, y = law.sample(instance.n_samples, rng=seed)
        weight = None
    for names in zip(regions, magnetisation, replicas, strict=True):
        laws = believed.posterior(y, names[0], parts.A)
        truth, mean = x[:, parts.A], laws.mean()
        pairs = []
        if mean.ndim == 2:
            pairs.append((names[1], (truth * mean).mean(axis=1), np.square(mean).mean(axis=1)))
        if isinstance(laws, DiscreteLaws):
            symbol = ((truth + 1) // 2 if laws.q == 2 else truth).astype(np.int64)
            hit = np.take_along_axis(laws.p, symbol[..., None], axis=-1)[..., 0]
            pairs.append((names[2], hit.mean(axis=1), np.square(laws.p).sum(-1).mean(axis=1)))
        for text, lhs, rhs in pairs:
            if weight is None:
                ledger.paired(text, lhs, rhs)
            else:
                ledger.equal(text, float(weight @ lhs), float(weight @ rhs))
    return ledger.rows


def _linear_overlaps(
    law: NoisyLaw, believed: NoisyLaw, region: Region, sites: NDArray[np.int64]
) -> tuple[float, float]:
    """E x<x> and E <x>^2 averaged over the sites, for Gaussian x, y and an affine denoiser.

    The denoiser is read off as an affine map; the moments are those of the true law.
    """
    assert isinstance(law.prior, GaussianField) and isinstance(law.noise, Gaussian)
    everything = np.arange(law.n_sites)
    clean = law.prior.noisy_covariance(Gaussian(0.0), everything)
    noisy = law.prior.noisy_covariance(law.noise, everything)
    # Both laws have the same mean of y, so the map is centred where the data are.
    matrix, offset = linear_part(believed.denoise, law, region)
    rows = matrix[sites]
    cross = rows @ (np.broadcast_to(law.noise.alpha, (law.n_sites,))[:, None] * clean[:, sites])
    truth = np.diag(cross) + law.prior.mean[sites] * offset[sites]
    square = np.einsum("ai,ij,aj->a", rows, noisy, rows) + offset[sites] ** 2
    return float(truth.mean()), float(square.mean())


def _joint(law: NoisyLaw) -> tuple[NDArray[np.int8], NDArray[np.int8], Floats]:
    """Every pair (x, y) with its probability p(x) prod_i p(y_i|x_i), from table and channels."""
    table = Table.from_prior(law.prior)
    q, n = table.q, law.n_sites
    outputs = law.noise.outputs(q)
    channel = np.broadcast_to(law.noise.channel(q), (n, len(outputs), q))
    states = np.stack(np.unravel_index(np.arange(q**n), (q,) * n), axis=1)
    seen = np.stack(np.unravel_index(np.arange(len(outputs) ** n), (len(outputs),) * n), axis=1)
    weight = table.probabilities.reshape(-1, 1)
    for site in range(n):
        weight = weight * channel[site][seen[:, site], states[:, site][:, None]]
    i, j = np.nonzero(weight)
    values = np.array([-1, 1], np.int8) if q == 2 else np.arange(q, dtype=np.int8)
    return values[states[i]], outputs[seen[j]], weight[i, j]


def _instances() -> list[Instance]:
    tree, chain = zoo.ising_graph(5, 4), Lattice.chain(8)
    middle = Tripartition(A=[2], B=[1, 3], C=[0, 4])
    field = zoo.random_field(6, 9).noised(Gaussian(0.4))
    glass = zoo.ising_graph(6, 3).noised(Gaussian(0.4))
    ends = Tripartition(A=[0], B=[1], C=[2, 3, 4, 5])
    strip, wide = zoo.random_strip((2, 3), 6), zoo.random_strip((3, 4), 7)
    return [
        Instance("spin glass, bit flips", tree.noised(BitFlip(0.3)), middle),
        Instance("spin glass, erasure", tree.noised(Erasure(0.4)), middle),
        Instance("random strip 2x3, bit flips", strip.noised(BitFlip(0.25)),
                 strip.lattice.tripartition((0, 1), 0)),
        Instance("random strip 3x4, Gaussian noise", wide.noised(Gaussian(0.5)),
                 wide.lattice.tripartition((1, 1), 1)),
        Instance("q = 3, bit flips", zoo.random_table(3, 3, 2).noised(BitFlip(0.4)),
                 Tripartition(A=[0], B=[1], C=[2])),
        Instance("repetition code", zoo.repetition_code(5).noised(BitFlip(0.5)), middle),
        Instance("Gaussian chain", zoo.neighbour_field(chain, 0.1).noised(Gaussian(0.5)),
                 chain.tripartition(3, 1)),
        Instance("random Gaussian law", field, ends),
        Instance("spin glass, Gaussian noise", glass, ends, n_samples=20_000),
        Instance("two clusters, Gaussian noise", zoo.two_clusters(6).noised(Gaussian(0.6)), ends,
                 n_samples=20_000),
    ]  # fmt: skip


NISHIMORI = Theorem(
    key="T10",
    name="Nishimori identities",
    statement=(
        r"\mathbb{E}\, x_i \langle x_i \rangle = \mathbb{E}\, \langle x_i \rangle^2, \quad"
        r" P(x_i = x_i') = P(x_i' = x_i'') \text{ for draws } x', x'' \sim p(\cdot|y)"
    ),
    source="Nishimori 1981; Iba 1999: Bayes's rule makes truth and posterior draws exchangeable",
    altered="the denoiser believes in twice the temperature, or in twice the sigma",
    check=_check,
    wrong=_wrong,
    instances=_instances,
)
