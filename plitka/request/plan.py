"""Recipe -> what would be done for it: prompts, steps, guidance and ControlNet, all settled."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from plitka.request import controlnet, prompt
from plitka.request.controlnet import ControlNetChoice
from plitka.request.presets import PRESETS
from plitka.request.recipe import ColorControl, Recipe


@dataclass(frozen=True)
class Plan:
    """A recipe with every choice made that it left open, except the seed."""

    recipe: Recipe
    prompt: str
    negative_prompt: str
    steps_preview: int
    steps_final: int
    guidance_scale: float
    control: ControlNetChoice
    controlnet_scale: float  # 0 to 2
    color_control: ColorControl
    strength: float | None  # of image-to-image, 0.05 to 1; text-to-image has none

    def as_json(self) -> dict[str, object]:
        """The plan as the `plan` command prints it, all of it JSON values.

        A seed of -1 stays: one is drawn when the picture is made.
        """
        angle = self.recipe.angle
        return {
            "colors": [{"name": part.name, "share": part.share} for part in self.recipe.shares],
            "angle": int(angle) if angle.is_integer() else angle,
            "quality": self.recipe.quality,
            "seed": self.recipe.seed,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "steps": {"preview": self.steps_preview, "final": self.steps_final},
            "guidance_scale": self.guidance_scale,
            "controlnet": self.control.kind,
            "controlnet_reason": self.control.reason,
            "color_control": self.color_control,
            "strength": self.strength,
        }


def make_plan(recipe: Recipe, tokens: bool = True) -> Plan:
    """Settle what the recipe leaves open: its overrides first, then its quality's profile.

    tokens: whether the model has the embeddings that the prompt's tokens stand for.
    """
    overrides = recipe.overrides
    profile = PRESETS[recipe.quality]
    color_control = overrides.color_control or "layout"
    scale = overrides.controlnet_scale
    controlnet_scale = controlnet.DEFAULT_SCALE if scale is None else scale
    # None of these may be 0, so `or` passes over what was not given, and over nothing else.
    return Plan(
        recipe=recipe,
        prompt=prompt.build_prompt(recipe, tokens),
        negative_prompt=prompt.build_negative_prompt(recipe),
        steps_preview=overrides.num_inference_steps_preview or profile.steps_preview,
        steps_final=(
            overrides.num_inference_steps_final
            or overrides.num_inference_steps
            or profile.steps_final
        ),
        guidance_scale=overrides.guidance_scale or profile.guidance_scale,
        control=controlnet.choose_controlnet(
            recipe.angle, overrides.use_controlnet, controlnet_scale
        ),
        controlnet_scale=controlnet_scale,
        color_control=color_control,
        strength=(overrides.strength or profile.strength) if color_control == "layout" else None,
    )


PictureKind: TypeAlias = Literal["preview", "final", "colormap"]
PICTURE_SIZES: dict[PictureKind, int] = {
    "preview": 512,
    "final": 1024,
    "colormap": 1024,
}  # pixels a side
DRAWN_SIZES = (PICTURE_SIZES["preview"], PICTURE_SIZES["final"])
"""Pixels a side of the pictures that an engine draws: the preview, the final picture."""
