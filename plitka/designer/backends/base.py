"""What makes photographs for the page: the protocol, and what its pictures and progress are."""

import io
import json
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from PIL import Image, UnidentifiedImageError

from plitka import images
from plitka.designer.errors import Fault
from plitka.request.plan import PICTURE_SIZES, PictureKind
from plitka.request.recipe import Recipe

Stage: TypeAlias = Literal["starting", "waiting", "loading", "preview", "final"]
_KINDS: tuple[PictureKind, ...] = tuple(PICTURE_SIZES)
_BAR = re.compile(r"(512|1024)x\1: .*?\b(\d+)/(\d+) \[")  # tqdm's, in the log of a prediction


@dataclass(frozen=True)
class Progress:
    """stage: what is going on. step of steps: how far that is, where it is known (steps > 0)."""

    stage: Stage
    step: int = 0
    steps: int = 0


@dataclass(frozen=True)
class Shot:
    """A picture as soon as it is there: a PNG file, and the shares that were measured on it."""

    kind: PictureKind
    content: bytes
    measured: Mapping[str, float]


Event: TypeAlias = Progress | Shot


class Backend(Protocol):
    """Makes the pictures of a recipe. Closing what `photograph` gives cancels the work."""

    kind: str  # "here", "cog" or "replicate"
    title: str  # of the server or deployment, for people; "" here

    def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        """Progress, and pictures as they are ready. Raises Fault."""
        ...


def parse_shot(content: bytes, index: int) -> Shot:
    """The picture in a PNG file that came as the index-th output. Raises Fault for anything else.

    What a picture shows is written in it; its place only counts where that is missing.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            text = picture.info.get(images.TEXT_KEY)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        raise Fault("photograph_strange", status=502) from None
    try:
        record = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        record = {}
    record = record if isinstance(record, dict) else {}
    measured = record.get("measured")
    kind = record.get("picture")
    if kind not in _KINDS:
        kind = _KINDS[min(index, len(_KINDS) - 1)]
    return Shot(kind, content, measured if isinstance(measured, dict) else {})


def parse_progress(log: str) -> Progress | None:
    """How far the last progress bar in a prediction's log has come."""
    bars = _BAR.findall(log[-4000:])
    if not bars:
        return None
    size, step, steps = bars[-1]
    return Progress("preview" if size == "512" else "final", int(step), int(steps))


def extract_message(error: str) -> str:
    """What Plitka itself said, in the error of a failed prediction."""
    return error.rpartition("Generator iteration error: ")[2].removeprefix("ValueError: ").strip()
