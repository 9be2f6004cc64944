"""Canvas: the square of pixels that a layout is drawn on, and what its edges are like.

A frame ends at its edges. A periodic canvas is a torus: what leaves it at one edge comes back at
the opposite one, so that copies of it beside each other show no seam.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats
from plitka.tile import granule

_BAND = 256  # rows of a picture worked on together, so that they take little memory
_BLUR_REACH = 4  # standard deviations; OpenCV cuts its kernels off here
_CUBIC = -0.75  # the parameter of OpenCV's cubic interpolation


@dataclass(frozen=True)
class Canvas:
    """The pixels that a layout is drawn on.

    size: pixels a side. side: how many frame sides they show. periodic: whether what leaves at one
    edge comes back at the opposite one.
    """

    size: int
    side: float = 1.0
    periodic: bool = False

    @property
    def frame(self) -> float:
        """Pixels of a frame's side."""
        return self.size / self.side

    @property
    def granule(self) -> float:
        """Pixels of a granule's mean diameter."""
        return granule.DIAMETER * self.frame

    def refine(self) -> "Canvas":
        """Return the canvas of twice as many pixels a side."""
        return replace(self, size=2 * self.size)

    def blur(self, picture: Floats, radius: float) -> Floats:
        """Blur a picture (size, size) or (size, size, n); see the function `blur`."""
        if not self.periodic:
            return blur(picture, radius)
        pad = int(np.ceil(_BLUR_REACH * radius)) + 1
        within = slice(pad, pad + self.size)
        return np.ascontiguousarray(blur(self.pad(picture, pad), radius)[within, within])

    def pad(self, picture: Floats, width: int) -> Floats:
        """Add `width` pixels, fewer than `size`, to a picture (size, size) or (size, size, n).

        They are mirrored where the canvas ends at its edges. Returns (size + 2 * width, ...).
        """
        way = cv2.BORDER_WRAP if self.periodic else cv2.BORDER_REFLECT_101
        padded = cv2.copyMakeBorder(picture, width, width, width, width, way)
        return np.asarray(padded, np.float32)

    def take_beside(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """Bring rows or columns that may lie just outside the canvas back onto it."""
        return places % self.size if self.periodic else np.clip(places, 0, self.size - 1)

    def resize(self, field: Floats, repeats: int = 1) -> Floats:
        """Resize a square field (nodes, nodes) to (size, size).

        repeats: how often the field is repeated over a periodic canvas, each way.
        """
        nodes = len(field)
        if nodes * repeats == self.size and repeats == 1:
            return field
        if self.periodic:
            return _resize_periodic(field, repeats, self.size)
        way = cv2.INTER_AREA if self.size < nodes else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(field, (self.size, self.size), interpolation=way), np.float32)

    def interpolate(self, field: Floats) -> Floats:
        """Interpolate a square field (nodes, nodes), whatever its size, to (size, size)."""
        if self.periodic:
            return _resize_periodic(field, 1, self.size)
        size = (self.size, self.size)
        return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_CUBIC), np.float32)

    def enlarge(self, picture: Floats) -> Floats:
        """Enlarge a smooth picture (coarse, coarse, n) to (size, size, n)."""
        if self.periodic:
            return np.dstack([self.resize(np.asarray(part)) for part in cv2.split(picture)])
        size = (self.size, self.size)
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.float32)


def blur(picture: Floats, radius: float) -> Floats:
    """Blur a picture (h, w) or (h, w, n) by a Gaussian; radius: standard deviation in pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), radius), np.float32)


def halve(picture: Floats) -> Floats:
    """Halve a picture (h, w) by averaging 2x2 pixels."""
    height, width = picture.shape
    size = (width // 2, height // 2)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _resize_periodic(field: Floats, repeats: int, size: int) -> Floats:
    """Resize a field that repeats: see Canvas.resize."""
    taps = _list_taps(len(field), repeats, size)
    across = _mix_rows(np.ascontiguousarray(field.T), *taps)
    return _mix_rows(np.ascontiguousarray(across.T), *taps)


def _list_taps(nodes: int, repeats: int, size: int) -> tuple[NDArray[np.intp], Floats]:
    """List the nodes that each pixel of a row is mixed of, and their weights.

    As OpenCV does: the cubic interpolation of four nodes where the row is enlarged, else the mean
    of what a pixel covers. Returns two arrays (size, taps).
    """
    step = nodes * repeats / size
    if step <= 1:
        place = (np.arange(size) + 0.5) * step - 0.5
        first = np.floor(place).astype(np.intp) - 1
        taps = first[:, None] + np.arange(4)
        far = np.abs(place[:, None] - taps)
        near = ((_CUBIC + 2) * far - (_CUBIC + 3)) * far**2 + 1
        outer = ((_CUBIC * far - 5 * _CUBIC) * far + 8 * _CUBIC) * far - 4 * _CUBIC
        weights = np.where(far <= 1, near, outer)
    else:
        start = np.arange(size) * step
        taps = np.floor(start).astype(np.intp)[:, None] + np.arange(int(np.ceil(step)) + 1)
        end = np.minimum(taps + 1, start[:, None] + step)
        weights = np.maximum(end - np.maximum(taps, start[:, None]), 0) / step
    return taps % nodes, weights.astype(np.float32)


def _mix_rows(field: Floats, taps: NDArray[np.intp], weights: Floats) -> Floats:
    """Mix each row of the result of several rows of a field (nodes, w). Returns (size, w)."""
    mixed = np.zeros((len(taps), field.shape[1]), np.float32)
    for top in range(0, len(taps), _BAND):
        rows = slice(top, top + _BAND)
        for tap in range(taps.shape[1]):
            mixed[rows] += weights[rows, tap, None] * field[taps[rows, tap]]
    return mixed
