"""What to buy, against a hand calculation in decimals."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plitka.order.amounts import Order, Zone, compute_order
from plitka.order.errors import OrderError
from plitka.order.inputs import FIELDS, read_inputs

MIX = {"red": 0.5, "blue": 0.3, "white": 0.2}


def order(figures: Mapping[str, Any], mix: Mapping[str, float] = MIX) -> Order:
    inputs = read_inputs(figures, {name: name for name in mix})
    assert inputs.area is not None
    return compute_order([Zone("", tuple(mix.items()), inputs.area)], inputs)


def test_120_square_metres_of_10_mm_by_hand() -> None:
    made = order({"area": 120, "thickness": 10, "density": 950, "loss": 5, "bag": 25})
    # 120 m2 x 0.010 m x 950 kg/m3 = 1140 kg laid, and 5% on top are 1197 kg.
    assert [float(one.kg) for one in made.colors] == [598.5, 359.1, 239.4]
    assert [one.bags for one in made.colors] == [24, 15, 10]
    assert (float(made.granule_kg), made.bags) == (1197, 49)
    assert (float(made.binder_kg), made.packs) == (239.4, 12)  # 20%, in packs of 20 kg
    assert made.tiles == 504  # 480 of 0.25 m2, and 5% more
    assert not made.converts


def test_areas_weights_and_volumes_are_told_apart_where_densities_differ() -> None:
    densities = {"red": 1000, "blue": "8 kg/m2 at 10 mm"}
    figures = {"area": 100, "thickness": 10, "densities": densities, "loss": 0}
    made = order(figures, {"red": 0.5, "blue": 0.5})
    red, blue = made.colors
    assert (red.area_share, red.volume_share) == (Decimal("0.5"), Decimal("0.5"))
    assert (float(red.kg), float(blue.kg)) == (500, 400)
    assert float(red.weight_share) == pytest.approx(5 / 9)
    assert made.converts


def test_larger_granules_take_up_more_volume_under_the_same_visible_area() -> None:
    figures = {"area": 10, "loss": 0, "granules": {"red": 3, "blue": 1}}
    red, blue = order(figures, {"red": 0.5, "blue": 0.5}).colors
    assert (red.volume_share, blue.volume_share) == (Decimal("0.75"), Decimal("0.25"))
    assert (float(red.kg), float(blue.kg)) == (75, 25)


def test_float_dust_makes_no_bag_more_and_a_gram_does() -> None:
    exact = {"area": 25, "thickness": 1, "density": 1000, "loss": 0, "binder": 0}
    assert order(exact, {"red": 1.0}).bags == 1  # 25 kg
    assert order(exact, {"red": 0.1 + 0.2, "blue": 0.7}).colors[0].bags == 1  # 7.5 kg
    assert order({**exact, "density": "1000.04"}, {"red": 1.0}).bags == 2  # 25.001 kg
    # 1.1 + 2.2 is 3.3000000000000003: as shares of three bags of 1.1 kg they are exact.
    third = {"area": 3.3, "thickness": 1, "density": 1000, "loss": 0, "bag": 1.1}
    assert [one.bags for one in order(third, dict.fromkeys("abc", 1 / 3)).colors] == [1, 1, 1]


def test_each_zone_has_its_own_kilograms_and_bags_are_bought_for_all_together() -> None:
    inputs = read_inputs({"area": 1, "loss": 0, "thickness": 10}, {"red": "red", "blue": "blue"})
    border = Zone("border", (("red", 1.0),), Decimal("1.2"))
    field = Zone("field", (("red", 0.5), ("blue", 0.5)), Decimal("2.4"))
    made = compute_order([border, field], inputs)
    assert [(zone.zone.name, float(zone.kg)) for zone in made.zones] == [
        ("border", 12),
        ("field", 24),
    ]
    red = made.colors[0]
    assert (float(red.kg), red.bags) == (24, 1)  # of 12 kg twice: one bag, not two
    assert float(red.area_share) == pytest.approx(2 / 3)
    assert float(made.area) == 3.6


percents = st.lists(st.integers(1, 1000), min_size=1, max_size=8)
figure = st.decimals(min_value=1, max_value=999, places=2)


@given(percents, figure, st.integers(1, 100), st.data())
def test_any_order_is_what_a_calculation_in_fractions_says(
    parts: list[int], area: Decimal, thickness: int, data: st.DataObject
) -> None:
    names = [f"c{number}" for number in range(len(parts))]
    mix = {name: part / sum(parts) for name, part in zip(names, parts, strict=True)}
    densities = {name: data.draw(st.integers(100, 3000)) for name in names}
    granules = {name: data.draw(st.sampled_from((1, 2, 2.5, 4))) for name in names}
    loss, bag = data.draw(st.integers(0, 20)), data.draw(st.sampled_from((12.5, 20, 25)))
    made = order(
        {"area": str(area), "thickness": thickness, "loss": loss, "bag": bag}
        | {"densities": densities, "granules": granules},
        mix,
    )
    covered = {
        name: Fraction(part, sum(parts)) * Fraction(granules[name])
        for name, part in zip(names, parts, strict=True)
    }
    volume = Fraction(area) * thickness / 1000
    total = Fraction(0)
    for one in made.colors:
        laid = volume * covered[one.color] / sum(covered.values()) * densities[one.color]
        bought = laid * (100 + loss) / 100
        total += bought
        assert abs(Fraction(one.kg) - bought) <= Fraction(1, 2000) + Fraction(1, 10**5)
        assert one.bags * bag >= float(bought) - 1e-4
        assert (one.bags - 1) * bag < float(bought)
    assert made.bags == sum(one.bags for one in made.colors)
    for shares in ("area_share", "volume_share", "weight_share"):
        assert float(sum(getattr(one, shares) for one in made.colors)) == pytest.approx(1)
    assert abs(Fraction(made.binder_kg) - total / 5) <= Fraction(1, 1000)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"area": 0}, "area: got 0; allowed: 0.01 to 1000000 m²"),
        ({"area": "-5"}, "area: got -5; allowed: a number, 0.01 to 1000000 m²"),
        ({"area": 1, "thickness": "thick"}, "thickness: got thick; allowed: a number, 1 to 500 mm"),
        ({"area": 1, "granule": 5}, "granule: got 5; allowed: 1 to 4 mm"),
        ({"area": 1, "densities": {"red": 5}}, "density of red: got 5; allowed: 100 to 3000 kg/m³"),
        ({"area": 1, "densities": 5}, "order: density of colours: allowed: an object by colour"),
        ({"area": 1, "colour": 5}, "order: no field colour; there are area, tile,"),
        ([], "order: allowed: an object with figures by name"),
    ],
)
def test_nonsense_is_refused_with_what_is_allowed(figures: Any, said: str) -> None:
    with pytest.raises(OrderError) as refused:
        read_inputs(figures, {"red": "red"})
    assert str(refused.value).startswith(said)


def test_what_is_left_empty_has_its_default_and_the_makers_own_come_first() -> None:
    inputs = read_inputs({"area": "", "bag": " ", "loss": None}, {}, {"bag": "20"})
    assert inputs.area is None
    assert (inputs.bag, inputs.loss) == (Decimal(20), Decimal(FIELDS["loss"].default))
