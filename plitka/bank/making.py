"""Making a bank of a maker's photographs of one-colour tiles, in worker processes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from plitka.arrays import Image
from plitka.bank.bank import Source, measure_tone, rank_pixels
from plitka.bank.cutting import choose_whole, cut_granules, even_light
from plitka.bank.files import MadeColor, MadePhotograph
from plitka.bank.granule_scale import GranuleScale, measure_granule_scale
from plitka.bank.manifest import MOST_PHOTOGRAPHS, MOST_PIXELS, MOST_WHOLE
from plitka.bank.quilting import SMALLEST
from plitka.color.cielab import lab_to_rgb, rgb_to_lab, to_lab
from plitka.color.palette import Color
from plitka.images.photograph import Photograph
from plitka.measure.reading import MEMORY, Unread, use_one_thread, use_photograph
from plitka.runtime.processes import Work, do_jobs

# Photographs whose factor lies between are not scaled, and stay sharp: those of 15 colours, all
# taken from the same height, measure 0.77 to 1.22.
_AS_IT_IS = (0.7, 1.4)
_FEWEST_WHOLE = 12  # granules of a colour that are fit to be laid elsewhere


@dataclass(frozen=True)
class NotBanked:
    """A photograph, or a colour's folder, that the bank has no use for. reason: as a phrase."""

    file: Path
    reason: str


@dataclass(frozen=True)
class _Job:
    """A photograph to cut: of one colour, of whose photographs `pixels` may be kept of each."""

    code: str
    file: Path
    color: Color
    pixels: int


@dataclass(frozen=True, eq=False)
class _Cut:
    """A photograph that is cut into granules."""

    source: Source
    scale: GranuleScale


def make_colors(
    photographs: Mapping[Color, Sequence[Path]],
    tell: Callable[[NotBanked], None] = lambda event: None,
) -> list[MadeColor]:
    """Make the colours of a bank, in the order of `photographs`.

    photographs: of each colour, which they are known to show alone; the first MOST_PHOTOGRAPHS
    that can be used are. tell: is told of each that cannot be used.
    """
    jobs = [
        _Job(color.code, file, color, MOST_PIXELS // min(len(files), MOST_PHOTOGRAPHS))
        for color, files in photographs.items()
        for file in files[:MOST_PHOTOGRAPHS]
    ]
    cut: dict[str, dict[Path, _Cut]] = {job.code: {} for job in jobs}
    left = Counter(job.code for job in jobs)
    made: dict[str, MadeColor] = {}
    with closing(do_jobs(Work(_cut_file, use_one_thread, MEMORY), jobs)) as results:
        for job, result in results:
            if isinstance(result, _Cut):
                cut[job.code][job.file] = result
            else:
                tell(NotBanked(job.file, result.reason))
            left[job.code] -= 1
            if not left[job.code] and (complete := cut.pop(job.code)):
                color = _make_color(job.code, [complete[file] for file in sorted(complete)])
                if color is None:
                    tell(NotBanked(job.file.parent, "shows too few whole granules"))
                else:
                    made[job.code] = color
    return [made[color.code] for color in photographs if color.code in made]


def _cut_file(job: _Job) -> _Cut | Unread:
    return use_photograph(job.file, partial(_cut_photograph, job))


def _cut_photograph(job: _Job, loaded: Photograph) -> _Cut | Unread:
    scale = measure_granule_scale(loaded.pixels, (job.color,), (1.0,))
    pixels = _scale(loaded.pixels, scale, job.pixels)
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST:
        return Unread(
            f"is too small for the bank: {width}x{height} pixels, once its granules are as large as"
            f" a picture's; at least {SMALLEST} a side are needed"
        )
    return _Cut(cut_granules(even_light(pixels)), scale)


def _scale(pixels: Image, scale: GranuleScale, most: int) -> Image:
    """Scale a photograph by its factor, and cut out its middle, of at most so many pixels."""
    low, high = _AS_IT_IS
    factor = 1.0 if low < scale.factor < high else scale.factor
    height, width = pixels.shape[:2]
    over = max(np.sqrt(height * width * factor**2 / most), 1.0)
    rows, columns = int(height / over), int(width / over)
    top, left = (height - rows) // 2, (width - columns) // 2
    middle = np.ascontiguousarray(pixels[top : top + rows, left : left + columns])
    if factor == 1:
        return middle
    size = (int(columns * factor), int(rows * factor))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(middle, size, interpolation=way), np.uint8)


def _make_color(code: str, cuts: Sequence[_Cut]) -> MadeColor | None:
    """Put the photographs of a colour together; None where they show too few whole granules."""
    cuts = _balance(cuts)
    labs = [rgb_to_lab(cut.source.pixels).reshape(-1, 3) for cut in cuts]
    tone = measure_tone(labs)
    median = to_lab(np.median(np.concatenate(labs), axis=0))
    photographs = []
    for cut in cuts:
        ranks = rank_pixels(cut.source.pixels, tone)[..., 0]
        whole = choose_whole(cut.source, ranks, MOST_WHOLE // len(cuts))
        made = MadePhotograph(cut.source, tuple(whole), cut.scale.factor, cut.scale.sure)
        photographs.append(made)
    if sum(len(one.whole) for one in photographs) < _FEWEST_WHOLE:
        return None
    return MadeColor(code, median, tone, tuple(photographs))


def _balance(cuts: Sequence[_Cut]) -> list[_Cut]:
    """Bring the photographs of a colour to the same mean and spread of L*, and mean a*, b*."""
    if len(cuts) == 1:
        return list(cuts)
    labs = [rgb_to_lab(cut.source.pixels) for cut in cuts]
    means = np.array([lab.reshape(-1, 3).mean(axis=0) for lab in labs])
    spreads = np.array([lab[..., 0].std() for lab in labs])
    balanced = []
    for cut, lab, mean, spread in zip(cuts, labs, means, spreads, strict=True):
        stretch = np.array([spreads.mean() / max(spread, 1e-3), 1, 1])
        moved = (lab - mean) * stretch + means.mean(axis=0)
        pixels = lab_to_rgb(moved.astype(np.float32))
        balanced.append(replace(cut, source=replace(cut.source, pixels=pixels)))
    return balanced
