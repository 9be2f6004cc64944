"""The content of a picture file -> its pixels as they are stored, and what is said of them."""

import io
import logging
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pi_heif import open_heif
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from plitka.images import color_statements, damage, native_stderr, png_chunks, tiff_tags
from plitka.images.errors import Unreadable
from plitka.images.exif import Exif, read_exif
from plitka.images.formats import Format
from plitka.images.heif_boxes import CODED_ITEMS, EXIF_ITEMS, Stated, list_items, read_boxes
from plitka.images.jpeg_scans import take_picture

MAX_PIXELS = 64_000_000
"""Of a photograph. More is a mistake or an attack."""

UPRIGHT = "turned upright"
"""The note of that."""

SIGNED = "has pixels of 32 bits or with a sign"
"""Why such are not read."""

# It reports damage as an error of the program, on top of raising one.
logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)

# All that Pillow and its decoders have been seen to raise of damaged content.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    LookupError,
    EOFError,
    RuntimeError,
    AssertionError,
    SystemError,
    struct.error,
    zlib.error,
)

_MOST_EXIF = 2**20  # bytes; JPEG's have 64 KB at most
_FIRST, _MAIN = "the first of several pictures", "the main one of several pictures"

# Tags of TIFF.
_SUBFILE, _BITS, _PHOTOMETRIC, _SAMPLE_FORMAT, _DNG_VERSION = 254, 258, 262, 339, 50706
_COLOR_MAP, _EXTRA, _RANGE = 320, 338, 532
_SIGNED = 2
_WHITE_IS_ZERO, _YCBCR, _COLOR_FILTER_ARRAY, _LINEAR_RAW = 0, 6, 32803, 34892
# What is set for the whole program meanwhile, the second would restore as the first has set it.
_ONE_AT_A_TIME = threading.Lock()
_LOST_TAG = re.compile(r"[Ss]kipping tag (\d+)$")


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture as its file has it.

    picture: loaded, of 8 bits a channel unless its mode says otherwise; to be turned as exif says.
    profile: the ICC profile of its colours; None where nothing is said of them.
    notes: what was done to it, in phrases. bits: of a channel in the file, of which 8 are left.
    """

    picture: Image.Image
    exif: Exif
    profile: bytes | None
    notes: tuple[str, ...]
    bits: int = 8


def decode(content: bytes, kind: Format) -> Decoded:
    """Decode the first picture of a file.

    Raises Unreadable for content that is cut off, damaged, of more than MAX_PIXELS, of high dynamic
    range, or of pixels that are not read.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoded = _DECODERS.get(kind, _decode_other)(content, kind)
    warned = [str(warning.message) for warning in caught]
    if kind == "TIFF":
        _check_tags(warned)
    elif any(map(_tells_of_a_cut, warned)):
        decoded = replace(decoded, exif=replace(decoded.exif, damaged=True))
    return decoded


def _decode_png(content: bytes, kind: Format) -> Decoded:
    parts = png_chunks.take_apart(content)
    header = parts.header
    _check_size(header.width, header.height)
    if parts.keyed and header.bits == 16:
        raise Unreadable("has a transparent colour in 16 bits a channel, which is not read")
    exif = Exif()
    if b"eXIf" in parts.colors:
        exif = _read_exif(lambda: _parse_exif(parts.colors[b"eXIf"]))
    profile = color_statements.read_png(parts.colors)
    picture = _load(lambda: Image.open(io.BytesIO(parts.picture), formats=["PNG"]), kind)
    key = picture.info.get("transparency")
    if picture.mode == "L" and isinstance(key, int):
        # Pillow spreads gray of fewer bits over 0 to 255, but not the gray that is transparent.
        top = 2**header.bits - 1
        picture.info["transparency"] = (key & top) * 255 // top
    notes = _note(header.bits, _FIRST if parts.animated else "")
    return Decoded(picture, exif, profile, notes, header.bits)


def _decode_heic(content: bytes, kind: Format) -> Decoded:
    """Decode HEIC. It turns the picture by itself, and its EXIF no longer counts for that."""
    _check_items(content)
    with refuse_damage(kind):
        # Not registered with Pillow: what others open stays as it was.
        pictures = open_heif(io.BytesIO(content), convert_hdr_to_8bit=True)
        primary = pictures[pictures.primary_index]
    stated = read_boxes(content)
    profile = color_statements.read_heif(primary.info.get("icc_profile"), stated)
    _check_size(*primary.size)
    picture = _load(primary.to_pillow, kind)
    damage.check_heif(content, kind)
    exif = replace(_read_exif(lambda: _take_exif(picture)), orientation=1)
    notes = _note(stated.bits, _MAIN if len(pictures) > 1 else "")
    return Decoded(picture, exif, profile, notes, stated.bits)


def _decode_tiff(content: bytes, kind: Format) -> Decoded:
    """Decode TIFF. Pillow turns the picture while it loads."""
    tiff_tags.check_counts(content)
    with refuse_damage(kind):
        picture = Image.open(io.BytesIO(content), formats=["TIFF"])
        if not isinstance(picture, TiffImagePlugin.TiffImageFile):
            raise Unreadable("is damaged")
        exif = _read_exif(picture.getexif)
        tags = dict(picture.tag_v2)
        bits = tags.get(_BITS, (1,))
        depth = max(bits) if isinstance(bits, tuple) else int(bits)
        several = bool(picture.is_animated)
        if _SIGNED in np.ravel(tags.get(_SAMPLE_FORMAT, 1)):
            raise Unreadable(f"{SIGNED}; save it with 8 or 16 bits a channel")
    _check_raw(tags)
    with refuse_damage(kind):
        _check_range(tags)
    notes = _note(depth, _FIRST if several else "")
    if exif.orientation != 1:
        notes += (UPRIGHT,)
    profile = color_statements.read_tiff(tags)
    with native_stderr.hush():
        loaded = _load(lambda: picture, kind)
        with refuse_damage(kind):
            damage.check_tiff(content, tags)
    notes += damage.note_zeros(content, kind)
    loaded = _read_samples(loaded, tags, depth)
    return Decoded(loaded, replace(exif, orientation=1), profile, notes, depth)


def _read_samples(loaded: Image.Image, tags: Mapping[int, Any], depth: int) -> Image.Image:
    """Read the samples of a TIFF file as its tags say, where Pillow does not look at these."""
    if loaded.mode.startswith("I;16"):
        return _reduce_gray(loaded, depth, tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)
    if loaded.mode == "RGBA" and _EXTRA not in tags:
        return loaded.convert("RGB")  # what the fourth channel is, is not said
    colors = tags.get(_COLOR_MAP)
    if loaded.mode == "P" and isinstance(colors, tuple) and max(colors) <= 255:
        # Old programs wrote 8 bits for 16. What is truly so dark shows nothing.
        loaded.putpalette(bytes(np.reshape(colors, (3, -1)).T.astype(np.uint8)))
    return loaded


def _check_range(tags: Mapping[int, Any]) -> None:
    """Raise Unreadable for YCbCr whose black is not 0 or whose white is not 255."""
    levels = tags.get(_RANGE, (0, 255))
    if tags.get(_PHOTOMETRIC) == _YCBCR and levels[:2] != (0, 255):
        raise Unreadable("has the range of video; save it in sRGB")


def _decode_other(content: bytes, kind: Format) -> Decoded:
    """Decode JPEG, WebP, BMP and AVIF."""
    if kind == "JPEG":
        take_picture(content)  # which refuses what would keep the decoder busy
    elif kind == "AVIF":
        _check_items(content)
    with refuse_damage(kind):
        picture = Image.open(io.BytesIO(content), formats=[kind.upper()])
        if kind == "JPEG":
            _check_blocks(picture.size, len(content))
        exif = _read_exif(lambda: _take_exif(picture))
        several = bool(getattr(picture, "is_animated", False))
    stated = read_boxes(content) if kind == "AVIF" else Stated()
    if kind == "JPEG":
        profile = color_statements.read_jpeg(picture)
    elif kind == "BMP":
        profile = color_statements.read_bmp(content)
    elif kind == "AVIF":
        profile = color_statements.read_heif(picture.info.get("icc_profile"), stated)
    else:
        profile = picture.info.get("icc_profile")
    loaded = _load(lambda: picture, kind)
    if kind == "JPEG":
        damage.check_jpeg(content)
    elif kind == "AVIF":
        damage.check_heif(content, kind)
    if kind == "BMP" and loaded.mode == "RGBA" and loaded.getchannel("A").getextrema() == (0, 0):
        loaded = loaded.convert("RGB")  # many programs leave this byte unused
    notes = _note(stated.bits, _FIRST if several else "") + damage.note_zeros(content, kind)
    return Decoded(loaded, exif, profile, notes, stated.bits)


_DECODERS: dict[Format, Callable[[bytes, Format], Decoded]] = {
    "PNG": _decode_png,
    "HEIC": _decode_heic,
    "TIFF": _decode_tiff,
}


def _load(open_picture: Callable[[], Image.Image], kind: Format) -> Image.Image:
    """Decode the pixels, of which there must not be too many."""
    with refuse_damage(kind):
        picture = open_picture()
        _check_size(*picture.size)
        picture.load()
        if picture.mode.startswith("I;16") and kind != "TIFF":
            return _reduce_gray(picture, 16, inverted=False)
    _check_size(*picture.size)  # HEIC tells the true size only now
    return picture


@contextmanager
def refuse_damage(kind: Format) -> Iterator[None]:
    """Turn what Pillow and the decoders raise of a picture into Unreadable."""
    try:
        yield
    except Image.DecompressionBombError:
        raise Unreadable(f"has too many pixels; at most {MAX_PIXELS:,} are read") from None
    except MemoryError:
        raise Unreadable("needs more memory than there is") from None
    except UnidentifiedImageError:
        raise Unreadable(f"is {kind} that is damaged, cut off or of a rare kind") from None
    except _DECODER_ERRORS:
        rare = ", damaged or of a rare kind" if kind == "TIFF" else " or damaged"
        raise Unreadable(f"is cut off{rare} ({kind})") from None


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Unreadable(f"{width}x{height} pixels; at most {MAX_PIXELS:,} are read")
    if width < 1 or height < 1:
        raise Unreadable("is damaged: it has no pixels")


def _check_blocks(size: tuple[int, int], length: int) -> None:
    """Raise Unreadable for a JPEG of more pixels than can be written in so many bytes.

    Each block of 8 by 8 takes one bit at least, so nothing is refused that a program has written.
    """
    width, height = size
    if width * height > 64 * 8 * length:
        raise Unreadable(f"is damaged: {width}x{height} pixels need more than its {length:,} bytes")


def _check_raw(tags: dict[int, object]) -> None:
    """Raise Unreadable for a camera's raw file, whose first picture is but a thumbnail."""
    subfile, colors = tags.get(_SUBFILE), tags.get(_PHOTOMETRIC)
    if _DNG_VERSION in tags or colors in (_COLOR_FILTER_ARRAY, _LINEAR_RAW):
        raise Unreadable("is a camera's raw file; develop it first")
    if isinstance(subfile, int) and subfile & 1:
        raise Unreadable("begins with a thumbnail, as raw files of cameras do; develop it first")


def _check_tags(warned: list[str]) -> None:
    """Raise Unreadable where Pillow passed over tags that say what the pixels are."""
    for message in warned:
        lost = _LOST_TAG.search(message)
        if "offset too large" in message or _tells_of_a_cut(message):
            raise Unreadable("is cut off or damaged (TIFF)")
        if lost and int(lost[1]) in color_statements.TIFF_TAGS:
            raise Unreadable("is damaged: what it says of its colours cannot be read")


def _tells_of_a_cut(message: str) -> bool:
    """Whether a warning of Pillow's says that tags were cut off, and not only the data of one."""
    return "but only got" in message and not _LOST_TAG.search(message)


def _parse_exif(data: bytes) -> Image.Exif:
    if len(data) > _MOST_EXIF:
        raise ValueError("too long to be read")
    tags = Image.Exif()
    tags.load(data)
    return tags


def _check_items(content: bytes) -> None:
    """Raise Unreadable for what would keep a decoder of HEIC or AVIF busy as it opens a file."""
    if sum(length for _, length in list_items(content, EXIF_ITEMS)) > _MOST_EXIF:
        raise Unreadable(f"has more than {_MOST_EXIF:,} bytes of EXIF")
    if sum(length for _, length in list_items(content, CODED_ITEMS)) > 2 * len(content):
        raise Unreadable("is damaged: its pictures lie over one another")


def _take_exif(picture: Image.Image) -> Image.Exif:
    """Take the EXIF of an opened picture, parsed anew: Pillow hides what it could not parse."""
    data = picture.info.get("exif")
    if isinstance(data, bytes):
        _parse_exif(data)
    return picture.getexif()


def _read_exif(take: Callable[[], Image.Exif]) -> Exif:
    """Read the EXIF, which is no reason to refuse a picture."""
    try:
        return read_exif(take())
    except _DECODER_ERRORS:
        return Exif(damaged=True)


def _reduce_gray(picture: Image.Image, bits: int, inverted: bool) -> Image.Image:
    """Round gray of 9 to 16 bits to 8. inverted: 0 is white."""
    top = 2**bits - 1
    gray = np.minimum(np.asarray(picture).astype(np.uint32), top)
    gray = (gray * 255 + top // 2) // top
    return Image.fromarray((255 - gray if inverted else gray).astype(np.uint8))


def _note(bits: int, which: str) -> tuple[str, ...]:
    notes = (f"{bits} bits a channel rounded to 8",) if bits in range(9, 17) else ()
    return notes + ((which,) if which else ())
