"""The check of the built documentation fires on what it should notice, and on nothing else."""

import shutil

import pytest

from tests.check_site import check, look

GOOD = """<html><head><link rel="stylesheet" href="_static/a.css?v=1"><link rel="canonical"
href="https://elsewhere.org"><style>b { background: url(_static/p.png) }</style></head><body>
<a href="#here">x</a> <a href="sub/other.html#there">y</a> <a href="https://elsewhere.org">z</a>
<a href="sub/">s</a> <a href="#"></a> <img src="_static/p.png"> <img src="data:image/png;base64,A">
<p id="here">{}</p></body></html>"""
OTHER = """<html><head><meta name="viewport" content="width=device-width"></head><body>
<a name="there"></a><a href="../index.html">up</a></body></html>"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "_static" / "a.css").write_text("@font-face { src: url('p.png') }")
    (tmp_path / "_static" / "p.png").write_bytes(b"")
    (tmp_path / "sub" / "other.html").write_text(OTHER)
    (tmp_path / "sub" / "index.html").write_text(OTHER)
    return write(tmp_path, "")


def write(folder, body, css=None):
    (folder / "index.html").write_text(GOOD.replace("{}", body))
    if css is not None:
        (folder / "_static" / "a.css").write_text(css)
    return folder


def test_a_good_site_passes(site):
    assert check(site) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<a href="gone.html">x</a>', "links to gone.html, which is not there"),
        ('<a href="#gone">x</a>', "links to #gone, which has no such place"),
        ('<a href="sub/other.html#gone">x</a>', "#gone, which has no such place"),
        ('<a href="../../etc.html">x</a>', "which is not there"),
        ('<img src="gone.png">', "loads gone.png, which is not there"),
        ('<img srcset="_static/p.png 1x, gone.png 2x">', "loads gone.png"),
        ('<script src="https://cdn.org/a.js"></script>', "loads https://cdn.org/a.js"),
        ('<link rel="preconnect" href="//fonts.org">', "loads //fonts.org"),
        ('<iframe src="http://video.org"></iframe>', "loads http://video.org"),
        ('<p style="background: url(https://a.org/b.png)">', "loads https://a.org/b.png"),
        ("<style>@import 'https://a.org/b.css';</style>", "loads https://a.org/b.css"),
    ],
)
def test_what_is_broken_is_noticed(site, body, message):
    found = check(write(site, body))
    assert any(message in problem for problem in found), found


def test_stylesheets_are_read(site):
    found = check(
        write(site, "", css="a { background: url(//a.org/b.png) } b { src: url(c.woff) }")
    )
    assert found == [
        "_static/a.css: loads //a.org/b.png",
        "_static/a.css: loads c.woff, which is not there",
    ]


def test_an_empty_folder_is_no_site(tmp_path):
    assert "no page" in check(tmp_path)[0]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromedriver") is None, reason="needs chromedriver")
def test_what_is_too_wide_for_a_phone_is_noticed(site):
    driver = shutil.which("chromedriver")
    head = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    assert look(write(site, head), driver) == []
    assert any("laid out for" in found for found in look(write(site, ""), driver))
    (problem,) = look(write(site, head + '<pre id="w" style="width: 900px">x</pre>'), driver)
    assert problem.startswith("index.html: ") and "pre#w" in problem
    kept = '<div style="overflow-x: auto"><pre style="width: 900px">x</pre></div>'
    assert look(write(site, head + kept), driver) == []
