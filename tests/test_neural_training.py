"""Training that can be killed: the same weights with or without interruption."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the optional extra [torch]")

from phasetheory.neural import LocalDenoiser, Training, UNet, train, train_denoiser  # noqa: E402

torch.set_num_threads(1)

SETTINGS = Training(steps=30, batch_size=16, every=7, learning_rate=3e-3, progress=False)


def images(n: int = 50) -> np.ndarray:
    return np.random.default_rng(1).uniform(size=(n, 5, 5))


class Killed(BaseException):
    """Stands for a signal: nothing in the package catches it."""


def killed_at(network: torch.nn.Module, call: int):
    """Make the network die in its n-th forward pass from now."""
    calls = []

    def hook(*_):
        calls.append(1)
        if len(calls) == call:
            raise Killed

    return network.register_forward_pre_hook(hook)


def weights(network: torch.nn.Module) -> np.ndarray:
    return np.concatenate([v.detach().numpy().ravel() for v in network.state_dict().values()])


def test_the_same_weights_with_and_without_interruption(tmp_path):
    """Killed in steps 18 and 24, continued from checkpoints at 14 and 21: bit by bit the same."""
    whole = LocalDenoiser(1, (5, 5), 8, seed=2)
    losses = train_denoiser(whole, images(), SETTINGS)
    path = tmp_path / "run.ckpt"
    for call in (18, 10):
        part = LocalDenoiser(1, (5, 5), 8, seed=2)
        killed_at(part, call)
        with pytest.raises(Killed):
            train_denoiser(part, images(), SETTINGS, checkpoint=path)
    part = LocalDenoiser(1, (5, 5), 8, seed=99)  # weights come from the checkpoint
    again = train_denoiser(part, images(), SETTINGS, checkpoint=path)
    np.testing.assert_array_equal(again, losses)
    np.testing.assert_array_equal(weights(part), weights(whole))
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_run_is_not_repeated(tmp_path):
    path = tmp_path / "run.ckpt"
    network = LocalDenoiser(1, (5, 5), 8)
    losses = train_denoiser(network, images(), SETTINGS, checkpoint=path)
    other = LocalDenoiser(1, (5, 5), 8)
    killed_at(other, 1)  # any step would raise
    np.testing.assert_array_equal(
        train_denoiser(other, images(), SETTINGS, checkpoint=path), losses
    )
    np.testing.assert_array_equal(weights(other), weights(network))


def test_a_kill_while_writing_leaves_the_checkpoint_of_before(tmp_path, monkeypatch):
    path = tmp_path / "run.ckpt"
    network = LocalDenoiser(1, (5, 5), 8)
    killed_at(network, 10)
    with pytest.raises(Killed):
        train_denoiser(network, images(), SETTINGS, checkpoint=path)
    before = path.read_bytes()

    def dies(state, file):
        file.write(b"half a checkpoint")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", dies)
        with pytest.raises(Killed):
            train_denoiser(LocalDenoiser(1, (5, 5), 8), images(), SETTINGS, checkpoint=path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("change", ["settings", "data", "network", "windows"])
def test_checkpoints_of_another_run_are_refused(change, tmp_path):
    path = tmp_path / "run.ckpt"
    train_denoiser(UNet(4, windowed=True), images(), Training(steps=2, batch_size=4,
                   progress=False), checkpoint=path)  # fmt: skip
    steps = 3 if change == "settings" else 2
    settings = Training(steps=steps, batch_size=4, progress=False)
    network = UNet(8 if change == "network" else 4, windowed=True)
    data = images(49 if change == "data" else 50)
    windows = [1] if change == "windows" else []
    with pytest.raises(ValueError, match="belongs to other settings, data or network"):
        train_denoiser(network, data, settings, windows=windows, checkpoint=path)


def test_damaged_checkpoints_and_code_in_them_are_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    network = LocalDenoiser(0, (5, 5), 4)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="damaged or no checkpoint"):
        train_denoiser(network, images(), SETTINGS, checkpoint=path)
    torch.save({"fits": Killed}, path)  # a class is code: weights_only refuses it
    with pytest.raises(ValueError, match="damaged or no checkpoint"):
        train_denoiser(network, images(), SETTINGS, checkpoint=path)


def test_a_loss_that_diverges_is_refused_with_its_step():
    settings = Training(steps=8, batch_size=1, every=4, progress=False)
    network, calls = torch.nn.Linear(1, 1), []

    def loss(module, rng):
        calls.append(1)
        return module(torch.ones(1)).sum() * (float("nan") if len(calls) > 2 else 1.0)

    with pytest.raises(ValueError, match="not finite from step 2 on"):
        train(network, loss, settings)


def test_bfloat16_rounds_matrix_products_and_keeps_weights_in_float32():
    """Products carry 8 bits: one step's loss differs from float32's, by a few times 2^-8."""
    losses = []
    for precision in ("float32", "bfloat16"):
        settings = Training(steps=1, batch_size=64, precision=precision, progress=False)
        network = LocalDenoiser(1, (5, 5), 8, seed=2)
        losses.append(float(train_denoiser(network, images(), settings)[0]))
        assert all(v.dtype != torch.bfloat16 for v in network.state_dict().values())
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], rel=8 * 2.0**-8)


def test_least_squares_is_learned():
    """The loop minimises: a linear fit ends at the noise floor, 0.01 +- 5 of its errors."""
    settings = Training(steps=600, batch_size=64, learning_rate=0.03, weight_decay=0.0,
                        average=0.98, progress=False)  # fmt: skip
    network = torch.nn.Linear(3, 1)

    def loss(module, rng):
        x = torch.randn((64, 3), generator=rng)
        noise = 0.1 * torch.randn((64,), generator=rng)
        return (
            (module(x)[:, 0] - (x @ torch.tensor([1.0, -2.0, 0.5]) + 0.7 + noise)).square().mean()
        )

    losses = train(network, loss, settings)
    assert losses[-100:].mean() == pytest.approx(0.01, abs=5 * 0.01 * np.sqrt(2 / 6400))
    found = network.weight.detach().numpy().ravel()
    np.testing.assert_allclose(found, [1.0, -2.0, 0.5], atol=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"batch_size": 1.5}, "batch_size=1.5"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"average": 1.0}, "average=1.0"),
        ({"seed": -1}, "seed=-1"),
        ({"precision": "float8"}, "precision='float8'"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(ValueError, match=message):
        Training(**change)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_absent_cuda_is_refused():
    with pytest.raises(ValueError, match="sees no CUDA device"):
        Training(device="cuda")


@pytest.mark.parametrize(
    ("network", "data", "windows", "message"),
    [
        (UNet(4), images() * 2.0, [], "outside the declared data_range"),
        (UNet(4), images().reshape(50, 25), [], "height, width"),
        (UNet(4), images(), [1], "windowed=True"),
        (UNet(4, windowed=True), images(), [5], "radii from 0 to 4"),
        (LocalDenoiser(1, (6, 6), 4), images(), [], "the network is made for"),
    ],
)
def test_bad_training_data(network, data, windows, message):
    with pytest.raises(ValueError, match=message):
        train_denoiser(network, data, SETTINGS, windows=windows)
