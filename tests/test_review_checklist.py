"""The review checklist names what exists, answers every point, and hides no 'no'."""

import re
from pathlib import Path

import pytest

from phasetheory import citations

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "review_checklist.md").read_text(encoding="utf-8")
TABLES = [line for line in TEXT.splitlines() if re.match(r"\| (?!point|command|---)", line)]
POINTS = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in TABLES]
POINTS = [row for row in POINTS if len(row) == 3]


@pytest.mark.parametrize("row", POINTS, ids=lambda row: row[0][:40])
def test_every_point_has_an_answer_and_evidence(row):
    _, met, evidence = row
    assert met in {"yes", "partly", "no", ""}
    assert evidence
    assert met or evidence == "for the reviewer"


def test_there_are_points_of_both_lists_and_some_are_not_met():
    assert len(POINTS) > 40
    assert sum(met == "no" for _, met, _ in POINTS) >= 5


PATHS = sorted(set(re.findall(r"`((?:tests|phasetheory|\.ci|docs)/[\w./-]+)`", TEXT)))
PATHS += sorted(set(re.findall(r"`([A-Z]+(?:\.\w+)?|pyproject\.toml)`", TEXT)) - {"D"})


@pytest.mark.parametrize("path", PATHS)
def test_named_files_exist(path):
    assert (ROOT / path).exists()


def test_named_files_were_found():
    assert {"LICENSE", "CONTRIBUTING.md", ".ci/run", "tests/brute.py"} <= set(PATHS)


def test_what_is_said_to_be_missing_is_missing():
    assert not (ROOT / "paper.md").exists()
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "[project.urls]" not in project
    assert "email" not in project
    assert "doi" not in (ROOT / "CITATION.cff").read_text(encoding="utf-8").lower()


def test_the_number_of_references():
    assert int(re.search(r"(\d+) entries", TEXT)[1]) == len(citations.entries())
