"""Path-traces the plates of the scenes in plitka/scene/plates: their objects, light and masks.

python -m benchmarks.scene_plates [SCENE ...] [--size 1600] [--samples 64] [--out FOLDER]

Needs requirements-scenes.txt (Mitsuba 3 and Open Image Denoise), and takes minutes for each scene.
"""

import argparse
import importlib
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import mitsuba as mi
import numpy as np
from PIL import Image as Pictures

try:
    mi.set_variant("llvm_ad_rgb")
except ImportError:
    mi.set_variant("scalar_rgb")

import pyoidn

from benchmarks.scene_models.shapes import Mesh, Model
from plitka.arrays import Floats
from plitka.color.cielab import encode_srgb
from plitka.scene.plates import MOST_LIGHT
from plitka.scene.scenes import HEIGHT, SCENES, WIDTH, Scene

_GRAY = 0.25
_DEPTH = 6
_PASS = 4  # samples for each pixel of one pass
_COVER_PASSES = 3  # of the mask
_PURE = 0.7  # cover from which a pixel tells the light on the floor; of mirrored floor, too
_SHOULDER = 0.55  # linear light from which on objects are toned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", nargs="*", default=list(SCENES))
    parser.add_argument("--size", type=int, default=WIDTH)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("/tmp/scenes/plates"))
    given = parser.parse_args()
    for name in given.scenes:
        start = time.time()
        model = importlib.import_module(f"benchmarks.scene_models.{name}").build()
        bake(SCENES[name], model, given.size, given.samples, given.out)
        print(f"{name}: {time.time() - start:.0f} s")


def bake(scene: Scene, model: Model, width: int, samples: int, out: Path) -> None:
    """Trace a scene with a black and with a gray floor, and where the floor is seen."""
    out.mkdir(parents=True, exist_ok=True)
    seen = _trace_cover(scene, model, width)
    black = _trace(scene, model, width, samples, 0.0)
    gray = _trace(scene, model, width // 2, samples, _GRAY)
    np.savez(out / f"{scene.name}.npz", black=black, gray=gray, seen=seen)
    write_plates(scene, model.reference, black, gray, seen, out)


def write_plates(
    scene: Scene,
    reference: tuple[float, float],
    black: Floats,
    gray: Floats,
    seen: Floats,
    out: Path,
) -> None:
    """Write a scene's plates of what was traced; reference: see Model."""
    percentile, level = reference
    half = (gray.shape[1], gray.shape[0])
    covers, black_half = (
        cv2.resize(part, half, interpolation=cv2.INTER_AREA) for part in (seen, black)
    )
    pure = covers > _PURE
    found = (gray - black_half) / (_GRAY * np.maximum(covers, 1e-3))[..., None]
    bright = np.percentile(found[pure & (covers > 0.95)], percentile, axis=0)
    full = np.asarray(bright / level, np.float32)
    light = _fill(np.asarray(np.maximum(found / full, 0), np.float32), pure)
    dark, lit = (_tone(np.asarray(part / full, np.float32)) for part in (black_half, gray))
    rest = cv2.dilate(covers, np.ones((3, 3))) < 0.02
    returned = _fill(np.asarray(np.maximum(lit - dark, 0) / _GRAY, np.float32), rest)
    returned = np.asarray(cv2.GaussianBlur(returned, (0, 0), 2.5), np.float32)
    _save(out / f"{scene.name}-objects.webp", _encode(_tone(black / full)), quality=90)
    _save(out / f"{scene.name}-cover.webp", np.rint(255 * np.clip(seen, 0, 1)), lossless=True)
    _save(out / f"{scene.name}-light.webp", _encode(light / MOST_LIGHT), quality=90)
    _save(out / f"{scene.name}-returned.webp", _encode(returned / MOST_LIGHT), quality=85)
    most = np.percentile(light[pure], 99.5, axis=0)
    print(f"{scene.name}: full light {np.round(full, 3)}, most {np.round(most, 2)}")


def _fill(picture: Floats, known: Any) -> Floats:
    """Fill what is not known with the mean of what is known around it, near before far."""
    weight = known.astype(np.float32)[..., None]
    filled, done = picture * weight, weight
    for radius in (1.5, 4, 12, 40, 150, 500):
        small = max(1, min(int(radius // 4), picture.shape[0] // 16))
        size = (picture.shape[1] // small, picture.shape[0] // small)
        stacked = cv2.resize(
            np.concatenate([picture * weight, weight], 2), size, interpolation=cv2.INTER_AREA
        )
        stacked = cv2.GaussianBlur(stacked, (0, 0), radius / small)
        stacked = cv2.resize(
            stacked, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR
        )
        mean = stacked[..., :3] / np.maximum(stacked[..., 3:], 1e-6)
        share = np.clip(stacked[..., 3:] * 4, 0, 1) * (1 - done)
        filled, done = filled + share * mean, done + share
    return np.asarray(filled / np.maximum(done, 1e-6), np.float32)


def _tone(light: Floats) -> Floats:
    """Let bright objects come near white, as film does; the floor is not toned."""
    bright = np.maximum(light - _SHOULDER, 0) / (1 - _SHOULDER)
    return np.asarray(
        np.where(light < _SHOULDER, light, _SHOULDER + (1 - _SHOULDER) * (1 - np.exp(-bright))),
        np.float32,
    )


def _encode(linear: Floats) -> Floats:
    return np.asarray(255 * encode_srgb(np.clip(linear, 0, 1)), np.float32)


def _save(file: Path, picture: Floats, **options: Any) -> None:
    Pictures.fromarray(np.rint(picture).astype(np.uint8)).save(file, "WEBP", method=6, **options)


def _trace(scene: Scene, model: Model, width: int, samples: int, floor: float) -> Floats:
    """Trace the scene: (height, width, 3) linear RGB, denoised."""
    ground = {"type": "diffuse", "reflectance": {"type": "rgb", "value": floor}}
    traced = {
        "type": "scene",
        "integrator": {
            "type": "aov",
            "aovs": "albedo:albedo,normal:sh_normal",
            "image": {"type": "path", "max_depth": _DEPTH, "rr_depth": 3},
        },
        **_describe(scene, model, width, ground),
    }
    loaded = mi.load_dict(traced)
    layers: Any = 0
    passes = max(samples // _PASS, 1)
    for number in range(passes):
        layers = layers + np.array(mi.render(loaded, spp=_PASS, seed=number), np.float64)
    layers = (layers / passes).astype(np.float32)
    color, albedo, normal = (
        np.ascontiguousarray(part)
        for part in (layers[..., :3], layers[..., -6:-3], layers[..., -3:])
    )
    return np.asarray(pyoidn.denoise(color, albedo=np.clip(albedo, 0, 1), normal=normal, hdr=True))


def _trace_cover(scene: Scene, model: Model, width: int) -> Floats:
    """Trace how much of each pixel is floor, straight or in a mirror: (height, width), 0 to 1."""
    dark = {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.0}}
    shining = {"shining": {"type": "area", "radiance": {"type": "rgb", "value": 1.0}}}
    depth = 2 if model.mirrors else 1
    described = _describe(scene, model, width, dark, shining, dark)
    loaded = mi.load_dict(
        {"type": "scene", "integrator": {"type": "path", "max_depth": depth}, **described}
    )
    total: Any = 0
    for number in range(_COVER_PASSES):
        total = (
            total + np.array(mi.render(loaded, spp=_PASS, seed=100 + number), np.float64)[..., 0]
        )
    return np.asarray(total / _COVER_PASSES, np.float32)


def _describe(
    scene: Scene,
    model: Model,
    width: int,
    ground: dict[str, Any],
    shining: dict[str, Any] | None = None,
    dark: dict[str, Any] | None = None,
) -> dict[str, Any]:
    camera = scene.camera
    height = round(width * HEIGHT / WIDTH)
    eye, turn = camera.height / 1000, np.radians(camera.turn)
    sensor = {
        "type": "perspective",
        "fov_axis": "x",
        "fov": float(np.degrees(2 * np.arctan(0.5 / camera.focal))),
        "principal_point_offset_y": 0.5 - camera.horizon,
        "near_clip": 0.02,
        "far_clip": 1000.0,
        "to_world": mi.ScalarTransform4f().look_at(
            [0, 0, eye], [float(np.sin(turn)), float(np.cos(turn)), eye], [0, 0, 1]
        ),
        "film": {
            "type": "hdrfilm",
            "width": width,
            "height": height,
            "rfilter": {"type": "box"},  # others spread noise over pixels, which keeps it
            "pixel_format": "rgb",
            "component_format": "float32",
        },
        "sampler": {"type": "independent"},
    }
    described: dict[str, Any] = {"sensor": sensor}
    left, right, near, far = model.floor
    corners = np.array([[left, near, 0], [right, near, 0], [right, far, 0], [left, far, 0]], float)
    laid = Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), ground)
    for number, mesh in enumerate([laid, *model.meshes, *model.mirrors]):
        is_mirror = number > len(model.meshes)
        material = dark if dark and not is_mirror else mesh.material
        described[f"mesh{number}"] = _load_mesh(mesh, material, shining if number == 0 else None)
    if dark is None:
        for number, (shape, light) in enumerate(model.lights):
            shines = light
            if shape is not None:
                shines = _load_mesh(shape, shape.material, {"light": light})
            described[f"light{number}"] = shines
    return described


def _load_mesh(mesh: Mesh, material: dict[str, Any], more: dict[str, Any] | None) -> Any:
    """Write a mesh as PLY, and describe it to Mitsuba."""
    count, columns = len(mesh.vertices), [mesh.vertices.astype("<f4")]
    names = ["x", "y", "z"]
    if mesh.texture is not None:
        columns.append(mesh.texture.astype("<f4"))
        names += ["u", "v"]
    faces = np.zeros(len(mesh.faces), [("n", "u1"), ("v", "<i4", 3)])
    faces["n"], faces["v"] = 3, mesh.faces
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    header += [f"property float {name}" for name in names]
    header += [
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header",
        "",
    ]
    with tempfile.NamedTemporaryFile(suffix=".ply") as file:
        file.write("\n".join(header).encode())
        file.write(np.concatenate(columns, 1).tobytes() + faces.tobytes())
        file.flush()
        described = {"type": "ply", "filename": file.name, "face_normals": not mesh.smooth}
        return mi.load_dict({**described, "bsdf": material, **(more or {})})


if __name__ == "__main__":
    main()
