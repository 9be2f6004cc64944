"""What people come to the designer for, done in a real browser, and the clicks that it takes.

    python -m benchmarks.designer_jobs [--width 390 --width 1440] [--job ral] [--shots FOLDER]

Each job begins with the page as it opens for a newcomer, in English: 1440 is a desktop with a
mouse, the others are touched. A click, a tap or a pull counts as one, choosing from a list as two;
typing does not count, nor does finding a file in the system's own window. A job that fails, or
after one of whose presses the page scrolls sideways, ends the benchmark with what went wrong.
"""

import argparse
import io
import math
import re
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Download, Locator, Page, expect, sync_playwright
from pypdf import PdfReader

from benchmarks.report import print_table
from tests.support.designer import DRAWN_MS, Designer, Hand, chromium, designer

HEIGHTS = {1440: 900, 820: 1180, 390: 844, 360: 780}  # of the window, by its width
MADE_MS = 120_000  # for a scene or a texture, on a slow machine
OWN_COLORS = b"name;hex;code\nHouse orange;#e4572e;H-17\nHouse petrol;#17646b;H-18\n"
WIDER = """() => [document.scrollingElement, ...document.querySelectorAll("dialog[open], #panel")]
    .filter((one) => one.scrollWidth > Math.max(one.clientWidth, 1))
    .map((one) => `${one.id || one.tagName}: ${one.scrollWidth} of ${one.clientWidth} px`)"""
PIXELS = """() => {
    const picture = document.querySelector("#picture");
    const bytes = picture.getContext("2d").getImageData(0, 0, picture.width, picture.height).data;
    return crypto.subtle.digest("SHA-256", bytes).then((sum) => [...new Uint8Array(sum)].join());
}"""


@dataclass
class Newcomer:
    """Somebody who uses a page for the first time. presses: clicks, taps and pulls so far."""

    hand: Hand
    touches: bool
    shots: Path | None
    name: str
    presses: int = field(default=0, init=False)

    @property
    def page(self) -> Page:
        return self.hand.page

    def see(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def press(self, element: Locator) -> None:
        """Click or tap on an element, which has to be there and not covered."""
        element.tap() if self.touches else element.click()
        self.presses += 1
        self.look()

    def type(self, element: Locator, text: str) -> None:
        """Press on a field, and type in place of what it holds."""
        self.press(element)
        element.press("Control+a")
        self.page.keyboard.type(text)

    def choose(self, element: Locator, value: str) -> None:
        """Choose from a list: one press opens it, the other one chooses."""
        element.select_option(value)
        self.presses += 2
        self.look()

    def pull(self, element: Locator, right: float, down: float) -> None:
        """Pull an element by pixels, with the mouse or a finger."""
        element.scroll_into_view_if_needed()
        x, y = self.hand.middle(element)
        steps = [(x + right * step / 8, y + down * step / 8) for step in range(9)]
        if self.touches:
            _swipe(self.page, steps)
        else:
            self.page.mouse.move(*steps[0])
            self.page.mouse.down()
            for step in steps[1:]:
                self.page.mouse.move(*step)
            self.page.mouse.up()
        self.presses += 1
        self.look()

    def upload(self, element: Locator, name: str, kind: str, content: bytes) -> None:
        """Press on an element, and choose a file in the window that opens."""
        with self.page.expect_file_chooser() as waiting:
            self.press(element)
        waiting.value.set_files({"name": name, "mimeType": kind, "buffer": content})

    def download(self, element: Locator, wait_ms: float = DRAWN_MS) -> Download:
        """Press on an element that saves a file."""
        with self.page.expect_download(timeout=wait_ms) as waiting:
            self.press(element)
        return waiting.value

    def turn(self, tab: str) -> None:
        """Turn to a part of the panel: on a phone it has tabs, else all of it is there."""
        tabs = self.see(f"#tab-of-{tab}")
        if tabs.is_visible() and tabs.get_attribute("aria-selected") == "false":
            self.press(tabs)

    def view(self, name: str) -> None:
        """Choose what is shown: side by side on a desktop, in a list on a phone."""
        button = self.see(f"#views label:has(input[value={name}])")
        if button.is_visible():
            self.press(button)
        else:
            self.choose(self.see("#more-views"), name)

    def action(self, button: str) -> None:
        """Press on a button below the picture; a phone has them in a menu."""
        if not self.see(button).is_visible():
            self.press(self.see("#more"))
        self.press(self.see(button))

    def wait(self) -> None:
        """Wait until the chosen view shows the tile as it is."""
        self.page.wait_for_selector('#frame[data-state="current"]', timeout=MADE_MS)

    def look(self) -> None:
        """See that nothing scrolls sideways."""
        wider = self.page.evaluate(WIDER)
        if wider:
            raise AssertionError(f"{self.name}, press {self.presses} scrolls sideways: {wider}")

    def keep(self) -> None:
        if self.shots is not None:
            self.page.screenshot(path=self.shots / f"{self.name}.png")


def _swipe(page: Page, steps: list[tuple[float, float]]) -> None:
    """Move a finger over the screen."""
    session = page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(steps):
        kind = "touchMove" if number else "touchStart"
        points = [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()


def mix(one: Newcomer) -> None:
    one.press(one.see("#new-mix"))
    for color in ("red", "blue", "white"):
        one.press(one.see(f'#swatches [data-color="{color}"]'))
    one.turn("mix")
    for place, share in enumerate(("50", "30")):
        one.type(one.see("#rows .field input").nth(place), share)
        one.page.keyboard.press("Enter")
    one.hand.drawn()
    assert one.hand.shares() == {"red": 50, "blue": 30, "white": 20}


def sample(one: Newcomer) -> None:
    one.turn("samples")
    before = one.page.url
    one.press(one.see("#gallery button").nth(3))
    one.page.wait_for_function("before => location.href !== before", arg=before)


def start(one: Newcomer) -> None:
    sample(one)
    one.hand.drawn()
    assert len(one.hand.shares()) > 1


def link(one: Newcomer) -> None:
    one.hand.drawn()
    one.action("#open-share")
    one.press(one.see("#copy-link"))
    copied = one.page.evaluate("navigator.clipboard.readText()")
    one.keep()
    browser = one.page.context.browser
    assert browser is not None
    context = browser.new_context()
    other = Hand(context.new_page(), one.hand.designer)
    other.page.goto(copied)
    other.drawn()
    assert other.page.evaluate(PIXELS) == one.page.evaluate(PIXELS)
    context.close()


def picture(one: Newcomer) -> None:
    one.action("#open-share")
    saved = one.download(one.see("[data-save=save_final]"))
    with Image.open(saved.path()) as final:
        assert (final.format, final.size) == ("PNG", (1024, 1024))


def scene(one: Newcomer) -> None:
    one.view("scene")
    one.press(one.see("label.scene:has(input[value=playground])"))
    one.wait()
    expect(one.see("#caption")).to_contain_text("Playground")


def customer(one: Newcomer) -> bytes:
    one.press(one.see("#open-offer"))
    page = one.download(one.see("#save-html")).path()
    browser = one.page.context.browser
    size = one.page.viewport_size
    assert browser is not None
    context = browser.new_context(viewport=size, offline=True)
    customers = context.new_page()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "offer.html"
        file.write_bytes(page.read_bytes())
        customers.goto(file.as_uri())
        for color, share in one.hand.shares().items():
            expect(customers.locator("body")).to_contain_text(f"{share:g}%")
            expect(customers.locator("body")).to_contain_text(color, ignore_case=True)
        whole = customers.evaluate("[...document.images].every((one) => one.naturalWidth > 0)")
        assert whole, "a picture of the customer's file is not shown"
        assert customers.evaluate(WIDER) == []
        if one.shots is not None:
            customers.screenshot(path=one.shots / f"{one.name}-file.png", full_page=True)
    context.close()
    return page.read_bytes()


def customer_again(one: Newcomer) -> None:
    """The file is another one's: this person gets it, and opens it."""
    shares = one.hand.shares()
    file = customer(one)
    one.page.keyboard.press("Escape")
    sample(one)
    assert one.hand.shares() != shares
    one.page.reload()
    one.page.wait_for_selector(":root.ready", state="attached")
    one.presses = 0
    one.turn("samples")
    one.upload(one.see("#drop"), "offer.html", "text/html", file)
    expect(one.see("#faults")).to_contain_text("The recipe of the file is back.")
    assert one.hand.shares() == shares


def compare(one: Newcomer) -> None:
    one.turn("mix")
    one.press(one.see(".heading:has(#variants-title) button"))
    sample(one)
    one.turn("mix")
    one.press(one.see(".variant [data-deed=compare]"))
    box = one.see(".compare")
    expect(box).to_be_visible()
    expect(one.see(".compare.waiting")).to_have_count(0, timeout=DRAWN_MS)
    wide = box.bounding_box()
    assert wide is not None
    one.pull(one.see(".compare .track"), wide["width"] / 4, 0)
    at = float(one.see(".compare input").input_value())
    assert 65 <= at <= 85, f"the line stands at {at}"


def ral(one: Newcomer) -> None:
    one.turn("colors")
    one.type(one.see("#search"), "RAL 3020")
    one.page.keyboard.press("Enter")
    expect(one.see("#rows .code").last).to_contain_text("RAL 3020")


def company(one: Newcomer) -> None:
    one.turn("colors")
    one.choose(one.see("#list"), "own")
    one.upload(one.see("#import"), "colors.csv", "text/csv", OWN_COLORS)
    one.press(one.see("#swatches .chip").filter(has_text="House orange"))
    expect(one.see("#rows .code").last).to_contain_text("House orange, H-17")


def kilograms(one: Newcomer) -> None:
    one.turn("laying")
    one.type(one.see("#floor [data-figure=area]"), "120")
    assert one.see("#floor [data-figure=thickness]").get_attribute("placeholder") == "10"
    expect(one.see("table.order tbody tr")).to_have_count(len(one.hand.shares()))
    # 1000 kg in a cubic metre, 5% of loss, bags of 25 kg: what the page says that it assumes.
    for share, row in zip(
        one.hand.shares().values(), one.see("table.order tbody tr").all(), strict=True
    ):
        kg = 120 * 0.010 * 1000 * 1.05 * share / 100
        expect(row.locator("td").first).to_have_text(f"{kg:.1f}")
        expect(row.locator("td").last).to_have_text(str(math.ceil(kg / 25 - 1e-9)))
    expect(one.see("table.order tfoot .all")).to_contain_text("1260.0")


def paper(one: Newcomer) -> None:
    one.press(one.see("#open-offer"))
    file = one.download(one.see("#save-pdf")).path()
    text = " ".join(page.extract_text() for page in PdfReader(file).pages)
    for color, share in one.hand.shares().items():
        assert color.lower() in text.lower(), color
        assert f"{share:g}%" in text, f"{share:g}%"


def texture(one: Newcomer) -> None:
    one.action("#open-texture")
    if not one.see("#texture-sizes input[value='1k']").is_checked():
        one.press(one.see("#texture-sizes label:has(input[value='1k'])"))
    saved = one.download(one.see("#texture-save"), MADE_MS)
    with zipfile.ZipFile(saved.path()) as files:
        base = next(name for name in files.namelist() if name.endswith("_base_color.png"))
        with Image.open(io.BytesIO(files.read(base))) as color:
            assert color.size == (1024, 1024)
        assert any(name.endswith("material.glb") for name in files.namelist())


def photo(one: Newcomer) -> None:
    one.view("own")
    invitation = one.see(".photo-invite")
    one.upload(invitation, "floor.jpg", "image/jpeg", _make_photo())
    one.wait()
    before = one.page.evaluate(PIXELS)
    one.pull(one.page.get_by_role("button", name="Corner 1, far left"), 12, 6)
    one.page.wait_for_function(
        "() => document.activeElement?.getAttribute('aria-label')?.startsWith('Corner 1')"
    )
    one.wait()
    assert one.page.evaluate(PIXELS) != before


def border(one: Newcomer) -> None:
    one.turn("laying")
    one.press(one.see("#surface-on"))
    one.press(one.see("#add-zone"))
    one.choose(one.see("#zone-0-mix"), "sample-night")
    one.wait()
    zones = one.see("#order .zones li")
    expect(zones).to_have_count(2, timeout=DRAWN_MS)
    areas = one.see("#zones .area").inner_text()
    area = float(re.sub(r"[^\d.].*", "", areas))
    # 1000 kg in a cubic metre of 10 mm, and 5% of loss.
    told = re.search(r"([\d.]+) kg", zones.last.inner_text())
    assert told is not None
    assert math.isclose(float(told[1]), area * 10 * 1.05, rel_tol=0.002)


def _make_photo() -> bytes:
    """A photograph of a plain grey floor below a wall, darker to one side."""
    light = np.linspace(0.7, 1.0, 1200)[None, :, None]
    shot = np.full((800, 1200, 3), 225.0)
    shot[320:] = 135.0
    file = io.BytesIO()
    Image.fromarray((shot * light).astype(np.uint8)).save(file, "JPEG", quality=92)
    return file.getvalue()


@dataclass(frozen=True)
class Job:
    """What it is called in the table, how it is done, and the most presses that it may take."""

    title: str
    do: Callable[[Newcomer], object]
    most: int | None = None


JOBS = {
    "mix": Job("Mix three colours, 50, 30 and 20%", mix),
    "sample": Job("Start from a sample", start),
    "link": Job("Copy a link that opens the same tile", link),
    "picture": Job("Save the picture", picture),
    "scene": Job("See it on a playground", scene),
    "customer": Job("Save a customer's file (HTML)", customer, 3),
    "again": Job("Open a customer's file again", customer_again),
    "compare": Job("Compare two mixes by the slider", compare),
    "ral": Job("Find RAL 3020", ral),
    "company": Job("Find a company's colour (CSV)", company),
    "kilograms": Job("Kilograms and bags for 120 m² of 10 mm", kilograms, 4),
    "paper": Job("An offer on paper (PDF)", paper),
    "texture": Job("A seamless texture, 1K", texture, 3),
    "photo": Job("One's own photo as the floor", photo),
    "border": Job("A border of another mix, with its kilograms", border),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=int, action="append", choices=list(HEIGHTS))
    parser.add_argument("--job", action="append", choices=list(JOBS))
    parser.add_argument("--shots", type=Path, help="folder for a screenshot of each job's end")
    arguments = parser.parse_args()
    if arguments.shots is not None:
        arguments.shots.mkdir(parents=True, exist_ok=True)
    widths = arguments.width or list(HEIGHTS)
    names = arguments.job or list(JOBS)
    with (
        tempfile.TemporaryDirectory() as folder,
        designer(Path(folder), {}) as running,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        presses = {
            (name, width): _do(browser, running, name, width, arguments.shots)
            for width in widths
            for name in names
        }
        browser.close()
    rows = [(JOBS[name].title, *(str(presses[name, w]) for w in widths)) for name in names]
    print_table(("clicks or taps", *(f"{width} px" for width in widths)), rows)


def _do(browser: Browser, running: Designer, name: str, width: int, shots: Path | None) -> int:
    """Do a job in a browser that knows nothing of Plitka yet; return the presses that it took."""
    touches = width < max(HEIGHTS)
    settings: dict[str, Any] = {"has_touch": touches, "is_mobile": touches}
    context = browser.new_context(
        locale="en", viewport={"width": width, "height": HEIGHTS[width]}, **settings
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    one = Newcomer(Hand(context.new_page(), running), touches, shots, f"{name}-{width}")
    errors: list[str] = []
    one.page.on("pageerror", lambda error: errors.append(str(error)))
    one.hand.ready()
    one.look()
    job = JOBS[name]
    try:
        job.do(one)
        one.look()
    finally:
        one.keep()
    assert errors == [], f"{one.name}: {errors}"
    faults = one.see("#faults .fault").all_inner_texts()
    assert faults == [], f"{one.name}: {faults}"
    assert job.most is None or one.presses <= job.most, f"{one.name}: {one.presses} presses"
    context.close()
    return one.presses


if __name__ == "__main__":
    main()
