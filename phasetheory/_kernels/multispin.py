r"""Metropolis on a periodic square grid, 64 replicas in one word.

Bit r of a word is the spin of replica r (1 is +1). Colour c holds the sites with (row + column)
of parity c, row by row: `words[c, row, k]` is column 2k + (row + c) mod 2, so that vertical
neighbours have the same k, and horizontal ones k and one of k - 1, k + 1.

Every replica has random bits of its own. With d the number of unsatisfied bonds of a site, its flip
is accepted if d >= 2, if d = 1 and u < exp(-4|J|), or if d = 0 and u < exp(-8|J|). The bits of u
are produced from the most significant one, one word for 64 replicas and two words at a time, until
every comparison with both thresholds is decided, at most 64 bits: thresholds are exact to 2^-64.
The words come from xoroshiro128++ (Blackman and Vigna, ACM TOMS 47, 36, 2021), one generator a
column of words.
"""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit

__all__ = ["BITS", "LANES", "flip_row", "sweep", "thresholds"]

Words = NDArray[np.uint64]

BITS = 64  # length of the thresholds' binary expansions
LANES = 128  # words handled together: six scratch rows of 1 KiB stay in the first-level cache

_ZERO = np.uint64(0)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_R17, _R47 = np.uint64(17), np.uint64(47)
_R49, _R15 = np.uint64(49), np.uint64(15)
_R28, _R36 = np.uint64(28), np.uint64(36)
_S21 = np.uint64(21)
_ONE, _TWO, _FOUR, _TOP = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_PAIRS, _FOURS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_BYTES, _EACH = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


@jit(nogil=True)
def _xoroshiro(s0: np.uint64, s1: np.uint64) -> tuple[np.uint64, np.uint64, np.uint64]:
    """One number of xoroshiro128++ and the next state."""
    total = s0 + s1
    number = ((total << _R17) | (total >> _R47)) + s0
    s1 ^= s0
    return (
        number,
        ((s0 << _R49) | (s0 >> _R15)) ^ s1 ^ (s1 << _S21),
        (s1 << _R28) | (s1 >> _R36),
    )


@jit(nogil=True)
def thresholds(scratch: Words, seeds: Words, offset: int, width: int, bits: Words) -> None:
    """Draw one u for every replica of `width` words and compare it with two thresholds.

    Args:
        scratch: Shape (4 LANES,); afterwards rows 0 and 1 hold the words "u below the first
            (second) threshold". Rows at fixed distances let the compiler see that they do not
            overlap.
        seeds: Generator states, shape (2, n_lanes), moved on in place.
        offset: First lane.
        width: Number of words, at most LANES.
        bits: Binary expansions as words 0 or ~0, shape (2, BITS), most significant first.
    """
    first, second = seeds[0, offset : offset + width], seeds[1, offset : offset + width]
    for k in range(width):
        scratch[k] = _ZERO
        scratch[LANES + k] = _ZERO
        scratch[2 * LANES + k] = _ALL
        scratch[3 * LANES + k] = _ALL
    for b in range(0, BITS, 2):  # two digits a pass: fewer loads and stores
        one, two = bits[0, b], bits[1, b]
        next_one, next_two = bits[0, b + 1], bits[1, b + 1]
        undecided = _ZERO
        for k in range(width):
            below_one, below_two = scratch[k], scratch[LANES + k]
            open_one, open_two = scratch[2 * LANES + k], scratch[3 * LANES + k]
            r, s0, s1 = _xoroshiro(first[k], second[k])
            # u < t at the first digit where they differ, if t has the one there.
            below_one |= open_one & ~r & one
            below_two |= open_two & ~r & two
            open_one &= ~(r ^ one)
            open_two &= ~(r ^ two)
            r, first[k], second[k] = _xoroshiro(s0, s1)
            scratch[k] = below_one | (open_one & ~r & next_one)
            scratch[LANES + k] = below_two | (open_two & ~r & next_two)
            open_one &= ~(r ^ next_one)
            open_two &= ~(r ^ next_two)
            scratch[2 * LANES + k] = open_one
            scratch[3 * LANES + k] = open_two
            undecided |= open_one | open_two
        if undecided == _ZERO:
            break


@jit(nogil=True)
def _ones(x: np.uint64) -> np.uint64:
    """Number of ones, in the form that compilers know as the population count."""
    x -= (x >> _ONE) & _PAIRS
    x = (x & _FOURS) + ((x >> _TWO) & _FOURS)
    x = (x + (x >> _FOUR)) & _BYTES
    return (x * _EACH) >> _TOP


@jit(nogil=True)
def flip_row(mine: Words, near: Words, below: Words, antiferro: np.uint64) -> np.uint64:
    """Update some words of one colour in one row and count the flips.

    Args:
        mine: The words, shape (width,), changed in place.
        near: Their neighbours up, down, here and aside, shape (4, width).
        below: Scratch of :func:`thresholds`.
        antiferro: 0 for J > 0, all ones for J < 0.
    """
    flipped = _ZERO
    for k in range(mine.size):
        x = mine[k] ^ antiferro
        a, b, c, d = x ^ near[0, k], x ^ near[1, k], x ^ near[2, k], x ^ near[3, k]
        two = (a & b) | (c & d) | ((a | b) & (c | d))
        flips = two | ((a | b | c | d) & below[k]) | below[LANES + k]
        mine[k] ^= flips
        flipped += _ones(flips)
    return flipped


@jit(nogil=True)
def sweep(words: Words, seeds: Words, bits: Words, antiferro: np.uint64) -> np.uint64:
    """One Metropolis sweep, first colour 0, then colour 1; returns the number of flips.

    Args:
        words: Spins, shape (2, rows, half), changed in place; an even number of rows.
        seeds: Generator states, shape (2, half), moved on in place.
        bits: Binary expansions of exp(-4|J|) and exp(-8|J|), shape (2, BITS).
        antiferro: 0 for J > 0, all ones for J < 0.
    """
    _, rows, half = words.shape
    scratch = np.empty(4 * LANES, dtype=np.uint64)
    near = np.empty((4, LANES), dtype=np.uint64)
    flipped = _ZERO
    for colour in range(2):
        mine, other = words[colour], words[1 - colour]
        for row in range(rows):
            up, down = other[row - 1 if row else rows - 1], other[row + 1 if row + 1 < rows else 0]
            here = other[row]
            shift = half - 1 if (row + colour) % 2 == 0 else 1
            for start in range(0, half, LANES):
                width = min(LANES, half - start)
                for k in range(width):
                    near[0, k] = up[start + k]
                    near[1, k] = down[start + k]
                    near[2, k] = here[start + k]
                    near[3, k] = here[(start + k + shift) % half]
                thresholds(scratch, seeds, start, width, bits)
                block = mine[row, start : start + width]
                flipped += flip_row(block, near, scratch, antiferro)
    return flipped
