"""A bank as a folder: bank.json, and two PNG files for each photograph."""

import hashlib
import io
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from plitka import whole_file
from plitka.arrays import Floats
from plitka.arrays import Image as Pixels
from plitka.bank import manifest
from plitka.bank.bank import Bank, BankColor, Source, rank_pixels
from plitka.bank.chips import Chip, cut_chip
from plitka.bank.cutting import list_boxes
from plitka.bank.errors import BankError
from plitka.bank.manifest import ListedColor, ListedFile, ListedPhotograph
from plitka.bank.quilting import SMALLEST
from plitka.color.srgb import Lab
from plitka.images import regular_file
from plitka.images.errors import Unreadable
from plitka.printable import make_printable

_MOST_FILE = 16 * 2**20  # bytes of a PNG; 1.5 million pixels of noise have 4.5 MB
_AGAIN = "make the bank again: python -m plitka calibrate refs"
_COMPRESSION = 6  # of 9
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, eq=False)
class MadePhotograph:
    """A photograph that is ready for the bank. whole, factor, sure: see ListedPhotograph."""

    source: Source
    whole: tuple[int, ...]
    factor: float
    sure: bool


@dataclass(frozen=True, eq=False)
class MadeColor:
    """A colour that is ready for the bank. lab, tone: see BankColor."""

    code: str
    lab: Lab
    tone: Floats
    photographs: tuple[MadePhotograph, ...]


def check_folder(folder: Path) -> None:
    """Raise BankError where `write_bank` could not write, so that it is known before the work."""
    if (folder / manifest.NAME).exists():
        _read_manifest(folder)
    try:
        whole_file.check_target(folder / manifest.NAME)
    except whole_file.Unwritable as why:
        if not folder.exists() and not folder.is_symlink():
            return
        raise BankError(str(why)) from None


def write_bank(colors: Sequence[MadeColor], folder: Path) -> tuple[str, ...]:
    """Write colours into a bank; those of other codes that it has stay.

    The manifest changes at once, after all files are written that it names. Returns the codes of
    all its colours. Raises BankError; the bank is then what it was.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file.alone_beside(folder / manifest.NAME):
            there = _read_manifest(folder) if (folder / manifest.NAME).exists() else ()
            kept = {color.code: color for color in there}
            new = {color.code: _write_color(color, folder) for color in colors}
            merged = [color for _, color in sorted({**kept, **new}.items())]
            whole_file.write(folder / manifest.NAME, manifest.write_manifest(merged))
            _drop_files(folder, _list_names(there) - _list_names(merged))
    except OSError as why:
        what = str(why) if isinstance(why, whole_file.Unwritable) else _describe(folder, why)
        raise BankError(what) from None
    return tuple(color.code for color in merged)


def _describe(folder: Path, why: OSError) -> str:
    return f"{make_printable(str(folder))}: cannot be written ({why.strerror or why})"


def _list_names(colors: Sequence[ListedColor]) -> set[str]:
    photographs = [one for color in colors for one in color.photographs]
    return {file.name for one in photographs for file in (one.pixels, one.granules)}


def _drop_files(folder: Path, names: set[str]) -> None:
    """Drop files that no colour has any more. What cannot be dropped does no harm."""
    for name in names:
        with suppress(OSError):
            (folder / name).unlink()


def _write_color(color: MadeColor, folder: Path) -> ListedColor:
    photographs = []
    for number, made in enumerate(color.photographs, start=1):
        height, width = made.source.granules.shape
        listed = ListedPhotograph(
            pixels=_write_png(folder, f"{color.code}-{number}-pixels", made.source.pixels),
            granules=_write_png(folder, f"{color.code}-{number}-granules", made.source.granules),
            height=height,
            width=width,
            whole=made.whole,
            factor=made.factor,
            sure=made.sure,
        )
        photographs.append(listed)
    tone = tuple((light, a, b) for light, a, b in np.round(color.tone.astype(float), 4).tolist())
    return ListedColor(color.code, color.lab, tone, tuple(photographs))


def _write_png(folder: Path, title: str, array: NDArray[np.uint8 | np.uint16]) -> ListedFile:
    """Write a PNG file that is named after its content, so that none is ever changed."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", compress_level=_COMPRESSION)
    digest = hashlib.sha256(file.getvalue()).hexdigest()
    name = f"{title}-{digest[:16]}.png"
    whole_file.write(folder / name, file.getvalue())
    return ListedFile(name, digest)


def count_colors(folder: Path) -> int:
    """Count the colours of a bank, and check that its files are whole. Raises BankError."""
    colors = _read_manifest(folder)
    for color in colors:
        for one in color.photographs:
            for file in (one.pixels, one.granules):
                _read_file(folder, file)
    return len(colors)


def load_bank(folder: Path) -> Bank:
    """Load a bank. Raises BankError, which names the file at fault and says what to do."""
    return Bank(tuple(_load_color(folder, color) for color in _read_manifest(folder)))


def _read_manifest(folder: Path) -> tuple[ListedColor, ...]:
    file = folder / manifest.NAME
    try:
        return manifest.read_manifest(regular_file.read_content(file, manifest.MOST_BYTES))
    except (Unreadable, ValueError) as why:
        raise _fault(file, str(why)) from None


def _fault(file: Path, why: str) -> BankError:
    return BankError(f"{make_printable(str(file))}: {why}; {_AGAIN}")


def _load_color(folder: Path, color: ListedColor) -> BankColor:
    tone = np.array(color.tone, np.float32)
    sources, chips = [], []
    for one in color.photographs:
        source = _load_source(folder, one)
        sources.append(source)
        chips += _cut_chips(source, tone, one.whole)
    if not chips:
        raise _fault(folder / manifest.NAME, f"lists no whole granule of {color.code}")
    return BankColor(color.code, color.lab, tone, tuple(sources), tuple(chips))


def _cut_chips(source: Source, tone: Floats, whole: Sequence[int]) -> list[Chip]:
    planes = rank_pixels(source.pixels, tone)
    last = int(source.granules.max())
    boxes = list_boxes(source.granules, [number for number in whole if number <= last])
    return [cut_chip(planes[box.place], box.mask) for box in boxes]


def _load_source(folder: Path, one: ListedPhotograph) -> Source:
    pixels = _decode(folder, one.pixels, one, "RGB")
    granules = _decode(folder, one.granules, one, "I;16")
    if min(granules.shape) < SMALLEST:
        raise _fault(folder / one.pixels.name, f"is smaller than {SMALLEST} pixels a side")
    return Source(pixels, np.asarray(granules, np.uint16))


def _decode(folder: Path, listed: ListedFile, one: ListedPhotograph, mode: str) -> Pixels:
    """Decode a PNG file, whose size is known before. Raises BankError."""
    content = _read_file(folder, listed)
    header = struct.pack(">II", one.width, one.height)
    if not content.startswith(_SIGNATURE) or content[16:24] != header:
        raise _fault(folder / listed.name, "is no PNG file of the size that bank.json says")
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            if picture.mode == mode:
                return np.array(picture)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError):
        raise _fault(folder / listed.name, "is damaged") from None
    raise _fault(folder / listed.name, f"has no pixels of mode {mode}")


def _read_file(folder: Path, listed: ListedFile) -> bytes:
    """Read a file of the bank, which has to be as it was written."""
    try:
        content = regular_file.read_content(folder / listed.name, _MOST_FILE)
    except Unreadable as why:
        raise _fault(folder / listed.name, str(why)) from None
    if hashlib.sha256(content).hexdigest() != listed.digest:
        raise _fault(folder / listed.name, "is not what was written")
    return content
