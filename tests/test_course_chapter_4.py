"""References of chapter 4 of the course, each by a computation that shares no code with it."""

import itertools
import math

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

from phasetheory.course import EXERCISES, check
from tests import brute


def test_copies_by_enumeration():
    def cmi(a, b, c, t):
        n = a + b + c
        clean = {(-1,) * n: 0.5, (1,) * n: 0.5}
        law = brute.noisy(clean, [brute.erasure(t)] * n)
        return brute.cmi(law, range(a), range(a, a + b), range(a + b, n))

    assert check("4.1", cmi).ok


def test_label_posterior_by_integrating_out_the_clean_pixels():
    def density(y, mean, variance, t):
        """p(y | mean of x) of one pixel: the integral over x on a grid of 0.01 deviations."""
        z = np.linspace(-12, 12, 2401) if variance else np.zeros(1)
        x = mean + math.sqrt(variance) * z
        prior = np.exp(-(z**2) / 2)
        return float((prior * np.exp(-((y - (1 - t) * x) ** 2) / (2 * t**2))).sum())

    def posterior(y, mean, variance, t):
        found = []
        for row in y:
            up, down = (
                math.prod(density(a, s * m, variance, t) for a, m in zip(row, mean, strict=True))
                for s in (1, -1)
            )
            found.append(up / (up + down))
        return found

    assert check("4.2", posterior).ok


def loss(K):
    """F(K) = ln 2 - I(S;w) with I h(w) - h(z) of w = KS + z, by adaptive quadrature."""

    def term(w):
        p = (math.exp(-((w - K) ** 2) / 2) + math.exp(-((w + K) ** 2) / 2)) / math.sqrt(8 * math.pi)
        return -p * math.log(p)

    peaks = (-K, 0.0, K) if K else (0.0,)
    whole = quad(term, -K - 20, K + 20, points=peaks, epsabs=1e-11, limit=200)[0]
    return math.log(2) - (whole - 0.5 * math.log(2 * math.pi * math.e))


def test_loss_by_differential_entropies():
    assert check("4.3", np.vectorize(loss)).ok


def test_parity_by_enumeration():
    law = {(a, c, a * c): (1 + 0.8 * a * c) / 4 for a, c in itertools.product((-1, 1), repeat=2)}
    plain = brute.cmi(law, [0], [], [1])
    given = brute.cmi(law, [0], [2], [1])
    assert check("4.4", 1 - given / plain).ok


def test_window_ends_of_a_line_are_solved_for():
    """Slopes between two sizes, rounded to quarters: logarithms and corrections are smaller.

    The four equations as the chapter states them, F in the form with the tail taken out (sum over
    w with step 0.02/max(1, K), all terms positive).
    """

    def tail_loss(K):
        w = np.arange(-9.5, 9.5, 0.02 / max(1.0, K))
        kernel = np.exp(K * w - w**2 / 2) * np.logaddexp(0, -2 * K * w)
        return math.exp(-(K**2) / 2) / math.sqrt(2 * math.pi) * kernel.sum() * (w[1] - w[0])

    def ends(n, threshold):
        def K(log_signal, size):
            u = math.exp(log_signal)
            return u * math.sqrt(size / (u**2 + (1 - u) ** 2))

        def cmi(x):
            F = [tail_loss(K(x, size)) for size in (n // 4, n // 4 + 1, n - 1, n)]
            return F[0] - F[1] - F[2] + F[3]

        top = -0.5 * math.log(n // 4)
        bounds = (top - 2, top + 2)
        peak = minimize_scalar(lambda x: -cmi(x), bounds=bounds, method="bounded").x
        assert cmi(peak) > threshold
        return np.array(
            [
                brentq(lambda x: tail_loss(K(x, n // 4)) - threshold, peak - 3, peak + 3),
                brentq(lambda x: cmi(x) - threshold, peak, peak + 3),
                brentq(lambda x: cmi(x) - threshold, peak - 6, peak),
                brentq(lambda x: math.log(2) - tail_loss(K(x, n)) - threshold, -20, peak),
            ]
        )

    small, large = 4_000, 64_000
    slopes = (ends(large, 0.1 / large) - ends(small, 0.1 / small)) / math.log(large / small)
    assert np.abs(slopes - EXERCISES["4.5"].reference()).max() < 0.1
    assert check("4.5", np.round(4 * slopes) / 4).ok


def test_root_of_a_tree_by_summing_over_all_inner_nodes():
    """Heap order: node i has the children 2i + 1 and 2i + 2; leaves are summed at their parents."""

    def root(m, rate):
        leaves = m.shape[1]
        inner = leaves - 1
        states = np.array(list(itertools.product((-1, 1), repeat=inner)))
        weight = np.ones(len(states))
        for node in range(1, inner):
            weight *= (1 + rate * states[:, node] * states[:, (node - 1) // 2]) / 2
        means = []
        for row in m:
            joint = weight.copy()
            for leaf, mean in enumerate(row):
                parent = states[:, (inner + leaf - 1) // 2]
                joint *= sum((1 + rate * x * parent) / 2 * (1 + mean * x) / 2 for x in (-1, 1))
            means.append((joint * states[:, 0]).sum() / joint.sum())
        return np.array(means)

    assert check("4.6", root).ok
