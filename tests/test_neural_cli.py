"""Commands `phasetheory neural train`, `cmi` and `generate`: an experiment from a small file."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from phasetheory.cli import app
from phasetheory.cli_neural import EXAMPLE

torch = pytest.importorskip("torch", reason="torch is not installed: the optional extra [torch]")

from phasetheory.neural import load_network, training  # noqa: E402
from phasetheory.neural.experiment_config import Experiment, quick, read_experiment  # noqa: E402

torch.set_num_threads(1)

SMALL = """
folder = "run"
seed = 3
[data]
limit = 400
coarse = 4
[training]
steps = 12
batch_size = 16
every = 5
average = 0.9
[networks]
radius = [1, 2]
local_width = 4
global_width = 4
[cmi]
t = [0.3, 0.6]
radius = [1, 2]
steps = 10
batch_size = 16
width = 8
[generate]
n = 34
steps = 6
n_global = 2
judge_steps = 5
"""


@pytest.fixture(autouse=True)
def terminal(monkeypatch, tmp_path):
    for name, value in {"COLUMNS": "140", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(SMALL)


def call(*arguments, status=0):
    result = CliRunner().invoke(app, ["neural", *map(str, arguments)])
    assert result.exit_code == status, (result.output, result.exception)
    return re.sub(r"\s+", " ", re.sub("[│╭╮╰╯─┃]", " ", result.output))


def test_help_teaches_with_an_example_that_works():
    text = call("--help")
    for line in EXAMPLE.strip().splitlines():
        assert re.sub(r"\s+", " ", line) in text
    Path("example.toml").write_text(EXAMPLE)
    made = read_experiment("example.toml")
    assert made.folder == "clothes" and made.networks.radius == (1, 2)
    # What the example spells out are the defaults, but for what it says of the networks.
    assert made.data == Experiment().data and made.training == Experiment().training
    assert quick(made).data.coarse == 2 * made.data.coarse
    for command in ("train", "cmi", "generate"):
        assert "--quick" in call(command, "--help")


def test_an_experiment_from_images_to_quality():
    assert "run/global.safetensors: mean loss" in call("train", "small.toml", "--device", "cpu")
    network, notes = load_network("run/local-r2.safetensors")
    assert network.radius == 2 and notes["training"]["seed"] == 3
    assert notes["data"]["coarse"] == 4 and notes["training"]["steps"] == 12
    text = call("cmi", "small.toml")
    assert "null run" in text and "on training images" in text and "80 held-out images" in text
    with xr.open_dataset("run/cmi.nc", engine="scipy") as stored:
        scan = stored.load()
    assert scan.attrs["n_held_out"] == 80 and scan["cmi_null"].dims == ("t", "radius")
    assert f"{float(scan.cmi[0, 0]):.4f} ± {float(scan.cmi_stderr[0, 0]):.4f}" in text
    text = call("generate", "small.toml")
    records = {
        record["schedule"]: record for record in json.loads(Path("run/quality.json").read_text())
    }
    with np.load("run/samples.npz") as samples:
        assert set(samples) == set(records)
        assert samples["hybrid"].shape == (34, 7, 7)
        # From the same noise, and the schedules are what they say.
        assert np.abs(samples["hybrid"] - samples["global"]).max() > 0
    for name in ("hybrid", *(key for key in records if key.startswith("misplaced"))):
        assert records[name]["radius"].count("inf") == 2
        assert records[name]["operations"] == records["hybrid"]["operations"]
    local, whole = records["local r=2"]["operations"], records["global"]["operations"]
    assert records["hybrid"]["operations"] == pytest.approx((2 * whole + 4 * local) / 6)
    assert "operations" not in records["real"] and "± " in text
    assert Path("run/samples.png").read_bytes()[:4] == b"\x89PNG"
    left = {path.name for path in Path("run").iterdir()}
    assert not [name for name in left if "new" in name or "part" in name]
    again = Path("run/quality.json").read_text()
    call("generate", "small.toml")
    strip = lambda text: re.sub(r'"seconds": [\d.e-]+', "", text)  # noqa: E731
    assert strip(Path("run/quality.json").read_text()) == strip(again)


def test_a_stopped_training_goes_on(monkeypatch):
    inner = training.write_checkpoint

    def stops(path, state):
        inner(path, state)
        if state["step"] == 5:
            raise KeyboardInterrupt

    call("train", "small.toml", "--only", 1, "--folder", "whole")
    with monkeypatch.context() as patch:
        patch.setattr(training, "write_checkpoint", stops)
        text = call("train", "small.toml", "--only", 1, status=130)
        assert "local-r1.ckpt keeps what is done" in text
    assert not Path("run/local-r1.safetensors").exists()
    call("train", "small.toml", "--only", 1)
    found = [load_network(f"{folder}/local-r1.safetensors")[0] for folder in ("run", "whole")]
    for name, value in found[0].state_dict().items():
        np.testing.assert_array_equal(value.numpy(), found[1].state_dict()[name].numpy())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[data]", "[date]", "unknown key 'date' in the file: did you mean 'data'?"),
        ("limit = 400", "limt = 200", "unknown key 'limt' in [data]: did you mean 'limit'?"),
        ("limit = 400", 'limit = "all"', "[data]: limit = 'all': a whole number needed"),
        ("limit = 400", "limit = 25", "25 images and 25 labels"),
        ("coarse = 4", "coarse = 3", "coarse=3: must divide the sides 28 and 28"),
        ("coarse = 4", "held_out = 1.5", "held_out=1.5"),
        ("coarse = 4", 'source = "nowhere"', "no file or folder 'nowhere'"),
        ("steps = 12", "steps = 0", "steps=0"),
        ("steps = 12", "seed = 2", "unknown key 'seed' in [training]"),
        ("radius = [1, 2]\nlocal", "radius = [9]\nlocal", "radius=9"),
        ("radius = [1, 2]\nlocal", "radius = true\nlocal", "[networks]: radius = True"),
        ("global_width = 4", "global_width = 5", "width=5"),
        ('folder = "run"', "folder = [", "is no TOML"),
        ('folder = "run"', "data = 3", "a section [data] needed"),
    ],
)
def test_bad_configs(old, new, message):
    assert old in SMALL
    text = SMALL.replace(old, new, 1)
    if new == "data = 3":
        text = new
    Path("bad.toml").write_text(text)
    only = ["--only", "global"] if "global_width" in old else []
    assert message in call("train", "bad.toml", *only, status=2)


def test_bad_calls():
    assert "config 'none.toml': cannot be read" in call("train", "none.toml", status=2)
    assert "the networks 1, 2, global" in call("train", "small.toml", "--only", "3", status=2)
    assert "'global' or a radius" in call("train", "small.toml", "--only", "all", status=2)
    assert "local-r*.safetensors needed" in call("generate", "small.toml", status=2)
    Path("bad.toml").write_text(SMALL.replace("t = [0.3, 0.6]", "t = [0.6, 0.3]"))
    assert "strictly increasing" in call("cmi", "bad.toml", status=2)
    Path("bad.toml").write_text(SMALL.replace("n_global = 2", "n_global = 7"))
    assert "n_global=7" in call("generate", "bad.toml", status=2)
    if not torch.cuda.is_available():
        assert "sees no CUDA" in call("train", "small.toml", "--device", "cuda", status=2)
    assert not Path("run").exists()


def test_generation_says_what_is_missing():
    call("train", "small.toml")
    assert "`phasetheory neural cmi`" in call("generate", "small.toml", status=2)
    Path("gap.toml").write_text(SMALL.replace("[generate]", '[generate]\nwindow = "gap"'))
    assert "hybrid is global for t from" in call("generate", "gap.toml")
    Path("bad.toml").write_text(SMALL.replace("[generate]", "[generate]\nradius = 3"))
    assert "local networks of radius [1.0, 2.0]" in call("generate", "bad.toml", status=2)
    Path("bad.toml").write_text(SMALL.replace("n = 34", 'n = 41\nwindow = "gap"'))
    assert "n=41: from 33 (one more than features) to half of the 80" in call(
        "generate", "bad.toml", status=2
    )


def test_without_torch_the_help_works_and_the_extra_is_named():
    # A None in sys.modules makes the import fail as that of a missing module does.
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from phasetheory.cli import app\n"
        "app(sys.argv[1:])"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    for arguments, status in ((["neural", "train", "--help"], 0), (["neural", "train"], 1)):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True,
            env=environment,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
    assert 'pip install "phasetheory[torch]"' in re.sub(r"\s+", " ", done.stderr)
    assert "Traceback" not in done.stderr


def test_the_command_line_does_not_load_torch():
    code = "import sys, phasetheory.cli; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert not {"torch", "xarray", "matplotlib", "safetensors"} & set(done.stdout.split())
