r"""Images from noise by local, global or mixed steps of the probability flow.

With :math:`\hat x = E[x_0|y]` and :math:`\hat z = (y - \alpha_t \hat x)/\sigma_t` a step from t to
s < t is (DDIM, Song et al. 2021)

.. math:: y_s = \alpha_s \hat x + \sigma_s \hat z,

which under the linear schedule is the flow step :math:`y - (t-s)(\hat z - \hat x)`. Which denoiser
gives :math:`\hat x` may change from step to step: networks with a window of radius r where the data
are local, a network that sees everything where they are not. All pixels of a step are redrawn from
the same input, as in a circuit of order "simultaneous".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.lattice import Lattice
from phasetheory.neural.adapter import Denoiser
from phasetheory.neural.batches import uniform_scales
from phasetheory.noise import Gaussian

__all__ = ["Denoise", "HasSteps", "Steps", "Windowed", "denoise_from", "generate"]

Floats = NDArray[np.float64]

#: (y of shape (n, ...), noise) -> E[x_0|y] of the same shape: a :class:`Denoiser`, or any callable.
Denoise = Callable[[Any, Gaussian], Any]

#: Largest signal-to-noise ratio at which pure noise stands for noisy data.
_LARGEST_START = 1e-3


class HasSteps(Protocol):
    """Times and radii: :class:`Steps`, `pt.Circuit` and `pt.HybridSchedule` have them."""

    @property
    def times(self) -> Any:
        """Strictly decreasing, shape (K + 1,)."""

    @property
    def radius(self) -> Any:
        """Buffer radius of each step, shape (K,); infinite where global."""


@dataclass(frozen=True, eq=False)
class Steps:
    """Which denoiser goes from which time to which.

    Attributes:
        times: Strictly decreasing times in [0, 1], shape (K + 1,); becomes an array.
        radius: Radius of the denoiser, a number or one a step; `math.inf` is the global one.
            Becomes an array of shape (K,).

    Raises:
        ValueError: If times or radii do not fit.

    Example:
        >>> Steps([1.0, 0.6, 0.3, 0.0], [2, np.inf, 2]).n_global
        1
    """

    times: Any
    radius: Any = np.inf

    def __post_init__(self) -> None:
        """Check and freeze."""
        times = np.array(self.times, dtype=float)
        inside = times.ndim == 1 and times.size >= 2 and bool(((times >= 0) & (times <= 1)).all())
        if not inside or not (np.diff(times) < 0).all():
            raise ValueError(
                f"times={self.times!r}: at least two strictly decreasing numbers in [0, 1] needed"
            )
        radii = np.array(self.radius, dtype=float)
        if radii.ndim > 1 or radii.size not in (1, times.size - 1) or not (radii >= 0).all():
            raise ValueError(
                f"radius={self.radius!r}: a number >= 0 (inf: global) or {times.size - 1} of them,"
                " one a step, needed"
            )
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "radius", np.broadcast_to(radii, (times.size - 1,)).copy())

    @property
    def n_global(self) -> int:
        """Number of global steps."""
        return int(np.isinf(self.radius).sum())


@dataclass(frozen=True, eq=False)
class Windowed:
    """One network with a window around every pixel in turn: the local denoiser of radius r.

    Costs one call of the network a pixel. A :class:`LocalDenoiser` gives all pixels in one call.

    Attributes:
        denoiser: With `outside` declared.
        lattice: Of the images, in row-major order.
        radius: In lattice units.
        seed: Of the noise outside the windows, for outside="noise": the same in every call.
    """

    denoiser: Denoiser
    lattice: Lattice
    radius: float
    seed: int = 0

    def __call__(self, y: Any, noise: Gaussian) -> Floats:
        """E[x_0|y_window] at every pixel, shape of y."""
        batch = np.asarray(y, dtype=float)
        clean = np.empty((len(batch), self.lattice.n_sites))
        for site in range(self.lattice.n_sites):
            window = np.flatnonzero(self.lattice.distances([site]) <= self.radius)
            rng = np.random.default_rng([self.seed, site])
            found = self.denoiser(batch, noise, window, rng=rng)
            clean[:, site] = found.reshape(len(batch), -1)[:, site]
        return clean.reshape(batch.shape)


def generate(
    denoisers: Denoise | Mapping[float, Denoise],
    steps: HasSteps,
    *,
    n: int,
    shape: Sequence[int],
    noise: Callable[[float], Gaussian] = Gaussian,
    order: int = 1,
    rng: Any = None,
) -> Floats:
    r"""Images made from pure noise.

    Args:
        denoisers: By radius, `math.inf` the global one; or one for all steps. Conditions (labels)
            belong to the denoisers.
        steps: Times and radii: :class:`Steps`, a circuit, or a hybrid schedule.
        n: Number of images.
        shape: Of one image, or (n_sites,) for denoisers of flat batches.
        noise: Callable t -> Gaussian noise; at the first time its signal-to-noise ratio must be
            below 1e-3, where :math:`\sigma z` stands for the noisy data.
        order: 1 (Euler's rule, DDIM) or 2 (Heun's rule in alpha/sigma, two evaluations a step but
            the last).
        rng: Generator or seed. All noise is drawn first, image by image: neither the batch size of
            the denoisers nor n changes an image beyond rounding.

    Returns:
        Shape (n, \*shape), in the units of the data, not clipped.

    Raises:
        ValueError: If something does not fit; before any evaluation.

    Cost: one evaluation of a denoiser an image and step, two with order=2.

    Source: the hybrid generation of arXiv:2508.06614; Song et al. 2021, eq. (12).
    """
    if n < 1:
        raise ValueError(f"n={n}: at least 1 needed")
    alpha, sigma = uniform_scales(noise(float(np.asarray(steps.times)[0])))
    if sigma == 0.0 or (alpha / sigma) ** 2 > _LARGEST_START:
        raise ValueError(
            f"the first time has alpha={alpha:.4g}, sigma={sigma:.4g}: data are visible there;"
            " start closer to t = 1, or from noisy data with denoise_from"
        )
    z = np.random.default_rng(rng).standard_normal((n, *(int(side) for side in shape)))
    return denoise_from(sigma * z, denoisers, steps, noise=noise, order=order)


def denoise_from(
    y: ArrayLike,
    denoisers: Denoise | Mapping[float, Denoise],
    steps: HasSteps,
    *,
    noise: Callable[[float], Gaussian] = Gaussian,
    order: int = 1,
) -> Floats:
    """Noisy data carried to the last time: half of a forward-backward experiment.

    Args:
        y: Data with the noise of the first time, shape (n, ...).
        denoisers: As for :func:`generate`.
        steps: Times and radii.
        noise: Callable t -> Gaussian noise.
        order: 1 (Euler) or 2 (Heun).

    Returns:
        Data with the noise of the last time, shape of y.

    Raises:
        ValueError: If a radius has no denoiser, a local network has another radius than the one it
            is listed under, the noise does not fall, or the order is another.
    """
    if order not in (1, 2):
        raise ValueError(f"order={order}: 1 (Euler, DDIM) or 2 (Heun) needed")
    chosen = _chosen(denoisers, steps)
    levels = [noise(float(t)) for t in np.asarray(steps.times)]
    scales = [uniform_scales(level) for level in levels]
    for later, earlier in pairwise(levels):
        earlier.increment(later)
        if uniform_scales(later)[1] == 0.0:
            raise ValueError(f"noise has sigma = 0 before the last time: {steps.times!r}")
    batch = np.array(y, dtype=float)
    for k, denoise in enumerate(chosen):
        (alpha, sigma), (target, left) = scales[k], scales[k + 1]
        ratio = left / sigma
        pull = target - ratio * alpha
        clean = np.asarray(denoise(batch, levels[k]))
        ahead = ratio * batch + pull * clean
        if order == 2 and left > 0.0:
            clean = 0.5 * (clean + np.asarray(denoise(ahead, levels[k + 1])))
            ahead = ratio * batch + pull * clean
        batch = ahead
    return batch


def _chosen(denoisers: Denoise | Mapping[float, Denoise], steps: HasSteps) -> list[Denoise]:
    radii = np.asarray(steps.radius, dtype=float)
    if not isinstance(denoisers, Mapping):
        return [denoisers] * radii.size
    for radius, denoise in denoisers.items():
        own = getattr(getattr(denoise, "network", denoise), "radius", None)
        if own is not None and float(own) != float(radius):
            raise ValueError(f"denoisers: the network under radius {radius:g} has radius {own:g}")
    known = {float(radius): denoise for radius, denoise in denoisers.items()}
    if absent := sorted(set(radii.tolist()) - set(known)):
        raise ValueError(f"steps need radius {absent[0]:g}: denoisers has {sorted(known)}")
    return [known[radius] for radius in radii.tolist()]
