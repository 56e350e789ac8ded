r"""Belief propagation on a regular tree whose leaves carry the evidence.

A belief m_v(x) is the log-likelihood of all evidence below node v given its symbol x, shifted so
that its largest entry is 0; the shifts add up to the log evidence. A bond turns it into a message

    u(x) = log sum_y M[x, y] exp m(y) = log1p(sum_y M[x, y] expm1 m(y)),

for the rows of M sum to one. The second form keeps the relative accuracy of weak messages, and is
exactly 0 where nothing was seen.

Nodes of level l are numbered from 0; the children of node v are b v, ..., b v + b - 1 one level
down. The leaves are the last level.
"""

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import jit

__all__ = ["leaf_beliefs", "tree_log_evidence"]

Floats = NDArray[np.float64]

#: A sum below this has lost digits to underflow and is redone in log space.
_TINY = 1e-290


@jit(nogil=True)
def pass_bond(M: Floats, log_M: Floats, belief: Floats, message: Floats, gain: Floats) -> None:
    """Fill message (q,) with u(x).

    Args:
        M: p(child y | parent x), (q, q), rows sum to one.
        log_M: Its logarithm.
        belief: m, (q,), largest entry 0, or all -inf.
        message: Result.
        gain: Space for q numbers.
    """
    q = belief.size
    for y in range(q):
        gain[y] = np.expm1(belief[y]) if belief[y] < 0.0 else 0.0
    for x in range(q):
        drop = 0.0
        for y in range(q):
            drop += M[x, y] * gain[y]
        if drop > -0.5:
            message[x] = np.log1p(drop)
            continue
        total = 0.0
        for y in range(q):
            total += M[x, y] * np.exp(belief[y])
        if total > _TINY:
            message[x] = np.log(total)
            continue
        top = -np.inf
        for y in range(q):
            top = max(top, log_M[x, y] + belief[y])
        total = 0.0
        if top > -np.inf:
            for y in range(q):
                total += np.exp(log_M[x, y] + belief[y] - top)
        message[x] = top + np.log(total) if top > -np.inf else -np.inf


@jit(nogil=True)
def shift(belief: Floats) -> float:
    """Subtract the largest entry and return it; -inf leaves the belief as it is."""
    top = belief[0]
    for x in range(1, belief.size):
        top = max(top, belief[x])
    if top > -np.inf:
        for x in range(belief.size):
            belief[x] -= top
    return top


@jit(nogil=True)
def tree_log_evidence(
    M: Floats, log_M: Floats, log_root: Floats, leaves: Floats, b: int, out: Floats
) -> None:
    """Fill out (n,) with log E exp sum_i l_i(x_i); -inf for impossible evidence.

    Args:
        M: p(child y | parent x), (q, q), rows sum to one.
        log_M: Its logarithm.
        log_root: Log-law of the root, (q,).
        leaves: Log-likelihoods l, (n, b^depth, q), -inf allowed, +inf not.
        b: Children of a node, at least 2.
        out: Result.

    Cost: about 2 q expm1, 2 q log1p and 2 q^2 products a leaf; memory one sample.
    """
    n, n_leaves, q = leaves.shape
    belief = np.empty((n_leaves, q))
    message, joined, gain = np.empty(q), np.empty(q), np.empty(q)
    for sample in range(n):
        belief[:] = leaves[sample]
        width, total, lost = n_leaves, 0.0, 0.0
        while True:
            for node in range(width):
                top = shift(belief[node])
                if top == -np.inf:
                    total = -np.inf
                    break
                partial = total + top  # compensated: 10^6 shifts add up without loss
                lost += (total - partial) + top if abs(total) >= abs(top) else (
                    (top - partial) + total
                )  # fmt: skip
                total = partial
            if total == -np.inf or width == 1:
                break
            width //= b
            for parent in range(width):
                for x in range(q):
                    joined[x] = 0.0
                for child in range(b * parent, b * parent + b):
                    pass_bond(M, log_M, belief[child], message, gain)
                    for x in range(q):
                        joined[x] += message[x]
                # In place: children at or after this index are still to be read by later parents
                # only beyond b (parent + 1).
                for x in range(q):
                    belief[parent, x] = joined[x]
        if total == -np.inf:
            out[sample] = -np.inf
            continue
        joined[:] = log_root + belief[0]
        top = shift(joined)
        out[sample] = total + lost + top + np.log(np.exp(joined).sum()) if top > -np.inf else top


@jit(nogil=True)
def leaf_beliefs(
    M: Floats, log_M: Floats, log_ratio: Floats, leaves: Floats, b: int, out: Floats
) -> None:
    r"""Fill out (n, b^depth, q) with log p(x_i | evidence) - log pi(x_i), up to a constant a site.

    Downward messages are taken relative to the stationary law pi. Detailed balance,
    pi(x) M[x, y] = pi(y) M[y, x], then makes them the same sum as upward ones.

    Args:
        M: p(child y | parent x), (q, q), reversible.
        log_M: Its logarithm.
        log_ratio: Log-law of the root minus log pi, (q,).
        leaves: Log-likelihoods l, (n, b^depth, q), -inf allowed, +inf not.
        b: Children of a node, at least 2.
        out: Result; -inf everywhere for impossible evidence.

    Cost: twice that of the evidence; memory 4 q numbers a leaf.
    """
    n, n_leaves, q = leaves.shape
    n_nodes = (b * n_leaves - 1) // (b - 1)
    up = np.empty((n_nodes, q))
    outside = np.empty((n_nodes, q))
    belief, before, gain, behind = np.empty(q), np.empty(q), np.empty(q), np.empty((b + 1, q))
    first_leaf = n_nodes - n_leaves
    for sample in range(n):
        # Messages to the parent; node 0 is the root, children of v are b v + 1, ..., b v + b.
        for node in range(n_nodes - 1, 0, -1):
            for x in range(q):
                belief[x] = leaves[sample, node - first_leaf, x] if node >= first_leaf else 0.0
            if node < first_leaf:
                for child in range(b * node + 1, b * node + b + 1):
                    for x in range(q):
                        belief[x] += up[child, x]
            shift(belief)
            pass_bond(M, log_M, belief, up[node], gain)
        outside[0] = log_ratio
        for node in range(first_leaf):
            first = b * node + 1
            # Sums over the later siblings; differences would fail where a message is -inf.
            for x in range(q):
                before[x] = outside[node, x]
                behind[b, x] = 0.0
                for k in range(b - 1, -1, -1):
                    behind[k, x] = behind[k + 1, x] + up[first + k, x]
            for k in range(b):
                for x in range(q):
                    belief[x] = before[x] + behind[k + 1, x]
                    before[x] += up[first + k, x]
                shift(belief)
                pass_bond(M, log_M, belief, outside[first + k], gain)
        for leaf in range(n_leaves):
            for x in range(q):
                out[sample, leaf, x] = outside[first_leaf + leaf, x] + leaves[sample, leaf, x]
