"""The front of the package says what is true: badges, links, limits."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def badges():
    """Label -> value, from the pictures themselves."""
    found = {}
    for path in re.findall(r"\((docs/_static/badge_\w+\.svg)\)", README):
        texts = re.findall(r"<text[^>]*>([^<]+)</text>", (ROOT / path).read_text(encoding="utf-8"))
        found[texts[0]] = texts[1]
    return found


def test_badges_are_true():
    assert badges() == {
        "licence": PROJECT["license"],
        "python": PROJECT["requires-python"].replace(">=", "") + " or later",
        "annotated": "py.typed",
    }
    assert (ROOT / "phasetheory" / "py.typed").exists()
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_no_picture_is_loaded_from_elsewhere():
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert len(pictures) == 4
    for target in pictures:
        assert (ROOT / target).is_file(), target


def test_links_into_the_checkout_lead_somewhere():
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", README):
        if not target.startswith("https://"):
            assert (ROOT / target.split("#")[0]).exists(), target


def test_parts_that_a_reader_looks_for():
    """In this order: what, picture, install, use, what else, limits, citation."""
    parts = ["![Left:", "pip install .", "import phasetheory", "## What else there is"]
    parts += ["## Plain limits", "CITATION.cff"]
    places = [README.index(part) for part in parts]
    assert places == sorted(places)


def test_every_extra_is_on_the_installation_page():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    for extra in PROJECT["optional-dependencies"]:
        assert f"| `{extra}` |" in page, extra
    for dependency in PROJECT["dependencies"]:
        assert re.match(r"[\w-]+", dependency)[0] in page, dependency
