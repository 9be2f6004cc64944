"""A picture of which a part was not copied, or was lost on a disk, is refused or at least noted."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plitka.images import photograph
from plitka.images.errors import Unreadable
from tests.support.picture_files import encode, exif

SIDE = 384

KINDS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 80},
    "JPEG progressive": {"progressive": True},
    "JPEG gray": {},
    "JPEG CMYK": {},
    "JPEG optimized": {"optimize": True},
    "JPEG restarting": {"restart_marker_rows": 1},
    "TIFF LZW": {"compression": "tiff_lzw"},
    "TIFF deflated": {"compression": "tiff_adobe_deflate"},
    "TIFF packed": {"compression": "packbits"},
    "TIFF JPEG": {"compression": "jpeg"},
    "HEIC": {},
    "AVIF": {},
    "WEBP": {"quality": 90},
    "WEBP lossless": {"lossless": True},
    "PNG": {},
    "TIFF": {},
    "BMP": {},
}
ONLY_NOTED = ("WEBP", "WEBP lossless", "TIFF", "BMP")


def grain(side: int = SIDE) -> Image.Image:
    """A picture of grain, like rubber's."""
    noise = np.random.default_rng(0).integers(-40, 40, (side, side, 3))
    return Image.fromarray((noise + np.array([150, 80, 60])).astype(np.uint8))


@cache
def whole(kind: str) -> bytes:
    modes = {"JPEG gray": "L", "JPEG CMYK": "CMYK"}
    return encode(kind.split()[0], grain().convert(modes.get(kind, "RGB")), **KINDS[kind])


def is_told(content: bytes, kind: str) -> bool:
    """Whether what is lost is told; refused for all kinds but ONLY_NOTED."""
    try:
        notes = photograph.read(content).notes
    except Unreadable as why:
        return "cut off" in str(why) or "damaged" in str(why)
    return kind in ONLY_NOTED and any("was not copied whole" in note for note in notes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_picture_is_read_without_a_word(kind: str) -> None:
    assert not any("copied" in note for note in read_notes(kind))


def read_notes(kind: str) -> tuple[str, ...]:
    content = whole(kind)
    if kind == "JPEG CMYK":  # which is refused for want of a profile, and for that alone
        with pytest.raises(Unreadable, match="CMYK without a colour profile"):
            photograph.read(content)
        return ()
    return photograph.read(content).notes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.3, 0.5, 0.9])
def test_a_file_whose_end_is_zeros_was_not_copied_whole(kind: str, part: float) -> None:
    content = whole(kind)
    kept = round(part * len(content))
    assert is_told(content[:kept] + bytes(len(content) - kept), kind)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("TIFF", "BMP")])
@pytest.mark.parametrize("place", [0.35, 0.6, 0.8])
def test_sectors_of_zeros_in_compressed_pixels_are_told(kind: str, place: float) -> None:
    content = whole(kind)
    start = round(place * len(content))
    assert is_told(content[:start] + bytes(4096) + content[start + 4096 :], kind)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("JPEG")])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_a_jpeg_whose_end_was_put_on_again_is_refused(kind: str, kept: float) -> None:
    content = whole(kind)
    assert is_told(content[: round(kept * len(content))] + b"\xff\xd9", kind)
    middle = round(0.3 * len(content)), round(kept * len(content)) + 2000
    assert is_told(content[: middle[0]] + content[middle[1] :], kind)


def test_what_follows_the_end_of_a_jpeg_is_not_of_the_picture() -> None:
    for tail in (bytes(100_000), b"\xff\xd8\xff", b"SEFT" + bytes(5000)):
        assert photograph.read(whole("JPEG") + tail).notes == ()
    padded = whole("JPEG")[:-2] + bytes(4) + whole("JPEG")[-2:]  # as some cameras do
    assert photograph.read(padded).notes == ()


def test_zeros_in_what_is_told_of_a_picture_are_none_of_it() -> None:
    note = exif(1, 1) + bytes(20_000)
    for kind in ("JPEG", "HEIC", "AVIF", "WEBP"):
        notes = photograph.read(encode(kind, grain(), exif=note)).notes
        assert kind == "WEBP" or notes == ()


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "JPEG CMYK"])
def test_flat_pictures_are_never_refused(kind: str, shade: int) -> None:
    flat = np.full((1500, 1000, 3), shade, np.uint8)
    flat[:SIDE, :SIDE] = np.asarray(grain())
    options = {**KINDS[kind]}
    read = photograph.read(encode(kind.split()[0], Image.fromarray(flat), **options))
    assert read.pixels.shape == flat.shape


def test_libjpeg_complains_to_us_alone(capfd: pytest.CaptureFixture[str]) -> None:
    content = whole("JPEG")
    with pytest.raises(Unreadable, match="a part of its picture is lost"):
        photograph.read(content[:20_000] + b"\xff\xd9")
    assert capfd.readouterr() == ("", "")
