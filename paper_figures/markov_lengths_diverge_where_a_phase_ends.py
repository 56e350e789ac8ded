"""The Markov length along the path for the whole zoo, in one panel."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

import phasetheory as pt
from paper_figures import cold_strips_are_nonlocal_near_pure_noise as strips
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory.models.hierarchy import Hierarchy

CLAIM = (
    "Data without a transition (Gaussian images with a mass, the Ising chain, the Ising model "
    "above T_c) keep a finite length up to pure noise; massless, critical, cold and two-cluster "
    "data lose it there, and closed loops at a time of their own."
)

CAPTION = (
    "Markov lengths fitted to the CMI at several radii, for every model of the zoo: a free "
    "Gaussian field on a torus of 64×64 sites with mass $m$, two clusters on a chain of 4,096 "
    "sites, a tree of 10 levels, Ising strips of 12×64 sites at three temperatures, closed loops "
    "under three noises (64×64 and 20×20 spins). Fields and clusters are exact, the others "
    "means over [[samples]] samples (strips [[n_samples]]); bars: standard errors. Lines without "
    "markers are exact: the Ising chain, and the limits of large $r$ of field and clusters. Open "
    "markers: the decay is no exponential. Dotted: $t_c$ of the loops (quoted)."
)

SYMBOLS = {
    "m": "mass of the field [1/sites]",
    "b": "children of a node of the tree, 2",
    r"\lambda": "correlation along an edge of the tree",
}

COST = "22 CPU minutes (estimated)"

GROUP = "ours"


#: Of the two fields. Strictly without a mass the uniform mode has no law, and leaving it out ties
#: all pixels together (their sum is known), which a window feels as a CMI that does not decay.
MASSES = {"massive": 0.5, "massless": 1e-3}
#: The torus of the Gaussian fields, the chain of the mixture, the tree.
TORUS, CHAIN, DEPTH, EIGENVALUE = 64, 4096, 10, 0.9
RADII = {
    "field": (1, 2, 3, 4, 6, 8, 11, 15),
    "erasure": (2, 3, 4, 6, 8, 12, 16),
    "bit flips": (2, 3, 4, 5, 6),
    "Gaussian": (2, 3, 4, 5, 6),
}
TIMES: dict[str, tuple[float, ...]] = {
    "massive": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97),
    "massless": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95),
    "mixture": (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.84),
    "tree": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "erasure": (0.35, 0.4, 0.43, 0.46, 0.5, 0.53, 0.56, 0.6),
    "bit flips": (0.12, 0.15, 0.18, 0.2, 0.22, 0.25, 0.29, 0.34),
    "Gaussian": (0.4, 0.43, 0.46, 0.48, 0.5, 0.53, 0.56, 0.6),
}
LOOPS: dict[str, tuple[Callable[[float], Any], int, int]] = {
    "erasure": (pt.Erasure, 64, 12000),
    "bit flips": (pt.BitFlip, 20, 4000),
    "Gaussian": (pt.Gaussian, 20, 4000),
}
#: Self-duality of bond percolation; arXiv:0803.0444; sigma/alpha = 0.9794.
CRITICAL = {"erasure": 0.5, "bit flips": 2 * 0.10919, "Gaussian": 0.9794 / 1.9794}


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task a model and time; strips are those of their own figure."""
    simple = [
        {"what": what, "t": t, **_settings(what, quick)}
        for what, times in TIMES.items()
        for t in (times[::4] if quick else times)
    ]
    of_strips = strips.tasks(quick)
    chain = [{"what": "chain", "coupling": 1.0, "t": np.linspace(0.05, 0.99, 48).round(4).tolist()}]
    return [*chain, *simple, *({"what": "strip", **task} for task in of_strips)]


def _settings(what: str, quick: bool) -> dict[str, Any]:
    if what in ("massive", "massless"):
        side = 24 if quick else TORUS
        radii = [r for r in RADII["field"] if 3 * r < side]
        return {"side": side, "mass": MASSES[what], "radii": radii}
    if what == "mixture":
        return {"sites": CHAIN}
    if what == "tree":
        return {"depth": 6 if quick else DEPTH, "samples": 100 if quick else 1000, "seed": 7}
    _, side, samples = LOOPS[what]
    return {
        "side": 16 if quick else side,
        "radii": list(RADII[what][:4] if quick else RADII[what]),
        "samples": 60 if quick else samples,
        "seed": 11,
    }


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Profile of the CMI over radii; for the chain its exact Markov length."""
    what, t = task["what"], task["t"]
    if what == "chain":
        return {"xi": [pt.chain_markov_length(task["coupling"], pt.BitFlip(s)) for s in t]}
    if what == "strip":
        found = strips.compute(task)
        return {
            "radius": task["radii"],
            "cmi": found["value"],
            "cmi_stderr": found["stderr"],
            "cmi_n_effective": found["n_effective"],
        }
    if what in ("massive", "massless"):
        centre = (task["side"] // 2,) * 2
        return _profile(
            _field(task["mass"], task["side"]), pt.Gaussian, t, task["radii"], centre=centre
        )
    if what == "mixture":
        # |B| = 2r pixels of snr (alpha/sigma)^2 leave exp(-r snr) of the doubt about the cluster.
        scale = np.array([3.0, 4.0, 5.0, 6.0, 8.0, 10.0]) * mixture_length(t)
        radii = np.maximum(np.round(scale), [1, 2, 3, 4, 5, 6]).astype(int).tolist()
        return _profile(_mixture(task["sites"]), pt.Gaussian, t, radii, centre=task["sites"] // 2)
    if what == "tree":
        tree = Hierarchy(task["depth"], eigenvalue=EIGENVALUE)
        radii = list(range(1, task["depth"]))
        return _profile(tree, pt.BitFlip, t, radii, centre=0, n_samples=task["samples"],
                        rng=task["seed"])  # fmt: skip
    side, row = task["side"], task["side"] // 2
    middle = (row * side + row - 1, row * side + row)
    return _profile(_loops(side), LOOPS[what][0], t, task["radii"], centre=middle,
                    n_samples=task["samples"], rng=task["seed"])  # fmt: skip


def _profile(
    prior: Any, noise: Callable[[float], Any], t: float, radii: list[int], **options: Any
) -> dict[str, Any]:
    scan = pt.scan(prior, noise, t=[t], radius=radii, **options).isel(t=0)
    names = ("cmi", "cmi_stderr", "cmi_n_effective")
    return {"radius": radii} | {name: scan[name].values.tolist() for name in names}


@cache
def _field(mass: float, side: int) -> pt.GaussianField:
    """Free field on a torus, covariance 1/(k^2 + m^2)."""
    waves = 2.0 - 2.0 * np.cos(2.0 * np.pi * np.fft.fftfreq(side))
    spectrum = 1.0 / (waves[:, None] + waves + mass**2)
    return pt.GaussianField.stationary(pt.Lattice.grid((side, side), periodic=True), spectrum)


@cache
def _mixture(sites: int) -> pt.GaussianMixture:
    means = np.ones((2, sites)) * np.array([[1.0], [-1.0]])
    return pt.GaussianMixture(pt.Lattice.chain(sites), means=means, variance=0.0)


@cache
def _loops(side: int) -> pt.LoopEnsemble:
    return pt.LoopEnsemble(pt.Lattice.grid((side, side)))


def field_length(t: ArrayLike, mass: float) -> NDArray[np.float64]:
    r"""Markov length of the noisy free field, :math:`1/2\kappa` in sites, r -> infinity.

    The covariance of y is :math:`\alpha^2/(k^2 + m^2) + \sigma^2`, whose inverse has its pole at
    :math:`k^2 = -(m^2 + \alpha^2/\sigma^2)`: noise gives the field a mass. On the lattice
    :math:`2\cosh\kappa - 2` is that mass squared, and the CMI goes as :math:`e^{-2\kappa r}`.
    """
    time = np.asarray(t, dtype=float)
    squared = mass**2 + ((1.0 - time) / time) ** 2
    return np.asarray(0.5 / np.arccosh(1.0 + 0.5 * squared))


def mixture_length(t: ArrayLike) -> NDArray[np.float64]:
    r"""Markov length :math:`(\sigma/\alpha)^2` in sites of two clusters :math:`\pm1` on a chain."""
    time = np.asarray(t, dtype=float)
    return np.asarray((time / (1.0 - time)) ** 2)


def lengths(rows: list[dict[str, Any]]) -> dict[str, xr.Dataset]:
    """Markov length over t of every curve that is fitted; strips by temperature."""
    curves: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["what"] != "chain":
            name = f"strip {row['side']}" if row["what"] == "strip" else row["what"]
            curves.setdefault(name, []).append(row)
    return {name: xr.concat(map(_length, own), dim="t") for name, own in curves.items()}


def _length(row: dict[str, Any]) -> xr.Dataset:
    names = ("cmi", "cmi_stderr", "cmi_n_effective")
    coords = {"t": [row["t"]], "radius": row["radius"]}
    return pt.markov_length(
        xr.Dataset({name: (("t", "radius"), [row[name]]) for name in names}, coords=coords)
    )


#: Curve -> label, colour, marker.
STYLES = {
    "massive": ("Gaussian field, $m=0.5$", "blue", "o"),
    "massless": ("Gaussian field, massless", "blue", "s"),
    "mixture": ("two clusters on a chain", "purple", "D"),
    "tree": (r"tree, $b\lambda^2=1.62$ [levels]", "orange", "v"),
    "strip above": ("Ising strip, $1.25\\,T_c$", "sky", "o"),
    "strip at": ("Ising strip, $T_c$", "sky", "s"),
    "strip below": ("Ising strip, $0.8\\,T_c$", "sky", "^"),
    "erasure": ("loops, erasure", "green", "<"),
    "bit flips": ("loops, bit flips", "vermillion", "X"),
    "Gaussian": ("loops, Gaussian", "black", "P"),
}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Points with errors; lines where the length is known exactly; open where no exponential."""
    figure, panel = new_figure(TEXT, 4.0)
    (chain,) = (row for row in rows if row["what"] == "chain")
    panel.plot(chain["t"], chain["xi"], color=COLOURS["orange"], label="Ising chain, $J=1$ (exact)")
    t = np.linspace(0.02, 0.995, 300)
    for line in (field_length(t, MASSES["massive"]), field_length(t, 0.0)):
        panel.plot(t, line, color=COLOURS["blue"], lw=0.7)
    panel.plot(t, mixture_length(t), color=COLOURS["purple"], lw=0.7)
    for name, found in lengths(rows).items():
        _curve(panel, found, name)
    for name, t_c in CRITICAL.items():
        panel.axvline(t_c, color=COLOURS[STYLES[name][1]], ls=":", lw=0.9, zorder=0)
    panel.set(yscale="log", xlim=(0, 1), ylim=(0.12, 40.0), xlabel="diffusion time $t$")
    panel.set_ylabel(r"Markov length $\xi$  [sites]")
    ticks = (0.2, 0.5, 1, 2, 5, 10, 20)
    panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.tick_params(axis="y", which="minor", labelleft=False)
    panel.set_title(
        "thin lines: $\\xi$ for $r\\to\\infty$; open markers: not an exponential; dotted: $t_c$"
    )
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right center", handlelength=1.2)
    return figure


def _curve(panel: Axes, found: xr.Dataset, name: str) -> None:
    """One model; open markers where an exponential is rejected or a power law is preferred."""
    label, colour, marker = STYLES[name]
    own = found.where(found["verdict"] == "ok", drop=True)
    style: dict[str, Any] = {"color": COLOURS[colour], "marker": marker, "ms": 4}
    joined = {} if name in ("massive", "massless", "mixture") else {"ls": "-", "lw": 0.5}
    panel.errorbar(own["t"], own["xi"], own["xi_stderr"], **({"ls": ""} | joined), **style,
                   label=label, elinewidth=0.8)  # fmt: skip
    odd = own.where(own["decay"].isin(["neither", "power law"]), drop=True)
    panel.plot(odd["t"], odd["xi"], ls="", mfc="white", zorder=4, **style)
