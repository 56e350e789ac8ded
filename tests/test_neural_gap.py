"""The locality gap of learned denoisers, calibrated on denoisers that are exact."""

import numpy as np
import pytest

import phasetheory as pt
from phasetheory import schedules

torch = pytest.importorskip("torch", reason="torch is not installed: the optional extra [torch]")

from phasetheory.neural import (  # noqa: E402
    Denoiser,
    Training,
    UNet,
    gap_bound,
    gap_curve,
    information_bound,
    locality_gap,
    train_denoiser,
)

torch.set_num_threads(1)

SHAPE = (4, 4)


def field() -> pt.GaussianField:
    place = np.indices(SHAPE).reshape(2, -1).T
    distance = np.abs(place[:, None] - place).sum(axis=2)
    return pt.GaussianField(pt.Lattice.grid(SHAPE), mean=0.4, covariance=0.1 * 0.7**distance)


def exact_denoiser(prior, *, outside="window", window=None, spoil=0.0) -> Denoiser:
    """The Bayes denoiser as a torch callable; `window` fixes what it sees, `spoil` shifts it."""

    def network(x, time, **given):
        law = prior.noised(pt.Gaussian(float(time[0])))
        seen = window if window is not None else given.get("window")
        region = None if seen is None else np.asarray(seen).ravel()
        clean = law.denoise(x.reshape(len(x), -1).numpy(), region)
        return torch.from_numpy(clean + spoil).reshape(x.shape)

    return Denoiser(network, "x0", schedules.linear, shape=SHAPE, outside=outside, image_range=None)


@pytest.mark.parametrize("t", [0.2, 0.5])
@pytest.mark.parametrize("size", [1, 2])
def test_gap_of_exact_denoisers(t, size):
    """Both measures agree with the closed form within their errors, for a window and for a pair."""
    prior, noise = field(), pt.Gaussian(t)
    parts = prior.lattice.tripartition((0, 0), 1, size)
    truth = pt.locality_gap(prior.noised(noise), parts)
    assert truth.exact
    images = prior.sample(3000, rng=1)
    near = prior.lattice.mask(parts.union("AB"))
    for local in (None, exact_denoiser(prior, window=near)):
        found = locality_gap(exact_denoiser(prior), images, noise, parts, local=local, rng=2)
        for estimate in (found.gap, found.excess):
            assert abs(estimate.value - truth.value) < 4.0 * estimate.stderr
            assert estimate.unit == truth.unit and estimate.n_samples == 3000
        assert found.gap.stderr < 0.05 * truth.value  # small enough to tell a wrong factor
        # T7 read backwards is below the exact CMI, by the theorem.
        assert found.cmi_bound.value < pt.cmi(prior.noised(noise), parts).value


def test_parts_that_leave_sites_out():
    """Where A, B, C do not cover the lattice, the global denoiser too sees only them."""
    prior, noise = field(), pt.Gaussian(0.3)
    parts = pt.Tripartition(A=[5], B=[6], C=[4])
    truth = pt.locality_gap(prior.noised(noise), parts).value
    found = locality_gap(exact_denoiser(prior), prior.sample(2000, rng=3), noise, parts, rng=4)
    assert abs(found.gap.value - truth) < 4.0 * found.gap.stderr


def test_a_biased_local_denoiser_shows_in_both_measures():
    """T5 (Pythagoras): a shift of the local denoiser adds its square to gap and excess alike."""
    prior, noise = field(), pt.Gaussian(0.4)
    parts = prior.lattice.tripartition((2, 2), 1)
    near = prior.lattice.mask(parts.union("AB"))
    worse = exact_denoiser(prior, window=near, spoil=0.2)
    images = prior.sample(3000, rng=5)
    found = locality_gap(exact_denoiser(prior), images, noise, parts, local=worse, rng=6)
    scale = 0.6**2 / 0.4**4
    wanted = pt.locality_gap(prior.noised(noise), parts).value + scale * 0.2**2
    assert abs(found.gap.value - wanted) < 4.0 * found.gap.stderr
    assert abs(found.excess.value - wanted) < 4.0 * found.excess.stderr
    # Negative control: the gap of the exact pair is many errors away.
    assert found.gap.value - pt.locality_gap(prior.noised(noise), parts).value > (
        10.0 * found.gap.stderr
    )


def test_error_bars_cover():
    """The exact value lies within 2 stderr in most of 40 independent measurements."""
    prior, noise = field(), pt.Gaussian(0.3)
    parts = prior.lattice.tripartition((1, 2), 1)
    truth = pt.locality_gap(prior.noised(noise), parts).value
    denoiser, rng = exact_denoiser(prior), np.random.default_rng(7)
    hits = 0
    for _ in range(40):
        found = locality_gap(denoiser, prior.sample(200, rng=rng), noise, parts, rng=rng).gap
        hits += abs(found.value - truth) < 2.0 * found.stderr
    # Binomial(40, 0.95) falls below 33 with probability 0.3 %.
    assert hits >= 33


def test_bounds():
    r"""T7 at m = 1: Delta^2 = 4 sqrt(I)/sigma^2, and the two readings invert each other."""
    assert gap_bound(0.25, 0.5).value == pytest.approx(4.0 * 0.5 / 0.25)
    assert gap_bound(0.25, 0.5).exact
    for m in (1, 4):
        there = gap_bound(pt.Estimate(0.09, 0.01, 100, 100.0), 0.7, m)
        back = information_bound(there, 0.7, m)
        assert back.value == pytest.approx(0.09) and back.stderr == pytest.approx(0.01)
    assert np.isnan(gap_bound(pt.Estimate(-0.01, 0.02, 100, 100.0), 0.5).value)
    with pytest.raises(ValueError, match="sigma"):
        gap_bound(0.1, 0.0)


def test_curve_over_times_with_a_trained_network():
    """A U-Net with and without a window on small images: a table over t."""
    images = np.random.default_rng(8).uniform(size=(40, 6, 6))
    network = UNet(4, windowed=True)
    settings = Training(steps=3, batch_size=8, progress=False)
    losses = train_denoiser(network, images, settings, windows=[1])
    assert losses.shape == (3,) and np.isfinite(losses).all()
    parts = pt.Lattice.grid((6, 6)).tripartition((3, 3), 1)
    denoiser = Denoiser(network, outside="channel")
    curve = gap_curve(denoiser, images, pt.Gaussian, t=[0.3, 0.6], parts=parts, rng=9)
    assert curve.sizes == {"t": 2} and (curve.gap > 0).all() and (curve.gap_stderr > 0).all()
    assert curve.attrs["window"] == "channel" and curve.gap.attrs["units"] == "1/y^2"


@pytest.mark.parametrize(
    ("images", "noise", "parts", "message"),
    [
        (np.full((3, 4, 4), 2.0), pt.Gaussian(0.3), None, "outside the declared data_range"),
        (np.zeros((3, 4, 4)), pt.Gaussian(0.0), None, "sigma = 0"),
        (np.zeros((3, 4, 4)), pt.Gaussian(0.3), pt.Tripartition([0], [], [20]), "site 20"),
        (np.zeros((3, 2, 4, 4)), pt.Gaussian(0.3), None, "shape"),
    ],
)
def test_bad_input(images, noise, parts, message):
    denoiser = Denoiser(lambda x, t: x, "x0", outside="noise")
    parts = parts or pt.Lattice.grid(SHAPE).tripartition((1, 1), 1)
    with pytest.raises(ValueError, match=message):
        locality_gap(denoiser, images, noise, parts)
