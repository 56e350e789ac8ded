"""Local Bayes recovery: against brute force on tables, against direct integration on fields."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phasetheory as pt
from tests import brute

EXACT = 1e-12  # nats; sums of at most 3^6 terms of size at most one


def random_table(q, n, seed, zeros=0.0):
    symbols = brute.SPINS if q == 2 else tuple(range(q))
    law = brute.random_table(n, symbols, seed, zeros=zeros)
    probabilities = np.reshape(brute.table(law, n, symbols), (q,) * n)
    return law, pt.Table(pt.Lattice.chain(n), probabilities)


def expected(law, parts, channels):
    """All numbers of T1 by brute force on a law of the symbols before the step."""
    A, B, C = (region.tolist() for region in (parts.A, parts.B, parts.C))
    ABC = A + B + C
    p = brute.marginal(law, ABC)
    a, b, c = range(len(A)), range(len(A), len(A) + len(B)), range(len(A) + len(B), len(ABC))
    step = dict(zip(a, channels, strict=True))
    unchanged = brute.identity(sorted({s for x in p for s in x}))
    after = brute.noisy(p, [step.get(i, unchanged) for i in range(len(ABC))])
    recovered = brute.local_recovery(p, a, b, channels=step)
    return {
        "kl": brute.kl(p, recovered),
        "tv": brute.total_variation(p, recovered),
        "fidelity": brute.fidelity(p, recovered),
        "cmi_before": brute.cmi(p, a, b, c),
        "cmi_after": brute.cmi(after, a, b, c),
    }


def check(step, numbers):
    for name, value in numbers.items():
        found = getattr(step, name)
        assert found.exact
        assert found.value == pytest.approx(value, abs=EXACT), name
    drop = numbers["cmi_before"] - numbers["cmi_after"]
    assert step.posterior_kl.value == pytest.approx(drop, abs=EXACT)


PARTITIONS = [
    ([0], [1], [2, 3]),
    ([2], [], [0, 1, 3]),
    ([1, 3], [0], [2]),
    ([0], [1, 2, 3], []),
    ([3], [1], [0]),  # site 2 is marginalised
]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    q=st.sampled_from([2, 3]),
    which=st.sampled_from(PARTITIONS),
    t=st.sampled_from([0.0, 0.3, 1.0]),
    s=st.sampled_from([0.0, 0.2, 1.0]),
    zeros=st.sampled_from([0.0, 0.4]),
)
def test_bit_flips_against_brute_force(seed, q, which, t, s, zeros):
    law, model = random_table(q, 4, seed, zeros)
    symbols = brute.SPINS if q == 2 else tuple(range(q))
    parts = pt.Tripartition(*which)
    noisy = brute.noisy(law, [brute.bit_flip(t, symbols)] * 4)
    step = pt.recovery(model.noised(pt.BitFlip(t)), parts, pt.BitFlip(s))
    check(step, expected(noisy, parts, [brute.bit_flip(s, symbols)] * parts.A.size))


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), which=st.sampled_from(PARTITIONS), t=st.sampled_from([0.0, 0.3]))
def test_erasure_of_an_erased_law_against_brute_force(seed, which, t):
    law, model = random_table(2, 4, seed)
    parts = pt.Tripartition(*which)
    noisy = brute.noisy(law, [brute.erasure(t)] * 4)
    # Erased symbols stay erased under more erasure.
    step = pt.recovery(model.noised(pt.Erasure(t)), parts, pt.Erasure(0.4))
    extended = brute.erasure(0.4) | {0: {0: 1.0}}
    check(step, expected(noisy, parts, [extended] * parts.A.size))


def test_any_site_channel_as_a_matrix():
    law, model = random_table(2, 4, 7)
    parts = pt.Tripartition([0], [1], [2, 3])
    matrix = np.array([[0.7, 0.1], [0.2, 0.4], [0.1, 0.5]])  # columns -1, +1 to three outputs
    step = pt.recovery(model.noised(pt.BitFlip(0.0)), parts, matrix)
    channel = {x: dict(enumerate(matrix[:, i])) for i, x in enumerate(brute.SPINS)}
    check(step, expected(law, parts, [channel]))


def test_per_site_noise_counts_inside_a_only():
    _, model = random_table(2, 4, 3)
    law = model.noised(pt.BitFlip(0.1))
    parts = pt.Tripartition([1, 2], [0], [3])
    t = np.array([0.9, 0.2, 0.5, 0.8])
    direct = pt.recovery(law, parts, pt.BitFlip(t))
    inside = pt.recovery(law, parts, pt.BitFlip(t).on(law.lattice.mask([1, 2])))
    assert direct.kl.value == inside.kl.value
    assert direct.kl.value != pt.recovery(law, parts, pt.BitFlip(0.5)).kl.value


def field(seed, n=5):
    root = np.random.default_rng(seed).standard_normal((n, n + 2))
    covariance = root @ root.T / n
    return pt.GaussianField(pt.Lattice.chain(n), covariance=covariance), covariance


def dense_recovery(p, m, n_b, step):
    """Joint covariance of p-hat by composing linear-Gaussian maps on the whole vector."""
    n = len(p)
    alpha, sigma = step
    noise_matrix = np.eye(n)
    noise_matrix[:m, :m] *= alpha
    after = noise_matrix @ p @ noise_matrix.T
    after[:m, :m] += sigma**2 * np.eye(m)
    # Regression of x_A on (y_A, x_B) in the local law.
    local = p[: m + n_b, : m + n_b]
    seen = noise_matrix[: m + n_b, : m + n_b] @ local @ noise_matrix[: m + n_b, : m + n_b].T
    seen[:m, :m] += sigma**2 * np.eye(m)
    cross = local[:m] @ noise_matrix[: m + n_b, : m + n_b].T
    weights = np.linalg.solve(seen, cross.T).T
    rest = local[:m, :m] - weights @ cross.T
    full = np.eye(n)
    full[:m, :] = 0.0
    full[:m, : m + n_b] = weights
    recovered = full @ after @ full.T
    recovered[:m, :m] += rest
    return recovered


@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_gaussian_fields_against_dense_joint_formulas(m, seed):
    model, covariance = field(seed)
    t, s = 0.3, 0.4
    law = model.noised(pt.Gaussian(t))
    p = (1 - t) ** 2 * covariance + t**2 * np.eye(5)
    parts = pt.Tripartition(np.arange(m), [m], np.arange(m + 1, 5))
    step = pt.recovery(law, parts, pt.Gaussian(s), rng=1)
    q = dense_recovery(p, m, 1, (1 - s, s))
    _, log_p = np.linalg.slogdet(p)
    _, log_q = np.linalg.slogdet(q)
    kl = 0.5 * (np.trace(np.linalg.solve(q, p)) - 5 + log_q - log_p)
    _, log_mid = np.linalg.slogdet(0.5 * (p + q))
    fidelity = np.exp(0.25 * (log_p + log_q) - 0.5 * log_mid)
    # Condition numbers stay below 1e4 here, so rounding stays below 1e-11.
    assert step.kl.value == pytest.approx(kl, abs=1e-11)
    assert step.fidelity.value == pytest.approx(fidelity, abs=1e-11)
    assert step.cmi_before.value == pytest.approx(pt.cmi(law, parts).value, abs=1e-11)
    after = pt.cmi(law.then(pt.Gaussian(s), parts.A), parts).value
    assert step.cmi_after.value == pytest.approx(after, abs=1e-11)
    drop = step.cmi_before.value - step.cmi_after.value
    assert step.posterior_kl.value == pytest.approx(drop, abs=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_total_variation_of_one_site_against_samples_of_the_joint_law(seed):
    model, covariance = field(seed)
    t, s = 0.2, 0.7
    p = (1 - t) ** 2 * covariance + t**2 * np.eye(5)
    parts = pt.Tripartition([0], [1], [2, 3, 4])
    step = pt.recovery(model.noised(pt.Gaussian(t)), parts, pt.Gaussian(s))
    assert step.tv.exact
    q = dense_recovery(p, 1, 1, (1 - s, s))
    x = np.random.default_rng(seed).multivariate_normal(np.zeros(5), p, size=200_000)

    def log_density(covariance):
        square = (x * np.linalg.solve(covariance, x.T).T).sum(axis=1)
        return -0.5 * (square + np.linalg.slogdet(covariance)[1])

    sampled = pt.Estimate.from_samples(
        np.maximum(0.0, 1.0 - np.exp(log_density(q) - log_density(p)))
    )
    assert abs(step.tv.value - sampled.value) < 5 * sampled.stderr
    assert sampled.stderr < 0.02 * sampled.value


def test_total_variation_of_a_block_is_sampled_with_an_error_that_shrinks():
    model, _ = field(1)
    parts = pt.Tripartition([0, 1], [2], [3, 4])
    law = model.noised(pt.Gaussian(0.2))
    few = pt.recovery(law, parts, pt.Gaussian(0.7), n_samples=1_000, rng=2).tv
    many = pt.recovery(law, parts, pt.Gaussian(0.7), n_samples=100_000, rng=3).tv
    assert not few.exact
    assert few.stderr == pytest.approx(10 * many.stderr, rel=0.2)
    assert abs(few.value - many.value) < 5 * few.stderr


def test_no_noise_loses_nothing():
    model, _ = field(2)
    parts = pt.Tripartition([0], [1], [2, 3, 4])
    step = pt.recovery(model.noised(pt.Gaussian(0.3)), parts, pt.Gaussian(0.0))
    assert step.kl.value == pytest.approx(0.0, abs=1e-14)
    assert step.cmi_after.value == pytest.approx(step.cmi_before.value, abs=1e-14)


@pytest.mark.parametrize(
    ("law", "noise", "message"),
    [
        ("flip", np.array([[0.5, 0.5], [0.4, 0.5]]), "columns sum to"),
        ("flip", np.eye(3), r"channel has shape \(3, 3\)"),
        ("flip", pt.Gaussian(0.3), "Gaussian noise makes discrete sites continuous"),
        ("erase", pt.BitFlip(0.3), "BitFlip noise does not act on erased symbols"),
        ("flip", pt.BitFlip([0.1, 0.2]), "noise has t for 2 sites"),
        ("gauss", pt.BitFlip(0.3), "recovery is exact for discrete laws"),
        ("spins under gauss", pt.Gaussian(0.3), "not for Table under Gaussian"),
    ],
)
def test_what_does_not_fit_is_refused(law, noise, message):
    _, table = random_table(2, 4, 0)
    laws = {
        "flip": table.noised(pt.BitFlip(0.1)),
        "erase": table.noised(pt.Erasure(0.1)),
        "gauss": field(0, 4)[0].noised(pt.Gaussian(0.1)),
        "spins under gauss": table.noised(pt.Gaussian(0.1)),
    }
    with pytest.raises(ValueError, match=message):
        pt.recovery(laws[law], pt.Tripartition([0], [1], [2, 3]), noise)
