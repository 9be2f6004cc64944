"""How well `match` gives any picture a recipe's shares and colours, and what it leaves of it.

    PLITKA_SHARED=… python -m benchmarks.color_match [stand-in …]

Each stand-in for a model's picture is matched to each of the 23 recipes. The result is measured
by `measure` and by a plain pixel classifier, which is written here and shares nothing with it: a
Gaussian in L*a*b* for each colour, fitted on photographs of one-colour tiles (on renders of them
where there is no photograph), the dark pixels left out.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.color_pictures import (
    RECIPES,
    SHOWN,
    layout,
    photographs,
    rendered,
    stand_ins,
)
from plitka.arrays import Doubles, Image
from plitka.color import palette
from plitka.color.cielab import ciede2000
from plitka.color.palette import Color
from plitka.images import photograph
from plitka.matching.match import match
from plitka.measure.shares import total_variation
from plitka.tile.layout import Layout

_SEED = 3
_DARK = 0.4  # of the colour's median L*: left out by the pixel classifier
_FINE = 3.0  # pixels; the standard deviation of what counts as fine detail, an eighth of a granule
# Pixels around edges between the colours that are no detail: as far as those reach into it.
_EDGE = 8
_WELL_SEPARATED = 25.0  # CIEDE2000


@dataclass(frozen=True)
class Result:
    """Of one stand-in and recipe. variation, plain: total variation in points, by `measure` and
    by the pixel classifier. difference: the largest CIEDE2000 of a colour's median to the
    palette. detail, all_detail: correlation of fine lightness before and after, inside granules of
    one colour and everywhere. seconds: processor time of matching, with what is measured
    before and after.
    """

    variation: float
    plain: float
    difference: float
    detail: float
    all_detail: float
    seconds: float


def main(chosen: Sequence[str]) -> None:
    results: dict[tuple[str, str], Result] = {}
    for name, image in stand_ins().items():
        if chosen and name not in chosen:
            continue
        for recipe in RECIPES:
            results[name, recipe] = _matched(name, image, layout(recipe, _SEED))
        _print(name, [result for (of, _), result in results.items() if of == name])
    _print("all", list(results.values()))
    well = [r for (_, recipe), r in results.items() if _well_separated(layout(recipe, 0).colors)]
    print(f"recipes of well separated colours: pixels' worst {max(r.plain for r in well):.1f}")
    worst = sorted(results.items(), key=lambda item: -max(item[1].variation, item[1].plain))
    for (name, recipe), result in worst[:8]:
        print(f"  {name:24} {recipe:34} {result.variation:5.1f} {result.plain:5.1f}")
    _unchanged()


def _matched(name: str, image: Image, laid: Layout) -> Result:
    start = time.process_time()
    matched = match(image, laid)
    seconds = time.process_time() - start
    after, measured = matched.image, matched.after
    plain = 100 * total_variation(plain_shares(after, laid.colors), laid.shares)
    inside, everywhere = _detail(name, image, after, laid.colors)
    return Result(
        100 * total_variation(measured.shares, laid.shares),
        plain,
        max((d for d in measured.differences if d is not None), default=0.0),
        inside,
        everywhere,
        seconds,
    )


def _print(name: str, results: Sequence[Result]) -> None:
    def of(field: str) -> Doubles:
        return np.array([getattr(result, field) for result in results])

    print(
        f"{name:24} TV {of('variation').mean():5.2f} worst {of('variation').max():5.2f}"
        f"   pixels {of('plain').mean():5.2f} worst {of('plain').max():5.2f}"
        f"   CIEDE2000 {of('difference').mean():4.1f} worst {of('difference').max():4.1f}"
        f"   detail {of('detail').mean():5.2f} least {of('detail').min():5.2f}"
        f" everywhere {of('all_detail').mean():5.2f}   {of('seconds').mean():4.2f} s",
        flush=True,
    )


def _unchanged() -> None:
    """What matching changes on pictures that show their recipe already."""
    for recipe in RECIPES[::3]:
        image = rendered(recipe, 7)
        same = match(image, layout(recipe, 7)).image
        change = np.abs(same.astype(int) - image).mean()
        once = match(image, layout(recipe, _SEED)).image
        twice = match(once, layout(recipe, _SEED)).image
        more = np.abs(twice.astype(int) - once).mean()
        print(f"already shown: {recipe:34} changed by {change:.2f}, its match by {more:.2f} of 255")


# The plain pixel classifier


@dataclass(frozen=True, eq=False)
class _Gaussian:
    mean: Doubles
    inverse: Doubles
    offset: float


@cache
def _fitted(color: Color) -> _Gaussian:
    folder = photographs()
    if folder is not None and (folder / f"{color.code}.jpg").is_file():
        image = photograph.load(folder / f"{color.code}.jpg").pixels
    else:
        image = rendered(f"{color.code}100", 21)
    lab = _lab(image).reshape(-1, 3)
    lab = lab[lab[:, 0] > _DARK * np.median(lab[:, 0])]
    spread = np.cov(lab.T) + np.diag([4.0, 4.0, 4.0])
    offset = 0.5 * float(np.linalg.slogdet(spread)[1])
    inverse = np.asarray(np.linalg.inv(spread), np.float64)
    return _Gaussian(lab.mean(axis=0), inverse, offset)


def classify_pixels(image: Image, colors: Sequence[Color]) -> NDArray[np.int64]:
    lab = _lab(image)
    unlikely = []
    for color in colors:
        fit = _fitted(color)
        off = lab - fit.mean
        unlikely.append(0.5 * np.einsum("...i,ij,...j", off, fit.inverse, off) + fit.offset)
    return np.asarray(np.argmin(unlikely, axis=0))


def plain_shares(image: Image, colors: Sequence[Color]) -> list[float]:
    image = image[::2, ::2]
    owner = classify_pixels(image, colors)
    dark = np.array([_DARK * color.lab[0] for color in colors])
    seen = _lab(image)[..., 0] > dark[owner]
    area = np.bincount(owner[seen], minlength=len(colors))
    return [float(part) for part in area / area.sum()]


def _lab(image: Image) -> Doubles:
    pixels = np.asarray(image, np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), np.float64)


def _detail(name: str, before: Image, after: Image, colors: Sequence[Color]) -> tuple[float, float]:
    one, other = (_fine(_lab(image)[..., 0]) for image in (before, after))
    # Where two colours meet, the step between them is what was asked for, or taken away.
    inside = _within(after, colors)
    if name in SHOWN:
        inside &= _within(before, [palette.load().find(code) for code in SHOWN[name]])
    return _correlation(one[inside], other[inside]), _correlation(one, other)


def correlate_detail(before: Image, after: Image) -> float:
    """Correlation of fine lightness everywhere, steps between granules taken in."""
    return _correlation(*(_fine(_lab(image)[..., 0]) for image in (before, after)))


def _within(image: Image, colors: Sequence[Color]) -> NDArray[np.bool_]:
    """Where a picture shows one colour all around."""
    smooth = np.asarray(cv2.medianBlur(image, 5), np.uint8)
    owner = classify_pixels(smooth, colors).astype(np.uint8)
    kernel = np.ones((2 * _EDGE + 1, 2 * _EDGE + 1), np.uint8)
    return np.asarray(cv2.dilate(owner, kernel) == cv2.erode(owner, kernel))


def _fine(lightness: Doubles) -> Doubles:
    return np.asarray(lightness - cv2.GaussianBlur(lightness, (0, 0), _FINE))


def _correlation(one: Doubles, other: Doubles) -> float:
    if one.size < 2 or min(one.std(), other.std()) < 1e-6:
        return float("nan")
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _well_separated(colors: Sequence[Color]) -> bool:
    pairs = combinations(colors, 2)
    return all(float(ciede2000(a.lab, b.lab)) > _WELL_SEPARATED for a, b in pairs)


if __name__ == "__main__":
    main(sys.argv[1:])
