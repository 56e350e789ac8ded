"""Serve the explorer on one port of this machine, without anything from the network."""

import os
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import marimo
import uvicorn

# The notebook imports these too, in its first cell: loaded before the address is told, they do not
# keep the browser waiting.
from phasetheory.explorer import chain, moment, page, scenes, study
from phasetheory.explorer.address import SameSite, listen, url

__all__ = ["APP", "serve"]

#: The notebook.
APP = Path(__file__).with_name("app.py")
_LOADED = (chain, moment, page, scenes, study)


def serve(
    host: str, port: int, *, browser: bool, lecture: bool, say: Callable[[str], None] = print
) -> NoReturn:
    """Serve the page until interrupted by Ctrl-C or SIGTERM, then end the process.

    Args:
        host: Name or address to listen on.
        port: Port; 0 for any that is free.
        browser: Open the page in the default browser.
        lecture: Start with large type.
        say: Where lines for the user go.

    Raises:
        ValueError: If this machine has no such address or the port is taken, before anything
            starts.
    """
    with closing(listen(host, port)) as sock:
        address = url(host, sock.getsockname()[1], lecture=lecture)
        notebook = marimo.create_asgi_app(quiet=True).with_app(path="", root=str(APP)).build()
        config = uvicorn.Config(
            SameSite(notebook, host),
            log_level="warning",
            timeout_graceful_shutdown=1,  # open pages keep their connection; do not wait for them
        )
        server = uvicorn.Server(config)
        say(f"phasetheory explorer: {address} (Ctrl-C ends it)")
        sys.stdout.flush()
        if browser:
            threading.Timer(1.0, webbrowser.open, [address]).start()
        try:
            server.run(sockets=[sock])
        except KeyboardInterrupt:  # passed on by uvicorn after it has closed everything
            pass
    say("explorer closed")
    # The kernels of pages that are still open wait for messages in threads that Python would join
    # before it exits. Nothing is left to do, and nothing is kept on disk.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
