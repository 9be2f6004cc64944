"""The surface's editor and plan, in a real browser."""

import json
import re
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import expect

from tests.support.designer import DRAWN_MS, Hand
from tests.support.recipes import parse


def test_a_zone_is_added_and_changed_and_undone_and_the_link_keeps_it(hand: Hand) -> None:
    hand.open("#c=red:100&seed=7")
    page = hand.page
    page.click("#surface-on")
    expect(page.locator("#surface-off")).to_be_focused()
    expect(page.locator("#picture")).to_have_attribute("data-view", "plan", timeout=DRAWN_MS)
    page.select_option("#new-shape", "border")
    page.click("#add-zone")
    area = page.locator("#zones .area")
    expect(area).to_have_text("1.84 m²", timeout=DRAWN_MS)
    page.fill("#zone-0-width_mm", "100")
    page.press("#zone-0-width_mm", "Enter")
    expect(area).to_have_text("0.96 m²", timeout=DRAWN_MS)
    page.select_option("#zone-0-line", "metal")
    expect(area).to_have_text("0.96 m², 9.2 m of line", timeout=DRAWN_MS)

    surface = json.loads(parse_qs(urlparse(page.url).fragment)["surface"][0])
    colors = [{"name": "red", "proportion": 100}]
    recipe = parse(json.dumps({"colors": colors, "surface": surface}))
    assert recipe.surface is not None
    (zone,) = recipe.surface.zones
    assert zone.shape_name == "border"
    assert zone.line is not None

    page.fill("#surface-width_mm", "5")
    page.press("#surface-width_mm", "Enter")
    expect(page.locator("#surface-width_mm")).to_have_value("3000")
    page.keyboard.press("Escape")
    page.click("#undo")
    page.click("#undo")
    expect(page.locator("#zone-0-width_mm")).to_have_value("200")

    page.select_option("#new-shape", "circle")
    page.click("#add-zone")
    page.locator('[data-point="1-0"]').press("Shift+ArrowRight")
    expect(page.locator("#zone-1-center_mm-x")).to_have_value("1600")
    expect(page.locator('[data-point="1-0"]')).not_to_have_class(re.compile("aside"))
    page.select_option("#new-shape", "stripe")
    page.click("#add-zone")
    expect(page.locator('[data-point="1-0"]')).to_have_class(re.compile("aside"))
    expect(page.locator('[data-point="2-0"]')).not_to_have_class(re.compile("aside"))


def test_a_surface_in_russian_has_room_for_its_words_and_names_its_mixes_as_the_page_does(
    hand: Hand,
) -> None:
    page = hand.page
    page.set_viewport_size({"width": 1440, "height": 900})
    hand.open("#c=red:100&seed=7")
    page.get_by_role("button", name="По-русски").click()
    page.click("#surface-on")
    wide = "all => all.filter((one) => one.scrollWidth > one.clientWidth).length"
    assert page.locator("#surface-sizes .pair").evaluate_all(wide) == 0
    page.click("#add-zone")
    page.select_option("#zone-0-mix", label="Ночь")
    expect(page.locator("#zones .mixing .note")).to_have_text(re.compile(r"^чёрный 85\s%, "))
