"""Seamless textures: asked of the server, and made on the page."""

import json
import zipfile
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from plitka.texture.making import FILES, make_texture
from plitka.texture.order import name_texture, plan_texture
from tests.conftest import OpenHand
from tests.support.designer import Designer, Hand
from tests.support.recipes import parse

MIX = {"colors": [{"name": "red", "proportion": 60}, {"name": "white", "proportion": 40}]}
RECIPE = {**MIX, "angle": 45, "quality": "standard", "seed": 7}
ASKED: dict[str, Any] = {"recipe": RECIPE, "size": "1k", "granule_mm": 2.5, "side_mm": 63}
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
MADE_MS = 120_000  # on a slow machine


@pytest.mark.parametrize(
    ("changed", "fault", "detail"),
    [
        ({"side_mm": 5000}, "texture", "it can be 63 to 320 mm"),
        ({"granule_mm": 0}, "texture", "allowed are 1 to 4 mm"),
        ({"side_mm": None}, "texture", "allowed are numbers"),
        ({"size": "16k"}, "texture", "1k, 2k, 4k"),
        ({"size": ["1k"]}, "texture", "1k, 2k, 4k"),
        ({"more": 1}, "texture", "an object of"),
        ({"recipe": {}}, "recipe", "colors"),
    ],
)
def test_a_texture_that_cannot_be_is_a_fault_with_a_name(
    changed: dict[str, Any], fault: str, detail: str, designing: Designer
) -> None:
    answer = httpx.post(designing.url + "texture", content=json.dumps({**ASKED, **changed}))
    assert (answer.status_code, answer.json()["fault"]) == (422, fault)
    assert detail in answer.json()["detail"]


def test_a_texture_is_saved_with_two_clicks_and_is_the_one_of_the_command(
    new_hand: OpenHand,
) -> None:
    hand = new_hand(**DESKTOP)
    hand.ready("#c=red:60,white:40&angle=45&seed=7")
    clicks = 0
    with hand.page.expect_download(timeout=MADE_MS) as waiting:
        for name in ("Texture", "Make and save"):
            hand.page.get_by_role("button", name=name, exact=True).click()
            clicks += 1
    assert clicks <= 3
    order = plan_texture(parse(json.dumps(RECIPE)), 1024)
    assert waiting.value.suggested_filename == f"{name_texture(order)}.zip"
    with zipfile.ZipFile(waiting.value.path()) as packed:
        assert packed.testzip() is None
        assert len(packed.namelist()) == FILES
        first = next(make_texture(order))
        assert packed.read(f"{name_texture(order)}/{first.name}") == first.content


def test_sizes_follow_the_granules_and_making_can_be_cancelled(hand: Hand) -> None:
    page = hand.page
    hand.ready("#c=red:60,white:40&angle=45&seed=7")
    page.locator("#open-texture").click()
    page.get_by_role("radio", name="4K · 4096").check()
    page.locator("#texture-granule").fill("1,5")
    page.locator("#texture-granule").blur()
    expect(page.locator("#texture-side")).to_have_value("300")
    expect(page.locator("#texture-side-note")).to_contain_text("200 granules of 20 px")
    page.locator("#texture-side").fill("9000")
    page.locator("#texture-side").blur()
    expect(page.locator("#texture-side")).to_have_value("768")  # the greatest
    found = Axe().run(page).response["violations"]
    assert [f"{v['id']}: {node['html']}" for v in found for node in v["nodes"]] == []
    page.locator("#texture-save").click()
    expect(page.locator("#texture-busy")).to_be_visible()
    page.locator("#texture-cancel").click()
    expect(page.locator("#texture-save")).to_be_focused()
    expect(hand.told()).to_be_empty()
