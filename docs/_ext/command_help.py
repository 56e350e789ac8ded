"""Directive `command-help`: what `phasetheory [COMMAND] --help` prints, asked for in the build."""

import os
from typing import Any, ClassVar
from unittest import mock

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.testing import CliRunner

from phasetheory.cli import app as command_line

# Without colours, in a width that fits a page.
TERMINAL = {"COLUMNS": "98", "TERMINAL_WIDTH": "98", "NO_COLOR": "1", "TERM": "dumb"}


class CommandHelp(SphinxDirective):
    """The help of the command line, or of one of its commands."""

    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return a literal block."""
        asked = [*" ".join(self.arguments).split(), "--help"]
        with mock.patch.dict(os.environ, TERMINAL):
            result = CliRunner().invoke(command_line, asked, prog_name="phasetheory")
        if result.exit_code:
            raise self.error(f"phasetheory {' '.join(asked)} failed: {result.output}")
        text = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
        shown = f"$ phasetheory {' '.join(asked)}\n\n{text}"
        return [nodes.literal_block(shown, shown, language="text", classes=["terminal"])]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
