"""Map files: arrays -> PNG files that say how large they are and what their values mean."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from plitka import __version__
from plitka.images.png import TEXT_KEY
from plitka.tile.relief import Relief

_PERCEPTUAL = b"\0"  # rendering intent of sRGB
_COMPRESSION = 3  # of 9
_INCH_MM = 25.4
_INDEX_COLORS = 256


def encode_map(
    image: NDArray[np.uint8] | NDArray[np.uint16],
    side_mm: float,
    record: Mapping[str, Any],
    *,
    is_color: bool = False,
) -> bytes:
    """Encode a map as PNG, with its true size: the pixels of a metre.

    image: (size, size, 3) or (size, size) 8 bits, or (size, size) 16 bits. record: how it was made.
    is_color: it is sRGB, and says so; else its values are data, and it says nothing of colours, so
    that no program converts them.
    """
    return _encode(Image.fromarray(image), side_mm, record, is_color)


def encode_color_index(
    colors: NDArray[np.uint8],
    srgb: list[tuple[int, int, int]],
    side_mm: float,
    record: Mapping[str, Any],
) -> bytes:
    """Encode the indices of colours (size, size) as PNG with a palette that shows them."""
    picture = Image.fromarray(colors).convert("P")
    flat = [value for color in srgb for value in color]
    picture.putpalette(flat + [0] * (3 * _INDEX_COLORS - len(flat)))
    return _encode(picture, side_mm, record, is_color=True)


def _encode(
    picture: Image.Image, side_mm: float, record: Mapping[str, Any], is_color: bool
) -> bytes:
    info = PngImagePlugin.PngInfo()
    if is_color:
        info.add(b"sRGB", _PERCEPTUAL)
    info.add_itxt(TEXT_KEY, json.dumps(record, ensure_ascii=False))
    info.add_text("Software", f"Plitka {__version__}")
    file = io.BytesIO()
    per_inch = picture.width / side_mm * _INCH_MM  # Pillow writes it by the metre
    picture.save(file, "PNG", pnginfo=info, dpi=(per_inch, per_inch), compress_level=_COMPRESSION)
    return file.getvalue()


def code_height(relief: Relief, granule_mm: float) -> tuple[NDArray[np.uint16], float]:
    """Code heights in 16 bits, from the lowest place (0) to the highest (65535).

    Returns (size, size), and the millimetres between the two.
    """
    low, high = float(relief.height.min()), float(relief.height.max())
    scaled = (relief.height - np.float32(low)) * np.float32(65535 / (high - low))
    coded = np.clip(np.rint(scaled), 0, 65535).astype(np.uint16)
    return coded, (high - low) * granule_mm


def code_normals(relief: Relief) -> NDArray[np.uint8]:
    """Code normals as OpenGL has them: red to the right, green up, blue to the viewer.

    -1 to 1 are 0 to 255. Returns (size, size, 3); 255 less its green is what DirectX has.
    """
    normals = relief.compute_normals()
    normals[..., 1] *= -1
    normals += 1
    normals *= np.float32(127.5)
    return np.asarray(np.rint(normals), np.uint8)


def flip_green(normals: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn normals of OpenGL into those of DirectX, whose green points down."""
    flipped = normals.copy()
    flipped[..., 1] = 255 - flipped[..., 1]
    return flipped


def code_granules(granules: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Code the numbers of granules (size, size) in 24 bits: red the highest eight, blue the lowest.

    Returns (size, size, 3).
    """
    parts = [granules >> 16, granules >> 8, granules]
    return np.stack([(part & 255).astype(np.uint8) for part in parts], axis=-1)


def code_part(part: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Code parts of 1 as 0 to 255."""
    return np.asarray(np.clip(np.rint(part * np.float32(255)), 0, 255), np.uint8)
