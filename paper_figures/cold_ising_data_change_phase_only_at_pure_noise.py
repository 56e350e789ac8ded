"""The phase diagram of 2D Ising data in temperature and time: noisy spins, and noisy bonds."""

from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

import phasetheory as pt
from paper_figures.style import COLOURS, MAP, TEXT, new_figure
from phasetheory.transitions.crossing import crossings
from phasetheory.transitions.curves import Curves

CLAIM = (
    "Flipped spins of the 2D Ising model have a short Markov length at every t < 1, with no mark "
    "at T_c; only towards pure noise does it grow below T_c, as far as the strip is wide. Flipped "
    "bonds of the same spins end their data phase at a time that rises from the Nishimori point, "
    "ever more steeply towards T_c."
)

CAPTION = (
    "Phase diagram of the two-dimensional Ising model under bit flips. Left: Markov length of "
    "noisy spins in the middle of strips of 8×24 sites, fitted to the sampled CMI at $r$ = "
    "[[radii]] ([[n_samples | what=spins]] samples a point); crosses: no length, the error bars "
    "do not support one; orange: where it is expected to diverge as the strip grows. Middle: the "
    "same against $1-t$, with strips of 12×36 sites (dashed, squares); bars: standard errors. "
    "Right: the end of the data phase of noisy bonds, computed (circles) as the crossing of the "
    "sector informations of patches with [[rows]] rows, [[n_samples | what=bonds]] samples a "
    "point, errors smaller than the markers; star: the Nishimori point, quoted from "
    "arXiv:0803.0444; open square: the end that pure noise at $T_c$ must have; dashed: a guide "
    "to the eye. Vertical: $T=T_c$."
)

COST = "14 CPU minutes (estimated)"

GROUP = "ours"


CRITICAL = 0.5 * np.log(1.0 + np.sqrt(2.0))
#: Coupling over its critical value, T_c / T.
SPINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5)
TIMES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
RADII = (1, 2, 3, 4, 5)
#: For bonds: T_c / T, and first and last time around the end of the data phase.
BONDS = {0.0: (0.18, 0.26), 0.25: (0.18, 0.26), 0.5: (0.18, 0.28), 0.7: (0.19, 0.31),
         0.85: (0.2, 0.36), 0.95: (0.26, 0.42)}  # fmt: skip
ROWS, POINTS, SAMPLES = (6, 12), 9, 10000
#: At infinite temperature: arXiv:0803.0444.
NISHIMORI = 2 * 0.10919
#: Profiles of the right panel.
SHOWN = {0.7: "sky", 1.0: "black", 1.3: "vermillion"}


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a temperature and time, for spins and for bonds."""
    spins = [
        {
            "what": "spins",
            "ratio": ratio,
            "t": t,
            "shape": [5, 15] if quick else [8, 24],
            "radii": list(RADII),
            "n_samples": 100 if quick else 2000,
            "seed": [int(100 * ratio), seed],
        }
        for ratio in ((0.7, 1.0, 1.3) if quick else SPINS)
        for seed, t in enumerate(TIMES[4::2] if quick else TIMES)
    ]
    wide = [
        {
            "what": "spins",
            "ratio": ratio,
            "t": t,
            "shape": [7, 21] if quick else [12, 36],
            "radii": list(RADII),
            "n_samples": 100 if quick else 1000,
            "seed": [int(100 * ratio), 1, seed],
        }
        for ratio in SHOWN
        for seed, t in enumerate((0.7, 0.9) if quick else (0.7, 0.8, 0.85, 0.9, 0.95))
    ]
    bonds = [
        {
            "what": "bonds",
            "ratio": ratio,
            "t": t,
            "rows": rows,
            "n_samples": 300 if quick else SAMPLES,
            "seed": [int(100 * ratio), rows, seed],
        }
        for ratio, ends in BONDS.items()
        if not quick or ratio in (0.0, 0.85)
        for rows in ((3, 6) if quick else ROWS)
        for seed, t in enumerate(np.linspace(*ends, POINTS).round(4).tolist())
    ]
    return spins + wide + bonds


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Sampled means of exact relative entropies: CMI of spins, sector information of bonds."""
    coupling, noise = task["ratio"] * CRITICAL, pt.BitFlip(task["t"])
    if task["what"] == "bonds":
        patch = pt.LoopEnsemble.pinned((task["rows"], task["rows"] - 1), coupling)
        found = pt.sector_information(
            patch.noised(noise), n_samples=task["n_samples"], rng=task["seed"]
        )
        return {"value": found.value, "stderr": found.stderr}
    lattice, parts = _strip(tuple(task["shape"]), tuple(task["radii"]))
    law = pt.Ising(lattice, coupling).noised(noise)
    several = pt.cmi(law, parts, method="cavity", n_samples=task["n_samples"], rng=task["seed"])
    return {
        "cmi": [one.value for one in several],
        "cmi_stderr": [one.stderr for one in several],
        "cmi_n_effective": [one.n_effective for one in several],
    }


@cache
def _strip(
    shape: tuple[int, int], radii: tuple[int, ...]
) -> tuple[pt.Lattice, list[pt.Tripartition]]:
    lattice = pt.Lattice.grid(shape)
    centre = (shape[0] // 2, shape[1] // 2)
    return lattice, [lattice.tripartition(centre, radius) for radius in radii]


def lengths(rows: list[dict[str, Any]]) -> list[xr.Dataset]:
    """Markov lengths of spins over (ratio, t), one dataset a width of the strip."""
    own = [row for row in rows if row["what"] == "spins"]
    found = []
    for width in sorted({row["shape"][0] for row in own}):
        here = [row for row in own if row["shape"][0] == width]
        ratios = sorted({row["ratio"] for row in here})
        columns = [_lengths_of([row for row in here if row["ratio"] == r]) for r in ratios]
        found.append(xr.concat(columns, dim=xr.Variable("ratio", ratios)).assign_attrs(width=width))
    return found


def _lengths_of(rows: list[dict[str, Any]]) -> xr.Dataset:
    rows = sorted(rows, key=lambda row: float(row["t"]))
    names = ("cmi", "cmi_stderr", "cmi_n_effective")
    return pt.markov_length(
        xr.Dataset(
            {name: (("t", "radius"), [row[name] for row in rows]) for name in names},
            coords={"t": [row["t"] for row in rows], "radius": rows[0]["radii"]},
        )
    )


def boundary(rows: list[dict[str, Any]]) -> dict[float, tuple[float, float]]:
    """End of the data phase of bonds: ratio -> (t_c, stderr), where curves of two sizes cross."""
    found = {}
    own = [row for row in rows if row["what"] == "bonds"]
    for ratio in sorted({row["ratio"] for row in own}):
        here = [row for row in own if row["ratio"] == ratio]
        columns = (np.array([row[name] for row in here]) for name in ("rows", "t", "value"))
        met = crossings(Curves(*columns, np.array([row["stderr"] for row in here])))
        if str(met["verdict"].values[0]) == "ok":
            found[ratio] = (float(met["t_cross"][0]), float(met["t_cross_stderr"][0]))
    return found


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Map of the length, its growth towards pure noise, and the boundary of bonds."""
    narrow, wide = lengths(rows)
    figure, axes = new_figure(TEXT, 2.6, ncols=3, width_ratios=(1.25, 1.0, 1.0))
    _map(axes[0], narrow)
    _growth(axes[1], narrow, wide)
    _boundary(axes[2], boundary(rows))
    return figure


def _map(panel: Axes, found: xr.Dataset) -> None:
    """Markov length of spins; crosses where the error bars support none."""
    xi = found["xi"].where(found["verdict"] == "ok").transpose("t", "ratio")
    drawn = panel.pcolormesh(
        xi["ratio"], xi["t"], xi, norm=LogNorm(0.15, 10.0), cmap=MAP, shading="nearest",
        rasterized=True,
    )  # fmt: skip
    missing = np.argwhere(np.isnan(xi.values))
    panel.plot(
        xi["ratio"].values[missing[:, 1]], xi["t"].values[missing[:, 0]], ls="", marker="x",
        color="black", ms=3, mew=0.6,
    )  # fmt: skip
    top = float(xi["ratio"].max())
    panel.plot([1.0, top], [1.0, 1.0], color=COLOURS["vermillion"], lw=2.5, clip_on=False)
    _mark(panel)
    panel.set(xlabel="$T_c/T$", ylabel="diffusion time $t$", ylim=(None, 1.0))
    panel.set_title("spins (sampled); cross: not trusted")
    bar = panel.figure.colorbar(drawn, ax=panel, pad=0.02)
    bar.set_label(r"Markov length $\xi$  [sites]")
    ticks = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.ax.tick_params(which="minor", right=False)


def _growth(panel: Axes, narrow: xr.Dataset, wide: xr.Dataset) -> None:
    """Length against 1 - t, for two widths of the strip: where it grows, the width stops it."""
    for ratio, colour in SHOWN.items():
        for found, line, label in ((narrow, "-", f"$T_c/T={ratio:g}$"), (wide, "--", None)):
            own = found.sel(ratio=ratio)
            own = own.where(own["verdict"] == "ok", drop=True)
            panel.errorbar(
                1.0 - own["t"], own["xi"], own["xi_stderr"], ls=line, lw=0.7, label=label,
                marker="o" if line == "-" else "s", color=COLOURS[colour],
            )  # fmt: skip
    panel.set(xscale="log", yscale="log", xlabel="$1-t$", ylabel=r"$\xi$  [sites]")
    panel.set_xticks((0.05, 0.1, 0.2, 0.5), ("0.05", "0.1", "0.2", "0.5"))
    panel.tick_params(axis="x", which="minor", labelbottom=False)
    panel.set_ylim(0.15, 15.0)
    panel.set_yticks((0.2, 0.5, 1.0, 2.0, 5.0, 10.0), ("0.2", "0.5", "1", "2", "5", "10"))
    panel.invert_xaxis()
    panel.set_title(f"width {narrow.attrs['width']}, dashed: {wide.attrs['width']}")
    panel.legend(handlelength=1.0, loc="upper left")


def _boundary(panel: Axes, found: dict[float, tuple[float, float]]) -> None:
    """Where noisy bonds forget the sector; pure noise at T_c closes the line."""
    ratio = np.array(list(found))
    value, error = np.array(list(found.values())).reshape(-1, 2).T
    x: NDArray[np.float64] = np.append(ratio, 1.0)
    y = np.append(value, 1.0)
    # A guide to the eye. Beyond the last point the correlation length of the clean model, some
    # ten bonds and more, exceeds the patches, so that their crossings say nothing.
    panel.plot(x, y, color=COLOURS["blue"], lw=0.6, ls="--")
    panel.errorbar(ratio, value, error, ls="", marker="o", color=COLOURS["blue"])
    panel.plot(0.0, NISHIMORI, marker="*", ms=8, ls="", color="black", mfc="none")
    # Bonds drowned in noise say nothing: what is left is the Ising model itself, critical at T_c.
    panel.plot(1.0, 1.0, marker="s", ls="", color=COLOURS["blue"], mfc="white", clip_on=False)
    panel.text(0.3, 0.08, "data phase")
    panel.text(0.3, 0.6, "noise phase")
    _mark(panel)
    panel.set(xlabel="$T_c/T$", ylabel="diffusion time $t$", xlim=(-0.03, 1.06), ylim=(0, 1))
    panel.set_title("bonds; star: known")


def _mark(panel: Axes) -> None:
    panel.axvline(1.0, color="black", ls="--", lw=0.8)
