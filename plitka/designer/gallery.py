"""Sample recipes to start from. Their names are in the page's dictionary."""

import json
from dataclasses import dataclass

from plitka.color.palette import Palette
from plitka.request.parsing import parse
from plitka.request.recipe import Recipe

SIZE = 256
"""Pixels a side of a sample's thumbnail."""


@dataclass(frozen=True)
class Sample:
    """One sample.

    code: its key in the dictionary. mix: colour codes with percentages. angle: in degrees.
    """

    code: str
    mix: tuple[tuple[str, int], ...]
    angle: int = 0
    seed: int = 7  # the same for most, so that their pictures share one layout

    def recipe(self, palette: Palette) -> Recipe:
        colors = [{"name": name, "proportion": share} for name, share in self.mix]
        return parse(
            json.dumps({"colors": colors, "angle": self.angle, "seed": self.seed}), palette
        )


SAMPLES = (
    Sample("forest", (("DKGREEN", 50), ("BEIGE", 30), ("TERCOT", 20))),
    Sample("night", (("BLACK", 85), ("LTGRAY", 15))),
    Sample("court", (("TERCOT", 88), ("BLACK", 12))),
    Sample("sea", (("SKYBLUE", 45), ("WHITE", 25), ("TURQSE", 20), ("DKBLUE", 10))),
    Sample("dune", (("SAND", 50), ("BEIGE", 35), ("BROWN", 15)), angle=45),
    Sample("granite", (("GRAY", 45), ("LTGRAY", 25), ("DKGRAY", 20), ("WHITE", 10))),
    Sample("meadow", (("GRSGRN", 50), ("LIMEGRN", 25), ("DKGREEN", 20), ("YELLOW", 5))),
    Sample("playground", (("SKYBLUE", 40), ("YELLOW", 25), ("RED", 20), ("WHITE", 15))),
    Sample("olive", (("KHAKI", 45), ("LTGREEN", 30), ("WHTGRN", 15), ("BROWN", 10)), angle=45),
    Sample("birch", (("PEARL", 65), ("LTGRAY", 20), ("DKGRAY", 15))),
    Sample("berry", (("VIOLET", 35), ("DKBLUE", 35), ("LILAC", 20), ("PEARL", 10))),
    Sample("ember", (("BLACK", 68), ("ORANGE", 16), ("RED", 10), ("YELLOW", 6))),
)
