"""Diagnostics of chains against series whose autocorrelation is known exactly."""

import numpy as np
import pytest
from scipy.signal import lfilter

from phasetheory.sampling.diagnostics import (
    WINDOW,
    autocorrelation_time,
    effective_sample_size,
    r_hat,
    variance_of_mean,
)


def ar1(phi, shape, *, seed):
    """Stationary AR(1) series with unit variance."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=shape) * np.sqrt(1 - phi**2)
    start = rng.normal(size=(shape[0], 1))
    return lfilter([1.0], [1.0, -phi], noise, axis=1, zi=phi * start)[0]


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, -0.5])
def test_autocorrelation_time_of_ar1(phi):
    """Exactly (1 + phi)/(1 - phi), up to four standard deviations sqrt(2 (2M + 1)/N) of Sokal's
    estimator with window M, and the e^-WINDOW-like tail it cuts off.
    """  # noqa: D205
    exact = (1 + phi) / (1 - phi)
    n = 40_000
    found = autocorrelation_time(ar1(phi, (4, n), seed=1))
    window = WINDOW * max(exact, 1.0)
    spread = np.sqrt(2 * (2 * window + 1) / (4 * n)) * max(exact, 1.0)
    cut = 2 * abs(phi) ** window / (1 - abs(phi))
    assert abs(found - exact) < 4 * spread + cut
    assert effective_sample_size(ar1(phi, (4, n), seed=1)) == pytest.approx(4 * n / found)


def test_error_bars_of_ar1_cover_the_mean():
    """300 sets of 4 x 500 with phi = 0.6: z has variance 1, four standard deviations 0.33."""
    z = []
    for seed in range(300):
        x = ar1(0.6, (4, 500), seed=seed)
        z.append(x.mean() / np.sqrt(variance_of_mean(x)))
    assert abs(np.mean(z)) < 4 / np.sqrt(300)
    assert 0.67 < np.mean(np.square(z)) < 1.4


def test_the_plain_error_bar_would_not_cover():
    z = [
        x.mean() / (x.std() / np.sqrt(x.size))
        for x in (ar1(0.6, (4, 500), seed=s) for s in range(300))
    ]
    assert np.mean(np.square(z)) > 2.5  # tau = 4


def test_chains_in_different_places_have_no_finite_time():
    x = ar1(0.0, (2, 1000), seed=2) + np.array([[0.0], [5.0]])
    assert autocorrelation_time(x) == 1000
    assert effective_sample_size(x) == 2
    assert autocorrelation_time(x[:1]) == pytest.approx(1.0, abs=0.5)


def test_r_hat_of_mixed_and_of_stuck_chains():
    mixed = ar1(0.3, (4, 2000), seed=3)
    assert 0.999 < r_hat(mixed) < 1.01
    assert 0.999 < r_hat(mixed, rank=False) < 1.01
    shifted = mixed + np.array([[0.0], [0.0], [0.0], [0.5]])
    assert r_hat(shifted) > 1.01 < r_hat(shifted, rank=False)
    wide = mixed * np.array([[1.0], [1.0], [1.0], [3.0]])
    assert r_hat(wide) > 1.01 > r_hat(wide, rank=False)  # seen by the folded ranks alone
    drift = mixed + np.linspace(0, 2, 2000)
    assert r_hat(drift[:1]) > 1.01  # one chain, split in halves


def test_r_hat_by_hand():
    """Two chains of four, split into four of two: means 0.5, 2.5, 1.5, 1.5, variances 1/2."""
    x = [[0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 1.0, 2.0]]
    within, between = 0.5, np.var([0.5, 2.5, 1.5, 1.5], ddof=1)
    assert r_hat(x, rank=False) == pytest.approx(np.sqrt((within / 2 + between) / within))


def test_series_that_never_change():
    still = np.ones((2, 100))
    assert np.isnan(r_hat(still))
    assert autocorrelation_time(still) == 1.0
    still[1] = -1.0
    assert r_hat(still) == np.inf
    assert effective_sample_size(still) == 2


@pytest.mark.parametrize("function", [autocorrelation_time, effective_sample_size, r_hat])
def test_bad_series_are_refused(function):
    with pytest.raises(ValueError, match="n >= 4 needed"):
        function([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="1 values that are not finite"):
        function([1.0, 2.0, np.nan, 3.0])
