"""Engines loaded by the environment as a test has set it, as the faces of the program do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from plitka.engines import registry
from plitka.settings import read_settings


def load_engine(
    name: str | None = None,
    package: Path | None = None,
    dtype: str | None = "float32",
    **changed: Any,
) -> Any:
    """Load the engine.

    name: in place of the environment's. dtype: of sdxl, the same on every processor; None for the
    device's own. changed: fields of SdxlSettings.
    """
    settings = read_settings()
    return registry.load_engine(
        name or settings.engine,
        lambda: replace(settings.sdxl, dtype=dtype, **changed),
        package,
        settings.init,
        settings.bank_folder,
    )
