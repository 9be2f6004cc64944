"""What an offer tells, as values: swatches, company, pictures, order."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property, lru_cache

from plitka.color.palette import Color
from plitka.color.ral_classic import RAL_CLASSIC, find_nearest_ral
from plitka.color.srgb import parse_hex, srgb_to_lab
from plitka.messages.message import Language
from plitka.offer.speech import Speech
from plitka.offer.zones import list_shares
from plitka.order.amounts import Order
from plitka.order.inputs import Inputs
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.tile.scale import measure_frame_mm

_NEAR = 3.0  # CIEDE2000 up to which a RAL colour is named as a near one


@dataclass(frozen=True)
class Company:
    """Who makes the offer. contact: lines of text. logo: a PNG that is trusted, or None."""

    name: str = ""
    contact: str = ""
    logo: bytes | None = None


NOBODY = Company()
"""Who makes offers where nobody is named."""


@dataclass(frozen=True)
class Pictures:
    """Pictures that are ready, as JPEG: the granules in a square, and a scene, perhaps none.

    is_plan: whether the scene is the recipe's surface from above.
    """

    tile: bytes
    scene: bytes | None = None
    is_plan: bool = False


@dataclass(frozen=True)
class Swatch:
    """A colour of the mix as a customer reads it.

    name: in the offer's language. key: its name in the recipe. code: of the palette, "" for a free
    colour. ral: "RAL 3020", or that it is near one, or "". share: of the visible area, 0 to 1.
    """

    name: str
    key: str
    code: str
    hex: str
    ral: str
    share: float

    @property
    def label(self) -> str:
        """Its name as a line of a list begins with it."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def codes(self) -> tuple[str, ...]:
        """What identifies it, apart from its name."""
        return tuple(one for one in (self.code, self.hex, self.ral) if one and one != self.name)


@dataclass(frozen=True)
class Offer:
    """All that an offer is written from. Its seed is drawn.

    project: for whom or what it is, or "". inputs: figures of the floor. order: what to buy, None
    where no kilograms were asked for.
    """

    recipe: Recipe
    language: Language
    day: date
    pictures: Pictures
    inputs: Inputs
    company: Company = NOBODY
    project: str = ""
    order: Order | None = None

    @property
    def speech(self) -> Speech:
        return Speech(self.language)

    @cached_property
    def swatches(self) -> tuple[Swatch, ...]:
        """The colours of the floor, with their shares of all of it."""
        return tuple(describe_color(part, self.speech) for part in list_shares(self.recipe))

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What is known of the surface beside its colours: names and values."""
        say, number, tile = self.speech.say, self.speech.write_number, self.inputs.tile
        thickness = number(self.inputs.thickness)
        if tile is None:
            size = (say("poured"), say("poured_size", thickness=thickness))
        else:
            sides = say("sides", width=number(tile[0]), length=number(tile[1]))
            size = (say("tile"), say("tile_size", sides=sides, thickness=thickness))
        surface = self.recipe.surface
        laid = ((say("laying"), say(surface.laying)),) if surface and surface.tile_mm else ()
        return (
            size,
            *laid,
            (say("granule"), say("granule_mm", mm=number(self.inputs.granule))),
            (say("angle"), f"{number(self.recipe.angle)}°"),
            (say("seed"), say("seed_number", seed=self.recipe.seed)),
        )

    @property
    def frame_mm(self) -> float:
        """The side of what the picture of the surface shows, in millimetres."""
        return measure_frame_mm(float(self.inputs.granule))

    @property
    def scene_caption(self) -> str:
        """What is said under the scene."""
        surface = self.recipe.surface
        if surface is None or not self.pictures.is_plan:
            return self.speech.say("scene")
        number, say = self.speech.write_number, self.speech.say
        width, length = number(surface.width_mm / 1000), number(surface.length_mm / 1000)
        return say("plan", sides=say("sides", width=width, length=length))

    @property
    def mix(self) -> str:
        """The mix in words."""
        return self.speech.join_mix([(one.name, one.share) for one in self.swatches])


def describe_color(part: ColorShare, speech: Speech) -> Swatch:
    """Describe a colour of a recipe for people who read this language."""
    color = part.color
    number, is_exact = _find_ral(color.hex)
    ral = f"RAL {number}" if is_exact else speech.say("near_ral", number=number) if number else ""
    if color.is_free:
        name, code = (ral if is_exact else color.hex), ""
    else:
        name, code = name_color(color, speech.language), color.code
    return Swatch(name, part.name, code, color.hex, ral, part.share)


def name_color(color: Color, language: Language) -> str:
    """Name a colour of the palette: its Russian name is the first of those it has."""
    return color.russian[0] if language == "ru" and color.russian else color.phrase


@lru_cache(maxsize=256)  # a page asks again at each change of its mix
def _find_ral(hex_of_color: str) -> tuple[str, bool]:
    """Find a RAL colour of the same hex, True, or else the nearest within _NEAR; "" for none."""
    for number, hex_code in RAL_CLASSIC.items():
        if hex_code == hex_of_color:
            return number, True
    number, apart = find_nearest_ral(srgb_to_lab(parse_hex(hex_of_color[1:])))
    return (number, False) if apart <= _NEAR else ("", False)


def choose_scale_bar(frame_mm: float) -> int:
    """Choose a scale bar: 1, 2 or 5 times a power of ten millimetres, a third of it at most."""
    best = 1
    for power in range(4):
        for digit in (1, 2, 5):
            length = int(Decimal(digit).scaleb(power))
            if length <= frame_mm / 3:
                best = length
    return best
