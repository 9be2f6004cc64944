"""The SDXL engine. It is not in this version yet: choosing it is an error that says so."""

from pathlib import Path
from typing import NoReturn

from plitka.engines import EngineError


def load(weights: Path | str | None) -> NoReturn:
    """Raises EngineError: the engine comes with a later version."""
    raise EngineError(
        "the sdxl engine is not in this version of Plitka yet; set PLITKA_ENGINE=render "
        "(or pass --engine render on the command line) to draw tiles without a diffusion model"
    )
