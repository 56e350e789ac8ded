"""CMI(t, r) of the 2D Ising model on a strip: above, at and below the critical temperature."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import TEXT, new_figure
from phasetheory import plotting

CLAIM = (
    "On Ising strips under bit flips the conditional mutual information decays with the buffer "
    "radius at every temperature; below the critical one it does so ever more slowly towards pure "
    "noise, where it is largest."
)

CAPTION = (
    "Exact form of the maps of arXiv:2508.06614 on a law with a critical point: CMI of the "
    "middle spin of Ising strips of [[shape]] sites under bit flips, at three temperatures $T$, "
    "on one colour scale (values below its end are drawn there). Every point is a mean of exact "
    "cavity terms over [[n_samples]] samples; crosses: error bars not to be trusted. Right: the "
    "same at $r=2$ with standard errors."
)

COST = "4 CPU minutes (estimated)"

GROUP = "paper"


CRITICAL = 0.5 * np.log(1.0 + np.sqrt(2.0))
COUPLINGS = {"above": 0.8 * CRITICAL, "at": CRITICAL, "below": 1.25 * CRITICAL}
RADII = (1, 2, 3, 4, 5)


def tasks(quick: bool) -> list[dict[str, Any]]:
    """One task per temperature and time; the quick size is a narrow, short strip."""
    shape, samples = ([6, 12], 200) if quick else ([12, 64], 2000)
    radii = RADII[:2] if quick else RADII
    times = np.linspace(0.1, 0.9, 3 if quick else 17).round(3)
    return [
        {"side": side, "coupling": round(float(coupling), 6), "shape": shape, "t": float(t),
         "radii": list(radii), "n_samples": samples, "seed": seed}
        for side, coupling in COUPLINGS.items()
        for seed, t in enumerate(times)
    ]  # fmt: skip


def compute(task: dict[str, Any]) -> dict[str, Any]:
    """Sampled CMI at the middle of the strip, cavity form, with its errors."""
    lattice = pt.Lattice.grid(task["shape"])
    law = pt.Ising(lattice, task["coupling"]).noised(pt.BitFlip(task["t"]))
    centre = tuple(length // 2 for length in task["shape"])
    parts = [lattice.tripartition(centre, r) for r in task["radii"]]
    found = pt.cmi(law, parts, method="cavity", n_samples=task["n_samples"], rng=task["seed"])
    return {name: [getattr(e, name) for e in found] for name in ("value", "stderr", "n_effective")}


def plot(rows: list[dict[str, Any]]) -> Figure:
    """One map per temperature on one colour scale, and the profiles in t at r = 2."""
    figure, axes = new_figure(TEXT, 2.1, ncols=4, width_ratios=(1.0, 1.0, 1.27, 1.1))
    scans = {side: _scan([row for row in rows if row["side"] == side]) for side in COUPLINGS}
    top = max(float(scan["cmi"].max()) for scan in scans.values())
    names = {"above": "$T=1.25\\,T_c$", "at": "$T=T_c$", "below": "$T=0.8\\,T_c$"}
    for panel, (side, scan) in zip(axes, scans.items(), strict=False):
        plotting.cmi_map(panel, scan, floor=1e-7, top=top, bar=side == "below")
        panel.set_title(names[side])
        if side != "above":
            panel.set_ylabel("")
    colours = plotting.sequence(len(scans))
    for colour, (side, scan) in zip(colours, scans.items(), strict=True):
        row = scan.sel(radius=2)
        axes[-1].errorbar(
            row["t"], row["cmi"], row["cmi_stderr"], color=colour, ms=2, marker="o",
            label=names[side],
        )  # fmt: skip
    axes[-1].set(xlabel="diffusion time $t$", ylabel="$I_t(A;C|B_2)$  [nats]", yscale="log")
    axes[-1].legend(handlelength=1.2)
    return figure


def _scan(rows: list[dict[str, Any]]) -> xr.Dataset:
    """Rows of one temperature as a scan."""
    names = {"value": "cmi", "stderr": "cmi_stderr", "n_effective": "cmi_n_effective"}
    return xr.Dataset(
        {new: (("t", "radius"), [row[old] for row in rows]) for old, new in names.items()},
        coords={"t": [row["t"] for row in rows], "radius": rows[0]["radii"]},
    )
