"""Ledgers: moments that add up, lines that prove themselves, files that survive faults."""

import errno
import json
import multiprocessing
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasetheory.estimate import Estimate
from phasetheory.sweep import ledger as module
from phasetheory.sweep.describe import FORMAT, canonical, digest, fingerprint
from phasetheory.sweep.ledger import Batch, Ledger, merged
from phasetheory.sweep.moments import Moments, pooled

ROOT = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and limits of POSIX")


def task(n=0):
    return {"format": FORMAT, "model": {"name": "M", "coupling": "inf"}, "n": n, "t": 0.1 + n}


def batch(n=0, index=0, mean=0.5):
    return Batch(task(n), index, Moments(10, mean, 2.0, 6.0), "nats", (1, 2, 3), 0.25, "0.1.0")


def contents(book):
    """Key and index of every batch, with its numbers."""
    return {(key, i): b.moments for key, own in book.read().items() for i, b in own.items()}


# Moments.

samples = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20)


@given(st.lists(samples, min_size=1, max_size=6), st.sampled_from([0.0, 1e6]))
def test_merged_batches_are_the_estimate_of_all_samples(batches, offset):
    batches = [np.array(one) + offset for one in batches]
    joint = pooled(Moments.of(Estimate.from_samples(one)) for one in batches).estimate()
    whole = Estimate.from_samples(np.concatenate(batches))
    # n eps of the largest number, for sums of n terms; its square under the square root.
    size = max(np.abs(one).max() for one in batches) + 1e-300
    assert joint.n_samples == whole.n_samples
    assert joint.value == pytest.approx(whole.value, abs=1e-13 * size)
    assert joint.stderr == pytest.approx(whole.stderr, rel=1e-9, abs=1e-12 * size)
    assert joint.n_effective == pytest.approx(whole.n_effective, rel=1e-9)


def test_naive_sums_of_squares_would_fail_where_the_merge_does_not():
    x = np.random.default_rng(0).standard_normal((4, 100)) * 1e-3 + 1e6
    joint = pooled(Moments.of(Estimate.from_samples(one)) for one in x)
    naive = np.square(x).sum() - x.size * x.mean() ** 2
    true = np.square(x - x.mean()).sum()
    assert joint.m2 == pytest.approx(true, rel=1e-6)
    assert abs(naive - true) > 0.1 * true


def test_an_exact_value_stays_exact():
    exact, sampled = Moments.of(Estimate(0.25)), Moments(10, 0.3, 1.0, 3.0)
    assert (exact + sampled) == (sampled + exact) == exact
    assert exact.estimate().exact
    assert exact.estimate().value == 0.25


@pytest.mark.parametrize(
    "wrong", [(-1, 0.0), (1, 0.0), (2, np.nan), (2, 0.0, -1.0), (2, 0.0, 0.0, np.inf), (2, "a")]
)
def test_numbers_that_are_no_moments_are_refused(wrong):
    with pytest.raises(ValueError, match="needed"):
        Moments(*wrong)


# Keys.


def test_keys_are_fixed_for_ever():
    # printf '{"a":1,"b":[0.1,"inf"]}' | sha256sum
    assert canonical({"b": (np.float64(0.1), np.inf), "a": np.int64(1)}) == (
        '{"a":1,"b":[0.1,"inf"]}'
    )
    assert digest({"b": (0.1, np.inf), "a": 1}) == "c024e133f1abd3ddb3d59b345371eab8"


def test_keys_are_the_same_in_another_process():
    code = "from tests.test_ledger import batch; print(batch(3).key, batch(3).line())"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert done.stdout.split(" ", 1) == [batch(3).key, batch(3).line() + "\n"]


@pytest.mark.parametrize("value", [float("nan"), {1: 2}, {1, 2}, object(), b"bytes"])
def test_what_has_no_canonical_text_is_refused(value):
    with pytest.raises(ValueError, match="description"):
        canonical({"a": value})


def test_fingerprints_follow_the_content():
    import phasetheory as pt

    lattice = pt.Lattice.grid((2, 3))
    one, same = (fingerprint(pt.Ising(lattice, 0.3)) for _ in range(2))
    assert one == same
    others = [
        pt.Ising(lattice, 0.4),
        pt.Ising(lattice, 0.3, 0.1),
        pt.Ising(pt.Lattice.grid((3, 2)), 0.3),
        pt.Ising(pt.Lattice.grid((2, 3), periodic=(False, True)), 0.3),
        pt.CurieWeiss(6, 0.3),
    ]
    assert one not in [fingerprint(other) for other in others]
    with pytest.raises(ValueError, match="Holder of type Holder has no content"):
        fingerprint(Holder())


class Holder:
    """Says nothing about its content."""


# Lines.


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 10**6))
def test_a_line_reads_back_as_it_was_written(mean, index):
    written = batch(1, index, mean)
    assert Batch.parse(written.line()) == written


@given(st.data())
def test_no_damage_to_a_line_goes_unnoticed(data):
    line = batch().line()
    place = data.draw(st.integers(0, len(line) - 1))
    change = data.draw(st.sampled_from(["drop", "cut", "replace", "double"]))
    other = data.draw(st.characters(codec="utf-8"))
    damaged = {
        "drop": line[:place] + line[place + 1 :],
        "cut": line[:place],
        "replace": line[:place] + other + line[place + 1 :],
        "double": line[:place] + line[place] + line[place:],
    }[change]
    try:
        read = Batch.parse(damaged)
    except ValueError:
        return
    # White space outside strings and 2.0 for 2.00 change nothing.
    assert read == batch()


def test_damaged_lines_are_reported_and_skipped(tmp_path):
    book = Ledger(tmp_path / "l.jsonl")
    book.append([batch(n) for n in range(8)])
    lines = book.path.read_bytes().splitlines()
    lines[1] = b"\xff\xfe garbage"
    lines[2] = lines[2].replace(b'"mean":0.5', b'"mean":0.6')
    lines[4] = b"[" * 100_000
    lines[6] = b'{"check":"0"}'
    lines.insert(3, b"")
    book.path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.warns(UserWarning) as caught:
        found = contents(book)
    assert {key for key, _ in found} == {batch(n).key for n in (0, 3, 5, 7)}
    reports = [str(one.message) for one in caught]
    assert [f":{n}: skipped" in text for n, text in zip((2, 3, 6, 8), reports, strict=True)]
    assert "checksum" in reports[1]


def test_many_damaged_lines_are_counted(tmp_path):
    book = Ledger(tmp_path / "l.jsonl")
    book.path.write_text("x\n" * 50)
    with pytest.warns(UserWarning) as caught:
        assert contents(book) == {}
    assert len(caught) == module.MAX_REPORTED + 1
    assert "skipped 50 lines in all" in str(caught[-1].message)


def test_another_data_format_is_not_mixed_in(tmp_path):
    book = Ledger(tmp_path / "l.jsonl")
    new = Batch(task() | {"format": FORMAT + 1}, 0, Moments(0, 1.0), "nats", (), 0.0, "9.0.0")
    book.append([new, batch()])
    with pytest.warns(UserWarning, match=f"data format {FORMAT + 1}"):
        assert list(contents(book)) == [(batch().key, 0)]


# Merging.


def test_merging_counts_a_batch_once_in_any_order(tmp_path):
    rng = random.Random(1)
    batches = [batch(n, i, mean=n + 0.1 * i) for n in range(3) for i in range(4)]
    results = []
    for trial in range(5):
        books = [Ledger(tmp_path / f"{trial}-{k}.jsonl") for k in range(3)]
        for one in batches:
            for book in rng.sample(books, rng.randint(1, 3)):
                book.append([one] * rng.randint(1, 2))
        rng.shuffle(books)
        found = merged(books)
        results.append({(k, i): b.moments for k, own in found.items() for i, b in own.items()})
    assert all(result == results[0] for result in results)
    assert len(results[0]) == len(batches)


def test_files_are_merged_by_cat(tmp_path):
    one, two, both = (Ledger(tmp_path / name) for name in ("a", "b", "both"))
    one.append([batch(0), batch(1)])
    two.append([batch(1), batch(2)])
    both.path.write_bytes(one.path.read_bytes() + two.path.read_bytes())
    assert contents(both).keys() == {(batch(n).key, 0) for n in range(3)}


def test_two_results_of_one_batch_are_reported_and_settled_the_same_way(tmp_path):
    kept = []
    for order in ((0.5, 0.7), (0.7, 0.5)):
        with pytest.warns(UserWarning, match="has two results"):
            found = merged([[batch(mean=m) for m in order]])
        kept.append(found[batch().key][0].moments)
    assert kept[0] == kept[1]


def test_rounding_of_another_machine_is_no_conflict():
    found = merged([[batch(mean=0.5), batch(mean=0.5 + 1e-12)]])
    assert found[batch().key][0].moments.mean == 0.5


# Faults.


@pytest.mark.parametrize("cut", [1, 2, 30, 200])
def test_nothing_is_glued_to_a_half_written_line(tmp_path, cut):
    book = Ledger(tmp_path / "l.jsonl")
    book.append([batch(0), batch(1)])
    book.path.write_bytes(book.path.read_bytes()[:-cut])
    book.append([batch(2)])
    if cut == 1:  # only the newline was missing
        assert len(contents(book)) == 3
        return
    with pytest.warns(UserWarning, match=r":2: skipped a line"):
        found = contents(book)
    assert found.keys() == {(batch(0).key, 0), (batch(2).key, 0)}


def write_many(path, writer):
    book = Ledger(path)
    for index in range(40):
        book.append([batch(writer, index), batch(writer + 100, index)])


def test_processes_share_a_ledger(tmp_path):
    path = tmp_path / "l.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, n)) for n in range(3)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert [process.exitcode for process in writers] == [0] * 3
    # Damaged lines would warn, which is an error here.
    assert len(contents(Ledger(path))) == 3 * 2 * 40


FULL = """
import resource, signal, sys
from phasetheory.sweep.ledger import Ledger
from tests.test_ledger import batch

book = Ledger(sys.argv[1])
book.append([batch(0), batch(1)])
# The limit cuts the next write in the middle of a line, as a full disk does.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (book.path.stat().st_size + 100,) * 2)
try:
    book.append([batch(2)])
except OSError as error:
    print("refused:", error)
"""


@posix
def test_a_full_disk_leaves_a_readable_ledger(tmp_path):
    path = tmp_path / "l.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "refused:" in done.stdout
    assert "the ledger keeps what it had" in done.stdout
    assert contents(Ledger(path)).keys() == {(batch(n).key, 0) for n in (0, 1)}
    assert path.read_bytes().endswith(b"\n")


def test_no_space_at_all_is_reported(tmp_path, monkeypatch):
    book = Ledger(tmp_path / "l.jsonl")
    book.append([batch(0)])
    before = book.path.read_bytes()

    def no_space(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "write", no_space)
    with pytest.raises(OSError, match="No space left on device; the ledger keeps"):
        book.append([batch(1)])
    assert book.path.read_bytes() == before


def test_a_folder_is_no_ledger(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        Ledger(tmp_path)


def test_lines_are_plain_json(tmp_path):
    book = Ledger(tmp_path / "deep" / "l.jsonl")
    book.append([batch()])
    record = json.loads(book.path.read_text(), parse_constant=pytest.fail)
    assert record["task"] == task()
    assert (record["count"], record["mean"], record["m2"]) == (10, 0.5, 2.0)
