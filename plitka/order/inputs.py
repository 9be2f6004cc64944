"""What an order is reckoned from: figures with their bounds, read from JSON or from options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from plitka.messages.message import Message, Said
from plitka.order.errors import OrderError
from plitka.order.figures import NoFigure, read_density, read_quantity

_LONGEST_QUOTE = 40  # characters of a refused value that an error shows
_GREATEST_QUOTED = 10**30


@dataclass(frozen=True)
class Field:
    """One figure of an order: its bounds and its default, as they are written, and its unit."""

    low: str
    high: str
    default: str
    unit: str


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "area": Field("0.01", "1000000", "", "m²"),
        "tile": Field("20", "5000", "500", "mm"),
        "thickness": Field("1", "500", "10", "mm"),
        "granule": Field("1", "4", "2.5", "mm"),
        "density": Field("100", "3000", "1000", "kg/m³"),
        "loss": Field("0", "100", "5", "%"),
        "bag": Field("0.1", "2000", "25", "kg"),
        "binder": Field("0", "100", "20", "%"),
        "pack": Field("0.1", "2000", "20", "kg"),
    }
)
"""Figures by name. docs/offer.md says what each means, and where the defaults come from.

tile: side of a square tile. thickness: of the layer of granules. granule: mean diameter. density:
kilograms of granules, without binder, in a cubic metre of laid floor. loss: what is bought on top
of what is laid.
bag, pack: contents of a bag of granules and of a pack of binder. binder: on the granules' weight.
"""

PER_COLOR = {"densities": "density", "granules": "granule"}
"""Objects of figures by colour, with the figure that each has instead of the one for all."""


@dataclass(frozen=True)
class Inputs:
    """The figures of an order, each within its bounds; FIELDS says what they are.

    area: None where no kilograms are asked for. tile: width and length, None for a poured floor.
    densities, granules: of single colours, by the
    names they have in the recipe, where they differ from what holds for all. usual: names of
    figures that nobody gave, so that those of FIELDS were taken.
    """

    area: Decimal | None
    tile: tuple[Decimal, Decimal] | None
    thickness: Decimal
    granule: Decimal
    density: Decimal
    loss: Decimal
    bag: Decimal
    binder: Decimal
    pack: Decimal
    densities: Mapping[str, Decimal] = field(default_factory=dict)
    granules: Mapping[str, Decimal] = field(default_factory=dict)
    usual: frozenset[str] = frozenset()

    def find_density(self, color: str) -> Decimal:
        """Find a colour's density in kg/m³."""
        return self.densities.get(color, self.density)

    def find_granule(self, color: str) -> Decimal:
        """Find the mean diameter of a colour's granules in millimetres."""
        return self.granules.get(color, self.granule)


def read_inputs(
    given: object,
    colors: Mapping[str, Said],
    defaults: Mapping[str, str] = MappingProxyType({}),
    language: str = "en",
) -> Inputs:
    """Read an order's figures, an object with names of FIELDS and PER_COLOR.

    colors: by their names in the recipe, what messages call them; figures of others are passed
    over, since a mix changes while its figures stay. defaults: in the place of those of FIELDS.
    language: see `read_number`. Raises OrderError.
    """
    if not isinstance(given, Mapping):
        raise OrderError("order: allowed: an object with figures by name", "order")
    for name in given:
        if name not in FIELDS and name not in PER_COLOR:
            known = ", ".join([*FIELDS, *PER_COLOR])
            raise OrderError(f"order: no field {_quote(name)}; there are {known}", "order")

    def read(name: str) -> Decimal:
        value = given[name] if _is_given(given, name) else defaults.get(name, FIELDS[name].default)
        return _read_figure(name, value, language)

    densities, granules = (
        _read_by_color(given.get(plural), name, colors, language)
        for plural, name in PER_COLOR.items()
    )
    side = read("tile")
    return Inputs(
        area=_read_figure("area", given["area"], language) if _is_given(given, "area") else None,
        tile=(side, side),
        thickness=read("thickness"),
        granule=read("granule"),
        density=read("density"),
        loss=read("loss"),
        bag=read("bag"),
        binder=read("binder"),
        pack=read("pack"),
        densities=densities,
        granules=granules,
        usual=frozenset(
            name for name in FIELDS if not _is_given(given, name) and name not in defaults
        ),
    )


def read_defaults(text: str) -> Mapping[str, str]:
    """Read defaults as a setting has them: "thickness=15; density=950; bag=20".

    Raises OrderError, for names as for figures.
    """
    defaults: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        if not equals or name not in FIELDS or name == "area":
            known = ", ".join(name for name in FIELDS if name != "area")
            raise OrderError(
                f"got {_quote(part.strip())}; allowed: NAME=FIGURE, with ; between, of {known}",
                "order",
            )
        defaults[name] = value
    read_inputs({}, {}, defaults)
    return MappingProxyType(defaults)


def _is_given(given: Mapping[str, object], name: str) -> bool:
    value = given.get(name)
    return value is not None and not (isinstance(value, str) and not value.strip())


def _read_by_color(
    given: object, name: str, colors: Mapping[str, Said], language: str
) -> Mapping[str, Decimal]:
    """Read the figures of single colours. Raises OrderError."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise OrderError(f"order: {name} of colours: allowed: an object by colour", name)
    return {
        color: _read_figure(name, given[color], language, color, called)
        for color, called in colors.items()
        if _is_given(given, color)
    }


def _read_figure(
    name: str, value: object, language: str, color: str = "", called: Said = ""
) -> Decimal:
    """Read a figure and check its bounds. Raises OrderError."""
    bounds = FIELDS[name]
    whose = Message.of(name)
    if color:
        whose = Message.of("{figure} of {color}", figure=whose, color=called)
    low, high = Decimal(bounds.low), Decimal(bounds.high)
    unit = Message.of(bounds.unit)
    within = Message.of("{low} to {high} {unit}", low=low, high=high, unit=unit)
    got: Mapping[str, Said] = {"whose": whose, "value": _quote(value), "within": within}
    try:
        if name == "density":
            figure = read_density(value, language)
        else:
            figure = read_quantity(value, bounds.unit, language)
    except NoFigure as allowed:
        (form,) = allowed.messages
        raise OrderError(
            Message.of("{whose}: got {value}; allowed: {form}, {within}", **got, form=form),
            name,
            color,
            bounds.low,
            bounds.high,
        ) from None
    if not low <= figure <= high:
        raise OrderError(
            Message.of("{whose}: got {value}; allowed: {within}", **got),
            name,
            color,
            bounds.low,
            bounds.high,
        )
    return figure


def _quote(value: object) -> str:
    if isinstance(value, int) and abs(value) > _GREATEST_QUOTED:
        return "a number of very many digits"
    written = str(value) if isinstance(value, str | int | float) else type(value).__name__
    shown = "".join(letter if letter.isprintable() else "?" for letter in written)
    return shown if len(shown) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}…"
