"""The designer as people run it, python -m plitka design, and a real browser to drive it."""

import base64
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Download, Locator, Page

START_SECONDS = 60.0
POLL_SECONDS = 0.05
DRAWN_MS = 30_000  # for a picture, on a slow machine
DASH = "\N{EN DASH}"  # as the page writes intervals
_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Designer:
    """A running designer. log: all that it prints."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def designer(folder: Path, env: Mapping[str, str]) -> Iterator[Designer]:
    """Run the designer on a free port, with `env` added to this process's environment."""
    log = folder / "designer.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "plitka", "design", "--port", "0"],
            env={**os.environ, "PLITKA_PHOTOGRAPH": "", **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Designer(_address(process, log), process, log)
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        said = re.search(r"http://[\d.]+:\d+/", log.read_text(encoding="utf-8"))
        if said is not None:
            return said[0]
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"the designer did not start:\n{log.read_text(encoding='utf-8')}")


def chromium() -> str:
    """The browser's program."""
    found = next(filter(None, map(shutil.which, _CHROMIUMS)), None)
    if found is None:
        raise RuntimeError("These tests drive Chromium: script/system installs it")
    return found


@dataclass(frozen=True)
class Hand:
    """What somebody does on a page."""

    page: Page
    designer: Designer

    def open(self, link: str = "") -> None:
        """Open a link, #c=red:100&…, and wait until its tile is drawn."""
        self.page.goto(self.designer.url + link)
        self.drawn()

    def ready(self, link: str = "") -> None:
        """Open a link and wait until the page can be used, whether its tile is drawn or not."""
        self.page.goto(self.designer.url + link)
        self.page.wait_for_selector(":root.ready", state="attached", timeout=DRAWN_MS)

    def middle(self, element: Locator) -> tuple[float, float]:
        """The middle of an element on the screen."""
        box = element.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drawn(self, kind: str = "final") -> None:
        """Wait for the picture of the tile that the address holds."""
        # Looked at together, each time anew: the page may still be rewriting its address.
        self.page.wait_for_function(
            """kind => {
                const { of, kind: shown } = document.querySelector("#picture").dataset;
                return location.hash.startsWith("#c=") && of === location.hash && shown === kind;
            }""",
            arg=kind,
            timeout=DRAWN_MS,
        )

    def current(self) -> None:
        """Wait until the chosen view shows the tile as it is."""
        self.page.wait_for_selector('#frame[data-state="current"]', timeout=DRAWN_MS)

    def shares(self) -> dict[str, float]:
        """The shares that are asked for, by the colours' names on the page."""
        names = self.page.locator("#rows .name").all_inner_texts()
        fields = self.page.locator("#rows .field input").all()
        return {
            n: float(f.input_value().replace(",", ".")) for n, f in zip(names, fields, strict=True)
        }

    def shown(self) -> dict[str, float]:
        """The shares that the picture is said to show, by the colours' names on the page."""
        names = self.page.locator("#rows .name").all_inner_texts()
        told = self.page.locator("#rows .shares").all()
        shares = (float(one.get_attribute("data-share") or "nan") for one in told)
        return dict(zip(names, (100 * share for share in shares), strict=True))

    def add(self, color: str) -> None:
        self.page.get_by_role("button", name=f"Add {color}", exact=True).click()

    def slider(self, color: str) -> Locator:
        return self.page.get_by_role("slider", name=f"Share of {color}", exact=True)

    def slide(self, color: str, share: int) -> None:
        """Pull a slider there with the mouse and let go."""
        self.slider(color).scroll_into_view_if_needed()
        box = self.slider(color).bounding_box()
        assert box is not None
        half = 10  # of the thumb, which stays within the slider's ends
        height = box["y"] + box["height"] / 2

        def place(at: float) -> float:
            return box["x"] + half + at / 100 * (box["width"] - 2 * half)

        self.page.mouse.move(place(float(self.slider(color).input_value())), height)
        self.page.mouse.down()
        self.page.mouse.move(place(share), height, steps=8)
        self.page.mouse.up()

    def save(self, name: str) -> Path:
        """Download one of the pictures that the dialog offers."""
        self.page.locator("#open-share").click()
        with self.page.expect_download(timeout=DRAWN_MS) as waiting:
            self.page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()
        download: Download = waiting.value
        self.page.locator("#close-share").click()
        return Path(download.path())

    def drop(self, name: str, content: bytes, kind: str = "image/png") -> None:
        """Drop a file on the page."""
        files = self.page.evaluate_handle(
            """([name, type, text]) => {
                const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
                const carried = new DataTransfer();
                carried.items.add(new File([bytes], name, { type }));
                return carried;
            }""",
            [name, kind, base64.b64encode(content).decode()],
        )
        for event in ("dragover", "drop"):
            self.page.dispatch_event("main", event, {"dataTransfer": files})

    def told(self) -> Locator:
        """What the page says went wrong."""
        return self.page.get_by_role("alert")
