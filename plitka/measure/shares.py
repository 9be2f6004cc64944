"""Which shares a picture really has: measured on the picture, without knowledge of its layout."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from plitka.arrays import Floats, Image
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.measure import classification, segmentation

_SIDE = 768  # pixels, of the longer side; much smaller and larger pictures are measured at this
_SMALLEST_SIDE = 640
_SAMPLE = 2  # every so many pixels of rows and columns make the medians


@dataclass(frozen=True)
class Measurement:
    """What a picture shows of the colours that were looked for, in their order.

    shares: of the area of granules, each 0 to 1, together 1 (all 0 where no granule is seen).
    differences: CIEDE2000 from each colour's median on the picture to the palette; None for a
    colour that the picture does not show.
    gaps: share of the picture that is gaps, joints and deep shadow. undecided: share of the
    picture that could not be decided, or shows colours that were not looked for.
    """

    shares: tuple[float, ...]
    differences: tuple[float | None, ...]
    gaps: float
    undecided: float


def total_variation(measured: Sequence[float], requested: Sequence[float]) -> float:
    """Half the sum of absolute differences: 0 (equal) to 1 (nothing in common)."""
    return 0.5 * sum(abs(m - r) for m, r in zip(measured, requested, strict=True))


@dataclass(frozen=True, eq=False)
class ClassifiedImage:
    """What measuring sees in a picture.

    image: (h, w, 3) the picture, lab: the same in L*a*b*. cut: its segments. found: which of the
    colours they show.
    """

    image: Image
    lab: Floats
    cut: segmentation.Segments
    found: classification.Classification


def measure(image: Image, colors: Sequence[Color]) -> Measurement:
    """Measure the shares of `colors` on a picture of a tile.

    image: (height, width, 3) RGB, 0..255.
    """
    return summarize(segment_and_classify(scale_for_measuring(image), colors), colors)


def scale_for_measuring(image: Image) -> Image:
    """The picture at the size of measuring: one at which a granule has 10 to 30 pixels across."""
    height, width = image.shape[:2]
    if _SMALLEST_SIDE <= max(height, width) <= _SIDE:
        return image
    scale = _SIDE / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def segment_and_classify(image: Image, colors: Sequence[Color]) -> ClassifiedImage:
    """The first step of `measure`, for who goes on with what it sees. image: `scale_for_measuring` already."""
    lab = cielab.rgb_to_lab(image)
    cut = segmentation.segment(image, lab)
    return ClassifiedImage(image, lab, cut, classification.classify(cut, colors))


def summarize(seen: ClassifiedImage, colors: Sequence[Color]) -> Measurement:
    """The second step of `measure`, with the same colours."""
    cut, found = seen.cut, seen.found
    whole = cut.area.sum()
    granules = found.owner != classification.NO_COLOR
    gaps = cut.area[found.shadow].sum() / whole
    undecided = cut.area[~granules & ~found.shadow].sum() / whole
    differences = _differences(seen.lab, found, cut.map, colors)
    return Measurement(
        classification.sum_shares(found, cut), differences, float(gaps), float(undecided)
    )


def _differences(
    lab: Floats,
    found: classification.Classification,
    pixels: segmentation.SegmentMap,
    colors: Sequence[Color],
) -> tuple[float | None, ...]:
    """As Measurement tells. Like the palette's, the medians take in a granule's own shadows."""
    lab = lab[::_SAMPLE, ::_SAMPLE]
    material = found.material[pixels[::_SAMPLE, ::_SAMPLE]]
    seen = set(found.owner.tolist())
    differences: list[float | None] = []
    for index, color in enumerate(colors):
        if index not in seen:
            differences.append(None)
            continue
        median = np.median(lab[material == index], axis=0)
        differences.append(float(cielab.ciede2000(median, color.lab)))
    return tuple(differences)
