"""The one import of torch, and what every module needs of it: devices, seeds, checks of images."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    import torch
    from torch import Tensor, nn
except ModuleNotFoundError as error:
    raise ImportError(
        'phasetheory.neural needs torch, an optional extra: pip install "phasetheory[torch]"'
    ) from error

__all__ = [
    "Tensor", "checked_images", "device_of", "generator", "nn", "seeded", "torch", "torch_seed",
]  # fmt: skip

Floats = NDArray[np.float64]


def device_of(device: Any = None) -> torch.device:
    """The device asked for.

    Args:
        device: None for the CPU, "auto" for CUDA where there is one and else the CPU, or whatever
            `torch.device` takes.

    Returns:
        The device.

    Raises:
        ValueError: If it has no such name, or CUDA is asked for and absent.
    """
    if device is None:
        return torch.device("cpu")
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device={device!r}: 'cpu', 'cuda' or 'auto' needed") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device={device!r}: torch {torch.__version__} sees no CUDA device here; use 'cpu', or"
            " 'auto' for CUDA only where there is one"
        )
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device={device!r}: there are {torch.cuda.device_count()} CUDA devices")
    return found


def generator(device: torch.device, *words: int) -> torch.Generator:
    """Generator on a device, seeded by a few integers; the same words give the same numbers."""
    made = torch.Generator(device=device)
    made.manual_seed(int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]) >> 1)
    return made


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw initial weights from a seed; torch's global generator is as before afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def torch_seed(rng: Any = None) -> int:
    """Seed below 2^63 from a Generator (which moves on), a seed, or None for fresh entropy."""
    return int(np.random.default_rng(rng).integers(2**63))


def checked_images(
    name: str, images: ArrayLike, data_range: tuple[float, float] | None, least: int = 2
) -> Floats:
    """Images as a float array, refused where they are not what they are declared to be.

    Args:
        name: Name of the argument, for messages.
        images: Shape (n, H, W), or (n, L) on chains and other lattices.
        data_range: Declared range of the values; None for laws without one.
        least: How many are needed.

    Returns:
        float64, same shape.

    Raises:
        ValueError: If the shape, a value or the range does not fit.
    """
    array = np.asarray(images, dtype=float)
    if array.ndim not in (2, 3) or len(array) < least or array.size == 0:
        raise ValueError(
            f"{name} has shape {array.shape}: (n, H, W) or (n, n_sites) with n >= {least} needed"
        )
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} holds {int((~np.isfinite(array)).sum())} NaN or infinite values: finite ones"
            " needed"
        )
    if data_range is not None:
        low, high = float(array.min()), float(array.max())
        # Half an ulp of float32, in which images often come.
        slack = 1e-6 * (data_range[1] - data_range[0])
        if low < data_range[0] - slack or high > data_range[1] + slack:
            raise ValueError(
                f"{name} lies in [{low:.6g}, {high:.6g}], outside the declared data_range"
                f" {tuple(data_range)}: rescale it, or declare its range (another scale is another"
                " signal-to-noise ratio)"
            )
    return array
