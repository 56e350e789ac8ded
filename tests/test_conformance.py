"""One contract for every model and every noise it supports; adding a model is adding a line.

What is asserted knows nothing of the model: shapes, regions, normalisation, chain rules, gradients,
sums over samples. Cases are small; continuous checks use finite differences of `log_prob` itself.
"""

import itertools
import math
from functools import lru_cache

import networkx as nx
import numpy as np
import pytest
from scipy.special import logsumexp

import phasetheory as pt
from phasetheory.information import enumerate_outputs
from phasetheory.noise import symbols
from phasetheory.prior import DiscreteLaws, MixtureLaws
from phasetheory.schedules import variance_preserving
from tests.strategies import random_covariance, random_spectrum

GRAPH = pt.Lattice.from_graph(nx.Graph([(0, 1), (0, 2), (1, 2), (2, 3)]))
CHAIN = pt.Lattice.chain(4)


def rng():
    return np.random.default_rng(2024)


MODELS = {
    "Table q=2": lambda: pt.Table(CHAIN, rng().dirichlet(np.ones(16)).reshape((2,) * 4)),
    "Table q=3": lambda: pt.Table(
        pt.Lattice.chain(3), rng().dirichlet(np.ones(27)).reshape((3,) * 3)
    ),
    "Ising": lambda: pt.Ising(GRAPH, coupling=[0.6, -0.4, 0.8, 0.5], field=[0.2, 0.0, -0.5, 0.1]),
    "LoopEnsemble": lambda: pt.LoopEnsemble(GRAPH),
    "LoopEnsemble of domain walls": lambda: pt.LoopEnsemble(pt.Lattice.grid((2, 2)), 0.4),
    "LoopEnsemble of both signs": lambda: pt.LoopEnsemble(GRAPH, [0.6, -0.4, 0.8, 0.5]),
    "SyndromeEnsemble": lambda: pt.SyndromeEnsemble(
        pt.Lattice.grid((3, 3)), np.linspace(0.05, 0.4, 12)
    ),
    "SyndromeEnsemble parity": lambda: pt.SyndromeEnsemble(
        pt.Lattice.grid((2, 4)), np.linspace(0.05, 0.4, 10), holes=[[0, 2]]
    ),
    "CurieWeiss": lambda: pt.CurieWeiss(4, coupling=1.2),
    "CurieWeiss branch": lambda: pt.CurieWeiss(4, coupling=1.2, branch=-1),
    "repetition code": lambda: pt.CurieWeiss(4, coupling=math.inf),
    "GaussianField": lambda: pt.GaussianField(
        CHAIN, mean=[0.5, -1.0, 0.0, 2.0], covariance=random_covariance(rng(), 4)
    ),
    "GaussianField on a torus": lambda: pt.GaussianField.stationary(
        pt.Lattice.ring(4), random_spectrum(rng(), (4,)), mean=0.4
    ),
    "GaussianMixture of two": lambda: pt.GaussianMixture.symmetric(CHAIN, 0.8, 0.5),
    "GaussianMixture of three": lambda: pt.GaussianMixture(
        CHAIN, rng().normal(size=(3, 4)), [0.3, 0.8, 0.1], weights=[0.2, 0.5, 0.3]
    ),
    "Hierarchy": lambda: pt.Hierarchy(2, eigenvalue=0.7),
    "Hierarchy q=3": lambda: pt.Hierarchy(1, branching=3, q=3, eigenvalue=-0.4),
    "Hierarchy of a given root": lambda: pt.Hierarchy(2, eigenvalue=0.7, root=1),
    "BoundaryIsing": lambda: pt.BoundaryIsing(GRAPH, 0.6, 0.8, side=[0, 1]),
    "LabelledTable": lambda: pt.LabelledTable(
        pt.Lattice.chain(3), rng().dirichlet(np.ones(16)).reshape((2,) * 4)
    ),
    "empirical law": lambda: pt.GaussianMixture.empirical(rng().normal(size=(5, 4)), CHAIN),
}

#: Noises by what they act on; per-site ones are cut to the number of sites.
DISCRETE = {
    "BitFlip": lambda n: pt.BitFlip(0.3),
    "BitFlip per site": lambda n: pt.BitFlip([0.2, 0.0, 1.0, 0.5][:n]),
    "Erasure": lambda n: pt.Erasure(0.4),
    "Erasure per site": lambda n: pt.Erasure([0.3, 0.0, 1.0, 0.6][:n]),
    "none": lambda n: pt.BitFlip(0.0),
}
GAUSSIAN = {
    "Gaussian": lambda n: pt.Gaussian(0.4),
    "Gaussian per site": lambda n: pt.Gaussian([0.3, 1.0, 0.6, 0.45][:n]),
    "Gaussian VP": lambda n: pt.Gaussian(0.3, schedule=variance_preserving()),
}


#: Noises of models whose sites are known or unknown and nothing between.
ONLY = {
    name: ["Erasure", "Erasure per site", "none"]
    for name in ("SyndromeEnsemble", "SyndromeEnsemble parity")
}


@lru_cache
def prior_of(model):
    return MODELS[model]()


def supported(model):
    if model in ONLY:
        return ONLY[model]
    q = prior_of(model).q
    return [*(DISCRETE if q else {}), *(GAUSSIAN if q in (2, None) else {})]


CASES = [(model, noise) for model in MODELS for noise in supported(model)]
OF_DISCRETE = [case for case in CASES if case[1] in DISCRETE]
OF_GAUSSIAN = [case for case in CASES if case[1] in GAUSSIAN]


def every(cases):
    return pytest.mark.parametrize(("model", "noise"), cases, ids=lambda name: name)


@lru_cache
def law_of(model, noise):
    prior = prior_of(model)
    return prior.noised((DISCRETE | GAUSSIAN)[noise](prior.lattice.n_sites))


def some_regions(law):
    n = law.n_sites
    return [None, [], [1], [0, n - 1], np.arange(n) < n - 1]


def garbage_outside(law, y, region):
    """A float copy of y whose entries outside the region are not numbers."""
    spoilt = y.astype(float)
    spoilt[:, ~law.lattice.mask(region)] = np.nan
    return spoilt


# Shapes and regions.


@every(CASES)
def test_samples(model, noise):
    law = law_of(model, noise)
    x, y = law.sample(7, rng=1)
    assert x.shape == y.shape == (7, law.n_sites)
    q = law.prior.q
    assert x.dtype == (np.float64 if q is None else np.int8)
    assert y.dtype == (np.int8 if noise in DISCRETE else np.float64)
    if q is not None:
        assert np.isin(x, symbols(q)).all()
    if noise in DISCRETE:
        assert np.isin(y, law.noise.outputs(q)).all()
    again = law.sample(7, rng=np.random.default_rng(1))
    assert (again[0] == x).all() and (again[1] == y).all()


@every(CASES)
def test_results_have_the_full_shape_and_ignore_the_outside(model, noise):
    law = law_of(model, noise)
    n, q = law.n_sites, law.prior.q
    _, y = law.sample(5, rng=2)
    for region in some_regions(law):
        spoilt = garbage_outside(law, y, region)
        outside = ~law.lattice.mask(region)
        log_p = law.log_prob(y, region)
        assert log_p.shape == (5,) and log_p.dtype == np.float64
        assert np.isfinite(log_p).all()
        np.testing.assert_array_equal(law.log_prob(spoilt, region), log_p)
        tail = (n, q) if q is not None and q > 2 else (n,)
        denoised, score = law.denoise(y, region), law.score(y, region)
        assert denoised.shape == score.shape == (5, *tail)
        assert denoised.dtype == score.dtype == np.float64
        assert np.isfinite(denoised).all()
        np.testing.assert_array_equal(law.denoise(spoilt, region), denoised)
        np.testing.assert_array_equal(law.score(spoilt, region), score)
        assert (score[:, outside] == 0).all()
        for sites in (None, [n - 1, 0]):
            laws = law.posterior(spoilt, region, sites)
            count = n if sites is None else 2
            if q is None:
                assert isinstance(laws, MixtureLaws)
                assert laws.mean().shape == (5, count)
                assert np.broadcast_shapes(laws.variance().shape, (5, count)) == (5, count)
                np.testing.assert_allclose(laws.weights.sum(axis=-1), 1.0, rtol=1e-12)
                assert (laws.variances >= 0).all()
            else:
                assert isinstance(laws, DiscreteLaws) and laws.q == q
                assert laws.log_p.shape == (5, count, q)
                np.testing.assert_allclose(laws.p.sum(axis=-1), 1.0, rtol=1e-12)
            if sites is not None:
                np.testing.assert_allclose(laws.mean(), denoised[:, sites], atol=1e-12)


@every(CASES)
def test_nothing_seen_is_the_prior(model, noise):
    """log_prob of the empty region is 0; the posterior mean of anything is the prior's."""
    law = law_of(model, noise)
    _, y = law.sample(3, rng=3)
    np.testing.assert_allclose(law.log_prob(y, []), 0.0, atol=1e-13)
    first = law.denoise(y, [])
    np.testing.assert_allclose(first, np.broadcast_to(first[0], first.shape), atol=1e-14)
    x = law.prior.sample(4000, rng=4)
    if law.prior.q is not None and law.prior.q > 2:
        x = (x[..., None] == symbols(law.prior.q)).astype(float)
    # The sample mean of the prior, within five standard errors.
    assert (np.abs(x.mean(axis=0) - first[0]) <= 5 * x.std(axis=0) / math.sqrt(4000) + 1e-12).all()


@every(CASES)
def test_denoiser_keeps_the_mean(model, noise):
    """E E[x|y_R] = E x within five standard errors of the denoised sample."""
    law = law_of(model, noise)
    _, y = law.sample(3000, rng=5)
    mean = law.denoise(y[:1], [])[0]
    for region in (None, [0, law.n_sites - 1]):
        found = law.denoise(y, region)
        slack = 5 * found.std(axis=0) / math.sqrt(3000) + 1e-12
        assert (np.abs(found.mean(axis=0) - mean) <= slack).all()


@every(CASES)
def test_denoiser_has_the_least_error_among_constants_and_windows(model, noise):
    """Orthogonality: E (x - E[x|y]) f(y) = 0 for f = 1, E[x|y_R], y; five standard errors."""
    law = law_of(model, noise)
    x, y = law.sample(3000, rng=6)
    if law.prior.q is not None and law.prior.q > 2:
        x = (x[..., None] == symbols(law.prior.q)).astype(float)
        y_test = np.repeat(y[..., None], law.prior.q, axis=-1).astype(float)
    else:
        y_test = y.astype(float)
    residue = x - law.denoise(y)
    for function in (np.ones_like(y_test), law.denoise(y, [0]), y_test):
        product = residue * function
        slack = 5 * product.std(axis=0) / math.sqrt(3000) + 1e-12
        assert (np.abs(product.mean(axis=0)) <= slack).all()


# Probabilities.


@every(OF_DISCRETE)
def test_probabilities_of_all_outputs_add_up_to_one(model, noise):
    law = law_of(model, noise)
    values = law.noise.outputs(law.prior.q)
    for region in some_regions(law):
        sites = np.flatnonzero(law.lattice.mask(region))
        y = np.full((len(values) ** sites.size, law.n_sites), values[0])
        y[:, sites] = list(itertools.product(values, repeat=sites.size))
        assert np.exp(law.log_prob(y, region)).sum() == pytest.approx(1.0, abs=1e-12)


@every(CASES)
def test_chain_rule(model, noise):
    """With one more site: log p(y_i, y_R) - log p(y_R) = log int p(y_i|x_i) p(x_i|y_R)."""
    law = law_of(model, noise)
    n = law.n_sites
    _, y = law.sample(6, rng=7)
    for site, others in [(0, [n - 1]), (1, [0]), (n - 1, list(range(n - 1))), (0, [])]:
        joint = law.log_prob(y, [*others, site]) - law.log_prob(y, others)
        laws, own = law.posterior(y, others, [site]), law.noise.at(site)
        if noise in DISCRETE:
            row = [list(own.outputs(laws.q)).index(value) for value in y[:, site]]
            with np.errstate(divide="ignore"):
                like = np.log(own.channel(laws.q))[row]
            expected = logsumexp(laws.log_p[:, 0] + like, axis=1)
        else:
            alpha, sigma = float(own.alpha), float(own.sigma)
            if isinstance(laws, DiscreteLaws):
                weights, means, variances = laws.p[:, 0], symbols(2).astype(float), 0.0
            else:
                shape = (6, 1, laws.n_components)
                weights, means, variances = (
                    np.broadcast_to(part, shape)[:, 0]
                    for part in (laws.weights, laws.means, laws.variances)
                )
            v = alpha**2 * variances + sigma**2
            square = (y[:, [site]] - alpha * means) ** 2 / v
            density = weights * np.exp(-0.5 * square) / np.sqrt(2 * math.pi * v)
            expected = np.log(density.sum(axis=1))
        np.testing.assert_allclose(joint, expected, rtol=1e-9, atol=1e-10)


# Scores.

STEP = 1e-5


@every(OF_GAUSSIAN)
def test_score_is_the_gradient_and_tweedie_holds(model, noise):
    """Central differences of log_prob.

    They err by STEP^2/6 times its third derivative, which is at most sigma^-6 = 1400 here: 1e-8,
    and by rounding, 1e-15/STEP = 1e-10.
    """
    law = law_of(model, noise)
    _, y = law.sample(3, rng=8)
    for region in (None, [0, law.n_sites - 1]):
        score = law.score(y, region)
        for site in np.flatnonzero(law.lattice.mask(region)):
            step = np.zeros(law.n_sites)
            step[site] = STEP
            slope = (law.log_prob(y + step, region) - law.log_prob(y - step, region)) / (2 * STEP)
            np.testing.assert_allclose(score[:, site], slope, rtol=1e-6, atol=1e-6)
            own = law.noise.at(site)
            if own.alpha > 0:
                tweedie = (y[:, site] + own.sigma**2 * slope) / own.alpha
                denoised = law.denoise(y, region)[:, site]
                np.testing.assert_allclose(denoised, tweedie, rtol=1e-6, atol=1e-6)


@every([case for case in OF_DISCRETE if "Erasure" not in case[1]])
def test_flip_score_is_the_log_ratio(model, noise):
    law = law_of(model, noise)
    q = law.prior.q
    _, y = law.sample(4, rng=9)
    for region in (None, [0, law.n_sites - 1]):
        score, here = law.score(y, region), law.log_prob(y, region)
        for site in np.flatnonzero(law.lattice.mask(region)):
            for index, value in enumerate(symbols(q)):
                other = y.copy()
                other[:, site] = value
                expected = law.log_prob(other, region) - here
                moved = y[:, site] != value
                found = score[:, site] if q == 2 else score[:, site, index]
                np.testing.assert_allclose(found[moved], expected[moved], rtol=1e-11, atol=1e-11)
                if q > 2:
                    assert (np.abs(found[~moved]) < 1e-12).all()


@every([case for case in OF_DISCRETE if "Erasure" in case[1]])
def test_erasure_score_is_the_posterior_log_odds(model, noise):
    """Seen with t on top: log-odds of the erased site from the law in which it is shown."""
    law = law_of(model, noise)
    q = law.prior.q
    _, y = law.sample(20, rng=10)
    score = law.score(y)
    shown = law.prior.noised(pt.BitFlip(0.0))
    for k, site in itertools.product(range(len(y)), range(law.n_sites)):
        if y[k, site] != law.noise.outputs(q)[-1]:
            assert (score[k, site] == 0).all()
            continue
        seen = np.flatnonzero(y[k] != law.noise.outputs(q)[-1])
        tries = np.repeat(y[k : k + 1], q, axis=0)
        tries[:, site] = symbols(q)
        log_p = shown.log_prob(tries, [*seen, site])
        odds = np.array([0.0, *(log_p[1:] - log_p[0])])
        found = score[k, site] if q > 2 else np.array([0.0, score[k, site]])
        np.testing.assert_allclose(found, odds, rtol=1e-10, atol=1e-11)


# Informations.


@every(CASES)
def test_exact_entropy_is_the_mean_of_minus_log_p(model, noise):
    """Five standard errors; where entropies have no closed form they are that mean."""
    law = law_of(model, noise)
    _, y = law.sample(3000, rng=11)
    for region in (None, [0, law.n_sites - 1]):
        surprise = -law.log_prob(y, region)
        found = law.entropy(region, n_samples=2000, rng=12)
        assert found.quantity == ("discrete" if noise in DISCRETE else "differential") + " entropy"
        spread = math.hypot(surprise.std(ddof=1) / math.sqrt(3000), found.stderr)
        assert abs(surprise.mean() - found.value) <= 5 * spread + 1e-12


@every(CASES)
def test_cmi_by_all_methods(model, noise):
    """The exact value (where it exists), cavity and plain within five of their combined errors."""
    law = law_of(model, noise)
    n = law.n_sites
    for parts in (
        pt.Tripartition(A=[0], B=[1], C=[n - 1]),
        pt.Tripartition(A=[0, n - 1], B=[], C=[1]),
        pt.Tripartition(A=[1], B=[0, n - 1], C=[]),
    ):
        cavity = pt.cmi(law, parts, method="cavity", n_samples=1500, rng=13)
        plain = pt.cmi(law, parts, method="plain", n_samples=3000, rng=14)
        assert cavity.value > -1e-12
        error = math.hypot(cavity.stderr, plain.stderr)
        assert abs(cavity.value - plain.value) <= 5 * error + 1e-11
        best = pt.cmi(law, parts, n_samples=1500, rng=13)
        if not parts.C.size:
            assert best.exact and abs(best.value) < 1e-12
        elif best.exact:
            assert abs(cavity.value - best.value) <= 5 * cavity.stderr + 1e-11
            assert pt.cmi(law, parts, method="exact").value == best.value
            assert best.value > -1e-12
        else:
            assert (best.value, best.stderr) == (cavity.value, cavity.stderr)
            with pytest.raises(ValueError, match="method='exact'"):
                pt.cmi(law, parts, method="exact")


@every(OF_DISCRETE)
def test_entropy_of_the_enumerated_law(model, noise):
    law = law_of(model, noise)
    found = law.entropy()
    if found.exact:
        _, p = enumerate_outputs(law)
        assert found.value == pytest.approx(-(p * np.log(p)).sum(), abs=1e-12)


@every(CASES)
def test_locality_gap_is_the_excess_error(model, noise):
    """Tweedie/Pythagoras: the gap is the rise of the mean square error, times alpha^2/sigma^4."""
    law = law_of(model, noise)
    n = law.n_sites
    parts = pt.Tripartition(A=[0], B=[1], C=[n - 1])
    found = pt.locality_gap(law, parts, n_samples=2000, rng=15)
    x, y = law.sample(3000, rng=16)
    x = x.astype(float)
    if law.prior.q is not None and law.prior.q > 2:
        x = (x[..., None] == symbols(law.prior.q)).astype(float)
    errors = [
        ((x - law.denoise(y, parts.union(names)))[:, 0] ** 2).reshape(3000, -1).sum(axis=1)
        for names in ("AB", "ABC")
    ]
    own = law.noise.at(0)
    scale = 1.0 if noise in DISCRETE else float(own.alpha**2 / own.sigma**4)
    excess = scale * (errors[0] - errors[1])
    error = math.hypot(excess.std(ddof=1) / math.sqrt(3000), found.stderr)
    assert abs(excess.mean() - found.value) <= 5 * error + 1e-11
    assert found.value > -1e-12


# Noise on noise.


@every([case for case in CASES if case[0] not in ONLY or "Erasure" in case[1]])
def test_increments_compose_to_the_later_law(model, noise):
    """law(t) followed by the increment to t' is law(t'): the same log-probabilities."""
    law = law_of(model, noise)
    prior, kind = law.prior, type(law.noise)
    if kind is pt.Gaussian:
        later = law.noise.then(pt.Gaussian.from_scales(0.7, 0.5))
    else:
        later = kind(1.0 - 0.6 * (1.0 - law.noise.t))
    both = law.then(law.noise.increment(later))
    target = prior.noised(later)
    _, y = target.sample(10, rng=17)
    for region in (None, [0, law.n_sites - 1]):
        np.testing.assert_allclose(
            both.log_prob(y, region), target.log_prob(y, region), rtol=1e-12, atol=1e-12
        )
        np.testing.assert_allclose(
            both.denoise(y, region), target.denoise(y, region), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("model", MODELS)
def test_unsupported_noise_is_refused(model):
    prior = prior_of(model)
    wrong = [pt.BitFlip(0.1), pt.Erasure(0.1)] if prior.q is None else []
    wrong += [pt.Gaussian(0.1)] if prior.q not in (2, None) else []
    for noise in wrong:
        with pytest.raises(ValueError, match=f"{noise.name} noise acts on"):
            prior.noised(noise)
    n = prior.lattice.n_sites
    fitting = pt.Gaussian if prior.q is None else pt.BitFlip
    with pytest.raises(ValueError, match=f"noise has t for {n + 1} sites: the lattice has {n}"):
        prior.noised(fitting([0.1] * (n + 1)))


@pytest.mark.parametrize("model", MODELS)
def test_priors_have_the_protocol(model):
    prior = prior_of(model)
    assert isinstance(prior, pt.NoisyLaw) is False
    x = prior.sample(3, rng=0)
    assert x.shape == (3, prior.lattice.n_sites)
    assert (prior.sample(3, rng=np.random.default_rng(0)) == x).all()
    assert prior.q is None or prior.q >= 2
