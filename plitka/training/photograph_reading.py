"""What worker processes read of a photograph: its size, its granules, its colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from plitka.arrays import Floats
from plitka.bank.granule_scale import GranuleScale, measure_granule_scale
from plitka.color import palette
from plitka.color.palette import Color
from plitka.images.photograph import Photograph
from plitka.measure.caption_audit import Finding, judge
from plitka.measure.captions import Caption
from plitka.measure.palette_calibration import Sample, sample_pixels
from plitka.measure.reading import Unread, use_photograph
from plitka.measure.recognition import recognize
from plitka.measure.shares import Measurement
from plitka.training.near_duplicates import take_fingerprint


@dataclass(frozen=True, eq=False)
class Look:
    """What is read of each photograph. size: width and height in pixels, upright."""

    size: tuple[int, int]
    fingerprint: Floats
    granules: GranuleScale


@dataclass(frozen=True, eq=False)
class Sampled:
    """A photograph that is said to show one colour. sample: Unread where it shows more."""

    look: Look
    sample: Sample | Unread


@dataclass(frozen=True, eq=False)
class Examined:
    """Any other photograph.

    finding: of its caption, None where it has none that can be read. recognized: the caption that
    it might have, and what was measured of that; None where the finding has shares to take, or it
    shows colours that the palette lacks.
    """

    look: Look
    finding: Finding | None
    recognized: tuple[Caption, Measurement] | None


@dataclass(frozen=True)
class ToSample:
    """A photograph to sample. pixels: how many of its pixels to take at most."""

    file: Path
    pixels: int


@dataclass(frozen=True)
class ToExamine:
    """A photograph to examine. caption: None where it has none that can be read."""

    file: Path
    caption: Caption | None


def sample(job: ToSample) -> Sampled | Unread:
    """Sample the pixels of a photograph that is said to show one colour."""
    return use_photograph(job.file, partial(_sample, job.pixels))


def examine(
    job: ToExamine, colors: Sequence[Color], mixes: Sequence[Sequence[Color]]
) -> Examined | Unread:
    """Judge a caption, or recognize what the photograph shows where there is nothing to judge.

    colors, mixes: see `recognize`.
    """
    return use_photograph(job.file, partial(_examine, job, colors, mixes))


def _sample(pixels: int, loaded: Photograph) -> Sampled:
    sampled = sample_pixels(pixels, loaded)
    any_color = palette.load().colors[:1]
    return Sampled(_look(loaded, any_color, (1.0,)), sampled)


def _examine(
    job: ToExamine, colors: Sequence[Color], mixes: Sequence[Sequence[Color]], loaded: Photograph
) -> Examined:
    finding = None if job.caption is None else judge(job.file, job.caption, loaded)
    told = () if finding is None else finding.shares
    recognized = None if told else recognize(loaded.pixels, colors, mixes)
    if recognized is not None:
        mix, shares = recognized[0].colors, recognized[0].shares
    elif job.caption is not None:
        mix, shares = job.caption.colors, told or job.caption.shares
    else:
        mix, shares = (), ()
    return Examined(_look(loaded, mix, shares), finding, recognized)


def _look(loaded: Photograph, colors: tuple[Color, ...], shares: tuple[float, ...]) -> Look:
    height, width = loaded.pixels.shape[:2]
    granules = GranuleScale(1.0, sure=False)
    if colors:
        granules = measure_granule_scale(loaded.pixels, colors, shares)
    return Look((width, height), take_fingerprint(loaded.pixels), granules)
