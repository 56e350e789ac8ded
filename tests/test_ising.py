"""Ising laws: spins under Gaussian noise against plain sums, strong couplings, large evidence."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

import phasetheory as pt
from tests import brute
from tests.strategies import regions, seeds

# Spins under Gaussian noise.


@st.composite
def gaussian_cases(draw):
    """A random Ising model on up to five sites, noise per site or uniform, and one y a law."""
    n = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(seeds))
    graph = nx.gnp_random_graph(n, 0.6, seed=int(rng.integers(1000)))
    lattice = pt.Lattice.from_graph(graph)
    prior = pt.Ising(
        lattice, coupling=rng.normal(0, 0.8, len(lattice.edges)), field=rng.normal(0, 0.5, n)
    )
    generic = st.floats(0.2, 0.95)
    t = draw(generic | st.lists(generic | st.just(1.0), min_size=n, max_size=n))
    _, y = prior.noised(pt.Gaussian(t)).sample(3, rng=rng)
    return prior, t, y


def plain_sums(prior, t, y, region):
    """Log p(y_R) and E[x_i|y_R] by the sum over all states; one sample y."""
    n = prior.lattice.n_sites
    edges = [(int(i), int(j)) for i, j in prior.lattice.edges]
    law = brute.ising(n, edges, prior.coupling.tolist(), fields=prior.field.tolist())
    times = np.broadcast_to(t, n)
    log_w, states = [], []
    for x, p in law.items():
        log_l = math.log(p)
        for i in region:
            alpha, sigma = 1.0 - times[i], times[i]
            log_l += -((y[i] - alpha * x[i]) ** 2) / (2 * sigma**2)
            log_l += -0.5 * math.log(2 * math.pi * sigma**2)
        log_w.append(log_l)
        states.append(x)
    total = logsumexp(log_w)
    mean = np.exp(np.array(log_w) - total) @ np.array(states)
    return total, mean


@settings(max_examples=40)
@given(gaussian_cases(), st.data())
def test_spins_under_gaussian_noise_against_plain_sums(case, data):
    """A sigma >= 0.2 keeps exponents below about 10^3: 1e-12 is rounding."""
    prior, t, y = case
    region = data.draw(regions(prior.lattice.n_sites))
    law = prior.noised(pt.Gaussian(t))
    log_p, denoised, score = law.log_prob(y, region), law.denoise(y, region), law.score(y, region)
    times = np.broadcast_to(t, law.n_sites)
    for k in range(len(y)):
        total, mean = plain_sums(prior, t, y[k], region)
        assert log_p[k] == pytest.approx(total, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(denoised[k], mean, atol=1e-12)
        expected = np.zeros(law.n_sites)
        for i in region:  # gradient of the sum, written out
            expected[i] = ((1.0 - times[i]) * mean[i] - y[k, i]) / times[i] ** 2
        np.testing.assert_allclose(score[k], expected, rtol=1e-11, atol=1e-10)


def test_density_of_two_spins_integrates_to_one():
    """Trapezoid on a Gaussian mixture of width 0.4, step 0.05: error exp(-2 (pi 0.4/0.05)^2)."""
    law = pt.Ising(pt.Lattice.chain(2), 0.8, field=[0.3, 0.0]).noised(pt.Gaussian(0.4))
    axis = np.linspace(-6, 6, 241)
    y = np.array(list(itertools.product(axis, axis)))
    mass = np.exp(law.log_prob(y)).sum() * (axis[1] - axis[0]) ** 2
    assert mass == pytest.approx(1.0, abs=1e-12)


def test_spins_without_gaussian_noise_are_read_off():
    """At sigma = 0: no density, but a certain posterior and a discrete information."""
    prior = pt.Ising(pt.Lattice.chain(3), 0.6)
    law = prior.noised(pt.Gaussian(0.0))
    y = np.array([[1.0, np.nan, -1.0]])
    with pytest.raises(ValueError, match=r"sigma = 0\) have no density"):
        law.log_prob(y, [0])
    with pytest.raises(ValueError, match="sigma > 0"):
        law.score(y, [0])
    # Given both neighbours of opposite sign the middle spin is a fair coin.
    np.testing.assert_allclose(law.denoise(y, [0, 2]), [[1.0, 0.0, -1.0]], atol=1e-15)
    parts = pt.Tripartition(A=[0], B=[], C=[1, 2])
    assert pt.cmi(law, parts).value == pytest.approx(
        pt.cmi(prior.noised(pt.BitFlip(0.0)), parts).value, abs=1e-12
    )
    sampled = pt.cmi(law, parts, method="cavity", n_samples=50, rng=0)
    # By symmetry every sample has the same divergence, so that even 50 give all digits.
    assert sampled.value == pytest.approx(pt.cmi(law, parts).value, abs=1e-12)


def test_noiseless_values_belong_to_their_own_site():
    """+-alpha_i is checked site by site: the neighbour's alpha is not a reading of this one."""
    law = pt.Ising(pt.Lattice.chain(2), 0.1).noised(pt.Gaussian.from_scales([1.0, 0.5], [0, 0]))
    assert law.denoise([[1.0, -0.5]]).tolist() == [[1.0, -1.0]]
    with pytest.raises(ValueError, match=r"y is not \+-alpha"):
        law.denoise([[0.5, 1.0]])


def test_noise_on_one_spin_only_leaves_the_others_known():
    """A seen through Gaussian noise, B and C clean: a chain is Markov, so C says nothing."""
    prior = pt.Ising(pt.Lattice.chain(4), [0.7, -0.4, 0.9], field=0.2)
    parts = pt.Tripartition(A=[0], B=[1], C=[2, 3])
    mask = np.array([True, False, False, False])
    law = prior.noised(pt.Gaussian(0.5).on(mask))
    found = pt.cmi(law, parts, n_samples=100, rng=0)
    assert abs(found.value) < 1e-12
    # Without the buffer it does: E over the clean x_C of a divergence that is strictly positive.
    bare = pt.Tripartition(A=[0], B=[], C=[1])
    assert pt.cmi(law, bare, n_samples=100, rng=0).value > 1e-3


# Markov networks.


def test_open_chain_is_markov_without_noise_and_hidden_markov_with_it():
    prior = pt.Ising(pt.Lattice.chain(6), np.linspace(0.3, 1.1, 5), field=np.linspace(-0.5, 0.4, 6))
    for site in range(6):
        parts = prior.lattice.tripartition(centre=(site,), radius=1)
        assert abs(pt.cmi(prior.noised(pt.BitFlip(0.0)), parts).value) < 1e-13
        if parts.C.size:
            assert pt.cmi(prior.noised(pt.BitFlip(0.3)), parts).value > 1e-5


@pytest.mark.parametrize("shape", [(3, 3), (2, 4)])
def test_grid_is_markov_with_a_chebyshev_buffer(shape):
    """The Chebyshev ball of radius 1 holds all graph neighbours."""
    lattice = pt.Lattice.grid(shape)
    rng = np.random.default_rng(1)
    prior = pt.Ising(lattice, rng.normal(size=len(lattice.edges)), rng.normal(size=lattice.n_sites))
    parts = lattice.tripartition(centre=(0, 0), radius=1)
    assert parts.C.size
    assert abs(pt.cmi(prior.noised(pt.BitFlip(0.0)), parts).value) < 1e-13


# Strong couplings, large evidence.


def test_strong_coupling_is_the_repetition_code():
    """J = 300: two states, up to weights of e^-600."""
    prior = pt.Ising(pt.Lattice.chain(4), 300.0)
    law = prior.noised(pt.BitFlip(0.3))
    y = [(1, 1, 1, -1), (1, 1, -1, -1)]
    f = 0.15
    expected = [
        math.log(0.5 * ((1 - f) ** 3 * f + f**3 * (1 - f))),
        math.log((1 - f) ** 2 * f**2),
    ]
    # Log-weights of size 900 round at 900 eps = 2e-13.
    np.testing.assert_allclose(law.log_prob(y), expected, atol=1e-12)
    odds = ((1 - f) / f) ** 2  # three votes against one
    m = (odds - 1) / (odds + 1)
    np.testing.assert_allclose(law.denoise(y), [[m] * 4, [0.0] * 4], atol=1e-14)
    assert law.entropy(rng=0).value == pytest.approx(
        brute.entropy(brute.noisy(brute.curie_weiss(4, math.inf), [brute.bit_flip(0.3)] * 4)),
        abs=1e-13,
    )


@pytest.mark.parametrize("method", ["exact", "cavity", "plain"])
def test_strong_coupling_of_either_sign_has_one_bit_of_information(method):
    """x_0 and x_1 determine each other; both are fair coins: I = ln 2 for every sample."""
    for coupling in (300.0, -300.0):
        law = pt.Ising(pt.Lattice.chain(3), coupling).noised(pt.BitFlip(0.0))
        found = pt.cmi(law, pt.Tripartition([0], [], [1]), method=method, n_samples=20, rng=0)
        assert found.value == pytest.approx(math.log(2.0), abs=1e-13)


def test_beliefs_of_any_strength_give_finite_information():
    """Strong fields against strong couplings: beliefs of e^-1200 meet beliefs of one half."""
    prior = pt.Ising(pt.Lattice.chain(3), [300.0, -300.0], field=[0.0, 0.0, 250.0])
    parts = pt.Tripartition([0], [], [1, 2])
    for noise in (pt.BitFlip(0.0), pt.BitFlip(0.4), pt.Erasure(0.4), pt.Gaussian(0.1)):
        found = pt.cmi(prior.noised(noise), parts, method="cavity", n_samples=50, rng=0)
        assert math.isfinite(found.value)
        # The field leaves one state, x = (-1, -1, +1), up to e^-500: nothing to learn.
        assert abs(found.value) < 1e-12


def test_frustrated_triangle_shares_its_weight():
    """J = -300 on a triangle: six ground states of equal weight, two excluded."""
    prior = pt.Ising(pt.Lattice.ring(3), -300.0)
    law = prior.noised(pt.BitFlip(0.0))
    assert law.entropy().value == pytest.approx(math.log(6.0), abs=1e-13)
    states = list(itertools.product((-1, 1), repeat=3))
    log_p = law.log_prob(states)
    for x, value in zip(states, log_p, strict=True):
        # Aligned states have exponent -900, the others +300.
        expected = -math.log(6.0) - (1200.0 if abs(sum(x)) == 3 else 0.0)
        assert value == pytest.approx(expected, rel=1e-14)


def test_log_odds_beyond_the_range_of_doubles():
    """x_1 = x_0 up to e^-2J, J = 500: log-odds of an erased spin are 1000, not infinite."""
    prior = pt.Ising(pt.Lattice.chain(2), 500.0)
    law = prior.noised(pt.Erasure(0.5))
    np.testing.assert_allclose(law.score([(1, 0), (-1, 0)]), [[0, 1000.0], [0, -1000.0]])
    flipped = prior.noised(pt.BitFlip(0.0)).score([(1, 1), (1, -1)])
    np.testing.assert_allclose(flipped, [[-1000.0] * 2, [1000.0] * 2])


@pytest.mark.parametrize("h", [500.0, -500.0, 5e4, math.inf, -math.inf])
def test_large_evidence(h):
    """One spin: log E e^{h x_0} is |h| - ln 2 for a fair coin; the neighbour's mean is tanh J."""
    prior = pt.Ising(pt.Lattice.chain(2), 0.7)
    evidence = np.array([[h, 0.0]])
    expected = -math.log(2.0) + (0.0 if math.isinf(h) else abs(h))
    assert prior.log_evidence(evidence)[0] == pytest.approx(expected, rel=1e-15)
    mean = prior.posterior(evidence).mean()[0]
    # Adding h to log p rounds at eps |h|, which is the relative error of the weights.
    rounding = 1e-14 if math.isinf(h) else 4.0 * np.finfo(float).eps * abs(h)
    np.testing.assert_allclose(mean, np.sign(h) * np.array([1.0, math.tanh(0.7)]), rtol=rounding)


def test_large_evidence_against_large_coupling():
    """Fields h = +500 and -500 on the ends of a bond of J = 300: breaking it costs 600 < 1000."""
    prior = pt.Ising(pt.Lattice.chain(2), 300.0)
    posterior = prior.posterior(np.array([[500.0, -500.0]]))
    # Weights: (+,-) e^{1000-300}, (+,+) and (-,-) e^{300}, (-,+) e^{-1300}.
    log_p = posterior.log_p[0]
    np.testing.assert_allclose(log_p[0], [-400.0, 0.0], rtol=1e-14, atol=1e-170)
    np.testing.assert_allclose(log_p[1], [0.0, -400.0], rtol=1e-14, atol=1e-170)


def test_contradictory_evidence():
    """Both spins known, their disagreement costs e^-2J but is possible at any finite J."""
    known = np.array([[np.inf, -np.inf]])
    value = pt.Ising(pt.Lattice.chain(2), 900.0).log_evidence(known)
    assert value[0] == pytest.approx(-1800.0 - math.log(2.0), rel=1e-14)
    never = pt.CurieWeiss(2, coupling=math.inf)
    assert never.log_evidence(known)[0] == -math.inf
    with pytest.raises(ValueError, match="probability zero"):
        never.posterior(known)


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coupling": [0.1, 0.2, 0.3]}, r"coupling has shape \(3,\).*\(2,\) \(one per edge\)"),
        ({"coupling": np.nan}, "coupling holds NaN or infinite"),
        ({"coupling": math.inf}, "coupling holds NaN or infinite"),
        ({"coupling": 0.1, "field": [0.0, 1.0]}, r"field has shape \(2,\).*\(3,\)"),
        ({"coupling": 0.1, "field": [0.0, 1.0, np.nan]}, "field holds NaN or infinite"),
    ],
)
def test_bad_models(arguments, message):
    with pytest.raises(ValueError, match=message):
        pt.Ising(pt.Lattice.chain(3), **arguments)


@pytest.mark.parametrize("n", [6, 40])
def test_too_large_a_table_is_refused_with_bytes_and_limit(n):
    """36 sites would take 5e11 bytes; 1600 sites a number of bytes beyond any float."""
    prior = pt.Ising(pt.Lattice.grid((n, n)), 0.4, engine="table")
    law = prior.noised(pt.BitFlip(0.2))
    for work in (lambda: law.sample(1, rng=0), lambda: law.log_prob(np.ones((1, n * n)))):
        with pytest.raises(ValueError, match=r"states = .* bytes: the limit is 268435456 bytes"):
            work()


def test_parameters_are_those_at_construction():
    coupling = np.array([0.5, 0.5])
    prior = pt.Ising(pt.Lattice.chain(3), coupling)
    coupling[:] = 9.0
    assert (prior.coupling == 0.5).all()
