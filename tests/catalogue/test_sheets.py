"""The contact sheet in a browser, and the PDF."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from plitka.catalogue import contact_sheet, pdf_sheet
from plitka.catalogue.run import Entry

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE = "</script><script>document.title = 'taken'</script>"
HEXES = {"black": "#2e2e2e", "white": "#e2ded5", "red": "#c0392b", "blue": "#3456b0"}


def make_entry(number: int, name: str, asked: dict[str, float], variation: float = 0.0) -> Entry:
    tile = {
        "asked": asked,
        "colors": {color: HEXES[color] for color in asked},
        "total_variation": variation,
        "picture": "final",
        "request": {"angle": 45.0},
    }
    stem = f"T{number}"
    return Entry(number, name, stem, tile, (f"tiles/{stem}/final.png",), "", 1.0)


ENTRIES = [
    make_entry(2, "A10", {"red": 1.0}, 0.002),
    make_entry(3, "A2", {"white": 1.0}, 0.003),
    make_entry(4, HOSTILE, {"blue": 1.0}, 0.001),
    make_entry(5, "Ёлка", {"black": 0.6, "white": 0.4}, 0.004),
    Entry(6, "bad", "", None, (), "angle: got 400", None),
]


def read_thumbnail(stem: str) -> bytes:
    file = io.BytesIO()
    shade = 10 * int(stem[1:]) % 256
    Image.new("RGB", (16, 16), (shade, shade, shade)).save(file, "JPEG")
    return file.getvalue()


def test_the_contact_sheet_is_sorted_and_searched(browser: "Browser", tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(contact_sheet.write_page(ENTRIES, read_thumbnail))
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "index.html").as_uri())

    def names() -> list[str]:
        return page.locator(".card b").all_inner_texts()

    assert names() == ["A10", "A2", HOSTILE, "Ёлка"]
    for order, expected in {
        "name": ["A2", "A10"],
        "color": ["Ёлка", "A2", "A10", HOSTILE],  # grays by lightness, then by hue
        "deviation": [HOSTILE, "A10", "A2", "Ёлка"],
    }.items():
        page.select_option("#order", order)
        assert [name for name in names() if name in expected] == expected
    page.click("#turn")
    assert names() == ["Ёлка", "A2", "A10", HOSTILE]
    page.fill("#find", "blue")
    assert names() == [HOSTILE]
    assert page.inner_text("#count") == "1 of 4 tiles"
    assert page.inner_text("#bad li") == "6 (bad): angle: got 400"
    assert page.get_attribute(".card", "href") == "tiles/T4/final.png"
    assert page.title() == "Catalogue"
    assert [url for url in asked if not url.startswith("data:")] == [page.url]
    page.close()


def test_a_large_contact_sheet_draws_what_is_in_view(
    browser: "Browser", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_sheet, "MOST_INLINED", 10)
    entries = [make_entry(number, f"A{number}", {"red": 1.0}) for number in range(20_000)]
    content = contact_sheet.write_page(entries, read_thumbnail)
    assert len(content) < 4_000_000
    (tmp_path / "index.html").write_bytes(content)
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    page.goto((tmp_path / "index.html").as_uri())
    assert 10 < page.locator(".card").count() < 100
    assert page.get_attribute(".card img", "src") == "thumbnails/T0.jpg"
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.get_by_text("A19999").wait_for()
    assert page.locator(".card").count() < 100
    page.close()


def test_the_pdf_has_every_tile_and_equal_ones_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    ((name, content),) = pdf_sheet.write_sheets(ENTRIES, read_thumbnail)
    assert name == "catalogue.pdf"
    assert content.startswith(b"%PDF-")
    assert content.count(b"/Subtype /Image") == 4
    assert content == dict(pdf_sheet.write_sheets(ENTRIES, read_thumbnail))[name]
    monkeypatch.setattr(pdf_sheet, "MOST_TILES", 3)
    names = [name for name, _ in pdf_sheet.write_sheets(ENTRIES, read_thumbnail)]
    assert names == ["catalogue-1.pdf", "catalogue-2.pdf"]
    assert list(pdf_sheet.write_sheets([], read_thumbnail)) == []
