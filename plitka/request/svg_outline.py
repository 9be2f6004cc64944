"""The text of an SVG -> the outlines of all that is drawn in it. Nothing is fetched or run."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from plitka.request.crossings import MOST_CROSSINGS, cross_too_often
from plitka.request.lettering import Contour

MAX_SVG = 48 * 1024  # characters
_MAX_ELEMENTS = 2000  # with those that <use> repeats
_MAX_DEPTH = 40
_MAX_STYLE = 4000  # characters
_MAX_POINTS = 30_000
_STEPS = {"CubicBezier": 12, "QuadraticBezier": 8, "Arc": 24}  # straight pieces of a curve
_DRAWN = frozenset(("path", "rect", "circle", "ellipse", "line", "polyline", "polygon"))
_HARMLESS = frozenset(
    (
        *("svg", "g", "defs", "symbol", "use", "title", "desc", "metadata", "style", "switch"),
        *("linearGradient", "radialGradient", "stop", "pattern"),
    )
)
_REFUSED = {
    "text": "letters are drawn with a font that is not in it; convert text to paths",
    "image": "pictures have no outlines; trace them to paths",
    "clipPath": "cut the paths where they are clipped",
    "mask": "cut the paths where they are masked",
}
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[\]<>]*>", re.IGNORECASE)
_STRANGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What svgelements raises on numbers, transforms or paths that are none."""


class UnreadableSvg(ValueError):
    """An SVG that is refused; the message says why, and what to do."""


@dataclass(frozen=True)
class Outline:
    """One thing that is drawn: its closed lines, and how they are filled; or open ones.

    even_odd: fill rule; else what lines go around in one direction is filled. stroke: width of
    the line along the contours, 0 for none.
    """

    contours: tuple[Contour, ...]
    is_filled: bool
    even_odd: bool
    stroke: float


@lru_cache(maxsize=16)
def read_outlines(svg: str) -> tuple[Outline, ...]:
    """Read what is drawn in an SVG; lengths are in its own unit. Raises UnreadableSvg."""
    text = _DOCTYPE.sub("", svg, count=1)
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise UnreadableSvg("an SVG without entities; remove its DOCTYPE")
    _check_elements(_parse(text))
    outlines = tuple(_draw(text))
    points = [point for one in outlines for contour in one.contours for point in contour]
    if not points:
        raise UnreadableSvg("an SVG in which something is filled or stroked")
    if len(points) > _MAX_POINTS:
        raise UnreadableSvg(f"an SVG of up to {_MAX_POINTS} corners; simplify its paths")
    if not all(math.isfinite(x) and abs(x) < 1e9 for point in points for x in point):
        raise UnreadableSvg("an SVG whose numbers are below 1e9")
    if cross_too_often(contour for one in outlines for contour in one.contours):
        raise UnreadableSvg(f"an SVG whose lines cross up to {MOST_CROSSINGS} times; simplify it")
    across = [x for x, _ in points]
    if max(across) - min(across) < 1e-6:
        raise UnreadableSvg("an SVG that is broader than a line")
    return outlines


def _parse(text: str) -> Element:
    """Parse the XML. Raises UnreadableSvg."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(text.encode("utf-8", "surrogatepass"), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as fault:
        raise UnreadableSvg(f"the text of an SVG file; this is none ({fault})") from None
    if _name(root) != "svg":
        raise UnreadableSvg(f"an SVG; this begins with <{_name(root)[:20]}>")
    return root


def _check_elements(root: Element) -> None:
    """Refuse what is not drawn here, what refers to elsewhere, and what is far too much."""
    by_id: dict[str, Element] = {}
    for element, depth in _walk(root):
        if depth > _MAX_DEPTH:
            raise UnreadableSvg(f"an SVG of groups within groups up to {_MAX_DEPTH} deep")
        name = _name(element)
        if name in _REFUSED:
            raise UnreadableSvg(f"an SVG without <{name}>: {_REFUSED[name]}")
        if name not in _DRAWN | _HARMLESS and _is_svg(element):
            raise UnreadableSvg(f"an SVG of paths and basic shapes, without <{name[:30]}>")
        _check_attributes(element)
        by_id.setdefault(element.get("id", ""), element)
    if _count(root, by_id, 0) > _MAX_ELEMENTS:
        raise UnreadableSvg(f"an SVG of up to {_MAX_ELEMENTS} elements, those of <use> included")


def _walk(root: Element) -> Iterator[tuple[Element, int]]:
    waiting = [(root, 0)]
    while waiting:
        element, depth = waiting.pop()
        yield element, depth
        waiting += [(child, depth + 1) for child in element]


def _check_attributes(element: Element) -> None:
    for key, value in element.attrib.items():
        plain = key.rpartition("}")[2].lower()
        if plain.startswith("on"):
            raise UnreadableSvg(f"an SVG without scripts, such as {plain[:30]}")
        if plain == "href" and not value.startswith("#"):
            raise UnreadableSvg("an SVG that refers to nothing outside of itself")
        if plain in ("clip-path", "mask", "filter") and value != "none":
            raise UnreadableSvg(f"an SVG without {plain}; apply it to the paths")
        _check_style(value)
    if _name(element) == "style":
        style = element.text or ""
        if len(style) > _MAX_STYLE:  # svgelements takes time that grows with its square
            raise UnreadableSvg(f"an SVG whose <style> has up to {_MAX_STYLE} characters")
        _check_style(style)


def _check_style(style: str) -> None:
    squeezed = re.sub(r"[\s\"']+", "", style.lower())
    if "@import" in squeezed or re.search(r"url\((?!#)", squeezed):
        raise UnreadableSvg("an SVG that refers to nothing outside of itself")


def _count(element: Element, by_id: dict[str, Element], depth: int) -> int:
    """Count elements, repeated ones as often as they are; stops beyond _MAX_ELEMENTS."""
    if depth > _MAX_DEPTH:
        raise UnreadableSvg("an SVG in which no <use> repeats itself")
    inside = list(element)
    if _name(element) == "use":
        used = next((v for k, v in element.attrib.items() if k.endswith("href")), "")
        inside += [by_id[used[1:]]] if used[1:] in by_id else []
    total = 1
    for child in inside:
        total += _count(child, by_id, depth + 1)
        if total > _MAX_ELEMENTS:
            break
    return total


def _draw(text: str) -> Iterator[Outline]:
    """Draw all shapes, in the order in which they are painted."""
    import io

    import svgelements

    try:
        drawing = svgelements.SVG.parse(io.StringIO(text), reify=True, on_error="raise")
        for shape in drawing.elements():
            if isinstance(shape, svgelements.Shape) and not _is_hidden(shape):
                yield from _outline(shape)
    except ParseError as fault:
        raise UnreadableSvg(f"the text of an SVG file; this is none ({fault})") from None
    except UnreadableSvg:
        raise
    except _STRANGE as fault:
        raise UnreadableSvg(f"an SVG whose paths and numbers are right ({fault})") from None


def _is_hidden(shape: Any) -> bool:
    return bool(shape.values.get("visibility") == "hidden" or shape.values.get("display") == "none")


def _outline(shape: Any) -> Iterator[Outline]:
    """Flatten a shape to its outline; none where it is neither filled nor stroked."""
    import svgelements

    is_filled = shape.fill is None or shape.fill.value is not None
    stroke = 0.0
    if shape.stroke is not None and shape.stroke.value is not None:
        stroke = float(shape.stroke_width or 0)
    if not is_filled and stroke <= 0:
        return
    contours: list[list[tuple[float, float]]] = []
    for segment in svgelements.Path(shape).segments():
        kind = type(segment).__name__
        if kind == "Move":
            contours.append([(segment.end.x, segment.end.y)])
            continue
        if not contours or segment.end is None:
            continue
        steps = _STEPS.get(kind, 1)
        for step in range(1, steps + 1):
            point = segment.point(step / steps)
            contours[-1].append((point.x, point.y))
        if sum(map(len, contours)) > _MAX_POINTS:
            raise UnreadableSvg(f"an SVG of up to {_MAX_POINTS} corners; simplify its paths")
    lines = tuple(tuple(contour) for contour in contours if len(contour) > 1)
    if lines:
        even_odd = shape.values.get("fill-rule") == "evenodd"
        yield Outline(lines, is_filled, even_odd, stroke)


def _name(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _is_svg(element: Element) -> bool:
    """Whether an element is SVG's own; editors leave notes of their own in others' names."""
    tag = element.tag
    return isinstance(tag, str) and (not tag.startswith("{") or "www.w3.org/2000/svg" in tag)
