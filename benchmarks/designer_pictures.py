"""The pictures of docs/designer.md, offer.md and texture.md, taken of the program as it is.

python -m benchmarks.designer_pictures
"""

import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Browser, Locator, Route, sync_playwright

from benchmarks.surface_pictures import PLAYGROUND, mix
from plitka.color import palette
from plitka.ground.ground import make_ground
from plitka.request import parsing
from plitka.request.recipe import Recipe, draw_seed
from plitka.scene.render import render_scene
from plitka.scene.scenes import SCENES
from plitka.texture.making import make_texture
from plitka.texture.order import plan_texture
from tests.support.designer import Designer, Hand, chromium, designer

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
THREE = ROOT / "tests" / "support" / "three"
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
TILE = "#c=dark+green:50,beige:30,terracotta:20&angle=45&seed=7"
SECOND = "#c=gray:50,light+gray:30,sky+blue:20&angle=45&seed=7"
STRAIGHT = "#c=red:50,blue:30,white:20&angle=0&seed=7"
WARM = "#c=terracotta:50,beige:35,brown:15&angle=0&seed=7"
JPEG_QUALITY = 76
LOAD_MS = 60_000
COMPANY = {"project": "Playground, Oak Lane 7", "name": "Floors Ltd", "contact": "+44 20 7946 0000"}
MIXES = (  # of the scenes, in their order
    "50% dark green, 30% beige, 20% terracotta",
    "40% sky blue, 25% yellow, 20% red, 15% white",
    "60% terracotta, 40% beige",
    "80% black, 12% gray, 8% sky blue",
    "55% beige, 25% sand, 20% white",
)
# On the garden path, in parts of the picture: a rectangle of 1 m by 2.8 m, and the path's edge.
RECTANGLE = ((0.423, 0.614), (0.577, 0.614), (0.657, 0.96), (0.343, 0.96))
EDGE = (
    *((0.226, 0.998), (0.27, 0.89), (0.332, 0.76), (0.4, 0.648), (0.43, 0.566), (0.47, 0.518)),
    *((0.533, 0.468), (0.61, 0.436), (0.68, 0.416), (0.72, 0.411), (0.692, 0.436), (0.681, 0.48)),
    *((0.678, 0.56), (0.681, 0.65), (0.7, 0.74), (0.738, 0.86), (0.778, 0.998)),
)


def main() -> None:
    _draw_scenes()
    with (
        tempfile.TemporaryDirectory() as folder,
        designer(Path(folder), {}) as running,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for take in TAKES:
            take(browser, running)
        _take_texture_in_three(browser)
        browser.close()


def _take_desktop(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, **DESKTOP)
    hand.open(TILE)
    _save(hand.page.screenshot(), "designer")


def _take_plan(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, **DESKTOP)
    hand.ready(_link(_playground()))
    hand.page.get_by_role("radio", name="Plan").check()
    hand.current()
    hand.page.locator("#zone-1-summary").click()
    hand.page.locator("#zones").scroll_into_view_if_needed()
    hand.page.locator("#panel").evaluate("panel => panel.scrollTop += 300")
    hand.page.mouse.move(0, 0)
    _save(hand.page.screenshot(), "designer-plan")


def _take_playground(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, color_scheme="dark", **DESKTOP)
    hand.ready(_link(_playground()))
    hand.page.get_by_role("radio", name="Scene").check()
    hand.page.locator('input[name="scene"][value="playground"]').check()
    hand.page.wait_for_function(
        "() => [...document.querySelectorAll('.scene img')].every((one) => one.naturalWidth)",
        timeout=LOAD_MS,
    )
    hand.current()
    _save(hand.page.screenshot(), "designer-playground")


def _take_variants(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, **DESKTOP)
    keep = hand.page.get_by_role("button", name="Keep this mix")
    for link in (SECOND, TILE):
        hand.open(link)
        keep.click()
    hand.page.locator('[data-deed="compare"]').first.click()
    hand.current()
    hand.page.locator(".variants").scroll_into_view_if_needed()
    _save(hand.page.screenshot(), "designer-variants")


def _take_kilograms(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, **DESKTOP)
    hand.open(STRAIGHT)
    hand.page.locator("#kilograms [data-figure=area]").fill("120")
    hand.page.locator("#own-figures summary").click()
    hand.page.locator("#figures [data-figure=density]").fill("950")
    hand.page.locator("#per-color [data-figure=density]").nth(1).fill("1100")
    hand.page.locator("table.order tbody tr").nth(2).wait_for()
    _save_alone(hand, hand.page.locator("#kilograms"), "designer-kilograms")


def _take_dialogs(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, **DESKTOP)
    hand.open(STRAIGHT)
    hand.page.locator("#open-offer").click()
    for name, text in COMPANY.items():
        hand.page.locator(f"#offer-{name}").fill(text)
    hand.page.locator("#offer-floor [data-figure=area]").fill("120")
    _save_alone(hand, hand.page.locator("#offer"), "designer-offer")
    with hand.page.expect_download(timeout=LOAD_MS) as waiting:
        hand.page.locator("#save-html").click()
    _take_offer(browser, Path(waiting.value.path()))
    hand.page.keyboard.press("Escape")
    hand.page.locator("#open-texture").click()
    _save_alone(hand, hand.page.get_by_role("dialog"), "designer-texture")
    hand.page.keyboard.press("Escape")
    hand.page.locator("#open-share").click()
    hand.page.get_by_role("tab", name="cog predict").click()
    _save_alone(hand, hand.page.locator("#share"), "designer-share")


def _take_offer(browser: Browser, file: Path) -> None:
    context = browser.new_context(viewport={"width": 900, "height": 1000})
    page = context.new_page()
    page.set_content(file.read_text(encoding="utf-8"))
    _save(page.screenshot(full_page=True), "offer")
    context.close()


def _take_own_photo(browser: Browser, running: Designer) -> None:
    """In place of a photo stands the garden path with gray tiles, which everybody may see."""
    hand = _open_hand(browser, running, **DESKTOP)
    hand.open(WARM)
    hand.page.get_by_role("radio", name="My floor").check()
    hand.page.locator("#photo-file").set_input_files(
        {"name": "path.png", "mimeType": "image/png", "buffer": _draw_photo()}
    )
    hand.drawn("own")

    def place(at: tuple[float, float]) -> tuple[float, float]:
        layer = hand.page.locator(".photo-layer").bounding_box()
        assert layer is not None
        return layer["x"] + at[0] * layer["width"], layer["y"] + at[1] * layer["height"]

    for handle, corner in zip(hand.page.locator(".photo-handle").all(), RECTANGLE, strict=True):
        hand.page.mouse.move(*hand.middle(handle))
        hand.page.mouse.down()
        hand.page.mouse.move(*place(corner), steps=4)
        hand.page.mouse.up()
    for field, metres in (("far", "1"), ("left", "2.8")):
        hand.page.locator(f"#photo-{field}").fill(metres)
        hand.page.locator(f"#photo-{field}").press("Enter")
    hand.page.get_by_role("radio", name="Outline").check()
    for point in EDGE:
        hand.page.mouse.click(*place(point))
    hand.page.get_by_role("radio", name="Corners").check()
    hand.current()
    _save(hand.page.screenshot(), "designer-photo")


def _take_phone(browser: Browser, running: Designer) -> None:
    hand = _open_hand(browser, running, locale="ru", color_scheme="dark", **PHONE)
    hand.open(TILE)
    _save(hand.page.screenshot(), "designer-phone")


TAKES: tuple[Callable[[Browser, Designer], None], ...] = (
    _take_desktop,
    _take_plan,
    _take_playground,
    _take_variants,
    _take_kilograms,
    _take_dialogs,
    _take_own_photo,
    _take_phone,
)


def _take_texture_in_three(browser: Browser) -> None:
    """Show six maps of a texture, and its material on a plane in three.js, one repeat and more."""
    order = plan_texture(_read("60% terracotta, 40% beige, seed 7"), 1024)
    files = {file.name: file.content for file in make_texture(order)}

    def ending(end: str) -> bytes:
        return next(content for name, content in files.items() if name.endswith(end))

    def serve(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[-1]
        types = {".js": "text/javascript", ".html": "text/html", ".glb": "model/gltf-binary"}
        content = ending(".glb") if name == "material.glb" else (THREE / name).read_bytes()
        route.fulfill(body=content, content_type=types[Path(name).suffix])

    page = browser.new_context(device_scale_factor=1.5).new_page()
    page.route("**/*", serve)
    page.goto("http://three.test/view.html")
    page.wait_for_function("window.seen", timeout=LOAD_MS)
    material = _read_picture(page.locator("#view").screenshot())
    part, gap = 284, 8
    side = 2 * part + gap
    sheet = Image.new("RGB", (3 * part + 3 * gap + side, side), "white")
    maps = ("base_color", "height", "normal_opengl", "roughness", "ambient_occlusion", "colors")
    for number, name in enumerate(maps):
        shown = _read_map(ending(f"{name}.png")).resize((part, part), Image.Resampling.LANCZOS)
        sheet.paste(shown, (number % 3 * (part + gap), number // 3 * (part + gap)))
    sheet.paste(material.resize((side, side)), (3 * (part + gap), 0))
    _write(sheet, "texture")


def _read_map(content: bytes) -> Image.Image:
    """The upper left quarter of a map in three channels; of 16 bits, the upper ones are shown."""
    picture = Image.open(io.BytesIO(content))
    quarter = picture.crop((0, 0, picture.width // 2, picture.height // 2))
    if picture.mode.startswith("I"):
        quarter = quarter.convert("I").point(lambda value: value / 256)
    return quarter.convert("L").convert("RGB") if quarter.mode == "I" else quarter.convert("RGB")


def _draw_scenes() -> None:
    """Draw all scenes on one sheet, the first one large."""
    side, gap = 600, 8
    sheet = Image.new("RGB", (2 * side + gap, 478 + 2 * (375 + gap)), "white")
    for number, (scene, shares) in enumerate(zip(SCENES.values(), MIXES, strict=True)):
        picture = Image.fromarray(render_scene(scene, make_ground(_read(f"{shares}, seed 7"))))
        if number == 0:
            sheet.paste(picture.resize((2 * side + gap, 478), box=(0, 368, 1600, 1000)))
            continue
        column, row = (number - 1) % 2, (number - 1) // 2
        place = (column * (side + gap), 478 + gap + row * (375 + gap))
        sheet.paste(picture.resize((side, 375), Image.Resampling.LANCZOS), place)
    _write(sheet, "designer-scenes")


def _draw_photo() -> bytes:
    ground = make_ground(_read("50% gray, 50% light gray, seed 3"))
    file = io.BytesIO()
    Image.fromarray(render_scene(SCENES["path"], ground)).save(file, "PNG")
    return file.getvalue()


def _playground() -> dict[str, Any]:
    """The playground of docs/surface.md, its word in front, where nothing stands on it."""
    zones = [zone for zone in PLAYGROUND["surface"]["zones"] if zone["shape"] != "stripe"]
    word = {"text": "PLAY", "at_mm": [3000, 3050], "height_mm": 330, "colors": mix(dark_blue=100)}
    zones = [zone | word if zone["shape"] == "text" else zone for zone in zones]
    return PLAYGROUND | {"surface": PLAYGROUND["surface"] | {"zones": zones}}


def _link(request: dict[str, Any]) -> str:
    return f"#params_json={quote(json.dumps(request))}"


def _read(request: str) -> Recipe:
    return draw_seed(parsing.parse(request, palette.load()))


def _open_hand(browser: Browser, running: Designer, **settings: Any) -> Hand:
    context = browser.new_context(**{"locale": "en", "reduced_motion": "reduce", **settings})
    return Hand(context.new_page(), running)


def _save_alone(hand: Hand, part: Locator, name: str) -> None:
    """Save a part of the page without what is around it."""
    hand.page.mouse.move(0, 0)
    _save(part.screenshot(), name)


def _save(shot: bytes, name: str) -> None:
    _write(_read_picture(shot), name)


def _read_picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def _write(picture: Image.Image, name: str) -> None:
    file = DOCS / f"{name}.jpg"
    picture.save(file, quality=JPEG_QUALITY, optimize=True)
    print(f"{file}: {picture.width}x{picture.height}, {file.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
