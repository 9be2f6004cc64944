"""Fuzzing target: a picture of any format. It becomes pixels in sRGB, or the reason is said."""

import numpy as np

from plitka.images import photograph
from plitka.images.decoding import MAX_PIXELS
from plitka.images.errors import PictureError
from tests.fuzz import png_recipe
from tests.fuzz.target import Target, is_sentence, open_workplace, refuse_warnings

_PNG = b"\x89PNG"


def check(content: bytes) -> bool:
    path = open_workplace() / "photograph"
    path.write_bytes(content)
    with refuse_warnings():
        try:
            first = photograph.load(path)
        except PictureError as refusal:
            said = str(refusal)
        else:
            _check_photograph(first)
            return True
    assert is_sentence(said), said
    assert str(path) in said
    return False


def _check_photograph(found: photograph.Photograph) -> None:
    height, width, channels = found.pixels.shape
    assert channels == 3
    assert 1 <= height * width <= MAX_PIXELS
    assert found.pixels.dtype == np.uint8
    assert all(is_sentence(note) for note in found.notes), found.notes


def repair(content: bytes) -> bytes:
    """Make the checksums of a PNG right; the other formats have none that is looked at."""
    return png_recipe.repair(content) if content.startswith(_PNG) else content


TARGET = Target(
    "photographs",
    check,
    tokens=(
        *(b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"eXIf", b"cICP"),
        *(
            b"\xff\xd8",
            b"\xff\xda",
            b"\xff\xe0",
            b"\xff\xe1",
            b"\xff\xe2",
            b"\xff\xee",
            b"\xff\xdb",
        ),
        *(
            b"\xff\xc0",
            b"\xff\xc2",
            b"\xff\xc4",
            b"\xff\xdd",
            b"Exif\0\0",
            b"ICC_PROFILE\0\1\1",
            b"MPF\0",
        ),
        *(
            b"II*\0",
            b"MM\0*",
            b"II+\0",
            b"\x12\1\3\0",
            b"\x73\x87\7\0",
            b"RIFF",
            b"WEBP",
            b"VP8 ",
            b"VP8L",
        ),
        *(
            b"VP8X",
            b"ICCP",
            b"ALPH",
            b"ANIM",
            b"BM",
            b"ftyp",
            b"heic",
            b"avif",
            b"mif1",
            b"meta",
            b"iprp",
        ),
        *(
            b"ipco",
            b"ispe",
            b"colr",
            b"nclx",
            b"prof",
            b"irot",
            b"imir",
            b"pixi",
            b"hvcC",
            b"av1C",
            b"iloc",
        ),
        *(
            b"acsp",
            b"mntrRGB XYZ ",
            b"rXYZ",
            b"rTRC",
            b"wtpt",
            b"para",
            b"curv",
            b"GRAY",
            b"CMYK",
            b"desc",
        ),
        *(b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\1\0\0\0"),
    ),
    repair=repair,
    longest=16384,
)
