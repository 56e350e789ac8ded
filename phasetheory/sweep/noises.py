"""Noises that a sweep can name: functions of the diffusion time t.

Adding a noise is a function and a line in `NOISES`. In Python any callable t -> noise will do; it
is then known by the numbers of the noise it returns.
"""

from collections.abc import Callable
from typing import Literal

from phasetheory.noise import BitFlip, Erasure, Gaussian, Noise
from phasetheory.schedules import linear, variance_preserving

__all__ = ["NOISES"]


def bit_flip(*, t: float) -> Noise:
    """With probability t a symbol is replaced by a uniform one."""
    return BitFlip(t)


def erasure(*, t: float) -> Noise:
    """With probability t a site is erased."""
    return Erasure(t)


def gaussian(*, t: float, schedule: Literal["linear", "variance_preserving"] = "linear") -> Noise:
    """Gaussian noise: alpha = 1 - t and sigma = t, or the variance-preserving schedule."""
    return Gaussian(t, linear if schedule == "linear" else variance_preserving())


NOISES: dict[str, Callable[..., Noise]] = {
    "BitFlip": bit_flip,
    "Erasure": erasure,
    "Gaussian": gaussian,
}
