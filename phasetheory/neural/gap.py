r"""Locality gap of learned denoisers, and what it bounds (T5, T7).

.. math:: \Delta^2(t) = \sum_{a \in A} E\,|s_a(y_{AB}) - s_a(y)|^2,
          \qquad s = \frac{\alpha \hat x - y}{\sigma^2}
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from phasetheory import __version__
from phasetheory.estimate import Estimate
from phasetheory.lattice import Tripartition
from phasetheory.neural.adapter import Denoiser
from phasetheory.neural.backend import checked_images
from phasetheory.neural.batches import uniform_scales
from phasetheory.noise import Gaussian

__all__ = ["LocalityGap", "gap_bound", "gap_curve", "information_bound", "locality_gap"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LocalityGap:
    r"""The squared locality gap of a pair of denoisers, measured in two ways.

    For Bayes denoisers both are the locality gap. For learned ones `gap` says how far the two
    functions are apart, and `excess` how much worse the local one denoises, which a local network
    that is better trained than the global one makes negative. Their difference is a sign of
    training errors.

    Attributes:
        gap: :math:`\sum_A E |s_{local} - s_{global}|^2`, 1/y^2.
        excess: :math:`\frac{\alpha^2}{\sigma^4} \sum_A E[(x - \hat x_{local})^2 -
            (x - \hat x_{global})^2]`, 1/y^2 (Tweedie).
        cmi_bound: T7 read backwards, nats: :func:`information_bound` of `gap`. A lower bound on
            I_t(A;C|B) where the denoisers are the Bayes ones.
    """

    gap: Estimate
    excess: Estimate
    cmi_bound: Estimate


def locality_gap(
    denoiser: Denoiser,
    images: ArrayLike,
    noise: Gaussian,
    parts: Tripartition,
    *,
    local: Denoiser | None = None,
    n_noise: int = 1,
    rng: Any = None,
) -> LocalityGap:
    """Squared locality gap on A of a local and a global denoiser, on noised held-out images.

    Args:
        denoiser: The global one.
        images: Clean images that it was not trained on, in its `image_range`, shape (n, H, W) or
            (n, n_sites).
        noise: Gaussian noise with sigma > 0, the same on all sites.
        parts: A, the window B, and C. Where they do not cover the lattice the global denoiser too
            sees ABC only.
        local: The local denoiser; by default the global one with the window AB. A network that is
            local by construction is called without a window, and the radius is its own.
        n_noise: Noise draws an image; averaged before the error is formed.
        rng: Generator or seed.

    Returns:
        Both gaps with standard errors paired over images.

    Raises:
        ValueError: If something does not fit, before the networks are called.

    Cost: 2 n n_noise denoisings.

    Source: T5, T7; Liu et al. 2026, "Breakdown of Local Denoising as Semantic Speciation".
    """
    clean = checked_images("images", images, denoiser.image_range)
    alpha, sigma = uniform_scales(noise)
    if sigma == 0.0:
        raise ValueError("noise has sigma = 0: the locality gap needs sigma > 0")
    if n_noise < 1:
        raise ValueError(f"n_noise={n_noise}: at least 1 needed")
    n_sites = clean[0].size
    everything = parts.union("ABC")
    if everything[-1] >= n_sites:
        raise ValueError(f"parts names site {everything[-1]}: images have {n_sites} sites")
    seen = None if everything.size == n_sites else everything
    near = parts.union("AB") if local is None else None
    rng = np.random.default_rng(rng)
    x = clean.reshape(len(clean), -1)[:, parts.A]
    gap, excess = np.zeros(len(clean)), np.zeros(len(clean))
    for _ in range(n_noise):
        y = alpha * clean + sigma * rng.standard_normal(clean.shape)
        wide = denoiser(y, noise, seen, rng=rng).reshape(len(y), -1)[:, parts.A]
        narrow = (local or denoiser)(y, noise, near, rng=rng).reshape(len(y), -1)[:, parts.A]
        gap += np.square(wide - narrow).sum(axis=1)
        excess += (np.square(x - narrow) - np.square(x - wide)).sum(axis=1)
    scale = alpha**2 / sigma**4 / n_noise
    found = Estimate.from_samples(scale * gap, unit="1/y^2", quantity="squared locality gap")
    worse = Estimate.from_samples(scale * excess, unit="1/y^2", quantity="excess error of local")
    return LocalityGap(found, worse, information_bound(found, sigma, parts.A.size))


def gap_bound(information: Estimate | float, sigma: float, m: int = 1) -> Estimate:
    r"""T7: the largest gap that a CMI allows, :math:`2\sqrt{m(m+3)}\sqrt{I}/\sigma^2`.

    Args:
        information: I_t(A;C|B) in nats.
        sigma: Standard deviation of the noise, positive.
        m: Number of sites of A.

    Returns:
        Bound on Delta^2 in 1/y^2, its error propagated; NaN where a sampled CMI is negative.

    Source: Liu et al. 2026, Prop. 2.
    """
    given = information if isinstance(information, Estimate) else Estimate(float(information))
    constant = _constant(sigma, m)
    root = float(np.sqrt(given.value)) if given.value >= 0 else float("nan")
    error = constant * given.stderr / (2.0 * root) if root > 0 else float("nan")
    return Estimate(
        constant * root, 0.0 if given.exact else error, given.n_samples, given.n_effective,
        "1/y^2", "T7 bound on the squared locality gap",
    )  # fmt: skip


def information_bound(gap: Estimate | float, sigma: float, m: int = 1) -> Estimate:
    r"""T7 read backwards: :math:`I \geq (\Delta^2 \sigma^2)^2 / (4 m (m+3))`.

    Args:
        gap: Squared locality gap of the Bayes denoisers, 1/y^2.
        sigma: Standard deviation of the noise, positive.
        m: Number of sites of A.

    Returns:
        Lower bound on I_t(A;C|B) in nats, its error propagated.
    """
    given = gap if isinstance(gap, Estimate) else Estimate(float(gap))
    scaled = given.value / _constant(sigma, m)
    error = 2.0 * abs(scaled) * given.stderr / _constant(sigma, m)
    return Estimate(
        scaled**2, error, given.n_samples, given.n_effective, "nats", "T7 lower bound on the CMI"
    )


def gap_curve(
    denoiser: Denoiser,
    images: ArrayLike,
    noise: Callable[[float], Gaussian],
    *,
    t: Sequence[float] | Floats,
    parts: Tripartition,
    local: Denoiser | None = None,
    rng: Any = None,
) -> xr.Dataset:
    """The locality gap over times, every time on the same images with noise of its own.

    Args:
        denoiser: See :func:`locality_gap`, as for images, parts, local.
        images: Held-out images.
        noise: Callable t -> noise, for example ``pt.Gaussian``.
        t: Times in (0, 1), increasing.
        parts: A, B, C.
        local: The local denoiser; the global one with a window by default.
        rng: Generator or seed.

    Returns:
        Dataset over t: `gap`, `excess` and `cmi_bound`, each with `_stderr`.

    Raises:
        ValueError: As :func:`locality_gap`.
    """
    times = np.atleast_1d(np.asarray(t, dtype=float))
    noises = [noise(float(time)) for time in times]
    rng = np.random.default_rng(rng)
    rows = [locality_gap(denoiser, images, n, parts, local=local, rng=rng) for n in noises]
    data = xr.Dataset(coords={"t": ("t", times, {"units": "1", "long_name": "diffusion time"})})
    for name, unit in (("gap", "1/y^2"), ("excess", "1/y^2"), ("cmi_bound", "nats")):
        estimates = [getattr(row, name) for row in rows]
        text = estimates[0].quantity
        data[name] = ("t", [e.value for e in estimates], {"units": unit, "long_name": text})
        data[f"{name}_stderr"] = ("t", [e.stderr for e in estimates], {"units": unit})
    data.attrs = {
        "title": "locality gap of learned denoisers",
        "n_images": len(np.asarray(images)),
        "window": "another network" if local is not None else str(denoiser.outside),
        "phasetheory_version": __version__,
        "source": "arXiv:2508.06614",
    }
    return data


def _constant(sigma: float, m: int) -> float:
    if not sigma > 0:
        raise ValueError(f"sigma={sigma}: a positive number needed")
    if m < 1:
        raise ValueError(f"m={m}: at least one site needed")
    return float(2.0 * np.sqrt(m * (m + 3.0)) / sigma**2)
