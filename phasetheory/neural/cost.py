"""What one evaluation of a network costs, in multiplications."""

from collections.abc import Sequence
from typing import Any

from phasetheory.neural.backend import nn, torch

__all__ = ["operations"]


def operations(network: nn.Module, shape: Sequence[int], *, channels: int = 1) -> int:
    r"""Multiply-add operations of one evaluation on one image.

    Counted are convolutions (:math:`k^2 c_{in} c_{out}` a pixel of the output), dense layers
    (:math:`c_{in} c_{out}`) and attention (four projections of width c of each of the n tokens and
    two products, :math:`4 n c^2 + 2 n^2 c`); not activations, norms and sums, which take a few
    operations a number. A local network of width w and radius r needs about 10 r w^2 a pixel, less
    than the w^2 (2r+1)^2 of a network that read every window afresh.

    Args:
        network: Called as network(x, t) with x of shape (1, channels, \*shape), t of shape (1,).
        shape: Of one image.
        channels: Input channels.

    Returns:
        The number.
    """
    total = 0
    inside: set[int] = set()
    for module in network.modules():
        if isinstance(module, nn.MultiheadAttention):
            inside |= {id(child) for child in module.modules()} - {id(module)}

    def count(module: Any, given: Any, found: Any) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            pixels = found.shape[-2] * found.shape[-1]
            total += module.weight.numel() * pixels
        elif isinstance(module, nn.Linear) and id(module) not in inside:
            total += module.weight.numel() * (found.numel() // found.shape[-1])
        elif isinstance(module, nn.MultiheadAttention):
            tokens, width = given[0].shape[-2], given[0].shape[-1]
            total += 4 * tokens * width**2 + 2 * tokens**2 * width

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    like = next(network.parameters())
    try:
        with torch.no_grad():
            network(like.new_zeros((1, channels, *shape)), like.new_full((1,), 0.5))
    finally:
        for hook in hooks:
            hook.remove()
    return total
