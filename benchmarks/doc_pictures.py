"""Make the pictures in docs/ anew, with the program itself and from fixed seeds.

    python -m benchmarks.doc_pictures

Not a measurement, but like them to be run after every change of the render. Pictures are stored
as the program makes them: whole previews, or pieces of the others, never made larger or smaller.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from font_roboto import RobotoMedium
from PIL import Image, ImageDraw, ImageFont

from benchmarks.report import print_table
from plitka import pipeline
from plitka.color import palette
from plitka.engines.procedural import RenderEngine
from plitka.request import parsing
from plitka.request.plan import PictureKind
from plitka.request.recipe import Recipe

DOCS = Path(__file__).resolve().parents[1] / "docs"
QUALITY = 82  # of JPEG, 0 to 100
MAX_KB = 300
MIX_SIZE = (256, 768)  # beside the picture of 768 pixels
EIGHT = (
    "pearl",
    "light gray",
    "khaki",
    "sand",
    "light green",
    "emerald",
    "turquoise",
    "violet",
)


@dataclass(frozen=True)
class Tile:
    """A recipe, and what of its pictures is shown: file name -> picture and pixels a side."""

    colors: dict[str, float]
    angle: float
    seed: int
    shown: dict[str, tuple[PictureKind, int]]


TILES = (
    # The tile of script/demo.
    Tile(
        {"dark green": 50, "beige": 30, "terracotta": 20},
        angle=45,
        seed=7,
        shown={
            "tile-demo.jpg": ("final", 768),
            "tile-demo-preview.jpg": ("preview", 512),
            "tile-demo-final.jpg": ("final", 512),
            "tile-demo-colormap.png": ("colormap", 512),
        },
    ),
    Tile({"terracotta": 100}, angle=0, seed=1, shown={"tile-one-color.jpg": ("preview", 512)}),
    Tile(
        {"black": 90, "sky blue": 10},
        angle=90,
        seed=2,
        shown={"tile-two-colors.jpg": ("preview", 512)},
    ),
    Tile(
        {"red": 40, "yellow": 30, "blue": 20, "white": 10},
        angle=30,
        seed=3,
        shown={"tile-four-colors.jpg": ("preview", 512)},
    ),
    Tile(
        dict.fromkeys(EIGHT, 12.5),
        angle=135,
        seed=4,
        shown={"tile-eight-colors.jpg": ("preview", 512)},
    ),
)


def make_recipe(tile: Tile) -> Recipe:
    colors = [{"name": name, "proportion": share} for name, share in tile.colors.items()]
    request = {"colors": colors, "angle": tile.angle, "seed": tile.seed}
    return parsing.parse(json.dumps(request), palette.load())


def crop_middle(image: Image.Image, side: int) -> Image.Image:
    """Crop a square of `side` pixels."""
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def save(image: Image.Image, path: Path) -> None:
    """Save as JPEG, or as PNG in 16 colours by its suffix. Raises ValueError beyond MAX_KB."""
    if path.suffix == ".png":
        image.quantize(16).save(path, optimize=True)
    else:
        image.save(path, quality=QUALITY, optimize=True, progressive=True)
    if path.stat().st_size > MAX_KB * 1000:
        raise ValueError(f"{path}: {path.stat().st_size} bytes; at most {MAX_KB} KB")


def draw_mix(colors: dict[str, float]) -> Image.Image:
    """Draw a mix as a bar of its flat colours, from the top, each with its percentage."""
    width, height = MIX_SIZE
    bar = Image.new("RGB", MIX_SIZE)
    pen = ImageDraw.Draw(bar)
    font = ImageFont.truetype(RobotoMedium, 64)
    top = 0.0
    for name, share in colors.items():
        bottom = top + height * share / 100
        pen.rectangle((0, round(top), width, round(bottom)), palette.load().find(name).srgb)
        pen.text((width / 2, (top + bottom) / 2), f"{share:g}%", "white", font, "mm")
        top = bottom
    return bar


def main() -> None:
    DOCS.mkdir(exist_ok=True)
    rows = []
    save(draw_mix(TILES[0].colors), DOCS / "tile-demo-mix.png")
    for tile in TILES:
        pictures = {
            p.kind: Image.fromarray(p.image)
            for p in pipeline.make(make_recipe(tile), RenderEngine())
        }
        for name, (kind, side) in tile.shown.items():
            save(crop_middle(pictures[kind], side), DOCS / name)
            rows.append([f"docs/{name}", f"{(DOCS / name).stat().st_size // 1000}"])
    print_table(["picture", "KB"], rows)


if __name__ == "__main__":
    main()
