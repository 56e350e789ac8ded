"""Training of image denoisers: mean square error of the velocity at random times."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory.neural.backend import Tensor, checked_images, device_of, nn, torch
from phasetheory.neural.networks import ImageDenoiser, LocalDenoiser, UNet
from phasetheory.neural.training import PathLike, Training, train

__all__ = ["data_key", "train_denoiser"]


def train_denoiser(
    network: ImageDenoiser,
    images: ArrayLike,
    settings: Training,
    *,
    windows: Sequence[int] = (),
    checkpoint: PathLike | None = None,
) -> NDArray[np.float64]:
    r"""Train a denoiser in place on :math:`E|w(y, t) - (z - x_0)|^2`, t uniform in (0, 1).

    Args:
        network: A :class:`LocalDenoiser` or :class:`UNet`.
        images: Training images in [0, 1], shape (n, H, W).
        settings: How to train.
        windows: Radii of square windows, for a UNet with windowed=True: every second sample sees
            a window of one of them around a random pixel, and is judged inside it.
        checkpoint: File to continue from and to keep up to date.

    Returns:
        Loss of every step, shape (steps,).

    Raises:
        ValueError: If images, windows or the checkpoint do not fit.
    """
    clean = checked_images("images", images, network.declares["data_range"])
    if clean.ndim != 3:
        raise ValueError(f"images has shape {clean.shape}: (n, height, width) needed")
    if isinstance(network, LocalDenoiser) and tuple(network.settings["shape"]) != clean.shape[1:]:
        raise ValueError(
            f"images has shape {clean.shape}: the network is made for {network.settings['shape']}"
        )
    if windows and not (isinstance(network, UNet) and network.windowed):
        raise ValueError(f"windows={windows}: a UNet with windowed=True needed")
    largest = max(clean.shape[1:]) - 1
    if any(not 0 <= radius <= largest for radius in windows):
        raise ValueError(f"windows={windows}: radii from 0 to {largest} needed")
    device = device_of(settings.device)
    data = torch.as_tensor(clean, dtype=torch.float32, device=device)[:, None]
    radii = torch.tensor(list(windows), device=device, dtype=torch.int64)

    def loss(module: nn.Module, rng: torch.Generator) -> Tensor:
        n = settings.batch_size
        x = data[torch.randint(len(data), (n,), generator=rng, device=device)]
        z = torch.randn(x.shape, generator=rng, device=device)
        t = torch.rand((n,), generator=rng, device=device)
        at = t[:, None, None, None]
        y = (1.0 - at) * x + at * z
        judged = torch.ones_like(y)
        if len(radii):
            judged = _windows(y, radii, rng)
            y = torch.cat([y, judged], dim=1)
        error = (module(y, t).float() - (z - x)).square() * judged
        return error.sum() / judged.sum()

    task = {
        "data": data_key(clean), "network": type(network).__name__,
        "settings": network.settings, "windows": list(windows),
    }  # fmt: skip
    return train(network, loss, settings, checkpoint=checkpoint, task=task)


def data_key(array: ArrayLike) -> str:
    """Digest of an array's shape and values, which says whether a checkpoint saw the same data."""
    values = np.ascontiguousarray(np.asarray(array, dtype="<f8"))
    return hashlib.sha256(repr(values.shape).encode() + values.tobytes()).hexdigest()[:32]


def _windows(y: Tensor, radii: Tensor, rng: torch.Generator) -> Any:
    """Windows of shape (n, 1, H, W): everything for even samples, a square for odd ones."""
    n, height, width = len(y), y.shape[-2], y.shape[-1]
    draw = torch.rand((3, n), generator=rng, device=y.device)
    radius = radii[(draw[0] * len(radii)).long()].clone()
    radius[::2] = max(height, width)
    rows = torch.arange(height, device=y.device) - (draw[1] * height).long()[:, None]
    columns = torch.arange(width, device=y.device) - (draw[2] * width).long()[:, None]
    far = torch.maximum(rows.abs()[:, :, None], columns.abs()[:, None, :])
    return (far <= radius[:, None, None])[:, None].to(y.dtype)
