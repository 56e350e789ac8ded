"""Every figure at its quick size, and the machinery that makes them."""

import re
import sys
import zlib
from pathlib import Path

import matplotlib as mpl
import pytest
from typer.testing import CliRunner

import paper_figures
from paper_figures import runner, style
from paper_figures.__main__ import app

SCRIPT = '''
"""A figure for the tests."""
from paper_figures.style import new_figure

CLAIM = "Squares grow."

def tasks(quick):
    return [{"n": n} for n in range(3 if quick else 6)]

def compute(task):
    return {"square": task["n"] ** 2}

def plot(rows):
    figure, axes = new_figure()
    axes.plot([row["n"] for row in rows], [row["square"] for row in rows], label="squares")
    axes.set(xlabel="$n$", ylabel="$n^2$")
    axes.legend()
    return figure
'''


@pytest.mark.parametrize("name", runner.names())
def test_figure_at_its_quick_size(tmp_path, name):
    for need in getattr(runner.load(name), "NEEDS", ()):
        pytest.importorskip(need, reason=f"{need} is not installed")
    made = runner.make(name, quick=True, out=tmp_path, rows=tmp_path)
    assert [path.suffix for path in made] == [".pdf", ".png"]
    assert all(path.stat().st_size > 1000 for path in made)
    assert runner.load(name).CLAIM.endswith(".")


@pytest.fixture
def squares(tmp_path, monkeypatch):
    """A folder with one more script, `squares_grow`."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "squares_grow.py").write_text(SCRIPT)
    monkeypatch.setattr(paper_figures, "__path__", [*paper_figures.__path__, str(folder)])
    yield folder
    for name in ("squares_grow", "half_done"):
        sys.modules.pop(f"paper_figures.{name}", None)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_list_names_every_figure_and_its_claim(squares, tmp_path):
    done = invoke("--list", "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert "squares_grow: Squares grow." in done.output
    assert not (tmp_path / "out").exists()


def test_command_makes_the_figures_asked_for(squares, tmp_path):
    out, rows = tmp_path / "out", tmp_path / "rows"
    done = invoke("squares_grow", "--quick", "--out", out, "--rows", rows)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == ["squares_grow.pdf", "squares_grow.png"]
    assert len((rows / "squares_grow.jsonl").read_text().splitlines()) == 3
    # The full size shares the rows that are the same tasks.
    assert invoke("squares_grow", "--out", out, "--rows", rows).exit_code == 0
    assert len((rows / "squares_grow.jsonl").read_text().splitlines()) == 6


def test_same_rows_same_files(squares, tmp_path):
    first = runner.make("squares_grow", quick=True, out=tmp_path / "1", rows=tmp_path)
    second = runner.make(
        "squares_grow", quick=True, out=tmp_path / "2", rows=tmp_path, recompute=True
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_unknown_figure_is_refused(squares, tmp_path):
    done = invoke("cubes_shrink", "--out", tmp_path)
    assert done.exit_code == 2
    with pytest.raises(ValueError, match=r"no figure 'cubes_shrink'; there are .*squares_grow"):
        runner.load("cubes_shrink")


def test_incomplete_script_is_refused(squares):
    (squares / "half_done.py").write_text('CLAIM = "Unfinished."\ndef tasks(quick): return []\n')
    with pytest.raises(ValueError, match=r"half_done\.py has no compute, plot; expected CLAIM"):
        runner.load("half_done")


def test_files_are_vector_and_300_dpi_at_print_size(squares, tmp_path):
    pdf, png = runner.make("squares_grow", quick=True, out=tmp_path, rows=tmp_path)
    data = png.read_bytes()
    # Width in pixels stands at bytes 16 to 20 of a PNG file.
    assert int.from_bytes(data[16:20], "big") == round(style.COLUMN * 300)
    data = pdf.read_bytes()
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", data)
    assert float(box[1]) == pytest.approx(style.COLUMN * 72, abs=0.1)
    # Type 42 fonts are embedded as TrueType; no raster image in a line plot.
    packed = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, flags=re.DOTALL)
    text = data + b"".join(zlib.decompress(part) for part in packed if part[:1] == b"\x78")
    assert b"/CIDFontType2" in text
    assert b"/Subtype /Image" not in text


def test_nothing_is_left_behind(squares, tmp_path):
    before = dict(mpl.rcParams)
    runner.make("squares_grow", quick=True, out=tmp_path / "out", rows=tmp_path)
    assert dict(mpl.rcParams) == before
    assert not list((tmp_path / "out").glob(".*"))


def test_a_failed_drawing_keeps_the_old_file(tmp_path, monkeypatch):
    with style.journal_style():
        figure, _ = style.new_figure()
        (old, _) = style.save(figure, "kept", tmp_path)
        content = old.read_bytes()

        def fail(path, **options):
            Path(path).write_bytes(b"half")
            raise OSError("disk full")

        monkeypatch.setattr(figure, "savefig", fail)
        with pytest.raises(OSError, match="disk full"):
            style.save(figure, "kept", tmp_path)
    assert old.read_bytes() == content


def test_wrong_width_is_refused(tmp_path):
    with style.journal_style():
        figure, _ = style.new_figure(5.0)
        with pytest.raises(ValueError, match=r"is 5 in wide, expected 3\.4 \(a column\) or 7"):
            style.save(figure, "wide", tmp_path)


def test_small_print_is_refused(tmp_path):
    with style.journal_style():
        figure, axes = style.new_figure(style.TEXT)
        axes.text(0.5, 0.5, "the small print", fontsize=6)
        with pytest.raises(ValueError, match="'the small print' is set at 6 pt, expected at least"):
            style.save(figure, "small", tmp_path)
