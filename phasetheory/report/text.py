"""The report's words, around numbers taken from the studies."""

from typing import Any

import numpy as np
import xarray as xr

from phasetheory import __version__
from phasetheory.report import figures, limits
from phasetheory.report.page import Section, embedded, table
from phasetheory.report.studies import scaling_window
from phasetheory.transitions import markov_length

__all__ = ["LEAD", "TITLE", "cards", "footer", "sections"]

TITLE = "Where local denoising works, and where it must fail"

LEAD = (
    "A diffusion model turns noise into data step by step. When may a step look only at a pixel's "
    "neighbourhood? The answer is one number: the conditional mutual information I(A;C|B) between "
    "a pixel A and everything beyond a buffer B of radius r, in the data noised up to time t "
    "(t = 0 is data, t = 1 is pure noise). Where it is small, a local step recovers the data, and "
    "how well is a theorem. Every number on this page is exact unless it says otherwise; "
    "information is in nats (1 nat = 1.44 bits)."
)


def cards(results: dict[str, Any]) -> list[tuple[str, str]]:
    """The four numbers to take away, with what each means."""
    verification = results["verification"]
    scan = results["images"]
    low, high = _length_range(scan)
    near = float(scan["cmi"].sel(radius=1).sel(t=0.3, method="nearest"))
    far = float(scan["cmi"].sel(radius=6).sel(t=0.3, method="nearest"))
    mixture = scaling_window(results["mixture"])
    bits = scaling_window(results["repetition"])
    held = sum(row.holds for row in verification.rows)
    return [
        (f"{held} of {len(verification.rows)}", "relations of the theorems hold on the instances"),
        (f"{near:.3f} to {far:.4f}", "nats, clothing images at t = 0.3: r = 1 to r = 6"),
        (f"{low:.1f} to {high:.1f} pixels",
         "Markov length of the images for 0.1 &le; t &le; 0.9: finite, no transition"),
        (f"1 &minus; t = {float(mixture['t_peak'][-1]):.2f}/N",
         f"mixture's window; {float(bits['t_peak'][-1]):.2f}/&radic;N for N copied bits"),
    ]  # fmt: skip


def sections(results: dict[str, Any]) -> list[Section]:
    """The page's sections in order."""
    return [
        _images(results["path"], results["images"]),
        _mixture(results["mixture_map"], results["mixture"]),
        _repetition(results["repetition_map"], results["repetition"]),
        _bound(results["chains"]),
        _theorems(results["verification"]),
    ]


def footer(*, quick: bool) -> str:
    """Provenance, and how to make the page again."""
    command = "phasetheory report --quick" if quick else "phasetheory report"
    return (
        f"phasetheory {__version__}, made by <code>{command}</code>. The numbers "
        "behind every figure lie beside this page as netCDF files; xarray reads them. "
        "Theory: Hu, Liu, Zhang, Gao, "
        '<a href="https://arxiv.org/abs/2508.06614">arXiv:2508.06614</a>. Images: the test set of '
        "Fashion-MNIST, copyright 2017 Zalando SE, MIT licence."
    )


def _length_range(scan: xr.Dataset) -> tuple[float, float]:
    """Shortest and longest Markov length for 0.1 <= t <= 0.9, from radii 1 to 10."""
    xi = markov_length(scan.sel(radius=slice(1, 10)))["xi"].sel(t=slice(0.1, 0.9))
    return float(xi.min()), float(xi.max())


def _images(path: xr.Dataset, scan: xr.Dataset) -> Section:
    low, high = _length_range(scan)
    body = (
        "<p>10,000 clothing images, as far as their means and covariances go: the Gaussian field "
        "with the same first two moments. Below, two denoisers of the same noisy image. One sees "
        f"all pixels, the other, at every pixel, only the window of radius {path.attrs['radius']} "
        "around it. The more noise, the more its guess of the clean image suffers. But a diffusion "
        "step moves only a little way towards the guess; what the step itself misses, in units of "
        "the noise, is the last row. It is largest at low noise.</p>"
    )
    body += embedded(
        figures.path(path),
        "y = (1 &minus; t) x + t z for one draw of z. Local and full are the Bayes denoisers "
        "E[x|y] of the fitted Gaussian field. The last row is ((1 &minus; t)/t) times their "
        "difference: &sigma; times the difference of the two scores, on a common grey scale.",
        "Rows of clothing images: noisy, denoised locally, denoised from all pixels, and what "
        "the local step misses.",
    )
    body += (
        "<p>The map gives the same in nats, for the centre pixel and every window. Information "
        "from beyond the buffer decays with r at every t, on a scale of a few pixels, the Markov "
        "length &xi;: a Gaussian field has no transition along this path, so a fixed window serves "
        "all the way. "
        f"Here &xi; stays between {low:.1f} and {high:.1f} pixels for 0.1 &le; t &le; 0.9. "
        "Real images are not Gaussian: this is what their second moments say.</p>"
    )
    body += embedded(
        figures.image_map(scan),
        "Left: I<sub>t</sub>(A;C|B<sub>r</sub>) of the centre pixel, 21 times and 13 radii. "
        "Middle: its decay with r. Right: &xi;(t) from a straight-line fit of log I over "
        "r = 1 to 10; the bars say how far the decay is from a pure exponential.",
        "A map of conditional mutual information over time and radius, its decay with the "
        "radius, and the Markov length against time.",
    )
    return Section("images", "Real images: one window serves all the way", body)


def _mixture(scan: xr.Dataset, study: xr.Dataset) -> Section:
    side = int(np.sqrt(int(scan["size_C"][0] + scan["size_B"][0] + 1)))
    body = (
        "<p>Now data of two kinds: N &times; N images whose pixels are all drawn around +1, or all "
        "around &minus;1. Every pixel knows a little of which kind it is. Where the buffer does "
        "not yet know the kind but the whole image does, a local step must miss something. For one "
        f"pixel and a fixed radius (left, N = {side}) that window stays open down to 1 &minus; t "
        "of order 1/r. When A, B and C grow with the image (A the central block of side N/4, B all "
        "within N/8 of it, C the rest), it closes: its width in t is of order 1/N, and in the "
        "scaled time (1 &minus; t) N growing images approach one curve.</p>"
    )
    symbols = ("buffer radius $r$", "$(1-t)\\,N$", "$I_t(A;C|B)$  [nats]")
    body += embedded(
        figures.scaling(scan, study, limits.mixture(study["scaled"].values), symbols=symbols),
        "Left: I<sub>t</sub>(A;C|B<sub>r</sub>) of the centre pixel; dots are the peak over t at "
        "each r, dashes its half-height window. Middle: the growing block. Right: the same against "
        "(1 &minus; t) N, with the limit N &rarr; &infin; (dashed).",
        "A map, curves for several image sizes sharpening towards t = 1, and their collapse.",
    )
    title = "Two kinds of images: a window that closes at pure noise"
    return Section("mixture", title, body + _windows(study, "(1 &minus; t) N", "peak, nats"))


def _repetition(scan: xr.Dataset, study: xr.Dataset) -> Section:
    size = int(scan["size_C"][0] + scan["size_B"][0] + 1)
    body = (
        "<p>The simplest data with order: N copies of one random bit (spins at zero temperature, "
        "all coupled), noised by bit flips. A is one bit. On the left B is any number of others "
        f"(N = {size}). Then B is half of the others and C the rest; one bit can say little, so "
        "the information is multiplied by N. Its window sits at 1 &minus; t of order 1/&radic;N: "
        "there the majority of B is still wrong now and then, and the majority of all is not.</p>"
    )
    symbols = ("size of the buffer $|B|$", "$(1-t)\\,\\sqrt{N}$", "$N\\,I_t(A;C|B)$  [nats]")
    body += embedded(
        figures.scaling(scan, study, limits.repetition(study["scaled"].values), symbols=symbols),
        "Left: I<sub>t</sub>(A;C|B) of one bit, exact by magnetisation sectors; peak and window as "
        "above. Middle: N I<sub>t</sub>(A;C|B) with B half of the others. Right: the same against "
        "(1 &minus; t) &radic;N, with the limit N &rarr; &infin; (dashed).",
        "A map, curves for several numbers of bits, and their collapse when scaled.",
    )
    windows = _windows(study, "(1 &minus; t) &radic;N", "peak of N I, nats")
    return Section("repetition", "The repetition code: the same, for bits", body + windows)


def _windows(study: xr.Dataset, scaled: str, peak: str) -> str:
    found = scaling_window(study)
    marks = ("window_end", "t_peak", "window_start")
    rows = [
        (
            str(int(n)),
            *(
                f"{float(found[mark].sel(size=n)):.2f}"
                f" &plusmn; {float(found[f'{mark}_stderr'].sel(size=n)):.2f}"
                for mark in marks
            ),
            f"{float(found['cmi_peak'].sel(size=n)):.4f}",
        )
        for n in found["size"].values
    ]
    header = ("N", "data side", "peak", "noise side", peak)
    return (
        f"<p>The window at half height, in the scaled time {scaled}. The errors are those of the "
        "grid of times; the values on it are exact.</p>" + table(header, rows, numbers=4)
    )


def _bound(study: xr.Dataset) -> Section:
    ratio = float((study["kl"] / study["cmi_drop"]).max())
    body = (
        "<p>Noise one site A, recover it by Bayes' rule from the noisy A and its buffer B alone. "
        "The error of the result obeys 2 TV&sup2; &le; KL &le; I &minus; &#296; &le; I, where I = "
        "I(A;C|B) before and &#296; after the noise. No random law may lie above a line.</p>"
    )
    body += embedded(
        figures.chains(study),
        f"{study.sizes['instance']} random laws of six spins, from nearly uniform to sparse, under "
        "random noise: one panel for each inequality, the line is equality. The tightest KL here "
        f"is {ratio:.2f} times its bound I &minus; &#296;.",
        "Three scatter plots, one for each inequality of the chain, all points below the line.",
    )
    return Section("bound", "The recovery bound on random laws", body)


def _theorems(verification: Any) -> Section:
    rows = []
    for key, theorem in verification.theorems.items():
        own = verification.of(key)
        counted = [row for row in own if not row.vacuous]
        tightest = [row.tightness for row in counted if row.kind == "<="]
        caught = verification.controls[key]
        rows.append((
            key, theorem.name, str(len({row.instance for row in own})),
            f"{sum(row.holds for row in own)} of {len(own)}",
            f"{max(tightest):.3f}" if tightest else "identity",
            "caught" if caught else "missed",
        ))  # fmt: skip
    body = (
        "<p>Each theorem is checked on a zoo of instances, both sides computed on their own, "
        "exactly or, where sampled, within five standard errors. "
        "Closest is the largest ratio of the two sides of an inequality (1 is equality). Each "
        "check is also run with a deliberate mistake in the statement, and has to catch it. "
        "<code>phasetheory verify --full</code> prints every relation.</p>"
    )
    header = ("", "theorem", "instances", "relations that hold", "closest", "deliberate mistake")
    return Section("theorems", "The theorems, checked", body + table(header, rows, numbers=4))
