"""Loads an engine by its name."""

from __future__ import annotations  # the types below are heavy to import, and only named here

from typing import TYPE_CHECKING

from plitka.errors import EngineError
from plitka.runtime.timing import Stages

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plitka.engines.base import Engine
    from plitka.engines.sdxl.options import SdxlSettings

NAMES = ("sdxl", "render")


def check_name(name: str) -> str:
    """Give the name back. Raises EngineError where no engine has it."""
    if name not in NAMES:
        raise EngineError(
            f"PLITKA_ENGINE: there is no engine {name!r}; choose one of: {', '.join(NAMES)}"
        )
    return name


def load_engine(
    name: str, read_sdxl: Callable[[], SdxlSettings], package: Path | str | None = None
) -> Engine:
    """Load the engine of this name, and never another one.

    read_sdxl: gives what the sdxl engine is loaded by; called for that engine alone. package:
    what setup() was given as weights. Raises EngineError, with the remedy.
    """
    if check_name(name) == "render":
        from plitka.engines.procedural import RenderEngine

        return RenderEngine()
    settings = read_sdxl()
    with Stages()("import libraries"):
        from plitka.engines.sdxl import engine

    return engine.load_sdxl(settings, package)
