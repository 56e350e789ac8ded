"""Commands: `phasetheory report`, `verify`, `scan`, `locate`, `denoise`, and those beside it."""

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer

from phasetheory import __version__, cli_explore, cli_neural

__all__ = ["app"]

#: What `phasetheory scan --help` teaches with; the tests run it.
EXAMPLE = """\
ledger = "strips.jsonl"    # finished batches; start again to go on
quantity = "cmi"           # or label_information, locality_gap, ...
n_samples = 500            # samples a batch

[model]                    # any list of values is an axis of the grid
name = "Ising"
width = 6
size = [8, 12]
coupling = 0.3

[noise]
name = "BitFlip"
t = { start = 0.1, stop = 0.9, num = 5 }

[geometry]
name = "centre"
radius = [0, 1, 2]

[stop]
batches = 16               # most batches a task gets
target_stderr = 2e-3       # enough, in nats
seconds = 600              # start no batch after ten minutes
"""

#: What `phasetheory denoise --help` teaches with; the tests run it.
DENOISE_EXAMPLE = """\
times = { start = 1.0, stop = 0.0, num = 21 }    # from noise to data

[model]                    # any list of values is an axis of the grid
name = "Ising"
size = 3
coupling = [0.3, 0.8]

[noise]
name = "BitFlip"           # its t are the times

[[circuit]]                # buffer radii against each other
radius = [0, 1, inf]       # inf: global gates
order = "layers"           # or random, raster, simultaneous

[[circuit]]                # the cheapest schedule with TV <= tolerance
schedule = "hybrid"
radius = [0, 1]            # what it may choose from, beside global
tolerance = [0.2, 0.05]
shift = [0, 3]             # its window as chosen, and 3 steps too late
"""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(cli_neural.app, name="neural")
app.command()(cli_explore.explore)


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


@app.command(
    help=f"""Run a sweep over a grid of sizes, couplings, times and radii, and keep what is done.

    CONFIG is a small TOML file:

    ```toml
{indent(EXAMPLE, "    ")}    ```

    A wrong name is answered with the nearest valid one and all others. `[[model]]` in place of
    `[model]`, several times, compares different models.

    Every finished batch of samples is added to the ledger, a text file. Stop the command whenever
    you like; started again, it goes on. Raise `batches` or lower `target_stderr` later, and only
    what is missing is computed. The numbers do not depend on the number of workers.

    Several machines share a sweep by the seed index of their first batch (`--first 0`,
    `--first 1000`, ...), each with a ledger of its own; `phasetheory locate` takes them all.
    """
)
def scan(
    config: Annotated[Path, typer.Argument(help="TOML file.")],
    ledger: Annotated[
        Path | None, typer.Option(dir_okay=False, help="In place of the config's ledger.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", "-j", min=1, help="Processes.")] = 1,
    seconds: Annotated[
        float | None, typer.Option(help="In place of the config's budget of seconds.")
    ] = None,
    first: Annotated[
        int | None, typer.Option(help="Seed index of the first batch, for a second machine.")
    ] = None,
    netcdf: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the results so far as netCDF.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler to run on.")
    ] = None,
) -> None:
    """Run a sweep; the text above is its help."""
    from phasetheory.sweep import Stop
    from phasetheory.sweep import scan as run
    from phasetheory.sweep.config import read_config

    with _errors("config"), _plain_warnings(), ExitStack() as stack:
        settings = read_config(config)
        given: dict[str, Any] = {"seconds": seconds, "first": first}
        stop: Stop = replace(settings.stop, **{k: v for k, v in given.items() if v is not None})
        book = ledger or settings.ledger
        stack.enter_context(_workers(workers, scheduler))
        try:
            data = run(settings.grid, ledger=book, stop=stop)
        except KeyboardInterrupt:
            typer.echo(f"stopped; {book} keeps what is done, start again to go on", err=True)
            raise typer.Exit(130) from None
    total, left = data.attrs["n_tasks"], data.attrs["n_unfinished"]
    more = ": start again to go on" if left else ""
    typer.echo(
        f"{book}: {data.attrs['n_batches']} batches, {total - left} of {total} tasks done{more}"
    )
    _write_netcdf(data, netcdf)


@app.command()
def locate(
    ledgers: Annotated[list[Path], typer.Argument(help="Ledgers of `phasetheory scan`.")],
    threshold: Annotated[
        float | None,
        typer.Option(help="Level of the window in nats; half of each peak by default."),
    ] = None,
    netcdf: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the merged results as netCDF.")
    ] = None,
) -> None:
    """Merge ledgers and say where the transition is.

    A batch in several ledgers counts once, so ledgers of several machines, or copies of one, can
    be given together. Prints

    - the peak of the CMI over t and the window where it is large, for every size and radius. The
      peak at a fixed small radius is not the transition: it drifts there as the radius grows;
    - the Markov length at every t (from four radii), and how good the exponential is;
    - with several sizes, the crossings of their curves, and the collapse onto one scaling curve
      with its critical point and exponents, or why the data do not collapse.

    Example: `phasetheory locate monday.jsonl cluster-*.jsonl --netcdf merged.nc`
    """
    from rich.console import Console

    from phasetheory.sweep import read_ledger
    from phasetheory.sweep.locate import findings

    with _errors("ledgers"), _plain_warnings():
        data = read_ledger(*ledgers)
        if threshold is not None and not threshold > 0:
            raise ValueError(f"threshold={threshold}: a positive number of nats needed")
        console = Console()
        for finding in findings(data, threshold=threshold):
            console.print(_table(finding))
            console.print()
    _write_netcdf(data, netcdf)


@app.command(
    help=f"""Undo noise with circuits of local gates, and say how far from the data they end.

    CONFIG is a small TOML file:

    ```toml
{indent(DENOISE_EXAMPLE, "    ")}    ```

    Exact on discrete models of few sites (2^25 states; erasure has a third symbol) and on Gaussian
    fields: KL, TV and the bound T2. Anything larger is sampled (`n_samples = 1000`); then the
    correlation of neighbours is compared with that of the data.

    Cost counts the sites that all gates read. A star marks the Pareto front: no other circuit of
    that model has less error at the same or a lower cost. What is local is the light cone, not the
    radius: a raster sweep of radius 1 reaches across the lattice.

    Finished circuits are added to a file; stop the command whenever you like, and started again it
    goes on.
    """
)
def denoise(
    config: Annotated[Path, typer.Argument(help="TOML file.")],
    results: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="File of finished circuits, in place of the config's."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write all results, .nc or .json.")
    ] = None,
) -> None:
    """Run reverse circuits; the text above is its help."""
    from rich.console import Console

    from phasetheory.sweep.denoise import denoise as run
    from phasetheory.sweep.denoise_config import read_denoise_config
    from phasetheory.sweep.denoise_table import finding, write_denoised

    with _errors("config"), _plain_warnings():
        if out is not None and out.suffix not in (".nc", ".json"):
            raise ValueError(f"out={str(out)!r}: a name that ends with .nc or .json needed")
        settings = read_denoise_config(config)
        book = results or settings.results
        try:
            data = run(settings.tasks, book)
        except KeyboardInterrupt:
            typer.echo(f"stopped; {book} keeps what is done, start again to go on", err=True)
            raise typer.Exit(130) from None
        Console().print(_table(finding(data)))
        typer.echo(f"{book}: {data.sizes['task']} circuits")
        if out is not None:
            write_denoised(data, out)
            typer.echo(f"wrote {out}")


def _table(finding: Any) -> Any:
    """A table for the terminal; the reason alone where there is none."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    if not finding.rows:
        return f"[bold]{escape(finding.title)}[/]\n{escape(finding.note)}"
    table = Table(
        title=escape(finding.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for name, *cells in zip(finding.columns, *finding.rows, strict=True):
        # On a narrow screen words wrap, but a number must never be cut.
        width = max(map(len, cells)) if all(map(_is_number, cells)) else None
        table.add_column(escape(name), min_width=width, overflow="fold")
    for row in finding.rows:
        table.add_row(*map(escape, row))
    table.caption = escape(finding.note)
    return table


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell in ("", "-")
    return True


@contextmanager
def _errors(argument: str) -> Iterator[None]:
    """Bad input as a usage error, a full disk as a failure, both without a traceback."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=argument.upper()) from error
    except OSError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Warnings as one line of text each, all of them."""

    def show(message: Warning | str, *where: Any, **more: Any) -> None:
        typer.echo(f"warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


@contextmanager
def _workers(number: int, scheduler: str | None) -> Iterator[None]:
    """Work on this machine, or on a Dask cluster."""
    from joblib import parallel_config

    if scheduler is None:
        with parallel_config(n_jobs=number):
            yield
        return
    try:
        client = import_module("distributed").Client
    except ModuleNotFoundError:
        raise ValueError("--scheduler needs Dask: pip install 'phasetheory[dask]'") from None
    with client(scheduler), parallel_config(backend="dask"):
        yield


def _write_netcdf(data: Any, path: Path | None) -> None:
    if path is not None:
        temporary = path.with_name(f".{path.name}.new")
        data.to_netcdf(temporary, engine="scipy")
        os.replace(temporary, path)
        typer.echo(f"wrote {path}")
