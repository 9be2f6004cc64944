"""Photographs beside renders of the same mixtures, and tiles, to be looked at at full size.

    PLITKA_SHARED=FOLDER python -m benchmarks.contact_sheet SHEET.png [--crop 400] [--seed 3]
    python -m benchmarks.contact_sheet --tiles FOLDER [--seed 3]

The first way, each row shows two pairs, the photograph to the left. Colours are read from the
photograph itself (see `own` in benchmarks.photo_texture), so that what gives a render away is
its texture. The sheet holds photographs: keep it out of the repository.
The second way writes finals of 1024 pixels: one of each palette colour, then of MIXTURES.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import photographs
from benchmarks.photo_texture import own_colors, rendered
from plitka.color import palette
from plitka.engines.procedural import RenderEngine
from plitka.images import png
from plitka.request import parsing
from plitka.request.plan import PICTURE_SIZES

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

MIXTURES = (  # shares by code, and the laying angle in degrees
    ({"DKGREEN": 50, "BEIGE": 30, "TERCOT": 20}, 45.0),
    ({"BLACK": 90, "SKYBLUE": 10}, 90.0),
    ({"RED": 40, "YELLOW": 30, "BLUE": 20, "WHITE": 10}, 30.0),
    ({"BLACK": 50, "WHITE": 50}, 0.0),
    ({"BLACK": 15, "WHITE": 85}, 0.0),
    ({"GRAY": 45, "LTGRAY": 25, "DKGRAY": 20, "WHITE": 10}, 0.0),
    ({"BLUE": 60, "RED": 20, "DKGREEN": 20}, 0.0),
    ({"YELLOW": 70, "BLUE": 10, "DKGREEN": 10, "RED": 10}, 45.0),
    ({"BEIGE": 60, "BROWN": 30, "PEARL": 10}, 135.0),
    ({"EMERALD": 40, "GRSGRN": 40, "GRNAPL": 20}, 0.0),
    ({"PINK": 40, "LILAC": 40, "VIOLET": 20}, 0.0),
    ({"DKBLUE": 70, "TURQSE": 25, "ORANGE": 5}, 15.0),
)


def pair(photo: photographs.Photograph, crop: int, seed: int) -> NDArray[np.uint8]:
    """The middle of the photograph and, to its right, of its render."""
    start = (photo.image.shape[0] - crop) // 2
    middle = photo.image[start : start + crop, start : start + crop]
    render = rendered(own_colors(photo), seed, crop)[..., ::-1]
    return np.concatenate([middle, render], axis=1)


def draw_tiles(folder: Path, seed: int) -> list[Path]:
    """Write a tile of each palette colour and of each of MIXTURES. Returns their files."""
    codes = [color.code for color in palette.load().colors]
    files = []
    for shares, angle in [*(({code: 100}, 0.0) for code in codes), *MIXTURES]:
        colors = [{"name": code, "proportion": share} for code, share in shares.items()]
        request = json.dumps({"colors": colors, "angle": angle, "seed": seed})
        engine = RenderEngine()
        layout = engine.lay(parsing.parse(request, palette.load()))
        file = folder / ("_".join(f"{code}{share}" for code, share in shares.items()) + ".png")
        png.save(engine.paint(layout, PICTURE_SIZES["final"]), file, {})
        files.append(file)
    return files


def write_sheet(sheet: Path, crop: int, seed: int) -> None:
    """Write the pairs of SHOWN, two to a row."""
    pairs = [pair(photo, crop, seed) for photo in photographs.load() if photo.name in SHOWN]
    rows = [np.concatenate(pairs[i : i + 2], axis=1) for i in range(0, len(pairs), 2)]
    png.save(np.concatenate(rows), sheet, {})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("sheet", type=Path, nargs="?", help="PNG to write")
    wanted.add_argument("--tiles", type=Path, help="folder to write whole tiles to")
    parser.add_argument("--crop", type=int, default=400, help="pixels a side of each picture")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    if options.tiles:
        options.tiles.mkdir(parents=True, exist_ok=True)
        print(*draw_tiles(options.tiles, options.seed), sep="\n")
    else:
        write_sheet(options.sheet, options.crop, options.seed)
        print(options.sheet)


if __name__ == "__main__":
    main()
