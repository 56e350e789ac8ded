"""`python -m paper_figures.located`: every transition located, beside the literature.

Reads the committed rows of the figures that locate something; computes nothing anew but the exact
window ends of the mixture, which take a second.
"""

from typing import Any

from rich.console import Console
from rich.table import Table

from paper_figures import runner
from paper_figures.store import Rows
from phasetheory.transitions.mixture_scaling import fit_window_ends, mixture_windows

__all__ = ["findings"]

#: Image sides of the mixture; the windows are exact at each.
SIDES = (256, 512, 1024, 2048, 4096)


def findings() -> list[dict[str, Any]]:
    """All located numbers: transition, quantity, found, stderr, literature, source, verdict."""
    table = []
    for name in runner.names():
        script = runner.load(name)
        if hasattr(script, "located"):
            store = Rows(runner.ROWS / f"{name}.jsonl")
            rows = store.get_or_compute(script.tasks(False), script.compute)
            table += script.located(rows)
    return table + _mixture()


def _mixture() -> list[dict[str, Any]]:
    fits = fit_window_ends(mixture_windows(SIDES))
    return [
        {
            "transition": "mixture of two, 1 - t against N",
            "quantity": f"exponent, {end}",
            "found": float(fit["exponent"]),
            "stderr": float(fit["stderr"]),
            "literature": float(fit["expected"]),
            "source": "Liu et al. 2026",
            "verdict": "exact data; the error is how straight the line is",
        }
        for end, fit in ((str(e), fits.sel(end=e)) for e in fits["end"].values)
    ]


def main() -> None:
    """Print the table."""
    columns = ("transition", "quantity", "found", "literature", "off by", "source", "verdict")
    table = Table(title="Transitions located", title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in findings():
        off = (row["found"] - row["literature"]) / row["stderr"] if row["stderr"] else 0.0
        table.add_row(
            row["transition"],
            row["quantity"],
            f"{row['found']:.5f} +- {row['stderr']:.5f}",
            f"{row['literature']:.5f}",
            f"{off:+.1f} errors",
            row["source"],
            row["verdict"],
        )
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
