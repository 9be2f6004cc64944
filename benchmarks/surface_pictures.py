"""Draw the pictures of docs/surface.md anew, with the program itself and from fixed seeds.

    python -m benchmarks.surface_pictures

Not a measurement, but like them to be run after every change of the render or of surfaces.
"""

import json
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.doc_pictures import DOCS, save
from benchmarks.report import print_table
from plitka import pipeline
from plitka.color import palette
from plitka.engines.procedural import RenderEngine
from plitka.request import parsing
from plitka.request.plan import PictureKind
from plitka.request.surface import LAYINGS

STAR = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
    '<path d="M50 2 61 37 98 38 68 60 79 96 50 75 21 96 32 60 2 38 39 37z"/></svg>'
)


def mix(**shares: float) -> list[dict[str, object]]:
    """Write a mix: light_gray=60 is 60% light gray."""
    return [{"name": name.replace("_", " "), "proportion": v} for name, v in shares.items()]


PLAYGROUND: dict[str, Any] = {
    "colors": mix(sand=60, beige=40),
    "seed": 7,
    "surface": {
        "width_mm": 6000,
        "length_mm": 4000,
        "laying": "poured",
        "zones": [
            {"shape": "border", "width_mm": 300, "line": "metal"} | {"colors": mix(terracotta=100)},
            {
                "name": "pond",
                "shape": "circle",
                "center_mm": [4600, 2700],
                "radius_mm": 800,
                "line": {"kind": "metal", "width_mm": 10},
                "colors": mix(blue=50, sky_blue=40, white=10),
            },
            {
                "shape": "polygon",
                "points_mm": [[300, 300], [2300, 300], [1700, 1500], [900, 1700], [300, 1300]],
                "colors": mix(green=60, lime_green=40),
            },
            {
                "shape": "stripe",
                "from_mm": [600, 3300],
                "to_mm": [3200, 3300],
                "width_mm": 150,
                "line": "joint",
                "colors": mix(yellow=100),
            },
            {
                "shape": "hopscotch",
                "at_mm": [2300, 2100],
                "length_mm": 2300,
                "turn": 30,
                "colors": mix(white=80, yellow=20),
            },
            {
                "shape": "text",
                "text": "ПЛИТКА",
                "at_mm": [4300, 1000],
                "height_mm": 350,
                "colors": mix(dark_blue=100),
            },
            {
                "shape": "svg",
                "svg": STAR,
                "at_mm": [4600, 2700],
                "width_mm": 800,
                "colors": mix(red=70, orange=30),
            },
        ],
    },
}


def write_laying(laying: str) -> dict[str, Any]:
    """Write the request for a small surface of a laying, with a border."""
    tiles = {"square": 500, "brick": [400, 200], "herringbone": [400, 200]}
    border = {"shape": "border", "width_mm": 150, "line": "metal", "colors": mix(terracotta=100)}
    surface = {"width_mm": 2400, "length_mm": 1600, "laying": laying, "zones": [border]}
    if laying in tiles:
        surface["tile_mm"] = tiles[laying]
    colors = mix(dark_green=40, green=30, beige=30)
    angle = 45 if laying == "herringbone" else 0
    return {"colors": colors, "angle": angle, "seed": 7, "surface": surface}


def draw(request: dict[str, Any], kind: PictureKind) -> Image.Image:
    recipe = parsing.parse(json.dumps(request), palette.load())
    engine = RenderEngine()
    made = pipeline.make_one(kind, recipe, engine, engine.lay(recipe))
    return Image.fromarray(made.image)


def main() -> None:
    four = [np.asarray(draw(write_laying(laying), "preview")) for laying in LAYINGS]
    layings = np.vstack([np.hstack(four[:2]), np.hstack(four[2:])])
    pictures = {
        "surface-playground.jpg": draw(PLAYGROUND, "final"),
        "surface-colormap.png": draw(PLAYGROUND, "colormap").crop((520, 330, 1008, 655)),
        "surface-layings.jpg": Image.fromarray(layings),
    }
    rows = []
    for name, picture in pictures.items():
        save(picture, DOCS / name)
        rows.append([f"docs/{name}", f"{(DOCS / name).stat().st_size // 1000}"])
    print_table(["picture", "KB"], rows)


if __name__ == "__main__":
    main()
