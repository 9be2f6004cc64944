"""The GLB file, opened by three.js in a browser."""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from plitka.texture.making import make_texture
from plitka.texture.order import plan_texture
from tests.support.recipes import asked, parse

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

THREE = Path(__file__).parents[1] / "support" / "three"
TYPES = {".js": "text/javascript", ".html": "text/html", ".glb": "model/gltf-binary"}
LOAD_MS = 30_000


def test_three_js_opens_the_material_and_shows_its_granules(browser: "Browser") -> None:
    order = plan_texture(asked({"red": 50, "white": 50}, seed=9), 256, 2.5, 62.5)
    glb = next(file.content for file in make_texture(order) if file.name.endswith(".glb"))

    def serve(route: "Route") -> None:
        name = route.request.url.rsplit("/", 1)[-1]
        content = glb if name == "material.glb" else (THREE / name).read_bytes()
        route.fulfill(body=content, content_type=TYPES[Path(name).suffix])

    context = browser.new_context()
    try:
        page = context.new_page()
        page.route("**/*", serve)
        page.goto("http://three.test/view.html")
        page.wait_for_function("window.seen", timeout=LOAD_MS)
        seen = page.evaluate("window.seen")
        shot = page.locator("#view").screenshot()
    finally:
        context.close()
    assert seen["maps"] == dict.fromkeys(("map", "normalMap", "roughnessMap", "aoMap"), 256)
    assert seen["repeats"]
    assert seen["isColor"]
    assert seen["metalness"] == 0
    assert seen["size"] == pytest.approx([1, 0, 1])
    assert seen["extras"]["side_mm"] == 62.5
    assert parse(json.dumps(seen["extras"]["request"])) == order.recipe
    picture = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(np.float64)
    below = picture[200:]  # nearer than the far edge of the plane
    green = below[..., 1]
    red, white = (np.mean(where) for where in (green < below[..., 0] * 0.6, green > 130))
    assert red > 0.15
    assert white > 0.15
