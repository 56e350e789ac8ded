"""T2, T3 and T4: on random instances, where they are tight, and the parts that they are made of."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phasetheory as pt
from phasetheory.theorems import THEOREMS, verify, zoo
from phasetheory.theorems.circuit_instance import circuit_instance, down
from tests import brute

SEEDS = st.integers(0, 2**20)


def holding(key, instance):
    rows = THEOREMS[key].check(instance, 0)
    assert rows
    for row in rows:
        assert row.holds, row
    return rows


# T2.


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_t2_on_random_tables(seed):
    rng = np.random.default_rng(seed)
    model = zoo.random_table(int(rng.integers(3, 7)), 2, seed)
    noise = pt.BitFlip if rng.random() < 0.6 else pt.Erasure
    times = down(int(rng.integers(1, 4)), float(rng.uniform(0.2, 1.0)))
    order = str(rng.choice(["layers", "random", "raster"]))
    radius = float(rng.integers(0, 3))
    holding("T2", circuit_instance("random", model, noise, times, radius, order=order))


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_t2_on_random_gaussian_fields(seed):
    rng = np.random.default_rng(seed)
    model = zoo.random_field(int(rng.integers(3, 8)), seed)
    times = down(int(rng.integers(1, 6)), float(rng.uniform(0.2, 1.0)))
    radius = float(rng.integers(0, 2))
    holding("T2", circuit_instance("random", model, pt.Gaussian, times, radius))


def test_t2_is_tight_without_a_buffer():
    rows = verify(["T2"], progress=False).of("T2")
    best = {text: max(r.tightness for r in rows if r.relation == text)
            for text in {r.relation for r in rows}}  # fmt: skip
    assert all(value > 0.999 for value in best.values()), best


# T3.


def test_envelope_lies_above_and_touches():
    values = [0.3, 0.08, 0.03, 0.004]
    gamma, xi = pt.envelope(values)
    radii = np.arange(4)
    above = gamma * np.exp(-radii / xi)
    assert (above >= np.array(values) * (1 - 1e-12)).all()
    assert (above / values).min() == pytest.approx(1.0)
    # The slowest fall is the second one.
    assert xi == pytest.approx(1.0 / math.log(0.08 / 0.03))


@pytest.mark.parametrize("values", [[0.1, 0.2], [0.1], [0.1, 0.0], [0.1, -1e-17], [0.1, 0.1]])
def test_envelope_refuses_what_does_not_fall(values):
    with pytest.raises(ValueError, match="positive values that fall"):
        pt.envelope(values)


@pytest.mark.parametrize("name", ["n_sites", "n_steps", "gamma", "xi", "tv"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_radii_of_numbers_that_make_no_sense_are_refused(name, value):
    given = {"n_sites": 10, "n_steps": 5, "gamma": 0.1, "xi": 1.0, "tv": 0.1}
    with pytest.raises(ValueError, match=f"{name}={value}: a number > 0"):
        pt.sufficient_radii(**(given | {name: value}))


def test_radii_solve_their_equations():
    found = pt.sufficient_radii(20, 50, 0.3, 1.7, 0.05)
    bound = 20 * 50 * 0.3 * math.exp(-found["composition"] / 1.7)
    assert math.sqrt(bound / 2.0) == pytest.approx(0.05)
    term = 0.3 * math.exp(-found["triangle"] / 1.7)
    assert 20 * 50 * math.sqrt(term / 2.0) == pytest.approx(0.05)
    assert found["composition"] < found["triangle"]


def test_t3_hypothesis_is_about_half_noised_laws():
    """A gate's CMI can exceed that of both uniform laws around it, so those are not enough."""
    model = pt.Ising(pt.Lattice.chain(7), coupling=1.0)
    times = [1.0, 0.6, 0.0]
    circuit = pt.Circuit(model.lattice, times, 1)
    run = pt.reverse_circuit(model, pt.BitFlip, circuit, progress=False)
    uniform = [
        max(
            pt.cmi(model.noised(pt.BitFlip(t)), model.lattice.tripartition(site, 1)).value
            for site in range(7)
        )
        for t in times[1:]
    ]
    assert run.cmi[7:].max() > max(uniform) * 1.05


# T4.


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_t4_on_random_tables(seed):
    rng = np.random.default_rng(seed)
    q = int(rng.integers(2, 4))
    model = zoo.random_table(4 if q == 3 else 6, q, seed)
    times = down(int(rng.integers(1, 3)))
    instance = circuit_instance("random", model, pt.BitFlip, times, 0)
    holding("T4", instance)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_t4_for_any_product_law_and_any_functions(seed):
    """The quarter needs nothing of the gates: any p, any product law, any f and g in [-1, 1]."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(9, 0.3)).reshape(3, 3)
    product = np.outer(rng.dirichlet(np.full(3, 0.5)), rng.dirichlet(np.full(3, 0.5)))
    f, g = rng.uniform(-1, 1, size=(2, 3))
    if rng.random() < 0.5:
        f, g = np.sign(f), np.sign(g)
    covariance = f @ p @ g - (f @ p.sum(axis=1)) * (g @ p.sum(axis=0))
    tv = 0.5 * np.abs(p - product).sum()
    assert abs(covariance) <= 4.0 * tv + 1e-14


def test_t4_quarter_cannot_be_improved():
    """Nearly all mass in one corner, the rest in the opposite one, against that one corner."""
    for rare in (1e-2, 1e-4):
        p = np.diag([1.0 - rare, rare])
        tv = 0.5 * np.abs(p - np.diag([1.0, 0.0])).sum()
        spins = np.array([-1.0, 1.0])
        covariance = spins @ p @ spins - (spins @ p.sum(axis=1)) ** 2
        assert covariance / (4.0 * tv) == pytest.approx(1.0 - rare)


def test_best_pair_by_trying_all():
    law = brute.random_table(5, brute.SPINS, 3)
    model = pt.Table(pt.Lattice.chain(5), np.reshape(brute.table(law, 5, brute.SPINS), (2,) * 5))
    circuit = pt.Circuit(model.lattice, [1.0, 0.0], 0)
    found = pt.cone_bound(model, circuit)
    best = max(
        abs(
            math.fsum(p * x[i] * x[j] for x, p in law.items())
            - math.fsum(p * x[i] for x, p in law.items())
            * math.fsum(p * x[j] for x, p in law.items())
        )
        for i, j in itertools.combinations(range(5), 2)
    )
    assert found.covariance.value == pytest.approx(best, rel=1e-12)
    assert found.tv.value == pytest.approx(best / 4, rel=1e-12)


def test_products_of_bonds_see_what_single_bonds_cannot():
    """Single bonds of closed loops are independent in pairs; two paths across are not."""
    patch = pt.LoopEnsemble.pinned((3, 2))
    circuit = pt.Circuit(patch.lattice, [1.0, 0.0], 0)
    alone = pt.cone_bound(patch, circuit)
    n = patch.lattice.n_sites
    table = pt.Table.from_prior(patch).probabilities
    paths = _paths_across(table)
    assert len(paths) >= 2
    across = pt.cone_bound(patch, circuit, paths[0], paths[1])
    assert across.covariance.value == pytest.approx(1.0, rel=1e-12)
    assert alone.tv.value < across.tv.value
    assert n == table.ndim


def _paths_across(table):
    """Disjoint sets of bonds whose products always agree and are +1 half of the time."""
    n = table.ndim
    states = np.array(list(itertools.product((-1, 1), repeat=n)))
    weights = table.ravel()
    found = []
    for size in (2, 3):
        for sites in itertools.combinations(range(n), size):
            sign = states[:, sites].prod(axis=1)
            if abs(weights @ sign) > 1e-9:
                continue
            for other in found:
                agree = weights @ (sign * states[:, other].prod(axis=1))
                if abs(agree - 1.0) < 1e-9 and not set(other) & set(sites):
                    return [list(other), list(sites)]
            found.append(sites)
    return []


def test_sampled_covariance_carries_its_error():
    model = pt.Ising(pt.Lattice.grid((4, 5)), coupling=0.6)
    circuit = pt.Circuit(model.lattice, [1.0, 0.0], 0)
    corner, far = [0], [19]
    exact = pt.Table.from_prior(model).probabilities
    spins = np.array([-1.0, 1.0])
    joint = exact.sum(axis=tuple(range(1, 19)))
    truth = spins @ joint @ spins
    found = [
        pt.cone_bound(model, circuit, corner, far, n_samples=400, rng=seed).covariance
        for seed in range(60)
    ]
    z = np.array([(one.value - truth) / one.stderr for one in found])
    # 60 draws of about unit variance: its own error is sqrt(2/60), the mean's 1/sqrt(60).
    assert abs(z.mean()) < 4 / math.sqrt(60)
    assert abs(z.var() - 1.0) < 4 * math.sqrt(2 / 60)


def test_meeting_cones_give_no_bound():
    model = pt.Ising(pt.Lattice.chain(6), coupling=0.6)
    raster = pt.Circuit(model.lattice, [1.0, 0.0], 1, order="raster")
    assert pt.cone_bound(model, raster, [4], [5]).tv.value == 0.0
    wide = pt.Circuit(model.lattice, [1.0, 0.0], math.inf)
    found = pt.cone_bound(model, wide)
    assert found.tv.value == 0.0 and found.F.size == 0


def test_bad_input_of_the_converse():
    model = pt.Ising(pt.Lattice.chain(6), coupling=0.6)
    with pytest.raises(ValueError, match=r"starts at t = 0.5: at t = 1"):
        pt.cone_bound(model, pt.Circuit(model.lattice, [0.5, 0.0], 0))
    circuit = pt.Circuit(model.lattice, [1.0, 0.0], 0)
    with pytest.raises(ValueError, match="both or neither"):
        pt.cone_bound(model, circuit, [0])
    with pytest.raises(ValueError, match="n_samples=1: at least 2"):
        pt.cone_bound(model, circuit, [0], [1], n_samples=1)
    field = zoo.neighbour_field(model.lattice, 0.3)
    with pytest.raises(ValueError, match="continuous"):
        pt.cone_bound(field, circuit)
