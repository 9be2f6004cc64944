"""Segments -> colours: which of the requested colours each segment shows, and which show none.

The colours of a picture drift from the palette: light, camera, the maker's granules, a model. So
the colours that the picture itself has are found first, and each requested colour then claims the
one that is nearest to it. A colour that finds none is not in the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.color.srgb import Lab
from plitka.measure import color_modes
from plitka.measure.color_modes import Modes
from plitka.measure.segmentation import Segments

NO_COLOR = -1
"""The owner of segments that show none of the colours."""

SHADOW = 0.55
"""Of a colour's L*: what is darker is a gap or deep shadow, in black as in white."""

_DARKEST = 5.0  # L*; where no colour is seen at all, only what is darker is a gap

# Claims: how far the picture's colour may lie from the palette's, in CIEDE2000.
_DRIFT = 26.0  # the green granules of the mixed photographs, called DKGREEN there, have up to 21
_SMALL_DRIFT = 15.0  # of a mode that is small: sheen and shade make such modes too
_LARGE_DRIFT = 36.0  # of one that is large and of that hue: those granules in a bright exposure
_ONE_HUE = 35.0  # degrees
_GRAY, _VIVID = 8.0, 20.0  # C*ab: the most that a gray has, and more than what fades to one
_TINTED, _LAMP_LIT = 25.0, 45.0  # C*ab: the most that light gives a gray, and that lamps do
_LAMP_HUES = (50.0, 110.0)  # degrees
_FADED_DRIFT = 12.0  # of a gray to colours that are none, and of those to grays
_SMALL, _LARGE = 0.01, 0.05  # of the picture's area
_SHALLOW_DRIFT = 7.0  # of a mode without a deep valley: only the palette makes it believable
_SHALLOW_LEAST = 0.04
_DISTINCT = 4.0  # from the modes that are claimed already
_CROWD = 4.0  # how much farther off a mode may be for each e-fold of its area
_EXPLAINED = 40.0  # and for the whole of the picture: what nobody claims would be strangers

# How far a segment lies off its colour, in a*, b* and in the lightness that light makes.
_CHROMA_SPREAD = 8.0
_DARKER, _LIGHTER = (0.30, 4.0), (0.12, 8.0)  # (of the colour's L*, plus)
_OWN_LIGHT = 0.7  # how much the colour's own photograph counts for that, against the average
_UNLIKELY = 5.5  # half the square of the distance; farther off, a segment is nobody's
_STRANGER = 1.5  # the same of a mode: farther from every claimed one, it is a colour of its own
_ABUNDANCE = 0.2  # power of a colour's share in its likelihood; 1 starves colours that overlap
_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Classification:
    """centres: L*a*b* of each colour as this picture shows it, None for one that it does not show.

    strangers: colours of the picture that are none of those looked for.
    material: (N,) what each segment is nearest to: an index into `centres`, or after those into
    `strangers`; NOBODY where the picture has no colour of its own.
    owner: (N,) index of the colour that each segment surely shows, NOBODY for none of them.
    nearest: (N,) index of the colour that each segment is nearest to, gaps included; NOBODY only
    where none of them is shown.
    shadow: (N,) whether it is a gap or deep shadow.
    """

    centres: tuple[Lab | None, ...]
    strangers: tuple[Lab, ...]
    material: NDArray[np.int64]
    owner: NDArray[np.int64]
    nearest: NDArray[np.int64]
    shadow: NDArray[np.bool_]


def classify(segments: Segments, colors: Sequence[Color]) -> Classification:
    """Sort a picture's segments by the colours, as the picture itself shows them."""
    centres, strangers = _claims(segments, colors)
    return classify_by(segments.lab, segments.area, colors, centres, strangers)


def sum_shares(found: Classification, segments: Segments) -> tuple[float, ...]:
    """Of the area of granules, each 0 to 1, together 1 (all 0 where no granule is seen)."""
    sure = found.owner != NO_COLOR
    count = len(found.centres)
    area = np.bincount(found.owner[sure], weights=segments.area[sure], minlength=count)
    return tuple((area / max(area.sum(), 1)).tolist())


def classify_by(
    lab: Doubles,
    area: Doubles,
    colors: Sequence[Color],
    centres: tuple[Lab | None, ...],
    strangers: tuple[Lab, ...] = (),
) -> Classification:
    """Sort segments, (N, 3) and (N,), by colours that are known to look like `centres`."""
    shown = [index for index, centre in enumerate(centres) if centre is not None]
    looks = [centre for centre in centres if centre is not None]
    lights = [_light(colors[index], centre) for index, centre in zip(shown, looks, strict=True)]
    looks += strangers
    lights += [_usual_light(stranger) for stranger in strangers]
    if not looks:
        nobody = np.full(len(area), NO_COLOR)
        return Classification(centres, strangers, nobody, nobody, nobody, lab[:, 0] < _DARKEST)
    off = [_distance(lab, look, light) for look, light in zip(looks, lights, strict=True)]
    strangeness = np.stack(off, axis=1)
    unlikeliness = strangeness + np.log([sum(light) for light in lights])
    index = _most_likely(unlikeliness, area)
    number = np.array([*shown, *range(len(centres), len(centres) + len(strangers))])
    material = number[index]
    depth = np.array([look[0] for look in looks]) * SHADOW
    if not shown:
        nobody = np.full(len(area), NO_COLOR)
        shadow = lab[:, 0] < np.maximum(depth[index], _DARKEST)
        return Classification(centres, strangers, material, nobody, nobody, shadow)
    among = np.where(index < len(shown), index, unlikeliness[:, : len(shown)].argmin(axis=1))
    nearest = np.array(shown)[among]
    shadow = lab[:, 0] < depth[among]
    near = strangeness[np.arange(len(area)), index] < _UNLIKELY
    owner = np.where((material == nearest) & near & ~shadow, nearest, NO_COLOR)
    return Classification(centres, strangers, material, owner, nearest, shadow)


def _most_likely(unlikeliness: Doubles, area: Doubles) -> NDArray[np.int64]:
    """(N,) the likeliest column of each row; the more area a column has, the likelier it is."""
    index = unlikeliness.argmin(axis=1)
    for _ in range(_ROUNDS):
        share = np.bincount(index, weights=area, minlength=unlikeliness.shape[1]) / area.sum()
        index = (unlikeliness - _ABUNDANCE * np.log(share + 1e-4)).argmin(axis=1)
    return np.asarray(index)


def _claims(
    segments: Segments, colors: Sequence[Color]
) -> tuple[tuple[Lab | None, ...], tuple[Lab, ...]]:
    """The mode that each colour claims, and the modes that none of the colours explains.

    Each mode goes to one colour at most, so that the sum of what speaks for the claims is highest.
    Colours that find none look once more, for shallow modes near their own place in the palette.
    """
    found = color_modes.find_modes(segments, color_modes.COARSE)
    deep = found.valley < color_modes.DEEP
    drift = np.where(found.weight < _SMALL, _SMALL_DRIFT, _DRIFT)
    choice = _claimed(found, colors, np.where(deep, _of_one_hue(found, colors, drift), 0))
    centres = [None if mode is None else cielab.as_lab(found.lab[mode]) for mode in choice]
    missing = [index for index, centre in enumerate(centres) if centre is None]
    if missing:
        fine = color_modes.find_modes(segments, color_modes.FINE)
        reach = np.where(fine.weight < _SHALLOW_LEAST, 0, _SHALLOW_DRIFT)
        for centre in centres:
            if centre is not None:
                reach[cielab.ciede2000(fine.lab, centre) < _DISTINCT] = 0
                reach[_is_shadow(fine.lab, centre)] = 0
        second = _claimed(fine, [colors[index] for index in missing], reach[None])
        for index, mode in zip(missing, second, strict=True):
            if mode is not None:
                centres[index] = cielab.as_lab(fine.lab[mode])
    strangers = tuple(
        cielab.as_lab(lab)
        for lab in found.lab[deep]
        if all(
            _distance(lab[None], centre, _usual_light(centre))[0] > _STRANGER
            for centre in centres
            if centre is not None
        )
    )
    return tuple(centres), strangers


def _of_one_hue(found: Modes, colors: Sequence[Color], drift: Doubles) -> Doubles:
    """(K, M) `drift` (M,) by hue: farther for large modes of a colour's own, less for grays that
    are claimed by colours and the other way round.
    """
    palette, picture = np.array([color.lab[1:] for color in colors]), found.lab[:, 1:]
    vivid = np.linalg.norm(palette, axis=1)[:, None], np.linalg.norm(picture, axis=1)[None]
    one = palette @ picture.T >= np.cos(np.radians(_ONE_HUE)) * vivid[0] * vivid[1]
    one &= (np.minimum(*vivid) > _GRAY) & (found.weight > _LARGE)
    faded = (vivid[0] > _VIVID) & (vivid[1] < _GRAY)
    hue = np.degrees(np.arctan2(picture[:, 1], picture[:, 0]))
    by_lamps = (hue > _LAMP_HUES[0]) & (hue < _LAMP_HUES[1])
    faded |= (vivid[0] < _GRAY) & (vivid[1] > np.where(by_lamps, _LAMP_LIT, _TINTED))
    return np.where(one, _LARGE_DRIFT, np.where(faded, np.minimum(drift, _FADED_DRIFT), drift))


def _is_shadow(lab: Doubles, centre: Lab) -> NDArray[np.bool_]:
    """(M,) whether colours (M, 3) are what `centre` looks like in deep shadow."""
    off = np.linalg.norm(lab[:, 1:] - cielab.shade(centre, lab[:, 0]), axis=1)
    return np.asarray((off < _CHROMA_SPREAD / 2) & (lab[:, 0] < SHADOW * centre[0]))


def _claimed(found: Modes, colors: Sequence[Color], reach: Doubles) -> list[int | None]:
    """The mode that each colour claims. reach: (K, M) or (1, M) CIEDE2000 within which one may."""
    palette = np.array([color.lab for color in colors])
    far = cielab.ciede2000(palette[:, None], found.lab[None])
    worth = _LARGE_DRIFT - far + _CROWD * np.log(found.weight / found.weight.min(initial=1))
    worth += _EXPLAINED * found.weight
    worth[far > reach] = -np.inf
    return _assigned(worth)


def _assigned(worth: Doubles) -> list[int | None]:
    """One mode or None for each colour, no mode twice, so that the sum of worths is highest.

    worth: (K, M), -inf where a claim is out of the question. Dynamic programming over the sets
    of colours that are served already.
    """
    colors = len(worth)
    sets = np.arange(1 << colors)
    best = np.where(sets == 0, 0.0, -np.inf)
    taken: list[NDArray[np.int64]] = []
    for of_colors in worth.T:
        options = [best]
        for color in range(colors):
            without = sets & ~(1 << color)
            claimed = best[without] + of_colors[color]
            options.append(np.where(sets == without, -np.inf, claimed))
        taken.append(np.argmax(options, axis=0))
        best = np.max(options, axis=0)
    choice: list[int | None] = [None] * colors
    served = int(np.argmax(best))
    for mode in reversed(range(worth.shape[1])):
        option = int(taken[mode][served])
        if option:
            choice[option - 1] = mode
            served &= ~(1 << (option - 1))
    return choice


def _distance(lab: Doubles, centre: Lab, light: tuple[float, float]) -> Doubles:
    """(N,) half the square of how far colours (N, 3) lie off the shade curve of `centre`.

    light: how far a granule gets darker and lighter than `centre`, standard deviations of L*.
    """
    lightness = lab[:, 0] - centre[0]
    lightness = lightness / np.where(lightness < 0, *light)
    off = (lab[:, 1:] - cielab.shade(centre, lab[:, 0])) / _CHROMA_SPREAD
    return np.asarray(0.5 * (off**2).sum(axis=1) + 0.5 * lightness**2)


def _light(color: Color, centre: Lab) -> tuple[float, float]:
    """How far a colour's granules get darker and lighter than `centre`."""
    p5, _, p50, _, p95 = color.lightness
    own = ((p50 - p5) / 1.645, (p95 - p50) / 1.645)
    darker, lighter = (
        _OWN_LIGHT * one + (1 - _OWN_LIGHT) * usual
        for one, usual in zip(own, _usual_light(centre), strict=True)
    )
    return darker, lighter


def _usual_light(centre: Lab) -> tuple[float, float]:
    return _DARKER[0] * centre[0] + _DARKER[1], _LIGHTER[0] * centre[0] + _LIGHTER[1]
