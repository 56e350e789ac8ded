"""Commands on learned denoisers: `phasetheory neural train`, `cmi` and `generate`."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer

__all__ = ["app"]

#: What `phasetheory neural --help` teaches with; the tests run it.
EXAMPLE = """\
folder = "clothes"         # holds everything that is made
seed = 0

[data]
source = "fashion-mnist"   # or a file or folder of images
split = "test"             # "train" is not bundled
coarse = 1                 # average blocks of this side
held_out = 0.2             # no network sees these

[training]                 # of the denoisers
steps = 20000
batch_size = 256

[networks]
radius = [1, 2]            # local ones; a U-Net is the global one
local_width = 64
global_width = 32

[cmi]
t = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8]
radius = [1, 2, 3, 4, 6]

[generate]
steps = 64                 # of the flow
n_global = 16              # of these, in the hybrid
radius = 2                 # of the others
n = 1000                   # images
"""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=f"""Train denoisers on images, measure their CMI, generate with local and global steps.

    An experiment is a folder and a small TOML file; what it leaves out has a default:

    ```toml
{indent(EXAMPLE, "    ")}    ```

    Small enough for a laptop, without a file (five minutes on one core):

    ```bash
    phasetheory neural train --quick
    phasetheory neural cmi --quick
    phasetheory neural generate --quick
    ```

    Stop a training whenever you like; the same command goes on from its checkpoint. Needs torch:
    `pip install "phasetheory[torch]"`.
    """,
)

Config = Annotated[Path | None, typer.Argument(help="TOML file; defaults if none.")]
Folder = Annotated[
    Path | None, typer.Option("--folder", "-o", file_okay=False, help="In place of the config's.")
]
Quick = Annotated[
    bool, typer.Option("--quick", help="Half the resolution, small networks, few steps.")
]
Device = Annotated[str, typer.Option(help="'cpu', 'cuda', or 'auto' for CUDA where there is one.")]


@app.command()
def train(
    config: Config = None,
    folder: Folder = None,
    quick: Quick = False,
    device: Device = "auto",
    only: Annotated[
        str | None, typer.Option(help="One network: 'global', or a radius such as '2'.")
    ] = None,
) -> None:
    """Train the denoisers: local networks of every radius, and a global one.

    A local network sees exactly the (2r+1) x (2r+1) pixels around each pixel, by construction. The
    global one is a small U-Net. All learn E[x_0 | x_t] at all times from the same images; the rest
    are held out for `generate`.

    Writes `local-r1.safetensors`, ..., `global.safetensors`, with their settings in the header,
    and checkpoints beside them. A network that is finished is not trained again. The estimator of
    conditional densities is trained by `cmi`.
    """
    with _errors():
        from phasetheory.neural.experiment import network_path, train_network

        made = _experiment(config, folder, quick)
        radii = [*map(float, made.networks.radius), math.inf]
        if only is not None:
            wanted = math.inf if only == "global" else _number("only", only)
            if wanted not in radii:
                known = ", ".join("global" if r == math.inf else f"{r:g}" for r in radii)
                raise ValueError(f"only={only!r}: the experiment has the networks {known}")
            radii = [wanted]
        for radius in radii:
            path = network_path(made.folder, radius)
            try:
                losses = train_network(made, radius, device=device)
            except KeyboardInterrupt:
                _stopped(path.with_suffix(".ckpt"))
            last = losses[-100:]
            typer.echo(f"{path}: mean loss of the last {len(last)} steps {last.mean():.4f}")


@app.command()
def cmi(
    config: Config = None,
    folder: Folder = None,
    quick: Quick = False,
    device: Device = "auto",
) -> None:
    """Estimate I_t(A;C|B_r) of a pixel, at all times and radii from one training.

    Values come from images that the estimator never saw, and are not clipped. Beside each stands
    what it reads on its own training images (the difference is memorisation) and what it reads in
    a null run, with C of another image, where the truth is 0. An estimate from few images is low,
    by up to about the column `excess`: the held-out minus the training loss of the predictor that
    sees everything.

    Writes `cmi.nc`, which places the window of `generate` and which every plot of the package
    draws. A killed run continues from its checkpoint.
    """
    with _errors():
        from phasetheory.neural.scans import scan_images

        made = _experiment(config, folder, quick)
        asked, images = made.cmi, made.data.load()
        shape = images.training.shape[1:]
        settings = made.settings(
            device=device, steps=asked.steps, batch_size=asked.batch_size,
            learning_rate=asked.learning_rate,
        )  # fmt: skip
        centre = asked.centre or (shape[0] // 2, shape[1] // 2)
        try:
            scan = scan_images(
                images.training, t=asked.t, radius=asked.radius, centre=centre,
                held_out=images.held_out, settings=settings, route=asked.route, null=asked.null,
                width=asked.width, folder=made.folder,
            )  # fmt: skip
        except KeyboardInterrupt:
            _stopped(Path(made.folder))
        path = Path(made.folder) / "cmi.nc"
        _whole(path, lambda part: scan.to_netcdf(part, engine="scipy"))
        shown = {"cmi": "CMI, held out", "cmi_train": "on training images", "cmi_null": "null run"}
        shown = {name: text for name, text in shown.items() if name in scan}
        rows = []
        for t in scan["t"].values:
            for r in scan["radius"].values:
                cell = scan.sel(t=t, radius=r)
                values = [_value(cell[name], cell[f"{name}_stderr"]) for name in shown]
                rows.append([f"{t:g}", f"{r:g}", *values, f"{float(cell['full_gap']):.4f}"])
        title = f"I(A;C|B_r) of pixel {tuple(centre)}, {len(images.held_out)} held-out images, nats"
        _print_table(title, ["t", "r", *shown.values(), "excess"], rows)
        typer.echo(f"wrote {path}")


@app.command()
def generate(
    config: Config = None,
    folder: Folder = None,
    quick: Quick = False,
    device: Device = "auto",
) -> None:
    """Generate with local, global, hybrid and misplaced schedules, and compare them.

    The hybrid spends a given number of global steps, in one window, where the CMI map of `cmi`
    (or the locality gap of the networks: `window = "gap"`) predicts the largest loss of local
    ones. The misplaced windows have as many global steps at the ends of the path: what the hybrid
    gains over them is due to the place, not to the cost.

    Two measures against held-out images: the Fréchet distance in features of a classifier trained
    on the labels, and how often another network tells real from generated (0.5: by chance). The
    row `real` compares real images with real ones. Cost is in multiply-adds an image.

    Reads the networks of the folder; writes `samples.npz`, `samples.png` and `quality.json`.
    """
    with _errors():
        from phasetheory.neural.experiment import run_generation, write_outcomes

        made = _experiment(config, folder, quick)
        try:
            run = run_generation(made, device=device)
        except KeyboardInterrupt:
            _stopped(Path(made.folder))
        write_outcomes(made.folder, run)
        _whole(Path(made.folder) / "samples.png", lambda part: _picture(part, run.outcomes))
        low, high = run.schedules["hybrid"].window[0]
        typer.echo(f"classifier of the features, held out: {run.accuracy}")
        _print_table(
            f"{made.generate.n} images each; the hybrid is global for t from {low:g} to {high:g}",
            ["schedule", "Fréchet distance", "told from real", "operations", "seconds"],
            [
                [
                    name,
                    _value(out.frechet.value, out.frechet.stderr, 3),
                    _value(out.detected.value, out.detected.stderr, 3),
                    "" if math.isnan(out.operations) else f"{out.operations:.2e}",
                    "" if math.isnan(out.seconds) else f"{out.seconds:.1f}",
                ]
                for name, out in run.outcomes.items()
            ],
        )
        typer.echo(f"wrote samples.npz, samples.png and quality.json to {made.folder}")


def _experiment(config: Path | None, folder: Path | None, small: bool) -> Any:
    from phasetheory.neural.experiment_config import Experiment, quick, read_experiment

    made = Experiment() if config is None else read_experiment(config)
    made = quick(made) if small else made
    return made if folder is None else replace(made, folder=str(folder))


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name}={text!r}: 'global' or a radius needed") from None


def _value(value: Any, stderr: Any, digits: int = 4) -> str:
    return f"{float(value):.{digits}f} ± {float(stderr):.{digits}f}"


def _picture(path: Path, found: Any) -> None:
    import numpy as np

    from phasetheory import plotting

    with plotting.screen_style():
        figure, axes = plotting.figure(7.0, 0.75 * len(found), nrows=len(found), squeeze=False)
        rows = [[np.hstack(out.images[:10])] for out in found.values()]
        plotting.image_grid(axes, rows, [""] * len(rows), columns=[""])
        for panel, name in zip(axes[:, 0], found, strict=True):
            panel.set_ylabel(name.replace(", ", ",\n"), rotation=0, ha="right", va="center")
        figure.savefig(path, dpi=150)


def _whole(path: Path, write: Any) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".new.{path.name}")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _stopped(where: Path) -> None:
    typer.echo(f"stopped; {where} keeps what is done, the same command goes on", err=True)
    raise typer.Exit(130) from None


@contextmanager
def _errors() -> Iterator[None]:
    """Bad input as a usage error; a missing extra and a full disk as failures in one line."""
    try:
        if find_spec("torch") is None:
            raise ImportError('torch is missing: pip install "phasetheory[torch]"')
        yield
    except (ValueError, FileNotFoundError) as error:
        raise typer.BadParameter(str(error)) from error
    except (ImportError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
