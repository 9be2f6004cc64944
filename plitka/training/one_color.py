"""Photographs that are said to show one colour: they calibrate the maker's palette."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from plitka.color import cielab, palette
from plitka.color.palette import CODE, Palette, PaletteError, UnknownColor
from plitka.measure.captions import Caption, CaptionError, is_bare_name, read_caption
from plitka.measure.palette_calibration import (
    MOST_OF_A_COLOR,
    MOST_PIXELS,
    PHRASE_FILE,
    LeftOut,
    Sample,
    make_row,
    part_clashes,
    read_phrases,
)
from plitka.measure.reading import MEMORY, Unread, use_one_thread
from plitka.measure.text_file import TextError
from plitka.runtime.processes import Death, Work, do_jobs
from plitka.training.found import Found, ListedPhotograph, Notes, Origin, Progress, write_caption
from plitka.training.photograph_reading import Look, Sampled, ToSample, sample

_MOST_SAMPLED = 20_000_000  # pixels of all photographs together: 240 MB
# CIEDE2000 of a photograph's median. Nearer to the named colour, it is that, in whatever light; as
# far from that and near to another one, it is that other one.
_OTHER, _NEAR = 25.0, 12.0
_ONE_COLOR = 15.0  # CIEDE2000 between photographs of one colour, of different days and batches


@dataclass(frozen=True)
class Claim:
    """A photograph that is said to show the colour of a code alone.

    caption: that says so; None where the folder's name does.
    """

    listed: ListedPhotograph
    code: str
    caption: Caption | None


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The palette with the colours that were calibrated.

    rows: of these, for a palette file. found: the photographs that they were measured on. settled:
    the files that nothing more is to be asked of.
    """

    palette: Palette
    rows: tuple[Mapping[str, str], ...]
    found: tuple[Found, ...]
    settled: frozenset[Path]


def find_claims(
    folder: Path, photographs: Sequence[ListedPhotograph], known: Palette
) -> list[Claim]:
    """Find the photographs whose caption names one colour, or whose folder does.

    A folder does by a code, where a photograph has no caption of its own. folder: that holds all.
    """
    claims = []
    for listed in photographs:
        file = listed.file
        try:
            caption = read_caption(file, known, partial(_find_text, listed))
        except (CaptionError, UnknownColor, TextError):
            own = listed.text is not None or not is_bare_name(file)
            if not own and file.parent != folder and CODE.fullmatch(file.parent.name):
                claims.append(Claim(listed, file.parent.name, None))
        else:
            if len(caption.colors) == 1:
                claims.append(Claim(listed, caption.colors[0].code, caption))
    return claims


def _find_text(listed: ListedPhotograph, file: Path) -> Path | None:
    del file
    return listed.text


def calibrate(
    claims: Sequence[Claim], known: Palette, notes: Notes, progress: Progress
) -> Calibrated:
    """Measure the colours of claims that are true; the others are left to be examined."""
    settled: set[Path] = set()
    sampled: dict[Claim, tuple[Look, Sample]] = {}
    for claim, result in _sample_all(claims):
        if not isinstance(result, Sampled):
            notes.fault(claim.listed.file, result.reason)
            settled.add(claim.listed.file)
        elif isinstance(result.sample, Sample):
            sampled[claim] = (result.look, result.sample)
    believed = _list_believed(claims, sampled, known)
    phrases = _read_phrases(believed, known, notes)
    rows = [
        make_row(
            code,
            phrase,
            {one.listed.file: sampled[one][1].lab for one in believed if one.code == code},
        )
        for code, phrase in sorted(phrases.items())
    ]
    try:
        extended = palette.extend(known, rows, notes.folder)
    except PaletteError as fault:
        notes.fault(notes.folder, str(fault).removeprefix(f"{notes.folder}: "))
        extended, phrases = known, {}
    settled |= {one.listed.file for one in believed}
    for _ in settled:
        progress.step()
    found = [_describe(one, sampled[one][0], extended) for one in believed if one.code in phrases]
    return Calibrated(extended, tuple(rows), tuple(found), frozenset(settled))


def _sample_all(claims: Sequence[Claim]) -> list[tuple[Claim, Sampled | Unread | Death]]:
    """Sample the photographs of claims, in their order."""
    of_each = {one.code: sum(each.code == one.code for each in claims) for one in claims}
    most = min(MOST_PIXELS, _MOST_SAMPLED // max(len(claims), 1))
    jobs = {
        ToSample(one.listed.file, min(most, MOST_OF_A_COLOR // of_each[one.code])): one
        for one in claims
    }
    with closing(do_jobs(Work(sample, use_one_thread, MEMORY), list(jobs))) as done:
        results = {jobs[job]: result for job, result in done}
    return [(claim, results[claim]) for claim in claims]


def _list_believed(
    claims: Sequence[Claim], sampled: Mapping[Claim, tuple[Look, Sample]], known: Palette
) -> list[Claim]:
    """List the claims that are taken for true.

    A new code in a folder's name is a colour's where a phrase is given, or else where all of the
    photographs there show one colour, and the same: it may be the name of anything.
    """
    medians = {one: np.median(taken.lab, axis=0) for one, (_, taken) in sampled.items()}
    codes = {color.code: color for color in known.colors}
    believed = []
    for claim in sampled:
        if claim.code in codes:
            far = [float(cielab.ciede2000(medians[claim], color.lab)) for color in known.colors]
            own = far[known.colors.index(codes[claim.code])]
            if own > _OTHER and min(far) < _NEAR:
                continue
        elif not (claim.listed.file.parent / PHRASE_FILE).exists():
            group = [one for one in claims if one.code == claim.code]
            if any(one not in medians for one in group):
                continue
            middle = np.median([medians[one] for one in group], axis=0)
            if any(cielab.ciede2000(medians[one], middle) > _ONE_COLOR for one in group):
                continue
        believed.append(claim)
    return believed


def _read_phrases(believed: Sequence[Claim], known: Palette, notes: Notes) -> dict[str, str]:
    """Read the phrase of each colour, by its code; folders without one are faults."""

    def refuse(one: LeftOut) -> None:
        notes.fault(one.file, one.reason)

    folders = {one.code: one.listed.file.parent for one in believed if one.caption is None}
    phrases = dict(read_phrases(sorted(folders.values()), known, refuse))
    for one in part_clashes(phrases, [known]):
        refuse(one)
    named = {color.code: color.phrase for color in known.colors}
    captioned = {one.code: named[one.code] for one in believed if one.code not in folders}
    return captioned | {folder.name: phrase for folder, phrase in phrases.items()}


def _describe(claim: Claim, look: Look, extended: Palette) -> Found:
    color = extended.find(claim.code)
    given = None
    if claim.caption is not None:
        given = write_caption(claim.caption.colors, claim.caption.shares)
    origin: Origin = "folder" if claim.caption is None else "given"
    return Found(claim.listed, look, (color,), (1.0,), given, origin, (1.0,))
