"""What goes into a network and what comes out of it, checked."""

from typing import Any

import numpy as np

from phasetheory.neural.backend import Tensor, torch
from phasetheory.noise import Gaussian

__all__ = ["agree", "noisy_batch", "output_tensor", "uniform_scales", "window_mask"]

#: Times at which two schedules are compared.
_PROBES = np.linspace(0.05, 0.95, 7)


def noisy_batch(
    y: Any, shape: tuple[int, ...] | None, device: torch.device
) -> tuple[Tensor, tuple[int, ...]]:
    """A batch as float64 tensor of shape (n, *shape) on a device, and that shape.

    Raises:
        ValueError: If it is no batch of that shape, or not finite.
    """
    batch = torch.as_tensor(y).detach().to(device, torch.float64)
    if shape is None and batch.ndim >= 3:
        shape = tuple(batch.shape[1:])
    if shape is None:
        raise ValueError(
            f"y has shape {tuple(batch.shape)}: give the denoiser its shape, for example"
            " shape=(28, 28), to read flat batches"
        )
    sites = int(np.prod(shape))
    if tuple(batch.shape[1:]) not in (tuple(shape), (sites,)) or not len(batch):
        raise ValueError(
            f"y has shape {tuple(batch.shape)}: (n, {', '.join(map(str, shape))}) or"
            f" (n, {sites}) with n >= 1 needed"
        )
    if not torch.isfinite(batch).all():
        raise ValueError("y holds NaN or infinite values: finite ones needed")
    return batch.reshape(len(batch), *shape), tuple(shape)


def window_mask(region: Any, shape: tuple[int, ...]) -> Tensor:
    """Boolean tensor of a grid shape from a mask or site indices.

    Raises:
        ValueError: If it does not fit the grid.
    """
    wanted = np.asarray(region)
    sites = int(np.prod(shape))
    mask = np.zeros(sites, dtype=bool)
    if wanted.dtype == bool:
        if wanted.size != sites:
            raise ValueError(f"region has {wanted.size} entries: {sites} needed")
        mask[:] = wanted.ravel()
    else:
        if wanted.size and not (wanted.min() >= 0 and wanted.max() < sites):
            raise ValueError(f"region names sites outside 0..{sites - 1}")
        mask[wanted.astype(np.int64).ravel()] = True
    return torch.from_numpy(mask.reshape(shape))


def uniform_scales(noise: Gaussian) -> tuple[float, float]:
    """(alpha, sigma) of a noise that is the same on all sites.

    Raises:
        ValueError: If it is no such noise.
    """
    if not isinstance(noise, Gaussian) or noise.alpha.ndim:
        raise ValueError(f"noise={noise!r}: pt.Gaussian, the same on all sites, needed")
    return float(noise.alpha), float(noise.sigma)


def agree(own: Any, given: Any) -> bool:
    """Whether two declarations are the same; schedules are compared by their values."""
    if callable(own) and callable(given):
        return own is given or np.allclose(own(_PROBES), given(_PROBES), rtol=1e-9, atol=0.0)
    if callable(own) or callable(given) or isinstance(own, str) or isinstance(given, str):
        return bool(own == given)
    return tuple(own) == tuple(given)


def output_tensor(output: Any, wanted: torch.Size) -> Tensor:
    """The tensor in what a network returned.

    Raises:
        ValueError: If there is none, or its shape or values are wrong.
    """
    found = getattr(output, "sample", output)
    if isinstance(found, tuple | list) and found:
        found = found[0]
    if not isinstance(found, Tensor):
        raise ValueError(f"denoiser returned {type(output).__name__}: a tensor needed")
    if found.shape != wanted:
        raise ValueError(
            f"denoiser returned shape {tuple(found.shape)} for an input of shape {tuple(wanted)}:"
            " the same shape needed"
        )
    if not torch.isfinite(found).all():
        bad = int((~torch.isfinite(found)).sum())
        raise ValueError(f"denoiser returned {bad} NaN or infinite values among {found.numel()}")
    return found
