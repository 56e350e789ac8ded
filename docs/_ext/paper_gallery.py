"""Directive `paper-gallery`: every figure of the paper, drawn in the build from the kept rows.

A figure script (see `paper_figures/runner.py`) states a claim and separates tasks, computation and
drawing, so the page needs no more than its claim, its picture and the command that makes it.
Nothing is computed: a figure whose rows are not all in the repository stops the build.
"""

import os
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from paper_figures import runner
from paper_figures.store import Rows
from paper_figures.style import journal_style, save


def missing(task: dict[str, Any]) -> dict[str, Any]:
    """Stop at a row that was never computed."""
    raise LookupError(f"no kept row for {task}: run python -m paper_figures and commit the rows")


class PaperGallery(SphinxDirective):
    """One section a figure: claim, picture, command."""

    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        work = Path(self.env.doctreedir) / "paper_figures"
        self.env.note_dependency(runner.__file__)
        found: list[nodes.Node] = []
        for name in runner.names():
            script = runner.load(name)
            self.env.note_dependency(str(script.__file__))
            rows = Rows(runner.ROWS / f"{name}.jsonl").get_or_compute(script.tasks(False), missing)
            with journal_style():
                made = save(script.plot(rows), name, work)
            picture = next(path for path in made if path.suffix == ".png")
            found.append(self.section(name, script.CLAIM, picture))
        return found

    def section(self, name: str, claim: str, picture: Path) -> nodes.section:
        """One figure."""
        here = Path(self.env.srcdir, self.env.docname).parent
        title = name.replace("_", " ").capitalize().replace(" cmi ", " CMI ")
        section = nodes.section(ids=[nodes.make_id(name)], names=[name])
        section += nodes.title("", title)
        section += nodes.paragraph("", claim)
        section += nodes.image(uri=os.path.relpath(picture, here), alt=claim)
        command = f"python -m paper_figures {name}"
        section += nodes.literal_block(command, command, language="bash")
        return section


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("paper-gallery", PaperGallery)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
