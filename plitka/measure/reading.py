"""Reading photographs of which some cannot be read, in worker processes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2

from plitka.images import photograph
from plitka.images.errors import PictureError
from plitka.images.photograph import Photograph
from plitka.measure.shares import TooSmall, check_size
from plitka.printable import make_printable

Result = TypeVar("Result")

MEMORY = 5 * 2**29
"""Bytes that a process may take with one photograph. 64 million pixels, the most that are read,
took 0.9 GiB as a progressive JPEG and 2.37 GiB, measured, as a PNG of 487 MiB: 16 bits a channel,
transparent, and of noise."""

_LITTLE_MEMORY = "there is too little memory to read it"


@dataclass(frozen=True)
class Unread:
    """In place of what a photograph shows: why it could not be read, as a phrase."""

    reason: str


def load_photograph(file: Path) -> Photograph:
    """Load a picture that is large enough to measure. Raises PictureError."""
    loaded = photograph.load(file)
    try:
        check_size(loaded.pixels)
    except TooSmall as why:
        raise PictureError(f"{make_printable(str(file))}: {why}") from None
    return loaded


def use_photograph(file: Path, use: Callable[[Photograph], Result]) -> Result | Unread:
    """Read a photograph and use it; gives Unread where either cannot be done."""
    try:
        return use(photograph.load(file))
    except PictureError as fault:
        return Unread(str(fault).removeprefix(f"{make_printable(str(file))}: "))
    except TooSmall as fault:
        return Unread(str(fault))
    except MemoryError:
        return Unread(_LITTLE_MEMORY)
    except cv2.error as fault:
        if fault.code != cv2.Error.StsNoMem:
            raise
        return Unread(_LITTLE_MEMORY)


def use_one_thread() -> None:
    """Let OpenCV compute in one thread: there is a process for each processor already."""
    cv2.setNumThreads(1)
