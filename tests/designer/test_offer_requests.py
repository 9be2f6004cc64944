"""What the page asks of offers, asked directly."""

import base64
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.support.designer import Designer

RECIPE = {"colors": [{"name": "red", "proportion": 60}, {"name": "sand", "proportion": 40}]}


def ask(designing: Designer, path: str, **fields: Any) -> httpx.Response:
    body = {"recipe": RECIPE | {"angle": 45, "seed": 7}, "language": "en"} | fields
    return httpx.post(designing.url + path, content=json.dumps(body), timeout=60)


def test_kilograms_follow_the_mix_and_the_figures(designing: Designer) -> None:
    answer = ask(designing, "order", order={"area": "120", "density": "950"}).json()
    assert [one["kg"] for one in answer["order"]["colors"]] == [718.2, 478.8]
    assert answer["names"] == {"red": "Red", "sand": "Sand"}
    assert ask(designing, "order", order={}).json()["order"] is None


def test_an_offer_is_saved_under_the_name_of_its_mix_and_opens_again(designing: Designer) -> None:
    answer = ask(designing, "offer.html", date="2026-11-30")
    named = answer.headers["content-disposition"]
    assert named == 'attachment; filename="plitka-red60-sand40.html"'
    opened = httpx.post(designing.url + "dropped", content=answer.content).json()
    assert opened["recipe"] == RECIPE | {"angle": 45, "quality": "standard", "seed": 7}
    table = ask(designing, "order.csv", order={"area": 120}, language="ru")
    assert table.text.splitlines()[0].count(";") == 10


def test_a_logo_comes_back_as_a_small_png(designing: Designer) -> None:
    file = io.BytesIO()
    Image.new("RGB", (2000, 500), "navy").save(file, "JPEG")
    answer = httpx.post(designing.url + "logo", content=file.getvalue()).json()
    with Image.open(io.BytesIO(base64.b64decode(answer["logo"]))) as logo:
        assert (logo.format, logo.size) == ("PNG", (640, 160))


@pytest.mark.parametrize(
    ("path", "fields", "fault"),
    [
        ("order", {"order": {"area": "much"}}, "order"),
        ("order", {"order": {"area": 5, "densities": {"red": 1}}}, "order"),
        ("order.csv", {}, "order"),
        ("offer.pdf", {"language": "de"}, "offer"),
        ("offer.html", {"recipe": {"colors": []}}, "recipe"),
        ("offer.html", {"company": {"logo": "AAAA"}}, "logo"),
    ],
)
def test_what_is_wrong_has_a_name(
    path: str, fields: dict[str, Any], fault: str, designing: Designer
) -> None:
    answer = ask(designing, path, **fields)
    assert (answer.status_code, answer.json()["fault"]) == (422, fault)


@pytest.mark.parametrize(
    ("content", "status", "fault"),
    [
        (b"<!DOCTYPE html><p>An offer", 400, "offer_recipe_missing"),
        (b"<html><script id=plitka-recipe>{}</script>", 400, "offer_recipe_broken"),
        (
            b'<html><script id=plitka-recipe>{"request": {"colors": []}}</script>',
            422,
            "offer_recipe_refused",
        ),
        (b"<html>" + b" " * 2**24, 413, "picture_large"),
    ],
    ids=["no recipe", "broken", "refused", "large"],
)
def test_a_page_that_is_no_offer_is_refused(
    content: bytes, status: int, fault: str, designing: Designer
) -> None:
    answer = httpx.post(designing.url + "dropped", content=content)
    assert (answer.status_code, answer.json()["fault"]) == (status, fault)
