"""The health check: whether the next prediction would succeed, as far as is cheap to know."""

from plitka.engines.base import Engine
from plitka.errors import EngineError
from plitka.runtime.memory import measure_free_main_memory
from plitka.serving.outbox import Outbox

_MIN_MEMORY_BYTES = 256 * 2**20  # a tile of the render engine takes about 100 MiB


def check_health(engine: Engine, outbox: Outbox) -> None:
    """Raise EngineError or PictureError if the next prediction would fail; says what is missing."""
    outbox.check()
    free = measure_free_main_memory()
    if free < _MIN_MEMORY_BYTES:
        raise EngineError(
            f"memory: {free >> 20} MiB are free, and a picture needs {_MIN_MEMORY_BYTES >> 20}; end"
            " other programs that use it, or give the container more"
        )
    engine.health_check()
