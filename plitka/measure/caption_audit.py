"""Caption audit: compares the shares in photographs' captions with those measured on them.

For makers who train a LoRA of their own. A caption is the text file beside a photograph
(`tile.txt`: "60% red, 40% blue", as in prompts), or else the photograph's name
(`REDp60_BLUEp40.jpg`, `RED.jpg`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from plitka.color.mix import MAX_COLORS, adds_up_to
from plitka.color.palette import Color, Palette, UnknownColor
from plitka.images import photograph
from plitka.images.photograph import SUFFIXES
from plitka.measure.shares import Measurement, measure

# Lengths of an interval's half. To be outside of a 90% interval is no proof: one honest share in
# ten is. Twice as far out, one normal error in a thousand is; the honest photographs reach 1.7, and
# the swapped ones begin at 4.0.
_SURE = 2.0
_LEAST = 0.02  # that the half of an interval is taken to be: captions themselves are rounded
_LEAST_OF_SUM = 0.05  # the same of a group's sum, which has no interval of its own
_OTHER_COLORS = 0.15  # of the granules' area in colours that the caption does not name

_IN_NAME = re.compile(r"([A-Za-z]+?)p(\d+(?:\.\d+)?)")
_IN_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*%\s*(?:of\s+)?([A-Za-z][A-Za-z _-]*)")


class CaptionError(ValueError):
    """A caption that names no shares; the message says why."""


@dataclass(frozen=True)
class Caption:
    """What a photograph is said to show.

    percent: the shares in the order of the colours, each above 0, together 100.
    """

    colors: tuple[Color, ...]
    percent: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares as 0 to 1."""
        return tuple(percent / 100 for percent in self.percent)


@dataclass(frozen=True)
class Finding:
    """What the audit found of one photograph.

    caption, measured: None where the caption could not be read. verdict: "true", "lies", or
    "unread". reason: a phrase that says why, "" where the verdict is "true".
    """

    file: Path
    caption: Caption | None
    measured: Measurement | None
    verdict: str
    reason: str

    @property
    def total_variation(self) -> float | None:
        """Total variation of measured and captioned shares, 0 to 1; None where unread.

        Colours that are not told apart count as one.
        """
        if self.caption is None or self.measured is None:
            return None
        return self.measured.compare(self.caption.shares)


def audit(folder: Path, palette: Palette) -> Iterator[Finding]:
    """Audit the photographs of a folder, in the order of their names.

    palette: the colours that captions may name. Raises OSError for a folder or photograph that
    cannot be read, and PictureError for a file that is not a picture.
    """
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in SUFFIXES:
            yield _audit_photograph(file, palette)


def read_caption(file: Path, palette: Palette) -> Caption:
    """Read the caption of a photograph: the text file beside it, or else the file's own name.

    The photograph itself need not exist. palette: the colours that captions may name. Raises
    CaptionError where the caption names no shares, too many colours, or shares that do not add up;
    UnknownColor for a name that no colour has.
    """
    beside = file.with_suffix(".txt")
    if beside.is_file():
        return _parse_text(beside.read_text(encoding="utf-8", errors="replace"), palette)
    return _parse_name(file.stem, palette)


def _audit_photograph(file: Path, palette: Palette) -> Finding:
    """Compare one photograph's caption with what is measured on it."""
    try:
        caption = read_caption(file, palette)
    except (CaptionError, UnknownColor) as fault:
        return Finding(file, None, None, "unread", str(fault))
    measured = measure(photograph.load(file).pixels, caption.colors)
    reason = _find_lie(caption, measured)
    return Finding(file, caption, measured, "lies" if reason else "true", reason)


def _find_lie(caption: Caption, measured: Measurement) -> str:
    """Say what is wrong with a caption; "" where nothing is."""
    others = measured.undecided / max(1 - measured.gaps, 1e-9)
    if others > _OTHER_COLORS:
        return f"{100 * others:.0f}% of the granules show other colours"
    shares = caption.shares
    if is_believable(shares, measured):
        return ""
    near = min(permutations(shares), key=measured.compare)
    if is_believable(near, measured):
        return "swapped; it shows " + ", ".join(_write_parts(near, caption.colors, measured))
    return "other shares"


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


def _parse_name(stem: str, palette: Palette) -> Caption:
    """Parse a file's name without its suffix: "REDp60_BLUEp40_2" or "RED"."""
    tokens = [token for token in re.split(r"[_+, ]+", stem) if token]
    while tokens and re.fullmatch(r"\(?\d+\)?", tokens[-1]):
        tokens.pop()  # "REDp60_BLUEp40_2": the second photograph of such a tile
    if len(tokens) == 1 and not _IN_NAME.fullmatch(tokens[0]):
        return _make_caption([(tokens[0], 100.0)], palette)
    parts = [_IN_NAME.fullmatch(token) for token in tokens]
    read = [(part[1], float(part[2])) for part in parts if part]
    if not read or len(read) < len(parts):
        raise CaptionError("its name is no caption like REDp60_BLUEp40")
    return _make_caption(read, palette)


def _parse_text(text: str, palette: Palette) -> Caption:
    """Parse a text like "60% red, 40% blue"."""
    read = [
        (_find_known_name(words, palette), float(percent))
        for percent, words in _IN_TEXT.findall(text)
    ]
    if not read:
        raise CaptionError('its text names no shares like "60% red, 40% blue"')
    return _make_caption(read, palette)


def _find_known_name(words: str, palette: Palette) -> str:
    """Find the longest colour name that a text begins with: "dark green" in "dark green rubber".

    Returns the whole text where no name is known.
    """
    parts = words.split()
    for count in range(len(parts), 0, -1):
        name = " ".join(parts[:count])
        try:
            palette.find(name)
        except UnknownColor:
            continue
        return name
    return words.strip()


def _make_caption(read: list[tuple[str, float]], palette: Palette) -> Caption:
    """Check and normalise the (name, percent) pairs of a caption; shares of one colour add up."""
    shares: dict[Color, float] = {}
    for name, percent in read:
        color = palette.find(name)
        shares[color] = shares.get(color, 0.0) + percent
    shares = {color: percent for color, percent in shares.items() if percent > 0}
    total = sum(shares.values())
    if not adds_up_to(total, 100):
        raise CaptionError(f"its shares add up to {total:g}%, not to 100%")
    if len(shares) > MAX_COLORS:
        raise CaptionError(f"it names {len(shares)} colours; at most {MAX_COLORS} are measured")
    return Caption(tuple(shares), tuple(100 * part / total for part in shares.values()))
