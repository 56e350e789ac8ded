"""Run the benchmarks of this package and print one table for each module."""

import argparse
import importlib
import pkgutil
import platform
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table

import tests.benchmarks as package

#: More cases than this do not fit side by side on a terminal.
_WIDE = 6


def _table(rows: list[dict[str, object]]) -> Table:
    """Lay out the cases side by side, one measured quantity a line; many cases a line each."""
    names = list(rows[0])
    cells = [
        [f"{x:.3g}" if isinstance(x := row[k], float) else str(x) for k in names] for row in rows
    ]
    lines = [names, *cells]
    if len(rows) <= _WIDE:
        lines = [list(line) for line in zip(*lines, strict=True)]
    head, *body = lines
    table = Table()
    for i, title in enumerate(head):
        table.add_column(title, justify="right" if i else "left")
    for line in body:
        table.add_row(*line)
    return table


def _versions() -> str:
    """Python, the libraries that do the work, and the peers that are installed."""
    names = ("phasetheory", "numpy", "scipy", "numba", "cotengra", "dwave-samplers", "mcising")
    found = [f"python {platform.python_version()}"]
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small cases, a few seconds")
    parser.add_argument("--large", action="store_true", help="add the cases of minutes or GiB")
    parser.add_argument("--only", default="", help="modules whose name contains this")
    options = parser.parse_args()
    console = Console()
    console.print(_versions())
    for found in pkgutil.iter_modules(package.__path__):
        if found.name.startswith("bench_") and options.only in found.name:
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            title = (module.__doc__ or found.name).split("\n\n")[0]
            console.print(f"\n[bold]{title}[/bold]")
            console.print(_table(module.rows(quick=options.quick, large=options.large)))


if __name__ == "__main__":
    main()
