"""Run the benchmarks of this package and print one table for each module."""

import argparse
import importlib
import pkgutil
import platform
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table

import tests.benchmarks as package


def _table(rows: list[dict[str, object]]) -> Table:
    """Lay out the cases side by side, one measured quantity a line."""
    first, *others = rows[0]
    table = Table()
    table.add_column(first)
    for row in rows:
        table.add_column(str(row[first]), justify="right")
    for name in others:
        table.add_row(
            name, *(f"{x:.3g}" if isinstance(x := row[name], float) else str(x) for row in rows)
        )
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
