"""Noises and schedules: channels, compositions, increments, conversions."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import phasetheory as pt
from phasetheory.noise import GaussianEvidence
from phasetheory.schedules import (
    convert_time,
    from_alpha_bar,
    linear,
    ornstein_uhlenbeck,
    time_at_snr,
    variance_exploding,
    variance_preserving,
)
from tests.strategies import channel, symbols, times

KINDS = {"BitFlip": pt.BitFlip, "Erasure": pt.Erasure}
every_kind = pytest.mark.parametrize("kind", sorted(KINDS))
every_q = pytest.mark.parametrize("q", [2, 3, 5])


def plain_matrix(kind, t, q, outputs):
    """p(y|x) as a matrix, rows y, columns x, from brute force's dictionary."""
    rows = channel(kind, t, q)
    return [[rows[x].get(int(y), 0.0) for x in symbols(q)] for y in outputs]


# Discrete channels.


@every_kind
@every_q
@given(t=times)
def test_channel_matrix(kind, q, t):
    noise = KINDS[kind](t)
    found = noise.channel(q)
    np.testing.assert_allclose(found, plain_matrix(kind, t, q, noise.outputs(q)), atol=1e-15)
    np.testing.assert_allclose(found.sum(axis=0), 1.0, rtol=1e-15)


@every_kind
@every_q
def test_per_site_channels(kind, q):
    t = [0.0, 0.3, 1.0]
    noise = KINDS[kind](t)
    found = noise.channel(q)
    for i, s in enumerate(t):
        np.testing.assert_array_equal(found[i], KINDS[kind](s).channel(q))
        np.testing.assert_array_equal(noise.at(i).channel(q), found[i])
        assert noise.at(i).n_sites is None
    assert noise.n_sites == 3


def square(matrix, kind, q):
    """The channel as a map of its outputs to themselves: erased sites stay erased."""
    if kind == "BitFlip":
        return matrix
    return np.concatenate([matrix, np.eye(q + 1)[:, -1:]], axis=1)


@every_kind
@every_q
@given(first=times, extra=times)
def test_composition_multiplies_the_channels(kind, q, first, extra):
    """then: N_2 N_1; 1 - t multiplies."""
    both = KINDS[kind](first).then(KINDS[kind](extra))
    product = square(KINDS[kind](extra).channel(q), kind, q) @ KINDS[kind](first).channel(q)
    np.testing.assert_allclose(both.channel(q), product, atol=1e-15)
    assert 1.0 - both.t == pytest.approx((1.0 - first) * (1.0 - extra), abs=1e-15)


@every_kind
@given(t=times, later=times)
def test_increment_then_is_the_later_noise(kind, t, later):
    t, later = min(t, later), max(t, later)
    step = KINDS[kind](t).increment(KINDS[kind](later))
    np.testing.assert_allclose(KINDS[kind](t).then(step).t, later, atol=1e-15)
    if t < later:
        with pytest.raises(ValueError, match="noise only grows, a later t is needed"):
            KINDS[kind](later).increment(KINDS[kind](t))


@every_kind
@every_q
def test_likelihood_of_the_evidence_is_the_channel(kind, q):
    """exp(constant + l(x)) = p(y|x) for every y and x, t = 0 and t = 1 included."""
    for t in (0.0, 0.4, 1.0):
        noise = KINDS[kind](t)
        y = noise.outputs(q)[:, None]
        evidence, constant = noise.evidence(y, np.array([True]), q)
        matrix = noise.channel(q)
        for row in range(len(y)):
            for column, x in enumerate(symbols(q)):
                if q == 2:
                    h = evidence[row, 0]
                    if math.isinf(h):
                        like = 1.0 if h * x > 0 else 0.0
                    else:
                        like = math.exp(h * x)
                else:
                    like = math.exp(evidence[row, 0, column])
                assert like * math.exp(constant[row]) == pytest.approx(
                    matrix[row, column], abs=1e-15
                )


@every_kind
@every_q
def test_samples_follow_the_channel(kind, q):
    """Frequencies of y given x against the matrix, five standard deviations of a binomial."""
    size = 4000
    t = np.array([0.0, 0.35, 1.0])
    noise, rng = KINDS[kind](t), np.random.default_rng(4)
    for x in symbols(q):
        y = noise.sample(np.full((size, 3), x, np.int8), q, rng=rng)
        assert y.dtype == np.int8
        for site in range(3):
            expected = noise.at(site).channel(q)[:, symbols(q).index(x)]
            for value, p in zip(noise.outputs(q), expected, strict=True):
                slack = 5 * math.sqrt(p * (1 - p) / size)
                assert np.mean(y[:, site] == value) == pytest.approx(p, abs=slack)


def test_erased_sites_stay_erased():
    y = pt.Erasure(0.5).sample(np.zeros((5, 3), np.int8), 2, rng=np.random.default_rng(0))
    assert not y.any()


@pytest.mark.parametrize("t", [1e-12, 1e-100, 1e-300])
def test_tiny_flip_probabilities_keep_their_logarithm(t):
    """p(-1|+1) = t/2 and p(+1|+1) = 1, so l(+1) - l(-1) = log(2/t)."""
    evidence, constant = pt.BitFlip(t).evidence(np.array([[1.0]]), np.array([True]), 2)
    assert 2.0 * evidence[0, 0] == pytest.approx(math.log(2.0 / t), rel=1e-12)
    assert constant[0] + evidence[0, 0] == pytest.approx(0.0, abs=1e-11)
    assert constant[0] - evidence[0, 0] == pytest.approx(math.log(t / 2.0), rel=1e-14)


@pytest.mark.parametrize("kind", [*sorted(KINDS), "Gaussian"])
def test_on_a_region(kind):
    noise = getattr(pt, kind)(0.4).on(np.array([True, False]))
    inside, outside = noise.at(0), noise.at(1)
    if kind == "Gaussian":
        assert (float(inside.alpha), float(inside.sigma)) == (0.6, 0.4)
        assert (float(outside.alpha), float(outside.sigma)) == (1.0, 0.0)
    else:
        assert (float(inside.t), float(outside.t)) == (0.4, 0.0)


def test_discreteness():
    assert pt.BitFlip(0.2).is_discrete(2).all() and pt.Erasure(0.2).is_discrete(5).all()
    noise = pt.Gaussian([0.0, 0.5])
    assert noise.is_discrete(2).tolist() == [True, False]
    assert noise.is_discrete(None).tolist() == [False, False]


# Gaussian noise.

SCHEDULES = {
    "linear": linear,
    "VP": variance_preserving(),
    "VE": variance_exploding(50.0),
    "OU": ornstein_uhlenbeck(4.0),
    "alpha-bar": from_alpha_bar(np.cumprod(1.0 - np.linspace(1e-4, 0.02, 1000))),
    "cosine": from_alpha_bar(lambda t: np.cos(0.5 * np.pi * t) ** 2),
}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())


def test_default_schedule_is_linear():
    noise = pt.Gaussian(t=0.3)
    assert float(noise.alpha) == 0.7 and float(noise.sigma) == 0.3
    assert float(noise.snr) == pytest.approx((0.7 / 0.3) ** 2, rel=1e-15)
    assert np.isinf(pt.Gaussian(0.0).snr)


@every_schedule
def test_schedules_start_clean_and_lose_signal(schedule):
    alpha, sigma = schedule(np.linspace(0.0, 1.0, 201))
    assert (alpha[0], sigma[0]) == (1.0, 0.0)
    assert (np.diff(alpha[1:] / sigma[1:]) < 0).all()
    assert np.isfinite(alpha).all() and np.isfinite(sigma).all()


@pytest.mark.parametrize("name", ["VP", "OU", "alpha-bar", "cosine"])
def test_variance_is_preserved(name):
    alpha, sigma = SCHEDULES[name](np.linspace(0, 1, 50))
    np.testing.assert_allclose(alpha**2 + sigma**2, 1.0, rtol=1e-14)


def test_schedules_against_their_definitions():
    t = 0.37
    alpha, _ = variance_preserving(0.2, 15.0)(np.asarray(t))
    steps = np.linspace(0.0, t, 10_001)  # int_0^t beta, trapezoid: exact for linear beta
    beta = 0.2 + (15.0 - 0.2) * steps
    integral = np.sum(0.5 * (beta[1:] + beta[:-1])) * (steps[1] - steps[0])
    assert float(alpha) == pytest.approx(math.exp(-0.5 * integral), rel=1e-12)
    alpha, sigma = ornstein_uhlenbeck(3.0)(np.asarray(t))
    assert float(alpha) == pytest.approx(math.exp(-3.0 * t))
    assert float(sigma) ** 2 == pytest.approx(1.0 - math.exp(-6.0 * t))
    alpha, sigma = variance_exploding(8.0)(np.asarray(t))
    assert (float(alpha), float(sigma)) == (1.0, pytest.approx(8.0 * t))
    table = np.array([0.9, 0.5, 0.1, 0.0])
    alpha, sigma = from_alpha_bar(table)(np.array([0.25, 0.375, 1.0]))
    np.testing.assert_allclose(alpha**2, [0.9, 0.7, 0.0], atol=1e-15)


@every_schedule
@every_kind
def test_gaussian_noise_takes_any_schedule(schedule, kind):
    noise = pt.Gaussian([0.2, 0.6], schedule=schedule)
    for i, t in enumerate((0.2, 0.6)):
        alpha, sigma = schedule(np.asarray(t))
        assert float(noise.at(i).alpha) == pytest.approx(float(alpha), rel=1e-15)
        assert float(noise.at(i).sigma) == pytest.approx(float(sigma), rel=1e-15)
    with pytest.raises(ValueError, match=f"Gaussian noise does not compose with {kind}"):
        noise.then(KINDS[kind](0.1))


@every_schedule
@given(t=st.floats(0.0, 1.0), later=st.floats(0.0, 1.0))
def test_gaussian_increment_then_is_the_later_noise(schedule, t, later):
    """Both: alpha' = a alpha and sigma'^2 = a^2 sigma^2 + s^2, to rounding of the root."""
    t, later = min(t, later), max(t, later)
    first, second = pt.Gaussian(t, schedule=schedule), pt.Gaussian(later, schedule=schedule)
    both = first.then(first.increment(second))
    np.testing.assert_allclose(both.alpha, second.alpha, rtol=1e-14, atol=1e-15)
    # The missing variance is a difference of squares of size sigma'^2.
    np.testing.assert_allclose(both.sigma, second.sigma, rtol=1e-7, atol=1e-15)
    np.testing.assert_allclose(both.sigma**2, second.sigma**2, rtol=1e-13, atol=1e-30)


def test_gaussian_noise_cannot_be_undone():
    with pytest.raises(ValueError, match="noise only grows"):
        pt.Gaussian(0.5).increment(pt.Gaussian(0.4))
    with pytest.raises(ValueError, match="noise only grows"):
        pt.Gaussian(1.0).increment(pt.Gaussian(0.9))
    with pytest.raises(ValueError, match="noise only grows"):
        pt.Gaussian([0.2, 0.5]).increment(pt.Gaussian([0.3, 0.4]))


def test_gaussian_evidence_of_continuous_sites():
    """In numbers: log N(y; alpha x, sigma^2) = constant + log N(value; x, variance) at any x."""
    alpha, sigma = np.array([0.8, 0.0, 1.0, 0.5]), np.array([0.3, 1.2, 0.4, 0.7])
    noise = pt.Gaussian.from_scales(alpha, sigma)
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(3, 4)), rng.normal(size=4)
    region = np.array([True, True, True, False])
    evidence, constant = noise.evidence(y, region, None)
    assert isinstance(evidence, GaussianEvidence)
    assert evidence.variance[1] == np.inf and evidence.variance[3] == np.inf

    def log_normal(value, mean, sd):
        return -0.5 * ((value - mean) / sd) ** 2 - np.log(sd) - 0.5 * math.log(2 * math.pi)

    direct = log_normal(y, alpha * x, sigma)[:, :3].sum(axis=1)
    seen = [0, 2]
    spread = np.sqrt(evidence.variance[seen])
    through = constant + log_normal(evidence.value[:, seen], x[seen], spread).sum(axis=1)
    np.testing.assert_allclose(through, direct, rtol=1e-13)


def test_gaussian_samples_have_the_right_moments():
    size, x = 40_000, np.array([1.0, -2.0])
    noise = pt.Gaussian([0.3, 0.8])
    y = noise.sample(np.tile(x, (size, 1)), None, rng=np.random.default_rng(1))
    assert y.dtype == np.float64
    # Mean within five sigma / sqrt n; variance within five sqrt(2/n) sigma^2.
    assert np.abs(y.mean(axis=0) - noise.alpha * x).max() < 5 * 0.8 / math.sqrt(size)
    np.testing.assert_allclose(y.var(axis=0), noise.sigma**2, rtol=5 * math.sqrt(2 / size))


# Conversions.


@every_schedule
@pytest.mark.parametrize("source", SCHEDULES.values(), ids=SCHEDULES.keys())
@settings(max_examples=10)
@given(t=st.floats(0.01, 0.99))
def test_conversion_keeps_the_snr_and_rescales_the_law(source, schedule, t):
    """(c alpha, c sigma) of the source are the scales of the target; and back again."""
    alpha, sigma = (float(v) for v in source(np.asarray(t)))
    end = [float(v) for v in schedule(np.asarray(1.0))]
    assume((alpha / sigma) > end[0] / end[1])  # the target gets that far
    time, factor = convert_time(t, source, schedule)
    assert 0.0 <= time <= 1.0
    reached = [float(v) for v in schedule(np.asarray(time))]
    # Root to 1e-15 in t; alpha, sigma change at most at rate 50 (VE) to 10^2.
    slack = 1e-15 * 1e3
    assert factor * alpha == pytest.approx(reached[0], rel=1e-12, abs=slack)
    assert factor * sigma == pytest.approx(reached[1], rel=1e-10, abs=slack)
    back, unfactor = convert_time(time, schedule, source)
    assert factor * unfactor == pytest.approx(1.0, rel=1e-9)
    assert back == pytest.approx(t, rel=1e-8)


@every_schedule
def test_clean_data_convert_to_clean_data(schedule):
    assert convert_time(0.0, schedule, linear) == (0.0, 1.0)
    assert time_at_snr(schedule, math.inf) == 0.0


@every_schedule
def test_the_end_of_a_schedule_converts_to_itself(schedule):
    """Its own snr comes back from a quotient, with rounding on either side."""
    alpha, sigma = (float(v) for v in schedule(np.asarray(1.0)))
    assert time_at_snr(schedule, (alpha / sigma) ** 2) == 1.0
    assert time_at_snr(schedule, alpha**2 / sigma**2) == 1.0


def test_pure_noise_keeps_the_scale_of_the_noise():
    """At snr = 0 only sigma is left: c sigma_source = sigma_target."""
    dead = from_alpha_bar([0.5, 0.0])
    time, factor = convert_time(1.0, lambda t: (1.0 - t, 3.0 * t), dead)
    assert time == 1.0 and factor == pytest.approx(1.0 / 3.0)


@pytest.mark.parametrize("name", ["VP", "VE", "OU", "alpha-bar"])
def test_a_snr_out_of_reach_is_refused(name):
    with pytest.raises(ValueError, match=r"snr=0.0: the schedule stops at snr"):
        convert_time(1.0, linear, SCHEDULES[name])


def test_a_schedule_that_starts_noisy_is_refused_by_name():
    with pytest.raises(ValueError, match=r"snr=1000000.0: the schedule starts at snr"):
        time_at_snr(lambda t: (1.0 - t, t + 0.1), 1e6)


def test_same_snr_same_information():
    """The CMI does not see the scale of y: VP at t against linear at the converted time."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    field = pt.GaussianField(pt.Lattice.chain(5), covariance=root @ root.T)
    parts = field.lattice.tripartition(2, 1)
    time, _ = convert_time(0.4, SCHEDULES["VP"], linear)
    first = pt.cmi(field.noised(pt.Gaussian(0.4, schedule=SCHEDULES["VP"])), parts)
    second = pt.cmi(field.noised(pt.Gaussian(time)), parts)
    assert first.value == pytest.approx(second.value, rel=1e-10)


# Bad input.


@pytest.mark.parametrize("noise", [pt.BitFlip, pt.Erasure, pt.Gaussian])
@pytest.mark.parametrize("t", [-0.1, 1.1, math.nan, math.inf, [0.5, 1.5], [[0.1, 0.2]], None])
def test_times_outside_the_unit_interval(noise, t):
    with pytest.raises(ValueError, match=r"t=.*: a number in \[0, 1\], or one per site, needed"):
        noise(t=t)


@pytest.mark.parametrize(
    ("alpha", "sigma"), [(0.0, 0.0), (-1.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf)]
)
def test_bad_scales(alpha, sigma):
    with pytest.raises(ValueError, match=r"schedule gives alpha=.*, sigma=.*: finite numbers >= 0"):
        pt.Gaussian.from_scales(alpha, sigma)
    with pytest.raises(ValueError, match="schedule gives alpha="):
        pt.Gaussian(0.5, schedule=lambda t: (alpha, sigma))


def test_noise_that_does_not_fit_the_sites():
    continuous = pt.GaussianField(pt.Lattice.chain(2), covariance=np.eye(2))
    spins = pt.Ising(pt.Lattice.chain(2), 0.3)
    ternary = pt.Table(pt.Lattice.chain(2), np.full((3, 3), 1 / 9))
    for prior, noise, message in [
        (continuous, pt.BitFlip(0.1), "BitFlip noise acts on discrete sites"),
        (continuous, pt.Erasure(0.1), "Erasure noise acts on discrete sites"),
        (ternary, pt.Gaussian(0.1), "Gaussian noise acts on spins and continuous sites.*q=3"),
        (spins, pt.BitFlip([0.1, 0.2, 0.3]), "noise has t for 3 sites: the lattice has 2"),
        (continuous, pt.Gaussian([0.1]), "noise has t for 1 sites: the lattice has 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            prior.noised(noise)


@every_kind
def test_kinds_do_not_mix(kind):
    other = pt.Erasure if kind == "BitFlip" else pt.BitFlip
    for work in (KINDS[kind](0.1).then, KINDS[kind](0.1).increment):
        with pytest.raises(ValueError, match=f"{kind} noise does not compose with"):
            work(other(0.2))


def test_continuous_outputs_have_no_matrix():
    with pytest.raises(ValueError, match="Gaussian noise has no channel matrix"):
        pt.Gaussian(0.2).channel(2)
    np.testing.assert_array_equal(pt.Gaussian([0.0, 0.0]).channel(2), [np.eye(2)] * 2)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: variance_preserving(0.0, 1.0), "beta_min=0.0, beta_max=1.0"),
        (lambda: variance_preserving(2.0, 1.0), "beta_min=2.0, beta_max=1.0"),
        (lambda: variance_exploding(0.0), "sigma_max=0.0: a positive"),
        (lambda: ornstein_uhlenbeck(math.nan), "horizon=nan: a positive"),
        (lambda: from_alpha_bar([0.5, 0.6]), "alpha_bar: a non-increasing table"),
        (lambda: from_alpha_bar([1.5]), "alpha_bar: a non-increasing table"),
        (lambda: from_alpha_bar([math.nan]), "alpha_bar: a non-increasing table"),
        (lambda: time_at_snr(linear, -1.0), "snr=-1.0: a number >= 0"),
        (lambda: time_at_snr(linear, math.nan), "snr=nan: a number >= 0"),
    ],
)
def test_bad_schedules(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_parameters_are_those_at_construction():
    t = np.array([0.1, 0.2])
    noises = [pt.BitFlip(t), pt.Gaussian(t), pt.Gaussian.from_scales(t, t)]
    t[:] = 0.9
    assert noises[0].t.tolist() == [0.1, 0.2]
    assert noises[1].t.tolist() == [0.1, 0.2] and noises[1].sigma.tolist() == [0.1, 0.2]
    assert noises[2].alpha.tolist() == [0.1, 0.2]


@pytest.mark.parametrize("noise", [pt.BitFlip(0.2), pt.Erasure([0.1, 0.3]), pt.Gaussian(0.5)])
def test_description_names_kind_and_strength(noise):
    described = noise.describe()
    assert described["noise"] == type(noise).__name__
    assert described["t"] == noise.t.tolist()
