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
from paper_figures.captions import caption_of, symbols_in
from paper_figures.store import Rows

SCRIPT = '''
"""A figure for the tests."""
from paper_figures.style import new_figure

CLAIM = "Squares grow."
CAPTION = "Squares of [[n]], exact, 100 % of them."
SYMBOLS = {"n": "a number"}
COST = "1 CPU second (measured)"
GROUP = "ours"

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


#: Core time, and whether all of it was measured.
COST = r"[\d.,]+ (CPU|GPU) (second|minute|hour)s? \(.*(measured|estimated)\)(, .+)?"
GREEK = {rf"\{name}" for name in ("alpha", "sigma", "xi", "nu", "lambda", "Delta", "kappa", "Phi")}


@pytest.mark.parametrize("name", runner.names())
def test_figure_at_its_quick_size(tmp_path, name):
    for need in getattr(runner.load(name), "NEEDS", ()):
        pytest.importorskip(need, reason=f"{need} is not installed")
    made = runner.make(name, quick=True, out=tmp_path, rows=tmp_path)
    assert [path.suffix for path in made] == [".pdf", ".png", ".tex"]
    assert all(path.stat().st_size > 1000 for path in made[:2])
    script = runner.load(name)
    assert script.CLAIM.endswith(".")
    assert re.fullmatch(COST, script.COST), script.COST


@pytest.mark.parametrize("name", runner.names())
def test_figure_from_kept_rows(tmp_path, name):
    """Every symbol is defined, no labels collide in either format, all fonts are embedded."""
    script = runner.load(name)
    tasks = script.tasks(False)
    rows = Rows(runner.ROWS / f"{name}.jsonl").get_or_compute(tasks, not_kept)
    with style.journal_style():
        figure = script.plot(rows)
        texts = [text.get_text() for text in style.visible_texts(figure)]
        caption = caption_of(script, figure, tasks, runner.command(script))
        undefined = letters(texts) - letters(caption.latex().split("Symbols. ")[1].split("; "))
        assert not undefined, f"{undefined} in the figure, not in {list(caption.symbols)}"
        for page in style.FORMATS:
            style.fit(figure, page)
            assert not style.collisions(figure)
        pdf, _ = style.save(figure, name, tmp_path)
    assert_embedded(pdf)
    assert_latex(caption.latex())


def not_kept(task):
    raise AssertionError(f"{task} has no kept row")


def letters(texts):
    """Latin and Greek letters of formulas, by a reading of its own: no operators, no words."""
    found = set()
    for text in texts:
        for formula in re.findall(r"\$(.+?)\$", text):
            formula = re.sub(r"\\math(rm|default)\{.*?\}+", " ", formula)
            greek = set(re.findall(r"\\[a-zA-Z]+", formula)) & GREEK
            found |= greek | set(re.findall(r"[A-Za-z]", re.sub(r"\\[a-zA-Z]+", " ", formula)))
    return found


def assert_embedded(pdf):
    """Fonts are TrueType programs in the file: no Type 3, no Type 1, none left out."""
    text = unpacked(pdf.read_bytes())
    kinds = set(re.findall(rb"/Subtype /(Type0|Type1|Type3|TrueType|CIDFontType\d)", text))
    assert kinds == {b"Type0", b"CIDFontType2"} or kinds == {b"Type0", b"CIDFontType2", b"TrueType"}
    described = re.findall(rb"<<[^<>]*/Type /FontDescriptor[^<>]*>>", text)
    assert described
    assert all(b"/FontFile2 " in one for one in described)


def unpacked(data):
    """A PDF file with its compressed streams written out."""
    packed = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, flags=re.DOTALL)
    return data + b"".join(zlib.decompress(part) for part in packed if part[:1] == b"\x78")


def assert_latex(text):
    """A body that LaTeX can read: even dollars, balanced braces, special characters escaped."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert body.count("$") % 2 == 0
    assert "$$" not in body
    assert body.count("{") == body.count("}")
    prose = re.sub(r"\$.+?\$", "", body)
    assert not re.search(r"(?<!\\)[%&#_^~]|\[\[", prose), prose
    # MathML needs something for an index to stand at.
    assert all(formula[0] not in "^_" for formula in re.findall(r"\$(.+?)\$", body))


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
    assert "computing the rows again costs 1 CPU second (measured)" in done.output
    assert not (tmp_path / "out").exists()


def test_command_makes_the_figures_asked_for(squares, tmp_path):
    out, rows = tmp_path / "out", tmp_path / "rows"
    done = invoke("squares_grow", "--quick", "--out", out, "--rows", rows)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == [
        "squares_grow.pdf",
        "squares_grow.png",
        "squares_grow.tex",
    ]
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
    with pytest.raises(ValueError, match=r"half_done\.py has no CAPTION, .*plot; expected CLAIM"):
        runner.load("half_done")


def test_files_are_vector_and_300_dpi_at_print_size(squares, tmp_path):
    pdf, png, _ = runner.make("squares_grow", quick=True, out=tmp_path, rows=tmp_path)
    data = png.read_bytes()
    # Width in pixels stands at bytes 16 to 20 of a PNG file.
    assert int.from_bytes(data[16:20], "big") == round(style.COLUMN * 300)
    data = pdf.read_bytes()
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", data)
    assert float(box[1]) == pytest.approx(style.COLUMN * 72, abs=0.1)
    # Type 42 fonts are embedded as TrueType; no raster image in a line plot.
    assert_embedded(pdf)
    assert b"/Subtype /Image" not in unpacked(data)


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


def test_caption_of_a_figure(squares, tmp_path):
    _, _, tex = runner.make("squares_grow", quick=True, out=tmp_path, rows=tmp_path)
    text = tex.read_text()
    assert "% python -m paper_figures squares_grow\n" in text
    assert "\\textbf{Squares grow.} Squares of 0, 1 and 2, exact, 100 \\% of them." in text
    assert "Symbols. $n$: a number." in text
    runner.make("squares_grow", out=tmp_path, rows=tmp_path)
    # More than four values are a range.
    assert "Squares of 0 to 5, exact" in tex.read_text()


def test_undefined_symbols_are_refused(squares, tmp_path, monkeypatch):
    script = runner.load("squares_grow")
    monkeypatch.setattr(script, "SYMBOLS", {})
    with pytest.raises(ValueError, match=r"squares_grow: \$n\$ in .* has no definition; add it"):
        runner.make("squares_grow", quick=True, out=tmp_path, rows=tmp_path)


def test_fields_without_a_value_are_refused(squares, tmp_path, monkeypatch):
    monkeypatch.setattr(runner.load("squares_grow"), "CAPTION", "Squares of [[m]].")
    with pytest.raises(ValueError, match="no task has 'm'"):
        runner.make("squares_grow", quick=True, out=tmp_path, rows=tmp_path)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("$I_t(A;C|B_r)$  [nats]", ["I_t", "A", "C", "B_r"]),
        (r"$\mathrm{KL}(p\Vert\hat p)$", ["KL", "p", r"\hatp"]),
        (r"$2\,\mathrm{TV}^2 \leq \sum\Delta I$", ["TV", r"\DeltaI"]),
        (r"$(p-p_c)\,L^{1/\nu}$, $t=0.5$", ["p", "p_c", "L", r"\nu", "t"]),
        (r"$\ln 2-H(\mathrm{parity})$", ["H"]),
        (r"$\mathdefault{10^{-3}}$", []),
        ("KL by T3, not by CMIs", ["KL", "T3"]),
    ],
)
def test_symbols_of_a_text(text, symbols):
    assert symbols_in([text]) == symbols


def test_proceedings_have_their_own_widths(squares, tmp_path):
    out = tmp_path / "out"
    done = invoke("squares_grow", "--quick", "--format", "proceedings", "--out", out,
                  "--rows", tmp_path)  # fmt: skip
    assert done.exit_code == 0, done.output
    data = (out / "proceedings" / "squares_grow.png").read_bytes()
    assert int.from_bytes(data[16:20], "big") == round(3.25 * 300)
    refused = invoke("squares_grow", "--format", "poster", "--out", out)
    assert refused.exit_code == 2
    assert "journal, proceedings" in refused.output


def test_fitting_needs_a_known_width_and_page():
    figure, _ = style.new_figure(5.0)
    with pytest.raises(ValueError, match="figure: is 5 in wide"):
        style.fit(figure, "journal")
    with pytest.raises(ValueError, match="format 'poster': expected one of journal, proceedings"):
        style.fit(figure, "poster")
    figure, _ = style.new_figure(style.TEXT)
    style.fit(figure, "proceedings")
    assert figure.get_figwidth() == 6.75
    style.fit(figure, "journal")
    assert figure.get_figwidth() == 7.0


def test_colliding_texts_are_found():
    with style.journal_style():
        figure, axes = style.new_figure()
        assert style.collisions(figure) == []
        axes.text(0.5, 0.5, "one", transform=axes.transAxes)
        axes.text(0.51, 0.52, "other", transform=axes.transAxes)
        figure.text(0.9, 0.9, "far beyond the margin of the page")
        found = style.collisions(figure)
    assert "'one' lies over 'other'" in found
    assert "'far beyond the margin of the page' leaves the page" in found


def test_type_3_fonts_would_be_noticed(tmp_path):
    with style.journal_style(), mpl.rc_context({"pdf.fonttype": 3}):
        figure, axes = style.new_figure()
        axes.set_title("text")
        pdf, _ = style.save(figure, "type3", tmp_path)
    with pytest.raises(AssertionError):
        assert_embedded(pdf)
