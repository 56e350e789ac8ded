"""Critics (MINE) and held-out predictors on samples of laws whose CMI is known exactly.

`full_tasks()` is the size of the literature; see `python -m paper_figures.full_size --help`.
"""

from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure

CLAIM = (
    "Critics read on their training pairs rise past the truth once they have gone some hundred"
    " times through the data, while on fresh pairs they fall below it; held-out predictors err by"
    " less, and mostly low."
)

NEEDS = ("torch",)

Json = dict[str, Any]

FIELD = {"law": "field", "every": 3, "split": "test"}
LAWS: tuple[Json, ...] = (
    FIELD,
    {"law": "strip", "shape": [4, 8], "coupling": 0.44},
    {"law": "mixture", "shape": [7, 7], "mean": 0.5, "variance": 0.5},
    {"law": "loops", "shape": [4, 4]},
)
FULL_FIELD = {"law": "field", "every": 1, "split": "train"}
FULL_LAWS: tuple[Json, ...] = (
    FULL_FIELD,
    {"law": "strip", "shape": [6, 24], "coupling": 0.44},
    {"law": "mixture", "shape": [27, 27], "mean": 0.5, "variance": 0.5},
    {"law": "loops", "shape": [8, 8]},
)

PREDICTOR = {"part": "predictor", "version": 1}
CRITIC = {"part": "critic", "version": 1}
TRAINED = {"batch_size": 512, "learning_rate": 2e-3, "width": 128, "depth": 1}
READ = {"radius": [1], "n_repeats": 3, "batch_size": 100}
#: Critics, and the time, of the panels over steps.
SHOWN = {"t": [0.3], "learning_rate": 1e-3, "channels": 8, "width": 64}


def tasks(quick: bool) -> list[Json]:
    """Predictors of every law with two seeds; critics of every law; critics of few samples."""
    if quick:
        small = {"n_samples": 200, "t": [0.3], "n_exact": 200}
        law = {"law": "strip", "shape": [3, 5], "coupling": 0.44}
        read = READ | SHOWN | small | {"n_repeats": 2, "steps": 20, "window": 10, "seed": 0}
        trained = TRAINED | small | {"radius": [0, 1], "width": 8, "steps": 10, "seed": 0}
        return [CRITIC | law | read, PREDICTOR | law | trained]
    found = [
        CRITIC | FIELD | READ | SHOWN
        | {"n_samples": n, "steps": 3000, "window": 250, "seed": 0, "n_exact": 2000}
        for n in (1000, 10000)
    ]  # fmt: skip
    for law in LAWS:
        if law is not FIELD:
            read = {"n_samples": 2000, "steps": 2000, "window": 250, "seed": 0, "n_exact": 2000}
            channels = 0 if law["law"] == "loops" else 8
            found.append(CRITIC | law | READ | SHOWN | read | {"channels": channels})
        found += [PREDICTOR | law | _trained(law, 10_000, 2000) | {"seed": s} for s in (0, 1)]
    return found


def full_tasks() -> list[Json]:
    """60,000 samples and 300,000 steps; the protocol of the literature at 6 times and 4 radii."""
    read = {
        "t": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "radius": [1, 2, 3, 6], "n_samples": 60_000,
        "steps": 300_000, "window": 2000, "learning_rate": 1e-4, "channels": 16, "width": 128,
        "n_exact": 5_000, "seed": 0,
    }  # fmt: skip
    near = {"loops": {"radius": [1, 2, 3], "channels": 0}, "strip": {"radius": [1, 2, 3]}}
    found: list[Json] = []
    for law in FULL_LAWS:
        found.append(CRITIC | law | READ | read | near.get(law["law"], {}))
        trained = _trained(law, 60_000, 20_000) | {"width": 512, "depth": 2, "n_exact": 5_000}
        found += [PREDICTOR | law | trained | {"seed": s} for s in (0, 1, 2)]
    return found


def _trained(law: Json, n: int, steps: int) -> Json:
    radii = [0, 1] if law["law"] == "loops" and law["shape"][0] < 5 else [0, 1, 2]
    return TRAINED | {
        "t": [0.2, 0.3, 0.5, 0.7], "radius": radii, "n_samples": n, "steps": steps,
        "n_exact": 20_000,
    }  # fmt: skip


def compute(task: Json, *, device: str | None = None, folder: Any = None) -> Json:
    """Estimates and truth of one law; checkpoints in `folder`, from which a killed run goes on."""
    # Here, so that drawing committed rows needs no torch.
    from phasetheory.neural.calibration import calibrate, calibrate_critics

    prior, centre = law_of(task)
    common: Json = {
        "t": task["t"], "radius": task["radius"], "centre": centre, "n_samples": task["n_samples"],
        "n_exact": task["n_exact"],
    }  # fmt: skip
    sizes = {name: task[name] for name in ("steps", "batch_size", "learning_rate", "seed")}
    if task["part"] == "predictor":
        from phasetheory.neural import Training

        data = calibrate(
            prior, **common, width=task["width"], depth=task["depth"], null=False, folder=folder,
            settings=Training(**sizes, device=device, progress=False),
        )  # fmt: skip
        kept = ["cmi", "cmi_stderr", "cmi_raw", "cmi_train", "full_gap", "exact", "exact_stderr"]
    else:
        from phasetheory.neural.mine import Mine

        data = calibrate_critics(
            prior, **common, n_repeats=task["n_repeats"],
            checkpoint=None if folder is None else folder / "critics.ckpt",
            settings=Mine(**sizes, window=task["window"], channels=task["channels"],
                          width=task["width"], device=device, progress=False),
        )  # fmt: skip
        kept = ["near_train", "near_fresh", "full_train", "full_fresh"]
        kept += ["exact", "exact_stderr", "exact_full", "exact_full_stderr"]
    return {name: data[name].values.round(6).tolist() for name in kept}


def law_of(task: Json) -> tuple[Any, Any]:
    """The model that a task names, and the site A."""
    if task["law"] == "field":
        prior = _field(task["every"], task["split"])
        return prior, tuple(side // 2 for side in prior.lattice.shape)
    lattice = pt.Lattice.grid(tuple(task["shape"]))
    middle = tuple(side // 2 for side in task["shape"])
    if task["law"] == "strip":
        return pt.Ising(lattice, coupling=task["coupling"]), middle
    if task["law"] == "mixture":
        means = task["mean"] * np.array([[1.0], [-1.0]]) * np.ones(lattice.n_sites)
        return pt.GaussianMixture(lattice, means=means, variance=task["variance"]), middle
    loops = pt.LoopEnsemble(lattice)
    return loops, loops.lattice.n_sites // 2


@cache
def _field(every: int, split: str) -> pt.GaussianField:
    """Field fitted to every n-th row and column around the pixel (14, 14), among 1 to 27."""
    images = pt.load_images("fashion-mnist", split=split)
    reach = 13 // every
    kept = 14 + every * np.arange(-reach, reach + 1)
    return pt.GaussianField.fit(images[:, kept][:, :, kept])


def curves(row: Json, which: str, reading: str) -> np.ndarray:
    """Readings at the first time (and radius), shape (n_repeats, n_windows), nats.

    Args:
        row: A row of critics.
        which: "full" for I(A;BC), "near" for I(A;B_r), "cmi" for their difference.
        reading: "train" or "fresh".
    """
    full = np.array(row[f"full_{reading}"])[0]
    near = np.array(row[f"near_{reading}"])[0, 0]
    return {"full": full, "near": near, "cmi": full - near}[which]


def truth(row: Json, which: str) -> float:
    """Exact value that belongs to `curves`."""
    cmi, full = float(row["exact"][0][0]), float(row["exact_full"][0])
    return {"full": full, "near": full - cmi, "cmi": cmi}[which]


def passes(row: Json) -> np.ndarray:
    """Passes over the data at the end of every window: the clock of memorisation."""
    found: np.ndarray = _steps(row) * row["batch_size"] / row["n_samples"]
    return found


def plot(rows: list[Json]) -> Figure:
    """Readings over training, with few samples and with many; estimates over truth."""
    critics = [row for row in rows if row["part"] == "critic"]
    predictors = [row for row in rows if row["part"] == "predictor"]
    first = [row for row in critics if row["law"] == critics[0]["law"]]
    figure, (left, middle, right) = new_figure(
        TEXT, 2.5, ncols=3, gridspec_kw={"width_ratios": [1, 1, 1.15]}
    )
    _training(left, first[0])
    left.legend(loc="lower left", handlelength=1.4)
    for row, line in zip(first[::-1], ("-", "--"), strict=False):
        for reading, colour in zip(("train", "fresh"), ("vermillion", "blue"), strict=True):
            values = curves(row, "cmi", reading)
            middle.plot(passes(row)[1:], values.mean(axis=0)[1:], line, color=COLOURS[colour],
                        label=f"{reading}, $n={row['n_samples']:,}$")  # fmt: skip
    middle.axhline(truth(first[0], "cmi"), color="black", lw=0.8, ls=":")
    middle.set(
        xscale="log", xlabel="passes over the data", ylabel="$I(A;C|B_1)$ read off critics  [nats]"
    )
    middle.legend(loc="best", handlelength=1.8)
    _errors(right, predictors, critics)
    return figure


def _steps(row: Json) -> np.ndarray:
    return row["window"] * np.arange(1, row["steps"] // row["window"] + 1)


def _training(axes: Axes, row: Json) -> None:
    names = {"train": ("vermillion", "training pairs"), "fresh": ("blue", "fresh pairs")}
    for reading, (colour, label) in names.items():
        values = curves(row, "full", reading)
        # The first window is left out: there critics still find their scale.
        steps = _steps(row)[1:]
        axes.plot(steps, values.T[1:], color=COLOURS[colour], lw=0.4, alpha=0.6)
        axes.plot(steps, values.mean(axis=0)[1:], color=COLOURS[colour], label=label)
    axes.axhline(truth(row, "full"), color="black", lw=0.8, ls=":", label="exact")
    axes.set(xlabel="training steps", ylabel="$I(A;BC)$ read off critics  [nats]")


def _errors(axes: Axes, predictors: list[Json], critics: list[Json]) -> None:
    """Estimate over truth, where the truth is above 4e-3 nats: every CMI, and every I(A;BC)."""
    found: Json = {"predictor, held out": [], "critic, training": [], "critic, fresh": []}
    for row in predictors:
        error = np.hypot(row["cmi_stderr"], row["exact_stderr"])
        flat = (np.array(row["exact"]).flat, np.array(row["cmi"]).flat, error.flat)
        found["predictor, held out"] += list(zip(*flat, strict=True))
    for row in critics:
        for name, reading in (("critic, training", "train"), ("critic, fresh", "fresh")):
            for which in ("full", "cmi"):
                last = curves(row, which, reading)[:, -1]
                error = np.hypot(last.std(ddof=1) / len(last) ** 0.5, row["exact_stderr"][0][0])
                found[name].append((truth(row, which), last.mean(), error))
    styles = {"predictor, held out": ("green", "o"), "critic, training": ("vermillion", "s"),
              "critic, fresh": ("blue", "D")}  # fmt: skip
    axes.axhline(1.0, color="black", lw=0.8, ls=":")
    for name, points in found.items():
        x, y, error = np.array([p for p in points if p[0] > 4e-3]).reshape(-1, 3).T
        colour, marker = styles[name]
        axes.errorbar(x, y / x, error / x, color=COLOURS[colour], marker=marker, ls="", ms=2.5,
                      elinewidth=0.6, label=name)  # fmt: skip
    axes.set(xscale="log", xlabel="exact value  [nats]", ylabel="estimate / exact value")
    axes.legend(loc="best", handlelength=1.0)
