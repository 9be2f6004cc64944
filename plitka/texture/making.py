"""Making: an order -> the files of its texture, one after another, and last what tells of them.

The maps are all of one relief, the one that a tile's picture is drawn of (plitka/tile/relief.py):
heights and normals are its own, occlusion is its open sky, and the base colour is what it reflects
where nothing is in shadow.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from plitka import __version__
from plitka.texture.gltf import PLANE_METRES, write_glb
from plitka.texture.map_files import (
    code_granules,
    code_height,
    code_normals,
    code_part,
    encode_color_index,
    encode_map,
    flip_green,
)
from plitka.texture.order import TextureOrder, name_texture
from plitka.texture.seamless import count_shares
from plitka.tile import granule
from plitka.tile.camera import encode_linear, photograph
from plitka.tile.layout import deal_on_map, lay_seamless
from plitka.tile.lighting import light_surface, measure_open_sky
from plitka.tile.noise import make_noise
from plitka.tile.relief import describe_relief
from plitka.tile.shading import measure_roughness, paint_albedo, shade

Json: TypeAlias = dict[str, Any]

MANIFEST = "texture.json"

MEANINGS = {
    "base_color": "sRGB; what the rubber reflects, without light or shadow",
    "picture": "sRGB; as a photograph shows it, light and shadow included",
    "height": "16 bits, linear; 0 is the lowest place, 65535 the highest, height_mm apart",
    "normal_opengl": "linear; red right, green up, blue to the viewer, 0 to 255 for -1 to 1",
    "normal_directx": "the same with green down",
    "roughness": "linear; perceptual roughness, the square root of GGX's alpha",
    "ambient_occlusion": "linear; the part of the light from all around that reaches a place",
    "orm": "linear; red ambient occlusion, green roughness, blue metalness, which is 0",
    "granules": "the number of the granule: red * 65536 + green * 256 + blue",
    "colors": "8 bits with a palette; the index of the colour in `colors`",
    "material": "glTF 2.0, binary: the material on a plane of plane_metres in true scale",
}
"""What is in each file, by the end of its name, in the order of the manifest."""

FILES = len(MEANINGS) + 1


@dataclass(frozen=True)
class TextureFile:
    """One file. name: without a folder. content: its bytes."""

    name: str
    content: bytes


def make_texture(order: TextureOrder) -> Generator[TextureFile, None, None]:
    """Make the FILES files of a texture, MANIFEST the last; the same order gives the same bytes.

    What is not needed any more is let go between them: at 4096 pixels that is most of the memory.
    """
    stem, side_mm, size = name_texture(order), order.side_mm, order.size
    layout = lay_seamless(order.recipe, order.frames)
    noise = make_noise(layout.seed, layout.make_canvas(size))
    relief = describe_relief(layout, size, noise)
    record = _make_record(order)

    def name(kind: str, ending: str = "png") -> str:
        return f"{stem}_{kind}.{ending}"

    def write(kind: str, image: Any, *, is_color: bool = False) -> TextureFile:
        content = encode_map(image, side_mm, {**record, "picture": kind}, is_color=is_color)
        return TextureFile(name(kind), content)

    height, height_mm = code_height(relief, order.granule_mm)
    yield write("height", height)
    del height
    normals = code_normals(relief)
    yield (normal := write("normal_opengl", normals))
    yield write("normal_directx", flip_green(normals))
    del normals

    lighting = light_surface(layout, relief, noise)
    granules = np.ascontiguousarray(lighting.granules[::2, ::2])
    layout = deal_on_map(layout, granules)
    occlusion = code_part(measure_open_sky(lighting, relief))
    del relief
    roughness = code_part(measure_roughness(layout, lighting))
    yield write("ambient_occlusion", occlusion)
    yield write("roughness", roughness)
    metalness = np.zeros_like(roughness)
    yield (orm := write("orm", np.stack([occlusion, roughness, metalness], axis=-1)))
    del occlusion, roughness, metalness

    base = encode_linear(paint_albedo(layout, lighting))
    yield (base_color := write("base_color", base, is_color=True))
    del base
    linear, canvas = shade(layout, lighting), lighting.canvas
    del lighting, noise
    yield write("picture", photograph(linear, canvas), is_color=True)
    del linear

    colors = layout.owner.take(granules)
    yield write("granules", code_granules(granules))
    srgb = [color.srgb for color in layout.colors]
    content = encode_color_index(colors, srgb, side_mm, {**record, "picture": "colors"})
    yield TextureFile(name("colors"), content)

    manifest = _make_manifest(order, count_shares(colors, len(layout.colors)), height_mm)
    extras = {key: manifest[key] for key in ("request", "side_mm", "granule_mm", "height_mm")}
    glb = write_glb(stem, base_color.content, normal.content, orm.content, side_mm, extras)
    yield TextureFile(name("material", "glb"), glb)
    yield TextureFile(MANIFEST, _write_json(manifest))


def _make_record(order: TextureOrder) -> Json:
    """Tell how the maps were made, for their PNG files."""
    return {
        "version": __version__,
        "request": order.recipe.request(),
        "seed": order.recipe.seed,
        "texture": {
            "side_mm": round(order.side_mm, 6),
            "granule_mm": order.granule_mm,
            "pixels": order.size,
        },
    }


def _make_manifest(order: TextureOrder, shares: tuple[float, ...], height_mm: float) -> Json:
    """Tell of a texture and its files. shares: counted on its index map."""
    stem = name_texture(order)
    return {
        "version": __version__,
        "request": order.recipe.request(),
        "pixels": order.size,
        "side_mm": round(order.side_mm, 6),
        "pixels_per_mm": round(order.size / order.side_mm, 6),
        "granule_mm": order.granule_mm,
        "granules_per_side": round(order.frames / granule.DIAMETER, 6),
        "height_mm": round(height_mm, 6),
        "plane_metres": PLANE_METRES,
        "repeats": "in both directions, without a seam; joints, the angle of laying and zones of"
        " a surface are not in it",
        "colors": [
            {
                "index": index,
                "name": part.name,
                "hex": part.color.hex,
                "requested": round(part.share, 6),
                "counted": round(shares[index], 6),
            }
            for index, part in enumerate(order.recipe.shares)
        ],
        "files": {
            kind: {
                "file": f"{stem}_{kind}.{'glb' if kind == 'material' else 'png'}",
                "is": meaning,
            }
            for kind, meaning in MEANINGS.items()
        },
    }


def _write_json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
