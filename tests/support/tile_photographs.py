"""Photographs to train on, in the place of a maker's: renders of mixtures, captioned."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2

from plitka.images.jpeg import encode_jpeg
from plitka.tile.layout import lay
from plitka.tile.render import render_picture
from tests.support.recipes import asked

Shares = Mapping[str, int]

MIXTURES: Sequence[Shares] = (
    {"RED": 60, "WHITE": 40},
    {"RED": 30, "WHITE": 70},
    {"RED": 80, "BLACK": 20},
    {"WHITE": 55, "BLACK": 45},
    {"RED": 50, "BLACK": 50},
    {"WHITE": 75, "BLACK": 25},
    {"RED": 40, "WHITE": 30, "BLACK": 30},
    {"RED": 20, "WHITE": 60, "BLACK": 20},
    {"RED": 65, "BLACK": 35},
    {"WHITE": 35, "RED": 65},
)


def name_photograph(shares: Shares) -> str:
    """A name that is its caption: "REDp60_WHITEp40.jpg"."""
    return "_".join(f"{code}p{share}" for code, share in shares.items()) + ".jpg"


def write_photographs(
    folder: Path, mixtures: Sequence[Shares] = MIXTURES, size: int = 512, seed: int = 100
) -> Path:
    """Write one of each mixture, `size` pixels a side, under names that are their captions."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, shares in enumerate(mixtures):
        write_photograph(folder / name_photograph(shares), shares, size, seed + number)
    return folder


def write_photograph(file: Path, shares: Shares, size: int = 512, seed: int = 1) -> None:
    """Write one that shows these shares, whatever its name says."""
    file.write_bytes(encode_jpeg(render_picture(lay(asked(shares, seed=seed)), size), 95))


def shrink(file: Path, size: int) -> None:
    """Make a photograph smaller than training takes."""
    picture = cv2.imread(str(file))
    assert picture is not None
    cv2.imwrite(str(file), cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA))
