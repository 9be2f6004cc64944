"""Draw the pictures of docs/rendering.md: a render's stages, each on the same piece of one tile.

python -m benchmarks.rendering_pictures
"""

import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Floats, Image
from plitka.color import palette
from plitka.request import parsing
from plitka.tile import horizon, layout, render
from plitka.tile.camera import encode_linear, photograph
from plitka.tile.canvas import Canvas
from plitka.tile.layout import ScatteredLayout
from plitka.tile.lighting import compute_lighting
from plitka.tile.noise import make_noise
from plitka.tile.relief import describe_relief
from plitka.tile.shading import shade

_DOCS = Path(__file__).parent.parent / "docs"
_MIXTURE = {"dark green": 50, "beige": 30, "terracotta": 20}
_SEED = 7
_SIZE = 1024  # pixels a side of the tile
_CORNER, _SIDE = 400, 144  # of the piece that is shown, in pixels
_ENLARGED = 2
_SIZES = (512, 1024, 2048)  # of one tile, shown side by side
_GAP = 8  # pixels between the parts of a strip
_QUALITY = 86  # of JPEG, 0 to 100


def main() -> None:
    mixture, beige = _lay(_MIXTURE), _lay({"beige": 100})
    relief = describe_relief(mixture, _SIZE, make_noise(_SEED, Canvas(_SIZE)))
    irradiance, openness = horizon.light_relief(relief)
    whole, normals = relief.granules[::2, ::2], relief.compute_normals()
    slopes = np.asarray(np.clip(127.5 * (1 + normals), 0, 255), np.uint8)
    _save("rendering-surface.jpg", _tint(whole), _show(relief.height), slopes)
    _save("rendering-light.jpg", _show(openness), _show(irradiance), _show(relief.contact))
    lighting = compute_lighting(mixture, _SIZE)
    shaded = shade(mixture, lighting)
    _save(
        "rendering-picture.jpg",
        render.render_picture(beige, _SIZE),
        encode_linear(np.clip(shaded, 0, 1)),
        photograph(shaded, Canvas(_SIZE)),
    )
    _save("rendering-sizes.jpg", *(render.render_picture(mixture, size) for size in _SIZES))


def _lay(colors: Mapping[str, float]) -> ScatteredLayout:
    """Lay a tile of these shares, in percent, at 0 degrees."""
    parts = [{"name": name, "proportion": share} for name, share in colors.items()]
    request = json.dumps({"colors": parts, "angle": 0, "seed": _SEED})
    return layout.lay(parsing.parse(request, palette.load()))


def _tint(granules: NDArray[np.int32]) -> Image:
    """Give each granule of a map a colour by chance."""
    colors = np.random.default_rng(1).integers(40, 250, (granules.max() + 1, 3), np.uint8)
    return np.asarray(colors[granules])


def _show(field: Floats) -> Image:
    """Show a map in grays, black at its least, white at its most, a few pixels left out."""
    low, high = np.quantile(field, (0.005, 0.995))
    gray = np.clip(255 * (field - low) / (high - low), 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def _cut(picture: Image) -> Image:
    """Cut the same piece of the tile from a picture of any size, in equal pixels a side."""
    size = len(picture)
    corner, side = (length * size // _SIZE for length in (_CORNER, _SIDE))
    piece = picture[corner : corner + side, corner : corner + side]
    shown = (_ENLARGED * _SIDE, _ENLARGED * _SIDE)
    return np.asarray(cv2.resize(piece, shown, interpolation=cv2.INTER_NEAREST), np.uint8)


def _save(name: str, *pictures: Image) -> None:
    """Save the piece of each picture, side by side."""
    gap = np.full((_ENLARGED * _SIDE, _GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, _cut(picture))][1:]
    bgr = cv2.cvtColor(np.concatenate(parts, axis=1), cv2.COLOR_RGB2BGR)
    file = _DOCS / name
    if not cv2.imwrite(str(file), bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]):
        raise OSError(f"{file}: cannot be written")
    print(f"docs/{name}: {bgr.shape[1]}x{bgr.shape[0]}, {file.stat().st_size // 1000} KB")


if __name__ == "__main__":
    main()
