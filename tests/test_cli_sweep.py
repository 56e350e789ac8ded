"""Commands `scan` and `locate`: from a config to a located transition."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import phasetheory as pt
from phasetheory.cli import EXAMPLE, app
from phasetheory.sweep import read_ledger
from phasetheory.sweep.config import read_config
from phasetheory.sweep.describe import canonical
from phasetheory.sweep.locate import findings

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(
    path
    for path in (ROOT / "docs" / "configs").glob("*.toml")
    if not path.stem.startswith("denoise_")
)

CODE = """
[model]
name = "CurieWeiss"
size = [16, 32, 64]
coupling = inf
[noise]
name = "Gaussian"
t = { start = 0.5, stop = 0.98, num = 13 }
[geometry]
name = "counts"
radius = [4]
"""


@pytest.fixture(autouse=True)
def terminal(monkeypatch, tmp_path):
    for name, value in {"COLUMNS": "140", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def call(*arguments, status=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == status, (result.output, result.exception)
    return re.sub(r"\s+", " ", re.sub("[│╭╮╰╯─]", " ", result.output))


def test_help_teaches_with_an_example_that_works(tmp_path):
    text = call("scan", "--help")
    for line in EXAMPLE.strip().splitlines():
        assert re.sub(r"\s+", " ", line) in text
    path = tmp_path / "example.toml"
    path.write_text(EXAMPLE)
    config = read_config(path)
    config.grid.check()
    assert len(config.grid.tasks) == 2 * 5 * 3
    assert "Example: phasetheory locate" in call("locate", "--help")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_ready_configs_are_ready(path):
    config = read_config(path)
    config.grid.check()
    assert config.ledger == Path(f"{path.stem}.jsonl")


def test_there_are_three_ready_configs():
    assert len(CONFIGS) >= 3


def test_scan_then_locate(tmp_path):
    Path("code.toml").write_text(CODE)
    text = call("scan", "code.toml", "--netcdf", "code.nc")
    assert "code.jsonl: 39 batches, 39 of 39 tasks done" in text
    with xr.open_dataset("code.nc", engine="scipy") as stored:
        data = stored.load()
    law = pt.CurieWeiss(64, np.inf).noised(pt.Gaussian(0.5))
    parts = pt.Tripartition([0], range(1, 5), range(5, 64))
    cell = float(data["cmi"].sel(size=64, radius=4, t=0.5))
    assert cell == pytest.approx(pt.cmi(law, parts).value, abs=1e-14)
    # Again: nothing to do.
    before = Path("code.jsonl").read_bytes()
    call("scan", "code.toml", "-j", "2")
    assert Path("code.jsonl").read_bytes() == before
    text = call("locate", "code.jsonl", "--netcdf", "again.nc")
    for size in (16, 32, 64):
        assert f"Peak and window of the CMI (size={size})" in text
    assert "Crossings of cmi (radius=4)" in text
    assert "Collapse of cmi (radius=4)" in text
    with xr.open_dataset("again.nc", engine="scipy") as stored:
        np.testing.assert_array_equal(stored["cmi"], data["cmi"])


def test_locate_says_what_the_functions_say():
    Path("code.toml").write_text(CODE)
    call("scan", "code.toml")
    data = read_ledger("code.jsonl")
    title = "Peak and window of the CMI (size=64)"
    peak = next(one for one in findings(data) if one.title == title)
    found = pt.locate_transition(data.sel(size=64), rng=0)
    for row, place in zip(peak.rows, found["t_peak"].values, strict=True):
        error = float(row[1].split(" +- ")[1])
        assert float(row[1].split(" +- ")[0]) == pytest.approx(place, abs=0.06 * error)


def test_options_replace_those_of_the_config():
    sampled = CODE.replace("Gaussian", "Erasure").replace("counts", "centre")
    sampled = sampled.replace('"CurieWeiss"', '"Ising"\nwidth = 4').replace("inf", "0.4")
    sampled = "n_samples = 20\nquantity = { name = 'cmi', method = 'cavity' }\n" + sampled
    sampled = re.sub(r"size = .*", "size = [5, 6]", re.sub(r"t = .*", "t = [0.3, 0.6]", sampled))
    Path("c.toml").write_text(sampled + "[stop]\nbatches = 2\n")
    call("scan", "c.toml", "--ledger", "one.jsonl")
    call("scan", "c.toml", "--ledger", "two.jsonl", "--first", "2", "--seconds", "100")
    assert not Path("c.jsonl").exists()
    both = read_ledger("one.jsonl", "two.jsonl")
    assert (both["cmi_n_samples"].sel(radius=4).isin([0, 80])).all()
    assert "2 finished times: 3 needed" in call("locate", "one.jsonl", "two.jsonl")


def test_a_damaged_ledger_is_located_with_a_warning():
    Path("code.toml").write_text(CODE.replace("[16, 32, 64]", "16"))
    call("scan", "code.toml")
    with open("code.jsonl", "a") as file:
        file.write('{"check":"0123')
    text = call("locate", "code.jsonl")
    assert "warning: code.jsonl:14: skipped a line" in text
    assert "Peak and window" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("radius", "radios", "unknown key 'radios' in geometry 'counts': did you mean 'radius'"),
        ("[4]", "[4, 800]", "radius=800"),
        ("CurieWeiss", "CurryWeiss", "did you mean 'CurieWeiss'"),
        ("inf", "-1", "coupling=-1.0"),
    ],
)
def test_a_wrong_config_is_a_usage_error(old, new, message):
    Path("code.toml").write_text(CODE.replace(old, new))
    assert message in call("scan", "code.toml", status=2)
    assert not Path("code.jsonl").exists()


def test_other_refusals():
    assert "does not exist" in call("locate", "none.jsonl", status=2)
    assert "No such file" in call("scan", "none.toml", status=2)
    Path("code.toml").write_text(CODE)
    assert "seconds=-1.0" in call("scan", "code.toml", "--seconds", "-1", status=2)
    Path("file").touch()
    assert "error:" in call("scan", "code.toml", "--ledger", "file/l.jsonl", status=1)
    call("scan", "code.toml")
    assert "threshold=-1.0" in call("locate", "code.jsonl", "--threshold", "-1", status=2)


def test_the_example_describes_its_tasks_in_plain_json(tmp_path):
    path = tmp_path / "example.toml"
    path.write_text(EXAMPLE)
    for task in read_config(path).grid.tasks:
        assert canonical(task.description)
