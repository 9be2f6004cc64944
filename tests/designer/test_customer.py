"""The page's file for a customer, its kilograms and its scale bar, in a real browser."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from plitka.offer.recipe_in_html import read_request
from plitka.tile.scale import measure_frame_mm
from tests.support.designer import DRAWN_MS
from tests.support.recipes import parse

if TYPE_CHECKING:
    from tests.conftest import OpenHand
    from tests.support.designer import Hand

THREE = "#c=red:50,blue:30,white:20&angle=0&seed=7"
COUNT = """() => { window.clicks = 0; addEventListener("click", (event) => {
    if (event.isTrusted && event.detail > 0) window.clicks += 1;
}, true); }"""


def save(hand: "Hand", kind: str) -> Path:
    with hand.page.expect_download(timeout=DRAWN_MS) as waiting:
        hand.page.locator(f"#save-{kind}").click()
    assert waiting.value.suggested_filename == f"plitka-red50-blue30-white20.{kind}"
    return Path(waiting.value.path())


def test_a_customers_file_takes_two_clicks_and_opens_again(hand: "Hand") -> None:
    hand.open(THREE)
    hand.page.evaluate(COUNT)
    hand.page.get_by_role("button", name="Save for a customer").click()
    for name, text in (("project", "<b>Yard"), ("name", "Floors Ltd"), ("contact", "+44")):
        hand.page.locator(f"#offer-{name}").fill(text)
    html = save(hand, "html").read_bytes()
    assert hand.page.evaluate("window.clicks") == 2
    assert b"&lt;b&gt;Yard" in html
    assert b"<b>Floors Ltd</b>" in html
    assert save(hand, "pdf").read_bytes().startswith(b"%PDF-")
    hand.page.keyboard.press("Escape")
    hand.page.get_by_role("button", name="Equal shares").click()
    hand.drop("offer.html", html, "text/html")
    hand.page.wait_for_url(re.compile("red:50"))
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}
    assert parse(json.dumps(read_request(html))).seed == 7
    hand.page.reload()
    hand.page.locator("#open-offer").click()
    expect(hand.page.locator("#offer-name")).to_have_value("Floors Ltd")
    expect(hand.page.locator("#offer-project")).to_have_value("")


def test_kilograms_take_a_click_and_follow_the_mix_and_the_figures(hand: "Hand") -> None:
    page = hand.page
    hand.open(THREE)
    page.evaluate(COUNT)
    page.locator("#kilograms [data-figure=area]").click()
    page.keyboard.type("120")
    rows = page.locator("table.order tbody tr")
    expect(rows.first).to_have_text("Red630.026")
    assert page.evaluate("window.clicks") == 1
    page.get_by_text("Your figures").click()
    page.locator("#figures [data-figure=density]").fill("9.5 kg/m2 at 10 mm")
    expect(rows.first).to_have_text("Red598.524")
    page.locator("#per-color [data-figure=density]").nth(1).fill("1140")
    expect(rows.nth(1)).to_have_text("Blue30% area → 30% volume → 34% weight430.918")
    page.locator("#figures [data-figure=loss]").fill("much")
    expect(page.locator("#order-note")).to_have_text("Loss: a number from 0 to 100 %.")
    expect(page.locator("#figures [data-figure=loss]")).to_have_attribute("aria-invalid", "true")
    assert page.locator("table.order").count() == 0
    page.locator("#figures [data-figure=loss]").fill("")
    page.get_by_role("button", name="Equal shares").click()
    expect(page.locator("table.order tfoot tr").first).to_contain_text("Granules in all")
    expect(rows.first).to_contain_text("33.4% area")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as CSV").click()
    assert waiting.value.suggested_filename.endswith(".csv")
    hand.page.locator("#open-offer").click()
    expect(page.locator("#offer-floor [data-figure=area]")).to_have_value("120")
    violations = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations] == []


def test_the_scale_bar_is_as_long_as_it_says_at_every_zoom(hand: "Hand") -> None:
    page = hand.page
    hand.open(THREE)

    def measure() -> float:
        """Millimetres that the bar has on the picture."""
        bar, picture = (page.locator(one).bounding_box() for one in ("#scale i", "#picture"))
        assert bar is not None
        assert picture is not None
        return bar["width"] / picture["width"] * measure_frame_mm(granule)

    def said() -> float:
        text = page.locator("#scale").inner_text()
        return float(text.replace("mm", ""))

    granule = 2.5
    assert measure() == pytest.approx(said(), rel=0.01)
    page.locator("#zoom").click()
    assert measure() == pytest.approx(said(), rel=0.01)
    page.get_by_text("Your figures").click()
    page.locator("#figures [data-figure=granule]").fill("1 mm")
    granule = 1
    assert measure() == pytest.approx(said(), rel=0.01)
    page.locator("#views label", has_text="Scene").click()
    expect(page.locator("#scale")).to_be_hidden()


@pytest.fixture
def phone(new_hand: "OpenHand") -> "Hand":
    return new_hand(locale="ru", viewport={"width": 360, "height": 780}, has_touch=True)


def test_on_a_phone_in_russian_kilograms_take_two_clicks(phone: "Hand") -> None:
    page = phone.page
    phone.open(THREE)
    page.evaluate(COUNT)
    page.locator("#tab-of-laying").click()
    page.locator("#kilograms [data-figure=area]").click()
    page.keyboard.type("120,5")
    expect(page.locator("table.order tbody tr").first).to_contain_text("632,626")
    assert page.evaluate("window.clicks") == 2
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.locator("#open-offer").click()
    assert page.locator("#offer").evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
