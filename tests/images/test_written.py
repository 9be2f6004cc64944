"""Pictures that Plitka writes say that they are sRGB, and are the same to the byte each time."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from plitka.images import photograph, png, png_chunks
from plitka.images.jpeg import encode_jpeg
from plitka.images.png import encode_png

NOISE = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
FLAT = np.repeat(np.repeat(NOISE[::8, ::8], 60, axis=0), 7, axis=1)
SLOPE = np.add.outer(np.arange(150), np.arange(5))[..., None] * np.array([1, 2, 3])
PICTURES = {
    "noise": NOISE,
    "flat": FLAT,
    "slope": (SLOPE % 256).astype(np.uint8),
    "one row": NOISE[:1],
    "one column": NOISE[:, :1],
    "one pixel": NOISE[:1, :1],
    "every second column": NOISE[:, ::2],
}


def test_a_png_says_that_it_is_srgb_before_its_pixels(tmp_path: Path) -> None:
    png.save(NOISE, tmp_path / "x.png", {"seed": 7})
    content = (tmp_path / "x.png").read_bytes()
    assert content == encode_png(NOISE, {"seed": 7})
    assert content.index(b"\0\0\0\1sRGB\0") < content.index(b"IDAT")
    read = photograph.load(tmp_path / "x.png")
    assert np.array_equal(read.pixels, NOISE)
    assert read.notes == ()


@pytest.mark.parametrize("name", list(PICTURES))
def test_other_programs_read_the_same_pixels_and_texts_from_a_png(name: str) -> None:
    content = encode_png(PICTURES[name], {"text": "плитка"})
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.mode == "RGB"
        assert np.array_equal(np.asarray(picture), PICTURES[name])
        assert picture.info["plitka"] == '{"text": "плитка"}'
        assert picture.info["Software"].startswith("Plitka ")
    read = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert read is not None
    assert (np.asarray(read) == PICTURES[name]).all()


def test_a_png_is_of_chunks_whose_checksums_count() -> None:
    content = encode_png(NOISE, {})
    kinds = [b"IHDR", b"sRGB", b"iTXt", b"tEXt", b"IDAT", b"IEND"]
    assert [kind for kind, _ in png_chunks.walk(content, set(kinds))] == kinds


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_a_png_is_of_rgb(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the shape"):
        encode_png(np.zeros(shape, np.uint8), {})


def test_a_jpeg_has_the_profile_of_srgb_and_no_date() -> None:
    content = encode_jpeg(NOISE, 90)
    with Image.open(io.BytesIO(content)) as picture:
        profile = picture.info["icc_profile"]
        assert len(profile) < 1000
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        moved = ImageCms.profileToProfile(picture, opened, ImageCms.createProfile("sRGB"))
        assert moved is not None
        difference = np.asarray(moved).astype(int) - np.asarray(picture)
    assert np.abs(difference).max() <= 1
    assert ImageCms.getProfileDescription(opened).strip() == "sRGB"
    read = photograph.read(content)
    assert read.notes == ()
    year = time.strftime("%Y").encode()
    assert year not in content


def test_equal_pictures_are_equal_files() -> None:
    assert encode_jpeg(NOISE, 90) == encode_jpeg(NOISE.copy(), 90)
    assert encode_png(NOISE, {"a": 1}) == encode_png(NOISE.copy(), {"a": 1})


def test_pictures_that_are_written_at_once_under_like_names_are_each_their_own(
    tmp_path: Path,
) -> None:
    shades = {f"tile.v{shade}": np.full((24, 40, 3), shade, np.uint8) for shade in range(4)}

    def save(name: str) -> None:
        for _ in range(50):
            png.save(shades[name], tmp_path / name, {})
            assert (photograph.load(tmp_path / name).pixels == shades[name]).all()

    with ThreadPoolExecutor() as threads:
        list(threads.map(save, shades))
    assert {file.name for file in tmp_path.iterdir()} == set(shades)
