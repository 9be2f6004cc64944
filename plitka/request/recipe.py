"""The recipe: a valid request as an immutable value."""

import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from plitka.color.palette import Color
from plitka.color.words import Understood

Quality: TypeAlias = Literal["preview", "standard", "high", "turbo"]
ColorControl: TypeAlias = Literal["layout", "prompt"]

QUALITIES: tuple[Quality, ...] = get_args(Quality)
COLOR_CONTROLS: tuple[ColorControl, ...] = get_args(ColorControl)
DEFAULT_QUALITY: Quality = "standard"
DRAW_SEED = -1  # the seed that asks for one to be drawn
MAX_SEED = 2**32 - 1


class RecipeError(ValueError):
    """An invalid request. One line for each fault: path of the field, value, what is allowed."""


@dataclass(frozen=True)
class WordShare:
    """A word of the request for a colour, and its share, 0 to 1."""

    understood: Understood
    share: float


@dataclass(frozen=True)
class ColorShare:
    """How much of the tile's visible area one colour covers.

    words: of the request; several where they mean one colour, none where it was not read from
    words. Recipes are equal whatever the words were.
    """

    color: Color
    name: str  # as written, in lower case; a code became its phrase, a free colour keeps its hex
    share: float  # above 0; the shares of a recipe add up to 1
    words: tuple[WordShare, ...] = field(default=(), compare=False)

    def entries(self) -> list[dict[str, object]]:
        """Write the entries of a request's `colors` for it, in the words that were used."""
        if not self.words:
            key = "hex" if self.color.is_free else "name"
            return [{key: self.name, "proportion": self.share}]
        return [
            {"hex" if said.understood.source == "hex" else "name": said.understood.word}
            | {"proportion": said.share}
            for said in self.words
        ]


@dataclass(frozen=True)
class Overrides:
    """What the request sets itself; None where the choice is left to Plitka."""

    use_controlnet: bool | None = None
    guidance_scale: float | None = None  # 1 to 20
    num_inference_steps: int | None = None  # 1 to 150, of the final picture
    num_inference_steps_preview: int | None = None  # 1 to 150
    num_inference_steps_final: int | None = None  # 1 to 150, wins over num_inference_steps
    negative_prompt: str | None = None
    color_control: ColorControl | None = None
    strength: float | None = None  # 0.05 to 1
    controlnet_scale: float | None = None  # 0 to 2
    lora_scale: float | None = None  # 0 to 2, where the LoRA is not fused


@dataclass(frozen=True)
class Recipe:
    """A valid request: which colours, in what shares, laid at what angle, made how."""

    shares: tuple[ColorShare, ...]
    angle: float = 0.0  # degrees, 0 <= angle < 180
    quality: Quality = DEFAULT_QUALITY
    seed: int = DRAW_SEED  # 0 to MAX_SEED, or DRAW_SEED
    overrides: Overrides = Overrides()

    def request(self) -> dict[str, object]:
        """Write the request for exactly this recipe: `parse(json.dumps(r.request())) == r`.

        It has the words of the request that was read, so that they are understood the same.
        """
        overrides = {k: v for k, v in asdict(self.overrides).items() if v is not None}
        return {
            "colors": [entry for part in self.shares for entry in part.entries()],
            "angle": self.angle,
            "quality": self.quality,
            "seed": self.seed,
            "overrides": overrides,
        }

    def understood(self) -> list[dict[str, object]]:
        """Write what each word for a colour was understood as: JSON values."""
        return [said.as_json() for said in self.list_understood()]

    def list_understood(self) -> list[Understood]:
        """List what each word for a colour was understood as."""
        return [said.understood for part in self.shares for said in part.words]


def draw_seed(recipe: Recipe) -> Recipe:
    """Draw the seed if the recipe asks for that with DRAW_SEED, else return it as it is."""
    if recipe.seed != DRAW_SEED:
        return recipe
    return replace(recipe, seed=secrets.randbelow(MAX_SEED + 1))
