"""Fuzzing target: a PNG that is dropped on the page: a sound recipe and pixels, or a Fault."""

import struct
import zlib

import numpy as np

from plitka.color import palette
from plitka.designer import png_recipe
from plitka.designer.errors import Fault
from tests.fuzz.request_text import check_recipe
from tests.fuzz.target import Target, refuse_warnings

_PALETTE = palette.load()
_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_HARMLESS = (
    "Invalid APNG",  # the first picture of an animation is read as well without the others
    r"Image size \(\d+ pixels\) exceeds limit",  # no pixel is decoded of a picture of such a size
)


def check(content: bytes) -> bool:
    with refuse_warnings(*_HARMLESS):
        has_recipe = _check_recipe(content)
        try:
            pixels = png_recipe.read_pixels(content)
        except Fault as fault:
            _check_fault(fault)
            return False
        height, width, channels = pixels.shape
        assert height == width
        assert channels == 3
        assert pixels.dtype == np.uint8
        return has_recipe


def _check_recipe(content: bytes) -> bool:
    try:
        recipe = png_recipe.read_recipe(content, _PALETTE)
    except Fault as fault:
        _check_fault(fault)
        return False
    check_recipe(recipe)
    return True


def _check_fault(fault: Fault) -> None:
    assert fault.code.isidentifier()
    assert 400 <= fault.status < 500
    assert fault.detail.replace("\n", "").isprintable()


def repair(content: bytes) -> bytes:
    """Make the lengths and checksums of a PNG's chunks right, as far as they follow each other."""
    out, place = [_SIGNATURE], len(_SIGNATURE)
    while place + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        kind = content[place + 4 : place + 8]
        body = content[place + 8 : place + 8 + length]
        out.append(struct.pack(">I", len(body)) + kind + body)
        out.append(struct.pack(">I", zlib.crc32(kind + body)))
        place += 12 + length
    return b"".join(out)


TARGET = Target(
    "png_recipe",
    check,
    tokens=(
        *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"eXIf"),
        *(b"pHYs", b"tEXt", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"fdAT", b"cICP", b"tIME", b"sBIT"),
        *(b"\0\0\0\x0dIHDR\0\0\0\x80\0\0\0\x80\x08\x02\0\0\0", b"\0\0\0\0IEND", b"\x08\x06\0\0\0"),
        *(
            b"plitka\0\0\0\0\0",
            b"plitka\0\1\0\0\0",
            b'{"request":{',
            b'"colors":[',
            b"\x10\x04\0\0",
        ),
        *(b"\0\0\x40\0\0\0\x40\0", b"\x78\x9c", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"),
    ),
    repair=repair,
    longest=16384,
)
