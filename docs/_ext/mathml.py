"""Formulas as MathML, made in the build by docutils: no script, no fonts to fetch, no network.

A formula that cannot be converted is a warning, so that a build with warnings as errors is also a
check of every formula in the pages and docstrings.
"""

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.locale import __
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)

# Names that docutils spells differently.
SPELLINGS = [
    (re.compile(r"\\([bB]igg?)(?![a-zA-Z])"), r"\\\1l"),
    (re.compile(r"\\dots\b"), r"\\ldots"),
    (re.compile(r"\\([dt]?frac)(\d)(\d)"), r"\\\1{\2}{\3}"),
    # An accented letter keeps its index at its side.
    (re.compile(r"(\\(?:bar|hat|tilde) ?\w|\\(?:bar|hat|tilde)\{\w+\})(?=[_^])"), r"{\1}"),
]


def mathml(node: nodes.Element, *, as_block: bool) -> str:
    """The formula of a math node as MathML."""
    text = node.astext().strip()
    for pattern, replacement in SPELLINGS:
        text = pattern.sub(replacement, text)
    if as_block and r"\\" in text and r"\begin" not in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    try:
        return str(tex2mathml(text, as_block=as_block))
    except MathError as error:
        logger.warning(__("formula %r: %s"), text, error, location=node)
        return f"<code>{text}</code>"


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write an inline formula."""
    translator.body.append(mathml(node, as_block=False))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write a displayed formula, with its number if it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="formula"))
    if node.get("number"):
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})</span>')
    translator.body.append(mathml(node, as_block=True))
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
