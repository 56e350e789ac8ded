"""Reverse circuits by brute force: dictionaries of states, nothing from the package.

A circuit is a list of gates (A, B, k) in the order of application: A goes back from level k to
level k + 1, reading A and B only. Level 0 is the noisiest, the last one the data.
"""

import itertools
import math
from collections.abc import Sequence

from tests.brute import Channel, Law, State, marginal, noisy

Gates = Sequence[tuple[tuple[int, ...], tuple[int, ...], int]]


def forward(law: Law, n: int, levels: Sequence[Channel], noise_step: Sequence[int]) -> Law:
    """Law in which site i has been through levels[noise_step[i]]."""
    return noisy(law, [levels[noise_step[i]] for i in range(n)])


def gate_rule(before: Law, A: Sequence[int], B: Sequence[int], channel: Channel):
    """R[(noisy a, b)][a]: the Bayes posterior of A from the local law p(a, b)."""
    joint = marginal(before, [*A, *B])
    rule: dict[tuple[State, State], dict[State, float]] = {}
    for ab, p in joint.items():
        a, b = ab[: len(A)], ab[len(A) :]
        for noisy_a in itertools.product(*(channel[x] for x in a)):
            weight = p * math.prod(channel[x].get(y, 0.0) for x, y in zip(a, noisy_a, strict=True))
            if weight > 0.0:
                row = rule.setdefault((noisy_a, b), {})
                row[a] = row.get(a, 0.0) + weight
    for row in rule.values():
        total = math.fsum(row.values())
        for a in row:
            row[a] /= total
    return rule


def replace(state: State, sites: Sequence[int], values: Sequence[int]) -> State:
    """The state with some sites replaced."""
    new = list(state)
    for site, value in zip(sites, values, strict=True):
        new[site] = value
    return tuple(new)


def apply(law: Law, A: Sequence[int], B: Sequence[int], rule) -> Law:
    """Send A through the rule; the law must not visit what the rule does not know."""
    after: Law = {}
    for state, p in law.items():
        if p == 0.0:
            continue
        key = tuple(state[i] for i in A), tuple(state[i] for i in B)
        for a, r in rule[key].items():
            new = replace(state, A, a)
            after[new] = after.get(new, 0.0) + p * r
    return after


def run(
    law: Law,
    n: int,
    levels: Sequence[Channel],
    increments: Sequence[Channel],
    gates: Gates,
) -> tuple[Law, list[float]]:
    """Output law of a circuit, and the fall of the CMI at every gate.

    Args:
        law: Clean law.
        n: Number of sites.
        levels: Channel from the clean data to each time, from the last time (noise) to t = 0.
        increments: Channel from level k + 1 to level k.
        gates: (A, B, k): A goes back from level k to level k + 1, reading B.

    Returns:
        (law of the output, [I(A;C|B) - I(A~;C|B) of each gate in order]).
    """
    where = [0] * n
    output = forward(law, n, levels, where)
    falls = []
    for A, B, k in gates:
        late = forward(law, n, levels, where)
        for site in A:
            where[site] = k + 1
        early = forward(law, n, levels, where)
        C = [site for site in range(n) if site not in A and site not in B]
        falls.append(cmi(early, A, B, C) - cmi(late, A, B, C))
        output = apply(output, A, B, gate_rule(early, A, B, increments[k]))
    return output, falls


def cmi(law: Law, A: Sequence[int], B: Sequence[int], C: Sequence[int]) -> float:
    """I(A;C|B) from four entropies."""

    def entropy(sites: Sequence[int]) -> float:
        return -math.fsum(p * math.log(p) for p in marginal(law, sites).values() if p > 0.0)

    return entropy([*A, *B]) + entropy([*B, *C]) - entropy(B) - entropy([*A, *B, *C])


def together(
    law: Law,
    n: int,
    levels: Sequence[Channel],
    increments: Sequence[Channel],
    steps: Sequence[Sequence[tuple[tuple[int, ...], tuple[int, ...]]]],
) -> Law:
    """Output law if the gates (A, B) of a step all read the data before the step."""
    output = forward(law, n, levels, [0] * n)
    for k, gates in enumerate(steps):
        rules = []
        for A, B in gates:
            where = [k + 1 if site in A else k for site in range(n)]
            rules.append(gate_rule(forward(law, n, levels, where), A, B, increments[k]))
        after: Law = {}
        for state, p in output.items():
            rows = []
            for (A, B), rule in zip(gates, rules, strict=True):
                key = tuple(state[i] for i in A), tuple(state[i] for i in B)
                rows.append([(A, a, r) for a, r in rule[key].items()])
            for choice in itertools.product(*rows):
                new, weight = state, p
                for A, a, r in choice:
                    new, weight = replace(new, A, a), weight * r
                after[new] = after.get(new, 0.0) + weight
        output = after
    return output


def path_divergence(
    law: Law, n: int, levels: Sequence[Channel], increments: Sequence[Channel], gates: Gates
) -> float:
    """KL of the forward path from the reverse path of the circuit, over all paths.

    The forward path starts at p_0 and noises the gates' blocks in reverse order; the reverse path
    starts at p_T and undoes them. By the chain rule this equals the sum of the falls.
    """
    where = [len(increments)] * n
    rules = {}
    moves = []
    for index in reversed(range(len(gates))):
        A, B, k = gates[index]
        rules[index] = gate_rule(forward(law, n, levels, where), A, B, increments[k])
        for site in A:
            where[site] = k
        moves.append((index, A, B, k))
    # Paths as (state, log p(path) - log of the reverse rates so far, probability).
    paths = [(x, p, math.log(p)) for x, p in law.items() if p > 0.0]
    for index, A, B, k in moves:
        longer = []
        for state, p, log_ratio in paths:
            a, b = tuple(state[i] for i in A), tuple(state[i] for i in B)
            for noisy_a in itertools.product(*(increments[k][x] for x in a)):
                rate = math.prod(
                    increments[k][x].get(y, 0.0) for x, y in zip(a, noisy_a, strict=True)
                )
                if rate > 0.0:
                    back = rules[index][noisy_a, b][a]
                    ratio = log_ratio + math.log(rate) - math.log(back)
                    longer.append((replace(state, A, noisy_a), p * rate, ratio))
        paths = longer
    end = forward(law, n, levels, [0] * n)
    return math.fsum(p * (ratio - math.log(end[state])) for state, p, ratio in paths)
