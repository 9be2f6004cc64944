"""Photographs: the page's recipe through the sdxl engine, in this process or on a server.

Where is settled by the environment alone, when the program starts. The page is never told a
token, nor where it came from.
"""

import io
import json
import os
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

from PIL import Image, UnidentifiedImageError

from plitka import images, pipeline
from plitka.designer.errors import Fault
from plitka.pipeline import PictureKind
from plitka.request.parsing import Recipe

SETTING = "PLITKA_PHOTOGRAPH"
TOKEN = "PLITKA_PHOTOGRAPH_TOKEN"
REPLICATE_TOKEN = "REPLICATE_API_TOKEN"
REPLICATE_ADDRESS = "REPLICATE_API_BASE_URL"  # as Replicate's own client has it

Stage: TypeAlias = Literal["starting", "waiting", "loading", "preview", "final"]
_KINDS: tuple[PictureKind, ...] = tuple(pipeline.PICTURE_SIZES)
_MOST_BYTES = 32 * 2**20  # of one picture
_BAR = re.compile(r"(512|1024)x\1: .*?\b(\d+)/(\d+) \[")  # tqdm's, in the log of a prediction


class SettingError(OSError):
    """The environment asks for what there is not; the message names the variable."""


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


def select_backend(env: Mapping[str, str] = os.environ) -> Backend:
    """The photographer that PLITKA_PHOTOGRAPH names: sdxl, a Cog server, or a deployment."""
    where = env.get(SETTING, "").strip() or "sdxl"
    if where == "sdxl":
        from plitka.designer.backends.local import LocalBackend

        return LocalBackend()
    deployment = re.fullmatch(r"replicate:([\w.-]+)/([\w.-]+)", where)
    if deployment:
        from plitka.designer.backends.replicate import ReplicateBackend

        token = env.get(REPLICATE_TOKEN, "").strip()
        if not token:
            raise SettingError(
                f"{SETTING} names a deployment on Replicate, so put its token into"
                f" {REPLICATE_TOKEN}"
            )
        return ReplicateBackend(deployment[1], deployment[2], token, env.get(REPLICATE_ADDRESS))
    if urlsplit(where).scheme in {"http", "https"} and urlsplit(where).hostname:
        from plitka.designer.backends.cog_server import CogServerBackend

        return CogServerBackend(where, env.get(TOKEN, "").strip() or None)
    # What it holds is not shown: an address may have a password in it.
    raise SettingError(
        f'{SETTING}: allowed are "sdxl" (in this program, the default), the address of a Cog server'
        ' ("http://127.0.0.1:5000"), or "replicate:OWNER/DEPLOYMENT"'
    )


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
