"""Laying angle -> which ControlNet draws the joints, and why."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

ControlNetKind: TypeAlias = Literal["canny", "softedge"]
CONTROLNET_KINDS: tuple[ControlNetKind, ...] = get_args(ControlNetKind)

# Joints this near to an axis (0, 90 or 180 degrees) are crisp rows and columns of pixels, which
# suit Canny; steeper ones are stairs, which a graded edge map follows better.
CANNY_REACH = 22.5  # degrees

DEFAULT_SCALE = 0.5  # how strongly a network's residuals count, 0 to 2


@dataclass(frozen=True)
class ControlNetChoice:
    """Which ControlNet a picture is made with, and the reason for log and metrics."""

    kind: ControlNetKind | None
    reason: str


def choose_controlnet(
    angle: float, forced: bool | None = None, scale: float = DEFAULT_SCALE
) -> ControlNetChoice:
    """Choose the ControlNet for tiles laid at `angle` degrees, 0 to 180.

    forced: `overrides.use_controlnet`; True and False force it on and off, None leaves it to the
    angle. scale: `overrides.controlnet_scale`, 0 to 2; at 0 a network would run for nothing.
    """
    if forced is False:
        return ControlNetChoice(None, "forced off by use_controlnet")
    if scale == 0:
        return ControlNetChoice(None, "controlnet_scale is 0")
    if angle % 180 == 0 and not forced:
        return ControlNetChoice(None, "top view is reliable without it")
    distance = abs((angle + 45) % 90 - 45)
    kind: ControlNetKind = "canny" if distance <= CANNY_REACH else "softedge"
    relation = "within" if kind == "canny" else "not within"
    geometry = f"{angle:g} degrees is {relation} {CANNY_REACH} degrees of an axis"
    return ControlNetChoice(
        kind, f"forced on by use_controlnet; {geometry}" if forced else geometry
    )
