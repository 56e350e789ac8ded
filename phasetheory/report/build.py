"""Run the studies, draw them, and write the page with its data beside it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm import tqdm

from phasetheory.images import load_images
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.report import studies, text
from phasetheory.report.page import page
from phasetheory.theorems import verify

__all__ = ["write_report"]

STUDIES = (
    "images",
    "path",
    "mixture_map",
    "mixture",
    "repetition_map",
    "repetition",
    "chains",
)


def write_report(out: str | os.PathLike[str], *, quick: bool = False) -> tuple[Path, bool]:
    """Verify the theorems, map real images and two solved models, and write the page.

    Args:
        out: Folder; made if missing. Files in it of the same names are replaced, each whole.
        quick: Fewer times, sizes and instances, for a look in under 20 seconds.

    Returns:
        (path of index.html, whether every theorem held).

    Raises:
        ValueError: If `out` exists and is not a folder, before any work starts.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"out={str(out)!r} is a file: a folder needed")
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {}
    steps = _steps(quick)
    with tqdm(steps.items(), desc="report", unit="study", disable=None) as progress:
        for name, step in progress:
            progress.set_postfix_str(name)
            results[name] = step()
    for name in STUDIES:
        _write(folder / f"{name}.nc", bytes(results[name].to_netcdf(engine="scipy")))
    html = page(
        text.TITLE, text.LEAD, text.cards(results),
        sections=text.sections(results), footer=text.footer(quick=quick),
    )  # fmt: skip
    _write(folder / "index.html", html.encode())
    return folder / "index.html", bool(results["verification"].ok)


def _steps(quick: bool) -> dict[str, Callable[[], Any]]:
    """Named pieces of work, in the order of the page."""
    images = load_images("fashion-mnist")
    field = GaussianField.fit(images)
    times = np.array([0.2, 0.4, 0.6, 0.8])
    shown = (1,) if quick else (1, 0)
    scaled = np.linspace(0.05, 8.0, 25 if quick else 80)
    sides = (8, 16, 32) if quick else (8, 16, 32, 64)
    sizes = (101, 1001) if quick else (101, 1001, 10_001, 100_001)

    def path() -> xr.Dataset:
        pictures = [studies.denoised_path(field, images[i], times=times, radius=2) for i in shown]
        return xr.concat(pictures, xr.DataArray(list(shown), dims="image", name="image"))

    return {
        "verification": lambda: verify(quick=quick),
        "path": path,
        "images": lambda: studies.image_map(field),
        "mixture_map": lambda: studies.mixture_map(16 if quick else 32, 21 if quick else 61),
        "mixture": lambda: studies.mixture_scaling(sides, scaled),
        "repetition_map": lambda: studies.repetition_map(1001, 21 if quick else 61),
        "repetition": lambda: studies.repetition_scaling(sizes, scaled),
        "chains": lambda: studies.recovery_chains(100 if quick else 400),
    }


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    os.replace(temporary, path)
