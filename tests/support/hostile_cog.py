"""Cog servers that do harm, photographs taken by them, and what the page can say of it."""

import asyncio
import base64
import json
import re
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from plitka.designer.backends.base import Event
from plitka.designer.backends.select import select_backend
from plitka.designer.errors import Fault
from plitka.images import png
from plitka.settings import Settings
from tests.support.raw_server import RawServer
from tests.support.recipes import parse

ASKED = parse('{"colors": [{"name": "red", "proportion": 100}], "seed": 1}')
PICTURE = png.encode_png(np.zeros((8, 8, 3), np.uint8), {"picture": "preview"})


def photograph(**variables: str) -> list[Event]:
    """Take a photograph by the backend that these settings name."""
    backend = select_backend(Settings(variables))

    async def take() -> list[Event]:
        async with aclosing(backend.photograph(ASKED)) as events:
            return [event async for event in events]

    return asyncio.run(take())


def fault_of(server: RawServer, **variables: str) -> Fault:
    """The fault of a photograph by a Cog server."""
    with pytest.raises(Fault) as caught:
        photograph(PLITKA_PHOTOGRAPH=server.address, **variables)
    assert caught.value.code in known_faults()
    return caught.value


def known_faults() -> set[str]:
    """The faults that the page has words for."""
    words = Path(__file__).parents[2] / "plitka/designer/page/words/en.js"
    return set(re.findall(r"^  f_(\w+):", words.read_text(encoding="utf-8"), re.MULTILINE))


def write_event(name: str, value: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()


def write_output(content: bytes = PICTURE) -> bytes:
    chunk = "data:image/png;base64," + base64.b64encode(content).decode()
    return write_event("output", {"chunk": chunk, "index": 0})


COMPLETED = write_event("completed", {"status": "succeeded"})
