"""HTML of the explorer, from what `study`, `moment` and `chain` return.

Every number stands in a ``<b id="pt-...">`` with its full value in ``data-value``, so that a test
or a script can read it.
"""

import base64
from functools import lru_cache
from html import escape

import numpy as np
from numpy.typing import NDArray

from phasetheory.estimate import Estimate
from phasetheory.explorer.chain import Chain
from phasetheory.explorer.moment import Moment
from phasetheory.explorer.study import Study
from phasetheory.explorer_plots import Framed, bonds, map_picture, pixels, window_curve
from phasetheory.noise import Erasure

__all__ = [
    "chain_card",
    "curve_card",
    "draw",
    "map_card",
    "number",
    "panels",
    "readings",
    "shown",
    "state",
]

Floats = NDArray[np.float64]

#: Below this many nats the difference of exact entropies is rounding.
_ROUNDING = 1e-11
_I = "<i>I<sub>t</sub></i>(<i>A</i>;<i>C</i>|<i>B<sub>r</sub></i>)"


def shown(estimate: Estimate) -> str:
    """A number for readers: four digits where exact, else two digits of its standard error."""
    value, error = estimate.value, estimate.stderr
    if estimate.exact:
        if estimate.unit == "nats" and abs(value) < _ROUNDING:
            return "0"
        return _plain(value, 4)
    if error == 0:
        return f"0 (in {estimate.n_samples} draws)"
    power = int(np.floor(np.log10(max(abs(value), error))))
    if power >= -4:
        places = max(0, 1 - int(np.floor(np.log10(error))))
        text = f"{value:.{places}f} ± {error:.{places}f}"
    else:
        scale = 10.0**power
        places = max(0, 1 - int(np.floor(np.log10(error / scale))))
        text = f"({value / scale:.{places}f} ± {error / scale:.{places}f}) × 10<sup>{power}</sup>"
    text = text.replace("-", "−")
    return text if estimate.trustworthy else f"{text} (rare events)"


def _plain(value: float, digits: int) -> str:
    if not np.isfinite(value):
        return "–"
    if value != 0 and not 1e-4 <= abs(value) < 1e5:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa} × 10<sup>{int(power)}</sup>".replace("-", "−")
    return f"{value:#.{digits}g}".rstrip(".").replace("-", "−")


def number(key: str, value: Estimate | float, *, digits: int = 4, unit: str = "") -> str:
    """A number with an id that a test can read.

    Args:
        key: Its id is `pt-` and this.
        value: An Estimate, or a number.
        digits: Digits shown of a plain number.
        unit: What follows it.
    """
    full = value.value if isinstance(value, Estimate) else value
    text = shown(value) if isinstance(value, Estimate) else _plain(value, digits)
    after = f' <span class="pt-unit">{unit}</span>' if unit else ""
    return f'<b id="pt-{key}" class="pt-number" data-value="{full!r}">{text}</b>{after}'


def state(study: Study, now: Moment, strength: float) -> str:
    """What the page shows, hidden: for tests and scripts that wait for it."""
    rows, columns = study.stage.shape
    return (
        f'<div id="pt-state" hidden data-law="{escape(study.scene.name)}"'
        f' data-noise="{study.noise_name}" data-size="{rows} × {columns}" data-t="{now.t!r}"'
        f' data-r="{now.radius}" data-step="{strength!r}"></div>'
    )


def panels(study: Study, now: Moment) -> str:
    """The sample on its path, both denoisers and their difference."""
    error, whole_error = now.rms(now.local - now.x), now.rms(now.whole - now.x)
    spread = float(np.abs(now.difference).max())
    captions = (
        ("<i>x</i><sub>0</sub>", "clean sample"),
        ("<i>y<sub>t</sub></i>", f"at <i>t</i> = {now.t:.2f}"),
        ("local", f"every site from its window; error {number('rms-local', error, digits=3)}"),
        ("global", f"from all of <i>y</i>; error {number('rms-global', whole_error, digits=3)}"),
        ("local − global", f"rms {number('rms', now.rms(now.difference), digits=3)}"),
    )
    draw = _bond_images if study.stage.bonds else _site_images
    cells = [
        f'<figure class="pt-panel"><figcaption><span class="pt-symbol">{symbol}</span></figcaption>'
        f'{image}<figcaption class="pt-note">{note}</figcaption></figure>'
        for (symbol, note), image in zip(captions, draw(study, now, spread), strict=True)
    ]
    return f'<div class="pt-panels">{"".join(cells)}</div>{_legend(study, now, spread)}'


def _legend(study: Study, now: Moment, spread: float) -> str:
    if study.stage.bonds:
        text = (
            "Lines are domain walls, <i>x</i> = −1, as dark as they are likely; grey: erased or"
            f" open. Vermillion: <i>A</i>. Difference: black is {_plain(spread, 2)}."
        )
    else:
        spins = study.stage.model.q is not None
        values = "dark −1, light +1" if spins else "dark low, light high"
        erased = "; grey erased" if study.noise is Erasure else ""
        text = (
            f"Squares: <i>A</i> and its buffer <i>B<sub>r</sub></i>. Colours: {values}{erased}."
            f" Difference: blue −{_plain(spread, 2)}, vermillion +{_plain(spread, 2)}."
        )
    return f'<p class="pt-note">{text} Errors: root mean square over the sites.</p>'


def _site_images(study: Study, now: Moment, spread: float) -> list[str]:
    shape = study.stage.shape
    if study.stage.model.q is not None:
        low, high = -1.0, 1.0
    else:
        low, high = float(now.x.min()), float(now.x.max())
    noisy = (-1.0, 1.0) if study.stage.model.q is not None and study.noise_name != "Gaussian" else (
        float(now.y.min()), float(now.y.max())
    )  # fmt: skip
    erased = 0.0 if study.noise is Erasure else None
    window = _window(study, now.radius)
    names = ("clean sample", "noisy sample", "local denoiser", "global denoiser", "difference")
    images = [
        pixels(now.x.reshape(shape), low, high),
        pixels(now.y.reshape(shape), *noisy, erased=erased),
        pixels(now.local.reshape(shape), low, high),
        pixels(now.whole.reshape(shape), low, high),
        pixels(now.difference.reshape(shape), -spread, spread, signed=True),
    ]
    ratio = f"aspect-ratio:{shape[1]}/{shape[0]}"
    return [
        f'<div class="pt-field" style="{ratio}">{_image(image, "png", name)}{window}</div>'
        for name, image in zip(names, images, strict=True)
    ]


def _window(study: Study, radius: int) -> str:
    """Outlines of A and of the buffer, in percent of the picture."""
    rows, columns = study.stage.shape
    row, column = study.stage.centre
    boxes = []
    for kind, r in (("buffer", radius), ("site", 0)):
        top, left = max(row - r, 0), max(column - r, 0)
        height = min(row + r + 1, rows) - top
        width = min(column + r + 1, columns) - left
        boxes.append(
            f'<div class="pt-box pt-{kind}" style="left:{100 * left / columns:.3f}%;'
            f"top:{100 * top / rows:.3f}%;width:{100 * width / columns:.3f}%;"
            f'height:{100 * height / rows:.3f}%"></div>'
        )
    return "".join(boxes)


def _bond_images(study: Study, now: Moment, spread: float) -> list[str]:
    shape, A = study.stage.shape, np.zeros(now.x.size, dtype=bool)
    A[study.stage.parts[0].A] = True
    walls = [0.5 * (1.0 - values) for values in (now.x, now.y, now.local, now.whole)]
    walls.append(np.abs(now.difference) / (spread if spread > 0 else 1.0))
    names = ("clean sample", "noisy sample", "local denoiser", "global denoiser", "difference")
    return [
        f'<div class="pt-field">{_image(image, "svg+xml", name)}</div>'
        for name, image in zip(names, bonds(shape, walls, marked=A), strict=True)
    ]


def map_card(study: Study, t: float, radius: int, *, lecture: bool) -> str:
    """The CMI map with the cursor at (t, r)."""
    drawn = _map(study, lecture)
    value = number("cmi", study.cmi(t, radius), unit="nats")
    note = f"at <i>t</i> = {t:.2f}, <i>r</i> = {radius}: {_I} = {value}"
    left, top = drawn.place(t, float(radius))
    cursor = f'<div class="pt-cursor" style="left:{100 * left:.3f}%;top:{100 * top:.3f}%"></div>'
    return _card("CMI map", note, _overlaid(drawn, "CMI map over t and r", cursor))


def curve_card(study: Study, t: float, radius: int, *, lecture: bool) -> str:
    """I(t) at the radius with its window, and a line at t."""
    drawn = _curve(study, radius, lecture)
    found = study.window.sel(radius=radius)
    start, end, peak = (float(found[name]) for name in ("window_start", "window_end", "t_peak"))
    open_end = ", open at an end of the path" if bool(found["window_open"]) else ""
    note = (
        f"<i>I</i> above half its peak from <i>t</i> = {number('window-start', start, digits=3)} to"
        f" {number('window-end', end, digits=3)}{open_end}; peak at"
        f" {number('peak', peak, digits=3)}"
    )
    left, _ = drawn.place(t, 0.0)
    _, _, bottom, top = drawn.box
    line = (
        f'<div class="pt-line" style="left:{100 * left:.3f}%;top:{100 * (1 - top):.3f}%;'
        f'height:{100 * (top - bottom):.3f}%"></div>'
    )
    return _card("Window", note, _overlaid(drawn, f"CMI over t at r = {radius}", line))


def chain_card(study: Study, found: Chain, strength: float) -> str:
    """The T1 chain as bars on one scale."""
    rows = [
        ("two-tv", "2 TV<sup>2</sup>", found.two_tv_squared, "vermillion"),
        ("kl", "KL(<i>p</i>‖<i>p̂</i>)", found.kl, "orange"),
        ("drop", "<i>I</i> − <i>Ĩ</i>", found.drop, "green"),
        ("before", "<i>I</i>(<i>A</i>;<i>C</i>|<i>B</i>)", found.before, "blue"),
    ]
    if found.drop is None:
        rows[2] = ("after", "<i>Ĩ</i> after the step", found.after, "green")
    top = max((row[2].value for row in rows if row[2] is not None), default=0.0)
    bars = []
    for key, label, value, colour in rows:
        if value is None:
            continue
        width = 100.0 * max(value.value, 0.0) / top if top > 0 else 0.0
        bars.append(
            f'<div class="pt-row"><span class="pt-label">{label}</span><span class="pt-track">'
            f'<span class="pt-bar pt-{colour}" style="width:{width:.2f}%"></span></span>'
            f'<span class="pt-value">{number(key, value)}</span></div>'
        )
    note = f"<i>A</i> alone goes a step of strength {strength:g} on, and is recovered from <i>B</i>"
    return _card("T1 chain, nats", note, "".join(bars) + _where(study, found))


def _where(study: Study, found: Chain) -> str:
    """Which law the chain belongs to, and what is missing."""
    text = []
    if found.patch is not None:
        rows, columns = found.patch
        what = "spins" if study.stage.bonds else "sites"
        text.append(
            f"Tables of the law above are too large: this is a patch of {rows} × {columns} {what}"
            f" of the same model, <i>A</i> at its end, <i>r</i> = {found.radius}."
        )
    if found.tv is not None:
        text.append(f"TV = {number('tv', found.tv)}. 2 TV² ≤ KL ≤ <i>I</i> − <i>Ĩ</i> ≤ <i>I</i>.")
    else:
        text.append(
            "KL and TV need a discrete law or a Gaussian field; here only <i>I</i> can be had."
        )
    return f'<p class="pt-note" id="pt-chain-law">{" ".join(text)}</p>'


def readings(study: Study, now: Moment) -> str:
    """The law in a line, the Markov length and the locality gap."""
    length = study.lengths.sel(t=now.t)
    verdict = str(length["verdict"].values)
    xi, error = float(length["xi"]), float(length["xi_stderr"])
    if verdict == "ok":
        estimate = Estimate(xi, error, 1 if error > 0 else 0, unit="sites")
        shown_length = number("xi", estimate, unit="sites")
    else:
        shown_length = f'<b id="pt-xi" data-value="nan">none: {escape(verdict)}</b>'
    unit = "" if now.gap.unit == "1" else "1/<i>y</i><sup>2</sup>"
    kind = "exact" if study.cmi(now.t, now.radius).exact else (
        f"sampled, {study.scene.n_samples} draws at every <i>t</i>"
    )  # fmt: skip
    return (
        f'<div class="pt-readings"><p>{study.scene.law}.</p><p>{study.scene.lesson}</p><dl>'
        f"<dt>Markov length <i>ξ</i>(<i>t</i>)</dt><dd>{shown_length}</dd>"
        f"<dt>Locality gap <i>Δ</i><sup>2</sup>(<i>t</i>, <i>r</i>)</dt>"
        f"<dd>{number('gap', now.gap, unit=unit)}</dd>"
        f'<dt>The map is</dt><dd id="pt-kind">{kind}</dd></dl></div>'
    )


def draw(study: Study, *, lecture: bool) -> None:
    """Draw the map and the curve of every radius, so that no slider has to wait for one."""
    _map(study, lecture)
    for radius in study.radii:
        _curve(study, radius, lecture)


@lru_cache(maxsize=64)
def _map(study: Study, lecture: bool) -> Framed:
    return map_picture(study.scan, study.window, lecture=lecture)


@lru_cache(maxsize=512)
def _curve(study: Study, radius: int, lecture: bool) -> Framed:
    return window_curve(study.scan, study.window, radius, lecture=lecture)


def _overlaid(drawn: Framed, name: str, mark: str) -> str:
    return f'<div class="pt-framed">{_image(drawn.image, "svg+xml", name)}{mark}</div>'


def _card(title: str, note: str, body: str) -> str:
    head = f'<div class="pt-head" role="heading" aria-level="2">{title}</div>'
    return f'<section class="pt-card">{head}<p class="pt-note">{note}</p>{body}</section>'


def _image(data: bytes, kind: str, name: str) -> str:
    encoded = base64.b64encode(data).decode()
    return f'<img alt="{escape(name)}" src="data:image/{kind};base64,{encoded}">'
