# ruff: noqa: RUF001 - Cyrillic is meant
"""Figures as people write them."""

from decimal import Decimal

import pytest

from plitka.order.figures import NoFigure, read_density, read_number, read_quantity


@pytest.mark.parametrize(
    ("written", "language", "meant"),
    [
        ("120", "en", "120"),
        (120, "en", "120"),
        (0.1, "en", "0.1"),
        ("120,5", "en", "120.5"),
        ("120,5", "ru", "120.5"),
        ("1,200", "ru", "1.200"),
        ("1 200,5", "ru", "1200.5"),
        ("1\u00a0200", "en", "1200"),
        (" .5 ", "en", "0.5"),
    ],
)
def test_a_number_is_read_as_it_is_written(written: object, language: str, meant: str) -> None:
    assert read_number(written, language) == Decimal(meant)


@pytest.mark.parametrize(
    ("written", "unit", "meant"),
    [
        (45, "m²", "45"),
        ("45", "m²", "45"),
        ("45 м2", "m²", "45"),
        ("45m2", "m²", "45"),
        ("1 200,5 кв. м", "m²", "1200.5"),
        ("45 sq m", "m²", "45"),
        ("10 мм", "mm", "10"),
        ("10mm", "mm", "10"),
        ("1см", "mm", "10"),
        ("1,5 см.", "mm", "15"),
        ("0.5 m", "mm", "500"),
        ("5 %", "%", "5"),
        ("25кг", "kg", "25"),
    ],
)
def test_a_figure_may_have_its_unit(written: object, unit: str, meant: str) -> None:
    assert read_quantity(written, unit, "ru") == Decimal(meant)


@pytest.mark.parametrize(
    "written", ["45 l", "45 m3", "m2", "45 m2 5", "4 5 m2", "1,200 m2", "-1 m2"]
)
def test_a_figure_of_another_unit_is_refused(written: str) -> None:
    with pytest.raises(NoFigure):
        read_quantity(written, "m²")


@pytest.mark.parametrize(
    "written",
    [
        *("", "-1", "1e3", "1,200.5", "1.200,5", "12 34", "٣", "five", "9" * 80, 10**20, True),
        None,
        [],
        float("nan"),
        float("inf"),
    ],
)
def test_what_is_no_number_is_refused(written: object) -> None:
    with pytest.raises(NoFigure):
        read_number(written)


def test_a_comma_that_may_part_thousands_is_not_guessed_in_english() -> None:
    with pytest.raises(NoFigure, match=r"1200 or 1\.200"):
        read_number("1,200", "en")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("950", "950"),
        (950.5, "950.5"),
        ("950 kg/m3", "950"),
        ("950 кг/м³", "950"),
        ("9.5 kg/m2 at 10 mm", "950"),
        ("9,5 кг/м² при 10 мм", "950"),
        ("19 kg per m2 at 20 mm", "950"),
        ("1,1 kg/m2 per mm", "1100"),
    ],
)
def test_a_density_goes_by_volume_or_by_area_at_a_thickness(written: object, meant: str) -> None:
    assert read_density(written) == Decimal(meant)


@pytest.mark.parametrize("written", ["9.5 kg/m2", "9.5 kg/m2 at 0 mm", "kg", "9.5 kg at 10 mm"])
def test_a_density_by_area_needs_its_thickness(written: str) -> None:
    with pytest.raises(NoFigure, match="kg/m2 at 10 mm"):
        read_density(written)
