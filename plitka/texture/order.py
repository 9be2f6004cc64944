"""Order: which texture is to be made, how large, of granules of what size."""

from dataclasses import dataclass, replace

from plitka.request.recipe import Recipe, draw_seed
from plitka.request.surface import DEFAULT_GRANULE_MM
from plitka.texture.seamless import check_granules, check_scale
from plitka.tile.scale import measure_frame_mm

SIZES = {"1k": 1024, "2k": 2048, "4k": 4096}
"""Pixels a side, by what renderers call them."""

GRANULES_PER_1024 = 50
"""Granules over 1024 pixels where no side is given: 20 px each, as a tile's final picture has."""


@dataclass(frozen=True)
class TextureOrder:
    """A texture that can be made.

    recipe: with its seed drawn. size: pixels a side. side_mm: its length. granule_mm: mean diameter
    of its granules.
    """

    recipe: Recipe
    size: int
    side_mm: float
    granule_mm: float

    @property
    def frames(self) -> float:
        """Its side in frame sides."""
        return self.side_mm / measure_frame_mm(self.granule_mm)


def plan_texture(
    recipe: Recipe,
    size: int,
    granule_mm: float = DEFAULT_GRANULE_MM,
    side_mm: float | None = None,
) -> TextureOrder:
    """Plan a texture. side_mm: None has GRANULES_PER_1024, which for 2.5 mm is 125 mm at 1024.

    A recipe's surface is left out: its zones have no place in what repeats. Raises TextureError
    for granules or a side that cannot be.
    """
    check_granules(granule_mm)
    if side_mm is None:
        side_mm = size / 1024 * GRANULES_PER_1024 * granule_mm
    mix = replace(draw_seed(recipe), surface=None)
    order = TextureOrder(mix, size, float(side_mm), float(granule_mm))
    check_scale(size, order.frames, granule_mm)
    return order


def name_texture(order: TextureOrder) -> str:
    """Name the files of a texture: colours with their percentages, seed, side and size."""
    parts = [f"{_spell(part.name)}-{100 * part.share:.3g}" for part in order.recipe.shares]
    size = next((name for name, size in SIZES.items() if size == order.size), f"{order.size}px")
    return "_".join([*parts, f"seed{order.recipe.seed}", f"{order.side_mm:.6g}mm", size])


def _spell(name: str) -> str:
    """Spell a colour's name with letters and figures alone, for a file's name."""
    return "".join(letter for letter in name if letter.isalnum()) or "color"
