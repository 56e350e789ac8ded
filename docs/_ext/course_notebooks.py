"""Course pages as notebooks to download: role of each cell kept, answers left to the student.

The directive `course-notebook` links to `<page>.ipynb`, which is written beside the page into the
HTML output when the build has finished. The notebook is the page as read by MyST-NB, not executed,
with the markup that only Sphinx knows turned into plain Markdown. Solutions are collapsed.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import nbformat
from docutils import nodes
from myst_nb.core.read import read_myst_markdown_notebook
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DIRECTIVE = re.compile(
    r"^(:{3,}|`{3,})\{(?P<name>[\w-]+)\}[ ]*(?P<title>[^\n]*)\n(?P<body>.*?)^\1$", re.M | re.S
)
ROLE = re.compile(r"\{(?P<role>[\w:-]+)\}`(?P<text>[^`]*)`")
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>(?!https?:)[^)\s]*)\)")
LEFT_OVER = re.compile(r"\{[\w:-]+\}`|^(?::{3,}|`{3,})\{|^\([\w-]+\)=$", re.M)


class CourseNotebook(SphinxDirective):
    """A link to the page as a notebook."""

    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the link; the file is written later."""
        noted = self.env.course_notebooks = getattr(self.env, "course_notebooks", set())
        noted.add(self.env.docname)
        target = PurePosixPath(self.env.docname).name + ".ipynb"
        link = nodes.reference("", "this page as a notebook", refuri=target, internal=False)
        return [nodes.paragraph("", "Download ", link, nodes.Text(" (.ipynb)."))]


def notebook(text: str) -> nbformat.NotebookNode:
    """The page as a valid notebook in Markdown that Jupyter knows, without outputs.

    Raises:
        ValueError: If markup is left that Jupyter would show as it stands.
    """
    made = read_myst_markdown_notebook(text)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made.metadata = nbformat.from_dict({"kernelspec": kernel})
    kept = []
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source)
            if LEFT_OVER.search(cell.source):
                raise ValueError(f"markup of Sphinx left in the notebook: {cell.source!r}")
        elif "solution" in tags:
            cell.metadata["jupyter"] = {"source_hidden": True}
        if cell.source:
            kept.append(cell)
    made.cells = kept
    nbformat.validate(made)
    return made


def plain(markdown: str) -> str:
    """Markdown without the directives, roles, labels and local links of Sphinx."""
    without = re.sub(r"^\([\w-]+\)=\n", "", markdown, flags=re.M)
    without = DIRECTIVE.sub(_quoted, without)
    without = ROLE.sub(_named, without)
    return LINK.sub(_linked, without).strip()


def _quoted(found: re.Match[str]) -> str:
    """A directive as a quotation under its title; the download link goes."""
    if found["name"] == "course-notebook":
        return ""
    title = found["title"] or found["name"].capitalize()
    body = re.sub(r"\A(?::[\w-]+:[^\n]*\n)+", "", found["body"]).strip()
    lines = [f"**{title}**", "", *body.splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _named(found: re.Match[str]) -> str:
    """A reference by its title, or a name as code."""
    titled = re.fullmatch(r"(.*?)\s*<[^>]*>", found["text"], re.S)
    return titled[1] if titled else f"`{found['text'].lstrip('~')}`"


def _linked(found: re.Match[str]) -> str:
    """Another chapter as its notebook, any other page as text."""
    target = found["target"].split("#")[0]
    if re.fullmatch(r"chapter_\w+\.md", target):
        return f"[{found['text']}]({target.removesuffix('.md')}.ipynb)"
    return found["text"]


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    for docname in sorted(getattr(app.env, "course_notebooks", ())):
        if docname not in app.env.found_docs:
            continue
        made = notebook(Path(app.env.doc2path(docname)).read_text(encoding="utf-8"))
        target = Path(app.outdir, f"{docname}.ipynb")
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(made, target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and the writer."""
    app.add_directive("course-notebook", CourseNotebook)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
