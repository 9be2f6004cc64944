"""Measures the shares of colours on a picture, without knowledge of its recipe or layout."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from plitka.arrays import Floats, Image
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.measure.classification import NO_COLOR, Classification, classify
from plitka.measure.intervals import Certainty, judge_shares
from plitka.measure.mixture import fit_mixture
from plitka.measure.segmentation import Segments, measure_insides, segment

SMALLEST_SIDE = 128
"""Pixels a side of a picture that can be measured. Of 12 renders that were made smaller, the total
variation is 0.04 at 128 and the intervals hold; at 96 they no longer do, and at 64 it is 0.2."""

_SIDE = 768  # pixels, of the longer side; much smaller and larger pictures are measured at this
_LEAST_SIDE = 640  # pixels, likewise; no smaller picture is measured at its own size
_SAMPLE = 4  # every so many pixels of rows and columns make the medians


class TooSmall(ValueError):
    """A picture that shows too few granules, or too small ones; the message says what is needed."""


@dataclass(frozen=True)
class Measurement:
    """What a picture shows of the colours that were looked for, in their order.

    shares: of the area of granules that show these colours; each 0 to 1, together 1 (all 0 where
    no granule shows any of them).
    intervals: for each colour, the lowest and the highest share that it may have, 0 to 1: its true
    share lies between them on 90% of pictures. (0, 0) for each where all shares are 0.
    groups: the sets of colours, as ascending indices, that this picture does not tell apart; empty
    where all are told apart. A group's sum of shares is as sure as any share; only how it is parted
    among the members is not.
    differences: CIEDE2000 from each colour's median on the picture to the palette; None for a
    colour that no segment shows beyond doubt.
    gaps: share of the picture, 0 to 1, that is gaps, joints and deep shadow. undecided: share of
    the picture, 0 to 1, in granules whose colour is uncertain or was not looked for.
    """

    shares: tuple[float, ...]
    intervals: tuple[tuple[float, float], ...]
    groups: tuple[tuple[int, ...], ...]
    differences: tuple[float | None, ...]
    gaps: float
    undecided: float

    def compare(self, requested: Sequence[float]) -> float:
        """Compute the total variation from requested shares, each group taken as one colour.

        requested: one share for each colour. Returns 0 (equal) to 1 (nothing in common).
        """
        return total_variation(self._join_groups(self.shares), self._join_groups(requested))

    def _join_groups(self, shares: Sequence[float]) -> list[float]:
        """Sum up the shares of each group, and keep those of the colours that are told apart."""
        joined = list(shares)
        for first, *others in self.groups:
            joined[first] += sum(shares[other] for other in others)
            for other in others:
                joined[other] = 0.0
        return joined


def total_variation(measured: Sequence[float], requested: Sequence[float]) -> float:
    """Compute the total variation of two sequences of shares: 0 (equal) to 1 (nothing in common).

    Half the sum of absolute differences. Raises ValueError where the lengths differ.
    """
    return 0.5 * sum(abs(m - r) for m, r in zip(measured, requested, strict=True))


@dataclass(frozen=True, eq=False)
class ClassifiedImage:
    """A picture, its segments, and which of the colours they show.

    image: (h, w, 3) sRGB, 0 to 255. lab: (h, w, 3) the same in L*a*b*.
    """

    image: Image
    lab: Floats
    segments: Segments
    classification: Classification


def measure(image: Image, colors: Sequence[Color]) -> Measurement:
    """Measure the shares of `colors` on a picture of a tile.

    image: (h, w, 3) sRGB, 0 to 255; of any size, but the tile's granules are taken to have the
    same share of the picture's side as those of a layout. Raises TooSmall for one of less than
    SMALLEST_SIDE pixels a side.
    """
    check_size(image)
    return summarize(segment_and_classify(scale_for_measuring(image), colors), colors)


def check_size(image: Image) -> None:
    """Raise TooSmall for a picture, (h, w, 3), that cannot be measured.

    It needs SMALLEST_SIDE pixels a side, and no fewer at the size at which it is measured.
    """
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise TooSmall(
            f"{width}x{height} pixels are too small to measure; at least {SMALLEST_SIDE} pixels "
            "a side are needed"
        )
    if max(height, width) * SMALLEST_SIDE > min(height, width) * _SIDE:
        raise TooSmall(
            f"{width}x{height} pixels are too narrow to measure; a picture may be "
            f"at most {_SIDE // SMALLEST_SIDE} times as long as wide"
        )


def scale_for_measuring(image: Image) -> Image:
    """Scale a picture to the size of measuring, at which a granule has 10 to 30 pixels across.

    image: (h, w, 3) sRGB, 0 to 255; returned as it is where its longer side has 640 to 768
    pixels, else scaled to 768.
    """
    height, width = image.shape[:2]
    if _LEAST_SIDE <= max(height, width) <= _SIDE:
        return image
    scale = _SIDE / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def segment_and_classify(image: Image, colors: Sequence[Color]) -> ClassifiedImage:
    """Cut a picture into segments and find which of `colors` each shows: `measure`, first step.

    image: (h, w, 3) sRGB, 0 to 255, at the size that `scale_for_measuring` gives.
    """
    lab = cielab.rgb_to_lab(image)
    segments = segment(image, lab)
    return ClassifiedImage(image, lab, segments, classify(segments, colors))


def summarize(classified: ClassifiedImage, colors: Sequence[Color]) -> Measurement:
    """Sum up what a classified picture shows: `measure`, second step.

    colors: those that the picture was classified by.
    """
    area, shown = classified.segments.area, classified.classification
    picture = area.sum()
    owned = shown.owner != NO_COLOR
    gaps = area[shown.shadow].sum() / picture
    undecided = area[~owned & ~shown.shadow].sum() / picture
    differences = _compare_medians(classified, colors)
    shares, certainty = _measure_shares(classified, colors)
    return Measurement(
        shares, certainty.intervals, certainty.groups, differences, float(gaps), float(undecided)
    )


def _measure_shares(
    classified: ClassifiedImage, colors: Sequence[Color]
) -> tuple[tuple[float, ...], Certainty]:
    """Measure the shares, and how sure they are: all 0, and surely, where no colour is shown."""
    shown, segments = classified.classification, classified.segments
    if (shown.owner == NO_COLOR).all():
        return (0.0,) * len(colors), Certainty(((0.0, 0.0),) * len(colors), ())
    insides = measure_insides(segments, classified.lab)
    mixture = fit_mixture(segments, insides, colors, shown)
    return tuple(mixture.shares.tolist()), judge_shares(mixture)


def _compare_medians(
    classified: ClassifiedImage, colors: Sequence[Color]
) -> tuple[float | None, ...]:
    """Compute CIEDE2000 from each colour's median to the palette; None for one that is absent.

    The median is over all pixels of a colour's material: like the palette's, it takes in the
    granules' own shadows.
    """
    shown = classified.classification
    lab = np.array(cv2.split(classified.lab[::_SAMPLE, ::_SAMPLE])).reshape(3, -1)
    material = shown.material.take(classified.segments.map[::_SAMPLE, ::_SAMPLE].ravel())
    present = set(shown.owner.tolist())
    differences: list[float | None] = []
    for index, color in enumerate(colors):
        if index not in present:
            differences.append(None)
            continue
        median = np.median(lab.take(np.flatnonzero(material == index), axis=1), axis=1)
        differences.append(float(cielab.ciede2000(median, color.lab)))
    return tuple(differences)
