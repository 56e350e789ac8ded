"""Compiled kernels: arrays in, arrays out, randomness passed in.

The only subpackage that imports numba. Every kernel goes through one decorator, so that options
that would break log-space arithmetic (fastmath) cannot slip in one kernel at a time.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["jit"]


def jit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a kernel at its first call and keep the machine code on disk.

    Args:
        function: The kernel, when used as a bare decorator.
        **options: Passed on to :func:`numba.njit`; `fastmath` is refused because kernels rely
            on infinities (known sites have infinite evidence).

    Returns:
        The compiled dispatcher, or a decorator when called with options only.

    Raises:
        ValueError: If `fastmath` is asked for.
    """
    if options.get("fastmath"):
        raise ValueError("fastmath=True would break infinite evidence: leave it out")
    settings: dict[str, Any] = {"cache": True, "error_model": "numpy", **options}
    return njit(**settings) if function is None else njit(function, **settings)
