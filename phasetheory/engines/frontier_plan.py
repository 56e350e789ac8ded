"""Planning of frontier sweeps: which order is cheapest for a region, and how slabs are cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels.frontier import ATTACH, FLIP, REDUCE
from phasetheory.engines.orders import Sweep

__all__ = ["Plan", "cheapest_plan"]

_SLAB_BITS = 12  # 2^12 doubles: a pair of buffers of 32 KiB, about a first-level cache
_WIDE_BITS = 20  # frontiers too wide for that get slabs of up to 2^20 doubles ...
_COLUMN_BITS = 5  # ... so as to keep 2^5 columns together after an attachment
_ENTROPY_WORK = 4  # time of one p log p, in table entries written


@dataclass(frozen=True, eq=False)
class Plan:
    """How the entropy of one region is computed, and what it costs.

    Attributes:
        sweep: The order of the sites.
        ops: Operations of the kernel, (n_ops, 5).
        sites: Site whose flip probability an operation uses, -1 where there is none, (n_ops,).
        levels: Slabs and buffers of the kernel, (n_levels + 1, 4).
        symmetric: One region site is fixed to +1 and the sum doubled.
        states: Entries of the largest table that the sweep runs through, slab by slab.
        updates: Entries written in all its tables: the work.
        bytes: Memory of its buffers and weights.
    """

    sweep: Sweep
    ops: tuple[tuple[int, ...], ...]
    sites: tuple[int, ...]
    levels: tuple[tuple[int, ...], ...]
    symmetric: bool
    states: int
    updates: int
    bytes: int


class _Step(NamedTuple):
    """One operation on a table of 2^rows configurations of open sites x 2^cols of finished ones."""

    kind: int
    site: int  # the flip probability used, -1 for none
    place: int  # open index of the finished site
    rows: int
    cols: int
    weight: int

    @property
    def size(self) -> int:
        """Binary logarithm of the number of entries it writes."""
        return self.rows + self.cols + (0, 1, -1)[(FLIP, ATTACH, REDUCE).index(self.kind)]


def cheapest_plan(
    sweeps: Sequence[Sweep],
    region: NDArray[np.bool_],
    *,
    symmetric: bool,
    slab_bits: int | None = None,
) -> Plan:
    """Return the plan with the fewest table updates among several sweeps.

    Args:
        sweeps: Sweeps of the same graph.
        region: Sites whose noisy values are kept, bool (n,), at least one.
        symmetric: The law is invariant under the global flip: fix one region site to +1.
        slab_bits: Binary logarithm of the slab size in doubles; the default suits the cache.

    Returns:
        The plan, in plain integers: nothing of the size of a table has been allocated.
    """
    candidates = [(sweep, _steps(sweep, region, symmetric)) for sweep in sweeps]
    sweep, steps = min(candidates, key=lambda pair: _work(pair[1]))
    if slab_bits is None:
        widest = max(step.rows for step in steps) + 1
        slab_bits = max(_SLAB_BITS, min(widest + _COLUMN_BITS, _WIDE_BITS))
    ops, levels = _layout(steps, slab_bits)
    n_weights = sum(2 << len(frontier) for frontier in sweep.frontiers())
    return Plan(
        sweep=sweep,
        ops=tuple(map(tuple, ops)),
        sites=tuple(step.site for step in steps),
        levels=tuple(map(tuple, levels)),
        symmetric=symmetric,
        states=1 << max(step.size for step in steps),
        updates=sum(1 << step.size for step in steps),
        bytes=8 * (levels[-1][-1] + n_weights),
    )


def _work(steps: Sequence[_Step]) -> int:
    return sum(1 << step.size for step in steps) + (_ENTROPY_WORK << steps[-1].size)


def _steps(sweep: Sweep, region: NDArray[np.bool_], symmetric: bool) -> list[_Step]:
    """List the operations, up to the last region site.

    Weights are conditional probabilities, so sites attached after that would sum to one.
    """
    end = max(step for step, site in enumerate(sweep.order) if region[site])
    steps: list[_Step] = []
    opened: list[int] = []
    cols = weight = 0
    to_fix = symmetric
    for step, site in enumerate(sweep.order[: end + 1]):
        steps.append(_Step(ATTACH, -1, 0, len(opened), cols, weight))
        weight += 2 << len(opened)
        opened.append(site)
        finished = opened if step == end else sweep.finishes[step]
        for i in sorted(finished, key=lambda i: (region[i], opened.index(i))):
            kind = FLIP if region[i] and not to_fix else REDUCE
            place = opened.index(i)
            steps.append(_Step(kind, i if region[i] else -1, place, len(opened), cols, 0))
            opened.remove(i)
            cols += kind == FLIP
            to_fix = to_fix and not region[i]
    return steps


def _layout(steps: Sequence[_Step], slab_bits: int) -> tuple[list[list[int]], list[list[int]]]:
    """Cut columns into slabs wherever an attachment would outgrow 2^slab_bits entries."""
    ops: list[list[int]] = []
    levels: list[list[int]] = []
    offset = cut = 0  # start of the level's buffers; bits of the columns cut off so far
    half = 0
    for k, step in enumerate(steps):
        if step.kind == ATTACH:
            parts = min(max(step.size - cut - slab_bits, 0), step.cols - cut)
            if k == 0 or parts > 0:
                offset += 2 * half
                half = 0
                cut += parts
                levels.append([k, len(steps), 1 << parts, offset])
                if k > 0:
                    levels[-2][1] = k
        half = max(half, 1 << (step.size - cut))
        ops.append([step.kind, step.place, 1 << step.rows, 1 << (step.cols - cut), step.weight])
    levels.append([0, 0, 0, offset + 2 * half])
    return ops, levels
