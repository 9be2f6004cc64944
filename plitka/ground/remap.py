"""Looking up places of a picture that wraps around."""

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats

_ROW = 1024  # places that OpenCV is given as one row; it takes no more than 32,766


def look_up(picture: NDArray[np.uint16] | Floats, x: Floats, y: Floats, way: int) -> Floats:
    """Look up a picture at places (n,) in its pixels, whole numbers in the middle of each.

    picture: (height, width) or (height, width, k), which wraps around. way: of OpenCV's
    interpolations. Returns (n, k).
    """
    count = len(x)
    rows = -(-count // _ROW)
    width, height = picture.shape[1], picture.shape[0]
    if not count:
        return np.zeros((0, 1 if picture.ndim == 2 else picture.shape[2]), np.float32)
    across, along = (
        np.resize(np.mod(place, np.float32(size)), (rows, _ROW))
        for place, size in ((x, width), (y, height))
    )
    found = cv2.remap(picture, across, along, way, borderMode=cv2.BORDER_WRAP)
    return np.asarray(found.reshape(rows * _ROW, -1)[:count], np.float32)
