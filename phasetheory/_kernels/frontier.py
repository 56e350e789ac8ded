r"""Entropy of a noisy Ising law by a frontier sweep that never stores the table of the law.

A *state* is the table p(x of the open sites, y of the finished region sites), in C order: row z
is a configuration of the open sites (open site j is bit j of z, bit 1 is spin +1), column is a
configuration of the finished ones. Columns never mix again, so a state that outgrows the cache
is cut into slabs of columns and the slabs are swept to the end one after the other, depth first.

The sweep is a list of operations, one row of `ops` each (int64):

======== =============================================================================
column   meaning
======== =============================================================================
`KIND`   `ATTACH`, `REDUCE` or `FLIP`
`SITE`   open index j of the site that a `REDUCE` or `FLIP` finishes
`ROWS`   rows of the input state
`COLS`   columns of the input slab
`WEIGHT` offset of an `ATTACH`'s 2 `ROWS` weights
======== =============================================================================
"""

import numpy as np

from phasetheory._kernels import jit

KIND, SITE, ROWS, COLS, WEIGHT = range(5)
ATTACH, REDUCE, FLIP = range(3)
FIRST, LAST, PARTS, OFFSET = range(4)

_LANES = 64  # independent partial sums: enough to keep every vector unit busy
_SMALLEST = 1e-290  # below it p log p counts as p log 1e-290: an error under 1e-287 each

# log m = 2 s + s z (c0 + c1 z + ...), s = (m - 1) / (m + 1), z = s^2, sqrt(1/2) <= m < sqrt(2):
# Chebyshev interpolation in z, error below 2e-18.
_C0, _C1, _C2, _C3, _C4, _C5, _C6 = (
    0.666666666666667,
    0.39999999999899505,
    0.28571428625975487,
    0.2222221113479508,
    0.18182889125261723,
    0.15331721600556042,
    0.14616449685043406,
)
_LN2_HIGH = 0.6931471803691238  # ln 2 to 33 bits, so that exponent * _LN2_HIGH is exact
_LN2_LOW = 1.9082149292705877e-10
_ROOT = np.uint64(0x3FE6A09E667F3BCD)  # bits of sqrt(1/2)
_SHIFT = np.uint64((1023 << 52) - 0x3FE6A09E667F3BCD)
_MANTISSA = np.uint64((1 << 52) - 1)
_BITS = np.uint64(52)
_MAGIC = np.uint64(0x4330000000000000)  # bits of 2^52: turns a small integer into a double
_MAGIC_OFFSET = 4503599627370496.0 + 1023.0


@jit
def _log(p: float) -> float:
    """Return log p of a normal p > 0, in operations that all vectorise (no call, no branch)."""
    bits = np.float64(p).view(np.uint64) + _SHIFT
    exponent = np.uint64((bits >> _BITS) | _MAGIC).view(np.float64) - _MAGIC_OFFSET
    m = np.uint64((bits & _MANTISSA) + _ROOT).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    tail = z * (_C0 + z * (_C1 + z * (_C2 + z * (_C3 + z * (_C4 + z * (_C5 + z * _C6))))))
    return exponent * _LN2_HIGH + (2.0 * s + (s * tail + exponent * _LN2_LOW))


@jit
def _add_p_log_p(p: np.ndarray, lanes: np.ndarray) -> None:
    """Add p log p, entry by entry, to the partial sums in `lanes` (0 log 0 = 0)."""
    width = lanes.size
    whole = p.size // width
    for block in range(whole):
        chunk = p[block * width : (block + 1) * width]
        for i in range(width):
            lanes[i] += chunk[i] * _log(max(chunk[i], _SMALLEST))
    for i in range(whole * width, p.size):
        lanes[i - whole * width] += p[i] * _log(max(p[i], _SMALLEST))


@jit
def sum_p_log_p(p: np.ndarray) -> float:
    """Return sum_i p_i log p_i of a float64 array, 0 log 0 = 0.

    Args:
        p: Non-negative numbers, shape (n,), C-contiguous.

    Returns:
        The sum, each logarithm within a few units of rounding of the correctly rounded one.
    """
    lanes = np.zeros(_LANES)
    _add_p_log_p(p, lanes)
    return lanes.sum()


@jit
def _attach(
    source: np.ndarray, stride: int, op: np.ndarray, weights: np.ndarray, out: np.ndarray
) -> None:
    """Multiply in a new site as the highest open one: two weighted copies of the state."""
    rows, cols = op[ROWS], op[COLS]
    below, above = weights[op[WEIGHT] :][:rows], weights[op[WEIGHT] + rows :][:rows]
    if cols == 1 and stride == 1:
        low, high = out[:rows], out[rows : 2 * rows]
        for z in range(rows):
            low[z] = source[z] * below[z]
            high[z] = source[z] * above[z]
        return
    for z in range(rows):
        row = source[z * stride : z * stride + cols]
        low, high = out[z * cols : (z + 1) * cols], out[(rows + z) * cols : (rows + z + 1) * cols]
        w_low, w_high = below[z], above[z]
        for i in range(cols):
            low[i] = row[i] * w_low
            high[i] = row[i] * w_high


@jit
def _reduce(source: np.ndarray, op: np.ndarray, rate: float, out: np.ndarray) -> None:
    """Finish a site by a weighted sum over its spin: x = -1 with `rate`, x = +1 with 1 - rate.

    A negative rate sums the spin out with weight one on both values.
    """
    run = op[COLS] << op[SITE]
    w_low, w_high = (1.0, 1.0) if rate < 0.0 else (rate, 1.0 - rate)
    for block in range(op[ROWS] >> (op[SITE] + 1)):
        low = source[2 * block * run : (2 * block + 1) * run]
        high = source[(2 * block + 1) * run : (2 * block + 2) * run]
        to = out[block * run : (block + 1) * run]
        for i in range(run):
            to[i] = w_low * low[i] + w_high * high[i]


@jit
def _flip(source: np.ndarray, op: np.ndarray, rate: float, out: np.ndarray) -> None:
    """Finish a site by its flip channel: its bit becomes the highest one of the columns."""
    cols, site = op[COLS], op[SITE]
    lower = (1 << site) - 1
    for rest in range(op[ROWS] >> 1):
        start = (((rest >> site) << (site + 1)) | (rest & lower)) * cols
        low = source[start : start + cols]
        start += cols << site
        high = source[start : start + cols]
        to_low = out[2 * rest * cols : (2 * rest + 1) * cols]
        to_high = out[(2 * rest + 1) * cols : (2 * rest + 2) * cols]
        for i in range(cols):
            moved = rate * (high[i] - low[i])
            to_low[i] = low[i] + moved
            to_high[i] = high[i] - moved


@jit(nogil=True)
def sweep_entropy(
    ops: np.ndarray, rates: np.ndarray, weights: np.ndarray, levels: np.ndarray
) -> float:
    """Return -sum_y p(y) log p(y), in nats, over the table that the sweep generates.

    A level is a run of operations that starts with an `ATTACH` and alternates between two
    buffers of its own; its input is the last state of the level above, cut into `PARTS` slabs.

    Args:
        ops: Operations in order, int64 (n_ops, 5), see the module.
        rates: Flip probability of each operation, (n_ops,); negative: sum out.
        weights: Conditional probabilities of each attached site given the open ones, flat: for
            each `ATTACH`, `ROWS` weights of spin -1 and then `ROWS` of spin +1.
        levels: First operation, end of operations, number of slabs and buffer offset of each
            level, int64 (n_levels + 1, 4); the last row holds the total buffer size only.

    Returns:
        The entropy of the swept table (not doubled for a symmetry the caller made use of).
    """
    n_levels = levels.shape[0] - 1
    memory = np.empty(levels[n_levels, OFFSET] + 1)
    memory[-1] = 1.0
    done = np.zeros(n_levels, np.int64)
    lanes = np.zeros(_LANES)
    total, lost = 0.0, 0.0
    level = 0
    while level >= 0:
        if done[level] == levels[level, PARTS]:
            done[level] = 0
            level -= 1
            continue
        offset = levels[level, OFFSET]
        half = (levels[level + 1, OFFSET] - offset) // 2
        first, last = levels[level, FIRST], levels[level, LAST]
        stride = ops[first, COLS] * levels[level, PARTS]
        start = memory.size - 1
        if level > 0:
            above, n_above = levels[level - 1], levels[level - 1, LAST] - levels[level - 1, FIRST]
            start = above[OFFSET] + (1 - n_above % 2) * ((offset - above[OFFSET]) // 2)
        source = memory[start + done[level] * ops[first, COLS] :]
        done[level] += 1
        for k in range(first, last):
            out = memory[offset + ((k - first) % 2) * half :][:half]
            if ops[k, KIND] == ATTACH:
                _attach(source, stride if k == first else ops[k, COLS], ops[k], weights, out)
            elif ops[k, KIND] == REDUCE:
                _reduce(source, ops[k], rates[k], out)
            else:
                _flip(source, ops[k], rates[k], out)
            source = out
        if level < n_levels - 1:
            level += 1
            continue
        size = ops[last - 1, COLS] << (1 if ops[last - 1, KIND] == FLIP else 0)
        _add_p_log_p(source[:size], lanes)
        term = lanes.sum()
        lanes[:] = 0.0
        partial = total + (term - lost)
        lost = (partial - total) - (term - lost)
        total = partial
    return -total
