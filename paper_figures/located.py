"""`python -m paper_figures.located`: every transition located, beside the literature.

Reads the committed rows of the figures that locate something. A value more than two errors (its own
and the literature's together) from the literature is called "off", whatever the reason: sizes too
small, corrections to scaling, or chance.
"""

import math
from typing import Any

from rich.console import Console
from rich.table import Table

from paper_figures import runner
from paper_figures.store import Rows

__all__ = ["distance", "findings", "judged", "main", "short"]

#: Combined errors within which two values agree.
AGREE = 2.0


def findings() -> list[dict[str, Any]]:
    """All located numbers of all figures, in the order of the figures.

    Returns:
        Dicts with transition, quantity, found, stderr, literature, literature_stderr, source,
        verdict (what the fit says of itself). Not located: found is NaN.
    """
    table = []
    for name in runner.names():
        script = runner.load(name)
        if hasattr(script, "located"):
            store = Rows(runner.ROWS / f"{name}.jsonl")
            rows = store.get_or_compute(script.tasks(False), script.compute)
            table += script.located(rows)
    return table


def distance(row: dict[str, Any]) -> float:
    """Found minus literature, in units of their combined error; NaN where nothing was found."""
    error = math.hypot(row["stderr"], row["literature_stderr"])
    return (row["found"] - row["literature"]) / error if error > 0 else math.nan


def judged(row: dict[str, Any]) -> str:
    """Say "agrees", "off" or "not located", with the distance from the literature."""
    off = distance(row)
    if math.isnan(off):
        return "not located"
    return f"{'agrees' if abs(off) <= AGREE else 'off'}: {off:+.1f}"


def short(value: float, error: float) -> str:
    """Value with its error in units of the last of its digits, 0.2175(6); no error: six digits.

    Example:
        >>> short(0.21751, 0.00055), short(-0.987, 0.016), short(4 / 3, 0.0)
        ('0.2175(6)', '-0.987(16)', '1.33333')
    """
    if not error > 0:
        return f"{value:.6g}"
    # Two digits of errors that begin with 1: one would round them by up to half.
    first = math.floor(math.log10(error))
    digits = max(0, -first + (error / 10.0**first < 2))
    return f"{value:.{digits}f}({error * 10**digits:.0f})"


def main() -> None:
    """Print the table."""
    table = Table(title="Transitions located", title_justify="left")
    for column in ("transition", "quantity", "found", "literature", "errors off", "how", "source"):
        table.add_column(column)
    for row in findings():
        table.add_row(
            row["transition"],
            row["quantity"],
            short(row["found"], row["stderr"]),
            short(row["literature"], row["literature_stderr"]),
            judged(row),
            row["verdict"],
            row["source"],
        )
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
