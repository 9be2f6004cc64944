"""The contact sheet: all tiles on one page, sorted by name, colour or deviation."""

import base64
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from plitka.catalogue.drawing import THUMBNAIL_SIDE
from plitka.catalogue.run import Entry
from plitka.catalogue.shelf import THUMBNAILS
from plitka.color.srgb import parse_hex, srgb_to_lab

MOST_INLINED = 5000
"""Tiles whose thumbnails are in the page itself: 60 MB. The page of more shows the files beside it,
as they come into view."""

_TEMPLATE = Path(__file__).with_name("contact_sheet.html")
_GRAY = 8.0  # of chroma: what has less is sorted among the grays, by lightness


def write_page(entries: Sequence[Entry], read_thumbnail: Callable[[str], bytes]) -> bytes:
    """Write index.html. read_thumbnail: gives the JPEG of a tile by its stem."""
    drawn = [entry for entry in entries if entry.tile is not None]
    inlined = len(drawn) <= MOST_INLINED
    content = {
        "side": THUMBNAIL_SIDE,
        "tiles": [_tell_tile(entry, read_thumbnail if inlined else None) for entry in drawn],
        "bad": [[one.number, one.name, one.error] for one in entries if one.tile is None],
    }
    # "<" ends no script where it is an escape.
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    page = _TEMPLATE.read_text(encoding="utf-8")
    return page.replace("{}/*tiles*/", written, 1).encode("utf-8", "replace")


def _tell_tile(entry: Entry, read_thumbnail: Callable[[str], bytes] | None) -> list[Any]:
    """Tell what a card shows: name, mix, angle, deviation, place in the order of colours, links."""
    tile = entry.tile
    assert tile is not None, "only tiles that were drawn have cards"
    if read_thumbnail is None:
        thumbnail = f"{THUMBNAILS}/{quote(entry.stem)}.jpg"
    else:
        packed = base64.b64encode(read_thumbnail(entry.stem)).decode("ascii")
        thumbnail = f"data:image/jpeg;base64,{packed}"
    shown = f"/{tile['picture']}.png"
    linked = next((file for file in entry.files if file.endswith((shown, ".zip"))), "")
    return [
        entry.name,
        write_mix(tile),
        tile["request"]["angle"],
        tile["total_variation"],
        place_color(tile),
        quote(linked),
        thumbnail,
        [[tile["colors"][name], share] for name, share in tile["asked"].items()],
    ]


def write_mix(tile: dict[str, Any]) -> str:
    """Write the mix of a tile: 60% black, 40% white."""
    return ", ".join(f"{100 * share:.4g}% {name}" for name, share in tile["asked"].items())


def place_color(tile: dict[str, Any]) -> list[float]:
    """Place a tile among all by the mean colour of its mix: grays by lightness, others by hue."""
    labs = [
        (srgb_to_lab(parse_hex(tile["colors"][name][1:])), s) for name, s in tile["asked"].items()
    ]
    lightness, a, b = (sum(lab[axis] * share for lab, share in labs) for axis in range(3))
    if math.hypot(a, b) < _GRAY:
        return [-1.0, round(lightness, 1)]
    return [round(math.degrees(math.atan2(b, a)) % 360, 1), round(lightness, 1)]
