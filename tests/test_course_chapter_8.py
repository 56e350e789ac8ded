"""References of chapter 8 against definitions, quadrature and enumeration; its formulas, too."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from phasetheory.course import check
from tests.test_course import COURSE, cells

PAGE = COURSE / "chapter_8_learned_denoisers.md"


def test_exercises_need_no_torch():
    """Without torch everything up to "With networks" runs, all exercises included."""
    text = PAGE.read_text(encoding="utf-8")
    first, rest = text.split("\n## With networks\n")
    assert "import torch" not in first
    assert "import torch" in rest
    assert "check(" not in rest
    sources = [source for source, _ in cells(PAGE, "setup", "exercise", "solution")]
    assert not any(word in source for source in sources for word in ("torch", "neural"))


def test_every_kind_of_output_comes_back():
    """A network that is right for one (x, z): its output by definition, undone by the reference."""
    outputs = {
        "x0": lambda x, z, alpha, sigma: x,
        "eps": lambda x, z, alpha, sigma: z,
        "v": lambda x, z, alpha, sigma: alpha * z - sigma * x,
        "velocity": lambda x, z, alpha, sigma: z - x,
        "score": lambda x, z, alpha, sigma: -z / sigma,
    }

    def to_x0(out, y, kind, t):
        # Every output is linear in x at fixed y: solve from its values at x = 0 and x = 1.
        alpha, sigma = 1 - t, t
        at_0, at_1 = (outputs[kind](x, (y - alpha * x) / sigma, alpha, sigma) for x in (0.0, 1.0))
        return (out - at_0) / (at_1 - at_0)

    assert check("8.1", to_x0).ok


def test_area_by_quadrature_of_the_posterior_variance():
    """Half the integral over extra noise u of the squared gap of the scores (T6, first form)."""
    alpha, sigma = 0.6, 0.4

    def gap(u):
        # Scores of Gaussians: E s^2 is one over the variance of the noisy y_A.
        near, full = (1 / (alpha**2 * v + sigma**2 + u) for v in (0.5, 0.3))
        return full - near

    value = quad(gap, 0, np.inf)[0] / 2
    assert check("8.2", value).ok


def test_paired_error_by_plain_python():
    def difference(near, full):
        gains = [float(b) - float(c) for b, c in zip(near, full, strict=True)]
        mean = math.fsum(gains) / len(gains)
        spread = math.fsum((g - mean) ** 2 for g in gains) / (len(gains) - 1)
        return np.array([mean, math.sqrt(spread / len(gains))])

    assert check("8.3", difference).ok


def test_the_overconfident_network_by_quadrature():
    def density(y, v):
        return math.exp(-y * y / (2 * v)) / math.sqrt(2 * math.pi * v)

    def loss(true, claimed):
        found = quad(lambda y: -density(y, true) * math.log(density(y, claimed)), -12, 12)
        return found[0]

    assert check("8.4", loss(0.5, 0.5) - loss(0.4, 0.3)).ok


def test_the_bound_of_a_gaussian_critic_by_two_dimensional_quadrature():
    """Gauss-Hermite nodes integrate the quadratic T exactly; E_q e^T = 1 is checked beside."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(90)
    weights = weights / weights.sum()
    z1, z2 = np.meshgrid(nodes, nodes, indexing="ij")
    mass = np.outer(weights, weights)

    def critic(a, b, r):
        joint = -(a * a - 2 * r * a * b + b * b) / (2 * (1 - r * r)) - math.log(1 - r * r) / 2
        return joint + (a * a + b * b) / 2

    def bound(r, rho):
        true = (mass * critic(z1, rho * z1 + math.sqrt(1 - rho**2) * z2, r)).sum()
        # e^T is close to not integrable for large r; where 90 nodes resolve it, its mean is 1.
        if abs(r) <= 0.5:
            assert (mass * np.exp(critic(z1, z2, r))).sum() == pytest.approx(1.0, abs=1e-6)
        return true

    assert check("8.5", bound).ok


def memoriser_by_enumeration(K, n):
    pairs = list(itertools.product(range(n), repeat=2))
    mean = math.fsum(math.exp(K) if i == j else 1.0 for i, j in pairs) / len(pairs)
    return K - math.log(mean)


def test_the_memoriser_by_enumeration():
    assert check("8.6", memoriser_by_enumeration).ok


def test_a_free_critic_of_n_pairs_reads_at_most_log_n():
    """The best critic of all n^2 numbers T_ij, by numerical ascent, tends to log n from below."""
    n = 5

    def minus(values):
        T = values.reshape(n, n)
        top = T.max()
        return -(np.trace(T) / n - top - math.log(np.mean(np.exp(T - top))))

    found = minimize(minus, np.random.default_rng(0).normal(size=n * n), options={"maxiter": 500})
    assert -found.fun <= math.log(n) + 1e-12
    # The supremum is at infinity; T = K on the diagonal comes within (n - 1) e^-K of it.
    assert -found.fun == pytest.approx(math.log(n), abs=1e-2)
    assert memoriser_by_enumeration(30.0, n) == pytest.approx(math.log(n), abs=1e-9)


def excess(p, n):
    """Mean training and new loss minus the entropy, as on the page."""
    from scipy.special import digamma

    trained = (digamma((n - 1 - p) / 2) + np.log(2 / n)) / 2
    return trained, trained + ((n + 1) * (n - 2) / ((n - p - 2) * (n - p - 3)) - 1) / 2


def test_the_price_of_memory_of_a_regression():
    """4000 regressions on 6 inputs from 25 samples, independent of them, against the formula."""
    p, n, repeats = 6, 25, 4000
    rng = np.random.default_rng(8)
    found = np.zeros((repeats, 2))
    for k in range(repeats):
        x, target = rng.normal(size=(n, p)) + 0.7, rng.normal(size=n)
        centred = x - x.mean(axis=0)
        slope = np.linalg.solve(centred.T @ centred, centred.T @ (target - target.mean()))
        constant = target.mean() - slope @ x.mean(axis=0)
        variance = np.mean((target - constant - x @ slope) ** 2)
        x_new, new = rng.normal(size=(50, p)) + 0.7, rng.normal(size=50)
        squares = np.mean((new - constant - x_new @ slope) ** 2)
        loss = math.log(2 * math.pi * variance) / 2
        found[k] = loss + 0.5, loss + squares / (2 * variance)
    found -= math.log(2 * math.pi * math.e) / 2
    error = found.std(axis=0, ddof=1) / math.sqrt(repeats)
    assert (np.abs(found.mean(axis=0) - excess(p, n)) < 4 * error).all()
    # A wrong number of degrees of freedom would be seen.
    assert (np.abs(found.mean(axis=0) - excess(p - 1, n)) > 6 * error).all()


def test_the_price_of_memory_is_half_a_nat_a_parameter_over_n():
    """Difference of 80 and 8 inputs: k/2n, to second order in p/n."""
    for n in (10_000, 100_000):
        (train_near, new_near), (train_full, new_full) = excess(8, n), excess(80, n)
        # Second order: log(1 - x) gives -x^2/4 in training, (1 - x)^-2 then 5 x^2/4 on new data.
        slack = 1.25 * (85 / n) ** 2
        assert train_near - train_full == pytest.approx(72 / (2 * n), abs=slack)
        assert new_near - new_full == pytest.approx(-72 / (2 * n), abs=slack)
