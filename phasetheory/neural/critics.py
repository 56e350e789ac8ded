"""Critics T(a, b) of pairs of a site and its surroundings, many of them stacked into one model."""

import numpy as np

from phasetheory.neural.backend import Tensor, nn, seeded, torch

__all__ = ["Critic", "stacked"]


class Critic(nn.Module):
    """Network that gives a pair (noisy surroundings, noisy value of A) one number.

    The pair is read as an image of two planes, the surroundings and A at its place.

    Args:
        shape: Shape (H, W) of the grid.
        site: Index of A.
        channels: Of three 3 x 3 convolutions, the later two of stride 2 and twice as many; 0 for
            two dense layers instead.
        width: Hidden units of the dense layers.
    """

    place: Tensor

    def __init__(self, shape: tuple[int, ...], site: int, channels: int, width: int) -> None:
        super().__init__()
        height, across = shape
        self.shape = (int(height), int(across))
        place = torch.zeros(height * across)
        place[site] = 1.0
        self.register_buffer("place", place)
        layers: list[nn.Module] = []
        size = 2 * height * across
        if channels:
            sizes = (2, channels, 2 * channels, 2 * channels)
            for i in range(3):
                step = 1 if i == 0 else 2
                layers += [nn.Conv2d(sizes[i], sizes[i + 1], 3, step, padding=1), nn.ELU()]
            size = 2 * channels * -(-height // 4) * -(-across // 4)
        layers += [nn.Flatten(), nn.Linear(size, width), nn.ELU()]
        if not channels:
            layers += [nn.Linear(width, width), nn.ELU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, shown: Tensor, value: Tensor) -> Tensor:
        """T for surroundings (n, n_sites), 0 where hidden, and values of A (n,); shape (n,)."""
        planes = torch.stack([shown, value[:, None] * self.place], dim=1)
        out: Tensor = self.layers(planes.reshape(len(shown), 2, *self.shape))
        return out[:, 0]


def stacked(critic: Critic, n: int, seed: int) -> dict[str, Tensor]:
    """Initial weights of n critics of one architecture, stacked along a new first axis.

    Each has torch's default distribution, drawn from a seed of its own.
    """
    names = [name for name, _ in critic.named_parameters()]
    kept: dict[str, list[Tensor]] = {name: [] for name in names}
    for child in np.random.SeedSequence((seed, 0)).spawn(n):
        with seeded(int(child.generate_state(1, np.uint64)[0]) >> 1):
            for layer in critic.layers:
                if isinstance(layer, nn.Linear | nn.Conv2d):
                    layer.reset_parameters()
        for name, value in critic.named_parameters():
            kept[name].append(value.detach().clone())
    return {name: torch.stack(values) for name, values in kept.items()}
