"""Layout and render -> the edge maps that ControlNets are conditioned on."""

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Image
from plitka.tile.layout import Layout
from plitka.tile.render import blur

_CANNY_THRESHOLDS = (40, 90)
_SOFT_EDGE_BLUR = 1.1 / 1024  # in frame sides


def draw_canny_edges(layout: Layout, photo: Image) -> Image:
    """White one-pixel outlines of granules and joints on black, as ControlNet Canny expects."""
    edges = cv2.Canny(_flatten_granules(layout, photo), *_CANNY_THRESHOLDS, L2gradient=True)
    return np.repeat(edges[..., None], 3, axis=2)


def draw_soft_edges(layout: Layout, photo: Image) -> Image:
    """Soft, graded outlines on black, as ControlNet SoftEdge expects (Dexined, HED)."""
    size = photo.shape[0]
    flat = _flatten_granules(layout, photo).astype(np.float32)
    flat = blur(flat, _SOFT_EDGE_BLUR * size)
    slope = np.hypot(cv2.Sobel(flat, cv2.CV_32F, 1, 0), cv2.Sobel(flat, cv2.CV_32F, 0, 1))
    slope /= np.quantile(slope, 0.98) + 1e-6
    edges = np.clip(255 * np.sqrt(slope) - 40, 0, 255).astype(np.uint8)
    return np.repeat(edges[..., None], 3, axis=2)


def _flatten_granules(layout: Layout, photo: Image) -> NDArray[np.uint8]:
    """(size, size) gray picture in which each granule has one brightness and joints are black.

    Facets vanish in it, so that edges are outlines of granules.
    """
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    granules = layout.granule_map(photo.shape[0])
    index = granules.ravel() + 1
    area = np.bincount(index, minlength=len(layout.owner) + 1)
    light = np.bincount(index, weights=gray.ravel(), minlength=len(area)) / np.maximum(area, 1)
    light[0] = 0
    return np.asarray(light.astype(np.uint8)[granules + 1])
