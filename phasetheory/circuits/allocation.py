"""Which option to take at every step, so that the whole is cheapest and the errors fit a budget."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["allocate"]

Floats = NDArray[np.float64]

#: Entries of the table of partial sums; beyond, costs are rounded up to a coarser unit.
MAX_ENTRIES = 3e7


def allocate(
    errors: Floats, costs: NDArray[np.int64], budget: float, *, rationed: int, most: int | None
) -> NDArray[np.int64] | None:
    r"""Cheapest choice of one option a step whose errors add up to at most the budget.

    .. math:: \min_j \sum_k c_{j_k} \quad\text{with}\quad \sum_k e_{k j_k} \le \text{budget}

    Args:
        errors: e, one row a step, shape (K, R), >= 0, nats.
        costs: c of each option, shape (R,), positive integers.
        budget: Largest sum of errors, nats.
        rationed: Index of the option that may be taken `most` times.
        most: That number; None for no limit.

    Returns:
        Option of each step, shape (K,); of equally cheap choices the one of least error; None if
        no choice fits the budget.

    Solved by dynamic programming over the cost spent, exactly while the table of partial sums
    holds at most 3e7 entries, else with costs rounded up to a common unit (K units too dear at
    most).

    Cost: K R entries of that table, times `most` where it is given.
    """
    steps, ration = len(errors), 0 if most is None else min(most, len(errors))
    per_use = np.zeros(costs.size, dtype=np.int64)
    per_use[rationed] = 0 if most is None else 1
    unit = int(np.gcd.reduce(costs))
    coarse = steps * (ration + 1) * steps * int(costs.max()) / MAX_ENTRIES
    unit = max(unit, int(np.ceil(coarse)))
    prices = -(-costs // unit)
    least = np.full((ration + 1, steps * int(prices.max()) + 1), np.inf)
    least[0, 0] = 0.0
    taken = np.zeros((steps, *least.shape), dtype=np.int16)
    for step in range(steps):
        new = np.full_like(least, np.inf)
        for option, (price, use) in enumerate(zip(prices, per_use, strict=True)):
            if use > ration:
                continue
            reached = least[: ration + 1 - use, : least.shape[1] - price] + errors[step, option]
            target, mark = new[use:, price:], taken[step, use:, price:]
            better = reached < target
            target[better], mark[better] = reached[better], option
        least = new
    # Sums in another order differ in the last digits.
    fits = np.flatnonzero(least.min(axis=0) <= budget * (1.0 + 1e-12))
    if not fits.size:
        return None
    spent = int(fits[0])
    used = int(np.argmin(least[:, spent]))
    choice = np.zeros(steps, dtype=np.int64)
    for step in reversed(range(steps)):
        choice[step] = option = int(taken[step, used, spent])
        spent, used = spent - int(prices[option]), used - int(per_use[option])
    return choice
