r"""What local denoisers lose on real images: recovery errors and locality gaps over (t, r).

Held-out images are noised to t and sent back by denoisers of several radii from the same noise, so
that differences between radii have paired, small errors.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from phasetheory import __version__
from phasetheory.neural.backend import checked_images
from phasetheory.neural.batches import uniform_scales
from phasetheory.neural.generation import Denoise, Steps, denoise_from
from phasetheory.noise import Gaussian

__all__ = ["gap_scan", "recovery_errors"]

Floats = NDArray[np.float64]


def recovery_errors(
    denoisers: Mapping[float, Denoise],
    images: ArrayLike,
    *,
    t: ArrayLike,
    n_steps: int = 8,
    noise: Callable[[float], Gaussian] = Gaussian,
    rng: Any = None,
) -> xr.Dataset:
    r"""Errors of local denoisers against noise level and radius, means over pixels.

    Args:
        denoisers: By radius; `math.inf`, the global one, must be there.
        images: Held-out images in [0, 1], shape (n, H, W).
        t: Increasing times in (0, 1).
        n_steps: Flow steps of the reconstruction, uniform from t to 0.
        noise: Callable t -> Gaussian noise.
        rng: Generator or seed.

    Returns:
        Dataset over (t, radius), each variable with `_stderr`, over images:

        - `error`: :math:`E|\hat x_r(y) - x|^2`, one evaluation;
        - `excess`: error minus that of the global denoiser, paired. For Bayes denoisers it is
          :math:`\sigma^4/\alpha^2` times the squared locality gap (T5), never negative; a local
          network that is the better trained makes it negative;
        - `path_error`: :math:`E|x' - x|^2` of the reconstruction x' by n_steps flow steps. The
          flow ends at a likely image, not at the mean: for exact flows more than `error`;
        - `path_excess`: the same minus that of the global one, paired.

    Raises:
        ValueError: If times, denoisers or images do not fit.

    Cost: n_steps evaluations an image, time and radius.
    """
    clean, times = _checked(denoisers, images, t, noise)
    if n_steps < 1:
        raise ValueError(f"n_steps={n_steps}: at least 1 needed")
    rng = np.random.default_rng(rng)
    radii = sorted(map(float, denoisers))
    table = np.empty((2, len(times), len(radii), len(clean)))
    for i, time in enumerate(times):
        level = noise(float(time))
        alpha, sigma = uniform_scales(level)
        y = alpha * clean + sigma * rng.standard_normal(clean.shape)
        path = np.linspace(time, 0.0, n_steps + 1)
        for j, radius in enumerate(radii):
            once = np.asarray(denoisers[radius](y, level))
            back = denoise_from(y, denoisers, Steps(path, radius), noise=noise)
            for kind, found in enumerate((once, back)):
                table[kind, i, j] = np.square(found - clean).mean(axis=(1, 2))
    data = xr.Dataset(coords=_coords(times, radii))
    for name, values in zip(("error", "path_error"), table, strict=True):
        _add(data, name, values, "1")
        _add(data, name.replace("error", "excess"), values - values[:, -1:], "1")
    data.attrs = {
        "title": "recovery errors of learned denoisers, held out", "n_images": len(clean),
        "n_steps": n_steps, "phasetheory_version": __version__, "source": "arXiv:2508.06614",
    }  # fmt: skip
    return data


def gap_scan(
    denoisers: Mapping[float, Denoise],
    images: ArrayLike,
    *,
    t: ArrayLike,
    noise: Callable[[float], Gaussian] = Gaussian,
    rng: Any = None,
) -> xr.Dataset:
    r"""Squared locality gap of networks over (t, r), mean over all pixels, as a scan has it.

    .. math:: \Delta^2 = \frac{\alpha^2}{\sigma^4}\, E|\hat x_r - \hat x_\infty|^2

    T12 makes of it what local steps of size dt lose, :math:`\frac12 g^2 \sum_i \Delta_i^2 dt`, so
    that ``pt.hybrid_schedule`` and :func:`window_of_steps` take the result. It is the distance of
    two functions: training errors of both add to it.

    Args:
        denoisers: By radius; `math.inf` must be there.
        images: Held-out images in [0, 1], shape (n, H, W).
        t: Increasing times in (0, 1).
        noise: Callable t -> Gaussian noise.
        rng: Generator or seed.

    Returns:
        Dataset over (t, radius): `locality_gap` and its `_stderr` over images, 1/y^2, and the
        sizes of A, B, C at an inner pixel.

    Raises:
        ValueError: If times, denoisers or images do not fit, or no denoiser is local.
    """
    clean, times = _checked(denoisers, images, t, noise)
    radii = sorted(r for r in map(float, denoisers) if r < math.inf)
    if not radii:
        raise ValueError("denoisers: at least one of finite radius needed")
    rng = np.random.default_rng(rng)
    values = np.empty((len(times), len(radii), len(clean)))
    for i, time in enumerate(times):
        level = noise(float(time))
        alpha, sigma = uniform_scales(level)
        y = alpha * clean + sigma * rng.standard_normal(clean.shape)
        wide = np.asarray(denoisers[math.inf](y, level))
        for j, radius in enumerate(radii):
            apart = np.square(np.asarray(denoisers[radius](y, level)) - wide)
            values[i, j] = alpha**2 / sigma**4 * apart.mean(axis=(1, 2))
    data = xr.Dataset(coords=_coords(times, radii))
    _add(data, "locality_gap", values, "1/y^2")
    shape = clean.shape[1:]
    near = [math.prod(min(int(2 * r + 1), side) for side in shape) - 1 for r in radii]
    n_sites = math.prod(shape)
    data["size_A"] = ("radius", np.ones(len(radii), dtype=np.int64))
    data["size_B"] = ("radius", near)
    data["size_C"] = ("radius", [n_sites - 1 - size for size in near])
    data.attrs = {
        "title": "squared locality gap of learned denoisers, mean over pixels",
        "n_images": len(clean), "n_sites": n_sites,
        "lattice": json.dumps({"n_sites": n_sites, "shape": list(shape), "periodic": False}),
        "phasetheory_version": __version__, "source": "arXiv:2508.06614",
    }  # fmt: skip
    return data


def _checked(
    denoisers: Mapping[float, Denoise],
    images: ArrayLike,
    t: ArrayLike,
    noise: Callable[[float], Gaussian],
) -> tuple[Floats, Floats]:
    clean = checked_images("images", images, (0.0, 1.0))
    if clean.ndim != 3:
        raise ValueError(f"images has shape {clean.shape}: (n, height, width) needed")
    if math.inf not in denoisers:
        raise ValueError(f"denoisers has the radii {sorted(denoisers)}: math.inf is missing")
    times = np.atleast_1d(np.asarray(t, dtype=float))
    scales = [uniform_scales(noise(float(time))) for time in times]
    if (np.diff(times) <= 0).any() or any(alpha == 0 or sigma == 0 for alpha, sigma in scales):
        raise ValueError(f"t={times.tolist()}: increasing times with signal and noise needed")
    return clean, times


def _coords(times: Floats, radii: list[float]) -> dict[str, Any]:
    return {
        "t": ("t", times, {"units": "1", "long_name": "diffusion time"}),
        "radius": ("radius", radii, {"units": "sites", "long_name": "buffer radius r"}),
    }


def _add(data: xr.Dataset, name: str, values: Floats, unit: str) -> None:
    """Mean and standard error over images, the last axis."""
    error = values.std(axis=-1, ddof=1) / np.sqrt(values.shape[-1])
    data[name] = (("t", "radius"), values.mean(axis=-1), {"units": unit})
    data[f"{name}_stderr"] = (("t", "radius"), error, {"units": unit})
