"""Inspects photographs before anything is loaded: what is wrong with them, and what they show."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from plitka.bank.granule_scale import FINAL
from plitka.color.palette import Color, Palette
from plitka.images import regular_file
from plitka.images.errors import Unreadable
from plitka.images.photograph import MAX_BYTES
from plitka.measure.palette_calibration import PHRASE_FILE
from plitka.measure.photograph_folder import TEXTS, CaptionedFile, list_photographs
from plitka.tile.granule import DIAMETER
from plitka.training.caption_correction import correct_captions
from plitka.training.found import Found, ListedPhotograph, Notes, Origin, Progress, write_caption
from plitka.training.hold_out import Candidate, choose_held_out
from plitka.training.near_duplicates import group_near_duplicates
from plitka.training.one_color import calibrate, find_claims
from plitka.training.options import RESOLUTIONS, TrainingOptions

MOST_ENLARGED = 1.15
"""Times that a photograph which is too small for a sample is enlarged; more would blur."""

_FEWEST, _FEW = 8, 20  # photographs
_MUCH_SCALED, _MOST_SCALED = 1.5, 2.5  # times that granules are enlarged: a warning, a fault
_ALIKE = 0.5  # octaves from the median of a maker's scales, within which it is taken


@dataclass(frozen=True)
class TrainingPhotograph:
    """One photograph to train on.

    name: its path in the folder, with /. digest: SHA-256 of its content in hex. size: width and
    height in pixels. colors, shares: of the caption that is used; shares are 0 to 1, together 1.
    given: the caption as given, None where there was none that can be read. origin: where the
    caption that is used is from. measured: what was measured of `colors`, 0 to 1. scale: the factor
    that brings its granules to the size that a render of 1024 pixels gives them.
    """

    name: str
    file: Path
    digest: str
    size: tuple[int, int]
    colors: tuple[Color, ...]
    shares: tuple[float, ...]
    given: str | None
    origin: Origin
    measured: tuple[float, ...]
    scale: float


@dataclass(frozen=True)
class Inspection:
    """What was found of a folder of photographs.

    photographs: those that can be used, by name. held_out: their indices, ascending. palette: with
    the calibrated colours. palette_rows: of these. faults: each stops the training. warnings: each
    is told.
    """

    photographs: tuple[TrainingPhotograph, ...]
    held_out: tuple[int, ...]
    palette: Palette
    palette_rows: tuple[Mapping[str, str], ...]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def inspect(
    folder: Path,
    options: TrainingOptions,
    palette: Palette,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Inspection:
    """Inspect a folder of photographs, and the folders in it.

    The same folder and the same options give an equal inspection. What is wrong is in it, however
    much that is; every fault and warning begins with the name of the file that it is about.
    tell: called with how many of how many are read. Raises OSError where no process can be started.
    """
    notes = Notes(folder)
    listed = _list(folder, notes)
    progress = Progress(len(listed), tell)
    calibrated = calibrate(find_claims(folder, listed, palette), palette, notes, progress)
    rest = [one for one in listed if one.file not in calibrated.settled]
    others = correct_captions(rest, calibrated.palette, options.captions, notes, progress)
    scaled = _scale([*calibrated.found, *others], options.resolution, notes)
    scaled.sort(key=lambda pair: pair[1].name)
    if len(listed) < _FEWEST:
        notes.fault(folder, f"holds {len(listed)} photographs; at least {_FEWEST} are needed")
    elif len(scaled) < _FEW:
        notes.warn(
            folder,
            f"{len(scaled)} photographs are few; with {_FEW} or more, the LoRA learns the"
            " material instead of these tiles",
        )
    held_out = _hold_out(scaled, options.seed, notes)
    return Inspection(
        tuple(photograph for _, photograph in scaled),
        held_out,
        calibrated.palette,
        calibrated.rows,
        notes.list_faults(),
        notes.list_warnings(),
    )


def _list(folder: Path, notes: Notes) -> list[ListedPhotograph]:
    """List the photographs of a folder; of those with equal content the first that has a text."""
    try:
        listing = list_photographs(folder, recursive=True)
    except OSError as fault:
        notes.fault(folder, f"cannot be listed ({fault.strerror or fault})")
        return []
    for place, reason in listing.faults.items():
        notes.fault(place, reason)
    parents = {one.file.parent for one in listing.photographs}
    phrases = sum((parent / PHRASE_FILE).exists() for parent in parents)
    if texts := listing.passed_over.get(TEXTS, 0) - phrases:
        notes.warn(folder, f"texts without a photograph beside them are not read: {texts}")
    kept: dict[str, CaptionedFile] = {}
    for one in sorted(listing.photographs, key=lambda one: (one.caption is None, one.file)):
        try:
            content = regular_file.read_content(one.file, MAX_BYTES)
        except Unreadable as fault:
            notes.fault(one.file, str(fault))
            continue
        first = kept.setdefault(hashlib.sha256(content).hexdigest(), one)
        if first is not one:
            notes.warn(one.file, f"is the same as {notes.name(first.file)}, and is left out")
    listed = [ListedPhotograph(one.file, one.caption, digest) for digest, one in kept.items()]
    return sorted(listed, key=lambda one: one.file)


def _scale(
    found: Sequence[Found], resolution: int, notes: Notes
) -> list[tuple[Found, TrainingPhotograph]]:
    """Find the scale of each photograph; those that are too small at theirs are faults.

    The median is taken for those that are near it, and for those that do not show the size of their
    granules clearly.
    resolution: that was asked for, 0 for none.
    """
    sure = [one.look.granules.factor for one in found if one.look.granules.sure]
    usual = median(sure) if sure else 1.0
    scaled = []
    for one in found:
        granules = one.look.granules
        factor = _settle_factor(granules.factor, usual) if granules.sure else usual
        if not granules.sure:
            notes.warn(
                one.listed.file,
                "the size of its granules cannot be measured; "
                + (
                    f"it is scaled by {factor:.2g}, like the others" if sure else "it is not scaled"
                ),
            )
        width, height = one.look.size
        across = f"{DIAMETER * FINAL / factor:.0f} pixels across"
        if factor > _MOST_SCALED:
            notes.fault(
                one.listed.file,
                f"its granules are only {across}, and the training would learn their blur;"
                f" photograph them from nearer, {DIAMETER * FINAL:.0f} pixels across",
            )
        elif not bears(one.look.size, factor, RESOLUTIONS[0]):
            notes.fault(
                one.listed.file,
                f"{width}x{height} pixels; scaled to the granules of pictures of 1024, its shorter"
                f" side has {round(min(width, height) * factor)}, and {RESOLUTIONS[0]} are needed;"
                " photograph more of the tile",
            )
        elif min(width, height) < resolution and not bears(one.look.size, factor, resolution):
            notes.fault(
                one.listed.file,
                f"{width}x{height} pixels are too few for a resolution of {resolution}; take a"
                " smaller one, or photograph with more pixels",
            )
        else:
            scaled.append((one, _describe(one, factor, notes)))
    if blurred := sorted(each.name for _, each in scaled if each.scale > _MUCH_SCALED):
        others = f" and {len(blurred) - 1} others" if len(blurred) > 1 else ""
        least_across = DIAMETER * FINAL / _MUCH_SCALED
        notes.warn(
            notes.folder,
            f"{blurred[0]}{others} have granules of less than {least_across:.0f} pixels across;"
            " they are enlarged, and what is trained on them is less sharp",
        )
    return scaled


def _settle_factor(measured: float, usual: float) -> float:
    """Settle the factor of one photograph. usual: the median of a maker's.

    Most makers photograph from one distance, and one measurement is off by a quarter of an octave:
    the median is nearer to the truth than a measurement that is near it.
    """
    return usual if abs(math.log2(measured / usual)) < _ALIKE else measured


def bears(size: tuple[int, int], factor: float, least: int) -> bool:
    """Whether a photograph, scaled by a factor, is large enough for samples of `least` pixels.

    size: its width and height.
    """
    return min(size) * factor * MOST_ENLARGED >= least


def _describe(one: Found, factor: float, notes: Notes) -> TrainingPhotograph:
    return TrainingPhotograph(
        notes.name(one.listed.file),
        one.listed.file,
        one.listed.digest,
        one.look.size,
        one.colors,
        one.shares,
        one.given,
        one.origin,
        one.measured,
        factor,
    )


def _hold_out(
    scaled: Sequence[tuple[Found, TrainingPhotograph]], seed: int, notes: Notes
) -> tuple[int, ...]:
    """Choose the photographs that are held out; gives their indices, ascending."""
    groups = group_near_duplicates([one.look.fingerprint for one, _ in scaled])
    photographs = [photograph for _, photograph in scaled]
    for first, *others in groups:
        if others:
            names = ", ".join(photographs[index].name for index in others)
            notes.warn(
                photographs[first].file,
                f"shows the same granules as {names}; they teach little more than one of them",
            )
    candidates = [
        Candidate(
            len(group),
            frozenset(
                write_caption(photographs[index].colors, photographs[index].shares)
                for index in group
            ),
            frozenset(color.code for index in group for color in photographs[index].colors),
        )
        for group in groups
    ]
    held_out = sorted(index for one in choose_held_out(candidates, seed) for index in groups[one])
    if len(photographs) >= _FEWEST and not held_out:
        notes.fault(notes.folder, "all photographs show the same granules; at least 2 tiles needed")
    trained = {
        color
        for index, photograph in enumerate(photographs)
        if index not in held_out
        for color in photograph.colors
    }
    for index in held_out:
        if lost := [color.phrase for color in photographs[index].colors if color not in trained]:
            notes.warn(
                photographs[index].file,
                f"is the only one with {', '.join(lost)}, and is needed to measure how good the"
                " training is; add another photograph of this colour",
            )
    return tuple(held_out)
