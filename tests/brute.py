"""Brute force on at most twelve sites: the root of trust.

Plain Python, direct sums over states, no cleverness, nothing from the package and no numpy: what is
written here should be checkable by reading. A law is a dictionary {state: probability} with states
as tuples of symbols (spins -1, +1; otherwise 0..q-1; erased: whatever the channel says); a channel
on one site is {x: {y: N(y|x)}}. Natural logarithms, 0 log 0 = 0.
"""

import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence

State = tuple[int, ...]
Law = dict[State, float]
Channel = Mapping[int, Mapping[int, float]]

SPINS = (-1, 1)

# Laws.


def normalised(weights: Mapping[State, float]) -> Law:
    """p(x) = w(x) / sum_x' w(x')."""
    total = math.fsum(weights.values())
    return {state: weight / total for state, weight in weights.items()}


def ising(
    n: int,
    edges: Sequence[tuple[int, int]],
    couplings: Sequence[float],
    *,
    fields: Sequence[float] | None = None,
) -> Law:
    """p(x) ∝ exp(sum_(ij) J_ij x_i x_j + sum_i h_i x_i), x_i = -1, +1."""
    h = [0.0] * n if fields is None else fields
    weights = {}
    for x in itertools.product(SPINS, repeat=n):
        bonds = math.fsum(J * x[i] * x[j] for (i, j), J in zip(edges, couplings, strict=True))
        sites = math.fsum(h[i] * x[i] for i in range(n))
        weights[x] = math.exp(bonds + sites)
    return normalised(weights)


def curie_weiss(n: int, coupling: float) -> Law:
    """p(x) ∝ exp(J M^2/(2n)), M = sum_i x_i; J = inf: half on all +1, half on all -1."""
    if coupling == math.inf:
        return {(-1,) * n: 0.5, (1,) * n: 0.5}
    return normalised(
        {x: math.exp(coupling * sum(x) ** 2 / (2 * n)) for x in itertools.product(SPINS, repeat=n)}
    )


def random_table(n: int, symbols: Sequence[int], seed: int, *, zeros: float = 0.0) -> Law:
    """p(x) ∝ exponential random weights, each set to zero with probability `zeros`."""
    generator = random.Random(seed)
    states = list(itertools.product(symbols, repeat=n))
    weights = {x: generator.expovariate(1.0) for x in states}
    for x in states[1:]:  # the first state stays, so that something is left
        if generator.random() < zeros:
            weights[x] = 0.0
    return normalised(weights)


def product_law(single: Sequence[Mapping[int, float]]) -> Law:
    """p(x) = prod_i p_i(x_i)."""
    return {
        x: math.prod(p[x_i] for p, x_i in zip(single, x, strict=True))
        for x in itertools.product(*single)
    }


def table(law: Law, n: int, symbols: Sequence[int]) -> list[float]:
    """All q^n probabilities, site 0 slowest, symbols in the given order."""
    return [law.get(x, 0.0) for x in itertools.product(symbols, repeat=n)]


# Channels.


def identity(symbols: Sequence[int]) -> Channel:
    """N(y|x) = 1[y = x]."""
    return {x: {x: 1.0} for x in symbols}


def bit_flip(t: float, symbols: Sequence[int] = SPINS) -> Channel:
    """N(y|x) = (1-t) 1[y = x] + t/q: with probability t a uniform symbol."""
    q = len(symbols)
    return {x: {y: (1.0 - t) * (y == x) + t / q for y in symbols} for x in symbols}


def erasure(t: float, symbols: Sequence[int] = SPINS, *, erased: int = 0) -> Channel:
    """N(x|x) = 1-t, N(erased|x) = t."""
    return {x: {x: 1.0 - t, erased: t} for x in symbols}


def compose(first: Channel, second: Channel) -> Channel:
    """N(z|x) = sum_y second(z|y) first(y|x)."""
    result: dict[int, dict[int, float]] = {}
    for x, row in first.items():
        result[x] = {}
        for y, p in row.items():
            for z, r in second[y].items():
                result[x][z] = result[x].get(z, 0.0) + r * p
    return result


def likelihood(x: State, y: State, channels: Sequence[Channel]) -> float:
    """p(y|x) = prod_i N_i(y_i|x_i)."""
    return math.prod(N[a].get(b, 0.0) for N, a, b in zip(channels, x, y, strict=True))


def joint(law: Law, channels: Sequence[Channel]) -> dict[tuple[State, State], float]:
    """p(x, y) = p(x) prod_i N_i(y_i|x_i), for every x of the law and every y it can become."""
    result = {}
    for x, p in law.items():
        for y in itertools.product(*(N[a] for N, a in zip(channels, x, strict=True))):
            result[x, y] = p * likelihood(x, y, channels)
    return result


def noisy(law: Law, channels: Sequence[Channel]) -> Law:
    """p(y) = sum_x p(x) prod_i N_i(y_i|x_i), one site after the other."""
    for i, channel in enumerate(channels):
        after: Law = {}
        for x, p in law.items():
            for y_i, rate in channel[x[i]].items():
                y = (*x[:i], y_i, *x[i + 1 :])
                after[y] = after.get(y, 0.0) + p * rate
        law = after
    return law


# Marginals, entropies, informations.


def restrict(state: State, sites: Iterable[int]) -> State:
    """x_R = (x_i for i in R), in the order of R."""
    return tuple(state[i] for i in sites)


def marginal(law: Law, sites: Sequence[int]) -> Law:
    """p(x_R) = sum over all other sites."""
    result: Law = {}
    for x, p in law.items():
        key = restrict(x, sites)
        result[key] = result.get(key, 0.0) + p
    return result


def entropy(law: Law, sites: Sequence[int] | None = None) -> float:
    """H(x_R) = -sum p(x_R) log p(x_R)."""
    p_R = law if sites is None else marginal(law, sites)
    return -math.fsum(p * math.log(p) for p in p_R.values() if p > 0.0)


def cmi(law: Law, A: Sequence[int], B: Sequence[int], C: Sequence[int]) -> float:
    """I(A;C|B) = sum p(abc) log[ p(abc) p(b) / (p(ab) p(bc)) ]."""
    A, B, C = list(A), list(B), list(C)
    p_ABC, p_B = marginal(law, A + B + C), marginal(law, B)
    p_AB, p_BC = marginal(law, A + B), marginal(law, B + C)
    total = []
    for state, p in p_ABC.items():
        if p > 0.0:
            a, b, c = state[: len(A)], state[len(A) : len(A) + len(B)], state[len(A) + len(B) :]
            total.append(p * math.log(p * p_B[b] / (p_AB[a + b] * p_BC[b + c])))
    return math.fsum(total)


def mutual_information(law: Law, A: Sequence[int], C: Sequence[int]) -> float:
    """I(A;C) = I(A;C|nothing)."""
    return cmi(law, A, [], C)


# Inference from a noisy observation.


def log_prob(law: Law, channels: Sequence[Channel], y: State, *, region: Sequence[int]) -> float:
    """Log p(y_R) = log sum_x p(x) prod_(i in R) N_i(y_i|x_i); -inf if impossible."""
    total = math.fsum(
        p * math.prod(channels[i][x[i]].get(y[i], 0.0) for i in region) for x, p in law.items()
    )
    return math.log(total) if total > 0.0 else -math.inf


def log_evidence(law: Law, log_likelihood: Callable[[int, int], float]) -> float:
    """Log sum_x p(x) exp sum_i l_i(x_i), with l = log_likelihood(i, x_i), -inf allowed."""
    total = math.fsum(
        p * math.exp(sum(log_likelihood(i, x_i) for i, x_i in enumerate(x))) for x, p in law.items()
    )
    return math.log(total) if total > 0.0 else -math.inf


def evidence_marginals(
    law: Law, log_likelihood: Callable[[int, int], float]
) -> list[dict[int, float]]:
    """p(x_i|evidence) for every site i, p(x|evidence) ∝ p(x) exp sum_i l_i(x_i)."""
    weights = {
        x: p * math.exp(sum(log_likelihood(i, x_i) for i, x_i in enumerate(x)))
        for x, p in law.items()
    }
    after = normalised(weights)
    n = len(next(iter(law)))
    return [{x[0]: p for x, p in marginal(after, [i]).items()} for i in range(n)]


def posterior(law: Law, channels: Sequence[Channel], y: State, *, region: Sequence[int]) -> Law:
    """p(x|y_R) = p(x) prod_(i in R) N_i(y_i|x_i) / p(y_R)."""
    return normalised(
        {x: p * math.prod(channels[i][x[i]].get(y[i], 0.0) for i in region) for x, p in law.items()}
    )


def posterior_marginals(
    law: Law, channels: Sequence[Channel], y: State, *, region: Sequence[int]
) -> list[dict[int, float]]:
    """p(x_i|y_R) for every site i."""
    after = posterior(law, channels, y, region=region)
    return [{x[0]: p for x, p in marginal(after, [i]).items()} for i in range(len(y))]


def posterior_mean(
    law: Law, channels: Sequence[Channel], y: State, *, region: Sequence[int]
) -> list[float]:
    """E[x_i|y_R] = sum_x x_i p(x|y_R) for every site i."""
    marginals = posterior_marginals(law, channels, y, region=region)
    return [math.fsum(symbol * p for symbol, p in single.items()) for single in marginals]


def flip_scores(
    law: Law, channels: Sequence[Channel], y: State, *, region: Sequence[int]
) -> list[float]:
    """s_i = log p((flip_i y)_R) - log p(y_R) for spins; 0 outside R."""
    scores = [0.0] * len(y)
    for i in region:
        flipped = (*y[:i], -y[i], *y[i + 1 :])
        scores[i] = log_prob(law, channels, flipped, region=region) - log_prob(
            law, channels, y, region=region
        )
    return scores


def erasure_scores(
    law: Law, channels: Sequence[Channel], y: State, *, region: Sequence[int], erased: int = 0
) -> list[float]:
    """s_i = log p(x_i=+1|y_R) - log p(x_i=-1|y_R) at erased sites of R, else 0."""
    marginals = posterior_marginals(law, channels, y, region=region)
    scores = [0.0] * len(y)
    for i in region:
        if y[i] == erased:
            up, down = (marginals[i].get(s, 0.0) for s in (1, -1))
            scores[i] = math.inf if down == 0.0 else -math.inf if up == 0.0 else math.log(up / down)
    return scores


def locality_gap(
    law: Law,
    channels: Sequence[Channel],
    A: Sequence[int],
    *,
    AB: Sequence[int],
    ABC: Sequence[int],
) -> float:
    """E_y sum_(i in A) ( E[x_i|y_ABC] - E[x_i|y_AB] )^2."""
    total = []
    for y, p in noisy(law, channels).items():
        if p > 0.0:
            whole = posterior_mean(law, channels, y, region=ABC)
            local = posterior_mean(law, channels, y, region=AB)
            total.append(p * sum((whole[i] - local[i]) ** 2 for i in A))
    return math.fsum(total)


def mmse(
    law: Law, channels: Sequence[Channel], A: Sequence[int], *, region: Sequence[int]
) -> float:
    """E sum_(i in A) ( x_i - E[x_i|y_R] )^2."""
    total = []
    for (x, y), p in joint(law, channels).items():
        if p > 0.0:
            mean = posterior_mean(law, channels, y, region=region)
            total.append(p * sum((x[i] - mean[i]) ** 2 for i in A))
    return math.fsum(total)


# Recovery.


def local_recovery(
    law: Law, A: Sequence[int], B: Sequence[int], *, channels: Mapping[int, Channel]
) -> Law:
    """p-hat(x_A, x_rest) = sum_y_A R(x_A|y_A, x_B) q(y_A, x_rest), R = Bayes with the local prior.

    N noises the sites of A only (`channels[i]` for i in A), and
    q(y_A, x_rest) = sum_x'_A N(y_A|x'_A) p(x'_A, x_rest),
    R(x_A|y_A, x_B) = N(y_A|x_A) p(x_A, x_B) / sum_x'_A N(y_A|x'_A) p(x'_A, x_B).
    """
    A, B = list(A), list(B)
    n = len(next(iter(law)))
    p_AB = marginal(law, A + B)
    unchanged = {symbol: {symbol: 1.0} for x in law for symbol in x}
    q = noisy(law, [channels[i] if i in A else unchanged for i in range(n)])

    recovered: Law = {}
    for y, weight in q.items():
        if weight == 0.0:
            continue
        y_A, x_B = restrict(y, A), restrict(y, B)
        posterior_A = {
            state[: len(A)]: p
            * math.prod(channels[i][a].get(b, 0.0) for i, a, b in zip(A, state, y_A, strict=False))
            for state, p in p_AB.items()
            if state[len(A) :] == x_B
        }
        for x_A, p in normalised(posterior_A).items():
            x = list(y)
            for i, a in zip(A, x_A, strict=True):
                x[i] = a
            recovered[tuple(x)] = recovered.get(tuple(x), 0.0) + weight * p
    return recovered


def total_variation(p: Law, q: Law) -> float:
    """TV = 1/2 sum |p - q|."""
    return 0.5 * math.fsum(abs(p.get(x, 0.0) - q.get(x, 0.0)) for x in p.keys() | q.keys())


def kl(p: Law, q: Law) -> float:
    """KL(p||q) = sum p log(p/q); inf where q vanishes and p does not."""
    support = [x for x in p if p[x] > 0.0]
    if any(q.get(x, 0.0) == 0.0 for x in support):
        return math.inf
    return math.fsum(p[x] * math.log(p[x] / q[x]) for x in support)


def fidelity(p: Law, q: Law) -> float:
    """F = sum sqrt(p q)."""
    return math.fsum(math.sqrt(p[x] * q.get(x, 0.0)) for x in p)
