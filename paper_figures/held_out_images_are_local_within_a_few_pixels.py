"""CMI map of clothing images at the centre pixel, learned, with values from held-out images only.

The map of all images needs the training set of Fashion-MNIST, which comes with Debian's package
`dataset-fashion-mnist`; the committed rows need nothing. `full_tasks()` trains a larger network for
longer, on a GPU; see `python -m paper_figures.full_size --help`.
"""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import phasetheory as pt
from paper_figures.style import COLOURS, TEXT, new_figure
from phasetheory import plotting

CLAIM = (
    "Read on held-out images, the CMI at the centre pixel of clothing images is a fraction of the"
    " published one and decays within a few pixels; from few images it is an underestimate where"
    " the noise is weak, which more images raise."
)

CAPTION = (
    "CMI of the centre pixel of clothing images, as the difference of two held-out "
    "cross-entropies of trained predictors. Top left: map from the most images ([[n_images]] are "
    "used in all); crosses: error bars not to be trusted. Top right: decay at three times. "
    "Bottom left: behind one pixel of buffer, for several numbers $n$ of training images, read "
    "on the training images (dashed, orange), and for a null run on data without the dependence "
    "sought; crosses: the means of the stored maps of arXiv:2508.06614 (critics, training "
    "pairs). Bottom right: Markov length where the CMI is twice the null run's. Bars: standard "
    "errors over held-out images."
)

SYMBOLS = {
    "n": "number of training images",
    "r": "buffer radius [pixels]",
    "B_1": "the buffer of radius one",
}

COST = "40 CPU minutes (the map of all images, 25, measured; the others estimated)"

GROUP = "ours"

NEEDS = ("torch",)

Json = dict[str, Any]

#: Mean over repeats of the stored maps of arXiv:2508.06614: critics, training pairs; nats.
PUBLISHED = {
    "t": [0.1, 0.2, 0.3, 0.4, 0.5],
    1: [0.102, 0.161, 0.168, 0.049, 0.045],
    3: [0.088, 0.140, 0.142, 0.035, 0.038],
    6: [0.080, 0.104, 0.112, 0.028, 0.011],
    12: [-0.011, -0.028, 0.026, -0.049, 0.006],
}

MAP = {
    "version": 1, "centre": [14, 14], "seed": 0, "batch_size": 512, "learning_rate": 1e-3,
    "precision": "float32",
    "t": [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.75],
    "radius": [1, 2, 3, 4, 5, 6, 8, 10], "n_held_out": 2000, "steps": 800, "width": 192, "depth": 2,
}  # fmt: skip


#: All 60,000 training images; values from the 10,000 test images.
WHOLE = MAP | {
    "t": [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8],
    "radius": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], "n_images": 60_000, "n_held_out": 10_000,
    "precision": "bfloat16", "null": True,
}  # fmt: skip


def tasks(quick: bool) -> list[Json]:
    """The map of all images with its null run, then maps of fewer training images."""
    if quick:
        small = {"t": [0.3, 0.5], "radius": [1, 5], "n_held_out": 100, "steps": 10, "width": 8}
        return [MAP | small | {"n_images": 200, "null": True}]
    fewer = [MAP | {"n_images": n, "null": n == 8000} for n in (8000, 4000, 2000)]
    return [WHOLE | {"steps": 8000, "width": 256}, *fewer]


def full_tasks() -> list[Json]:
    """The map of all images from a larger network, trained four times as long, for a GPU."""
    return [WHOLE | {"steps": 20_000, "batch_size": 2048, "width": 512, "depth": 3}]


def compute(task: Json, *, device: str | None = None, folder: Any = None) -> Json:
    """Map of one training set; checkpoints in `folder`, from which a killed run goes on."""
    # Here, so that drawing committed rows needs no torch.
    from phasetheory.neural import Training, scan_images

    images = pt.load_images("fashion-mnist")
    if task["n_images"] + task["n_held_out"] > len(images):
        images = np.concatenate([pt.load_images("fashion-mnist", split="train"), images])
    given = ("steps", "batch_size", "learning_rate", "precision", "seed")
    scan = scan_images(
        images[: task["n_images"]], pt.Gaussian, t=task["t"], radius=task["radius"],
        centre=tuple(task["centre"]), held_out=images[-task["n_held_out"] :], null=task["null"],
        width=task["width"], depth=task["depth"], folder=folder,
        settings=Training(**{name: task[name] for name in given}, device=device, progress=False),
    )  # fmt: skip
    kept = ["cmi", "cmi_stderr", "cmi_n_effective", "cmi_covariance", "cmi_raw", "cmi_train",
            "cmi_gap", "cmi_gap_stderr", "full_gap"]  # fmt: skip
    if task["null"]:
        kept += ["cmi_null", "cmi_null_stderr", "cmi_null_raw", "cmi_null_raw_stderr"]
    return {name: _rounded(scan[name].values) for name in kept}


def _rounded(values: np.ndarray) -> Any:
    """To six digits each: small covariances must stay positive definite."""
    return np.vectorize(lambda x: float(f"{x:.6g}"), otypes=[float])(values).tolist()


def dataset(row: Json) -> xr.Dataset:
    """A row as the dataset that it was."""
    dims = {1: ("t",), 2: ("t", "radius"), 3: ("t", "radius", "radius_other")}
    names = [name for name in row if name.startswith(("cmi", "full_gap"))]
    data = {name: np.array(row[name], dtype=float) for name in names}
    coords = {"t": row["t"], "radius": row["radius"], "radius_other": row["radius"]}
    return xr.Dataset({name: (dims[value.ndim], value) for name, value in data.items()}, coords)


def lengths(row: Json) -> xr.Dataset:
    """Markov length against t, from the radii whose CMI is above twice the null run's size.

    What the null run finds, of either sign, is the error of the estimate beyond its error bar.
    """
    scan = dataset(row)
    found = []
    for i in range(scan.sizes["t"]):
        one = scan.isel(t=[i])
        kept: list[int] = []
        for j, value in enumerate(one.cmi.values[0]):
            null = abs(float(one.cmi_null_raw[0, j])) if "cmi_null_raw" in one else 0.0
            # Where one predictor serves two radii, their covariance is singular: the first counts.
            if value > 2.0 * null and value not in one.cmi.values[0, kept]:
                kept.append(j)
        # Two radii at least make it a scan; too few for a fit are then reported as such.
        used = one.isel(radius=kept if len(kept) > 1 else [0, 1])
        error = used.cmi_covariance.values[:, :, kept] if len(kept) > 1 else None
        fitted = pt.markov_length(used, covariance=error)
        found.append(fitted.assign(n_points=fitted.n_points.clip(max=len(kept))))
    return xr.concat(found, "t")


def plot(rows: list[Json]) -> Figure:
    """Map, decay, what a reader should hold it against, and Markov length."""
    rows = sorted(rows, key=lambda row: -row["n_images"])
    scan = dataset(rows[0])
    figure, ((map_, decay), (near, length)) = new_figure(TEXT, 4.8, nrows=2, ncols=2)
    plotting.cmi_map(map_, scan, floor=1e-4)
    map_.set_title(f"{rows[0]['n_images']:,} images, held-out values", loc="left")
    _decay(decay, scan)
    decay.set_ylim(1e-4, 2.0)
    _against_time(near, rows, scan)
    plotting.markov_lengths(length, lengths(rows[0]))
    return figure


def _decay(axes: Axes, scan: xr.Dataset) -> None:
    plotting.cmi_profiles(axes, scan, (0.2, 0.3, 0.5), floor=1e-4)
    radii = [r for r in PUBLISHED if r != "t" and r <= max(scan.radius.values)]
    values = [PUBLISHED[r][PUBLISHED["t"].index(0.3)] for r in radii]
    axes.plot(radii, values, color=COLOURS["vermillion"], ls="", marker="x", ms=4,
              label="published, $t=0.30$")  # fmt: skip
    axes.legend(loc="upper right", ncols=2, handlelength=1.2, columnspacing=1.0)


def _against_time(axes: Axes, rows: list[Json], scan: xr.Dataset) -> None:
    """CMI behind one pixel of buffer: held out, on training images, null, and published."""
    first = scan.isel(radius=0)
    axes.plot(PUBLISHED["t"], PUBLISHED[1], color=COLOURS["vermillion"], ls="", marker="x", ms=4,
              label="published")  # fmt: skip
    axes.plot(
        first.t, first.cmi_train, color=COLOURS["orange"], ls="--", label="on training images"
    )
    for row, line in zip(rows, ("-", "--", ":", "-."), strict=False):
        one = dataset(row).isel(radius=0)
        # Bars on the largest only: the others share its held-out images.
        error = one.cmi_stderr if row is rows[0] else None
        axes.errorbar(one.t, one.cmi, error, color=COLOURS["blue"], ls=line,
                      label=f"held out, $n=${row['n_images']:,}")  # fmt: skip
    if "cmi_null_raw" in scan:
        axes.errorbar(first.t, first.cmi_null_raw, first.cmi_null_raw_stderr, lw=0.8,
                      color=COLOURS["green"], label="null run")  # fmt: skip
    axes.axhline(0.0, color="black", lw=0.6, ls=":")
    axes.set(xlabel="diffusion time $t$", ylabel="$I_t(A;C|B_1)$  [nats]")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -1.7 * high), high)  # room for the legend
    axes.legend(loc="lower right", handlelength=2.0)
