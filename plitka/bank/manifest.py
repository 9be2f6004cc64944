"""The manifest of a bank: bank.json, which says what lies in its folder."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from plitka import __version__
from plitka.bank.bank import TONES
from plitka.color.palette import CODE
from plitka.color.srgb import Lab

NAME = "bank.json"
MOST_BYTES = 16 * 2**20
"""Of the manifest; that of 30 colours has half a million."""

MOST_COLORS = 256
MOST_PHOTOGRAPHS = 4
"""Of a colour, that are kept."""

MOST_PIXELS = 1_500_000
"""Of a colour's photographs together, once they are scaled: 11 MB in memory."""

MOST_WHOLE = 400
"""Granules of a colour that are cut out to be laid elsewhere: 5 MB in memory."""

_VERSION = 1
_FILE = re.compile(r"[A-Z][A-Z0-9]{1,15}-[1-9]\d?-(?:pixels|granules)-[0-9a-f]{16}\.png")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_SIDE = 20_000  # pixels


@dataclass(frozen=True)
class ListedFile:
    """A PNG file of the bank, and the SHA-256 of its content."""

    name: str
    digest: str


@dataclass(frozen=True)
class ListedPhotograph:
    """A photograph of a colour.

    pixels, granules: files, height x width each. whole: the granules to be cut out, ascending.
    factor: by which the photograph was scaled; sure: whether its granules could be measured.
    """

    pixels: ListedFile
    granules: ListedFile
    height: int
    width: int
    whole: tuple[int, ...]
    factor: float
    sure: bool


@dataclass(frozen=True)
class ListedColor:
    """A colour. lab: its median L*a*b*. tone: (TONES) L*, a*, b* by rank, L* ascending."""

    code: str
    lab: Lab
    tone: tuple[Lab, ...]
    photographs: tuple[ListedPhotograph, ...]


def write_manifest(colors: Sequence[ListedColor]) -> bytes:
    """Write the content of bank.json."""
    value = {
        "plitka_bank": _VERSION,
        "written_by": f"Plitka {__version__}",
        "colors": [
            {
                "code": color.code,
                "lab": [round(value, 3) for value in color.lab],
                "tone": [[round(value, 4) for value in lab] for lab in color.tone],
                "photographs": [_write_photograph(one) for one in color.photographs],
            }
            for color in colors
        ],
    }
    return json.dumps(value, indent=1).encode()


def _write_photograph(one: ListedPhotograph) -> dict[str, Any]:
    return {
        "pixels": {"file": one.pixels.name, "sha256": one.pixels.digest},
        "granules": {"file": one.granules.name, "sha256": one.granules.digest},
        "height": one.height,
        "width": one.width,
        "whole": list(one.whole),
        "factor": round(one.factor, 4),
        "sure": one.sure,
    }


def read_manifest(content: bytes) -> tuple[ListedColor, ...]:
    """Read the content of bank.json. Raises ValueError, which says what is wrong as a phrase."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    if not isinstance(value, dict) or "plitka_bank" not in value:
        raise ValueError("is no manifest of a bank")
    if value["plitka_bank"] != _VERSION:
        raise ValueError("was written by another version of Plitka")
    listed = _take(value, "colors", list)
    if not 1 <= len(listed) <= MOST_COLORS:
        raise ValueError(f"lists {len(listed)} colours; allowed: 1 to {MOST_COLORS}")
    colors = tuple(_read_color(one) for one in listed)
    codes = [color.code for color in colors]
    if len(set(codes)) < len(codes):
        raise ValueError("lists a colour twice")
    return colors


def _read_color(value: Any) -> ListedColor:
    code = _take(value, "code", str)
    if not CODE.fullmatch(code):
        raise ValueError("has a colour whose code is none")
    tone = tuple(_read_lab(lab) for lab in _take(value, "tone", list))
    rising = all(one[0] < other[0] for one, other in pairwise(tone))
    if len(tone) != TONES or not rising:
        raise ValueError(f"has no tone of {code}")
    photographs = tuple(_read_photograph(one) for one in _take(value, "photographs", list))
    if not 1 <= len(photographs) <= MOST_PHOTOGRAPHS:
        raise ValueError(f"lists {len(photographs)} photographs of {code}")
    if sum(one.height * one.width for one in photographs) > MOST_PIXELS:
        raise ValueError(f"lists photographs of {code} of more than {MOST_PIXELS:,} pixels")
    if not 1 <= sum(len(one.whole) for one in photographs) <= MOST_WHOLE:
        raise ValueError(f"lists too few or too many whole granules of {code}")
    return ListedColor(code, _read_lab(_take(value, "lab", list)), tone, photographs)


def _read_photograph(value: Any) -> ListedPhotograph:
    whole = _take(value, "whole", list)
    if not all(type(one) is int and 0 < one < 2**16 for one in whole) or whole != sorted(
        set(whole)
    ):
        raise ValueError("lists whole granules that are none")
    height, width = (_take(value, side, int) for side in ("height", "width"))
    if not all(0 < side <= _MOST_SIDE for side in (height, width)):
        raise ValueError("lists a photograph of impossible size")
    factor, sure = value.get("factor"), value.get("sure")
    if not isinstance(factor, int | float) or not math.isfinite(factor) or type(sure) is not bool:
        raise ValueError("lists a photograph without its scale")
    return ListedPhotograph(
        pixels=_read_file(_take(value, "pixels", dict), "pixels"),
        granules=_read_file(_take(value, "granules", dict), "granules"),
        height=height,
        width=width,
        whole=tuple(whole),
        factor=float(factor),
        sure=sure,
    )


def _read_file(value: Any, part: str) -> ListedFile:
    name, digest = _take(value, "file", str), _take(value, "sha256", str)
    if not _FILE.fullmatch(name) or f"-{part}-" not in name or not _DIGEST.fullmatch(digest):
        raise ValueError("lists a file that no bank has")
    return ListedFile(name, digest)


def _read_lab(value: Any) -> Lab:
    numbers = isinstance(value, list) and all(type(one) in (int, float) for one in value)
    if not numbers or len(value) != 3 or not all(abs(one) <= 200 for one in value):
        raise ValueError("has a colour that is no L*a*b*")
    lightness, a, b = value
    if not 0 <= lightness <= 101:
        raise ValueError("has a colour that is no L*a*b*")
    return float(lightness), float(a), float(b)


def _take(value: Any, key: str, kind: type) -> Any:
    if not isinstance(value, dict) or type(value.get(key)) is not kind:
        raise ValueError(f"lacks {key!r}, or has something else there")
    return value[key]
