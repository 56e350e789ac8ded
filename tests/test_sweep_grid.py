"""Grids: which tasks a section means, keys that outlive defaults, errors that name the culprit."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import phasetheory as pt
from phasetheory.sweep import GEOMETRIES, MODELS, NOISES, QUANTITIES, Grid, Stop
from phasetheory.sweep.config import read_config
from phasetheory.sweep.describe import digest
from phasetheory.sweep.moments import Moments, pooled
from phasetheory.sweep.options import RESERVED, settable
from phasetheory.sweep.stop import missing

STRIP = {"name": "Ising", "size": 4, "width": 2, "coupling": 0.3}
FLIP = {"name": "BitFlip", "t": 0.2}
CENTRE = {"name": "centre", "radius": 1}


def keys(*sections, **options):
    return [task.key for task in Grid(*sections, **options).tasks]


def test_every_combination_is_one_task():
    axes = {"size": [3, 4], "coupling": [0.1, 0.2, 0.3], "t": [0.1, 0.5], "radius": [0, 1, 2]}
    grid = Grid(
        {"name": "Ising", "size": axes["size"], "coupling": axes["coupling"]},
        {"name": "BitFlip", "t": axes["t"]},
        [{"name": "centre", "radius": axes["radius"]}, {"name": "slabs", "radius": [1]}],
        seed=[0, 1],
    )
    found = set()
    for task in grid.tasks:
        d = task.description
        place = (d["model"]["size"], d["model"]["coupling"], d["noise"]["t"])
        found.add((*place, d["geometry"]["name"], d["geometry"]["radius"], d["seed"]))
    geometries = [*(("centre", r) for r in axes["radius"]), ("slabs", 1)]
    rest = itertools.product(axes["size"], axes["coupling"], axes["t"], geometries, [0, 1])
    assert found == {(L, J, t, *g, s) for L, J, t, g, s in rest}
    assert len({task.key for task in grid.tasks}) == len(grid.tasks) == len(found)
    # Radii of one geometry share their samples; nothing else does.
    assert len(grid.streams) == 2 * 3 * 2 * 2 * 2


def test_the_description_is_what_the_key_says():
    (task,) = Grid(STRIP, FLIP, CENTRE, n_samples=100, seed=7).tasks
    assert task.description == {
        "format": 1,
        "model": {"name": "Ising", "size": 4, "width": 2, "coupling": 0.3},
        "noise": {"name": "BitFlip", "t": 0.2},
        "geometry": {"name": "centre", "radius": 1.0},
        "quantity": {"name": "cmi"},
        "n_samples": 100,
        "seed": 7,
    }
    assert task.key == digest(task.description)


def test_spelling_does_not_change_the_key():
    plain = keys(STRIP, FLIP, CENTRE)
    same = [
        keys(STRIP | {"size": 4.0, "field": 0.0}, FLIP, CENTRE),
        keys(dict(reversed(STRIP.items())), {"name": pt.BitFlip, "t": [0.2]}, CENTRE),
        keys([STRIP], FLIP, CENTRE | {"radius": np.array([1])}, {"name": "cmi", "method": "auto"}),
        keys(STRIP, {"name": "BitFlip", "t": {"start": 0.2, "stop": 0.3, "num": 1}}, CENTRE),
    ]
    assert all(other == plain for other in same)
    other = [
        keys(STRIP | {"field": 0.1}, FLIP, CENTRE),
        keys(STRIP, {"name": "Erasure", "t": 0.2}, CENTRE),
        keys(STRIP, FLIP, CENTRE | {"block": 2}),
        keys(STRIP, FLIP, CENTRE, "locality_gap"),
        keys(STRIP, FLIP, CENTRE, n_samples=10),
        keys(STRIP, FLIP, CENTRE, seed=1),
    ]
    assert len({*plain, *(key for one in other for key in one)}) == 7


def test_a_range_and_a_list_name_the_same_times():
    made = keys(STRIP, {"name": "BitFlip", "t": {"start": 0.1, "stop": 0.9, "num": 9}}, CENTRE)
    times = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert made == keys(STRIP, {"name": "BitFlip", "t": times}, CENTRE)


def test_noises_from_a_callable_are_known_by_their_numbers():
    ou = pt.schedules.ornstein_uhlenbeck
    field = {"name": "FreeField", "size": 3, "mass": 1.0, "dimension": 1}
    one, same, other = (
        keys(field, {"name": lambda t, h=h: pt.Gaussian(t, ou(h)), "t": 0.4}, CENTRE)
        for h in (2.0, 2.0, 3.0)
    )
    assert one == same != other


def custom(*, size: int, strength=1.0):
    return pt.Ising(pt.Lattice.chain(size), strength)


def test_models_of_the_user():
    grid = Grid({"name": custom, "size": [3, 4]}, FLIP, CENTRE)
    assert grid.tasks[0].description["model"] == {"name": f"{__name__}:custom", "size": 3}
    grid.check()
    ready = Grid(pt.Ising(pt.Lattice.chain(4), 0.3), FLIP, CENTRE)
    assert ready.tasks[0].description["model"]["name"] == "Ising"


def test_every_name_can_be_described_and_documented():
    for section, table in (("model", MODELS), ("noise", NOISES), ("geometry", GEOMETRIES)):
        for name, function in table.items():
            assert function.__doc__, name
            assert not set(settable(section, function)) & set(RESERVED), name
    for name, quantity in QUANTITIES.items():
        assert quantity.long_name, name
    owners = [
        {p for f in table for p in settable(section, f)}
        for section, table in (
            ("model", MODELS.values()),
            ("noise", NOISES.values()),
            ("geometry", GEOMETRIES.values()),
            ("quantity", [quantity.measure for quantity in QUANTITIES.values()]),
        )
    ]
    for one, other in itertools.combinations(owners, 2):
        assert not one & other


# Geometries, against their definitions.


@given(st.integers(2, 6), st.integers(2, 7), st.integers(0, 3), st.integers(1, 2))
def test_slabs_are_whole_columns(height, width, radius, block):
    lattice = pt.Lattice.grid((height, width))
    if block + radius >= width:
        with pytest.raises(ValueError, match="C needs one"):
            GEOMETRIES["slabs"](lattice, radius=radius, block=block)
        return
    parts = GEOMETRIES["slabs"](lattice, radius=radius, block=block)
    columns = {name: set((getattr(parts, name) % width).tolist()) for name in "ABC"}
    assert columns["A"] == set(range(block))
    assert columns["B"] == set(range(block, block + radius))
    assert columns["C"] == set(range(block + radius, width))
    assert parts.union("ABC").size == height * width


def test_an_annulus_ends_where_it_should():
    lattice = pt.Lattice.grid((9, 9))
    parts = GEOMETRIES["centre"](lattice, radius=1, thickness=2)
    assert parts.A.tolist() == [40]
    assert (parts.B.size, parts.C.size) == (8, 7 * 7 - 9)


def test_scaled_regions_grow_with_the_lattice():
    sizes = []
    for side in (9, 17, 33):
        parts = GEOMETRIES["scaled"](pt.Lattice.grid((side, side)), radius=0.5)
        reach = (side - 1) // 2
        assert parts.B.size == (2 * (reach // 2) + 1) ** 2 - 1
        sizes.append(parts.C.size / parts.B.size)
    assert max(sizes) / min(sizes) < 1.2


def test_the_middle_of_bonds_is_in_the_middle():
    spins = pt.Lattice.grid((6, 6))
    bonds = pt.Lattice.of_bonds(spins)
    (bond,) = GEOMETRIES["centre"](bonds, radius=1).A
    ends = np.array([divmod(int(spin), 6) for spin in spins.edges[bond]])
    assert np.abs(ends.mean(axis=0) - 2.5).max() <= 0.5


def test_counts_are_counts():
    parts = GEOMETRIES["counts"](pt.Lattice.bare(10), radius=3, block=2, far=4)
    assert [getattr(parts, name).tolist() for name in "ABC"] == [[0, 1], [2, 3, 4], [5, 6, 7, 8]]


# Refusals.


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (({"name": "Isng"}, FLIP, CENTRE), "unknown model 'Isng': did you mean 'Ising'"),
        (({"size": 3}, FLIP, CENTRE), "model has no name"),
        ((STRIP | {"sise": 3}, FLIP, CENTRE), "unknown key 'sise' in model.*mean 'size'"),
        (({"name": "Ising", "size": 3}, FLIP, CENTRE), "model 'Ising' lacks coupling"),
        ((STRIP | {"size": 3.5}, FLIP, CENTRE), "model.size=3.5: a whole number"),
        ((STRIP | {"size": True}, FLIP, CENTRE), "model.size=True: a whole number"),
        ((STRIP | {"coupling": "x"}, FLIP, CENTRE), "model.coupling='x': a number"),
        ((STRIP | {"coupling": float("nan")}, FLIP, CENTRE), "model.coupling=nan"),
        ((STRIP | {"size": []}, FLIP, CENTRE), "model.size.*at least one value"),
        ((STRIP | {"size": [3, 3]}, FLIP, CENTRE), "model.size holds 3 twice"),
        ((STRIP, {"name": "BitFlip", "t": {"start": 0, "end": 1}}, CENTRE), "unknown key 'end'"),
        ((STRIP, {"name": "BitFlip", "t": {"start": 0, "stop": 1}}, CENTRE), "lacks num"),
        ((STRIP, {"name": "BitFlip"}, CENTRE), "noise 'BitFlip' lacks t"),
        ((STRIP, FLIP, CENTRE | {"centre": "left"}), "geometry.centre='left': \"middle\""),
        ((STRIP, FLIP, CENTRE, "cmy"), "unknown quantity 'cmy': did you mean 'cmi'"),
        ((STRIP, FLIP, CENTRE, {"name": "cmi", "method": "best"}), "quantity.method='best': one"),
        ((STRIP, FLIP, CENTRE, "cmi", 1), "n_samples=1"),
        ((STRIP, FLIP, CENTRE, "cmi", 10, "x"), "seed='x'"),
        (({"name": lambda size: None, "size": 2}, FLIP, CENTRE), "a function with a name"),
        (([], FLIP, CENTRE), r"model=\[\]: at least one"),
    ],
)
def test_bad_grids_are_refused_when_they_are_made(sections, message):
    with pytest.raises(ValueError, match=message):
        Grid(*sections)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ((STRIP, {"name": "BitFlip", "t": [0.1, 1.2]}, CENTRE), "t=1.2"),
        (({"name": "FreeField", "size": 3, "mass": 1}, FLIP, CENTRE), "BitFlip noise acts on"),
        ((STRIP, FLIP, CENTRE | {"radius": -1}), "geometry .*centre.* of model .*radius=-1"),
        ((STRIP, FLIP, CENTRE | {"centre": [5, 5]}), r"centre=\(5, 5\)"),
        (({"name": "CurieWeiss", "size": 4, "coupling": 1}, FLIP, CENTRE), "no positions"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_any_work(sections, message, tmp_path):
    ledger = tmp_path / "l.jsonl"
    with pytest.raises(ValueError, match=message):
        pt.scan(Grid(*sections), ledger=ledger)
    assert not ledger.exists()


# Stop rules.


def sampled(rng, spread, n=50):
    return Moments.of(pt.Estimate.from_samples(1.0 + spread * rng.standard_normal(n)))


def run(stop, spread, order=None):
    """Indices that end up being computed, when each round is done in some order."""
    rng = np.random.default_rng(3)
    everything = {i: sampled(rng, spread) for i in range(stop.first, stop.first + stop.batches)}
    found = {}
    while lacking := missing(found, stop):
        # An interrupted round: only some of it is done before the next is planned.
        done = lacking if order is None else order.permutation(lacking)[: 1 + len(lacking) // 2]
        found |= {int(i): everything[int(i)] for i in done}
    return found


def test_without_a_target_every_task_gets_all_batches():
    assert sorted(run(Stop(batches=5, first=10), 1.0)) == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_a_target_is_met_with_about_as_many_batches_as_it_takes(spread):
    stop = Stop(batches=400, target_stderr=0.03)
    found = run(stop, spread)
    joint = pooled(found[i] for i in sorted(found)).estimate()
    needed = (spread / stop.target_stderr) ** 2 / 50
    assert joint.stderr <= stop.target_stderr
    assert sorted(found) == list(range(len(found)))
    # The error of the error after n samples is 1/sqrt(2 n) of it.
    assert len(found) <= max(2.0, 1.3 * needed + 1)


def test_interruptions_do_not_change_which_batches_are_done():
    stop = Stop(batches=64, target_stderr=0.03)
    whole = run(stop, 1.0)
    for seed in range(5):
        assert run(stop, 1.0, np.random.default_rng(seed)).keys() == whole.keys()


def test_exact_tasks_get_one_batch_and_rare_events_are_not_trusted():
    stop = Stop(batches=8, target_stderr=0.1)
    assert missing({0: Moments(0, 0.3)}, stop) == []
    # All samples zero: the error seems to be zero, and is not.
    nothing = {i: Moments(50, 0.0, 0.0, 0.0) for i in range(8)}
    assert missing({0: nothing[0]}, stop) == [1]
    assert missing(nothing, stop) == []


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"batches": 0}, "batches=0"),
        ({"batches": 2.5}, "batches=2.5"),
        ({"target_stderr": 0.0}, "target_stderr=0.0"),
        ({"target_stderr": float("nan")}, "target_stderr=nan"),
        ({"seconds": -1}, "seconds=-1"),
        ({"new_batches": True}, "new_batches=True"),
        ({"first": -1}, "first=-1"),
    ],
)
def test_rules_that_are_none_are_refused(rule, message):
    with pytest.raises(ValueError, match=message):
        Stop(**rule)


# Config files.

GOOD = """
n_samples = 50
[model]
name = "CurieWeiss"
size = [8, 16]
coupling = inf
[noise]
name = "BitFlip"
t = [0.2, 0.4]
[geometry]
name = "counts"
radius = 2
[stop]
batches = 3
"""


def test_a_config_is_a_grid(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    config = read_config(path)
    grid = Grid(
        {"name": "CurieWeiss", "size": [8, 16], "coupling": np.inf},
        {"name": "BitFlip", "t": [0.2, 0.4]},
        {"name": "counts", "radius": 2},
        n_samples=50,
    )
    assert [task.key for task in config.grid.tasks] == [task.key for task in grid.tasks]
    assert str(config.ledger) == "mine.jsonl"
    assert config.stop == Stop(batches=3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("n_samples", "n_sample", "unknown key 'n_sample' in the file: did you mean 'n_samples'"),
        ("[stop]", "[stopp]", "unknown key 'stopp' in the file: did you mean 'stop'"),
        ("batches", "batch", r"unknown key 'batch' in \[stop\]: did you mean 'batches'"),
        ("coupling", "cuopling", "unknown key 'cuopling' in model .*did you mean 'coupling'"),
        ("batches = 3", "batches = 'x'", "batches='x': a whole number"),
        ("n_samples = 50", "n_samples = 'x'", "n_samples='x': a whole number"),
        ("n_samples = 50", "ledger = 3", "ledger=3"),
        ("n_samples = 50", "stop = 3", "Cannot|no TOML"),
        ("[geometry]", "[stop2]", "unknown key 'stop2'"),
        ("= inf", "= ", "is no TOML.*line 6"),
        ("t = [0.2, 0.4]", "t = ['a']", "noise.t='a': a number"),
    ],
)
def test_config_errors_name_the_culprit(tmp_path, old, new, message):
    path = tmp_path / "mine.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ValueError, match=message) as error:
        read_config(path)
    assert str(path) in str(error.value)


def test_a_missing_config_or_table_is_named(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        read_config(tmp_path / "none.toml")
    path = tmp_path / "part.toml"
    path.write_text('[model]\nname = "Ising"\n')
    with pytest.raises(ValueError, match=r"tables \[noise\], \[geometry\] are missing"):
        read_config(path)
