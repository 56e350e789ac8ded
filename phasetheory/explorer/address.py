"""Where the explorer listens, and whom it answers."""

import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

__all__ = ["SameSite", "is_loopback", "listen", "url"]

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def is_loopback(host: str) -> bool:
    """Whether a host name or address reaches this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to a host and port.

    Args:
        host: Name or address of this machine.
        port: Port; 0 for any that is free.

    Returns:
        The socket, which the caller closes.

    Raises:
        ValueError: If this machine has no such address, or the port is taken.
    """
    sock = None
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
    except (OSError, UnicodeError) as error:
        if sock is not None:
            sock.close()
        why = getattr(error, "strerror", None) or error
        raise ValueError(
            f"cannot listen on host={host!r}, port={port}: {why}; an address of this machine and a"
            " free port (0: any) needed"
        ) from error
    return sock


def url(host: str, port: int, *, lecture: bool = False) -> str:
    """Address of the page."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/{'?lecture=yes' if lecture else ''}"


class SameSite:
    """ASGI middleware that answers only what comes from the page itself.

    The page has no password. Another site in the same browser must reach it neither by a request
    of its own (the header `Origin` tells) nor under a name that it lets resolve to this machine
    (`Host` tells, where the server listens on loopback).
    """

    def __init__(self, page: Asgi, host: str) -> None:
        self.page = page
        self.hosts = {"localhost", "127.0.0.1", "::1", host} if is_loopback(host) else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand over what comes from the page; refuse the rest with status 403."""
        if scope["type"] == "lifespan" or self.accepts(scope["headers"]):
            await self.page(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"not from this page"})

    def accepts(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether the headers of a request are those of the page."""
        found = {name.lower(): value.decode("latin-1") for name, value in headers}
        host = found.get(b"host", "")
        if self.hosts is not None and urlsplit(f"//{host}").hostname not in self.hosts:
            return False
        return found.get(b"origin", f"http://{host}") == f"http://{host}"
