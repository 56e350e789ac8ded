"""The prior that the tutorial writes: against brute force, and small enough to be written there."""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest

import phasetheory as pt
from phasetheory.prior import Prior
from tests import brute

PAGE = Path(__file__).resolve().parents[1] / "docs" / "find_your_transition.md"
SYMBOLS = (0, 1, 2)


@pytest.fixture(scope="module")
def cells():
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def model(cells):
    names = {}
    exec(compile(cells[0], str(PAGE), "exec"), names)
    return names["DiamondDifferences"]


#: Heights of the five vertices of one block: two ends, two middles; sites are differences.
LAW = brute.normalised(
    {
        ((b - t) % 3, (m - t) % 3, (b - m) % 3, (n - t) % 3, (b - n) % 3): 1.0
        for t, b, m, n in itertools.product(SYMBOLS, repeat=4)
    }
)


def test_the_class_is_a_prior_of_less_than_60_lines(cells, model):
    assert isinstance(model(1), Prior)
    _, body = cells[0].split("class DiamondDifferences")
    assert len(body.rstrip().splitlines()) < 60


def test_evidence_and_posteriors_of_one_block(model):
    prior, rng = model(1), np.random.default_rng(3)
    evidence = rng.normal(scale=2.0, size=(6, 5, 3))
    evidence[0, 1] = [0.0, -np.inf, -np.inf]  # seen without noise
    log_z = prior.log_evidence(evidence)
    p = prior.posterior(evidence).p
    for k, one in enumerate(evidence):
        weights = {x: q * math.exp(sum(one[i, s] for i, s in enumerate(x))) for x, q in LAW.items()}
        assert log_z[k] == pytest.approx(math.log(math.fsum(weights.values())), abs=1e-12)
        for i, s in np.ndindex(5, 3):
            share = math.fsum(w for x, w in weights.items() if x[i] == s)
            assert p[k, i, s] == pytest.approx(share / math.exp(log_z[k]), abs=1e-12)


def test_two_generations_by_listing_all_heights(model):
    """Site laws of 16 bonds: every block is a bond of the coarser lattice."""
    coarse = list(LAW)  # differences (whole, four bonds) of the coarse block
    of = {d: [x[1:] for x in LAW if x[0] == d] for d in SYMBOLS}
    rng = np.random.default_rng(4)
    evidence = rng.normal(size=(1, 17, 3))
    inner = np.zeros((4, 3))  # weight of each fine block, given its difference
    for block, d in np.ndindex(4, 3):
        terms = [
            math.exp(sum(evidence[0, 1 + 4 * block + i, s] for i, s in enumerate(x))) for x in of[d]
        ]
        inner[block, d] = math.fsum(terms) / len(terms)
    total = math.fsum(
        math.exp(evidence[0, 0, x[0]]) * math.prod(inner[i, x[1 + i]] for i in range(4))
        for x in coarse
    )
    prior = model(2)
    assert prior.log_evidence(evidence)[0] == pytest.approx(
        math.log(total / len(coarse)), abs=1e-12
    )
    # A posterior is the derivative of the evidence.
    step, p = 1e-5, prior.posterior(evidence).p[0]
    for i, s in np.ndindex(17, 3):
        ends = np.repeat(evidence, 2, axis=0)
        ends[:, i, s] += [step, -step]
        high, low = prior.log_evidence(ends)
        assert (high - low) / (2 * step) == pytest.approx(p[i, s], abs=1e-8)


def test_sites_asked_for_are_those_of_all(model):
    evidence = np.random.default_rng(5).normal(size=(3, 65, 3))
    prior = model(3)
    whole = prior.posterior(evidence).p
    sites = np.array([40, 0, 64, 1])
    assert prior.posterior(evidence, sites).p == pytest.approx(whole[:, sites], abs=1e-14)


@pytest.mark.parametrize("noise", [pt.Erasure(0.4), pt.BitFlip(0.3)])
def test_samples_follow_the_law(model, noise):
    """Sampled CMI against brute force; wrong samples (all symbols independent) miss it."""
    make = brute.erasure if isinstance(noise, pt.Erasure) else brute.bit_flip
    options = {"erased": -1} if isinstance(noise, pt.Erasure) else {}
    channel = make(float(noise.t), SYMBOLS, **options)
    exact = brute.cmi(brute.noisy(LAW, [channel] * 5), [1], [2], [0, 3, 4])
    parts = pt.Tripartition(A=[1], B=[2], C=[0, 3, 4])
    found = pt.cmi(pt.NoisyLaw(model(1), noise), parts, n_samples=20_000, rng=6)
    assert abs(found.value - exact) < 4 * found.stderr

    class Wrong(model):
        def sample(self, n, *, rng=None):
            return np.random.default_rng(rng).integers(3, size=(n, 5)).astype(np.int8)

    if isinstance(noise, pt.BitFlip):
        wrong = pt.cmi(pt.NoisyLaw(Wrong(1), noise), parts, n_samples=20_000, rng=6)
        assert abs(wrong.value - exact) > 10 * wrong.stderr


@pytest.mark.parametrize("generations", [1, 3])
def test_erasure_follows_the_recursion(model, generations):
    """A block tells its difference if a path is whole: p -> 1 - (1 - p^2)^2."""
    t = 0.35
    p = 1.0 - t
    for _ in range(generations):
        p = 1.0 - (1.0 - p**2) ** 2
    prior = model(generations)
    noise = pt.Erasure(np.where(np.arange(prior.lattice.n_sites) > 0, t, 0.0))
    parts = pt.Tripartition(A=[0], B=[], C=np.arange(1, prior.lattice.n_sites))
    found = pt.cmi(pt.NoisyLaw(prior, noise), parts, n_samples=4000, rng=generations)
    assert abs(found.value - p * math.log(3)) < 4 * found.stderr
