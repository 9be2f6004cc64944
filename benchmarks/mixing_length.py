"""Over what length the colours of a tile mix: on photographs, on renders, and after `match`.

    PLITKA_SHARED=FOLDER python -m benchmarks.mixing_length [--out FOLDER]

The mixing length: each pixel gets its colour from the plain pixel classifier of
benchmarks.color_match. The probability that two pixels r apart agree, less that of two pixels
anywhere, over what is left of 1, falls from 1 to 0 as r grows; the r at which it is 1/e is the
mixing length. Where each granule has its colour by chance, it is as long as granules are; where
colours clump it is longer.

Without the folder of photographs and of real pictures, renders alone are measured. --out: where to
write the matched pictures, to look at them.
"""

import argparse
import csv
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.color_match import classify_pixels, correlate_detail, plain_shares
from benchmarks.color_pictures import RECIPES, labelled, layout, rendered
from benchmarks.photographs import MIXED_NAMES
from benchmarks.report import print_table
from plitka.arrays import Image
from plitka.color import palette
from plitka.images import photograph
from plitka.matching.match import match
from plitka.measure.shares import total_variation
from plitka.tile.layout import Layout

_FARTHEST = 40  # pixels
_SEED = 3
_ONE_COLOR_BECOMES = (
    "RED60+WHITE40",
    "RED50+BLUE30+YELLOW20",
    "RED25+BLUE25+GRSGRN25+WHITE25",
)


@dataclass(frozen=True)
class Result:
    """Of one matched picture. length: in pixels. variation, plain: total variation in points, by
    `measure` and by the pixel classifier. detail: correlation of fine lightness before and after,
    everywhere. seconds: processor time of matching."""

    length: float
    variation: float
    plain: float
    detail: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="where to write the matched pictures")
    out: Path | None = parser.parse_args().out
    if out:
        out.mkdir(parents=True, exist_ok=True)
    rows = [_summarize("photographs of mixed tiles", list(_measure_photographs()))]
    rows += [_summarize("renders", [_measure_render(recipe) for recipe in RECIPES])]
    print_table(["pictures", "number", "mean", "spread", "longest"], [r for r in rows if r])
    for title, pictures in (
        ("real pictures of the old system", list_outputs()),
        ("one-colour photographs", _list_one_color_photographs()),
    ):
        results = {name: _match(name, image, laid, out) for name, image, laid in pictures}
        if results:
            _print(title, results)


def measure_mixing_length(owner: NDArray[np.integer]) -> float:
    """Measure the mixing length of a map of colours (h, w), in pixels; nan if it shows but one."""
    height, width = owner.shape
    shape = (height + _FARTHEST + 1, width + _FARTHEST + 1)
    pairs = _correlate(np.ones(owner.shape, np.bool_), shape)
    agreeing, chance = np.zeros(shape), 0.0
    for color in np.unique(owner):
        mine = owner == color
        agreeing += _correlate(mine, shape)
        chance += float(mine.mean()) ** 2
    down, right = (np.fft.fftfreq(length, 1 / length) for length in shape)
    distance = np.hypot(down[:, None], right[None])
    ring = np.rint(distance).astype(int)
    near = ring <= _FARTHEST
    of_ring = [np.bincount(ring[near], weights=of[near]) for of in (agreeing, pairs, distance)]
    radius = of_ring[2] / np.bincount(ring[near])
    kept = (of_ring[0] / of_ring[1] - chance) / max(1 - chance, 1e-12)
    below = np.flatnonzero(kept < np.exp(-1))
    if chance > 1 - 1e-9 or not len(below):
        return float("nan")
    last = slice(below[0] - 1, below[0] + 1)
    return float(np.interp(-np.exp(-1), -kept[last], radius[last]))


def _correlate(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Count, for each displacement, the pairs of pixels that are both in a mask."""
    spectrum = np.fft.rfft2(mask.astype(np.float64), shape)
    return np.asarray(np.fft.irfft2(spectrum * spectrum.conj(), shape))


def _measure_photographs() -> Iterator[float]:
    for photo in labelled():
        if len(photo.colors) > 1:
            known = palette.load()
            colors = [known.find(MIXED_NAMES.get(c.code, c.code)) for c in photo.colors]
            yield measure_mixing_length(classify_pixels(photograph.load(photo.file).pixels, colors))


def _measure_render(recipe: str) -> float:
    colors = layout(recipe, 7).colors
    return measure_mixing_length(classify_pixels(rendered(recipe, 7), colors))


def _summarize(name: str, lengths: list[float]) -> list[str]:
    if not lengths:
        return []
    figures = (np.mean(lengths), np.std(lengths), max(lengths))
    return [name, str(len(lengths)), *(f"{figure:.1f}" for figure in figures)]


def find_outputs() -> Path | None:
    """Find the table of real pictures of the system that Plitka replaces; None without one."""
    shared = os.environ.get("PLITKA_SHARED")
    table = Path(shared) / "outputs" / "outputs.csv" if shared else None
    return table if table is not None and table.is_file() else None


def list_outputs() -> Iterator[tuple[str, Image, Layout]]:
    """List these pictures, with the layouts of their recipes."""
    table = find_outputs()
    if table is None:
        return
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            codes, percent = row["colours"].upper().split("+"), row["percent"].split("+")
            recipe = "+".join(map("".join, zip(codes, percent, strict=True)))
            image = photograph.load(table.parent / row["file"]).pixels
            yield f"{row['file'].removesuffix('.jpg')} {recipe}", image, layout(recipe, _SEED)


def _list_one_color_photographs() -> Iterator[tuple[str, Image, Layout]]:
    for photo in labelled():
        if len(photo.colors) == 1:
            image = photograph.load(photo.file).pixels
            for recipe in _ONE_COLOR_BECOMES:
                yield f"{photo.colors[0].code} {recipe}", image, layout(recipe, _SEED)


def _match(name: str, image: Image, laid: Layout, out: Path | None) -> Result:
    start = time.process_time()
    matched = match(image, laid)
    seconds = time.process_time() - start
    if out:
        bgr = cv2.cvtColor(matched.image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(out / f"{name.replace(' ', '_')}.png"), bgr)
    return Result(
        measure_mixing_length(classify_pixels(matched.image, laid.colors)),
        100 * matched.after.compare(laid.shares),
        100 * total_variation(plain_shares(matched.image, laid.colors), laid.shares),
        correlate_detail(image, matched.image),
        seconds,
    )


def _print(title: str, results: dict[str, Result]) -> None:
    fields = ("length", "variation", "plain", "detail", "seconds")
    of = {field: [getattr(result, field) for result in results.values()] for field in fields}
    worst = [min(of[field]) if field == "detail" else max(of[field]) for field in fields]
    rows = [
        [name, *(f"{getattr(result, field):.2f}" for field in fields)]
        for name, result in results.items()
    ]
    rows.append(["mean", *(f"{np.mean(of[field]):.2f}" for field in fields)])
    rows.append(["worst", *(f"{value:.2f}" for value in worst)])
    print(f"\n{title}, matched:")
    header = ["picture", "mixing length", "TV", "TV by pixels", "detail", "seconds"]
    print_table(header, rows)


if __name__ == "__main__":
    main()
