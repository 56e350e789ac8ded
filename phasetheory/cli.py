"""Commands: `phasetheory report` and `phasetheory verify`."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from phasetheory import __version__

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"phasetheory {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print it and stop."
        ),
    ] = False,
) -> None:
    """Compute, exactly, where local denoising works along a diffusion path and where it fails."""


@app.command()
def report(
    out: Annotated[
        Path, typer.Option(file_okay=False, help="Folder for index.html and the netCDF files.")
    ] = Path("phasetheory-report"),
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, under 20 seconds.")] = False,
) -> None:
    """Verify the theorems, map real images and two solved models, and write one page.

    Takes under a minute on two cores. The page (index.html) is self-contained; the numbers
    behind its figures lie beside it as netCDF.
    """
    from phasetheory.report.build import write_report

    index, ok = write_report(out, quick=quick)
    typer.echo(f"wrote {index}")
    if not ok:
        typer.echo("a theorem failed its check: see the page", err=True)
        raise typer.Exit(1)


@app.command()
def verify(
    theorem: Annotated[
        list[str] | None, typer.Argument(help="Theorems to check, for example T1 T8; all if none.")
    ] = None,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write a list of {theorem, instance, lhs, rhs, slack, holds}."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer instances.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Print every relation.")] = False,
) -> None:
    """Check every theorem of the registry on a zoo of instances.

    Prints, for each relation, how many instances were checked, the least slack and how close the
    two sides came. Exit status 1 if anything fails: an inequality violated, a theorem whose
    instances are all trivial, or a deliberately wrong variant that went unnoticed.
    """
    from rich.console import Console

    from phasetheory.report.terminal import relations_table, summary_table
    from phasetheory.theorems import THEOREMS
    from phasetheory.theorems import verify as run

    unknown = [key for key in theorem or [] if key not in THEOREMS]
    if unknown:
        raise typer.BadParameter(f"unknown theorem {unknown[0]}: one of {', '.join(THEOREMS)}")
    result = run(theorem or None, quick=quick)
    console = Console()
    if full:
        console.print(relations_table(result))
    console.print(summary_table(result))
    if json_path is not None:
        temporary = json_path.with_name(f".{json_path.name}.new")
        temporary.write_text(json.dumps(result.to_records(), indent=1) + "\n")
        os.replace(temporary, json_path)
        typer.echo(f"wrote {json_path}")
    if not result.ok:
        raise typer.Exit(1)
