"""Seeds for independent pieces of work: the same numbers however the work is spread."""

from typing import Any

import numpy as np

__all__ = ["seed_sequence"]


def seed_sequence(rng: Any = None) -> np.random.SeedSequence:
    """Sequence whose `spawn` gives every piece of work a stream of its own.

    Args:
        rng: A generator (which moves on, so that a second call differs), a seed, a sequence, or
            None for fresh entropy from the system.

    Returns:
        The sequence; its `entropy` repeats it.

    Raises:
        ValueError: If a seed is negative.
    """
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence(rng.integers(2**63, size=2).tolist())
    return rng if isinstance(rng, np.random.SeedSequence) else np.random.SeedSequence(rng)
