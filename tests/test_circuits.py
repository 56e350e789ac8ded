"""Reverse circuits on tables: geometry, output law, terms of T2, light cones, bad input."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phasetheory as pt
from tests import brute, brute_circuit

SEEDS = st.integers(0, 2**20)
ORDERS = ("layers", "random", "raster")


def random_case(seed, *, n_most=4):
    """A random small law, noise and circuit, for the package and as brute-force channels."""
    rng = np.random.default_rng(seed)
    q = int(rng.choice([2, 2, 3]))
    n = int(rng.integers(2, n_most + 1 if q == 2 else 4))
    symbols = brute.SPINS if q == 2 else tuple(range(q))
    law = brute.random_table(n, symbols, seed, zeros=0.2 if rng.random() < 0.5 else 0.0)
    lattice = pt.Lattice.chain(n)
    model = pt.Table(lattice, np.reshape(brute.table(law, n, symbols), (q,) * n))
    erasing = bool(rng.random() < 0.5) and n < 4
    steps = int(rng.integers(1, 4))
    times = np.append(np.sort(rng.random(steps))[::-1], 0.0)
    if rng.random() < 0.5:
        times[0] = 1.0
    block = [[0, 1], *([i] for i in range(2, n))] if rng.random() < 0.3 else 1
    radius = [float(r) for r in rng.choice([0, 1, 2 if n > 2 else 1, math.inf], size=steps)]
    order = str(rng.choice(ORDERS))
    circuit = pt.Circuit(lattice, times, radius, order=order, block=block, rng=seed)
    levels, increments = channels(times, symbols, erasing)
    return law, model, pt.Erasure if erasing else pt.BitFlip, circuit, levels, increments


def channels(times, symbols, erasing):
    """Channels from the clean data to every time, and between neighbouring times."""
    erased = 0 if symbols == brute.SPINS else -1

    def channel(t):
        if not erasing:
            return brute.bit_flip(t, symbols)
        return brute.erasure(t, symbols, erased=erased) | {erased: {erased: 1.0}}

    between = [
        channel((late - early) / (1.0 - early) if early < 1.0 else 0.0)
        for late, early in itertools.pairwise(times)
    ]
    return [channel(t) for t in times], between


def gates_of(circuit):
    return [
        (tuple(gate.A.tolist()), tuple(gate.B.tolist()), step)
        for step, layer in circuit
        for gate in layer
    ]


def as_table(law, model):
    symbols = brute.SPINS if model.q == 2 else tuple(range(model.q))
    n = model.lattice.n_sites
    return np.reshape(brute.table(law, n, symbols), (model.q,) * n)


# Geometry.


@settings(max_examples=40)
@given(
    shape=st.sampled_from([(7,), (4, 5), (3, 3, 2)]),
    radius=st.integers(0, 2),
    block=st.integers(1, 2),
    periodic=st.booleans(),
)
def test_layers_are_disjoint_and_visit_every_site_once(shape, radius, block, periodic):
    lattice = pt.Lattice.grid(shape, periodic=periodic and min(shape) > 2)
    radius = min(radius, max(shape) // 2)
    circuit = pt.Circuit(lattice, [1.0, 0.0], radius, block=block)
    visited = []
    for layer in circuit.layers(0):
        supports = [np.concatenate([gate.A, gate.B]) for gate in layer]
        together = np.concatenate(supports)
        assert np.unique(together).size == together.size
        visited += [site for gate in layer for site in gate.A.tolist()]
        for gate in layer:
            near = np.flatnonzero(lattice.distances(gate.A) <= radius)
            assert sorted([*gate.A, *gate.B]) == near.tolist()
    assert sorted(visited) == list(range(lattice.n_sites))
    assert circuit.depth == len(circuit.layers(0))


def test_a_chain_needs_as_many_layers_as_a_window_is_wide():
    for radius in range(4):
        circuit = pt.Circuit(pt.Lattice.chain(30), [1.0, 0.0], radius)
        assert circuit.depth == 2 * radius + 1
    assert pt.Circuit(pt.Lattice.chain(5), [1.0, 0.0], math.inf).depth == 5


def test_cost_counts_the_sites_read():
    circuit = pt.Circuit(pt.Lattice.ring(10), [1.0, 0.5, 0.0], [2, math.inf])
    assert circuit.step_costs.tolist() == [10 * 5, 10 * 10]
    assert circuit.cost == 150
    assert circuit.n_gates == 20


def test_radius_may_depend_on_time():
    circuit = pt.Circuit(pt.Lattice.chain(9), [1.0, 0.6, 0.2, 0.0], lambda t: 2 if t < 0.5 else 0)
    assert circuit.radius.tolist() == [0, 0, 2]


@settings(max_examples=20)
@given(seed=SEEDS)
def test_light_cones_by_following_what_each_site_has_seen(seed):
    rng = np.random.default_rng(seed)
    lattice = pt.Lattice.chain(9)
    order = ("layers", "random", "raster", "simultaneous")[int(rng.integers(4))]
    radius = rng.integers(0, 3, size=3).astype(float)
    circuit = pt.Circuit(lattice, [1.0, 0.7, 0.3, 0.0], radius, order=order, rng=seed)
    seen = [{site} for site in range(9)]
    for _, layer in circuit:
        now = [set(one) for one in seen]
        for gate in layer:
            for site in gate.A.tolist():
                now[site] = set().union(*(seen[other] for other in [*gate.A, *gate.B]))
        seen = now
    cones = circuit.light_cones()
    assert [set(np.flatnonzero(row).tolist()) for row in cones] == seen


def test_a_raster_sweep_reaches_across_the_lattice():
    lattice = pt.Lattice.chain(12)
    raster = pt.Circuit(lattice, [1.0, 0.0], 1, order="raster")
    layers = pt.Circuit(lattice, [1.0, 0.0], 1)
    assert raster.light_cones()[-1].all()
    # Three layers of radius 1 carry at most three sites either way.
    assert layers.light_cones().sum(axis=1).max() <= 7


# Output law.


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_output_and_terms_equal_brute_force(seed):
    law, model, noise, circuit, levels, increments = random_case(seed)
    n = model.lattice.n_sites
    run = pt.reverse_circuit(model, noise, circuit, progress=False)
    try:
        output, falls = brute_circuit.run(law, n, levels, increments, gates_of(circuit))
    except KeyError:
        # The circuit visits what its local priors exclude: any completion serves there.
        output, falls = None, None
    if output is not None:
        assert np.abs(run.law.probabilities - as_table(output, model)).max() < 1e-13
        # Sums of entropies lose a few digits of their size, a few nats.
        assert run.terms == pytest.approx(falls, abs=1e-13 * 2**n)
    assert 2.0 * run.tv.value**2 <= run.kl.value + 1e-14
    assert run.kl.value <= run.bound + 1e-14
    assert run.tv.value <= run.triangle_bound + 1e-14
    assert (run.terms <= run.cmi + 1e-14).all()


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_the_terms_add_up_to_the_divergence_of_paths(seed):
    law, model, noise, circuit, levels, increments = random_case(seed, n_most=3)
    if circuit.n_gates > 6 or len(levels[0]) ** circuit.n_gates > 800:
        circuit = pt.Circuit(model.lattice, circuit.times[-2:], circuit.radius[-1])
        levels, increments = levels[-2:], increments[-1:]
    run = pt.reverse_circuit(model, noise, circuit, progress=False)
    gates = gates_of(circuit)
    paths = brute_circuit.path_divergence(law, model.lattice.n_sites, levels, increments, gates)
    assert run.bound == pytest.approx(paths, abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_simultaneous_steps_equal_brute_force(seed):
    law, model, noise, circuit, levels, increments = random_case(seed, n_most=3)
    circuit = pt.Circuit(
        model.lattice, circuit.times, circuit.radius, order="simultaneous", block=circuit.block
    )
    run = pt.reverse_circuit(model, noise, circuit, progress=False)
    steps = [
        [(tuple(g.A.tolist()), tuple(g.B.tolist())) for g in circuit.layers(k)[0]]
        for k in range(circuit.n_steps)
    ]
    try:
        output = brute_circuit.together(law, model.lattice.n_sites, levels, increments, steps)
    except KeyError:
        return
    assert np.abs(run.law.probabilities - as_table(output, model)).max() < 1e-13
    assert run.terms.size == 0 and math.isnan(run.bound)


@pytest.mark.parametrize("noise", [pt.BitFlip, pt.Erasure])
@pytest.mark.parametrize("order", ORDERS)
def test_global_gates_are_exact(noise, order):
    model = pt.Ising(pt.Lattice.grid((2, 4)), coupling=0.8, field=0.1)
    circuit = pt.Circuit(model.lattice, np.linspace(1, 0, 5), math.inf, order=order)
    run = pt.reverse_circuit(model, noise, circuit, progress=False)
    assert run.tv.value < 1e-13
    assert run.bound < 1e-13


@pytest.mark.parametrize("noise", [pt.BitFlip, pt.Erasure])
def test_without_a_buffer_the_error_is_the_total_correlation(noise):
    """Radius 0 carries a product law back to a product law; T2 is an equality then."""
    model = pt.Ising(pt.Lattice.chain(6), coupling=0.7, field=0.2)
    table = pt.Table.from_prior(model).probabilities
    axes = range(6)
    single = [table.sum(axis=tuple(a for a in axes if a != site)) for site in axes]
    product = np.einsum("a,b,c,d,e,f->abcdef", *single)
    total = float((table * np.log(table / product)).sum())
    circuit = pt.Circuit(model.lattice, np.linspace(1, 0, 7), 0)
    run = pt.reverse_circuit(model, noise, circuit, progress=False)
    assert run.kl.value == pytest.approx(total, rel=1e-12)
    assert run.bound == pytest.approx(total, rel=1e-12)


def test_a_raster_sweep_copies_a_repetition_code_and_layers_cannot():
    model = pt.CurieWeiss(9, coupling=math.inf)
    table = pt.Table(pt.Lattice.chain(9), pt.Table.from_prior(model).probabilities)
    times = [1.0, 0.0]
    copied = pt.Circuit(table.lattice, times, 1, order="raster")
    assert pt.reverse_circuit(table, pt.BitFlip, copied, progress=False).tv.value < 1e-14
    layered = pt.Circuit(table.lattice, times, 1)
    run = pt.reverse_circuit(table, pt.BitFlip, layered, progress=False)
    assert run.tv.value > 0.5


def test_simultaneous_error_falls_with_the_step():
    model = pt.Ising(pt.Lattice.chain(6), coupling=0.5)
    errors = []
    for steps in (8, 16, 32):
        circuit = pt.Circuit(
            model.lattice, np.linspace(1, 0, steps + 1), math.inf, order="simultaneous"
        )
        errors.append(pt.reverse_circuit(model, pt.BitFlip, circuit, progress=False).tv.value)
    # First order in the step: halving it halves the error, up to higher orders.
    assert errors[0] > 1.6 * errors[1] > 1.6**2 * errors[2]


def test_symmetry_of_the_lattice_is_kept():
    """Mirror images of a chain's circuit give mirror images of the output law."""
    model = pt.Ising(pt.Lattice.chain(5), coupling=[0.2, 0.9, 0.4, 0.7])
    mirror = pt.Ising(pt.Lattice.chain(5), coupling=[0.7, 0.4, 0.9, 0.2])
    order = [0, 3, 1, 4, 2]
    times = [1.0, 0.4, 0.0]
    one = pt.Circuit(model.lattice, times, 1, order=order)
    two = pt.Circuit(model.lattice, times, 1, order=[4 - site for site in order])
    left = pt.reverse_circuit(model, pt.BitFlip, one, progress=False).law.probabilities
    right = pt.reverse_circuit(mirror, pt.BitFlip, two, progress=False).law.probabilities
    assert np.abs(left - right.transpose()).max() < 1e-15


# Bad input.

CHAIN = pt.Lattice.chain(6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"times": [1.0, 0.5]}, r"times end at t = 0.5: a reverse circuit has to reach t = 0"),
        ({"times": [0.5, 1.0, 0.0]}, "strictly decreasing"),
        ({"times": [1.5, 0.0]}, r"\[0, 1\]"),
        ({"times": [0.0]}, "at least two"),
        ({"radius": 6}, "radius=6: the lattice is only 5 across"),
        ({"radius": -1}, "radius=.*>= 0"),
        ({"radius": [1, 1, 1]}, r"radius has shape \(3,\): a number or 2"),
        ({"order": "spiral"}, "order='spiral': one of layers"),
        ({"order": [0, 1, 2, 3, 4, 4]}, r"repeats \[4\] and omits \[5\]"),
        ({"order": [0, 1, 2]}, r"omits \[3, 4, 5\]"),
        ({"block": 7}, "block=7"),
        ({"block": [[0, 1], [1, 2], [3, 4, 5]]}, r"repeats sites \[1\]"),
        ({"block": [[0, 1], [2, 3]]}, r"omits \[4, 5\]"),
    ],
)
def test_bad_circuits_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        pt.Circuit(CHAIN, **({"times": [1.0, 0.5, 0.0], "radius": 1} | settings))


def test_what_does_not_fit_together_is_refused():
    circuit = pt.Circuit(CHAIN, [1.0, 0.0], 1)
    with pytest.raises(ValueError, match="made for 6 sites: the model has 5"):
        pt.reverse_circuit(pt.Ising(pt.Lattice.chain(5), 0.3), pt.BitFlip, circuit)
    with pytest.raises(ValueError, match="tables need a discrete model"):
        pt.reverse_circuit(pt.Ising(CHAIN, 0.3), pt.Gaussian, circuit)
    with pytest.raises(ValueError, match="one t a site"):
        pt.reverse_circuit(pt.Ising(CHAIN, 0.3), lambda t: pt.BitFlip(np.full(6, t)), circuit)
    large = pt.Ising(pt.Lattice.grid((5, 6)), 0.3)
    with pytest.raises(ValueError, match="limit"):
        pt.reverse_circuit(large, pt.BitFlip, pt.Circuit(large.lattice, [1.0, 0.0], 1))
    bare = pt.CurieWeiss(5, coupling=0.5)
    with pytest.raises(ValueError, match="no distances"):
        pt.Circuit(bare.lattice, [1.0, 0.0], 1)
    assert pt.Circuit(bare.lattice, [1.0, 0.0], math.inf).cost == 25
