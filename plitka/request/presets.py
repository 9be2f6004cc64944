"""Quality -> how many steps, how much guidance, how much of the layout is repainted."""

from collections.abc import Mapping
from dataclasses import dataclass

from plitka.request.recipe import Quality


@dataclass(frozen=True)
class Preset:
    """What a quality sets where the request overrides nothing."""

    steps_preview: int  # length of the schedule, diffusers' num_inference_steps
    steps_final: int
    guidance_scale: float  # 1 is no guidance
    # Image-to-image runs the last `strength` of the schedule: half of it keeps the layout and
    # halves the work.
    strength: float  # 0 to 1
    # Of so many steps the first runs all of the UNet, and the others its highest resolution alone,
    # which takes the features below from it.
    deep_interval: int = 1


PRESETS: Mapping[Quality, Preset] = {
    "preview": Preset(steps_preview=35, steps_final=40, guidance_scale=6.5, strength=0.45),
    "standard": Preset(steps_preview=35, steps_final=50, guidance_scale=6.5, strength=0.5),
    "high": Preset(steps_preview=40, steps_final=60, guidance_scale=6.0, strength=0.55),
    # Nearly the steps of `standard`, half of them shallow. With an interval of 3, the same work
    # would buy a third more steps, and features that are older in noise levels, too.
    "fast": Preset(
        steps_preview=32, steps_final=44, guidance_scale=6.5, strength=0.5, deep_interval=2
    ),
    # A distilled LoRA is trained for its own number of steps, and most for no guidance; what the
    # engine's LoRA was trained for takes the place of these. The last half of its schedule are
    # still steps that it was trained on.
    "turbo": Preset(steps_preview=8, steps_final=8, guidance_scale=1.0, strength=0.5),
}
