"""Planning of transfer-matrix sweeps: which sites share a pass, where the two sweeps meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels.transfer import (
    ATTACH,
    BOND,
    DIAG,
    ENTERS,
    LEAVES,
    MEET,
    OPEN,
    REMOVE,
    TURN,
    TURNS,
)
from phasetheory.engines.orders import Sweep, axis_sweeps, candidate_sweeps, neighbour_sets

__all__ = ["Plan", "narrowest_plan"]

Item = tuple[int, int, int, int, int]


@dataclass(frozen=True, eq=False)
class Plan:
    """How a graph is swept, and what it costs.

    Attributes:
        ops: Operations of the kernel, (n_ops, 6).
        items: Their items, (n_items, 5).
        width: Largest number of open sites.
        states: Length of the largest message, 2^width.
        updates: Entries written in one sweep: the work.
        kept: Entries of all messages at the `MEET` operations.
        opened: Open sites before every stage, one stage after the other.
        starts: Where each stage that has any begins in `opened`.
    """

    ops: NDArray[np.int64]
    items: NDArray[np.int64]
    width: int
    updates: int
    kept: int
    opened: NDArray[np.int64]
    starts: NDArray[np.int64]

    @property
    def states(self) -> int:
        """Length of the largest message."""
        return 1 << self.width


@dataclass(frozen=True)
class _Stage:
    """One structural operation with the gap before it."""

    gap: tuple[Item, ...]  # bonds and fields that act on the message in the gap
    opened: tuple[int, ...]  # sites open in the gap, by slot
    kind: int
    slot: int
    turns: tuple[Item, ...]
    leaving: tuple[int, ...]


@lru_cache(maxsize=32)
def narrowest_plan(
    n_sites: int, edges: tuple[tuple[int, int], ...], shape: tuple[int, ...] | None
) -> Plan:
    """Return the plan with the smallest frontier, then the least work, among several orders.

    Args:
        n_sites: Number of sites.
        edges: Pairs of sites.
        shape: Side lengths where the sites are those of a grid, row-major.

    Returns:
        The plan; nothing of the size of a message has been allocated.

    Cost: about 10 microseconds per site on grids; on other graphs that of `candidate_sweeps`.
    """
    neighbours = neighbour_sets(n_sites, edges)
    sweeps = candidate_sweeps(neighbours) if shape is None else axis_sweeps(neighbours, shape)

    def work(sweep: Sweep) -> tuple[int, int]:
        sizes = [len(frontier) for frontier in sweep.frontiers()]
        return max(sizes), sum(1 << size for size in sizes)

    return _plan(min(sweeps, key=work), {edge: e for e, edge in enumerate(edges)})


def _plan(sweep: Sweep, edges: dict[tuple[int, int], int]) -> Plan:
    stages = _stages(sweep, edges)
    ops: list[tuple[int, ...]] = []
    items: list[Item] = []

    def emit(kind: int, rows: Sequence[Item], width: int, *where: int) -> None:
        if rows or kind in (ATTACH, REMOVE):
            items.extend(rows)
            slot, site = where or (-1, -1)
            ops.append((kind, len(items) - len(rows), len(items), width, slot, site))

    met: set[int] = set()
    for stage in stages:
        width = len(stage.opened)
        if met.issuperset(stage.leaving):
            emit(DIAG, stage.gap, width)
        else:  # the last gap where all leaving sites are open: read every open site there
            met.update(stage.opened)
            emit(DIAG, [item for item in stage.gap if item[0] != LEAVES], width)
            emit(MEET, [(OPEN, k, -1, i, -1) for k, i in enumerate(stage.opened)], width)
            emit(DIAG, [item for item in stage.gap if item[0] == LEAVES], width)
        site = stage.leaving[0] if stage.kind == REMOVE else -1
        emit(stage.kind, sorted(stage.turns, key=lambda item: item[1]), width, stage.slot, site)
    width = max(op[3] + (op[0] == ATTACH) for op in ops)
    # TURNS write the message once a turn, everything else once.
    updates = sum((op[2] - op[1] if op[0] == TURNS else 1) << op[3] for op in ops if op[0] != MEET)
    lengths = [len(stage.opened) for stage in stages if stage.opened]
    return Plan(
        ops=np.array(ops, dtype=np.int64),
        items=np.array(items, dtype=np.int64).reshape(-1, 5),
        width=width,
        updates=updates,
        kept=sum(1 << op[3] for op in ops if op[0] == MEET),
        opened=np.array([i for stage in stages for i in stage.opened], dtype=np.int64),
        starts=np.cumsum([0, *lengths[:-1]]),
    )


def _stages(sweep: Sweep, edges: dict[tuple[int, int], int]) -> list[_Stage]:
    """Turn an order of the sites into operations; neighbouring replacements share a stage.

    A site takes the slot of a neighbour that it finishes, where there is one. Replacements run
    together as long as none of the leaving sites entered in the same run, or is bound to one
    that did: then all fields and bonds can be applied in the gaps between runs.
    """
    slots: list[int] = []  # open site of each slot
    gap: list[Item] = []
    after: list[Item] = []  # acts once the turns of this run are done
    turns: list[Item] = []
    fresh: set[int] = set()  # sites that entered in this run, and partners of their bonds
    before: tuple[int, ...] = ()  # open sites before this run
    stages: list[_Stage] = []

    def close() -> None:
        nonlocal gap, before
        if turns:
            leaving = tuple(turn[4] for turn in turns)
            stages.append(_Stage(tuple(gap), before, TURNS, -1, tuple(turns), leaving))
            gap = list(after)
            after.clear()
            turns.clear()
            fresh.clear()
        before = tuple(slots)

    def enter(site: int, partners: list[int], to: list[Item]) -> None:
        slot = slots.index(site)
        to.append((ENTERS, slot, -1, site, -1))
        for j in partners:
            to.append((BOND, slot, slots.index(j), _edge(edges, site, j), -1))

    for site, finished, neighbours in _steps(sweep, edges):
        replaced = next((i for i in finished if i != site), None)
        if replaced is None:
            close()
            stages.append(_Stage(tuple(gap), tuple(slots), ATTACH, len(slots), (), ()))
            slots.append(site)
            before = tuple(slots)
            gap = []
            enter(site, neighbours, gap)
        else:
            if replaced in fresh:
                close()
            slot = slots.index(replaced)
            if not turns:
                before = tuple(slots)
            gap.append((LEAVES, slot, -1, replaced, -1))
            turns.append((TURN, slot, -1, _edge(edges, site, replaced), replaced))
            slots[slot] = site
            partners = [j for j in neighbours if j != replaced]
            fresh.update([site, *partners])
            enter(site, partners, after)
        for i in finished:
            if i != replaced:
                close()
                slot = slots.index(i)
                gap.append((LEAVES, slot, -1, i, -1))
                stages.append(_Stage(tuple(gap), tuple(slots), REMOVE, slot, (), (i,)))
                slots.pop(slot)
                before = tuple(slots)
                gap = []
    return stages


def _steps(
    sweep: Sweep, edges: dict[tuple[int, int], int]
) -> list[tuple[int, tuple[int, ...], list[int]]]:
    """Each site with the sites it finishes and its neighbours that are open when it enters."""
    arrival = {site: step for step, site in enumerate(sweep.order)}
    earlier: list[list[int]] = [[] for _ in sweep.order]
    for i, j in edges:
        late, early = (i, j) if arrival[i] > arrival[j] else (j, i)
        earlier[late].append(early)
    return [
        (site, finished, earlier[site])
        for site, finished in zip(sweep.order, sweep.finishes, strict=True)
    ]


def _edge(edges: dict[tuple[int, int], int], i: int, j: int) -> int:
    return edges[min(i, j), max(i, j)]
