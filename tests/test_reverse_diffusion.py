"""Reverse diffusion against the models' own exact laws: transition tables, orders, moments."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phasetheory as pt
from phasetheory import schedules
from phasetheory.noisy import NoisyLaw
from phasetheory.sampling.reverse import (
    parallel_step,
    reverse_diffusion,
    reverse_from,
    sequential_step,
)
from phasetheory.sampling.reverse_discrete import bridge_table, site_transitions
from phasetheory.sampling.reverse_gaussian import ancestral_law, ancestral_step, bridge, flow_step
from phasetheory.sampling.reverse_state import ReverseState, init, mixed
from tests import brute
from tests.strategies import DISCRETE, channel, discrete_cases, random_covariance, symbols

KINDS = sorted(DISCRETE)


def as_array(law):
    """States (n_states, n_sites) and probabilities, those of probability zero left out."""
    kept = {y: p for y, p in law.items() if p > 0}
    return np.array(list(kept), dtype=np.int8), np.array(list(kept.values()))


def pushed(law, transitions, sites, outputs):
    """Law after every site listed is redrawn independently from its transition row."""
    states, p = as_array(law)
    result = {}
    for state, weight, rows in zip(states, p, transitions(states), strict=True):
        for choice in itertools.product(range(len(outputs)), repeat=len(sites)):
            rate = math.prod(rows[i, k] for i, k in enumerate(choice))
            if rate > 0:
                new = state.copy()
                new[sites] = outputs[list(choice)]
                key = tuple(new.tolist())
                result[key] = result.get(key, 0.0) + weight * rate
    return result


def parallel_law(law, prior, earlier, later, *, window=None):
    def transitions(states):
        return site_transitions(ReverseState(states, later), prior, earlier, window=window)[0]

    return pushed(law, transitions, np.arange(prior.lattice.n_sites), later.outputs(prior.q))


def sequential_law(law, prior, earlier, later, *, order=None):
    n = prior.lattice.n_sites
    done = np.zeros(n, dtype=bool)
    for site in range(n) if order is None else order:
        half = mixed(earlier, later, done)
        done[site] = True
        target = mixed(earlier, later, done)

        def transitions(states, half=half, target=target, site=site):
            state = ReverseState(states, half)
            return site_transitions(state, prior, target, sites=[site])[0]

        law = pushed(law, transitions, np.array([site]), later.outputs(prior.q))
    return law


def spin_glass(n=3, seed=1):
    """Chain with one long bond, random couplings and fields: an asymmetric target."""
    rng = np.random.default_rng(seed)
    pairs = [(i, i + 1) for i in range(n - 1)] + [(0, n - 1)]
    coupling, field = rng.normal(0.0, 0.9, len(pairs)), rng.normal(0.0, 0.5, n)
    clean = brute.ising(n, pairs, coupling.tolist(), fields=field.tolist())
    return pt.Table(
        pt.Lattice.chain(n), np.reshape(brute.table(clean, n, (-1, 1)), (2,) * n)
    ), clean


def noisy(clean, kind, t, n, q=2):
    return brute.noisy(clean, [channel(kind, t, q)] * n)


# The bridge.


@pytest.mark.parametrize("q", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("s", "t"), [(0.0, 0.3), (0.2, 0.7), (0.5, 1.0), (0.0, 1.0), (0.4, 0.4)])
def test_bridge_is_bayes_rule(kind, q, s, t):
    """p(y_s|y_t,x) = p(y_t|y_s) p(y_s|x) / p(y_t|x), from brute force's channels."""
    noise = DISCRETE[kind]
    outputs = noise(t).outputs(q).tolist()
    first = channel(kind, s, q)
    extra = channel(kind, 1 - (1 - t) / (1 - s), q)
    if kind == "Erasure":
        erased = outputs[-1]
        extra = {**extra, erased: {erased: 1.0}}
    both = brute.compose(first, extra)
    table = bridge_table(noise(s), noise(t), q)
    for (k, y), (j, x), (i, z) in itertools.product(
        enumerate(outputs), enumerate(symbols(q)), enumerate(outputs)
    ):
        total = both[x].get(y, 0.0)
        expected = first[x].get(z, 0.0) * extra[z].get(y, 0.0) / total if total > 0 else 0.0
        assert table[k, j, i] == pytest.approx(expected, abs=1e-15)


@given(st.floats(0.0, 0.9), st.floats(0.05, 1.0), st.floats(-2, 2))
def test_gaussian_bridge_is_bayes_rule(s, share, x):
    """(y_s, y_t) given x is Gaussian; condition its covariance matrix on y_t."""
    t = s + share * (1.0 - s)
    earlier, later = pt.Gaussian(s), pt.Gaussian(t)
    c_y, c_x, variance = bridge(earlier, later)
    a = later.alpha / earlier.alpha
    covariance = a * earlier.sigma**2
    gain = covariance / later.sigma**2
    mean = earlier.alpha * x + gain * (1.7 - later.alpha * x)
    assert c_y * 1.7 + c_x * x == pytest.approx(mean, abs=1e-12)
    assert variance == pytest.approx(earlier.sigma**2 - gain * covariance, abs=1e-14)


def test_bridge_without_noise_keeps_the_data():
    assert np.array(bridge(pt.Gaussian(0.0), pt.Gaussian(0.0))) == pytest.approx([1.0, 0.0, 0.0])
    c_y, c_x, variance = bridge(pt.Gaussian(0.0), pt.Gaussian(0.5))
    assert (c_y, c_x, variance) == (0.0, 1.0, 0.0)


# Discrete steps: the law of their outcome, enumerated.


@settings(max_examples=40)
@given(st.data(), st.sampled_from(["Ising", "Table2", "Table3"]), st.floats(0.0, 1.0))
def test_sequential_steps_are_exact(data, model, fraction):
    """p_t pushed through one sequential step is p_s: any law, noise, per-site t, and order."""
    case = data.draw(discrete_cases(model, max_sites=4))
    kind, q = case.noise.name, 2 if model != "Table3" else 3
    earlier = type(case.noise)(fraction * case.noise.t)
    per_site = np.broadcast_to(earlier.t, case.n)
    expected = brute.noisy(case.clean, [channel(kind, float(s), q) for s in per_site])
    order = data.draw(st.permutations(range(case.n)))
    found = sequential_law(case.noisy, case.prior, earlier, case.noise, order=order)
    assert brute.total_variation(found, expected) < 1e-11


@settings(max_examples=30)
@given(st.data(), st.floats(0.0, 1.0))
def test_parallel_steps_give_every_site_its_law(data, fraction):
    """One-site marginals of a parallel step are those of p_s, whatever the step."""
    case = data.draw(discrete_cases("Table2", max_sites=4))
    earlier = type(case.noise)(fraction * case.noise.t)
    per_site = np.broadcast_to(earlier.t, case.n)
    expected = brute.noisy(case.clean, [channel(case.noise.name, float(s), 2) for s in per_site])
    found = parallel_law(case.noisy, case.prior, earlier, case.noise)
    for site in range(case.n):
        one, other = (brute.marginal(law, [site]) for law in (found, expected))
        assert brute.total_variation(one, other) < 1e-11


def parallel_error(kind, n_steps, prior, clean):
    n, noise = prior.lattice.n_sites, DISCRETE[kind]
    law = noisy(clean, kind, 1.0, n)
    for later, earlier in itertools.pairwise(np.linspace(1.0, 0.0, n_steps + 1)):
        law = parallel_law(law, prior, noise(earlier), noise(later))
    return brute.total_variation(law, clean)


@pytest.mark.parametrize("kind", KINDS)
def test_parallel_steps_are_of_first_order(kind):
    prior, clean = spin_glass()
    errors = np.array([parallel_error(kind, k, prior, clean) for k in (8, 16, 32, 64)])
    orders = np.log2(errors[:-1] / errors[1:])
    assert errors[0] > 1e-3
    assert orders[-1] == pytest.approx(1.0, abs=0.06)
    assert abs(orders[-1] - 1.0) <= abs(orders[0] - 1.0) + 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_one_parallel_step_is_exact_on_product_laws(kind):
    clean = brute.product_law([{-1: 0.2, 1: 0.8}, {-1: 0.6, 1: 0.4}])
    prior = pt.Table(pt.Lattice.chain(2), np.reshape(brute.table(clean, 2, (-1, 1)), (2, 2)))
    assert parallel_error(kind, 1, prior, clean) < 1e-14


@pytest.mark.parametrize("kind", KINDS)
def test_one_parallel_step_from_pure_noise_forgets_the_correlations(kind):
    """The control: one step from t = 1 gives the product of the marginals."""
    prior, clean = spin_glass()
    single = [{x[0]: p for x, p in brute.marginal(clean, [i]).items()} for i in range(3)]
    lost = brute.total_variation(brute.product_law(single), clean)
    assert parallel_error(kind, 1, prior, clean) == pytest.approx(lost, abs=1e-13)
    assert lost > 0.05


def test_information_about_a_step():
    prior, _ = spin_glass()
    law = prior.noised(pt.BitFlip(0.5))
    _, y = law.sample(20, rng=0)
    state = ReverseState(y, law.noise)
    _, info = parallel_step(state, prior, pt.BitFlip(0.2), rng=0)
    np.testing.assert_allclose(info.denoised, law.denoise(y), atol=1e-14)
    assert (info.evaluations, info.impossible) == (1, 0)
    _, info = parallel_step(state, prior, pt.BitFlip(0.2), window=1, rng=0)
    local = [law.denoise(y, [j for j in range(3) if abs(i - j) <= 1])[:, i] for i in range(3)]
    np.testing.assert_allclose(info.denoised, np.stack(local, axis=1), atol=1e-14)
    _, info = sequential_step(state, prior, pt.BitFlip(0.2), rng=0)
    assert info.evaluations == 3
    np.testing.assert_allclose(info.denoised[:, 0], law.denoise(y)[:, 0], atol=1e-14)


# Gaussian steps on a Gaussian field: linear maps, so that moments go through exactly.


def field(n=4, seed=0):
    rng = np.random.default_rng(seed)
    covariance = random_covariance(rng, n)
    model = pt.GaussianField(pt.Lattice.chain(n), mean=rng.normal(size=n), covariance=covariance)
    return model, covariance


def moments(model, covariance, times, step):
    """Mean and covariance after the steps; `step` gives (images of a basis, added variance)."""
    n = len(covariance)
    first = pt.Gaussian(times[0])
    mean = first.alpha * model.mean
    spread = first.alpha**2 * covariance + first.sigma**2 * np.eye(n)
    basis = np.concatenate([np.zeros((1, n)), np.eye(n)])
    for t, s in itertools.pairwise(times):
        image, added = step(ReverseState(basis, pt.Gaussian(t)), model, pt.Gaussian(s))
        matrix = (image[1:] - image[0]).T
        mean = matrix @ mean + image[0]
        spread = matrix @ spread @ matrix.T + np.diag(np.broadcast_to(added, n))
    return mean, spread


def euler(state, model, earlier):
    return flow_step(state, model, earlier, order=1)[0].y, 0.0


def heun(state, model, earlier):
    return flow_step(state, model, earlier)[0].y, 0.0


def ancestral(state, model, earlier):
    return ancestral_law(state, model, earlier)[:2]


def drawn(state, model, earlier):
    """The parallel step: x drawn instead of its mean adds its posterior variance."""
    image, variance, _ = ancestral_law(state, model, earlier)
    _, c_x, _ = bridge(earlier, state.noise)
    posterior = NoisyLaw(model, state.noise).posterior(state.y).variance()[0]
    return image, variance + c_x**2 * posterior


@pytest.mark.parametrize(
    ("step", "order"), [(euler, 1.0), (heun, 2.0), (ancestral, 1.0), (drawn, 1.0)]
)
@pytest.mark.parametrize("power", [1, 2])
def test_measured_order_is_the_theoretical_one(step, order, power):
    """On uniform times Heun's h^2 carries a log(1/h): there, more than 1.85 is asked for."""
    model, covariance = field()
    errors = []
    for n_steps in (40, 80, 160):
        times = np.linspace(1.0, 0.0, n_steps + 1) ** power
        mean, spread = moments(model, covariance, times, step)
        np.testing.assert_allclose(mean, model.mean, atol=1e-12)  # the mean is exact
        errors.append(np.abs(spread - covariance).max())
    measured = np.log2(errors[-2] / errors[-1])
    if step is heun and power == 1:
        assert 1.85 < measured < 2.0
    else:
        assert measured == pytest.approx(order, abs=0.05)


def test_a_drawn_x_errs_less_than_a_mean():
    model, covariance = field()
    times = np.linspace(1.0, 0.0, 41)
    errors = [
        np.abs(moments(model, covariance, times, step)[1] - covariance).max()
        for step in (ancestral, drawn)
    ]
    assert errors[1] < 0.2 * errors[0]


def test_ancestral_samples_spread_too_little():
    model, covariance = field()
    _, spread = moments(model, covariance, np.linspace(1.0, 0.0, 41), ancestral)
    assert (np.diag(spread) < np.diag(covariance)).all()


def test_steps_draw_what_their_moments_say():
    """The stochastic steps themselves, against the moments used above."""
    model, _ = field()
    later, earlier = pt.Gaussian(0.6), pt.Gaussian(0.3)
    y = np.broadcast_to(model.noised(later).sample(1, rng=3)[1], (40_000, 4))
    state = ReverseState(y, later)
    for step, moments_of in ((ancestral_step, ancestral), (parallel_step, drawn)):
        mean, variance = moments_of(ReverseState(y[:1], later), model, earlier)
        new = step(state, model, earlier, rng=5)[0].y
        stderr = np.sqrt(np.broadcast_to(variance, 4) / len(y))
        assert (np.abs(new.mean(axis=0) - mean[0]) < 5 * stderr).all()
        np.testing.assert_allclose(new.var(axis=0), np.broadcast_to(variance, 4), rtol=0.04)


@pytest.mark.parametrize("method", ["flow", "ancestral"])
def test_data_that_are_one_point_are_found_in_any_number_of_steps(method):
    point = np.array([[0.3, -1.2, 2.0]])
    model = pt.GaussianMixture(pt.Lattice.chain(3), means=point, variance=0.0)
    y = reverse_diffusion(model, pt.Gaussian, times=[1, 0.7, 0.2], n=5000, method=method, rng=0)
    stderr = 0.2 / np.sqrt(5000)
    assert (np.abs(y.mean(axis=0) - 0.8 * point[0]) < 5 * stderr).all()
    np.testing.assert_allclose(y.std(axis=0), 0.2, rtol=0.05)
    x = reverse_diffusion(model, pt.Gaussian, times=[1, 0.7, 0], n=7, method=method, rng=0)
    np.testing.assert_allclose(x, np.broadcast_to(point, (7, 3)), atol=1e-12)


# Samples of the driver against exact values.

FINE = np.linspace(1.0, 0.0, 101) ** 1.5


def within(samples, exact, n_stderr=5.0):
    estimate = pt.Estimate.from_samples(samples)
    return abs(estimate.value - exact) < n_stderr * estimate.stderr


def mixture():
    return pt.GaussianMixture(
        pt.Lattice.chain(3), [[-1.0, -1.0, 0.5], [1.0, 1.5, 0.0]], 0.2, weights=[0.3, 0.7]
    )


MODELS = {
    "Ising": pt.Ising(pt.Lattice.chain(3), coupling=[0.8, -0.5], field=[0.4, 0.0, -0.2]),
    "CurieWeiss": pt.CurieWeiss(3, coupling=1.2),
    "GaussianField": field(3)[0],
    "GaussianMixture": mixture(),
}
SPINS = ("Ising", "CurieWeiss")
CASES = [
    *((m, pt.Gaussian, how) for m in MODELS for how in ("parallel", "sequential")),
    *((m, pt.Gaussian, how) for m in ("GaussianMixture", "Ising") for how in ("flow", "ancestral")),
    *((m, n, "parallel") for m in SPINS for n in (pt.BitFlip, pt.Erasure)),
    *((m, n, "sequential") for m in SPINS for n in (pt.BitFlip, pt.Erasure)),
]  # fmt: skip


def exact_moments(model):
    """E x_i and E x_0 x_i from the table, or from the parameters."""
    if isinstance(model, pt.GaussianField):
        second = model.noisy_covariance(pt.Gaussian(0.0), np.arange(3)) + np.outer(
            model.mean, model.mean
        )
        return model.mean, second[0]
    if isinstance(model, pt.GaussianMixture):
        mean = model.weights @ model.means
        second = (model.weights[:, None] * model.means[:, :1] * model.means).sum(axis=0)
        return mean, second + 0.2 * np.eye(3)[0]
    states = np.array(list(itertools.product((-1, 1), repeat=3)))
    p = pt.Table.from_prior(model).probabilities.ravel()
    return p @ states, p @ (states[:, :1] * states)


@pytest.mark.parametrize(("name", "noise", "method"), CASES)
def test_moments(name, noise, method):
    """Means and second moments within five standard errors; sequential in three steps."""
    model = MODELS[name]
    times = [1.0, 0.6, 0.2, 0.0] if method == "sequential" else FINE
    x = reverse_diffusion(model, noise, times=times, n=2000, method=method, rng=11)
    mean, second = exact_moments(model)
    assert x.dtype == (np.float64 if noise is pt.Gaussian else np.int8)
    if name in SPINS and method in ("parallel", "sequential"):
        assert set(np.unique(x)) == {-1, 1}
    x = x.astype(float)
    for site in range(3):
        assert within(x[:, site], mean[site])
        # The square of a spin is no sample of anything.
        if site or name not in SPINS:
            assert within(x[:, 0] * x[:, site], second[site])


@pytest.mark.parametrize("method", ["parallel", "sequential"])
def test_coverage(method):
    """95 % error bars hold 95 % of the time where the step is exact, and hardly ever elsewhere."""
    model = pt.Ising(pt.Lattice.chain(2), coupling=0.8)
    exact = np.tanh(0.8)
    hits = 0
    for seed in range(200):
        x = reverse_diffusion(
            model, pt.Erasure, times=[1, 0.5, 0], n=200, method=method, rng=seed
        ).astype(float)
        hits += within(x[:, 0] * x[:, 1], exact, 1.96)
    if method == "sequential":
        # 190 expected; four standard deviations of the binomial law.
        assert abs(hits - 190) < 4 * math.sqrt(200 * 0.95 * 0.05)
    else:
        assert hits < 20


def test_drawing_follows_the_transition_laws():
    """Frequencies of one parallel step from one configuration, q = 3."""
    clean = brute.random_table(2, (0, 1, 2), 4)
    prior = pt.Table(pt.Lattice.chain(2), np.reshape(brute.table(clean, 2, (0, 1, 2)), (3, 3)))
    later, earlier = pt.Erasure(0.8), pt.Erasure(0.3)
    state = ReverseState(np.full((30_000, 2), -1, dtype=np.int8), later)
    p = site_transitions(ReverseState(state.y[:1], later), prior, earlier)[0][0]
    y = parallel_step(state, prior, earlier, rng=0)[0].y
    for site, (index, symbol) in itertools.product(range(2), enumerate((0, 1, 2, -1))):
        assert within((y[:, site] == symbol).astype(float), p[site, index])


# Schedules, windows, parts of a path.


@pytest.mark.parametrize("method", ["parallel", "sequential", "ancestral", "flow"])
@pytest.mark.parametrize(
    "schedule", [schedules.variance_preserving(), schedules.ornstein_uhlenbeck(3.0)]
)
@pytest.mark.parametrize("name", ["Ising", "GaussianMixture"])
def test_schedules_that_visit_the_same_ratios_give_the_same_samples(name, schedule, method):
    model, times = MODELS[name], [0.8, 0.6, 0.35, 0.1, 0.0]
    _, y = model.noised(pt.Gaussian(times[0])).sample(50, rng=2)
    matched = [schedules.convert_time(t, schedules.linear, schedule) for t in times]
    one = reverse_from(y, model, pt.Gaussian, times=times, method=method, rng=3)
    other = reverse_from(
        matched[0][1] * y,
        model,
        lambda t: pt.Gaussian(t, schedule),
        times=[t for t, _ in matched],
        method=method,
        rng=3,
    )
    np.testing.assert_allclose(other, one, atol=1e-9)


@pytest.mark.parametrize(
    ("noise", "method"),
    [
        (pt.Gaussian, "flow"),
        (pt.Gaussian, "ancestral"),
        (pt.Gaussian, "sequential"),
        (pt.BitFlip, "parallel"),
        (pt.BitFlip, "sequential"),
        (pt.Erasure, "parallel"),
        (pt.Erasure, "sequential"),
    ],
)
def test_a_window_over_everything_changes_nothing(noise, method):
    """To the random number, save for parallel Gaussian steps, which use them in another order."""
    options = {"times": [1, 0.5, 0.0], "n": 50, "method": method, "rng": 4}
    everything = reverse_diffusion(MODELS["Ising"], noise, **options)
    local = reverse_diffusion(MODELS["Ising"], noise, window=2, **options)
    np.testing.assert_allclose(local, everything, atol=1e-12)


def test_narrow_windows_lose_long_correlations():
    """A window of one site denoises every site alone: the data are never correlated."""
    model, clean = spin_glass()
    kept = brute.noisy(clean, [brute.bit_flip(1.0)] * 3)
    for later, earlier in itertools.pairwise(np.linspace(1, 0, 9)):
        kept = parallel_law(kept, model, pt.BitFlip(earlier), pt.BitFlip(later), window=0)
    single = [{x[0]: p for x, p in brute.marginal(clean, [i]).items()} for i in range(3)]
    assert brute.total_variation(kept, brute.product_law(single)) < 1e-13


@pytest.mark.parametrize("method", ["parallel", "sequential"])
def test_impossible_windows_are_completed_and_counted(method):
    """Local steps break the repetition code; its windows then hold data of probability zero."""
    p = np.zeros((2,) * 5)
    p[(0,) * 5] = p[(1,) * 5] = 0.5
    code = pt.Table(pt.Lattice.chain(5), p)
    x = reverse_diffusion(code, pt.Erasure, times=[1, 0.5, 0], n=200, method="parallel", rng=0)
    assert set(np.unique(x)) == {-1, 1}
    broken = np.array([[1, -1, 0, 1, 1], [1, 1, 0, 1, 1]], dtype=np.int8)
    state = ReverseState(broken, pt.Erasure(0.5))
    step = {"parallel": parallel_step, "sequential": sequential_step}[method]
    new, info = step(state, code, pt.Erasure(0.0), rng=0)
    assert info.impossible == 5
    np.testing.assert_array_equal(new.y[1], 1)
    np.testing.assert_array_equal(new.y[0, [0, 1, 3, 4]], [1, -1, 1, 1])


def test_a_path_in_two_parts():
    """Half of the way, then the rest: the law of the whole, exactly, for sequential steps."""
    prior, clean = spin_glass()
    half = sequential_law(noisy(clean, "BitFlip", 1.0, 3), prior, pt.BitFlip(0.4), pt.BitFlip(1.0))
    assert brute.total_variation(half, noisy(clean, "BitFlip", 0.4, 3)) < 1e-13
    y = reverse_diffusion(prior, pt.BitFlip, times=[1, 0.4], n=10, method="sequential", rng=0)
    x = reverse_from(y, prior, pt.BitFlip, times=[0.4, 0], method="sequential", rng=1)
    assert x.shape == y.shape


def test_pure_noise_needs_no_sample_of_the_prior(monkeypatch):
    model = MODELS["Ising"]
    monkeypatch.setattr(pt.Ising, "sample", lambda *_, **__: pytest.fail("asked"))
    for noise in (pt.BitFlip(1.0), pt.Erasure(1.0), pt.Gaussian(1.0)):
        assert init(model, noise, 3, rng=0).y.shape == (3, 3)


def test_half_way_starts_are_exact_draws():
    """Going from t = 0.3 keeps the data's law: start included."""
    model = MODELS["Ising"]
    x = reverse_diffusion(model, pt.BitFlip, times=[0.3, 0], n=4000, method="sequential", rng=8)
    mean, _ = exact_moments(model)
    assert within(x[:, 0].astype(float), mean[0])


def test_per_site_noise():
    """Noise on two sites only leaves the third as it is."""
    model = MODELS["Ising"]
    shape = np.array([1.0, 0.0, 1.0])
    _, y = model.noised(pt.BitFlip(0.8 * shape)).sample(100, rng=0)
    x = reverse_from(
        y, model, lambda t: pt.BitFlip(t * shape), times=[0.8, 0.4, 0.0], method="parallel", rng=1
    )
    np.testing.assert_array_equal(x[:, 1], y[:, 1])


# Bad input.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": [0.0, 1.0]}, "strictly decreasing"),
        ({"times": [1.0, 1.0]}, "strictly decreasing"),
        ({"times": [1.0]}, "at least two"),
        ({"times": [1.2, 0.0]}, r"run from 1\.2 to 0\.0"),
        ({"times": [1.0, -0.1]}, r"run from 1\.0 to -0\.1"),
        ({"times": [1.0, float("nan")]}, "strictly decreasing"),
        ({"method": "leapfrog"}, "method='leapfrog': one of parallel, sequential, ancestral, flow"),
        ({"method": "flow"}, "method='flow' goes back through Gaussian noise: for BitFlip"),
        ({"window": -1}, "window=-1: a radius >= 0"),
        ({"n": 0}, "n=0: at least 1"),
        ({"model": pt.CurieWeiss(3, coupling=1.0), "window": 1}, "no distances"),
        ({"model": mixture()}, "BitFlip noise acts on discrete sites"),
        ({"noise": lambda t: pt.BitFlip(1 - t)}, "noise only grows"),
    ],
)
def test_bad_input_is_refused(change, message):
    model = pt.Ising(pt.Lattice.chain(3), coupling=0.5)
    good = {"model": model, "noise": pt.BitFlip, "times": [1, 0], "n": 2} | change
    with pytest.raises(ValueError, match=message):
        reverse_diffusion(good.pop("model"), good.pop("noise"), **good, rng=0)


def test_bad_batches_and_orders_are_refused():
    model = pt.Ising(pt.Lattice.chain(3), coupling=0.5)
    with pytest.raises(ValueError, match=r"y has shape \(3,\): \(n, 3\) needed"):
        reverse_from(np.ones(3), model, pt.BitFlip, times=[1, 0])
    with pytest.raises(ValueError, match="BitFlip noise gives values"):
        reverse_from(np.full((2, 3), 5), model, pt.BitFlip, times=[0.5, 0])
    state = ReverseState(np.ones((2, 3), dtype=np.int8), pt.BitFlip(0.5))
    with pytest.raises(ValueError, match=r"a permutation of 0\.\.2 needed"):
        sequential_step(state, model, pt.BitFlip(0.0), order=[0, 1, 1])
    with pytest.raises(ValueError, match="BitFlip noise has no reverse SDE"):
        flow_step(state, model, pt.Gaussian(0.0))
    with pytest.raises(ValueError, match="order=3: 1"):
        flow_step(ReverseState(state.y, pt.Gaussian(0.5)), model, pt.Gaussian(0.0), order=3)


def test_data_without_a_density_at_the_end_are_refused_site_by_site():
    """Points known exactly have no density; the parallel step ends there without asking for it."""
    points = pt.GaussianMixture(pt.Lattice.chain(2), [[0.0, 0.0], [1.0, 1.0]], 0.0)
    options = {"times": [1.0, 0.3, 0.0], "n": 20, "rng": 0}
    with pytest.raises(ValueError, match="without noise has no density"):
        reverse_diffusion(points, pt.Gaussian, method="sequential", **options)
    x = reverse_diffusion(points, pt.Gaussian, method="parallel", **options)
    assert set(np.unique(x)) <= {0.0, 1.0}
