"""Whether the next prediction would succeed, as far as a cheap look can tell."""

from plitka.engines.base import Engine
from plitka.errors import EngineError
from plitka.runtime.memory import free_main_memory
from plitka.serving.outbox import Outbox

_LEAST_MEMORY = 256 * 2**20  # bytes; a tile of the render engine takes about 100 MiB


def check_health(engine: Engine, outbox: Outbox) -> None:
    """Raise EngineError or PictureError, with what is wanting."""
    outbox.check()
    free = free_main_memory()
    if free < _LEAST_MEMORY:
        raise EngineError(
            f"memory: {free >> 20} MiB are free, and a picture needs {_LEAST_MEMORY >> 20}; end"
            " what else uses it, or give the container more"
        )
    engine.health_check()
