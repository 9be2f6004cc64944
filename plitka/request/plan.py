"""Recipe -> plan: prompts, steps, guidance and ControlNet, with every choice made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plitka.request import controlnet, prompt
from plitka.request.controlnet import ControlNetChoice
from plitka.request.presets import PRESETS, Preset
from plitka.request.prompt import DEFAULT_SUBJECT, Subject
from plitka.request.recipe import ColorControl, Quality, Recipe


@dataclass(frozen=True)
class Plan:
    """A recipe with every choice made that it left open, except the seed."""

    recipe: Recipe
    subject: Subject
    prompt: str
    negative_prompt: str
    steps_preview: int  # length of the noise schedule, diffusers' num_inference_steps
    steps_final: int
    guidance_scale: float  # 1 to 20; 1 is no guidance
    control: ControlNetChoice
    controlnet_scale: float  # 0 to 2
    color_control: ColorControl
    strength: float | None  # of image-to-image, 0.05 to 1; text-to-image has none
    deep_interval: int = 1  # of how many steps one runs all of the UNet

    def as_json(self) -> dict[str, object]:
        """The plan as the `plan` command prints it, all of it JSON values.

        A seed of -1 stays: one is drawn when the picture is made.
        """
        angle, surface = self.recipe.angle, self.recipe.surface
        return {
            "colors": [{"name": part.name, "share": part.share} for part in self.recipe.shares],
            "understood": self.recipe.understood(),
            "angle": int(angle) if angle.is_integer() else angle,
            "quality": self.recipe.quality,
            "seed": self.recipe.seed,
            "trigger": self.subject.trigger,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "steps": {"preview": self.steps_preview, "final": self.steps_final},
            "guidance_scale": self.guidance_scale,
            "controlnet": self.control.kind,
            "controlnet_reason": self.control.reason,
            "color_control": self.color_control,
            "strength": self.strength,
            **({"surface": surface.request()} if surface is not None else {}),
        }


def make_plan(
    recipe: Recipe,
    subject: Subject = DEFAULT_SUBJECT,
    presets: Mapping[Quality, Preset] = PRESETS,
) -> Plan:
    """Make every choice that the recipe leaves open: by its overrides, else by its quality.

    subject: the trigger word and the tokens that the model knows. presets: what a quality sets.
    """
    overrides = recipe.overrides
    preset = presets[recipe.quality]
    color_control = overrides.color_control or "layout"
    scale = overrides.controlnet_scale
    controlnet_scale = controlnet.DEFAULT_SCALE if scale is None else scale
    # None of these may be 0, so `or` passes over what was not given, and over nothing else.
    return Plan(
        recipe=recipe,
        subject=subject,
        prompt=prompt.build_prompt(recipe, subject),
        negative_prompt=prompt.build_negative_prompt(recipe),
        steps_preview=overrides.num_inference_steps_preview or preset.steps_preview,
        steps_final=(
            overrides.num_inference_steps_final
            or overrides.num_inference_steps
            or preset.steps_final
        ),
        guidance_scale=overrides.guidance_scale or preset.guidance_scale,
        control=controlnet.choose_controlnet(
            # A surface is laid with tiles that are drawn from above, whatever its angle.
            recipe.angle if recipe.surface is None else 0.0,
            overrides.use_controlnet,
            controlnet_scale,
        ),
        controlnet_scale=controlnet_scale,
        color_control=color_control,
        strength=(overrides.strength or preset.strength) if color_control == "layout" else None,
        deep_interval=preset.deep_interval,
    )


def count_steps(length: int, strength: float | None) -> int:
    """Count the steps of a schedule of `length` that are run, at least one.

    strength: None for text to image, which runs all; image to image runs the share `strength`.
    """
    if strength is None:
        return length
    # Rounded down, as diffusers does, but 50 * 0.58 is 28.999999999999996, and that is 29.
    return max(1, min(length, int(length * strength + 1e-6)))


PictureKind: TypeAlias = Literal["preview", "final", "colormap"]
PICTURE_SIZES: dict[PictureKind, int] = {
    "preview": 512,
    "final": 1024,
    "colormap": 1024,
}  # pixels a side
DRAWN_SIZES = (PICTURE_SIZES["preview"], PICTURE_SIZES["final"])
"""Pixels a side of the pictures that an engine draws: the preview, the final picture."""
