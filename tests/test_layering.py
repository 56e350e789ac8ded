"""Imports point downwards, heavy libraries stay in their layer, `import phasetheory` is light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "phasetheory"

# From the top down. A module or package may import its own layer and everything below it. The
# models stand above the noisy law because they hand it out (`.noised`); the law itself knows them
# as the protocol in `prior` only.
LAYERS = [
    {"__main__", "cli", "cli_explore", "cli_neural", "report", "course"},
    {"explorer"},
    {"neural"},
    {"plotting", "scaling_plots", "explorer_plots"},
    {"theorems", "transitions", "sweep"},
    {"circuits"},
    {"recoveries"},
    {"information"},
    {"sampling"},
    {"models"},
    {"noisy"},
    {"prior"},
    {"engines"},
    {"noise", "schedules", "lattice", "metrics", "estimate", "images", "seeds", "citations"},
    {"_kernels"},
]
DEPTH = {name: depth for depth, names in enumerate(LAYERS) for name in names}

# Who alone may import these: layers, at module level or anywhere else.
HOMES = {
    "torch": {"neural"},
    "matplotlib": {"plotting", "scaling_plots", "explorer_plots"},
    "marimo": {"explorer"},
    "uvicorn": {"explorer"},
    "numba": {"_kernels"},
    "typer": {"cli", "cli_explore", "cli_neural"},
    "paper_figures": set(),
    "tests": set(),
}

# `import phasetheory` must not load these.
HEAVY = {"numba", "xarray", "pandas", "matplotlib", "networkx", "sympy", "joblib", "torch", "typer"}
HEAVY |= {"scipy.sparse", "scipy.stats", "scipy.optimize", "scipy.linalg", "scipy.special"}


@dataclass(frozen=True)
class Import:
    """One imported name: `target` is dotted, `nested` says that it is inside a function."""

    target: str
    line: int
    nested: bool


def imports(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[Import]:
    """Every import of a module, relative ones made absolute; type-checking blocks included."""
    nested_lines = {
        node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        nested = getattr(node, "lineno", 0) in nested_lines
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, nested)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                # `from phasetheory import lattice` names a module, `from x import y` may not;
                # the longer name has the same layer unless the base is the package itself.
                yield Import(f"{base}.{alias.name}", node.lineno, nested)


def layer(dotted: str) -> str:
    """`phasetheory.models.ising` belongs to `models`; the package itself to the empty name."""
    return dotted.split(".")[1] if "." in dotted else ""


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of one module of the package."""
    own = layer(module)
    found = []
    if own and own not in DEPTH:
        found.append(f"{module}: has no place in LAYERS; put it into the lowest layer that fits")
        return found
    for item in imports(ast.parse(source), module, is_package=is_package):
        where = f"{module}:{item.line}"
        top = item.target.split(".")[0]
        if own not in HOMES.get(top, {own}):
            homes = ", ".join(sorted(HOMES[top])) or "nobody here"
            found.append(f"{where}: imports {top}, which only {homes} may")
        if top != "phasetheory" or item.target == "phasetheory.__version__":
            continue
        target = layer(item.target)
        if own and target not in DEPTH:
            found.append(f"{where}: imports {item.target} through the package, not from its module")
        elif own and DEPTH[target] < DEPTH[own]:
            found.append(f"{where}: {own} imports {target}, which is above it")
        elif own and DEPTH[target] == DEPTH[own] and target != own and cyclic(own, target):
            found.append(f"{where}: {own} and {target} import each other")
        if item.nested and own not in {"", "cli", "cli_explore", "cli_neural"}:
            found.append(f"{where}: imports {item.target} inside a function")
    return found


def sources() -> dict[str, Path]:
    """Module name -> file, for the whole package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def cyclic(one: str, other: str) -> bool:
    """Whether two neighbours in one layer import each other, which the depth cannot see."""
    return one in layers_imported_by(other) and other in layers_imported_by(one)


def layers_imported_by(name: str) -> set[str]:
    return {
        layer(item.target)
        for module, path in sources().items()
        if layer(module) == name
        for item in imports(
            ast.parse(path.read_text(encoding="utf-8")),
            module,
            is_package=path.name == "__init__.py",
        )
        if item.target.startswith("phasetheory.")
    }


@pytest.mark.parametrize("module", sources())
def test_imports_point_downwards(module):
    path = sources()[module]
    source = path.read_text(encoding="utf-8")
    assert not violations(source, module, is_package=path.name == "__init__.py")


def test_importing_the_package_is_light():
    code = "import sys, phasetheory; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not HEAVY & set(done.stdout.split())


# The guard itself must fire.


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        ("phasetheory.noise", "from phasetheory.models.ising import Ising", "is above it"),
        ("phasetheory.noisy", "from phasetheory import models", "is above it"),
        ("phasetheory.engines.table", "from ..models import ising", "is above it"),
        ("phasetheory.engines.table", "import phasetheory.noisy", "is above it"),
        ("phasetheory.models.ising", "def f():\n    from ..noisy import x", "inside a function"),
        ("phasetheory.models.ising", "f = lambda: 0\nimport numba", "only _kernels may"),
        ("phasetheory.sweep", "import matplotlib.pyplot as plt", "plotting, scaling_plots may"),
        ("phasetheory.sweep", "def f():\n    import torch", "only neural may"),
        ("phasetheory.models.ising", "from phasetheory import Lattice", "through the package"),
        ("phasetheory.report", "import paper_figures.style", "only nobody here may"),
        ("phasetheory.helpers", "", "no place in LAYERS"),
        ("phasetheory.prior", "if TYPE_CHECKING:\n    from .noisy import N", "is above it"),
    ],
)
def test_the_guard_fires(module, source, message):
    assert any(message in line for line in violations(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("phasetheory.models.ising", "from ..noisy import Noisy\nfrom .table import Table"),
        ("phasetheory.noisy", "from phasetheory import prior, lattice\nimport numpy"),
        ("phasetheory.cli", "def verify():\n    from phasetheory.theorems import registry"),
        ("phasetheory.plotting", "import matplotlib"),
        ("phasetheory.report", "from phasetheory import __version__"),
        ("phasetheory._kernels.frontier", "import numba"),
    ],
)
def test_the_guard_lets_good_imports_pass(module, source):
    assert not violations(source, module)


def test_relative_imports_in_a_package_file():
    bad = violations("from .ising import Ising", "phasetheory.models", is_package=True)
    assert not bad
    assert violations("from ..scan import scan", "phasetheory.models", is_package=True)


def test_public_names_are_no_modules():
    """Importing a submodule must not hide a public function of the same name."""
    import phasetheory

    modules = {name.split(".")[1] for name in sources() if name.count(".")}
    assert not modules & (set(phasetheory.__all__) - set(phasetheory._SUBMODULES))
