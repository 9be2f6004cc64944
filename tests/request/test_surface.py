"""Surfaces in a request: what is read, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given

from plitka.request.recipe import Recipe, RecipeError
from plitka.request.surface import Circle, Line, Surface
from tests.support.recipes import parse
from tests.support.request_strategies import anything

WHITE = [{"name": "white", "proportion": 100}]
STAR = "<svg xmlns='http://www.w3.org/2000/svg'><path d='M5 0L6 4 10 5 6 6 5 10 4 6 0 5z'/></svg>"


def request(surface: object) -> str:
    return json.dumps({"colors": [{"name": "red", "proportion": 100}], "surface": surface})


def read(surface: object) -> Recipe:
    return parse(request(surface))


def refusal(surface: object) -> str:
    with pytest.raises(RecipeError) as caught:
        read(surface)
    return str(caught.value)


def zone(shape: str, **fields: Any) -> dict[str, Any]:
    return {"shape": shape, "colors": WHITE, **fields}


def test_a_request_without_a_surface_is_written_as_before() -> None:
    recipe = parse(json.dumps({"colors": [{"name": "red", "proportion": 100}]}))
    assert recipe.surface is None
    assert list(recipe.request()) == ["colors", "angle", "quality", "seed", "overrides"]


def test_an_empty_surface_is_three_metres_by_two_in_square_tiles() -> None:
    assert read({}).surface == Surface(3000, 2000, 2.5, "square", (500, 500))


@pytest.mark.parametrize(
    ("laying", "tile"),
    [("square", (500, 500)), ("brick", (600, 300)), ("herringbone", (600, 300)), ("poured", None)],
)
def test_each_laying_has_a_tile_of_its_own(laying: str, tile: tuple[float, float] | None) -> None:
    surface = read({"laying": laying}).surface
    assert surface is not None
    assert surface.tile_mm == tile


def test_lengths_may_be_written_with_their_unit_and_a_tile_as_one_length() -> None:
    surface = read({"width_mm": "4000 mm", "length_mm": "2500,5 мм", "tile_mm": "400"}).surface
    assert surface is not None
    assert (surface.width_mm, surface.length_mm, surface.tile_mm) == (4000, 2500.5, (400, 400))


def test_a_line_may_be_its_kind_alone() -> None:
    surface = read({"zones": [zone("circle", radius_mm=300, line="metal")]}).surface
    assert surface is not None
    assert surface.zones[0].line == Line("metal", 5)
    assert surface.zones[0].shape == Circle(300)


def test_a_recipe_with_every_shape_writes_the_request_that_it_is_read_from() -> None:
    recipe = read(
        {
            "width_mm": 5000.5,
            "laying": "herringbone",
            "tile_mm": [200, 100],
            "granule_mm": 1.5,
            "zones": [
                zone("border", width_mm=200, inset_mm=50, line={"kind": "metal", "width_mm": 3}),
                zone("stripe", from_mm=[0, 0], to_mm=[3000, 2000], width_mm=100, line="joint"),
                zone("circle", radius_mm=300, center_mm=[-50, 20.5], name="пруд"),
                zone("polygon", points_mm=[[0, 0], [500, 0], [0, 500]]),
                zone("hopscotch", length_mm=1800, at_mm=[1000, 1000], turn=-90),
                zone("text", text="ПЛИТКА\nЁ", height_mm=150),
                zone("svg", svg=STAR, width_mm=400, turn=45),
            ],
        }
    )
    assert parse(json.dumps(recipe.request())) == recipe


@pytest.mark.parametrize(
    ("surface", "message"),
    [
        ("wide", 'surface: got "wide"; allowed: an object like {"width_mm": 3000'),
        (None, "surface: got null; allowed: an object like"),
        ({"widht_mm": 1}, 'surface.widht_mm: unknown key; did you mean "width_mm"? Known: width'),
        ({"width_mm": 99}, "surface.width_mm: got 99; allowed: a number from 100 to 100000 mm"),
        ({"length_mm": 1e9}, "surface.length_mm: got 1000000000.0; allowed: a number from 100"),
        ({"granule_mm": 0.5}, "surface.granule_mm: got 0.5; allowed: a number from 1 to 4 mm"),
        ({"laying": "brik"}, 'surface.laying: got "brik"; did you mean "brick"? Allowed: square'),
        ({"tile_mm": [1, 2, 3]}, "surface.tile_mm: got a list of 3; allowed: a length or a list"),
        ({"tile_mm": [600, "x"]}, "surface.tile_mm: got a list of 2; allowed: a length or a list"),
        (
            {"laying": "poured", "tile_mm": 500},
            "surface.tile_mm: a poured surface has no tiles; leave it out",
        ),
        (
            {"laying": "herringbone", "tile_mm": 500},
            "surface.tile_mm: got 500 by 500; a tile of herringbone is longer than it is broad",
        ),
        ({"zones": {}}, "surface.zones: got an object; allowed: a list of up to 16 zones"),
        ({"zones": [zone("circle", radius_mm=9)] * 17}, "surface.zones: got a list of 17; allo"),
        ({"zones": [5]}, "surface.zones[0]: got 5; allowed: an object like"),
        ({"zones": [{}]}, "surface.zones[0].shape: missing; allowed: border, stripe, circle"),
        ({"zones": [zone("cirle")]}, 'surface.zones[0].shape: got "cirle"; did you mean "circle'),
        ({"zones": [zone("circle")]}, "surface.zones[0].radius_mm: missing; allowed: a length"),
        (
            {"zones": [zone("circle", radius_mm=5, width_mm=5)]},
            "surface.zones[0].width_mm: unknown key; known: shape, name, radius_mm, center_mm",
        ),
        (
            {"zones": [zone("circle", radius_mm=5, colors=[{"name": "rde", "percent": 100}])]},
            'surface.zones[0].colors[0].name: unknown colour "rde"; did you mean "red"?',
        ),
        (
            {"zones": [{"shape": "circle", "radius_mm": 5}]},
            "surface.zones[0].colors: missing; allowed: a list of 1 to 8 colours",
        ),
        (
            {"zones": [zone("circle", radius_mm=5, colors=[{"name": "red", "percent": 90}])]},
            "surface.zones[0].colors: proportions add up to 90; allowed: percentages",
        ),
        (
            {"zones": [zone("circle", radius_mm=5, center_mm=[1])]},
            "surface.zones[0].center_mm: got a list of 1; allowed: a list of x and y in mm",
        ),
        (
            {"zones": [zone("stripe", from_mm=[1, 1], to_mm=[1, 1], width_mm=9)]},
            "surface.zones[0].to_mm: the stripe ends where it begins",
        ),
        (
            {"zones": [zone("polygon", points_mm=[[0, 0], [1, 1]])]},
            "surface.zones[0].points_mm: got a list of 2; allowed: a list of 3 to 200 points",
        ),
        (
            {"zones": [zone("text", text="漢", height_mm=100)]},
            'surface.zones[0].text: got "漢"; allowed: characters that the font Roboto has',
        ),
        (
            {"zones": [zone("text", text="a\x00", height_mm=100)]},
            'surface.zones[0].text: got "a\\u0000"; allowed: text of 1 to 60 characters',
        ),
        (
            {"zones": [zone("circle", radius_mm=5, line="steel")]},
            'surface.zones[0].line: got "steel"; allowed: metal, joint',
        ),
        (
            {"zones": [zone("circle", radius_mm=5, line={"kind": "metal", "width_mm": 0})]},
            "surface.zones[0].line.width_mm: got 0; allowed: a number from 1 to 100 mm",
        ),
    ],
)
def test_bad_surfaces_are_refused_by_path(surface: object, message: str) -> None:
    found = refusal(surface)
    assert found.startswith(message)
    assert "\n" not in found


NS = "xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'"


def svg(inside: str, attributes: str = "") -> str:
    return f"<svg {NS} {attributes}>{inside}</svg>"


LAUGHS = "".join(
    f"<g id='g{n}'><use href='#g{n - 1}'/><use href='#g{n - 1}'/></g>" for n in range(1, 30)
)


SCRIBBLE = "".join(f"L{n * 7919 % 1009} {n * n * 31 % 997}" for n in range(1, 1000))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the text of an SVG file; this is none"),
        ("<svg", "the text of an SVG file; this is none"),
        ("<html><path d='M0 0h9v9z'/></html>", "an SVG; this begins with <html>"),
        ("<!DOCTYPE s [<!ENTITY a 'b'>]>" + STAR, "an SVG without entities"),
        ("<!DOCTYPE s SYSTEM 'file:///etc/passwd' []>" + STAR, "an SVG without entities"),
        (svg("<script>alert(1)</script>"), "paths and basic shapes, without <script>"),
        (svg("<foreignObject/>"), "paths and basic shapes, without <foreignObject>"),
        (svg("<image href='#a'/>"), "without <image>: pictures have no outlines"),
        (svg("<text>a</text>"), "without <text>: letters are drawn with a font"),
        (svg("<clipPath/>"), "without <clipPath>: cut the paths"),
        (svg("<use href='http://a.b/c.svg#d'/>"), "refers to nothing outside of itself"),
        (svg("<use xlink:href='file:///etc/passwd'/>"), "refers to nothing outside of itself"),
        (svg("<style>@import 'a.css';</style>"), "refers to nothing outside of itself"),
        (svg("<path fill='url( http://a.b/ )' d='M0 0h1v1z'/>"), "refers to nothing outside of"),
        (svg("<path onclick='a()' d='M0 0h1v1z'/>"), "an SVG without scripts, such as onclick"),
        (svg("<path mask='url(#a)' d='M0 0h1v1z'/>"), "an SVG without mask"),
        (svg("<g id='a'><use href='#a'/></g>"), "in which no <use> repeats itself"),
        (svg("<g id='g0'><path d='M0 0h1v1z'/></g>" + LAUGHS), "an SVG of up to 2000 elements"),
        (svg("<g>" * 60 + "<path d='M0 0h1v1z'/>" + "</g>" * 60), "groups within groups up to 40"),
        (svg(""), "something is filled or stroked"),
        (svg("<path fill='none' d='M0 0h1v1z'/>"), "something is filled or stroked"),
        (svg("<path display='none' d='M0 0h1v1z'/>"), "something is filled or stroked"),
        (svg("<path d='M0 0h1e300v1z'/>"), "whose numbers are below 1e9"),
        (svg("<path transform='scale(1e200)' d='M0 0h9v9z'/>"), "whose numbers are below 1e9"),
        (svg("<path d='M0 0v9v-9z'/>"), "broader than a line"),
        (svg("<path d='M0 0" + "c0 0 1 1 2 0" * 3000 + "z'/>"), "of up to 30000 corners"),
        (svg(f"<path d='M0 0{SCRIBBLE}z'/>"), "whose lines cross up to 1000 times"),
        (svg("<style>" + "a" * 40_000 + "</style>"), "whose <style> has up to 4000 characters"),
        ("x" * 50_000, "the text of an SVG file, of up to 49152 characters"),
    ],
)
def test_hostile_and_broken_svgs_are_refused_with_what_to_do(text: str, reason: str) -> None:
    found = refusal({"zones": [zone("svg", svg=text, width_mm=400)]})
    assert found.startswith("surface.zones[0].svg: got ")
    assert reason in found
    assert "\n" not in found


def test_a_polygon_that_crosses_itself_thousands_of_times_is_refused() -> None:
    points = [[n * 7919 % 1009, n * n * 31 % 997] for n in range(200)]
    found = refusal({"zones": [zone("polygon", points_mm=points)]})
    assert found == "surface.zones[0].points_mm: its sides cross more than 1000 times"


@given(anything)
def test_any_json_as_a_surface_is_a_recipe_or_a_clean_error(value: object) -> None:
    for surface in (value, {"zones": [value]}, {"zones": [zone("polygon", points_mm=value)]}):
        try:
            recipe = read(surface)
        except RecipeError as error:
            lines = str(error).split("\n")
        else:
            assert parse(json.dumps(recipe.request())) == recipe
            lines = []
        assert all(line.isprintable() and ": " in line for line in lines)
