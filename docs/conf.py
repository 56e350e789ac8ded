"""Sphinx configuration: everything is made from the checkout, nothing is fetched.

Formulas become MathML in the build, so the pages need no script and no network. The figures of the
paper are made by `paper_figures.runner` (see `_ext/paper_gallery.py`): its scripts separate the
computation from the drawing and keep their rows, which gallery tools that run plain scripts do not
know about.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# For the extensions, for autodoc, and for the kernels that execute the pages.
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])
)
os.environ.setdefault("MPLBACKEND", "Agg")

import phasetheory  # noqa: E402

project = "phasetheory"
author = "phasetheory contributors"
copyright = "phasetheory contributors"
version = release = phasetheory.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "mathml",
    "command_help",
    "course_notebooks",
    "paper_gallery",
    "shell_blocks",
    "theorem_registry",
]
exclude_patterns = ["_build", "_ext", "Thumbs.db", ".DS_Store"]
nitpicky = True
# Types of other projects are not linked: that would need their inventories, which are fetched.
nitpick_ignore_regex = [("py:.*", r"(?!phasetheory\.).*")]

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]

# The picture that opens the README, where the checkout has it.
_FRONT = ROOT / "docs" / "_static" / "front.png"
_ALT = "Conditional mutual information of Fashion-MNIST images against noise and buffer radius"
myst_enable_extensions.append("substitution")
myst_substitutions = {"front_picture": f"![{_ALT}](_static/front.png)" if _FRONT.exists() else ""}

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_output_stderr = "remove"  # kernels speak of their transport there
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "none"
autosummary_generate = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_attr_annotations = False
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "phasetheory"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
# The width is for code and formulas; only the reference is long enough to need a list at its side.
html_sidebars = {"[!a]*": [], "course/*": [], "how_to/*": [], "api/*": ["sidebar-nav-bs"]}
html_theme_options = {
    "header_links_before_dropdown": 5,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
