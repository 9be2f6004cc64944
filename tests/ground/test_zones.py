"""How large zones are, against hand calculation."""

import json
import math
from typing import Any

import pytest

from plitka.ground.zones import ZoneArea, measure_zones, sum_up_shares
from plitka.request.recipe import Recipe
from tests.support.recipes import asked, parse

WHITE = [{"name": "white", "proportion": 100}]


def surface(*zones: dict[str, Any], **fields: object) -> Recipe:
    colors = [{"name": "red", "proportion": 60}, {"name": "blue", "proportion": 40}]
    laid = {"zones": [{"colors": WHITE, **zone} for zone in zones], **fields}
    return parse(json.dumps({"colors": colors, "surface": laid}))


def measure(*zones: dict[str, Any]) -> tuple[ZoneArea, ...]:
    """Measure zones on a surface of 3 by 2 m."""
    return measure_zones(surface(*zones))


def test_a_recipe_without_a_surface_has_no_zones() -> None:
    assert measure_zones(asked({"red": 100})) == ()


@pytest.mark.parametrize(
    ("zone", "area"),
    [
        ({"shape": "border", "width_mm": 200}, 6 - 2.6 * 1.6),
        ({"shape": "border", "width_mm": 100, "inset_mm": 100}, 2.8 * 1.8 - 2.6 * 1.6),
        ({"shape": "border", "width_mm": 5000}, 6),
        ({"shape": "stripe", "from_mm": [0, 500], "to_mm": [3000, 500], "width_mm": 100}, 0.3),
        ({"shape": "stripe", "from_mm": [500, 500], "to_mm": [800, 900], "width_mm": 100}, 0.05),
        ({"shape": "circle", "radius_mm": 400}, math.pi * 0.16),
        ({"shape": "circle", "radius_mm": 400, "center_mm": [0, 0]}, math.pi * 0.04),
        ({"shape": "polygon", "points_mm": [[0, 0], [1000, 0], [0, 1000]]}, 0.5),
        # A bow tie: two triangles that meet where its sides cross.
        ({"shape": "polygon", "points_mm": [[0, 0], [1000, 1000], [1000, 0], [0, 1000]]}, 0.5),
        (
            {
                "shape": "svg",
                "width_mm": 800,
                "turn": 30,
                "svg": "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><rect x='2' y='3'"
                " width='4' height='2' fill='red'/></svg>",
            },
            0.8 * 0.4,
        ),
        (
            {
                "shape": "svg",
                "width_mm": 1000,
                "svg": "<svg xmlns='http://www.w3.org/2000/svg'><g transform='scale(3)'><path d='"
                "M0 0h10v10h-10z M2 2v6h6v-6z'/></g></svg>",
            },
            1 - 0.36,
        ),
        (
            {
                "shape": "svg",
                "width_mm": 1000,
                "svg": "<svg xmlns='http://www.w3.org/2000/svg'><style>.a{fill:none;stroke:#000;"
                "stroke-width:2}</style><circle class='a' cx='9' cy='9' r='9'/></svg>",
            },
            math.pi * (0.25 - 0.16),
        ),
    ],
)
def test_a_zone_is_as_large_as_geometry_says(zone: dict[str, Any], area: float) -> None:
    base, found = measure(zone)
    assert found.area_m2 == pytest.approx(area, rel=0.003)
    assert base.area_m2 + found.area_m2 == pytest.approx(6, rel=1e-9)


def test_a_later_zone_lies_over_an_earlier_one() -> None:
    disc = {"shape": "circle", "radius_mm": 400, "line": "metal"}
    half = {"shape": "polygon", "points_mm": [[0, 0], [1500, 0], [1500, 2000], [0, 2000]]}
    _, under, over = measure(disc, half)
    assert under.area_m2 == pytest.approx(math.pi * 0.08, rel=0.001)
    assert over.area_m2 == pytest.approx(3)
    assert under.line_m == pytest.approx(math.pi * 0.4, rel=0.001)  # the half that is seen


def test_a_line_runs_where_a_zone_meets_others_and_not_on_the_surface_s_edge() -> None:
    _, border, stripe = measure(
        {"shape": "border", "width_mm": 200, "line": "metal"},
        {
            "shape": "stripe",
            "from_mm": [0, 1000],
            "to_mm": [3000, 1000],
            "width_mm": 100,
            "line": {"kind": "joint", "width_mm": 8},
        },
    )
    assert (border.line, stripe.line) == ("metal", "joint")
    assert border.line_m == pytest.approx(2 * (2.6 + 1.6) - 2 * 0.1)
    assert stripe.line_m == pytest.approx(2 * 3)


def test_letters_are_as_high_and_drawings_as_broad_as_asked() -> None:
    bar = {"shape": "text", "text": "I", "height_mm": 700}
    _, found = measure(bar)
    width = found.area_m2 / 0.7
    assert 0.1 < width < 0.25  # a bold I is one bar
    _, letters = measure({"shape": "text", "text": "ПЛИТКА", "height_mm": 150})
    assert letters.area_m2 > 0


def test_a_hopscotch_has_lines_and_numbers_in_its_fields() -> None:
    _, found = measure({"shape": "hopscotch", "length_mm": 1600})
    fields = 0.2**2 * (9 + math.pi / 2)
    assert 0.2 * fields < found.area_m2 < 0.5 * fields


def test_all_colours_are_summed_up_by_the_areas_of_their_zones() -> None:
    border = {
        "shape": "border",
        "width_mm": 200,
        "colors": [{"name": "white", "proportion": 50}, {"name": "red", "proportion": 50}],
    }
    parts = {part.name: part.share for part in sum_up_shares(surface(border))}
    frame = (6 - 2.6 * 1.6) / 6
    assert list(parts) == ["red", "blue", "white"]
    assert parts["red"] == pytest.approx(0.6 * (1 - frame) + 0.5 * frame)
    assert parts["white"] == pytest.approx(0.5 * frame)
