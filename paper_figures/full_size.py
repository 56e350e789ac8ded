"""`python -m paper_figures.full_size NAME`: a figure of learned estimates at full size, in pieces.

Kill it and call it again: it goes on from the last checkpoint, and finished rows are kept. On a
machine that gives ten minutes at a time,

    until timeout 570 python -m paper_figures.full_size NAME --device cuda; do :; done

The training images of Fashion-MNIST come from Debian's package `dataset-fashion-mnist`.
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from paper_figures import runner
from paper_figures.store import Rows, task_key

app = typer.Typer(add_completion=False)


@app.command()
def main(
    name: Annotated[str, typer.Argument(help="A figure that has a full size.")],
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    work: Annotated[Path, typer.Option(help="Folder of checkpoints.")] = Path("full-size"),
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for the PDF, PNG and caption files.", show_default="paper_figures/out"
        ),
    ] = runner.OUT,
    *,
    rows: Annotated[
        Path, typer.Option(help="Folder for the computed rows.", show_default="paper_figures/rows")
    ] = runner.ROWS,
) -> None:
    """Compute and draw a figure at full size; checkpoints are kept until its rows are whole."""
    try:
        made = make(name, device=device, work=work, out=out, rows=rows)
    except (ValueError, FileNotFoundError) as error:
        raise typer.BadParameter(str(error)) from error
    for path in made:
        typer.echo(os.path.relpath(path))


def make(name: str, *, device: str | None, work: Path, out: Path, rows: Path) -> list[Path]:
    """Compute the missing rows of `full_tasks()`, draw them, and return the files written.

    Raises:
        ValueError: If there is no such figure, it has no full size, or the device is absent.
        FileNotFoundError: If the training images are not installed.
    """
    script = runner.load(name)
    if not hasattr(script, "full_tasks"):
        sized = [other for other in runner.names() if hasattr(runner.load(other), "full_tasks")]
        raise ValueError(f"{name} has no full size; {', '.join(sized)} have one")

    def compute(task: dict[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = script.compute(
            task, device=device, folder=work / name / task_key(task)[:16]
        )
        return row

    stem, tasks = f"{name}-full", script.full_tasks()
    finished = Rows(rows / f"{stem}.jsonl").get_or_compute(tasks, compute)
    return runner.draw(script, tasks, finished, out / stem)


if __name__ == "__main__":
    app(prog_name="python -m paper_figures.full_size")
