r"""Exact entropies of a noisy Ising law on regions, without the table of 2^n probabilities.

Spins x in {-1, +1}^n have p(x) ∝ exp(sum_e J_e x_i x_j + sum_i h_i x_i); site i is flipped with
probability f_i. The sites are attached one by one in an order with a small *frontier* (the open
sites, which still miss a neighbour). With beta(z) the sum over all later spins given the open z,

    w(x_t | z) = exp(x_t (h_t + sum_j J_tj z_j)) beta'(z, x_t) / beta(z)

is the conditional law of the new spin, so that every state of the sweep is a table of
probabilities p(y of finished region sites, x of open sites): it adds up to one, and strong or
frustrated couplings neither overflow nor lose the configurations that count. A finished site
passes through its 2 x 2 channel, or is summed out when it lies outside the region.

The sweep, and how it keeps to the cache, is in `phasetheory._kernels.frontier`.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from phasetheory._kernels.frontier import sweep_entropy
from phasetheory.engines.frontier_plan import Plan, cheapest_plan
from phasetheory.engines.orders import Sweep, candidate_sweeps, neighbour_sets

__all__ = [
    "LIMIT_BYTES",
    "LIMIT_STATES",
    "conditionals",
    "fits",
    "noisy_entropies",
    "plans",
    "swept_entropy",
]

LIMIT_BYTES = 2**31
LIMIT_STATES = 2**31
_LARGEST = 1e100  # sum of |J| or |h|: energies and their differences stay finite


def noisy_entropies(
    edges: ArrayLike,
    couplings: ArrayLike,
    fields: ArrayLike,
    *,
    flip: ArrayLike,
    regions: ArrayLike,
    limit_bytes: int = LIMIT_BYTES,
    limit_states: int = LIMIT_STATES,
) -> NDArray[np.float64]:
    r"""Return H(y_R) = -sum_y p(y_R) log p(y_R) for each region R of a noisy Ising law.

    p(y_R) = sum_x p(x) prod_{i in R} P(y_i | x_i), with P(y | x) = 1 - f_i if y = x, else f_i.

    Args:
        edges: Pairs of sites, (n_edges, 2).
        couplings: J, (n_edges,), inverse temperature absorbed.
        fields: h, (n,). If all are zero the global flip x -> -x halves the work.
        flip: Probability f that a site is flipped, (n,), in [0, 1/2].
        regions: One mask a row, bool (n_regions, n).
        limit_bytes: Largest memory that a region may take, in bytes.
        limit_states: Largest number of states that a region may run through.

    Returns:
        Entropies in nats, (n_regions,), exact to rounding.

    Raises:
        ValueError: If an argument has a wrong shape or value, or a region is too large.

    Cost: about 5 ns per state, 2^|R| states (half of it without fields) where the frontier of
    the graph is narrow; memory a few MB for frontiers up to 10.
    """
    edges, couplings, fields, flip = _checked(edges, couplings, fields, flip)
    regions = _masks(regions, fields.size)
    coins = regions & (flip == 0.5)  # flipped with probability 1/2: ln 2 each, known to nobody
    planned = _plans(edges, regions & ~coins, not fields.any(), (limit_bytes, limit_states))
    weights: dict[Sweep, NDArray[np.float64]] = {}
    entropies = np.log(2.0) * coins.sum(axis=1)
    for k, plan in enumerate(planned):
        if plan is None:
            continue
        if plan.sweep not in weights:
            weights[plan.sweep] = conditionals(plan.sweep, edges, couplings, fields)
        entropies[k] += swept_entropy(plan, weights[plan.sweep], flip)
    return entropies


def plans(edges: ArrayLike, regions: ArrayLike, *, symmetric: bool = False) -> list[Plan | None]:
    """Return what each region costs (`states`, `updates`, `bytes`), before any work, any limit.

    Args:
        edges: Pairs of sites, (n_edges, 2).
        regions: One mask a row, bool (n_regions, n); a site that is flipped with probability
            1/2 costs nothing and may be left out.
        symmetric: All fields are zero.

    Returns:
        A plan for each region, None for an empty one.

    Raises:
        ValueError: If an argument has a wrong shape or value.

    Cost: about 20 orders of n sites, a millisecond per region at n = 30; then remembered.
    """
    regions = _masks(regions)
    return _plans(_edge_pairs(edges, regions.shape[1]), regions, symmetric)


def fits(edges: ArrayLike, regions: ArrayLike, *, symmetric: bool = False) -> bool:
    """Whether `noisy_entropies` takes all these regions within its default limits.

    Args:
        edges: Pairs of sites, (n_edges, 2).
        regions: One mask a row, bool (n_regions, n), without sites flipped with probability 1/2.
        symmetric: All fields are zero.

    Raises:
        ValueError: If an argument has a wrong shape or value.

    Cost: that of `plans`, or none where the last table of a region alone is too large.
    """
    masks = _masks(regions)
    if (masks.sum(axis=1) - symmetric >= LIMIT_STATES.bit_length()).any():
        return False
    planned = [plan for plan in plans(edges, masks, symmetric=symmetric) if plan]
    return all(plan.bytes <= LIMIT_BYTES and plan.states <= LIMIT_STATES for plan in planned)


def swept_entropy(plan: Plan, weights: NDArray[np.float64], flip: NDArray[np.float64]) -> float:
    """Return the entropy of one planned region, in nats.

    Args:
        plan: The plan of the region.
        weights: What `conditionals` returns for the plan's sweep.
        flip: Flip probabilities, (n,).

    Returns:
        H(y_R).

    Cost: about 0.4 ns per `Plan.updates` and 1.5 ns per entry of the last table.
    """
    sites = np.array(plan.sites)
    entropy = sweep_entropy(
        np.array(plan.ops, dtype=np.int64),
        np.where(sites < 0, -1.0, flip[sites]),
        weights,
        np.array(plan.levels, dtype=np.int64),
    )
    # With one y_i fixed to +1 the table holds half of the law: p log p counts twice.
    return 2.0 * entropy if plan.symmetric else entropy


def conditionals(
    sweep: Sweep,
    edges: NDArray[np.int64],
    couplings: NDArray[np.float64],
    fields: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return w(x_t | z) for every site t in the order of a sweep, z the sites open before it.

    Args:
        sweep: The sweep.
        edges: Pairs of sites, (n_edges, 2); a pair that occurs twice adds up.
        couplings: J, (n_edges,).
        fields: h, (n,).

    Returns:
        Flat array. For each t, 2^(number of open sites) values for x_t = -1 and as many for +1;
        the oldest open site is the lowest bit of z.

    Cost: O(sum_t 2^(number of open sites)) time and memory.
    """
    bonds = np.zeros((fields.size, fields.size))
    np.add.at(bonds, (edges[:, 0], edges[:, 1]), couplings)
    bonds += bonds.T
    log_beta = np.zeros(())
    parts = []
    stages = list(zip(sweep.order, sweep.finishes, sweep.frontiers(), strict=True))
    for site, finished, opened in reversed(stages):
        youngest_first = opened[::-1]  # axes of z: in C order the oldest site is the lowest bit
        log_beta = np.expand_dims(log_beta, [(site, *youngest_first).index(i) for i in finished])
        local = np.array(fields[site])
        for bond in bonds[site, list(youngest_first)]:
            local = np.add.outer(local, [-bond, bond])
        up, down = log_beta[-1] + local, log_beta[0] - local
        parts.append(np.concatenate([expit(down - up).ravel(), expit(up - down).ravel()]))
        log_beta = np.logaddexp(up, down)
        log_beta = log_beta - log_beta.max()
    return np.concatenate(parts[::-1])


def _plans(
    edges: NDArray[np.int64],
    regions: NDArray[np.bool_],
    symmetric: bool,
    limits: tuple[int, int] | None = None,
) -> list[Plan | None]:
    pairs = tuple((int(i), int(j)) for i, j in edges)
    planned: list[Plan | None] = []
    for region in regions:
        plan = _plan(pairs, region.size, region.tobytes(), symmetric) if region.any() else None
        if plan and limits and (plan.bytes > limits[0] or plan.states > limits[1]):
            raise ValueError(
                f"regions: {region.sum()} of {region.size} sites need "
                f"2^{plan.states.bit_length() - 1} states and {_mebibytes(plan.bytes)}, the "
                f"limits are limit_states={limits[1]} and {_mebibytes(limits[0])} (limit_bytes); "
                "take a smaller region, raise the limits, or estimate the CMI from samples "
                "(method='cavity')"
            )
        planned.append(plan)
    return planned


@lru_cache(maxsize=1024)  # a scan asks for the same regions at every time
def _plan(pairs: tuple[tuple[int, int], ...], n_sites: int, mask: bytes, symmetric: bool) -> Plan:
    region = np.frombuffer(mask, dtype=bool)
    return cheapest_plan(_sweeps(pairs, n_sites), region, symmetric=symmetric)


@lru_cache(maxsize=16)
def _sweeps(pairs: tuple[tuple[int, int], ...], n_sites: int) -> list[Sweep]:
    return candidate_sweeps(neighbour_sets(n_sites, pairs))


def _mebibytes(n_bytes: int) -> str:
    return f"{-(-n_bytes // 2**20)} MiB"


def _edge_pairs(edges: ArrayLike, n_sites: int) -> NDArray[np.int64]:
    pairs = np.asarray(edges)
    pairs = pairs.reshape(0, 2) if pairs.size == 0 else pairs
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"edges: shape {pairs.shape}, expected (n_edges, 2)")
    if pairs.size and not np.issubdtype(pairs.dtype, np.integer):
        raise ValueError(f"edges: dtype {pairs.dtype}, expected integers")
    if pairs.size and not 0 <= pairs.min() <= pairs.max() < n_sites:
        raise ValueError(
            f"edges: sites {pairs.min()} to {pairs.max()}, expected 0 to {n_sites - 1}"
        )
    if (pairs[:, 0] == pairs[:, 1]).any():
        raise ValueError("edges: a site is joined to itself, expected two different sites")
    return pairs.astype(np.int64)


def _masks(regions: ArrayLike, n_sites: int | None = None) -> NDArray[np.bool_]:
    masks = np.asarray(regions)
    if masks.dtype != bool or masks.ndim != 2 or masks.shape[1] != (n_sites or masks.shape[1]):
        raise ValueError(
            f"regions: {masks.dtype} array of shape {masks.shape}, expected a bool array of shape "
            f"(n_regions, {n_sites or 'n_sites'})"
        )
    return masks


def _checked(
    edges: ArrayLike, couplings: ArrayLike, fields: ArrayLike, flip: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    h, f = np.asarray(fields, dtype=float), np.asarray(flip, dtype=float)
    if h.ndim != 1 or h.size == 0:
        raise ValueError(f"fields: shape {h.shape}, expected (n_sites,) with at least one site")
    pairs = _edge_pairs(edges, h.size)
    J = np.asarray(couplings, dtype=float)
    for name, array, size in (("couplings", J, len(pairs)), ("flip", f, h.size)):
        if array.shape != (size,):
            raise ValueError(f"{name}: shape {array.shape}, expected ({size},)")
    for name, array in (("couplings", J), ("fields", h)):
        if not np.abs(array).sum() < _LARGEST:
            raise ValueError(f"{name}: not finite, or beyond {_LARGEST:g}; expected finite numbers")
    if not ((f >= 0) & (f <= 0.5)).all():
        raise ValueError(f"flip: from {f.min()} to {f.max()}, expected values in [0, 1/2]")
    return pairs, J, h, f
