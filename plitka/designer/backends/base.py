"""The protocol of the backends that make photographs, and its values: progress and pictures."""

import json
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from plitka.designer.errors import Fault
from plitka.designer.shown_shares import ShownShares, read_shares
from plitka.images import png_chunks
from plitka.images.errors import Unreadable
from plitka.images.png import read_record
from plitka.request.plan import DRAWN_SIZES, PICTURE_SIZES, PictureKind
from plitka.request.recipe import Recipe

Stage: TypeAlias = Literal["starting", "waiting", "loading", "preview", "final"]
_KINDS: tuple[PictureKind, ...] = tuple(PICTURE_SIZES)  # in the order of the outputs
_PREVIEW_SIZE, _FINAL_SIZE = DRAWN_SIZES
# A progress bar of tqdm in the log of a prediction: "512x512:  40%|████      | 14/35 [00:03<…".
_SIZE = re.compile(rf"({_PREVIEW_SIZE}|{_FINAL_SIZE})x\1: ")
_COUNT = re.compile(r"\b([0-9]{1,5})/([0-9]{1,5}) \[")
_MAX_BARS = 8  # the last ones, that are looked through for one of a picture
_LONGEST_BAR = 200  # characters from the size to the count
CHECK_SECONDS = 6.0
"""Within which a photographer says whether it is there."""

MAX_OUTPUTS = len(_KINDS)
_MAX_SIDE = 4096  # pixels of a picture that a browser is given to decode
LOG_TAIL = 4000  # characters at the end of a log in which the last progress bar is searched


@dataclass(frozen=True)
class Progress:
    """How far a photograph is.

    stage: what is being done. step, steps: denoising steps done and in all; steps is 0 where that
    is not known.
    """

    stage: Stage
    step: int = 0
    steps: int = 0


@dataclass(frozen=True)
class Shot:
    """A finished picture. content: a PNG file. shown: of its colours."""

    kind: PictureKind
    content: bytes
    shown: ShownShares


Event: TypeAlias = Progress | Shot


class Backend(Protocol):
    """Makes the photographs of recipes."""

    kind: str  # "here", "cog" or "replicate"
    title: str  # of the server or deployment, to be shown; "" for kind "here"

    async def check(self) -> None:
        """Raise Fault where no photograph could be taken now; takes CHECK_SECONDS at most."""
        ...

    def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        """Make the pictures of a recipe; yields progress, and pictures as they are ready.

        Closing the generator cancels the work. Raises Fault.
        """
        ...


def parse_shot(content: bytes, index: int) -> Shot:
    """Parse a PNG file that came as output `index`, from 0. Raises Fault for anything else.

    The kind of picture is in the file's record; `index` only counts where that is missing.
    """
    try:
        header = png_chunks.read_header(content)
        text = read_record(content)
    except Unreadable:
        raise Fault("photograph_strange", status=502) from None
    if index >= MAX_OUTPUTS or max(header.width, header.height) > _MAX_SIDE:
        raise Fault("photograph_strange", status=502)
    record = _parse_record(text) if text is not None else {}
    kind = record.get("picture")
    if kind not in _KINDS:
        kind = _KINDS[index]
    return Shot(kind, content, read_shares(record))


def _parse_record(text: str) -> Mapping[str, Any]:
    """Parse a picture's record; empty where it is none."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = {}
    return record if isinstance(record, dict) else {}


def parse_progress(log: str) -> Progress | None:
    """Parse the last progress bar in a prediction's log; None where there is none."""
    tail = log[-LOG_TAIL:]
    for count in reversed(list(_COUNT.finditer(tail))[-_MAX_BARS:]):
        sizes = _SIZE.findall(tail, max(count.start() - _LONGEST_BAR, 0), count.start())
        if sizes:
            stage: Stage = "preview" if int(sizes[-1]) == _PREVIEW_SIZE else "final"
            return Progress(stage, int(count[1]), int(count[2]))
    return None


def extract_message(error: str) -> str:
    """Extract Plitka's own sentence from the error of a failed prediction."""
    return error.rpartition("Generator iteration error: ")[2].removeprefix("ValueError: ").strip()
