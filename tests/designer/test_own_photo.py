"""One's own photo on the page: chosen, its corners dragged, its floor laid, saved."""

import io
import json

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.support.designer import Designer, Hand

RECIPE = {"colors": [{"name": "red", "proportion": 100}], "seed": 7}
ASKED = {
    "recipe": RECIPE,
    "corners": [[0.3, 0.4], [0.7, 0.4], [1.0, 1.0], [0.0, 1.0]],
    "sides": [4, 3],
    "pattern": 0.2,
    "brightness": 1,
}


def photo() -> bytes:
    """A gray floor below a white wall, 600 by 400."""
    picture = np.full((400, 600, 3), 240, np.uint8)
    picture[150:] = 120
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=92)
    return file.getvalue()


def is_red(picture: Image.Image, x: float, y: float) -> bool:
    left, top = int(x * picture.width), int(y * picture.height)
    mean = np.asarray(picture.crop((left - 9, top - 9, left + 9, top + 9)), float).mean((0, 1))
    return bool(mean[0] > 1.4 * mean[1])


def test_a_floor_is_laid_where_the_corners_are_dragged(hand: Hand) -> None:
    hand.open("#c=red:100&seed=7")
    hand.page.get_by_role("radio", name="My floor").check()
    expect(hand.page.locator(".photo-invite")).to_contain_text("stays on this machine")
    hand.page.locator("#photo-file").set_input_files(
        {"name": "floor.jpg", "mimeType": "image/jpeg", "buffer": photo()}
    )
    hand.drawn("own")
    corner = hand.page.get_by_role("button", name="Corner 1, far left")
    box = corner.bounding_box()
    layer = hand.page.locator(".photo-layer").bounding_box()
    assert box is not None
    assert layer is not None
    hand.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    hand.page.mouse.down()
    hand.page.mouse.move(layer["x"] + 0.1 * layer["width"], layer["y"] + 0.45 * layer["height"])
    hand.page.mouse.up()
    expect(hand.page.get_by_role("button", name="Corner 1, far left: 10%")).to_be_focused()
    hand.page.keyboard.press("Shift+ArrowRight")
    expect(hand.page.get_by_role("button", name="Corner 1, far left: 12%")).to_be_focused()
    hand.page.mouse.move(*hand.middle(hand.page.get_by_role("button", name="Corner 4, near left")))
    hand.page.mouse.down()
    hand.page.mouse.move(layer["x"], layer["y"] + layer["height"])
    hand.page.mouse.up()
    assert hand.page.locator(".photo-layer").bounding_box() == layer  # not scrolled off the photo
    hand.current()
    with Image.open(hand.save("My photo with the floor")) as saved:
        assert (saved.format, saved.size) == ("JPEG", (600, 400))
        assert is_red(saved, 0.2, 0.55)  # where no floor was before the corner was dragged
        assert not is_red(saved, 0.05, 0.45)
        assert not is_red(saved, 0.5, 0.2)


def test_a_photo_comes_back_without_what_its_file_says(designing: Designer) -> None:
    tags = Image.Exif()
    tags[0x010F], tags[0x0112] = "A camera", 6
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "gray").save(file, "JPEG", exif=tags.tobytes())
    answer = httpx.post(designing.url + "own-photo", content=file.getvalue())
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert b"A camera" not in answer.content
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == (40, 60)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"corners": [[0, 0], [1, 1], [1, 0], [0, 1]]}, "own_corners"),
        ({"corners": [[0, 0]]}, "own_corners"),
        ({"corners": [[0, 0], [1, None], [1, 1], [0, 1]]}, "own_broken"),
        ({"sides": [4, 1e9]}, "own_sides"),
        ({"sides": "4x3"}, "own_broken"),
        ({"outline": [[0, 0], [1, 1]]}, "own_outline"),
        ({"holes": [[[0, 0]] * 5000]}, "own_outline"),
        ({"pattern": 0}, "own_broken"),
        ({"brightness": 1e300}, "own_broken"),
        ({"recipe": {"colors": []}}, "recipe"),
        ({"recipe": "red"}, "own_broken"),
    ],
)
def test_a_wrong_floor_is_told_by_name(
    wrong: dict[str, object], fault: str, designing: Designer
) -> None:
    body = json.dumps({**ASKED, **wrong}).encode() + b"\n" + photo()
    answer = httpx.post(designing.url + "own-photo/laid", content=body)
    assert (answer.status_code, answer.json()["fault"]) == (422, fault)
