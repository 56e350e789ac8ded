"""Schedules of local and global steps side by side: images, quality, cost."""

import math
import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phasetheory.estimate import Estimate
from phasetheory.neural.adapter import Denoiser
from phasetheory.neural.backend import nn
from phasetheory.neural.cost import operations
from phasetheory.neural.generation import HasSteps, generate
from phasetheory.neural.quality import Classifier, features, frechet_distance, two_sample_test
from phasetheory.neural.training import Training

__all__ = ["Outcome", "compare"]

Floats = NDArray[np.float64]


class Outcome(NamedTuple):
    """What one schedule made, how good it is and what it cost.

    Attributes:
        images: Shape (n, H, W), not clipped.
        frechet: Squared Frechet distance to held-out images.
        detected: Accuracy of the two-sample test, 1/2 if nothing is detected.
        operations: Multiply-adds an image.
        seconds: Time to generate all images, on this machine.
    """

    images: Floats
    frechet: Estimate
    detected: Estimate
    operations: float
    seconds: float


def compare(
    denoisers: Mapping[float, Denoiser],
    schedules: Mapping[str, HasSteps],
    held_out: NDArray[np.float64],
    classifier: Classifier,
    *,
    n: int,
    settings: Training,
) -> dict[str, Outcome]:
    """Images of several schedules from the same noise, with quality and cost.

    Args:
        denoisers: By radius.
        schedules: By name.
        held_out: Images to compare with, that neither the denoisers nor the classifier saw.
        classifier: Of the features.
        n: Images a schedule.
        settings: Training of the two-sample tests; its seed is also that of the noise, the splits
            and the bootstrap.

    Returns:
        Outcomes by name; "real" compares two parts of the held-out images with each other (no
        cost), which shows what no generator can beat at that number of images.

    Raises:
        ValueError: If there are not enough held-out images.
    """
    half, least = len(held_out) // 2, classifier.leave.in_features + 1
    if not least <= n <= half:
        raise ValueError(
            f"n={n}: from {least} (one more than features) to half of the {len(held_out)} held-out"
            " images needed"
        )
    real, other = held_out[:n], held_out[half : half + n]
    shape = real.shape[1:]
    each = {
        float(radius): operations(denoiser.network, shape)
        for radius, denoiser in denoisers.items()
        if isinstance(denoiser.network, nn.Module)
    }
    seen, outcomes = features(classifier, real), {}
    for name, steps in {"real": None, **schedules}.items():
        made, cost, seconds = other, math.nan, math.nan
        if steps is not None:
            began = time.perf_counter()
            made = generate(denoisers, steps, n=n, shape=shape, rng=settings.seed)
            seconds = time.perf_counter() - began
            radii = np.asarray(steps.radius).tolist()
            cost = float(sum(each.get(radius, math.nan) for radius in radii))
        outcomes[name] = Outcome(
            made,
            frechet_distance(seen, features(classifier, made), rng=settings.seed),
            two_sample_test(real, made, settings, rng=settings.seed),
            cost,
            seconds,
        )
    return outcomes
