"""Curves for the report: SVG that takes its colours from the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, TypeAlias

Point: TypeAlias = tuple[float, float]
Style: TypeAlias = Literal["raw", "main", "other"]

_WIDTH, _HEIGHT = 400, 236
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 22, 30
_MOST_POINTS = 400  # of a line; more are not seen


@dataclass(frozen=True)
class Line:
    """One line of a chart. style: a class of the page's. dots: whether each point has one."""

    points: Sequence[Point]
    style: Style
    dots: bool = False


def draw_chart(title: str, lines: Sequence[Line], kept: int, percent: bool = False) -> str:
    """Draw lines over the steps, with a mark at the step that was kept.

    title: what is shown, for those who do not see it. percent: whether values are shares.
    """
    drawn = [
        Line([point for point in line.points if math.isfinite(point[1])], line.style, line.dots)
        for line in lines
    ]
    steps = [step for line in drawn for step, _ in line.points] or [0.0]
    values = [value for line in drawn for _, value in line.points] or [0.0]
    low, high = min(values), max(values)
    ticks = list_ticks(0.0 if percent or low < 0.35 * high else low, high)
    last = max(*steps, kept, 1)

    def place(step: float, value: float) -> str:
        across = _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / last
        up = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return f"{across:.1f},{_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * up:.1f}"

    parts = [_draw_grid(ticks, place(0, tick).split(",")[1], tick, percent) for tick in ticks]
    for step in dict.fromkeys((0, round(last / 2), round(last))):
        x = place(step, ticks[0]).split(",")[0]
        anchor = "start" if step == 0 else "end" if step == round(last) else "middle"
        parts.append(f'<text x="{x}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{step:,}</text>')
    parts.append(_draw_mark(float(place(kept, ticks[0]).split(",")[0])))
    for line in drawn:
        points = [place(*point) for point in _thin_out(line.points)]
        if len(points) > 1:
            parts.append(f'<polyline class="{line.style}" points="{" ".join(points)}"/>')
        if line.dots or len(points) == 1:
            parts += [_draw_dot(place(*point), point[0] == kept) for point in line.points]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        + "".join(parts)
        + "</svg>"
    )


def smooth(points: Sequence[Point], width: int) -> list[Point]:
    """Smooth a curve: each value becomes the mean of the last `width` ones."""
    smoothed = []
    for end in range(1, len(points) + 1):
        window = points[max(end - width, 0) : end]
        smoothed.append((points[end - 1][0], sum(value for _, value in window) / len(window)))
    return smoothed


def list_ticks(low: float, high: float) -> list[float]:
    """List round values from below the lowest to above the highest, three to six of them."""
    if high - low < 1e-9:
        high = low + max(abs(low) * 0.1, 1e-6)
    power = 10.0 ** math.floor(math.log10(high - low))
    width = next(
        power * factor
        for factor in (0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0)
        if math.ceil(high / (power * factor)) - math.floor(low / (power * factor)) <= 5
    )
    first, last = math.floor(low / width + 1e-9), math.ceil(high / width - 1e-9)
    return [number * width for number in range(first, max(last, first + 1) + 1)]


def _thin_out(points: Sequence[Point]) -> Sequence[Point]:
    every = max(math.ceil(len(points) / _MOST_POINTS), 1)
    return [*points[:-1:every], points[-1]] if points else points


def _draw_grid(ticks: Sequence[float], y: str, tick: float, percent: bool) -> str:
    digits = max(-math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9), 0)
    if percent:
        label = f"{100 * tick:.{max(digits - 2, 0)}f}%"
    else:
        label = f"{tick:.{digits + (round(ticks[1] * 10**digits, 6) % 1 > 1e-6)}f}"
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
        f'<text x="{_LEFT - 8}" y="{float(y) + 4:.1f}" text-anchor="end">{label}</text>'
    )


def _draw_mark(x: float) -> str:
    anchor = "start" if x < _WIDTH / 4 else "end" if x > 3 * _WIDTH / 4 else "middle"
    return (
        f'<line class="mark" x1="{x}" x2="{x}" y1="{_TOP - 4}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text class="mark-text" x="{x}" y="{_TOP - 9}" text-anchor="{anchor}">kept</text>'
    )


def _draw_dot(place: str, is_kept: bool) -> str:
    x, y = place.split(",")
    return f'<circle class="dot{" kept" if is_kept else ""}" cx="{x}" cy="{y}" r="4"/>'
