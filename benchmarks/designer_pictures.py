"""The screenshots in docs/designer.md, taken of the designer as it is.

python -m benchmarks.designer_pictures
"""

import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.support.designer import Designer, Hand, chromium, designer

DOCS = Path(__file__).parents[1] / "docs"
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
TILE = "#c=dark+green:50,beige:30,terracotta:20&angle=45&seed=7"
GRANITE = "#c=gray:45,light+gray:25,dark+gray:20,white:10&angle=0&seed=7"
JPEG_QUALITY = 82


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        designer(Path(folder), {}) as running,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        _take_desktop(browser, running)
        _take_room(browser, running)
        _take_share(browser, running)
        _take_phone(browser, running)
        browser.close()


def _take_desktop(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, **DESKTOP)
    hand.open(TILE)
    _save(hand, "designer")


def _take_room(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, color_scheme="dark", **DESKTOP)
    hand.open(GRANITE)
    hand.page.get_by_role("radio", name="Scene").check()
    hand.drawn("scene")
    _save(hand, "designer-room")


def _take_share(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, **DESKTOP)
    hand.open(TILE)
    hand.page.locator("#open-share").click()
    hand.page.get_by_role("tab", name="cog predict").click()
    _save(hand, "designer-share")


def _take_phone(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, locale="ru", **PHONE)
    hand.open(TILE)
    _save(hand, "designer-phone")


def _open_hand(browser: Browser, running: Designer, **settings: Any) -> Hand:
    context = browser.new_context(**{"locale": "en", "reduced_motion": "reduce", **settings})
    return Hand(context.new_page(), running)


def _save(hand: Hand, name: str) -> None:
    shot = Image.open(io.BytesIO(hand.page.screenshot())).convert("RGB")
    file = DOCS / f"{name}.jpg"
    shot.save(file, quality=JPEG_QUALITY, optimize=True)
    print(f"{file}: {shot.width}x{shot.height}, {file.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
