"""Formulas as MathML, made in the build by docutils: no script, no fonts to fetch, no network.

A formula that cannot be converted is a warning, so that a build with warnings as errors is also a
check of every formula in the pages and docstrings.
"""

import re
from html import escape
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.locale import __
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)

FUNCTIONS = r"\\(?:log|ln|exp|det|dim|tanh|cosh|min|max|inf|sup)(?![a-zA-Z])"
# What docutils spells differently, or sets more tightly than TeX.
SPELLINGS = [
    (r"\\([bB]igg?)(?![a-zA-Z])", r"\\\1l"),
    (r"\\dots\b", r"\\ldots"),
    (r"\\([dt]?frac)(\d)(\d)", r"\\\1{\2}{\3}"),
    # An accented letter keeps its index at its side.
    (r"(\\(?:bar|hat|tilde) ?\w|\\(?:bar|hat|tilde)\{\w+\})(?=[_^])", r"{\1{}}"),
    (r"(?<=[\w})])''(?!')", r"^{\\prime\\prime}"),
    (r"(?<=[\w})])'(?!')", r"^{\\prime}"),
    # Thin spaces around a function without brackets.
    (rf"(?<=[\w}}])\s*({FUNCTIONS})", r"\\,\1"),
    (rf"({FUNCTIONS})\s*(?=[a-zA-Z\d]|\\(?!left|[bB]ig|[,;!]))", r"\1\\,"),
]
# Delimiters within a line do not grow with it.
DELIMITERS = [
    ("<mo>‖</mo>", '<mo stretchy="false">‖</mo>'),
    ("<mo>⟨</mo>", '<mo form="prefix" stretchy="false">⟨</mo>'),
    ("<mo>⟩</mo>", '<mo form="postfix" stretchy="false">⟩</mo>'),
]


def mathml(node: nodes.Element, *, as_block: bool) -> str:
    """The formula of a math node as MathML."""
    text = node.astext().strip()
    for pattern, replacement in SPELLINGS:
        text = re.sub(pattern, replacement, text)
    if as_block and r"\\" in text and r"\begin" not in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    try:
        made = str(tex2mathml(text, as_block=as_block))
    except MathError as error:
        logger.warning(__("formula %r: %s"), text, error, location=node)
        return f"<code>{escape(text)}</code>"
    for stretched, plain in DELIMITERS:
        made = made.replace(stretched, plain)
    return made


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
