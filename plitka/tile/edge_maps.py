"""Edge maps: draws the control images of the Canny and SoftEdge ControlNets, from a layout."""

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Image
from plitka.tile.canvas import blur
from plitka.tile.layout import Layout

_CANNY_THRESHOLDS = (40, 90)  # of the gradient of 8-bit gray, lower and upper
_SOFT_EDGE_BLUR = 1.1 / 1024  # standard deviation in frame sides


def draw_canny_edges(layout: Layout, photo: Image) -> Image:
    """Draw white one-pixel outlines of granules and joints on black, for the Canny ControlNet.

    photo: (size, size, 3) sRGB, the render of this layout, which gives each granule its
    brightness. Returns (size, size, 3), 0 or 255, the same in all channels.
    """
    edges = cv2.Canny(_flatten_granules(layout, photo), *_CANNY_THRESHOLDS, L2gradient=True)
    return np.repeat(edges[..., None], 3, axis=2)


def draw_soft_edges(layout: Layout, photo: Image) -> Image:
    """Draw soft, graded outlines on black, as the detectors of the SoftEdge ControlNet do.

    Those are HED and DexiNed. photo: see `draw_canny_edges`. Returns (size, size, 3), 0 to 255,
    the same in all channels.
    """
    size = photo.shape[0]
    flat = _flatten_granules(layout, photo).astype(np.float32)
    flat = blur(flat, _SOFT_EDGE_BLUR * size)
    slope = np.hypot(cv2.Sobel(flat, cv2.CV_32F, 1, 0), cv2.Sobel(flat, cv2.CV_32F, 0, 1))
    slope /= np.quantile(slope, 0.98) + 1e-6
    edges = np.clip(255 * np.sqrt(slope) - 40, 0, 255).astype(np.uint8)
    return np.repeat(edges[..., None], 3, axis=2)


def _flatten_granules(layout: Layout, photo: Image) -> NDArray[np.uint8]:
    """Average a render's gray over each granule; joints become black.

    Facets vanish, so that edges are outlines of granules. Returns (size, size), 0 to 255.
    """
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    granules = layout.map_granules(photo.shape[0])
    index = granules.ravel() + 1
    area = np.bincount(index, minlength=len(layout.owner) + 1)
    light = np.bincount(index, weights=gray.ravel(), minlength=len(area)) / np.maximum(area, 1)
    light[0] = 0
    return np.asarray(light.astype(np.uint8)[granules + 1])
