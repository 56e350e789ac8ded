"""`python -m tests.check_site DIR`: the built documentation is whole, and fits a phone.

Reads every page of the folder. Each link and each picture must lead to a file of the site, each
anchor to a place on its page; nothing may be loaded from elsewhere. With chromedriver on the path
each page is also opened at the width of a phone: it must not scroll sideways, and must load nothing
over the network. Links that a reader follows to other sites are not visited.
"""

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

PHONE = (390, 844)  # CSS pixels
ELSEWHERE = re.compile(r"^(https?:)?//", re.I)
CSS = re.compile(r"(?:url\(\s*|@import\s+)['\"]?([^'\")\s;]+)", re.I)
#: Attributes that make a browser fetch something while it opens the page.
LOADED = {
    "audio": ("src",), "embed": ("src",), "iframe": ("src",), "img": ("src", "srcset"),
    "image": ("href", "xlink:href"), "object": ("data",), "script": ("src",),
    "source": ("src", "srcset"), "track": ("src",), "video": ("src", "poster"),
    "use": ("href", "xlink:href"),
}  # fmt: skip
#: What `<link rel=...>` fetches; the others only name a place.
FETCHED = {"stylesheet", "icon", "shortcut", "preload", "prefetch", "preconnect", "dns-prefetch"}
FETCHED |= {"modulepreload", "manifest", "apple-touch-icon"}


@dataclass
class Page(HTMLParser):
    """Links, resources and anchors of one page."""

    text: str
    links: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    twice: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.inside = ""
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.inside = tag
        if "id" in given:
            self.anchors.add(given["id"])
        if tag == "a" and "name" in given:
            self.anchors.add(given["name"])
        if tag in {"a", "area"} and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and set(given.get("rel", "").lower().split()) & FETCHED:
            self.resources.append(given.get("href", ""))
        elif tag == "link" and given.get("rel", "").lower() in {"next", "prev", "search", "index"}:
            self.links.append(given.get("href", ""))
        for name in LOADED.get(tag, ()):
            if name in given:
                several = given[name].split(",") if name == "srcset" else [given[name]]
                self.resources += [one.split()[0] for one in several if one.strip()]
        self.resources += CSS.findall(given.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            self.resources += CSS.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""


def pages_of(site: Path) -> list[Path]:
    """The pages; themes keep templates of theirs among the static files."""
    every = sorted(site.resolve().rglob("*.html"))
    return [path for path in every if "_static" not in path.relative_to(site.resolve()).parts]


def check(site: Path) -> list[str]:
    """What is wrong with a built site, a sentence each."""
    site = site.resolve()
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in pages_of(site)}
    if not pages:
        return [f"{site}: no page"]
    found = []
    for path, page in pages.items():
        where = path.relative_to(site).as_posix()
        for target in page.resources:
            found += _resource(site, path, target, where)
        for target in page.links:
            found += _link(site, path, target, pages)
    for path in sorted(site.rglob("*.css")):
        for target in CSS.findall(path.read_text(encoding="utf-8")):
            found += _resource(site, path, target, path.relative_to(site).as_posix())
    return found


def _resource(site: Path, path: Path, target: str, where: str) -> list[str]:
    if ELSEWHERE.match(target):
        return [f"{where}: loads {target}"]
    parts = urlsplit(target)
    if parts.scheme in {"data", "blob"} or not parts.path:
        return []
    file = _file(site, path, parts.path)
    return [] if file.is_file() else [f"{where}: loads {target}, which is not there"]


def _link(site: Path, path: Path, target: str, pages: dict[Path, Page]) -> list[str]:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or target in {"", "#"}:
        return []
    where = path.relative_to(site).as_posix()
    file = _file(site, path, parts.path) if parts.path else path
    if file.is_dir():
        file = file / "index.html"
    if not file.is_file():
        return [f"{where}: links to {target}, which is not there"]
    if not file.is_relative_to(site):
        return [f"{where}: links to {target}, outside of the site"]
    anchor = unquote(parts.fragment)
    if anchor and file in pages and anchor not in pages[file].anchors:
        return [f"{where}: links to {target}, which has no such place"]
    return []


def _file(site: Path, path: Path, target: str) -> Path:
    base = site if target.startswith("/") else path.parent
    return (base / unquote(target).lstrip("/")).resolve()


# In a browser.

_SEEN = """
const wide = document.documentElement.clientWidth, found = [];
const scrolls = e => {
  for (let p = e; p && p !== document.body; p = p.parentElement) {
    const s = getComputedStyle(p);
    if (['auto', 'scroll', 'hidden', 'clip'].includes(s.overflowX) || s.position === 'fixed')
      return true;
  }
  return false;
};
for (const e of document.body.querySelectorAll('*')) {
  const r = e.getBoundingClientRect();
  if (r.width && r.right > wide + 1 && !scrolls(e))
    found.push(e.tagName.toLowerCase() + (e.id ? '#' + e.id : '')
      + '.' + String(e.className).split(' ').join('.'));
}
const loaded = performance.getEntriesByType('resource').map(e => e.name);
return {wide, page: document.documentElement.scrollWidth, found: found.slice(0, 4),
        loaded: loaded.filter(name => /^https?:/.test(name))};
"""


def look(site: Path, driver: str, size: tuple[int, int] = PHONE) -> list[str]:
    """What does not fit, or is fetched, when each page is opened in a browser."""
    found = []
    with _session(driver, size) as ask:
        for path in pages_of(site):
            ask("POST", "url", {"url": path.as_uri()})
            seen = ask("POST", "execute/sync", {"script": _SEEN, "args": []})
            where = path.relative_to(site.resolve()).as_posix()
            if seen["wide"] != size[0]:
                found.append(f"{where}: laid out for {seen['wide']} pixels, not for {size[0]}")
            if seen["page"] > seen["wide"]:
                too_wide = f"{seen['page']} pixels wide on a screen of {seen['wide']}"
                found.append(f"{where}: {too_wide} ({', '.join(seen['found']) or '?'})")
            found += [f"{where}: fetches {name}" for name in seen["loaded"]]
    return found


@contextmanager
def _session(driver: str, size: tuple[int, int]) -> Iterator[Any]:
    """A function that sends one WebDriver command to a headless browser without network."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND"]
    metrics = {"width": size[0], "height": size[1], "pixelRatio": 2.0, "mobile": True}
    options = {"args": arguments, "mobileEmulation": {"deviceMetrics": metrics}}
    wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
    base = f"http://127.0.0.1:{port}/session"
    try:
        started = _post(base, "POST", wanted, patience=60.0)
        address = f"{base}/{started['sessionId']}"
        yield lambda method, path, body: _post(f"{address}/{path}", method, body)
        _post(address, "DELETE", None)
    finally:
        server.terminate()
        server.wait(timeout=20)


def _post(url: str, method: str, body: Any, patience: float = 0.0) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, method=method, headers={"Content-Type": "application/json"}
    )
    end = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {url}: {error.read().decode()[:300]}") from error
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def main() -> int:
    """Check a site; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.check_site", description=__doc__)
    parser.add_argument("site", type=Path, help="folder with the built pages")
    parser.add_argument(
        "--phone", choices=("auto", "yes", "no"), default="auto",
        help="open every page at the width of a phone; auto: if there is a chromedriver",
    )  # fmt: skip
    given = parser.parse_args()
    found = check(given.site)
    driver = shutil.which("chromedriver")
    if given.phone == "yes" and driver is None:
        parser.error("--phone yes: no chromedriver on the path")
    if given.phone != "no" and driver is not None:
        found += look(given.site, driver)
    print(*found, sep="\n")
    how = "opened in a browser" if given.phone != "no" and driver else "not opened in a browser"
    print(f"{len(pages_of(given.site))} pages, {how}: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
