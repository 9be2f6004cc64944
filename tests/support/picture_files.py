"""Picture files for tests: each format as it is read, and damage to them."""

import io
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from tests.support.icc import rgb_profile

WIDTH, HEIGHT = 40, 24


def draw_corners() -> Image.Image:
    """A picture whose every turning differs: orange, with a blue corner at the bottom right."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), (200, 100, 50))
    picture.paste((10, 20, 220), (WIDTH // 2, HEIGHT // 2, WIDTH, HEIGHT))
    return picture


def encode(format: str, picture: Image.Image | None = None, **options: Any) -> bytes:
    """Encode a picture as Pillow does, or as pillow-heif does where the format is HEIC."""
    picture = draw_corners() if picture is None else picture
    file = io.BytesIO()
    if format == "HEIC":
        heif = pillow_heif.from_pillow(picture)
        for name in ("icc_profile", "exif"):
            if name in options:
                heif[0].info[name] = options.pop(name)
        heif.save(file, quality=95, **options)
        return file.getvalue()
    if format in ("JPEG", "WEBP", "AVIF"):
        options = {"quality": 95, **options}
    picture.save(file, format, **options)
    return file.getvalue()


def exif(orientation: int = 1, color_space: int | None = None, index: str = "") -> bytes:
    """EXIF with an orientation, and the colour space that cameras write."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    if color_space is not None:
        tags.get_ifd(0x8769)[0xA001] = color_space
    if index:
        tags.get_ifd(0x8769)[0xA005] = {1: index}
    return tags.tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return len(data).to_bytes(4, "big") + kind + data + checksum.to_bytes(4, "big")


def insert_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    """Put a chunk behind the header of a PNG file."""
    return png[:33] + chunk(kind, data) + png[33:]


def mend_checksums(png: bytes) -> bytes:
    """Give every whole chunk the checksum of its content, so that damage gets past it."""
    mended, at = bytearray(png), 8
    while at + 12 <= len(mended):
        end = at + 12 + int.from_bytes(mended[at : at + 4], "big")
        if end > len(mended):
            break
        mended[end - 4 : end] = zlib.crc32(mended[at + 4 : end - 4]).to_bytes(4, "big")
        at = end
    return bytes(mended)


def _noise(mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)).convert(mode)


def _deep() -> Image.Image:
    return Image.fromarray(np.arange(WIDTH * HEIGHT, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 67)


_P3 = {"icc_profile": rgb_profile("Display P3"), "exif": exif(6, 1)}

SEEDS: dict[str, Callable[[], bytes]] = {
    "png": lambda: encode("PNG", _noise(), **_P3),
    "palette.png": lambda: encode("PNG", _noise("P"), transparency=3),
    "deep.png": lambda: encode("PNG", _deep()),
    "animated.png": lambda: encode("PNG", _noise(), save_all=True, append_images=[_noise()]),
    "jpg": lambda: encode("JPEG", _noise(), **_P3),
    "progressive.jpg": lambda: encode("JPEG", _noise(), progressive=True),
    "cmyk.jpg": lambda: encode("JPEG", _noise("CMYK")),
    "mpo": lambda: encode("MPO", _noise(), save_all=True, append_images=[_noise()]),
    "webp": lambda: encode("WEBP", _noise(), **_P3),
    "lossless.webp": lambda: encode("WEBP", _noise("RGBA"), lossless=True),
    "tif": lambda: encode("TIFF", _noise(), icc_profile=_P3["icc_profile"]),
    "lzw.tif": lambda: encode("TIFF", _noise(), compression="tiff_lzw"),
    "jpeg.tif": lambda: encode("TIFF", _noise(), compression="jpeg"),
    "pages.tif": lambda: encode("TIFF", _noise(), save_all=True, append_images=[_noise()]),
    "bmp": lambda: encode("BMP", _noise()),
    "palette.bmp": lambda: encode("BMP", _noise("P")),
    "avif": lambda: encode("AVIF", _noise(), **_P3),
    "heic": lambda: encode("HEIC", _noise(), icc_profile=_P3["icc_profile"]),
    "alpha.heic": lambda: encode("HEIC", _noise("RGBA")),
}
"""A small file of every kind, by a name that ends as its own would."""
