"""Directives `shell` and `not-run`: shell commands on the pages, run in the build or marked.

- ``shell`` runs its commands with bash in a folder that all such blocks of a page share, and shows
  each command with what it printed. A command that fails stops the build.
- ``not-run REASON`` shows code that the build does not run; its argument is a key of `REASONS`.
- ``not-run-list`` is the table of all blocks so marked, with their reasons.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DOCS = Path(__file__).resolve().parents[1]

#: Why a block is not run in the build, and what runs it instead. Nothing else is accepted.
REASONS = {
    "install": (
        "installs packages, which needs a package index and a new environment;"
        " `.ci/run` runs the installation of the README from nothing"
    ),
    "cluster": (
        "needs a batch system; the commands in it are run on the same page at a small size"
    ),
    "page": (
        "serves a page until it is interrupted; `tests/test_explorer_browser.py` starts it and"
        " moves its sliders"
    ),
    "minutes": "takes minutes; the tests run the same command or function at a small size",
    "full size": (
        "takes hours, or a graphics processor; the kept rows in `paper_figures/rows` came from it,"
        " and the tests run every script with `--quick`"
    ),
}

# Without colours, in a width that fits a page; one thread, so that outputs do not depend on cores.
TERMINAL = {"COLUMNS": "98", "TERMINAL_WIDTH": "98", "NO_COLOR": "1", "TERM": "dumb"}
TERMINAL |= {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "TQDM_DISABLE": "1"}
TIMEOUT = 120  # seconds

_FOLDERS: dict[str, tempfile.TemporaryDirectory[str]] = {}


class Shell(SphinxDirective):
    """Commands that are run while the page is read."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"last": directives.positive_int}

    def run(self) -> list[nodes.Node]:
        """Return a literal block of the commands and their output."""
        page = self.env.docname
        folder = _FOLDERS.setdefault(page, tempfile.TemporaryDirectory(prefix="docs-shell-"))
        shown = []
        for command in split("\n".join(self.content)):
            done = execute(command, folder.name)
            if done.returncode:
                raise self.error(f"{command!r} failed ({done.returncode}):\n{done.stdout}")
            shown += [f"$ {command}", cut(done.stdout.rstrip(), self.options.get("last"))]
        text = "\n".join(part for part in shown if part)
        return [nodes.literal_block(text, text, language="text", classes=["terminal"])]


def split(text: str) -> list[str]:
    """One command a line; a line that ends in a backslash goes on, as does a here-document."""
    commands, lines = [], text.splitlines()
    while lines:
        command = lines.pop(0)
        while command.endswith("\\") and lines:
            command += "\n" + lines.pop(0)
        if mark := re.search(r"<<\s*'?(\w+)'?", command):
            while lines and not command.endswith(f"\n{mark[1]}"):
                command += "\n" + lines.pop(0)
        if command.strip():
            commands.append(command)
    return commands


def execute(command: str, folder: str) -> subprocess.CompletedProcess[str]:
    """Run one command with this interpreter and this checkout first in line."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    python_path = os.pathsep.join([str(DOCS.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | TERMINAL | {"PATH": path, "PYTHONPATH": python_path},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
    )


def cut(text: str, last: int | None) -> str:
    """The last lines of a long output, and a mark that there were more."""
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join(lines if not last or len(lines) <= last else ["[...]", *lines[-last:]])


class NotRun(SphinxDirective):
    """Code that is shown and not run, for a reason that is known."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {"language": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return a literal block."""
        reason = self.arguments[0]
        if reason not in REASONS:
            raise self.error(f"not-run {reason!r}: one of {', '.join(REASONS)} needed")
        text = "\n".join(self.content)
        language = self.options.get("language", "bash")
        return [nodes.literal_block(text, text, language=language, classes=["not-run"])]


class NotRunList(SphinxDirective):
    """All blocks that are marked, by page."""

    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return one list item for each reason, with its pages."""
        pages: dict[str, list[str]] = {reason: [] for reason in REASONS}
        for path in sorted(DOCS.rglob("*.md")):
            name = path.relative_to(DOCS).with_suffix("").as_posix()
            for reason in re.findall(r"^`{3,}\{not-run\} (.+)$", path.read_text(), re.M):
                if name not in pages[reason.strip()]:
                    pages[reason.strip()].append(name)
            self.env.note_dependency(str(path))
        lines = [
            f"- *{reason}*: {REASONS[reason]}. On: "
            + (", ".join(f"{{doc}}`/{page}`" for page in found) or "no page")
            for reason, found in pages.items()
        ]
        parent = nodes.container()
        self.state.nested_parse(StringList(lines, source=__file__), 0, parent)
        return list(parent.children)


def clean_up(app: Sphinx, exception: Exception | None) -> None:
    """Remove the folders of all pages."""
    for folder in _FOLDERS.values():
        folder.cleanup()
    _FOLDERS.clear()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("shell", Shell)
    app.add_directive("not-run", NotRun)
    app.add_directive("not-run-list", NotRunList)
    app.connect("build-finished", clean_up)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
