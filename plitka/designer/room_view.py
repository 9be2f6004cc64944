"""A picture of a tile -> a room whose floor is laid with it, in perspective.

The floor's pixels are mapped to places on tiles, the tile's texture is sampled there in linear
light, and the light of two windows, the joints and the wall are added.
"""

import math
from functools import cache

import cv2
import numpy as np

from plitka.arrays import Floats, Image
from plitka.color.cielab import encode_srgb
from plitka.color.srgb import decode_srgb
from plitka.ground import quilting

WIDTH, HEIGHT = 1600, 1000

# The camera: where the horizon and the foot of the wall lie, in heights of the picture, and how
# many tiles lie side by side along its lower border.
_HORIZON = 0.17
_WALL_FOOT = 0.35
_TILES_IN_FRONT = 2.5

_JOINT_WIDTH = 5 / 1024  # of the gap between tiles, in tiles
_BEVEL_WIDTH = 6 / 1024  # of a tile's worn edge, in tiles
_JOINT_LIGHT = 0.12  # in a gap, as a factor of the light on the tile
_TILE_VARIATION = 0.018  # standard deviation of brightness from tile to tile
_LEVELS = 6  # of the texture's mipmap, each half the size of the one before

_WALL_COLOR = np.array([0.80, 0.775, 0.735], np.float32)  # linear RGB, in full light
_SKIRTING_COLOR = np.array([0.86, 0.85, 0.83], np.float32)
_SKIRTING_HEIGHT = 0.045  # in heights of the picture


def render_room(image: Image, angle: float, seed: int) -> Image:
    """Draw the room: (HEIGHT, WIDTH, 3) RGB, 0 to 255.

    image: (size, size, 3) RGB, 0 to 255, of a tile laid at `angle` degrees, drawn or photographed.
    """
    texture = quilting.quilt(image, angle, seed)
    across, along, scale = _project_floor()
    turn = math.radians(angle % 90)  # a square is the same after a quarter turn
    u = across * math.cos(turn) - along * math.sin(turn)
    v = across * math.sin(turn) + along * math.cos(turn)
    tile_u, tile_v = np.floor(u), np.floor(v)
    variation = _vary_tiles(tile_u, tile_v, seed)
    # Each tile shows another part of the texture, so that nothing repeats.
    side = texture.shape[0]
    x = (u + variation[0] * quilting.SIDES) * quilting.SCALE % side
    y = (v + variation[1] * quilting.SIDES) * quilting.SCALE % side
    floor = _sample_texture(texture, x, y, scale * quilting.SCALE)
    light = _shade_joints(u - tile_u, v - tile_v, scale) * (1 + _TILE_VARIATION * variation[2])
    floor *= (light * _light_floor(across, along))[..., None]
    room = np.concatenate([_draw_wall(), floor])
    return _encode(room)


@cache
def _project_floor() -> tuple[Floats, Floats, Floats]:
    """Project each pixel of the picture below the wall onto the floor, in tiles.

    Returns how far right of the camera it lies, how far from the wall, and the width that it
    covers; each (rows of the floor, WIDTH).
    """
    horizon, foot = _HORIZON * HEIGHT, round(_WALL_FOOT * HEIGHT)
    height = _TILES_IN_FRONT / WIDTH * (HEIGHT - horizon)  # of the camera, in tiles
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


def _vary_tiles(u: Floats, v: Floats, seed: int) -> Floats:
    """Look up random numbers of each pixel's tile. u, v: number of the tile in its row and column.

    Returns (3, ...): two numbers of 0 to 1, and one of the standard normal distribution.
    """
    period = 64  # tiles
    rng = np.random.default_rng((seed, 8))
    table = rng.random((period, period, 3)).astype(np.float32)
    table[..., 2] = rng.standard_normal((period, period))
    numbers = table[u.astype(np.int32) % period, v.astype(np.int32) % period]
    return np.ascontiguousarray(numbers.transpose(2, 0, 1))


def _sample_texture(texture: Image, x: Floats, y: Floats, footprint: Floats) -> Floats:
    """Sample the texture with trilinear mipmapping: (rows, columns, 3) in linear light, 0 to 1.

    texture: (side, side, 3) sRGB, 0 to 255, which wraps around. x, y: places on it, in its pixels,
    each (rows, columns). footprint: how many of its pixels a pixel covers, equal along each row.
    """
    level = np.clip(np.log2(np.maximum(footprint[:, 0], 1e-6)) + 0.4, 0, _LEVELS - 1.001)
    floor = np.zeros((*x.shape, 3), np.float32)
    mipmap = _decode(texture)
    for number in range(_LEVELS):
        weight = np.clip(1 - np.abs(level - number), 0, 1)
        rows = np.flatnonzero(weight > 0)
        if len(rows):
            part = slice(rows[0], rows[-1] + 1)
            right, down = (place[part] / 2**number - np.float32(0.5) for place in (x, y))
            sample = cv2.remap(mipmap, right, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
            floor[part] += sample * weight[part, None, None]
        half = (mipmap.shape[1] // 2, mipmap.shape[0] // 2)
        mipmap = np.asarray(cv2.resize(mipmap, half, interpolation=cv2.INTER_AREA), np.float32)
    return floor


def _shade_joints(u: Floats, v: Floats, scale: Floats) -> Floats:
    """Compute the factor on the light: dark in gaps between tiles, a little brighter on edges.

    u, v: place within the tile, 0 to 1. scale: width of a pixel, in tiles; a line thinner than a
    pixel is as much fainter.
    """
    inside = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    pixel = scale * 1.6  # rows are seen at a slant
    gap = np.clip((_JOINT_WIDTH / 2 - inside) / pixel + 0.5, 0, 1)
    gap *= np.minimum(1, _JOINT_WIDTH / pixel)
    edge = np.clip(1 - np.abs(inside - _BEVEL_WIDTH) / _BEVEL_WIDTH, 0, 1)
    edge *= np.minimum(1, _BEVEL_WIDTH / pixel)
    return np.asarray((1 - (1 - _JOINT_LIGHT) * gap) * (1 + 0.08 * edge), np.float32)


def _light_floor(across: Floats, along: Floats) -> Floats:
    """Compute the light on the floor: windows on the left, less light near the wall.

    across, along: places on the floor, in tiles. Returns factors on linear light.
    """
    daylight = 0.80 - 0.045 * (across - across.mean())
    near_wall = 1 - 0.42 * np.exp(-along / 0.35) - 0.12 * np.exp(-along / 1.6)
    return np.asarray(
        np.clip(daylight, 0.45, 1.2) * near_wall + 0.34 * _cast_sun(across, along), np.float32
    )


def _cast_sun(across: Floats, along: Floats) -> Floats:
    """Cast the sun through two windows: slanting panes with soft borders, 0 to 1."""
    lit = np.zeros_like(across)
    slant = np.asarray(across - 0.75 * along, np.float32)
    for left in (-6.4, -3.9):
        pane = _smoothstep(slant - left, 0.18) * _smoothstep(left + 1.9 - slant, 0.18)
        bar = 1 - 0.8 * _smoothstep(0.07 - np.abs(slant - left - 0.95), 0.05)
        lit += pane * bar
    return np.asarray(
        lit * _smoothstep(along - 1.1, 0.25) * _smoothstep(6.2 - along, 0.5), np.float32
    )


def _smoothstep(distance: Floats, width: float) -> Floats:
    """Rise smoothly from 0 at -width to 1 at width."""
    rise = np.clip(distance / (2 * width) + 0.5, 0, 1)
    return np.asarray(rise * rise * (3 - 2 * rise), np.float32)


@cache
def _draw_wall() -> Floats:
    """Draw plaster and a skirting board at its foot: (rows of the wall, WIDTH, 3), linear light."""
    rows, board = round(_WALL_FOOT * HEIGHT), round(_SKIRTING_HEIGHT * HEIGHT)
    down = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    right = np.linspace(0, 1, WIDTH, dtype=np.float32)[None, :]
    light = 0.90 - 0.26 * right + 0.05 * down
    noise = np.random.default_rng(0).standard_normal((rows // 2, WIDTH // 2)).astype(np.float32)
    grain = np.asarray(cv2.resize(cv2.GaussianBlur(noise, (0, 0), 2.2), (WIDTH, rows)))
    wall = (light * (1 + 0.028 * grain))[..., None] * _WALL_COLOR
    above = np.arange(rows - board, 0, -1, dtype=np.float32)[:, None]
    wall[: rows - board] *= (1 - 0.10 * np.exp(-above / 9))[..., None]
    face = np.full((board, 1), 0.93, np.float32)
    face[:3] = 1.06  # its upper edge catches the light
    face[-2:] = 0.5
    wall[rows - board :] = (light[rows - board :] * face)[..., None] * _SKIRTING_COLOR
    return np.asarray(wall, np.float32)


def _decode(image: Image) -> Floats:
    """Convert sRGB, 0 to 255, to linear light, 0 to 1."""
    table = np.array([decode_srgb(value / 255) for value in range(256)], np.float32)
    return np.asarray(table[image])


def _encode(room: Floats) -> Image:
    """Convert linear light to sRGB, 0 to 255, with darker corners, as a lens gives them."""
    right = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
    room = room * (1.04 - 0.10 * (right**2 + down**2))[..., None]
    return np.asarray(np.rint(255 * encode_srgb(np.clip(room, 0, 1))), np.uint8)
