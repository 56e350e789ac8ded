"""`pt.citation`: complete, parseable, and in agreement with CITATION.cff."""

import importlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

import phasetheory as pt
from phasetheory import citations, neural, sampling, schedules, sweep

ROOT = Path(__file__).resolve().parents[1]
DATABASE = (ROOT / "phasetheory" / "data" / "references.bib").read_text(encoding="utf-8")
REQUIRED = {
    "article": {"author", "title", "journal", "year"},
    "book": {"author", "title", "publisher", "year"},
    "incollection": {"author", "title", "booktitle", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "misc": {"author", "title", "year"},
    "software": {"author", "title", "version"},
}
OPTIONAL = {"doi", "eprint", "archivePrefix", "volume", "pages", "note", "publisher", "license"}


def parse(text):
    """Key -> (type, fields) of a BibTeX text; stricter than BibTeX itself."""
    found = {}
    rest = re.sub(r"^%.*$", "", text, flags=re.M).strip()
    while rest:
        head = re.match(r"@(\w+)\{([a-z][\w-]*),\n", rest)
        if not head:
            raise ValueError(f"no entry at {rest[:60]!r}")
        kind, key = head.groups()
        fields, position = {}, head.end()
        while not rest.startswith("}", position):
            field = re.match(r"  (\w+) = \{", rest[position:])
            if not field:
                raise ValueError(f"{key}: no field at {rest[position : position + 60]!r}")
            start = end = position + field.end()
            depth = 1
            while depth:
                if end == len(rest) or rest[end] == "@":
                    raise ValueError(f"{key}: braces of {field[1]} are not balanced")
                depth += {"{": 1, "}": -1}.get(rest[end], 0)
                end += 1
            if not rest.startswith(",\n", end) or field[1] in fields or end == start + 1:
                raise ValueError(f"{key}: {field[1]} twice, empty or without a comma")
            fields[field[1]] = rest[start : end - 1]
            position = end + 2
        missing = REQUIRED[kind] - set(fields)
        unknown = set(fields) - REQUIRED[kind] - OPTIONAL
        if key in found or missing or unknown:
            raise ValueError(f"{key}: twice, or missing {missing}, or unknown {unknown}")
        found[key] = (kind, fields)
        rest = rest[position + 1 :].strip()
    return found


@pytest.mark.parametrize(
    "broken",
    [
        "@article{a,\n  title = {x},\n}",
        "@misc{a,\n  author = {x},\n  title = {{y},\n  year = {2000},\n}",
        "@misc{a,\n  author = {x},\n  title = {y}\n  year = {2000},\n}",
        "@misc{a,\n  author = {x},\n  title = {y},\n  year = {2000},\n  colour = {red},\n}",
        "@misc{a,\n  author = {},\n  title = {y},\n  year = {2000},\n}",
        "stray\n@misc{a,\n  author = {x},\n  title = {y},\n  year = {2000},\n}",
    ],
)
def test_the_parser_refuses_broken_entries(broken):
    with pytest.raises(ValueError, match=r"a: |no entry"):
        parse(broken)


def test_every_source_is_well_formed():
    found = parse(DATABASE)
    assert set(found) == set(citations.entries())
    for key, (_, fields) in found.items():
        assert re.fullmatch(r"(19|20)\d\d", fields["year"]), key
        assert re.search(r"\d{4}", key)[0] == fields["year"], key
        assert re.fullmatch(r"10\.\d{4,}/\S+", fields.get("doi", "10.1000/x")), key
        assert ("eprint" in fields) == ("archivePrefix" in fields), key
        arxiv = r"(\d{4}\.\d{4,5}|[a-z-]+/\d{7})"
        assert re.fullmatch(arxiv, fields.get("eprint", "2508.06614")), key


def test_every_key_has_a_source_and_every_source_a_method():
    used = {key for keys in citations.METHODS.values() for key in keys}
    assert used == set(citations.entries())


def public():
    """Every name that a reader can have used: (where it is looked for, the name)."""
    functions = [
        name
        for name, function in vars(schedules).items()
        if getattr(function, "__module__", "") == "phasetheory.schedules"
    ]
    helpers = {"time_at_snr", "convert_time"}  # they convert, whatever the schedule
    return [
        *((pt, name) for name in pt.__all__ if name != "citation"),
        *((sampling, name) for name in sampling.__all__),
        *((neural, name) for name in neural.__all__),
        *((schedules, name) for name in functions if name not in helpers),
        *((sweep, name) for name in ("Grid", "Stop", "merge_ledgers", "read_ledger")),
    ]


@pytest.mark.parametrize("name", [name for _, name in public()])
def test_every_public_name_has_an_entry(name):
    assert name in citations.METHODS
    assert citations.sources(name) is not None


@pytest.mark.parametrize("name", [*pt.THEOREMS, *sweep.MODELS, *sweep.NOISES])
def test_every_theorem_model_and_noise_has_an_entry(name):
    assert name in citations.METHODS


def test_every_sampler_has_a_source():
    moves = {name for name in sampling.__all__ if hasattr(getattr(sampling, name), "step")}
    assert len(moves) == 8
    for move in moves:
        assert citations.sources(move), move


def test_every_entry_names_something_that_exists():
    """A method that was renamed or dropped must not stay behind."""
    known = {name for _, name in public()} | set(pt.THEOREMS) | set(sweep.MODELS)
    for name in citations.METHODS:
        first = re.split(r"[./]", name)[0]
        if first not in known:
            assert importlib.import_module(f"phasetheory.engines.{name}"), name
        elif "." in name:
            assert hasattr(getattr(pt, first), name.split(".")[1]), name
        elif "/" in name:
            assert set(name.split("/")) <= known, name


# What is printed.


def printed(*subjects):
    out = io.StringIO()
    assert pt.citation(*subjects, file=out) is None
    return out.getvalue()


def test_without_a_subject_the_software_and_the_paper(capsys):
    pt.citation()
    text = capsys.readouterr().out
    assert set(parse(text)) == {"phasetheory", "hu2025"}
    assert text == printed()


def test_everything_at_once_parses():
    found = parse(printed(*citations.METHODS))
    assert set(found) == {"phasetheory", *citations.entries()}


def test_each_entry_says_what_it_is_for():
    text = printed("Wolff", "Perfect", "T10", "Wolff")
    assert re.findall(r"% for (.*)\n@\w+\{(\w+),", text) == [
        ("Wolff", "wolff1989"),
        ("Perfect", "propp1996"),
        ("T10", "nishimori1981"),
        ("T10", "iba1999"),
    ]
    assert "% for T5, T7\n@misc{liu2026," in printed("T5", "T7")
    assert "% the paper whose theory this is, T1\n" in printed("T1")


GRID = pt.Lattice.grid((3, 3))


def _scan():
    return pt.scan(pt.Ising(GRID, 0.3), pt.BitFlip, t=[0.2, 0.4], radius=[1, 2], centre=(0, 0))


def _sweep():
    grid = sweep.Grid(
        model={"name": "CurieWeiss", "size": 6, "coupling": 0.5},
        noise={"name": "Erasure", "t": 0.4},
        geometry={"name": "counts", "radius": 2},
    )
    return pt.scan(grid)


def _mine_like():
    data = _scan()
    return data.assign_attrs(
        model="images", source="arXiv:1801.04062, protocol of arXiv:2508.06614"
    )


def _images():
    field = pt.GaussianField.fit(pt.load_images(limit=20)[:, 10:13, 10:13])
    return pt.scan(field, pt.Gaussian, t=[0.2, 0.4], radius=[1], centre=(1, 1))


LOOPS = pt.LoopEnsemble(GRID)
LAW = pt.Ising(GRID, 0.3).noised(pt.BitFlip(0.2))
VP = pt.schedules.variance_preserving()


@pytest.mark.parametrize(
    ("subject", "keys"),
    [
        (lambda: LOOPS, {"nishimori1981", "dennis2002", "kaufman1949", "bravyi2014"}),
        (lambda: LOOPS.noised(pt.Erasure(0.2)), {"kesten1980", "austin2021", "dennis2002"}),
        (lambda: LOOPS.noised(pt.BitFlip(0.2)), {"hasenbusch2008"}),
        (lambda: pt.Gaussian(0.5, VP), {"song2021sde"}),
        (lambda: pt.GaussianMixture, {"liu2026", "biroli2024"}),
        (lambda: pt.GaussianField.fit, {"ledoit2004"}),
        (lambda: pt.chain_cmi, {"lloyd2025"}),
        (lambda: "phasetheory.engines.planar", {"bravyi2014"}),
        (lambda: "mine", {"belghazi2018", "donsker1983"}),
        (lambda: "pt.T11", {"liu2026"}),
        (lambda: "swendsen-wang", {"swendsen1987"}),
        (lambda: pt.THEOREMS["T6"], {"guo2005", "stam1959"}),
        (lambda: sampling.Tempering, {"hukushima1996", "syed2022"}),
        (lambda: importlib.import_module("phasetheory.engines.planar"), {"kaufman1949"}),
        (_scan, {"onsager1944", "austin2021", "hu2025"}),
        (lambda: pt.markov_length(_scan()), {"onsager1944", "vuong1989"}),
        (_sweep, {"hubbard1959", "austin2021"}),
        (_images, {"ledoit2004"}),
        (_mine_like, {"belghazi2018"}),
        (lambda: pt.locality_gap(LAW, GRID.tripartition((1, 1), 0)), {"liu2026"}),
    ],
)
def test_subjects(subject, keys):
    found = citations.sources(subject())
    assert keys <= set(found)
    assert set(parse(printed(subject()))) == {"phasetheory", "hu2025", *found}


def test_what_was_not_used_is_not_cited():
    assert "kesten1980" not in citations.sources(LOOPS.noised(pt.BitFlip(0.2)))
    assert "ledoit2004" not in citations.sources(pt.GaussianField(GRID, precision=np.eye(9)))


class Own:
    q = 2
    lattice = GRID


def test_a_model_of_ones_own_adds_nothing():
    law = pt.NoisyLaw(Own(), pt.Erasure(0.2))
    assert set(citations.sources(law)) == {"austin2021"}


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("plannar", r"subject 'plannar'.*did you mean 'planar'"),
        ("zzzzzz", "no method of that name"),
        (Own(), "not a method of phasetheory"),
        (3.0, r"subject 3\.0"),
        (re.match, "not a method of phasetheory"),
    ],
)
def test_refusals(subject, message):
    with pytest.raises(ValueError, match=message):
        pt.citation(subject)


# CITATION.cff says the same.


def test_citation_cff_agrees():
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    found = parse(printed())
    software, paper = found["phasetheory"][1], found["hu2025"][1]
    assert cff["cff-version"] == "1.2.0" and cff["message"]
    assert (cff["title"], cff["version"]) == (software["title"], software["version"])
    assert (cff["license"], cff["version"]) == (software["license"], pt.__version__)
    assert [f"{{{a['name']}}}" for a in cff["authors"]] == [software["author"]]
    (reference,) = cff["references"]
    assert reference["title"] == paper["title"]
    assert str(reference["year"]) == paper["year"]
    assert paper["eprint"] in reference["notes"]
    authors = [f"{a['family-names']}, {a['given-names']}" for a in reference["authors"]]
    assert " and ".join(authors) == paper["author"]
