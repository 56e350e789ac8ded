"""Rearranging a planned sweep: which gaps to meet in, which stretches all samples share."""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels.transfer import (
    DIAG,
    FIRST,
    INDEX,
    KIND,
    LAST,
    MEET,
    REMOVE,
    TURNS,
    WHAT,
    WIDTH,
    Program,
    sweep,
)

__all__ = [
    "BACKWARDS",
    "BOTH_WAYS",
    "FORWARDS",
    "NOTHING",
    "advance",
    "cut",
    "kept_entries",
    "meeting",
    "one_by_one",
    "varying",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

FORWARDS, BACKWARDS, BOTH_WAYS = (
    np.array(way) for way in ((True, False), (False, True), (True,) * 2)
)
NOTHING = np.empty(0), np.empty((0, 0))  # no message kept, no odds


def meeting(program: Program, wanted: Indices) -> Program:
    """Keep as many meetings as `wanted` sites need; join both halves of the other gaps."""
    open_at: dict[int, list[int]] = {}
    for o in np.flatnonzero(program.ops[:, KIND] == MEET).tolist():
        for site in program.items[program.ops[o, FIRST] : program.ops[o, LAST], INDEX].tolist():
            open_at.setdefault(site, []).append(o)
    kept: set[int] = set()
    for visits in sorted((open_at[site] for site in wanted.tolist()), key=lambda v: v[-1]):
        if kept.isdisjoint(visits):
            kept.add(visits[-1])
    ops: list[Indices] = []
    loss: list[Floats] = []
    for o, (op, nats) in enumerate(zip(program.ops, program.loss.copy(), strict=True)):
        if op[KIND] == MEET and o not in kept:
            continue
        if ops and op[KIND] == ops[-1][KIND] == DIAG:
            ops[-1][LAST] = op[LAST]  # the meeting's own items, between the two, do nothing
            loss[-1] += nats
        else:
            ops.append(op.copy())
            loss.append(nats)
    return program._replace(ops=np.array(ops), loss=np.array(loss))


def varying(program: Program, h: Floats, what: int) -> Indices:
    """Operations that read a field which is not the same in all samples."""
    varies = (h != h[0]).any(axis=0)
    read = program.items[:, WHAT] == what
    read[read] = varies[program.items[read, INDEX]]
    count = np.concatenate([[0], np.cumsum(read)])
    diag = program.ops[:, KIND] == DIAG
    return np.flatnonzero(diag & (count[program.ops[:, LAST]] > count[program.ops[:, FIRST]]))


def cut(program: Program, rows: slice | NDArray[np.bool_]) -> Program:
    """Some of the operations of a program."""
    return program._replace(ops=program.ops[rows], loss=program.loss[rows])


def kept_entries(program: Program) -> int:
    """Entries of the messages at all meetings."""
    return int((1 << program.ops[program.ops[:, KIND] == MEET, WIDTH]).sum())


def advance(program: Program, h: Floats, ends: Floats, *, backwards: bool) -> float:
    """Replace a message by what the first sample's fields make of it; log of the scale."""
    if not len(program.ops):
        return 0.0
    psi = np.empty(ends.shape[1])
    no_meets = cut(program, program.ops[:, KIND] != MEET)
    scale = sweep(no_meets, h[:1], ends, (BACKWARDS if backwards else FORWARDS), psi, *NOTHING)[0]
    ends[int(backwards)] = psi
    return float(scale)


def one_by_one(program: Program) -> Program:
    """One turn an operation, and a meeting before each site that leaves."""
    ops: list[Indices] = []
    loss: list[Floats] = []
    for op, nats in zip(program.ops, program.loss.copy(), strict=True):
        n_turns = op[LAST] - op[FIRST] if op[KIND] == TURNS else 1
        for k in range(n_turns):
            if op[KIND] in (TURNS, REMOVE):
                ops.append(op.copy())
                ops[-1][KIND] = MEET
                loss.append(np.zeros(2))
            if op[KIND] != MEET:
                ops.append(op.copy())
                loss.append(nats / n_turns)
            if op[KIND] == TURNS:
                ops[-1][FIRST], ops[-1][LAST] = op[FIRST] + k, op[FIRST] + k + 1
    return program._replace(ops=np.array(ops), loss=np.array(loss))
