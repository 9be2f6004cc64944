"""Which denoising steps are guided, in which the ControlNet runs, and which run whole networks."""

from collections.abc import Sequence
from dataclasses import dataclass

from plitka.engines.sdxl.options import Options
from plitka.request.plan import Plan


@dataclass(frozen=True)
class Step:
    """What one denoising step computes.

    guided: whether classifier-free guidance is applied, so that the UNet gets two samples instead
    of one. controlled: whether the ControlNet runs. deep: whether the deep features are computed,
    and not taken from the step before that computed them.
    """

    guided: bool
    controlled: bool
    deep: bool = True

    @property
    def samples(self) -> int:
        """Batch size of the step."""
        return 2 if self.guided else 1


def choose_deep_interval(plan: Plan, options: Options) -> int:
    """Choose of how many steps one computes the deep features.

    Those of `turbo` always do: they are few, and each goes a long way.
    """
    if plan.recipe.quality == "turbo":
        return 1
    return plan.deep_interval if options.deep_interval is None else options.deep_interval


def plan_steps(
    sigmas: Sequence[float],
    guidance_scale: float,
    controlnet_scale: float,
    options: Options,
    deep_interval: int = 1,
) -> tuple[Step, ...]:
    """Decide for each step what it computes.

    sigmas: noise levels of the steps, from high to low. guidance_scale: 1 is no guidance.
    controlnet_scale: 0 where there is no ControlNet. deep_interval: of so many steps the first
    computes the deep features, and so does one with guidance after steps without, whose features
    are of one sample.
    """
    guidance, control = options.guidance, options.controlnet
    count = len(sigmas)
    steps: list[Step] = []
    age, of_two = deep_interval, False  # of the deep features: in steps, and of how many samples
    for index, sigma in enumerate(sigmas):
        guided = guidance_scale > 1 and guidance.low < sigma <= guidance.high
        controlled = (
            controlnet_scale > 0
            and index / count >= control.low
            and (index + 1) / count <= control.high
        )
        deep = age >= deep_interval or (guided and not of_two)
        if deep:
            age, of_two = 0, guided
        age += 1
        steps.append(Step(guided, controlled, deep))
    return tuple(steps)
