"""Every Markov kernel leaves its target invariant: transition matrices from the kernels themselves.

The probability of each decision is found by bisection on the random number the kernel is given, or
by enumerating all outcomes of the decisions; nothing is assumed about how the kernel decides.
"""

import itertools
import math

import numpy as np
import pytest

import phasetheory as pt
from phasetheory._kernels import clusters, multispin, single_spin, splitmix, two_colour, union_find
from phasetheory.sampling.checkerboard import Checkerboard
from phasetheory.sampling.multispin import Multispin, expansion
from phasetheory.sampling.target import target_of
from tests import brute

EXACT = 1e-12  # of pi P = pi: rounding only
KEY = np.uint64(0x1234_5678_9ABC_DEF1)
MASK = 2**64 - 1


def model(shape, *, ferro=False, seed=0, fields=None):
    """Random couplings of all sizes (and signs), fields on the first few sites (all by default)."""
    lattice = pt.Lattice.grid(shape)
    rng = np.random.default_rng(seed)
    coupling, field = (
        rng.normal(0.2, 0.6, len(lattice.edges)),
        rng.normal(0.1, 0.5, lattice.n_sites),
    )
    field[lattice.n_sites if fields is None else fields :] = 0.0
    return pt.Ising(lattice, np.abs(coupling) if ferro else coupling, field)


def law(prior):
    """All states, shape (2^n, n), and their probabilities, from brute force."""
    edges = [(int(i), int(j)) for i, j in prior.lattice.edges]
    found = brute.ising(
        prior.lattice.n_sites, edges, prior.coupling.tolist(), fields=prior.field.tolist()
    )
    return np.array(list(found), dtype=np.int8), np.array(list(found.values()))


def index(spins):
    """Place of each configuration in the order of `law`."""
    n = spins.shape[-1]
    return ((spins > 0) @ (1 << np.arange(n - 1, -1, -1))).astype(int)


def bisect(happens, low, high):
    """Smallest number at which `happens` is true, given that it is true above it."""
    if happens(low):
        return low
    for _ in range(120):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (low, middle) if happens(middle) else (middle, high)
    return high


def site_matrix(states, site, flip):
    """Transition matrix that flips one site with probability flip(state)."""
    P = np.zeros((len(states), len(states)))
    for k, x in enumerate(states):
        y = x.copy()
        y[site] *= -1
        p = flip(x)
        P[k, k], P[k, index(y)] = 1 - p, p
    return P


def metropolis_flip(kernel, graph, site):
    sites = np.array([site], dtype=np.uint32)

    def happens(x, wait):
        y = x.copy()
        kernel(y, graph, sites, np.array([wait]))
        return y[site] != x[site]

    return lambda x: math.exp(-bisect(lambda wait: happens(x, wait), 0.0, 100.0))


def heat_bath_flip(kernel, graph, site):
    sites = np.array([site], dtype=np.uint32)

    def down(x, number):
        y = x.copy()
        kernel(y, graph, sites, np.array([number]))
        return y[site] < 0

    def flip(x):
        up = 1.0 / (1.0 + math.exp(-bisect(lambda number: down(x, number), -100.0, 100.0)))
        return 1 - up if x[site] > 0 else up

    return flip


def checkerboard_flip(prior, site):
    move = Checkerboard(target_of(prior))
    order = np.concatenate([c.sites for c in move.classes])
    place = int(np.flatnonzero(order == site)[0])

    def happens(x, wait):
        waits = np.full(len(x), -np.inf)  # no other site moves
        waits[place] = wait
        y = x.copy()
        two_colour.sweep(y, *move.classes, waits)
        return y[site] != x[site]

    return lambda x: math.exp(-bisect(lambda wait: happens(x, wait), 0.0, 100.0))


def defect(pi, P):
    """How far P is from leaving pi invariant; rows have to sum to one."""
    np.testing.assert_allclose(P.sum(axis=1), 1.0, atol=EXACT)
    return np.abs(pi @ P - pi).max()


@pytest.mark.parametrize("shape", [(2, 2), (2, 3)])
@pytest.mark.parametrize("name", ["metropolis", "heat bath", "checkerboard"])
def test_single_spin_kernels_leave_the_law_invariant(name, shape):
    """Each site alone, pi P_i = pi, and their product, the sweep."""
    prior = model(shape, seed=1)
    graph = target_of(prior).graph
    states, pi = law(prior)
    whole = np.eye(len(pi))
    for site in range(states.shape[1]):
        flip = {
            "metropolis": lambda s: metropolis_flip(single_spin.metropolis, graph, s),
            "heat bath": lambda s: heat_bath_flip(single_spin.heat_bath, graph, s),
            "checkerboard": lambda s: checkerboard_flip(prior, s),
        }[name](site)
        P = site_matrix(states, site, flip)
        assert defect(pi, P) < EXACT
        whole = whole @ P
    assert defect(pi, whole) < EXACT
    assert np.abs(whole - pi).max() > 0.01  # not a single exact draw: something was tested


def half_the_cost(spins, graph, sites, waits):
    """Metropolis that forgets the factor 2 of the cost."""
    i = sites[0]
    near = slice(graph.start[i], graph.start[i + 1])
    local = graph.field[i] + graph.weight[near] @ spins[graph.neighbour[near]]
    if spins[i] * local <= waits[0]:
        spins[i] *= -1


def wrong_field(spins, graph, sites, numbers):
    """Heat bath with the field upside down."""
    single_spin.heat_bath(spins, graph._replace(field=-graph.field), sites, numbers)


@pytest.mark.parametrize("broken", ["metropolis", "heat bath"])
def test_broken_single_spin_kernels_are_seen(broken):
    prior = model((2, 2), seed=1)
    graph = target_of(prior).graph
    states, pi = law(prior)
    flip = {
        "metropolis": lambda: metropolis_flip(half_the_cost, graph, 0),
        "heat bath": lambda: heat_bath_flip(wrong_field, graph, 0),
    }[broken]()
    assert defect(pi, site_matrix(states, 0, flip)) > 1e-3


@pytest.mark.parametrize("name", ["metropolis", "heat_bath"])
def test_a_sweep_is_its_visits_one_after_the_other(name):
    kernel = getattr(single_spin, name)
    graph = target_of(model((2, 3), seed=2)).graph
    rng = np.random.default_rng(3)
    for _ in range(50):
        x = rng.choice(np.array([-1, 1], dtype=np.int8), 6)
        numbers = np.abs(rng.logistic(size=6)) if name == "metropolis" else rng.logistic(size=6)
        at_once, by_site = x.copy(), x.copy()
        changed = kernel(at_once, graph, np.arange(6, dtype=np.uint32), numbers)
        steps = [
            kernel(by_site, graph, np.array([i], dtype=np.uint32), numbers[i : i + 1])
            for i in range(6)
        ]
        assert changed == sum(steps)
        np.testing.assert_array_equal(at_once, by_site)


# Cluster moves: all outcomes of all bonds, which a kernel is told through p = 0 or 1.


def outcomes(x, target, strength):
    """Every set of open bonds of a state, as p in {0, 1}, with its probability."""
    bonds = target.bonds
    spins = np.append(x, np.int8(1))
    satisfied = np.flatnonzero(spins[bonds.ends[0]] * spins[bonds.ends[1]] == bonds.sign)
    J = np.concatenate([target.coupling, target.field[target.field != 0]])
    p = 1.0 - np.exp(-strength * np.abs(J))
    for choice in itertools.product((0, 1), repeat=len(satisfied)):
        is_open = np.zeros(len(J))
        is_open[satisfied] = choice
        yield (
            is_open,
            math.prod(p[e] if c else 1 - p[e] for e, c in zip(satisfied, choice, strict=True)),
        )


def swendsen_wang_matrix(prior, *, strength=2.0, kernel=clusters.swendsen_wang):
    target = target_of(prior)
    states, _ = law(prior)
    n = states.shape[1]
    P = np.zeros((len(states), len(states)))
    coins = [np.array([*c, 0], dtype=np.uint8) for c in itertools.product((0, 1), repeat=n)]
    for k, x in enumerate(states):
        for is_open, weight in outcomes(x, target, strength):
            bonds = target.bonds._replace(p=is_open)
            for coin in coins:
                y = np.append(x, np.int8(1))
                kernel(y, bonds, KEY, coin)
                P[k, index(y[:n])] += weight / len(coins)
    return P


def wolff_matrix(prior, *, strength=2.0):
    target = target_of(prior)
    states, _ = law(prior)
    n = states.shape[1]
    P = np.zeros((len(states), len(states)))
    for k, x in enumerate(states):
        for is_open, weight in outcomes(x, target, strength):
            bonds = target.bonds._replace(p=is_open)
            for seed in range(n):
                y = np.append(x, np.int8(1))
                size = clusters.wolff(y, bonds, target.slots, seed, KEY)
                assert size == np.count_nonzero(y[:n] != x)
                P[k, index(y[:n])] += weight / n
    return P


CLUSTER_CASES = [((2, 2), None, True), ((2, 2), None, False), ((2, 3), 1, True), ((2, 3), 1, False)]


@pytest.mark.parametrize(("shape", "fields", "ferro"), CLUSTER_CASES)
def test_swendsen_wang_leaves_the_law_invariant(shape, fields, ferro):
    """Frustrated couplings too, and unequal fields of both signs."""
    prior = model(shape, ferro=ferro, seed=4, fields=fields)
    assert defect(law(prior)[1], swendsen_wang_matrix(prior)) < EXACT


@pytest.mark.parametrize(("shape", "fields", "ferro"), CLUSTER_CASES)
def test_wolff_leaves_the_law_invariant(shape, fields, ferro):
    prior = model(shape, ferro=ferro, seed=5, fields=fields)
    assert defect(law(prior)[1], wolff_matrix(prior)) < EXACT


def ghost_moves(spins, bonds, key, coins):
    """Swendsen-Wang that flips the cluster of the ghost as well."""
    clusters.swendsen_wang(spins, bonds, key, coins)
    if coins[-1] == 0 and coins[0]:
        spins[:-1] *= -1


def test_broken_cluster_moves_are_seen():
    prior = model((2, 2), seed=4)
    pi = law(prior)[1]
    assert defect(pi, swendsen_wang_matrix(prior, strength=1.0)) > 1e-3
    assert defect(pi, swendsen_wang_matrix(prior, kernel=ghost_moves)) > 1e-3
    assert defect(pi, wolff_matrix(prior, strength=1.0)) > 1e-3


def swap_defect(prior, beta, kernel=single_spin.swap_rungs):
    """Product law of two rungs before and after an exchange, largest difference."""
    states, _ = law(prior)
    energy = target_of(prior).energy(states)
    weights = np.exp(-np.outer(beta, energy))
    pi = np.multiply.outer(*(weights / weights.sum(axis=1, keepdims=True)))
    after = np.zeros_like(pi)
    for a, b in itertools.product(range(len(states)), repeat=2):
        pair = np.array([energy[a], energy[b]])

        def stays(u, pair=pair):
            return kernel(pair, np.array(beta), 0, np.array([u]))[0] == 0

        p = bisect(stays, 0.0, 1.0)
        after[a, b] += (1 - p) * pi[a, b]
        after[b, a] += p * pi[a, b]
    return np.abs(after - pi).max()


def test_exchange_of_rungs_leaves_the_product_law_invariant():
    assert swap_defect(model((2, 2), seed=6), (0.3, 1.0)) < EXACT


def test_a_broken_exchange_is_seen():
    def upside_down(energy, beta, first, uniforms):
        return single_spin.swap_rungs(-energy, beta, first, uniforms)

    assert swap_defect(model((2, 2), seed=6), (0.3, 1.0), upside_down) > 1e-3


def test_rungs_take_turns():
    """Equal energies always exchange: even pairs, then odd ones; the outer rungs then stay."""
    energy, beta, u = np.zeros(5), np.linspace(0.2, 1.0, 5), np.full(2, 0.5)
    assert single_spin.swap_rungs(energy, beta, 0, u).tolist() == [1, 0, 3, 2, 4]
    assert single_spin.swap_rungs(energy, beta, 1, u).tolist() == [0, 2, 1, 4, 3]


@pytest.mark.parametrize("coupling", [0.35, -0.5])
def test_multispin_leaves_the_law_invariant(coupling):
    """All 2^16 states of the 4 x 4 torus, 64 at a time; pi P_i = pi for the first colour.

    With thresholds 0, or 1 - 2^-64 for a random number that is smaller, each of the three outcomes
    of a comparison is forced, so that one sweep shows when a site flips. Flips of the second
    colour, which sees the first one as updated, follow the same rule.
    """
    prior = pt.Ising(pt.Lattice.grid((4, 4), periodic=True), coupling)
    move = Multispin(prior)
    states = np.array(list(itertools.product((-1, 1), repeat=16)), dtype=np.int8)
    weights = np.exp(-target_of(prior).energy(states))
    pi = weights / weights.sum()
    even = (np.indices((4, 4)).sum(axis=0) % 2 == 0).ravel()
    near = np.zeros((16, 16), dtype=int)
    for i, j in prior.lattice.edges:
        near[i, j] = near[j, i] = 1
    p = [1.0, *(sum(2.0**-b for b in range(1, 65) if row[b - 1]) for row in move.bits)]
    flips = []
    for on in ((0, 0), (1, 0), (1, 1)):
        bits = np.array([np.full(64, MASK if one else 0, dtype=np.uint64) for one in on])
        after = np.empty_like(states)
        seeds = np.random.default_rng(7).integers(2**64, size=(2, 2), dtype=np.uint64)
        for k in range(0, len(states), 64):
            state = move.init(states[k : k + 64])
            multispin.sweep(state.words, seeds, bits, np.uint64(MASK if coupling < 0 else 0))
            after[k : k + 64] = state.spins
        middle = np.where(even, after, states)
        unsatisfied = (4 - np.sign(coupling) * middle * (middle @ near)) / 2
        expected = unsatisfied + sum(on) >= 2
        np.testing.assert_array_equal((after != states)[:, ~even], expected[:, ~even])
        flips.append(after != states)
    for site in np.flatnonzero(even):
        always, first, both = (f[:, site] for f in flips)
        rate = np.select([always, first, both], p, 0.0)
        moved = np.empty_like(pi)
        moved[np.arange(len(pi)) ^ (1 << (15 - site))] = pi * rate
        assert np.abs(pi * (1 - rate) + moved - pi).max() < EXACT * pi.max()


# Compiled kernels against their uncompiled text, and against plain Python.


def same(kernel, *arguments):
    """Run a kernel compiled and uncompiled on copies of the same arguments; compare everything."""
    compiled, plain = (
        [a.copy() if isinstance(a, np.ndarray) else a for a in arguments] for _ in range(2)
    )
    with np.errstate(over="ignore"):  # 64-bit products wrap, which plain numpy scalars report
        results = kernel(*compiled), kernel.py_func(*plain)
    np.testing.assert_array_equal(*results)
    for one, other in zip(compiled, plain, strict=True):
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)


def test_kernels_equal_their_uncompiled_version():
    prior = model((4, 6), seed=8)
    target, rng = target_of(prior), np.random.default_rng(9)
    order = np.arange(24, dtype=np.uint32)
    classes = Checkerboard(target).classes
    for _ in range(5):
        x = rng.choice(np.array([-1, 1], dtype=np.int8), 24)
        ghosted, coins = np.append(x, np.int8(1)), rng.integers(256, size=25, dtype=np.uint8)
        waits = rng.exponential(size=24)
        key = rng.integers(2**64, dtype=np.uint64)
        same(single_spin.metropolis, x, target.graph, order, waits)
        same(single_spin.heat_bath, x, target.graph, order, rng.logistic(size=24))
        same(single_spin.coupled_heat_bath, x, -x, target.graph, key, 3)
        same(single_spin.swap_rungs, rng.normal(size=5), np.linspace(0.2, 1, 5), 1, rng.random(2))
        same(single_spin.energies, x[None], target.graph)
        same(two_colour.sweep, x, *classes, waits)
        same(clusters.swendsen_wang, ghosted, target.bonds, key, coins)
        same(clusters.wolff, ghosted, target.bonds, target.slots, int(rng.integers(24)), key)
        same(splitmix.exponentials, key, 20)
        same(splitmix.logistics, key, 20)
    words = rng.integers(2**64, size=(2, 4, 3), dtype=np.uint64)
    seeds = rng.integers(2**64, size=(2, 3), dtype=np.uint64)
    bits = np.stack([expansion(0.17), expansion(0.03)])
    same(multispin.sweep, words, seeds, bits, np.uint64(0))
    same(union_find.join, np.arange(6).astype(np.uint32), 4, 2)


def plain_uniform(key, i):
    """splitmix64 in Python integers."""
    z = (key + (i + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return ((z ^ (z >> 31)) >> 11) / 2**53


def test_random_numbers_against_plain_python():
    key = int(KEY)
    u = [plain_uniform(key, i) for i in range(200)]
    assert [splitmix.uniform(KEY, i) for i in range(200)] == u
    np.testing.assert_allclose(
        splitmix.exponentials(KEY, 200), [-math.log(1 - x) for x in u], 1e-13
    )
    logits = [math.log(x) - math.log(1 - x) for x in u]
    np.testing.assert_allclose(splitmix.logistics(KEY, 200), logits, rtol=1e-12, atol=1e-14)


def plain_components(n, pairs):
    """Smallest member of each site's component, by relabelling until nothing changes."""
    label = list(range(n))
    for _ in range(n):
        for i, j in pairs:
            label = [min(label[i], label[j]) if c in (label[i], label[j]) else c for c in label]
    return label


def test_cluster_moves_against_plain_python():
    """Same random numbers, spin for spin, on a frustrated graph with fields."""
    prior = model((3, 4), seed=10)
    target, rng = target_of(prior), np.random.default_rng(11)
    bonds, n = target.bonds, 12
    for _ in range(40):
        x = np.append(rng.choice(np.array([-1, 1], dtype=np.int8), n), np.int8(1))
        key, seed = rng.integers(2**64, dtype=np.uint64), int(rng.integers(n))
        coins = rng.integers(256, size=n + 1, dtype=np.uint8)
        ends = bonds.ends.T.tolist()
        is_open = [
            (i, j)
            for e, (i, j) in enumerate(ends)
            if x[i] * x[j] == bonds.sign[e] and plain_uniform(int(key), e) < bonds.p[e]
        ]
        label = plain_components(n + 1, is_open)
        both, one = x.copy(), x.copy()
        for i in range(n):
            if label[i] != label[n]:
                both[i] *= -1 if coins[label[i]] % 2 else 1
                one[i] *= -1 if label[i] == label[seed] else 1
        y = x.copy()
        assert clusters.swendsen_wang(y, bonds, key, coins) == len(set(label))
        np.testing.assert_array_equal(y, both)
        y = x.copy()
        clusters.wolff(y, bonds, target.slots, seed, key)
        np.testing.assert_array_equal(y, one)


def test_a_checkerboard_sweep_is_metropolis_in_the_order_of_colours():
    """Same numbers, spin for spin, all sites at once: couplings and fields of all sizes."""
    target, rng = target_of(model((5, 6), seed=14)), np.random.default_rng(15)
    move = Checkerboard(target)
    order = np.concatenate([c.sites for c in move.classes])
    for _ in range(50):
        x = rng.choice(np.array([-1, 1], dtype=np.int8), 30)
        at_once, in_order, waits = x.copy(), x.copy(), rng.exponential(size=30)
        flipped = two_colour.sweep(at_once, *move.classes, waits)
        assert flipped == single_spin.metropolis(in_order, target.graph, order, waits)
        np.testing.assert_array_equal(at_once, in_order)


class PlainXoroshiro:
    """xoroshiro128++ in Python integers."""

    def __init__(self, s0, s1):
        self.s = int(s0), int(s1)

    def __call__(self):
        def rotate(x, k):
            return ((x << k) | (x >> (64 - k))) & MASK

        a, b = self.s
        result = (rotate((a + b) & MASK, 17) + a) & MASK
        b ^= a
        self.s = rotate(a, 49) ^ b ^ ((b << 21) & MASK), rotate(b, 28)
        return result


def plain_multispin(words, seeds, p, sign):
    """One sweep, replica by replica: u as a fraction of 64 bits, compared with exact thresholds."""
    _, rows, half = words.shape
    spin = np.empty((64, rows, 2 * half), dtype=int)
    for c, i, k, r in itertools.product(range(2), range(rows), range(half), range(64)):
        spin[r, i, 2 * k + (i + c) % 2] = 2 * (int(words[c, i, k]) >> r & 1) - 1
    draw = [PlainXoroshiro(*seeds[:, k]) for k in range(half)]
    limits = [int(x * 2**64) for x in p]
    for c, i in itertools.product(range(2), range(rows)):
        u = [[0] * 64 for _ in range(half)]
        for b in range(63, -1, -1):
            for k in range(half):
                word = draw[k]()
                for r in range(64):
                    u[k][r] |= (word >> r & 1) << b
            # The row is decided when no replica can still end on the other side of a threshold;
            # the kernel looks after every second digit.
            if b % 2 == 0 and all(x >> b != t >> b for row in u for x in row for t in limits):
                break
        for k, r in itertools.product(range(half), range(64)):
            j = 2 * k + (i + c) % 2
            around = (
                spin[r, i - 1, j] + spin[r, (i + 1) % rows, j]
                + spin[r, i, j - 1] + spin[r, i, (j + 1) % (2 * half)]
            )  # fmt: skip
            d = (4 - sign * spin[r, i, j] * around) // 2
            if d >= 2 or (d == 1 and u[k][r] < limits[0]) or (d == 0 and u[k][r] < limits[1]):
                spin[r, i, j] *= -1
    return spin.reshape(64, -1), np.array([g.s for g in draw], dtype=np.uint64).T


@pytest.mark.parametrize("coupling", [0.4406868, -0.2])
def test_multispin_against_plain_python(coupling):
    """64 replicas, bit for bit, the generators' final states included."""
    prior = pt.Ising(pt.Lattice.grid((4, 6), periodic=True), coupling)
    move, rng = Multispin(prior), np.random.default_rng(12)
    start = rng.choice(np.array([-1, 1], dtype=np.int8), (64, 24))
    state = move.init(start)
    np.testing.assert_array_equal(state.spins, start)
    seeds = rng.integers(2**64, size=(2, 3), dtype=np.uint64)
    p = [math.exp(-4 * abs(coupling)), math.exp(-8 * abs(coupling))]
    expected, moved = plain_multispin(state.words, seeds, p, int(np.sign(coupling)))
    flipped = multispin.sweep(state.words, seeds, move.bits, np.uint64(MASK if coupling < 0 else 0))
    np.testing.assert_array_equal(state.spins, expected)
    assert flipped == np.count_nonzero(expected != start)
    np.testing.assert_array_equal(seeds, moved)


def test_multispin_rows_wider_than_a_block():
    """More than LANES words a row: the same rule in every block and across their borders."""
    columns = 2 * (multispin.LANES + 5)
    prior = pt.Ising(pt.Lattice.grid((4, columns), periodic=True), 0.4)
    move, rng = Multispin(prior), np.random.default_rng(13)
    start = rng.choice(np.array([-1, 1], dtype=np.int8), (64, 4 * columns))
    state = move.init(start)
    seeds = rng.integers(2**64, size=(2, columns // 2), dtype=np.uint64)
    zeros = np.zeros((2, 64), dtype=np.uint64)
    multispin.sweep(state.words, seeds, zeros, np.uint64(0))
    grid = start.reshape(64, 4, columns).astype(int)
    even = np.indices((4, columns)).sum(axis=0) % 2 == 0
    for now in (even, ~even):
        around = sum(np.roll(grid, s, axis=a) for s in (1, -1) for a in (1, 2))
        grid = np.where(now & (grid * around <= 0), -grid, grid)
    np.testing.assert_array_equal(state.spins, grid.reshape(64, -1))


def test_expansion_is_exact():
    for p in (0.0, 0.171572875253809, 2.0**-11, 0.999999):
        digits = expansion(p)
        assert sum(2.0**-b for b in range(1, 65) if digits[b - 1]) == p
