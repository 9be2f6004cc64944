"""Whatever is done to a picture file, it is read or refused in words: nothing else is raised."""

import struct
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image, TiffImagePlugin

from plitka.images import photograph
from plitka.images.errors import PictureError, Unreadable
from plitka.images.photograph import Photograph
from tests.support.picture_files import (
    SEEDS,
    chunk,
    draw_corners,
    encode,
    insert_chunk,
    mend_checksums,
)

_EDGES = [b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1", b"\1\0\0\0"]


@cache
def seed(name: str) -> bytes:
    return SEEDS[name]()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    name = draw(st.sampled_from(sorted(SEEDS)))
    content = bytearray(seed(name))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        near = draw(st.integers(0, min(max(len(content) - 1, 0), 200)))
        match draw(st.sampled_from(["cut", "flip", "edge", "put", "take"])):
            case "cut":
                del content[place:]
            case "flip" if content:
                content[near] ^= 1 << draw(st.integers(0, 7))
            case "edge":
                content[near : near + 4] = draw(st.sampled_from(_EDGES))
            case "put":
                content[place:place] = draw(st.binary(min_size=1, max_size=64))
            case "take":
                del content[place : place + draw(st.integers(1, 64))]
    whole = bytes(content)
    return mend_checksums(whole) if name.endswith("png") and draw(st.booleans()) else whole


def read_or_refuse(content: bytes) -> Photograph | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            read = photograph.read(content)
        except Unreadable:
            return None
    assert read.pixels.dtype == np.uint8
    assert read.pixels.shape[2:] == (3,)
    return read


@settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(content=damaged())
def test_damage_is_read_or_refused(content: bytes) -> None:
    read_or_refuse(content)


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_a_file_that_is_cut_off_is_refused(name: str) -> None:
    whole = seed(name)
    first = len(whole) if name not in ("mpo", "pages.tif") else len(whole) // 2
    for length in range(0, first * 9 // 10, max(len(whole) // 40, 1)):
        assert read_or_refuse(whole[:length]) is None, length


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"pHYs", b"acTL", b"fcTL", b"tIME"])
@pytest.mark.parametrize(
    "data", [b"", b"\0", b"k\0", b"k\0\0\0\0\0", b"\xff" * 26, b"k\0x" * 700_000], ids=len
)
def test_a_chunk_that_is_not_of_the_picture_does_no_harm(kind: bytes, data: bytes) -> None:
    read = read_or_refuse(insert_chunk(encode("PNG"), kind, data))
    assert read is not None
    assert (read.pixels[0, 0] == (200, 100, 50)).all()


@pytest.mark.parametrize("kind", [b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"tRNS"])
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff\xff"])
def test_a_chunk_of_the_picture_that_is_cut_is_refused(kind: bytes, data: bytes) -> None:
    if kind + data != b"sRGB\0":  # which is whole
        assert read_or_refuse(insert_chunk(encode("PNG"), kind, data)) is None


@pytest.mark.parametrize("length", [3, 256, 257, 5000])
def test_opacities_of_more_colors_than_a_palette_has_do_no_more_than_be_refused(
    length: int,
) -> None:
    content = encode("PNG", draw_corners().quantize(2))
    place = content.index(b"IDAT") - 4
    read_or_refuse(content[:place] + chunk(b"tRNS", b"\x80" * length) + content[place:])


def test_a_header_that_is_cut_or_wide_is_refused() -> None:
    png = encode("PNG")
    start, rest = png[:8], png[33:]
    wide = b"\x7f\xff\xff\xff" * 2 + b"\x08\2\0\0\0"
    for header in (b"", bytes(8), bytes(13), wide):
        assert read_or_refuse(start + chunk(b"IHDR", header) + rest) is None


def test_too_many_pixels_are_refused_without_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    for width, height in ((9000, 8000), (10_000, 10_000), (60_000, 60_000)):
        size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        png = encode("PNG")
        header = chunk(b"IHDR", size + png[24:29])
        file.write_bytes(png[:8] + header + png[33:])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(PictureError, match=f"large.png: {width}x{height} pixels"):
                photograph.load(file)


def test_libtiff_does_not_write_past_python(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = seed("lzw.tif")
    file = tmp_path / "broken.tif"
    file.write_bytes(whole[:60] + bytes(40) + whole[100:])
    with pytest.raises(PictureError, match=r"broken\.tif: is cut off, damaged or of a rare kind"):
        photograph.load(file)
    assert capfd.readouterr().err == ""


def test_a_jpeg_of_a_thousand_scans_is_refused_before_it_is_decoded() -> None:
    whole = encode("JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    assert read_or_refuse(whole[:-2] + 20 * last + whole[-2:]) is not None
    with pytest.raises(Unreadable, match="more than 100 scans"):
        photograph.read(whole[:-2] + 1000 * last + whole[-2:])


def write_empty_jpeg(side: int) -> bytes:
    """A progressive JPEG, gray, whose one scan says in three bytes that 32,767 blocks are empty."""
    header = b"\xff\xc2" + struct.pack(">HBHHB3B", 11, 8, side, side, 1, 1, 0x11, 0)
    quantization = b"\xff\xdb" + struct.pack(">HB", 67, 0) + b"\1" * 64
    run_of_blocks = 0xE0  # 2^14 of them, and 14 bits more
    huffman = b"\xff\xc4" + struct.pack(">HB", 20, 0x10) + b"\1" + bytes(15)
    scan = b"\xff\xda" + struct.pack(">HB2B3B", 8, 1, 1, 0, 1, 63, 0)
    bits = ("0" + "11111111111110") * (-(-(((side + 7) // 8) ** 2) // 32766))
    packed = int(bits + "1" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big")
    tables = quantization + huffman + bytes([run_of_blocks])
    return b"\xff\xd8" + tables + header + scan + packed.replace(b"\xff", b"\xff\0") + b"\xff\xd9"


def test_a_jpeg_of_more_pixels_than_its_bytes_can_hold_is_refused() -> None:
    with pytest.raises(Unreadable, match="7992x7992 pixels need more than its"):
        photograph.read(write_empty_jpeg(7992))
    flat = encode("JPEG", Image.new("L", (2000, 2000), 128), progressive=True)
    assert 2000 * 2000 / len(flat) > 200
    assert photograph.read(flat).pixels.shape == (2000, 2000, 3)


@pytest.mark.parametrize("piece", [b"\xff\xe0\0\2", b"junk", b"\xff", b"\xff\x01", b"\xff\0"])
def test_what_would_keep_the_decoder_busy_is_refused(piece: bytes) -> None:
    jpeg = encode("JPEG")
    start, rest = jpeg[:20], jpeg[20:]
    assert read_or_refuse(start + b"junk" + rest) is not None
    with pytest.raises(Unreadable, match="is damaged: "):
        photograph.read(start + piece * 100_000 + rest)


def test_a_png_of_a_million_chunks_is_refused() -> None:
    png = encode("PNG")
    with pytest.raises(Unreadable, match="too many chunks"):
        photograph.read(png[:33] + chunk(b"prIv", b"") * 200_000 + png[33:])


def write_exif(fractions: int) -> bytes:
    """EXIF whose second directory has one tag of so many fractions."""
    first = struct.pack("<HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)
    second = struct.pack("<HHHII", 1, 0x9202, 5, fractions, 44) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + first + second + struct.pack("<II", 3, 7) * fractions


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF", "HEIC"])
def test_exif_of_more_than_a_megabyte_is_not_unpacked(format: str) -> None:
    content = encode(format, exif=write_exif(200_000))
    unpacked = TiffImagePlugin.IFDRational.__init__
    with pytest.MonkeyPatch.context() as patch:
        made: list[object] = []

        def count(self: Any, *values: Any) -> None:
            made.append(self)
            unpacked(self, *values)

        patch.setattr(TiffImagePlugin.IFDRational, "__init__", count)
        read_or_refuse(content)
    assert len(made) < 1000


@pytest.mark.parametrize("brand", [b"avif", b"heic"])
def test_items_that_lie_over_one_another_are_refused_before_they_are_decoded(brand: bytes) -> None:
    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", 8 + len(data)) + kind + data

    coded = {b"avif": b"av01", b"heic": b"hvc1"}[brand]
    extents = struct.pack(">HHH", 1, 0, 100) + struct.pack(">II", 0, 100_000) * 100
    places = box(b"iloc", bytes(4) + b"\x44\0" + struct.pack(">H", 1) + extents)
    entry = box(b"infe", b"\2\0\0\0" + struct.pack(">HH", 1, 0) + coded + b"\0")
    items = box(b"iinf", bytes(4) + struct.pack(">H", 1) + entry)
    content = box(b"ftyp", brand + bytes(4) + brand) + box(b"meta", bytes(4) + items + places)
    with pytest.raises(Unreadable, match="lie over one another"):
        photograph.read(content + box(b"mdat", bytes(100_000)))


def test_tables_of_jpeg_in_tiff_that_are_far_too_long_are_refused() -> None:
    whole = encode("TIFF", compression="jpeg")
    assert read_or_refuse(whole) is not None
    place = int.from_bytes(whole[4:8], "little")
    count = int.from_bytes(whole[place : place + 2], "little")
    entries = [whole[at : at + 12] for at in range(place + 2, place + 2 + 12 * count, 12)]
    (own,) = (entry for entry in entries if entry[:2] == struct.pack("<H", 347))
    length, start = struct.unpack("<II", own[4:])
    comments = b"\xff\xd8" + b"\xff\xfe\0\2" * 10_000 + whole[start + 2 : start + length]
    long = struct.pack("<HHII", 347, 7, len(comments), len(whole))
    directory = b"".join(entries).replace(own, long)
    end = struct.pack("<I", len(whole) + len(comments))
    content = whole[:4] + end + whole[8:] + comments + struct.pack("<H", count) + directory
    with pytest.raises(Unreadable, match="tables are too long"):
        photograph.read(content + bytes(4))


@pytest.mark.parametrize("brand", [b"avif", b"heic"])
def test_items_in_millions_of_pieces_are_refused_before_they_are_decoded(brand: bytes) -> None:
    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", 8 + len(data)) + kind + data

    items = b"".join(struct.pack(">HHH", item, 0, 65_535) for item in range(1, 1000))
    places = bytes(4) + b"\0\0" + struct.pack(">H", 999) + items
    content = box(b"ftyp", brand + bytes(4) + brand) + box(b"meta", bytes(4) + box(b"iloc", places))
    with pytest.raises(Unreadable, match="lie in too many pieces"):
        photograph.read(content)


@pytest.mark.parametrize("kind", [5, 4])
def test_a_tiff_whose_tags_hold_millions_of_numbers_is_refused(kind: int) -> None:
    whole = encode("TIFF")
    place = int.from_bytes(whole[4:8], "little")
    count = int.from_bytes(whole[place : place + 2], "little")
    entries = whole[place + 2 : place + 2 + 12 * count]
    many = 20_000 if kind == 5 else 2_500_000
    more = struct.pack("<HHII", 50_000, kind, many, len(whole))
    data = struct.pack("<II", 3, 7) * (many if kind == 5 else many // 2)
    directory = struct.pack("<H", count + 1) + entries + more + bytes(4)
    start = whole[:4] + struct.pack("<I", len(whole) + len(data)) + whole[8:]
    with pytest.raises(Unreadable, match="more numbers than any picture needs"):
        photograph.read(start + data + directory)
