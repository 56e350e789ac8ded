"""Images from local, global and hybrid schedules of networks trained here: where global steps pay.

Committed at reduced size: 14 x 14 pixels, 8,000 training images, small networks, one CPU core for
six minutes. `full_tasks()` is the full size, 28 x 28 pixels and the 60,000 training images, for a
GPU; see `python -m paper_figures.full_size --help`.
"""

import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figures.runner import OUT
from paper_figures.style import COLOURS, TEXT, new_figure

CLAIM = (
    "Local networks make images that are easily told from real ones. A quarter of global steps "
    "mends most in the middle of the path, where local errors exceed global ones most, and less "
    "near the noise or the data at the same cost; the terms that bound the divergence, from the "
    "map of conditional mutual information or the locality gap, ask for the data end (grey). Only "
    "global steps almost throughout come close to real images."
)

CAPTION = (
    "Networks trained here on clothing images at reduced size: 14×14 pixels, 8,000 training "
    "images. Top: images of one seed, real ones and those of six schedules of 32 steps with "
    "local ($r=2$) and global networks. Left: squared Fréchet distance to held-out images if a "
    "quarter of the steps is global, against the place of these, beside all local and all "
    "global; grey: the quarter that the CMI map or the locality gap asks for. Middle: accuracy "
    "of a network that tells made images from real ones (0.5: it cannot) against the cost. "
    "Right: how much more a local network errs than the global one in mean square per pixel, by "
    "time and radius. Bars: standard errors over images; networks are trained once."
)

SYMBOLS = {
    "r": "radius of what a local network reads [pixels]",
}

COST = "6 CPU minutes (measured), at reduced size; the full size is for a GPU"

GROUP = "ours"


NAME = "global_steps_help_images_most_in_the_middle"
#: Needed to compute rows, not to draw them.
NEEDS = ("torch",)
#: Time and local radius of the recovery errors; radius of the local steps of all hybrids.
TIMES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RADIUS = 2

SIZES: dict[str, dict[str, Any]] = {
    "quick": {
        "split": "test", "limit": 400, "coarse": 4, "radii": [1, 2], "train": 6, "batch": 16,
        "width": [4, 4], "judge": 5, "n": 34, "steps": 8, "windows": 3, "images": 40,
        "cmi": {"steps": 5, "batch_size": 32, "width": 8}, "cmi_radii": [1, 2],
    },
    "reduced": {
        "split": "test", "limit": 10000, "coarse": 2, "radii": [1, 2, 3], "train": 600,
        "batch": 64, "width": [32, 16], "judge": 300, "n": 1000, "steps": 32, "windows": 7,
        "images": 400, "cmi": {"steps": 1500, "batch_size": 256, "width": 128},
        "cmi_radii": [1, 2, 3],
    },
    "full": {
        "split": "train", "limit": 60000, "coarse": 1, "radii": [1, 2, 3, 4, 6, 8],
        "train": 30000, "batch": 256, "width": [64, 64], "judge": 4000, "n": 5000, "steps": 64,
        "windows": 17, "images": 4000, "cmi": {"steps": 20000, "batch_size": 1024, "width": 512},
        "cmi_radii": [1, 2, 3, 4, 6, 8],
    },
}  # fmt: skip
#: A global network learns more slowly: so many times the gradient steps of a local one.
GLOBAL_STEPS = 2.5


def tasks(quick: bool) -> list[dict[str, Any]]:
    """Recovery errors, the CMI map, and every schedule."""
    return _tasks("quick" if quick else "reduced")


def full_tasks() -> list[dict[str, Any]]:
    """The same at full size."""
    return _tasks("full")


def compute(
    task: dict[str, Any], *, device: str | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """One part; all parts share networks, trained once a process, on from their checkpoints."""
    from phasetheory.neural import gap_scan, recovery_errors, scan_images, with_ends
    from phasetheory.neural.comparison import compare
    from phasetheory.neural.generation import Steps
    from phasetheory.neural.windows import window_of_steps

    base = OUT / f"{NAME}-networks" if folder is None else folder.parent
    made = _made(task["size"], device, base)
    size, images, denoisers = SIZES[task["size"]], made["images"], made["denoisers"]
    if task["part"] == "recovery":
        held_out = images.held_out[: size["images"]]
        chosen = {r: denoisers[r] for r in [*map(float, size["radii"]), math.inf]}
        found = recovery_errors(chosen, held_out, t=TIMES, n_steps=4, rng=1)
        names = [f"{kind}{end}" for kind in ("error", "excess", "path_excess")
                 for end in ("", "_stderr")]  # fmt: skip
        return {"radii": found.radius.values[:-1]} | {n: found[n].values for n in names}
    grid = np.linspace(1.0, 0.0, size["steps"] + 1)
    if task["part"] == "map":
        side = images.training.shape[1]
        scan = scan_images(
            images.training, t=TIMES, radius=size["cmi_radii"], centre=(side // 2, side // 2),
            held_out=images.held_out, null=False, width=size["cmi"]["width"],
            settings=_settings(size, device, **_but(size["cmi"], "width")),
            folder=made["folder"],
        )  # fmt: skip
        gaps = gap_scan(denoisers, images.held_out[: size["images"]], t=TIMES, rng=2)
        place = {}
        for name, one in (("cmi", with_ends(scan)), ("gap", gaps)):
            one = one.assign_attrs(n_sites=side**2)
            count = size["steps"] // 4
            window = window_of_steps(one, times=grid, radius=RADIUS, n_global=count)
            place[name], place[f"{name}_loss"] = window.window[0], window.falls.nats[:, 0]
        return place | {"map": scan["cmi"].values, "map_stderr": scan["cmi_stderr"].values}
    radii = [math.inf if r == "inf" else float(r) for r in task["radius"]]
    schedule = {} if task["part"] == "real" else {"made": Steps(grid, radii)}
    out = compare(
        denoisers, schedule, images.held_out, made["classifier"], n=size["n"],
        settings=_settings(size, device, steps=size["judge"], batch_size=128),
    )["made" if schedule else "real"]  # fmt: skip
    return {
        "frechet": out.frechet.value, "frechet_stderr": out.frechet.stderr,
        "detected": out.detected.value, "detected_stderr": out.detected.stderr,
        "operations": out.operations, "seconds": out.seconds,
        # Grey levels of the first few, clipped for the eye only.
        "images": np.clip(np.rint(255 * out.images[:8]), 0, 255).astype(int),
    }  # fmt: skip


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Images; quality against the place of the window; against cost; recovery errors."""
    recovery, place = (next(r for r in rows if r["part"] == p) for p in ("recovery", "map"))
    windows = sorted((r for r in rows if r["part"] == "window"), key=lambda r: r["first"])
    middle_row = windows[len(windows) // 2]
    shown = {
        "real": next(r for r in rows if r["part"] == "real"),
        "global": _uniform(rows, "inf"),
        "a quarter global,\nin the middle": middle_row,
        "a quarter global,\nat the noise": windows[0],
        "a quarter global,\nat the data": windows[-1],
        "local": _uniform(rows, RADIUS),
    }
    figure, grid = new_figure(TEXT, 4.3, nrows=2, ncols=3, height_ratios=(1.15, 1.0))
    for panel in grid[0]:
        panel.remove()
    strip = figure.add_subplot(grid[0, 0].get_gridspec()[0, :])
    _images(strip, shown)
    left, middle, right = grid[1]
    _windows(left, rows, windows, place)
    _cost(middle, rows, windows)
    for radius, excess, error in zip(
        recovery["radii"], np.transpose(recovery["excess"]),
        np.transpose(recovery["excess_stderr"]), strict=False,
    ):  # fmt: skip
        right.errorbar(TIMES, 1e3 * excess, 1e3 * error, marker="o", label=f"$r={radius:g}$")
    right.set(xlabel="time $t$", ylabel="local $-$ global error  [$10^{-3}$]", xlim=(0, 1))
    right.axhline(0.0, color="0.7", lw=0.6, zorder=0)
    right.legend()
    return figure


def _tasks(size: str) -> list[dict[str, Any]]:
    base = {"size": size, "version": 1}
    steps, count = SIZES[size]["steps"], SIZES[size]["windows"]
    spent = steps // 4
    listed: list[dict[str, Any]] = [{"part": "recovery"}, {"part": "map"}]
    listed += [{"part": "real", "radius": []}]
    listed += [{"part": "uniform", "radius": [r] * steps} for r in (1, RADIUS, "inf")]
    firsts = sorted({round(x) for x in np.linspace(0, steps - spent, count)})
    listed += [
        {"part": "window", "first": first,
         "radius": ["inf" if first <= k < first + spent else RADIUS for k in range(steps)]}
        for first in firsts
    ]  # fmt: skip
    # Windows of other lengths about the middle of the path.
    for length in (steps // 8, steps // 2, 3 * steps // 4):
        first = (steps - length) // 2
        radius = ["inf" if first <= k < first + length else RADIUS for k in range(steps)]
        listed.append({"part": "length", "length": length, "radius": radius})
    return [base | each for each in listed]


@cache
def _made(name: str, device: str | None, base: Path) -> dict[str, Any]:
    """Images, networks and classifier of one size."""
    from phasetheory.neural import Denoiser, LocalDenoiser, UNet, train_classifier, train_denoiser
    from phasetheory.neural.experiment_config import Data

    size = SIZES[name]
    data = Data(split=size["split"], limit=size["limit"], coarse=size["coarse"])
    images = data.load()
    folder = None if name == "quick" else base
    shape = (images.training.shape[1], images.training.shape[2])
    scale = {"mean": float(images.training.mean()), "std": float(images.training.std())}
    narrow, wide = size["width"]
    denoisers = {}
    for radius in [*map(float, size["radii"]), math.inf]:
        everything = math.isinf(radius)
        steps = round(size["train"] * (GLOBAL_STEPS if everything else 1.0))
        network: Any = UNet(wide, **scale) if everything else LocalDenoiser(
            int(radius), shape, narrow, **scale
        )  # fmt: skip
        settings = _settings(size, device, steps=steps)
        path = None if folder is None else folder / f"{radius:g}.ckpt"
        train_denoiser(network, images.training, settings, checkpoint=path)
        denoisers[radius] = Denoiser(network, device=device)
    classifier = train_classifier(
        images.training, images.training_labels,
        _settings(size, device, steps=2 * size["judge"], batch_size=128),
    )  # fmt: skip
    return {"images": images, "denoisers": denoisers, "classifier": classifier, "folder": folder}


def _settings(size: dict[str, Any], device: str | None, **change: Any) -> Any:
    from phasetheory.neural import Training

    base = Training(
        steps=size["train"], batch_size=size["batch"], learning_rate=2e-3, average=0.99,
        every=100, device=device, progress=False,
    )  # fmt: skip
    return replace(base, **change)


def _but(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def _uniform(rows: list[dict[str, Any]], radius: Any) -> dict[str, Any]:
    return next(r for r in rows if r["part"] == "uniform" and r["radius"][0] == radius)


def _centre(row: dict[str, Any]) -> float:
    inside = [k for k, r in enumerate(row["radius"]) if r == "inf"]
    return 1.0 - (inside[0] + inside[-1] + 1) / (2 * len(row["radius"]))


def _images(panel: Axes, shown: dict[str, dict[str, Any]]) -> None:
    """Two lines of images a schedule, side by side."""
    side = len(shown["real"]["images"][0])
    gap = max(1, side // 7)
    tiles, centres = [], []
    for row in shown.values():
        pictures = np.array(row["images"])
        block = np.vstack([np.hstack(pictures[i : i + 2]) for i in range(0, 8, 2)])
        centres.append(sum(tile.shape[1] for tile in tiles) + side)
        tiles += [block, np.full((4 * side, 2 * gap), 255)]
    panel.imshow(np.hstack(tiles[:-1]), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panel.set_xticks(centres, list(shown))
    panel.tick_params(bottom=False, labelbottom=False, labeltop=True)
    panel.set_yticks([])
    panel.spines[:].set_visible(False)


def _windows(
    panel: Axes, rows: list[dict[str, Any]], windows: list[dict[str, Any]], place: dict[str, Any]
) -> None:
    """Frechet distance against the place of the window."""
    for name in ("cmi", "gap"):
        panel.axvspan(*place[name], color="0.6", alpha=0.25, lw=0, zorder=0)
    at = [_centre(row) for row in windows]
    panel.errorbar(
        at, [row["frechet"] for row in windows], [row["frechet_stderr"] for row in windows],
        marker="o", color=COLOURS["blue"], label="quarter global",
    )  # fmt: skip
    for radius, name, style in ((RADIUS, "local", "--"), ("inf", "global", ":")):
        panel.axhline(_uniform(rows, radius)["frechet"], color="0.4", ls=style, label=name)
    panel.set(xlabel="centre of the window, $t$", ylabel="Fréchet distance", xlim=(0, 1))
    top = max(row["frechet"] for row in [*windows, _uniform(rows, RADIUS)])
    panel.set_ylim(0, 1.45 * top)
    panel.legend(loc="upper center", ncol=2, columnspacing=1.0)


def _cost(panel: Axes, rows: list[dict[str, Any]], windows: list[dict[str, Any]]) -> None:
    """How often a network tells them from real images, against multiply-adds an image."""
    best = windows[len(windows) // 2]
    groups = {
        "local": ("vermillion", [_uniform(rows, 1), _uniform(rows, RADIUS)]),
        "mixed, middle": ("blue", [*(r for r in rows if r["part"] == "length"), best]),
        "mixed, elsewhere": ("grey", [r for r in windows if r is not best]),
        "global": ("black", [_uniform(rows, "inf")]),
    }
    for label, (colour, group) in groups.items():
        panel.errorbar(
            [r["operations"] / 1e6 for r in group], [r["detected"] for r in group],
            [r["detected_stderr"] for r in group], marker="o", ls="", label=label,
            zorder=2.2 if colour == "grey" else 2.5,
            color=COLOURS.get(colour, "0.6" if colour == "grey" else "black"),
        )  # fmt: skip
    panel.axhline(0.5, color="0.7", lw=0.6, zorder=0)
    panel.set(xlabel="$10^6$ multiply-adds an image", ylabel="told from real", ylim=(0.45, 1.02))
    panel.set_xlim(left=0)
    panel.legend(
        loc="lower left", handletextpad=0.2, frameon=True, framealpha=1.0, edgecolor="none"
    )
