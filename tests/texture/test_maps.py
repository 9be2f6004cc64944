import io
import json
import zipfile
from functools import partial
from typing import Any

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from PIL import Image

from plitka.color import palette
from plitka.images import png_chunks
from plitka.images.png import read_record
from plitka.request import parsing
from plitka.texture.making import FILES, MANIFEST, MEANINGS, TextureFile, make_texture
from plitka.texture.order import TextureOrder, name_texture, plan_texture
from plitka.texture.packing import pack
from plitka.texture.seamless import render_seamless
from tests.support.recipes import asked

MIX = {"red": 50.0, "white": 30.0, "black": 20.0}
ORDER = plan_texture(asked(MIX, seed=9), 256, granule_mm=2.0, side_mm=50.0)
PICTURES = [kind for kind in MEANINGS if kind != "material"]
SMOOTH = [kind for kind in PICTURES if kind not in ("granules", "colors")]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Content of each file by its kind."""
    made = list(make_texture(ORDER))
    assert len(made) == FILES
    stem = name_texture(ORDER) + "_"
    return {file.name.removeprefix(stem).split(".")[0]: file.content for file in made}


def decode(content: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(content)))


def steps(picture: NDArray[np.generic], axis: int) -> tuple[float, NDArray[np.float64]]:
    """Mean absolute step across the border, and across each line inside."""
    values = np.moveaxis(picture.astype(np.float64), axis, 0)
    every = np.abs(values - np.roll(values, 1, axis=0)).reshape(len(values), -1).mean(axis=1)
    return float(every[0]), every[1:]


@pytest.mark.parametrize("kind", SMOOTH)
@pytest.mark.parametrize("axis", [0, 1])
def test_no_map_has_a_seam(files: dict[str, bytes], kind: str, axis: int) -> None:
    border, inside = steps(decode(files[kind]), axis)
    assert border < inside.mean() + 2 * inside.std()


def test_the_manifest_tells_of_every_file_and_of_shares_that_are_exact(
    files: dict[str, bytes],
) -> None:
    told = json.loads(files[MANIFEST.split(".")[0]])
    assert {kind: entry["file"] for kind, entry in told["files"].items()} == {
        kind: f"{name_texture(ORDER)}_{kind}.{'glb' if kind == 'material' else 'png'}"
        for kind in MEANINGS
    }
    counted = np.bincount(decode(files["colors"]).ravel()) / 256**2
    assert [color["counted"] for color in told["colors"]] == pytest.approx(counted, abs=1e-6)
    assert np.abs(counted - [0.5, 0.3, 0.2]).max() < 0.001
    assert told["granules_per_side"] == pytest.approx(25)
    assert told["side_mm"] == 50
    assert told["pixels_per_mm"] == pytest.approx(5.12)


@pytest.mark.parametrize("kind", PICTURES)
def test_a_map_says_how_long_it_is_and_brings_its_recipe_back(
    files: dict[str, bytes], kind: str
) -> None:
    chunks = dict(png_chunks.walk(files[kind], frozenset()))
    assert chunks[b"pHYs"] == (5120).to_bytes(4, "big") * 2 + b"\1"
    assert (b"sRGB" in chunks) == (kind in ("base_color", "picture", "colors"))
    assert not {b"gAMA", b"iCCP"} & set(chunks)
    record = json.loads(read_record(files[kind]) or "")
    assert parsing.parse(json.dumps(record["request"]), palette.load()) == ORDER.recipe
    assert record["picture"] == kind


def test_normals_are_of_unit_length_and_those_of_directx_have_green_flipped(
    files: dict[str, bytes],
) -> None:
    opengl, directx = (decode(files[f"normal_{way}"]) for way in ("opengl", "directx"))
    assert np.array_equal(opengl[..., [0, 2]], directx[..., [0, 2]])
    assert bool((opengl[..., 1] == 255 - directx[..., 1]).all())
    normals = opengl.astype(np.float64) / 127.5 - 1
    assert np.abs(np.linalg.norm(normals, axis=-1) - 1).max() < 0.01
    assert normals[..., 2].min() > 0


def test_normals_lean_away_from_what_rises(files: dict[str, bytes]) -> None:
    """To the right red falls where the ground rises; upwards green does."""
    height = decode(files["height"]).astype(np.float64)
    normals = decode(files["normal_opengl"]).astype(np.float64) - 127.5
    for axis, part in ((1, normals[..., 0]), (0, -normals[..., 1])):
        rise = (np.roll(height, -1, axis) - np.roll(height, 1, axis)).ravel()
        gentle = np.abs(rise) < np.quantile(np.abs(rise), 0.7)  # no cliffs between granules
        slope = (part / normals[..., 2]).ravel()
        assert np.corrcoef(rise[gentle], slope[gentle])[0, 1] < -0.5


def test_heights_have_sixteen_bits_and_their_scale_in_millimetres(files: dict[str, bytes]) -> None:
    height = decode(files["height"])
    assert height.dtype == np.uint16
    assert (height.min(), height.max()) == (0, 65535)
    told = json.loads(files["texture"])["height_mm"]
    assert 2.0 < told < 8 * 2.0  # a heap a few granules of 2 mm deep


def test_what_lies_deep_is_occluded_and_metal_is_nowhere(files: dict[str, bytes]) -> None:
    height, orm = decode(files["height"]), decode(files["orm"])
    occlusion, roughness = decode(files["ambient_occlusion"]), decode(files["roughness"])
    assert np.array_equal(orm[..., 0], occlusion)
    assert np.array_equal(orm[..., 1], roughness)
    assert not orm[..., 2].any()
    deep, high = height < np.quantile(height, 0.2), height > np.quantile(height, 0.8)
    assert occlusion[deep].mean() < 0.8 * occlusion[high].mean()
    assert 0.35 < roughness.mean() / 255 < 0.95


def test_the_base_color_has_no_light_baked_in(files: dict[str, bytes]) -> None:
    """A colour is as bright in hollows as on tops, unlike in the picture."""
    height, mine = decode(files["height"]), decode(files["colors"]) == 1
    deep, high = (mine & where for where in (height < 28000, height > 40000))
    base, picture = (decode(files[kind]).astype(np.float64) for kind in ("base_color", "picture"))
    assert base[deep].mean() > 0.95 * base[high].mean()
    assert picture[deep].mean() < 0.7 * picture[high].mean()


def test_the_picture_and_the_granules_are_those_of_the_seamless_render(
    files: dict[str, bytes],
) -> None:
    render = render_seamless(ORDER.recipe, 256, ORDER.frames, 2.0)
    assert np.array_equal(decode(files["picture"]), render.image)
    coded = decode(files["granules"]).astype(np.int64)
    assert np.array_equal(coded @ [65536, 256, 1], render.granules)
    assert render.side_mm == pytest.approx(50)


def test_the_same_order_gives_the_same_zip_file(files: dict[str, bytes]) -> None:
    made = [TextureFile(f"{kind}.png", content) for kind, content in files.items()]
    first, second = (b"".join(pack(made, "rubber")) for _ in range(2))
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as packed:
        assert packed.testzip() is None
        assert {name: packed.read(name) for name in packed.namelist()} == {
            f"rubber/{kind}.png": content for kind, content in files.items()
        }


def test_the_material_opens_in_trimesh_with_its_textures_on_a_metre(
    files: dict[str, bytes],
) -> None:
    scene = trimesh.load_scene(io.BytesIO(files["material"]), file_type="glb")
    (mesh,) = scene.geometry.values()
    assert mesh.extents == pytest.approx([1, 0, 1])
    assert np.ptp(mesh.visual.uv, axis=0) == pytest.approx([20, 20])  # 50 mm over a metre
    assert mesh.face_normals == pytest.approx(np.tile([0, 1, 0], (2, 1)))
    material = mesh.visual.material
    worn = {
        "base_color": material.baseColorTexture,
        "normal_opengl": material.normalTexture,
        "orm": material.metallicRoughnessTexture,
    }
    for kind, texture in worn.items():
        assert np.array_equal(np.asarray(texture.convert("RGB")), decode(files[kind]))
    assert material.occlusionTexture.size == (256, 256)


def test_names_have_the_mix_the_seed_and_the_size() -> None:
    order = plan_texture(asked({"dark green": 62.5, "beige": 37.5}), 2048)
    assert name_texture(order) == "darkgreen-62.5_beige-37.5_seed7_250mm_2k"


def test_a_side_has_fifty_granules_for_1024_pixels_unless_it_is_told() -> None:
    plan = partial(plan_texture, asked(MIX))
    assert plan(1024).side_mm == 125
    assert plan(4096, 1.5).side_mm == 300
    assert plan(4096, 2.5, 1000.0).frames == pytest.approx(1000 / 128)
    assert isinstance(plan(1024), TextureOrder)
