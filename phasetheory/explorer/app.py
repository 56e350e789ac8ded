# /// script
# [tool.marimo.display]
# theme = "light"
# ///
"""The page: controls and where things stand. Everything shown is made in the modules beside it."""

import marimo

app = marimo.App(width="full", app_title="phasetheory explorer", css_file="explorer.css")

with app.setup:
    import marimo as mo

    from phasetheory.explorer.chain import chain
    from phasetheory.explorer.moment import moment
    from phasetheory.explorer.page import (
        chain_card,
        curve_card,
        draw,
        map_card,
        panels,
        readings,
        state,
    )
    from phasetheory.explorer.scenes import SCENES
    from phasetheory.explorer.study import known, plan, study


@app.cell
def style():
    lecture = mo.ui.switch(value=mo.query_params().get("lecture") == "yes", label="lecture mode")
    # What the sliders stood at, so that they stay there when another law is chosen.
    last = {"t": 0.5, "r": 1, "sample": 1, "step": 0.5}
    return last, lecture


@app.cell
def header(lecture):
    _size = "<style>:root{--pt-size:22px;--pt-side:14rem}</style>" if lecture.value else ""
    mo.Html(
        f'{_size}<div class="pt-header">'
        '<div class="pt-title" role="heading" aria-level="1">phasetheory explorer</div>'
        "<p>Where is denoising from a window as good as denoising from everything?</p>"
        f"{lecture}</div>"
    )
    return


@app.cell
def choose_law():
    law = mo.ui.dropdown(list(SCENES), value=next(iter(SCENES)), label="law", full_width=True)
    return (law,)


@app.cell
def choose_rest(law):
    _scene = SCENES[law.value]
    _sizes = {f"{rows} × {columns}": (rows, columns) for rows, columns in _scene.shapes}
    noise = mo.ui.dropdown(
        list(_scene.noises), value=_scene.noises[0], label="noise", full_width=True
    )
    size = mo.ui.dropdown(_sizes, value=next(iter(_sizes)), label="size", full_width=True)
    return noise, size


@app.cell
def compute(law, noise, size):
    _asked = (law.value, noise.value, size.value)
    if known(*_asked):
        current = study(*_asked)
    else:
        with mo.status.spinner(title=f"Preparing {law.value}") as _status:
            _status.update(title=plan(*_asked).text)
            current = study(*_asked)
            draw(current, lecture=False)
    return (current,)


@app.cell
def drawing(current, lecture):
    draw(current, lecture=lecture.value)
    large = lecture.value
    return (large,)


@app.cell
def sliders(current, last):
    def _remember(key):
        return lambda value: last.update({key: value})

    _nearest = min(current.times, key=lambda time: abs(time - last["t"]))
    t = mo.ui.slider(
        steps=current.times,
        value=_nearest,
        label="time <i>t</i>",
        show_value=True,
        full_width=True,
        on_change=_remember("t"),
    )
    r = mo.ui.slider(
        steps=current.radii,
        value=min(last["r"], current.radii[-1]),
        label="buffer radius <i>r</i>",
        show_value=True,
        full_width=True,
        on_change=_remember("r"),
    )
    step = mo.ui.slider(
        steps=[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
        value=last["step"],
        label="T1 step on <i>A</i>",
        show_value=True,
        full_width=True,
        on_change=_remember("step"),
    )
    sample = mo.ui.slider(
        start=1,
        stop=50,
        value=last["sample"],
        label="sample",
        show_value=True,
        full_width=True,
        on_change=_remember("sample"),
    )
    return r, sample, step, t


@app.cell
def controls(law, noise, r, sample, size, step, t):
    mo.Html(
        f'<div class="pt-controls"><div class="pt-pick">{law}{noise}{size}</div>'
        f'<div class="pt-slide">{t}{r}{sample}{step}</div></div>'
    )
    return


@app.cell
def facts(current, r, sample, t):
    now = moment(current, t.value, r.value, sample.value)
    mo.Html(readings(current, now))
    return (now,)


@app.cell
def results(current, large, now, r, step, t):
    _place = (t.value, r.value)
    _bars = chain(current, *_place, step.value)
    mo.Html(
        f'{panels(current, now)}<div class="pt-cards">'
        f"{map_card(current, *_place, lecture=large)}"
        f"{curve_card(current, *_place, lecture=large)}"
        f"{chain_card(current, _bars, step.value)}</div>{state(current, now, step.value)}"
    )
    return


if __name__ == "__main__":
    app.run()
