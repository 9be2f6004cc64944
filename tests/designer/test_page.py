# ruff: noqa: RUF001 - Cyrillic is meant
"""The designer's page, driven in a real browser."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from plitka import pipeline
from plitka.engines.procedural import RenderEngine
from plitka.images.png import TEXT_KEY, encode_png
from tests.conftest import OpenHand
from tests.support.designer import DASH, DRAWN_MS, Hand
from tests.support.recipes import parse

THREE = "#c=red:50,blue:30,white:20&angle=45&seed=7"
GRAY = np.full((8, 8, 3), 128, np.uint8)


def request_in(file: Path) -> dict[str, Any]:
    with Image.open(file) as picture:
        found: dict[str, Any] = json.loads(picture.info[TEXT_KEY])["request"]
    return found


def drawn_by_the_program(request: dict[str, Any]) -> bytes:
    making = pipeline.make(parse(json.dumps(request)), RenderEngine())
    final = next(made for made in making if made.kind == "final")
    return encode_png(final.image, final.record)


def test_three_colors_are_mixed_while_the_picture_and_its_shares_follow(hand: Hand) -> None:
    hand.open("#c=red:100&seed=7")
    first = hand.page.locator("#picture").screenshot()
    hand.add("blue")
    hand.add("white")
    assert hand.shares() == {"red": 34, "blue": 33, "white": 33}
    hand.drawn()
    assert hand.page.locator("#picture").screenshot() != first
    hand.slide("red", 70)
    hand.drawn()
    shares = hand.shares()
    assert shares["red"] == pytest.approx(70, abs=2)
    assert sum(shares.values()) == pytest.approx(100)
    assert shares["blue"] == pytest.approx(shares["white"], abs=1)
    assert hand.shown() == pytest.approx(shares, abs=4)


def test_a_row_tells_what_the_tile_shows_and_what_a_stranger_measures(hand: Hand) -> None:
    hand.open(THREE)
    for row, share in zip(hand.page.locator("#rows .shares").all(), (50, 30, 20), strict=True):
        shown, measured = row.locator("span").all_inner_texts()
        found = re.fullmatch(r"shows ([\d.]+)%", shown)
        assert found is not None
        assert float(found[1]) == pytest.approx(share, abs=0.3)
        assert re.fullmatch(rf"measured [\d.]+% \(\d+{DASH}\d+%\)", measured)
    expect(hand.page.locator("#measured-note")).to_contain_text("counted granule by granule")
    expect(hand.page.locator("#groups")).to_be_hidden()


def test_look_alikes_show_their_shares_and_are_not_told_apart_by_a_stranger(hand: Hand) -> None:
    hand.open("#c=white:60,pearl:40&angle=0&seed=7")
    assert hand.shown() == pytest.approx({"white": 60, "pearl": 40}, abs=0.2)
    rows = hand.page.locator("#rows .shares")
    expect(rows.first).to_have_text(
        re.compile(rf"^shows 60%measured \d+{DASH}\d+%, not told apart$")
    )
    groups = hand.page.locator("#groups")
    expect(groups).to_have_text("white + pearl: not told apart, 100% together.")
    expect(hand.page.locator("#caption")).to_contain_text("shares as asked for")
    hand.page.get_by_role("button", name="По-русски").click()
    expect(groups).to_have_text("белый + жемчужный: не различить, вместе 100 %.")


SAID = """async (shown) => {
    const { groupsOf, measuredOf, offBy } = await import("/page/shown.js");
    const asked = [["white", 30], ["Pearl", 20], ["red", 50]];
    const colors = asked.map(([name, share]) => ({ name, share }));
    const measured = colors.map((color) => measuredOf(shown, color));
    return [...measured, groupsOf(shown), offBy({ colors, whole: 100 }, shown)];
}"""
MEASURED = {"white": 0.5, "pearl": 0.0, "red": 0.5}
FOUND = {
    "shares": MEASURED,
    "counted": False,
    "measured": MEASURED,
    "intervals": {"white": [0.19, 0.544], "pearl": [0, 0.3], "red": [0.468, 0.521]},
    "groups": [["white", "pearl"]],
}
COUNTED = {**FOUND, "shares": {"white": 0.32, "pearl": 0.18, "red": 0.5}, "counted": True}


def test_colors_that_are_not_told_apart_are_said_to_be_and_count_as_one(hand: Hand) -> None:
    hand.open(THREE)
    told = [f"19{DASH}55%, not told apart", f"0{DASH}30%, not told apart", f"50% (46{DASH}53%)"]
    together = "white + pearl: not told apart, 50% together."
    assert hand.page.evaluate(SAID, FOUND) == [*told, together, "shares as asked for"]
    assert hand.page.evaluate(SAID, COUNTED)[-1] == "shares off by 2 points in all"
    apart = hand.page.evaluate(SAID, {**FOUND, "groups": []})
    assert apart[:2] == [f"50% (19{DASH}55%)", f"0% (0{DASH}30%)"]
    assert apart[3:] == ["", "shares off by 20 points in all"]


def test_a_picture_of_an_older_server_shows_what_it_measured(hand: Hand) -> None:
    hand.open(THREE)
    old = {**FOUND, "intervals": {}, "groups": []}
    assert hand.page.evaluate(SAID, old)[:2] == ["50%", "0%"]


def test_a_hand_that_lets_go_before_anything_is_drawn_gets_the_final_picture(hand: Hand) -> None:
    hand.open(THREE)
    hand.page.locator("#rows input[type=range]").first.evaluate(
        """(slider) => {
            slider.value = 70;
            slider.dispatchEvent(new Event("input"));
            slider.dispatchEvent(new Event("change"));
        }"""
    )
    hand.drawn()
    assert hand.shares()["red"] == 70


def test_a_button_that_is_held_while_texts_arrive_still_saves(hand: Hand) -> None:
    hand.open(THREE)
    held: list[Route] = []
    hand.page.route("**/recipe", lambda route: held.append(route))
    hand.page.locator("#open-share").click()
    button = hand.page.get_by_role("button", name="Preview, 512 px", exact=True)
    button.hover()
    hand.page.mouse.down()
    with hand.page.expect_response("**/recipe"):
        held[0].continue_()
    expect(hand.page.locator("#code")).not_to_have_value("")
    with hand.page.expect_download(timeout=DRAWN_MS) as waiting:
        hand.page.mouse.up()
    assert waiting.value.suggested_filename == "plitka-red50-blue30-white20-7-preview.png"
    assert request_in(waiting.value.path())["angle"] == 45


def test_a_locked_share_stays_while_others_make_room(hand: Hand) -> None:
    hand.open(THREE)
    hand.page.get_by_role("button", name="Lock the share of blue").click()
    hand.slide("red", 60)
    hand.drawn()
    shares = hand.shares()
    assert shares["blue"] == 30
    assert sum(shares.values()) == pytest.approx(100)
    assert shares["white"] == pytest.approx(70 - shares["red"])
    expect(hand.slider("blue")).to_be_disabled()
    hand.page.get_by_role("button", name="Lock the share of white").click()
    before = hand.shares()
    hand.slide("red", 20)
    expect(hand.told()).to_contain_text("All other colours are locked")
    assert hand.shares() == before


def test_shares_add_up_to_100_whatever_is_done_to_them(hand: Hand) -> None:
    hand.open(THREE)
    broken = hand.page.evaluate(
        """async () => {
            const mix = await import("/page/mix.js");
            let state = 1;
            const below = (most) => (state = (state * 48271) % 2147483647) % most;
            const tenths = (color) => color.share * 10;
            const isTenths = (tenth) => Math.abs(tenth - Math.round(tenth)) < 1e-9;
            const right = (color) =>
                color.share >= 0 && color.share <= 100 && isTenths(tenths(color));
            let colors = [{ name: "first", share: 100, locked: false }];
            const broken = [];
            for (let turn = 0; turn < 5000; turn += 1) {
                let held = colors.filter((color) => color.locked);
                const place = below(colors.length);
                const others = colors.filter((_, other) => other !== place);
                const deed = ["add", "remove", "lock", "move", "even"][below(5)];
                if (deed === "add" && colors.length < 8) {
                    colors = mix.added(colors, { name: `${turn}` });
                } else if (deed === "remove" && others.length > 0) {
                    // Where all others are locked they have to take its share all the same.
                    if (others.every((color) => color.locked)) held = [];
                    held = held.filter((color) => others.includes(color));
                    colors = mix.removed(colors, place);
                } else if (deed === "lock") {
                    colors[place] = { ...colors[place], locked: !colors[place].locked };
                } else if (deed === "move") {
                    colors = mix.moved(colors, place, below(1001) / 10);
                } else if (deed === "even" && colors.some((color) => !color.locked)) {
                    colors = mix.even(colors);
                }
                const sum = Math.round(colors.reduce((all, color) => all + tenths(color), 0));
                const now = new Map(colors.map((color) => [color.name, color.share]));
                const kept = held.every((color) => now.get(color.name) === color.share);
                if (sum !== 1000 || !kept || !colors.every(right))
                    broken.push([turn, deed, colors]);
            }
            return broken.slice(0, 3);
        }"""
    )
    assert broken == []


def test_a_share_passes_through_nothing_and_comes_back(hand: Hand) -> None:
    hand.open("#c=red:50,blue:30,white:20&seed=7")
    box = hand.slider("red").bounding_box()
    assert box is not None
    middle, height = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    hand.page.mouse.move(middle, height)
    hand.page.mouse.down()
    hand.page.mouse.move(box["x"] + box["width"], height, steps=4)
    assert hand.shares() == {"red": 100, "blue": 0, "white": 0}
    hand.page.mouse.move(middle, height, steps=4)
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}
    hand.page.mouse.up()


def test_a_link_opens_the_same_bytes_for_somebody_else(hand: Hand, new_hand: OpenHand) -> None:
    hand.open(THREE)
    hand.slide("blue", 40)
    hand.page.get_by_role("button", name="Draw another seed").click()
    hand.drawn()
    other = new_hand()
    other.page.goto(hand.page.url)
    other.drawn()
    mine, theirs = hand.save("Final, 1024 px"), other.save("Final, 1024 px")
    assert mine.read_bytes() == theirs.read_bytes()
    assert mine.read_bytes() == drawn_by_the_program(request_in(mine))
    assert other.shares() == hand.shares()


def test_undo_and_redo_go_through_all_changes(hand: Hand) -> None:
    hand.open(THREE)
    hand.add("black")
    hand.page.get_by_role("button", name="90°").click()
    changed = hand.page.url
    hand.page.get_by_role("button", name="Undo").click()
    hand.page.keyboard.press("Control+z")
    hand.drawn()
    assert hand.page.url.endswith(THREE)
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}
    expect(hand.page.get_by_role("button", name="Undo")).to_be_disabled()
    hand.page.keyboard.press("Control+Shift+z")
    hand.page.get_by_role("button", name="Redo").click()
    assert hand.page.url == changed


def test_a_downloaded_picture_dropped_on_the_page_brings_its_recipe_back(hand: Hand) -> None:
    link = "#c=dark+green:33.3,~1e90ff:66.7&angle=12.5&seed=4294967295&quality=high"
    hand.open(link + "&overrides=" + '{"negative_prompt":"тень %26"}')
    full = hand.page.url
    saved = hand.save("Final, 1024 px").read_bytes()
    hand.page.get_by_role("button", name=re.compile("^Start from Night")).click()
    hand.drawn()
    assert hand.page.url != full
    hand.drop("tile.png", saved)
    expect(hand.told()).to_contain_text("is back")
    hand.drawn()
    assert hand.page.url == full
    assert hand.save("Final, 1024 px").read_bytes() == saved


@pytest.mark.long
def test_a_picture_whose_shares_are_fractions_comes_back_to_the_byte(hand: Hand) -> None:
    request = {
        "colors": [{"name": "red", "proportion": 1 / 3}, {"hex": "#0aF", "proportion": 2 / 3}]
    }
    made = drawn_by_the_program({**request, "seed": 3})
    hand.open()
    hand.page.locator("#file").set_input_files(
        {"name": "tile.png", "mimeType": "image/png", "buffer": made}
    )
    expect(hand.told()).to_contain_text("is back")
    hand.drawn()
    assert hand.shares() == {"red": 33.3, "#00aaff": 66.7}
    assert hand.save("Final, 1024 px").read_bytes() == made


FORGED = {
    "#c=red:50,blue:20": "add up to 70",
    "#c=blurple:100": "blurple",
    "#c=%F0%9F%92%A3:1e999,,:&angle=nan&seed=-7&quality=<b>": "colors[0]",
    "#c=red:100&overrides={": "damaged",
    "#c=red:100&overrides=[1]": "overrides",
    "#c=red:100&colours=2": "unknown key",
    "#params_json=%00": "no recipe",
    "#c=" + "red:1," * 99: "1 to 8 colours",
}


def test_forged_links_are_answered_in_words_and_the_page_lives(hand: Hand) -> None:
    hand.open("?c=red:50,blue:20")
    expect(hand.told()).to_contain_text("The link holds no recipe")
    for link, words in FORGED.items():
        hand.page.evaluate("(link) => { location.hash = link; }", link)
        expect(hand.told()).to_contain_text("link")
        expect(hand.told()).to_contain_text(words)
        hand.page.get_by_role("button", name="Dismiss").click()
    hand.add("black")
    hand.drawn()
    assert "black" in hand.shares()
    expect(hand.told()).to_be_empty()
    hand.page.evaluate("(link) => { location.hash = link; }", THREE)
    hand.drawn()
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}


def test_wrong_files_are_answered_in_words(hand: Hand) -> None:
    bare = io.BytesIO()
    Image.fromarray(GRAY).save(bare, "PNG")
    wrong = {
        b"GIF89a": "is no PNG",
        b"": "is no PNG",
        bare.getvalue(): "carries no recipe",
        bare.getvalue()[:40]: "damaged",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40: "damaged",
        encode_png(GRAY, {"request": {"colors": []}}): "1 to 8 colours",
        encode_png(GRAY, {"request": "of old"}): "cannot be read",
    }
    hand.open(THREE)
    for content, words in wrong.items():
        hand.drop("x.png", content)
        expect(hand.told()).to_contain_text(words)
        hand.page.get_by_role("button", name="Dismiss").click()
        expect(hand.told()).to_be_empty()
    assert hand.shares() == {"red": 50, "blue": 30, "white": 20}


@pytest.mark.long
def test_two_people_at_one_server_see_their_own_tiles(hand: Hand, new_hand: OpenHand) -> None:
    other = new_hand()
    hand.open("#c=red:100&seed=5")
    other.open("#c=blue:100&seed=5")
    for step in (1, 2):
        hand.page.get_by_role("textbox", name="Laying angle").fill(str(10 * step))
        hand.page.keyboard.press("Enter")
        other.page.get_by_role("textbox", name="Seed").fill(str(step))
        other.page.keyboard.press("Enter")
    hand.drawn()
    other.drawn()
    for page, color in ((hand, "red"), (other, "blue")):
        saved = page.save("Final, 1024 px")
        assert [c["name"] for c in request_in(saved)["colors"]] == [color]
        assert saved.read_bytes() == drawn_by_the_program(request_in(saved))


def test_a_free_color_goes_by_its_hex(hand: Hand) -> None:
    hand.open("#c=red:100&seed=7")
    search = hand.page.get_by_role("searchbox")
    search.fill("#1E90FF")
    search.press("Enter")
    assert hand.shares() == {"red": 50, "#1e90ff": 50}
    search.fill("#12")
    search.press("Enter")
    expect(hand.told()).to_contain_text("no hex")
    search.fill("tur")
    expect(hand.page.locator("#swatches button")).to_have_text(["turquoise"])
    search.fill("бирюз")
    expect(hand.page.locator("#swatches button")).to_have_text(["turquoise"])
    search.fill("no such colour")
    expect(hand.page.locator("#found")).to_contain_text("No colour of this name")


def test_colors_and_recipes_are_read_as_a_request_reads_them(hand: Hand) -> None:
    hand.open("#c=red:100&seed=7")
    search = hand.page.get_by_role("searchbox")
    search.fill("RAL 5010")
    search.press("Enter")
    expect(hand.told()).to_contain_text("“RAL 5010” is #004f7c; nearest in the palette: blue, ")
    assert hand.shares() == {"red": 50, "#004f7c": 50}
    expect(search).to_have_value("")  # nor is it said any more that there is no such colour
    expect(hand.page.locator("#found")).to_be_empty()
    expect(hand.page.get_by_role("button", name="Add blue", exact=True)).to_be_visible()
    search.fill("60% чёрного, 40% песочного, 45 градусов, сид 7")
    search.press("Enter")
    expect(hand.told()).to_contain_text("The recipe is open.")
    assert hand.shares() == {"black": 60, "sand": 40}
    assert "angle=45&seed=7" in hand.page.url
    search.fill("60% light blue")
    search.press("Enter")
    expect(hand.told()).to_contain_text("Something in this recipe is wrong.")
    expect(hand.told()).to_contain_text('Nearest by colour: "sky blue"')
    assert hand.shares() == {"black": 60, "sand": 40}


def test_what_enter_would_read_is_said_while_it_is_typed(hand: Hand) -> None:
    hand.open("#c=red:100&seed=7")
    hand.page.get_by_role("button", name="По-русски").click()
    search, found = hand.page.get_by_role("searchbox"), hand.page.locator("#found")
    search.fill("60% чёрный, 25% серый, 15% кра")
    expect(found).to_have_text("Допишите рецепт и нажмите Enter: 60% чёрный, 40% белый.")
    search.fill("60% чёрный, 25% серый, 15% красный")
    expect(found).to_have_text("Нажмите Enter: рецепт из 3 цветов.")
    search.fill("100% чёрный")
    expect(found).to_have_text("Нажмите Enter: рецепт из одного цвета.")
    search.fill("navy")
    expect(found).to_have_text("Нажмите Enter: navy — это #000080.")
    search.fill("чёрн")
    expect(found).to_have_text("Найдено: 1")


def test_a_recipe_that_is_wrong_is_told_in_russian_until_somebody_goes_on(hand: Hand) -> None:
    hand.open("#c=red:100&seed=7")
    hand.page.get_by_role("button", name="По-русски").click()
    search, told = hand.page.get_by_role("searchbox"), hand.told()
    wrong = "60% чёрный, 60% белый"

    def ask() -> None:
        search.fill(wrong)
        search.press("Enter")
        expect(told).to_contain_text("В рецепте ошибка.")
        expect(told).to_contain_text("Доли дают в сумме 120 %")

    ask()
    search.fill(f"{wrong}, 5% красный")
    expect(told).to_be_empty()
    ask()
    hand.page.get_by_role("textbox", name="Площадь").first.fill("45 м2")
    expect(told).to_be_empty()
    ask()
    hand.page.locator("#open-share").click()
    expect(told).to_be_empty()
    hand.page.keyboard.press("Escape")
    ask()
    hand.page.get_by_role("button", name="In English").click()
    expect(told).to_be_empty()


def test_a_recipe_is_pasted_on_the_page_and_into_the_search(hand: Hand) -> None:
    hand.open("#c=red:100&seed=7")
    paste = """([selector, text]) => {
        const carried = new DataTransfer();
        carried.setData("text/plain", text);
        const event = { clipboardData: carried, bubbles: true, cancelable: true };
        document.querySelector(selector).dispatchEvent(new ClipboardEvent("paste", event));
    }"""
    pasted = '{"colors": [{"name": "navy", "proportion": "100%"}], "seed": 3}'
    hand.page.evaluate(paste, ["main", pasted])
    expect(hand.page.locator("#rows .name")).to_have_text(["#000080"])
    hand.page.evaluate(paste, ["#search", "70% white\n30% blue\nseed 5"])
    expect(hand.page.locator("#rows .name")).to_have_text(["white", "blue"])
    assert hand.shares() == {"white": 70, "blue": 30}
    assert "seed=5" in hand.page.url


def test_eight_colors_are_the_most(hand: Hand) -> None:
    hand.open("#c=" + ",".join(f"~0{n}0{n}0{n}:12.5" for n in range(8)) + "&seed=1")
    hand.add("white")
    expect(hand.told()).to_contain_text("up to 8 colours")
    assert len(hand.shares()) == 8


def test_a_scene_and_the_map_show_the_tile(hand: Hand) -> None:
    hand.open(THREE)
    hand.page.get_by_role("radio", name="Scene").check()
    hand.drawn("scene")
    expect(hand.page.locator("#picture")).to_have_attribute(
        "aria-label", re.compile("scene.*50% red")
    )
    expect(hand.page.locator("#caption")).to_have_text("Room, in true scale")
    scene = Image.open(hand.save("Scene"))
    assert (scene.format, scene.width) == ("JPEG", 1600)
    hand.page.get_by_role("radio", name="Gym").check()
    hand.current()
    expect(hand.page.locator("#caption")).to_have_text("Gym, in true scale")
    hand.page.get_by_role("radio", name="Map").check()
    hand.drawn("colormap")
    hand.page.get_by_role("radio", name="Tile").check()
    hand.drawn()


def test_at_100_percent_a_pixel_of_the_picture_is_a_pixel_of_the_screen(new_hand: OpenHand) -> None:
    hand = new_hand(device_scale_factor=2, viewport={"width": 1000, "height": 700})
    hand.open(THREE)
    hand.page.get_by_role("button", name="Show at 100%").click()
    box = hand.page.locator("#picture").bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (512, 512)
    hand.page.get_by_role("button", name="Show at 100%").click()
    smaller = hand.page.locator("#picture").bounding_box()
    assert smaller is not None
    assert smaller["height"] < 700


def test_texts_to_share_are_requests_for_this_tile(hand: Hand) -> None:
    hand.open(THREE)
    hand.page.locator("#open-share").click()
    code = hand.page.get_by_role("textbox", name="For programs")
    expect(code).not_to_have_value("")
    asked = parse(code.input_value())
    assert [(part.name, part.share) for part in asked.shares] == [
        ("red", 0.5), ("blue", 0.3), ("white", 0.2),
    ]  # fmt: skip
    for tab, word in (
        ("cog predict", "cog predict -i"),
        ("curl", "curl -s"),
        ("Python", "replicate.run"),
    ):
        hand.page.get_by_role("tab", name=tab, exact=True).click()
        expect(code).to_have_value(re.compile(re.escape(word)))
    expect(hand.page.get_by_role("textbox", name="Link")).to_have_value(hand.page.url)


def test_finer_settings_travel_and_wrong_ones_are_told(hand: Hand) -> None:
    hand.open(THREE)
    hand.page.get_by_text("Finer settings").click()
    guidance = hand.page.get_by_label("Guidance")
    guidance.fill("99")
    guidance.press("Enter")
    expect(hand.told()).to_contain_text("a number from 1 to 20")
    guidance.fill("7,5")
    guidance.press("Enter")
    hand.page.get_by_label("ControlNet", exact=True).select_option("off")
    hand.page.get_by_role("radio", name="High").check()
    hand.drawn()
    asked = request_in(hand.save("Preview, 512 px"))
    assert asked["overrides"] == {"guidance_scale": 7.5, "use_controlnet": False}
    assert asked["quality"] == "high"


CHANGE = """async (numbers) => {
    const picture = document.querySelector("#picture");
    const angle = document.querySelector("#angle");
    const slider = document.querySelector("#rows input[type=range]");
    const frame = () => new Promise(requestAnimationFrame);
    for (const number of numbers) {
        const before = picture.dataset.of;
        angle.value = Math.floor(number / 25) * 10;
        if (number % 25 === 0) angle.dispatchEvent(new Event("change"));
        slider.value = 1 + ((number * 7) % 98);
        slider.dispatchEvent(new Event("input"));
        if (number % 25 === 24) slider.dispatchEvent(new Event("change"));
        while (picture.dataset.of === before) await frame();
    }
}"""


def held(process: psutil.Process) -> int:
    """Bytes that a process has for itself alone."""
    return int(process.memory_full_info().uss)


@pytest.mark.long
def test_memory_is_flat_over_200_changes(hand: Hand) -> None:
    """Of the server, and of the page: Chromium keeps the pixels of all pictures of an <img>."""
    server = psutil.Process(hand.designer.process.pid)

    def page() -> int:
        own = psutil.Process().children(recursive=True)
        return max(held(one) for one in own if "--type=renderer" in one.cmdline())

    hand.open(THREE)
    hand.page.evaluate(CHANGE, list(range(100)))  # all that is kept is full
    hand.drawn()
    before = held(server), page()
    hand.page.evaluate(CHANGE, list(range(100, 200)))
    hand.drawn()
    assert held(server) - before[0] < 60 * 2**20
    assert page() - before[1] < 60 * 2**20
