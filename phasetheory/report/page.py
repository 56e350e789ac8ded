"""The report's page: one HTML file that needs nothing beside it."""

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Section", "embedded", "page", "table"]

_STYLE = """
:root { --ink: #1a1a1a; --soft: #555; --line: #d8d8d8; --paper: #fff; --tint: #f4f6f9;
        --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper);
       font: 17px/1.6 Georgia, 'Times New Roman', serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.4rem; margin: 3rem 0 .5rem; padding-top: 1.5rem;
     border-top: 1px solid var(--line); }
.lead { font-size: 1.1rem; color: var(--soft); margin: 0 0 1.5rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem; }
.card { background: var(--tint); border-left: 4px solid var(--accent); padding: .8rem 1rem; }
.card b { display: block; font: 600 1.5rem/1.3 system-ui, sans-serif; }
.card span { font: .85rem/1.4 system-ui, sans-serif; color: var(--soft); }
figure { margin: 1.5rem 0; }
figure .scroll img { width: 100%; min-width: 44rem; height: auto; display: block; }
figcaption { font: .9rem/1.5 system-ui, sans-serif; color: var(--soft); margin-top: .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font: .9rem/1.4 system-ui, sans-serif; width: 100%; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0;
         border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font-size: .9em; background: var(--tint); padding: .1em .3em; }
nav a, a { color: var(--accent); }
nav { font: .95rem/1.8 system-ui, sans-serif; margin: 1.5rem 0 0; }
nav a { margin-right: 1.2rem; display: inline-block; }
footer { margin-top: 3rem; font: .85rem/1.5 system-ui, sans-serif; color: var(--soft); }
"""


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes:
        anchor: Fragment name, for links.
        title: Heading.
        body: HTML.
    """

    anchor: str
    title: str
    body: str


def embedded(svg: bytes, caption: str, alt: str) -> str:
    """A figure as HTML: inline vector graphics with caption and description.

    Args:
        svg: Result of :func:`phasetheory.plotting.svg`.
        caption: HTML.
        alt: Description in words for readers who cannot see it.
    """
    data = base64.b64encode(svg).decode()
    return (
        f'<figure><div class="scroll"><img src="data:image/svg+xml;base64,{data}" '
        f'alt="{html.escape(alt)}"></div><figcaption>{caption}</figcaption></figure>'
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> str:
    """An HTML table whose last `numbers` columns are right-aligned; cells are HTML."""
    split = len(header) - numbers

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=number' if i >= split else ''}>{value}</{tag}>"
            for i, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{cells('th', header)}</tr></thead>"
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def page(
    title: str,
    lead: str,
    cards: Sequence[tuple[str, str]],
    *,
    sections: Sequence[Section],
    footer: str,
) -> str:
    """The whole page as a string of HTML."""
    links = " ".join(f'<a href="#{s.anchor}">{s.title}</a>' for s in sections)
    boxes = "".join(
        f'<div class="card"><b>{big}</b><span>{small}</span></div>' for big, small in cards
    )
    body = "".join(f'<h2 id="{s.anchor}">{s.title}</h2>{s.body}' for s in sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>{title}</h1><p class="lead">{lead}</p><div class="cards">{boxes}</div>'
        f"<nav>{links}</nav>{body}<footer>{footer}</footer></main></body></html>"
    )
