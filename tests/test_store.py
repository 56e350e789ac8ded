"""The row store of the figures: computed once, resumable after a kill, deaf to damaged lines."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paper_figures.store import Rows, task_key

ROOT = Path(__file__).resolve().parents[1]
TASKS = [{"n": n, "t": 0.5} for n in range(4)]


class Squares:
    """A computation that remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, task):
        self.asked.append(task["n"])
        return {"square": task["n"] ** 2}


def test_rows_are_computed_once_and_come_in_the_order_of_the_tasks(tmp_path):
    rows, first, second = Rows(tmp_path / "deep" / "rows.jsonl"), Squares(), Squares()
    expected = [{"n": n, "t": 0.5, "square": n**2} for n in range(4)]
    assert rows.get_or_compute(TASKS, first) == expected
    assert rows.get_or_compute(TASKS[::-1], second) == expected[::-1]
    assert (first.asked, second.asked) == ([0, 1, 2, 3], [])


def test_key_depends_on_the_content_and_not_on_the_order():
    assert task_key({"a": 1, "b": [1, 2]}) == task_key({"b": (1, 2), "a": 1})
    assert task_key({"a": 1}) != task_key({"a": 1.0})
    assert task_key({"a": 1}) != task_key({"a": "1"})
    # Fixed for ever, or all rows on disk are orphaned: printf '{"a":1}' | sha256sum
    assert task_key({"a": 1}).startswith("015abd7f5cc57a2d")


def test_equal_tasks_are_computed_once(tmp_path):
    compute = Squares()
    found = Rows(tmp_path / "rows.jsonl").get_or_compute([TASKS[2], TASKS[2]], compute)
    assert compute.asked == [2]
    assert found[0] == found[1]


def test_rows_read_back_equal_rows_computed(tmp_path):
    values = {
        "third": 1 / 3,
        "tiny": 5e-324,
        "inf": math.inf,
        "scalar": np.float64(0.1) * 3,
        "count": np.int64(3),
        "array": np.array([[1.5, 2.5]]),
        "pair": (1, 2),
        "name": "ξ",
    }
    rows = Rows(tmp_path / "rows.jsonl")
    computed = rows.get_or_compute([{"n": 0}], lambda task: values)
    read = rows.get_or_compute([{"n": 0}], lambda task: {})
    assert computed == read
    assert read[0]["third"] == 1 / 3
    assert read[0]["scalar"] == 0.1 * 3
    assert read[0]["array"] == [[1.5, 2.5]]
    assert [type(read[0][name]) for name in ("scalar", "count", "pair")] == [float, int, list]


def test_recompute_replaces_the_rows_asked_for_only(tmp_path):
    rows, again = Rows(tmp_path / "rows.jsonl"), Squares()
    rows.get_or_compute(TASKS, Squares())
    rows.get_or_compute(TASKS[:2], again, recompute=True)
    assert again.asked == [0, 1]
    assert len(rows.path.read_text().splitlines()) == 4


@pytest.mark.parametrize("cut", [1, 2, 20, 60])
def test_a_line_cut_off_is_skipped_and_computed_again(tmp_path, cut):
    rows, again = Rows(tmp_path / "rows.jsonl"), Squares()
    whole = rows.get_or_compute(TASKS, Squares())
    data = rows.path.read_bytes()
    rows.path.write_bytes(data[:-cut])
    if cut == 1:  # only the newline is gone: the row is whole
        assert rows.get_or_compute(TASKS, again) == whole
        assert again.asked == []
    else:
        with pytest.warns(UserWarning, match=r"rows\.jsonl:4: skipped a damaged line"):
            assert rows.get_or_compute(TASKS, again) == whole
        assert again.asked == [3]
    # Mended: no warning (which would be an error here), nothing to compute.
    assert rows.get_or_compute(TASKS, again) == whole
    assert rows.path.read_bytes() == data


@pytest.mark.parametrize(
    "line", ["", "{}", "[1]", "garbage", '{"key": "0", "task": {"n": 0}, "row": {}}', "\x00\x00"]
)
def test_damaged_lines_in_the_middle_are_skipped(tmp_path, line):
    rows, again = Rows(tmp_path / "rows.jsonl"), Squares()
    whole = rows.get_or_compute(TASKS, Squares())
    lines = rows.path.read_text().splitlines()
    lines[1] = line
    rows.path.write_text("\n".join(lines) + "\n")
    with pytest.warns(UserWarning, match=r":2: skipped a damaged line"):
        assert rows.get_or_compute(TASKS, again) == whole
    assert again.asked == [1]


def test_an_altered_task_no_longer_matches_its_key(tmp_path):
    rows, again = Rows(tmp_path / "rows.jsonl"), Squares()
    rows.get_or_compute(TASKS[:1], Squares())
    record = json.loads(rows.path.read_text())
    record["task"]["t"] = 0.6
    rows.path.write_text(json.dumps(record) + "\n")
    with pytest.warns(UserWarning, match="damaged"):
        rows.get_or_compute(TASKS[:1], again)
    assert again.asked == [0]


def test_an_exception_keeps_what_was_done(tmp_path):
    def fail_at_two(task):
        if task["n"] == 2:
            raise RuntimeError("out of luck")
        return {"square": task["n"] ** 2}

    rows, again = Rows(tmp_path / "rows.jsonl"), Squares()
    with pytest.raises(RuntimeError, match="out of luck"):
        rows.get_or_compute(TASKS, fail_at_two)
    rows.get_or_compute(TASKS, again)
    assert again.asked == [2, 3]


KILLED = """
import os, signal, sys
from paper_figures.store import Rows

def compute(task):
    if task["n"] == 2:
        # Half a line, as a full disk or a lost machine leaves it, then a death without goodbye.
        with open(sys.argv[1], "a") as file:
            file.write('{"key":"0123')
        os.kill(os.getpid(), signal.SIGKILL)
    return {"square": task["n"] ** 2}

Rows(sys.argv[1]).get_or_compute([{"n": n, "t": 0.5} for n in range(4)], compute)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_kill_and_resume(tmp_path):
    path = tmp_path / "rows.jsonl"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -9
    again = Squares()
    with pytest.warns(UserWarning, match=r":3: skipped a damaged line"):
        found = Rows(path).get_or_compute(TASKS, again)
    assert [row["square"] for row in found] == [0, 1, 4, 9]
    assert again.asked == [2, 3]


def test_a_row_must_not_hide_its_task(tmp_path):
    with pytest.raises(ValueError, match=r"has the keys \['n'\] of its task"):
        Rows(tmp_path / "rows.jsonl").get_or_compute(TASKS, lambda task: {"n": 1})


def test_what_json_cannot_hold_is_refused_before_it_is_written(tmp_path):
    rows = Rows(tmp_path / "rows.jsonl")
    with pytest.raises(ValueError, match="of type set, which JSON cannot hold"):
        rows.get_or_compute(TASKS, lambda task: {"a": {1, 2}})
    with pytest.raises(ValueError, match=r"of type \w*Path, which JSON cannot hold"):
        rows.get_or_compute([{"path": tmp_path}], lambda task: {})
    assert not rows.path.exists()
