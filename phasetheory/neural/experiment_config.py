"""Experiments on images as small TOML files: what `phasetheory neural` reads."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.images import load_images, load_labels
from phasetheory.neural.training import PathLike, Training
from phasetheory.sweep.parameters import nearest

__all__ = [
    "CmiRun", "Data", "Experiment", "Generation", "Networks", "Split", "coarse", "quick",
    "read_experiment",
]  # fmt: skip

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Split:
    """Images of shape (n, H, W) and labels of shape (n,), for training and for values."""

    training: Floats
    held_out: Floats
    training_labels: NDArray[np.int64]
    held_out_labels: NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """Section [data]: which images, and which of them no network sees.

    Attributes:
        source: As for `pt.load_images`.
        split: "test" or "train" of the source; the latter is not bundled for "fashion-mnist".
        limit: At most this many images; 0 for all.
        coarse: Side of the blocks of pixels that are averaged; 1 keeps the images.
        held_out: Share of the images that no network sees, in a random order of fixed seed.

    Raises:
        ValueError: If a number is out of range.
    """

    source: str = "fashion-mnist"
    split: str = "test"
    limit: int = 0
    coarse: int = 1
    held_out: float = 0.2

    def __post_init__(self) -> None:
        """Check."""
        if not 0.0 < self.held_out < 1.0:
            raise ValueError(f"held_out={self.held_out}: a share between 0 and 1 needed")
        if self.coarse < 1 or self.limit < 0:
            raise ValueError(
                f"coarse={self.coarse}, limit={self.limit}: whole numbers >= 1 and >= 0 needed"
            )

    def load(self) -> Split:
        """Read, coarsen and split.

        Raises:
            FileNotFoundError: If there are no such images.
            ValueError: If they do not fit.
        """
        images = coarse(
            load_images(self.source, split=self.split, limit=self.limit or None), self.coarse
        )
        labels = load_labels(self.source, split=self.split, limit=self.limit or None)
        if len(labels) != len(images) or len(images) < 40:
            raise ValueError(
                f"source={self.source!r}: {len(images)} images and {len(labels)} labels; as many"
                " of both, at least 40, needed"
            )
        order = np.random.default_rng(0).permutation(len(images))
        cut = len(images) - max(20, round(self.held_out * len(images)))
        if cut < 20:
            raise ValueError(f"held_out={self.held_out}: leaves {cut} images for training")
        first, last = order[:cut], order[cut:]
        return Split(images[first], images[last], labels[first], labels[last])


@dataclass(frozen=True)
class Networks:
    """Section [networks]: local denoisers, and the global one beside them.

    Attributes:
        radius: Radii of the local networks.
        local_width: Channels of a local network.
        global_width: Channels of the U-Net, a multiple of 4.
    """

    radius: tuple[int, ...] = (2,)
    local_width: int = 64
    global_width: int = 32


@dataclass(frozen=True)
class CmiRun:
    """Section [cmi]: the estimate of I_t(A;C|B_r).

    Attributes:
        t: Times in (0, 1), increasing.
        radius: Buffer radii, increasing.
        centre: Pixel A, row and column; the middle by default.
        route: "cross-entropy" or "i-mmse".
        null: Whether to train a null run, too.
        width: Units of the predictor.
        steps: Gradient steps.
        batch_size: Images a step.
        learning_rate: Peak of the schedule.
    """

    t: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
    radius: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 6.0)
    centre: tuple[int, ...] = ()
    route: str = "cross-entropy"
    null: bool = True
    width: int = 256
    steps: int = 5000
    batch_size: int = 512
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class Generation:
    """Section [generate]: schedules, and how their images are judged.

    Attributes:
        n: Images a schedule, at most half of those held out.
        steps: Steps of the flow, uniform from t = 1 to 0.
        radius: Of the local steps; 0 takes the largest local network.
        n_global: Global steps of the hybrid.
        window: What places them: "cmi" (the file cmi.nc) or "gap" (the locality gap of the two
            networks, weighed by T12).
        judge_steps: Gradient steps of the classifier and of every two-sample test.

    Raises:
        ValueError: If a value is out of range.
    """

    n: int = 1000
    steps: int = 64
    radius: int = 0
    n_global: int = 16
    window: str = "cmi"
    judge_steps: int = 1000

    def __post_init__(self) -> None:
        """Check."""
        if self.window not in ("cmi", "gap"):
            raise ValueError(f"window={self.window!r}: 'cmi' or 'gap' needed")
        if self.steps < 2 or not 1 <= self.n_global <= self.steps:
            raise ValueError(
                f"steps={self.steps}, n_global={self.n_global}: at least 2 steps, and from 1 to"
                " all of them global, needed"
            )


@dataclass(frozen=True)
class Experiment:
    """One folder: data, networks, a CMI map, and images.

    Attributes:
        folder: Holds everything that is made.
        seed: Of weights, batches and noise.
        data: Images.
        training: Settings of the denoisers.
        networks: Denoisers.
        cmi: Estimate.
        generate: Schedules.
    """

    folder: str = "phasetheory-neural"
    seed: int = 0
    data: Data = field(default_factory=Data)
    training: Training = field(
        default_factory=lambda: Training(
            steps=20000, batch_size=256, learning_rate=2e-3, average=0.999, every=500
        )
    )
    networks: Networks = field(default_factory=Networks)
    cmi: CmiRun = field(default_factory=CmiRun)
    generate: Generation = field(default_factory=Generation)

    def settings(self, **change: Any) -> Training:
        """Settings of a training with the seed of the experiment."""
        return replace(self.training, seed=self.seed, **change)


def quick(experiment: Experiment) -> Experiment:
    """The same at 14 x 14 pixels or so, with small networks and few steps: a minute a command."""
    made = replace(
        experiment,
        data=replace(experiment.data, coarse=2 * experiment.data.coarse),
        training=replace(experiment.training, steps=300, batch_size=64, average=0.99, every=100),
        networks=replace(experiment.networks, local_width=32, global_width=16),
        cmi=replace(experiment.cmi, t=(0.2, 0.4, 0.6, 0.8), radius=(1.0, 2.0), width=64, steps=300),
        generate=replace(experiment.generate, n=200, steps=16, n_global=4, judge_steps=200),
    )
    return made


def coarse(images: ArrayLike, factor: int) -> Floats:
    """Means over blocks of factor x factor pixels, shape (n, H/factor, W/factor).

    Raises:
        ValueError: If the factor does not divide the sides.
    """
    array = np.asarray(images, dtype=float)
    n, height, width = array.shape
    if height % factor or width % factor:
        raise ValueError(f"coarse={factor}: must divide the sides {height} and {width}")
    blocks = array.reshape(n, height // factor, factor, width // factor, factor)
    return np.asarray(blocks.mean(axis=(2, 4)))


def read_experiment(path: PathLike) -> Experiment:
    """Read a TOML file with the sections of :class:`Experiment`; what it leaves out is default.

    Raises:
        ValueError: If it cannot be read, or a key or value is wrong: the message names the nearest
            key.
    """
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"config {str(path)!r}: cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"config {str(path)!r} is no TOML: {error}") from error
    made: Experiment = _section("the file", Experiment(), given)
    return made


def _section(name: str, default: Any, given: Mapping[str, Any]) -> Any:
    """A dataclass with the given keys in place of its own, types checked against them."""
    known = [each.name for each in fields(default)]
    if name == "[training]":
        # The seed is the experiment's, the device that of the machine: an option.
        known = [each for each in known if each not in ("seed", "device", "progress")]
    change = {}
    for key, value in given.items():
        if key not in known:
            raise ValueError(f"unknown key {key!r} in {name}: {nearest(key, known)}")
        own = getattr(default, key)
        if hasattr(own, "__dataclass_fields__"):
            if not isinstance(value, Mapping):
                raise ValueError(f"{key}={value!r}: a section [{key}] needed")
            change[key] = _section(f"[{key}]", own, value)
        else:
            change[key] = _typed(f"{name}: {key}", value, own)
    return replace(default, **change)


def _typed(name: str, value: Any, own: Any) -> Any:
    if isinstance(own, tuple):
        # Of the two tuples of whole numbers one is empty by default.
        whole = all(isinstance(each, int) for each in own)
        items = value if isinstance(value, list) else [value]
        return tuple(_typed(name, item, 0 if whole else 0.0) for item in items)
    right = isinstance(value, bool) == isinstance(own, bool)
    if isinstance(own, float) and right and isinstance(value, int):
        return float(value)
    if not right or not isinstance(value, type(own)):
        kinds = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
        raise ValueError(f"{name} = {value!r}: {kinds[type(own)]} needed")
    return value
