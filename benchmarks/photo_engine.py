"""Make tiles of the photo engine for judges that compare them with photographs.

    python -m benchmarks.photo_engine PHOTOGRAPHS OUT [--colors own.json]

PHOTOGRAPHS  a folder of photographs, CODE.jpg of one-colour tiles; others are of mixtures.
OUT          gets left/CODE/1.png (the left halves), bank/, right/CODE.jpg (the right halves), and
             the renders: one_color/CODE.png and, with --colors, mixtures/NAME.png, cut to the
             photograph's size. --colors: for each photograph's name its colours, {hex: percent}.

The bank is made of left halves alone. Prints the processor time and peak memory of pictures at 45
degrees.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from plitka.bank import files, layout, making, painting
from plitka.bank.bank import Bank
from plitka.color import palette
from plitka.color.palette import CODE
from plitka.request import parsing
from plitka.request.recipe import Recipe
from plitka.runtime.memory import measure_peak_memory_mb

_SIZE = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--colors", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    found = sorted(options.photographs.glob("*.jpg"))
    one_color = [file for file in found if CODE.fullmatch(file.stem)]
    bank = _make_bank(one_color, options.out)
    own = json.loads(options.colors.read_text()) if options.colors else {}
    for number, file in enumerate(one_color):
        recipe = _ask(own.get(file.stem, {file.stem: 100}), seed=1 + number)
        _draw(bank, recipe, file, options.out / "one_color")
    mixtures = [file for file in found if file not in one_color and file.stem in own]
    for number, file in enumerate(mixtures):
        _draw(bank, _ask(own[file.stem], seed=101 + number), file, options.out / "mixtures")
    four = dict.fromkeys(("blue", "dark green", "red", "yellow"), 25.0)
    for seed in range(3):
        start = time.process_time()
        laid = layout.lay(bank, _ask(four, seed, angle=45))
        middle = time.process_time()
        painting.paint(laid, _SIZE)
        end = time.process_time()
        print(
            f"four colours, 45 degrees: laid {middle - start:.2f} s, painted {end - middle:.2f} s"
        )
    print(f"peak memory {measure_peak_memory_mb()} MB")


def _make_bank(one_color: list[Path], out: Path) -> Bank:
    """Make a bank of left halves; writes the right halves for the judge."""
    known = palette.load()
    photographs = {}
    (out / "right").mkdir(parents=True, exist_ok=True)
    for file in one_color:
        folder = out / "left" / file.stem
        folder.mkdir(parents=True, exist_ok=True)
        with Image.open(file) as picture:
            middle, height = picture.width // 2, picture.height
            picture.crop((0, 0, middle, height)).save(folder / "1.png")
            right = picture.crop((middle, 0, picture.width, height))
            tables = getattr(picture, "quantization", None)
            right.save(out / "right" / file.name, qtables=tables, subsampling=2)
        photographs[known.find(file.stem)] = [folder / "1.png"]
    files.write_bank(making.make_colors(photographs, print), out / "bank")
    return files.load_bank(out / "bank")


def _ask(colors: Mapping[str, float], seed: int, angle: float = 0) -> Recipe:
    parts = [
        {"hex" if name.startswith("#") else "name": name, "proportion": share}
        for name, share in colors.items()
    ]
    return parsing.parse(
        json.dumps({"colors": parts, "seed": seed, "angle": angle}), palette.load()
    )


def _draw(bank: Bank, recipe: Recipe, photograph: Path, folder: Path) -> None:
    """Draw the middle of a tile as large as a photograph."""
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(photograph) as picture:
        height, width = min(picture.height, _SIZE), min(picture.width, _SIZE)
    top, left = (_SIZE - height) // 2, (_SIZE - width) // 2
    drawn = painting.paint(layout.lay(bank, recipe), _SIZE)
    middle = np.ascontiguousarray(drawn[top : top + height, left : left + width])
    Image.fromarray(middle).save(folder / f"{photograph.stem}.png")


if __name__ == "__main__":
    main()
