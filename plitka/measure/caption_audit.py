"""Caption audit: compares the shares in photographs' captions with those measured on them.

For makers who train a LoRA of their own. `captions` tells what a caption is.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from pathlib import Path

from plitka.color.palette import Color, Palette, UnknownColor
from plitka.images.photograph import Photograph
from plitka.measure import photograph_folder
from plitka.measure.captions import Caption, CaptionError, read_caption
from plitka.measure.photograph_folder import CaptionedFile, Listing
from plitka.measure.reading import MEMORY, use_one_thread, use_photograph
from plitka.measure.shares import Measurement, measure
from plitka.measure.text_file import TextError
from plitka.runtime.processes import Death, Work, do_jobs

# Lengths of an interval's half. To be outside of a 90% interval is no proof: one honest share in
# ten is. Twice as far out, one normal error in a thousand is; the honest photographs reach 1.7, and
# the swapped ones begin at 4.0.
_SURE = 2.0
_LEAST = 0.02  # that the half of an interval is taken to be: captions themselves are rounded
_LEAST_OF_SUM = 0.05  # the same of a group's sum, which has no interval of its own

MOST_OTHERS = 0.15
"""Of the granules, in colours that were not looked for, where these are all that there are."""


@dataclass(frozen=True)
class Finding:
    """What the audit found of one photograph, or of a folder that cannot be listed.

    caption: None where it could not be read. measured: None where it or the photograph could not
    be read. verdict: "true", "lies", or "unread". reason: a phrase that says why, "" where the
    verdict is "true". notes: what was done to the photograph to bring it to sRGB, in phrases.
    broken: whether it is unread because a file could not be read, not because of what its caption
    says. shares: what to take for the caption's, each 0 to 1, together 1: its own where it is true,
    its own in the right order where they are swapped, else the measured ones; () where the
    photograph shows colours that the caption does not name, or is unread.
    """

    file: Path
    caption: Caption | None
    measured: Measurement | None
    verdict: str
    reason: str
    notes: tuple[str, ...] = ()
    broken: bool = False
    shares: tuple[float, ...] = ()

    @property
    def total_variation(self) -> float | None:
        """Total variation of measured and captioned shares, 0 to 1; None where unread.

        Colours that are not told apart count as one.
        """
        if self.caption is None or self.measured is None:
            return None
        return self.measured.compare(self.caption.shares)


@dataclass(frozen=True)
class Audit:
    """An audit that each iteration does anew; it gives each photograph's Finding as it is ready."""

    listing: Listing
    palette: Palette

    def __iter__(self) -> Generator[Finding, None, None]:
        for file, fault in self.listing.faults.items():
            yield Finding(file, None, None, "unread", fault, broken=True)
        work = Work(partial(_audit_photograph, palette=self.palette), use_one_thread, MEMORY)
        done = do_jobs(work, self.listing.photographs)
        with closing(done) as results:
            for photographed, result in results:
                if isinstance(result, Death):
                    yield _give_up(photographed, None, result.reason)
                else:
                    yield result

    def __len__(self) -> int:
        return len(self.listing.photographs) + len(self.listing.faults)


def audit(folder: Path, palette: Palette, recursive: bool = False) -> Audit:
    """Audit the photographs of a folder, and of the folders in it where `recursive`.

    palette: the colours that captions may name. What cannot be read is a finding, too. Raises
    OSError for a folder that cannot be listed.
    """
    return Audit(photograph_folder.list_photographs(folder, recursive), palette)


def _audit_photograph(photographed: CaptionedFile, palette: Palette) -> Finding:
    """Compare one photograph's caption with what is measured on it."""
    file = photographed.file
    try:
        caption = read_caption(file, palette, lambda _: photographed.caption)
    except (CaptionError, UnknownColor) as fault:
        return Finding(file, None, None, "unread", str(fault))
    except TextError as fault:
        return _give_up(photographed, None, str(fault))
    found = use_photograph(file, partial(judge, file, caption))
    return found if isinstance(found, Finding) else _give_up(photographed, caption, found.reason)


def judge(file: Path, caption: Caption, loaded: Photograph) -> Finding:
    """Judge a caption by its photograph. Raises TooSmall for one that cannot be measured."""
    measured = measure(loaded.pixels, caption.colors)
    reason, shares = _find_lie(caption, measured)
    verdict = "lies" if reason else "true"
    return Finding(file, caption, measured, verdict, reason, loaded.notes, shares=shares)


def _give_up(photographed: CaptionedFile, caption: Caption | None, reason: str) -> Finding:
    """Say that a photograph or its caption could not be read."""
    return Finding(photographed.file, caption, None, "unread", reason, broken=True)


def _find_lie(caption: Caption, measured: Measurement) -> tuple[str, tuple[float, ...]]:
    """Say what is wrong with a caption, "" where nothing is; and which shares to take for its own.

    See Finding.
    """
    others = count_others(measured)
    if others > MOST_OTHERS:
        return f"{100 * others:.0f}% of the granules show other colours", ()
    shares = caption.shares
    if is_believable(shares, measured):
        return "", shares
    near = min(permutations(shares), key=measured.compare)
    if is_believable(near, measured):
        shown = ", ".join(_write_parts(near, caption.colors, measured))
        return f"swapped; it shows {shown}", near
    return "other shares", measured.shares


def count_others(measured: Measurement) -> float:
    """Count the granules in colours that were not looked for: their share of all, 0 to 1."""
    return measured.undecided / max(1 - measured.gaps, 1e-9)


def is_believable(shares: Sequence[float], measured: Measurement) -> bool:
    """Whether a picture may have these shares, for all that was measured on it.

    It may where each share lies at most _SURE times as far from the measured one as the end of its
    90% interval. Colours that are not told apart count as one, however their sum is parted; the sum
    is taken to be as sure as the least sure of the other colours, and no surer than _LEAST_OF_SUM.

    shares: one for each of the colours that were looked for, 0 to 1.
    """
    reaches = {part: _find_reach(measured, part) for part in _list_apart(measured)}
    widest = max([_LEAST_OF_SUM, *map(max, reaches.values())])
    reaches |= dict.fromkeys(measured.groups, (widest, widest))
    for colors, (down, up) in reaches.items():
        off = sum(shares[color] - measured.shares[color] for color in colors)
        if not -_SURE * max(down, _LEAST) <= off <= _SURE * max(up, _LEAST):
            return False
    return True


def _list_apart(measured: Measurement) -> list[tuple[int, ...]]:
    """List the colours that are told apart from all others, each as a group of its own."""
    together = {color for group in measured.groups for color in group}
    return [(color,) for color in range(len(measured.shares)) if color not in together]


def _find_reach(measured: Measurement, alone: tuple[int, ...]) -> tuple[float, float]:
    """Find how far the interval of one colour reaches below and above its share, 0 to 1."""
    (color,) = alone
    low, high = measured.intervals[color]
    return measured.shares[color] - low, high - measured.shares[color]


def _write_parts(
    shares: Sequence[float], colors: Sequence[Color], measured: Measurement
) -> Iterator[str]:
    """Write shares, those of colours that are not told apart as one: "80% white + pearl"."""
    for part in sorted([*_list_apart(measured), *measured.groups]):
        names = " + ".join(colors[color].phrase for color in part)
        yield f"{100 * sum(shares[color] for color in part):g}% {names}"
