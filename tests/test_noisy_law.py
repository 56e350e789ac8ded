"""The one noisy law: shapes, ignored entries, and refusals, on one law of every kind."""

import numpy as np
import pytest

import phasetheory as pt
from tests.strategies import random_covariance

CHAIN = pt.Lattice.chain(3)
ISING = pt.Ising(CHAIN, [0.5, -0.8], field=[0.1, 0.0, -0.3])
FIELD = pt.GaussianField(CHAIN, covariance=random_covariance(np.random.default_rng(0), 3))


@pytest.mark.parametrize(
    "law", [ISING.noised(pt.BitFlip(0.2)), FIELD.noised(pt.Gaussian(0.5))], ids=["spins", "field"]
)
@pytest.mark.parametrize("shape", [(3,), (2, 2), (2, 4), (1, 2, 3), ()])
def test_wrong_shapes_of_y(law, shape):
    y = np.ones(shape)
    for work in (law.log_prob, law.denoise, law.score, law.posterior):
        with pytest.raises(ValueError, match=r"y has shape .*: \(n_samples, 3\) needed"):
            work(y)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("prior", [ISING, FIELD], ids=["spins", "field"])
def test_numbers_that_are_none(prior, bad):
    law = prior.noised(pt.Gaussian(0.5))
    y = np.array([[0.1, bad, 0.2]])
    for work in (law.log_prob, law.denoise, law.score):
        with pytest.raises(ValueError, match="y holds NaN or infinite values on its region"):
            work(y)
        assert np.isfinite(work(y, [0, 2])).all()


@pytest.mark.parametrize("prior", [ISING, FIELD], ids=["spins", "field"])
def test_regions_off_the_lattice(prior):
    law = prior.noised(pt.Gaussian(0.5))
    y = np.zeros((1, 3))
    for region, message in [([3], "region holds site 3"), ([True], "region is a mask of shape")]:
        for work in (law.log_prob, law.denoise, law.score):
            with pytest.raises(ValueError, match=message):
                work(y, region)
        with pytest.raises(ValueError, match=message):
            law.entropy(region)
        with pytest.raises(ValueError, match=message):
            law.then(pt.Gaussian(0.1), region)


def test_no_samples_are_refused():
    for n in (0, -3):
        with pytest.raises(ValueError, match=f"n={n}: at least 1 sample needed"):
            FIELD.noised(pt.Gaussian(0.5)).sample(n)


def test_scores_need_noise_on_their_region_only():
    law = FIELD.noised(pt.Gaussian([0.5, 0.0, 0.5]))
    y = np.array([[0.3, 0.2, -0.1]])
    with pytest.raises(ValueError, match=r"score needs noise \(sigma > 0\) on the whole region"):
        law.score(y)
    assert law.score(y, [0, 2])[0, 1] == 0.0


def test_discrete_and_differential_entropies_do_not_mix():
    law = ISING.noised(pt.Gaussian([0.5, 0.0, 0.5]))
    with pytest.raises(ValueError, match="region mixes 1 discrete and 1 continuous sites"):
        law.entropy([0, 1])
    assert law.entropy([0, 2], n_samples=10, rng=0).quantity == "differential entropy"
    clean = ISING.noised(pt.Gaussian(0.0)).entropy([1])
    # The middle spin, by the sum over its two neighbours.
    weight = {
        x: sum(
            np.exp(0.5 * a * x - 0.8 * x * c + 0.1 * a - 0.3 * c) for a in (-1, 1) for c in (-1, 1)
        )
        for x in (-1, 1)
    }
    p = np.array([weight[-1], weight[1]]) / (weight[-1] + weight[1])
    assert clean.exact and clean.quantity == "discrete entropy"
    assert clean.value == pytest.approx(-(p * np.log(p)).sum(), abs=1e-14)


def test_entropy_of_spins_read_off_beside_noisy_ones_is_discrete_and_exact():
    """The region holds a clean site only: noise elsewhere does not matter."""
    law = ISING.noised(pt.Gaussian([0.5, 0.0, 0.5]))
    clean = ISING.noised(pt.BitFlip(0.0))
    assert law.entropy([1]).value == pytest.approx(clean.entropy([1]).value, abs=1e-14)


def test_empty_regions():
    for law in (
        ISING.noised(pt.BitFlip(0.2)),
        ISING.noised(pt.Gaussian(0.4)),
        FIELD.noised(pt.Gaussian(0.4)),
    ):
        y = np.full((2, 3), 9.0)
        np.testing.assert_allclose(law.log_prob(y, []), 0.0, atol=1e-14)  # log of sum p = 1
        assert (law.score(y, []) == 0).all()
        assert abs(law.entropy([], n_samples=5, rng=0).value) < 1e-14


def test_further_noise_on_a_region():
    law = FIELD.noised(pt.Gaussian(0.5)).then(pt.Gaussian(0.5), [1])
    np.testing.assert_allclose(law.noise.alpha, [0.5, 0.25, 0.5])
    np.testing.assert_allclose(law.noise.sigma**2, [0.25, 0.25 * 0.25 + 0.25, 0.25])
    flipped = ISING.noised(pt.BitFlip(0.2)).then(pt.BitFlip(0.5))
    np.testing.assert_allclose(flipped.noise.t, 0.6)


def test_clean_and_noisy_samples_belong_together():
    x, y = FIELD.noised(pt.Gaussian(t=0.25)).sample(20_000, rng=1)
    residue = y - 0.75 * x
    # Standard error of a variance: sqrt(2/n) sigma^2; of a correlation: 1/sqrt(n).
    np.testing.assert_allclose(residue.var(axis=0), 0.0625, rtol=5 * (2 / 20_000) ** 0.5)
    for i in range(3):
        assert abs(np.corrcoef(x[:, i], residue[:, i])[0, 1]) < 5 / 20_000**0.5


def test_a_batch_is_its_rows():
    """Row by row or all together: the same numbers."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=(7, 3))
    for law in (ISING.noised(pt.Gaussian([0.3, 0.6, 1.0])), FIELD.noised(pt.Gaussian(0.4))):
        for work in (law.log_prob, law.denoise, law.score):
            rows = np.concatenate([work(row[None], [0, 2]) for row in y])
            np.testing.assert_allclose(work(y, [0, 2]), rows, rtol=1e-13, atol=1e-13)
