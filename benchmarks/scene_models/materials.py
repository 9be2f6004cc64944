"""Materials, as Mitsuba reads them, and the textures of some. Colours are sRGB, "#rrggbb"."""

from typing import Any

import mitsuba as mi
import numpy as np

from benchmarks.scene_models.shapes import Material
from plitka.arrays import Floats
from plitka.color.srgb import decode_srgb, parse_hex


def linear(color: str) -> list[float]:
    """Decode a hex to linear RGB."""
    return [decode_srgb(channel / 255) for channel in parse_hex(color.removeprefix("#"))]


def matte(color: str) -> Material:
    return _two_sided({"type": "diffuse", "reflectance": _rgb(color)})


def satin(color: str, roughness: float = 0.4, specular: float = 0.5) -> Material:
    """Paint, plastic, varnish."""
    return _two_sided(
        {
            "type": "principled",
            "base_color": _rgb(color),
            "roughness": roughness,
            "specular": specular,
        }
    )


def metal(color: str = "#d8d8d8", roughness: float = 0.28) -> Material:
    return _two_sided(
        {"type": "principled", "base_color": _rgb(color), "metallic": 1.0, "roughness": roughness}
    )


def mirror(reflectance: float = 0.86) -> Material:
    return {
        "type": "conductor",
        "material": "none",
        "specular_reflectance": {"type": "rgb", "value": reflectance},
    }


def textured(
    picture: Floats, size: float, roughness: float = 0.6, specular: float = 0.4
) -> Material:
    """A material of which `picture`, (h, w, 3) linear RGB, covers `size` metres each way."""
    return _two_sided(
        {
            "type": "principled",
            "base_color": _bitmap(picture, size),
            "roughness": roughness,
            "specular": specular,
        }
    )


def textured_matte(picture: Floats, size: float) -> Material:
    return _two_sided({"type": "diffuse", "reflectance": _bitmap(picture, size)})


def leaf(color: str) -> Material:
    """A thin leaf or blade, through which some light falls."""
    front = np.array(linear(color))
    return {
        "type": "principledthin",
        "base_color": {"type": "rgb", "value": front.tolist()},
        "roughness": 0.55,
        "spec_trans": 0.0,
        "diff_trans": 0.7,
    }


def _rgb(color: str) -> dict[str, Any]:
    return {"type": "rgb", "value": linear(color)}


def _two_sided(material: Material) -> Material:
    return {"type": "twosided", "bsdf": material}


def _bitmap(picture: Floats, size: float) -> dict[str, Any]:
    return {
        "type": "bitmap",
        "bitmap": mi.Bitmap(np.ascontiguousarray(picture, np.float32)),
        "raw": True,
        "to_uv": mi.ScalarTransform4f().scale([1 / size, 1 / size, 1]),
    }


def make_wood(color: str, seed: int, along_x: bool = True, side: int = 1024) -> Floats:
    """Draw veneer: fibres and broad figure around a colour. (side, side, 3) linear RGB."""
    rng = np.random.default_rng(seed)

    grain = 0.05 * _draw_noise(rng, side, 1.2, 60) + 0.07 * _draw_noise(rng, side, 9, 160)
    grain += 0.03 * _draw_noise(rng, side, 0.8, 14)
    if not along_x:
        grain = grain.T
    tone = np.array(linear(color), np.float32)
    return np.asarray(
        np.clip(tone * np.exp(grain)[..., None] ** (1.0, 1.15, 1.3), 0, 1), np.float32
    )


def make_mottle(
    color: str,
    seed: int,
    strength: float = 0.05,
    fine: float = 2,
    coarse: float = 40,
    side: int = 1024,
) -> Floats:
    """Draw concrete, stone or plaster: soft clouds and fine grain. (side, side, 3) linear RGB."""
    rng = np.random.default_rng(seed)
    total = np.zeros((side, side), np.float32)
    for sigma, weight in ((fine, 0.5), (coarse / 4, 0.5), (coarse, 0.8)):
        total += weight * _draw_noise(rng, side, sigma, sigma)
    return np.asarray(
        np.array(linear(color), np.float32) * np.exp(strength * total)[..., None], np.float32
    )


def _draw_noise(rng: np.random.Generator, side: int, down: float, right: float) -> Floats:
    """Draw noise of variance 1 that wraps around, blurred by standard deviations in pixels."""
    spectrum = np.fft.rfft2(rng.standard_normal((side, side)))
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    spectrum *= np.exp(-2 * np.pi**2 * ((rows * down) ** 2 + (columns * right) ** 2))
    noise = np.fft.irfft2(spectrum, (side, side))
    return np.asarray(noise / noise.std(), np.float32)
