"""A surface's zones -> their shapes as polygons, in millimetres from its upper left corner."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import shapely
from shapely import affinity

from plitka.request.lettering import Contour, draw_text
from plitka.request.surface import (
    Border,
    Circle,
    Drawing,
    Hopscotch,
    Lettering,
    Point,
    Polygon,
    Shape,
    Stripe,
    Surface,
)
from plitka.request.svg_outline import Outline, read_outlines

Region: TypeAlias = Any
"""A polygon or several of shapely's, whose classes are not typed."""

_QUARTER_STEPS = 128  # corners of a quarter of a circle: its area is right to 0.003%
_FIELDS = 8  # of a hopscotch, lengthwise, its head included
_HOPSCOTCH_LINE = 0.09  # breadth of its lines, in fields
_NUMBER_HEIGHT = 0.5  # of its numbers, in fields


def outline_surface(surface: Surface) -> Region:
    """Return the rectangle of a surface."""
    return shapely.box(0, 0, surface.width_mm, surface.length_mm)


def outline_shape(shape: Shape, surface: Surface) -> Region:
    """Return what a shape covers, as far as the surface reaches."""
    whole = shapely.make_valid(outline_figure(shape, surface))
    return shapely.intersection(whole, outline_surface(surface))


def outline_figure(shape: Shape, surface: Surface) -> Region:
    """Return what a shape covers, beyond the surface as well."""
    middle = (surface.width_mm / 2, surface.length_mm / 2)
    if isinstance(shape, Border):
        return _outline_border(shape, surface)
    if isinstance(shape, Stripe):
        line = shapely.LineString([shape.from_mm, shape.to_mm])
        return line.buffer(shape.width_mm / 2, cap_style="flat")
    if isinstance(shape, Circle):
        at = shapely.Point(shape.center_mm or middle)
        return at.buffer(shape.radius_mm, quad_segs=_QUARTER_STEPS)
    if isinstance(shape, Polygon):
        return _fill([shape.points_mm], even_odd=True)
    return _place(_draw_figure(shape), shape.at_mm or middle, shape.turn)


def list_visible(surface: Surface) -> list[Region]:
    """List what is seen of the surface's own mix, and of each zone: later ones lie over earlier."""
    regions = [outline_surface(surface)]
    regions += [outline_shape(zone.shape, surface) for zone in surface.zones]
    over = shapely.MultiPolygon()
    seen: list[Region] = []
    for region in reversed(regions):
        seen.append(shapely.difference(region, over))
        over = shapely.union(over, region)
    return seen[::-1]


def _outline_border(border: Border, surface: Surface) -> Region:
    inset, inner = border.inset_mm, border.inset_mm + border.width_mm
    outside = _inset(surface, inset)
    return shapely.difference(outside, _inset(surface, inner))


def _inset(surface: Surface, inset: float) -> Region:
    width, length = surface.width_mm, surface.length_mm
    if 2 * inset >= min(width, length):
        return shapely.Polygon()
    return shapely.box(inset, inset, width - inset, length - inset)


def _draw_figure(shape: Hopscotch | Lettering | Drawing) -> Region:
    """Draw a figure in its own place, in millimetres."""
    if isinstance(shape, Hopscotch):
        return affinity.scale(_draw_hopscotch(), *_equal(shape.length_mm / _FIELDS), origin=(0, 0))
    if isinstance(shape, Lettering):
        letters = _fill(draw_text(shape.text), even_odd=False)
        return affinity.scale(letters, *_equal(shape.height_mm), origin=(0, 0))
    drawn = shapely.union_all([_draw_outline(one) for one in read_outlines(shape.svg)])
    left, _, right, _ = drawn.bounds
    return affinity.scale(drawn, *_equal(shape.width_mm / (right - left)), origin=(0, 0))


def _equal(factor: float) -> tuple[float, float]:
    return factor, factor


def _place(figure: Region, at: Point, turn: float) -> Region:
    """Move a figure's middle to a place, turned by `turn` degrees clockwise as seen."""
    if figure.is_empty:
        return figure
    left, top, right, bottom = figure.bounds
    middle = ((left + right) / 2, (top + bottom) / 2)
    # shapely's angles run against the clock where y runs up, so with it where y runs down.
    turned = affinity.rotate(figure, turn, origin=middle)
    return affinity.translate(turned, at[0] - middle[0], at[1] - middle[1])


def _fill(contours: Sequence[Contour], even_odd: bool) -> Region:
    """Fill closed lines by a fill rule."""
    polygons = [
        shapely.make_valid(shapely.Polygon(contour)) for contour in contours if len(contour) > 2
    ]
    if even_odd:
        filled = shapely.MultiPolygon()
        for polygon in polygons:
            filled = shapely.symmetric_difference(filled, polygon)
        return filled
    rings = zip(polygons, (c for c in contours if len(c) > 2), strict=True)
    ways: dict[bool, list[Region]] = {True: [], False: []}
    for polygon, contour in rings:
        ways[_measure_turn(contour) > 0].append(polygon)
    one, other = (shapely.union_all(ways[way]) for way in (True, False))
    return shapely.symmetric_difference(one, other)


def _measure_turn(contour: Contour) -> float:
    """Measure twice the area that a line goes around, negative where it goes the other way."""
    following = (*contour[1:], contour[0])
    return math.fsum(x * ny - nx * y for (x, y), (nx, ny) in zip(contour, following, strict=True))


def _draw_outline(outline: Outline) -> Region:
    parts = []
    if outline.is_filled:
        parts.append(_fill(outline.contours, outline.even_odd))
    if outline.stroke:
        lines = [shapely.LineString(contour) for contour in outline.contours]
        parts += [shapely.buffer(line, outline.stroke / 2) for line in lines]
    return shapely.union_all(parts)


def _draw_hopscotch() -> Region:
    """Draw fields of side 1: 1, 2, 3, 4 and 5 abreast, 6, 7 and 8 abreast, 9, and a round 10."""
    fields = list(_list_fields())
    lines = [
        shapely.buffer(shapely.boundary(field), _HOPSCOTCH_LINE / 2, join_style="mitre")
        for field, _ in fields
    ]
    numbers = []
    for number, (_, middle) in enumerate(fields, 1):
        digits = _fill(draw_text(str(number)), even_odd=False)
        small = affinity.scale(digits, *_equal(_NUMBER_HEIGHT), origin=(0, 0))
        numbers.append(_place(small, middle, 0))
    whole = shapely.union_all([*lines, *numbers])
    # With its lines it is as long as it is said to be.
    return affinity.scale(whole, *_equal(_FIELDS / (_FIELDS + _HOPSCOTCH_LINE)), origin=(0, 0))


def _list_fields() -> Iterator[tuple[Region, Point]]:
    """List the fields in the order of their numbers, each with the middle of its number."""
    single, double = [-0.5], [-1.0, 0.0]
    for row, lefts in enumerate((single, single, single, double, single, double, single)):
        top = float(_FIELDS - 1 - row)
        for left in lefts:
            yield shapely.box(left, top, left + 1, top + 1), (left + 0.5, top + 0.5)
    disc = shapely.Point(0, 1).buffer(1, quad_segs=_QUARTER_STEPS)
    yield shapely.intersection(disc, shapely.box(-1, 0, 1, 1)), (0.0, 0.55)
