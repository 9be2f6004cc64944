"""Photographs beside renders of the same mixtures, to be looked at at full size.

    PLITKA_SHARED=FOLDER python -m benchmarks.contact_sheet SHEET.png [--crop 400] [--seed 3]

Each row shows two pairs; the photograph is the left one of a pair. Colours are read from the
photograph itself (see `own` in benchmarks.photo_texture), so that what gives a render away is
its texture. The sheet holds photographs: keep it out of the repository.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import photographs
from benchmarks.photo_texture import own_colors, rendered
from plitka.images import png

SHOWN = (
    "YELLOW",
    "GRAY",
    "WHITE",
    "DKGREEN",
    "LILAC",
    "BEIGE",
    "BLACKp40_WHITEp60",
    "BLACKp85_WHITEp15",
    "REDp50_BLUEp50",
    "BLUEp80_DKGREENp10_REDp10",
    "BLUEp25_DKGREENp25_REDp25_YELLOWp25",
    "BLUEp10_DKGREENp10_REDp10_YELLOWp70",
)


def pair(photo: photographs.Photograph, crop: int, seed: int) -> NDArray[np.uint8]:
    """The middle of the photograph and, to its right, of its render."""
    start = (photo.image.shape[0] - crop) // 2
    middle = photo.image[start : start + crop, start : start + crop]
    render = rendered(own_colors(photo), seed, crop)[..., ::-1]
    return np.concatenate([middle, render], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sheet", type=Path, help="PNG to write")
    parser.add_argument("--crop", type=int, default=400, help="pixels a side of each picture")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    pairs = [
        pair(photo, options.crop, options.seed)
        for photo in photographs.load()
        if photo.name in SHOWN
    ]
    rows = [np.concatenate(pairs[i : i + 2], axis=1) for i in range(0, len(pairs), 2)]
    png.save(np.concatenate(rows), options.sheet, {})
    print(options.sheet)


if __name__ == "__main__":
    main()
