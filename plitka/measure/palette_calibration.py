"""Palette calibration: measures a maker's own colours on photographs of one-colour tiles.

A folder for each colour, named after its code, holds its photographs, and phrase.txt where the
code is new and its phrase is not simply the code in lower case.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from plitka import whole_file
from plitka.arrays import Floats
from plitka.color import cielab, palette
from plitka.color.names import normalize_name, quote
from plitka.color.palette import (
    CODE,
    CODE_ALLOWED,
    COLUMNS,
    PHRASE,
    PHRASE_ALLOWED,
    Palette,
    PaletteError,
)
from plitka.color.srgb import format_hex
from plitka.color.tone import measure_tone
from plitka.color.tone_table import format_tone
from plitka.images.photograph import Photograph
from plitka.measure import color_modes, segmentation
from plitka.measure.photograph_folder import HIDDEN, OTHERS, TEXTS, list_photographs
from plitka.measure.reading import MEMORY, Unread, use_one_thread, use_photograph
from plitka.measure.shares import check_size, scale_for_measuring
from plitka.measure.text_file import TextError, read_text
from plitka.runtime.processes import Work, do_jobs

PHRASE_FILE = "phrase.txt"
_WRITTEN = "# Written by python -m plitka calibrate; README.md tells the columns."
_LEAST_PIXELS = 10_000  # of one photograph: some dozens of granules
MOST_PIXELS = 250_000  # of each photograph that are looked at
MOST_OF_A_COLOR = 5_000_000  # of all photographs of a colour: 60 MB
_LARGE = 1024  # pixels a side, of a photograph whose colours are told apart on a smaller one
_SECOND_COLOR = 0.1  # of the area, in a mode of its own


class CalibrationError(PaletteError):
    """The folder cannot be a palette; the message names the file or folder and what is wrong."""


@dataclass(frozen=True)
class Sampled:
    """A photograph that counts for its colour. notes: what was done to bring it to sRGB."""

    file: Path
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """A photograph, or a whole colour's folder, that does not count. reason: why, as a phrase."""

    file: Path
    reason: str


@dataclass(frozen=True)
class Measured:
    """A colour that all its photographs are done of. row: of a palette file."""

    row: Mapping[str, str]


@dataclass(frozen=True)
class ColorFolders:
    """What lies in a folder of colours' folders.

    photographs: of each colour's folder, in the order of their names; folders without any are
    missing. left_out: folders that cannot be listed. passed_over: how many of each kind.
    """

    photographs: Mapping[Path, tuple[Path, ...]]
    left_out: tuple[LeftOut, ...]
    passed_over: Mapping[str, int]

    @property
    def count(self) -> int:
        """How many photographs there are."""
        return sum(map(len, self.photographs.values()))


Event: TypeAlias = ColorFolders | Sampled | LeftOut | Measured
"""What `calibrate` tells of: first what there is, then what became of it."""


def calibrate(
    folder: Path,
    known: Palette,
    tell: Callable[[Event], None] = lambda event: None,
    into: Palette | None = None,
) -> list[dict[str, str]]:
    """Measure the colours of a folder: one palette row for each folder of photographs in it.

    A colour is measured on those of its photographs that can be measured. The rows are those of a
    palette file, see palette.COLUMNS, in the order of the codes. known: the palette so far, whose
    phrases and names count. tell: is told of each photograph as it is ready. into: the palette that
    the rows are put into, whose names count as well. Raises
    CalibrationError where nothing can be measured, and OSError for a folder that cannot be listed.
    """
    folders = _list_folders(folder)
    tell(folders)
    reasons: list[LeftOut] = []

    def leave_out(one: LeftOut) -> None:
        reasons.append(one)
        tell(one)

    for one in folders.left_out:
        leave_out(one)
    phrases = dict(read_phrases(folders.photographs, known, leave_out))
    palettes = (known,) if into is None else (known, into)
    for one in part_clashes(phrases, palettes):
        leave_out(one)
    rows: dict[Path, dict[str, str]] = {}
    for kind, samples in _sample_colors(folders, phrases, tell, leave_out):
        row = make_row(kind.name, phrases[kind], samples)
        try:
            palette.parse_row(row, "what is measured")
        except PaletteError as fault:
            leave_out(LeftOut(kind, f"is no colour of a palette; {fault}"))
            continue
        rows[kind] = row
        tell(Measured(row))
    measured = {kind: phrases[kind] for kind in phrases if kind in rows}
    for one in part_clashes(measured, palettes):  # with phrases of colours that are left out now
        leave_out(one)
    if not measured:
        (first, *_) = reasons
        raise CalibrationError(f"no colour could be measured; {first.file}: {first.reason}")
    return [rows[kind] for kind in measured]


def check_palette_file(file: Path) -> Palette | None:
    """Read the palette in the place of the one that is to be written, None where there is none.

    Raises PaletteError where `write_palette` could not write, so that it is known before the work.
    """
    try:
        whole_file.check_target(file)
    except whole_file.Unwritable as why:
        raise PaletteError(str(why)) from None
    rows = _read_old_rows(file)
    return palette.build(rows, file) if rows else None


def _read_old_rows(file: Path) -> list[dict[str, str]]:
    """Read the rows of a palette file, if it is there. Raises PaletteError."""
    return palette.read_rows(file) if palette.has_content(file) else []


def write_palette(rows: Sequence[Mapping[str, str]], file: Path) -> None:
    """Write rows to a palette file; rows of other codes that are there already stay.

    Raises PaletteError where the file is no text, or cannot be written; it then stays as it was.
    """
    try:
        whole_file.check_target(file)  # a pipe would be waited for as it is read
        with whole_file.alone_beside(file):
            merged = _merge_rows(rows, _read_old_rows(file))
            palette.build(merged, file)  # which raises what a program would that reads the file
            comments = palette.read_comments(file) if palette.has_content(file) else []
            whole_file.write(file, format_rows(merged, comments).encode())
    except whole_file.Unwritable as why:
        raise PaletteError(str(why)) from None


def _merge_rows(
    rows: Sequence[Mapping[str, str]], old: Sequence[dict[str, str]]
) -> list[dict[str, str]]:
    """Merge rows into those of a palette file; columns of the maker's own keep what is in them."""
    new = {row["code"]: row for row in rows}
    kept = {row["code"]: row for row in old}
    others = [row for row in old if row["code"] not in new]
    return [*others, *({**kept.get(code, {}), **row} for code, row in new.items())]


def format_rows(rows: Sequence[Mapping[str, str]], comments: Sequence[str] = ()) -> str:
    """Format rows as the text of a palette file. comments: of the file before, which stay."""
    columns = list(dict.fromkeys([*COLUMNS, *(column for row in rows for column in row)]))
    lines = dict.fromkeys([_WRITTEN, *comments])
    out = io.StringIO()
    out.writelines(f"{line}\n" for line in lines)
    table = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()


def _list_folders(folder: Path) -> ColorFolders:
    """List a folder of colours' folders; links to folders count as folders here.

    Raises CalibrationError where it holds no photographs, OSError where it cannot be listed.
    """
    photographs: dict[Path, tuple[Path, ...]] = {}
    left_out: list[LeftOut] = []
    passed: Counter[str] = Counter()
    for kind in sorted(folder.iterdir()):
        if kind.name.startswith("."):
            passed[HIDDEN] += 1
        elif not os.path.isdir(kind):  # noqa: PTH112 - never raises
            passed[OTHERS] += 1
        else:
            try:
                listing = list_photographs(kind)
            except OSError as fault:
                left_out.append(LeftOut(kind, f"cannot be listed ({fault.strerror or fault})"))
                continue
            passed.update(listing.passed_over)
            passed[TEXTS] -= os.path.lexists(kind / PHRASE_FILE)  # which is read
            if listing.photographs:
                photographs[kind] = tuple(one.file for one in listing.photographs)
    if not photographs and not left_out:
        raise CalibrationError(
            f"{folder}: no photographs found; they belong in folders named after colour codes, "
            f"{folder / 'DKGREEN' / '1.jpg'}"
        )
    return ColorFolders(photographs, tuple(left_out), {what: n for what, n in passed.items() if n})


def read_phrases(
    kinds: Iterable[Path], known: Palette, leave_out: Callable[[LeftOut], None]
) -> Iterator[tuple[Path, str]]:
    """Read the phrase of each colour's folder: from its phrase.txt, the palette, or its name.

    leave_out: is told of folders whose name is no code, or that have no phrase.
    """
    built_in = {color.code: color.phrase for color in known.colors}
    for kind in kinds:
        file = kind / PHRASE_FILE
        if not CODE.fullmatch(kind.name):
            leave_out(LeftOut(kind, f"{kind.name!r} is no colour code; allowed: {CODE_ALLOWED}"))
        elif not os.path.lexists(file):
            phrase = built_in.get(kind.name, kind.name.lower())
            if PHRASE.fullmatch(phrase):
                yield kind, phrase
            else:
                leave_out(
                    LeftOut(kind, f"{quote(phrase)} is no phrase; write one to {PHRASE_FILE}")
                )
        else:
            try:
                phrase = read_text(file).strip()
            except TextError as fault:
                leave_out(LeftOut(kind, f"its {PHRASE_FILE} {fault}"))
                continue
            if PHRASE.fullmatch(phrase):
                yield kind, phrase
            else:
                leave_out(
                    LeftOut(
                        kind, f"its {PHRASE_FILE}: {quote(phrase)} is no phrase; {PHRASE_ALLOWED}"
                    )
                )


def part_clashes(phrases: dict[Path, str], known: Sequence[Palette]) -> Iterator[LeftOut]:
    """Take out of the phrases of folders those that would name two colours; gives their folders."""
    while (clash := _find_clash(phrases, known)) is not None:
        yield clash  # and what it gave way to may be free now
        del phrases[clash.file]


def _find_clash(phrases: Mapping[Path, str], known: Sequence[Palette]) -> LeftOut | None:
    """Find the first folder whose phrase or code names a colour already."""
    measured = {kind.name for kind in phrases}
    colors = [color for palette in known for color in palette.colors]
    names = {normalize_name(color.code): color.code for color in colors}
    names |= {
        normalize_name(color.phrase): color.code for color in colors if color.code not in measured
    }
    for kind, phrase in phrases.items():
        for name in (kind.name, phrase):
            owner = names.setdefault(normalize_name(name), kind.name)
            if owner != kind.name:
                return LeftOut(
                    kind,
                    f'"{name}" names the colour {owner} already; give it another in '
                    f"{kind.name}/{PHRASE_FILE}",
                )
    return None


def _sample_colors(
    folders: ColorFolders,
    kinds: Collection[Path],
    tell: Callable[[Sampled], None],
    leave_out: Callable[[LeftOut], None],
) -> Iterator[tuple[Path, dict[Path, Floats]]]:
    """Sample the photographs of colours; gives each colour's as soon as all of them are there.

    Gives a dictionary of photographs and (n, 3) L*a*b*, and nothing for a colour without any.
    """
    jobs = [
        _Job(file, min(MOST_PIXELS, MOST_OF_A_COLOR // len(folders.photographs[kind]) + 1))
        for kind in kinds
        for file in folders.photographs[kind]
    ]
    samples: dict[Path, dict[Path, Floats]] = {kind: {} for kind in kinds}
    left = Counter(job.file.parent for job in jobs)
    done = do_jobs(Work(_sample_photograph, use_one_thread, MEMORY), jobs)
    with closing(done) as results:
        for job, result in results:
            kind = job.file.parent
            if isinstance(result, Sample):
                samples[kind][job.file] = result.lab
                tell(Sampled(job.file, result.notes))
            else:
                leave_out(LeftOut(job.file, result.reason))
            left[kind] -= 1
            if not left[kind] and (complete := samples.pop(kind)):
                yield kind, complete


@dataclass(frozen=True)
class _Job:
    """A photograph to sample, and how many of its pixels to take at most."""

    file: Path
    pixels: int


@dataclass(frozen=True, eq=False)
class Sample:
    """Pixels of a photograph: (n, 3) L*a*b*. notes: what was done to bring it to sRGB."""

    lab: Floats
    notes: tuple[str, ...]


def _sample_photograph(job: _Job) -> Sample | Unread:
    """Sample a photograph's pixels evenly."""
    return use_photograph(job.file, partial(sample_pixels, job.pixels))


def sample_pixels(most: int, loaded: Photograph) -> Sample | Unread:
    """Sample at most about so many pixels, evenly.

    Gives Unread for a photograph that has too few pixels or shows more than one colour; raises
    TooSmall for one that is too narrow.
    """
    image = loaded.pixels
    height, width = image.shape[:2]
    if height * width < _LEAST_PIXELS:
        return Unread(f"{width}x{height} pixels are too few; at least {_LEAST_PIXELS:,} are needed")
    check_size(image)
    small = scale_for_measuring(image) if max(height, width) > _LARGE else image
    segments = segmentation.segment(small, cielab.rgb_to_lab(small))
    modes = color_modes.find_modes(segments, color_modes.COARSE)
    if (modes.weight[modes.valley < color_modes.DEEP] > _SECOND_COLOR).sum() > 1:
        return Unread("shows more than one colour")
    sample = image.reshape(-1, 3)[:: max(height * width // most, 1)]
    return Sample(cielab.rgb_to_lab(sample[None])[0], loaded.notes)


def make_row(code: str, phrase: str, samples: Mapping[Path, Floats]) -> dict[str, str]:
    """Make the palette row of a colour of the samples of its photographs."""
    lab = np.concatenate([samples[file] for file in sorted(samples)])
    red, green, blue = (
        np.rint(255 * cielab.encode_srgb(np.median(cielab.lab_to_linear(lab), axis=0)))
        .astype(int)
        .tolist()
    )
    columns = ("L_p5", "L_p25", "L_median", "L_p75", "L_p95")
    figures = dict(zip(columns, np.percentile(lab[:, 0], (5, 25, 50, 75, 95)), strict=True))
    figures |= {"a_median": np.median(lab[:, 1]), "b_median": np.median(lab[:, 2])}
    count = len(samples)
    return {
        "code": code,
        "caption": phrase,
        "median_srgb": format_hex((red, green, blue)),
        **{column: f"{figure:.1f}" for column, figure in figures.items()},
        "a_std": f"{lab[:, 1].std():.2f}",
        "b_std": f"{lab[:, 2].std():.2f}",
        "measured_from": f"{count} photograph{'s' if count > 1 else ''} of a tile of this colour",
        "tone": format_tone(measure_tone(lab).tolist()),
    }
