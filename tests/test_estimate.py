"""Estimates: mean, standard error, effective samples, and what is never done to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasetheory.estimate import MIN_EFFECTIVE_SAMPLES, Estimate


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_moments_against_plain_sums(samples):
    """Mean; stderr^2 = sum (x - mean)^2 / (n (n-1)); rounding at 1e-15 of the largest x."""
    n, scale = len(samples), max(1e-300, *(abs(x) for x in samples))
    found = Estimate.from_samples(samples)
    mean = sum(samples) / n
    variance = sum((x - mean) ** 2 for x in samples) / (n * (n - 1))
    assert found.value == pytest.approx(mean, abs=1e-14 * n * scale)
    assert found.stderr == pytest.approx(variance**0.5, rel=1e-9, abs=1e-13 * scale)
    assert found.n_samples == n
    assert not found.exact


@given(st.integers(2, 500), st.data())
def test_equal_contributions_count_themselves(n, data):
    """Among n samples k of equal size: (sum x)^2 / sum x^2 = k."""
    k = data.draw(st.integers(1, n))
    samples = np.zeros(n)
    samples[:k] = 0.5  # a power of two: no rounding at the threshold
    found = Estimate.from_samples(samples)
    assert found.n_effective == pytest.approx(k, rel=1e-12)
    assert found.trustworthy == (k >= MIN_EFFECTIVE_SAMPLES)


@given(st.lists(st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3), min_size=2, max_size=50))
def test_effective_samples_lie_between_one_and_all(samples):
    found = Estimate.from_samples(samples)
    assert 1.0 - 1e-12 <= found.n_effective <= len(samples) * (1.0 + 1e-12)


def test_samples_that_are_all_zero_carry_nothing():
    """0 +- 0 from samples may be a rare event that was not seen: never to be trusted."""
    found = Estimate.from_samples(np.zeros(500))
    assert (found.value, found.stderr, found.n_effective) == (0.0, 0.0, 0.0)
    assert not found.trustworthy and not found.exact


def test_threshold_is_thirty():
    assert MIN_EFFECTIVE_SAMPLES == 30.0


def test_exact_values_carry_no_error():
    found = Estimate(0.25)
    assert found.exact and found.trustworthy
    assert (found.stderr, found.n_samples, found.unit) == (0.0, 0, "nats")
    assert float(found) == 0.25
    assert "(exact)" in str(found)


def test_negative_values_are_not_clipped():
    samples = [-3.0, -1.0, 1.0, -1.0]
    found = Estimate.from_samples(samples)
    assert found.value == -1.0
    assert (-found).value == 1.0
    assert (-found).stderr == found.stderr


def test_scaling_by_an_exact_factor():
    found = Estimate.from_samples([1.0, 2.0, 4.0], unit="nats", quantity="thing")
    for scaled in (-3.0 * found, found * -3.0):
        assert scaled.value == pytest.approx(-7.0)
        assert scaled.stderr == pytest.approx(3.0 * found.stderr)
        assert (scaled.n_samples, scaled.unit, scaled.quantity) == (3, "nats", "thing")


def test_text_shows_the_error_and_whether_to_trust_it():
    assert str(Estimate(0.12341, 0.0023, 100, 90.0)) == "0.1234 +- 0.0023 nats (100 samples)"
    assert "3 effective" in str(Estimate(0.1, 0.1, 100, 3.2))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([1.0], r"samples has shape \(1,\): at least 2"),
        ([], r"samples has shape \(0,\)"),
        ([[1.0, 2.0]], r"samples has shape \(1, 2\)"),
        ([1.0, np.nan, np.inf], "samples holds 2 values that are not finite"),
    ],
)
def test_bad_samples(samples, message):
    with pytest.raises(ValueError, match=message):
        Estimate.from_samples(samples)
