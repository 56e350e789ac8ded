"""What is computed once for a law, a noise and a size: the CMI map and what is read off it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr

from phasetheory.estimate import Estimate
from phasetheory.explorer.scenes import NOISES, SCENES, Scene, Shape, Stage
from phasetheory.information import cmi
from phasetheory.noise import Noise
from phasetheory.noisy import NoisyLaw
from phasetheory.sweep import scan
from phasetheory.transitions import locate_transition, markov_length

__all__ = ["SEED", "Plan", "Study", "known", "plan", "study"]

#: Seed of the map.
SEED = 0
_kept: set[tuple[str, str, Shape]] = set()


@dataclass(frozen=True, eq=False)
class Study:
    """A law under a noise, with its map.

    Attributes:
        scene: Which law.
        noise_name: Key of NOISES.
        stage: The law at its size.
        scan: `pt.scan` over the times of the scene and all radii, seed 0.
        window: `pt.locate_transition` of it: peak and window at every radius.
        lengths: `pt.markov_length` of it: xi at every time.
    """

    scene: Scene
    noise_name: str
    stage: Stage
    scan: xr.Dataset
    window: xr.Dataset
    lengths: xr.Dataset

    @property
    def noise(self) -> Callable[[float], Noise]:
        """The noise, t -> channel."""
        return NOISES[self.noise_name]

    @property
    def radii(self) -> list[int]:
        """Buffer radii of the map."""
        return list(self.stage.parts)

    @property
    def times(self) -> list[float]:
        """Times of the map."""
        return list(self.scene.times)

    def law(self, t: float) -> NoisyLaw:
        """The noisy law at t."""
        return NoisyLaw(self.stage.model, self.noise(t))

    def cmi(self, t: float, radius: int) -> Estimate:
        """I_t(A;C|B_r) from the map."""
        here = self.scan.sel(t=t, radius=radius)
        stderr = float(here["cmi_stderr"])
        effective = float(here["cmi_n_effective"])
        samples = 0 if np.isinf(effective) else self.scene.n_samples
        return Estimate(float(here["cmi"]), stderr, samples, effective)


@dataclass(frozen=True)
class Plan:
    """What a map will cost.

    Attributes:
        exact: Whether the CMI has a closed form here.
        seconds: Expected time, measured at one t on this machine just now.
        text: A sentence that says so.
    """

    exact: bool
    seconds: float
    text: str


def _stage(name: str, noise_name: str, shape: Shape) -> tuple[Scene, Stage]:
    if name not in SCENES:
        raise ValueError(f"law {name!r}: one of {', '.join(SCENES)} needed")
    scene = SCENES[name]
    if noise_name not in scene.noises:
        raise ValueError(f"noise {noise_name!r} on {name}: one of {', '.join(scene.noises)} needed")
    if shape not in scene.shapes:
        raise ValueError(f"size {shape} of {name}: one of {scene.shapes} needed")
    return scene, scene.stage(shape)


def known(name: str, noise_name: str, shape: Shape) -> bool:
    """Whether the map has been computed, so that `study` answers at once."""
    return (name, noise_name, shape) in _kept


def plan(name: str, noise_name: str, shape: Shape) -> Plan:
    """Measure what the map will cost, at one time of the path.

    Raises:
        ValueError: If there is no such law, or it does not take this noise or size.
    """
    scene, stage = _stage(name, noise_name, shape)
    law = NoisyLaw(stage.model, NOISES[noise_name](0.5))
    parts = list(stage.parts.values())
    exact = cmi(law, parts, n_samples=2, rng=SEED)[0].exact  # also loads compiled code
    begin = time.perf_counter()
    cmi(law, parts, n_samples=scene.n_samples, rng=SEED)
    seconds = (time.perf_counter() - begin) * len(scene.times)
    how = "exact" if exact else f"sampled, {scene.n_samples} draws at every t"
    about = "under a second" if seconds < 1 else f"about {seconds:.0f} s"
    text = (
        f"Computing the CMI map of {name}, {shape[0]} × {shape[1]}, {noise_name}:"
        f" {len(scene.times)} times × {len(parts)} radii, {how}, {about}"
    )
    return Plan(exact, seconds, text)


@lru_cache(maxsize=64)
def study(name: str, noise_name: str, shape: Shape) -> Study:
    """The map of a law under a noise, computed once in the life of the process.

    Args:
        name: Key of SCENES.
        noise_name: One of its noises.
        shape: One of its shapes.

    Raises:
        ValueError: If there is no such law, or it does not take this noise or size.
    """
    scene, stage = _stage(name, noise_name, shape)
    regions = {float(radius): parts for radius, parts in stage.parts.items()}
    data = scan(
        stage.model, NOISES[noise_name], t=scene.times, radius=regions, rng=SEED,
        n_samples=scene.n_samples,
    )  # fmt: skip
    made = Study(scene, noise_name, stage, data, locate_transition(data), markov_length(data))
    _kept.add((name, noise_name, shape))
    return made
