"""Laying angle -> which ControlNet holds the joints, and why."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["canny", "softedge"]

# Joints this near to an axis (0, 90 or 180 degrees) are crisp rows and columns of pixels, which
# suit Canny; steeper ones are stairs, which a graded edge map follows better.
CANNY_REACH = 22.5  # degrees


@dataclass(frozen=True)
class ControlChoice:
    """Which ControlNet a picture is made with, and the reason for log and metrics."""

    kind: Kind | None
    reason: str


def choose(angle: float, forced: bool | None = None) -> ControlChoice:
    """The ControlNet for tiles laid at `angle` degrees, 0 to 180.

    `forced` is `overrides.use_controlnet`: True and False force it on and off, None leaves it to
    the angle.
    """
    if forced is False:
        return ControlChoice(None, "forced off by use_controlnet")
    if angle % 180 == 0 and not forced:
        return ControlChoice(None, "top view is reliable without it")
    distance = abs((angle + 45) % 90 - 45)
    kind: Kind = "canny" if distance <= CANNY_REACH else "softedge"
    relation = "within" if kind == "canny" else "not within"
    geometry = f"{angle:g} degrees is {relation} {CANNY_REACH} degrees of an axis"
    return ControlChoice(kind, f"forced on by use_controlnet; {geometry}" if forced else geometry)
