"""The explorer's answer to a slider, as a fraction of 0.3 s, and what its CMI map costs once.

A move of t to a place not seen before: the sample, both denoisers, the locality gap, the T1 chain,
and the HTML with its pictures, at the default size. What the browser and the wire
add is not in it; the browser test prints the whole way.
"""

import sys
import time

from tests.benchmarks.measure import measured, report

HERE = "tests.benchmarks.bench_explorer"
LIMIT = 0.3
QUICK = ("Ising, critical", "Closed loops", "Gaussian field, massive")


def rows(quick: bool = False, large: bool = False) -> list[dict[str, object]]:
    """Measure every law under its first noise; `large` under every noise."""
    from phasetheory.explorer.scenes import SCENES

    found: list[dict[str, object]] = []
    for name in QUICK if quick else SCENES:
        scene = SCENES[name]
        for noise in scene.noises if large else scene.noises[:1]:
            result = measured(HERE, name, noise)
            found.append(
                {
                    "law": name,
                    "noise": noise,
                    "size": " × ".join(map(str, scene.shapes[0])),
                    "map, once (s)": result["value"],
                    "slider, median (ms)": 1e3 * result["median"],
                    "slider / 0.3 s": result["median"] / LIMIT,
                }
            )
    return found


def main() -> None:
    """Time moves of t for one law and noise."""
    from phasetheory.explorer import page
    from phasetheory.explorer.chain import chain
    from phasetheory.explorer.moment import moment
    from phasetheory.explorer.scenes import SCENES
    from phasetheory.explorer.study import plan, study

    name, noise = sys.argv[1:]
    asked = (name, noise, SCENES[name].shapes[0])
    plan(*asked)  # loads compiled code
    begin = time.perf_counter()
    made = study(*asked)
    page.draw(made, lecture=False)
    once = time.perf_counter() - begin
    places = iter([(t, r) for r in made.radii[1:] + made.radii[:1] for t in made.times])

    def move() -> float:
        t, radius = next(places)
        now, bars = moment(made, t, radius, 1), chain(made, t, radius, 0.5)
        page.readings(made, now)
        page.panels(made, now)
        page.map_card(made, t, radius, lecture=False)
        page.curve_card(made, t, radius, lecture=False)
        page.chain_card(made, bars, 0.5)
        return once

    report(move)


if __name__ == "__main__":
    main()
