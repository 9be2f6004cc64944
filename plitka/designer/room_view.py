"""A picture of a tile -> a room whose floor is laid with it, in perspective."""

import math
from functools import cache

import cv2
import numpy as np

from plitka.arrays import Floats, Image
from plitka.color.cielab import encode_srgb
from plitka.color.srgb import decode_srgb
from plitka.designer import quilting

WIDTH, HEIGHT = 1600, 1000

# The camera: where the horizon and the foot of the wall lie, in heights of the picture, and how
# many tiles lie side by side along its lower border.
_HORIZON = 0.17
_WALL_FOOT = 0.35
_TILES_BEFORE_US = 2.5

_JOINT = 5 / 1024  # width of the gap between tiles, in tiles
_BEVEL = 6 / 1024  # breadth of a tile's worn edge
_JOINT_LIGHT = 0.12  # of the light that falls on the surface
_TILE_VARIATION = 0.018  # standard deviation of brightness from tile to tile
_LEVELS = 6  # of the pyramid of the surface, each half the size of the one before

_WALL = np.array([0.80, 0.775, 0.735], np.float32)  # linear RGB, in full light
_SKIRTING = np.array([0.86, 0.85, 0.83], np.float32)
_SKIRTING_HEIGHT = 0.045  # in heights of the picture


def render_room(image: Image, angle: float, seed: int) -> Image:
    """(HEIGHT, WIDTH, 3) RGB: the room.

    image: (size, size, 3) RGB of a tile laid at this angle, drawn or photographed.
    """
    texture = quilting.quilt(image, angle, seed)
    across, along, scale = _floor()
    turn = math.radians(angle % 90)  # a square is the same after a quarter turn
    u = across * math.cos(turn) - along * math.sin(turn)
    v = across * math.sin(turn) + along * math.cos(turn)
    tile_u, tile_v = np.floor(u), np.floor(v)
    chance = _of_tile(tile_u, tile_v, seed)
    # Each tile shows a place of its own of the surface, so that nothing repeats itself.
    side = texture.shape[0]
    x = (u + chance[0] * quilting.SIDES) * quilting.SCALE % side
    y = (v + chance[1] * quilting.SIDES) * quilting.SCALE % side
    floor = _sampled(texture, x, y, scale * quilting.SCALE)
    light = _joints(u - tile_u, v - tile_v, scale) * (1 + _TILE_VARIATION * chance[2])
    floor *= (light * _light(across, along))[..., None]
    room = np.concatenate([_wall(), floor])
    return _developed(room)


@cache
def _floor() -> tuple[Floats, Floats, Floats]:
    """Where each pixel of the floor lies, in tiles: to the right of us, before us; and how many
    tiles a pixel is wide. Each (rows of the floor, WIDTH).
    """
    horizon, foot = _HORIZON * HEIGHT, round(_WALL_FOOT * HEIGHT)
    height = _TILES_BEFORE_US / WIDTH * (HEIGHT - horizon)  # of the camera, in tiles
    rows = np.arange(foot, HEIGHT, dtype=np.float32) + 0.5
    columns = np.arange(WIDTH, dtype=np.float32) + 0.5 - WIDTH / 2
    scale = (height / (rows - horizon))[:, None]
    along = scale * WIDTH  # the focal length is the picture's width
    shape = (len(rows), WIDTH)
    # The wall stands on the border of a tile.
    along = along[0] - along
    return (
        np.ascontiguousarray(columns * scale + 0.5),
        np.ascontiguousarray(np.broadcast_to(along, shape)),
        np.ascontiguousarray(np.broadcast_to(scale, shape)),
    )


def _of_tile(u: Floats, v: Floats, seed: int) -> Floats:
    """(3, ...) for each pixel, two numbers of its tile in 0..1 and one around 0."""
    many = 64
    rng = np.random.default_rng((seed, 8))
    table = rng.random((many, many, 3)).astype(np.float32)
    table[..., 2] = rng.standard_normal((many, many))
    found = table[u.astype(np.int32) % many, v.astype(np.int32) % many]
    return np.ascontiguousarray(found.transpose(2, 0, 1))


def _sampled(texture: Image, x: Floats, y: Floats, footprint: Floats) -> Floats:
    """The surface at these places, in linear light, as sharp as pixels of this size can show it.

    footprint: pixels of the surface that a pixel covers.
    """
    level = np.clip(np.log2(np.maximum(footprint[:, 0], 1e-6)) + 0.4, 0, _LEVELS - 1.001)
    floor = np.zeros((*x.shape, 3), np.float32)
    layer = _linear(texture)
    for number in range(_LEVELS):
        weight = np.clip(1 - np.abs(level - number), 0, 1)
        rows = np.flatnonzero(weight > 0)
        if len(rows):
            part = slice(rows[0], rows[-1] + 1)
            right, down = (way[part] / 2**number - np.float32(0.5) for way in (x, y))
            seen = cv2.remap(layer, right, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
            floor[part] += seen * weight[part, None, None]
        half = (layer.shape[1] // 2, layer.shape[0] // 2)
        layer = np.asarray(cv2.resize(layer, half, interpolation=cv2.INTER_AREA), np.float32)
    return floor


def _joints(u: Floats, v: Floats, scale: Floats) -> Floats:
    """Factor on the light: dark in the gaps between tiles, a little brighter on their edges.

    u, v: place within the tile, 0 to 1. Lines thinner than a pixel take a part of it.
    """
    inside = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    pixel = scale * 1.6  # rows are seen at a slant
    gap = np.clip((_JOINT / 2 - inside) / pixel + 0.5, 0, 1) * np.minimum(1, _JOINT / pixel)
    edge = np.clip(1 - np.abs(inside - _BEVEL) / _BEVEL, 0, 1) * np.minimum(1, _BEVEL / pixel)
    return np.asarray((1 - (1 - _JOINT_LIGHT) * gap) * (1 + 0.08 * edge), np.float32)


def _light(across: Floats, along: Floats) -> Floats:
    """What falls on the floor: daylight from windows on the left, less of it near the wall."""
    fall = 0.80 - 0.045 * (across - across.mean())
    near_wall = 1 - 0.42 * np.exp(-along / 0.35) - 0.12 * np.exp(-along / 1.6)
    return np.asarray(np.clip(fall, 0.45, 1.2) * near_wall + 0.34 * _sun(across, along), np.float32)


def _sun(across: Floats, along: Floats) -> Floats:
    """The sun through two windows: slanting panes on the floor with soft borders."""
    lit = np.zeros_like(across)
    slant = np.asarray(across - 0.75 * along, np.float32)
    for left in (-6.4, -3.9):
        pane = _soft(slant - left, 0.18) * _soft(left + 1.9 - slant, 0.18)
        bar = 1 - 0.8 * _soft(0.07 - np.abs(slant - left - 0.95), 0.05)
        lit += pane * bar
    return np.asarray(lit * _soft(along - 1.1, 0.25) * _soft(6.2 - along, 0.5), np.float32)


def _soft(distance: Floats, breadth: float) -> Floats:
    """0 below, 1 above, smooth over `breadth` around 0."""
    rise = np.clip(distance / (2 * breadth) + 0.5, 0, 1)
    return np.asarray(rise * rise * (3 - 2 * rise), np.float32)


@cache
def _wall() -> Floats:
    """(rows of the wall, WIDTH, 3) in linear light: plaster, and a skirting board at its foot."""
    rows, board = round(_WALL_FOOT * HEIGHT), round(_SKIRTING_HEIGHT * HEIGHT)
    down = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    right = np.linspace(0, 1, WIDTH, dtype=np.float32)[None, :]
    light = 0.90 - 0.26 * right + 0.05 * down
    noise = np.random.default_rng(0).standard_normal((rows // 2, WIDTH // 2)).astype(np.float32)
    grain = np.asarray(cv2.resize(cv2.GaussianBlur(noise, (0, 0), 2.2), (WIDTH, rows)))
    wall = (light * (1 + 0.028 * grain))[..., None] * _WALL
    above = np.arange(rows - board, 0, -1, dtype=np.float32)[:, None]
    wall[: rows - board] *= (1 - 0.10 * np.exp(-above / 9))[..., None]
    face = np.full((board, 1), 0.93, np.float32)
    face[:3] = 1.06  # its upper edge catches the light
    face[-2:] = 0.5
    wall[rows - board :] = (light[rows - board :] * face)[..., None] * _SKIRTING
    return np.asarray(wall, np.float32)


def _linear(image: Image) -> Floats:
    table = np.array([decode_srgb(value / 255) for value in range(256)], np.float32)
    return np.asarray(table[image])


def _developed(room: Floats) -> Image:
    """Linear light to sRGB bytes, with the corners a little darker, as lenses have it."""
    right = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
    room = room * (1.04 - 0.10 * (right**2 + down**2))[..., None]
    return np.asarray(np.rint(255 * encode_srgb(np.clip(room, 0, 1))), np.uint8)
