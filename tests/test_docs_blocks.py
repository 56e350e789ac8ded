"""Every code block of the documentation runs in the build, or is marked with a known reason."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

#: Run by MyST-NB, or by `_ext/shell_blocks.py`, while the page is built.
EXECUTED = {"code-cell", "shell"}
#: Files of the repository; the tests below say which test reads or runs each.
INCLUDED = {"literalinclude", "include"}
#: Made by the build itself, or no code.
GENERATED = {"command-help", "course-notebook", "not-run-list", "paper-gallery", "theorem-registry"}
PROSE = {"admonition", "caution", "danger", "dropdown", "error", "hint", "important", "note"}
PROSE |= {"seealso", "tip", "warning", "card", "grid", "grid-item-card"}
OTHER = {"figure", "image", "list-table", "math", "raw", "table", "toctree"}

FENCE = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,}|:{3,})[ \t]*(?P<info>[^`\n]*)$")
MYSTNB = "---\nfile_format: mystnb\n---\n\n"
HEADER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def blocks(text):
    """(line, info, body) of every fenced block, those in admonitions and the like included."""
    lines, found, i = text.splitlines(), [], 0
    while i < len(lines):
        opened = FENCE.match(lines[i])
        start, i = i, i + 1
        if not opened:
            continue
        mark = opened["mark"]
        body = []
        while i < len(lines) and not re.match(rf"^ {{0,3}}{mark[0]}{{{len(mark)},}}\s*$", lines[i]):
            body.append(lines[i])
            i += 1
        i += 1
        info = opened["info"].strip()
        found.append((start + 1, info, "\n".join(body)))
        if name_of(info) in PROSE:
            found += [(start + 1 + n, *rest) for n, *rest in blocks("\n".join(body))]
    return found


def name_of(info):
    directive = re.match(r"\{([\w-]+)\}", info)
    return directive[1] if directive else ""


def indented(text):
    """Lines of blocks that are code because they are indented."""
    outside = HEADER.sub("", text)
    for _, _, body in blocks(outside):
        outside = outside.replace(body, "")
    return re.findall(r"(?:\A|\n\n) {4,}(?![-*\d] )(\S.*)", re.sub(r"(?m)^[ \t]+$", "", outside))


def problems(text):
    """What is wrong with the blocks of a page, a sentence each."""
    header = HEADER.match(text)
    executes = bool(header and re.search(r"^file_format: mystnb$", header[1], re.M))
    found = []
    for line, info, body in blocks(text):
        name = name_of(info)
        if name == "code-cell":
            if not executes:
                found.append(f"line {line}: a code-cell on a page without `file_format: mystnb`")
            if re.search(r"skip-execution|raises-exception|remove-cell", body.split("\n\n")[0]):
                found.append(f"line {line}: a code-cell that is not run, may fail or is hidden")
        elif name == "not-run":
            if info.removeprefix("{not-run}").strip() not in reasons():
                found.append(f"line {line}: not-run without a known reason: {info}")
        elif name not in EXECUTED | INCLUDED | GENERATED | PROSE | OTHER:
            found.append(f"line {line}: neither run nor marked: {info or 'no language'}")
    found += [f"an indented block, neither run nor marked: {line}" for line in indented(text)]
    return found


def reasons():
    """`REASONS` of the extension, read without importing Sphinx."""
    tree = ast.parse((DOCS / "_ext" / "shell_blocks.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "REASONS":
            return ast.literal_eval(node.value)
    raise LookupError("shell_blocks.py has no REASONS")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_block_is_run_or_marked(page):
    assert not problems(page.read_text(encoding="utf-8"))


def test_the_build_executes_all_cells():
    text = (DOCS / "conf.py").read_text(encoding="utf-8")
    assert 'nb_execution_mode = "force"' in text
    assert "nb_execution_raise_on_error = True" in text
    assert "nb_execution_excludepatterns" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\n1 + 1\n```\n", "neither run nor marked: python"),
        ("```\n1 + 1\n```\n", "no language"),
        ("```bash\nls\n```\n", "bash"),
        ("~~~sh\nls\n~~~\n", "sh"),
        (":::{note}\n```python\n1\n```\n:::\n", "line 2: neither run nor marked: python"),
        ("```{code-block} python\n1\n```\n", "code-block"),
        ("```{code-cell} ipython3\n1\n```\n", "without `file_format"),
        ("```{not-run} because\nls\n```\n", "without a known reason"),
        (f"{MYSTNB}```{{code-cell}}\n:tags: [skip-execution]\n1\n```\n", "not run"),
        ("Text.\n\n    ls -l\n\nMore.\n", "indented"),
    ],
)
def test_the_guard_fires(text, message):
    assert any(message in found for found in problems(text))


def test_the_guard_lets_good_blocks_pass():
    text = (
        f"{MYSTNB}```{{code-cell}} ipython3\nx = 1\n```\n\n"
        "```{shell}\nls\n```\n\n```{not-run} install\npip install .\n```\n\n- a list\n"
        "  that goes on\n"
    )
    assert problems(text) == []


# What is included from files.


def test_included_files_are_read_by_tests():
    """Configs by test_cli_sweep and test_cli_denoise, CITATION.cff by test_citation."""
    known = {"../CHANGELOG.md", "../CITATION.cff"}
    known |= {f"configs/{path.name}" for path in (DOCS / "configs").glob("*.toml")}
    for page in PAGES:
        for _, info, _ in blocks(page.read_text(encoding="utf-8")):
            if name_of(info) in INCLUDED:
                assert info.split()[-1] in known, (page.name, info)


def test_every_config_is_run_by_a_test():
    tests = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").glob("test_cli_*.py"))
    assert 'glob("*.toml")' in tests or all(
        path.stem in tests for path in (DOCS / "configs").glob("*.toml")
    )


def test_readme_has_blocks_that_are_run_elsewhere():
    """Its commands are run by .ci/run, its Python by test_docs.py."""
    kinds = [info for _, info, _ in blocks((ROOT / "README.md").read_text(encoding="utf-8"))]
    assert set(kinds) == {"bash", "python"}
    assert kinds.count("bash") == 2


# Docstrings.


def test_docstrings_hold_no_code_but_doctests():
    """`>>>` of the whole package is run by pytest; other code in a docstring would not be run."""
    for path in sorted((ROOT / "phasetheory").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                where = f"{path.name}: {getattr(node, 'name', 'module')}"
                assert "code-block" not in text and "```" not in text, where
                assert not re.search(r"::\n\n +\S*(import |=|\()", text), where


# The shell blocks themselves.


@pytest.fixture
def shell(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    return importlib.import_module("shell_blocks")


def test_commands_are_split_at_line_ends(shell):
    text = "ls \\\n  -l\n\ncat > a <<'END'\nx = 1\n\ny\nEND\necho done"
    assert shell.split(text) == ["ls \\\n  -l", "cat > a <<'END'\nx = 1\n\ny\nEND", "echo done"]


def test_commands_run_and_fail_loudly(shell, tmp_path):
    assert shell.execute("echo one; cat /no/such/file", tmp_path).returncode != 0
    assert shell.execute("false | true", tmp_path).returncode != 0
    done = shell.execute("python -c 'import phasetheory; print(phasetheory.__file__)'", tmp_path)
    assert Path(done.stdout.strip()) == ROOT / "phasetheory" / "__init__.py"
    assert shell.cut("a\nb\nc", 2) == "[...]\nb\nc"
    assert shell.cut("a \nb", 2) == "a\nb"
