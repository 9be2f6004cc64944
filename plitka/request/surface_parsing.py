"""The field `surface` of a request -> Surface, or the faults of it by path."""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from plitka.color.palette import Palette
from plitka.messages.message import Message
from plitka.request.color_list import read_shares
from plitka.request.crossings import MOST_CROSSINGS, cross_too_often
from plitka.request.faults import Fault
from plitka.request.json_text import Object
from plitka.request.lettering import find_unknown_letters
from plitka.request.quantities import is_degrees, is_millimeters
from plitka.request.reading import (
    Node,
    Reader,
    Refused,
    Schema,
    make_choice_reader,
    make_number_reader,
)
from plitka.request.surface import (
    DEFAULT_GRANULE_MM,
    DEFAULT_LAYING,
    DEFAULT_LINE_MM,
    DEFAULT_SIDES_MM,
    DEFAULT_TILES_MM,
    GRANULE_MM,
    LAYINGS,
    LINE_KINDS,
    SHAPES,
    Laying,
    Line,
    Point,
    Polygon,
    Shape,
    Stripe,
    Surface,
    Zone,
)
from plitka.request.svg_outline import MAX_SVG, UnreadableSvg, read_outlines

MAX_ZONES = 16
MAX_POINTS = 200  # of a polygon
MAX_TEXT = 60  # characters
MAX_NAME = 60
SIDES_MM = (100, 100_000)
TILE_MM = (50, 5_000)
LONGEST_BRICKS = 8  # times as long as broad, in herringbone

_EXAMPLE = '{"width_mm": 3000, "length_mm": 2000, "laying": "brick", "tile_mm": [600, 300]}'
_ZONE = '{"shape": "circle", "center_mm": [1500, 1000], "radius_mm": 400, "colors": […]}'
_POINT = "a list of x and y in mm, like [1500, 1000]"
_TILE = f"a length or a list of two, like [600, 300], each from {TILE_MM[0]} to {TILE_MM[1]} mm"


def read_surface(request: Node, palette: Palette) -> Surface | None:
    """Read `surface`; None where it is absent, or at a fault, which is recorded."""
    found = request.read_optional("surface", _read_object, None)
    if found is None:
        return None
    before = len(request.faults)
    node = Node(found, "surface", request.faults)
    node.expect_keys((*SURFACE_READERS, "zones"))
    sides = [
        node.read_optional(key, _read_surface_side, default)
        for key, default in zip(("width_mm", "length_mm"), DEFAULT_SIDES_MM, strict=True)
    ]
    granule = node.read_optional("granule_mm", _read_granule, DEFAULT_GRANULE_MM)
    laying = node.read_optional("laying", _read_laying, DEFAULT_LAYING)
    tile = _read_tile_of(node, laying)
    entries = node.read_optional("zones", _read_zone_list, [])
    zones = [_read_zone(entry, place, node, palette) for place, entry in enumerate(entries)]
    if len(request.faults) > before:
        return None
    return Surface(sides[0], sides[1], granule, laying, tile, tuple(filter(None, zones)))


def _make_length_reader(low: float, high: float) -> Reader[float]:
    return make_number_reader(low, high, Message.of(" mm"), is_millimeters)


_read_coordinate = _make_length_reader(-SIDES_MM[1], SIDES_MM[1])
_read_length = _make_length_reader(1, SIDES_MM[1])
_read_surface_side = _make_length_reader(*SIDES_MM)
_read_granule = _make_length_reader(*GRANULE_MM)
_read_laying = make_choice_reader(LAYINGS)


def _read_object(value: object) -> Object:
    if isinstance(value, Object):
        return value
    raise Refused(value, f"an object like {_EXAMPLE}")


def _read_zone_list(value: object) -> list[object]:
    if isinstance(value, list) and len(value) <= MAX_ZONES:
        return value
    raise Refused(value, f"a list of up to {MAX_ZONES} zones like [{_ZONE}, …]")


def _read_tile_of(node: Node, laying: Laying) -> Point | None:
    """Read the size of a tile, as the laying allows it."""
    if laying == "poured":
        if "tile_mm" in node.fields:
            node.add_fault("tile_mm", "a poured surface has no tiles; leave it out")
        return None
    width, length = node.read_optional("tile_mm", _read_tile_size, DEFAULT_TILES_MM[laying])
    if laying == "herringbone" and not length < width <= LONGEST_BRICKS * length:
        node.add_fault(
            "tile_mm",
            f"got {width:g} by {length:g}; a tile of herringbone is longer than it is broad, up to"
            f" {LONGEST_BRICKS} times, like [600, 300]",
        )
    return width, length


_read_tile_side = _make_length_reader(*TILE_MM)


def _read_tile(value: object) -> Point:
    try:
        if isinstance(value, list):
            width, length = map(_read_tile_side, value)
            return width, length
        side = _read_tile_side(value)
    except ValueError:
        raise Refused(value, _TILE) from None
    return side, side


def _describe_pair(of: Schema) -> Schema:
    return {"type": "array", "items": of, "minItems": 2, "maxItems": 2}


_read_tile_size = Reader(
    _read_tile, {"anyOf": [_read_tile_side.schema, _describe_pair(_read_tile_side.schema)]}
)
SURFACE_READERS: Mapping[str, Reader[Any]] = {
    "width_mm": _read_surface_side,
    "length_mm": _read_surface_side,
    "granule_mm": _read_granule,
    "laying": _read_laying,
    "tile_mm": _read_tile_size,
}
"""How the fields of a surface are read, all but its zones."""


def _read_point(value: object) -> Point:
    if isinstance(value, list) and len(value) == 2:
        return _read_coordinate(value[0]), _read_coordinate(value[1])
    raise Refused(value, _POINT)


def _read_points(value: object) -> tuple[Point, ...]:
    if isinstance(value, list) and 3 <= len(value) <= MAX_POINTS:
        return tuple(map(_read_point, value))
    raise Refused(value, f"a list of 3 to {MAX_POINTS} points like [[0, 0], [500, 0], [0, 500]]")


_read_degrees = make_number_reader(-360, 360, " degrees", is_degrees)


def _read_turn(value: object) -> float:
    return _read_degrees(value) % 360


def _read_line_of_text(value: object, most: int, breaks: str = "") -> str:
    is_text = isinstance(value, str) and value.strip() and len(value) <= most
    if is_text and all(char.isprintable() or char in breaks for char in str(value)):
        return str(value)
    raise Refused(value, f"text of 1 to {most} characters that can be printed")


def _read_name(value: object) -> str:
    return _read_line_of_text(value, MAX_NAME)


def _read_text(value: object) -> str:
    text = _read_line_of_text(value, MAX_TEXT, "\n")
    unknown = find_unknown_letters(text)
    if unknown:
        raise Refused(unknown[0], "characters that the font Roboto has, Latin and Cyrillic")
    return text


def _read_svg(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_SVG:
        raise Refused(value, f"the text of an SVG file, of up to {MAX_SVG} characters")
    try:
        read_outlines(value)
    except UnreadableSvg as fault:
        raise Refused(value, str(fault)) from None
    return value


def _describe_text(most: int) -> Schema:
    return {"type": "string", "pattern": r"\S", "maxLength": most}


_point = Reader(_read_point, _describe_pair(_read_coordinate.schema))
_points = Reader(
    _read_points,
    {"type": "array", "items": _point.schema, "minItems": 3, "maxItems": MAX_POINTS},
)
_name = Reader(_read_name, _describe_text(MAX_NAME))

SHAPE_READERS: Mapping[str, tuple[Reader[Any], str]] = {
    "width_mm": (_read_length, "a length in mm"),
    "length_mm": (_read_length, "a length in mm"),
    "radius_mm": (_read_length, "a length in mm"),
    "height_mm": (_make_length_reader(10, SIDES_MM[1]), "a length in mm"),
    "inset_mm": (_make_length_reader(0, SIDES_MM[1]), "a length in mm"),
    "from_mm": (_point, _POINT),
    "to_mm": (_point, _POINT),
    "center_mm": (_point, _POINT),
    "at_mm": (_point, _POINT),
    "points_mm": (_points, "a list of points"),
    "turn": (Reader(_read_turn, _read_degrees.schema), "degrees"),
    "text": (
        Reader(_read_text, _describe_text(MAX_TEXT)),
        f"text of up to {MAX_TEXT} characters",
    ),
    "svg": (
        Reader(_read_svg, {"type": "string", "maxLength": MAX_SVG}),
        "the text of an SVG file",
    ),
}
"""How the fields of all shapes are read, and what is allowed where one is missing."""

ZONE_READERS: Mapping[str, Reader[Any]] = {
    "shape": make_choice_reader(tuple(SHAPES)),
    "name": _name,
}
"""How the fields are read that a zone of any shape has, all but its colours and its line."""

LINE_READERS: Mapping[str, Reader[Any]] = {
    "kind": make_choice_reader(LINE_KINDS),
    "width_mm": _make_length_reader(1, 100),
}
"""How the fields of a line are read."""


def _read_zone(entry: object, place: int, surface: Node, palette: Palette) -> Zone | None:
    path = f"surface.zones[{place}]"
    if not isinstance(entry, Object):
        example = Message.of("an object like {example}", example=_ZONE)
        surface.faults.append(Fault(path, *Refused(entry, example).messages))
        return None
    node = Node(entry, path, surface.faults)
    shape = node.read_one_of({"shape": ZONE_READERS["shape"]}, ", ".join(SHAPES))
    if shape is None:
        return None
    kind: Callable[..., Shape] = SHAPES[shape]
    names = [field.name for field in fields(SHAPES[shape])]
    node.expect_keys((*ZONE_READERS, *names, "colors", "line"))
    before = len(node.faults)
    values: dict[str, Any] = {}
    for field in fields(SHAPES[shape]):
        take, allowed = SHAPE_READERS[field.name]
        if field.default is MISSING:
            values[field.name] = node.read_one_of({field.name: take}, allowed)
        else:
            values[field.name] = node.read_optional(field.name, take, field.default)
    shares = read_shares(node, palette)
    line = _read_line(node)
    name = node.read_optional("name", ZONE_READERS["name"], None)
    if len(node.faults) > before:
        return None
    made = kind(**values)
    _check_shape(made, node)
    return Zone(made, shares, line, name)


def _check_shape(shape: Shape, node: Node) -> None:
    """Record a fault where fields that are right alone make no shape together."""
    if isinstance(shape, Stripe) and math.dist(shape.from_mm, shape.to_mm) < 1:
        node.add_fault("to_mm", 'the stripe ends where it begins; move "to_mm" 1 mm or more away')
    if isinstance(shape, Polygon) and cross_too_often([shape.points_mm]):
        node.add_fault("points_mm", f"its sides cross more than {MOST_CROSSINGS} times")


def _read_line(node: Node) -> Line | None:
    """Read the line around a zone: an object, or its kind alone."""
    read_kind = LINE_READERS["kind"]
    given = node.fields.get("line")
    if not isinstance(given, Object):
        kind = node.read_optional("line", read_kind, None)
        return None if kind is None else Line(kind)
    inner = Node(given, f"{node.path}.line", node.faults)
    inner.expect_keys(LINE_READERS)
    kind = inner.read_one_of({"kind": read_kind}, ", ".join(LINE_KINDS))
    width = inner.read_optional("width_mm", LINE_READERS["width_mm"], DEFAULT_LINE_MM)
    return None if kind is None else Line(kind, width)
