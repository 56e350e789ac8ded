"""Sums over the states of a window, for many samples at once.

A state is split into the block A, a left part and a right part of the buffer. The likelihoods of
all left (right) parts are built up along a tree of prefixes, so that common beginnings are
multiplied once; the states then cost one product each. The inner loops run over samples.
"""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit

__all__ = ["BOND", "CLOSE", "OPEN", "loop_sums", "window_sums"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Samples that are carried together: a few cache lines for each node.
_WIDTH = 32


@jit(nogil=True)
def window_sums(
    likelihoods: Floats,
    left: Indices,
    right: Indices,
    groups: Indices,
    ends: Indices,
    weights: Floats,
    sums: Floats,
) -> None:
    """Add up p(a, b) prod_i f_i(b_i) over the states b of a buffer, for every block state a.

    Args:
        likelihoods: f_i(x), shape (n_sites, q, n).
        left: Nodes of the tree of left parts, shape (3, nodes): parent, site, symbol; node 0 is
            the root, parents come before children.
        right: The same for right parts.
        groups: States with common block and left part, shape (3, groups): block, left node, and
            the first of their states; the last one's states end with `ends`.
        ends: Right node of every state, shape (states,).
        weights: p of every state, shape (states,).
        sums: Filled, shape (blocks, n).
    """
    n = likelihoods.shape[2]
    lefts = np.empty((left.shape[1], _WIDTH))
    rights = np.empty((right.shape[1], _WIDTH))
    inner = np.empty(_WIDTH)
    sums[:] = 0.0
    for first in range(0, n, _WIDTH):
        width = min(_WIDTH, n - first)
        _products(likelihoods, left, first, width, lefts)
        _products(likelihoods, right, first, width, rights)
        for g in range(groups.shape[1]):
            stop = groups[2, g + 1] if g + 1 < groups.shape[1] else ends.size
            inner[:] = 0.0
            for k in range(groups[2, g], stop):
                weight, node = weights[k], ends[k]
                for j in range(_WIDTH):
                    inner[j] += weight * rights[node, j]
            block, node = groups[0, g], groups[1, g]
            for j in range(width):
                sums[block, first + j] += lefts[node, j] * inner[j]


@jit(nogil=True)
def _products(likelihoods: Floats, tree: Indices, first: int, width: int, values: Floats) -> None:
    """Product of likelihoods along the path to every node."""
    values[:] = 0.0
    values[0, :width] = 1.0
    for node in range(1, tree.shape[1]):
        parent, site, symbol = tree[0, node], tree[1, node], tree[2, node]
        for j in range(width):
            values[node, j] = values[parent, j] * likelihoods[site, symbol, first + j]


#: Operations of :func:`loop_sums`.
OPEN, BOND, CLOSE = 0, 1, 2


@jit(nogil=True)
def loop_sums(likelihoods: Floats, program: Indices, blocks: Indices, sums: Floats) -> None:
    """Sum prod_e f_e(s_i s_j) over spins, for every value of the bonds of a block.

    A vector over the values of the open spins is carried through the window. All terms are
    positive, so that no digits are lost whatever the likelihoods.

    Args:
        likelihoods: f_e(x), shape (n_bonds, 2, n).
        program: Shape (operations, 4), rows (kind, a, b, bond): OPEN doubles the vector for one
            more spin; BOND multiplies by f of the product of the spins at bits a and b (b = -1:
            the spin that is held at +1); CLOSE sums over bit a, whose place the last bit takes.
        blocks: Block state of every entry of the vector at the end.
        sums: Filled, shape (blocks, n).
    """
    n = likelihoods.shape[2]
    n_open = most = 0
    for k in range(program.shape[0]):
        n_open += (program[k, 0] == OPEN) - (program[k, 0] == CLOSE)
        most = max(most, n_open)
    values = np.empty((1 << most, _WIDTH))
    sums[:] = 0.0
    for first in range(0, n, _WIDTH):
        width = min(_WIDTH, n - first)
        values[0, :width] = 1.0
        last = 0
        for k in range(program.shape[0]):
            kind, a, b, bond = program[k, 0], program[k, 1], program[k, 2], program[k, 3]
            if kind == OPEN:
                for c in range(1 << last):
                    for j in range(width):
                        values[(1 << last) + c, j] = values[c, j]
                last += 1
            elif kind == BOND:
                for c in range(1 << last):
                    unequal = (c >> a) & 1
                    if b >= 0:
                        unequal ^= (c >> b) & 1
                    for j in range(width):
                        values[c, j] *= likelihoods[bond, 1 - unequal, first + j]
            else:
                last -= 1
                _close(values, a, last, width)
        for c in range(1 << last):
            for j in range(width):
                sums[blocks[c], first + j] += values[c, j]


@jit(nogil=True)
def _close(values: Floats, a: int, last: int, width: int) -> None:
    """Sum over bit a and put the last bit in its place, in place."""
    low, high = 1 << a, 1 << last
    if a == last:
        for c in range(high):
            for j in range(width):
                values[c, j] += values[c + high, j]
        return
    for c in range(high):
        if c & low:
            continue
        for j in range(width):
            values[c, j] += values[c + low, j]
            values[c + low, j] = values[c + high, j] + values[c + low + high, j]
