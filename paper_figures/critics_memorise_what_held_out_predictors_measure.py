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

CAPTION = (
    "Learned estimates beside exact values, at reduced size. Critics (MINE) are read on the "
    "pairs they train on and on fresh ones, means of three repeats; predictors are read on "
    "held-out samples only. Top left: $I(A;BC)$ read off critics of 1,000 samples of the "
    "Gaussian field fitted to thinned clothing images at $t=0.3$ (thin: single repeats; dotted: "
    "exact). Top middle: the CMI behind $r=1$, the difference of two readings, against passes "
    "over $n$ samples. Top right: estimate over exact value for the field, an Ising strip, a "
    "mixture and loops. Bottom: the CMI at the end of 500 passes against time, on the field "
    "(black: exact) and on the images themselves, and predictors of few and of many samples. "
    "Their scale is linear within 0.1 nats and logarithmic beyond. Bars: standard errors."
)

SYMBOLS = {
    "n": "number of training samples",
    "I": "mutual information [nats]",
    "B_1": "the buffer of radius one",
    "I(A;C|B_1)": (
        "conditional mutual information of $A$ and $C$ given the buffer of radius one [nats]"
    ),
}

COST = "95 CPU minutes (estimated; an hour of it measured), critics at reduced size"

GROUP = "ours"

NEEDS = ("torch",)

Json = dict[str, Any]

FIELD = {"law": "field", "every": 3, "split": "test"}
LAWS: tuple[Json, ...] = (
    FIELD,
    {"law": "strip", "shape": [4, 8], "coupling": 0.44},
    {"law": "mixture", "shape": [7, 7], "mean": 0.5, "variance": 0.5},
    {"law": "loops", "shape": [4, 4]},
)
#: Images themselves, thinned as for the field: no exact value.
IMAGES = FIELD | {"law": "images"}
FULL_FIELD = {"law": "field", "every": 1, "split": "train"}
FULL_IMAGES = FULL_FIELD | {"law": "images"}
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
#: Critics of the panels over time: 500 passes over the data, as in the literature.
PASSES = CRITIC | READ | SHOWN | {
    "t": [0.1, 0.2, 0.3, 0.5], "radius": [1, 2], "n_samples": 1000, "steps": 5000, "window": 250,
    "n_exact": 2000, "seed": 0,
}  # fmt: skip


def tasks(quick: bool) -> list[Json]:
    """Critics and predictors of every law and of images; predictors of few and many samples."""
    if quick:
        small = {"n_samples": 200, "t": [0.3], "n_exact": 200}
        law = {"law": "strip", "shape": [3, 5], "coupling": 0.44}
        read = READ | SHOWN | small | {"n_repeats": 2, "steps": 20, "window": 10, "seed": 0}
        trained = TRAINED | small | {"radius": [0, 1], "width": 8, "steps": 10, "seed": 0}
        brief = {"steps": 20, "window": 10, "n_repeats": 2, "n_samples": 100, "n_exact": 100}
        on_images = PREDICTOR | IMAGES | trained | {"radius": [0, 1, 2]}
        over_time = [PASSES | law | brief for law in (FIELD, IMAGES)]
        return [CRITIC | law | read, PREDICTOR | law | trained, *over_time, on_images]
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
    many = {"batch_size": 1024, "width": 256, "depth": 2, "n_exact": 5000, "seed": 0}
    found += [PREDICTOR | law | _trained(law, 60_000, 5000) | many for law in FULL_LAWS]
    found += [PASSES | FIELD, PASSES | IMAGES]
    return [
        *found,
        PREDICTOR | IMAGES | _trained(IMAGES, 8000, 2000) | {"t": PASSES["t"], "seed": 0},
    ]


def full_tasks() -> list[Json]:
    """60,000 samples and 300,000 steps: the protocol of the literature at 6 times and 4 radii."""
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
    trained = _trained(FULL_IMAGES, 60_000, 20_000) | {"width": 512, "depth": 2, "t": read["t"]}
    return [
        *found,
        CRITIC | FULL_IMAGES | READ | read,
        PREDICTOR | FULL_IMAGES | trained | {"seed": 0},
    ]


def _trained(law: Json, n: int, steps: int) -> Json:
    radii = [0, 1] if law["law"] == "loops" and law["shape"][0] < 5 else [0, 1, 2]
    return TRAINED | {
        "t": [0.2, 0.3, 0.5, 0.7], "radius": radii, "n_samples": n, "steps": steps,
        "n_exact": 20_000,
    }  # fmt: skip


def compute(task: Json, *, device: str | None = None, folder: Any = None) -> Json:
    """Estimates of one law, beside the truth where it is known; a killed run goes on.

    Checkpoints are kept in `folder`.
    """
    # Here, so that drawing committed rows needs no torch.
    from phasetheory.neural import Training
    from phasetheory.neural.mine import Mine

    sizes = {name: task[name] for name in ("steps", "batch_size", "learning_rate", "seed")}
    common: Json = {"t": task["t"], "radius": task["radius"]}
    if task["part"] == "predictor":
        sizes_too: Json = {"width": task["width"], "depth": task["depth"], "null": False}
        common |= sizes_too | {"folder": folder}
        settings: Any = Training(**sizes, device=device, progress=False)
        kept = ["cmi", "cmi_stderr", "cmi_raw", "cmi_train", "full_gap"]
        truths = ["exact", "exact_stderr"]
    else:
        common["checkpoint"] = None if folder is None else folder / "critics.ckpt"
        settings = Mine(**sizes, window=task["window"], channels=task["channels"],
                        width=task["width"], device=device, progress=False)  # fmt: skip
        kept = ["near_train", "near_fresh", "full_train", "full_fresh"]
        truths = ["exact", "exact_stderr", "exact_full", "exact_full_stderr"]
    if task["law"] == "images":
        data, truths = _of_images(task, settings, common), []
    else:
        data = _of_law(task, settings, common)
    return {name: data[name].values.round(6).tolist() for name in kept + truths}


def _of_law(task: Json, settings: Any, common: Json) -> Any:
    from phasetheory.neural.calibration import calibrate, calibrate_critics

    prior, centre = law_of(task)
    common |= {"centre": centre, "n_samples": task["n_samples"], "n_exact": task["n_exact"]}
    if task["part"] == "predictor":
        return calibrate(prior, settings=settings, **common)
    return calibrate_critics(prior, n_repeats=task["n_repeats"], settings=settings, **common)


def _of_images(task: Json, settings: Any, common: Json) -> Any:
    """The same on images: repeats on images of their own, if there are enough of them."""
    from phasetheory.neural import scan_images
    from phasetheory.neural.contexts import Contexts
    from phasetheory.neural.mine import mine_curves

    images = _thinned(task["every"], task["split"])
    images = images[np.random.default_rng(task["seed"]).permutation(len(images))]
    shape, n = images.shape[1:], task["n_samples"]
    centre = tuple(side // 2 for side in shape)
    if task["part"] == "predictor":
        rest = images[n:] if n < len(images) else _thinned(task["every"], "test")
        return scan_images(images[:n], centre=centre, held_out=rest, settings=settings, **common)
    repeats = task["n_repeats"]
    if repeats * n < len(images):
        seen, rest = images[: repeats * n].reshape(repeats, n, *shape), images[repeats * n :]
    else:
        rest = _thinned(task["every"], "test")
        seen = np.broadcast_to(images[:n], (repeats, n, *shape))
    contexts = Contexts.build(
        pt.Lattice.grid(shape), pt.Gaussian, t=common["t"], radius=common["radius"], centre=centre
    )
    fresh = np.broadcast_to(rest, (repeats, *rest.shape))
    return mine_curves(seen, fresh, contexts, settings, checkpoint=common["checkpoint"])


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


def _thinned(every: int, split: str) -> np.ndarray:
    """Every n-th row and column around the pixel (14, 14), among 1 to 27."""
    images = pt.load_images("fashion-mnist", split=split)
    reach = 13 // every
    kept = 14 + every * np.arange(-reach, reach + 1)
    found: np.ndarray = images[:, kept][:, :, kept]
    return found


@cache
def _field(every: int, split: str) -> pt.GaussianField:
    """Field fitted to the thinned images."""
    return pt.GaussianField.fit(_thinned(every, split))


def curves(row: Json, which: str, reading: str, *, i: int = 0, j: int = 0) -> np.ndarray:
    """Readings at the i-th time and the j-th radius, shape (n_repeats, n_windows), nats.

    Args:
        row: A row of critics.
        which: "full" for I(A;BC), "near" for I(A;B_r), "cmi" for their difference.
        reading: "train" or "fresh".
        i: Which of the row's times.
        j: Which of its radii.
    """
    full = np.array(row[f"full_{reading}"])[i]
    near = np.array(row[f"near_{reading}"])[i, j]
    return {"full": full, "near": near, "cmi": full - near}[which]


def truth(row: Json, which: str, *, i: int = 0, j: int = 0) -> float:
    """Exact value that belongs to `curves`."""
    cmi, full = float(row["exact"][i][j]), float(row["exact_full"][i])
    return {"full": full, "near": full - cmi, "cmi": cmi}[which]


def read(row: Json, which: str, reading: str, *, i: int = 0, j: int = 0) -> tuple[float, float]:
    """Mean over repeats of the last window, and its standard error, nats."""
    last = curves(row, which, reading, i=i, j=j)[:, -1]
    return float(last.mean()), float(last.std(ddof=1) / len(last) ** 0.5)


def passes(row: Json) -> np.ndarray:
    """Passes over the data at the end of every window: the clock of memorisation."""
    found: np.ndarray = _steps(row) * row["batch_size"] / row["n_samples"]
    return found


def at_one_time(rows: list[Json]) -> list[Json]:
    """Critics of one time and radius, which are shown as they train."""
    return [row for row in rows if row["part"] == "critic" and len(row["t"]) == 1]


def over_time(rows: list[Json], law: str) -> list[Json]:
    """Critics of several times, of one law or of images."""
    critics = [row for row in rows if row["part"] == "critic" and row["law"] == law]
    return [row for row in critics if len(row["t"]) > 1]


def predictors(rows: list[Json], *, of_images: bool = False) -> list[Json]:
    """Rows of predictors, of laws or of images."""
    found = [row for row in rows if row["part"] == "predictor"]
    return [row for row in found if (row["law"] == "images") == of_images]


def plot(rows: list[Json]) -> Figure:
    """Above, readings over training and against the truth; below, against time, and more data."""
    figure, ((left, middle, right), (field, images, more)) = new_figure(
        TEXT, 4.7, nrows=2, ncols=3, gridspec_kw={"width_ratios": [1, 1, 1.15]}
    )
    shown = at_one_time(rows)
    # At full size all critics are of several times.
    critics = shown or over_time(rows, "field")
    first = [row for row in critics if row["law"] == critics[0]["law"]]
    i = int(np.argmin(np.abs(np.array(first[0]["t"]) - SHOWN["t"][0])))
    _training(left, first[0], i)
    left.legend(loc="lower left", handlelength=1.4)
    for row, line in zip(first[::-1], ("-", "--"), strict=False):
        for reading, colour in zip(("train", "fresh"), ("vermillion", "blue"), strict=True):
            values = curves(row, "cmi", reading, i=i)
            middle.plot(passes(row)[1:], values.mean(axis=0)[1:], line, color=COLOURS[colour],
                        label=f"{reading}, $n={row['n_samples']:,}$")  # fmt: skip
    middle.axhline(truth(first[0], "cmi", i=i), color="black", lw=0.8, ls=":")
    middle.set(
        xscale="log", xlabel="passes over the data", ylabel="$I(A;C|B_1)$ read off critics  [nats]"
    )
    middle.legend(loc="best", handlelength=1.8)
    _errors(right, predictors(rows), critics)
    _against_time(field, over_time(rows, "field")[0], None)
    field.set_title("Gaussian field", loc="left")
    _against_time(images, over_time(rows, "images")[0], predictors(rows, of_images=True)[0])
    images.set_title("images", loc="left")
    images.sharey(field)
    _more_samples(more, predictors(rows))
    return figure


def _steps(row: Json) -> np.ndarray:
    return row["window"] * np.arange(1, row["steps"] // row["window"] + 1)


def _training(axes: Axes, row: Json, i: int) -> None:
    names = {"train": ("vermillion", "training pairs"), "fresh": ("blue", "fresh pairs")}
    for reading, (colour, label) in names.items():
        values = curves(row, "full", reading, i=i)
        # The first window is left out: there critics still find their scale.
        steps = _steps(row)[1:]
        axes.plot(steps, values.T[1:], color=COLOURS[colour], lw=0.4, alpha=0.6)
        axes.plot(steps, values.mean(axis=0)[1:], color=COLOURS[colour], label=label)
    axes.axhline(truth(row, "full", i=i), color="black", lw=0.8, ls=":", label="exact")
    axes.set(xlabel="training steps", ylabel="$I(A;BC)$ read off critics  [nats]")


def _errors(axes: Axes, learned: list[Json], critics: list[Json]) -> None:
    """Estimate over truth, where the truth is above 4e-3 nats: every CMI, and every I(A;BC)."""
    found: Json = {"predictor, held out": [], "critic, training": [], "critic, fresh": []}
    for row in learned:
        found["predictor, held out"] += _points(row)
    for row in critics:
        for name, reading in (("critic, training", "train"), ("critic, fresh", "fresh")):
            for i in range(len(row["t"])):
                for which in ("full", "cmi"):
                    value, error = read(row, which, reading, i=i)
                    error = np.hypot(error, row["exact_stderr"][i][0])
                    found[name].append((truth(row, which, i=i), value, error))
    styles = {"predictor, held out": ("green", "o"), "critic, training": ("vermillion", "s"),
              "critic, fresh": ("blue", "D")}  # fmt: skip
    _ratios(axes, found, styles)
    axes.legend(loc="best", handlelength=1.0)


def _points(row: Json) -> list[tuple[float, float, float]]:
    """Exact value, estimate and error of every cell of a predictor's row, nats."""
    error = np.hypot(row["cmi_stderr"], row["exact_stderr"])
    flat = (np.array(row["exact"]).flat, np.array(row["cmi"]).flat, error.flat)
    return [(float(x), float(y), float(e)) for x, y, e in zip(*flat, strict=True)]


def _ratios(axes: Axes, found: Json, styles: Json) -> None:
    axes.axhline(1.0, color="black", lw=0.8, ls=":")
    for name, points in found.items():
        x, y, error = np.array([p for p in points if p[0] > 4e-3]).reshape(-1, 3).T
        colour, marker = styles[name]
        axes.errorbar(x, y / x, error / x, color=COLOURS[colour], marker=marker, ls="", ms=2.5,
                      elinewidth=0.6, label=name)  # fmt: skip
    axes.set(xscale="log", xlabel="exact value  [nats]", ylabel="estimate / exact value")


def _against_time(axes: Axes, row: Json, learned: Json | None) -> None:
    """CMI at the end of training against time, at the row's radii: full for the first of them."""
    for j, radius in enumerate(row["radius"][:2]):
        style: Json = {"lw": 1.0, "ls": "-" if j == 0 else "--", "ms": 2.5}
        for reading, colour, marker in (("train", "vermillion", "s"), ("fresh", "blue", "D")):
            both = [read(row, "cmi", reading, i=i, j=j) for i in range(len(row["t"]))]
            name = {"train": "training", "fresh": "fresh"}[reading]
            axes.errorbar(row["t"], *zip(*both, strict=True), color=COLOURS[colour], marker=marker,
                          label=f"critic, {name}" if j == 0 else None, **style)  # fmt: skip
        style |= {"marker": "o", "color": COLOURS["green"]}
        if learned is not None:
            k = learned["radius"].index(radius)
            values, error = (np.array(learned[name])[:, k] for name in ("cmi", "cmi_stderr"))
            label = "predictor, held out" if j == 0 else None
            axes.errorbar(learned["t"], values, error, label=label, **style)
        else:
            exact = [truth(row, "cmi", i=i, j=j) for i in range(len(row["t"]))]
            style |= {"marker": "", "color": "black"}
            axes.plot(row["t"], exact, label="exact" if j == 0 else None, **style)
    axes.axhline(0.0, color="black", lw=0.6, ls=":")
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_ylim(-300.0, 2.0)  # the legend stands below the data
    axes.set_yticks([-1.0, -0.1, 0.0, 0.1, 1.0], ["-1", "-0.1", "0", "0.1", "1"])
    last = row["radius"][min(1, len(row["radius"]) - 1)]
    axes.set(
        xlabel=f"diffusion time $t$  ($r={row['radius'][0]}$; dashed: $r={last}$)",
        ylabel="$I_t(A;C|B_r)$  [nats]",
    )
    axes.legend(loc="lower left", handlelength=1.4)


def _more_samples(axes: Axes, learned: list[Json]) -> None:
    """Predictors of few samples and of many."""
    counts = sorted({row["n_samples"] for row in learned})
    ends = dict.fromkeys((counts[0], counts[-1]))
    found = {
        f"$n={n:,}$": [p for row in learned if row["n_samples"] == n for p in _points(row)]
        for n in ends
    }
    styles = dict(zip(found, (("sky", "o"), ("green", "^")), strict=False))
    _ratios(axes, found, styles)
    axes.set_ylabel("held-out estimate / exact value")
    axes.legend(loc="best", handlelength=1.0)
