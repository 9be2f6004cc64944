"""Painting: a quilted layout in its colours, as a photograph would show it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats, Image
from plitka.bank.bank import TONES
from plitka.bank.layout import QuiltedLayout
from plitka.tile.camera import encode_linear
from plitka.tile.layout import SURVEY
from plitka.tile.material import JOINT_LIGHT

_LEVELS = 4096  # steps of rank in a colour's table
_STRAY = 0.5  # of a*, b* that granules keep in another colour than they were photographed in
# The outline of a colour: smoothed over this standard deviation in pixels, and made steeper again.
_SMOOTH, _STEEP = 0.7, 1.6
_AROUND = 5  # pixels, odd, over which an outline is smoothed
_LEAST_COVER = 1e-4  # so that where colours meet in a point, one is seen
_CHROMA_BLUR = 0.4  # standard deviation in pixels; cameras keep less detail of colour
_WORN = 3 / 1024  # breadth of a tile's worn, darker edge, in frame sides
_WORN_LIGHT = 0.55  # of the light, at that edge


def paint(layout: QuiltedLayout, size: int) -> Image:
    """Paint the tile: (size, size, 3) sRGB, the same tile at every size."""
    picture = encode_linear(_light_joints(layout, _paint_granules(layout)))
    if len(layout.colors) > 1:
        picture = _soften_chroma(picture)
    if size == SURVEY:
        return picture
    way = cv2.INTER_AREA if size < SURVEY else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size, size), interpolation=way), np.uint8)


def _paint_granules(layout: QuiltedLayout) -> Floats:
    """Paint the granules in their colours, without joints: (SURVEY, SURVEY, 3) linear RGB."""
    level = np.rint(layout.planes[..., 0] * (_LEVELS - 1)).astype(np.intp).ravel()
    keep = np.append(np.where(layout.own, np.float32(1), np.float32(_STRAY)), np.float32(0))
    stray = layout.planes[..., 1:].reshape(-1, 2) * keep[layout.map_granules(SURVEY)].reshape(-1, 1)
    tables = _make_tables(layout.tones)
    fine = np.maximum(layout.map_colors(2 * SURVEY), 0).astype(np.uint8)
    owner = np.ascontiguousarray(fine[::2, ::2])
    linear = _look_up(tables, owner.ravel(), level, stray)
    if len(layout.colors) > 1:
        around = np.ones((_AROUND, _AROUND), np.uint8)
        border = np.flatnonzero(cv2.dilate(owner, around) != cv2.erode(owner, around))
        blend = np.zeros((len(border), 3), np.float32)
        covers = np.stack([_cover(fine, color, border) for color in range(len(layout.colors))])
        covers /= covers.sum(axis=0)
        for color, cover in enumerate(covers):
            (part,) = np.nonzero(cover)
            at = border[part]
            which = np.full(len(at), color, np.uint8)
            blend[part] += cover[part, None] * _look_up(tables, which, level[at], stray[at])
        linear[border] = blend
    return linear.reshape(SURVEY, SURVEY, 3)


def _cover(fine: NDArray[np.uint8], color: int, where: NDArray[np.intp]) -> Floats:
    """Compute how much of pixels a colour covers: (n,), 0 to 1; outlines without stairs.

    fine: (2 * SURVEY, 2 * SURVEY) the colour of each quarter of a pixel. where: (n,) the pixels.
    """
    mine = (fine == color).view(np.uint8) * np.uint8(255)
    quarters = cv2.resize(mine, (SURVEY, SURVEY), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(quarters, (_AROUND, _AROUND), _SMOOTH).ravel()[where]
    cover = (soft * np.float32(1 / 255) - 0.5) * np.float32(_STEEP) + 0.5
    return np.asarray(np.clip(cover, _LEAST_COVER, 1), np.float32)


def _make_tables(tones: Floats) -> Floats:
    """Interpolate tones (K, TONES, 3) at _LEVELS ranks: (K, _LEVELS, 3)."""
    fine, coarse = np.linspace(0, 1, _LEVELS), np.linspace(0, 1, TONES)
    tables = [
        np.stack([np.interp(fine, coarse, tone[:, plane]) for plane in range(3)], axis=1)
        for tone in tones
    ]
    return np.stack(tables).astype(np.float32)


def _look_up(
    tables: Floats, owner: NDArray[np.uint8], level: NDArray[np.intp], stray: Floats
) -> Floats:
    """Look up the colour of n pixels: (n, 3) linear RGB. stray: (n, 2) a*, b* from the tone."""
    lab = tables.reshape(-1, 3).take(owner * np.intp(_LEVELS) + level, axis=0)
    lab[:, 1:] += stray
    if not len(lab):
        return lab
    linear = cv2.cvtColor(lab[None], cv2.COLOR_LAB2LRGB)[0]
    return np.asarray(np.clip(linear, 0, 1), np.float32)


def _light_joints(layout: QuiltedLayout, linear: Floats) -> Floats:
    """Darken what lies in the joints between tiles and at their edges."""
    if layout.angle == 0:
        return linear
    inside, _ = layout.map_joints(SURVEY)
    worn = np.clip(1 - inside / np.float32(_WORN), 0, 1)
    light = 1 - (1 - _WORN_LIGHT) * worn
    cover = np.clip(inside * SURVEY + 0.5, 0, 1)[..., None]
    return np.asarray(JOINT_LIGHT + (linear * light[..., None] - JOINT_LIGHT) * cover, np.float32)


def _soften_chroma(picture: Image) -> Image:
    """Blur the chroma of a picture, as cameras and JPEG do."""
    luma, *chroma = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    soft = [cv2.GaussianBlur(channel, (0, 0), _CHROMA_BLUR) for channel in chroma]
    return np.asarray(cv2.cvtColor(cv2.merge([luma, *soft]), cv2.COLOR_YCrCb2RGB), np.uint8)
