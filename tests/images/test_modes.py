"""Every kind of pixels is read as what it shows, upright and opaque, or refused by name."""

import re
import struct
import zlib
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, TiffImagePlugin

from plitka.images import photograph
from plitka.images.errors import Unreadable
from tests.support.icc import rgb_profile
from tests.support.picture_files import (
    HEIGHT,
    WIDTH,
    chunk,
    draw_corners,
    encode,
    exif,
    insert_chunk,
)

GRAY_RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIC"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_once(orientation: int, format: str) -> None:
    tags = exif(orientation)
    turned = draw_corners()
    turned.info["exif"] = tags
    upright = np.asarray(ImageOps.exif_transpose(turned)).astype(int)
    read = photograph.read(encode(format, exif=tags))
    assert read.pixels.shape == upright.shape
    assert np.abs(read.pixels - upright).mean() < 4
    told = orientation != 1 and format != "HEIC"  # whose decoder turns it, by its own boxes
    assert read.notes == (("turned upright",) if told else ())


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_a_tiff_is_turned_whatever_its_compression(orientation: int, compression: str) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274] = orientation
    read = photograph.read(encode("TIFF", tiffinfo=tags, compression=compression))
    turns = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270}
    assert np.array_equal(read.pixels, np.asarray(draw_corners().transpose(turns[orientation])))
    assert read.notes == ("turned upright",)


@pytest.mark.parametrize(
    "tags", [b"Exif\0\0no TIFF", exif(6)[:20], b"Exif\0\0II*\0\xff\xff\xff\xff"]
)
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_damaged_exif_is_told_of(format: str, tags: bytes) -> None:
    read = photograph.read(encode(format, exif=tags))
    assert np.abs(read.pixels[0, 0].astype(int) - (200, 100, 50)).max() <= 2
    assert any(note.startswith("its EXIF is damaged") for note in read.notes)


def test_an_orientation_that_is_none_is_upright() -> None:
    for orientation in (0, 9, 77):
        assert photograph.read(encode("JPEG", exif=exif(orientation))).notes == ()


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        *[("PNG", mode) for mode in ("RGB", "RGBA", "P")],
        *[("TIFF", mode) for mode in ("RGB", "RGBA", "RGBX", "P", "PA", "YCbCr")],
        *[("BMP", mode) for mode in ("RGB", "RGBA", "P")],
        *[("JPEG", mode) for mode in ("RGB", "YCbCr")],
        *[("WEBP", mode) for mode in ("RGB", "RGBA")],
        *[("HEIC", mode) for mode in ("RGB", "RGBA")],
        *[("AVIF", mode) for mode in ("RGB", "RGBA")],
    ],
)
def test_color_is_color_in_every_mode(format: str, mode: str) -> None:
    picture = draw_corners()
    picture = picture.quantize(4) if mode in ("P", "PA") else picture
    read = photograph.read(encode(format, picture.convert(mode)))
    assert np.abs(read.pixels[0, 0].astype(int) - (200, 100, 50)).max() <= 4
    assert np.abs(read.pixels[-1, -1].astype(int) - (10, 20, 220)).max() <= 4
    assert read.notes == ()


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "JPEG", "WEBP", "HEIC", "AVIF"])
def test_gray_is_gray(format: str) -> None:
    read = photograph.read(encode(format, Image.fromarray(GRAY_RAMP)))
    assert np.abs(read.pixels.astype(int) - GRAY_RAMP[..., None]).max() <= 8
    if format in ("PNG", "TIFF"):
        light = Image.fromarray(GRAY_RAMP).convert("LA")
        assert np.array_equal(photograph.read(encode(format, light)).pixels, read.pixels)


def test_black_and_white_is_that() -> None:
    checks = Image.fromarray(GRAY_RAMP > 127)
    assert checks.mode == "1"
    for format in ("PNG", "TIFF", "BMP"):
        read = photograph.read(encode(format, checks))
        assert (read.pixels == np.where(GRAY_RAMP > 127, 255, 0)[..., None]).all()


def tiff(pixels: bytes, size: tuple[int, int], order: str, **tags: Any) -> bytes:
    """A TIFF file of one strip. tags: by the names below."""
    numbers = {"bits": 258, "photometric": 262, "samples": 277, "sample_format": 339}
    numbers |= {"subfile": 254, "dng": 50706, "transfer": 301, "primaries": 319}
    numbers |= {"color_map": 320, "range": 532, "subsampling": 530}
    entries: dict[int, tuple[int, Any]] = {
        256: (3, size[0]),
        257: (3, size[1]),
        259: (3, 1),
        278: (3, size[1]),
    }
    entries |= {273: (4, 8), 279: (4, len(pixels)), 258: (3, 16), 262: (3, 1), 277: (3, 1)}
    entries |= {numbers[name]: (3, value) for name, value in tags.items()}
    at, extra, fields = 8 + len(pixels) + 2 + 12 * len(entries) + 4, b"", b""
    for tag, (kind, value) in sorted(entries.items()):
        values = value if isinstance(value, tuple) else (value,)
        data = struct.pack(order + ("H" if kind == 3 else "I") * len(values), *values)
        if len(data) > 4:
            fields += struct.pack(order + "HHII", tag, kind, len(values), at + len(extra))
            extra += data
        else:
            fields += struct.pack(order + "HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(pixels))
    return start + pixels + struct.pack(order + "H", len(entries)) + fields + bytes(4) + extra


DEEP = np.array([[0, 128 * 257, 65535, 300]], np.uint16)
SHALLOW = np.array([[0, 128, 255, 1]], np.uint8)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_of_gray_are_rounded_in_both_orders(order: str) -> None:
    pixels = DEEP.astype(order + "u2").tobytes()
    read = photograph.read(tiff(pixels, (4, 1), order))
    assert np.array_equal(read.pixels, SHALLOW[..., None].repeat(3, 2))
    assert read.notes == ("16 bits a channel rounded to 8",)


def test_gray_whose_zero_is_white_is_turned_round() -> None:
    pixels = DEEP.astype("<u2").tobytes()
    read = photograph.read(tiff(pixels, (4, 1), "<", photometric=0))
    assert np.array_equal(read.pixels[..., 0], 255 - SHALLOW)
    shallow = photograph.read(tiff(SHALLOW.tobytes(), (4, 1), "<", photometric=0, bits=8))
    assert np.array_equal(shallow.pixels, read.pixels)


def test_twelve_bits_of_gray_are_as_bright_as_they_were() -> None:
    read = photograph.read(tiff(bytes([0xFF, 0xF8, 0x08]), (2, 1), "<", bits=12))
    assert read.pixels[0, :, 0].tolist() == [255, 128]
    assert read.notes == ("12 bits a channel rounded to 8",)


def test_a_fourth_channel_that_nothing_is_said_of_is_none() -> None:
    pixels = bytes([200, 100, 50, 0]) * 4
    read = photograph.read(tiff(pixels, (4, 1), "<", photometric=2, samples=4, bits=(8, 8, 8, 8)))
    assert (read.pixels[0].tolist(), read.notes) == ([[200, 100, 50]] * 4, ())


@pytest.mark.parametrize("unit", [1, 257])
def test_a_palette_of_8_bits_in_the_place_of_16_is_read_as_it_was_meant(unit: int) -> None:
    colors = np.zeros((3, 256), int)
    colors[:, 1] = 200 * unit, 100 * unit, 50 * unit
    read = photograph.read(
        tiff(b"\1" * 4, (4, 1), "<", photometric=3, bits=8, color_map=tuple(colors.ravel()))
    )
    assert read.pixels[0].tolist() == [[200, 100, 50]] * 4


@pytest.mark.parametrize("black", [0, 16])
def test_the_range_of_video_is_refused(black: int) -> None:
    levels = (black, 255 - black, 128, 255, 128, 255)
    said = partial(tiff, photometric=6, samples=3, bits=(8, 8, 8), subsampling=(1, 1))
    content = said(bytes([black, 128, 128]) * 4, (4, 1), "<", range=levels)
    if black:
        with pytest.raises(Unreadable, match="the range of video"):
            photograph.read(content)
    else:
        assert photograph.read(content).pixels.max() == 0


def deep_png(*channels: int, color_type: int) -> bytes:
    row = b"\0" + struct.pack(f">{len(channels)}H", *channels) * 2
    header = struct.pack(">IIBBBBB", 2, 1, 16, color_type, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_sixteen_bits_of_color_are_reduced_and_said() -> None:
    orange = [257 * level for level in (200, 100, 50)]
    note = "16 bits a channel rounded to 8"
    read = photograph.read(deep_png(*orange, color_type=2))
    assert read.pixels[0, 0].tolist() == [200, 100, 50]
    assert read.notes == (note,)
    assert photograph.read(deep_png(*orange, 65535, color_type=6)).notes == (note,)
    glass = photograph.read(deep_png(*orange, 0, color_type=6))
    assert glass.pixels[0, 0].tolist() == [255, 255, 255]
    assert photograph.read(deep_png(257 * 9, 65535, color_type=4)).pixels[0, 0, 0] == 9
    for order in "<>":
        pixels = struct.pack(order + "3H", *orange) * 4
        options = {"bits": (16, 16, 16), "photometric": 2, "samples": 3}
        read = photograph.read(tiff(pixels, (4, 1), order, **options))
        assert read.pixels[0, 0].tolist() == [200, 100, 50]
        assert read.notes == (note,)


@pytest.mark.parametrize(
    ("format", "transparent"),
    [
        *[(format, "RGBA") for format in ("PNG", "TIFF", "WEBP", "AVIF", "HEIC")],
        *[("PNG", "LA"), ("TIFF", "LA"), ("TIFF", "PA")],
    ],
)
def test_what_is_transparent_is_laid_on_white(format: str, transparent: str) -> None:
    picture = draw_corners().convert("RGBA")
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (0, 0, WIDTH // 2, HEIGHT))
    picture.putalpha(alpha)
    if transparent == "PA":
        indexed = draw_corners().quantize(4).convert("PA")
        indexed.putalpha(alpha)
        picture = indexed
    options = {"lossless": True} if format == "WEBP" else {}
    read = photograph.read(encode(format, picture.convert(transparent), **options))
    assert read.pixels[0, 0].min() >= 250
    assert read.pixels[-1, -1].min() < 60
    assert read.notes == ("laid on white where it is transparent",)


def test_white_is_mixed_in_behind_the_profile() -> None:
    """Half of a colour over white is half-way in sRGB, whatever the colours are counted in."""
    half = Image.new("RGBA", (4, 4), (200, 100, 50, 128))
    read = photograph.read(encode("PNG", half, icc_profile=rgb_profile("ProPhoto")))
    whole = photograph.read(encode("PNG", half.convert("RGB"), icc_profile=rgb_profile("ProPhoto")))
    expected = 255 + (whole.pixels[0, 0].astype(float) - 255) * 128 / 255
    assert np.abs(read.pixels[0, 0] - expected).max() <= 1
    assert read.notes[-2:] == (
        "ProPhoto brought to sRGB",
        "laid on white where it is transparent",
    )


@pytest.mark.parametrize("keyed", ["P", "RGB", "L"])
def test_a_transparent_colour_is_laid_on_white(keyed: str) -> None:
    picture = draw_corners().quantize(4) if keyed == "P" else draw_corners().convert(keyed)
    first = picture.getpixel((0, 0))
    read = photograph.read(encode("PNG", picture, transparency=first))
    assert read.pixels[0, 0].tolist() == [255, 255, 255]
    assert read.pixels[-1, -1].min() < 60
    deep = deep_png(*[257 * 9] * 3, color_type=2)
    place = deep.index(b"IDAT") - 4
    with pytest.raises(Unreadable, match="a transparent colour in 16 bits"):
        photograph.read(deep[:place] + chunk(b"tRNS", bytes(6)) + deep[place:])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_gray_of_any_depth_is_laid_on_white(bits: int) -> None:
    top = 2**bits - 1
    for key in sorted({0, 1, top // 2, top}):
        other = 0 if key else top
        values = [key, other] * 16
        packed = int("".join(f"{value:0{bits}b}" for value in values), 2).to_bytes(4 * bits, "big")
        content = write_gray(bits, [packed] * 32, chunk(b"tRNS", struct.pack(">H", key)))
        read = photograph.read(content)
        assert read.pixels[0, :2].tolist() == [[255] * 3, [other * 255 // top] * 3]
        assert read.notes == ("laid on white where it is transparent",)


def write_gray(bits: int, rows: list[bytes], *more: bytes) -> bytes:
    """Write a gray PNG, 32 pixels wide. more: chunks between header and pixels."""
    header = struct.pack(">IIBBBBB", 32, len(rows), bits, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [chunk(b"IHDR", header), *more, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_bitmap_whose_alpha_was_left_empty_is_opaque() -> None:
    for alpha, shown, notes in (
        (b"\0\0", [200, 100, 50], ()),
        (b"\0\xff", [255, 255, 255], ("laid on white where it is transparent",)),
    ):
        pixels = b"".join(bytes([50, 100, 200, one]) for one in alpha)
        header = struct.pack("<IiiHHIIiiII", 56, 2, 1, 1, 32, 3, len(pixels), 0, 0, 0, 0)
        header += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        read = photograph.read(b"BM" + struct.pack("<IHHI", 0, 0, 0, 70) + header + pixels)
        assert read.pixels[0, 0].tolist() == shown
        assert read.notes == notes


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: encode("TIFF", draw_corners().convert("F")), "floating-point pixels"),
        (lambda: encode("TIFF", draw_corners().convert("I")), "pixels of 32 bits or with a sign"),
        (lambda: tiff(bytes(8), (4, 1), "<", sample_format=2), "32 bits or with a sign"),
        (lambda: tiff(bytes(8), (4, 1), "<", dng=1), "a camera's raw file"),
        (lambda: tiff(bytes(8), (4, 1), "<", photometric=32803), "is TIFF .* of a rare kind"),
        (lambda: tiff(bytes(8), (4, 1), "<", subfile=1), "begins with a thumbnail"),
        (lambda: tiff(bytes(8), (4, 1), "<", transfer=tuple(range(256))), "a transfer function"),
    ],
)
def test_pixels_without_a_known_meaning_are_refused(content: Any, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        photograph.read(content())


@pytest.mark.parametrize("format", ["PNG", "TIFF", "MPO", "WEBP", "AVIF"])
def test_of_several_pictures_the_first_is_read_and_that_is_said(format: str) -> None:
    other = Image.new("RGB", draw_corners().size, "white")
    read = photograph.read(encode(format, save_all=True, append_images=[other, other]))
    assert np.abs(read.pixels[0, 0].astype(int) - (200, 100, 50)).max() <= 4
    assert read.notes == ("the first of several pictures",)


@pytest.mark.parametrize("power", [1.0, 1.8, 2.2])
def test_dark_shades_that_8_bits_cannot_hold_are_not_read_as_others(power: float) -> None:
    gray = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    gamma = struct.pack(">I", round(100_000 / power))
    deep = insert_chunk(encode("PNG", Image.fromarray(gray)), b"gAMA", gamma)
    if power == 1:
        with pytest.raises(Unreadable, match="16 bits a channel of nearly linear light"):
            photograph.read(deep)
    else:
        assert photograph.read(deep).notes[0] == "16 bits a channel rounded to 8"
    shallow = insert_chunk(encode("PNG", Image.fromarray(GRAY_RAMP)), b"gAMA", gamma)
    assert len(photograph.read(shallow).notes) == (power != 2.2)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_a_tiff_that_names_too_few_strips_is_refused(compression: str) -> None:
    rows = {278: 4}  # in a strip
    whole = encode("TIFF", draw_corners(), compression=compression, tiffinfo=rows)
    assert photograph.read(whole).pixels.shape == (HEIGHT, WIDTH, 3)
    short = bytearray(whole)
    for entry in re.finditer(rb"(?:\x11|\x17)\x01[\x03\x04]\0\x06\0\0\0", whole):  # 273, 279
        short[entry.start() + 4] = 3
    assert short != whole
    with pytest.raises(Unreadable, match="damaged"):
        photograph.read(bytes(short))


def test_a_tiff_that_names_one_of_three_planes_is_refused() -> None:
    content = encode("TIFF", draw_corners(), tiffinfo={284: 2})  # for which Pillow writes just one
    with pytest.raises(Unreadable, match="part of its picture is lost"):
        photograph.read(content)


@pytest.mark.parametrize("bits", [8, 16])
def test_gray_with_a_sign_is_refused(bits: int) -> None:
    content = tiff(bytes(8), (4, 1), "<", sample_format=2, bits=bits)
    with pytest.raises(Unreadable, match="32 bits or with a sign"):
        photograph.read(content)
