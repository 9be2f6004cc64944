"""The tile of a recipe, or of a photograph's PNG, on the floor of a scene or of one's own photo."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plitka.arrays import Image
from plitka.color.palette import Palette
from plitka.color.srgb import decode_srgb
from plitka.designer.errors import Fault
from plitka.designer.renderer import CheckCancelled, Renderer
from plitka.ground.ground import make_ground
from plitka.ground.mat import Mat, Weave, weave
from plitka.ground.quilting import SCALE, quilt
from plitka.images.errors import Unreadable
from plitka.images.jpeg import encode_jpeg
from plitka.request import parsing
from plitka.request.recipe import Recipe, draw_seed
from plitka.scene import own_photo
from plitka.scene.errors import UnusableFloor
from plitka.scene.floor_area import MAX_HOLES, MAX_POINTS, FloorArea, Point, check_area
from plitka.scene.render import render_scene, render_small
from plitka.scene.scenes import Scene

MAX_PHOTO_BYTES = 64 * 2**20
"""Of a file with one's own photo."""

MAX_ASKED_BYTES = 2**18
"""Of what is said of it."""

_QUALITY = 92
_PHOTO_QUALITY = 95  # of one's own, which is encoded twice
_SMALL, _SMALL_QUALITY = 320, 85
_BRIGHTNESS = (0.3, 2.5)


class SceneViews:
    """Draws scenes with the grounds of a renderer. Several threads may use one."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def draw_scene(
        self, scene: Scene, recipe: Recipe, picture: Image | None, check_cancelled: CheckCancelled
    ) -> bytes:
        """Draw a scene as JPEG, its floor laid with a recipe's mix, or a picture of its tile."""
        if picture is None:
            ground = self._renderer.make_ground(recipe, check_cancelled)
        else:
            ground = make_ground(recipe, _lay_picture(recipe, picture))
        check_cancelled()
        return encode_jpeg(render_scene(scene, ground), _QUALITY)

    def lay_photo(
        self, asked: "OwnPhoto", content: bytes, check_cancelled: CheckCancelled
    ) -> bytes:
        """Lay a ground into the floor of one's own photo, as JPEG. Raises Fault."""
        photo = _read_photo(content)
        check_cancelled()
        ground = self._renderer.make_ground(asked.recipe, check_cancelled)
        check_cancelled()
        try:
            laid = own_photo.lay_floor(photo, asked.area, ground, asked.pattern_m, asked.brightness)
        except UnusableFloor as error:
            raise _make_floor_fault(error) from None
        return encode_jpeg(laid, _QUALITY)


def draw_thumbnail(scene: Scene, recipe: Recipe) -> bytes:
    """Draw a scene small, as JPEG, with a floor of the mean colour of a recipe's mix."""
    color = sum(
        share.share * np.array([decode_srgb(channel / 255) for channel in share.color.srgb])
        for share in recipe.shares
    )
    small = render_small(scene, np.asarray(color, np.float32), _SMALL)
    return encode_jpeg(small, _SMALL_QUALITY)


def prepare_photo(content: bytes) -> bytes:
    """Read one's own photo of any format, and write it as JPEG: upright, sRGB, without its EXIF.

    Raises Fault.
    """
    return encode_jpeg(_read_photo(content), _PHOTO_QUALITY)


def _make_floor_fault(error: UnusableFloor) -> Fault:
    return Fault(f"own_{error.reason}", str(error), status=422)


def _read_photo(content: bytes) -> Image:
    try:
        return own_photo.read_photo(content)
    except Unreadable as why:
        raise Fault("own_unreadable", str(why), status=422) from None


def _lay_picture(recipe: Recipe, picture: Image) -> Weave:
    """Lay a picture of a recipe's tile where its mix lies; other mixes are drawn."""

    def make_mat(mix: Recipe) -> Mat:
        if mix.shares != recipe.shares:
            return weave(mix)
        quilted: Image = quilt(picture, recipe.angle, recipe.seed)
        one = np.zeros(quilted.shape[:2], np.int32)
        return Mat(quilted, one, np.zeros(1, np.uint8), SCALE)

    return make_mat


# What the page says of one's own photo


@dataclass(frozen=True)
class OwnPhoto:
    """What is asked of one's own photo: which ground lies where, in which light."""

    recipe: Recipe
    area: FloorArea
    pattern_m: float
    brightness: float


def parse_own_photo(text: str, palette: Palette) -> OwnPhoto:
    """Parse what is asked, JSON of recipe, corners, sides, outline, holes, pattern and brightness.

    Raises Fault and RecipeError.
    """
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        raise Fault("own_broken", "no JSON", status=422) from None
    if not isinstance(asked, dict) or not isinstance(asked.get("recipe"), dict):
        raise Fault("own_broken", "recipe: is missing", status=422)
    corners = _read_points(asked, "corners")
    if len(corners) != 4:
        raise Fault("own_corners", f"corners: {len(corners)}; there are 4", status=422)
    width, length = _read_numbers(asked.get("sides"), "sides", 2)
    holes = asked.get("holes", [])
    if not isinstance(holes, list) or len(holes) > MAX_HOLES:
        raise Fault("own_outline", f"holes: a list of up to {MAX_HOLES}", status=422)
    area = FloorArea(
        (corners[0], corners[1], corners[2], corners[3]),
        width,
        length,
        _read_points(asked, "outline"),
        tuple(_read_points({"holes": hole}, "holes") for hole in holes),
    )
    try:
        check_area(area)
    except UnusableFloor as error:
        raise _make_floor_fault(error) from None
    recipe = draw_seed(parsing.parse(json.dumps(asked["recipe"]), palette))
    return OwnPhoto(
        recipe,
        area,
        _read_between(asked, "pattern", own_photo.PATTERN_M),
        _read_between(asked, "brightness", _BRIGHTNESS),
    )


def _read_points(asked: Mapping[str, Any], field: str) -> tuple[Point, ...]:
    points = asked.get(field, [])
    if not isinstance(points, list) or len(points) > MAX_POINTS:
        raise Fault("own_outline", f"{field}: a list of up to {MAX_POINTS} points", status=422)
    pairs = [_read_numbers(point, field, 2) for point in points]
    return tuple((x, y) for x, y in pairs)


def _read_numbers(value: object, field: str, count: int) -> list[float]:
    if not isinstance(value, list) or len(value) != count:
        raise Fault("own_broken", f"{field}: {count} numbers", status=422)
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in value):
        raise Fault("own_broken", f"{field}: {count} numbers", status=422)
    try:
        return [float(one) for one in value]
    except OverflowError:
        raise Fault("own_broken", f"{field}: a number is too large", status=422) from None


def _read_between(asked: Mapping[str, Any], field: str, bounds: tuple[float, float]) -> float:
    (value,) = _read_numbers([asked.get(field)], field, 1)
    if not bounds[0] <= value <= bounds[1]:
        raise Fault("own_broken", f"{field}: {value:g}; {bounds[0]:g} to {bounds[1]:g}", status=422)
    return value
