"""Directive `theorem-registry`: every theorem of the package, checked while the pages are built.

One section a theorem, with label `theorem-t1` and so on: its statement and source as registered,
and for each relation how many instances were checked and how close its two sides came. The build
fails if a theorem does.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from phasetheory.theorems import Relation, Theorem, verify


class TheoremRegistry(SphinxDirective):
    """All theorems in order."""

    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        result = verify(quick=True, progress=False)
        if not result.ok:
            raise self.error("; ".join(result.failures))
        return [self.section(theorem, result.of(key)) for key, theorem in result.theorems.items()]

    def section(self, theorem: Theorem, rows: list[Relation]) -> nodes.section:
        """One theorem."""
        label = f"theorem-{theorem.key.lower()}"
        title = f"{theorem.key}: {theorem.name}"
        section = nodes.section(ids=[label], names=[label])
        domain = self.env.domains.standard_domain
        domain.labels[label] = (self.env.docname, label, title)
        domain.anonlabels[label] = (self.env.docname, label)
        section += nodes.title("", title)
        # One formula a line: a phone is narrow.
        for formula in re.split(r",?\s*\\q?quad\s*", theorem.statement):
            section += nodes.math_block(formula, formula, nowrap=False, number=None, label=None)
        section += nodes.paragraph("", f"Source: {theorem.source}.")
        instances = len({row.instance for row in rows})
        section += nodes.paragraph("", f"Checked on {instances} instances in this build:")
        section += table(("relation", "count", "closest"), summaries(rows))
        wrong = f"Wrong variant, seen to fail: {theorem.altered}."
        section += nodes.paragraph("", wrong)
        return section


def summaries(rows: Iterable[Relation]) -> list[tuple[nodes.Node, str, str]]:
    """For each relation: its text, on how many instances it says something, how close it came."""
    kept: dict[str, list[Relation]] = {}
    for row in rows:
        if not row.vacuous:
            kept.setdefault(row.relation, []).append(row)
    return [(nodes.literal(text, text), str(len(own)), closest(own)) for text, own in kept.items()]


def closest(rows: list[Relation]) -> str:
    """Largest ratio of the sides of an inequality; largest residual of an identity."""
    if rows[0].kind == "<=":
        return f"ratio {max(row.tightness for row in rows):.3g}"
    worst = max(rows, key=lambda row: abs(row.lhs - row.rhs))
    if worst.stderr > 0:
        pulls = [abs(row.lhs - row.rhs) / row.stderr for row in rows if row.stderr > 0]
        return f"within {max(pulls):.1f} stderr"
    return f"residual {abs(worst.lhs - worst.rhs):.0e}"


def table(header: Sequence[str], rows: Iterable[Sequence[str | nodes.Node]]) -> nodes.table:
    """A table of text and inline nodes."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    for part, lines in ((nodes.thead(), [header]), (nodes.tbody(), rows)):
        for line in lines:
            row = nodes.row()
            for cell in line:
                content = nodes.Text(cell) if isinstance(cell, str) else cell
                row += nodes.entry("", nodes.paragraph("", "", content))
            part += row
        group += part
    return nodes.table("", group)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("theorem-registry", TheoremRegistry)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
