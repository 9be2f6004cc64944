"""How strongly a LoRA is fused: as the setting says, else as the file itself notes."""

import math
from dataclasses import dataclass

from plitka.errors import WeightsError
from plitka.weights.header import Header
from plitka.weights.settings import LORA_SCALE, LORA_SCALE_ALLOWED, read_scale

NOTE = "plitka_lora_scale"
"""The note in a LoRA's file with the scale that its training found best."""

DEFAULT_SCALE = 0.75

SET = f"as {LORA_SCALE} says"
"""The reason of a scale that is set."""


@dataclass(frozen=True)
class LoraScale:
    """A scale, and who says it. reason: ends the sentence `fused at 0.9, …`."""

    value: float
    reason: str

    def as_json(self) -> dict[str, float | str]:
        """What `plan` prints of it, and the metrics have."""
        return {"lora_scale": self.value, "lora_scale_reason": self.reason}

    def describe(self) -> str:
        """What `check` says of it: `scale 0.9, as its note plitka_lora_scale says`."""
        return f"scale {self.value:g}, {self.reason}"


def choose_lora_scale(setting: float | None, header: Header) -> LoraScale:
    """Choose the scale of a LoRA: the setting's, else that of its file's notes, else the default.

    setting: None where none is set. header: of the LoRA's file. Raises WeightsError for a note that
    is no scale, where it would be used.
    """
    if setting is not None:
        return LoraScale(setting, SET)
    noted = header.metadata.get(NOTE)
    if noted is None:
        return LoraScale(DEFAULT_SCALE, "the default")
    scale = read_scale(noted)
    if math.isnan(scale):
        raise WeightsError(
            f"{header.title}: its note {NOTE} is {noted[:40]!r}, and has to be"
            f" {LORA_SCALE_ALLOWED}; say the scale with {LORA_SCALE}"
        )
    return LoraScale(scale, f"as its note {NOTE} says")
