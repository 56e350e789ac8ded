"""The explorer end to end: the command, the server, the page in headless Chromium.

Needs the extra `browser` (marimo and Selenium), Chromium and its driver, and skips without them.
Nothing is downloaded: both programs are named to Selenium, which is told to stay offline.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import phasetheory as pt
from phasetheory.explorer.chain import chain
from phasetheory.explorer.moment import GAP_SAMPLES, moment
from phasetheory.explorer.scenes import NOISES, SCENES
from phasetheory.explorer.study import SEED, study

pytest.importorskip("marimo", reason="needs the extra `browser`")
pytest.importorskip("selenium", reason="needs the extra `browser`")

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver (chromium-driver)"
)

#: Seconds a page may take on a busy machine; nothing waits longer than it has to.
PATIENCE = 240.0
#: Elements of the page and of all shadow trees.
DEEP = """
const found = [];
const walk = root => { for (const e of root.querySelectorAll('*')) {
  if (e.matches(arguments[0])) found.push(e);
  if (e.shadowRoot) walk(e.shadowRoot); } };
walk(document); return found;
"""
T, R, SAMPLE, STEP = range(4)
LAW, NOISE, SIZE = range(3)


def wait(ready, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if found := ready():
                return found
        except (StaleElementReferenceException, IndexError, AttributeError):
            pass  # the page is changing
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE:g} s for {what}")


class Server:
    """`phasetheory explore` as a user starts it."""

    def __init__(self, home, *arguments):
        program = "from phasetheory.cli import app; app()"
        environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT)}
        environment |= {"XDG_CONFIG_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        self.log = Path(home) / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "explore", "--no-browser", *arguments],
                stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=home,
                start_new_session=True,
            )  # fmt: skip
        self.url = wait(self._announced, "the server")
        self.port = int(re.search(r":(\d+)/", self.url)[1])

    def _announced(self):
        assert self.process.poll() is None, self.log.read_text()
        found = re.search(r"http://\S+", self.log.read_text())
        return found and found[0]

    def interrupt(self):
        """Ctrl-C; returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("explorer"), "--port", "0")
    yield started
    started.interrupt()


class Page:
    """The page in a browser."""

    def __init__(self, profile):
        options = ChromeOptions()
        options.binary_location = CHROMIUM
        for argument in (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--hide-scrollbars", "--window-size=1280,900",
            f"--user-data-dir={profile}",
        ):  # fmt: skip
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = Chrome(options=options, service=Service(DRIVER))
        self.driver.set_page_load_timeout(PATIENCE)
        self.driver.set_script_timeout(PATIENCE)

    def resize(self, width, height):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def open(self, url):
        self.driver.get(url)
        self.wait_for()

    def deep(self, selector):
        return self.driver.execute_script(DEEP, selector)

    def state(self):
        element = self.driver.find_elements(By.ID, "pt-state")[0]
        keys = ("law", "noise", "size", "t", "r", "step")
        return {key: element.get_attribute(f"data-{key}") for key in keys}

    def wait_for(self, **expected):
        return wait(
            lambda: (found := self.state()) and found | expected == found and found,
            f"the page to show {expected}",
        )

    def choose(self, which, text):
        """Choose from a menu, by the keyboard's way: the option of that text."""
        wait(lambda: len(self.deep("select")) == 3, "three menus")

        def done():
            Select(self.deep("select")[which]).select_by_visible_text(text)
            return True

        wait(done, f"the option {text}")
        self.wait_for(**{("law", "noise", "size")[which]: text})

    def press(self, slider, key, times=1):
        """Press a key on a slider and return the state it leads to."""
        before = self.state()
        thumb = wait(lambda: self.deep("[role=slider]")[slider], "the sliders")
        thumb.send_keys(key * times)
        return wait(lambda: (now := self.state()) != before and now, "the slider's answer")

    def number(self, key):
        """Text and full value of a number."""
        element = self.driver.find_element(By.ID, f"pt-{key}")
        return element.text, float(element.get_attribute("data-value"))

    def font_size(self):
        return float(
            self.driver.execute_script(
                "return parseFloat(getComputedStyle("
                "document.querySelector('.pt-readings')).fontSize)"
            )
        )


@pytest.fixture(scope="module")
def page(server, tmp_path_factory):
    # Selenium must neither look for a browser nor for a driver of its own.
    os.environ["SE_OFFLINE"] = "true"
    try:
        opened = Page(tmp_path_factory.mktemp("profile"))
    finally:
        del os.environ["SE_OFFLINE"]
    try:
        opened.open(server.url)
        yield opened
    finally:
        opened.driver.quit()


def agrees(shown, value):
    """Whether a displayed number is the value, to the digits displayed."""
    plain = shown.replace("−", "-")
    mantissa = float(digits := re.match(r"\(?(-?[\d.]+)", plain)[1])
    power = re.search(r"× 10(-?\d+)", plain)
    scale = 10.0 ** int(power[1]) if power else 1.0
    half = 0.5 * scale * 10.0 ** -len(digits.partition(".")[2])
    return abs(mantissa * scale - value) <= half * (1 + 1e-6)


@pytest.mark.parametrize(
    ("shown", "value", "agree"),
    [
        ("0.1235", 0.12346, True), ("0.1235", 0.1237, False),
        ("−0.004 ± 0.012", -0.0043, True), ("0.004 ± 0.012", -0.004, False),
        ("1.500 × 10−7", 1.5003e-7, True), ("1.500 × 10−7", 1.51e-7, False),
        ("(3.21 ± 0.44) × 10−6", 3.214e-6, True), ("(3.21 ± 0.44) × 10−6", 3.2, False),
        ("0.0069 ± 0.0024 (rare events)", 0.00693, True),
    ],
)  # fmt: skip
def test_agreement_is_to_the_last_digit(shown, value, agree):
    assert agrees(shown, value) is agree


def same(page, key, value):
    shown, full = page.number(key)
    assert full == pytest.approx(float(value), rel=1e-9, abs=1e-13), key
    if abs(float(value)) > 1e-11:
        assert agrees(shown, float(value)), (key, shown, value)


def check_numbers(page):
    """Every number of the page against calls of the library."""
    now = page.state()
    shape = tuple(map(int, now["size"].split(" × ")))
    t, radius = float(now["t"]), int(now["r"])
    scene = SCENES[now["law"]]
    stage, noise = scene.stage(shape), NOISES[now["noise"]]
    law, parts = stage.model.noised(noise(t)), stage.parts[radius]
    scan = pt.scan(
        stage.model, noise, t=scene.times, radius=stage.parts, rng=SEED, n_samples=scene.n_samples
    )
    same(page, "cmi", scan["cmi"].sel(t=t, radius=radius))
    window = pt.locate_transition(scan).sel(radius=radius)
    for key, name in (("window-start", "window_start"), ("window-end", "window_end"),
                      ("peak", "t_peak")):  # fmt: skip
        same(page, key, window[name])
    xi = float(pt.markov_length(scan)["xi"].sel(t=t))
    if np.isfinite(xi):
        same(page, "xi", xi)
    same(page, "gap", pt.locality_gap(law, parts, n_samples=GAP_SAMPLES, rng=SEED))
    x, y = law.sample(1, rng=1)
    whole = law.denoise(y)[0]
    windows = [np.flatnonzero(row <= radius) for row in stage.distances]
    local = np.array([law.denoise(y, window)[0, i] for i, window in enumerate(windows)])
    same(page, "rms", np.sqrt(np.mean((local - whole) ** 2)))
    same(page, "rms-local", np.sqrt(np.mean((local - x[0]) ** 2)))
    same(page, "rms-global", np.sqrt(np.mean((whole - x[0]) ** 2)))
    return law, parts, float(now["step"])


def test_sliders_lead_to_the_numbers_of_the_library(page):
    page.choose(LAW, "Gaussian field, massive")
    law, parts, strength = check_numbers(page)
    # A Gaussian field has its own recovery.
    t = float(page.state()["t"])
    step = pt.Gaussian(t).increment(pt.Gaussian(1 - (1 - t) * (1 - strength)))
    expected = pt.recovery(law, parts, step)
    for key in ("kl", "tv"):
        same(page, key, getattr(expected, key))
    same(page, "before", expected.cmi_before)
    same(page, "drop", expected.cmi_before.value - expected.cmi_after.value)
    same(page, "two-tv", 2 * expected.tv.value**2)

    seconds = []
    for slider, key in ((T, Keys.ARROW_RIGHT), (T, Keys.ARROW_RIGHT), (R, Keys.ARROW_RIGHT)):
        before, begin = page.state(), time.perf_counter()
        after = page.press(slider, key)
        seconds.append(time.perf_counter() - begin)
        name = "t" if slider == T else "r"
        assert float(after[name]) > float(before[name])
        check_numbers(page)
    print("a slider answered in", *(f"{s:.2f}" for s in seconds), "s, limit 0.3 s")


def test_sampled_law_with_a_patch(page):
    page.choose(LAW, "Closed loops")
    page.choose(NOISE, "erasure")
    page.choose(SIZE, "6 × 6")
    page.press(T, Keys.ARROW_LEFT)
    _, _, strength = check_numbers(page)
    now = page.state()
    bars = chain(study("Closed loops", "erasure", (6, 6)), float(now["t"]), int(now["r"]), strength)
    same(page, "kl", bars.kl)
    assert "±" in page.number("cmi")[0]
    assert "patch" in page.driver.find_element(By.ID, "pt-chain-law").text
    # One step of another strength moves the bars only.
    before = page.number("cmi"), page.number("kl")
    page.press(STEP, Keys.ARROW_RIGHT)
    assert page.number("cmi") == before[0]
    assert page.number("kl")[1] > before[1][1]


def test_another_sample_has_other_errors(page):
    made = study("Closed loops", "erasure", (6, 6))
    now = page.state()
    before = page.number("rms-global")
    wait(lambda: self_press(page), "the sliders")
    wait(lambda: page.number("rms-global") != before, "another sample")
    second = moment(made, float(now["t"]), int(now["r"]), 2)
    same(page, "rms-global", second.rms(second.whole - second.x))


def self_press(page):
    page.deep("[role=slider]")[SAMPLE].send_keys(Keys.ARROW_RIGHT)
    return True


def test_pictures_are_there_and_the_screen_is_kept(page, tmp_path):
    images = page.driver.find_elements(By.CSS_SELECTOR, ".pt-panel img, .pt-framed img")
    assert len(images) == 7
    for image in images:
        assert image.get_attribute("alt")
        assert int(image.get_attribute("naturalWidth")) > 0
    path = tmp_path / "explorer.png"
    assert page.driver.save_screenshot(str(path))
    assert path.stat().st_size > 20_000


def test_lecture_mode_has_larger_type(page, server):
    small = page.font_size()
    page.deep("[role=switch]")[0].click()
    wait(lambda: page.font_size() > 1.3 * small, "larger type")
    page.open(f"{server.url}?lecture=yes")
    wait(lambda: page.font_size() > 1.3 * small, "larger type from the start")
    assert page.driver.execute_script(
        "const a = document.querySelector('#App'); return a.scrollWidth <= a.clientWidth"
    )


def test_a_phone_needs_no_sideways_scrolling(page, server):
    page.resize(390, 844)
    page.open(server.url)
    widths = page.driver.execute_script(
        "const a = document.querySelector('#App'); return [a.scrollWidth, a.clientWidth]"
    )
    assert widths[0] <= widths[1] == 390
    page.resize(1280, 900)


def test_console_has_no_error_and_nothing_is_fetched(page, server):
    """Looks back on all tests above."""
    severe = [entry for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe
    urls = set()
    for entry in page.driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            urls.add(message["params"]["request"]["url"])
        elif message["method"] == "Network.webSocketCreated":
            urls.add(message["params"]["url"])
    here = f"127.0.0.1:{server.port}/"
    # The empty tab that the browser starts with is made of its own chrome: resources.
    starts = (f"http://{here}", f"ws://{here}", "data:", "blob:", "chrome:")
    assert any(url.startswith(f"ws://{here}") for url in urls)
    assert not [url for url in urls if not url.startswith(starts)]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's table of sockets")
def test_server_listens_on_loopback_only(server):
    places = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else []:
            address, port = line.split()[1].split(":")
            if line.split()[3] == "0A" and int(port, 16) == server.port:
                places.add(address)
    assert places == {"0100007F"}  # 127.0.0.1 in the byte order of the table


def test_interrupt_ends_the_command_cleanly(tmp_path):
    started = Server(tmp_path, "--port", "0", "--lecture")
    assert started.url.endswith("?lecture=yes")
    assert started.interrupt() == 0
    log = started.log.read_text()
    assert "explorer closed" in log
    assert "Traceback" not in log
