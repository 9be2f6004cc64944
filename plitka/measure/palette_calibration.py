"""Palette calibration: measures a maker's own colours on photographs of one-colour tiles.

A folder for each colour, named after its code, holds its photographs, and phrase.txt where the
code is new and its phrase is not simply the code in lower case.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from plitka.arrays import Floats
from plitka.color import cielab, palette
from plitka.color.palette import COLUMNS, Palette, PaletteError, normalize_name
from plitka.color.srgb import format_hex
from plitka.images import photograph
from plitka.images.photograph import SUFFIXES
from plitka.measure import color_modes, segmentation

_CODE = re.compile(r"[A-Z][A-Z0-9]{1,15}")
_PHRASE = re.compile(r"[a-z]+(?:[ -][a-z]+){0,3}")
_LEAST_PIXELS = 10_000  # of one photograph: some dozens of granules
_MOST_PIXELS = 250_000  # of each photograph that are looked at
_SECOND_COLOR = 0.1  # of the area, in a mode of its own


class CalibrationError(PaletteError):
    """The folder cannot be a palette; the message names the file or folder and what is wrong."""


def calibrate(folder: Path, known: Palette) -> list[dict[str, str]]:
    """Measure the colours of a folder: one palette row for each folder of photographs in it.

    known: the palette so far, whose phrases and names count. The rows are those of a palette file,
    see palette.COLUMNS. Raises CalibrationError for a folder that cannot be a palette,
    PictureError for a file that is not a picture, and OSError for what cannot be read.
    """
    kinds = sorted(kind for kind in folder.iterdir() if kind.is_dir() and _list_photographs(kind))
    if not kinds:
        raise CalibrationError(
            f"{folder}: no photographs found; they belong in folders named after colour codes, "
            f"{folder / 'DKGREEN' / '1.jpg'}"
        )
    phrases = {kind.name: _read_phrase(kind, known) for kind in kinds}
    _check_phrases(phrases, known)
    return [_measure_row(kind, phrases[kind.name]) for kind in kinds]


def write_palette(rows: Sequence[Mapping[str, str]], file: Path) -> None:
    """Write rows to a palette file; rows of other codes that are there already stay.

    Raises PaletteError where the file is no text, and OSError where it cannot be written.
    """
    old = palette.read_rows(file) if file.exists() else []
    codes = {row["code"] for row in rows}
    merged = [*(row for row in old if row["code"] not in codes), *rows]
    fresh = file.with_suffix(".new")
    with fresh.open("w", encoding="utf-8", newline="") as out:
        out.write("# Written by python -m plitka calibrate; README.md tells the columns.\n")
        table = csv.DictWriter(out, COLUMNS, lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        table.writerows(merged)
    fresh.replace(file)


def _list_photographs(kind: Path) -> list[Path]:
    """List a folder's photographs by name."""
    return sorted(file for file in kind.iterdir() if file.suffix.lower() in SUFFIXES)


def _read_phrase(kind: Path, known: Palette) -> str:
    """Read the phrase of a colour's folder: from its phrase.txt, the palette, or its own name."""
    if not _CODE.fullmatch(kind.name):
        raise CalibrationError(
            f"{kind}: {kind.name!r} is no colour code; a code has 2 to 16 capital letters and "
            "digits and begins with a letter, like DKGREEN"
        )
    file = kind / "phrase.txt"
    if file.is_file():
        phrase = file.read_text(encoding="utf-8").strip()
        if not _PHRASE.fullmatch(phrase):
            raise CalibrationError(
                f"{file}: {phrase!r} is no phrase; allowed: one to four words in small letters, "
                'like "dark green"'
            )
        return phrase
    for color in known.colors:
        if color.code == kind.name:
            return color.phrase
    return kind.name.lower()


def _check_phrases(phrases: Mapping[str, str], known: Palette) -> None:
    """Raise CalibrationError where a phrase or code would name two colours."""
    names = {normalize_name(color.code): color.code for color in known.colors}
    names |= {
        normalize_name(color.phrase): color.code
        for color in known.colors
        if color.code not in phrases
    }
    for code, phrase in phrases.items():
        for name in (code, phrase):
            owner = names.setdefault(normalize_name(name), code)
            if owner != code:
                raise CalibrationError(
                    f'{code}: "{name}" names the colour {owner} already; give it another in '
                    f"{code}/phrase.txt"
                )


def _measure_row(kind: Path, phrase: str) -> dict[str, str]:
    """Measure one colour on all photographs of its folder."""
    files = _list_photographs(kind)
    lab = np.concatenate([_sample_pixels(file) for file in files])
    red, green, blue = (
        np.rint(255 * cielab.encode_srgb(np.median(cielab.lab_to_linear(lab), axis=0)))
        .astype(int)
        .tolist()
    )
    p5, p25, p50, p75, p95 = np.percentile(lab[:, 0], (5, 25, 50, 75, 95))
    figures = {
        "L_median": p50,
        "a_median": np.median(lab[:, 1]),
        "b_median": np.median(lab[:, 2]),
        "L_p5": p5,
        "L_p25": p25,
        "L_p75": p75,
        "L_p95": p95,
    }
    count = len(files)
    return {
        "code": kind.name,
        "caption": phrase,
        "median_srgb": format_hex((red, green, blue)),
        **{column: f"{figure:.1f}" for column, figure in figures.items()},
        "a_std": f"{lab[:, 1].std():.2f}",
        "b_std": f"{lab[:, 2].std():.2f}",
        "measured_from": f"{count} photograph{'s' if count > 1 else ''} of a tile of this colour",
    }


def _sample_pixels(file: Path) -> Floats:
    """Sample a photograph's pixels evenly. Returns (n, 3) L*a*b*.

    Raises CalibrationError for a photograph that is too small or shows more than one colour.
    """
    image = photograph.load(file).pixels
    count = image.shape[0] * image.shape[1]
    if count < _LEAST_PIXELS:
        raise CalibrationError(
            f"{file}: {image.shape[1]}x{image.shape[0]} pixels are too few; at least "
            f"{_LEAST_PIXELS:,} are needed"
        )
    lab = cielab.rgb_to_lab(image)
    modes = color_modes.find_modes(segmentation.segment(image, lab), color_modes.COARSE)
    if (modes.weight[modes.valley < color_modes.DEEP] > _SECOND_COLOR).sum() > 1:
        raise CalibrationError(f"{file}: shows more than one colour")
    return lab.reshape(-1, 3)[:: max(count // _MOST_PIXELS, 1)]
