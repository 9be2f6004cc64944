"""Which denoising steps are guided, and in which the ControlNet runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from plitka.engines.sdxl.options import Options


@dataclass(frozen=True)
class Step:
    """What one denoising step computes.

    guided: whether classifier-free guidance is applied, so that the UNet gets two samples instead
    of one. controlled: whether the ControlNet runs.
    """

    guided: bool
    controlled: bool

    @property
    def samples(self) -> int:
        """Batch size of the step."""
        return 2 if self.guided else 1


def plan_steps(
    sigmas: Sequence[float], guidance_scale: float, controlnet_scale: float, options: Options
) -> tuple[Step, ...]:
    """Decide for each step what it computes.

    sigmas: noise levels of the steps, from high to low. guidance_scale: 1 is no guidance.
    controlnet_scale: 0 where there is no ControlNet.
    """
    guidance, control = options.guidance, options.controlnet
    count = len(sigmas)
    return tuple(
        Step(
            guided=guidance_scale > 1 and guidance.low < sigma <= guidance.high,
            controlled=controlnet_scale > 0
            and index / count >= control.low
            and (index + 1) / count <= control.high,
        )
        for index, sigma in enumerate(sigmas)
    )
