r"""Denoisers for images: one that is local by construction, and a small U-Net.

Both predict the flow velocity :math:`w = z - x_0` under the linear schedule :math:`y = (1-t) x_0 +
t z`, from images in [0, 1], so that :math:`E[x_0|y] = y - t w`. They see
:math:`(y - (1-t) m)/\sqrt{(1-t)^2 s^2 + t^2}` with m and s the mean and standard deviation of all
pixels of the training set.
"""

from typing import Any, ClassVar

from phasetheory.neural.backend import Tensor, nn, seeded, torch
from phasetheory.schedules import linear

__all__ = ["ImageDenoiser", "LocalDenoiser", "UNet"]


#: Angular frequencies of the features of t.
_FREQUENCIES = 8


class ImageDenoiser(nn.Module):
    """What the two have in common: the declarations, the input scaling, the features of t.

    Attributes:
        declares: What :class:`phasetheory.neural.Denoiser` needs to know.
        settings: Arguments that build the network again.
    """

    declares: ClassVar[dict[str, Any]] = {
        "predicts": "velocity", "schedule": linear, "time": "t", "data_range": (0.0, 1.0),
    }  # fmt: skip
    settings: dict[str, Any]
    frequencies: Tensor

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        if not std > 0:
            raise ValueError(f"std={std}: a positive number needed")
        self.mean, self.std = float(mean), float(std)
        self.register_buffer("frequencies", torch.pi * torch.arange(1.0, _FREQUENCIES + 1.0))

    def scaled(self, y: Tensor, t: Tensor) -> Tensor:
        """Input of unit variance."""
        t = t.reshape(-1, 1, 1, 1).to(y.dtype)
        return (y - (1.0 - t) * self.mean) / torch.sqrt(((1.0 - t) * self.std) ** 2 + t**2)

    def features(self, t: Tensor) -> Tensor:
        """Cosines and sines of t, shape (n, 2 x frequencies)."""
        angles = t.reshape(-1, 1).to(self.frequencies.dtype) * self.frequencies
        return torch.cat([angles.cos(), angles.sin()], dim=1)


class _Modulated(nn.Module):
    """Convolution, gelu, 1x1 convolution, added to the input; scaled and shifted by features of t.

    No normalisation over space: it would let every pixel see all others.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(width, width, 1)
        self.film = nn.Linear(2 * _FREQUENCIES, 2 * width)

    def forward(self, h: Tensor, features: Tensor) -> Tensor:
        scale, shift = self.film(features)[:, :, None, None].chunk(2, dim=1)
        return h + self.second(nn.functional.gelu(self.first(h) * (1.0 + scale) + shift))


class LocalDenoiser(ImageDenoiser):
    r"""Denoiser whose output at a pixel depends on exactly the :math:`(2r+1)^2` pixels around it.

    r residual blocks with one 3x3 convolution each, 1x1 convolutions between; no normalisation
    over space. It knows where a pixel lies (two coordinate channels), as the Bayes-optimal local
    denoiser of a law that is not stationary does.

    Args:
        radius: r, at least 0; where the window leaves the image it ends there.
        shape: (H, W) of the images; r must be smaller than the larger side.
        width: Channels.
        mean: Mean of all pixels of the training set.
        std: Their standard deviation.
        positions: Whether it sees where a pixel lies.
        seed: Of the initial weights.

    Raises:
        ValueError: If the radius is beyond the image.
    """

    def __init__(
        self,
        radius: int,
        shape: tuple[int, int],
        width: int = 64,
        *,
        mean: float = 0.5,
        std: float = 0.35,
        positions: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(mean, std)
        height, breadth = (int(side) for side in shape)
        if int(radius) != radius or not 0 <= radius < max(height, breadth):
            raise ValueError(
                f"radius={radius}: a whole number from 0 to {max(height, breadth) - 1} needed on"
                f" images of shape {(height, breadth)}"
            )
        self.radius = int(radius)
        self.settings = {
            "radius": self.radius, "shape": [height, breadth], "width": width, "mean": self.mean,
            "std": self.std, "positions": positions,
        }  # fmt: skip
        self.grid: Tensor
        rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, breadth)
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
        self.register_buffer("grid", grid if positions else grid[:0])
        kernels = [*([3] * self.radius), 1]
        with seeded(seed):
            self.enter = nn.Conv2d(1 + len(self.grid), width, 1)
            self.blocks = nn.ModuleList(_Modulated(width, kernel) for kernel in kernels)
            self.leave = nn.Conv2d(width, 1, 1)

    def forward(self, y: Tensor, t: Tensor) -> Tensor:
        """Velocity, shape (n, 1, H, W), at times t of shape (n,)."""
        features = self.features(t)
        h = self.enter(torch.cat([self.scaled(y, t), self.grid.expand(len(y), -1, -1, -1)], dim=1))
        for block in self.blocks:
            h = block(h, features)
        out: Tensor = self.leave(h)
        return out


class _Block(nn.Module):
    """Residual block of the U-Net: two 3x3 convolutions, group norms, modulated by t."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(1, inside), nn.GroupNorm(1, width)])
        self.first = nn.Conv2d(inside, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(2 * _FREQUENCIES, 2 * width)
        self.skip = nn.Conv2d(inside, width, 1) if inside != width else nn.Identity()

    def forward(self, h: Tensor, features: Tensor) -> Tensor:
        scale, shift = self.film(features)[:, :, None, None].chunk(2, dim=1)
        inner = self.first(nn.functional.silu(self.norms[0](h)))
        inner = self.norms[1](inner) * (1.0 + scale) + shift
        out: Tensor = self.second(nn.functional.silu(inner)) + self.skip(h)
        return out


class UNet(ImageDenoiser):
    """Small U-Net: two halvings of the resolution, self-attention at the bottom.

    Args:
        width: Channels at full resolution; 2 and 4 times as many below. A multiple of 4.
        windowed: Whether it has a second input channel, the window (1 inside, 0 outside, where
            the input is zeroed), so that one network serves with and without a window.
        mean: Mean of all pixels of the training set.
        std: Their standard deviation.
        seed: Of the initial weights.

    Raises:
        ValueError: If the width does not fit.
    """

    def __init__(
        self,
        width: int = 32,
        *,
        windowed: bool = False,
        mean: float = 0.5,
        std: float = 0.35,
        seed: int = 0,
    ) -> None:
        super().__init__(mean, std)
        if width < 4 or width % 4:
            raise ValueError(f"width={width}: a positive multiple of 4 needed")
        self.windowed = windowed
        self.settings = {"width": width, "windowed": windowed, "mean": mean, "std": std}
        with seeded(seed):
            self.enter = nn.Conv2d(1 + windowed, width, 3, padding=1)
            self.down = nn.ModuleList(
                [_Block(width, width), _Block(width, 2 * width), _Block(2 * width, 4 * width)]
            )
            self.attention = nn.MultiheadAttention(4 * width, 4, batch_first=True)
            self.bottom = _Block(4 * width, 4 * width)
            self.up = nn.ModuleList([_Block(6 * width, 2 * width), _Block(3 * width, width)])
            self.leave = nn.Conv2d(width, 1, 3, padding=1)
        nn.init.zeros_(self.leave.weight)

    def forward(self, y: Tensor, t: Tensor) -> Tensor:
        """Velocity (n, 1, H, W) from y (n, 1, H, W), or (n, 2, H, W) with a window channel."""
        features = self.features(t)
        height, breadth = y.shape[-2:]
        padding = (0, -breadth % 4, 0, -height % 4)
        inside = self.scaled(y[:, :1], t)
        if self.windowed:
            window = y[:, 1:] if y.shape[1] == 2 else torch.ones_like(inside)
            inside = torch.cat([inside * window, window], dim=1)
        h = self.enter(nn.functional.pad(inside, padding))
        kept = []
        for level, block in enumerate(self.down):
            h = block(nn.functional.avg_pool2d(h, 2) if level else h, features)
            kept.append(h)
        tokens = h.flatten(2).transpose(1, 2)
        mixed = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        h = self.bottom(h + mixed.transpose(1, 2).reshape(h.shape), features)
        for block, side in zip(self.up, (kept[1], kept[0]), strict=True):
            h = block(torch.cat([nn.functional.interpolate(h, scale_factor=2), side], 1), features)
        out: Tensor = self.leave(h)[..., :height, :breadth]
        return out
