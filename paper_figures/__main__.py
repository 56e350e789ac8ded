"""`python -m paper_figures [NAME...]`: make the figures of the paper."""

import os
from pathlib import Path
from typing import Annotated

import typer

from paper_figures import runner
from paper_figures.style import FORMATS

app = typer.Typer(add_completion=False)


@app.command()
def main(
    figures: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Figures to make; all if none.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, seconds each.")] = False,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for the PDF, PNG and caption files; proceedings go to a folder in it.",
            show_default="paper_figures/out",
        ),
    ] = runner.OUT,
    *,
    rows: Annotated[
        Path, typer.Option(help="Folder for the computed rows.", show_default="paper_figures/rows")
    ] = runner.ROWS,
    show: Annotated[bool, typer.Option("--list", help="List the figures and stop.")] = False,
    recompute: Annotated[bool, typer.Option("--recompute", help="Compute rows again.")] = False,
    page: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="Widths: journal columns (3.4 and 7 in) or proceedings (3.25 and 6.75 in).",
        ),
    ] = "journal",
) -> None:
    """Make the figures of the paper; rows that are already computed are not computed again."""
    if page not in FORMATS:
        raise typer.BadParameter(f"{page!r} is not one of {', '.join(FORMATS)}")
    try:
        scripts = {name: runner.load(name) for name in figures or runner.names()}
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    for name, script in scripts.items():
        typer.echo(f"{name}: {script.CLAIM}")
        if show or recompute:
            typer.echo(f"  computing the rows again costs {script.COST}")
        if not show:
            folder = out if page == "journal" else out / page
            made = runner.make(
                name, quick=quick, out=folder, rows=rows, recompute=recompute, page=page
            )
            for path in made:
                typer.echo(f"  {os.path.relpath(path)}")


if __name__ == "__main__":
    app(prog_name="python -m paper_figures")
