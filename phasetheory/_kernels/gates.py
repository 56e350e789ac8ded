"""Kernels of circuits on full tables: one channel on an axis, one recovery gate, its CMI terms.

A table is flat, site 0 slowest, every site with the same number of symbols. A gate sees it as
pairs of a symbol block of A and a state of the rest; the states of the rest are enumerated by two
short lists (slow and fast part), each with its offset in the table and its share of the buffer
index, so that no state is taken apart into digits.
"""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit

__all__ = ["apply_channel", "apply_gate", "gate_terms", "local_recovery"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@jit(nogil=True)
def apply_channel(table: Floats, inner: int, channel: Floats) -> None:
    """Replace the law of one site by its noisy law, in place.

    Args:
        table: Shape (s^n,).
        inner: Stride of the site's axis.
        channel: p(new | old), shape (s, s), columns summing to one.
    """
    s = channel.shape[0]
    if s == 2:
        a, b, c, d = channel[0, 0], channel[0, 1], channel[1, 0], channel[1, 1]
        for start in range(0, table.size, 2 * inner):
            for state in range(start, start + inner):
                low, high = table[state], table[state + inner]
                table[state] = a * low + b * high
                table[state + inner] = c * low + d * high
        return
    old = np.empty(s)
    for start in range(0, table.size, s * inner):
        for state in range(start, start + inner):
            for x in range(s):
                old[x] = table[state + x * inner]
            for y in range(s):
                total = 0.0
                for x in range(s):
                    total += channel[y, x] * old[x]
                table[state + y * inner] = total


@jit(nogil=True)
def apply_gate(
    table: Floats,
    blocks: Indices,
    slow: Indices,
    fast: Indices,
    recovery: Floats,
) -> None:
    """Send A through a channel that reads the buffer, in place.

    Args:
        table: Shape (s^n,).
        blocks: Offset of every symbol block of A, shape (s^|A|,).
        slow: States of the slow part of the rest: offset in the table, and share of the buffer
            index, shape (2, states).
        fast: Those of its fast part.
        recovery: R(new | old, b), shape (s^|B|, s^|A|, s^|A|) over (b, old, new).
    """
    if blocks.size == 2:
        zero, one = blocks[0], blocks[1]
        for i in range(slow.shape[1]):
            for j in range(fast.shape[1]):
                base = slow[0, i] + fast[0, j]
                b = slow[1, i] + fast[1, j]
                low, high = table[base + zero], table[base + one]
                table[base + zero] = recovery[b, 0, 0] * low + recovery[b, 1, 0] * high
                table[base + one] = recovery[b, 0, 1] * low + recovery[b, 1, 1] * high
        return
    new = np.empty(blocks.size)
    for i in range(slow.shape[1]):
        for j in range(fast.shape[1]):
            base = slow[0, i] + fast[0, j]
            b = slow[1, i] + fast[1, j]
            new[:] = 0.0
            for y in range(blocks.size):
                weight = table[base + blocks[y]]
                for x in range(blocks.size):
                    new[x] += recovery[b, y, x] * weight
            for x in range(blocks.size):
                table[base + blocks[x]] = new[x]


@jit(nogil=True)
def gate_terms(
    table: Floats,
    blocks: Indices,
    slow: Indices,
    fast: Indices,
    local: Floats,
    channel: Floats,
    recovery: Floats,
) -> tuple[float, float]:
    """I(A;C|B) before a channel on A, and its fall E KL(exact posterior || local posterior).

    Every summand w log(w/v) - w + v is non-negative and is formed from (v - w)/w, so that small
    informations keep their digits.

    Args:
        table: Law before the channel, shape (s^n,).
        blocks: As in :func:`apply_gate`.
        slow: Likewise.
        fast: Likewise.
        local: p(a | b), shape (s^|B|, s^|A|).
        channel: p(noisy | clean) of the block, shape (s^|A|, s^|A|).
        recovery: R(clean | noisy, b), shape (s^|B|, s^|A|, s^|A|) over (b, noisy, clean).

    Returns:
        (I(A;C|B), I(A;C|B) - I(A~;C|B)) in nats.
    """
    size = blocks.size
    cmi = fall = 0.0
    for i in range(slow.shape[1]):
        cmi_row = fall_row = 0.0
        for j in range(fast.shape[1]):
            base = slow[0, i] + fast[0, j]
            b = slow[1, i] + fast[1, j]
            rest = 0.0
            for x in range(size):
                rest += table[base + blocks[x]]
            if rest == 0.0:
                continue
            for x in range(size):
                cmi_row += _divergence(table[base + blocks[x]], rest * local[b, x])
            for y in range(size):
                noisy = 0.0
                for x in range(size):
                    noisy += channel[y, x] * table[base + blocks[x]]
                for x in range(size):
                    joint = channel[y, x] * table[base + blocks[x]]
                    fall_row += _divergence(joint, noisy * recovery[b, y, x])
        cmi += cmi_row
        fall += fall_row
    return cmi, fall


@jit(nogil=True)
def _divergence(w: float, v: float) -> float:
    """The summand w log(w/v) - w + v of a relative entropy."""
    if w == 0.0:
        return v
    if v == 0.0:
        return np.inf
    d = (v - w) / w
    if abs(d) < 1e-3:
        # d - log(1 + d), whose first terms cancel.
        return w * d * d * (0.5 - d * (1.0 / 3.0 - d * (0.25 - d * 0.2)))
    return w * (d - np.log1p(d))


@jit(nogil=True)
def local_recovery(joint: Floats, channel: Floats, local: Floats, recovery: Floats) -> None:
    """Bayes recovery of a block from a local prior; fills its last two arguments.

    Where the prior gives (noisy, b) no weight any completion serves: here the posterior of the
    block by itself, or no change where that has no weight either.

    Args:
        joint: Local prior p(a, b), shape (s_A, s_B).
        channel: p(noisy | clean), shape (s_A, s_A).
        local: Filled with p(a | b), shape (s_B, s_A); 0 where b has no weight.
        recovery: Filled with R(clean | noisy, b), shape (s_B, s_A, s_A) over (b, noisy, clean).
    """
    size, n_buffers = joint.shape
    alone = joint.sum(axis=1)
    for b in range(n_buffers):
        total = 0.0
        for x in range(size):
            total += joint[x, b]
        for x in range(size):
            local[b, x] = joint[x, b] / total if total > 0.0 else 0.0
        for y in range(size):
            weight = own = 0.0
            for x in range(size):
                weight += channel[y, x] * joint[x, b]
                own += channel[y, x] * alone[x]
            for x in range(size):
                if weight > 0.0:
                    recovery[b, y, x] = channel[y, x] * joint[x, b] / weight
                elif own > 0.0:
                    recovery[b, y, x] = channel[y, x] * alone[x] / own
                else:
                    recovery[b, y, x] = 1.0 if x == y else 0.0
