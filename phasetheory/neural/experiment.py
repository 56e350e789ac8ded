"""A folder with networks trained on one set of images, and the comparison of schedules from it.

What the commands `phasetheory neural train` and `generate` do. A folder holds
`global.safetensors` and `local-r1.safetensors`, ..., each with the data it was trained on in its
header, so that held-out images stay held out.
"""

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phasetheory.estimate import Estimate
from phasetheory.neural.adapter import Denoiser
from phasetheory.neural.comparison import Outcome, compare
from phasetheory.neural.denoising import train_denoiser
from phasetheory.neural.experiment_config import Data, Experiment
from phasetheory.neural.generation import Steps
from phasetheory.neural.networks import LocalDenoiser, UNet
from phasetheory.neural.quality import accuracy, train_classifier
from phasetheory.neural.recovery import gap_scan
from phasetheory.neural.training import PathLike
from phasetheory.neural.weights import load_network, save_network
from phasetheory.neural.windows import window_of_steps, with_ends

__all__ = [
    "Run", "folder_denoisers", "network_path", "run_generation",
    "train_network", "write_outcomes",
]  # fmt: skip

Floats = NDArray[np.float64]


def network_path(folder: PathLike, radius: float) -> Path:
    """File of the network of a radius, `math.inf` the global one, in a folder."""
    name = "global" if math.isinf(radius) else f"local-r{radius:g}"
    return Path(folder) / f"{name}.safetensors"


def train_network(
    experiment: Experiment, radius: float, *, device: Any = None
) -> NDArray[np.float64]:
    """Train one denoiser of an experiment, on from its checkpoint where there is one.

    Args:
        experiment: Its folder is made where it is missing.
        radius: Of a :class:`LocalDenoiser`; `math.inf` for a :class:`UNet`.
        device: None (the CPU), "cuda" or "auto".

    Returns:
        Loss of every step.

    Raises:
        ValueError: If something does not fit, before any training.
    """
    split = experiment.data.load()
    settings = experiment.settings(device=device)
    scale: dict[str, Any] = {
        "mean": float(split.training.mean()), "std": float(split.training.std()),
        "seed": experiment.seed,
    }  # fmt: skip
    network: LocalDenoiser | UNet
    if math.isinf(radius):
        network = UNet(experiment.networks.global_width, **scale)
    else:
        shape = (split.training.shape[1], split.training.shape[2])
        network = LocalDenoiser(int(radius), shape, experiment.networks.local_width, **scale)
    path = network_path(experiment.folder, radius)
    losses = train_denoiser(network, split.training, settings, checkpoint=path.with_suffix(".ckpt"))
    save_network(path, network, data=asdict(experiment.data), training=asdict(settings))
    return losses


def folder_denoisers(folder: PathLike, *, device: Any = None) -> tuple[dict[float, Denoiser], Data]:
    """All denoisers of a folder by radius, and the data they were trained on.

    Raises:
        ValueError: If there is no global and no local one, or they saw different data.
    """
    paths = {math.inf: network_path(folder, math.inf)}
    for path in sorted(Path(folder).glob("local-r*.safetensors")):
        paths[float(path.stem.removeprefix("local-r"))] = path
    if not paths[math.inf].exists() or len(paths) < 2:
        there = sorted(each.name for each in Path(folder).glob("*.safetensors"))
        raise ValueError(
            f"folder={str(folder)!r} has {there}: global.safetensors and at least one"
            " local-r*.safetensors needed; make them with `phasetheory neural train`"
        )
    found, seen = {}, []
    for radius, path in sorted(paths.items()):
        network, notes = load_network(path, device=device)
        found[radius] = Denoiser(network, device=device)
        seen.append(notes.get("data"))
    if any(one != seen[0] for one in seen) or not isinstance(seen[0], dict):
        raise ValueError(f"folder={str(folder)!r}: its networks were trained on different data")
    return found, Data(**seen[0])


class Run(NamedTuple):
    """What :func:`run_generation` made.

    Attributes:
        schedules: By name: "hybrid", "local r=...", "global", "misplaced, too early" (at the noise)
            and "misplaced, too late" (at the data).
        outcomes: By name, "real" the first.
        accuracy: Of the classifier of the features, on held-out images.
    """

    schedules: dict[str, Any]
    outcomes: dict[str, Outcome]
    accuracy: Estimate


def run_generation(experiment: Experiment, *, device: Any = None) -> Run:
    """Local, global, hybrid and misplaced schedules of a folder's networks, compared.

    Args:
        experiment: With its networks trained, and `cmi.nc` where the window comes from it.
        device: None (the CPU), "cuda" or "auto".

    Raises:
        ValueError: If networks or the map are missing or do not fit.
    """
    asked = experiment.generate
    folder = Path(experiment.folder)
    denoisers, data = folder_denoisers(folder, device=device)
    local = [r for r in denoisers if math.isfinite(r)]
    radius = float(asked.radius or max(local))
    if radius not in local:
        raise ValueError(f"radius={radius:g}: the folder has local networks of radius {local}")
    images = data.load()
    grid = np.linspace(1.0, 0.0, asked.steps + 1)
    if asked.window == "gap":
        chosen = {r: denoisers[r] for r in (radius, math.inf)}
        probes = np.linspace(0.05, 0.95, 13)
        scan = gap_scan(chosen, images.held_out[:300], t=probes, rng=experiment.seed)
    elif not (folder / "cmi.nc").is_file():
        raise ValueError(
            f"folder={str(folder)!r} has no cmi.nc: make it with `phasetheory neural cmi`, or"
            ' place the window by window = "gap" in [generate]'
        )
    else:
        scan = with_ends(xr.load_dataset(folder / "cmi.nc", engine="scipy"))
    hybrid = window_of_steps(scan, times=grid, radius=radius, n_global=asked.n_global)
    schedules: dict[str, Any] = {
        f"local r={radius:g}": Steps(grid, radius), "global": Steps(grid), "hybrid": hybrid,
    }  # fmt: skip
    for name, shift in zip(("too early", "too late"), hybrid.room, strict=True):
        if shift:
            schedules[f"misplaced, {name}"] = hybrid.shifted(shift)
    settings = experiment.settings(
        steps=asked.judge_steps, batch_size=128, device=device, precision="float32", average=0.99
    )
    classifier = train_classifier(
        images.training, images.training_labels, settings, checkpoint=folder / "classifier.ckpt"
    )
    outcomes = compare(
        denoisers, schedules, images.held_out, classifier, n=asked.n, settings=settings
    )
    right = accuracy(classifier, images.held_out, images.held_out_labels)
    return Run(schedules, outcomes, right)


def write_outcomes(folder: PathLike, run: Run) -> None:
    """Write `samples.npz` (float32, by schedule) and `quality.json`, each whole or not at all."""
    records = []
    for name, out in run.outcomes.items():
        record: dict[str, Any] = {
            "schedule": name, "n": len(out.images), "frechet": out.frechet.value,
            "frechet_stderr": out.frechet.stderr, "detected": out.detected.value,
            "detected_stderr": out.detected.stderr,
        }  # fmt: skip
        if name in run.schedules:
            steps = run.schedules[name]
            radii = [float(r) if math.isfinite(r) else "inf" for r in np.asarray(steps.radius)]
            record |= {
                "operations": out.operations, "seconds": out.seconds,
                "times": np.asarray(steps.times).tolist(), "radius": radii,
            }  # fmt: skip
        records.append(record)
    arrays: dict[str, Any] = {
        name: out.images.astype(np.float32) for name, out in run.outcomes.items()
    }
    text = json.dumps(records, indent=1) + "\n"

    def pack(path: Path) -> None:
        with open(path, "wb") as file:
            np.savez_compressed(file, **arrays)

    _whole(Path(folder) / "quality.json", lambda path: path.write_text(text, encoding="utf-8"))
    _whole(Path(folder) / "samples.npz", pack)


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    part = path.with_name(f".new.{path.name}")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
