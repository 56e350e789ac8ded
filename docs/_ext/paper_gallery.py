"""Directive `paper-gallery`: every figure of the paper, drawn in the build from the kept rows.

A figure script (see `paper_figures/__init__.py`) states a claim, a caption and a cost and separates
tasks, computation and drawing, so the page needs no more than these, its picture and the command
that makes it. Nothing is computed: a figure whose rows are not all in the repository stops the
build.
"""

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from paper_figures import runner
from paper_figures.captions import Caption, caption_of
from paper_figures.store import Rows
from paper_figures.style import journal_style, save


def missing(task: dict[str, Any]) -> dict[str, Any]:
    """Stop at a row that was never computed."""
    raise LookupError(f"no kept row for {task}: run python -m paper_figures and commit the rows")


def prose(text: str) -> nodes.paragraph:
    """A paragraph with its formulas between dollars."""
    paragraph = nodes.paragraph()
    for k, part in enumerate(re.split(r"\$(.+?)\$", text)):
        paragraph += nodes.math(part, part) if k % 2 else nodes.Text(part)
    return paragraph


class PaperGallery(SphinxDirective):
    """One section a figure of a group: claim, picture, caption, command, cost."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the sections of the figures whose GROUP is the argument."""
        self.env.note_dependency(runner.__file__)
        group = self.arguments[0]
        if group not in runner.GROUPS:
            raise self.error(f"no group {group!r}; there are {', '.join(runner.GROUPS)}")
        scripts = {name: runner.load(name) for name in runner.names()}
        return [
            self.section(name, script) for name, script in scripts.items() if script.GROUP == group
        ]

    def section(self, name: str, script: ModuleType) -> nodes.section:
        """One figure."""
        self.env.note_dependency(str(script.__file__))
        caption, picture = self.drawn(name, script)
        here = Path(self.env.srcdir, self.env.docname).parent
        title = name.replace("_", " ").capitalize().replace(" cmi ", " CMI ")
        section = nodes.section(ids=[nodes.make_id(name)], names=[name])
        section += nodes.title("", title)
        claim = prose(caption.claim)
        claim["classes"].append("claim")
        section += claim
        section += nodes.image(uri=os.path.relpath(picture, here), alt=script.CLAIM)
        section += prose(caption.body)
        section += prose(caption.definitions())
        section += nodes.literal_block(caption.command, caption.command, language="bash")
        section += nodes.paragraph("", f"Computing its rows again costs {caption.cost}.")
        return section

    def drawn(self, name: str, script: ModuleType) -> tuple[Caption, Path]:
        """Caption and picture, from kept rows only."""
        tasks = script.tasks(False)
        rows = Rows(runner.ROWS / f"{name}.jsonl").get_or_compute(tasks, missing)
        with journal_style():
            figure = script.plot(rows)
            caption = caption_of(script, figure, tasks, runner.command(script))
            made = save(figure, name, Path(self.env.doctreedir) / "paper_figures")
        return caption, next(path for path in made if path.suffix == ".png")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("paper-gallery", PaperGallery)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
