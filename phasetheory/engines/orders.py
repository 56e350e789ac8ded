"""Orders in which a sweep attaches the sites of a graph, and the frontiers they leave open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Sweep", "axis_sweeps", "candidate_sweeps", "neighbour_sets"]

_STARTS = 4  # sites from which breadth-first and greedy orders are tried


@dataclass(frozen=True)
class Sweep:
    """An order of the sites, with the moment at which each can be finished.

    Attributes:
        order: The sites, in the order in which they are attached.
        finishes: For each of them, the sites whose neighbours are all attached once it is.
    """

    order: tuple[int, ...]
    finishes: tuple[tuple[int, ...], ...]

    def frontiers(self) -> list[tuple[int, ...]]:
        """Return the open sites before each site is attached, oldest first."""
        frontiers: list[tuple[int, ...]] = [()]
        for site, finished in zip(self.order, self.finishes, strict=True):
            frontiers.append(tuple(i for i in (*frontiers[-1], site) if i not in finished))
        return frontiers[:-1]


def neighbour_sets(n_sites: int, edges: Sequence[tuple[int, int]]) -> list[set[int]]:
    """Return the set of neighbours of each site."""
    neighbours: list[set[int]] = [set() for _ in range(n_sites)]
    for i, j in edges:
        neighbours[i].add(j)
        neighbours[j].add(i)
    return neighbours


def candidate_sweeps(neighbours: Sequence[set[int]]) -> list[Sweep]:
    """Return sweeps worth comparing for a graph; which is cheapest depends on the region.

    Args:
        neighbours: The neighbours of each site.

    Returns:
        The given order, breadth-first and greedy (smallest next frontier) orders from sites of
        lowest degree, and the reverse of each, without repetitions.

    Cost: O(n x frontier x degree) per order.
    """
    given = tuple(range(len(neighbours)))
    orders = [given]
    for start in _by_degree(neighbours)[:_STARTS]:
        orders += [_grow(neighbours, start, rule) for rule in (_breadth_first, _greedy)]
    orders += [order[::-1] for order in orders]
    return [_sweep(neighbours, order) for order in dict.fromkeys(orders)]


def axis_sweeps(neighbours: Sequence[set[int]], shape: Sequence[int]) -> list[Sweep]:
    """Return the orders that sweep a grid layer by layer, along each of its axes.

    Args:
        neighbours: The neighbours of each site.
        shape: Side lengths; the sites are row-major.

    Returns:
        One sweep per axis.

    Cost: O(n x degree) per order.
    """
    index = np.arange(len(neighbours)).reshape(tuple(shape))
    orders = [tuple(np.moveaxis(index, axis, 0).ravel().tolist()) for axis in range(index.ndim)]
    return [_sweep(neighbours, order) for order in dict.fromkeys(orders)]


def _by_degree(neighbours: Sequence[set[int]]) -> list[int]:
    return sorted(range(len(neighbours)), key=lambda i: (len(neighbours[i]), i))


def _sweep(neighbours: Sequence[set[int]], order: tuple[int, ...]) -> Sweep:
    arrival = {site: step for step, site in enumerate(order)}
    finishes: list[list[int]] = [[] for _ in order]
    for site in order:
        finishes[max(arrival[j] for j in neighbours[site] | {site})].append(site)
    return Sweep(order, tuple(map(tuple, finishes)))


_Rule = Callable[[int, dict[int, int], Sequence[set[int]]], tuple[int, ...]]


def _grow(neighbours: Sequence[set[int]], start: int, rule: _Rule) -> tuple[int, ...]:
    """Grow an order from `start`, always by the boundary site of lowest rank under `rule`."""
    arrival: dict[int, int] = {}
    for root in [start, *_by_degree(neighbours)]:  # one root per connected component
        boundary = {root} - arrival.keys()
        while boundary:
            site = min(boundary, key=lambda i: rule(i, arrival, neighbours))
            arrival[site] = len(arrival)
            boundary = (boundary | neighbours[site]) - arrival.keys()
    return tuple(arrival)


def _breadth_first(
    site: int, arrival: dict[int, int], neighbours: Sequence[set[int]]
) -> tuple[int, ...]:
    """Rank by the oldest neighbour."""
    return (min((arrival[j] for j in neighbours[site] if j in arrival), default=-1), site)


def _greedy(site: int, arrival: dict[int, int], neighbours: Sequence[set[int]]) -> tuple[int, ...]:
    """Rank by the frontier that attaching `site` leaves; ties go to the oldest neighbour."""
    attached = arrival.keys() | {site}
    closed = sum(neighbours[j] <= attached for j in (neighbours[site] | {site}) & attached)
    return (-closed, *_breadth_first(site, arrival, neighbours))
