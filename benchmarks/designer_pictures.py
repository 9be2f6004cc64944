"""The screenshots in docs/designer.md, taken of the designer as it is.

python -m benchmarks.designer_pictures
"""

import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from plitka.color import palette
from plitka.ground.ground import make_ground
from plitka.request import parsing
from plitka.request.recipe import draw_seed
from plitka.scene.render import render_scene
from plitka.scene.scenes import SCENES
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
MIXES = (  # of the scenes, in their order
    "50% dark green, 30% beige, 20% terracotta",
    "40% sky blue, 25% yellow, 20% red, 15% white",
    "60% terracotta, 40% beige",
    "80% black, 12% gray, 8% sky blue",
    "55% beige, 25% sand, 20% white",
)


def main() -> None:
    _draw_scenes()
    with (
        tempfile.TemporaryDirectory() as folder,
        designer(Path(folder), {}) as running,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        _take_desktop(browser, running)
        _take_scene(browser, running)
        _take_share(browser, running)
        _take_phone(browser, running)
        browser.close()


def _take_desktop(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, **DESKTOP)
    hand.open(TILE)
    _save(hand, "designer")


def _take_scene(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, color_scheme="dark", **DESKTOP)
    hand.open(GRANITE)
    hand.page.get_by_role("radio", name="Scene").check()
    hand.drawn("scene")
    _save(hand, "designer-scene")


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


def _draw_scenes() -> None:
    """Draw all scenes on one sheet, the first one large."""
    colors = palette.load()
    side, gap = 800, 12
    sheet = Image.new("RGB", (2 * side + gap, 1625 + 2 * gap), "white")
    for number, (scene, mix) in enumerate(zip(SCENES.values(), MIXES, strict=True)):
        recipe = draw_seed(parsing.parse(f"{mix}, seed 7", colors))
        picture = Image.fromarray(render_scene(scene, make_ground(recipe)))
        if number == 0:
            sheet.paste(picture.resize((2 * side + gap, 637), box=(0, 368, 1600, 1000)))
            continue
        column, row = (number - 1) % 2, (number - 1) // 2
        place = (column * (side + gap), 637 + gap + row * (500 + gap))
        sheet.paste(picture.resize((side, 500), Image.Resampling.LANCZOS), place)
    sheet.save(DOCS / "designer-scenes.jpg", quality=JPEG_QUALITY, optimize=True)


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
