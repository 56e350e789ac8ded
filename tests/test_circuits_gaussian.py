"""Reverse circuits on Gaussian fields against the joint covariance of the whole forward chain."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import ndtr

import phasetheory as pt
from phasetheory import schedules
from phasetheory.circuits.gaussian import _noise_block, _total_variation
from phasetheory.noise import Gaussian
from phasetheory.sampling.reverse_state import mixed

TIMES = [1.0, 0.7, 0.4, 0.0]
BLOCKS = {"sites": 1, "blocks": [[0, 1], [2], [3, 4]]}
SCHEDULES = {
    "linear": schedules.linear,
    "vp": schedules.variance_preserving(),
    "ve": schedules.variance_exploding(4.0),
}


def field(n=5, seed=0, *, periodic=False):
    """A random positive definite covariance, mean off zero."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, 2 * n))
    lattice = pt.Lattice.chain(n, periodic)
    return pt.GaussianField(lattice, rng.standard_normal(n), root @ root.T / (2 * n))


def dense(model):
    return model.noisy_covariance(Gaussian(0.0), np.arange(model.lattice.n_sites))


# Brute force: every noisy value of the forward path is one more variable of a joint Gaussian.


def conditional(S, wanted, given):
    """Weights and covariance of some variables given others, from a joint covariance."""
    weights = S[np.ix_(wanted, given)] @ np.linalg.inv(S[np.ix_(given, given)])
    return weights, S[np.ix_(wanted, wanted)] - weights @ S[np.ix_(given, wanted)]


def chained(S, sources, scale, spread):
    """Append scale * x + spread * z for some variables x; returns the new joint and indices."""
    pick = scale * np.eye(len(S))[sources]
    S = np.block([[S, S @ pick.T], [pick @ S, pick @ S @ pick.T + spread**2 * np.eye(len(pick))]])
    return S, list(range(len(S) - len(sources), len(S)))


def increments(circuit, schedule):
    scales = [schedule(np.array(t)) for t in circuit.times]
    for (alpha, sigma), (later_alpha, later_sigma) in pairwise(scales[::-1]):
        a = later_alpha / alpha
        yield float(a), math.sqrt(later_sigma**2 - (a * sigma) ** 2)


def brute_circuit(clean, circuit, schedule=schedules.linear):
    """Output covariance, and (CMI, its fall) of each gate in the order of the circuit."""
    n = len(clean)
    steps = list(increments(circuit, schedule))[::-1]
    gates = [(step, gate) for step, layer in circuit for gate in layer]
    S, now, maps, terms = clean.copy(), list(range(n)), [], []
    for step, gate in reversed(gates):
        A, B = gate.A.tolist(), gate.B.tolist()
        C = sorted(set(range(n)) - set(A) - set(B))
        before = [now[i] for i in A]
        a, b, c = before, [now[i] for i in B], [now[i] for i in C]
        S, after = chained(S, before, *steps[step])
        terms.append((cmi(S, a, b, c), cmi(S, a, b, c) - cmi(S, after, b, c)))
        maps.append((A, B, *conditional(S, before, after + b)))
        for i, variable in zip(A, after, strict=True):
            now[i] = variable
    law = S[np.ix_(now, now)]
    for A, B, weights, spread in reversed(maps):
        pull, noise = np.eye(n), np.zeros((n, n))
        pull[A] = 0.0
        pull[np.ix_(A, A + B)] = weights
        noise[np.ix_(A, A)] = spread
        law = pull @ law @ pull.T + noise
    return law, np.array(terms[::-1])


def log_det(S, sites):
    return np.linalg.slogdet(S[np.ix_(sites, sites)])[1] if sites else 0.0


def cmi(S, A, B, C):
    return 0.5 * (
        log_det(S, A + B) + log_det(S, B + C) - log_det(S, B) - log_det(S, A + B + C)
    )  # fmt: skip


def kl(p, q):
    ratio = np.linalg.solve(q, p)
    return 0.5 * (np.trace(ratio) - len(p) - np.linalg.slogdet(ratio)[1])


# The closed form.


@pytest.mark.parametrize("order", ["layers", "random", "raster", [2, 0, 1]])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("radius", [0, 1, math.inf])
def test_output_and_terms_are_those_of_the_joint_law(order, block, radius):
    model = field()
    if not isinstance(order, str):
        order = order if block == "blocks" else [4, 2, 0, 1, 3]
    circuit = pt.Circuit(
        model.lattice, TIMES, radius=radius, order=order, block=BLOCKS[block], rng=5
    )
    run = pt.reverse_circuit(model, pt.Gaussian, circuit, progress=False)
    clean = dense(model)
    output, terms = brute_circuit(clean, circuit)
    np.testing.assert_allclose(dense(run.law), output, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(run.law.mean, model.mean)
    np.testing.assert_allclose(np.stack([run.cmi, run.terms], 1), terms, rtol=0, atol=1e-11)
    assert run.kl.value == pytest.approx(kl(clean, output), abs=1e-11)


@pytest.mark.parametrize("name", SCHEDULES)
def test_other_schedules(name):
    schedule = SCHEDULES[name]
    model = field(4, seed=1)
    circuit = pt.Circuit(model.lattice, [0.9, 0.5, 0.2, 0.0], radius=1)

    def noise(t):
        return pt.Gaussian(t, schedule)

    run = pt.reverse_circuit(model, noise, circuit, progress=False)
    output, terms = brute_circuit(dense(model), circuit, schedule)
    np.testing.assert_allclose(dense(run.law), output, rtol=0, atol=1e-11)
    np.testing.assert_allclose(run.terms, terms[:, 1], rtol=0, atol=1e-11)


def test_all_sites_at_once():
    """Every gate reads the data before the step: one affine map for the whole step."""
    model = field(4, seed=2)
    clean, n = dense(model), 4
    circuit = pt.Circuit(model.lattice, [1.0, 0.5, 0.0], radius=1, order="simultaneous")
    run = pt.reverse_circuit(model, pt.Gaussian, circuit, progress=False)
    scales = [(1 - t, t) for t in circuit.times]
    law = scales[0][0] ** 2 * clean + scales[0][1] ** 2 * np.eye(n)
    steps = list(increments(circuit, schedules.linear))[::-1]
    for step, (layer,) in enumerate(circuit.layers(k) for k in range(2)):
        pull, noise = np.zeros((n, n)), np.zeros((n, n))
        for gate in layer:
            A, B = gate.A.tolist(), gate.B.tolist()
            alpha, sigma = np.array([scales[step + (i in A)] for i in range(n)]).T
            S = alpha[:, None] * clean * alpha + np.diag(sigma**2)
            S, after = chained(S, A, *steps[step])
            weights, spread = conditional(S, A, after + B)
            pull[np.ix_(A, A + B)], noise[np.ix_(A, A)] = weights, spread
        law = pull @ law @ pull.T + noise
    np.testing.assert_allclose(dense(run.law), law, rtol=0, atol=1e-11)
    assert not run.terms.size and math.isnan(run.bound)


def test_at_once_even_global_gates_err_less_in_smaller_steps():
    """The law errs by first order in the step, hence KL by second: a factor 4 at each doubling."""
    model = field(4, seed=3)
    errors = []
    for steps in (20, 40, 80):
        times = np.linspace(0.5, 0.0, steps + 1)
        circuit = pt.Circuit(model.lattice, times, radius=math.inf, order="simultaneous")
        errors.append(pt.reverse_circuit(model, pt.Gaussian, circuit, progress=False).kl.value)
    ratios = np.array(errors[:-1]) / errors[1:]
    assert (ratios > 3.0).all() and abs(ratios[1] - 4.0) < abs(ratios[0] - 4.0)


# What T2 says.


@pytest.mark.parametrize("order", ["layers", "raster"])
@pytest.mark.parametrize("radius", [0, 1, 2])
def test_kl_is_below_the_sum_of_terms(order, radius):
    model = field(6, seed=4, periodic=True)
    circuit = pt.Circuit(model.lattice, np.linspace(0.8, 0, 5), radius=radius, order=order)
    run = pt.reverse_circuit(model, pt.Gaussian, circuit, progress=False)
    assert 0 < run.kl.value < run.bound
    assert 2 * (run.tv.value - 4 * run.tv.stderr) ** 2 <= run.kl.value
    assert (run.terms >= 0).all() and (run.terms <= run.cmi).all()


def test_the_bound_is_an_equality_for_single_sites_from_pure_noise():
    """Given y_0 both paths noise every site by itself, so that nothing is lost on the way."""
    model = field(6, seed=5)
    times = np.linspace(1, 0, 5)
    run = pt.reverse_circuit(model, pt.Gaussian, pt.Circuit(model.lattice, times), progress=False)
    assert run.kl.value == pytest.approx(run.bound, rel=1e-10)
    # A start that is correlated already (negative control) leaves a gap.
    circuit = pt.Circuit(model.lattice, times[1:])
    run = pt.reverse_circuit(model, pt.Gaussian, circuit, progress=False)
    assert run.kl.value < (1 - 1e-6) * run.bound


def test_global_gates_lose_nothing():
    model = field(6, seed=6)
    circuit = pt.Circuit(model.lattice, TIMES, radius=math.inf, block=2)
    run = pt.reverse_circuit(model, pt.Gaussian, circuit, progress=False)
    np.testing.assert_allclose(dense(run.law), dense(model), rtol=0, atol=1e-12)
    assert abs(run.kl.value) < 1e-12 and abs(run.bound) < 1e-12 and run.tv.value < 1e-6


def test_terms_are_those_of_single_recoveries():
    """T1 on the half-noised law just before every gate."""
    model = field(5, seed=7)
    circuit = pt.Circuit(model.lattice, [0.9, 0.5, 0.0], radius=1, block=BLOCKS["blocks"])
    run = pt.reverse_circuit(model, pt.Gaussian, circuit, progress=False)
    levels = [pt.Gaussian(t) for t in circuit.times]
    found, done = [], np.zeros(5, dtype=bool)
    for step, layer in circuit:
        for gate in layer:
            early = done.copy()
            early[gate.A] = True
            law = model.noised(mixed(levels[step + 1], levels[step], early))
            rest = np.setdiff1d(np.arange(5), np.concatenate(gate))
            step_noise = levels[step + 1].increment(levels[step])
            one = pt.recovery(law, pt.Tripartition(gate.A, gate.B, rest), step_noise)
            found.append((one.cmi_before.value, one.cmi_before.value - one.cmi_after.value))
            done = early if not early.all() else np.zeros(5, dtype=bool)
    np.testing.assert_allclose(np.stack([run.cmi, run.terms], 1), found, rtol=0, atol=1e-12)


# Parts.


@pytest.mark.parametrize("A", [[2], [0, 3]])
def test_precision_follows_the_noise_on_a_block(A):
    S = dense(field(5, seed=8))
    A, a, b = np.array(A), 0.6, 0.7
    precision = np.linalg.inv(S)
    exact = np.linalg.inv(precision[np.ix_(A, A)])
    _noise_block(precision, A, exact, a, b**2 * np.eye(A.size))
    scale = np.ones(5)
    scale[A] = a
    noisy = scale[:, None] * S * scale
    noisy[A, A] += b**2
    np.testing.assert_allclose(precision, np.linalg.inv(noisy), rtol=1e-11, atol=1e-11)


def test_total_variation_of_two_variances():
    """One dimension: the densities cross at x^2 = log(r)/(1 - 1/r), r the ratio of variances."""
    for ratio in (0.3, 2.5):
        found = _total_variation(np.array([ratio]), rng=1)
        x = math.sqrt(math.log(ratio) / (1 - 1 / ratio))
        exact = abs(2 * ndtr(x / math.sqrt(ratio)) - 2 * ndtr(x))
        assert abs(found.value - exact) < 4 * found.stderr < 0.01


def test_a_torus_of_256_sites():
    """Translation invariance of the order-free circuit, and the bound, at a size without tables."""
    k = 2 - 2 * np.cos(2 * np.pi * np.arange(16) / 16)
    lattice = pt.Lattice.grid((16, 16), periodic=True)
    model = pt.GaussianField.stationary(lattice, 1 / (0.5 + k[:, None] + k))
    circuit = pt.Circuit(lattice, np.linspace(1, 0, 4), radius=1)
    run = pt.reverse_circuit(model, pt.Gaussian, circuit, progress=False)
    assert 0 < run.kl.value < run.bound
    local = pt.Circuit(lattice, np.linspace(1, 0, 4), radius=0)
    single = pt.reverse_circuit(model, pt.Gaussian, local, terms=False, progress=False)
    # Without a buffer sites stay independent: KL = -1/2 log det of the correlation matrix.
    clean = dense(model)
    exact = 0.5 * (np.log(np.diag(clean)).sum() - np.linalg.slogdet(clean)[1])
    assert single.kl.value == pytest.approx(exact, rel=1e-10)
    assert run.kl.value < single.kl.value


# Bad input.


def test_singular_data_are_refused():
    lattice = pt.Lattice.ring(8)
    spectrum = 2 - 2 * np.cos(2 * np.pi * np.arange(8) / 8)
    model = pt.GaussianField.stationary(lattice, spectrum)
    with pytest.raises(ValueError, match=r"no density \(singular covariance"):
        pt.reverse_circuit(model, pt.Gaussian, pt.Circuit(lattice, [1, 0]), progress=False)


def test_other_noise_and_sizes_are_refused():
    model = field(4)
    circuit = pt.Circuit(model.lattice, [0.5, 0])
    with pytest.raises(ValueError, match="BitFlip noise on a Gaussian field"):
        pt.reverse_circuit(model, pt.BitFlip, circuit)
    with pytest.raises(ValueError, match="same t on every site"):
        pt.reverse_circuit(model, lambda t: pt.Gaussian(np.full(4, t)), circuit)
    with pytest.raises(ValueError, match="made for 4 sites: the model has 5"):
        pt.reverse_circuit(field(5), pt.Gaussian, circuit)
