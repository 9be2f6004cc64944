"""The surface: what a mix is laid on, how, and which zones of it have mixes of their own.

Lengths are in millimetres. A surface is seen from above: x runs to the right and y down, from its
upper left corner.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias, get_args

from plitka.request.shares import ColorShare

Laying: TypeAlias = Literal["square", "brick", "herringbone", "poured"]
LineKind: TypeAlias = Literal["metal", "joint"]
Point: TypeAlias = tuple[float, float]
"""x and y, in millimetres."""

LAYINGS: tuple[Laying, ...] = get_args(Laying)
LINE_KINDS: tuple[LineKind, ...] = get_args(LineKind)
DEFAULT_LAYING: Laying = "square"
DEFAULT_SIDES_MM = (3000.0, 2000.0)
GRANULE_MM = (1, 4)
"""The sizes of granules that floors are made of, least and greatest, in millimetres."""

DEFAULT_GRANULE_MM = 2.5
DEFAULT_TILES_MM: Mapping[Laying, Point] = {
    "square": (500.0, 500.0),
    "brick": (600.0, 300.0),
    "herringbone": (600.0, 300.0),
}
"""Width and length of a tile of each laying; a poured surface has none."""
DEFAULT_LINE_MM = 5.0


@dataclass(frozen=True)
class Border:
    """A frame along all four sides. inset_mm: from the surface's edge to the frame."""

    width_mm: float
    inset_mm: float = 0.0


@dataclass(frozen=True)
class Stripe:
    """A straight stripe, from the middle of one of its ends to the middle of the other."""

    from_mm: Point
    to_mm: Point
    width_mm: float


@dataclass(frozen=True)
class Circle:
    """A disc. center_mm: None for the surface's middle."""

    radius_mm: float
    center_mm: Point | None = None


@dataclass(frozen=True)
class Polygon:
    """A polygon of three corners or more. Where it crosses itself, even layers are holes."""

    points_mm: tuple[Point, ...]


@dataclass(frozen=True)
class Hopscotch:
    """The frames and numbers of a hopscotch of ten fields, the first one at its lower end.

    at_mm: its middle; None for the surface's. turn: degrees clockwise, 0 to 360.
    """

    length_mm: float
    at_mm: Point | None = None
    turn: float = 0.0


@dataclass(frozen=True)
class Lettering:
    """Letters, in lines of their own after each line feed. height_mm: of capitals.

    at_mm, turn: see Hopscotch.
    """

    text: str
    height_mm: float
    at_mm: Point | None = None
    turn: float = 0.0


@dataclass(frozen=True)
class Drawing:
    """All that is filled or stroked in an SVG. width_mm: of what is drawn, without its margins.

    at_mm, turn: see Hopscotch.
    """

    svg: str
    width_mm: float
    at_mm: Point | None = None
    turn: float = 0.0


Shape: TypeAlias = Border | Stripe | Circle | Polygon | Hopscotch | Lettering | Drawing
SHAPES: Mapping[str, type[Shape]] = {
    "border": Border,
    "stripe": Stripe,
    "circle": Circle,
    "polygon": Polygon,
    "hopscotch": Hopscotch,
    "text": Lettering,
    "svg": Drawing,
}


@dataclass(frozen=True)
class Line:
    """What parts a zone from what lies around it, with its middle on the zone's edge."""

    kind: LineKind
    width_mm: float = DEFAULT_LINE_MM


@dataclass(frozen=True)
class Zone:
    """A part of the surface with a mix of its own. shares: see Recipe."""

    shape: Shape
    shares: tuple[ColorShare, ...]
    line: Line | None = None
    name: str | None = None  # None for that of its shape, with its number among the zones

    @property
    def shape_name(self) -> str:
        """The shape's name in a request."""
        return next(name for name, kind in SHAPES.items() if isinstance(self.shape, kind))

    def request(self) -> dict[str, object]:
        """Write the zone as a request has it."""
        request: dict[str, object] = {"shape": self.shape_name}
        if self.name is not None:
            request["name"] = self.name
        request |= {k: _as_json(v) for k, v in asdict(self.shape).items() if v is not None}
        request["colors"] = [entry for part in self.shares for entry in part.entries()]
        if self.line is not None:
            request["line"] = asdict(self.line)
        return request


@dataclass(frozen=True)
class Surface:
    """A rectangle of flooring.

    tile_mm: width and length of a tile; None for a poured surface. zones: later ones lie over
    earlier ones. What no zone covers has the recipe's own mix; the recipe's angle turns the laying.
    """

    width_mm: float
    length_mm: float
    granule_mm: float
    laying: Laying
    tile_mm: Point | None
    zones: tuple[Zone, ...] = ()

    def request(self) -> dict[str, object]:
        """Write the surface as a request has it."""
        request: dict[str, object] = {
            "width_mm": self.width_mm,
            "length_mm": self.length_mm,
            "granule_mm": self.granule_mm,
            "laying": self.laying,
        }
        if self.tile_mm is not None:
            request["tile_mm"] = list(self.tile_mm)
        if self.zones:
            request["zones"] = [zone.request() for zone in self.zones]
        return request

    def name_zone(self, number: int) -> str:
        """Name a zone; number: its place among the zones, from 0."""
        zone = self.zones[number]
        return zone.name or f"{zone.shape_name} {number + 1}"


def _as_json(value: object) -> object:
    """Write tuples as the lists that JSON has."""
    return [_as_json(one) for one in value] if isinstance(value, tuple) else value
