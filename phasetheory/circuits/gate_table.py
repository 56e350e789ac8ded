"""One recovery gate on a full table: where its symbols lie, and its local prior."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasetheory._kernels import gates as kernels
from phasetheory.circuits.circuit import Gate
from phasetheory.engines.table import check_size

__all__ = ["GateTable", "LocalBayes", "local_bayes", "noised"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def noised(table: Floats, n_symbols: int, channels: list[Floats]) -> Floats:
    """Send every site of a flat table through its channel, in place; returns the table.

    Args:
        table: Shape (n_symbols^n,), site 0 slowest.
        n_symbols: Symbols a site.
        channels: One matrix p(new | old) of shape (n_symbols, n_symbols) a site.
    """
    inner = table.size
    for channel in channels:
        inner //= n_symbols
        kernels.apply_channel(table, inner, channel)
    return table


@dataclass(frozen=True, eq=False)
class LocalBayes:
    """What a gate knows and does.

    Attributes:
        local: Local prior p(a | b) of the block given its buffer, shape (s^|B|, s^|A|).
        channel: Noise p(noisy | clean) of the block, shape (s^|A|, s^|A|).
        recovery: R(clean | noisy, b), shape (s^|B|, s^|A|, s^|A|) over (b, noisy, clean).
    """

    local: Floats
    channel: Floats
    recovery: Floats


def local_bayes(joint: Floats, channel: Floats, block_size: int) -> LocalBayes:
    """Recovery of a block from its local prior.

    Args:
        joint: p(a, b) just before the noise, flat, the sites of A slowest.
        channel: Noise of one site, shape (s, s).
        block_size: Number of sites in A.
    """
    whole: Floats = np.eye(1)
    for _ in range(block_size):
        whole = np.asarray(np.kron(whole, channel), dtype=float)
    size, n_buffers = len(whole), joint.size // len(whole)
    check_size(float(n_buffers) * size**2, "a recovery gate", "take a smaller window or block")
    local, recovery = np.empty((n_buffers, size)), np.empty((n_buffers, size, size))
    kernels.local_recovery(joint.reshape(size, n_buffers), whole, local, recovery)
    return LocalBayes(local, whole, recovery)


class GateTable:
    """Where A, its buffer and the rest lie in a flat table of s^n entries.

    Args:
        gate: Sites of A and B.
        n_sites: Number of sites n.
        n_symbols: Symbols s a site.
    """

    def __init__(self, gate: Gate, n_sites: int, n_symbols: int):
        strides = n_symbols ** np.arange(n_sites - 1, -1, -1)
        shares = np.zeros(n_sites, dtype=np.int64)
        shares[gate.B] = n_symbols ** np.arange(gate.B.size - 1, -1, -1)
        rest = np.setdiff1d(np.arange(n_sites), gate.A)
        slow, fast = rest[: rest.size // 2], rest[rest.size // 2 :]
        self._layout = (
            _offsets(strides[gate.A], n_symbols),
            np.stack([_offsets(w[slow], n_symbols) for w in (strides, shares)]),
            np.stack([_offsets(w[fast], n_symbols) for w in (strides, shares)]),
        )

    def recover(self, table: Floats, bayes: LocalBayes) -> None:
        """Apply the gate to a law, in place: one pass over the table."""
        kernels.apply_gate(table, *self._layout, bayes.recovery)

    def terms(self, table: Floats, bayes: LocalBayes) -> tuple[float, float]:
        """I(A;C|B) in the law before the noise, and its fall through the noise on A, nats."""
        return kernels.gate_terms(table, *self._layout, bayes.local, bayes.channel, bayes.recovery)


def _offsets(weights: Indices, n_symbols: int) -> Indices:
    """Weighted digit sums of all states of some sites, the first site slowest."""
    offsets = np.zeros(1, dtype=np.int64)
    for weight in weights.tolist():
        offsets = (offsets[:, None] + weight * np.arange(n_symbols)).ravel()
    return offsets
