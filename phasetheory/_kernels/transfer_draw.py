"""Backward sampling from the messages of a transfer-matrix sweep."""

import numpy as np

from phasetheory._kernels import jit
from phasetheory._kernels.transfer import (
    ATTACH,
    FIRST,
    INDEX,
    KIND,
    MEET,
    OTHER,
    REMOVE,
    SITE,
    SLOT,
    SLOT_A,
    TURNS,
    WIDTH,
    Program,
)


@jit(nogil=True)
def draw_back(
    program: Program,
    kept: np.ndarray,
    states: np.ndarray,
    uniforms: np.ndarray,
    spins: np.ndarray,
) -> None:
    """Draw the sites that leave in a stretch of operations, last to first, for every sample.

    Args:
        program: Operations, a `MEET` before each `REMOVE` and `TURNS`, each of one turn.
        kept: The messages at these, one after the other, as `sweep` left them.
        states: Frontier state of each sample after the last operation, replaced by that before
            the first, (n,).
        uniforms: Numbers in [0, 1), (n, n_sites): spin i is +1 where u_i < p(+1).
        spins: Result, int8 (n, n_sites).

    Cost: two look-ups per site and sample.
    """
    ops, items, bonds, _, _ = program
    top = 0
    for o in range(ops.shape[0]):
        if ops[o, KIND] == MEET:
            top += 1 << ops[o, WIDTH]
    for o in range(ops.shape[0] - 1, -1, -1):
        kind, slot, site, r = ops[o, KIND], ops[o, SLOT], ops[o, SITE], 1.0
        if kind == ATTACH:
            for sample in range(states.size):
                states[sample] &= (1 << slot) - 1
        if kind != REMOVE and kind != TURNS:
            continue
        if kind == TURNS:
            turn = items[ops[o, FIRST]]
            slot, site, r = turn[SLOT_A], turn[OTHER], bonds[turn[INDEX], 0]
        bit = 1 << slot
        top -= 1 << ops[o, WIDTH]
        for sample in range(states.size):
            s = states[sample]
            if kind == REMOVE:
                s = ((s >> slot) << (slot + 1)) | (s & (bit - 1))
            up, down = kept[top + (s | bit)], kept[top + (s & ~bit)]
            if kind == TURNS:  # the neighbour that took the slot, drawn before, pulls
                up, down = (up, r * down) if s & bit else (r * up, down)
            plus = uniforms[sample, site] * (up + down) < up
            spins[sample, site] = 1 if plus else -1
            states[sample] = s | bit if plus else s & ~bit
