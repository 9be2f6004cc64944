"""The designer for everybody: by keyboard, by screen reader, on a phone, in both languages."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import OpenHand
from tests.support.designer import Hand
from tests.support.designer_walk import find_violations, walk

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
EIGHT = (
    "#c=dark+green:12.5,terracotta:12.5,green+apple:12.5,white-green:12.5,turquoise:12.5,"
    "light+green:12.5,~1e90ff:12.5,violet:12.5&angle=45&seed=7&quality=turbo"
)
DESIGNER = Path(__file__).parents[2] / "plitka" / "designer"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page_nor_in_the_dialog(scheme: str, new_hand: OpenHand) -> None:
    hand = new_hand(color_scheme=scheme)
    hand.open(EIGHT)
    hand.page.get_by_text("Finer settings").click()
    hand.drop("x.png", b"no picture")
    expect(hand.told()).to_contain_text("no PNG")
    assert find_violations(hand.page) == []
    hand.page.locator("#open-share").click()
    expect(hand.page.locator("#code")).not_to_have_value("")
    assert find_violations(hand.page) == []


@pytest.mark.long
def test_axe_finds_nothing_on_a_phone_in_any_state(new_hand: OpenHand) -> None:
    """The long walk, on other screens and in other colours, is benchmarks.designer_access."""
    hand = new_hand(color_scheme="dark", **PHONE)
    found = {state: find_violations(hand.page) for state in walk(hand)}
    assert {state: some for state, some in found.items() if some} == {}
    assert len(found) > 12


def test_all_can_be_done_with_the_keyboard_alone(hand: Hand) -> None:
    page, press = hand.page, hand.page.keyboard.press
    hand.open("#c=red:100&seed=7")

    def reach(name: str, role: Any = "button") -> None:
        """Go on with the Tab key to this control."""
        wanted = page.get_by_role(role, name=name, exact=True)
        for _ in range(120):
            press("Tab")
            if wanted.evaluate_all("(all) => all.includes(document.activeElement)"):
                outline = wanted.evaluate("(one) => getComputedStyle(one).outlineStyle")
                assert outline == "solid" or role == "radio", f"{name} does not show its focus"
                return
        raise AssertionError(f"the Tab key does not reach {name}")

    press("Tab")
    expect(page.get_by_role("link", name="Skip to the mix")).to_be_focused()
    press("Enter")
    reach("Colour, hex or recipe", "searchbox")
    page.keyboard.type("terr")
    press("Enter")
    assert hand.shares() == {"red": 50, "terracotta": 50}
    press("Control+a")
    press("Delete")
    reach("Add sky blue")
    press("Enter")
    expect(page.get_by_role("button", name="sky blue is in the mix: remove it")).to_be_focused()
    page.locator("#mix").focus()
    reach("Share of red", "slider")
    for _ in range(4):
        press("ArrowRight")
    red = hand.shares()["red"]
    reach("Lock the share of red")
    press("Space")
    reach("Share of terracotta", "slider")
    press("Home")
    assert hand.shares() == {"red": red, "terracotta": 0, "sky blue": 100 - red}
    reach("45°")
    press("Enter")
    reach("Draw another seed")
    press("Enter")
    hand.drawn()
    press("Control+z")
    press("Control+z")
    hand.drawn()
    assert "angle=0" in page.url
    page.locator("#undo").focus()
    reach("Tile", "radio")
    press("ArrowRight")
    hand.drawn("scene")
    reach("Share and save")
    press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_what_is_seen_is_said_too(hand: Hand) -> None:
    hand.open("#c=red:60,sand:40&angle=45&seed=7")
    expect(hand.page.locator("#said")).to_contain_text("60% red, 40% sand. shares as asked for")
    expect(
        hand.page.get_by_role("img", name="Tile of 60% red, 40% sand, laid at 45°")
    ).to_be_visible()
    hand.add("black")
    expect(hand.page.locator("#said")).to_contain_text("black added")
    expect(hand.slider("red")).to_have_attribute("aria-valuetext", re.compile(r"^\d+%$"))


CUT_OFF = """() => {
    const faults = [];
    const words = (one) => one.getAttribute("aria-label") ?? one.textContent.trim();
    const seen = [...document.querySelectorAll("main button, main label, .choices span")]
        .filter((one) => one.getBoundingClientRect().width > 0)
        // This can be scrolled sideways.
        .filter((one) => !one.closest("#gallery"));
    for (const one of seen) {
        const { left, right } = one.getBoundingClientRect();
        if (left < 0 || right > innerWidth + 0.5) faults.push(`off: ${words(one)}`);
        if (one.scrollWidth > one.clientWidth + 1 && one.tagName === "BUTTON")
            faults.push(`cut off: ${words(one)}`);
    }
    const parts = [
        ...document.querySelectorAll(".row button, .row .field, .row .name, .row .shares"),
    ];
    for (const [index, one] of parts.entries()) {
        const a = one.getBoundingClientRect();
        for (const other of parts.slice(index + 1, index + 5)) {
            const b = other.getBoundingClientRect();
            const across = a.left < b.right - 1 && b.left < a.right - 1;
            const down = a.top < b.bottom - 1 && b.top < a.bottom - 1;
            if (across && down) faults.push(`overlap: ${words(one)}, ${words(other)}`);
        }
    }
    return faults;
}"""


@pytest.mark.parametrize("locale", ["en", "ru"])
def test_nothing_is_cut_off_or_covered_on_any_width(locale: str, new_hand: OpenHand) -> None:
    hand = new_hand(locale=locale, **PHONE)
    page = hand.page
    hand.open(EIGHT)
    for width, height in ((360, 740), (390, 844), (820, 1180), (1440, 900)):
        page.set_viewport_size({"width": width, "height": height})
        for tab in ("mix", "colors", "laying", "samples") if width < 900 else ("",):
            if tab:
                page.locator(f"#tab-of-{tab}").click()
            if tab in ("laying", ""):
                page.locator("#finer").evaluate("(one) => (one.open = true)")
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width
            assert page.evaluate(CUT_OFF) == [], f"{tab} at {width}"
            picture = page.locator("#window").bounding_box()
            assert picture is not None
            assert picture["y"] >= 0
            assert picture["y"] + picture["height"] < height


def test_both_languages_say_the_same_things(hand: Hand) -> None:
    hand.open()
    words = hand.page.evaluate(
        """async () => ({
            en: (await import("/page/words/en.js")).default,
            ru: (await import("/page/words/ru.js")).default,
        })"""
    )
    assert words["en"].keys() == words["ru"].keys()

    def places(sentence: str) -> set[str]:
        return set(re.findall(r"\{\w+\}", sentence))

    for key in words["en"].keys() - {"colors"}:
        assert places(words["en"][key]) == places(words["ru"][key]), key
    named = set(words["ru"]["colors"])
    assert named >= {
        s["phrase"]
        for s in hand.page.evaluate("() => fetch('/start').then((a) => a.json())")["swatches"]
    }
    for source in (*DESIGNER.rglob("*.py"), *DESIGNER.rglob("*.js")):
        for code in re.findall(r"Fault\(\s*\"(\w+)\"", source.read_text(encoding="utf-8")):
            assert f"f_{code}" in words["en"], f"{source.name} says {code}"


def test_the_language_and_the_appearance_are_kept(new_hand: OpenHand) -> None:
    hand = new_hand(locale="de")
    hand.open("#c=red:100&seed=7")
    page = hand.page
    page.get_by_role("button", name="По-русски").click()
    expect(page.get_by_role("heading", name="Смесь")).to_be_visible()
    page.get_by_role("button", name="Оформление: как в системе").click()
    page.get_by_role("button", name="Оформление: светлое").click()
    page.reload()
    hand.drawn()
    expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert list(hand.shares()) == ["красный"]
    page.get_by_role("button", name="Убрать: красный").click()
    expect(hand.told()).to_contain_text("Цвет всего один")
