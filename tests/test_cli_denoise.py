"""Command `denoise`: from a config to exact errors, and on again after an interruption."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import phasetheory as pt
from phasetheory.circuits.falls import circuit_falls
from phasetheory.circuits.hybrid import hybrid_schedule
from phasetheory.circuits.sampled import sample_circuit
from phasetheory.cli import DENOISE_EXAMPLE, app
from phasetheory.sweep import denoise as module
from phasetheory.sweep.denoise_config import read_denoise_config

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "docs" / "configs").glob("denoise_*.toml"))

SMALL = """
times = { start = 1.0, stop = 0.0, num = 5 }
[model]
name = "Ising"
dimension = 1
size = 6
coupling = 1.0
[noise]
name = "BitFlip"
[[circuit]]
radius = [0, 1, inf]
order = ["layers", "simultaneous"]
[[circuit]]
schedule = "hybrid"
radius = [0, 1]
tolerance = 0.25
shift = [0, 1, -4]
"""
TIMES = np.linspace(1, 0, 5)
MODEL = pt.Ising(pt.Lattice.chain(6), 1.0)


@pytest.fixture(autouse=True)
def terminal(monkeypatch, tmp_path):
    for name, value in {"COLUMNS": "140", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def call(*arguments, status=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == status, (result.output, result.exception)
    return re.sub(r"\s+", " ", re.sub("[│╭╮╰╯─┃]", " ", result.output))


def test_help_teaches_with_an_example_that_works(tmp_path):
    text = call("denoise", "--help")
    for line in DENOISE_EXAMPLE.strip().splitlines():
        assert re.sub(r"\s+", " ", line) in text
    Path("example.toml").write_text(DENOISE_EXAMPLE)
    assert len(read_denoise_config("example.toml").tasks) == 2 * (3 + 4)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_ready_configs_are_ready(path):
    config = read_denoise_config(path)
    assert len(config.tasks) > 5
    assert config.results == Path(f"{path.stem}.results.jsonl")


def test_there_are_two_ready_configs():
    assert len(CONFIGS) >= 2


def test_the_numbers_are_those_of_the_library():
    Path("small.toml").write_text(SMALL)
    text = call("denoise", "small.toml", "--out", "small.nc")
    assert "small.results.jsonl: 8 circuits" in text and "wrote small.nc" in text
    assert "Left out: 1 schedules" in text
    with xr.open_dataset("small.nc", engine="scipy") as stored:
        data = stored.load()
    names = list(zip(data["schedule"].values, data["radius"].values, data["order"].values,
                     data["shift"].values, strict=True))  # fmt: skip
    i = names.index(("local", "1", "layers", ""))
    run = pt.reverse_circuit(MODEL, pt.BitFlip, pt.Circuit(MODEL.lattice, TIMES, 1))
    assert float(data["kl"][i]) == pytest.approx(run.kl.value, rel=1e-9)
    assert float(data["bound"][i]) == pytest.approx(run.bound, rel=1e-9)
    assert int(data["cost"][i]) == run.circuit.cost
    i = names.index(("local", "1", "simultaneous", ""))
    together = pt.Circuit(MODEL.lattice, TIMES, 1, "simultaneous")
    run = pt.reverse_circuit(MODEL, pt.BitFlip, together)
    assert float(data["tv"][i]) == pytest.approx(run.tv.value, rel=1e-9)
    assert np.isnan(data["bound"][i])  # T2 does not cover it
    falls = circuit_falls(MODEL, pt.BitFlip, times=TIMES, radius=[0, 1])
    schedule = hybrid_schedule(falls, tolerance=0.25)
    for shift, chosen in (("0", schedule), ("1", schedule.shifted(1))):
        i = names.index(("hybrid", "0 1", "layers", shift))
        np.testing.assert_array_equal(data["step_radius"][i], chosen.radius)
    kl, cost = data["kl"].values, data["cost"].values
    beaten = [
        any((kl <= k) & (cost <= c) & ((kl < k) | (cost < c)))
        for k, c in zip(kl, cost, strict=True)
    ]
    assert data["front"].values.tolist() == [int(not b) for b in beaten]


def test_an_interrupted_run_goes_on(monkeypatch):
    Path("small.toml").write_text(SMALL)
    inner, left = module.reverse_circuit, [3]

    def limited(*args, **more):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return inner(*args, **more)

    monkeypatch.setattr(module, "reverse_circuit", limited)
    assert "keeps what is done" in call("denoise", "small.toml", status=130)
    book = Path("small.results.jsonl")
    assert len(book.read_text().splitlines()) == 3
    # A kill in the middle of a line costs that line only.
    text = book.read_text()
    book.write_text(text[: len(text) - 40])
    left[0] = 100
    assert "skipped a damaged line" in call("denoise", "small.toml", "--out", "a.json")
    assert left[0] == 100 - 6  # of nine tasks two were done, and one has no window to shift
    before = book.read_bytes()
    call("denoise", "small.toml", "--out", "b.json")
    assert left[0] == 100 - 6
    assert Path("a.json").read_text() == Path("b.json").read_text()
    assert book.read_bytes() == before
    call("denoise", "small.toml", "--results", "fresh.jsonl", "--out", "c.json")
    assert json.loads(Path("c.json").read_text()) == json.loads(Path("a.json").read_text())


def test_sampled_runs():
    Path("s.toml").write_text(
        "n_samples = 50\nseed = 3\n" + SMALL.replace("shift = [0, 1, -4]", "")
    )
    text = call("denoise", "s.toml", "--out", "s.nc")
    assert "neighbours" in text and "KL" not in text
    with xr.open_dataset("s.nc", engine="scipy") as stored:
        data = stored.load()
    assert "front" not in data and data.sizes["task"] == 7
    i = [*zip(data["radius"].values, data["order"].values, strict=True)].index(("inf", "layers"))
    circuit = pt.Circuit(MODEL.lattice, TIMES, np.inf, rng=3)
    x = sample_circuit(MODEL, pt.BitFlip, circuit, 50, rng=3, progress=False).samples.astype(float)
    expected = (x[:, 1:] * x[:, :-1]).mean(axis=1)
    assert float(data["neighbours"][i]) == pytest.approx(expected.mean(), abs=1e-12)
    assert float(data["neighbours_stderr"][i]) == pytest.approx(expected.std(ddof=1) / 50**0.5)
    # The correlation of neighbours in an open chain is tanh J; global gates reach it.
    for name in ("neighbours", "neighbours_data"):
        assert abs(float(data[name][i]) - np.tanh(1.0)) < 4 * float(data[f"{name}_stderr"][i])


def test_gaussian_fields_are_exact_at_any_size():
    text = """
times = [1.0, 0.5, 0.0]
[model]
name = "FreeField"
dimension = 1
size = 40
mass = 0.5
[noise]
name = "Gaussian"
schedule = "variance_preserving"
[circuit]
radius = 2
"""
    Path("g.toml").write_text(text)
    out = call("denoise", "g.toml", "--out", "g.json")
    assert "noise_schedule=variance_preserving" in out
    (row,) = json.loads(Path("g.json").read_text())["tasks"]
    assert 2 * row["tv"] ** 2 < row["kl"] < row["bound"]
    assert row["cost"] == 2 * 40 * 5 and row["step_radius"] == [2.0, 2.0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[noise]", "[nose]", "unknown key 'nose' in the file: did you mean 'noise'?"),
        ("radius = [0, 1]", "radios = 1", "key 'radios' in [circuit]: did you mean 'radius'"),
        ("coupling", "copling", "did you mean 'coupling'"),
        ('"BitFlip"', '"BitFlop"', "did you mean 'BitFlip'"),
        ('name = "BitFlip"', 'name = "BitFlip"\nt = 0.5', "times of the circuit are in `times`"),
        ("[noise]\nname = \"BitFlip\"", "", "noise are missing"),
        ("stop = 0.0", "stop = 0.1", "has to reach t = 0"),
        ("start = 1.0, stop = 0.0", "start = 0.0, stop = 1.0", "strictly decreasing"),
        ('"simultaneous"', '"parallel"', "one of layers, random, raster, simultaneous needed"),
        ("radius = [0, 1, inf]", "radius = 9", "radius=9: the lattice is only 5 across"),
        ("radius = [0, 1, inf]", "radius = -1", "circuit.radius holds -1"),
        ("tolerance = 0.25", "tolerance = 2.0", "circuit.tolerance=[2.0]"),
        ("tolerance = 0.25", "block = 7", "block=7"),
        ("tolerance = 0.25", 'order = "simultaneous"', "a hybrid schedule needs gates in turn"),
        ("times =", "n_samples = 1\ntimes =", "n_samples=1: a whole number >= 2"),
        ("times =", "seed = -1\ntimes =", "seed=-1"),
        ("times =", "results = 3\ntimes =", "results=3"),
        ("[model]", "[model", "is no TOML"),
        ("size = 6", "size = 40", "n_samples samples the circuit instead"),
        ('"BitFlip"', '"Gaussian"', "tables need a discrete model"),
    ],
)  # fmt: skip
def test_bad_configs(old, new, message):
    assert old in SMALL
    Path("bad.toml").write_text(SMALL.replace(old, new))
    assert message in call("denoise", "bad.toml", status=2)
    assert not Path("bad.results.jsonl").exists()


def test_bad_calls():
    assert "config 'none.toml'" in call("denoise", "none.toml", status=2)
    Path("small.toml").write_text(SMALL)
    assert "ends with .nc or .json" in call("denoise", "small.toml", "--out", "x.txt", status=2)
    assert not Path("small.results.jsonl").exists()
    lost = SMALL.replace("shift = [0, 1, -4]", "shift = 99").split("[[circuit]]")
    Path("lost.toml").write_text(lost[0] + "[[circuit]]" + lost[2])
    assert "no schedule has a window that can be shifted so far" in call(
        "denoise", "lost.toml", status=2
    )
