"""PNG files that are dropped on the page: the recipe is read, or it is said why not."""

import io
import json
import zlib
from contextlib import suppress

import httpx
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from isal import isal_zlib
from PIL import Image

from plitka.color import palette
from plitka.designer import png_recipe
from plitka.designer.backends.base import parse_shot
from plitka.designer.errors import Fault
from plitka.images.png import encode_png
from tests.support.designer import Designer
from tests.support.icc import rgb_profile
from tests.support.picture_files import chunk, insert_chunk, mend_checksums

PALETTE = palette.load()
GRAY = np.full((256, 256, 3), 128, np.uint8)
REQUEST = {"colors": [{"name": "red", "proportion": 100}], "seed": 5}
RECORD = json.dumps({"request": REQUEST}).encode()
WHOLE = encode_png(GRAY, {"request": REQUEST})
BOMB = isal_zlib.compress(bytes(200 * 2**20))


def bare() -> bytes:
    file = io.BytesIO()
    Image.fromarray(GRAY).save(file, "PNG")
    return file.getvalue()


FORMS = {
    "tEXt": (b"tEXt", b"plitka\0" + RECORD),
    "zTXt": (b"zTXt", b"plitka\0\0" + zlib.compress(RECORD)),
    "iTXt": (b"iTXt", b"plitka\0\0\0en\0plitka\0" + RECORD),
    "packed iTXt": (b"iTXt", b"plitka\0\1\0\0\0" + zlib.compress(RECORD)),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_recipe_is_read_from_every_form_of_text(form: str) -> None:
    recipe = png_recipe.read_recipe(insert_chunk(bare(), *FORMS[form]), PALETTE)
    assert recipe.request()["seed"] == 5


@pytest.mark.parametrize("form", FORMS)
def test_a_recipe_behind_the_pixels_is_read(form: str) -> None:
    png = bare()
    late = png[:-12] + chunk(*FORMS[form]) + png[-12:]
    assert png_recipe.read_recipe(late, PALETTE).seed == 5


def test_of_several_records_the_last_counts_and_no_other_is_unpacked() -> None:
    damaged, large = b"plitka\0\0" + b"no zlib", b"plitka\0\0" + zlib.compress(bytes(2**21))
    png = insert_chunk(bare(), *FORMS["zTXt"])
    for earlier in (damaged, large):  # right behind the header
        assert png_recipe.read_recipe(insert_chunk(png, b"zTXt", earlier), PALETTE).seed == 5


def test_other_texts_do_not_count_however_large_or_damaged() -> None:
    png = WHOLE
    for kind, data in (
        (b"zTXt", b"other\0\0" + BOMB),
        (b"iTXt", b"other\0\1\0\0\0" + BOMB),
        (b"zTXt", b"other\0\0no deflate"),
        (b"tEXt", b"other\0" + b"x" * 3_000_000),
        (b"pHYs", b"\1"),
        (b"gAMA", b""),
        (b"fcTL", b"\0"),
    ):
        png = insert_chunk(png, kind, data)
    assert png_recipe.read_recipe(png, PALETTE).seed == 5


BROKEN = {
    "a bomb": (b"zTXt", b"plitka\0\0" + BOMB),
    "a packed bomb": (b"iTXt", b"plitka\0\1\0\0\0" + BOMB),
    "a long text": (b"tEXt", b"plitka\0" + b"[" * 3_000_000),
    "no deflate": (b"zTXt", b"plitka\0\0nothing"),
    "another method": (b"zTXt", b"plitka\0\7" + zlib.compress(RECORD)),
    "no UTF-8": (b"iTXt", b"plitka\0\0\0\0\0\xff\xfe"),
    "nothing packed": (b"zTXt", b"plitka\0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_record_that_is_damaged_is_a_fault(name: str) -> None:
    with pytest.raises(Fault, match="picture_broken"):
        png_recipe.read_recipe(insert_chunk(bare(), *BROKEN[name]), PALETTE)
    with pytest.raises(Fault, match="photograph_strange"):
        parse_shot(insert_chunk(bare(), *BROKEN[name]), 0)


@pytest.mark.parametrize(
    "record",
    [b"", b"[", b"7" * 5000, b"[" * 100_000, b'{"request":' * 900, b'{"request": "\\ud800"}'],
    ids=["nothing", "cut", "a long number", "deep", "deep in requests", "a surrogate"],
)
def test_a_record_that_is_no_recipe_is_a_fault(record: bytes) -> None:
    png = insert_chunk(bare(), b"tEXt", b"plitka\0" + record)
    with pytest.raises(Fault, match="picture_recipe_broken"):
        png_recipe.read_recipe(png, PALETTE)
    assert parse_shot(png, 0).kind == "preview"


def test_a_recipe_survives_the_loss_of_the_pixels() -> None:
    place = WHOLE.index(b"IDAT")
    assert png_recipe.read_recipe(WHOLE[: place + 20], PALETTE).seed == 5
    with pytest.raises(Fault, match="picture_broken"):
        png_recipe.read_pixels(WHOLE[: place + 20])


@pytest.mark.parametrize(("side", "fault"), [(127, "picture_no_tile"), (5000, "picture_no_tile")])
def test_a_tile_of_another_size_is_a_fault(side: int, fault: str) -> None:
    size = side.to_bytes(4, "big") * 2
    header = chunk(b"IHDR", size + WHOLE[24:29])
    with pytest.raises(Fault, match=fault):
        png_recipe.read_pixels(WHOLE[:8] + header + WHOLE[33:])


def test_a_picture_of_too_many_pixels_is_a_fault_before_it_is_decoded() -> None:
    header = chunk(b"IHDR", (60_000).to_bytes(4, "big") * 2 + WHOLE[24:29])
    with pytest.raises(Fault, match="picture_many_pixels"):
        png_recipe.read_recipe(WHOLE[:8] + header + WHOLE[33:], PALETTE)


def test_the_pixels_of_a_dropped_picture_follow_its_profile() -> None:
    file = io.BytesIO()
    orange = Image.new("RGB", (128, 128), (200, 100, 50))
    orange.save(file, "PNG", icc_profile=rgb_profile("Display P3"))
    assert png_recipe.read_pixels(file.getvalue())[0, 0].tolist() == [215, 93, 31]


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(
    place=st.integers(0, len(WHOLE) - 1),
    data=st.binary(max_size=8),
    cut=st.booleans(),
    mended=st.booleans(),
)
def test_damage_is_a_fault_or_a_recipe(place: int, data: bytes, cut: bool, mended: bool) -> None:
    content = WHOLE[:place] + data + (b"" if cut else WHOLE[place + len(data) :])
    content = mend_checksums(content) if mended else content
    with suppress(Fault):
        png_recipe.read_recipe(content, PALETTE)
    with suppress(Fault):
        png_recipe.read_pixels(content)
    with suppress(Fault):
        parse_shot(content, 0)


def test_the_pages_jpegs_say_that_they_are_srgb(designing: Designer) -> None:
    draft = httpx.post(designing.url + "draft", content=json.dumps(REQUEST), timeout=60)
    with Image.open(io.BytesIO(draft.content)) as picture:
        assert picture.format == "JPEG"
        assert picture.info["icc_profile"][36:40] == b"acsp"
