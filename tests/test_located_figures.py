"""What the figures say of transitions: the numbers behind them against brute force and theory."""

import math

import numpy as np
import pytest

import phasetheory as pt
from paper_figures import a_noisy_column_knows_the_critical_temperature as ring
from paper_figures import cold_ising_data_change_phase_only_at_pure_noise as diagram
from paper_figures import markov_lengths_diverge_where_a_phase_ends as zoo
from paper_figures import mixture_window_closes_as_one_over_n as mixture
from paper_figures import runner
from paper_figures.store import Rows, task_key
from tests import brute

KEYS = {"transition", "quantity", "found", "stderr", "literature", "source", "verdict"}


def committed(script):
    """Rows of the full size as they lie in the repository; the test fails if one is missing."""
    name = script.__name__.rsplit(".", 1)[1]

    def missing(task):
        raise AssertionError(f"{name}: no committed row for {task}")

    return Rows(runner.ROWS / f"{name}.jsonl").get_or_compute(script.tasks(False), missing)


# T_c from noisy rings.


def test_ring_information_against_brute_force():
    """A cylinder of 3 spins around and 3 long: I(boundary spin; noisy ring at distance 2)."""
    T, t = 2.3, 0.3
    edges = [(0, 1 + row) for row in range(3)]
    edges += [(1 + 3 * c + r, 1 + 3 * c + (r + 1) % 3) for c in range(3) for r in range(3)]
    edges += [(1 + 3 * c + r, 4 + 3 * c + r) for c in range(2) for r in range(3)]
    law = brute.ising(10, edges, [1.0 / T] * len(edges))
    # What is not observed needs no noise: only the ring has some.
    channels = [brute.bit_flip(t) if 4 <= i <= 6 else brute.identity((-1, 1)) for i in range(10)]
    expected = brute.mutual_information(brute.noisy(law, channels), [0], [4, 5, 6])
    lattice = ring.cylinder(3, length=3)
    assert sorted(map(tuple, lattice.edges.tolist())) == sorted(tuple(sorted(e)) for e in edges)
    assert ring.information(lattice, 2, T, t) == pytest.approx(expected, abs=1e-12)


def test_ring_rows_locate_onsager():
    rows = committed(ring)
    T_c, nu = ring.located(rows)
    assert T_c.keys() == nu.keys() == KEYS
    assert T_c["literature"] == pytest.approx(2.0 / math.log(1.0 + math.sqrt(2.0)))
    # Errors are the spread of the fits: a claim about them, not about chance.
    assert abs(T_c["found"] - T_c["literature"]) < 2 * T_c["stderr"] < 0.005
    assert abs(nu["found"] - 1.0) < 2 * nu["stderr"] < 0.1
    assert T_c["verdict"].startswith("agrees")


def test_the_table_says_where_nothing_is_located():
    """Negative control: away from T_c the curves of all widths are in order and do not cross."""
    rows = [
        {
            **row,
            "T": [T + 1.0 for T in row["T"]],
            "information": (0.1 * row["width"] + far).tolist(),
        }
        for row in committed(ring)
        for far in [np.linspace(0.02, 0.0, len(row["T"]))]
    ]
    T_c, _ = ring.located(rows)
    assert math.isnan(T_c["found"])
    assert T_c["verdict"].startswith("not located")


# The mixture.


def test_mixture_exponents():
    table = mixture.located(committed(mixture))
    assert [entry["quantity"].split(": ")[1] for entry in table] == [
        "1 - t* at the peak",
        "window start",
        "window end",
    ]
    for entry in table:
        assert entry.keys() == KEYS
        assert abs(entry["found"] + 1.0) < 2 * entry["stderr"] < 0.1


def test_a_window_of_another_power_is_told():
    """Negative control: the same curves in the scaled time (1-t) sqrt(N) are not 1/N."""
    rows = [
        {**row, "scaled": (np.array(row["scaled"]) * math.sqrt(row["side"])).tolist()}
        for row in committed(mixture)
    ]
    for entry in mixture.located(rows):
        assert entry["found"] > -0.7
        assert entry["verdict"].startswith("off")


def test_two_sizes_are_too_few():
    (entry, *_) = mixture.located(committed(mixture)[:2])
    assert math.isnan(entry["found"])
    assert entry["verdict"] == "not located: too few sizes"


# Markov lengths of the zoo.


@pytest.mark.parametrize("t", [0.5, 0.7, 0.9])
def test_length_of_the_massive_field(t):
    """Far out the CMI of the noisy free field decays by exp(-2 kappa) a site."""
    side, mass = 40, 0.5
    radii = [6, 7, 8, 9]
    scan = pt.scan(zoo._field(mass, side), pt.Gaussian, t=[t], radius=radii, centre=(20, 20))
    steps = np.diff(np.log(scan["cmi"].values[0]))
    measured = -1.0 / steps[-1]
    # A power r^-eta in front adds eta/r to the rate; 0 < eta < 2 in two dimensions.
    low = 1.0 / (1.0 / zoo.field_length(t, mass) + 2.0 / radii[-2])
    assert low < measured < 1.02 * zoo.field_length(t, mass)


def test_length_of_the_massless_field_diverges_with_the_noise_to_signal_ratio():
    """Continuum: kappa = alpha/sigma, so that xi (1-t)/t -> 1/2."""
    times = np.array([0.99, 0.999, 0.9999])
    error = zoo.field_length(times, 0.0) * (1.0 - times) / times - 0.5
    assert (np.abs(error) < (1.0 - times) ** 2).all()
    assert zoo.field_length(0.9999, 0.5) < 1.1  # a mass caps it


def test_length_of_two_clusters():
    """From r to 2r the CMI falls by exp(-r/xi), up to the prefactor r^-1/2."""
    t, sites = 0.8, 2048
    xi = float(zoo.mixture_length(t))
    radii = [round(4 * xi), round(8 * xi)]
    scan = pt.scan(zoo._mixture(sites), pt.Gaussian, t=[t], radius=radii, centre=sites // 2)
    first, last = scan["cmi"].values[0]
    fall = math.log(first / last) - 0.5 * math.log(2.0)
    assert fall == pytest.approx((radii[1] - radii[0]) / xi, rel=0.05)


def test_lengths_of_committed_rows():
    """Massless and mixture grow without bound towards pure noise, the massive field does not."""
    found = zoo.lengths(committed(zoo))
    for name in ("massless", "mixture", "strip at", "strip below"):
        own = found[name].where(found[name]["verdict"] == "ok", drop=True)
        late = own["xi"].values[-3:]
        assert (np.diff(late) > 0).all(), name
    massive = found["massive"].sel(t=0.97)
    assert float(massive["xi"]) < 1.05 * float(zoo.field_length(1.0, zoo.MASSES["massive"]))


def test_strip_rows_are_those_of_the_strip_figure():
    own = {task_key({k: v for k, v in task.items() if k != "what"})
           for task in zoo.tasks(False) if task["what"] == "strip"}  # fmt: skip
    theirs = {task_key(task) for task in zoo.strips.tasks(False)}
    assert own == theirs


# The phase diagram.


def test_bonds_end_their_phase_at_the_nishimori_point_and_later_when_colder():
    ends = diagram.boundary(committed(diagram))
    t_c, error = ends[0.0]
    # Sizes 6 and 12 cross within a few per cent of the limit.
    assert abs(t_c - diagram.NISHIMORI) < 4 * error + 0.01
    times = [ends[ratio][0] for ratio in sorted(ends)]
    assert len(times) == len(diagram.BONDS)
    assert times[-1] > times[-2] > times[0] + 0.05


def test_spins_have_no_mark_at_t_c_but_grow_below_it_near_pure_noise():
    narrow, wide = diagram.lengths(committed(diagram))
    middle = narrow["xi"].sel(t=0.6)
    around = middle.sel(ratio=[0.9, 0.95, 1.0, 1.05, 1.1]).values
    assert np.nanmax(around) < 1.5 * np.nanmin(around)
    late = narrow["xi"].sel(t=0.95)
    assert float(late.sel(ratio=1.3)) > 4 * float(late.sel(ratio=0.7))
    # Only where the length grows does the width of the strip limit it.
    ratio = wide["xi"].sel(t=0.95) / late.sel(ratio=wide["ratio"])
    assert float(ratio.sel(ratio=1.3)) > 1.1 > float(ratio.sel(ratio=0.7)) > 0.9
