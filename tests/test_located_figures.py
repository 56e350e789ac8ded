"""What the figures say of transitions: the numbers behind them against brute force and theory."""

import math

import numpy as np
import pytest

import phasetheory as pt
from paper_figures import a_noisy_column_knows_the_critical_temperature as ring
from paper_figures import cold_ising_data_change_phase_only_at_pure_noise as diagram
from paper_figures import located, runner
from paper_figures import markov_lengths_diverge_where_a_phase_ends as zoo
from paper_figures import mixture_window_closes_as_one_over_n as mixture
from paper_figures import parity_of_a_strip_tells_the_threshold as parity
from paper_figures import sector_information_collapses_at_three_transitions as sectors
from paper_figures.store import Rows, task_key
from phasetheory.transitions import collapse
from tests import brute

KEYS = {
    "transition",
    "quantity",
    "found",
    "stderr",
    "literature",
    "literature_stderr",
    "source",
    "verdict",
}


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
    assert located.judged(T_c).startswith("agrees")


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
    assert located.judged(T_c) == "not located"


# The mixture.


def test_mixture_exponents():
    table = mixture.located(committed(mixture))
    assert [entry["quantity"].split(": ")[1] for entry in table] == [
        "1 - t* at the peak",
        "window start",
        "window end",
        "speciation start / K*",
        "speciation end",
    ]
    for entry, power in zip(table, (-1.0, -1.0, -1.0, -1.0, -2.0), strict=True):
        assert entry.keys() == KEYS
        assert entry["literature"] == power
        assert abs(entry["found"] - power) < 2 * entry["stderr"] < 0.1


def test_a_window_of_another_power_is_told():
    """Negative control: the same curves in the scaled time (1-t) sqrt(N) are not 1/N."""
    rows = [
        {**row, "scaled": (np.array(row["scaled"]) * math.sqrt(row["side"])).tolist()}
        for row in committed(mixture)
    ]
    for entry in mixture.located(rows)[:3]:
        assert entry["found"] > -0.7
        assert located.judged(entry).startswith("off")


def test_two_sizes_are_too_few():
    (entry, *_) = mixture.located(committed(mixture)[:2])
    assert math.isnan(entry["found"])
    assert entry["verdict"] == "not located: too few sizes"


# Loops and syndromes.


@pytest.mark.parametrize("noise", sectors.NOISES)
def test_times_of_loops_do_not_scale_into_each_other(noise):
    """On the master curve's axis, with the literature's t_c and nu, they are many places.

    Times placed by L^(-1/nu) would be nine, and any curve through nine places a master curve.
    """
    t_c, nu = sectors.CRITICAL[noise], sectors.KNOWN[noise][2]
    x = np.sort(
        np.concatenate(
            [
                (np.array(sectors.times(noise, size)) - t_c) * size ** (1.0 / nu)
                for size in sectors.ROWS
            ]
        )
    )
    # Closer than a fiftieth of a step counts as one place.
    apart = np.diff(x) > np.ptp(x) / (sectors.POINTS - 1) / 50
    assert 1 + apart.sum() > 3 * sectors.POINTS


def test_loops_locate_the_three_transitions():
    """Six numbers; errors hold statistics and drift, so that 3 of them is a claim of 99.7 %."""
    table = sectors.located(committed(sectors))
    assert len(table) == 6
    for entry in table:
        assert entry.keys() == KEYS
        assert entry["verdict"].startswith("collapse ok")
        assert abs(located.distance(entry)) < 3
        assert entry["stderr"] < 0.05 * entry["literature"]


def test_surface_code_locates_its_threshold():
    p_c, nu = parity.located(committed(parity))
    assert p_c.keys() == nu.keys() == KEYS
    assert p_c["verdict"].startswith("collapse ok")
    assert abs(located.distance(p_c)) < 3
    assert abs(located.distance(nu)) < 3
    assert p_c["stderr"] < 0.001


def test_curves_that_only_shift_locate_nothing():
    """Negative control: the committed curves, their sizes in the wrong order of sharpness."""
    rows = [
        {**row, "t": row["t"] + 0.002 * row["rows"]}
        for row in committed(sectors)
        if row["noise"] == "bit flips"
    ]
    found = collapse(sectors.curves(rows, "bit flips"), a=0.0)
    assert not found.ok


def test_the_table_prints_every_number_once(capsys, monkeypatch):
    table = located.findings()
    monkeypatch.setattr(located, "findings", lambda: table)
    assert len({(row["transition"], row["quantity"]) for row in table}) == len(table)
    located.main()
    text = capsys.readouterr().out
    for row in table:
        assert located.short(row["found"], row["stderr"]) in text


def test_short_notation():
    assert located.short(0.21751, 0.00055) == "0.2175(6)"
    assert located.short(-0.987, 0.0161) == "-0.987(16)"
    assert located.short(1.5, 0.0) == "1.5"
    assert located.short(123.4, 30.0) == "123(30)"


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
