"""Zones and figures -> what to buy: kilograms and bags of each colour, binder, tiles.

A recipe's shares are shares of visible area. A floor is bought by weight, so they are converted:

- Seen from above, a granule of diameter d covers its outline, which grows with d², and takes up a
  volume that grows with d³. In a well mixed heap that is seen from above, what each kind shows of
  itself goes by number and outline (Matheron's dead leaves). So volume goes by visible area times
  d; where all granules are of one size, the shares of volume are those of area.
- Weight goes by volume times the density of the laid granules.

A zone is filled by all its colours together: area x thickness is their volume.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, localcontext

from plitka.messages.message import Message
from plitka.order.errors import OrderError
from plitka.order.inputs import Inputs

_DIGITS = 50
_SHARE = Decimal("1e-12")  # what a share is rounded to: 0.30000000000000004 is 0.3
_GRAM = Decimal("0.001")
_DUST = Decimal("1e-6")  # kilograms: what a bag may lack, and be full all the same
_CUBIC_MM = Decimal("1e-3")  # cubic metres of a square metre a millimetre thick


@dataclass(frozen=True)
class Zone:
    """A part of the floor. shares: of its visible area by colour, above 0; area: in m².

    line, line_m: what parts it from its neighbours, "" for nothing, and how many metres of it.
    """

    name: str
    shares: tuple[tuple[str, float], ...]
    area: Decimal
    line: str = ""
    line_m: Decimal = Decimal(0)


@dataclass(frozen=True)
class ColorAmount:
    """What one colour needs.

    area_share, volume_share, weight_share: of the whole floor, 0 to 1. density: kg/m³. granule:
    mm. laid_kg: without loss. kg: with loss, to the gram. bags: whole ones.
    """

    color: str
    area_share: Decimal
    volume_share: Decimal
    weight_share: Decimal
    density: Decimal
    granule: Decimal
    laid_kg: Decimal
    kg: Decimal
    bags: int


@dataclass(frozen=True)
class ZoneAmount:
    """What one zone needs. by_color, kg: with loss, to the gram; of each colour, and of all."""

    zone: Zone
    by_color: tuple[tuple[str, Decimal], ...]
    kg: Decimal


@dataclass(frozen=True)
class Order:
    """What to buy. area: m² of all zones. granule_kg: of all colours. tiles: 0 if it is poured."""

    inputs: Inputs
    area: Decimal
    colors: tuple[ColorAmount, ...]
    zones: tuple[ZoneAmount, ...]
    granule_kg: Decimal
    bags: int
    binder_kg: Decimal
    packs: int
    tiles: int

    @property
    def guesses_density(self) -> bool:
        """Whether a usual density was taken for a colour, since nobody said that of theirs."""
        given = self.inputs.densities
        return "density" in self.inputs.usual and any(one.color not in given for one in self.colors)

    @property
    def converts(self) -> bool:
        """Whether shares of weight differ from those of visible area."""
        return any(one.area_share != one.weight_share for one in self.colors)

    def as_json(self) -> dict[str, object]:
        """Write it as JSON values; amounts are numbers in kilograms."""
        return {
            "area": float(self.area),
            "converts": self.converts,
            "colors": [
                {
                    "name": one.color,
                    "area_share": float(one.area_share),
                    "volume_share": float(one.volume_share),
                    "weight_share": float(one.weight_share),
                    "density": float(one.density),
                    "granule": float(one.granule),
                    "laid_kg": float(one.laid_kg),
                    "kg": float(one.kg),
                    "bags": one.bags,
                }
                for one in self.colors
            ],
            "zones": [
                {
                    "name": one.zone.name,
                    "area": float(one.zone.area),
                    "line": one.zone.line,
                    "line_m": float(one.zone.line_m),
                    "colors": {color: float(kg) for color, kg in one.by_color},
                    "kg": float(one.kg),
                }
                for one in self.zones
            ],
            "granule_kg": float(self.granule_kg),
            "bags": self.bags,
            "binder_kg": float(self.binder_kg),
            "packs": self.packs,
            "tiles": self.tiles,
        }


def compute_order(zones: Sequence[Zone], inputs: Inputs) -> Order:
    """Compute what a floor of these zones needs. Raises OrderError for zones without any area."""
    if not zones or any(zone.area <= 0 for zone in zones):
        raise OrderError(Message.of("area: allowed: above 0 m² for each zone"), "area")
    with localcontext() as context:
        context.prec = _DIGITS
        context.rounding = ROUND_HALF_UP
        return _compute(zones, inputs)


def _compute(zones: Sequence[Zone], inputs: Inputs) -> Order:
    with_loss = 1 + inputs.loss / 100
    visible: dict[str, Decimal] = {}  # m² of visible area by colour
    volumes: dict[str, Decimal] = {}  # m³
    of_zones = []
    for zone in zones:
        areas = {color: zone.area * share for color, share in _clean_shares(zone).items()}
        filled = _fill(zone, areas, inputs)
        for color in areas:
            visible[color] = visible.get(color, Decimal(0)) + areas[color]
            volumes[color] = volumes.get(color, Decimal(0)) + filled[color]
        amounts = tuple(
            (color, _to_gram(volume * inputs.find_density(color) * with_loss))
            for color, volume in filled.items()
        )
        of_zones.append(ZoneAmount(zone, amounts, _sum(kg for _, kg in amounts)))
    laid = {color: volume * inputs.find_density(color) for color, volume in volumes.items()}
    area, volume, weight = (_sum(part.values()) for part in (visible, volumes, laid))
    colors = tuple(
        ColorAmount(
            color=color,
            area_share=_round_share(visible[color] / area),
            volume_share=_round_share(volumes[color] / volume),
            weight_share=_round_share(laid[color] / weight),
            density=inputs.find_density(color),
            granule=inputs.find_granule(color),
            laid_kg=_to_gram(laid[color]),
            kg=_to_gram(laid[color] * with_loss),
            bags=count_packs(laid[color] * with_loss, inputs.bag),
        )
        for color in visible
    )
    binder = weight * with_loss * inputs.binder / 100
    return Order(
        inputs=inputs,
        area=area,
        colors=colors,
        zones=tuple(of_zones),
        granule_kg=_sum(one.kg for one in colors),
        bags=sum(one.bags for one in colors),
        binder_kg=_to_gram(binder),
        packs=count_packs(binder, inputs.pack),
        tiles=_count_tiles(area * with_loss, inputs.tile),
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    """Add up decimals."""
    return sum(amounts, Decimal(0))


def _clean_shares(zone: Zone) -> dict[str, Decimal]:
    """Write shares of floats as the decimals that are meant, which add up to 1."""
    shares = {color: Decimal(repr(float(share))).quantize(_SHARE) for color, share in zone.shares}
    total = _sum(shares.values())
    if total <= 0:
        raise OrderError(Message.of("color: allowed: shares above 0"), "color")
    return {color: share / total for color, share in shares.items()}


def _fill(zone: Zone, areas: dict[str, Decimal], inputs: Inputs) -> dict[str, Decimal]:
    """Share out a zone's volume, in m³, by visible area times diameter."""
    volume = zone.area * inputs.thickness * _CUBIC_MM
    parts = {color: area * inputs.find_granule(color) for color, area in areas.items()}
    whole = _sum(parts.values())
    return {color: volume * part / whole for color, part in parts.items()}


def count_packs(amount: Decimal, pack: Decimal) -> int:
    """Count the packs that hold an amount, in whole packs; dust makes none more."""
    return int(((amount - _DUST) / pack).to_integral_value(ROUND_CEILING)) if amount > _DUST else 0


def _count_tiles(area: Decimal, tile: tuple[Decimal, Decimal] | None) -> int:
    """Count the tiles of an area in m²; tile: width and length in mm."""
    return 0 if tile is None else count_packs(area, tile[0] * tile[1] / 1_000_000)


def _to_gram(kg: Decimal) -> Decimal:
    return kg.quantize(_GRAM)


def _round_share(share: Decimal) -> Decimal:
    return share.quantize(_SHARE)
