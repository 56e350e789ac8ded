"""Generation by local and global steps, recovery errors, quality: against exact laws."""

import math

import numpy as np
import pytest
import scipy.linalg
import xarray as xr
from scipy.stats import norm

import phasetheory as pt
from phasetheory import schedules

torch = pytest.importorskip("torch", reason="torch is not installed: the optional extra [torch]")

from phasetheory.neural import (  # noqa: E402
    Denoiser,
    LocalDenoiser,
    Steps,
    Training,
    UNet,
    Windowed,
    accuracy,
    denoise_from,
    features,
    frechet_distance,
    gap_scan,
    generate,
    operations,
    recovery_errors,
    train_classifier,
    two_sample_test,
    window_of_steps,
    with_ends,
)
from phasetheory.sampling.reverse import reverse_from  # noqa: E402
from phasetheory.sampling.reverse_gaussian import flow_step  # noqa: E402
from phasetheory.sampling.reverse_state import ReverseState  # noqa: E402

torch.set_num_threads(1)

SHAPE = (3, 4)
LATTICE = pt.Lattice.grid(SHAPE)
TIMES = np.linspace(1.0, 0.0, 9)
VP = schedules.variance_preserving()


def field(scale: float = 0.3) -> pt.GaussianField:
    """A field with a mean and correlations of its own at every site."""
    rng = np.random.default_rng(3)
    apart = np.linalg.norm(
        np.indices(SHAPE).reshape(2, -1).T[:, None] - np.indices(SHAPE).reshape(2, -1).T, axis=-1
    )
    covariance = scale**2 * (np.exp(-apart / 1.5) + 0.1 * np.diag(rng.uniform(size=12)))
    return pt.GaussianField(LATTICE, mean=rng.uniform(0.2, 0.8, 12), covariance=covariance)


def exact(prior, schedule=schedules.linear, **more) -> Denoiser:
    """The Bayes denoiser as a torch network with an optional window, in float64."""

    def network(x, time, window=None):
        law = prior.noised(pt.Gaussian(float(time[0]), schedule))
        region = None if window is None else np.flatnonzero(window.numpy().ravel())
        clean = law.denoise(x.reshape(len(x), -1).numpy(), region)
        return torch.from_numpy(np.asarray(clean)).reshape(x.shape)

    return Denoiser(
        network, "x0", schedule, shape=SHAPE, outside="window", image_range=None, **more
    )


def start(n=40, seed=1):
    return np.random.default_rng(seed).standard_normal((n, 12))


def test_the_step_is_the_flow_step():
    """Linear schedule: y - dt (z-hat - x0-hat), from the data to noise velocity."""
    prior, y = field(), start()
    law, t, s = prior.noised(pt.Gaussian(0.8)), 0.8, 0.55
    clean = law.denoise(y)
    velocity = (y - (1 - t) * clean) / t - clean
    found = denoise_from(y, exact(prior), Steps([t, s]))
    np.testing.assert_allclose(found, y - (t - s) * velocity, atol=1e-12)


@pytest.mark.parametrize("schedule", [schedules.linear, VP])
@pytest.mark.parametrize("window", [None, 1])
@pytest.mark.parametrize("order", [1, 2])
def test_steps_match_the_exact_sampler(schedule, window, order):
    """Global or through windows, first or second order: the package's own exact flow."""
    prior, y = field(), start()

    def noise(t):
        return pt.Gaussian(t, schedule)

    times = 0.99 * TIMES
    denoiser = exact(prior, schedule)
    local = denoiser if window is None else Windowed(denoiser, LATTICE, window)
    found = denoise_from(y, local, Steps(times), noise=noise, order=order)
    if order == 2:
        wanted = reverse_from(y, prior, noise, times=times, method="flow", window=window)
    else:
        state = ReverseState(y, noise(0.99))
        for t in times[1:]:
            state, _ = flow_step(state, prior, noise(float(t)), window=window, order=1)
        wanted = state.y
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def linear_map(denoisers, steps, order=1):
    """The affine map from noise to data: offset and matrix, read off from unit vectors."""
    y = np.vstack([np.zeros(12), np.eye(12)])
    out = denoise_from(y, denoisers, steps, order=order)
    return out[0], (out[1:] - out[0]).T


def test_covariance_converges_to_the_exact_one_at_the_order_of_the_scheme():
    """Exact flows carry white noise to the law: error of first and second order in the step.

    Times (k/K)^2 are fine where alpha/sigma grows fast; halving the step divides the error by 2^p.
    """
    prior = field()
    covariance = prior.covariance.block(np.arange(12), np.arange(12))
    wanted = np.column_stack([covariance, prior.mean])
    for order, least in ((1, 1.7), (2, 3.0)):
        found = []
        for steps in (16, 32, 64):
            times = np.linspace(1.0, 0.0, steps + 1) ** 2
            offset, matrix = linear_map(exact(prior), Steps(times), order)
            found.append(np.column_stack([matrix @ matrix.T, offset]))
        errors = [np.abs(each - wanted).max() for each in found]
        ratios = np.array(errors[:-1]) / errors[1:]
        assert (ratios > least).all() and (ratios < 2.4**order).all(), (order, errors)
        # Without its leading error the scheme has little left: the limit is the exact law.
        limit = (2**order * found[-1] - found[-2]) / (2**order - 1)
        assert np.abs(limit - wanted).max() < 0.25 * errors[-1]


def test_samples_have_the_covariance_of_the_map():
    """The law of `generate` is white noise through the map, within errors of its moments."""
    prior = field()
    steps = Steps(TIMES, [math.inf] * 4 + [1] * 4)
    denoisers = {math.inf: exact(prior), 1: Windowed(exact(prior), LATTICE, 1)}
    offset, matrix = linear_map(denoisers, steps)
    x = generate(denoisers, steps, n=4000, shape=SHAPE, rng=5).reshape(4000, 12)
    wanted = matrix @ matrix.T
    spread = np.sqrt(np.diag(wanted))
    assert (np.abs(x.mean(axis=0) - offset) < 5 * spread / np.sqrt(4000)).all()
    error = np.sqrt((np.outer(spread, spread) ** 2 + wanted**2) / 4000)
    assert (np.abs(np.cov(x, rowvar=False) - wanted) < 5 * error).all()


def test_a_mixed_schedule_is_its_parts_in_turn():
    prior, y = field(), start()
    denoisers = {math.inf: exact(prior), 1: Windowed(exact(prior), LATTICE, 1)}
    radii = [1, 1, math.inf, math.inf, math.inf, 1, 1, 1]
    whole = denoise_from(y, denoisers, Steps(TIMES, radii))
    for k, radius in enumerate(radii):
        y = denoise_from(y, denoisers[radius], Steps(TIMES[k : k + 2]))
    np.testing.assert_array_equal(whole, y)


def test_images_do_not_depend_on_batches():
    network = UNet(4, seed=1)
    torch.nn.init.normal_(network.leave.weight, generator=torch.Generator().manual_seed(2))
    steps = Steps(TIMES)
    all_ = generate(Denoiser(network), steps, n=7, shape=(8, 8), rng=3)
    few = generate(Denoiser(network, batch_size=2), steps, n=4, shape=(8, 8), rng=3)
    # float32 sums in another order, through eight steps.
    np.testing.assert_allclose(few, all_[:4], atol=1e-4)
    assert np.abs(all_[0] - all_[1]).max() > 0.1


def test_hybrid_schedules_and_circuits_are_steps():
    prior, y = field(), start()
    circuit = pt.Circuit(LATTICE, TIMES, 1, "simultaneous")
    denoisers = {1: Windowed(exact(prior), LATTICE, 1)}
    np.testing.assert_array_equal(
        denoise_from(y, denoisers, circuit), denoise_from(y, denoisers, Steps(TIMES, 1))
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: Steps([0.0, 1.0]), "strictly decreasing"),
        (lambda d: Steps([1.0]), "at least two"),
        (lambda d: Steps([1.0, 0.5, 0.0], [1, 1, 1]), "or 2 of them"),
        (lambda d: Steps([1.0, 0.0], -1), "radius=-1"),
        (lambda d: generate(d, Steps([0.5, 0.0]), n=2, shape=SHAPE), "data are visible there"),
        (lambda d: generate(d, Steps([1.0, 0.0]), n=0, shape=SHAPE), "n=0"),
        (lambda d: generate({1: d}, Steps([1.0, 0.0], 2), n=2, shape=SHAPE), "steps need radius 2"),
        (lambda d: generate(d, Steps([1.0, 0.0]), n=2, shape=SHAPE, order=3), "order=3"),
        (
            lambda d: generate({2: Denoiser(LocalDenoiser(1, SHAPE, 4))}, Steps([1, 0], 2), n=1,
                               shape=SHAPE),
            "under radius 2 has radius 1",
        ),
    ],
)  # fmt: skip
def test_bad_generation(call, message):
    with pytest.raises(ValueError, match=message):
        call(exact(field()))


# Recovery errors and where the window goes.


def clipped(n, seed):
    """Samples of a narrow field, all in [0, 1]: the tail outside is less than 1e-5 of them."""
    prior = field(0.04)
    x = prior.sample(n, rng=seed)
    assert x.min() >= 0.0 and x.max() <= 1.0
    return prior, x.reshape(n, *SHAPE)


def test_recovery_errors_are_the_exact_ones():
    """One-shot errors are posterior variances; the excess is T5's gap; errors are honest."""
    prior, images = clipped(1500, 4)
    denoisers = {
        0: Windowed(exact(prior), LATTICE, 0), 1: Windowed(exact(prior), LATTICE, 1),
        math.inf: exact(prior),
    }  # fmt: skip
    times = [0.02, 0.05]
    found = recovery_errors(denoisers, images, t=times, n_steps=4, rng=5)
    gaps = gap_scan(denoisers, images, t=times, rng=6)
    covariance = prior.covariance.block(np.arange(12), np.arange(12))
    for i, t in enumerate(times):
        mmse = {}
        for radius in denoisers:
            each = []
            for site in range(12):
                inside = np.flatnonzero(LATTICE.distances([site]) <= radius)
                noisy = (1 - t) ** 2 * covariance[np.ix_(inside, inside)]
                noisy += t**2 * np.eye(len(inside))
                across = (1 - t) * covariance[site, inside]
                each.append(covariance[site, site] - across @ np.linalg.solve(noisy, across))
            mmse[radius] = np.mean(each)
        for radius in denoisers:
            row = found.sel(radius=radius).isel(t=i)
            assert abs(row.error - mmse[radius]) < 5 * row.error_stderr
            excess = mmse[radius] - mmse[math.inf]
            assert abs(row.excess - excess) < 5 * row.excess_stderr + 1e-15
            if radius < math.inf:
                gap = gaps.locality_gap.sel(radius=radius).isel(t=i)
                stderr = gaps.locality_gap_stderr.sel(radius=radius).isel(t=i)
                assert abs(gap - (1 - t) ** 2 / t**4 * excess) < 5 * stderr
                # Pairing pays: unpaired errors would add in squares.
                wide = found.error_stderr.sel(radius=math.inf).isel(t=i)
                assert row.excess_stderr < 0.75 * np.hypot(row.error_stderr, wide)
    # A flow ends at a sample, whose error is up to twice the posterior variance.
    assert (found.path_error.sel(radius=math.inf) > found.error.sel(radius=math.inf)).all()
    assert float(found.path_excess.sel(radius=math.inf).max()) == 0.0


def test_the_window_goes_where_the_gap_is_and_can_be_shifted():
    times = np.linspace(1.0, 0.0, 11)
    grid = np.linspace(0.05, 0.95, 19)
    gap = np.exp(-(((grid - 0.4) / 0.1) ** 2)) * (1 - grid) / (2 * grid)
    scan = xr.Dataset(
        {
            "locality_gap": (("t", "radius"), gap[:, None]),
            "locality_gap_stderr": (("t", "radius"), 0 * gap[:, None]),
            "size_A": ("radius", [1]), "size_B": ("radius", [8]), "size_C": ("radius", [91]),
        },
        coords={"t": grid, "radius": [1.0]}, attrs={"n_sites": 100},
    )  # fmt: skip
    made = window_of_steps(scan, times=times, radius=1, n_global=2)
    # g^2 gap is symmetric about t = 0.4: the two steps that meet there.
    np.testing.assert_allclose(made.window, [(0.3, 0.5)])
    assert made.n_global == made.shifted(made.room[1]).n_global == 2
    assert made.cost == made.shifted(made.room[0]).cost == 2 * 100**2 + 8 * 100 * 9
    assert made.predicted[np.isfinite(made.radius)].sum() == pytest.approx(made.kl_bound)
    for bad in (0, 11, 1.5):
        with pytest.raises(ValueError, match="n_global="):
            window_of_steps(scan, times=times, radius=1, n_global=bad)


def test_a_map_of_images_is_carried_to_both_ends():
    scan = pt.scan(field(), pt.Gaussian, t=[0.1, 0.5, 0.9], radius=[1], centre=(1, 1))
    ends = with_ends(scan)
    np.testing.assert_allclose(ends.t, [0.0, 0.1, 0.5, 0.9, 1.0])
    assert float(ends.cmi[0, 0]) == float(scan.cmi[0, 0]) and float(ends.cmi[-1, 0]) == 0.0
    ends.attrs["n_sites"] = 12
    assert window_of_steps(ends, times=[1, 0.7, 0.4, 0], radius=1, n_global=1).n_global == 1
    with pytest.raises(ValueError, match="cmi"):
        with_ends(scan.drop_vars("cmi"))


# Quality.


def test_frechet_distance_is_that_of_the_fitted_gaussians():
    """Against scipy's matrix root; and against the closed form for the laws that were sampled."""
    rng = np.random.default_rng(1)
    mix, shift = rng.standard_normal((4, 4)), np.array([0.5, 0.0, -0.3, 0.0])
    x, y = rng.standard_normal((5000, 4)), rng.standard_normal((4000, 4)) @ mix.T + shift
    found = frechet_distance(x, y, rng=2)
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(a @ b).real
    by_hand = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b - 2 * root)
    assert found.value == pytest.approx(by_hand, rel=1e-9)
    wanted = shift @ shift + np.trace(np.eye(4) + mix @ mix.T) - 2 * np.linalg.svd(mix)[1].sum()
    assert abs(found.value - wanted) < 5 * found.stderr
    assert frechet_distance(x, x, n_bootstrap=2, rng=3).value == pytest.approx(0, abs=1e-9)


def test_frechet_error_bar_has_the_size_of_the_scatter():
    rng = np.random.default_rng(4)
    values, errors = [], []
    for _ in range(60):
        x, y = rng.standard_normal((300, 2)), rng.standard_normal((300, 2)) + 0.7
        found = frechet_distance(x, y, n_bootstrap=40, rng=rng)
        values.append(found.value)
        errors.append(found.stderr)
    # The scatter of 60 runs is known to 1/sqrt(120), 9 %; three times that.
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.3)


def test_frechet_bad_input():
    with pytest.raises(ValueError, match="n > 4"):
        frechet_distance(np.zeros((4, 4)), np.zeros((9, 4)))
    with pytest.raises(ValueError, match="made holds NaN"):
        frechet_distance(np.ones((5, 1)), np.full((5, 1), np.nan))


JUDGE = Training(steps=150, batch_size=64, learning_rate=3e-3, progress=False)


def test_two_sample_test_is_bounded_by_the_bayes_error_and_close_to_it():
    """N(0,1) and N(shift,1) on 16 pixels: no test is right more often than Phi(4 shift / 2)."""
    rng = np.random.default_rng(6)
    x = rng.standard_normal((2400, 4, 4))
    for shift in (0.0, 0.5):
        found = two_sample_test(x[:1200], x[1200:] + shift, JUDGE, rng=7, width=4, n_features=8)
        best = norm.cdf(4 * shift / 2)
        error = np.sqrt(found.value * (1 - found.value) / 1200)
        assert found.stderr == pytest.approx(error, rel=1e-3) and found.n_samples == 1200
        assert found.value < best + 4 * found.stderr
        assert found.value > 0.5 + 0.85 * (best - 0.5) - 4 * found.stderr


def test_a_classifier_learns_resumes_and_gives_features(tmp_path):
    rng = np.random.default_rng(8)
    labels = rng.integers(3, size=600)
    images = 0.3 * rng.uniform(size=(600, 6, 6))
    images[np.arange(600), labels, :] += 0.6  # a bright row names the class
    path = tmp_path / "c.ckpt"
    made = train_classifier(images[:400], labels[:400], JUDGE, checkpoint=path)
    assert accuracy(made, images[400:], labels[400:]).value > 0.95
    assert features(made, images[400:]).shape == (200, 32)
    again = train_classifier(images[:400], labels[:400], JUDGE, checkpoint=path)
    np.testing.assert_array_equal(features(again, images), features(made, images))
    with pytest.raises(ValueError, match="belongs to other"):
        train_classifier(images[:400], labels[:400][::-1], JUDGE, checkpoint=path)
    with pytest.raises(ValueError, match="labels has shape"):
        train_classifier(images, labels[:4], JUDGE)


# Cost.


def test_operations_by_hand():
    """Local: entrance 3w, r blocks of 9w^2 + w^2, one of 2w^2, exit w a pixel; features of t."""
    r, w, pixels = 2, 8, 5 * 7
    by_hand = pixels * (3 * w + r * 10 * w**2 + 2 * w**2 + w) + (r + 1) * 16 * 2 * w
    assert operations(LocalDenoiser(r, (5, 7), w), (5, 7)) == by_hand
    attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)

    class Alone(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = attention

        def forward(self, x, t):
            tokens = x.reshape(1, -1, 8)
            return self.attention(tokens, tokens, tokens)[0]

    # Ten tokens of width 8: q, k, v and the output, then q k and its product with v.
    assert operations(Alone(), (8, 10)) == 4 * 10 * 64 + 2 * 100 * 8
    wide, narrow = operations(UNet(32), (16, 16)), operations(UNet(16), (16, 16))
    assert 3.0 < wide / narrow < 4.0  # w^2, but for entrance, exit, attention


# The figure, on its committed rows.


def test_committed_figure_says_what_it_claims():
    """A quarter of global steps helps more in the middle than at either end, at equal cost."""
    from paper_figures import global_steps_help_images_most_in_the_middle as figure
    from paper_figures import runner
    from paper_figures.store import Rows

    def missing(task):
        raise AssertionError(f"no committed row for {task}")

    store = Rows(runner.ROWS / f"{figure.NAME}.jsonl")
    rows = store.get_or_compute(figure.tasks(False), missing)
    windows = sorted((r for r in rows if r["part"] == "window"), key=lambda r: r["first"])
    middle = windows[len(windows) // 2]
    for end in (windows[0], windows[-1]):
        error = np.hypot(end["frechet_stderr"], middle["frechet_stderr"])
        assert end["frechet"] - middle["frechet"] > 3 * error, end["first"]
        assert end["operations"] == middle["operations"]
    best, local = (
        next(r for r in rows if r["part"] == "uniform" and r["radius"][0] == radius)
        for radius in ("inf", figure.RADIUS)
    )
    real = next(r for r in rows if r["part"] == "real")
    for name in ("frechet", "detected"):
        between = [row[name] for row in windows]
        assert real[name] < best[name] < min(between) and max(between) < local[name]
    recovery = next(r for r in rows if r["part"] == "recovery")
    # The local excess is largest near the middle, for every radius.
    peak = np.array(figure.TIMES)[np.argmax(np.array(recovery["excess"])[:, :-1], axis=0)]
    assert ((peak >= 0.4) & (peak <= 0.6)).all()
