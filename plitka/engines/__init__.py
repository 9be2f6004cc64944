"""Engines: what turns a layout into a picture. One protocol, chosen by name."""

from __future__ import annotations  # the types below are heavy to import, and only named here

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from plitka.layout import Layout
    from plitka.plan import Plan

NAMES = ("sdxl", "render")
DEFAULT = "sdxl"


@dataclass(frozen=True)
class Drawn:
    """image: (size, size, 3) RGB, 0..255. steps: denoising steps that were really run."""

    image: NDArray[np.uint8]
    steps: int


class Engine(Protocol):
    """Draws a tile. Everything that takes long to load is loaded when the engine is made."""

    name: str
    uses_controlnet: bool  # or passes the plan's over

    def draw(self, plan: Plan, layout: Layout, size: int, steps: int) -> Drawn:
        """Draw the layout at `size` pixels a side, on a schedule of `steps`."""
        ...


class EngineError(RuntimeError):
    """The engine cannot be had; the message says what to do about it."""


def load(name: str | None = None, weights: Path | str | None = None) -> Engine:
    """Load an engine: `name`, else what PLITKA_ENGINE names, else sdxl. Never another one.

    Raises EngineError where it cannot be loaded, with the remedy.
    """
    name = name or os.environ.get("PLITKA_ENGINE") or DEFAULT
    if name == "render":
        from plitka.engines.render import RenderEngine

        return RenderEngine()
    if name == "sdxl":
        from plitka.engines import sdxl

        return sdxl.load(weights)
    raise EngineError(
        f"PLITKA_ENGINE: there is no engine {name!r}; choose one of: {', '.join(NAMES)}"
    )
