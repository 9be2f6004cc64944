"""The protocol of the backends that make photographs, and its values: progress and pictures."""

import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

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
_PROGRESS_BAR = re.compile(rf"({_PREVIEW_SIZE}|{_FINAL_SIZE})x\1: .*?\b(\d+)/(\d+) \[")
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
        png_chunks.read_header(content)
        text = read_record(content)
    except Unreadable:
        raise Fault("photograph_strange", status=502) from None
    try:
        record = json.loads(text) if text is not None else {}
    except (ValueError, RecursionError):
        record = {}
    record = record if isinstance(record, dict) else {}
    kind = record.get("picture")
    if kind not in _KINDS:
        kind = _KINDS[min(index, len(_KINDS) - 1)]
    return Shot(kind, content, read_shares(record))


def parse_progress(log: str) -> Progress | None:
    """Parse the last progress bar in a prediction's log; None where there is none."""
    bars = _PROGRESS_BAR.findall(log[-LOG_TAIL:])
    if not bars:
        return None
    size, step, steps = bars[-1]
    return Progress("preview" if int(size) == _PREVIEW_SIZE else "final", int(step), int(steps))


def extract_message(error: str) -> str:
    """Extract Plitka's own sentence from the error of a failed prediction."""
    return error.rpartition("Generator iteration error: ")[2].removeprefix("ValueError: ").strip()
