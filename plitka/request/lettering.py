"""A text -> the outlines of its letters, in the font Roboto."""

from functools import cache
from typing import Any, TypeAlias

Contour: TypeAlias = tuple[tuple[float, float], ...]
"""Corners (x, y) of a closed line; y runs down."""

_LINE_HEIGHT = 1.6  # from line to line, in heights of a capital
_CURVE_STEPS = 6  # straight pieces of a curve


def find_unknown_letters(text: str) -> list[str]:
    """Find the characters that the font does not have."""
    known = _load_font().getBestCmap()
    return [char for char in text if char != "\n" and ord(char) not in known]


def draw_text(text: str) -> list[Contour]:
    """Draw a text in lines, each in the middle. Lengths are in heights of a capital.

    Outer lines run one way round and holes the other.
    """
    contours: list[Contour] = []
    for number, line in enumerate(text.split("\n")):
        drawn, width = _draw_line(line)
        down = 1 + number * _LINE_HEIGHT
        contours += [
            tuple((x - width / 2, down - y) for x, y in contour) for contour in drawn if contour
        ]
    return contours


@cache
def _load_font() -> Any:
    from font_roboto import RobotoBold
    from fontTools.ttLib import TTFont

    return TTFont(RobotoBold, lazy=True)


def _draw_line(line: str) -> tuple[list[list[tuple[float, float]]], float]:
    """Draw one line from 0 to the right; y runs up. Returns its contours and its width."""
    from fontTools.pens.recordingPen import DecomposingRecordingPen

    font = _load_font()
    glyphs, known = font.getGlyphSet(), font.getBestCmap()
    scale = 1 / font["OS/2"].sCapHeight
    contours, right = [], 0.0
    for char in line:
        name = known[ord(char)]
        pen = DecomposingRecordingPen(glyphs)
        glyphs[name].draw(pen)
        contours += [
            [((x + right) * scale, y * scale) for x, y in contour]
            for contour in _flatten(pen.value)
        ]
        right += glyphs[name].width
    return contours, right * scale


def _flatten(recording: list[tuple[str, Any]]) -> list[list[tuple[float, float]]]:
    """Flatten a glyph's quadratic curves, as a pen has recorded them, to contours."""
    from fontTools.pens.basePen import decomposeQuadraticSegment

    contours: list[list[tuple[float, float]]] = []
    for what, points in recording:
        if what == "moveTo":
            contours.append([points[0]])
        elif what == "lineTo":
            contours[-1].append(points[0])
        elif what == "qCurveTo":
            for control, end in decomposeQuadraticSegment(points):
                start = contours[-1][-1]
                for step in range(1, _CURVE_STEPS + 1):
                    t = step / _CURVE_STEPS
                    near, between, far = (1 - t) ** 2, 2 * t * (1 - t), t * t
                    contours[-1].append(
                        (
                            near * start[0] + between * control[0] + far * end[0],
                            near * start[1] + between * control[1] + far * end[1],
                        )
                    )
    return contours
