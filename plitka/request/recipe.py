"""The recipe: a valid request as an immutable value."""

import secrets
from dataclasses import asdict, dataclass, replace
from typing import Literal, TypeAlias, get_args

from plitka.color.words import Understood
from plitka.messages.message import SpokenError
from plitka.request.shares import ColorShare
from plitka.request.surface import Surface

Quality: TypeAlias = Literal["preview", "standard", "high", "fast", "turbo"]
ColorControl: TypeAlias = Literal["layout", "prompt"]

QUALITIES: tuple[Quality, ...] = get_args(Quality)
COLOR_CONTROLS: tuple[ColorControl, ...] = get_args(ColorControl)
DEFAULT_QUALITY: Quality = "standard"
DRAW_SEED = -1  # the seed that asks for one to be drawn
MAX_SEED = 2**32 - 1


class RecipeError(SpokenError):
    """An invalid request. One line for each fault: path of the field, value, what is allowed."""


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
    surface: Surface | None = None  # what the mix is laid on; None for a tile alone

    def request(self) -> dict[str, object]:
        """Write the request for exactly this recipe: `parse(json.dumps(r.request())) == r`.

        It has the words of the request that was read, so that they are understood the same.
        """
        overrides = {k: v for k, v in asdict(self.overrides).items() if v is not None}
        request: dict[str, object] = {
            "colors": [entry for part in self.shares for entry in part.entries()],
            "angle": self.angle,
            "quality": self.quality,
            "seed": self.seed,
            "overrides": overrides,
        }
        if self.surface is not None:
            request["surface"] = self.surface.request()
        return request

    def understood(self) -> list[dict[str, object]]:
        """Write what each word for a colour was understood as: JSON values."""
        return [said.as_json() for said in self.list_understood()]

    def list_understood(self) -> list[Understood]:
        """List what each word for a colour was understood as."""
        zones = self.surface.zones if self.surface is not None else ()
        shares = [*self.shares, *(part for zone in zones for part in zone.shares)]
        return [said.understood for part in shares for said in part.words]


def draw_seed(recipe: Recipe) -> Recipe:
    """Draw the seed if the recipe asks for that with DRAW_SEED, else return it as it is."""
    if recipe.seed != DRAW_SEED:
        return recipe
    return replace(recipe, seed=secrets.randbelow(MAX_SEED + 1))
