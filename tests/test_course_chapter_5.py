"""Chapter 5: its references and the bound it proves, against enumeration."""

import itertools
import math

import numpy as np
import pytest

import phasetheory as pt
from phasetheory.course import check
from phasetheory.course.chapter_5 import EXERCISES
from tests import brute

REFERENCE = {exercise.key: exercise.reference for exercise in EXERCISES}
SPINS = (-1, 1)


def chain(n, J):
    edges = [(i, i + 1) for i in range(n - 1)]
    return brute.ising(n, edges, [J] * (n - 1))


def noisy_chain(n, J, t):
    return brute.noisy(chain(n, J), [brute.bit_flip(t)] * n)


def backward(row, J, t):
    """Log p by messages from the right, as log-odds: no code in common with the forward sum."""
    total, odds = 0.0, 0.0  # odds = log of message(+1)/message(-1), message mean one
    up = math.exp(J) / (2 * math.cosh(J))
    for y in reversed(row):
        here = {x: (1 - t / 2) if x == y else t / 2 for x in SPINS}
        plus = here[1] * 2 / (1 + math.exp(-odds))
        minus = here[-1] * 2 / (1 + math.exp(odds))
        plus, minus = up * plus + (1 - up) * minus, (1 - up) * plus + up * minus
        total += math.log((plus + minus) / 2)
        odds = math.log(plus / minus)
    return total


def test_likelihood_by_enumeration_and_from_the_other_end():
    def log_p(y, J, t):
        if y.shape[1] > 9:
            return np.array([backward(row, J, t) for row in y.tolist()])
        law = noisy_chain(y.shape[1], J, t)
        return np.array([math.log(law[tuple(row)]) for row in y.tolist()])

    assert check("5.1", log_p).ok


def test_coupling_by_enumeration():
    law = noisy_chain(3, 1.0, 0.4)
    assert check("5.2", sum(y[0] * y[2] * math.log(p) for y, p in law.items()) / 8).ok


def test_erased_chain_by_all_patterns():
    """Six sites, each erased or not.

    A finite chain lacks the seen spins beyond its end, whatever r. So differences in r are those of
    the infinite chain, and with a limit of zero they fix it.
    """
    J, t, n = 0.9, 0.45, 6
    law = brute.noisy(chain(n, J), [brute.erasure(t)] * n)

    def cmi(r):
        return brute.cmi(law, [0], list(range(1, r + 1)), list(range(r + 1, n)))

    for r in (0, 1, 2):
        lost = REFERENCE["5.3"](J, t, r) - REFERENCE["5.3"](J, t, r + 1)
        assert cmi(r) - cmi(r + 1) == pytest.approx(lost, rel=1e-10)
    assert REFERENCE["5.3"](J, t, 200) < 1e-30


def test_bound_from_the_channel():
    """The coefficient from the channel, the rate of a bond from the eigenvalues of its matrix."""
    channel = brute.bit_flip(0.6)
    rho = sum(math.sqrt(channel[1][y] * channel[-1][y]) for y in SPINS)
    weights = np.array([[math.exp(1.5 * a * b) for b in SPINS] for a in SPINS])
    small, large = np.linalg.eigvalsh(weights)
    assert check("5.4", -1 / math.log(rho * (small / large) ** 2)).ok


def test_strip_by_enumeration():
    z = REFERENCE["5.5"]
    for J, width, length in ((0.44, 3, 4), (0.3, 1, 7), (-0.2, 2, 1), (0.5, 4, 2)):
        total = 0.0
        for x in itertools.product(SPINS, repeat=width * length):
            grid = np.reshape(x, (length, width))
            pairs = (grid[1:] * grid[:-1]).sum() + (grid[:, 1:] * grid[:, :-1]).sum()
            total += math.exp(J * float(pairs))
        assert z(J, width, length) == pytest.approx(math.log(total), rel=1e-12)
    # A long strip grows by the logarithm of the largest eigenvalue of its transfer matrix.
    states = np.array(list(itertools.product(SPINS, repeat=4)))
    half = np.exp(0.3 * (states[:, 1:] * states[:, :-1]).sum(axis=1))
    top = np.linalg.eigvalsh(half[:, None] * np.exp(0.6 * states @ states.T) * half)[-1]
    assert z(0.6, 4, 500) - z(0.6, 4, 499) == pytest.approx(math.log(top), rel=1e-10)


def test_overlap_by_enumeration():
    channels = [brute.bit_flip(0.4)] * 3
    law = chain(3, 1.0)
    overlap = agreement = 0.0
    for (x, y), p in brute.joint(law, channels).items():
        mean = brute.posterior_mean(law, channels, y, region=range(3))[1]
        overlap += p * mean**2
        agreement += p * x[1] * mean
    assert check("5.6", overlap).ok
    assert agreement == pytest.approx(overlap, rel=1e-12)


def coefficient(noise):
    """rho, by its sum over outputs or, for Gaussian noise, by quadrature."""
    if isinstance(noise, pt.Gaussian):
        alpha, sigma = noise.scales
        y = np.linspace(-12, 12, 4001) * sigma + 0.0
        root = np.exp(-((y - alpha) ** 2 + (y + alpha) ** 2) / (4 * sigma**2))
        return float(root.sum() * (y[1] - y[0]) / (math.sqrt(2 * math.pi) * sigma))
    channel = noise.channel(2)
    return float(np.sqrt(channel[:, 0] * channel[:, 1]).sum())


NOISES = [kind(t) for kind in (pt.BitFlip, pt.Erasure, pt.Gaussian) for t in (0.1, 0.5, 0.9)]


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: f"{noise.name} {noise.t}")
def test_cmi_of_the_chain_below_its_bound(noise):
    """I(A;C|B_r) <= cosh J tau^2 (tau^2 rho)^r and xi <= 1/ln(1/(tau^2 rho)); erasure: equal."""
    radii = np.arange(7)
    rho = coefficient(noise)
    for J in (0.2, 1.0, 2.5):
        rate = math.tanh(J) ** 2 * rho
        found = pt.chain_cmi(J, noise, radii, arms=(0, np.inf))
        bound = math.cosh(J) * math.tanh(J) ** 2 * rate**radii
        assert (found <= bound + 1e-13).all()  # below it rounding of the engine
        length = pt.chain_markov_length(J, noise)
        assert length <= -1 / math.log(rate) * (1 + 1e-9)
        if isinstance(noise, pt.Erasure):
            assert length == pytest.approx(-1 / math.log(rate), rel=1e-9)
            assert length > -1.001 / math.log(rate * rho**0.1)  # a little more is no bound


def test_covariance_given_the_buffer_is_a_determinant():
    """Cov(x_0, x_4|y_B) p(y_B)^2 = tau^4 prod p(y|+)p(y|-), and the mean of its square root."""
    J, t, r = 0.7, 0.35, 3
    channels = [brute.identity(SPINS), *[brute.bit_flip(t)] * r, brute.identity(SPINS)]
    law = brute.noisy(chain(r + 2, J), channels)
    product = math.tanh(J) ** (r + 1) * ((1 - t / 2) * t / 2) ** r
    root = 0.0
    for seen in itertools.product(SPINS, repeat=r):
        ends = {(a, b): law[a, *seen, b] for a, b in itertools.product(SPINS, repeat=2)}
        p = sum(ends.values())
        first, last = (sum(k[i] * w for k, w in ends.items()) / p for i in (0, 1))
        covariance = sum(a * b * w for (a, b), w in ends.items()) / p - first * last
        assert covariance * p**2 == pytest.approx(product, rel=1e-10)
        root += p * math.sqrt(covariance)
    rho = math.sqrt(1 - (1 - t) ** 2)
    assert root == pytest.approx(math.tanh(J) ** ((r + 1) / 2) * rho**r, rel=1e-10)
