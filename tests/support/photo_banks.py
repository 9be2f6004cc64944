"""Photo banks for tests: of photographs that the tests draw themselves."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plitka.bank.files import MadeColor, write_bank
from plitka.bank.making import make_colors
from plitka.color import palette
from plitka.images.jpeg import encode_jpeg
from plitka.tile.layout import lay
from plitka.tile.render import render_picture
from tests.support.recipes import asked

CODES = ("BLUE", "WHITE")
SIDE = 360  # pixels of a photograph; its granules have 20


@cache
def draw_photograph(code: str, seed: int = 1) -> NDArray[np.uint8]:
    """Draw a photograph of a one-colour tile."""
    return render_picture(lay(asked({code: 100}, seed=seed)), 1024)[:SIDE, :SIDE]


def write_references(folder: Path, codes: Sequence[str] = CODES, photographs: int = 1) -> Path:
    """Write photographs of one-colour tiles as `calibrate` takes them."""
    for code in codes:
        (folder / code).mkdir(parents=True, exist_ok=True)
        for number in range(1, photographs + 1):
            content = encode_jpeg(draw_photograph(code, number), 95)
            (folder / code / f"{number}.jpg").write_bytes(content)
    return folder


@cache
def _make(folder: Path) -> tuple[MadeColor, ...]:
    known = palette.load()
    photographs = {known.find(code): [folder / code / "1.jpg"] for code in CODES}
    return tuple(make_colors(photographs))


def write_small_bank(folder: Path, references: Path) -> Path:
    """Write a bank of CODES. references: what `write_references` wrote; cut once for each."""
    write_bank(_make(references), folder)
    return folder
