r"""A training loop that can be killed: the same weights with or without interruption.

Every step draws from a generator seeded by (seed, step), so that a run continued from a checkpoint
sees the numbers it would have seen. Checkpoints hold weights, the average of the weights and the
optimizer, and are written to a new file that then takes the place of the old one.
"""

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from phasetheory.neural.backend import Tensor, device_of, generator, nn, torch

__all__ = ["Training", "read_checkpoint", "train", "write_checkpoint"]

#: Grows when a checkpoint of before can no longer be continued.
FORMAT = 1
PRECISIONS = ("float32", "tf32", "bfloat16")

PathLike = str | os.PathLike[str]
#: (network, generator on its device) -> scalar loss of one batch.
Loss = Callable[[nn.Module, torch.Generator], Tensor]


@dataclass(frozen=True)
class Training:
    """Settings of a training run: AdamW, a linear warm-up, then a cosine down to zero.

    Attributes:
        steps: Gradient steps.
        batch_size: Samples a step.
        learning_rate: Peak of the schedule.
        weight_decay: Of AdamW.
        average: Decay of the running mean of the weights, which is the result; 0 takes the last.
        clip: Largest norm of a gradient; longer ones are scaled down to it.
        seed: Of weights, batches and noise.
        precision: "float32", "tf32" (10-bit mantissa in matrix products; on CUDA only, float32
            elsewhere) or "bfloat16" (autocast: 8 bits in matrix products, sums and losses in
            float32; on a CPU worth it only where it has matrix units for them).
        every: Steps between checkpoints.
        device: None (the CPU), "cuda" or "auto".
        progress: Whether to show a bar, on a terminal.

    Raises:
        ValueError: If a number is out of range, the precision unknown, or CUDA absent.
    """

    steps: int = 2000
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    average: float = 0.995
    clip: float = 1.0
    seed: int = 0
    precision: str = "float32"
    every: int = 500
    device: str | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        """Check."""
        for name in ("steps", "batch_size", "every"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)!r}: a whole number >= 1 needed")
        if not self.learning_rate > 0 or not self.clip > 0 or not self.weight_decay >= 0:
            raise ValueError(
                f"learning_rate={self.learning_rate}, clip={self.clip},"
                f" weight_decay={self.weight_decay}: positive numbers needed (decay may be 0)"
            )
        if not 0.0 <= self.average < 1.0:
            raise ValueError(f"average={self.average}: a number in [0, 1) needed")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed={self.seed!r}: a whole number >= 0 needed")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision={self.precision!r}: one of {PRECISIONS} needed")
        device_of(self.device)

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        warm = max(1, self.steps // 20)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        done = (step - warm) / max(1, self.steps - warm)
        return float(self.learning_rate * 0.5 * (1.0 + np.cos(np.pi * done)))


def train(
    network: nn.Module,
    loss: Loss,
    settings: Training,
    *,
    checkpoint: PathLike | None = None,
    task: Any = None,
) -> NDArray[np.float64]:
    """Train a network in place, from its checkpoint where there is one.

    Args:
        network: The network; ends up with its averaged weights, in eval mode, on the device.
        loss: Scalar loss of one batch; all randomness from the generator it is given.
        settings: How to train.
        checkpoint: File to continue from and to keep up to date; no checkpoints by default.
        task: JSON description of data and network, kept in the checkpoint: a checkpoint of
            another task is refused.

    Returns:
        Loss of every step, shape (steps,). The same to the last bit with or without interruption
        on one CPU; CUDA kernels may sum in another order.

    Raises:
        ValueError: If the checkpoint belongs to other settings or another task or is damaged, or
            the loss is not finite (the message names the step).
    """
    device = device_of(settings.device)
    network.to(device).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    mean = {name: value.detach().clone() for name, value in network.state_dict().items()}
    losses = torch.zeros(settings.steps, device=device, dtype=torch.float32)
    # Where a run may stop and how it is reported do not change its numbers.
    named = {k: v for k, v in asdict(settings).items() if k not in ("every", "device", "progress")}
    fits = json.dumps({"format": FORMAT, "settings": named, "task": task}, sort_keys=True)
    first = 0
    if checkpoint is not None and Path(checkpoint).exists():
        kept = read_checkpoint(checkpoint, fits)
        network.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        mean = {name: value.to(device) for name, value in kept["mean"].items()}
        first = int(kept["step"])
        losses[:first] = kept["losses"].to(device)
    bar = tqdm(
        range(first, settings.steps), initial=first, total=settings.steps, desc="train",
        unit="step", disable=None if settings.progress else True,
    )  # fmt: skip
    with _matmul(settings, device):
        for step in bar:
            for group in optimizer.param_groups:
                group["lr"] = settings.rate(step)
            with _autocast(settings, device):
                value = loss(network, generator(device, settings.seed, step))
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            optimizer.step()
            losses[step] = value.detach()
            _move(mean, network, settings.average, step)
            if (step + 1) % settings.every == 0 or step + 1 == settings.steps:
                # One transfer a checkpoint: asking at every step would hold a GPU up.
                _refuse_nan(losses, step)
                bar.set_postfix(loss=f"{float(losses[max(0, step - 99) : step + 1].mean()):.4f}")
                if checkpoint is not None:
                    state = {
                        "network": network.state_dict(), "optimizer": optimizer.state_dict(),
                        "mean": mean, "step": step + 1, "losses": losses[: step + 1],
                        "fits": fits,
                    }  # fmt: skip
                    write_checkpoint(checkpoint, state)
    network.load_state_dict(mean)
    network.eval()
    return losses.cpu().to(torch.float64).numpy()


def write_checkpoint(path: PathLike, state: dict[str, Any]) -> None:
    """Write a checkpoint so that at every moment there is a whole one under this name."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_checkpoint(path: PathLike, fits: str) -> dict[str, Any]:
    """Read a checkpoint; tensors and plain values only, no code.

    Raises:
        ValueError: If it is damaged, or belongs to other settings or another task.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = str(state["fits"])
    except Exception as error:  # torch raises many types on damaged files
        raise ValueError(
            f"checkpoint={str(path)!r} is damaged or no checkpoint ({error}): remove it to start"
            " again"
        ) from error
    if found != fits:
        raise ValueError(
            f"checkpoint={str(path)!r} belongs to other settings, data or network: remove it, or"
            f" give another name. It has {found}; wanted {fits}"
        )
    return dict(state)


def _move(mean: dict[str, Tensor], network: nn.Module, decay: float, step: int) -> None:
    """Running mean of the weights, which forgets the first ones faster."""
    weight = 1.0 - min(decay, step / (step + 10.0))
    now = network.state_dict()
    averaged = [name for name, value in now.items() if value.is_floating_point()]
    with torch.no_grad():
        torch._foreach_lerp_([mean[n] for n in averaged], [now[n] for n in averaged], weight)


def _refuse_nan(losses: Tensor, step: int) -> None:
    bad = torch.nonzero(~torch.isfinite(losses[: step + 1]))
    if len(bad):
        raise ValueError(
            f"loss is not finite from step {int(bad[0])} on: a smaller learning_rate, or float32"
            " precision, is needed"
        )


def _autocast(settings: Training, device: torch.device) -> Any:
    if settings.precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


class _matmul:
    """Matrix products in TF32 while a run lasts, where it asks for them."""

    def __init__(self, settings: Training, device: torch.device) -> None:
        self.wanted = settings.precision != "float32" and device.type == "cuda"

    def __enter__(self) -> None:
        self.before = torch.get_float32_matmul_precision()
        if self.wanted:
            torch.set_float32_matmul_precision("high")

    def __exit__(self, *_: object) -> None:
        torch.set_float32_matmul_precision(self.before)
