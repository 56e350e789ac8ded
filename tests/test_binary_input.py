"""A bit seen through Gaussian noise: published values, arbitrary precision, identities."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from phasetheory.engines.binary_input import (
    binary_entropy_loss,
    label_equivocation,
    label_information,
)

LN2 = np.log(2.0)


def precise(K, bias=0.0):
    """E_z log(1 + exp(-bias - 2 K^2 - 2 K z)) with enough digits for its size.

    mpmath stops at an absolute tolerance, so the digits have to grow with K^2.
    """
    with mpmath.workdps(20 + int(K * K / 4)):
        K, bias = mpmath.mpf(K), mpmath.mpf(bias)

        def integrand(z):
            return mpmath.npdf(z) * mpmath.log1p(mpmath.exp(-bias - 2 * K * K - 2 * K * z))

        pieces = [-K - 10 + mpmath.mpf(j) / 2 for j in range(41 + int(2 * K))]
        return float(mpmath.quad(integrand, pieces))


def test_published_values():
    """Source: Liu et al. 2026; F(0) = ln 2 because nothing is seen."""
    assert float(binary_entropy_loss(0.0)) == pytest.approx(LN2, rel=1e-15)
    assert float(binary_entropy_loss(1.0)) == pytest.approx(0.3563163602, abs=5e-11)
    assert float(binary_entropy_loss(3.0)) == pytest.approx(0.0038492475, abs=5e-11)


@pytest.mark.parametrize("K", [0.01, 1.0, 3.0, 8.0, 14.0])
def test_relative_accuracy_against_arbitrary_precision(K):
    assert float(binary_entropy_loss(K)) == pytest.approx(precise(K), rel=1e-12)


@pytest.mark.parametrize(("K", "weight"), [(0.3, 0.1), (1.0, 0.3), (1.0, 1e-6)])
def test_unequal_weights_against_arbitrary_precision(K, weight):
    """H(S|y) = sum_s w_s E log(1 + exp(-+b - 2 K^2 - 2 K z)), b = log(w_1/w_0)."""
    bias = np.log(weight / (1 - weight))
    direct = weight * precise(K, bias) + (1 - weight) * precise(K, -bias)
    assert float(label_equivocation(2 * K, weight)) == pytest.approx(direct, rel=1e-12)


def test_asymptote():
    """F(K) = sqrt(pi/2) exp(-K^2/2)/K (1 - m/K^2 + ...): about 3 % off at K = 8.

    In r = K(z + K) the Gaussian factor is exp(-r^2/(2K^2)), so m is half the second moment of
    the kernel e^r log(1 + e^-2r), whose integral is pi.
    """
    K = np.array([8.0, 15.0, 25.0, 37.0])
    leading = np.sqrt(np.pi / 2) * np.exp(-(K**2) / 2) / K
    correction = binary_entropy_loss(K) / leading - 1.0
    r = np.linspace(-60, 60, 4801)
    kernel = np.exp(r) * np.logaddexp(0.0, -2 * r)
    m = 0.5 * (kernel * r**2).sum() / kernel.sum()
    np.testing.assert_allclose(correction, -m / K**2, rtol=0.2)
    np.testing.assert_allclose(correction[2:], -m / K[2:] ** 2, rtol=0.02)
    assert correction[0] == pytest.approx(-0.03, abs=0.01)


def test_shape_and_limits():
    K = np.array([[0.0, 1.0], [20.0, np.inf]])
    values = binary_entropy_loss(K)
    assert values.shape == K.shape
    assert values[1, 1] == 0.0
    np.testing.assert_allclose(values[0, 1], float(binary_entropy_loss(1.0)), rtol=1e-14)
    many = np.linspace(0, 45, 20_001)
    loss = binary_entropy_loss(many)
    assert (np.diff(loss) <= 0).all()
    assert loss[-1] == 0.0


@given(st.floats(0, 12), st.floats(1e-6, 1 - 1e-6))
def test_information_lies_between_zero_and_the_label_entropy(distance, weight):
    H = -weight * np.log(weight) - (1 - weight) * np.log1p(-weight)
    information = float(label_information(distance, weight))
    assert -1e-15 <= information <= H
    mirrored = float(label_information(distance, 1 - weight))
    assert information == pytest.approx(mirrored, rel=1e-9, abs=1e-14)
    # Concavity of the information in the law of S, against the fair bit.
    assert information <= float(label_information(distance)) + 1e-15


@given(st.floats(0.05, 6.0))
def test_i_mmse(K):
    """-dF/d(K^2) = mmse/2, mmse = E[1 - tanh^2] of a fair bit at snr K^2 (Guo, Shamai, Verdu)."""
    step = 1e-4 * K**2
    ends = binary_entropy_loss(np.sqrt(K**2 + np.array([-step, step])))
    z = np.linspace(-12, 12, 4001)
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    mmse = (density / np.cosh(K**2 + K * z) ** 2).sum()
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(0.5 * mmse, rel=1e-5, abs=1e-11)


def test_certain_labels_carry_nothing():
    assert label_information(3.0, 0.0) == 0.0
    assert label_information(3.0, 1.0) == 0.0
    assert label_equivocation([1.0, 2.0], 1.0).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("ratio", "published"), [(2.0, 0.16421), (4.0, 0.22649)])
def test_peak_cmi_constants(ratio, published):
    """Peak over t of I(A;C|B) is (|A|/|B|) c(1+|C|/|B|) for small A.

    Source: recomputed constants of the symmetric mixture, Liu et al. 2026. With K_B^2 = x and
    |A|/|B| = a, I = F(sqrt x) - F(sqrt x(1+a)) - F(sqrt(c x)) + F(sqrt(x(c+a))).
    """
    a = 1e-5

    def negative_cmi(x):
        F = binary_entropy_loss(np.sqrt(x * np.array([1.0, 1.0 + a, ratio, ratio + a])))
        return -(F[0] - F[1] - F[2] + F[3]) / a

    peak = minimize_scalar(negative_cmi, bounds=(0.1, 20.0), method="bounded")
    assert -peak.fun == pytest.approx(published, abs=1e-5)


@pytest.mark.parametrize("K", [-1.0, np.nan])
def test_bad_amplitude(K):
    with pytest.raises(ValueError, match=r"holds .*numbers >= 0"):
        binary_entropy_loss(K)


@pytest.mark.parametrize("weight", [-0.1, 1.1, np.nan])
def test_bad_weight(weight):
    with pytest.raises(ValueError, match="weight"):
        label_information(1.0, weight)
