"""Any torch denoiser becomes E[x_0|x_t]: checked on the exact denoisers of solvable laws."""

import subprocess
import sys

import numpy as np
import pytest

import phasetheory as pt
from phasetheory import schedules

torch = pytest.importorskip("torch", reason="torch is not installed: the optional extra [torch]")

from phasetheory.neural import Denoiser, LocalDenoiser, UNet, load_network, save_network  # noqa: E402
from phasetheory.neural.parametrisations import PREDICTS, rates, to_prediction, to_x0  # noqa: E402

torch.set_num_threads(1)

SHAPE = (3, 3)
ALPHA_BAR = np.cumprod(1.0 - np.linspace(1e-3, 0.2, 50))
SCHEDULES = {
    "linear": schedules.linear,
    "vp": schedules.variance_preserving(),
    "ve": schedules.variance_exploding(40.0),
    "ou": schedules.ornstein_uhlenbeck(5.0),
}


def slopes(name, t):
    """(d alpha/dt, d sigma/dt) of these schedules, by hand."""
    alpha, sigma = SCHEDULES[name](np.asarray(t))
    if name == "linear":
        return -1.0, 1.0
    if name == "ve":
        return 0.0, 40.0
    beta = 10.0 if name == "ou" else 0.1 + 19.9 * t
    return -0.5 * beta * alpha, 0.5 * beta * alpha**2 / sigma


def field() -> pt.GaussianField:
    """A field that is neither centred nor stationary, so that signs and sites cannot be mixed."""
    rng = np.random.default_rng(5)
    factor = rng.standard_normal((9, 9))
    covariance = 0.02 * factor @ factor.T + 0.05 * np.eye(9)
    return pt.GaussianField(
        pt.Lattice.grid(SHAPE), mean=rng.uniform(0, 1, 9), covariance=covariance
    )


def mixture() -> pt.GaussianMixture:
    rng = np.random.default_rng(6)
    means = rng.uniform(0, 1, (3, 9))
    return pt.GaussianMixture(pt.Lattice.grid(SHAPE), means=means, variance=0.01)


class ExactNetwork:
    """What a perfect network on [lo, hi] under its own schedule would return, in float64.

    Its answers come from the law of u = lo + (hi - lo) x, written down here afresh: it knows
    nothing of the conversion that the adapter makes.
    """

    def __init__(self, prior, predicts, schedule, data_range=(0.0, 1.0), undo=lambda time: time):
        self.low, self.high = data_range
        gain = self.high - self.low
        if isinstance(prior, pt.GaussianField):
            block = prior.covariance.block(np.arange(9), np.arange(9))
            self.prior = pt.GaussianField(
                prior.lattice, mean=self.low + gain * prior.mean, covariance=gain**2 * block
            )
        else:
            self.prior = pt.GaussianMixture(
                prior.lattice, means=self.low + gain * prior.means,
                variance=gain**2 * np.asarray(prior.variance),
            )  # fmt: skip
        self.kind, self.under, self.undo = predicts, schedule, undo
        self.windows = []

    def __call__(self, x, time, window=None, **conditions):
        assert x.shape[1] == 1 and time.shape == (len(x),)
        s = self.undo(float(time[0]))
        law = self.prior.noised(pt.Gaussian(s, self.under))
        y = x.reshape(len(x), -1).numpy()
        region = None if window is None else window.numpy().ravel()
        clean = law.denoise(y, region)
        self.windows.append(region)
        alpha, sigma = (float(v) for v in self.under(np.asarray(s)))
        noise = (y - alpha * clean) / sigma
        name = next((k for k, v in SCHEDULES.items() if v is self.under), None)
        slope = slopes(name, s) if self.kind.endswith("velocity") else (0.0, 0.0)
        answer = {
            "x0": clean,
            "eps": noise,
            "v": alpha * noise - sigma * clean,
            "score": law.score(y) if region is None else None,
            "velocity": slope[0] * clean + slope[1] * noise,
            "-velocity": -slope[0] * clean - slope[1] * noise,
        }[self.kind]
        return torch.from_numpy(np.asarray(answer)).reshape(x.shape)


@pytest.mark.parametrize("data_range", [(0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("predicts", PREDICTS)
def test_every_parametrisation_gives_the_bayes_denoiser(predicts, name, data_range):
    """Whatever the network predicts, on whatever range and schedule, the answer is E[x_0|x_t]."""
    prior = field()
    noise = pt.Gaussian(0.4)
    y = prior.noised(noise).sample(6, rng=1)[1]
    network = ExactNetwork(prior, predicts, SCHEDULES[name], data_range)
    denoiser = Denoiser(
        network, predicts, SCHEDULES[name], data_range=data_range, shape=SHAPE, batch_size=4
    )
    wanted = prior.noised(noise).denoise(y)
    np.testing.assert_allclose(denoiser(y, noise), wanted, atol=1e-10)
    score = prior.noised(noise).score(y)
    np.testing.assert_allclose(denoiser.score(y, noise), score, atol=1e-9)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("predicts", PREDICTS)
def test_conversions_invert_each_other(predicts, name):
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((2, 5, 7))
    for t in (0.05, 0.5, 0.9):
        there = to_prediction(x, y, predicts, SCHEDULES[name], t)
        back = to_x0(there, y, predicts, SCHEDULES[name], t)
        np.testing.assert_allclose(back, x, atol=1e-10)


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_of_schedules_known_in_closed_form(name):
    for t in (0.01, 0.3, 0.97, 1.0):
        found = rates(SCHEDULES[name], t)
        np.testing.assert_allclose(found, slopes(name, t), rtol=1e-10, atol=1e-10)


def test_flow_from_noise_to_data_and_torch_input():
    """A flow whose time runs from noise at 0 to data at 1, on a mixture, from a torch batch."""
    prior = mixture()
    noise = pt.Gaussian(0.3)
    y = prior.noised(noise).sample(5, rng=3)[1]
    network = ExactNetwork(prior, "-velocity", schedules.linear, undo=lambda time: 1.0 - time)
    denoiser = Denoiser(network, "-velocity", time=lambda t: 1.0 - t, shape=SHAPE)
    batch = torch.from_numpy(y).reshape(5, *SHAPE)
    found = denoiser(batch, noise)
    assert isinstance(found, torch.Tensor) and found.shape == batch.shape
    np.testing.assert_allclose(found.reshape(5, 9).numpy(), prior.noised(noise).denoise(y),
                               atol=1e-10)  # fmt: skip


def test_sigma_as_time():
    """A network that is told sigma/alpha (EDM) on a variance-exploding schedule."""
    prior = mixture()
    noise = pt.Gaussian(0.25)
    y = prior.noised(noise).sample(4, rng=4)[1]
    schedule = schedules.variance_exploding(10.0)
    network = ExactNetwork(prior, "x0", schedule, undo=lambda sigma: sigma / 10.0)
    denoiser = Denoiser(network, "x0", schedule, "sigma", shape=SHAPE)
    np.testing.assert_allclose(denoiser(y, noise), prior.noised(noise).denoise(y), atol=1e-10)


def test_integer_steps():
    """Steps of a trained table: the nearest one is named, and there the answer is exact."""
    prior = mixture()
    schedule = schedules.from_alpha_bar(ALPHA_BAR)
    network = ExactNetwork(prior, "eps", schedule, (-1.0, 1.0), lambda k: (k + 1) / 50)
    denoiser = Denoiser(
        network, "eps", schedule, "step", data_range=(-1.0, 1.0), shape=SHAPE, n_steps=50
    )
    y = prior.noised(pt.Gaussian(0.4)).sample(4, rng=5)[1]
    with pytest.raises(ValueError, match="whole steps only"):
        denoiser(y, pt.Gaussian(0.4))
    near = denoiser.nearest(pt.Gaussian(0.4))
    assert float(near.alpha + near.sigma) == pytest.approx(1.0)
    assert abs(float(near.sigma) - 0.4) < 0.05
    y = prior.noised(near).sample(4, rng=5)[1]
    np.testing.assert_allclose(denoiser(y, near), prior.noised(near).denoise(y), atol=1e-10)


def test_a_window_by_masked_attention():
    prior = mixture()
    noise = pt.Gaussian(0.3)
    y = prior.noised(noise).sample(5, rng=6)[1]
    network = ExactNetwork(prior, "x0", schedules.linear)
    denoiser = Denoiser(network, "x0", shape=SHAPE, outside="window")
    window = prior.lattice.tripartition((1, 0), 1).union("AB")
    spoilt = y.copy()
    spoilt[:, np.setdiff1d(np.arange(9), window)] = 1e3
    exact = prior.noised(noise).denoise(y, window)
    np.testing.assert_allclose(denoiser(spoilt, noise, window), exact, atol=1e-10)
    assert network.windows[-1].sum() == window.size
    assert denoiser(y, noise) is not None and network.windows[-1] is None


def test_a_window_as_channel_or_noise_hides_what_lies_outside():
    seen = []

    def network(x, time):
        seen.append(x.clone())
        return x[:, :1] * 0.5

    window, noise = np.zeros(9, bool), pt.Gaussian(0.5)
    window[[3, 4]] = True
    y = np.random.default_rng(0).standard_normal((400, 9))
    Denoiser(network, "x0", shape=SHAPE, outside="channel")(y, noise, window)
    assert seen[-1].shape == (400, 2, 3, 3)
    np.testing.assert_array_equal(seen[-1][0, 1].numpy().ravel(), window)
    np.testing.assert_array_equal(seen[-1][:, 0].reshape(400, 9)[:, ~window].numpy(), 0.0)
    denoiser = Denoiser(network, "x0", shape=SHAPE, outside="noise", fill=0.3)
    denoiser(y, noise, window, rng=1)
    inputs = seen[-1].reshape(400, 9).numpy()
    np.testing.assert_allclose(inputs[:, window], y[:, window])
    outside = inputs[:, ~window]
    # Fresh noise of sigma = 1/2 about alpha fill = 0.15: 2800 numbers, five standard errors.
    assert abs(outside.mean() - 0.15) < 5 * 0.5 / np.sqrt(outside.size)
    assert abs(outside.std() - 0.5) < 5 * 0.5 / np.sqrt(2 * outside.size)
    assert abs(np.corrcoef(outside.ravel(), y[:, ~window].ravel())[0, 1]) < 5 / np.sqrt(2800)
    with pytest.raises(ValueError, match="outside="):
        Denoiser(network, "x0", shape=SHAPE)(y, noise, window)


def test_conditions_are_cut_with_the_batch_and_outputs_unwrapped():
    class Output:
        def __init__(self, sample):
            self.sample = sample

    def network(x, time, labels=None, scale=1.0):
        assert len(labels) == len(x) and scale == 2.0
        return Output(x * 0 + labels[:, None, None, None])

    denoiser = Denoiser(network, "x0", shape=SHAPE, batch_size=3, conditions={"scale": 2.0})
    labels = np.arange(7.0)
    found = denoiser(np.zeros((7, 9)), pt.Gaussian(0.5), conditions={"labels": labels})
    np.testing.assert_array_equal(found, np.repeat(labels[:, None], 9, axis=1))


def test_weightless_ends_of_the_path():
    denoiser = Denoiser(lambda x, t: x, "eps", shape=SHAPE)
    y = np.ones((2, 9))
    np.testing.assert_array_equal(denoiser(y, pt.Gaussian(0.0)), y)
    with pytest.raises(ValueError, match="alpha = 0"):
        denoiser(y, pt.Gaussian(1.0))
    with pytest.raises(ValueError, match="sigma = 0"):
        denoiser.score(y, pt.Gaussian(0.0))


Y, NOISE = np.zeros((2, 9)), pt.Gaussian(0.5)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda x, t: x[..., :2], r"returned shape \(2, 1, 3, 2\)"),
        (lambda x, t: x * np.nan, "returned 18 NaN"),
        (lambda x, t: "no tensor", "a tensor needed"),
    ],
)
def test_bad_networks_are_refused(network, message):
    with pytest.raises(ValueError, match=message):
        Denoiser(network, "x0", shape=SHAPE)(Y, NOISE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predicts": "noise"}, "predicts='noise'"),
        ({"time": "seconds"}, "time='seconds'"),
        ({"time": "step"}, "n_steps"),
        ({"data_range": (1.0, 0.0)}, "data_range"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"device": "nowhere"}, "device='nowhere'"),
    ],
)
def test_bad_declarations_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Denoiser(lambda x, t: x, **({"predicts": "x0", "shape": SHAPE} | change))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_absent_cuda_is_refused_and_auto_falls_back():
    with pytest.raises(ValueError, match="sees no CUDA device"):
        Denoiser(lambda x, t: x, "x0", device="cuda")
    assert Denoiser(lambda x, t: x, "x0", device="auto").device.type == "cpu"


@pytest.mark.parametrize(
    ("y", "noise", "message"),
    [
        (np.zeros((2, 8)), NOISE, r"y has shape \(2, 8\)"),
        (np.full((2, 9), np.nan), NOISE, "NaN"),
        (Y, pt.Gaussian(np.full(9, 0.5)), "the same on all sites"),
        (Y, pt.BitFlip(0.5), "pt.Gaussian"),
    ],
)
def test_bad_batches_are_refused(y, noise, message):
    with pytest.raises(ValueError, match=message):
        Denoiser(lambda x, t: x, "x0", shape=SHAPE)(y, noise)


def test_a_schedule_that_disagrees_is_refused():
    """Against the network's own declaration, and where its schedule never has that snr."""
    network = LocalDenoiser(1, SHAPE, 4)
    assert Denoiser(network).predicts == "velocity"
    assert Denoiser(network, schedule=lambda t: (1.0 - t, t)).schedule is not None
    for change in ({"schedule": schedules.variance_preserving()}, {"predicts": "eps"},
                   {"data_range": (-1.0, 1.0)}):  # fmt: skip
        with pytest.raises(ValueError, match="disagrees with what the network declares"):
            Denoiser(network, **change)
    weak = Denoiser(lambda x, t: x, "x0", schedules.variance_exploding(0.1), shape=SHAPE)
    with pytest.raises(ValueError, match="not on the network's schedule"):
        weak(Y, NOISE)


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_receptive_field_of_local_denoiser_is_the_window(radius):
    """The gradient of one output is nonzero on exactly the (2r+1)^2 pixels around it."""
    network = LocalDenoiser(radius, (9, 11), 6, seed=3)
    for centre in ((4, 5), (0, 10), (8, 2)):
        y = torch.randn((2, 1, 9, 11), generator=torch.Generator().manual_seed(1))
        y.requires_grad_(True)
        network(y, torch.tensor([0.3, 0.7]))[(slice(None), 0, *centre)].sum().backward()
        rows, columns = np.indices((9, 11))
        near = np.maximum(abs(rows - centre[0]), abs(columns - centre[1])) <= radius
        for gradient in y.grad[:, 0].numpy():
            np.testing.assert_array_equal(gradient != 0.0, near)


def test_receptive_field_of_the_unet_is_the_image_or_its_window():
    network = UNet(8, windowed=True, seed=1)
    torch.nn.init.normal_(network.leave.weight, generator=torch.Generator().manual_seed(2))
    y = torch.randn((1, 1, 10, 9), generator=torch.Generator().manual_seed(3), requires_grad=True)
    network(y, torch.tensor([0.5]))[0, 0, 1, 1].backward()
    assert (y.grad != 0).all()
    window = torch.zeros(1, 1, 10, 9)
    window[..., :4, :4] = 1.0
    x = y.detach().clone().requires_grad_(True)
    network(torch.cat([x, window], 1), torch.tensor([0.5]))[0, 0, 1, 1].backward()
    np.testing.assert_array_equal((x.grad != 0).numpy(), window.bool().numpy())


def test_radius_beyond_the_image_is_refused():
    with pytest.raises(ValueError, match="radius=9"):
        LocalDenoiser(9, (9, 5))


@pytest.mark.parametrize(
    "network", [LocalDenoiser(1, (6, 6), 8, mean=0.3, std=0.2, seed=4), UNet(4, seed=5)]
)
def test_saved_networks_come_back_the_same(network, tmp_path):
    path = tmp_path / "network.safetensors"
    save_network(path, network, data="fashion-mnist", seed=4)
    loaded, notes = load_network(path)
    assert notes == {"data": "fashion-mnist", "seed": 4} and list(tmp_path.iterdir()) == [path]
    y = np.random.default_rng(0).uniform(size=(3, 6, 6))
    noise = pt.Gaussian(0.4)
    np.testing.assert_array_equal(Denoiser(loaded)(y, noise), Denoiser(network)(y, noise))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="damaged"):
        load_network(path)
    with pytest.raises(FileNotFoundError):
        load_network(tmp_path / "none")
    with pytest.raises(ValueError, match="LocalDenoiser, UNet, Predictor"):
        save_network(path, torch.nn.Linear(1, 1))


def test_a_diffusers_unet():
    """A random UNet2DModel, wrapped for its steps: what it is asked, and what comes back."""
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    torch.manual_seed(0)
    network = diffusers.UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 8),
        layers_per_block=1, norm_num_groups=4, down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    ).eval()  # fmt: skip
    schedule = schedules.from_alpha_bar(ALPHA_BAR)
    denoiser = Denoiser(network, "eps", schedule, "step", data_range=(-1.0, 1.0), n_steps=50)
    noise = denoiser.nearest(pt.Gaussian(0.4))
    y = np.random.default_rng(1).uniform(size=(3, 8, 8))
    found = denoiser(y, noise)
    step = round(denoiser.network_time(noise) * 50) - 1
    bar = ALPHA_BAR[step]
    # By hand: 2 x - 1 at snr alpha_bar / (1 - alpha_bar), scaled to unit total variance.
    scaled = np.sqrt(bar) * 2.0 * y / float(noise.alpha) - np.sqrt(bar)
    with torch.no_grad():
        inside = torch.as_tensor(scaled, dtype=torch.float32)[:, None]
        eps = network(inside, torch.full((3,), step)).sample[:, 0].double().numpy()
    clean = (scaled - np.sqrt(1.0 - bar) * eps) / np.sqrt(bar)
    # The network computes in float32 on inputs of order 2.
    np.testing.assert_allclose(found, (clean + 1.0) / 2.0, atol=1e-5)


def test_without_torch_the_extra_is_named():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import phasetheory.neural as neural\n"
        "try:\n    neural.Denoiser\n"
        "except ImportError as error:\n    print(error)"
    )
    # A None in sys.modules makes the import fail as that of a missing module does.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "phasetheory[torch]"' in done.stdout
