"""Camera: linear light -> an sRGB picture, with what a lens and a sensor do to it."""

import cv2
import numpy as np

from plitka.arrays import Floats, Image
from plitka.color import cielab
from plitka.tile.canvas import Canvas

# Standard deviations in frame sides. Fitted to the photographs (docs/benchmarks.md).
_LENS_BLUR = 0.48 / 1024
_PIXEL_BLUR = 0.38  # in pixels, the least: that of the pixels themselves
_CHROMA_BLUR = 0.9 / 1024  # sensors and JPEG keep colour at half of the resolution
_SHARPEN_RADIUS = 1.5 / 1024
_SHARPEN = 0.28


def photograph(linear: Floats, canvas: Canvas) -> Image:
    """Turn linear RGB (size, size, 3) into a camera's picture, (size, size, 3) sRGB."""
    frame = canvas.frame
    encoded = _encode(canvas.blur(linear, max(_LENS_BLUR * frame, _PIXEL_BLUR)))
    # What is finer than the pixels of a small picture cannot be sharpened.
    strength, radius = _SHARPEN * min(frame / 1024, 1), max(_SHARPEN_RADIUS * frame, 1)
    encoded += np.float32(strength) * (encoded - canvas.blur(encoded, radius))
    luma, *chroma = cv2.split(cv2.cvtColor(encoded, cv2.COLOR_RGB2YCrCb))
    soft = [canvas.blur(np.asarray(part, np.float32), _CHROMA_BLUR * frame) for part in chroma]
    picture = cv2.cvtColor(cv2.merge([luma, *soft]), cv2.COLOR_YCrCb2RGB)
    return np.asarray(np.clip(255 * picture + np.float32(0.5), 0, 255), np.uint8)


def encode_linear(linear: Floats) -> Image:
    """Encode linear RGB, clipped to 0 to 1, as sRGB bytes (IEC 61966-2-1)."""
    return np.asarray(255 * _encode(linear) + np.float32(0.5), np.uint8)


def _encode(linear: Floats) -> Floats:
    """Encode linear RGB, clipped to 0 to 1, as sRGB, 0 to 1."""
    table = cielab.encode_srgb(np.linspace(0, 1, 65536)).astype(np.float32)
    step = np.clip(linear * np.float32(65535), 0, 65535).astype(np.uint16)
    return np.asarray(table.take(step), np.float32)
