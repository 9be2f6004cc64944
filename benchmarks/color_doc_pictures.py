"""Draw the pictures of docs/color.md, from renders alone.

python -m benchmarks.color_doc_pictures
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.color_pictures import SIZE, layout
from plitka.arrays import Image
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.matching.granules import find_granules
from plitka.matching.match import match
from plitka.measure import classification, segmentation
from plitka.tile import render

_DOCS = Path(__file__).parent.parent / "docs"
_RECIPE = "RED60+BLACK20+WHITE20"
_DRAWN = "RED25+BLUE25+BLACK20+WHITE30"  # what stands in for a model that did not obey
_CORNER, _SIDE = 400, 240  # of what is shown of each picture
_QUALITY = 88
_OUTLINE = (255, 0, 255)
_NO_COLOR = (240, 190, 60)  # far from every colour of the recipe
_GAP = 12  # pixels between the parts of a picture


def main() -> None:
    laid = layout(_RECIPE, 3)
    image = render.render_picture(layout(_DRAWN, 8), SIZE)
    lab = cielab.rgb_to_lab(image)
    segments = segmentation.segment(image, lab)
    shown_before = classification.classify(segments, laid.colors)
    granules = find_granules(image, lab, laid.map_granules(SIZE))
    before = _flat(shown_before, segments, laid.colors)
    _save("color-measure.jpg", image, _outlined(image, segments.map), before)
    matched = match(image, laid).image
    after = segmentation.segment(matched, cielab.rgb_to_lab(matched))
    shown = classification.classify(after, laid.colors)
    _save(
        "color-match.jpg", _outlined(image, granules.map), matched, _flat(shown, after, laid.colors)
    )
    flat = np.full_like(image, 128)
    noise = np.random.default_rng(1).integers(0, 256, image.shape, np.uint8)
    _save("color-any.jpg", *(match(one, laid).image for one in (flat, noise)))


def _flat(
    shown: classification.Classification,
    segments: segmentation.Segments,
    colors: tuple[Color, ...],
) -> Image:
    """What `measure` sees: each segment in its palette colour, amber where it has none."""
    table = np.array([color.srgb for color in colors] + [_NO_COLOR], np.uint8)
    return np.asarray(table[shown.owner][segments.map])


def _outlined(image: Image, index: NDArray[np.integer]) -> Image:
    edge = np.zeros(index.shape, np.bool_)
    edge[:, 1:] |= index[:, 1:] != index[:, :-1]
    edge[1:] |= index[1:] != index[:-1]
    outlined = image.copy()
    outlined[edge] = _OUTLINE
    return outlined


def _save(name: str, *images: Image) -> None:
    part = np.s_[_CORNER : _CORNER + _SIDE, _CORNER : _CORNER + _SIDE]
    gap = np.full((2 * _SIDE, _GAP, 3), 255, np.uint8)
    strip = [np.repeat(np.repeat(image[part], 2, 0), 2, 1) for image in images]
    parts = [piece for image in strip for piece in (gap, image)][1:]
    bgr = cv2.cvtColor(np.concatenate(parts, axis=1), cv2.COLOR_RGB2BGR)
    file = _DOCS / name
    if not cv2.imwrite(str(file), bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]):
        raise OSError(f"{file}: cannot be written")


if __name__ == "__main__":
    main()
