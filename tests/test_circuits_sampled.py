"""Sampled circuits against the exact output law of the same circuit, and against exact moments."""

import math

import numpy as np
import pytest
from scipy import stats

import phasetheory as pt
from phasetheory.circuits import observables
from phasetheory.circuits.circuit import Gate
from phasetheory.circuits.loop_windows import LoopWindow
from phasetheory.circuits.sampled import MAX_STATES, sample_circuit, sample_gates
from phasetheory.circuits.window_laws import count_evidences, count_states, marginal
from phasetheory.circuits.windows import Likelihoods, WindowTable
from phasetheory.noisy import NoisyLaw
from phasetheory.sampling.reverse_state import init
from tests import brute

TIMES = [1.0, 0.5, 0.2, 0.0]
ROUTES = {"tables": MAX_STATES, "posteriors": 0}
BLOCKS = {"sites": 1, "blocks": [[0, 2], [1], [3]]}
SPINS = (-1, 1)


def random_table(n, q, seed=0, *, zeros=0.0):
    symbols = SPINS if q == 2 else tuple(range(q))
    law = brute.random_table(n, symbols, seed, zeros=zeros)
    p = np.array(brute.table(law, n, symbols)).reshape((q,) * n)
    return pt.Table(pt.Lattice.chain(n), p)


def drawn(model, noise, circuit, n, *, route="tables", seed=0):
    """Output and impossible count, by one of the two routes."""
    levels = [noise(float(t)) for t in circuit.times]
    rng = np.random.default_rng(seed)
    y = init(model, levels[0], n, rng=rng).y
    return sample_gates(
        model, levels, circuit, y, rng=rng, max_states=ROUTES[route], progress=False
    )


def index_of(x, q):
    """Number of each state, site 0 slowest."""
    digits = (x.astype(int) + 1) // 2 if q == 2 else x.astype(int)
    return digits @ q ** np.arange(x.shape[1] - 1, -1, -1)


def agreement(x, p):
    """P-value of samples under a table; states expected less than five times are put together."""
    p = np.asarray(p)
    counts = np.bincount(index_of(x, p.shape[0]), minlength=p.size)
    expected = p.ravel() * len(x)
    if counts[expected == 0].any():
        return 0.0
    rare = expected < 5
    counts, expected = (
        np.append(a[~rare], a[rare].sum()) for a in (counts.astype(float), expected)
    )
    if expected[-1] == 0:
        counts, expected = counts[:-1], expected[:-1]
    return stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue


# The law of the samples is the exact output law.


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("order", ["layers", "random", "raster", "simultaneous"])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("noise", [pt.BitFlip, pt.Erasure])
@pytest.mark.parametrize("q", [2, 3])
def test_samples_follow_the_exact_output_law(q, noise, block, order, route):
    """Tables with zeros, so that impossible windows and their completions are met as well."""
    model = random_table(4, q, seed=q, zeros=0.4)
    circuit = pt.Circuit(model.lattice, TIMES, radius=1, order=order, block=BLOCKS[block], rng=3)
    exact = pt.reverse_circuit(model, noise, circuit, terms=False, progress=False)
    x, impossible = drawn(model, noise, circuit, 8000, route=route, seed=17)
    assert x.dtype == np.int8
    assert agreement(x, exact.law.probabilities) > 1e-4
    # Erasure meets contradictions here, and so is their completion put to the test.
    assert impossible > 0 or noise is not pt.Erasure


def test_another_circuit_is_noticed():
    """Negative control: the samples of radius 0 do not pass for those of radius 1."""
    model = random_table(4, 2, seed=2, zeros=0.4)
    wide, narrow = (pt.Circuit(model.lattice, TIMES, radius=r) for r in (1, 0))
    exact = pt.reverse_circuit(model, pt.BitFlip, wide, terms=False, progress=False)
    x, _ = drawn(model, pt.BitFlip, narrow, 8000)
    assert agreement(x, exact.law.probabilities) < 1e-6


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("order", ["layers", "simultaneous"])
def test_both_routes_count_the_same_impossible_windows(route, order):
    """Two codewords under erasure: single sites decide alone, then global gates meet both."""
    model = pt.Table(pt.Lattice.chain(3), np.eye(8)[[0, 7]].mean(axis=0).reshape(2, 2, 2))
    circuit = pt.Circuit(model.lattice, [1.0, 0.5, 0.0], radius=[0, math.inf], order=order)
    n = 4000
    _, impossible = drawn(model, pt.Erasure, circuit, n, route=route)
    # After the first step every site is seen with 1/2 and then fair: contradictory with
    # 1 - P(no +1) - P(no -1) + P(nothing seen). Draws repair nothing, so every gate is counted.
    broken = 1 - 2 * 0.75**3 + 0.5**3
    assert abs(impossible / (3 * n) - broken) < 4 * math.sqrt(broken * (1 - broken) / n)
    one, _ = drawn(
        model, pt.Erasure, pt.Circuit(model.lattice, [1.0, 0.0], radius=math.inf), 500, route=route
    )
    assert (np.abs(one.sum(axis=1)) == 3).all()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("order", ["layers", "raster"])
def test_spins_under_gaussian_noise_with_global_gates(route, order):
    """Exact gates bring back the law of the data, down to sigma = 0."""
    model = pt.Ising(pt.Lattice.chain(4), coupling=[0.5, -0.8, 0.3], field=[0.4, 0, 0, -0.3])
    circuit = pt.Circuit(model.lattice, TIMES, radius=math.inf, order=order)
    x, impossible = drawn(model, pt.Gaussian, circuit, 6000, route=route, seed=3)
    assert impossible == 0 and np.isin(x, SPINS).all()
    assert agreement(x, model.table.probabilities) > 1e-4


@pytest.mark.parametrize("order", ["layers", "simultaneous"])
@pytest.mark.parametrize("block", [1, [[0, 1], [2], [3, 4]]])
def test_second_moments_of_gaussian_fields(order, block):
    """Against the closed-form covariance; entry ij of n samples errs by (C_ii C_jj + C_ij^2)/n."""
    rng = np.random.default_rng(1)
    root = rng.standard_normal((5, 8))
    model = pt.GaussianField(pt.Lattice.chain(5), rng.standard_normal(5), root @ root.T / 8)
    circuit = pt.Circuit(model.lattice, TIMES, radius=1, order=order, block=block)
    run = pt.reverse_circuit(model, pt.Gaussian, circuit, terms=False, progress=False)
    exact = run.law.noisy_covariance(pt.Gaussian(0.0), np.arange(5))
    n = 8000
    x = sample_circuit(model, pt.Gaussian, circuit, n, rng=2, progress=False).samples
    variance = np.diag(exact)
    error = np.sqrt((np.outer(variance, variance) + exact**2) / n)
    # The largest of 15 entries, 5 means: beyond 4.5 errors with probability 1e-4.
    assert (np.abs(np.cov(x.T) - exact) < 4.5 * error).all()
    assert (np.abs(x.mean(axis=0) - model.mean) < 4.5 * np.sqrt(variance / n)).all()
    # Negative control: the data have another covariance.
    clean = model.noisy_covariance(pt.Gaussian(0.0), np.arange(5))
    assert (np.abs(clean - exact) > 4.5 * error).any()


@pytest.mark.parametrize("radius", [math.inf, 2])
def test_moments_of_a_mixture(radius):
    """Radius 2 is global on three sites, and goes through the marginal of windows elsewhere."""
    means = np.array([[1.5, -0.5, 1.0], [-1.0, 0.8, -1.2]])
    weights, variance = np.array([0.7, 0.3]), np.array([0.2, 0.5])
    model = pt.GaussianMixture(pt.Lattice.chain(3), means, variance, weights=weights)
    circuit = pt.Circuit(model.lattice, [1.0, 0.4, 0.0], radius=radius)
    n = 8000
    x = sample_circuit(model, pt.Gaussian, circuit, n, rng=5, progress=False).samples
    second = np.einsum("k,ki,kj->ij", weights, means, means) + weights @ variance * np.eye(3)
    error = 4.5 / math.sqrt(n)
    assert (np.abs(x.mean(axis=0) - weights @ means) < error * x.std(axis=0)).all()
    products = x[:, :, None] * x[:, None, :]
    assert (np.abs(products.mean(axis=0) - second) < error * products.std(axis=0)).all()
    # Both modes are there, in their proportion.
    share = ((x - means[0]) ** 2).sum(axis=1) < ((x - means[1]) ** 2).sum(axis=1)
    truth = model.sample(n, rng=6)
    other = ((truth - means[0]) ** 2).sum(axis=1) < ((truth - means[1]) ** 2).sum(axis=1)
    assert abs(share.mean() - other.mean()) < 4 * math.sqrt(2 * 0.25 / n)


@pytest.mark.parametrize("radius", [0, math.inf])
def test_exchangeable_spins(radius):
    """Global gates restore E m^2; single sites leave independent fair coins, E m^2 = 1/n."""
    model = pt.CurieWeiss(12, coupling=1.2)
    circuit = pt.Circuit(model.lattice, [1.0, 0.3, 0.0], radius=radius)
    run = sample_circuit(model, pt.BitFlip, circuit, 2000, rng=1, progress=False)
    ours, truth = run.compare(observables.magnetisation_squared, rng=2, n=4000)
    if radius == 0:
        assert abs(ours.value - 1 / 12) < 4 * ours.stderr
        assert truth.value - ours.value > 20 * truth.stderr
    else:
        assert abs(ours.value - truth.value) < 4 * math.hypot(ours.stderr, truth.stderr)


# Large systems.


@pytest.mark.parametrize("noise", [pt.BitFlip, pt.Erasure, pt.Gaussian])
@pytest.mark.parametrize("route", ROUTES)
def test_loops_close_under_global_gates_only(noise, route):
    loops = pt.LoopEnsemble(pt.Lattice.grid((3, 4)))
    closed = []
    for radius in (math.inf, 0):
        circuit = pt.Circuit(loops.lattice, [1.0, 0.4, 0.0], radius=radius)
        x, _ = drawn(loops, noise, circuit, 40, route=route)
        closed.append(observables.is_closed(loops, x).mean())
    assert closed[0] == 1.0
    # Six faces of independent bonds: all even with probability 2^-6.
    assert closed[1] < 0.2


def test_the_two_routes_agree_on_a_strip():
    """Energies of an Ising strip beyond tables: window tables against transfer posteriors."""
    model = pt.Ising(pt.Lattice.grid((3, 8)), coupling=0.4, field=0.1)
    circuit = pt.Circuit(model.lattice, [1.0, 0.5, 0.0], radius=1)
    found = []
    for route in ROUTES:
        x, _ = drawn(model, pt.BitFlip, circuit, 2000, route=route, seed=len(found))
        found.append(pt.Estimate.from_samples(observables.energy(model, x)))
    a, b = found
    assert abs(a.value - b.value) < 4 * math.hypot(a.stderr, b.stderr) < 0.05


# Results.


def test_error_bars_cover_the_exact_value():
    """200 runs of 100 samples; 95 % of them, within 4 binomial errors, hold the exact mean."""
    model = random_table(3, 2, seed=9)
    circuit = pt.Circuit(model.lattice, [1.0, 0.3, 0.0], radius=1)
    exact = pt.reverse_circuit(model, pt.BitFlip, circuit, terms=False, progress=False)
    p = exact.law.probabilities
    s = np.array(SPINS)
    mean = float((p * s[:, None, None] * s[None, :, None]).sum())
    inside = 0
    for seed in range(200):
        run = sample_circuit(model, pt.BitFlip, circuit, 100, rng=seed, progress=False)
        found = run.observable(lambda x: x[:, 0] * x[:, 1])
        inside += abs(found.value - mean) < stats.t.ppf(0.975, 99) * found.stderr
    assert abs(inside / 200 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 200)


def test_a_run_is_reproducible_and_keeps_its_start():
    model = random_table(4, 2)
    circuit = pt.Circuit(model.lattice, TIMES, radius=1)
    noise = pt.BitFlip(1.0)
    y = NoisyLaw(model, noise).sample(20, rng=1)[1]
    kept = y.copy()
    runs = [
        sample_circuit(model, pt.BitFlip, circuit, 20, rng=4, start=y, progress=False)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(runs[0].samples, runs[1].samples)
    np.testing.assert_array_equal(y, kept)
    assert [float(noise.t) for noise in runs[0].noises] == TIMES
    assert runs[0].circuit is circuit and runs[0].impossible == 0


def test_nothing_happens_to_a_start_without_noise():
    """From t = 1e-9 global gates return the data they are given."""
    model = pt.Ising(pt.Lattice.chain(5), coupling=0.3)
    x = model.sample(50, rng=1)
    circuit = pt.Circuit(model.lattice, [1e-9, 0.0], radius=math.inf)
    run = sample_circuit(model, pt.BitFlip, circuit, 50, rng=2, start=x, progress=False)
    np.testing.assert_array_equal(run.samples, x)


# Windows.


def window_law(model, gate):
    """Clean law of the window from the full table, over the sites of A, then B."""
    full = pt.Table.from_prior(model).probabilities
    sites = np.concatenate(gate)
    gone = np.setdiff1d(np.arange(full.ndim), sites)
    return np.transpose(full.sum(axis=tuple(gone)), np.searchsorted(np.sort(sites), sites))


WINDOWED = {
    "strip": pt.Ising(pt.Lattice.grid((2, 5)), coupling=0.6, field=0.2, engine="transfer"),
    "few spins": pt.Ising(pt.Lattice.chain(8), coupling=0.6),
    "loops": pt.LoopEnsemble(pt.Lattice.grid((3, 3))),
    "weighted loops": pt.LoopEnsemble(pt.Lattice.grid((3, 3)), coupling=0.4),
    "three symbols": random_table(8, 3, seed=4, zeros=0.3),
    "exchangeable": pt.CurieWeiss(8, coupling=0.7),
}


@pytest.mark.parametrize("name", WINDOWED)
def test_tabulated_windows_are_marginals(name):
    model = WINDOWED[name]
    gate = Gate(np.array([4, 2]), np.array([1, 3, 6, 7]))
    table = WindowTable.of(model, gate)
    exact = window_law(model, gate)
    found = np.zeros(exact.shape)
    found[tuple(table.index.T)] = np.exp(table.log_p)
    np.testing.assert_allclose(found, exact, atol=1e-12)
    assert table.log_p.size <= count_states(model, np.concatenate(gate))
    free = name in ("few spins", "loops", "three symbols")
    assert (count_evidences(model, np.concatenate(gate)) == 0) == free


def given_fields(h):
    """Likelihoods exp(h x) of spins or bonds, h of shape (n_sites, n); infinite: known."""
    found = Likelihoods(np.ones(h.T.shape, dtype=np.int8), pt.BitFlip(0.5), 2)
    found.log[:] = np.stack([np.minimum(-2 * h, 0), np.minimum(2 * h, 0)], axis=1)
    found.plain[:] = np.exp(found.log)
    return found


def brute_block(model, gate, h):
    """Posterior of the block from logarithms of the whole table, shape (2^|A|, n)."""
    sites = np.concatenate(gate)
    with np.errstate(divide="ignore"):
        law = np.log(window_law(model, gate))
    found = np.empty((2**gate.A.size, h.shape[1]))
    for sample in range(h.shape[1]):
        joint = law.copy()
        for axis, site in enumerate(sites):
            shape = [2 if axis == other else 1 for other in range(sites.size)]
            joint = joint + (np.array(SPINS) * h[site, sample]).reshape(shape)
        weights = np.exp(joint - joint.max()).reshape(len(found), -1).sum(axis=1)
        found[:, sample] = weights / weights.sum()
    return found


@pytest.mark.parametrize("build", [WindowTable.of, LoopWindow])
@pytest.mark.parametrize("strength", [1.0, 20.0, 300.0, 1000.0])
@pytest.mark.parametrize("A", [[4], [4, 6]])
def test_window_posteriors_also_where_likelihoods_underflow(A, strength, build):
    """Contradictory evidence of exp(-2000) a site is weighed in logarithms, not given up."""
    model = WINDOWED["loops"]
    gate = Gate(np.array(A), np.array([1, 2, 3, 7, 8, 9, 10, 11]))
    h = strength * np.random.default_rng(0).standard_normal((12, 40))
    weights, impossible = build(model, gate).posterior(given_fields(h))
    assert not impossible.any()
    np.testing.assert_allclose(weights / weights.sum(0), brute_block(model, gate, h), atol=1e-11)


@pytest.mark.parametrize("build", [WindowTable.of, LoopWindow])
def test_contradictory_windows_leave_the_block_to_itself(build):
    """An open face of known bonds: the fourth bond of it and the block decide alone."""
    model = pt.LoopEnsemble(pt.Lattice.grid((2, 3)))
    # Bonds 0-1, 0-3, 1-2, 1-4, 2-5, 3-4, 4-5; the right face is 2, 3, 4, 6.
    gate = Gate(np.array([1]), np.array([0, 2, 3, 4, 5, 6]))
    h = np.zeros((7, 2))
    h[[2, 3, 4, 6]] = np.inf
    h[2, 1] = -np.inf
    h[1] = 0.7
    weights, impossible = build(model, gate).posterior(given_fields(h))
    np.testing.assert_array_equal(impossible, [False, True])
    np.testing.assert_allclose(weights[1] / weights.sum(0), 1 / (1 + math.exp(-1.4)))


@pytest.mark.parametrize("radius", [0, 1, 2, 3])
@pytest.mark.parametrize("periodic", [False, (True, False)])
def test_loop_windows_against_the_planar_engine(periodic, radius):
    """Free spins outside a window drop out, on cylinders too."""
    loops = pt.LoopEnsemble(pt.Lattice.grid((5, 4), periodic))
    circuit = pt.Circuit(loops.lattice, [1.0, 0.0], radius=min(radius, 2) if periodic else radius)
    h = np.random.default_rng(radius).standard_normal((loops.lattice.n_sites, 5))
    likelihoods = given_fields(h)
    for layer in circuit.layers(0):
        for gate in layer[:2]:
            weights, _ = LoopWindow(loops, gate).posterior(likelihoods)
            seen = loops.lattice.mask(np.concatenate(gate))
            exact = loops.posterior(np.where(seen, h.T, 0.0), gate.A).p[:, 0].T
            np.testing.assert_allclose(weights / weights.sum(0), exact, atol=1e-12)


@pytest.mark.parametrize("sites", [[0, 1, 2, 3, 4], [3, 4, 6, 8, 11], [0, 1, 3]])
def test_smaller_models_are_marginals(sites):
    """Fields, mixtures and uniform loops: the same likelihood of data on the window."""
    lattice, sites = pt.Lattice.grid((3, 4)), np.array(sites)
    rng = np.random.default_rng(2)
    root = rng.standard_normal((12, 20))
    models = [
        (pt.GaussianField(lattice, rng.standard_normal(12), root @ root.T / 20), pt.Gaussian(0.3)),
        (pt.GaussianMixture(lattice, rng.standard_normal((3, 12)), 0.4), pt.Gaussian(0.3)),
        (pt.LoopEnsemble(pt.Lattice.grid((3, 3))), pt.BitFlip(0.3)),
        (pt.LoopEnsemble(pt.Lattice.grid((3, 3))), pt.Erasure(0.3)),
    ]
    for model, noise in models:
        smaller = marginal(model, sites)
        if smaller is None:
            assert isinstance(model, pt.LoopEnsemble)  # bonds in two pieces
            continue
        law = model.noised(noise)
        _, y = law.sample(6, rng=1)
        np.testing.assert_allclose(
            smaller.noised(noise).log_prob(y[:, sites]), law.log_prob(y, sites), atol=1e-10
        )
    assert marginal(pt.LoopEnsemble(pt.Lattice.grid((3, 3)), 0.2), sites) is None
    assert marginal(pt.Ising(lattice, 0.3), sites) is None


# Observables.


def test_energy_and_correlations_by_hand():
    model = pt.Ising(pt.Lattice.grid((2, 3)), coupling=0.5, field=0.25)
    x = np.array([[1, 1, -1, 1, -1, -1], [1, 1, 1, 1, 1, 1]], dtype=np.int8)
    # Bonds: 3 of 7 unequal; sum of spins 0.
    np.testing.assert_allclose(observables.energy(model, x), [-0.5 / 6, -(3.5 + 1.5) / 6])
    np.testing.assert_allclose(observables.end_correlation(model.lattice, x), [-1, 1])
    np.testing.assert_allclose(observables.magnetisation_squared(x), [0, 1])
    loops = pt.LoopEnsemble(pt.Lattice.grid((2, 2)), coupling=0.3)
    bonds = np.array([[1, 1, 1, 1], [1, 1, 1, -1], [1, -1, -1, 1]])
    np.testing.assert_allclose(observables.energy(loops, bonds), [-0.3, -0.15, 0])
    np.testing.assert_array_equal(observables.open_faces(loops, bonds), [[False], [True], [False]])
    np.testing.assert_array_equal(observables.is_closed(loops, bonds), [True, False, True])


@pytest.mark.parametrize("periodic", [False, (True, False)])
def test_loops_are_closed_where_no_face_is_open(periodic):
    """On a disc; a cylinder has one more cycle, and its two rims are faces of the embedding."""
    loops = pt.LoopEnsemble(pt.Lattice.grid((4, 3), periodic))
    rng = np.random.default_rng(0)
    x = loops.sample(400, rng=rng)
    wrong = rng.random(x.shape) < 0.03
    y = np.where(wrong, -x, x)
    closed = observables.is_closed(loops, y)
    assert 0.3 < closed.mean() < 0.9 and observables.is_closed(loops, x).all()
    np.testing.assert_array_equal(closed, ~observables.open_faces(loops, y).any(axis=1))


# Bad input.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, "n=0: at least 1 sample"),
        ({"noise": pt.Gaussian, "model": random_table(4, 3)}, "not on q=3"),
        ({"model": random_table(5, 2)}, "made for 4 sites: the model has 5"),
        ({"noise": lambda t: pt.BitFlip(np.full(4, t))}, "same t everywhere"),
        ({"noise": lambda t: pt.BitFlip(1 - t)}, "noise only grows"),
        ({"start": np.ones((3, 4))}, r"start has shape \(3, 4\): \(10, 4\) needed"),
        ({"start": np.full((10, 4), 7)}, "start holds 7: BitFlip"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {"model": random_table(4, 2), "noise": pt.BitFlip, "n": 10, "start": None}
    model, noise, n, start = (arguments | change).values()
    circuit = pt.Circuit(pt.Lattice.chain(4), [1.0, 0.0])
    with pytest.raises(ValueError, match=message):
        sample_circuit(model, noise, circuit, n, start=start)


def test_points_without_density_are_refused_before_any_work():
    """The empirical law goes through steps at once only, and comes out as one of its points."""
    points = np.array([[1.0, 2.0, 0.5], [-1.0, 0.3, -0.7]])
    model = pt.GaussianMixture(pt.Lattice.chain(3), points, 0.0)
    circuit = pt.Circuit(model.lattice, [1.0, 0.5, 0.0], radius=1)
    with pytest.raises(ValueError, match="components of variance 0"):
        sample_circuit(model, pt.Gaussian, circuit, 10)
    times = np.linspace(1, 0, 41)
    circuit = pt.Circuit(model.lattice, times, radius=math.inf, order="simultaneous")
    x = sample_circuit(model, pt.Gaussian, circuit, 50, rng=1, progress=False).samples
    assert np.mean((x[:, None] == points).all(axis=2).any(axis=1)) > 0.9


def test_observables_of_another_shape_are_refused():
    model = random_table(4, 2)
    circuit = pt.Circuit(model.lattice, [1.0, 0.0])
    run = sample_circuit(model, pt.BitFlip, circuit, 10, rng=0, progress=False)
    with pytest.raises(ValueError, match=r"f returns shape \(10, 4\): \(10,\)"):
        run.observable(lambda x: x)
    with pytest.raises(ValueError, match=r"x has shape \(10, 3\): \(n, 4\)"):
        observables.end_correlation(model.lattice, run.samples[:, :3])
    with pytest.raises(ValueError, match="a grid needed"):
        observables.end_correlation(pt.Lattice.bare(4), run.samples)
