"""JPEG files for pages: no record, no date."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plitka.images.matrix_profile import SRGB, write_profile

_SRGB = write_profile(SRGB)  # 520 bytes


def encode_jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """Encode (height, width, 3) sRGB, 0 to 255, as JPEG with the profile of sRGB, colour at full
    resolution.

    quality: 0 to 100.
    """
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=0, icc_profile=_SRGB)
    return file.getvalue()
