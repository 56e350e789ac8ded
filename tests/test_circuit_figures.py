"""What the figures of local circuits say, on their committed rows."""

import numpy as np
import pytest

from paper_figures import global_steps_mend_what_local_ones_lost_before as maps
from paper_figures import local_circuits_succeed_and_must_fail as radii
from paper_figures import runner
from paper_figures.store import Rows


def committed(script):
    """Rows of the full size as they lie in the repository; the test fails if one is missing."""
    name = script.__name__.rsplit(".", 1)[1]

    def missing(task):
        raise AssertionError(f"{name}: no committed row for {task}")

    return Rows(runner.ROWS / f"{name}.jsonl").get_or_compute(script.tasks(False), missing)


def test_total_variation_falls_half_as_fast_as_the_divergence():
    rows = [row for row in committed(radii) if row["model"] in radii.DISORDERED]
    for name, found in radii.rates(rows).items():
        # Pinsker's inequality allows no slower a fall of TV than half; corrections at small r.
        assert found["tv"] == pytest.approx(0.5 * found["kl"], rel=0.08), name
        assert found["enough"] <= found["asked"], name


def test_every_error_lies_between_its_bounds():
    for row in committed(radii):
        slack = 5.0 * row["tv_stderr"] + 1e-12
        assert row["lower"] <= row["tv"] + slack, row
        assert row["tv"] <= row["tv_bound"] + slack, row


def test_repetition_code_attains_the_converse():
    one = [r for r in committed(radii) if r["model"] == "code" and r["steps"] == 1]
    attained = [r for r in one if r["radius"] >= 4]
    assert attained
    for row in attained:
        assert row["tv"] == pytest.approx(0.5, abs=1e-12)
        assert row["lower"] == pytest.approx(0.5, abs=1e-12)


def test_global_steps_mend_a_repetition_code_and_never_make_it_worse():
    for row in committed(maps):
        terms, left = np.array(row["terms"]), np.array(row["left"])
        assert (left <= terms * (1 + 1e-9) + 1e-12).all(), row
        if row["model"] == "code":
            assert left[:-1].max() < 1e-25 < 1e-3 < left[-1]
