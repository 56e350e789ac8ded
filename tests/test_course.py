"""The course: every exercise wrong once and right once, its pages complete, its notebooks whole."""

import cmath
import importlib.util
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest

from phasetheory.course import EXERCISES, Exercise, Slip, check
from phasetheory.course.checking import judge
from phasetheory.course.slips import general_slips
from tests import brute

COURSE = Path(__file__).resolve().parents[1] / "docs" / "course"
CHAPTERS = sorted(COURSE.glob("chapter_*.md"))
CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```$", re.M | re.S)


def cells(path, *wanted):
    """Sources of the cells that carry one of the tags, in order, each with its tags."""
    for found in CELL.finditer(path.read_text(encoding="utf-8")):
        body = found[1]
        line = re.match(r":tags: \[(.*)\]\n", body)
        tags = set(line[1].split(", ")) if line else set()
        if tags & set(wanted):
            yield body[line.end() :], tags


def keys_of(path):
    number = re.match(r"chapter_(\d+)_", path.name)[1]
    return [key for key in EXERCISES if key.split(".")[0] == number]


def perturbed(exercise):
    """A wrong answer of the right shape that is no known mistake: every entry times 1.2345."""
    if exercise.cases is None:
        return 1.2345 * np.asarray(exercise.reference()) + 0.0321
    return lambda *case: 1.2345 * np.asarray(exercise.reference(*case)) + 0.0321


# Exercises.


@pytest.mark.parametrize("key", EXERCISES)
def test_every_exercise_open_wrong_and_right(key):
    exercise = EXERCISES[key]
    right = exercise.reference if exercise.cases else exercise.reference()
    assert check(key, right).ok
    assert "right" in str(check(key, right))
    assert not check(key, perturbed(exercise))
    assert exercise.asks in check(key, None).says
    assert exercise.asks.split()[1] in {"number:", "array", "function"}


@pytest.mark.parametrize(
    ("key", "number"), [(key, i) for key, e in EXERCISES.items() for i in range(len(e.slips))]
)
def test_every_slip_is_recognised_as_itself(key, number):
    """No slip is right, and none is taken for another one."""
    exercise = EXERCISES[key]
    slip = exercise.slips[number]
    verdict = check(key, slip.wrong if exercise.cases else slip.wrong())
    assert not verdict.ok
    assert slip.says in verdict.says


@pytest.mark.parametrize("key", EXERCISES)
def test_general_mistakes_are_recognised(key):
    """Each general mistake is seen as itself or as a slip of the exercise, never as right."""
    exercise = EXERCISES[key]
    if exercise.cases is not None:
        return
    right = np.asarray(exercise.reference(), dtype=float)
    for values, says in general_slips(exercise, [right]):
        verdict = check(key, values[0])
        same = np.allclose(values[0], right)
        assert verdict.ok == same, says
        assert verdict.ok or "looks like" in verdict.says or "probabilit" in verdict.says


def test_functions_are_diagnosed_over_all_their_inputs():
    entropy = EXERCISES["2.1"].reference
    assert "bits" in check("2.1", lambda p: entropy(p) / math.log(2)).says
    assert "wrong sign" in check("2.1", lambda p: -entropy(p)).says
    assert "0 log 0" in check("2.1", lambda p: -np.sum(p * np.log(p))).says
    assert "factor of 2" in check("3.2", lambda *case: 2 * EXERCISES["3.2"].reference(*case)).says


def test_functions_that_fail_are_told_how():
    def raises(p):
        raise KeyError("b")

    assert "KeyError" in check("2.1", raises).says
    assert "(2, 2, 2)" in check("2.1", raises).says
    assert "is there a return" in check("2.1", lambda p: None).says
    assert "TypeError" in check("2.1", lambda: 1.0).says


def test_answers_are_not_changed_by_functions_that_write_into_them():
    def greedy(p):
        result = EXERCISES["2.2"].reference(p)
        p[...] = np.nan
        return result

    assert check("2.2", greedy).ok


@pytest.mark.parametrize(
    ("key", "answer", "part"),
    [
        ("1.1", np.zeros((2, 3)), "Transpose"),
        ("1.1", np.zeros((4, 2)), "(3, 2) is needed"),
        ("1.1", np.array([[1.4, 0.0], [0.6, 0.6], [0.0, 1.4]]), "not normalised"),
        ("1.1", np.array([[0.7, -0.3], [0.3, 0.6], [0.0, 0.7]]), "negative"),
        ("1.4", 1j, "complex"),
        ("1.4", "two", "no number"),
        ("1.4", math.nan, "NaN"),
        ("1.4", lambda: 1, "a function was given"),
        ("1.4", 1.14, "close, but not close enough"),
        ("1.4", 30.0, "too large"),
        ("1.4", 1e-3, "too small"),
        ("1.3", 0.3, "float was given"),
        ("2.5", np.array([0.01695436, 0.02652654, 0.0123, 0.0456]), "2 of 4 entries"),
    ],
)
def test_the_diagnosis_of(key, answer, part):
    verdict = check(key, answer)
    assert not verdict.ok
    assert part in verdict.says


def test_no_verdict_shows_the_number():
    """The answer to three digits is in no message, whatever is answered."""
    for key, exercise in EXERCISES.items():
        if exercise.cases is not None:
            continue
        right = np.asarray(exercise.reference(), dtype=float)
        if right.ndim:
            continue
        said = [check(key, right * f).says for f in (-1.0, 0.5, 1.01, 1.2345, 7.7)]
        said += [check(key, None).says, exercise.hint, *(slip.says for slip in exercise.slips)]
        shown = f"{float(right):.3g}"
        assert not any(re.search(rf"(?<![\d.]){re.escape(shown)}(?![\d.])", text) for text in said)


def test_unknown_exercises_are_refused():
    with pytest.raises(ValueError, match=r"exercise='9\.9': one of 1\.1, "):
        check("9.9", 1)


def test_specific_slips_come_before_general_ones():
    exercise = Exercise(
        key="0.0",
        asks="a number",
        reference=lambda: 2.0,
        hint="",
        slips=(Slip(lambda: -2.0, "is special"),),
    )
    assert "is special" in judge(exercise, -2.0).says
    assert "factor of 2" in judge(exercise, 4.0).says


# The references, against enumeration that shares no code with them.


def joint_of_pair(c, kernel):
    """p(x1, x2, y1, y2) as a law over four-tuples, kernel(y, x) being the channel."""
    symbols = (-1, 0, 1)
    return {
        (x1, x2, y1, y2): (1 + c * x1 * x2) / 4 * kernel(y1, x1) * kernel(y2, x2)
        for x1, x2 in itertools.product((-1, 1), repeat=2)
        for y1, y2 in itertools.product(symbols, repeat=2)
    }


def mean_of_first(joint, y):
    weight = {x1: sum(p for k, p in joint.items() if k[0] == x1 and k[2:] == y) for x1 in (-1, 1)}
    return (weight[1] - weight[-1]) / (weight[1] + weight[-1])


def test_pair_by_enumeration():
    def flips(t):
        return lambda y, x: (1 - t) * (y == x) + t / 2 * (y != 0)

    def erasure(y, x):
        return 0.4 if y == 0 else 0.6 * (y == x)

    joint = joint_of_pair(0.6, flips(0.4))
    seen = {k[:2]: p for k, p in joint.items() if k[2:] == (1, -1)}
    table = [[seen[a, b] / sum(seen.values()) for b in (-1, 1)] for a in (-1, 1)]
    assert check("1.2", table).ok

    def denoiser(y1, y2, c):
        return mean_of_first(joint_of_pair(c, erasure), (y1, y2))

    assert check("1.3", denoiser).ok

    joint = joint_of_pair(0.8, flips(0.2))
    noisy = {y: sum(p for k, p in joint.items() if k[2:] == y) for y in ((-1, -1), (1, -1))}
    assert check("1.4", math.log(noisy[-1, -1] / noisy[1, -1])).ok

    def gap(t):
        joint = joint_of_pair(0.5, flips(t))
        return sum(
            p * (mean_of_first(joint, k[2:]) - (1 - t) * k[2]) ** 2
            for k, p in joint.items()
            if p > 0
        )

    # A grid of 5e-4 resolves the flat top to better than the 1e-3 that is asked.
    assert check("1.5", max((i / 2000 for i in range(600, 1000)), key=gap)).ok


def test_score_is_the_derivative_of_the_mixture():
    """By a complex step: the imaginary part of log p(y + ih)/h has no rounding of a difference."""
    h = 1e-20

    def log_p(y, c, alpha, sigma):
        total = 0.0
        for x in itertools.product((-1, 1), repeat=2):
            squares = sum((b - alpha * s) ** 2 for b, s in zip(y, x, strict=True))
            total += (1 + c * x[0] * x[1]) / 4 * cmath.exp(-squares / (2 * sigma**2))
        return cmath.log(total)

    def score(y, c, alpha, sigma):
        steps = [(1j * h, 0.0), (0.0, 1j * h)]
        return [
            [log_p((a + da, b + db), c, alpha, sigma).imag / h for da, db in steps] for a, b in y
        ]

    assert check("1.6", score).ok


def law_of(p):
    return {k: float(p[k]) for k in itertools.product(*map(range, p.shape)) if p[k] > 0}


def test_information_by_enumeration():
    assert check("2.1", lambda p: brute.entropy(law_of(p))).ok

    def cmi(p):
        return brute.cmi(law_of(p), [0], [1], [2])

    assert check("2.2", cmi).ok

    parity = {}
    for a, c, flipped in itertools.product((0, 1), repeat=3):
        parity[a, a ^ c ^ flipped, c] = 0.25 * (0.1 if flipped else 0.9)
    assert check("2.3", brute.cmi(parity, [0], [1], [2])).ok

    hole = {}
    for a, b, c in itertools.product((-1, 1), repeat=3):
        p = (1 + 0.8 * a * b) * (1 + 0.8 * b * c) / 8
        hole[a, b, c] = 0.7 * p
        hole[a, 0, c] = hole.get((a, 0, c), 0.0) + 0.3 * p
    assert check("2.6", brute.cmi(hole, [0], [1], [2])).ok


def recover_by_loops(p, channel):
    found = np.zeros(p.shape)
    for a, b, c in np.ndindex(p.shape):
        for y, truth in itertools.product(range(len(channel)), range(p.shape[0])):
            weights = [channel[y, x] * sum(p[x, b]) for x in range(p.shape[0])]
            back = weights[a] / sum(weights)
            found[a, b, c] += back * channel[y, truth] * p[truth, b, c]
    return found


def test_recovery_by_loops():
    assert check("2.4", recover_by_loops).ok
    p = np.array([[[4, 1], [1, 2]], [[1, 2], [1, 4]]]) / 16
    channel = np.array([[0.8, 0.2], [0.2, 0.8]])
    back = recover_by_loops(p, channel)
    noisy = np.zeros(p.shape)
    for y, a, b, c in np.ndindex(2, 2, 2, 2):
        noisy[y, b, c] += channel[y, a] * p[a, b, c]
    before, after = (brute.cmi(law_of(q), [0], [1], [2]) for q in (p, noisy))
    tv = sum(abs(p[k] - back[k]) for k in np.ndindex(p.shape)) / 2
    kl = sum(p[k] * math.log(p[k] / back[k]) for k in np.ndindex(p.shape))
    chain = [2 * tv**2, kl, before - after, before]
    assert chain == sorted(chain)
    assert check("2.5", chain).ok


def test_gaussian_references_by_conditioning():
    """CMI as a ratio of conditional determinants; the filter as a regression on y."""

    def conditional(S, A, B):
        if len(B) == 0:
            return S[np.ix_(A, A)]
        gain = np.linalg.solve(S[np.ix_(B, B)], S[np.ix_(B, A)])
        return S[np.ix_(A, A)] - S[np.ix_(A, B)] @ gain

    def cmi(S, A, B, C):
        less, more = conditional(S, A, B), conditional(S, A, np.concatenate([B, C]))
        return math.log(np.linalg.det(less) / np.linalg.det(more)) / 2

    assert check("3.2", cmi).ok

    def wiener(y, mean, covariance, noise, region):
        # In information form: the posterior precision is that of the prior plus the data's.
        alpha, sigma = noise
        seen = np.zeros(len(mean))
        seen[region] = alpha / sigma**2
        prior = np.linalg.inv(covariance)
        return np.linalg.solve(
            prior + np.diag(alpha * seen), (prior @ mean)[:, None] + (seen * y).T
        ).T

    assert check("3.3", wiener).ok


def test_markov_length_is_measured_in_a_long_chain():
    """Ratio of successive one-sided CMIs of 200 noisy sites at r = 8: b^2 up to O(b^16) = 4e-4."""
    S = 0.25 * 0.9 ** np.abs(np.subtract.outer(np.arange(200), np.arange(200))) + 0.25 * np.eye(200)
    cmi = EXERCISES["3.2"].reference
    near, far = (cmi(S, [0], np.arange(1, r + 1), np.arange(r + 1, 200)) for r in (8, 9))
    assert check("3.4", 1 / math.log(near / far)).ok


# Pages.


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_are_complete(path):
    text = path.read_text(encoding="utf-8")
    keys = keys_of(path)
    assert 4 <= len(keys) <= 6
    for part in ("**Goals.**", "**Needs.**", "**Time.**", "## Summary", "Notes for the lecturer"):
        assert text.count(part) == 1, part
    for part in ("**Timing.**", "**On the board.**", "**Pitfalls.**"):
        assert text.count(part) == 1, part
    assert re.findall(r"^### Exercise (\d\.\d): ", text, re.M) == keys
    for tag in ("exercise", "solution"):
        sources = [source for source, tags in cells(path, tag)]
        assert [re.findall(r'check\("(\d\.\d)", ', s) for s in sources] == [[key] for key in keys]
    assert all("hide-cell" in tags for _, tags in cells(path, "solution"))


def test_every_chapter_is_on_the_overview_and_every_exercise_in_a_chapter():
    index = (COURSE / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"^(chapter_\w+)$", index, re.M) == [path.stem for path in CHAPTERS]
    assert re.findall(r"\((chapter_\w+)\.md\)", index) == [path.stem for path in CHAPTERS]
    assert [key for path in CHAPTERS for key in keys_of(path)] == list(EXERCISES)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_solutions_are_right_and_exercises_open(path):
    """Set-up, exercise and solution cells in order: first no answer, then the right one."""
    namespace, verdicts = {}, []

    def recorded(key, answer):
        verdicts.append(check(key, answer))

    for source, tags in cells(path, "setup", "exercise", "solution"):
        exec(compile(source, path.name, "exec"), namespace)
        if "setup" in tags:
            namespace["check"] = recorded
    assert [v.ok for v in verdicts] == [False, True] * len(keys_of(path))
    assert all("no answer yet" in v.says for v in verdicts[::2])


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_notebooks_are_whole(path):
    pytest.importorskip("myst_nb")
    file = COURSE.parent / "_ext" / "course_notebooks.py"
    spec = importlib.util.spec_from_file_location("course_notebooks", file)
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    text = path.read_text(encoding="utf-8")
    made = extension.notebook(text)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert len(code) == len(CELL.findall(text))
    hidden = [c.metadata.get("jupyter", {}).get("source_hidden", False) for c in code]
    assert hidden == ["solution" in c.metadata.get("tags", []) for c in code]
    assert not any(c.outputs for c in code)
    words = "\n".join(c.source for c in made.cells if c.cell_type == "markdown")
    assert "Notes for the lecturer" in words
    assert "course-notebook" not in words
    with pytest.raises(ValueError, match="markup of Sphinx"):
        extension.notebook("---\nfile_format: mystnb\n---\n\n{unclosed}`x\n")
