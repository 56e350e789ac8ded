"""Finite-size scaling: known exponents come back with honest errors, and bad data are named.

Synthetic data have nu = 4/3 and t_c = 1/2, the values of percolation in two dimensions.
"""

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import curve_fit

from phasetheory.transitions import Curves, collapse
from phasetheory.transitions.curves import as_curves
from phasetheory.transitions.linear import akaike
from phasetheory.transitions.scaling import Scaling, overlap
from phasetheory.transitions.smooth import smooth

SIZES, T_C, NU = np.array([8.0, 16.0, 32.0, 64.0]), 0.5, 4 / 3
TIMES = np.linspace(0.4, 0.6, 13)


def step(x):
    return 0.5 * (1 - np.tanh(1.2 * x))


def hump(x):
    """Neither even nor odd, so that a wrong sign somewhere is seen."""
    return np.exp(-(x**2) / 2) * (1 + 0.3 * np.tanh(x))


def made(law, *, sizes=SIZES, times=TIMES, stderr=0.0, seed=None):
    """Curves of law(t, L), noisy where a seed is given."""
    L = np.asarray(sizes, dtype=float)[:, None]
    value = law(times, L)
    error = np.broadcast_to(stderr * np.ones_like(L), value.shape)
    if seed is not None:
        value = value + error * np.random.default_rng(seed).standard_normal(value.shape)
    return Curves.from_arrays(sizes, times, value, stderr=error)


def scaling(shape, a=0.0, correction=0.0, omega=1.0):
    def law(t, L):
        x = (t - T_C) * L ** (1 / NU)
        return L**-a * (shape(x) + correction * L**-omega * np.cos(x / 2))

    return law


def binomial_floor(level, n):
    return level - 4 * np.sqrt(level * (1 - level) / n)


# The fit itself.


def test_variable_projection_is_least_squares_in_all_parameters():
    """The same chi2, exponents and errors as scipy's curve_fit of curve and exponents together."""
    data = made(scaling(hump, a=0.4), stderr=0.01 * SIZES[:, None] ** -0.4, seed=1)
    scale = np.log(data.size) - np.log(data.sizes).mean()
    problem = Scaling(data, scale, None, None, 6)
    theta, chi2 = problem.refine(np.array([0.49, 0.8, 0.3]))

    def model(_, t_c, kappa, a, *c):
        x = (data.t - t_c) * np.exp(kappa * scale)
        return np.exp(-a * scale) * np.polynomial.polynomial.polyval(x, c)

    start = [0.5, 0.75, 0.4, *np.polynomial.polynomial.polyfit(problem.x(theta), data.value, 6)]
    best, covariance = curve_fit(model, data.t, data.value, start, data.stderr, absolute_sigma=True)
    np.testing.assert_allclose(theta, best[:3], rtol=1e-4)
    residual = (data.value - model(None, *best)) / data.stderr
    assert chi2 == pytest.approx(residual @ residual, rel=1e-6)
    derivative = problem.solve(theta)[1]
    errors = np.sqrt(np.diag(np.linalg.inv(derivative.T @ derivative)))
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance))[:3], rtol=0.05)


@pytest.mark.parametrize("omega", [None, 0.8])
def test_the_derivative_is_that_of_chi2(omega):
    data = made(scaling(hump, a=0.4), stderr=0.01, seed=2)
    scale = np.log(data.size) - np.log(data.sizes).mean()
    problem = Scaling(data, scale, None, omega, 5)
    theta = np.array([0.48, 0.9, 0.2])
    residual, derivative, _ = problem.solve(theta)
    for k in range(3):
        h = 1e-6 * np.eye(3)[k]
        ends = [np.square(problem.solve(theta + s * h)[0]).sum() for s in (1, -1)]
        expected = (ends[0] - ends[1]) / 2e-6
        assert 2 * derivative[:, k] @ residual == pytest.approx(expected, rel=1e-4)


def test_exact_data_give_their_exponents():
    found = collapse(made(scaling(hump, a=0.7)), n_resamples=20)
    assert found.ok, found
    # A polynomial follows the hump to 1e-5; the exponents follow the polynomial.
    assert found.t_c.value == pytest.approx(T_C, abs=1e-4)
    assert found.nu.value == pytest.approx(NU, rel=1e-3)
    assert found.a.value == pytest.approx(0.7, abs=1e-3)
    assert np.isnan(found.p_value)
    assert found.misfit < 1e-3


def test_the_master_curve_is_the_scaling_function():
    found = collapse(made(scaling(hump, a=0.7)), n_resamples=20)
    points = found.scaled()
    np.testing.assert_allclose(found.master(points["x"]), hump(points["x"]), atol=2e-3)
    np.testing.assert_allclose(
        points["y"], points["size"] ** found.a.value * found.fit.curves.value
    )
    L = points["size"].values
    np.testing.assert_allclose(points["x"], (points["t"] - T_C) * L**0.75, atol=2e-2)


def test_sizes_in_other_units_change_nothing_but_the_curve():
    law, noise = scaling(hump, a=0.4), 0.01 * SIZES[:, None] ** -0.4
    data = made(law, stderr=noise, seed=3)
    other = Curves(10.0 * data.size, data.t, data.value, data.stderr)
    one, ten = collapse(data, n_resamples=30), collapse(other, n_resamples=30)
    for name in ("t_c", "nu", "a"):
        assert getattr(one, name).value == pytest.approx(getattr(ten, name).value, rel=1e-6)
        assert getattr(one, name).stderr == pytest.approx(getattr(ten, name).stderr, rel=1e-4)


# Errors.


CASES = {
    "step, a known": (step, 0.0, 0.0),
    "hump, a fitted": (hump, 0.7, None),
}


def deviations(case, relative, seeds):
    """(value - truth) / stderr of t_c, nu and a, one row a seed."""
    shape, a_true, a = CASES[case]
    noise = relative * SIZES[:, None] ** -a_true
    rows = []
    for seed in seeds:
        data = made(scaling(shape, a_true), stderr=noise, seed=seed)
        found = collapse(data, a=a, n_resamples=40, rng=seed)
        truth = {"t_c": T_C, "nu": NU, "a": a_true}
        fitted = ("t_c", "nu") if a is not None else ("t_c", "nu", "a")
        errors = [getattr(found, name) for name in fitted]
        z = [(e.value - truth[name]) / e.stderr for e, name in zip(errors, fitted, strict=True)]
        rows.append([*z, found.ok])
    rows = np.array(rows, dtype=float)
    return rows[:, :-1], rows[:, -1].astype(bool)


def check_coverage(case, relative, n):
    z, ok = deviations(case, relative, range(n))
    # One good fit in a thousand is rejected.
    assert ok.sum() >= n - 2
    assert (np.mean(np.abs(z) < 1.96, axis=0) > binomial_floor(0.95, n)).all()
    assert (np.mean(np.abs(z) < 1.0, axis=0) > binomial_floor(0.68, n)).all()
    # Not generous either, and the criterion notices errors four times too small.
    assert (np.mean(np.abs(z) < 1.0, axis=0) < 1 - binomial_floor(0.32, n)).all()
    assert (np.mean(np.abs(z) < 1.96 / 4, axis=0) < binomial_floor(0.95, n)).all()


@pytest.mark.parametrize("case", CASES)
def test_errors_cover_the_truth(case):
    check_coverage(case, 0.01, 20)


@pytest.mark.slow
@pytest.mark.parametrize("relative", [0.002, 0.01, 0.04])
@pytest.mark.parametrize("case", CASES)
def test_errors_cover_the_truth_at_every_noise(case, relative):
    check_coverage(case, relative, 100)


def test_p_values_of_true_collapses_are_not_small():
    """Uniform up to the degree being chosen by the data; the control has halved error bars."""
    p, halved = [], []
    for seed in range(14):
        data = made(scaling(step), stderr=0.01, seed=seed)
        p.append(collapse(data, a=0.0, n_resamples=20).p_value)
        small = Curves(data.size, data.t, data.value, data.stderr / 2)
        halved.append(collapse(small, a=0.0, n_resamples=20).p_value)
    assert np.mean(np.array(p) < 0.2) < 0.2 + 4 * np.sqrt(0.2 * 0.8 / 14)
    assert np.mean(np.array(p) > 0.5) > 0.5 - 4 * np.sqrt(0.25 / 14)
    assert np.mean(np.array(halved) < 1e-3) > 0.9


def test_the_same_seed_gives_the_same_errors():
    data = made(scaling(step), stderr=0.01, seed=4)
    one, same, other = (collapse(data, a=0.0, n_resamples=30, rng=r) for r in (1, 1, 2))
    np.testing.assert_array_equal(one.draws, same.draws)
    assert one.t_c.stderr != other.t_c.stderr
    assert one.t_c.value == other.t_c.value


# Data that do not collapse, or not enough.


def test_data_that_do_not_collapse_say_so():
    """Curves that cross at one point but change their shape with size."""

    def law(t, L):
        x = (t - T_C) * L**0.75
        return step(x) + 0.1 * np.exp(-(x**2)) * np.log2(L / 8)

    for seed in range(4):
        data = made(law, stderr=0.004, seed=seed)
        found = collapse(data, a=0.0, n_resamples=20)
        assert found.verdict == "does not collapse", found
        assert found.p_value < 1e-3
    assert collapse(made(law), a=0.0, n_resamples=20).verdict == "does not collapse"


def test_curves_that_are_only_shifted_do_not_collapse():
    def law(t, L):
        return step(10 * (t - T_C)) + 0.1 * np.log2(L / 8)

    for data in (made(law, stderr=0.005, seed=5), made(law)):
        assert collapse(data, n_resamples=20).verdict == "does not collapse"


@pytest.mark.parametrize("a", [0.0, None])
def test_a_crossover_does_not_sharpen(a):
    """Curves independent of the size lie on each other without any transition."""
    for seed in (None, 0, 1, 2):
        data = made(
            lambda t, L: step(10 * (t - T_C)) + 0 * L,
            stderr=0.0 if seed is None else 0.005,
            seed=seed,
        )
        found = collapse(data, a=a, n_resamples=30)
        assert found.verdict == "does not sharpen with size", found


def test_scatter_beyond_the_error_bars_is_not_blamed_on_the_collapse():
    data = made(scaling(step), stderr=0.02, seed=6)
    lying = Curves(data.size, data.t, data.value, data.stderr / 5)
    assert collapse(lying, a=0.0, n_resamples=20).verdict == "curves are not smooth"


@pytest.mark.parametrize(
    ("low", "high", "stderr", "verdicts"),
    [
        # A straight line through noise.
        (
            0.4995,
            0.5005,
            0.01,
            {"not determined", "does not sharpen with size", "sizes do not overlap"},
        ),
        (0.56, 0.64, 0.003, {"t_c outside the data", "sizes do not overlap", "not determined"}),
        (0.30, 0.40, 0.003, {"t_c outside the data", "sizes do not overlap", "not determined"}),
    ],
)
def test_windows_that_are_too_narrow_or_elsewhere_say_so(low, high, stderr, verdicts):
    for seed in range(4):
        data = made(scaling(step), times=np.linspace(low, high, 13), stderr=stderr, seed=seed)
        for a in (0.0, None):
            found = collapse(data, a=a, n_resamples=30)
            assert found.verdict in verdicts, found


# Corrections and the window of sizes.


def test_leaving_out_small_sizes_shows_the_drift():
    sizes = [8, 16, 32, 64, 128, 256]
    data = made(
        scaling(hump, correction=0.5, omega=1.0),
        sizes=sizes,
        times=T_C + np.linspace(-1.5, 1.5, 13) * np.array(sizes)[:, None] ** (-1 / NU),
    )
    found = collapse(data, a=0.0, n_resamples=20)
    table = found.windows
    assert table["min_size"].values.tolist() == [8, 16, 32, 64]
    assert table["n_sizes"].values.tolist() == [6, 5, 4, 3]
    off = np.abs(table["t_c"].values - T_C)
    assert (np.diff(off) < 0).all()
    assert off[-1] < off[0] / 4  # the correction itself is 8 times smaller
    assert (np.diff(table["misfit"].values) < 0).all()
    first = {name: float(table[name][0]) for name in ("t_c", "nu", "a")}
    assert first == {name: getattr(found, name).value for name in first}


def test_the_right_correction_brings_the_exponents_back():
    law = scaling(hump, correction=0.5, omega=1.0)
    plain = made(law, times=np.linspace(0.42, 0.58, 19), stderr=0.002, seed=7)
    without = collapse(plain, a=0.0, n_resamples=40)
    corrected = collapse(plain, a=0.0, correction=1.0, n_resamples=40)
    assert without.verdict == "does not collapse"
    assert corrected.ok, corrected
    for name, truth in (("t_c", T_C), ("nu", NU)):
        found = getattr(corrected, name)
        assert abs(found.value - truth) < 4 * found.stderr
    points = corrected.scaled()
    np.testing.assert_allclose(
        points["y"] - corrected.master(points["x"]),
        points["residual"] * points["y_stderr"],
        atol=1e-12,
    )


# Input.


def dataset(data):
    t = np.unique(data.t)
    shape = (data.sizes.size, t.size)
    return xr.Dataset(
        {
            "order": (("t", "size"), data.value.reshape(shape).T),
            "order_stderr": (("t", "size"), data.stderr.reshape(shape).T),
        },
        coords={"size": data.sizes, "t": t},
    )


def test_a_dataset_with_any_variable_name_is_the_same_as_arrays():
    data = made(scaling(step), stderr=0.01, seed=8)
    one = collapse(data, a=0.0, n_resamples=20)
    other = collapse(dataset(data), value="order", a=0.0, n_resamples=20)
    assert one.t_c == other.t_c


def test_points_that_are_missing_or_not_trusted_are_left_out():
    data = dataset(made(scaling(step), stderr=0.01, seed=9))
    data["order_n_effective"] = xr.full_like(data["order"], 1e3)
    data["order_n_effective"][0, 0] = 3.0
    data["order"][5, 1] = np.nan
    assert as_curves(data, "order", 3).value.size == 4 * 13 - 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: collapse(made(scaling(step), sizes=[8, 16])), "at least 3 needed"),
        (lambda: collapse(made(scaling(step)), correction=-1.0), r"correction=-1\.0"),
        (lambda: collapse(made(scaling(step)), a=np.nan), "a=nan"),
        (lambda: collapse(made(scaling(step)), n_resamples=3), "n_resamples=3"),
        (lambda: collapse(made(scaling(step), times=TIMES[:2])), "has 8 points: at least 10"),
        (lambda: collapse(made(lambda t, L: 0.3 + 0 * t * L)), "is 0.3 at every point"),
        (lambda: collapse(dataset(made(scaling(step)))), r"lacks \['cmi', 'cmi_stderr'\]"),
        (lambda: collapse([1.0]), "data is a list"),
        (
            lambda: collapse(dataset(made(scaling(step))).expand_dims("radius"), value="order"),
            "exactly 'size' and 't' needed",
        ),
        (lambda: Curves.from_arrays([8, 8], [0.1], [[1], [2]]), "distinct numbers"),
        (lambda: Curves.from_arrays([8, 16], [0.1], [1, 2]), r"value has shape \(2,\)"),
        (lambda: Curves.from_arrays([8, 16], [0, 1, 2], [[1], [2]]), r"t has shape \(3,\)"),
        (lambda: Curves.from_arrays([-8, 16], [0], [[1], [2]]), r"size holds -8\.0"),
        (lambda: Curves.from_arrays([8, 16], [np.inf], [[1], [2]]), "t holds 2 NaN or infinity"),
        (
            lambda: Curves.from_arrays([8, 16], [0], [[1], [2]], stderr=[[0.1], [0]]),
            "stderr is 0 for 1 of 2",
        ),
        (lambda: Curves.from_arrays([8, 16], [0], [[1], [2]], stderr=-1), "stderr holds"),
        (lambda: smooth(np.arange(3.0), np.arange(3.0), None), "at least 4 needed"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_overlap_counts_points_within_reach_of_another_size():
    size = np.repeat([8.0, 16.0], 3)
    assert overlap(size, np.array([0.0, 1.0, 2.0, 1.5, 3.0, 4.0])) == pytest.approx(2 / 6)


def test_smooth_chooses_the_degree_of_a_cubic():
    t = np.linspace(-1, 1, 30)
    noise = 0.01 * np.random.default_rng(10).standard_normal(30)
    curve = smooth(t, t**3 - t / 2 + noise, np.full(30, 0.01))
    assert curve.degree == 3
    assert akaike(curve.line.chi2, 30, 4, exact=False) < 60
