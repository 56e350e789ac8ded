r"""Transfer-matrix sweeps over a frontier of Ising spins, in linear weights.

The message psi[s] holds the weight of everything swept so far, given the open sites; open slot k is
bit k of s, bit 1 is spin +1. Couplings come as r = exp(-2|J|) and every factor is at most 1:

- `TURNS` replaces sites by neighbours, one slot after the other: (x, y) -> (x + r y, r x + y).
  The caller's gauge makes these couplings ferromagnetic. The matrix is symmetric, so the same
  operation serves the sweep from the other end.
- `DIAG` multiplies by the couplings inside the frontier, and by the fields of the sites that are
  about to leave (forwards) or have just entered (backwards): a message never holds the fields of
  its open sites, so its range is bounded by the couplings whatever the fields.
- `ATTACH` opens the highest slot, `REMOVE` sums a slot out; each is the transpose of the other.
- `MEET` marks a gap where the two sweeps meet: marginals are read there, samples restart there.

Rows of `ops` are (KIND, FIRST, LAST, WIDTH, SLOT, SITE): FIRST:LAST are its rows of `items`, WIDTH
the open slots before it, SLOT and SITE what it opens or closes. Rows of `items` are (WHAT, SLOT_A,
SLOT_B, INDEX, OTHER): INDEX is an edge of a `TURN` or `BOND` and a site elsewhere, OTHER the site
that a `TURN` sums out.
"""

from typing import NamedTuple

import numpy as np

from phasetheory._kernels import jit

KIND, FIRST, LAST, WIDTH, SLOT, SITE = range(6)
TURNS, DIAG, ATTACH, REMOVE, MEET = range(5)
WHAT, SLOT_A, SLOT_B, INDEX, OTHER = range(5)
TURN, BOND, LEAVES, ENTERS, OPEN = range(5)

_RUN = 6  # slots from which three turns in one pass pay
_LANES = 8
_CROSS = 2  # bonds between the low and the high half of the slots in one pass


class Program(NamedTuple):
    """A stretch of a sweep with its couplings.

    Attributes:
        ops: Operations, int64 (n_ops, 6), in the order of the forward sweep.
        items: Their items, int64 (n_items, 5).
        bonds: Factors of opposite and of equal spins for each edge, at most 1, (n_edges, 2).
        loss: Largest change of log max psi in each operation, forwards and backwards, nats,
            (n_ops, 2).
        drift: Rescale once this many nats may have been lost or gained since the last time.
    """

    ops: np.ndarray
    items: np.ndarray
    bonds: np.ndarray
    loss: np.ndarray
    drift: float


@jit
def _turn(psi: np.ndarray, slot: int, r: float) -> None:
    run = 1 << slot
    for start in range(0, psi.size, 2 * run):
        low, high = psi[start : start + run], psi[start + run : start + 2 * run]
        for i in range(run):
            x, y = low[i], high[i]
            low[i] = x + r * y
            high[i] = r * x + y


@jit
def _three(p: np.ndarray, r: float, t: float, u: float) -> None:
    """Turn three neighbouring slots in one pass over p[8, run] or, transposed, p[run, 8].T."""
    for i in range(p.shape[1]):
        x0, x1, x2, x3 = p[0, i], p[1, i], p[2, i], p[3, i]
        x4, x5, x6, x7 = p[4, i], p[5, i], p[6, i], p[7, i]
        x0, x1, x2, x3 = x0 + r * x1, r * x0 + x1, x2 + r * x3, r * x2 + x3
        x4, x5, x6, x7 = x4 + r * x5, r * x4 + x5, x6 + r * x7, r * x6 + x7
        x0, x2, x1, x3 = x0 + t * x2, t * x0 + x2, x1 + t * x3, t * x1 + x3
        x4, x6, x5, x7 = x4 + t * x6, t * x4 + x6, x5 + t * x7, t * x5 + x7
        p[0, i], p[1, i], p[2, i], p[3, i] = x0 + u * x4, x1 + u * x5, x2 + u * x6, x3 + u * x7
        p[4, i], p[5, i], p[6, i], p[7, i] = u * x0 + x4, u * x1 + x5, u * x2 + x6, u * x3 + x7


@jit
def _turns(psi: np.ndarray, items: np.ndarray, weak: np.ndarray) -> None:
    """Turn the slots of `items`, ascending, three at a time where they are neighbours."""
    j = 0
    while j < items.shape[0]:
        slot = items[j, SLOT_A]
        together = j + 2 < items.shape[0] and items[j + 2, SLOT_A] == slot + 2
        if together and (slot == 0 or slot >= _RUN):
            r, t, u = weak[items[j, INDEX]], weak[items[j + 1, INDEX]], weak[items[j + 2, INDEX]]
            if slot == 0:
                _three(psi.reshape((psi.size // 8, 8)).T, r, t, u)
            else:
                run = 1 << slot
                for start in range(0, psi.size, 8 * run):
                    _three(psi[start : start + 8 * run].reshape((8, run)), r, t, u)
            j += 3
        else:
            _turn(psi, slot, weak[items[j, INDEX]])
            j += 1


@jit
def _bond(table: np.ndarray, a: int, b: int, same: float, opposite: float) -> None:
    """Multiply by `same` where bits a and b agree, by `opposite` elsewhere."""
    for s in range(table.size):
        table[s] *= opposite if ((s >> a) ^ (s >> b)) & 1 else same


@jit
def _field(table: np.ndarray, slot: int, minus: float, plus: float) -> None:
    """Multiply by `minus` where a bit is 0, by `plus` where it is 1."""
    run = 1 << slot
    for start in range(0, table.size, 2 * run):
        for s in range(start, start + run):
            table[s] *= minus
        for s in range(start + run, start + 2 * run):
            table[s] *= plus


@jit
def _inner_table(
    table: np.ndarray,
    items: np.ndarray,
    first: int,
    bonds: np.ndarray,
    sites: np.ndarray,
    fields: int,
) -> None:
    """Fill the product of all bonds and fields among the slots from `first` on, one bit each."""
    for s in range(table.size):
        table[s] = 1.0
    for j in range(items.shape[0]):
        a, b, index = items[j, SLOT_A] - first, items[j, SLOT_B] - first, items[j, INDEX]
        if a < 0 or (1 << a) >= table.size:
            continue
        if items[j, WHAT] == fields:
            _field(table, a, sites[index, 0], sites[index, 1])
        elif items[j, WHAT] == BOND and b >= 0 and (1 << b) < table.size:
            _bond(table, a, b, bonds[index, 1], bonds[index, 0])


@jit
def _diag(
    psi: np.ndarray,
    items: np.ndarray,
    bonds: np.ndarray,
    sites: np.ndarray,
    backwards: bool,
) -> None:
    """Multiply by bonds between slots and fields: products of a low and of a high table."""
    fields = ENTERS if backwards else LEAVES
    width = 0
    while (1 << width) < psi.size:
        width += 1
    half = width // 2
    across, n_across, idle = np.empty((items.shape[0], 3), np.int64), 0, True
    for j in range(items.shape[0]):
        idle = idle and items[j, WHAT] != BOND and items[j, WHAT] != fields
        a, b = items[j, SLOT_A], items[j, SLOT_B]
        if items[j, WHAT] == BOND and (a < half) != (b < half):
            across[n_across, 0], across[n_across, 1] = min(a, b), max(a, b) - half
            across[n_across, 2] = items[j, INDEX]
            n_across += 1
    if idle:
        return
    n_low = 1 << half
    low, high = np.empty(n_low << _CROSS), np.empty(psi.size >> half)
    _inner_table(low[:n_low], items, 0, bonds, sites, fields)
    _inner_table(high, items, half, bonds, sites, fields)
    done = 0
    while True:
        # One low table for each state of the high slots that have bonds across.
        n_tables = 1
        for c in range(done, min(done + _CROSS, n_across)):
            for i in range(n_tables * n_low):
                pair = bonds[across[c, 2]]
                same = (i >> across[c, 0]) & 1
                low[n_tables * n_low + i] = low[i] * pair[same]
                low[i] *= pair[1 - same]
            n_tables *= 2
        for s in range(high.size):
            table = 0
            for c in range(done, min(done + _CROSS, n_across)):
                table |= ((s >> across[c, 1]) & 1) << (c - done)
            factor, row = high[s], psi[s << half : (s + 1) << half]
            factors = low[table * n_low : (table + 1) * n_low]
            for i in range(n_low):
                row[i] *= factor * factors[i]
        done += _CROSS
        if done >= n_across:
            return
        for i in range(n_low):
            low[i] = 1.0
        for s in range(high.size):
            high[s] = 1.0


@jit
def _contract(psi: np.ndarray, slot: int) -> None:
    """Sum a slot out; the result fills the first half of psi."""
    run = 1 << slot
    for block in range(psi.size // (2 * run)):
        for i in range(run):
            psi[block * run + i] = psi[2 * block * run + i] + psi[(2 * block + 1) * run + i]


@jit
def _expand(psi: np.ndarray, slot: int) -> None:
    """Open a slot with equal weights; psi has its new size, the message fills its first half."""
    run = 1 << slot
    for block in range(psi.size // (2 * run) - 1, -1, -1):
        for i in range(run - 1, -1, -1):
            x = psi[block * run + i]
            psi[2 * block * run + i] = x
            psi[(2 * block + 1) * run + i] = x


@jit
def _step(
    op: np.ndarray,
    items: np.ndarray,
    bonds: np.ndarray,
    sites: np.ndarray,
    psi: np.ndarray,
    backwards: bool,
) -> int:
    """Apply one operation, or its transpose, and return the number of open slots after it."""
    kind, width = op[KIND], op[WIDTH]
    if kind == TURNS:
        # In the caller's gauge the ferromagnetic factor of opposite spins is exp(-2|J|).
        _turns(psi[: 1 << width], items[op[FIRST] : op[LAST]], bonds[:, 0])
    elif kind == DIAG:
        _diag(psi[: 1 << width], items[op[FIRST] : op[LAST]], bonds, sites, backwards)
    elif kind == ATTACH or kind == REMOVE:
        opens = (kind == ATTACH) != backwards
        wide = width + 1 if kind == ATTACH else width
        if opens:
            _expand(psi[: 1 << wide], op[SLOT])
        else:
            _contract(psi[: 1 << wide], op[SLOT])
        return wide if opens else wide - 1
    return width


@jit
def _rescale(psi: np.ndarray) -> float:
    """Divide by the largest entry and return its logarithm."""
    bits = psi.view(np.int64)  # non-negative doubles order like their bits, and integers vectorise
    top = np.int64(0)
    for i in range(bits.size):
        top = max(top, bits[i])
    peak = 0.0
    for i in range(bits.size):
        if bits[i] == top:
            peak = psi[i]
            break
    inverse = 1.0 / peak
    for i in range(psi.size):
        psi[i] *= inverse
    return np.log(peak)


@jit
def site_factors(h: np.ndarray, sites: np.ndarray) -> None:
    """Fill sites[i] = exp(-+h_i - |h_i|) for spins -1 and +1; h = +-inf is a known spin."""
    for i in range(h.size):
        weak = np.exp(-2.0 * abs(h[i]))
        sites[i, 0] = weak if h[i] > 0 else 1.0
        sites[i, 1] = 1.0 if h[i] >= 0 else weak


@jit
def _weights(factors: np.ndarray) -> np.ndarray:
    """Product of the factors (n_bits, 2) of all bits, for every state of the bits."""
    table = np.empty(1 << factors.shape[0])
    for s in range(table.size):
        table[s] = 1.0
    for k in range(factors.shape[0]):
        _field(table, k, factors[k, 0], factors[k, 1])
    return table


@jit
def _fold(message: np.ndarray, weight: np.ndarray, factors: np.ndarray, odds: np.ndarray) -> None:
    """Log-odds of each bit of a message, its own factor left out, the others' included.

    A favoured spin has factor 1, so the weight without the own factor is that of the state with
    this bit at its favoured value.
    """
    for k in range(factors.shape[0]):
        bit = 1 << k
        favoured = bit if factors[k, 1] == 1.0 else 0
        mass = np.zeros(2)
        for s in range(message.size):
            mass[(s >> k) & 1] += message[s] * weight[(s & ~bit) | favoured]
        odds[k] = np.log(mass[1]) - np.log(mass[0])


@jit
def _meet(alpha: np.ndarray, beta: np.ndarray, factors: np.ndarray, odds: np.ndarray) -> None:
    """Log-odds of every open slot from the messages of both sides, own fields left out."""
    half = factors.shape[0] // 2
    low, high = _weights(factors[:half]), _weights(factors[half:])
    folded_low, folded_high = np.zeros(low.size), np.zeros(high.size)
    terms = np.empty(low.size)
    for s in range(high.size):
        a, b = alpha[s << half : (s + 1) << half], beta[s << half : (s + 1) << half]
        factor = high[s]
        for i in range(low.size):
            x = a[i] * b[i]
            folded_low[i] += x * factor
            terms[i] = x * low[i]
        length = low.size
        while length > _LANES:  # pairwise sums vectorise, and round less than a running one
            length >>= 1
            for i in range(length):
                terms[i] += terms[length + i]
        for i in range(length):
            folded_high[s] += terms[i]
    _fold(folded_low, low, factors[:half], odds)
    _fold(folded_high, high, factors[half:], odds[half:])


@jit(nogil=True)
def sweep(
    program: Program,
    h: np.ndarray,
    ends: np.ndarray,
    directions: np.ndarray,
    psi: np.ndarray,
    kept: np.ndarray,
    odds: np.ndarray,
) -> np.ndarray:
    r"""Sweep forwards, backwards or both ways, for every sample.

    Forwards, the message is kept at every `MEET`; backwards, it meets the one kept there, which
    gives the log-odds log p(+1)/p(-1) of all open sites without their own field.

    Args:
        program: Operations and couplings.
        h: Fields, (n, n_sites), +-inf for a known spin.
        ends: Messages that enter the first and the last operation, (2, 2^largest width).
        directions: Whether to sweep forwards, and then whether backwards, bool (2,).
        psi: Room for a message, (2^largest width,); holds the last sample's result, largest
            entry 1.
        kept: Room for the messages at all `MEET` operations, one after the other.
        odds: Results at the `MEET` operations, (n, n_sites); other sites are left alone.

    Returns:
        Logarithm of the factor taken out of the message of the last direction, (n,).

    Cost: 0.1 to 0.25 ns per state and operation in each direction, 1.5 ns per state and `MEET`.
    """
    ops, items, bonds, loss, limit = program
    sites = np.empty((h.shape[1], 2))
    factors, found = np.empty((64, 2)), np.empty(64)
    scales = np.zeros(h.shape[0])
    n_ops = ops.shape[0]
    for sample in range(h.shape[0]):
        site_factors(h[sample], sites)
        top = 0
        for way in range(2):
            if not directions[way]:
                continue
            psi[:] = ends[way]
            scale, drift, width = 0.0, 0.0, 0
            for step in range(n_ops):
                o = step if way == 0 else n_ops - 1 - step
                width = _step(ops[o], items, bonds, sites, psi, way == 1)
                drift += loss[o, way]
                if drift > limit or step == n_ops - 1:
                    scale += _rescale(psi[: 1 << width])
                    drift = 0.0
                if ops[o, KIND] != MEET:
                    continue
                size = 1 << width
                if way == 0:
                    kept[top : top + size] = psi[:size]
                    top += size
                else:
                    top -= size
                    here = items[ops[o, FIRST] : ops[o, LAST], INDEX]
                    for k in range(width):
                        factors[k, 0], factors[k, 1] = sites[here[k], 0], sites[here[k], 1]
                    _meet(kept[top : top + size], psi[:size], factors[:width], found)
                    for k in range(width):
                        odds[sample, here[k]] = found[k]
            scales[sample] = scale
    return scales
