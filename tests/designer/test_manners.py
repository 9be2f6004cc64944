"""How the page behaves under a hand: sliders, fields, palette, notices, dialogs, busy states."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.conftest import OpenHand
from tests.designer.test_access import EIGHT, PHONE
from tests.support.designer import Hand
from tests.support.designer_walk import find_violations

THREE = "#c=red:50,blue:30,white:20&angle=45&seed=7"
EQUAL = "#c=red:34,blue:33,white:33&angle=0&seed=7"


def field(color: str) -> str:
    return f'#rows [aria-label="Share of {color}, in percent"]'


def type_share(hand: Hand, color: str, share: str) -> None:
    hand.page.fill(field(color), share)
    hand.page.keyboard.press("Tab")


def test_shares_that_are_typed_stay_what_was_typed(hand: Hand) -> None:
    hand.ready(EQUAL)
    for color, share in (("red", "50"), ("blue", "30"), ("white", "20")):
        type_share(hand, color, share)
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}
    expect(hand.told()).to_be_empty()
    hand.add("black")  # all are typed: all make room
    assert hand.shares() == {"red": 38, "blue": 22, "white": 15, "black": 25}
    type_share(hand, "red", "40")
    type_share(hand, "blue", "40")
    type_share(hand, "white", "30")
    expect(hand.told()).to_contain_text("had to make room: red 35%, blue 35%")
    assert hand.shares() == {"red": 35, "blue": 35, "white": 30, "black": 0}


def test_undo_in_a_share_field_drops_what_was_typed_or_else_the_last_change(hand: Hand) -> None:
    hand.ready(THREE)
    type_share(hand, "red", "60")
    after = hand.shares()
    hand.page.fill(field("red"), "9")
    hand.page.keyboard.press("Control+z")
    assert hand.shares() == after
    hand.page.keyboard.press("Control+z")
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}
    hand.page.keyboard.press("Tab")
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}


def touch(page: Page, path: list[tuple[float, float]]) -> None:
    """Put a finger down, move it along the path, lift it."""
    client = page.context.new_cdp_session(page)
    for kind, (x, y) in (
        ("touchStart", path[0]),
        *(("touchMove", place) for place in path[1:]),
    ):
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


# A panel that a finger threw rolls on for a while: hold it at its top until it stays there.
COME_TO_REST = """(panel) => new Promise((resolve) => {
  let still = 0;
  const look = () => {
    still = panel.scrollTop === 0 ? still + 1 : 0;
    panel.scrollTo(0, 0);
    if (still === 20) resolve();
    else requestAnimationFrame(look);
  };
  look();
})"""


def test_a_finger_that_scrolls_over_a_slider_changes_nothing_and_one_that_pulls_it_does(
    new_hand: OpenHand,
) -> None:
    hand = new_hand(**PHONE)
    hand.ready(THREE)
    box = hand.slider("red").bounding_box()
    assert box is not None
    x, y = box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2
    touch(hand.page, [(x, y)])
    touch(hand.page, [(x, y - 12 * step) for step in range(12)])
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}
    hand.page.locator("#panel").evaluate(COME_TO_REST)
    touch(hand.page, [(x - 8 * step, y) for step in range(12)])
    assert 15 < hand.shares()["red"] < 45


def test_the_boundaries_of_the_bar_are_moved_by_mouse_and_by_keys(hand: Hand) -> None:
    hand.ready(THREE)
    edge = hand.page.get_by_role("slider", name="Boundary between red and blue")
    box = hand.page.locator("#bar").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 10
    hand.page.mouse.move(x, y)
    hand.page.mouse.down()
    hand.page.mouse.move(x + box["width"] / 10, y, steps=3)
    hand.page.mouse.up()
    assert hand.shares() == {"red": 60, "blue": 20, "white": 20}
    edge.press("ArrowLeft")
    edge.press("PageDown")
    assert hand.shares() == {"red": 49, "blue": 31, "white": 20}
    expect(edge).to_have_attribute("aria-valuetext", "red 49%, blue 31%")
    hand.page.get_by_role("button", name="Lock the share of blue").click()
    edge.press("PageDown")
    assert hand.shares() == {"red": 49, "blue": 31, "white": 20}
    for _ in range(4):
        hand.page.keyboard.press("Control+z")
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}


def test_a_color_is_swapped_in_its_place_and_a_new_mix_begins_with_the_first_choice(
    hand: Hand,
) -> None:
    hand.ready(THREE)
    hand.page.get_by_role("button", name="Another colour in place of blue").click()
    hand.page.get_by_role("button", name="Put sand in place of blue").click()
    assert list(hand.shares().items()) == [("red", 50), ("sand", 30), ("white", 20)]
    hand.page.get_by_role("button", name="Another colour in place of sand").click()
    hand.page.get_by_role("button", name="Put red in place of sand").click()
    assert list(hand.shares().items()) == [("sand", 50), ("red", 30), ("white", 20)]
    hand.page.get_by_role("button", name="New mix").click()
    hand.page.keyboard.type("turq")
    hand.page.keyboard.press("Enter")
    assert hand.shares() == {"turquoise": 100}
    hand.page.get_by_role("button", name="Undo").click()
    hand.page.get_by_role("button", name="Undo").click()
    assert hand.shares() == {"sand": 50, "red": 30, "white": 20}


def test_the_palette_stays_under_the_pointer_and_keeps_the_focus(hand: Hand) -> None:
    hand.ready(THREE)
    top = "(one) => one.getBoundingClientRect().top"
    chip = hand.page.locator('#swatches [data-color="black"]')
    chip.scroll_into_view_if_needed()
    place = chip.evaluate(top)
    for count in (4, 3, 4, 3):
        hand.page.mouse.move(*hand.middle(chip))
        hand.page.mouse.down()
        hand.page.mouse.up()
        assert len(hand.shares()) == count
        assert chip.evaluate(top) == pytest.approx(place, abs=1)
        expect(chip).to_be_focused()


def test_focus_stays_in_the_finer_settings(hand: Hand) -> None:
    hand.ready(THREE)
    hand.page.get_by_text("Finer settings").click()
    hand.page.get_by_label("Guidance").fill("7")
    hand.page.keyboard.press("Tab")
    expect(hand.page.get_by_label("Strength")).to_be_focused()
    hand.page.get_by_label("ControlNet", exact=True).focus()
    hand.page.keyboard.press("ArrowDown")
    expect(hand.page.get_by_label("ControlNet", exact=True)).to_be_focused()
    hand.page.get_by_role("radio", name="Standard").press("ArrowRight")
    expect(hand.page.get_by_role("radio", name="High")).to_be_focused()


def test_a_picture_on_its_way_is_said_to_be_and_an_old_one_to_be_out_of_date(hand: Hand) -> None:
    hand.open(THREE)
    held: list[Route] = []
    hand.page.route("**/draft", lambda route: held.append(route))
    frame = hand.page.locator("#frame")
    hand.add("black")
    expect(frame).to_have_attribute("aria-busy", "true")
    expect(hand.page.locator("#busy")).to_have_text("Drawing…")
    held[0].abort()
    expect(frame).to_have_attribute("data-state", "stale")
    expect(hand.page.get_by_text("Out of date")).to_be_visible()
    expect(hand.told()).to_contain_text("does not answer")
    # The scene fails too; then the server is back. Try again brings both.
    hand.page.route("**/scene/**", lambda route: route.abort())
    hand.page.get_by_role("radio", name="Scene").check()
    expect(hand.told()).to_contain_text("does not answer")
    hand.page.unroute_all()
    hand.page.get_by_role("button", name="Try again").click()
    hand.drawn("scene")
    hand.page.get_by_role("radio", name="Tile").check()
    hand.drawn()
    expect(frame).to_have_attribute("data-state", "current")


def test_notices_can_be_reached_speak_the_language_and_offer_what_may_help(hand: Hand) -> None:
    hand.ready("#c=dark_green:50,blue:20")
    expect(hand.told()).to_contain_text("The link holds no recipe")
    expect(hand.page.get_by_role("button", name="Try again")).to_have_count(0)
    detail = hand.told().locator("pre")
    detail.focus()
    expect(detail).to_be_focused()
    hand.page.get_by_role("button", name="По-русски").click()
    expect(hand.told()).to_contain_text("ссылке нет рецепта")
    hand.page.get_by_role("button", name="In English").click()
    picture = hand.page.locator("#window").bounding_box()
    hand.page.get_by_role("button", name="Dismiss").click()
    assert hand.page.locator("#window").bounding_box() == picture


def test_names_are_shown_as_words_however_a_link_writes_them(hand: Hand) -> None:
    hand.ready("#c=dark_green:50,LTGRAY:30,white-green:20&seed=7")
    assert list(hand.shares()) == ["dark green", "light gray", "white-green"]
    expect(hand.page.locator("#rows .code")).to_have_text(["DKGREEN", "LTGRAY", "WHTGRN"])


def test_back_closes_the_dialog_and_notices_are_said_in_it(hand: Hand) -> None:
    hand.ready(THREE)
    dialog = hand.page.get_by_role("dialog")
    hand.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    hand.page.locator("#open-share").click()
    hand.page.locator("#copy-link").click()
    expect(dialog.get_by_role("alert")).to_contain_text("press Ctrl+C")
    hand.page.get_by_role("button", name="Dismiss").click()
    hand.page.go_back()
    expect(dialog).to_be_hidden()
    assert hand.page.url.endswith(THREE)
    hand.page.locator("#open-share").click()
    hand.page.keyboard.press("Escape")
    hand.page.wait_for_function("() => history.state === null")
    assert hand.page.url.endswith(THREE)
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}


SHIFT = """() => new Promise((told) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const shift of list.getEntries()) if (!shift.hadRecentInput) sum += shift.value;
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => told(sum))));
})"""


@pytest.mark.parametrize("settings", [{"viewport": {"width": 1440, "height": 900}}, PHONE])
def test_nothing_moves_while_the_page_loads(
    settings: dict[str, object], new_hand: OpenHand
) -> None:
    hand = new_hand(**settings)
    hand.open()
    assert "angle=0" in hand.page.url
    assert hand.page.evaluate(SHIFT) < 0.05


def colors_on_screen(hand: Hand, selector: str) -> set[tuple[int, ...]]:
    """The colours of a row of pixels through the middle of an element, as it is painted."""
    with Image.open(io.BytesIO(hand.page.locator(selector).first.screenshot())) as shot:
        row = shot.convert("RGB").crop((0, shot.height // 2, shot.width, shot.height // 2 + 1))
        values = row.tobytes()
        return {tuple(values[at : at + 3]) for at in range(0, len(values), 3)}


def test_the_mix_keeps_its_colors_in_forced_colors_and_on_paper(new_hand: OpenHand) -> None:
    hand = new_hand(forced_colors="active")
    hand.open(EIGHT)
    assert (0x1E, 0x90, 0xFF) in colors_on_screen(hand, "#bar")

    assert find_violations(hand.page) == []
    hand.page.emulate_media(media="print", forced_colors="none")
    expect(hand.page.locator("#print tbody tr")).to_have_count(8)
    expect(hand.page.locator("#print")).to_contain_text("#1e90ff")
    expect(hand.page.locator("#print")).to_contain_text(re.compile("45°, seed 7"))
    expect(hand.page.locator("button:visible, input:visible, select:visible")).to_have_count(0)
    assert find_violations(hand.page) == []


def test_variants_are_kept_named_ordered_and_compared(hand: Hand) -> None:
    hand.open("#c=red:100&angle=0&seed=7")
    page = hand.page
    page.get_by_role("button", name="Keep this mix").click()
    page.get_by_role("textbox", name="Name of Variant 1").fill("Court")
    page.keyboard.press("Enter")
    hand.add("blue")
    page.get_by_role("button", name="Keep this mix").click()
    page.get_by_role("button", name="Copy of Court").click()
    names = page.locator(".variant input")
    assert [one.input_value() for one in names.all()] == ["Court", "Copy of Court", ""]
    page.get_by_role("button", name="Move Variant 2 up").click()
    page.get_by_role("button", name="Move Variant 2 up").click()
    page.get_by_role("button", name="Remove Copy of Court").click()
    page.reload()  # they stay in the browser
    hand.drawn()
    assert [one.input_value() for one in names.all()] == ["", "Court"]
    thumbnail = page.get_by_role("button", name="Open Court").locator("canvas")
    assert thumbnail.evaluate("(one) => one.getContext('2d').getImageData(9, 9, 1, 1).data[3]")
    page.get_by_role("button", name="Compare the tile with Court").click()
    page.wait_for_selector(".compare:not(.waiting)")
    line = page.get_by_role("slider", name="Line between the tile and Court")
    expect(line).to_be_focused()
    reds = len(red_pixels(hand))
    line.press("Home")
    assert len(red_pixels(hand)) > reds
    assert find_violations(page) == []
    page.get_by_role("button", name="Open Court").click()
    assert hand.shares() == {"red": 100}
    page.get_by_role("button", name="Compare the tile with Court").click()
    expect(line).to_be_hidden()


def red_pixels(hand: Hand) -> list[int]:
    """The pixels of the stage's middle row that are more red than blue."""
    with Image.open(io.BytesIO(hand.page.locator("#window").screenshot())) as shot:
        row = shot.convert("RGB").crop((0, shot.height // 3, shot.width, shot.height // 3 + 1))
        pixels = np.asarray(row).astype(int).reshape(-1, 3)
    return [int(red) for red, _, blue in pixels if red > blue + 20]


COMPANY = "Название;Цвет;Код\nЛес;RAL 6002;F-12\nМоре;#1e90ff\nНечто;нет такого\n"  # noqa: RUF001


def test_ral_and_a_companys_colors_are_chosen_from_lists_with_their_nearest(hand: Hand) -> None:
    hand.ready("#c=red:100&angle=0&seed=7")
    page = hand.page
    code = page.locator("#rows .code")
    page.get_by_label("List of colours").select_option("ral")
    page.get_by_role("searchbox").fill("3020")
    page.get_by_role("button", name="Add RAL 3020").click()
    expect(code.last).to_have_text(re.compile(r"^RAL 3020, nearest: red, ΔE [\d.]+$"))
    page.get_by_role("searchbox").fill("")
    page.get_by_label("List of colours").select_option("own")
    page.locator("#own-file").set_input_files(
        {"name": "c.csv", "mimeType": "text/csv", "buffer": COMPANY.encode("cp1251")}
    )
    expect(page.locator("#list-faults")).to_have_text(re.compile("^Line 4: “нет такого” is no"))
    page.get_by_role("button", name="Add Лес").click()
    expect(code.last).to_have_text(re.compile(r"^Лес, F-12, nearest: .+, ΔE [\d.]+$"))
    assert find_violations(page) == []
    page.reload()
    page.get_by_label("List of colours").select_option("own")
    expect(page.locator("#swatches .name")).to_have_text(["Лес", "Море"])  # noqa: RUF001
    expect(code.last).to_have_text(re.compile("^Лес, F-12"))
