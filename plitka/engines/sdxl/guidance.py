"""Which denoising steps are guided, and in which the ControlNet runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from plitka.engines.sdxl.options import Options


@dataclass(frozen=True)
class Step:
    """One denoising step: whether it is guided (two samples, else one), whether the ControlNet
    runs.
    """

    guided: bool
    controlled: bool

    @property
    def samples(self) -> int:
        return 2 if self.guided else 1


def plan_steps(
    sigmas: Sequence[float], guidance_scale: float, controlnet_scale: float, savings: Options
) -> tuple[Step, ...]:
    """What each step computes. sigmas: its noise levels, from high to low.

    controlnet_scale: 0 where there is no ControlNet. A scale of guidance of 1 is none.
    """
    guided, control = savings.guidance, savings.controlnet
    count = len(sigmas)
    return tuple(
        Step(
            guided=guidance_scale > 1 and guided.low < sigma <= guided.high,
            controlled=controlnet_scale > 0
            and index / count >= control.low
            and (index + 1) / count <= control.high,
        )
        for index, sigma in enumerate(sigmas)
    )
