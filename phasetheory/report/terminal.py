"""Tables of a verification for a terminal."""

from rich.markup import escape
from rich.table import Table

from phasetheory.theorems import Relation, Verification

__all__ = ["relations_table", "summary_table"]


def summary_table(result: Verification) -> Table:
    """One line a relation: how many instances, the least slack, how close the sides came."""
    table = Table(title="Theorems checked", title_justify="left")
    for name in ("", "theorem and relations"):
        table.add_column(name)
    for name in ("instances", "least slack", "closest", "holds"):
        table.add_column(name, justify="right")
    for key, theorem in result.theorems.items():
        own = result.of(key)
        caught = "[green]caught[/]" if result.controls[key] else "[red]missed[/]"
        control = f"wrong variant {caught}: {escape(theorem.altered)}"
        table.add_row(f"[bold]{key}[/]", f"[bold]{escape(theorem.name)}[/]\n[dim]{control}[/]")
        for text in dict.fromkeys(row.relation for row in own):
            table.add_row(*_line([row for row in own if row.relation == text]))
        table.add_section()
    table.caption = verdict(result)
    return table


def relations_table(result: Verification) -> Table:
    """Every relation on every instance, both sides."""
    table = Table(title="Relations", title_justify="left")
    for name in ("", "instance", "relation"):
        table.add_column(name)
    for name in ("left side", "right side", "slack", "error", "holds"):
        table.add_column(name, justify="right")
    for row in result.rows:
        sides = [f"{x:.6g}" for x in (row.lhs, row.rhs, row.slack)]
        error = f"{row.stderr:.1g}" if row.stderr else "exact"
        table.add_row(
            row.theorem, escape(row.instance), escape(row.relation), *sides, error, _mark(row.holds)
        )
    return table


def verdict(result: Verification) -> str:
    """One sentence on the whole, or the failures one by one."""
    if result.ok:
        return f"All {len(result.rows)} relations hold; every wrong variant was caught."
    return "\n".join(f"[red]{escape(sentence)}[/]" for sentence in result.failures)


def _line(rows: list[Relation]) -> list[str]:
    counted = [row for row in rows if not row.vacuous] or rows
    if rows[0].kind == "<=":
        closest = f"{max(row.tightness for row in counted):.3f}"
    else:
        closest = "identity"
    return [
        "", escape(rows[0].relation), str(len(counted)),
        f"{min(row.slack for row in counted):.2g}", closest, _mark(all(row.holds for row in rows)),
    ]  # fmt: skip


def _mark(holds: bool) -> str:
    return "[green]yes[/]" if holds else "[red]NO[/]"
