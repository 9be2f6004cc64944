"""Measures the tones of the built-in palette, and says how near an estimate comes to them.

    PLITKA_SHARED=FOLDER python -m benchmarks.measure_tones [--write]

A colour that has a photograph of a one-colour tile is measured on all of its pixels. Of one that
has none, but lies in mixtures, the photograph with most of it is taken, and of that the pixels
that lie CLEAR pixels at least from those of another colour: at a border a lens mixes two colours,
and a render mixes them itself. Pits between granules of the same colour are in it; that nothing
but such pits are is why it has to be most of the photograph. Where no colour is MOST or more, it
has no tone, and the program estimates one.

For each tone: the root mean square of what its ranks are off where it is estimated from the other
tones alone, in L* and in a*, b*; and the same of the two halves of the photograph, as they are and
with the unevenness of the light (a blur of EVENNESS pixels) taken out. --write puts the tones into
refs/palette.csv.
"""

import argparse
import csv
import io

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import photographs
from benchmarks.photographs import Photograph
from benchmarks.report import print_table
from plitka.arrays import Doubles, Floats
from plitka.color import cielab, palette
from plitka.color.tone import adapt_tone, estimate_tone, measure_tone
from plitka.color.tone_table import format_tone, parse_tone

MOST = 70.0  # percent of a mixture; 85% of it lies among its like, and its pits with it
CLEAR = 3  # pixels; a granule has 20
SOFT = 1.5  # pixels: what a border is as broad as in these photographs, so that its sides are told
EVENNESS = 80.0  # pixels, standard deviation: four granules
ACHROMATIC = {"BLACK", "WHITE"}


def find_source(code: str, photos: list[Photograph]) -> Photograph | None:
    """Find the photograph that shows most of a colour, None where none shows MOST."""
    showing = [photo for photo in photos if photo.percent_by_eye.get(code, 0) >= MOST]
    return max(showing, key=lambda photo: photo.percent_by_eye[code], default=None)


def mask_color(photo: Photograph, code: str) -> NDArray[np.bool_]:
    """Mask the pixels (h, w) of a colour, CLEAR of those of others.

    A pixel is the colour's with the nearest a*, b* in the softened picture; that with the nearest
    L* where all are achromatic.
    """
    codes = list(photo.percent_by_eye)
    soft = cv2.GaussianBlur(cielab.rgb_to_lab(photo.image), (0, 0), SOFT)
    channels = slice(0, 1) if set(codes) <= ACHROMATIC else slice(1, 3)
    known = [np.array(palette.load().find(one).lab, np.float32)[channels] for one in codes]
    away = [np.linalg.norm(soft[..., channels] - color, axis=-1) for color in known]
    own = (np.argmin(away, axis=0) == codes.index(code)).astype(np.uint8)
    side = 2 * CLEAR + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # Specks are of one pixel's noise, and would hollow out all around them.
    whole = cv2.morphologyEx(own, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.erode(whole, around, borderValue=1) > 0)


def even_light(lab: Floats) -> Floats:
    """Take the unevenness of the light out of a picture (h, w, 3) L*a*b*."""
    light = cv2.GaussianBlur(lab[..., 0], (0, 0), EVENNESS)
    even = lab.copy()
    even[..., 0] = np.clip(lab[..., 0] - light + light.mean(), 0, 100)
    return even


def compare_halves(lab: Floats, mask: NDArray[np.bool_]) -> str:
    """Say how far the tones of a picture's two halves are apart in L* and in a*, b*."""
    middle = lab.shape[1] // 2
    halves = [lab[:, side][mask[:, side]] for side in (slice(0, middle), slice(middle, None))]
    one, other = (measure_tone(half) for half in halves)
    return describe_error(one, other)


def describe_error(one: Doubles, other: Doubles) -> str:
    """The root mean square difference of two tones: in L*, and in a* and b*."""
    squares = ((one - other) ** 2).mean(axis=0)
    return f"{squares[0] ** 0.5:.1f} {(squares[1] + squares[2]) ** 0.5:.1f}"


def write_tones(tones: dict[str, str]) -> None:
    """Write the built-in palette anew, with these tones alone."""
    file = palette.PALETTE_FILE
    out = io.StringIO()
    out.writelines(f"{line}\n" for line in palette.read_comments(file))
    table = csv.DictWriter(
        out, [*palette.COLUMNS, palette.RUSSIAN], restval="", lineterminator="\n"
    )
    table.writeheader()
    table.writerows({**row, "tone": tones.get(row["code"], "")} for row in palette.read_rows(file))
    file.write_text(out.getvalue(), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the tones of the built-in palette.")
    parser.add_argument("--write", action="store_true", help="into refs/palette.csv")
    write: bool = parser.parse_args().write

    photos = photographs.load()
    tones: dict[str, str] = {}
    halves: dict[str, list[str]] = {}
    for code in sorted({color.code for color in palette.load().colors}):
        photo = find_source(code, photos)
        if photo is None:
            continue
        lab = cielab.rgb_to_lab(photo.image)
        mask = mask_color(photo, code)
        tones[code] = format_tone(measure_tone(lab[mask]).tolist())
        raw, even = compare_halves(lab, mask), compare_halves(even_light(lab), mask)
        halves[code] = [photo.name, f"{mask.mean():.0%}", raw, even]

    measured = [palette.load().find(code) for code in tones]
    rows = []
    for color in measured:
        own = np.array(parse_tone(tones[color.code]))
        others = [
            (one, np.array(parse_tone(tones[one.code]))) for one in measured if one is not color
        ]
        estimate = estimate_tone(color, others)
        rows.append(
            [color.code, *halves[color.code], describe_error(estimate, adapt_tone(own, color))]
        )
    headers = ["code", "photograph", "pixels", "halves: L* and a*, b*", "the same, even light"]
    print_table([*headers, "estimated: L* and a*, b*"], rows)
    if write:
        write_tones(tones)


if __name__ == "__main__":
    main()
