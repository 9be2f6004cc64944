"""Engines: what turns a layout into a picture. One protocol, chosen by name."""

from __future__ import annotations  # the types below are heavy to import, and only named here

import os
from typing import TYPE_CHECKING

from plitka.engines.base import Engine
from plitka.errors import EngineError
from plitka.runtime.timing import Stages

if TYPE_CHECKING:
    from pathlib import Path


NAMES = ("sdxl", "render")
DEFAULT = "sdxl"


def choose_engine(name: str | None = None) -> str:
    """The engine that is chosen: `name`, else what PLITKA_ENGINE names, else sdxl."""
    name = name or os.environ.get("PLITKA_ENGINE") or DEFAULT
    if name not in NAMES:
        raise EngineError(
            f"PLITKA_ENGINE: there is no engine {name!r}; choose one of: {', '.join(NAMES)}"
        )
    return name


def load_engine(name: str | None = None, weights: Path | str | None = None) -> Engine:
    """Load the engine that is chosen. Never another one.

    Raises EngineError where it cannot be loaded, with the remedy.
    """
    if choose_engine(name) == "render":
        from plitka.engines.procedural import RenderEngine

        return RenderEngine()
    # Else transformers warns, when it is imported, of packages that nothing here uses.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    with Stages()("import libraries"):
        from plitka.engines.sdxl import engine

    return engine.load_sdxl(weights)
