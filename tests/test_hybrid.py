"""Hybrid schedules: the optimum, its promise, and where a window of global steps pays."""

import math
from itertools import product

import numpy as np
import pytest
import xarray as xr

import phasetheory as pt
from phasetheory.circuits.allocation import allocate
from phasetheory.circuits.comparison import error_against_cost, on_front
from phasetheory.circuits.falls import circuit_falls
from phasetheory.circuits.hybrid import hybrid_schedule

TIMES = np.linspace(1.0, 0.0, 21)


def ising(shape=(3, 4), coupling=0.8):
    return pt.Ising(pt.Lattice.grid(shape), coupling)


def ring(n, mass2):
    waves = 4.0 * np.sin(np.pi * np.fft.fftfreq(n)) ** 2
    return pt.GaussianField.stationary(pt.Lattice.ring(n), 1.0 / (mass2 + waves))


def code(n, weight):
    p = np.zeros((2,) * n)
    p[(0,) * n], p[(1,) * n] = 1.0 - weight, weight
    return pt.Table(pt.Lattice.chain(n), p)


@pytest.fixture(scope="module")
def ordered():
    model = ising()
    return model, circuit_falls(model, pt.BitFlip, times=TIMES, radius=[0, 1, 2])


# The optimum.


@pytest.mark.parametrize("seed", range(12))
def test_allocation_is_the_best_of_all_choices(seed):
    rng = np.random.default_rng(seed)
    steps, options = 4, 3
    errors = np.sort(rng.random((steps, options)), axis=1)[:, ::-1].copy()
    errors[:, -1] = 0.0
    costs = np.sort(rng.choice(20, options, replace=False) + 1)
    budget, most = rng.random() * 2, [None, 0, 2][seed % 3]
    found = allocate(errors, costs, budget, rationed=options - 1, most=most)
    fits = []
    for choice in product(range(options), repeat=steps):
        error = sum(errors[k, j] for k, j in enumerate(choice))
        allowed = most is None or choice.count(options - 1) <= most
        if error <= budget and allowed:
            fits.append((sum(costs[j] for j in choice), error))
    if not fits:
        assert found is None
        return
    assert found is not None
    mine = (int(costs[found].sum()), sum(errors[k, j] for k, j in enumerate(found)))
    assert mine == pytest.approx(min(fits), abs=1e-12)


def test_allocation_with_rounded_costs_is_nearly_the_best(monkeypatch):
    rng = np.random.default_rng(0)
    errors = np.append(rng.random((30, 2)), np.zeros((30, 1)), axis=1)
    costs = np.array([101, 503, 1009])
    exact = allocate(errors, costs, 5.0, rationed=2, most=None)
    monkeypatch.setattr("phasetheory.circuits.allocation.MAX_ENTRIES", 1e5)
    coarse = allocate(errors, costs, 5.0, rationed=2, most=None)
    unit = math.ceil(30 * 30 * 1009 / 1e5)
    assert costs[exact].sum() <= costs[coarse].sum() <= costs[exact].sum() + 30 * unit
    assert errors[np.arange(30), coarse].sum() <= 5.0


# Falls.


def test_falls_of_one_step_from_pure_noise_are_the_total_correlation():
    """At t = 1 nothing is left, so with r = 0 a step loses KL(p_0 || product of marginals)."""
    model = pt.Table.from_prior(ising((2, 3), 0.6))
    p = model.probabilities.ravel()
    falls = circuit_falls(model, pt.BitFlip, times=[1, 0], radius=[0, 1])
    # All single spins are fair.
    total = 6 * math.log(2) + (p * np.log(p)).sum()
    assert falls["fall"].sel(radius=0).item() == pytest.approx(total, abs=1e-12)
    assert 0 < falls["fall"].sel(radius=1).item() < total


@pytest.mark.parametrize("order", ["layers", "random", "raster", [3, 0, 2, 1, 5, 4, 6, 7]])
def test_a_schedule_from_falls_has_the_bound_of_its_circuit(order):
    model = pt.Ising(pt.Lattice.chain(8), coupling=1.2)
    times = np.linspace(0.9, 0, 7)
    falls = circuit_falls(model, pt.BitFlip, times=times, radius=[0, 1, 3], order=order, rng=5)
    schedule = hybrid_schedule(falls, tolerance=0.3)
    assert len(set(schedule.radius)) > 1
    circuit = schedule.circuit(model.lattice, order=order, rng=5)
    run = pt.reverse_circuit(model, pt.BitFlip, circuit)
    assert run.bound == pytest.approx(schedule.kl_bound, rel=1e-9)
    np.testing.assert_allclose(run.step_terms, schedule.predicted, rtol=1e-9, atol=1e-13)
    assert run.tv.value <= run.tv_bound <= 0.3


def test_falls_of_blocks_count_blocks():
    model = ising((2, 4), 0.7)
    times = np.linspace(1, 0, 5)
    falls = circuit_falls(model, pt.BitFlip, times=times, radius=[0, 1], block=2)
    schedule = hybrid_schedule(falls, tolerance=0.2)
    circuit = schedule.circuit(model.lattice, block=2)
    assert falls["cost"].sel(radius=0).item() == 8
    assert schedule.global_only().cost == 4 * 2 * 8
    run = pt.reverse_circuit(model, pt.BitFlip, circuit)
    assert run.bound == pytest.approx(schedule.kl_bound, rel=1e-9)


@pytest.mark.parametrize("noise", [pt.Erasure, pt.BitFlip])
def test_what_noise_on_one_site_takes(noise):
    """Erasure takes I in proportion to the signal; flips at least as its square (strong DPI)."""
    model, early, late = ising((3, 3), 0.7), 0.3, 0.55
    parts = pt.Lattice.grid((3, 3)).tripartition((0, 0), 1)
    t = np.full(9, early)
    before = pt.cmi(model.noised(noise(t)), parts).value
    t[parts.A] = late
    after = pt.cmi(model.noised(noise(t)), parts).value
    ratio = (1 - late) / (1 - early)
    if noise is pt.Erasure:
        assert after == pytest.approx(ratio * before, rel=1e-9)
    else:
        assert 0 < after < ratio**2 * before


@pytest.mark.parametrize(
    ("model", "noise", "centre"),
    [
        (pt.Ising(pt.Lattice.chain(11), 0.5), pt.BitFlip, (5,)),
        (pt.Ising(pt.Lattice.chain(9), 1.0), pt.Erasure, (4,)),
        (code(11, 0.5), pt.BitFlip, (5,)),
        (ring(24, 0.25), pt.Gaussian, (0,)),
    ],
)
def test_falls_estimated_from_a_scan_are_of_the_right_size(model, noise, centre):
    times = np.linspace(1, 0, 11)
    scan = pt.scan(model, noise, t=times[::-1], radius=[1, 2], centre=centre)
    falls = circuit_falls(model, noise, times=times, radius=[1, 2])
    for r in (1, 2):
        guess = hybrid_schedule(scan, tolerance=0.5).local_only(r)
        exact = hybrid_schedule(falls, tolerance=0.5).local_only(r)
        assert 0.5 < guess.kl_bound / exact.kl_bound < 2.2
        np.testing.assert_array_equal(guess.times, exact.times)


def test_locality_gaps_give_the_terms_of_small_steps():
    """T12 is the limit of T2: the difference falls in proportion to the step."""
    model, radii = ring(12, 0.5), [0, 1, 2]
    t = np.linspace(0.01, 0.99, 197)
    parts = [model.lattice.tripartition((0,), r) for r in radii]
    gaps = [
        [pt.locality_gap(model.noised(pt.Gaussian(s)), part).value for part in parts] for s in t
    ]
    scan = xr.Dataset(
        {
            "locality_gap": (("t", "radius"), gaps),
            "locality_gap_stderr": (("t", "radius"), np.zeros_like(gaps)),
        }
        | {f"size_{x}": ("radius", [getattr(p, x).size for p in parts]) for x in "ABC"},
        coords={"t": t, "radius": radii},
    )  # fmt: skip
    misses = []
    for steps in (20, 40, 80):
        times = np.linspace(1, 0, steps + 1)
        falls = circuit_falls(model, pt.Gaussian, times=times, radius=radii)
        exact = hybrid_schedule(falls, tolerance=1.0)
        guess = hybrid_schedule(scan, tolerance=1.0, times=times, n_sites=12)
        one, other = (s.local_only(1).kl_bound for s in (guess, exact))
        misses.append(abs(one / other - 1))
    assert misses[2] < 0.03
    assert misses[0] > 1.6 * misses[1] > 2.56 * misses[2]


# The promise, and what it costs.


def test_tolerances_are_kept_and_cost_falls_with_them(ordered):
    model, falls = ordered
    costs = []
    for tolerance in (0.03, 0.1, 0.3, 1.0):
        schedule = hybrid_schedule(falls, tolerance=tolerance)
        run = pt.reverse_circuit(model, pt.BitFlip, schedule.circuit(model.lattice))
        assert run.kl.value <= schedule.kl_bound <= 2 * tolerance**2 * (1 + 1e-9)
        assert run.tv.value <= tolerance
        assert schedule.cost == run.circuit.cost
        costs.append(schedule.cost)
    assert costs == sorted(costs, reverse=True)
    assert costs[0] < hybrid_schedule(falls, tolerance=0.1).global_only().cost


def test_shifting_keeps_the_cost_and_the_radii(ordered):
    _, falls = ordered
    schedule = hybrid_schedule(falls, tolerance=0.1)
    (low, high), ((start, end),) = schedule.room, schedule.window
    assert schedule.n_global == round((end - start) / 0.05)
    for k in range(low, high + 1):
        moved = schedule.shifted(k)
        assert moved.cost == schedule.cost
        assert sorted(moved.radius) == sorted(schedule.radius)
        assert moved.window[0] == pytest.approx((start - 0.05 * k, end - 0.05 * k))
    with pytest.raises(ValueError, match=f"k={high + 1}: .* by {low} to {high} steps"):
        schedule.shifted(high + 1)
    names = list(schedule.alternatives())
    assert names[:2] == ["hybrid", "global"]
    assert sum(name.startswith("shifted") for name in names) == high - low
    assert "window  0.3 to 0.8" in str(schedule)


def test_most_global_steps(ordered):
    _, falls = ordered
    free = hybrid_schedule(falls, tolerance=0.3)
    held = hybrid_schedule(falls, tolerance=0.3, max_global_steps=free.n_global - 1)
    assert held.n_global < free.n_global and held.cost >= free.cost
    with pytest.raises(ValueError, match=r"max_global_steps=2 and radii up to 2: .* TV is 0\.\d+"):
        hybrid_schedule(falls, tolerance=0.01, max_global_steps=2)
    # What the message names can be reached.
    try:
        hybrid_schedule(falls, tolerance=0.01, max_global_steps=2)
    except ValueError as error:
        least = float(str(error).split()[-1])
    assert hybrid_schedule(falls, tolerance=least * 1.001, max_global_steps=2).n_global == 2


# Where the window of global steps has to be.


def errors(model, noise, schedules):
    data = error_against_cost(model, noise, schedules, progress=False)
    return dict(zip(data["circuit"].values, data["kl"].values, strict=True))


def test_misplaced_windows_are_worse_in_ordered_data(ordered):
    model, falls = ordered
    schedule = hybrid_schedule(falls, tolerance=0.1)
    low, high = schedule.room
    kl = errors(
        model,
        pt.BitFlip,
        {"right": schedule, "early": schedule.shifted(low), "late": schedule.shifted(high)},
    )
    assert kl["early"] > 10 * kl["right"] and kl["late"] > 3 * kl["right"]


def test_the_same_for_a_massless_field():
    model = ring(24, 1e-4)
    falls = circuit_falls(model, pt.Gaussian, times=TIMES, radius=[0, 1, 2, 4])
    schedule = hybrid_schedule(falls, tolerance=0.3)
    ((_, end),) = schedule.window
    assert end > 0.9  # the length diverges at t -> 1 only
    kl = errors(model, pt.Gaussian, {"right": schedule, "late": schedule.shifted(2)})
    assert kl["late"] > 3 * kl["right"]


def test_a_late_window_repairs_a_repetition_code():
    """Global gates near t = 0 make code words of anything: T2 does not know of repairs."""
    model = code(10, 0.7)
    falls = circuit_falls(model, pt.BitFlip, times=TIMES, radius=[1])
    schedule = hybrid_schedule(falls, tolerance=0.7)
    assert 0 < schedule.n_global < 10
    kl = errors(model, pt.BitFlip, {"T2": schedule, "last": schedule.shifted(schedule.room[1])})
    assert kl["last"] < 0.3 * kl["T2"]


def test_disordered_data_need_no_global_step():
    model = ising(coupling=0.2)
    falls = circuit_falls(model, pt.BitFlip, times=TIMES, radius=[0, 1, 2])
    schedule = hybrid_schedule(falls, tolerance=0.03)
    assert schedule.window == () and schedule.n_global == 0
    assert schedule.cost < 0.5 * schedule.global_only().cost
    with pytest.raises(ValueError, match="no global step to shift"):
        schedule.shifted(1)


def test_front():
    cost, error = np.array([1, 2, 2, 3, 4]), np.array([5.0, 3.0, 4.0, 3.0, 1.0])
    assert on_front(cost, error).tolist() == [True, True, False, False, True]
    assert on_front(np.array([1, 1]), np.array([2.0, 2.0])).all()  # equals do not beat each other


def test_comparison_takes_circuits_and_names(ordered):
    model, _ = ordered
    circuits = {f"r={r}": pt.Circuit(model.lattice, TIMES, r) for r in (0, np.inf)}
    data = error_against_cost(model, pt.BitFlip, circuits, terms=True, progress=False)
    assert data["cost"].values.tolist() == [20 * 12, 20 * 144]
    assert data["cone"].values.tolist() == [1, 12]
    assert (data["kl"] <= data["bound"] + 1e-12).all()
    assert data["start"].isnull().values.tolist() == [True, False]
    with pytest.raises(ValueError, match="circuits is empty"):
        error_against_cost(model, pt.BitFlip, {})


# Scans and bad input.


def scan_of(t, radius=(1, 2), **attrs):
    shape = (len(t), len(radius))
    cells = {"cmi": np.full(shape, 0.01), "cmi_stderr": np.zeros(shape)}
    data = xr.Dataset(
        {name: (("t", "radius"), values) for name, values in cells.items()}
        | {f"size_{x}": ("radius", [n] * len(radius)) for x, n in (("A", 1), ("B", 4), ("C", 20))},
        coords={"t": t, "radius": list(radius)},
        attrs=attrs,
    )  # fmt: skip
    return data


def test_sampled_values_count_with_two_standard_errors():
    t = np.linspace(0, 1, 6)
    exact = hybrid_schedule(scan_of(t, n_sites=25), tolerance=1.0).local_only()
    scan = scan_of(t, n_sites=25)
    scan["cmi"] -= 0.002
    scan["cmi_stderr"] += 0.001
    sampled = hybrid_schedule(scan, tolerance=1.0).local_only()
    np.testing.assert_allclose(sampled.predicted, exact.predicted)
    with pytest.raises(ValueError, match=r"n_sites=None: the scan does not say it"):
        hybrid_schedule(scan_of(t), tolerance=0.1)
    assert hybrid_schedule(scan_of(t), tolerance=0.1, n_sites=25).falls.n_sites == 25


def test_times_between_those_of_the_scan_are_interpolated():
    scan = scan_of(np.linspace(0, 1, 3), n_sites=25)
    schedule = hybrid_schedule(scan, tolerance=1.0, times=[0.75, 0.5, 0.25, 0.0]).local_only()
    # I constant: the larger ratio is at the later time, (s' - s) I/s with s = (1 - t)^2.
    expected = [25 * 0.01 * ((1 - b) ** 2 / (1 - a) ** 2 - 1) for a, b in
                ((0.75, 0.5), (0.5, 0.25), (0.25, 0.0))]  # fmt: skip
    np.testing.assert_allclose(schedule.predicted, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tolerance": 0.0}, r"tolerance=0.0: .* \(0, 1\]"),
        ({"tolerance": 1.5}, r"tolerance=1.5"),
        ({"max_global_steps": -1}, "max_global_steps=-1"),
        ({"times": [0.8, 0.1]}, r"from 0.8 to 0.1 .* reach t = 0"),
        ({"times": [1.2, 0.0]}, r"from 1.2 to 0 and the scan from t = 0 to 1"),
        ({"times": [0.0, 0.5]}, "decreasing"),
        ({"radius": [1, 7]}, r"radius=7 is not in the scan, which has \[1.0, 2.0\]"),
        ({"n_sites": -3}, "n_sites=-3"),
    ],
)
def test_bad_input(change, message):
    scan = scan_of(np.linspace(0, 1, 5), n_sites=25)
    with pytest.raises(ValueError, match=message):
        hybrid_schedule(scan, **({"tolerance": 0.1} | change))


def test_bad_scans(ordered):
    t = np.linspace(0, 1, 5)
    with pytest.raises(ValueError, match=r"variables \['xi'\].*'cmi' \(pt.scan\)"):
        hybrid_schedule(xr.Dataset({"xi": ("t", t)}), tolerance=0.1)
    with pytest.raises(ValueError, match=r"lacks \['size_B'\]"):
        hybrid_schedule(scan_of(t, n_sites=25).drop_vars("size_B"), tolerance=0.1)
    with pytest.raises(ValueError, match=r"scan from t = 0\.2"):
        hybrid_schedule(scan_of(t[1:] * 0.8, n_sites=25), tolerance=0.1)
    hollow = scan_of(t, n_sites=25)
    hollow["size_C"][:] = 0
    with pytest.raises(ValueError, match="no scanned radius leaves sites in C"):
        hybrid_schedule(hollow, tolerance=0.1)
    broken = scan_of(t, n_sites=25)
    broken["cmi"][2, 0] = np.nan
    with pytest.raises(ValueError, match="NaN: finish the scan"):
        hybrid_schedule(broken, tolerance=0.1)
    with pytest.raises(ValueError, match="the falls belong to"):
        hybrid_schedule(ordered[1], tolerance=0.1, times=[1.0, 0.0])
    with pytest.raises(ValueError, match=r"lattice has 4 sites: the schedule is made for 12"):
        hybrid_schedule(ordered[1], tolerance=0.1).circuit(pt.Lattice.chain(4))
    with pytest.raises(ValueError, match=r"radius=9: one of \[0.0, 1.0, 2.0\]"):
        hybrid_schedule(ordered[1], tolerance=0.1).local_only(9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radius": [0, math.inf]}, "distinct finite"),
        ({"radius": [1, 1]}, "distinct finite"),
        ({"order": "simultaneous"}, "no terms"),
        ({"times": [1, 0.5]}, "reach t = 0"),
    ],
)
def test_falls_refuse(change, message):
    given = {"times": [1, 0], "radius": [0]} | change
    with pytest.raises(ValueError, match=message):
        circuit_falls(ising((2, 2)), pt.BitFlip, **given)
