"""The documentation names what exists: README example, theory map, reference, links."""

import ast
import importlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import phasetheory as pt
from paper_figures import runner
from tests.test_layering import DEPTH

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("api/*.rst")])
MARKDOWN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def read(path):
    return path.read_text(encoding="utf-8")


# README.


def test_readme_examples_run(tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", read(ROOT / "README.md"), re.DOTALL | re.M)
    assert len(blocks) == 2
    code = "\n".join(blocks)
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "nats (exact)" in done.stdout
    assert "cmi_before" in done.stdout
    assert "light cone" in done.stdout


# Theory map.


def rows(text):
    """Cells of all table rows of a text, headers and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for i, row in enumerate(cells) if not is_rule(lines[i]) and not is_header(lines, i)]


def is_rule(line):
    return set(line) <= set("|-: ")


def is_header(lines, i):
    return i + 1 < len(lines) and is_rule(lines[i + 1])


def names(cell):
    return re.findall(r"`([\w./:]+)`", cell)


MAP = rows(read(DOCS / "theory_map.md"))


@cache
def functions_of(path):
    tree = ast.parse(read(ROOT / path))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def resolve(dotted):
    """The object of a dotted name, from the longest module in it."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for name in parts[end:]:
            found = getattr(found, name)
        return found
    raise ModuleNotFoundError(dotted)


@pytest.mark.parametrize("row", MAP, ids=lambda row: row[0][:30])
def test_theory_map_names_exist(row):
    assert len(row) == 4, row
    _, function, test, figure = row
    assert names(function)
    for name in names(function):
        assert name.startswith("pt.")
        assert resolve(name.replace("pt.", "phasetheory.", 1)) is not None
    assert names(test)
    for name in names(test):
        path, test_name = name.split("::")
        assert test_name in functions_of(f"tests/{path}")
    for name in names(figure):
        assert name in runner.names()


def test_theory_map_has_every_theorem_and_figure():
    text = read(DOCS / "theory_map.md")
    assert set(re.findall(r"<theorem-(t\d+)>", text)) == {key.lower() for key in pt.THEOREMS}
    assert {name for row in MAP for name in names(row[3])} == set(runner.names())


def test_a_wrong_name_in_the_map_is_noticed():
    with pytest.raises(AttributeError):
        resolve("phasetheory.no_such_function")
    with pytest.raises(AttributeError):
        resolve("phasetheory.NoisyLaw.no_such_method")
    assert "no_such_test" not in functions_of("tests/test_docs.py")


# Conventions.


def test_layering_table_is_the_one_that_is_tested():
    _, after = read(DOCS / "conventions.md").split("\n## Layering\n")
    layers = [names(row[0]) for row in rows(after.split("\n## ")[0])]
    present = {path.stem for path in (ROOT / "phasetheory").iterdir()} & set(DEPTH)
    assert {name for row in layers for name in row} == present
    depths = [DEPTH[row[0]] for row in layers]
    assert depths == sorted(set(depths))
    assert all(
        DEPTH[name] == depth for row, depth in zip(layers, depths, strict=True) for name in row
    )


# Reference.


@pytest.mark.parametrize("name", pt.__all__)
def test_reference_has_every_public_name(name):
    text = "\n".join(read(page) for page in DOCS.glob("api/*.rst"))
    assert re.search(rf"^\.\. (autoclass|autofunction|py:data):: phasetheory\.{name}$", text, re.M)


# Formulas.


@pytest.mark.parametrize(
    ("formula", "part"),
    [
        (r"\int_0^\infty x", "∞"),
        (r"\frac12", "<mn>1</mn>\n    <mn>2</mn>"),
        (r"\mathbb{E}\log p", "<mi>log</mi>"),
        (r"\hat p_0", "<msub>"),
        (r"p \,\|\, q", '<mo stretchy="false">‖</mo>'),
        (r"\bigl( x \bigr)", "minsize"),
        (r"x'", "′"),
    ],
)
def test_formulas_are_converted(formula, part, monkeypatch):
    nodes = pytest.importorskip("docutils.nodes")
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    mathml = importlib.import_module("mathml").mathml
    made = mathml(nodes.math("", formula), as_block=False)
    assert part in made, made


# Links.


def links(page):
    """Targets of inline links of a Markdown page, those of other sites left out."""
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.DOTALL | re.M)
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(page):
    """Names that a link into a page can have: explicit targets and headings."""
    text = read(page)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    slugs = {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}
    return slugs | set(re.findall(r"^\(([\w-]+)\)=$", text, re.M))


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    everywhere = set().union(*map(anchors, MARKDOWN))
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        if anchor:
            # Without a page, MyST looks for an explicit target on all of them.
            assert anchor in (anchors(file) if path else everywhere), target


def test_every_page_is_in_the_table_of_contents():
    entries = read(DOCS / "index.md") + read(DOCS / "api" / "index.rst")
    listed = set(re.findall(r"^ *([\w/]+)$", entries, re.M))
    for page in PAGES:
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or {name, page.stem} & listed, name
