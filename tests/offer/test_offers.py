# ruff: noqa: RUF001 - Cyrillic and signs of type are meant
"""Offers: what they say, in both languages, and the recipe that comes back from them."""

import csv
import io
import json
from base64 import b64encode
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from pypdf import PdfReader

from plitka.color import palette
from plitka.errors import LogoError, OfferError
from plitka.offer.content import Offer, Pictures, choose_scale_bar
from plitka.offer.file_name import name_file
from plitka.offer.html_page import write_html
from plitka.offer.logo import read_logo
from plitka.offer.order_csv import write_order_csv
from plitka.offer.pdf_file import write_pdf
from plitka.offer.reading import read_request
from plitka.offer.recipe_in_html import NoRecipe
from plitka.offer.recipe_in_html import read_request as read_recipe
from plitka.tile.scale import measure_frame_mm
from tests.support.recipes import parse

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PALETTE = palette.load()
DAY = date(2026, 11, 30)
MARKUP = "<script>document.title='taken'</script><b>&amp;"
EIGHT = {
    "dark green": 20,
    "grass green": 15,
    "lime green": 15,
    "RAL 3020": 10,
    "terracotta": 10,
    "sky blue": 10,
    "white-green": 10,
    "navy": 10,
}
LONG_NAME = "Общество с ограниченной ответственностью «Сибирские резиновые покрытия» " + "я" * 80
SURFACE = {
    "width_mm": 6000,
    "length_mm": 4000,
    "laying": "poured",
    "zones": [
        {
            "shape": "border",
            "width_mm": 500,
            "colors": [{"name": "blue", "proportion": 100}],
            "line": {"kind": "metal"},
        }
    ],
}


def picture(form: str, width: int, height: int, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height), (200, 60, 50, 255)[: len(mode)]).save(file, form)
    return file.getvalue()


PICTURES = Pictures(picture("JPEG", 64, 64), picture("JPEG", 80, 50))


def make_offer(mix: dict[str, int], language: str = "en", **more: Any) -> Offer:
    colors = [{"name": name, "proportion": share} for name, share in mix.items()]
    recipe = {"colors": colors, "angle": 45, "seed": 7} | more.pop("recipe", {})
    asked = read_request({"recipe": recipe, "language": language} | more, PALETTE, {}, DAY)
    return Offer(
        recipe=asked.recipe,
        language=asked.language,
        day=asked.day,
        pictures=PICTURES,
        inputs=asked.inputs,
        company=asked.company,
        project=asked.project,
        order=asked.order,
    )


def read_pdf(content: bytes) -> str:
    pages = PdfReader(io.BytesIO(content)).pages
    text = "\n".join(page.extract_text() for page in pages)
    return " ".join(text.replace("\u00a0", " ").replace("\u202f", " ").split())


LOGO = b64encode(picture("PNG", 60, 20)).decode("ascii")
THREE = {"red": 50, "blue": 30, "white": 20}
FLOOR = {"area": 120, "thickness": 10, "density": 950}


def test_a_pdf_has_real_text_with_all_that_a_customer_asks() -> None:
    company = {"name": "Floors Ltd", "contact": "+44 20 7946 0123"}
    offer = make_offer(THREE, company=company, project="Main yard", order=FLOOR)
    text = read_pdf(write_pdf(offer))
    for said in (
        *("Floors Ltd", "+44 20 7946 0123", "30 November 2026", "Prepared for: Main yard"),
        *("Red 50%, blue 30%, white 20%", "RED · #c74a3d", "500 × 500 × 10 mm", "45°", "20 mm"),
        *("120 m² × 10 mm", "Red 50% 950 598.5 24", "Granules in all 1,197.0 49"),
        *("Polyurethane binder, 20% of the granules’ weight 239.4 12 × 20 kg", "504 tiles"),
    ):
        assert said in text


def test_a_pdf_in_russian_holds_eight_colors_and_names_without_end() -> None:
    company = {"name": LONG_NAME, "contact": "г. Новосибирск\n+7 383 000-00-00"}
    floor = {"area": "1240,5", "densities": {"terracotta": "11,5 кг/м² при 10 мм"}}
    offer = make_offer(EIGHT, "ru", company=company, order=floor)
    content = write_pdf(offer)
    text = read_pdf(content)
    for said in (
        *("30 ноября 2026 г.", "Тёмно-зелёный 20 %", "RAL 3020", "#000080", "г. Новосибирск"),
        *("Что заказать", "Площадь Объём Вес", "Терракотовый 10 % 10 % 11,3 % 1150"),
    ):
        assert said in text
    assert "я" * 80 in text.replace(" ", "")
    reader = PdfReader(io.BytesIO(content))
    assert len(reader.pages) == 2
    assert "1 / 2" in reader.pages[0].extract_text()
    assert content.count(b"/FontFile2") == 2  # plain and bold, both in the file


def test_equal_offers_have_equal_bytes_and_another_day_has_others() -> None:
    one, same, later = (
        make_offer(THREE, order=FLOOR, date=f"2026-11-{day}") for day in (30, 30, 29)
    )
    pages = [write_html(offer) for offer in (one, same, later)]
    assert (pages[0] == pages[1], pages[0] == pages[2]) == (True, False)
    assert (write_pdf(one) == write_pdf(same)) is True


def test_an_html_file_shows_its_pictures_without_asking_anybody(
    browser: "Browser", tmp_path: Any
) -> None:
    offer = make_offer(
        EIGHT,
        company={
            "name": MARKUP,
            "contact": MARKUP,
            "logo": LOGO,
        },
        project=MARKUP,
        order=FLOOR,
    )
    file = tmp_path / "offer.html"
    file.write_bytes(write_html(offer))
    context = browser.new_context(offline=True, viewport={"width": 360, "height": 800})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    shown = page.locator("img")
    sizes = shown.evaluate_all("all => all.map((one) => [one.complete, one.naturalWidth])")
    assert sizes == [[True, 60], [True, 64], [True, 80]]
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert page.title() != "taken"
    assert page.locator("header b").inner_text() == MARKUP
    assert page.locator(".swatches li").count() == 8
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    bar, frame = (page.locator(one).bounding_box() for one in (".scale i", ".framed"))
    assert bar is not None
    assert frame is not None
    assert bar["width"] / frame["width"] == pytest.approx(20 / measure_frame_mm(2.5), abs=0.01)
    context.close()


def test_the_recipe_in_an_html_file_is_the_one_it_was_made_of() -> None:
    offer = make_offer(EIGHT, recipe={"quality": "high", "overrides": {"negative_prompt": MARKUP}})
    page = write_html(offer)
    assert page.count(b"<script") == 1
    assert parse(json.dumps(read_recipe(page))) == offer.recipe


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<!doctype html><p>plitka-recipe", "missing"),
        (b"<!doctype html><script id=other>{}</script>", "missing"),
        (b"<!doctype html><script id=plitka-recipe>{", "broken"),
        (b"<!doctype html><script id=plitka-recipe>{</script>", "broken"),
        (b"<!doctype html><script id=plitka-recipe>[]</script>", "broken"),
        (b'<!doctype html><script id=plitka-recipe>{"request": 5}</script>', "broken"),
        (b"<!doctype html><script id=plitka-recipe>" + b"[" * 100_000 + b"</script>", "broken"),
        (b"<!doctype html><script id=plitka-recipe>" + b" " * 2**19 + b"{}</script>", "broken"),
        (b"<!doctype html>" + b"<script id" * 100_000, "missing"),
    ],
    ids=["text", "other", "open", "no JSON", "list", "number", "deep", "long", "many"],
)
def test_a_page_without_a_sound_recipe_is_told(content: bytes, code: str) -> None:
    with pytest.raises(NoRecipe) as refused:
        read_recipe(content)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("language", "delimiter", "row"),
    [
        ("en", ",", ["red", "RED", "#c74a3d", "50", "50", "50", "950", "2.5", "598.5", "25", "24"]),
        (
            "ru",
            ";",
            ["красный", "RED", "#c74a3d", "50", "50", "50", "950", "2,5", "598,5", "25", "24"],
        ),
    ],
)
def test_a_csv_is_as_excel_of_its_language_reads_it(
    language: str, delimiter: str, row: list[str]
) -> None:
    offer = make_offer(THREE, language, order=FLOOR)
    assert offer.order is not None
    content = write_order_csv(offer.swatches, offer.order, offer.speech)
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=delimiter))
    assert rows[1] == row
    assert {len(one) for one in rows} == {11}


def test_a_zone_whose_name_is_a_formula_is_a_text_in_a_spreadsheet() -> None:
    zones = [{**SURFACE["zones"][0], "name": "=1+1"}]  # type: ignore[index]
    offer = make_offer(THREE, recipe={"surface": {**SURFACE, "zones": zones}}, order={})
    assert offer.order is not None
    content = write_order_csv(offer.swatches, offer.order, offer.speech).decode("utf-8-sig")
    assert "'=1+1" in content


def test_a_surface_is_ordered_zone_by_zone_with_the_lines_between() -> None:
    offer = make_offer(THREE, recipe={"surface": SURFACE}, order={"density": 1000, "loss": 0})
    assert offer.order is not None
    field, border = offer.order.zones
    # 5 m x 3 m within a border of half a metre; 150 and 90 kg at 10 mm.
    assert [float(one.zone.area) for one in (field, border)] == [15, 9]
    assert [float(one.kg) for one in (field, border)] == [150, 90]
    assert border.zone.line_m == Decimal(16)
    assert {one.key: float(one.share) for one in offer.swatches} == pytest.approx(
        {"red": 0.3125, "blue": 0.5625, "white": 0.125}
    )
    text = read_pdf(write_pdf(offer))
    assert "Border 1 9 90.0 90.0" in text
    assert "Border 1: metal strip around it, 16 m." in text
    assert "Poured 10 mm, no joints" in text
    assert "tiles" not in text


@pytest.mark.parametrize(
    ("mix", "name"),
    [
        (THREE, "plitka-red50-blue30-white20.pdf"),
        ({"dark green": 99, "RAL 3020": 1}, "plitka-darkgreen99-bb1e10_1.pdf"),
        (
            EIGHT,
            "plitka-darkgreen20-grassgreen15-limegreen15-bb1e10_10-terracotta10-skyblue10-and-2-more.pdf",
        ),
    ],
)
def test_a_files_name_carries_the_mix(mix: dict[str, int], name: str) -> None:
    assert name_file(make_offer(mix).recipe, "pdf") == name


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (5, "an object with `recipe`"),
        ({"recipe": {}, "path": "/etc"}, "no field 'path'"),
        ({"language": "de"}, "language: allowed: en, ru"),
        ({"date": "30.11.2026"}, "date: allowed: a day as 2026-11-30"),
        ({"project": "x" * 201}, "project: got 201 characters; allowed: 200"),
        ({"company": {"contact": "\n".join("abcdef")}}, "contact: allowed: 5 lines"),
        ({"company": {"logo": "https://example.com/logo.png"}}, "a picture in base64"),
    ],
)
def test_a_request_that_is_none_is_refused_with_what_is_allowed(value: Any, said: str) -> None:
    if isinstance(value, dict):
        value = {"recipe": {"colors": [{"name": "red", "proportion": 100}]}} | value
    with pytest.raises(OfferError, match=said):
        read_request(value, PALETTE, {}, DAY)


def test_a_logo_is_written_anew_and_small() -> None:
    logo = read_logo(picture("PNG", 2000, 300, "RGBA"))
    with Image.open(io.BytesIO(logo)) as made:
        assert (made.format, made.size) == ("PNG", (640, 96))
    with pytest.raises(LogoError):
        read_logo(b"<svg onload='alert(1)'/>")


def test_a_scale_bar_is_a_round_length_that_fits() -> None:
    assert [choose_scale_bar(measure_frame_mm(mm)) for mm in (1, 2.5, 4)] == [10, 20, 50]
