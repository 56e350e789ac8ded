"""The root of trust against cases solved by hand (the derivations are in the comments)."""

import ast
import itertools
import math
import random
import sys
from pathlib import Path

import pytest

from tests import brute

LN2 = math.log(2.0)
REPETITION = {n: brute.curie_weiss(n, math.inf) for n in (2, 3)}
# p(x0, x1) = (1 + x0 x1 tanh J)/4 without fields: 0.4 for equal spins, 0.1 otherwise.
TWO_SPINS = brute.ising(2, [(0, 1)], [math.atanh(0.6)])


def approx(value):
    return pytest.approx(value, rel=1e-12, abs=1e-14)


def test_it_imports_the_standard_library_only():
    tree = ast.parse(Path(brute.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "."]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= set(sys.stdlib_module_names)


# Laws.


def test_two_spins():
    assert TWO_SPINS == approx({(-1, -1): 0.4, (-1, 1): 0.1, (1, -1): 0.1, (1, 1): 0.4})


def test_one_spin_in_a_field():
    # p(+1) = e^h/(e^h + e^-h) = 4/5 at h = ln 2: 2/(2 + 1/2).
    assert brute.ising(1, [], [], fields=[LN2]) == approx({(-1,): 0.2, (1,): 0.8})


def test_antiferromagnetic_bond_with_two_fields():
    # J = -ln 2, h = (ln 2, -ln 2): weights ++ 1/2, +- 2*2*2 = 8, -+ 2/4 = 1/2, -- 1/2.
    law = brute.ising(2, [(0, 1)], [-LN2], fields=[LN2, -LN2])
    assert law == approx({(1, 1): 1 / 19, (1, -1): 16 / 19, (-1, 1): 1 / 19, (-1, -1): 1 / 19})


def test_curie_weiss_of_two_spins_is_a_bond_of_half_the_coupling():
    # J M^2/4 is J for equal spins and 0 otherwise; a bond K gives +K and -K, so K = J/2.
    assert brute.curie_weiss(2, 1.4) == approx(brute.ising(2, [(0, 1)], [0.7]))


def test_repetition_code_is_the_limit_of_curie_weiss():
    cold = brute.curie_weiss(3, 60.0)
    assert brute.total_variation(cold, REPETITION[3]) < 1e-15
    assert brute.entropy(REPETITION[3]) == approx(LN2)


def test_table_order_is_site_zero_slowest():
    law = {(-1, 1): 0.25, (1, 1): 0.75}
    assert brute.table(law, 2, (-1, 1)) == [0.0, 0.25, 0.0, 0.75]


def test_random_table_is_normalised_and_has_its_zeros():
    law = brute.random_table(3, (0, 1, 2), seed=5, zeros=0.5)
    assert math.fsum(law.values()) == approx(1.0)
    assert 0 < sum(p == 0.0 for p in law.values()) < 27
    assert law == brute.random_table(3, (0, 1, 2), seed=5, zeros=0.5)


# Channels.


def test_bit_flip_flips_a_spin_with_half_of_t():
    assert brute.bit_flip(0.5) == {-1: {-1: 0.75, 1: 0.25}, 1: {-1: 0.25, 1: 0.75}}


def test_bit_flip_of_three_symbols():
    # At t = 0.3 each symbol receives 0.1 from the uniform replacement.
    channel = brute.bit_flip(0.3, (0, 1, 2))
    assert channel[1] == approx({0: 0.1, 1: 0.8, 2: 0.1})


def test_erasure():
    assert brute.erasure(0.25, (0, 1, 2), erased=-1)[2] == {2: 0.75, -1: 0.25}


@pytest.mark.parametrize("symbols", [(-1, 1), (0, 1, 2)])
def test_one_minus_t_multiplies_under_composition(symbols):
    # (1 - 0.5)(1 - 0.2) = 1 - 0.6.
    twice = brute.compose(brute.bit_flip(0.5, symbols), brute.bit_flip(0.2, symbols))
    once = brute.bit_flip(0.6, symbols)
    for x in symbols:
        assert twice[x] == approx(once[x])


def test_noisy_pair_keeps_the_product_of_the_two_contrasts():
    # E[y0 y1] = (1-t0)(1-t1) E[x0 x1] = 0.5 * 0.8 * 0.6 = 0.24, so p(++) = 1.24/4.
    law = brute.noisy(TWO_SPINS, [brute.bit_flip(0.5), brute.bit_flip(0.2)])
    assert law == approx({(1, 1): 0.31, (-1, -1): 0.31, (1, -1): 0.19, (-1, 1): 0.19})


def test_noisy_law_is_the_marginal_of_the_joint_law():
    law = brute.random_table(3, (0, 1, 2), seed=1)
    channels = [
        brute.bit_flip(0.3, (0, 1, 2)),
        brute.identity((0, 1, 2)),
        brute.erasure(0.6, (0, 1, 2), erased=-1),
    ]
    direct: brute.Law = {}
    for (_, y), p in brute.joint(law, channels).items():
        direct[y] = direct.get(y, 0.0) + p
    assert brute.noisy(law, channels) == approx(direct)


# Entropies and informations.


def test_marginal_keeps_the_order_asked_for():
    law = {(-1, 1, 1): 0.25, (1, 1, -1): 0.75}
    assert brute.marginal(law, [2, 0]) == {(1, -1): 0.25, (-1, 1): 0.75}
    assert brute.marginal(law, []) == {(): 1.0}


def test_information_of_two_spins():
    # I = ln 2 - h(0.2) with h(0.2) = -0.2 ln 0.2 - 0.8 ln 0.8 = ln 5 - 0.8 ln 4.
    expected = LN2 - (math.log(5) - 0.8 * math.log(4))
    assert brute.mutual_information(TWO_SPINS, [0], [1]) == approx(expected)
    assert expected == pytest.approx(0.1927447570, abs=1e-10)


def test_cmi_of_the_parity_of_two_coins_is_one_bit():
    # C = A xor B with fair A, B: A and C are independent, and given B they determine each other.
    law = {(a, b, a * b): 0.25 for a in (-1, 1) for b in (-1, 1)}
    assert brute.mutual_information(law, [0], [2]) == approx(0.0)
    assert brute.cmi(law, [0], [1], [2]) == approx(LN2)


def test_a_chain_is_markov():
    chain = brute.ising(3, [(0, 1), (1, 2)], [0.7, -0.4], fields=[0.1, -0.2, 0.3])
    assert brute.cmi(chain, [0], [1], [2]) == approx(0.0)
    assert brute.cmi(chain, [0], [], [2]) > 1e-3


def test_cmi_of_the_erased_repetition_code():
    # One bit where A and C are seen and B is not: (1-t)^2 t ln 2.
    for t in (0.0, 0.3, 0.5, 1.0):
        law = brute.noisy(REPETITION[3], [brute.erasure(t)] * 3)
        assert brute.cmi(law, [0], [1], [2]) == approx((1 - t) ** 2 * t * LN2)


def test_cmi_of_the_flipped_repetition_code():
    # t = 1/2, flip probability 1/4. p(+++) = (27 + 1)/128 = 7/32, each mixed state 3/32;
    # p(++) = 5/16, p(+-) = 3/16; I = 2 H(AB) - H(B) - H(ABC).
    law = brute.noisy(REPETITION[3], [brute.bit_flip(0.5)] * 3)
    assert law[1, 1, 1] == approx(7 / 32)
    assert law[1, -1, 1] == approx(3 / 32)
    pair = -(10 / 16 * math.log(5 / 16) + 6 / 16 * math.log(3 / 16))
    triple = -(14 / 32 * math.log(7 / 32) + 18 / 32 * math.log(3 / 32))
    assert brute.entropy(law, [0, 1]) == approx(pair)
    assert brute.entropy(law) == approx(triple)
    assert brute.cmi(law, [0], [1], [2]) == approx(2 * pair - LN2 - triple)


@pytest.mark.parametrize("seed", range(5))
def test_cmi_is_the_sum_of_four_entropies(seed):
    law = brute.random_table(5, (0, 1), seed=seed, zeros=0.3)
    A, B, C = [4], [0, 2], [1]
    H = brute.entropy
    by_entropies = H(law, A + B) + H(law, B + C) - H(law, B) - H(law, A + B + C)
    assert brute.cmi(law, A, B, C) == pytest.approx(by_entropies, abs=1e-13)


# Inference.


def test_log_prob_of_a_region():
    # t = 1/2: p(y0 = +, y1 = +) = 5/16 whatever the third site shows; flips never erase.
    channels = [brute.bit_flip(0.5)] * 3
    pair = brute.log_prob(REPETITION[3], channels, (1, 1, -1), region=[0, 1])
    assert pair == approx(math.log(5 / 16))
    assert brute.log_prob(REPETITION[3], channels, (0, 1, 1), region=[0]) == -math.inf
    assert brute.log_prob(REPETITION[3], channels, (1, 1, 1), region=[]) == approx(0.0)


def test_log_evidence_and_its_posterior():
    # Two spins, l_0 = ln 2 for +1 (else 0), l_1 = -inf for -1: 2*0.4 + 0.1 = 0.9, p(x0=+) = 8/9.
    def log_likelihood(site, x):
        return {(0, 1): LN2, (1, -1): -math.inf}.get((site, x), 0.0)

    assert brute.log_evidence(TWO_SPINS, log_likelihood) == approx(math.log(0.9))
    first, second = brute.evidence_marginals(TWO_SPINS, log_likelihood)
    assert first == approx({-1: 1 / 9, 1: 8 / 9})
    assert second == approx({-1: 0.0, 1: 1.0})


def test_posterior_mean_is_a_majority_vote():
    # Flip probability 1/4: each observation has odds 3:1, so two against one leave 3:1, mean 1/2.
    channels = [brute.bit_flip(0.5)] * 3
    y = (1, 1, -1)
    mean = brute.posterior_mean(REPETITION[3], channels, y, region=[0, 1, 2])
    assert mean == approx([0.5] * 3)
    # Without the dissenter 9:1, mean 8/10.
    assert brute.posterior_mean(REPETITION[3], channels, y, region=[0, 1]) == approx([0.8] * 3)


def test_posterior_of_erased_spins():
    channels = [brute.erasure(0.7)] * 2
    assert brute.posterior_mean(TWO_SPINS, channels, (1, 0), region=[0, 1]) == approx([1.0, 0.6])
    assert brute.posterior_mean(TWO_SPINS, channels, (0, 0), region=[0, 1]) == approx([0.0, 0.0])
    nearby = brute.posterior_marginals(TWO_SPINS, channels, (1, 0), region=[1])
    assert nearby[0] == approx({-1: 0.5, 1: 0.5})


def test_flip_scores():
    # p(+++) = 7/32 and every single flip leads to 3/32; on the first two sites 5/16 and 3/16.
    channels = [brute.bit_flip(0.5)] * 3
    y = (1, 1, 1)
    scores = brute.flip_scores(REPETITION[3], channels, y, region=[0, 1, 2])
    assert scores == approx([math.log(3 / 7)] * 3)
    local = brute.flip_scores(REPETITION[3], channels, y, region=[0, 1])
    assert local == approx([math.log(3 / 5), math.log(3 / 5), 0.0])


def test_erasure_scores():
    # Given x0 = +1 the odds of x1 are 0.4 : 0.1, whatever t; seen sites have no score.
    channels = [brute.erasure(0.7)] * 2
    scores = brute.erasure_scores(TWO_SPINS, channels, (1, 0), region=[0, 1])
    assert scores == approx([0.0, math.log(4)])
    certain = brute.erasure_scores(REPETITION[2], channels, (0, -1), region=[0, 1])
    assert certain == [-math.inf, 0.0]


def test_locality_gap_of_the_erased_repetition_code():
    # The far site helps where the near one is erased and the far one is seen: t (1-t) * 1.
    channels = [brute.erasure(0.4)] * 2
    gap = brute.locality_gap(REPETITION[2], channels, [0], AB=[0], ABC=[0, 1])
    assert gap == approx(0.24)
    # The error is 1 exactly where all that is looked at is erased.
    assert brute.mmse(REPETITION[2], channels, [0], region=[0]) == approx(0.4)
    assert brute.mmse(REPETITION[2], channels, [0], region=[0, 1]) == approx(0.16)


@pytest.mark.parametrize("seed", range(3))
def test_locality_gap_is_the_difference_of_two_errors(seed):
    # Pythagoras: E (x - local)^2 = E (x - whole)^2 + E (whole - local)^2.
    law = brute.random_table(3, (-1, 1), seed=seed)
    channels = [brute.bit_flip(0.3), brute.erasure(0.5), brute.bit_flip(0.6)]
    gap = brute.locality_gap(law, channels, [0], AB=[0, 1], ABC=[0, 1, 2])
    local = brute.mmse(law, channels, [0], region=[0, 1])
    whole = brute.mmse(law, channels, [0], region=[0, 1, 2])
    assert gap > 1e-6
    assert gap == pytest.approx(local - whole, abs=1e-13)


# Recovery.


def test_recovery_of_an_erased_site_without_a_buffer():
    # x0 survives with 1-t and is drawn at random otherwise: p-hat(++) = (1 - t/2)/2, so
    # TV = t/2, KL = -ln(1 - t/2), F = sqrt(1 - t/2).
    t = 0.5
    recovered = brute.local_recovery(REPETITION[2], [0], [], channels={0: brute.erasure(t)})
    assert recovered == approx({(1, 1): 0.375, (-1, -1): 0.375, (-1, 1): 0.125, (1, -1): 0.125})
    assert brute.total_variation(REPETITION[2], recovered) == approx(0.25)
    assert brute.kl(REPETITION[2], recovered) == approx(math.log(4 / 3))
    assert brute.fidelity(REPETITION[2], recovered) == approx(math.sqrt(0.75))
    # T1: 2/16 <= ln(4/3) = 0.288 <= t ln 2 = 0.347 <= ln 2.
    noised = brute.noisy(REPETITION[2], [brute.erasure(t), brute.identity((-1, 1))])
    before = brute.mutual_information(REPETITION[2], [0], [1])
    after = brute.mutual_information(noised, [0], [1])
    assert (before, after) == approx((LN2, LN2 / 2))


def test_recovery_of_a_flipped_site_without_a_buffer():
    # The local prior is uniform, so Bayes flips once more: E[x0 x1] = (1-t)^2 = 1/4.
    recovered = brute.local_recovery(REPETITION[2], [0], [], channels={0: brute.bit_flip(0.5)})
    assert recovered == approx({(1, 1): 5 / 16, (-1, -1): 5 / 16, (-1, 1): 3 / 16, (1, -1): 3 / 16})


@pytest.mark.parametrize("channel", [brute.bit_flip(1.0), brute.erasure(0.6), brute.bit_flip(0.3)])
def test_recovery_with_a_sufficient_buffer_is_perfect(channel):
    for law, B in ((REPETITION[3], [1]), (brute.ising(3, [(0, 1), (1, 2)], [0.7, -0.4]), [1])):
        recovered = brute.local_recovery(law, [0], B, channels={0: channel})
        assert brute.total_variation(law, recovered) < 1e-15


@pytest.mark.parametrize("seed", range(6))
def test_recovery_bound(seed):
    # T1: 2 TV^2 <= KL <= I(A;C|B) - I(A~;C|B), F >= exp(-I/2), here for two noised sites.
    law = brute.random_table(4, (-1, 1), seed=seed)
    rate = random.Random(seed).random()
    channels = {0: brute.bit_flip(rate), 2: brute.erasure(rate)}
    recovered = brute.local_recovery(law, [0, 2], [1], channels=channels)
    assert math.fsum(recovered.values()) == approx(1.0)
    all_channels = [channels.get(i, brute.identity((-1, 1))) for i in range(4)]
    before = brute.cmi(law, [0, 2], [1], [3])
    after = brute.cmi(brute.noisy(law, all_channels), [0, 2], [1], [3])
    divergence = brute.kl(law, recovered)
    assert divergence > 1e-6
    assert 2 * brute.total_variation(law, recovered) ** 2 <= divergence
    assert divergence <= before - after + 1e-14
    assert brute.fidelity(law, recovered) >= math.exp(-before / 2)


def test_distances_between_two_coins():
    p, q = {(0,): 0.5, (1,): 0.5}, {(0,): 0.75, (1,): 0.25}
    # KL = ln(1/2 / sqrt(3/16)) = ln 2 - ln(3)/2; F = (sqrt(3) + 1)/sqrt(8).
    assert brute.total_variation(p, q) == approx(0.25)
    assert brute.kl(p, q) == approx(LN2 - math.log(3) / 2)
    assert brute.fidelity(p, q) == approx((math.sqrt(3) + 1) / math.sqrt(8))
    assert brute.kl(p, {(0,): 1.0}) == math.inf
    assert brute.kl({(0,): 1.0, (1,): 0.0}, {(0,): 1.0}) == 0.0


def test_product_law():
    law = brute.product_law([{0: 0.25, 1: 0.75}, {0: 0.5, 1: 0.5}])
    assert law[1, 0] == approx(0.375)
    assert set(law) == set(itertools.product((0, 1), repeat=2))
