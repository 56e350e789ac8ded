"""The noisy Ising chain: decay of the CMI with the buffer, and the exact Markov length."""

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting
from phasetheory.engines.erased_chain import erased_chain_markov_length
from phasetheory.information.chain import chain_cmi, chain_markov_length

CLAIM = (
    "Noise makes the Markov length of an Ising chain longer: from zero without noise it rises to "
    "half the correlation length, the same limit for every noise, and stays finite all the way."
)

CAPTION = (
    "Ising chains with coupling $J$. Left: CMI of one spin of the infinite chain under bit "
    "flips, exact by transfer operators (lines), and of the middle of a chain of [[spins]] spins "
    "by enumeration (circles). Right: exact Markov length under three noises; dotted: half the "
    "correlation length, which all reach at pure noise."
)

COST = "6 CPU seconds (estimated)"

GROUP = "ours"


NOISES = {"bit flips": pt.BitFlip, "Gaussian": pt.Gaussian, "erasure": pt.Erasure}
COLOUR = {"bit flips": "vermillion", "Gaussian": "green", "erasure": "blue"}
MARKER = {"bit flips": "s", "Gaussian": "^", "erasure": "o"}
COUPLINGS = {0.5: "--", 1.5: "-"}
TIMES = (0.1, 0.3, 0.6, 0.9)
RADII = 16


def tasks(quick: bool) -> list[dict[str, Any]]:
    """Profiles of flipped chains, enumerated points beside them, and lengths over time."""
    profiles = [{"what": "profile", "coupling": 1.0, "t": t, "radii": RADII} for t in TIMES]
    counted = [
        {"what": "enumerated", "coupling": 1.0, "t": t, "spins": 13 if quick else 17} for t in TIMES
    ]
    points = 12 if quick else 60
    lengths = [
        {"what": "length", "coupling": J, "noise": name, "points": points}
        for J in COUPLINGS
        for name in NOISES
    ]
    return profiles + counted + lengths


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Exact numbers: transfer operators, enumeration, and the closed form under erasure."""
    J = task["coupling"]
    if task["what"] == "profile":
        noise = pt.BitFlip(task["t"])
        values = chain_cmi(J, noise, np.arange(task["radii"]))
        return {"cmi": values.tolist(), "xi": chain_markov_length(J, noise)}
    if task["what"] == "enumerated":
        middle = task["spins"] // 2
        lattice = pt.Lattice.chain(task["spins"])
        law = pt.Ising(lattice, coupling=J).noised(pt.BitFlip(task["t"]))
        parts = [lattice.tripartition(middle, r) for r in range(middle)]
        return {"cmi": [estimate.value for estimate in pt.cmi(law, parts, method="exact")]}
    times = np.linspace(0.0, 1.0, task["points"] + 1)[1:]
    if task["noise"] == "erasure":
        xi = [erased_chain_markov_length(J, t) for t in times]
    else:
        # At small t Gaussian noise tells spins apart without a doubt: xi is 0 to the eye.
        times = times[times >= (0.1 if task["noise"] == "Gaussian" else 0.0)]
        xi = [chain_markov_length(J, NOISES[task["noise"]](float(t))) for t in times]
    return {"t": times.tolist(), "xi": xi}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Profiles on the left, Markov lengths on the right."""
    figure, (left, right) = new_figure(TEXT, 2.6, ncols=2)
    profiles = [row for row in rows if row["what"] == "profile"]
    for row, colour in zip(profiles, plotting.sequence(len(profiles)), strict=True):
        r = np.arange(row["radii"])
        label = rf"$t={row['t']:.1f}$, $\xi={row['xi']:.2f}$"
        left.plot(r, row["cmi"], color=colour, label=label)
        (counted,) = (e for e in rows if e["what"] == "enumerated" and e["t"] == row["t"])
        left.plot(counted["cmi"], color=colour, ls="", marker="o", ms=3, mfc="white")
    left.set(yscale="log", ylim=(1e-12, 1.0), xlim=(0, RADII - 1))
    left.set(xlabel="buffer radius $r$", ylabel="$I_t(A;C|B_r)$  [nats]")
    left.legend(handlelength=1.2, loc="lower left")
    spins = next(row["spins"] for row in rows if row["what"] == "enumerated")
    left.set_title(f"bit flips, $J=1$ (circles: {spins} spins, ending at $r={spins // 2}$)")
    for row in (row for row in rows if row["what"] == "length"):
        style, colour = COUPLINGS[row["coupling"]], COLOURS[COLOUR[row["noise"]]]
        label = row["noise"] if style == "-" else None
        right.plot(
            row["t"], row["xi"], color=colour, ls=style, label=label, marker=MARKER[row["noise"]],
            markevery=0.15,
        )  # fmt: skip
    for J, style in COUPLINGS.items():
        half = -0.5 / math.log(math.tanh(J))
        right.plot([0, 1], [half, half], color=COLOURS["black"], ls=":", lw=0.7)
        name = f"$J={J:g}$ ({'solid' if style == '-' else 'dashed'})"
        right.text(0.99, half * 1.05, name, ha="right", va="bottom", fontsize=7)
    right.set(xlabel="diffusion time $t$", ylabel=r"Markov length $\xi$  [sites]", xlim=(0, 1))
    right.set(yscale="log", ylim=(0.1, 8.0))
    ticks = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
    right.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    right.tick_params(axis="y", which="minor", labelleft=False)
    right.set_title("all noises; dotted: half the correlation length")
    right.legend(handlelength=1.2, loc="lower right")
    return figure
