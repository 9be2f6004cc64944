"""Photographs from the designer's page: by Cog's real server, and what goes wrong."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from plitka.images.png import TEXT_KEY
from tests.conftest import OpenHand, StartServer
from tests.support.designer import DASH, designer
from tests.support.raw_server import raw_server, respond
from tests.support.replicate_api import replicate_api
from tests.support.small_sdxl import SmallSdxl

TILE = "#c=red:60,white:40&angle=0&seed=7&overrides="
PHOTO_MS = 60_000


def steps(preview: int, final: int, **over: float) -> str:
    return json.dumps(
        {"num_inference_steps_preview": preview, "num_inference_steps_final": final, **over}
    )


@pytest.mark.long
def test_a_photograph_by_a_cog_server_is_streamed_cancelled_and_taken_again(
    small_sdxl: SmallSdxl, start_server: StartServer, new_hand: OpenHand, tmp_path: Path
) -> None:
    server = start_server(**small_sdxl.settings(), PLITKA_ENGINE="sdxl")
    address = str(server.client.base_url)
    with designer(tmp_path, {"PLITKA_PHOTOGRAPH": address}) as running:
        hand = new_hand(at=running)
        hand.open(TILE + steps(2, 150, strength=1))
        page = hand.page
        page.get_by_role("button", name="Photograph", exact=True).click()
        expect(page.locator("#picture")).to_have_attribute(
            "data-view", "photograph", timeout=PHOTO_MS
        )
        expect(page.locator("#picture")).to_have_attribute("data-kind", "preview")
        expect(page.locator("#shooting-stage")).to_contain_text("of 150")
        page.get_by_role("button", name="Cancel").click()
        expect(hand.told()).to_contain_text("cancelled")
        expect(page.locator("#shooting")).to_be_hidden()
        server.wait_for("READY")

        hand.open(TILE + steps(2, 2))
        page.get_by_role("button", name="Photograph", exact=True).click()
        hand.drawn("preview")
        hand.drawn("final")
        expect(page.locator("#caption")).to_contain_text(re.compile("^Photograph, 1024 .*seed 7"))
        assert hand.shown() == pytest.approx({"red": 60, "white": 40}, abs=6)
        rows = page.locator("#rows .shares")
        expect(rows.first).to_have_text(re.compile(rf"^measured [\d.]+% \(\d+{DASH}\d+%\)$"))
        expect(page.locator("#measured-note")).to_contain_text("measured on the photograph")
        with Image.open(hand.save("Photograph")) as picture:
            assert json.loads(picture.info[TEXT_KEY])["engine"] == "sdxl"
        page.get_by_role("radio", name="Scene").check()
        hand.drawn("scene")
        hand.add("black")
        expect(page.get_by_role("radio", name="Photo")).to_have_count(0)


def test_where_nobody_takes_photographs_a_line_says_how_to_get_them(new_hand: OpenHand) -> None:
    hand = new_hand()
    hand.open("#c=red:100&seed=7")
    line = hand.page.locator("#no-photographer")
    expect(line).to_contain_text("No photographs here yet")
    expect(hand.page.locator("#take")).to_be_hidden()
    line.get_by_role("button").click()
    dialog = hand.page.get_by_role("dialog", name="Photographs")
    expect(dialog).to_contain_text("cannot be taken in this program")
    expect(dialog).to_contain_text("/absent: no such file")
    expect(dialog).to_contain_text("PLITKA_PHOTOGRAPH=http://")
    hand.page.keyboard.press("Escape")
    hand.page.set_viewport_size({"width": 390, "height": 844})
    expect(line).to_be_hidden()
    hand.page.locator("#more").click()
    expect(line).to_be_visible()


@pytest.mark.long
def test_a_server_that_is_down_is_told_in_words_and_found_when_it_is_up(
    new_hand: OpenHand, tmp_path: Path
) -> None:
    up = False

    def answer(_: bytes) -> list[bytes]:
        status = "READY" if up else "STARTING"
        return [respond(json.dumps({"status": status}).encode())]

    with raw_server(answer) as server:
        address = server.address.replace("://", "://user:secret@")
        with designer(tmp_path, {"PLITKA_PHOTOGRAPH": address}) as running:
            hand = new_hand(at=running)
            hand.open("#c=red:100&seed=7")
            page = hand.page
            page.get_by_role("button", name="How to get them").click()
            dialog = page.get_by_role("dialog", name="Photographs")
            expect(dialog).to_contain_text(f"{server.address} is not ready yet")
            up = True
            dialog.get_by_role("button", name="Look again").click()
            expect(dialog).to_be_hidden()
            expect(page.get_by_role("button", name="Photograph", exact=True)).to_be_visible()
            expect(page.locator("#no-photographer")).to_be_hidden()
            assert "secret" not in page.content()
            assert "secret" not in running.log.read_text(encoding="utf-8")

            running.process.terminate()
            running.process.wait()
            hand.add("white")
            expect(hand.told()).to_contain_text("The designer does not answer")
            expect(hand.told().get_by_role("button", name="Try again")).to_be_visible()
            assert "white" in hand.shares()


def test_a_token_that_is_refused_is_told_and_never_shown(
    new_hand: OpenHand, tmp_path: Path
) -> None:
    with replicate_api() as api:
        api.answers = [(401, {"detail": "Invalid token r8_secret."})]
        env = {
            "PLITKA_PHOTOGRAPH": "replicate:maker/tiles",
            "REPLICATE_API_TOKEN": "r8_secret",
            "REPLICATE_API_BASE_URL": api.address,
        }
        with designer(tmp_path, env) as running:
            hand = new_hand(at=running)
            hand.open("#c=red:100&seed=7")
            hand.page.get_by_role("button", name="Photograph", exact=True).click()
            expect(hand.told()).to_contain_text("maker/tiles refused the token")
            assert "r8_secret" not in hand.page.content()
            assert "r8_secret" not in running.log.read_text(encoding="utf-8")
            hand.add("white")
            hand.drawn()
