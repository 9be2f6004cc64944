"""The light on a floor in a photograph, without the pattern of the old floor.

The light is estimated on the floor seen from above, where a pattern has one size. A pattern's dark
parts are filled by a closing and its bright lines removed by an opening, both a little larger than
the pattern, so that shadows that are larger stay where they are, with their edges. What the old
floor's own colour was, a photograph does not tell: the light of its brighter parts is taken for
full light.
"""

import cv2
import numpy as np

from plitka.arrays import Doubles, Floats
from plitka.color.srgb import LUMINANCE

_CELLS = 20.0  # of the map for the size of the old floor's pattern, at the most
_MOST_CELLS = 900  # of the map, in each direction
_FULL = 75.0  # percentile of the light on the floor that counts as full light
_LEAST, _MOST = 0.04, 1.8  # of light, in parts of full light
_DARKEST = 1e-3  # luminance; darker is noise
_SOFTNESS = 0.16  # standard deviation of the last blur, in sizes of the pattern


def estimate_light(photo: Floats, mask: Floats, to_floor: Doubles, pattern_mm: float) -> Floats:
    """Estimate the light on a floor: (height, width), in parts of full light; even outside of it.

    photo: (height, width, 3) linear RGB. mask: (height, width) how much of a pixel is floor, 0 to
    1. to_floor: matrix from pixels to mm on the floor. pattern_mm: size of the old floor's pattern,
    such as the side of its tiles.
    """
    luminance = photo @ np.array(LUMINANCE, np.float32)
    to_map, shape, cell = _lay_out_map(mask, to_floor, pattern_mm)
    size = (shape[1], shape[0])
    weight = cv2.warpPerspective((mask > 0.99).astype(np.float32), to_map, size)
    seen = np.log(
        np.maximum(cv2.warpPerspective(luminance, to_map, size, flags=cv2.INTER_AREA), _DARKEST)
    )
    known = weight > 0.5
    if not known.any():
        return np.ones(mask.shape, np.float32)
    light = _remove_pattern(np.asarray(seen, np.float32), known, pattern_mm / cell)
    full = np.percentile(light[known], _FULL)
    here = cv2.warpPerspective(
        light - np.float32(full),
        to_map,
        (mask.shape[1], mask.shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(np.clip(np.exp(here), _LEAST, _MOST), np.float32)


def _lay_out_map(
    mask: Floats, to_floor: Doubles, pattern_mm: float
) -> tuple[Doubles, tuple[int, int], float]:
    """Lay out a map of the floor that the mask shows, from above.

    Returns the matrix from pixels of the photograph to those of the map; rows and columns of the
    map; mm of its pixels.
    """
    rows, columns = np.nonzero(mask > 0.5)
    step = max(len(rows) // 20000, 1)
    pixels = np.stack([columns[::step] + 0.5, rows[::step] + 0.5, np.ones(len(rows[::step]))])
    mapped = to_floor @ pixels
    places = mapped[:2, mapped[2] > 0] / mapped[2, mapped[2] > 0]
    # Far places that few pixels show would make the map large and coarse.
    low, high = np.percentile(places, 0.5, axis=1), np.percentile(places, 99.5, axis=1)
    extent = np.maximum(high - low, pattern_mm)
    cell = max(pattern_mm / _CELLS, float(extent.max()) / _MOST_CELLS)
    shape = np.ceil(extent / cell).astype(int) + 1
    shift = np.array([[1 / cell, 0, -low[0] / cell], [0, 1 / cell, -low[1] / cell], [0, 0, 1]])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # OpenCV counts from pixels' middles
    return np.linalg.inv(half) @ shift @ to_floor @ half, (int(shape[1]), int(shape[0])), cell


def _remove_pattern(light: Floats, known: np.ndarray, size: float) -> Floats:
    """Remove what is smaller than `size` pixels from a map; fill what is not known.

    light: (rows, columns), any values. Returns the same shape.
    """
    low, high = float(light[known].min()), float(light[known].max())
    noise = max(round(size / 12) | 1, 3)
    calm = cv2.blur(np.where(known, light, 0), (noise, noise))
    share = cv2.blur(known.astype(np.float32), (noise, noise))
    calm = calm / np.maximum(share, 1e-3)
    side = max(round(1.25 * size), 1) | 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    half = max(round(0.4 * size), 1) | 1
    small = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (half, half))
    grown = cv2.dilate(np.where(known, calm, low).astype(np.float32), disk)
    closed = cv2.erode(
        np.where(cv2.dilate(known.astype(np.uint8), disk) > 0, grown, high).astype(np.float32), disk
    )
    sunk = cv2.erode(np.where(known, closed, high).astype(np.float32), small)
    opened = cv2.dilate(np.where(known, sunk, low).astype(np.float32), small)
    return _blur_known(np.asarray(opened, np.float32), known, max(_SOFTNESS * size, 0.8))


def _blur_known(light: Floats, known: np.ndarray, sigma: float) -> Floats:
    """Blur what is known, and let it go on into what is not."""
    weight = known.astype(np.float32)
    total, share = np.zeros_like(light), np.zeros_like(light)
    for radius, part in ((sigma, 1.0), (4 * sigma, 1e-3), (16 * sigma, 1e-6), (80 * sigma, 1e-9)):
        total += part * cv2.GaussianBlur(np.where(known, light, 0), (0, 0), radius)
        share += part * cv2.GaussianBlur(weight, (0, 0), radius)
    mean = float(light[known].mean())
    return np.asarray((total + 1e-15 * mean) / (share + 1e-15), np.float32)
