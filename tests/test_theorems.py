"""The theorem registry: its verdict, each relation on random instances, and known exact cases."""

import json
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from phasetheory import theorems
from phasetheory.information import cmi, locality_gap
from phasetheory.lattice import Lattice, Tripartition
from phasetheory.noise import BitFlip, Erasure, Gaussian
from phasetheory.theorems import THEOREMS, Theorem, Verification, locality, processing, verify, zoo
from phasetheory.theorems.girsanov import path_integral, reverse_covariance, windows
from phasetheory.theorems.linear import covariance, linear_part
from phasetheory.theorems.relation import Ledger, Relation
from tests import brute

SEEDS = st.integers(0, 2**20)
FEW = settings(max_examples=15)


@cache
def verified() -> Verification:
    return verify(progress=False)


def check(key: str, instance: zoo.Instance, seed: int = 0) -> list[Relation]:
    """Rows of one theorem on one instance, asserted to hold."""
    rows = THEOREMS[key].check(instance, seed)
    assert rows
    for row in rows:
        assert row.holds, row
    return rows


def find(rows: list[Relation], relation: str, instance: str | None = None) -> Relation:
    """The row of that relation (on that instance) that comes closest to equality."""
    found = [r for r in rows if r.relation == relation and instance in (None, r.instance)]
    return max(found, key=lambda row: row.tightness)


# The registry.


def test_registry_holds():
    result = verified()
    assert result.ok, result.failures
    assert list(result.theorems) == [
        "T1",
        "T2",
        "T3",
        "T4",
        "T5",
        "T6",
        "T7",
        "T8",
        "T9",
        "T10",
        "T11",
        "T12",
    ]
    assert all(row.holds for row in result.rows)
    assert all(result.controls.values())


@pytest.mark.parametrize("key", THEOREMS)
def test_no_relation_is_only_trivial(key):
    own = verified().of(key)
    for text in {row.relation for row in own}:
        assert any(row.relation == text and not row.vacuous for row in own), text


@pytest.mark.parametrize("key", THEOREMS)
def test_every_wrong_relation_is_violated_somewhere(key):
    wrong = [row for row in verified().wrong_rows if row.theorem == key]
    texts = {row.relation for row in wrong}
    assert texts
    assert texts == {row.relation for row in wrong if not row.holds}
    assert not texts & {row.relation for row in verified().of(key)}


@pytest.mark.parametrize("key", THEOREMS)
def test_theorem_is_documented(key):
    theorem = THEOREMS[key]
    assert theorem.key == key
    assert theorem.name and theorem.statement and theorem.source and theorem.altered
    assert "$" not in theorem.statement
    names = [instance.name for instance in theorem.instances()]
    assert len(set(names)) == len(names)


def test_quick_run_holds():
    """The short run has fewer rows and the same verdict."""
    quick = verify(quick=True, progress=False)
    assert quick.ok, quick.failures
    assert len(quick.rows) < len(verified().rows)


def test_results_do_not_depend_on_the_selection():
    alone = verify(["T10"], progress=False)
    assert [row.record() for row in alone.rows] == [r.record() for r in verified().of("T10")]


def test_unknown_theorem_is_refused():
    with pytest.raises(ValueError, match="unknown theorem 'T99'"):
        verify(["T99"])


def test_records_are_plain():
    """Records survive JSON and carry the fields that users rely on."""
    records = json.loads(json.dumps(verified().to_records(), allow_nan=False))
    assert len(records) == len(verified().rows)
    needed = {"theorem", "instance", "relation", "lhs", "rhs", "slack", "holds"}
    assert all(needed <= set(record) for record in records)
    assert all(record["holds"] is True for record in records)


def _theorem(check, wrong) -> Theorem:
    instance = zoo.Instance("one", zoo.pair(0.5).noised(BitFlip(0.0)), Tripartition([0], [], [1]))
    return Theorem(
        key="X", name="x", statement="x", source="x", altered="x",
        check=check, wrong=wrong, instances=lambda: [instance],
    )  # fmt: skip


def _claim(lhs: float, rhs: float, **options):
    def rows(instance, seed):
        ledger = Ledger("X", instance.name)
        ledger.at_most("lhs <= rhs", lhs, rhs, **options)
        return ledger.rows

    return rows


@pytest.mark.parametrize(
    ("check", "wrong", "reason"),
    [
        (_claim(2.0, 1.0), _claim(2.0, 1.0), "is violated on one: 2 against 1"),
        (_claim(0.0, 0.0), _claim(2.0, 1.0), "only where both sides vanish"),
        (_claim(1.0, 2.0), _claim(1.0, 3.0), "wrong variant lhs <= rhs went unnoticed"),
        (_claim(1.0, math.nan), _claim(2.0, 1.0), "is violated"),
        (_claim(0.1, 0.2, stderr=0.1), _claim(2.0, 1.0), "only where both sides vanish"),
        (lambda instance, seed: [], _claim(2.0, 1.0), "no instance was checked"),
        (_claim(1.0, 2.0), lambda instance, seed: [], "went unnoticed"),
    ],
)
def test_bad_theorem_is_reported(check, wrong, reason):
    """A false, trivial or uncontrolled theorem makes the verdict false and says why."""
    result = verify(theorems={"X": _theorem(check, wrong)}, progress=False)
    assert not result.ok
    assert any(reason in sentence for sentence in result.failures), result.failures


def test_good_theorem_passes():
    result = verify(theorems={"X": _theorem(_claim(1.0, 2.0), _claim(2.0, 1.0))}, progress=False)
    assert result.ok


def test_false_version_of_a_theorem_is_reported():
    """A registry that claims the wrong variant of T8 as a theorem does not verify."""
    false = replace(THEOREMS["T8"], check=THEOREMS["T8"].wrong)
    result = verify(theorems={"T8": false}, progress=False)
    assert not result.ok
    assert any("nearly screened pair" in sentence for sentence in result.failures)


# T1.


@given(SEEDS)
def test_t1_discrete(seed):
    """2 TV^2 <= KL <= I - I~ <= I, -2 ln F <= I, I - I~ = E_y KL(p(x|y)||q(x|y))."""
    check("T1", zoo.random_discrete(seed))


@given(SEEDS)
@FEW
def test_t1_gaussian(seed):
    """The same chain on Gaussian laws."""
    check("T1", zoo.random_gaussian(seed))


def test_t1_is_tight():
    """Each inequality of the chain has an instance at, or within 1e-4 of, equality."""
    rows = verified().of("T1")
    weak = "weakly correlated pair, all noise"
    assert 0.9999 < find(rows, "2 TV^2 <= KL", weak).tightness < 1.0
    assert find(rows, "KL <= I - I~", weak).tightness == pytest.approx(1.0, abs=1e-9)
    assert find(rows, "I - I~ <= I", weak).tightness == pytest.approx(1.0, abs=1e-9)
    copied = find(rows, "-2 ln F <= I", "copied spins, all erased")
    assert copied.lhs == pytest.approx(math.log(2.0), abs=1e-12)
    assert copied.rhs == pytest.approx(math.log(2.0), abs=1e-12)


def test_t1_gaussian_total_variation_against_quad():
    """TV = 1/2 E_c int |p(a|c) - p(a)| da where noise wipes A out, by a sum over a grid."""
    field = zoo.random_field(2, 3)
    law = field.noised(Gaussian(0.5))
    spread = covariance(law)
    instance = zoo.Instance("pair", law, Tripartition([0], [], [1]), Gaussian.from_scales(0.0, 1.0))
    local = spread[0, 0]
    exact = local - spread[0, 1] ** 2 / spread[1, 1]

    def density(x, mean, variance):
        return math.exp(-0.5 * (x - mean) ** 2 / variance) / math.sqrt(2.0 * math.pi * variance)

    def distance(z):
        d = math.sqrt(local - exact) * z
        grid = np.linspace(-12.0 * math.sqrt(local), 12.0 * math.sqrt(local), 4001)
        p, q = (
            np.exp(-0.5 * (grid - m) ** 2 / v) / math.sqrt(2.0 * math.pi * v)
            for m, v in ((d, exact), (0.0, local))
        )
        return 0.5 * np.abs(p - q).sum() * (grid[1] - grid[0]) * density(z, 0.0, 1.0)

    nodes, weights = np.polynomial.legendre.leggauss(80)
    expected = 9.0 * sum(w * distance(4.5 * (z + 1.0)) for z, w in zip(nodes, weights, strict=True))
    assert check("T1", instance)[0].lhs == pytest.approx(2.0 * expected**2, rel=1e-5)


def test_t1_against_brute_force():
    """Both sides on a spin glass, from direct sums over states."""
    glass = zoo.ising_graph(4, 11)
    edges = [tuple(edge) for edge in glass.lattice.edges.tolist()]
    law = brute.ising(4, edges, glass.coupling.tolist(), fields=glass.field.tolist())
    p = brute.noisy(law, [brute.bit_flip(0.2)] * 4)
    channel = brute.bit_flip(0.6)
    recovered = brute.local_recovery(p, [1], [0], channels={1: channel})
    after = brute.noisy(p, [channel if i == 1 else brute.bit_flip(0.0) for i in range(4)])
    lost = brute.cmi(p, [1], [0], [2, 3]) - brute.cmi(after, [1], [0], [2, 3])
    parts = Tripartition(A=[1], B=[0], C=[2, 3])
    instance = zoo.Instance("glass", glass.noised(BitFlip(0.2)), parts, BitFlip(0.6))
    pinsker, chain, *_ = check("T1", instance)
    assert pinsker.lhs == pytest.approx(2.0 * brute.total_variation(p, recovered) ** 2, abs=1e-12)
    assert chain.lhs == pytest.approx(brute.kl(p, recovered), abs=1e-12)
    assert chain.rhs == pytest.approx(lost, abs=1e-12)


# T5.


@given(SEEDS)
def test_t5_discrete(seed):
    """E|m - f|^2 = gap + E|m_loc - f|^2 >= gap; the mean square errors differ by the gap."""
    check("T5", zoo.random_discrete(seed))


@given(SEEDS)
@FEW
def test_t5_gaussian(seed):
    """E|s - f|^2 = Delta^2 + E|s_loc - f|^2 >= Delta^2; Tweedie for the mean square errors."""
    check("T5", zoo.random_gaussian(seed))


@given(st.integers(0, 200))
@settings(max_examples=5)
def test_t5_sampled(seed):
    """The same on spins under Gaussian noise, with paired error bars."""
    instance = zoo.random_spins(seed)
    rows = THEOREMS["T5"].check(instance, seed)
    assert all(row.holds for row in rows if row.trusted)


def test_t5_against_brute_force():
    """Gap and mean square errors by direct sums over every pair (x, y)."""
    glass = zoo.ising_graph(4, 12)
    edges = [tuple(edge) for edge in glass.lattice.edges.tolist()]
    law = brute.ising(4, edges, glass.coupling.tolist(), fields=glass.field.tolist())
    noise = [brute.erasure(0.3)] * 4
    parts = Tripartition(A=[1], B=[0], C=[2, 3])
    rows = check("T5", zoo.Instance("glass", glass.noised(Erasure(0.3)), parts))
    gap = brute.locality_gap(law, noise, [1], AB=[0, 1], ABC=[0, 1, 2, 3])
    local = brute.mmse(law, noise, [1], region=[0, 1])
    full = brute.mmse(law, noise, [1], region=[0, 1, 2, 3])
    assert rows[2].lhs == pytest.approx(local - full, abs=1e-12)
    assert rows[2].rhs == pytest.approx(gap, abs=1e-12)


def test_t5_is_tight():
    """A local function that is nearly the best one loses little more than Delta^2."""
    assert 0.9 < find(verified().of("T5"), "Delta^2 <= E|s - f|^2").tightness < 1.0


# T6.


@given(SEEDS)
@settings(max_examples=6)
def test_t6_gaussian(seed):
    """I = 1/2 int_0^inf Delta^2(u) du = 1/2 int_0^snr [mmse(A|B,g) - mmse(A|BC,g)] dg."""
    instance = zoo.random_gaussian(seed)
    alpha, sigma = (np.broadcast_to(s, (instance.law.n_sites,)) for s in instance.law.noise.scales)
    assume(np.ptp(alpha[instance.parts.A]) == 0 and np.ptp(sigma[instance.parts.A]) == 0)
    check("T6", instance)


@given(SEEDS)
@settings(max_examples=6)
def test_t6_spins(seed):
    """The same with B and C noiseless spins, by enumeration."""
    check("T6", zoo.random_mixed(seed))


def test_t6_derivative():
    """dI/du = -Delta^2/2 by a central difference, on a Gaussian chain."""
    field = zoo.neighbour_field(Lattice.chain(6), 0.1)
    parts, base = field.lattice.tripartition(2, 1), field.noised(Gaussian(0.4))

    def later(u):
        return base.then(Gaussian.from_scales(1.0, math.sqrt(u)), parts.A)

    u, h = 0.2, 1e-4
    slope = (cmi(later(u + h), parts).value - cmi(later(u - h), parts).value) / (2.0 * h)
    assert slope == pytest.approx(-0.5 * locality_gap(later(u), parts).value, rel=1e-6)


def test_t6_copied_spin_against_quad():
    """Two copies of a fair spin, one seen at snr 1: I = 1/2 int_0^1 mmse(g) dg, to nine digits.

    C tells the spin and B nothing, so the mmse is 1 - E tanh(g + sqrt(g) z), z a standard normal.
    """

    def mmse(g):
        def term(z):
            return math.exp(-0.5 * z * z) * math.tanh(g + math.sqrt(g) * z)

        return 1.0 - quad(term, -12.0, 12.0, epsabs=1e-13)[0] / math.sqrt(2.0 * math.pi)

    expected = 0.5 * quad(mmse, 0.0, 1.0, epsabs=1e-12)[0]
    for row in verified().of("T6"):
        if row.instance == "copied spin, noise on A" and row.relation.startswith("I ="):
            assert row.lhs == pytest.approx(expected, abs=1e-9)
            assert row.rhs == pytest.approx(expected, abs=1e-9)


# T7.


@given(SEEDS)
def test_t7_gaussian(seed):
    """Delta^2 <= 2 sqrt(m(m+3)) sqrt(I) / sigma^2; at m = 1 never above 0.2257 of it."""
    instance = zoo.random_gaussian(seed)
    (row,) = check("T7", instance)
    if instance.parts.A.size == 1:
        assert row.tightness <= locality.BEST_SINGLE_SITE_RATIO + 1e-12


@given(st.integers(0, 200))
@settings(max_examples=5)
def test_t7_sampled(seed):
    """The same on spins under Gaussian noise."""
    check("T7", zoo.random_spins(seed), seed)


def test_t7_best_ratio_on_gaussian_fields():
    """max_I (1 - exp(-2I))/(4 sqrt I) = 0.2256, and a field in the zoo attains it."""
    best = minimize_scalar(
        lambda x: math.expm1(-2.0 * x) / (4.0 * math.sqrt(x)), bounds=(0.1, 3.0), method="bounded"
    )
    assert -best.fun == pytest.approx(locality.BEST_SINGLE_SITE_RATIO, abs=1e-9)
    assert math.expm1(2.0 * best.x) == pytest.approx(locality.BEST_SINGLE_SITE_SNR, rel=1e-4)
    row = next(r for r in verified().of("T7") if r.instance == "copied Gaussian, best snr")
    assert row.tightness == pytest.approx(locality.BEST_SINGLE_SITE_RATIO, abs=1e-12)


# T8.


@given(SEEDS)
def test_t8_discrete(seed):
    """I(A~;C|B) <= I(A;C|B) and I(A;C~|B) <= I(A;C|B) as the noise grows."""
    check("T8", zoo.random_discrete(seed))


@given(SEEDS)
@FEW
def test_t8_gaussian(seed):
    """The same on Gaussian laws."""
    check("T8", zoo.random_gaussian(seed))


@given(SEEDS, st.floats(0.0, 1.0))
@FEW
def test_t8_erasure_is_linear(seed, s):
    """Erasing a one-site A with probability s leaves exactly (1 - s) I(A;C|B)."""
    instance = zoo.random_discrete(seed)
    assume(isinstance(instance.law.noise, Erasure) and instance.parts.A.size == 1)
    after = cmi(instance.law.then(Erasure(s), instance.parts.A), instance.parts).value
    before = cmi(instance.law, instance.parts).value
    assert after == pytest.approx((1.0 - s) * before, abs=1e-12)


def test_t8_is_tight():
    """A little noise takes little away."""
    rows = verified().of("T8")
    for text in ("I(A~;C|B) <= I(A;C|B)", "I(A;C~|B) <= I(A;C|B)"):
        assert 0.999 < find(rows, text).tightness <= 1.0


def test_t8_noise_on_the_buffer_raises_the_cmi():
    """Noise on B takes I(A;C|B) from 8.3e-7 to 0.37 nats, by direct sums over eight states."""
    instance = processing.noisy_buffer()
    law = brute.ising(3, [(0, 1), (0, 2), (1, 2)], [2.5, 0.05, 2.5])
    clear, hidden = brute.bit_flip(0.0), brute.bit_flip(processing.NOISY_BUFFER)
    before = brute.cmi(law, [0], [1], [2])
    after = brute.cmi(brute.noisy(law, [clear, hidden, clear]), [0], [1], [2])
    assert before == pytest.approx(8.292e-7, rel=1e-3)
    assert after == pytest.approx(0.36879, rel=1e-4)
    assert after > 10.0 * before
    noisy = instance.law.then(BitFlip(processing.NOISY_BUFFER), [1])
    assert cmi(instance.law, instance.parts).value == pytest.approx(before, abs=1e-12)
    assert cmi(noisy, instance.parts).value == pytest.approx(after, abs=1e-12)


# T9.


@given(SEEDS)
@FEW
def test_t9_spins(seed):
    """I(A;B_1 C) = I(A;B_1) on a random graph without noise."""
    prior = zoo.ising_graph(int(4 + seed % 6), seed)
    site = seed % prior.lattice.n_sites
    for kind in (BitFlip, Erasure):
        law = prior.noised(kind(0.0))
        if kind is Erasure and law.n_sites > 7:
            continue
        check("T9", zoo.Instance("graph", law, prior.lattice.tripartition(site, 1)))


@given(SEEDS, st.floats(0.01, 5.0))
@FEW
def test_t9_gaussian(seed, mass):
    """The same for a nearest-neighbour precision on a torus."""
    field = zoo.neighbour_field(Lattice.grid((4, 5), periodic=True), mass)
    centre = (seed % 4, seed % 5)
    parts = field.lattice.tripartition(centre, 1, size=1)
    check("T9", zoo.Instance("torus", field.noised(Gaussian(0.0)), parts))


def test_t9_hidden_networks_do_not_screen():
    """With noise, I(A;C|B_1) > 0: direct sums on a chain of four spins."""
    law = brute.ising(4, [(0, 1), (1, 2), (2, 3)], [1.0] * 3)
    noisy = brute.noisy(law, [brute.bit_flip(0.3)] * 4)
    assert brute.cmi(law, [0], [1], [2, 3]) == pytest.approx(0.0, abs=1e-12)
    prior = zoo.ising_grid((4,), 1.0, 0.0)
    parts = prior.lattice.tripartition(0, 1)
    instance = zoo.Instance("chain", prior.noised(BitFlip(0.0)), parts)
    (row,) = THEOREMS["T9"].wrong(instance, 0)
    assert row.slack == pytest.approx(-brute.cmi(noisy, [0], [1], [2, 3]), abs=1e-12)
    assert not row.holds


# T10.


@given(SEEDS)
def test_t10_discrete(seed):
    """E x<x> = E <x>^2 and P(x = x') = P(x' = x''), for full and local denoisers."""
    check("T10", zoo.random_discrete(seed))


@given(SEEDS)
@FEW
def test_t10_gaussian(seed):
    """E x<x> = E <x>^2 on Gaussian laws."""
    check("T10", zoo.random_gaussian(seed))


@given(st.integers(0, 200))
@settings(max_examples=5)
def test_t10_sampled(seed):
    """Both on spins under Gaussian noise, with paired error bars."""
    check("T10", zoo.random_spins(seed), seed)


def test_t10_against_brute_force():
    """The overlap of truth and posterior mean, by direct sums over every pair (x, y)."""
    glass = zoo.ising_graph(4, 13)
    edges = [tuple(edge) for edge in glass.lattice.edges.tolist()]
    law = brute.ising(4, edges, glass.coupling.tolist(), fields=glass.field.tolist())
    noise = [brute.bit_flip(0.4)] * 4
    overlap = math.fsum(
        p * x[2] * brute.posterior_mean(law, noise, y, region=range(4))[2]
        for (x, y), p in brute.joint(law, noise).items()
    )
    parts = Tripartition(A=[2], B=[1], C=[0, 3])
    row = check("T10", zoo.Instance("glass", glass.noised(BitFlip(0.4)), parts))[0]
    assert row.lhs == pytest.approx(overlap, abs=1e-12)
    assert row.rhs == pytest.approx(overlap, abs=1e-12)


# T12.


@given(SEEDS)
@settings(max_examples=5)
def test_t12_random_fields(seed):
    """KL(p_0||p-hat_0) <= 1/2 int g^2 sum_i Delta_i^2 dt on a chain of random couplings."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 6))
    law = zoo.random_field(n, seed).noised(Gaussian(0.98))
    radius = int(rng.integers(0, 3))
    parts = law.lattice.tripartition(0, radius)
    check("T12", zoo.Instance("random", law, parts, radius=radius))


def test_t12_is_tight_without_a_buffer():
    """At r = 0 the denoisers undo a product of one-site laws: the bound is an equality."""
    text = "KL(p_0||p-hat_0) <= 1/2 int g^2 sum_i Delta_i^2 dt"
    for name in ("chain", "ring", "torus 4x4"):
        row = find(verified().of("T12"), text, f"{name}, r = 0")
        assert 0.9999 < row.tightness < 1.0
    assert find(verified().of("T12"), text, "ring, r = 2").tightness < 0.9


def test_t12_product_law_in_closed_form():
    """At r = 0 the samples are a product law: KL = sum log V_i / 2 - log det / 2 as T -> 1."""
    clean = zoo.random_field(4, 5).noised(Gaussian(0.0))
    spread = covariance(clean)
    total = 0.5 * (np.log(np.diag(spread)).sum() - np.linalg.slogdet(spread)[1])
    bound = path_integral(clean.prior, 0.0, 0.999)
    assert bound == pytest.approx(total, abs=1e-5)
    end = reverse_covariance(spread, np.eye(4, dtype=bool), 0.999)
    assert end == pytest.approx(np.diag(np.diag(spread)), abs=1e-4)


def test_t12_full_score_returns_the_data():
    """With every window the whole lattice, KL(p_0||p-hat_0) = 0 to the ODE's accuracy."""
    spread = covariance(zoo.random_field(5, 6).noised(Gaussian(0.0)))
    end = reverse_covariance(spread, np.ones((5, 5), dtype=bool), 0.99)
    assert end == pytest.approx(spread, rel=1e-8)


def test_t12_scores_are_those_of_the_noisy_law():
    """Row i of the local score matrix is `score` of the noisy law on window i."""
    field = zoo.neighbour_field(Lattice.chain(6), 0.3)
    law = field.noised(Gaussian(0.4))
    reads = windows(field.lattice, 1)
    for site, row in enumerate(reads):
        matrix, offset = linear_part(law.score, law, row)
        inverse = np.linalg.inv(covariance(law)[np.ix_(row, row)])
        assert offset == pytest.approx(np.zeros(6), abs=1e-12)
        expected = -inverse[np.flatnonzero(row).tolist().index(site)]
        assert matrix[site, row] == pytest.approx(expected, abs=1e-10)


def test_t12_euler_steps_approach_the_ode():
    """The error of explicit Euler steps of the reverse SDE's covariance halves with the step."""
    spread = covariance(zoo.random_field(3, 7).noised(Gaussian(0.0)))
    reads = np.abs(np.subtract.outer(range(3), range(3))) <= 1
    start = 0.9
    exact = reverse_covariance(spread, reads, start)

    def euler(steps):
        P = (1 - start) ** 2 * spread + start**2 * np.eye(3)
        dt = start / steps
        for k in range(steps):
            t = start - k * dt
            noisy = (1 - t) ** 2 * spread + t**2 * np.eye(3)
            g2 = 2 * t / (1 - t)
            local = np.zeros((3, 3))
            for i, row in enumerate(reads):
                sites = np.flatnonzero(row)
                inverse = np.linalg.inv(noisy[np.ix_(sites, sites)])
                local[i, sites] = inverse[list(sites).index(i)]
            step = np.eye(3) + dt * (np.eye(3) / (1 - t) - g2 * local)
            P = step @ P @ step.T + dt * g2 * np.eye(3)
        return np.abs(P - exact).max()

    assert euler(4000) / euler(8000) == pytest.approx(2.0, rel=0.05)


def test_t12_refuses_a_start_outside_the_path():
    with pytest.raises(ValueError, match=r"start=1\.0"):
        reverse_covariance(np.eye(2), np.eye(2, dtype=bool), 1.0)


def test_public_names():
    assert set(theorems.__all__) == {"THEOREMS", "Relation", "Theorem", "Verification", "verify"}
