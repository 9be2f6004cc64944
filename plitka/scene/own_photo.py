"""The user's own photograph, with a ground laid into its floor."""

import cv2
import numpy as np

from plitka.arrays import Doubles, Floats, Image
from plitka.ground.ground import Ground
from plitka.images import photograph
from plitka.scene.errors import UnusableFloor
from plitka.scene.floor_area import FloorArea, check_area, draw_mask, find_homography
from plitka.scene.floor_light import estimate_light
from plitka.scene.plates import DECODED
from plitka.scene.render import sample_ground
from plitka.scene.tone import tone_highlights
from plitka.tile.camera import encode_linear

MAX_PIXELS = 12_000_000
"""Of a photograph that is laid; larger ones are made smaller."""

PATTERN_M = (0.01, 3.0)
"""Size of the old floor's pattern, least and most, in metres."""

_MOST_TAPS = 4  # samples along what a pixel covers of a floor that is seen at a slant
_ROWS = 128  # worked on together


def read_photo(content: bytes) -> Image:
    """Read a photograph, upright and in sRGB, of MAX_PIXELS at the most. Raises Unreadable.

    Of what else its file says, such as where it was taken, nothing is kept.
    """
    pixels = photograph.read(content).pixels
    height, width = pixels.shape[:2]
    scale = np.sqrt(MAX_PIXELS / (width * height))
    if scale >= 1:
        return pixels
    size = (max(int(width * scale), 1), max(int(height * scale), 1))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def lay_floor(
    photo: Image, area: FloorArea, ground: Ground, pattern_m: float, brightness: float
) -> Image:
    """Lay a ground into a photograph: (height, width, 3) sRGB, all else as it was.

    pattern_m: size of the old floor's pattern in metres; what is larger counts as light and stays.
    brightness: factor on the light of the floor. Raises UnusableFloor.
    """
    check_area(area)
    height, width = photo.shape[:2]
    to_floor = find_homography(area, width, height)
    mask = draw_mask(area, width, height) * _find_before(to_floor, width, height)
    if not (mask > 0.5).any():
        raise UnusableFloor("small", "nothing of the floor is in the picture")
    linear = DECODED.take(photo)
    light = estimate_light(linear, mask, to_floor, 1000 * pattern_m) * np.float32(brightness)
    middle = (500 * area.width_m, 500 * area.length_m)
    for top in range(0, height, _ROWS):
        part = mask[top : top + _ROWS]
        rows, columns = np.nonzero(part)
        if not len(rows):
            continue
        colors = _sample_floor(
            ground,
            to_floor,
            columns.astype(np.float64) + 0.5,
            rows.astype(np.float64) + (top + 0.5),
            middle,
        )
        cover = part[rows, columns, None]
        laid = tone_highlights(colors * light[rows + top, columns, None])
        linear[rows + top, columns] += cover * (laid - linear[rows + top, columns])
    done = encode_linear(linear)
    return np.where(mask[..., None] > 0, done, photo)


def _find_before(to_floor: Doubles, width: int, height: int) -> Image:
    """Find the pixels that look at the floor before the camera, not over its horizon: 0 or 1."""
    columns, rows = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    depth = to_floor[2, 0] * columns + to_floor[2, 1] * rows + to_floor[2, 2]
    nearest = float(depth.max())
    return np.asarray(depth > 0.01 * nearest, np.uint8)


def _sample_floor(
    ground: Ground, to_floor: Doubles, x: Doubles, y: Doubles, middle: tuple[float, float]
) -> Floats:
    """Sample the ground at pixels (n,), averaged over what each covers of it: (n, 3) linear RGB."""
    a, b, c = (row[0] * x + row[1] * y + row[2] for row in to_floor)
    right, down = a / c - middle[0], b / c - middle[1]
    # What a pixel covers: the derivatives of (right, down) along x and y.
    along_x = [(to_floor[k, 0] - to_floor[2, 0] * place / c) / c for k, place in ((0, a), (1, b))]
    along_y = [(to_floor[k, 1] - to_floor[2, 1] * place / c) / c for k, place in ((0, a), (1, b))]
    long, angle, short = _find_axes(*along_x, *along_y)
    taps = int(np.clip(np.ceil(np.percentile(long / short, 90)), 1, _MOST_TAPS))
    footprint = np.maximum(short, long / taps).astype(np.float32)
    colors = np.zeros((len(x), 3), np.float32)
    for tap in range(taps):
        shift = ((tap + 0.5) / taps - 0.5) * long
        there = right + shift * np.cos(angle), down + shift * np.sin(angle)
        colors += sample_ground(
            ground, there[0].astype(np.float32), there[1].astype(np.float32), footprint
        )
    return colors / np.float32(taps)


def _find_axes(a: Doubles, b: Doubles, c: Doubles, d: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Find the ellipse that a pixel covers, of its derivatives (a, b) along x and (c, d) along y.

    Returns its long axis and the direction of that, in radians, and its short axis.
    """
    xx, yy, xy = a * a + c * c, b * b + d * d, a * b + c * d
    spread = np.hypot((xx - yy) / 2, xy)
    mean = (xx + yy) / 2
    long = np.sqrt(mean + spread)
    return long, 0.5 * np.arctan2(2 * xy, xx - yy), np.abs(a * d - b * c) / long
