"""Single-spin updates of an Ising model on any graph, and the coupled pair of the perfect sampler.

A graph is four flat arrays: the neighbours of site i are `neighbour[start[i]:start[i + 1]]`, joined
to it by the couplings `weight` at the same places. Spins are int8, -1 or +1, changed in place.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit
from phasetheory._kernels.splitmix import logistic

__all__ = ["Graph", "coupled_heat_bath", "energies", "heat_bath", "metropolis", "swap_rungs"]

Spins = NDArray[np.int8]
Floats = NDArray[np.float64]
Sites = NDArray[np.uint32]


class Graph(NamedTuple):
    """Neighbour lists with couplings and fields.

    Attributes:
        start: Shape (n_sites + 1,), uint32 (unsigned, so that no index is checked for its sign).
        neighbour: Shape (2 n_edges,), uint32.
        weight: Couplings J, shape (2 n_edges,).
        field: Fields h, shape (n_sites,).
    """

    start: Sites
    neighbour: Sites
    weight: Floats
    field: Floats


@jit(nogil=True)
def _local_field(spins: Spins, graph: Graph, i: int) -> float:
    """h_i + sum_j J_ij x_j."""
    total = graph.field[i]
    for e in range(graph.start[i], graph.start[i + 1]):
        total += graph.weight[e] * spins[graph.neighbour[e]]
    return total


@jit(nogil=True)
def metropolis(spins: Spins, graph: Graph, sites: Sites, exponentials: Floats) -> int:
    """Visit `sites` in order and flip each with probability min(1, exp(-2 x_i local_i)).

    A flip happens if its cost is at most a standard exponential number, which is the same.

    Args:
        spins: Shape (n_sites,), changed in place.
        graph: Couplings and fields.
        sites: Which sites, in which order.
        exponentials: One number >= 0 a visit.

    Returns:
        Number of accepted flips.
    """
    accepted = 0
    for k in range(sites.size):
        i = sites[k]
        if 2.0 * spins[i] * _local_field(spins, graph, i) <= exponentials[k]:
            spins[i] = -spins[i]
            accepted += 1
    return accepted


@jit(nogil=True)
def heat_bath(spins: Spins, graph: Graph, sites: Sites, logistics: Floats) -> int:
    """Visit `sites` in order and redraw each: +1 with probability 1/(1 + exp(-2 local_i)).

    A spin is +1 if 2 local exceeds a standard logistic number, which is the same. Rounding is
    monotone in that comparison, so that ordered configurations stay ordered to the last bit (the
    perfect sampler rests on that).

    Args:
        spins: Shape (n_sites,), changed in place.
        graph: Couplings and fields.
        sites: Which sites, in which order.
        logistics: One number a visit.

    Returns:
        Number of spins that changed.
    """
    changed = 0
    for k in range(sites.size):
        i = sites[k]
        new = 1 if logistics[k] < 2.0 * _local_field(spins, graph, i) else -1
        if new != spins[i]:
            spins[i] = new
            changed += 1
    return changed


@jit(nogil=True)
def coupled_heat_bath(
    upper: Spins, lower: Spins, graph: Graph, key: np.uint64, n_sweeps: int
) -> int:
    """Heat-bath sweeps -n_sweeps, ..., -2, -1 of two configurations with the same random numbers.

    Sweep -t reads the numbers t n_sites, ..., t n_sites + n_sites - 1 of a splitmix64 stream:
    a longer past begins with new numbers and ends with the same ones.

    Args:
        upper: Shape (n_sites,), changed in place.
        lower: Likewise; below `upper` everywhere if it was so before and no J is negative.
        graph: Couplings and fields.
        key: The stream.
        n_sweeps: How far back to start.

    Returns:
        Number of sites at which the two differ afterwards.
    """
    n = upper.size
    for t in range(n_sweeps, 0, -1):
        for i in range(n):
            logit = logistic(key, t * n + i)
            upper[i] = 1 if logit < 2.0 * _local_field(upper, graph, i) else -1
            lower[i] = 1 if logit < 2.0 * _local_field(lower, graph, i) else -1
    apart = 0
    for i in range(n):
        apart += upper[i] != lower[i]
    return apart


@jit(nogil=True)
def energies(spins: Spins, graph: Graph) -> Floats:
    """E(x) = -sum_ij J_ij x_i x_j - sum_i h_i x_i of each row of `spins`, shape (n,)."""
    result = np.empty(spins.shape[0])
    for k in range(spins.shape[0]):
        total = 0.0
        for i in range(spins.shape[1]):
            bonds = 0.0
            for e in range(graph.start[i], graph.start[i + 1]):
                bonds += graph.weight[e] * spins[k, graph.neighbour[e]]
            total -= spins[k, i] * (0.5 * bonds + graph.field[i])
        result[k] = total
    return result


@jit(nogil=True)
def swap_rungs(energy: Floats, beta: Floats, first: int, uniforms: Floats) -> NDArray[np.int64]:
    """Exchange neighbouring rungs (first, first + 1), (first + 2, first + 3), ...

    Each pair swaps with probability min(1, exp((beta_a - beta_b) (E_a - E_b))).

    Args:
        energy: E of the configuration on each rung, shape (n_rungs,).
        beta: Inverse temperature of each rung, shape (n_rungs,).
        first: 0 or 1.
        uniforms: One number in [0, 1) a pair.

    Returns:
        Permutation: rung k receives the configuration of rung `result[k]`.
    """
    order = np.arange(beta.size)
    for pair in range((beta.size - first) // 2):
        a = first + 2 * pair
        gain = (beta[a] - beta[a + 1]) * (energy[a] - energy[a + 1])
        if gain >= 0.0 or uniforms[pair] < np.exp(gain):
            order[a], order[a + 1] = a + 1, a
    return order
