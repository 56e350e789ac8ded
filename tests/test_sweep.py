"""Sweeps: the right numbers, whoever computes them, and whatever happens in between."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
import xarray as xr

import phasetheory as pt
from phasetheory.sweep import Grid, Stop, locate, merge_ledgers, read_ledger
from phasetheory.sweep.ledger import Ledger

ROOT = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX")


def chain(*, size: int, coupling: float):
    return pt.Ising(pt.Lattice.chain(size), coupling)


def grid(n_samples=40, quantity=None, **model):
    return Grid(
        {"name": chain, "size": [5, 7], "coupling": 0.7} | model,
        {"name": "BitFlip", "t": [0.2, 0.5]},
        {"name": "centre", "radius": [0, 1]},
        quantity or {"name": "cmi", "method": "cavity"},
        n_samples,
    )


def numbers(data):
    """Everything but what is said about the making."""
    return data.drop_attrs()


def lines(path):
    return sorted(Path(path).read_text().splitlines())


def stripped(path):
    """Lines as sets of names and numbers, without the time they took."""
    batches = Ledger(path).read()
    return {(key, i, b.moments) for key, own in batches.items() for i, b in own.items()}


# The right numbers.


def test_every_cell_is_the_cmi_of_its_model_time_and_radius():
    exact = pt.scan(grid(quantity="cmi", coupling=[0.3, 0.7]))
    assert exact["cmi"].dims == ("size", "coupling", "t", "radius")
    for size in (5, 7):
        for coupling in (0.3, 0.7):
            model = chain(size=size, coupling=coupling)
            for t in (0.2, 0.5):
                for r in (0, 1):
                    parts = model.lattice.tripartition(((size - 1) // 2,), r)
                    alone = pt.cmi(model.noised(pt.BitFlip(t)), parts).value
                    cell = exact["cmi"].sel(size=size, coupling=coupling, t=t, radius=r)
                    assert float(cell) == pytest.approx(alone, abs=1e-14)
    assert (exact["cmi_stderr"] == 0).all()
    assert (exact["cmi_n_samples"] == 0).all()
    assert exact["size_C"].sel(size=7, radius=1, coupling=0.3) == 4


def test_sampled_cells_agree_with_exact_ones_within_their_errors():
    exact = pt.scan(grid(quantity="cmi"))
    sampled = pt.scan(grid(n_samples=200), stop=Stop(batches=10))
    assert (sampled["cmi_n_samples"] == 2000).all()
    pull = (sampled["cmi"] - exact["cmi"]) / sampled["cmi_stderr"]
    assert (abs(pull) < 5).all()
    # A wrong exact value would be noticed: the errors are small beside the values.
    assert (sampled["cmi_stderr"] < 0.1 * exact["cmi"]).all()


def test_merged_error_bars_cover_the_exact_value():
    model = {"name": chain, "size": 5, "coupling": 0.7}
    sections = (model, {"name": "BitFlip", "t": 0.3}, {"name": "centre", "radius": 0})
    quantity = {"name": "cmi", "method": "cavity"}
    many = pt.scan(
        Grid(*sections, quantity, n_samples=25, seed=list(range(200))), stop=Stop(batches=4)
    )
    exact = float(pt.scan(Grid(*sections))["cmi"].squeeze())
    pull = ((many["cmi"] - exact) / many["cmi_stderr"]).values.ravel()
    # Binomial bounds at 4 sigma for coverage 0.683 of one error bar, 200 trials.
    assert abs((abs(pull) < 1).mean() - 0.683) < 4 * np.sqrt(0.683 * 0.317 / 200)
    assert abs(pull.mean()) < 4 / np.sqrt(200)


def test_a_model_in_memory_can_be_kept_too(tmp_path):
    path = tmp_path / "l.jsonl"
    model = chain(size=7, coupling=0.7)
    options = {"t": [0.2, 0.5], "radius": [0, 1], "centre": (3,)}
    plain = pt.scan(model, pt.BitFlip, **options)
    kept = pt.scan(model, pt.BitFlip, ledger=path, **options)
    np.testing.assert_array_equal(plain["cmi"], kept["cmi"])
    again = pt.scan(chain(size=7, coupling=0.7), pt.BitFlip, ledger=path, **options)
    assert again.identical(kept)
    assert len(lines(path)) == 4
    xr.testing.assert_equal(
        pt.markov_length(kept)["verdict"].reset_coords(drop=True),
        pt.markov_length(plain)["verdict"],
    )


def patch_information(law, parts, *, n_samples, rng):
    """A quantity of the user: the entropy of the spins of A alone, by sampling."""
    _, y = law.sample(n_samples, rng=rng)
    return pt.Estimate.from_samples(-law.log_prob(y, parts.A), quantity="entropy of A")


def test_quantities_of_the_user_and_several_at_once(tmp_path):
    path = tmp_path / "l.jsonl"
    both = [{"name": patch_information}, {"name": "mutual_information"}]
    data = pt.scan(grid(quantity=both), ledger=path)
    # A single spin without field is uniform, noisy or not.
    assert data["patch_information"].values == pytest.approx(np.log(2.0))
    model = chain(size=7, coupling=0.7)
    parts = model.lattice.tripartition((3,), 1)
    law = model.noised(pt.BitFlip(0.5))
    exact = pt.mutual_information(law, parts.A, parts.C).value
    cell = data["mutual_information"].sel(size=7, t=0.5, radius=1)
    assert float(cell) == pytest.approx(exact, abs=1e-14)
    assert numbers(read_ledger(path)).identical(numbers(data))


def test_information_about_a_label():
    data = pt.scan(
        Grid(
            {"name": "CurieWeiss", "size": [4, 8], "coupling": np.inf},
            {"name": "Erasure", "t": [0.3, 0.6]},
            {"name": "whole"},
            "label_information",
        )
    )
    assert data["label_information"].dims == ("size", "t")
    # A repetition code is forgotten when every spin is erased.
    known = np.log(2.0) * (1.0 - data["t"] ** data["size"])
    np.testing.assert_allclose(data["label_information"], known.transpose("size", "t"), rtol=1e-12)


def test_sectors_of_loops_at_the_self_dual_point():
    sections = ({"name": "Erasure", "t": 0.5}, {"name": "whole"}, "sector_information")
    data = pt.scan(Grid({"name": "PinnedLoops", "size": [3, 6]}, *sections, n_samples=1000))
    # The sides are connected with probability 1/2, whatever the size (self-duality), and then the
    # sector is known: ln 2 or nothing.
    pull = (data["sector_information"] - np.log(2.0) / 2) / data["sector_information_stderr"]
    assert (abs(pull) < 5).all()
    assert data["sector_information_stderr"].values == pytest.approx(
        np.log(2.0) / 2 / np.sqrt(4000), rel=0.05
    )
    with pytest.raises(ValueError, match="geometry 'whole'"):
        loops = {"name": "PinnedLoops", "size": 3}
        pt.scan(Grid(loops, sections[0], {"name": "counts", "radius": 1}, sections[2]))


def test_errors_that_rest_on_few_samples_are_left_out_of_scaling():
    t = np.array([0.1, 0.2, 0.3])
    n = np.full((1, 3), 1000)
    # None, five and three hundred of a thousand samples are 0, all others ln 2.
    share = np.array([[0.0, 0.005, 0.3]])
    stderr = np.log(2.0) * np.sqrt(share * (1 - share) / (n - 1)) + 1e-18
    name = "sector_information"
    columns = {
        name: (1 - share) * np.log(2.0),
        f"{name}_stderr": stderr,
        f"{name}_n_samples": n,
        f"{name}_n_effective": n * (1 - share),
    }
    data = xr.Dataset({k: (("size", "t"), v) for k, v in columns.items()}, {"size": [8], "t": t})
    kept = np.isfinite(locate._uncertain(data, name)[name].values)
    assert kept.tolist() == [[False, False, True]]


# The same numbers, whoever computes them.


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_same_numbers_with_one_worker_or_many(tmp_path, backend):
    rules = Stop(batches=6, target_stderr=0.02)
    alone = pt.scan(grid(), ledger=tmp_path / "one.jsonl", stop=rules)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        together = pt.scan(grid(), ledger=tmp_path / "two.jsonl", stop=rules)
    assert alone.identical(together)
    assert stripped(tmp_path / "one.jsonl") == stripped(tmp_path / "two.jsonl")
    assert (alone["cmi_n_samples"] < 240).any()  # the target did stop something


def test_radii_share_samples_and_can_be_added_later(tmp_path):
    path = tmp_path / "l.jsonl"
    sections = ({"name": chain, "size": 7, "coupling": 0.7}, {"name": "BitFlip", "t": 0.4})
    quantity = {"name": "cmi", "method": "cavity"}
    some = Grid(*sections, {"name": "centre", "radius": [1]}, quantity, 40)
    more = Grid(*sections, {"name": "centre", "radius": [0, 1, 2]}, quantity, 40)
    pt.scan(some, ledger=path)
    before = lines(path)
    late = pt.scan(more, ledger=path)
    assert set(before) < set(lines(path))
    assert len(lines(path)) == 3 * len(before)
    assert late.identical(pt.scan(more))


def test_different_tasks_have_independent_samples():
    data = pt.scan(
        Grid(
            {"name": chain, "size": 5, "coupling": 0.7},
            {"name": "BitFlip", "t": 0.3},
            {"name": "centre", "radius": 0},
            {"name": "cmi", "method": "cavity"},
            40,
            seed=[0, 1, 2, 3],
        )
    )
    assert np.unique(data["cmi"]).size == 4


# Whatever happens in between.


def test_precision_is_raised_later_and_budgets_are_kept(tmp_path):
    path = tmp_path / "l.jsonl"
    part = pt.scan(grid(), ledger=path, stop=Stop(batches=6, new_batches=3))
    assert 3 <= len(lines(path)) <= 4  # a job holds both radii
    assert part.attrs["n_missing"] > 0
    assert part.attrs["n_unfinished"] == part.attrs["n_tasks"]
    assert np.isnan(part["cmi"]).sum() == part.attrs["n_missing"]
    pt.scan(grid(), ledger=path, stop=Stop(batches=2))
    assert len(lines(path)) == 8 * 2
    before = set(lines(path))
    more = pt.scan(grid(), ledger=path, stop=Stop(batches=6))
    assert before < set(lines(path))
    assert more.identical(pt.scan(grid(), stop=Stop(batches=6)))
    done = lines(path)
    pt.scan(grid(), ledger=path, stop=Stop(batches=6))
    assert lines(path) == done


def test_a_budget_of_time_ends_a_sweep(tmp_path):
    path = tmp_path / "l.jsonl"
    data = pt.scan(grid(), ledger=path, stop=Stop(batches=10**6, seconds=0.3))
    n = len(lines(path))
    assert 0 < n < 10**5
    assert data.attrs["n_batches"] == n


KILLED = """
import os, signal, sys, warnings
from tests import test_sweep
import phasetheory as pt
from phasetheory.sweep import Stop, ledger

real, calls = ledger.os.write, []

def write(file, data):
    calls.append(1)
    if len(calls) == 5:
        real(file, data[: len(data) // 3])  # half a line, and death without goodbye
        os.kill(os.getpid(), signal.SIGKILL)
    return real(file, data)

ledger.os.write = write
pt.scan(test_sweep.grid(), ledger=sys.argv[1], stop=Stop(batches=3))
"""


@posix
def test_kill_and_resume(tmp_path):
    path = tmp_path / "l.jsonl"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.warns(UserWarning, match="skipped a line"):
        resumed = pt.scan(grid(), ledger=path, stop=Stop(batches=3))
    whole = pt.scan(grid(), ledger=tmp_path / "whole.jsonl", stop=Stop(batches=3))
    assert resumed.identical(whole)
    with pytest.warns(UserWarning, match="skipped a line"):
        merge_ledgers(path, out=tmp_path / "clean.jsonl")
    assert stripped(tmp_path / "clean.jsonl") == stripped(tmp_path / "whole.jsonl")


# A process started in the background of a shell inherits an ignored SIGINT.
SLOW = """
import signal, sys
from tests import test_sweep
import phasetheory as pt
from phasetheory.sweep import Stop

signal.signal(signal.SIGINT, signal.default_int_handler)

pt.scan(test_sweep.grid(), ledger=sys.argv[1], stop=Stop(batches=10**6))
"""


@posix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupts_leave_a_readable_ledger(tmp_path, how):
    path = tmp_path / "l.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(path)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    while not (path.exists() and path.stat().st_size > 50_000):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(how)
    process.wait()
    assert process.returncode != 0
    found = pt.scan(grid(), ledger=path, stop=Stop(batches=4))
    assert (found["cmi_n_samples"] >= 160).all()
    prefix = Ledger(path).read()
    assert all(min(own) == 0 for own in prefix.values())


def test_two_sweeps_on_one_ledger(tmp_path):
    path = tmp_path / "l.jsonl"
    code = (
        "import sys; from tests import test_sweep; import phasetheory as pt;"
        "from phasetheory.sweep import Stop;"
        "pt.scan(test_sweep.grid(), ledger=sys.argv[1], stop=Stop(batches=8))"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, path], cwd=ROOT) for _ in range(2)]
    assert [process.wait() for process in runs] == [0, 0]
    alone = pt.scan(grid(), stop=Stop(batches=8))
    assert numbers(read_ledger(path)).identical(numbers(alone))


# Several machines.


def test_ledgers_of_several_machines(tmp_path):
    books = [tmp_path / f"{k}.jsonl" for k in range(3)]
    for k, book in enumerate(books):
        pt.scan(grid(), ledger=book, stop=Stop(batches=2, first=2 * k))
    # The first one is given twice, and also holds what the second has.
    books[0].write_bytes(books[0].read_bytes() + books[1].read_bytes())
    found = read_ledger(*books, books[0])
    assert numbers(found).identical(numbers(pt.scan(grid(), stop=Stop(batches=6))))
    assert merge_ledgers(*books, out=tmp_path / "all.jsonl") == 8 * 6
    assert numbers(read_ledger(tmp_path / "all.jsonl")).identical(numbers(found))


def test_batches_of_different_sizes_are_pooled(tmp_path):
    path = tmp_path / "l.jsonl"
    pt.scan(grid(n_samples=40), ledger=path, stop=Stop(batches=1))
    pt.scan(grid(n_samples=30), ledger=path, stop=Stop(batches=2))
    assert (read_ledger(path)["cmi_n_samples"] == 40 + 60).all()


def test_a_parameter_left_at_its_default_lines_up_with_the_others(tmp_path):
    path = tmp_path / "l.jsonl"
    sections = ({"name": "BitFlip", "t": 0.2}, {"name": "centre", "radius": 0})
    strip = {"name": "Ising", "size": 3, "width": 2, "coupling": 0.3}
    pt.scan(Grid(strip, *sections), ledger=path)
    pt.scan(Grid(strip | {"field": [0.1, 0.2]}, *sections), ledger=path)
    assert read_ledger(path)["field"].values.tolist() == [0.0, 0.1, 0.2]


def test_what_makes_no_table_is_refused(tmp_path):
    path = tmp_path / "l.jsonl"
    sections = ({"name": "BitFlip", "t": 0.2}, {"name": "centre", "radius": 0})
    with pytest.raises(ValueError, match="does not exist"):
        read_ledger(path)
    path.touch()
    with pytest.raises(ValueError, match="no batches to tabulate"):
        read_ledger(path)
    with pytest.raises(ValueError, match="no ledger given"):
        read_ledger()
    one = {"name": "CurieWeiss", "size": 8, "coupling": 0.3}
    two = {"name": "Ising", "size": 8, "coupling": 0.3, "dimension": 1}
    counts = {"name": "counts", "radius": 2}
    data = pt.scan(Grid([one, two], sections[0], counts))
    assert data["model"].values.tolist() == ["CurieWeiss", "Ising"]
    pt.scan(Grid({"name": chain, "size": 4, "coupling": 0.1}, *sections), ledger=path)
    pt.scan(Grid({"name": other_chain, "size": 4}, *sections), ledger=path)
    assert read_ledger(path).sizes["model"] == 2
    with pytest.raises(ValueError, match="exists: the name of a new file"):
        merge_ledgers(path, out=path)


def other_chain(*, size: int, strength: float = 0.2):
    return pt.Ising(pt.Lattice.chain(size), strength)


def test_netcdf_keeps_everything(tmp_path):
    data = pt.scan(grid())
    data.to_netcdf(tmp_path / "sweep.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "sweep.nc", engine="scipy") as stored:
        xr.testing.assert_equal(stored.load(), data)
        assert stored["cmi"].attrs["units"] == "nats"
        assert stored.attrs["n_tasks"] == 8


# Refusals while it runs.


def broken(law, parts, *, n_samples, rng):
    """Fails for the longer chain, which is not the first to be asked."""
    if law.n_sites == 7:
        raise ValueError("too long")
    return pt.Estimate(1.0)


def test_a_task_that_fails_is_named_and_the_rest_is_kept(tmp_path):
    path = tmp_path / "l.jsonl"
    with pytest.raises(ValueError, match=r'too long \(in task .*"size":7'):
        pt.scan(grid(quantity={"name": broken}), ledger=path)
    assert not path.exists() or all('"size":5' in line for line in lines(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stop": 3}, "stop=3: a phasetheory.sweep.Stop"),
        ({"ledgr": "x"}, "ledgr is given with a grid: did you mean 'ledger'"),
        ({"t": [0.1]}, "t is given with a grid"),
    ],
)
def test_bad_options_of_a_sweep(options, message):
    with pytest.raises(ValueError, match=message):
        pt.scan(grid(), **options)


def test_bad_options_of_a_kept_scan(tmp_path):
    model, given = chain(size=5, coupling=0.1), {"t": [0.1], "radius": [0], "centre": (2,)}
    with pytest.raises(ValueError, match="unknown option 'methd': did you mean 'method'"):
        pt.scan(model, pt.BitFlip, ledger=tmp_path / "l", methd="exact", **given)
    with pytest.raises(ValueError, match="seed=Generator"):
        pt.scan(model, pt.BitFlip, ledger=tmp_path / "l", rng=np.random.default_rng(1), **given)
    with pytest.raises(ValueError, match="radius is a mapping"):
        pt.scan(model, pt.BitFlip, ledger=tmp_path / "l", t=[0.1], radius={1: None})
    with pytest.raises(TypeError, match="lacks radius"):
        pt.scan(model, pt.BitFlip, t=[0.1])
