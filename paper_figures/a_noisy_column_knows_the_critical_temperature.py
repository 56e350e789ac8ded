"""T_c of the Ising model from exact informations on noisy cylinders of up to 14 spins around."""

from functools import cache
from typing import Any

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting
from phasetheory.transitions.crossing import crossings
from phasetheory.transitions.curves import Curves
from phasetheory.transitions.extrapolation import extrapolate_crossings
from phasetheory.transitions.finite_size import Collapse, collapse

CLAIM = (
    "What a noisy ring of Ising spins knows of a boundary as far away as the ring is long tells "
    "T_c: at every noise level curves of all sizes cross, and the crossings lead to Onsager's "
    "value."
)

CAPTION = (
    "Exact informations on cylinders of $W$ spins around ([[width]]) and $2W$ long, joined at "
    "one end to a boundary spin $S$, under bit flips. Left: what the noisy ring at distance $W$ "
    "from the boundary says of $S$, against the temperature, at $t=0.2$. Middle: crossings of "
    "the curves of $W$ and $W+2$ at the times [[t]], with their extrapolations; diamond: the "
    "mean limit, its bar the largest deviation of a single fit. Right: collapse of the data of "
    "least noise, its leading correction taken off. Dashed: Onsager's $T_c$ (quoted). Nothing is "
    "sampled: all errors are those of finite sizes."
)

SYMBOLS = {
    "W": "number of spins around the cylinder",
    "S": "the boundary spin",
    "I": "mutual information [nats]",
    r"y_\mathrm{ring}": "the noisy spins of the ring",
    r"\nu": "exponent of the correlation length, exactly 1",
    "T": "temperature, with a coupling of one",
}

COST = "20 CPU seconds (estimated)"

GROUP = "ours"


#: Onsager 1944.
ONSAGER, NU = 2.0 / np.log(1.0 + np.sqrt(2.0)), 1.0
WIDTHS = (4, 6, 8, 10, 12, 14)
TIMES = (0.1, 0.2, 0.4)
TEMPERATURES = (2.2, 2.225, 2.25, 2.275, 2.3, 2.325, 2.35, 2.375, 2.4)
#: Corrections L^-omega with which a collapse is tried: the spread of its exponent is its error.
CORRECTIONS = (1.0, 1.5, 2.0)


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a time and width."""
    widths = WIDTHS[:4] if quick else WIDTHS
    return [
        {"width": width, "t": t, "T": list(TEMPERATURES)}
        for t in (TIMES[:2] if quick else TIMES)
        for width in widths
    ]


@cache
def cylinder(width: int, length: int | None = None) -> pt.Lattice:
    """W spins around, 2W long, and a boundary spin (site 0) coupled to all of one end."""
    length = 2 * width if length is None else length
    graph: nx.Graph[Any] = nx.Graph()
    graph.add_node("boundary")
    for column in range(length):
        nx.add_cycle(graph, [(column, row) for row in range(width)])
    graph.add_edges_from(("boundary", (0, row)) for row in range(width))
    graph.add_edges_from(
        ((column, row), (column + 1, row)) for column in range(length - 1) for row in range(width)
    )
    return pt.Lattice.from_graph(graph)


def information(lattice: pt.Lattice, distance: int, T: float, t: float) -> float:
    """I(boundary spin; noisy ring at a distance), exact, nats: a CMI with an empty buffer.

    The boundary spin is noiseless, so that it is the sign of a fixed boundary; what lies between
    it and the ring, and beyond the ring, is not observed.
    """
    ring = np.flatnonzero(lattice.distances([0]) == distance)
    noise = pt.BitFlip(np.where(np.arange(lattice.n_sites) == 0, 0.0, t))
    law = pt.Ising(lattice, coupling=1.0 / T).noised(noise)
    return pt.cmi(law, pt.Tripartition(A=[0], B=[], C=ring), method="exact").value


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Information of the ring at distance W, at every temperature."""
    width, t = task["width"], task["t"]
    lattice = cylinder(width)
    return {"information": [information(lattice, width, T, t) for T in task["T"]]}


def curves(rows: list[dict[str, Any]], t: float) -> Curves:
    """Exact curves of all widths against the temperature, at one time."""
    own = sorted((row for row in rows if row["t"] == t), key=lambda row: int(row["width"]))
    values = np.array([row["information"] for row in own])
    widths = np.array([row["width"] for row in own], dtype=float)
    return Curves.from_arrays(widths, own[0]["T"], values, stderr=np.zeros_like(values))


def critical_temperatures(rows: list[dict[str, Any]]) -> tuple[float, float, list[float]]:
    """T_c, its error, and the single limits behind it.

    At each time the crossings of W and W + 2 are extrapolated as T_c + b W^-w, once with all and
    once without the smallest pair. The data are exact and the fits perfect to the eye, so the
    errors that the fits quote mean nothing: what is not known is the next correction. Times and
    windows weigh it differently, hence: mean and largest deviation from it.
    """
    limits = []
    for t in sorted({row["t"] for row in rows}):
        met = crossings(curves(rows, t))
        for window in (met, met.isel(pair=slice(1, None), pair_=slice(1, None))):
            found = extrapolate_crossings(window)
            if found.verdict == "ok":
                limits.append(found.t_c.value)
    if not limits:
        return np.nan, np.nan, []
    middle = float(np.mean(limits))
    return middle, float(np.abs(np.array(limits) - middle).max()), limits


def collapses(rows: list[dict[str, Any]]) -> list[Collapse]:
    """Collapses of the data of least noise, one for each correction to scaling."""
    least = curves(rows, min(row["t"] for row in rows))
    return [collapse(least, a=0.0, correction=omega) for omega in CORRECTIONS]


def located(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """T_c and nu with their errors, for the table of transitions.

    Args:
        rows: Finished rows of all tasks.

    Returns:
        One dict a quantity: transition, quantity, found, stderr, literature,
        literature_stderr, source, verdict. The errors are systematic: the data are exact, their
        sizes finite.
    """
    T_c, error, limits = critical_temperatures(rows)
    fits = [fit for fit in collapses(rows) if fit.ok]
    nu = np.array([fit.nu.value for fit in fits])
    spread = float(np.ptp(nu) / 2 + max(fit.nu.stderr for fit in fits)) if fits else np.nan
    common = {
        "transition": "Ising cylinders, bit flips",
        "source": "Onsager 1944",
        "literature_stderr": 0.0,
    }
    return [
        common
        | {
            "quantity": "T_c",
            "found": T_c,
            "stderr": error,
            "literature": float(ONSAGER),
            "verdict": _verdict(len(limits)),
        },
        common
        | {
            "quantity": "nu",
            "found": float(nu.mean()) if fits else np.nan,
            "stderr": spread,
            "literature": NU,
            "verdict": _verdict(len(fits)),
        },
    ]


def _verdict(count: int) -> str:
    if not count:
        return "not located: no fit holds"
    return f"exact, W = {WIDTHS[0]} to {WIDTHS[-1]}; spread of {count} fits"


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Curves at the middle time, crossings against size, and the collapse."""
    figure, (left, middle, right) = new_figure(TEXT, 2.5, ncols=3)
    times = sorted({row["t"] for row in rows})
    t = times[len(times) // 2]
    shown = sorted((row for row in rows if row["t"] == t), key=lambda row: int(row["width"]))
    shades = plotting.sequence(len(shown))
    for row, colour in zip(shown, shades, strict=True):
        left.plot(row["T"], row["information"], color=colour, label=f"$W={row['width']}$")
    left.axvline(ONSAGER, color="black", ls="--", lw=0.8)
    left.set(xlabel="temperature $T$", ylabel=r"$I(S;y_\mathrm{ring})$  [nats]")
    left.set_title(f"exact, $t={t:g}$; dashed: $T_c$")
    left.legend(handlelength=1.0, labelspacing=0.2)
    _crossings(middle, rows, times)
    fits = collapses(rows)
    good = [fit for fit in fits if fit.ok] or fits
    best = min(good, key=lambda fit: fit.misfit)
    points = best.scaled()
    for row, colour in zip(shown, shades, strict=True):
        own = points.where(points["size"] == row["width"], drop=True)
        right.plot(own["x"], own["y"], ls="", marker="o", ms=2.5, color=colour)
    x = np.linspace(float(points["x"].min()), float(points["x"].max()), 200)
    right.plot(x, best.master(x), color="black", lw=0.7, zorder=0)
    right.set(xlabel=r"$(T-T_c)\,W^{1/\nu}$", ylabel="$I$, correction taken off  [nats]")
    word = f"$\\nu={best.nu.value:.2f}$" if best.ok else best.verdict
    right.set_title(f"$t={times[0]:g}$: {word}")
    return figure


def _crossings(panel: Axes, rows: list[dict[str, Any]], times: list[float]) -> None:
    """Crossings of neighbouring widths and their extrapolations."""
    styles = zip(("blue", "vermillion", "green"), ("o", "s", "^"), times, strict=False)
    for name, marker, t in styles:
        met = crossings(curves(rows, t))
        length = met["size"].values
        panel.plot(
            1.0 / length, met["t_cross"], ls="", marker=marker, color=COLOURS[name],
            label=f"$t={t:g}$",
        )  # fmt: skip
        found = extrapolate_crossings(met)
        if found.verdict == "ok":
            good = met["verdict"].values == "ok"
            unit = np.exp(np.log(length[good]).mean())
            u = np.linspace(1e-3, 1.05 / length[good].min(), 100)
            drift = found.drift.value * (u * unit) ** found.exponent.value
            panel.plot(u, found.t_c.value + drift, color=COLOURS[name], lw=0.8)
    panel.axhline(ONSAGER, color="black", ls="--", lw=0.8)
    T_c, error, _ = critical_temperatures(rows)
    panel.errorbar(0.0, T_c, error, marker="D", color="black", ms=3, clip_on=False)
    panel.set(xlabel="$1/W$", ylabel="crossing of $W$ and $W+2$", xlim=(0, None))
    panel.set_title(f"$T_c={T_c:.4f}\\pm{error:.4f}$" if np.isfinite(T_c) else "crossings")
    panel.legend(handlelength=1.0)
