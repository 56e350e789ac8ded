r"""The caption of a figure: claim, what is drawn, every symbol, command and cost.

A script holds its caption as prose with formulas between dollars, `CAPTION`. Sizes that stand in
its tasks are not typed again but filled in: `[[samples]]` is what the tasks have under "samples"
(the values, or the smallest and the largest of more than four), `[[samples | what=curve]]` the same
of the tasks whose "what" is "curve". What the figure shows decides which symbols are defined: those
in its labels, titles and legends and in the caption itself, from the script's `SYMBOLS` first and
`GLOSSARY` else. A symbol without a definition is an error.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from matplotlib.figure import Figure

from paper_figures.style import visible_texts

__all__ = ["GLOSSARY", "Caption", "caption_of", "symbols_in"]

#: Formula or abbreviation -> what it stands for, with its unit.
GLOSSARY = {
    "t": "diffusion time, from 0 (data) to 1 (pure noise)",
    "t_c": "time of the transition",
    "r": "buffer radius [sites]",
    "A": "the site that is denoised, or block of sites",
    "B": "its buffer, the sites that a local step reads besides",
    "B_r": "the buffer: all other sites within distance $r$ of $A$",
    "C": "all other sites",
    "I": "mutual information [nats]",
    "I_t": "conditional mutual information in the law of the noisy data at time $t$ [nats]",
    "I_t(A;C|B_r)": "conditional mutual information, in the law of the noisy data at time $t$, of "
    "$A$ and $C$ given the buffer of radius $r$ [nats]",
    "I_t(A;C|B)": "conditional mutual information of $A$ and $C$ given $B$ in the law of the noisy "
    "data at time $t$ [nats]",
    "I(A;C|B)": "conditional mutual information of $A$ and $C$ given $B$ [nats]",
    r"\xi": "Markov length: the CMI falls off as $\\exp(-r/\\xi)$ [sites]",
    r"\nu": "exponent of the length that diverges at the transition",
    "J": "coupling of the Ising model, in units of the temperature",
    "T": "temperature of the Ising model, in units of its coupling",
    "T_c": r"Onsager's critical temperature, $2/\ln(1+\sqrt2)$",
    "p": "probability that a bond, or qubit, is flipped",
    "p_c": "flip probability at the transition",
    "x": "clean data",
    "y": "noisy data",
    "\\mathbb{E}": "mean over data and noise",
    "CMI": "conditional mutual information",
    "KL": "Kullback-Leibler divergence of the law that comes out from the true one [nats]",
    "TV": "total variation distance",
    "MINE": "neural estimate of mutual information by the Donsker-Varadhan bound",
}

_COMMANDS = {
    "approx", "bigl", "bigr", "cdot", "exp", "frac", "geq", "in", "infty", "langle", "leq", "ln",
    "log", "mid", "pm", "propto", "rangle", "sim", "sqrt", "sum", "times", "to", "Vert", "quad",
}  # fmt: skip
_FORMULA = re.compile(r"\$(.+?)\$", re.DOTALL)
_TOKEN = re.compile(
    r"(?:\\(?:hat|tilde|bar|Delta)\s*)?"
    r"(?:\\math(?:rm|bb)\{\w+\}|\\[A-Za-z]+|[A-Za-z])"
    r"(?:_(?:\{[^{}]*\}|\\mathrm\{\w+\}|\\?[A-Za-z]+|\d))?"
)
_ABBREVIATION = re.compile(r"\b(?:CMI|KL|TV|MINE|T\d+)\b")
_FIELD = re.compile(r"\[\[(\w+)(?: \| (\w+)=([^\]]+))?\]\]")


def tokens(formula: str) -> list[str]:
    """Symbols of one formula: letters with accents and indices, abbreviations in roman type."""
    bare = re.sub(r"\\mathdefault\{[^}]*\}+|\\[,;! ]", " ", formula)
    # Words in roman type explain themselves, as in H(parity).
    bare = re.sub(r"(?<!_)\\mathrm\{[a-z]{3,}\}", " ", bare)
    found = []
    for token in _TOKEN.findall(bare):
        plain = re.sub(r"\\mathrm\{(\w+)\}|[{}]", r"\1", token).replace(" ", "")
        if plain.lstrip("\\") not in _COMMANDS:
            found.append(plain)
    return found


def symbols_in(texts: Iterable[str]) -> list[str]:
    """Symbols and abbreviations of texts, in the order of their appearance.

    Example:
        >>> symbols_in(["KL of $I_t(A;C|B_r)$", "$(1-t)/m$  [sites]"])
        ['I_t', 'A', 'C', 'B_r', 'KL', 't', 'm']
    """
    found: list[str] = []
    for text in texts:
        for formula in _FORMULA.findall(text):
            found += tokens(formula)
        found += _ABBREVIATION.findall(_FORMULA.sub(" ", text))
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Caption:
    """Caption of one figure.

    Attributes:
        claim: What it shows, one sentence or two.
        body: What is drawn and how it was computed.
        symbols: Formula or abbreviation -> definition.
        command: What makes the figure.
        cost: What computing its rows again costs.
    """

    claim: str
    body: str
    symbols: dict[str, str]
    command: str
    cost: str

    def definitions(self) -> str:
        """The symbols as one sentence."""
        named = (
            f"{key if _ABBREVIATION.fullmatch(key) else f'${key}$'}: {text}"
            for key, text in self.symbols.items()
        )
        return "Symbols. " + "; ".join(named) + "."

    def latex(self) -> str:
        r"""A file for `\caption{\input{...}}`: prose in LaTeX, command and cost as remarks."""
        prose = f"\\textbf{{{_escaped(self.claim)}}} {_escaped(self.body)}"
        return (
            f"% {self.command}\n% Cost of computing the rows again: {self.cost}\n"
            f"{prose}\n{_escaped(self.definitions())}\n"
        )


def caption_of(
    script: ModuleType, fig: Figure, tasks: Sequence[dict[str, Any]], command: str
) -> Caption:
    """The caption of a drawn figure.

    Args:
        script: Of the figure, with CLAIM, CAPTION, COST and perhaps SYMBOLS.
        fig: What its `plot` returned.
        tasks: What was drawn.
        command: What makes the figure.

    Raises:
        ValueError: If a symbol has no definition, or a field of the template no value.
    """
    claim = re.sub(r"\b([A-Za-z]_[a-z])\b", r"$\1$", script.CLAIM)
    body = _FIELD.sub(lambda found: _field(tasks, *found.groups()), script.CAPTION)
    known = {**GLOSSARY, **_theorems(), **getattr(script, "SYMBOLS", {})}
    symbols: dict[str, str] = {}
    texts = [claim, body, *(text.get_text() for text in visible_texts(fig))]
    while texts:
        keys = [key for text in texts for key in _needed(text, known, script.__name__)]
        new = {key: known[key] for key in keys if key not in symbols}
        symbols |= new
        # Definitions name symbols too, which then need their own.
        texts = list(new.values())
    return Caption(claim, body, symbols, command, script.COST)


def _needed(text: str, known: dict[str, str], name: str) -> list[str]:
    """Keys of the definitions that a text calls for: whole expressions where there are any."""
    whole, single = [], {}
    for key in known:
        parts = [key] if _ABBREVIATION.fullmatch(key) else tokens(key)
        if len(parts) > 1:
            whole.append(key)
        else:
            single[parts[0]] = key
    keys: list[str] = []
    found: list[str] = []
    for formula in _FORMULA.findall(text):
        for key in sorted(whole, key=len, reverse=True):
            if key in formula:
                keys.append(key)
                formula = formula.replace(key, " ")
        found += tokens(formula)
    found += _ABBREVIATION.findall(_FORMULA.sub(" ", text))
    for symbol in found:
        # A symbol with an index of its own, or the same symbol with whatever index.
        base = symbol if symbol in single else symbol.split("_")[0]
        if base not in single:
            raise ValueError(
                f"{name}: ${symbol}$ in {text!r} has no definition; add it to SYMBOLS of the "
                "script or to GLOSSARY of paper_figures/captions.py"
            )
        keys.append(single[base])
    return keys


def _theorems() -> dict[str, str]:
    from phasetheory.theorems import THEOREMS

    return {key: f"theorem {key[1:]}, {theorem.name}" for key, theorem in THEOREMS.items()}


def _field(tasks: Sequence[dict[str, Any]], key: str, where: str | None, value: str | None) -> str:
    """What the tasks have under a key, in words."""
    chosen = [task for task in tasks if where is None or str(task.get(where)) == value]
    found: list[Any] = []
    for task in chosen:
        if key in task:
            one = task[key]
            found += ["×".join(map(str, one))] if key == "shape" else _as_list(one)
    found = list(dict.fromkeys(found))
    if not found:
        raise ValueError(f"caption: no task has {key!r} (where {where} is {value})")
    if all(isinstance(one, int | float) for one in found):
        found.sort()
        if len(found) > 4:
            return f"{_number(found[0])} to {_number(found[-1])}"
    return _listed([_number(one) for one in found])


def _as_list(one: Any) -> list[Any]:
    return list(one) if isinstance(one, list | tuple) else [one]


def _number(one: Any) -> str:
    return f"{one:,}" if isinstance(one, int) else f"{one:g}" if isinstance(one, float) else one


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _escaped(text: str) -> str:
    """Prose for LaTeX; formulas stay as they are."""
    parts = re.split(r"(\$.+?\$)", text)
    for k in range(0, len(parts), 2):
        parts[k] = re.sub(r"([&%#_])", r"\\\1", parts[k]).replace("×", r"\(\times\)")
    return "".join(parts)
