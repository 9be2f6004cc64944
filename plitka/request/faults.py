"""What is wrong with a request: a place in it, and a message."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from plitka.messages.message import Language, Said, begin_line, say

_PLACES: Mapping[str, str] = {
    **dict.fromkeys(("params_json", "colors"), ""),
    "angle": "угол: ",
    "seed": "сид: ",
    "quality": "качество: ",
}
"""How Russian names the fields that sentences have; whoever writes others writes JSON."""

_COLOR = re.compile(r"colors\[([0-9]+)\]\.(\w+)")
_SHARES = ("proportion", "percent")  # and "percentage"


@dataclass(frozen=True)
class Fault:
    """A fault. path: of its field, "colors[1].name"."""

    path: str
    said: Said

    def __str__(self) -> str:
        return self.say("en")

    def say(self, language: Language) -> str:
        """Say it, the field's name first."""
        return begin_line(f"{_name_place(self.path, language)}{say(self.said, language)}")


def _name_place(path: str, language: Language) -> str:
    """Name the field of a path, as a fault begins; "" where the message itself does."""
    if language == "ru" and (color := _COLOR.fullmatch(path)):
        return f"доля цвета {int(color[1]) + 1}: " if color[2].startswith(_SHARES) else ""
    return _PLACES.get(path, f"{path}: ") if language == "ru" else f"{path}: "
