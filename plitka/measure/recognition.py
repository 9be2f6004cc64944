"""Recognition: which colours of the palette a photograph shows, where no caption names them."""

from collections.abc import Iterable, Sequence

import numpy as np

from plitka.arrays import Doubles, Image
from plitka.color import cielab
from plitka.color.mix import MAX_COLORS
from plitka.color.palette import Color
from plitka.measure import color_modes
from plitka.measure.caption_audit import MOST_OTHERS, count_others
from plitka.measure.captions import Caption
from plitka.measure.segmentation import segment
from plitka.measure.shares import Measurement, check_size, measure, scale_for_measuring

_LEAST_MODE = 0.02  # of the picture's area; less may be light that two granules throw at each other
_LEAST_SHARE = 0.02  # of the granules; less is not told from shadows and mixed edges
# CIEDE2000 that a picture is off the palette's nearest colours; farther off, it shows others. One
# that shows a known mix is up to 20 off in one of its colours.
_STRANGE = 15.0
_UNSEEN = 25.0  # CIEDE2000 that a colour is taken to be off where no granule shows it for certain


def recognize(
    image: Image, colors: Sequence[Color], mixes: Iterable[Sequence[Color]] = ()
) -> tuple[Caption, Measurement] | None:
    """Recognize the colours of a picture of a tile, and measure their shares.

    A camera's white balance makes pearl of white, and green of dark green. So a mixture is compared
    with those that the maker is known to make, and only without such with the whole palette.
    image: (h, w, 3) sRGB, 0 to 255. colors: all that it may show. mixes: of some of them, in the
    order in which the first of equals wins. Returns the caption that the picture might have, and
    what was measured of its colours; None where it shows others, or more than can be measured.
    Raises TooSmall for a picture that cannot be measured.
    """
    check_size(image)
    modes = _list_modes(image)
    nearest = _list_nearest(modes, colors)
    known = [] if len(modes) == 1 else _list_broadest(mixes)
    fits = [fit for mix in known if (fit := _fit(image, mix)) is not None]
    if not fits:
        fit = _fit(image, nearest)
        return None if fit is None or _compute_drift(fit) > _STRANGE else fit
    return min(fits, key=_compute_drift)


def _list_broadest(mixes: Iterable[Sequence[Color]]) -> list[Sequence[Color]]:
    """List the mixes of several colours that are no part of another; of equals, the first."""
    distinct = {frozenset(mix): mix for mix in reversed(list(mixes)) if len(mix) > 1}
    kept = [mix for mix in distinct if not any(mix < other for other in distinct)]
    return [distinct[mix] for mix in reversed(kept)]


def _list_modes(image: Image) -> Doubles:
    """List the colours that are a picture's own beyond doubt: (M, 3) L*a*b*."""
    small = scale_for_measuring(image)
    segments = segment(small, cielab.rgb_to_lab(small))
    modes = color_modes.find_modes(segments, color_modes.COARSE)
    clear = (modes.valley < color_modes.DEEP) & (modes.weight > _LEAST_MODE)
    return np.asarray(modes.lab[clear])


def _list_nearest(modes: Doubles, colors: Sequence[Color]) -> list[Color]:
    """List the colours that some mode, (M, 3) L*a*b*, is nearest to."""
    labs = np.array([color.lab for color in colors])
    far = cielab.ciede2000(modes[:, None], labs[None])
    return [colors[index] for index in sorted({int(row.argmin()) for row in far})]


def _fit(image: Image, mix: Sequence[Color]) -> tuple[Caption, Measurement] | None:
    """Measure a mix, and again without what is hardly there; None where it does not fit."""
    colors = list(mix)
    while 0 < len(colors) <= MAX_COLORS:
        measured = measure(image, colors)
        pairs = zip(colors, measured.shares, strict=True)
        shown = [(color, share) for color, share in pairs if share >= _LEAST_SHARE]
        if len(shown) == len(colors):
            if count_others(measured) > MOST_OTHERS:
                return None
            return Caption(tuple(colors), tuple(100 * share for _, share in shown)), measured
        colors = [color for color, _ in shown]
    return None


def _compute_drift(fit: tuple[Caption, Measurement]) -> float:
    """Compute how far all granules are off the fit's colours in the mean: CIEDE2000."""
    _, measured = fit
    others = count_others(measured)
    pairs = zip(measured.differences, measured.shares, strict=True)
    drift = sum(share * (_UNSEEN if far is None else far) for far, share in pairs)
    return (1 - others) * drift + others * _UNSEEN
