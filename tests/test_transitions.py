"""Markov lengths and windows: known answers, honest refusals, calibrated errors."""

import numpy as np
import pytest
import xarray as xr

import phasetheory as pt


def profile(values, radii, stderr=0.0, effective=np.inf):
    """A scan with one time."""
    values = np.atleast_2d(values)
    full = np.broadcast_to
    return xr.Dataset(
        {
            "cmi": (("t", "radius"), values),
            "cmi_stderr": (("t", "radius"), full(stderr, values.shape)),
            "cmi_n_effective": (("t", "radius"), full(effective, values.shape)),
        },
        coords={"t": np.arange(len(values), dtype=float), "radius": radii},
    )


R = np.arange(1.0, 9.0)


def test_exact_exponential_gives_its_length():
    fit = pt.markov_length(profile(0.3 * np.exp(-R / 2.5), R))
    assert float(fit["xi"][0]) == pytest.approx(2.5, rel=1e-12)
    assert float(fit["gamma"][0]) == pytest.approx(0.3, rel=1e-12)
    assert float(fit["xi_stderr"][0]) < 1e-10


def test_chain_has_the_length_of_its_exact_decay():
    """White noise on an AR(1) chain is ARMA(1,1): I decays as theta^(2r).

    With spectrum s(k) = v(1-phi^2)/|1 - phi e^ik|^2 + w, the moving-average root theta solves
    theta + 1/theta = ((1+phi^2) w + (1-phi^2) v) / (phi w), and predictions forget as theta^r from
    either side, so xi = -1/(2 log theta).
    """
    n, phi, t = 81, 0.8, 0.5
    x = np.arange(n)
    covariance = phi ** np.abs(x[:, None] - x)
    field = pt.GaussianField(pt.Lattice.chain(n), covariance=covariance)
    v, w = (1 - t) ** 2, t**2
    trace = ((1 + phi**2) * w + (1 - phi**2) * v) / (phi * w)
    theta = (trace - np.sqrt(trace**2 - 4)) / 2
    scan = pt.scan(field, pt.Gaussian, t=[t], radius=np.arange(4, 12), centre=(40,))
    xi = float(pt.markov_length(scan)["xi"][0])
    assert xi == pytest.approx(-0.5 / np.log(theta), rel=1e-3)


def test_error_of_a_sampled_fit_covers_the_truth():
    """Over many draws the truth lies within 1.96 errors in at least 95 % (less binomial error)."""
    rng = np.random.default_rng(4)
    true = 0.2 * np.exp(-R / 3.0)
    stderr = 0.05 * true
    rows = true + stderr * rng.standard_normal((600, R.size))
    fit = pt.markov_length(profile(rows, R, stderr))
    z = (fit["xi"].values - 3.0) / fit["xi_stderr"].values
    assert (fit["verdict"] == "ok").all()
    covered = np.mean(np.abs(z) < 1.96)
    assert covered > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 600)
    # The negative control: errors four times too small must be caught by the same criterion.
    assert np.mean(np.abs(z) < 1.96 / 4) < 0.95 - 4 * np.sqrt(0.95 * 0.05 / 600)


def test_what_the_data_do_not_support_is_refused():
    verdict = pt.markov_length(profile([[0.1] * 8, [0.0] * 8], R))["verdict"].values
    assert verdict.tolist() == ["no significant decay", "too few points"]
    rising = pt.markov_length(profile(0.1 * np.exp(R / 3), R))
    assert rising["verdict"][0] == "no significant decay"
    assert np.isnan(rising["xi"][0])
    # Noise alone, centred on zero: nothing is two errors above it often enough.
    noise = 1e-3 * np.random.default_rng(0).standard_normal((20, 8))
    assert (pt.markov_length(profile(noise, R, 1e-3))["verdict"] != "ok").all()


def test_points_without_a_trusted_error_bar_are_left_out():
    values = 0.3 * np.exp(-R / 2.0)
    values[-1] = 10.0  # a rare event that came up
    effective = np.where(np.arange(8) == 7, 2.0, 1e3)
    fit = pt.markov_length(profile(values, R, 0.01 * values, effective))
    assert int(fit["n_points"][0]) == 7
    assert float(fit["xi"][0]) == pytest.approx(2.0, rel=1e-9)


T = np.linspace(0.0, 1.0, 21)


def bump(stderr=0.0, seed=None, grid=T):
    value = 0.1 * np.exp(-((grid - 0.62) ** 2) / (2 * 0.1**2))
    if seed is not None:
        value = value + stderr * np.random.default_rng(seed).standard_normal(grid.size)
    data = profile(value[:, None], [1.0], stderr)
    return data.assign_coords(t=grid)


def test_peak_and_window_of_a_gaussian_bump():
    """Peak at 0.62, half height at 0.62 -+ 0.1 sqrt(2 ln 2)."""
    found = pt.locate_transition(bump())
    half = 0.1 * np.sqrt(2 * np.log(2))
    for name, truth in (
        ("t_peak", 0.62),
        ("window_start", 0.62 - half),
        ("window_end", 0.62 + half),
    ):
        error = abs(float(found[name][0]) - truth)
        assert error < float(found[f"{name}_stderr"][0]), name
    assert float(found["threshold"][0]) == pytest.approx(0.05, rel=0.02)
    assert not bool(found["window_open"][0])


def test_errors_of_a_sampled_peak_cover_the_truth():
    z = []
    for seed in range(100):
        found = pt.locate_transition(bump(2e-3, seed), rng=seed)
        z.append((float(found["t_peak"][0]) - 0.62) / float(found["t_peak_stderr"][0]))
    # The grid's share of the error is a bound, so the coverage may only be too good.
    assert np.mean(np.abs(z) < 1.96) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 100)


def test_a_threshold_above_the_peak_finds_no_window():
    found = pt.locate_transition(bump(), threshold=0.2)
    assert np.isnan(found["window_start"][0])
    assert np.isnan(found["window_end"][0])


def test_a_window_that_leaves_the_scan_says_so():
    found = pt.locate_transition(bump(grid=np.linspace(0.0, 0.65, 14)), threshold=0.05)
    assert bool(found["window_open"][0])
    assert float(found["window_end"][0]) == 0.65


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pt.markov_length(xr.Dataset()), "scan lacks"),
        (lambda: pt.locate_transition(xr.Dataset()), "scan lacks"),
        (lambda: pt.locate_transition(bump(), threshold=-1.0), r"threshold=-1\.0"),
        (lambda: pt.locate_transition(bump(grid=T[:2])), "scan has 2 times"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
