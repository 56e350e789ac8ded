"""The noisy Ising chain: closed form and transfer operators against brute force and each other."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phasetheory as pt
from phasetheory import schedules
from phasetheory.engines.binary_input import binary_entropy_loss
from phasetheory.engines.erased_chain import erased_chain_cmi, erased_chain_markov_length
from phasetheory.engines.hidden_chain import HiddenChain
from phasetheory.information.chain import chain_cmi, chain_markov_length, fields
from tests import brute
from tests.strategies import DISCRETE, channel

RADII = np.arange(30)
KINDS = sorted(DISCRETE)


def brute_cmi(coupling, kind, t, *, left, right, radius):
    """Every configuration of a finite chain, A with `left` and `right` sites on its sides."""
    n = left + 1 + right
    law = brute.ising(n, [(i, i + 1) for i in range(n - 1)], [coupling] * (n - 1))
    noisy = brute.noisy(law, [channel(kind, t, 2)] * n)
    B = [i for i in range(n) if 0 < abs(i - left) <= radius]
    C = [i for i in range(n) if abs(i - left) > radius]
    return brute.cmi(noisy, [left], B, C)


def enumerated_pairs(coupling, t, radius, *, reach=400):
    """The closed form's double sum over distances, term by term."""
    tau = math.tanh(coupling)

    def g(c):
        return sum(p * math.log(2 * p) for p in ((1 + c) / 2, (1 - c) / 2) if p > 0)

    seen = [0.0] + [(1 - t) * t ** (b - 1) for b in range(1, reach)]
    single = [g(tau**b) for b in range(2 * reach)]
    total = 2 * math.fsum(seen[b] * single[b] for b in range(radius + 1, reach))
    total -= math.fsum(
        seen[a] * seen[b] * single[a + b]
        for a in range(1, reach)
        for b in range(1, reach)
        if max(a, b) > radius
    )
    return (1 - t) * total


# Against brute force.


@settings(max_examples=25)
@given(
    st.floats(-2.0, 2.0),
    st.sampled_from(KINDS),
    st.sampled_from([0.0, 0.05, 0.5, 0.9, 1.0]),
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 3),
)
def test_finite_chains(coupling, kind, t, left, right, radius):
    expected = brute_cmi(coupling, kind, t, left=left, right=right, radius=radius)
    arms = (left, right)
    found = chain_cmi(coupling, DISCRETE[kind](t), radius, arms=arms)
    assert found == pytest.approx(expected, abs=1e-12)
    if kind == "Erasure":
        closed = erased_chain_cmi(coupling, t, radius, arms=arms)
        assert closed == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("coupling", [0.4, 1.0, -1.5])
def test_frontier_engine(coupling):
    """Exact entropies of 15 noisy spins, another engine."""
    lattice = pt.Lattice.chain(15)
    law = pt.Ising(lattice, coupling=coupling).noised(pt.BitFlip(0.3))
    expected = [pt.cmi(law, lattice.tripartition(6, r), method="exact").value for r in range(9)]
    found = chain_cmi(coupling, pt.BitFlip(0.3), np.arange(9), arms=(6, 8))
    np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_gaussian_noise_against_the_cavity_estimate(radius):
    lattice = pt.Lattice.chain(8)
    law = pt.Ising(lattice, coupling=1.1).noised(pt.Gaussian(0.5))
    found = pt.cmi(law, lattice.tripartition(3, radius), n_samples=4000, rng=radius)
    expected = chain_cmi(1.1, pt.Gaussian(0.5), radius, arms=(3, 4))
    assert abs(found.value - expected) < 5 * found.stderr
    assert found.stderr < 0.1 * expected


# Closed form, transfer operators and their asymptotics against each other.


@pytest.mark.parametrize("coupling", [0.1, 1.0, -3.0])
@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_closed_form_and_transfer_operators(coupling, t):
    """Thirty radii, down to 1e-90 nats, relative."""
    closed = erased_chain_cmi(coupling, t, RADII)
    found = chain_cmi(coupling, pt.Erasure(t), RADII)
    np.testing.assert_allclose(found, closed, rtol=1e-8)
    assert chain_markov_length(coupling, pt.Erasure(t)) == pytest.approx(
        erased_chain_markov_length(coupling, t), rel=1e-10
    )


@pytest.mark.parametrize(("coupling", "t", "radius"), [(0.7, 0.5, 0), (0.7, 0.5, 3), (2.0, 0.8, 5)])
def test_closed_form_is_its_double_sum(coupling, t, radius):
    expected = enumerated_pairs(coupling, t, radius)
    assert erased_chain_cmi(coupling, t, radius) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("coupling", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("noise", [pt.Erasure(0.6), pt.BitFlip(0.3), pt.Gaussian(0.6)])
def test_the_cmi_decays_with_the_markov_length(coupling, noise):
    """Measured rate equals theoretical rate, and local rates approach it."""
    values = chain_cmi(coupling, noise, [10, 11, 80, 81])
    rates = np.log(values[::2] / values[1::2])
    exact = 1.0 / chain_markov_length(coupling, noise)
    assert rates[1] == pytest.approx(exact, rel=1e-4)
    assert abs(rates[1] - exact) <= abs(rates[0] - exact) + 1e-9


@pytest.mark.parametrize("noise", [pt.BitFlip(0.3), pt.Gaussian(0.6)])
def test_the_markov_length_is_also_in_the_filter(noise):
    """The second eigenvalue of the filter on even functions is the gain's first."""
    chain = HiddenChain(1.3, *fields(noise))
    filtered = np.sort(np.abs(np.linalg.eigvals(chain.operators[0])))
    assert filtered[-1] == pytest.approx(1.0, abs=1e-12)
    assert filtered[-2] == pytest.approx(chain.decay, rel=1e-10)


@pytest.mark.parametrize("coupling", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("noise", [pt.Erasure, pt.BitFlip, pt.Gaussian])
def test_noise_makes_the_markov_length_longer(coupling, noise):
    """From zero at t = 0 to half the correlation length at t = 1, rising all the way."""
    lengths = [chain_markov_length(coupling, noise(t)) for t in np.linspace(0.15, 0.95, 9)]
    half = -0.5 / math.log(math.tanh(coupling))
    assert (np.diff(lengths) > 0).all()
    assert lengths[-1] < half
    assert chain_markov_length(coupling, noise(0.0)) == 0.0
    assert chain_markov_length(coupling, noise(1 - 1e-6)) == pytest.approx(half, rel=1e-4)


def test_noiseless_and_blank_chains():
    for noise in (pt.BitFlip, pt.Erasure, pt.Gaussian):
        clean = chain_cmi(1.0, noise(0.0), [0, 1, 2])
        g = [math.log(2) - float(brute.entropy({(0,): (1 + c) / 2, (1,): (1 - c) / 2}))
             for c in (math.tanh(1.0), math.tanh(1.0) ** 2)]  # fmt: skip
        np.testing.assert_allclose(clean, [2 * g[0] - g[1], 0.0, 0.0], atol=1e-14)
        np.testing.assert_allclose(chain_cmi(1.0, noise(1.0), RADII), 0.0, atol=1e-15)
        np.testing.assert_array_equal(chain_cmi(0.0, noise(0.5), RADII), 0.0)
        assert chain_markov_length(0.0, noise(0.5)) == 0.0
    np.testing.assert_array_equal(erased_chain_cmi(1.0, 1.0, RADII), 0.0)
    np.testing.assert_array_equal(erased_chain_cmi(0.0, 0.5, RADII), 0.0)
    assert erased_chain_markov_length(0.0, 0.5) == 0.0


def test_the_sign_of_the_coupling_does_not_matter():
    for noise in (pt.Erasure(0.4), pt.BitFlip(0.4)):
        assert chain_cmi(-0.9, noise, 3) == chain_cmi(0.9, noise, 3)


def test_long_arms_are_infinite():
    short = chain_cmi(1.0, pt.BitFlip(0.3), [1, 4], arms=(40, 40))
    np.testing.assert_allclose(short, chain_cmi(1.0, pt.BitFlip(0.3), [1, 4]), rtol=1e-9)
    assert erased_chain_cmi(1.0, 0.5, 2, arms=(2, 1)) == 0.0


def test_schedules_count_by_their_ratio():
    t, _ = schedules.convert_time(0.5, schedules.linear, schedules.ornstein_uhlenbeck(3.0))
    other = pt.Gaussian(t, schedules.ornstein_uhlenbeck(3.0))
    assert chain_cmi(1.0, other, 2) == pytest.approx(float(chain_cmi(1.0, pt.Gaussian(0.5), 2)))


@pytest.mark.parametrize("noise", [pt.BitFlip(0.3), pt.Erasure(0.3), pt.Gaussian(0.4)])
def test_fields_are_a_law(noise):
    """Weights sum to one, and E tanh h weighs both spins alike: E[1 + tanh h] = 1."""
    h, weight = fields(noise)
    assert weight.sum() == pytest.approx(1.0, abs=1e-14)
    assert weight @ np.tanh(h) == pytest.approx(0.0, abs=1e-14)


def test_gaussian_fields_give_the_information_of_a_bit():
    """An isolated pair of sites: the engine's integral against F of the mixture."""
    h, weight = fields(pt.Gaussian(0.5))
    lost = -weight @ ((1 + np.tanh(h)) * (np.log1p(np.tanh(h)) - math.log(2)))
    assert lost == pytest.approx(float(binary_entropy_loss(1.0)), rel=1e-12)


# Bad input.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chain_cmi(7.0, pt.BitFlip(0.1), 1), r"coupling=7\.0: \|coupling\| <= 6 needed"),
        (lambda: chain_cmi(math.nan, pt.BitFlip(0.1), 1), "coupling=nan"),
        (lambda: chain_cmi(1.0, pt.BitFlip(0.1), 0.5), r"radius=0\.5: whole numbers >= 0"),
        (lambda: chain_cmi(1.0, pt.BitFlip(0.1), -1), "radius=-1: whole numbers >= 0"),
        (lambda: chain_cmi(1.0, pt.BitFlip(0.1), 1, arms=(1.5, 2)), "two whole numbers >= 0"),
        (lambda: chain_cmi(1.0, pt.BitFlip([0.1, 0.2]), 1), "t for 2 sites: one strength"),
        (lambda: chain_markov_length(9.0, pt.Erasure(0.1)), "repetition code"),
        (lambda: erased_chain_cmi(1.0, 1.5, 1), r"t=1\.5: a number in \[0, 1\]"),
        (lambda: erased_chain_cmi(1.0, 0.5, [1, -2]), "whole numbers >= 0"),
        (lambda: erased_chain_cmi(1.0, 0.5, 1, arms=(3,)), "two whole numbers >= 0"),
        (lambda: erased_chain_cmi(8.0, 0.5, 1), r"\|coupling\| <= 6\.5"),
        (lambda: erased_chain_markov_length(math.inf, 0.5), "coupling=inf"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
