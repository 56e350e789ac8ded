"""Table and Ising laws under discrete noise against brute force, state by state."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phasetheory as pt
from phasetheory.information import enumerate_outputs
from phasetheory.information.cavity import noisy_divergence
from tests import brute
from tests.strategies import discrete_cases, regions, symbols, tripartitions

# At most 3^4 = 81 or 2^5 = 32 terms, each a handful of logs of size up to 40: rounding of a few
# 1e-15 in every logarithm and in every sum of probabilities of total one.
LOG = dict(rtol=1e-13, atol=2e-13)
EXACT = 1e-12

MODELS = ["Ising", "Table2", "Table3"]
every_model = pytest.mark.parametrize("model", MODELS)


@every_model
@settings(max_examples=40)
@given(data=st.data())
def test_log_prob_of_every_output(model, data):
    case = data.draw(discrete_cases(model))
    region, y = data.draw(regions(case.n)), case.outputs()
    expected = [
        brute.log_prob(case.clean, case.channels, tuple(row), region=region) for row in y.tolist()
    ]
    found = case.law.log_prob(y, region)
    np.testing.assert_allclose(found, expected, **LOG)


def some_outputs(case, data, count):
    """A few outputs of positive probability, as plain tuples."""
    possible = sorted(y for y, p in case.noisy.items() if p > 0)
    picked = data.draw(st.sets(st.integers(0, len(possible) - 1), min_size=1, max_size=count))
    return [possible[i] for i in sorted(picked)]


@every_model
@settings(max_examples=40)
@given(data=st.data())
def test_posteriors_and_denoiser(model, data):
    case = data.draw(discrete_cases(model))
    region, outputs = data.draw(regions(case.n)), some_outputs(case, data, 4)
    laws = case.law.posterior(outputs, region)
    denoised = case.law.denoise(outputs, region)
    for k, y in enumerate(outputs):
        marginals = brute.posterior_marginals(case.clean, case.channels, y, region=region)
        for i, single in enumerate(marginals):
            p = [single.get(s, 0.0) for s in symbols(laws.q)]
            np.testing.assert_allclose(laws.p[k, i], p, rtol=1e-12, atol=1e-15)
            if laws.q > 2:
                np.testing.assert_allclose(denoised[k, i], p, atol=EXACT)
        if laws.q == 2:
            mean = brute.posterior_mean(case.clean, case.channels, y, region=region)
            np.testing.assert_allclose(denoised[k], mean, atol=EXACT)


@pytest.mark.parametrize("model", ["Ising", "Table2"])
@settings(max_examples=40)
@given(data=st.data())
def test_scores_of_spins(model, data):
    case = data.draw(discrete_cases(model))
    region, outputs = data.draw(regions(case.n)), some_outputs(case, data, 4)
    plain = brute.flip_scores if case.noise.name == "BitFlip" else brute.erasure_scores
    score = case.law.score(outputs, region)
    for k, y in enumerate(outputs):
        np.testing.assert_allclose(
            score[k], plain(case.clean, case.channels, y, region=region), **LOG
        )


@settings(max_examples=40)
@given(data=st.data())
def test_scores_of_three_symbols(data):
    """BitFlip: log-ratio for every replacement; erasure: log-odds against symbol 0."""
    case = data.draw(discrete_cases("Table3"))
    region, outputs = data.draw(regions(case.n)), some_outputs(case, data, 4)
    score = case.law.score(outputs, region)
    assert score.shape == (len(outputs), case.n, 3)
    for k, y in enumerate(outputs):
        assert not score[k, [i for i in range(case.n) if i not in region]].any()
        marginals = brute.posterior_marginals(case.clean, case.channels, y, region=region)
        for i in region:
            if case.noise.name == "BitFlip":
                here = brute.log_prob(case.clean, case.channels, y, region=region)
                for s in range(3):
                    other = (*y[:i], s, *y[i + 1 :])
                    moved = brute.log_prob(case.clean, case.channels, other, region=region)
                    np.testing.assert_allclose(score[k, i, s], moved - here, **LOG)
            elif y[i] != -1:
                assert (score[k, i] == 0).all()
            elif marginals[i].get(0, 0.0) > 0:
                odds = [marginals[i].get(s, 0.0) / marginals[i][0] for s in range(3)]
                expected = [math.log(x) if x > 0 else -math.inf for x in odds]
                np.testing.assert_allclose(score[k, i], expected, **LOG)
            else:  # symbol 0 is excluded: everything possible is infinitely more likely
                possible = np.array([marginals[i].get(s, 0.0) > 0 for s in range(3)])
                assert (score[k, i][possible] == math.inf).all()
                assert score[k, i, 0] == 0


@every_model
@settings(max_examples=40)
@given(data=st.data())
def test_entropies_and_cmi(model, data):
    case = data.draw(discrete_cases(model))
    region, parts = data.draw(regions(case.n)), data.draw(tripartitions(case.n))
    noisy = case.noisy
    entropy = case.law.entropy(region)
    assert entropy.exact and entropy.quantity == "discrete entropy"
    assert entropy.value == pytest.approx(brute.entropy(noisy, region), abs=EXACT)
    found = pt.cmi(case.law, parts)
    assert found.exact
    A, B, C = (r.tolist() for r in (parts.A, parts.B, parts.C))
    assert found.value == pytest.approx(brute.cmi(noisy, A, B, C), abs=EXACT)
    informed = pt.mutual_information(case.law, A, B) if B else None
    if informed is not None:
        assert informed.value == pytest.approx(brute.mutual_information(noisy, A, B), abs=EXACT)


@every_model
@settings(max_examples=30)
@given(data=st.data())
def test_cavity_form_summed_over_all_outputs_is_the_cmi(model, data):
    """I(A;C|B) = sum_k E KL(p(y_k|y_B,C,<k) || p(y_k|y_B,<k)): no sampling, no error bar."""
    case = data.draw(discrete_cases(model, max_sites=4))
    parts = data.draw(tripartitions(case.n))
    y, weight = enumerate_outputs(case.law)
    assert weight.sum() == pytest.approx(1.0, abs=EXACT)
    total = 0.0
    for k, site in enumerate(parts.A):
        near = [*parts.B, *parts.A[:k]]
        beliefs = [case.law.posterior(y, seen, [site]) for seen in ([*near, *parts.C], near)]
        total += weight @ noisy_divergence(*beliefs, case.noise.at(site))
    A, B, C = (r.tolist() for r in (parts.A, parts.B, parts.C))
    assert total == pytest.approx(brute.cmi(case.noisy, A, B, C), abs=EXACT)


@every_model
@settings(max_examples=25)
@given(data=st.data())
def test_locality_gap(model, data):
    case = data.draw(discrete_cases(model, max_sites=4))
    parts = data.draw(tripartitions(case.n))
    AB, ABC = parts.union("AB").tolist(), parts.union("ABC").tolist()
    if model == "Table3":
        expected = 0.0
        for y, p in case.noisy.items():
            if p > 0:
                full, local = (
                    brute.posterior_marginals(case.clean, case.channels, y, region=region)
                    for region in (ABC, AB)
                )
                expected += p * sum(
                    (full[a].get(s, 0.0) - local[a].get(s, 0.0)) ** 2
                    for a in parts.A
                    for s in range(3)
                )
    else:
        expected = brute.locality_gap(case.clean, case.channels, parts.A.tolist(), AB=AB, ABC=ABC)
    found = pt.locality_gap(case.law, parts)
    assert found.exact
    assert found.value == pytest.approx(expected, abs=EXACT)


@every_model
@settings(max_examples=20)
@given(data=st.data(), t=st.floats(0.0, 1.0))
def test_more_noise_is_the_composed_channel(model, data, t):
    """`then` on a region against the product of the two channel matrices, by brute force."""
    case = data.draw(discrete_cases(model, max_sites=4))
    region, law = data.draw(regions(case.n)), None
    more = type(case.noise)(t)
    law = case.law.then(more, region)
    q = case.prior.q
    if case.noise.name == "BitFlip":
        extra = brute.bit_flip(t, symbols(q))
    else:
        erased = 0 if q == 2 else -1
        extra = brute.erasure(t, symbols(q), erased=erased) | {erased: {erased: 1.0}}
    channels = [brute.compose(N, extra) if i in region else N for i, N in enumerate(case.channels)]
    y = case.outputs()
    expected = brute.noisy(case.clean, channels)
    p = [expected.get(tuple(row), 0.0) for row in y.tolist()]
    np.testing.assert_allclose(np.exp(law.log_prob(y)), p, atol=EXACT)


@every_model
def test_samples_follow_the_law(model):
    """Counts of the clean and the noisy states against their probabilities, chi squared."""
    q = 3 if model == "Table3" else 2
    n = 3
    clean = brute.random_table(n, symbols(q), 12, zeros=0.3)
    prior = pt.Table(pt.Lattice.chain(n), np.reshape(brute.table(clean, n, symbols(q)), (q,) * n))
    if model == "Ising":
        prior = pt.Ising(pt.Lattice.chain(n), coupling=[0.5, -0.9], field=[0.1, 0.0, 0.6])
        clean = brute.ising(n, [(0, 1), (1, 2)], [0.5, -0.9], fields=[0.1, 0.0, 0.6])
    t = [0.2, 0.0, 0.7]
    channels = [brute.bit_flip(s, symbols(q)) for s in t]
    size = 20_000
    x, y = prior.noised(pt.BitFlip(t)).sample(size, rng=3)
    assert x.dtype == y.dtype == np.int8
    for batch, law in ((x, clean), (y, brute.noisy(clean, channels))):
        states, counts = np.unique(batch, axis=0, return_counts=True)
        seen = dict(zip(map(tuple, states.tolist()), counts.tolist(), strict=True))
        assert all(law[s] > 0 for s in seen)  # never a state of probability zero
        support = [s for s, p in law.items() if p > 0]
        chi2 = sum((seen.get(s, 0) - size * law[s]) ** 2 / (size * law[s]) for s in support)
        # chi^2 of k degrees has mean k and variance 2k; five standard deviations.
        k = len(support) - 1
        assert chi2 < k + 5 * math.sqrt(2 * k)
    # The joint law too: pairs (x_0, y) on the noisiest site have the channel between them.
    flipped = np.mean(x[:, 2] != y[:, 2])
    rate = 0.7 * (1 - 1 / q)
    assert flipped == pytest.approx(rate, abs=5 * math.sqrt(rate * (1 - rate) / size))


def test_same_seed_same_samples():
    prior = pt.Table(pt.Lattice.chain(2), np.full((2, 2), 0.25))
    law = prior.noised(pt.Erasure(0.5))
    for a, b in zip(law.sample(50, rng=7), law.sample(50, rng=7), strict=True):
        assert (a == b).all()
    assert (law.sample(50, rng=7)[1] != law.sample(50, rng=8)[1]).any()


# Tables themselves.


def test_table_order_is_site_zero_slowest_and_minus_first():
    """p(-1, +1) is entry [0, 1]."""
    p = np.array([[0.1, 0.2], [0.3, 0.4]])
    law = pt.Table(pt.Lattice.chain(2), p).noised(pt.BitFlip(0.0))
    y = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    np.testing.assert_allclose(np.exp(law.log_prob(y)), [0.1, 0.2, 0.3, 0.4], rtol=1e-15)


def test_log_weights_keep_states_beyond_double_range():
    """The log p of a state at e^-2000 is right although p itself is zero in floating point."""
    log_w = np.array([[0.0, -2000.0], [-1500.0, -1000.0]])
    law = pt.Table.from_log_weights(pt.Lattice.chain(2), log_w).noised(pt.BitFlip(0.0))
    y = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    np.testing.assert_allclose(law.log_prob(y), [0.0, -2000.0, -1500.0, -1000.0], rtol=1e-15)
    # Given y_0 = +1 the odds of site 1 are e^500.
    score = law.score([(1, 1)])
    np.testing.assert_allclose(score, [[-2000.0 + 1000.0, -500.0]], rtol=1e-15)


def test_from_prior_tabulates_every_state():
    lattice = pt.Lattice.chain(3)
    prior = pt.CurieWeiss(3, coupling=0.7)
    table = pt.Table.from_prior(prior)
    expected = brute.table(brute.curie_weiss(3, 0.7), 3, brute.SPINS)
    np.testing.assert_allclose(table.probabilities.ravel(), expected, rtol=1e-12)
    ising = pt.Ising(lattice, 0.3)
    np.testing.assert_allclose(
        pt.Table.from_prior(ising).probabilities.ravel(),
        brute.table(brute.ising(3, [(0, 1), (1, 2)], [0.3, 0.3]), 3, brute.SPINS),
        rtol=1e-13,
    )


def test_noisy_table_is_the_law_of_the_outputs():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(27)).reshape(3, 3, 3)
    prior = pt.Table(pt.Lattice.chain(3), p)
    noise = pt.Erasure([0.2, 0.5, 1.0])
    region = np.array([True, False, True])
    table = prior.noisy_table(noise, region)
    law = prior.noised(noise)
    values = noise.outputs(3)
    for i, j in itertools.product(range(4), repeat=2):
        y = np.array([[values[i], 0, values[j]]])
        assert table[i, j] == pytest.approx(np.exp(law.log_prob(y, region))[0], abs=1e-14)


# Bad input.


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.full((2, 2), 0.3), r"sum to 1\.2"),
        (np.array([[-0.1, 0.5], [0.3, 0.3]]), r"run from -0\.1"),
        (np.array([[np.nan, 0.5], [0.2, 0.3]]), "run from nan"),
        (np.full(4, 0.25), r"probabilities has shape \(4,\)"),
        (np.full((2, 3), 1 / 6), r"probabilities has shape \(2, 3\)"),
        (np.ones((1, 1)), r"probabilities has shape \(1, 1\).*q >= 2"),
        (1.0, r"probabilities has shape \(\)"),
    ],
)
def test_bad_tables(probabilities, message):
    with pytest.raises(ValueError, match=message):
        pt.Table(pt.Lattice.chain(2), probabilities)


def test_the_callers_table_is_left_alone():
    p = np.full((2, 2), 0.25)
    prior = pt.Table(pt.Lattice.chain(2), p)
    p[:] = 7.0
    assert (prior.probabilities == 0.25).all()


def test_continuous_priors_have_no_table():
    with pytest.raises(ValueError, match="continuous prior has no table"):
        pt.Table.from_prior(pt.GaussianField(pt.Lattice.chain(2), covariance=np.eye(2)))


@pytest.mark.parametrize("n", [40, 3000])
def test_tabulating_too_much_is_refused_with_bytes_and_limit(n):
    with pytest.raises(ValueError, match=r"bytes: the limit is 268435456 bytes"):
        pt.Table.from_prior(pt.CurieWeiss(n, coupling=0.5))


@pytest.mark.parametrize("noise", [pt.BitFlip(0.3), pt.Erasure(0.3)])
@pytest.mark.parametrize("q", [2, 3])
def test_symbols_that_do_not_exist(noise, q):
    prior = pt.Table(pt.Lattice.chain(2), np.full((q, q), 1 / q**2))
    law = prior.noised(noise)
    for bad in (7, np.nan, 0.5):
        y = np.array([[symbols(q)[1], bad]])
        with pytest.raises(ValueError, match=rf"y holds .*{bad}.* on its region: {noise.name}"):
            law.log_prob(y)
        assert np.isfinite(law.log_prob(y, [0])).all()  # outside the region it does not matter


def test_impossible_evidence_has_probability_zero_and_no_posterior():
    """Two spins that are always equal, seen without noise to differ."""
    prior = pt.Table(pt.Lattice.chain(2), [[0.5, 0.0], [0.0, 0.5]])
    law = prior.noised(pt.BitFlip(0.0))
    assert law.log_prob([(1, 1), (1, -1)]).tolist() == [math.log(0.5), -math.inf]
    for quantity in (law.posterior, law.denoise, law.score):
        with pytest.raises(ValueError, match="evidence of sample 1 has probability zero"):
            quantity([(1, 1), (1, -1)])
    with pytest.raises(ValueError, match="evidence of sample 0 has probability zero"):
        prior.posterior(np.array([[np.inf, -np.inf]]))
