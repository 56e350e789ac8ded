"""Exponential or power law, and lengths that diverge: known laws, honest refusals, coverage."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from phasetheory.information.chain import chain_markov_length
from phasetheory.noise import Erasure
from phasetheory.transitions import diverging_length, markov_length
from phasetheory.transitions.decay import decay_law
from phasetheory.transitions.linear import DECISIVE, MIN_P_VALUE, akaike, fit

R = np.arange(1.0, 13.0)


def scan(values, stderr=0.0, radii=R):
    values = np.atleast_2d(values)
    return xr.Dataset(
        {
            "cmi": (("t", "radius"), values),
            "cmi_stderr": (("t", "radius"), np.broadcast_to(stderr, values.shape)),
        },
        coords={"t": np.arange(len(values), dtype=float), "radius": radii},
    )


def binomial_floor(level, n):
    """Coverage below which fewer than one in 30000 honest error bars fall."""
    return level - 4 * np.sqrt(level * (1 - level) / n)


# Linear least squares.


def test_correlated_least_squares_is_the_normal_equation():
    rng = np.random.default_rng(0)
    design, y = rng.standard_normal((9, 3)), rng.standard_normal(9)
    root = rng.standard_normal((9, 9))
    covariance = root @ root.T + np.eye(9)
    found = fit(design, y, covariance)
    inverse = np.linalg.inv(covariance)
    normal = np.linalg.inv(design.T @ inverse @ design)
    expected = normal @ design.T @ inverse @ y
    np.testing.assert_allclose(found.coefficients, expected, rtol=1e-10)
    np.testing.assert_allclose(found.unit_covariance, normal, rtol=1e-10)
    off = y - design @ expected
    assert found.chi2 == pytest.approx(off @ inverse @ off, rel=1e-10)


def test_a_covariance_that_is_none_is_refused():
    with pytest.raises(ValueError, match="not positive definite"):
        fit(np.ones((3, 1)), np.ones(3), np.ones((3, 3)))


def test_akaike_is_infinite_where_parameters_use_up_the_data():
    assert np.isinf(akaike(1.0, 5, 4, exact=False))
    assert akaike(1.0, 20, 3, exact=False) < akaike(1.0, 20, 4, exact=False)


# Exponential or power law.


@pytest.mark.parametrize("stderr", [0.0, 0.02])
@pytest.mark.parametrize(
    ("law", "verdict"),
    [
        (lambda r: 0.2 * np.exp(-r / 3.0), "exponential"),
        (lambda r: 0.2 * r**-1.5, "power law"),
    ],
)
def test_the_law_behind_the_data_is_recognised(law, verdict, stderr):
    noise = stderr * np.random.default_rng(1).standard_normal((50, R.size))
    found = markov_length(scan(law(R) * np.exp(noise), stderr * law(R)))
    assert (found["decay"] == verdict).all()
    wins = np.sign(found["preference"].values)
    assert (wins == (1 if verdict == "exponential" else -1)).all()
    if verdict == "power law":
        z = (found["exponent"].values - 1.5) / np.maximum(found["exponent_stderr"].values, 1e-9)
        assert (np.abs(z) < 5).all()


@pytest.mark.parametrize("truth", ["exponential", "power law"])
@pytest.mark.parametrize("separation", [1.0, 3.0, 6.0])
def test_the_wrong_law_wins_no_more_often_than_claimed(truth, separation):
    """P(wrong by more than T) <= Phi(-sqrt T), at the separation where it is worst too."""
    n, threshold = 20000, 4.0
    u = {"exponential": -R, "power law": -np.log(R)}
    lines = {name: column - column.mean() for name, column in u.items()}
    other = "power law" if truth == "exponential" else "exponential"
    across = lines[other] / np.linalg.norm(lines[other])
    apart = lines[truth] - across * (across @ lines[truth])
    y = separation * lines[truth] / np.linalg.norm(apart)
    rng = np.random.default_rng(2)
    rows = y + rng.standard_normal((n, R.size))
    along = {name: line / np.linalg.norm(line) for name, line in lines.items()}
    preference = np.square(rows @ along["exponential"]) - np.square(rows @ along["power law"])
    # The closed form of the difference is that of the fits.
    first = decay_law(R, rows[0], np.ones(R.size))
    assert first.preference == pytest.approx(preference[0], rel=1e-8)
    wrong = np.mean(preference * (-1 if truth == "exponential" else 1) > threshold)
    bound = stats.norm.sf(np.sqrt(threshold))
    assert wrong < bound + 4 * np.sqrt(bound / n)


def test_a_short_noisy_profile_is_undecided():
    radii = np.arange(3.0, 8.0)
    rng = np.random.default_rng(3)
    true = 0.2 * np.exp(-radii / 3.0)
    rows = true * (1 + 0.1 * rng.standard_normal((300, radii.size)))
    found = markov_length(scan(rows, 0.1 * true, radii))
    good = found["verdict"].values == "ok"
    assert good.mean() > 0.9
    assert (found["decay"].values[good] == "undecided").mean() > 0.95
    wrong = (found["preference"].values < -DECISIVE).mean()
    assert wrong < stats.norm.sf(3.0) + 4 * np.sqrt(stats.norm.sf(3.0) / 300)


def test_a_mixed_decay_is_neither_and_the_mixed_form_finds_it():
    """An Ornstein-Zernike decay r^-1 exp(-r/4), with errors small enough to see it."""
    true = 0.2 * np.exp(-R / 4.0) / R
    rng = np.random.default_rng(4)
    rows = true * (1 + 0.005 * rng.standard_normal((200, R.size)))
    found = markov_length(scan(rows, 0.005 * true))
    assert (found["decay"] == "neither").all()
    assert (found["p_value"] < MIN_P_VALUE).all()
    for name, truth in (("mixed_rate", 0.25), ("mixed_exponent", 1.0)):
        z = (found[name].values - truth) / found[f"{name}_stderr"].values
        assert np.mean(np.abs(z) < 1.96) > binomial_floor(0.95, 200)
        assert np.mean(np.abs(z) < 1.96 / 4) < binomial_floor(0.95, 200)


def test_the_p_value_of_the_true_law_is_uniform():
    rng = np.random.default_rng(5)
    true = 0.2 * np.exp(-R / 3.0)
    rows = true * (1 + 0.01 * rng.standard_normal((500, R.size)))
    found = markov_length(scan(rows, 0.01 * true))
    assert stats.kstest(found["p_value"].values, "uniform").pvalue > 1e-3
    halved = markov_length(scan(rows, 0.005 * true))
    assert stats.kstest(halved["p_value"].values, "uniform").pvalue < 1e-10


def correlated(n, rng):
    """Profiles whose errors share a factor and persist over neighbouring radii."""
    true = 0.2 * np.exp(-R / 3.0)
    distance = np.abs(R[:, None] - R)
    relative = 0.02**2 * (0.8**distance + 1.0)
    rows = true * (1 + rng.standard_normal((n, R.size)) @ np.linalg.cholesky(relative).T)
    return rows, relative * np.outer(true, true)


def test_a_covariance_makes_errors_of_correlated_radii_honest():
    n = 400
    rows, covariance = correlated(n, np.random.default_rng(6))
    matrices = np.broadcast_to(covariance, (n, R.size, R.size))
    blind = scan(rows, np.sqrt(np.diag(covariance)))
    found = markov_length(blind, covariance=matrices)
    assert stats.kstest(found["p_value"].values, "uniform").pvalue > 1e-3
    z = (found["xi"].values - 3.0) / found["xi_stderr"].values
    assert np.mean(np.abs(z) < 1.96) > binomial_floor(0.95, n)
    assert 0.75 < z.std() < 1.1  # Student's factor and the scale of chi2 only widen
    # Without it chi2 is far too small: the common factor is taken for precision not achieved.
    assert float(markov_length(blind)["chi2_reduced"].mean()) < 0.3


def test_radius_zero_serves_the_exponential_only():
    radii = np.arange(0.0, 9.0)
    found = markov_length(scan(0.3 * np.exp(-radii / 2.0), radii=radii))
    assert int(found["n_points"][0]) == 9
    assert found["decay"][0] == "exponential"
    few = markov_length(scan(0.3 * np.exp(-radii[:4] / 2.0), radii=radii[:4]))
    assert few["decay"][0] == ""
    assert few["verdict"][0] == "ok"


# Divergence of the length.

T = np.linspace(0.2, 0.45, 12)
ALL = np.concatenate([T, 1.0 - T[::-1]])


@pytest.mark.parametrize("side", ["below", "above"])
def test_an_exact_one_sided_divergence_is_found(side):
    t = T if side == "below" else 1.0 - T[::-1]
    found = diverging_length(t, 0.7 * np.abs(t - 0.5) ** (-4 / 3), side=side, n_resamples=20)
    assert found.ok, found
    assert found.t_c.value == pytest.approx(0.5, abs=1e-6)
    assert found.nu.value == pytest.approx(4 / 3, abs=1e-4)
    assert found.amplitude[side == "above"] == pytest.approx(0.7, rel=1e-3)
    assert np.isnan(found.amplitude[side == "below"])


def test_an_exact_two_sided_divergence_has_two_amplitudes():
    xi = np.where(ALL < 0.5, 0.7, 1.9) * np.abs(ALL - 0.5) ** -1.0
    found = diverging_length(ALL, xi, n_resamples=20)
    assert found.ok, found
    assert found.t_c.value == pytest.approx(0.5, abs=1e-5)
    assert found.nu.value == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_allclose(found.amplitude, [0.7, 1.9], rtol=1e-3)


@pytest.mark.parametrize("side", ["below", "both"])
def test_errors_of_a_divergence_cover_the_truth(side):
    n, relative = 40, 0.03
    t = T if side == "below" else ALL
    true = 0.7 * np.abs(t - 0.5) ** (-4 / 3)
    z = []
    for seed in range(n):
        noise = relative * np.random.default_rng(seed).standard_normal(t.size)
        found = diverging_length(
            t, true * (1 + noise), relative * true, side=side, n_resamples=30, rng=seed
        )
        assert found.verdict in ("ok", "t_c not bounded", "not determined"), found
        if found.ok:
            z.append(
                [
                    (found.t_c.value - 0.5) / found.t_c.stderr,
                    (found.nu.value - 4 / 3) / found.nu.stderr,
                ]
            )
    z = np.array(z)
    assert len(z) > 0.9 * n
    assert (np.mean(np.abs(z) < 1.96, axis=0) > binomial_floor(0.95, len(z))).all()
    assert (np.mean(np.abs(z) < 1.96 / 4, axis=0) < binomial_floor(0.95, len(z))).all()


@pytest.mark.parametrize(
    ("side", "xi", "verdict"),
    [
        ("below", lambda t: 2 + 0 * t, "does not grow"),
        ("below", lambda t: 3 * np.exp(4 * t), "t_c not bounded"),
        # The window ends long before the divergence: an exponential describes it as well.
        ("below", lambda t: (2.5 - t) ** -1.0, "t_c not bounded"),
        ("both", lambda t: 2 + 0 * t, "does not grow"),
        ("both", lambda t: 5 / (1 + ((t - 0.5) / 0.08) ** 2), "stays finite"),
        ("below", lambda t: np.where(t < 0.3, 1.0, 3.0), None),
    ],
)
def test_what_does_not_diverge_is_refused(side, xi, verdict):
    t = T if side == "below" else np.linspace(0.2, 0.8, 24)
    rng = np.random.default_rng(8)
    for _ in range(5):
        values = xi(t) * (1 + 0.01 * rng.standard_normal(t.size))
        found = diverging_length(t, values, 0.01 * xi(t), side=side, n_resamples=20)
        assert not found.ok, found
        assert verdict is None or found.verdict == verdict
        assert np.isnan([found.t_c.value, found.nu.value]).all()


def test_too_few_lengths_are_refused():
    assert diverging_length(T[:4], 1 / (0.5 - T[:4]), side="below").verdict == "too few points"


def test_a_dataset_gives_the_lengths_it_trusts():
    rates = (0.5 - T) ** 1.0
    rows = 0.2 * np.exp(-R * rates[:, None])
    rows[3] = 0.2 * R**-1.0  # a power law has no length
    data = scan(rows).assign_coords(t=T)
    found = diverging_length(markov_length(data), side="below", n_resamples=20)
    assert found.n_points == T.size - 1
    assert found.ok, found
    assert found.t_c.value == pytest.approx(0.5, abs=1e-6)


def test_the_length_of_the_noisy_chain_does_not_diverge():
    """Exactly solved: xi of an erased chain tends to half its correlation length as t -> 1."""
    t = np.linspace(0.3, 0.97, 15)
    xi = [chain_markov_length(1.0, Erasure(float(s))) for s in t]
    found = diverging_length(t, xi, side="below", n_resamples=20)
    # An exact smooth curve has a best t_c beyond 1, never at a time that exists.
    assert not found.ok or found.t_c.value > 1.0, found
    assert diverging_length(t, xi, np.full(15, 0.01), side="below").verdict == "t_c not bounded"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diverging_length(T, 1 / T, side="left"), "side='left'"),
        (lambda: diverging_length(T, -T), "xi holds"),
        (lambda: diverging_length(T, T[:3]), r"xi has shape \(3,\)"),
        (lambda: diverging_length(T, 1 / T, -0.1), "stderr holds"),
        (lambda: diverging_length(T, 1 / T, np.arange(12.0)), "stderr is 0 for 1 of 12"),
        (lambda: diverging_length(T * 0, 1 / T), "t holds repeated"),
        (lambda: diverging_length(T, 1 / T, n_resamples=1), "n_resamples=1"),
        (lambda: diverging_length(xr.Dataset()), "t lacks"),
        (
            lambda: markov_length(scan(np.exp(-R)), covariance=np.eye(3)),
            r"covariance has shape \(3, 3\)",
        ),
        (
            lambda: markov_length(scan(np.exp(-R)), covariance=np.triu(np.ones((12, 12)))[None]),
            "covariance differs from its transpose",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
