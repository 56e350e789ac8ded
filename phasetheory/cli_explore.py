"""The command `phasetheory explore`."""

import os
from importlib.util import find_spec
from typing import Annotated

import typer

__all__ = ["explore"]


def explore(
    host: Annotated[
        str, typer.Option(help="Address to listen on; the default reaches this machine only.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")
    ] = 2718,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    lecture: Annotated[bool, typer.Option("--lecture", help="Start with large type.")] = False,
) -> None:
    """Open the explorer: a page with a law, its noise, and sliders for t and r.

    It shows a sample on its path, the local and the global denoiser and their difference, the map
    of the CMI over t and r with its window, and the T1 chain as bars. Needs the extra `course`:
    `pip install "phasetheory[course]"`. Nothing is fetched from the network. Ctrl-C ends it.
    """
    if find_spec("marimo") is None:
        typer.echo("error: marimo is missing: pip install 'phasetheory[course]'", err=True)
        raise typer.Exit(1)
    # Progress is shown on the page.
    os.environ.setdefault("TQDM_DISABLE", "1")
    from phasetheory.explorer.address import is_loopback
    from phasetheory.explorer.server import serve

    if not is_loopback(host):
        typer.echo(
            f"warning: {host} is not loopback: whoever reaches this machine can use the explorer,"
            " which has no password",
            err=True,
        )
    try:
        serve(host, port, browser=browser, lecture=lecture, say=typer.echo)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="HOST, PORT") from error
