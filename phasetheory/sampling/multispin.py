r"""Multi-spin coded Metropolis: 64 independent chains in the bits of one word."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasetheory._kernels.multispin import BITS, sweep
from phasetheory.lattice import Lattice
from phasetheory.models.ising import Ising
from phasetheory.sampling.move import Info
from phasetheory.sampling.target import Target, target_of

__all__ = ["Multispin", "MultispinState", "expansion"]

Words = NDArray[np.uint64]
_ALL = np.uint64(2**64 - 1)


@dataclass(frozen=True, eq=False)
class MultispinState:
    """Sixty-four configurations, bit r of every word being replica r.

    Attributes:
        words: Shape (2, rows, columns / 2): colour, row, place within the row.
    """

    words: Words

    @property
    def spins(self) -> NDArray[np.int8]:
        """All configurations, shape (64, n_sites)."""
        _, rows, half = self.words.shape
        replica = np.arange(64, dtype=np.uint64)[:, None, None]
        grid = np.empty((64, rows, 2 * half), dtype=np.int8)
        for colour, row, columns in _places(rows, half):
            bits = (self.words[colour, row] >> replica[:, 0]) & np.uint64(1)
            grid[:, row, columns] = 2 * bits.astype(np.int8) - 1
        return grid.reshape(64, -1)


@dataclass(frozen=True, eq=False)
class Multispin:
    r"""Checkerboard Metropolis of 64 replicas with random bits of their own.

    Flips are accepted with :math:`\min(1, e^{-\Delta E})`, where :math:`\Delta E` is 8|J|, 4|J|,
    0, ... for 0, 1, 2, ... unsatisfied bonds. Thresholds :math:`e^{-4|J|}` and
    :math:`e^{-8|J|}` are compared with uniform numbers bit by bit until all comparisons are
    decided; cut at 64 bits, they are exact where they exceed :math:`2^{-11}` and at most
    :math:`2^{-64}` too small elsewhere. Closed cycles of configurations
    without local field exist as in :class:`~phasetheory.sampling.checkerboard.Checkerboard`.

    Attributes:
        model: Ising model on a periodic square grid with even sides, one coupling J != 0 for all
            edges, no field.

    Raises:
        ValueError: If the model is anything else.

    A step is one sweep of all 64 replicas: about n_sites / 8 vector operations of 512 bits for
    each of the ten to fifteen random words that decide a comparison. Source of the coding:
    Creutz, Jacobs and Rebbi, PRL 42, 1390 (1979).
    """

    model: Ising
    replicas: ClassVar[int] = 64
    independent: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check that the model has the one shape the coding is for."""
        if not isinstance(self.model, Ising):
            raise ValueError(f"model is a {type(self.model).__name__}: phasetheory.Ising needed")
        lattice, coupling = self.model.lattice, self.model.coupling
        for fine, found, needed in (
            (_even_torus(lattice), f"lattice of shape {lattice.shape}", "a periodic square grid"),
            (np.ptp(coupling) == 0, "couplings that differ", "one coupling for all edges"),
            (bool(coupling[:1].any()), "coupling 0", "a coupling other than 0"),
            (not np.any(self.model.field), "a field", "no field"),
        ):
            if not fine:
                raise ValueError(
                    f"multispin: {found}; {needed} (both axes periodic and of even length) needed:"
                    " use 'checkerboard' or 'swendsen-wang'"
                )

    @cached_property
    def target(self) -> Target:
        """The law that is left invariant."""
        return target_of(self.model)

    @cached_property
    def bits(self) -> Words:
        """Binary expansions of exp(-4|J|) and exp(-8|J|), shape (2, 64), as words 0 or ~0."""
        strength = abs(float(self.model.coupling[0]))
        return np.stack([expansion(np.exp(-4.0 * strength)), expansion(np.exp(-8.0 * strength))])

    def init(self, spins: ArrayLike) -> MultispinState:
        """State at 64 configurations, shape (64, n_sites), or one for all, (n_sites,)."""
        given, n = np.asarray(spins), self.target.n_sites
        if given.shape not in ((n,), (64, n)) or not np.isin(given, (-1, 1)).all():
            raise ValueError(f"spins has shape {given.shape}: (64, {n}) or ({n},) of -1, +1 needed")
        rows, columns = self.model.lattice.shape or (0, 0)
        up = np.broadcast_to(given > 0, (64, n)).reshape(64, rows, columns).astype(np.uint64)
        replica = np.arange(64, dtype=np.uint64)[:, None]
        words = np.empty((2, rows, columns // 2), dtype=np.uint64)
        for colour, row, places in _places(rows, columns // 2):
            words[colour, row] = np.bitwise_or.reduce(up[:, row, places] << replica, axis=0)
        return MultispinState(words)

    def step(self, state: MultispinState, rng: np.random.Generator) -> tuple[MultispinState, Info]:
        """One sweep of all replicas; `acceptance` is the fraction of accepted flips."""
        words = state.words.copy()
        seeds = rng.integers(2**64, size=(2, words.shape[2]), dtype=np.uint64)
        antiferro = _ALL if self.model.coupling[0] < 0 else np.uint64(0)
        flipped = sweep(words, seeds, self.bits, antiferro)
        return MultispinState(words), Info(int(flipped) / (64 * words.size))


def expansion(p: float) -> Words:
    """First 64 binary digits of p in [0, 1), as words: all ones for a 1, 0 for a 0."""
    whole = int(Fraction(p) * 2**BITS)
    return np.array([_ALL if whole >> (BITS - 1 - b) & 1 else 0 for b in range(BITS)], np.uint64)


def _places(rows: int, half: int) -> list[tuple[int, int, slice]]:
    """(colour, row, columns of that colour in that row)."""
    return [(c, i, slice((i + c) % 2, 2 * half, 2)) for c in range(2) for i in range(rows)]


def _even_torus(lattice: Lattice) -> bool:
    shape, periodic = lattice.shape, lattice.periodic
    return shape is not None and len(shape) == 2 and all(periodic) and not any(s % 2 for s in shape)
