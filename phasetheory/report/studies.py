"""The numbers of the report: four studies, each a labelled dataset that is written as netCDF."""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from phasetheory.information import cmi
from phasetheory.lattice import Lattice, Tripartition
from phasetheory.models.curie_weiss import CurieWeiss
from phasetheory.models.gaussian_field import GaussianField
from phasetheory.models.gaussian_mixture import GaussianMixture
from phasetheory.models.table import Table
from phasetheory.noise import BitFlip, Gaussian
from phasetheory.recoveries import recovery
from phasetheory.sweep import scan
from phasetheory.transitions import locate_transition

__all__ = [
    "denoised_path",
    "image_map",
    "mixture_map",
    "mixture_scaling",
    "recovery_chains",
    "repetition_map",
    "repetition_scaling",
    "scaling_window",
]

Floats = NDArray[np.float64]


def image_map(field: GaussianField, *, n_times: int = 21) -> xr.Dataset:
    """Exact CMI(t, r) of a Gaussian field at its centre pixel, all radii at which C is not empty.

    Args:
        field: Gaussian field on a grid, for example fitted to images.
        n_times: Times from 0 to 1.

    Returns:
        Result of :func:`phasetheory.scan`.
    """
    assert field.lattice.shape is not None
    centre = tuple(length // 2 for length in field.lattice.shape)
    farthest = int(field.lattice.distances([_site(field.lattice, centre)]).max())
    times = np.linspace(0.0, 1.0, n_times)
    return scan(field, Gaussian, t=times, radius=np.arange(1, farthest), centre=centre)


def denoised_path(
    field: GaussianField, image: Floats, *, times: Floats, radius: int, rng: int = 0
) -> xr.Dataset:
    """One image along the path: noisy, denoised from windows, denoised from everything.

    Args:
        field: Gaussian field fitted to the images.
        image: Shape (height, width).
        times: Diffusion times in (0, 1].
        radius: Radius of the local denoiser's window around each pixel.
        rng: Seed; the same z at every time.

    Returns:
        Dataset over (t, row, column): `noisy` y, and the denoised `local` and `full` in units of
        the image; `missed`, (alpha/sigma) (full - local), is sigma times the difference of the two
        scores: what a local step misses, in units of the noise. Its mean square over y at a pixel
        is sigma^2 times the squared locality gap.
    """
    lattice = field.lattice
    z = np.random.default_rng(rng).standard_normal(lattice.n_sites)
    pictures: dict[str, list[Floats]] = {"noisy": [], "local": [], "full": []}
    for t in times:
        law = field.noised(Gaussian(t=float(t)))
        y = ((1.0 - t) * image.ravel() + t * z)[None]
        pictures["noisy"].append(y[0])
        pictures["full"].append(law.denoise(y)[0])
        windows = (lattice.distances([site]) <= radius for site in range(lattice.n_sites))
        local = [law.posterior(y, window, [i]).mean()[0, 0] for i, window in enumerate(windows)]
        pictures["local"].append(np.array(local))
    data = xr.Dataset(
        {
            name: (("t", "row", "column"), np.reshape(rows, (len(times), *image.shape)))
            for name, rows in pictures.items()
        },
        coords={"t": times},
        attrs={"radius": radius, "denoiser": "Bayes denoiser of the fitted Gaussian field"},
    )
    data["missed"] = (1.0 - data["t"]) / data["t"] * (data["full"] - data["local"])
    return data


def mixture_scaling(sides: Sequence[int], scaled: Floats) -> xr.Dataset:
    r"""CMI of a two-component Gaussian mixture on N x N images, A, B, C growing in proportion.

    Components N(+-1, 1) on every pixel; A is the central block of side N/4, B all within N/8 of
    it, C the rest: exact from the one-dimensional integral.

    Args:
        sides: Values of N, multiples of 8.
        scaled: Values of (1-t) N, increasing, at most the smallest N.

    Returns:
        Dataset with `cmi` (nats) over (size, scaled), scaled = (1-t) N.
    """

    def value(side: int, x: float) -> float:
        model = _mixture(side)
        parts = model.lattice.tripartition((3 * side // 8,) * 2, side // 8, side // 4)
        return cmi(model.noised(Gaussian(t=1.0 - x / side)), parts).value

    return _scaling(
        value,
        sides,
        scaled,
        name="(1-t) N",
        title="two-component Gaussian mixture, means +-1, variance 1",
    )


def repetition_scaling(sizes: Sequence[int], scaled: Floats) -> xr.Dataset:
    r"""CMI of the repetition code of N bits under bit flips, B and C half of the rest each.

    All bits equal (Curie-Weiss at zero temperature); A is one bit. Exact by magnetisation sectors.

    Args:
        sizes: Odd values of N.
        scaled: Values of (1-t) sqrt(N), increasing, at most the smallest sqrt(N).

    Returns:
        Dataset with `cmi`, N I(A;C|B) in nats, over (size, scaled), scaled = (1-t) sqrt(N).
    """

    def value(size: int, x: float) -> float:
        half = (size + 1) // 2
        parts = Tripartition(A=[0], B=np.arange(1, half), C=np.arange(half, size))
        law = CurieWeiss(size, coupling=np.inf).noised(BitFlip(t=1.0 - x / np.sqrt(size)))
        return size * cmi(law, parts).value

    title = "repetition code, cmi multiplied by N"
    return _scaling(value, sizes, scaled, name="(1-t) sqrt(N)", title=title)


def scaling_window(study: xr.Dataset) -> xr.Dataset:
    """Peak and half-height window of every size, in the scaled time.

    Args:
        study: Result of :func:`mixture_scaling` or :func:`repetition_scaling`.

    Returns:
        Result of :func:`phasetheory.locate_transition` with `size` for `radius`. Scaled time grows
        towards the data, so `window_end` is the data side.
    """
    scan = study.assign(cmi_stderr=xr.zeros_like(study["cmi"]))
    found = locate_transition(scan.rename(scaled="t", size="radius"))
    return found.rename(radius="size")


def recovery_chains(n: int, *, rng: int = 0) -> xr.Dataset:
    """T1's chain on random laws of six spins: Dirichlet tables from nearly uniform to sparse.

    Args:
        n: Number of instances.
        rng: Seed.

    Returns:
        Dataset over instance: `two_tv_squared`, `kl`, `cmi_drop`, `cmi` (nats), `fidelity`.
    """
    generator = np.random.default_rng(rng)
    lattice = Lattice.chain(6)
    parts = Tripartition(A=[0], B=[1, 2], C=[3, 4, 5])
    rows = []
    for _ in range(n):
        weights = generator.gamma(10.0 ** generator.uniform(-1.5, 2.0), size=(2,) * 6) + 1e-300
        law = Table(lattice, weights / weights.sum()).noised(BitFlip(t=generator.uniform(0.0, 0.5)))
        step = recovery(law, parts, BitFlip(t=generator.uniform(0.05, 1.0)))
        drop = step.cmi_before.value - step.cmi_after.value
        rows.append((2 * step.tv.value**2, step.kl.value, drop, step.cmi_before.value,
                     step.fidelity.value))  # fmt: skip
    names = ("two_tv_squared", "kl", "cmi_drop", "cmi", "fidelity")
    columns = np.array(rows).T
    return xr.Dataset(
        {name: ("instance", column) for name, column in zip(names, columns, strict=True)},
        attrs={"units": "nats", "law": "random tables of 6 spins under bit flips", "seed": rng},
    )


def mixture_map(side: int, n_times: int) -> xr.Dataset:
    """Exact CMI(t, r) at the centre pixel of the two-component mixture on side x side images.

    Args:
        side: Even number of pixels along an edge.
        n_times: Times, denser towards t = 1.

    Returns:
        Result of :func:`phasetheory.scan`.
    """
    times = 1.0 - np.geomspace(1.0, 0.2 / side, n_times)
    radii = np.arange(1, side // 2)
    return scan(_mixture(side), Gaussian, t=times, radius=radii, centre=(side // 2,) * 2)


def repetition_map(size: int, n_times: int) -> xr.Dataset:
    """Exact CMI of one bit of the repetition code over t and the number of bits in B.

    Args:
        size: Number of bits N.
        n_times: Times, denser towards t = 1.

    Returns:
        Result of :func:`phasetheory.scan`, `radius` being |B|.
    """
    sizes = np.unique(np.geomspace(1, size // 2, 18).round().astype(int)).tolist()
    parts = {n: Tripartition([0], range(1, 1 + n), range(1 + n, size)) for n in sizes}
    times = 1.0 - np.geomspace(1.0, 0.2 / np.sqrt(size), n_times)
    return scan(CurieWeiss(size, coupling=np.inf), BitFlip, t=times, radius=parts)


def _mixture(side: int) -> GaussianMixture:
    lattice = Lattice.grid((side, side))
    means = np.ones((2, lattice.n_sites)) * np.array([[1.0], [-1.0]])
    return GaussianMixture(lattice, means=means, variance=1.0)


def _scaling(
    value: Callable[[int, float], float],
    sizes: Sequence[int],
    scaled: Floats,
    *,
    name: str,
    title: str,
) -> xr.Dataset:
    table = np.array([[value(int(size), float(x)) for x in scaled] for size in sizes])
    return xr.Dataset(
        {"cmi": (("size", "scaled"), table, {"units": "nats"})},
        coords={"size": list(sizes), "scaled": ("scaled", scaled, {"long_name": name})},
        attrs={"title": title, "exact": "yes"},
    )


def _site(lattice: Lattice, centre: tuple[int, ...]) -> int:
    assert lattice.shape is not None
    return int(np.ravel_multi_index(centre, lattice.shape))
