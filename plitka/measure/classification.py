"""Segment -> colour: which of the requested colours each segment of a picture shows, if any.

The colours of a picture drift from the palette: light, camera, the maker's granules, a model. So
the colours that the picture itself has are found first (`color_modes`), and each requested colour
then claims the nearest of them. A colour that finds none is not in the picture.
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
"""In place of a colour's index: none of the colours that were looked for."""

SHADOW = 0.55
"""Share of a colour's L*; a darker segment is a gap or deep shadow, in black as in white."""

_DARKEST = 5.0  # L*; where no colour is seen at all, only what is darker is a gap

# Claims: how far the picture's colour may lie from the palette's, in CIEDE2000.
_DRIFT = 26.0  # the green granules of the mixed photographs, called DKGREEN there, have up to 21
_SMALL_DRIFT = 15.0  # of a mode that is small: sheen and shade make such modes too
_LARGE_DRIFT = 36.0  # of one that is large and of that hue: those granules in a bright exposure
_ONE_HUE = 35.0  # degrees
_GRAY, _VIVID = 8.0, 20.0  # C*ab: the most that a gray has, and more than what fades to one
_TINTED, _LAMP_LIT = 25.0, 45.0  # C*ab: the most that light gives a gray, and that lamps do
_LAMP_HUES = (50.0, 110.0)  # degrees
_FADED_DRIFT = 12.0  # from a gray to a vivid colour, and the other way round
_SMALL, _LARGE = 0.01, 0.05  # of the picture's area
_SHALLOW_DRIFT = 7.0  # of a mode without a deep valley: only the palette makes it believable
_SHALLOW_LEAST = 0.04  # of the picture's area
_DISTINCT = 4.0  # from the modes that are claimed already
_CROWD = 4.0  # how much farther off a mode may be for each e-fold of its area
_EXPLAINED = 40.0  # and for the whole of the picture: what no colour claims would be strangers

# How far a segment lies off its colour, in a*, b* and in the lightness that light makes.
_CHROMA_SPREAD = 8.0  # standard deviation of a*, b*
_DARKER, _LIGHTER = (0.30, 4.0), (0.12, 8.0)  # (of the colour's L*, plus)
_OWN_LIGHT = 0.7  # how much the colour's own photograph counts for that, against the average
_UNLIKELY = 5.5  # half the square of the distance; farther off, a segment shows none
_STRANGER = 1.5  # the same of a mode: farther from every claimed one, it is a colour of its own
_ABUNDANCE = 0.2  # power of a colour's share in its likelihood; 1 starves colours that overlap
_ROUNDS = 4  # of counting areas and classifying by them


@dataclass(frozen=True, eq=False)
class Classification:
    """What each of a picture's N segments shows of the K colours that were looked for.

    centres: K times the L*a*b* that granules of the colour have on this picture at median
    lightness, or None for a colour that the picture does not show.
    strangers: L*a*b* of further colours of the picture, which are none of the K.
    material: (N,) the likeliest of all these: 0 to K - 1 an index into `centres`, from K on one
    into `strangers`; NO_COLOR everywhere if the picture shows neither.
    owner: (N,) 0 to K - 1, the colour that the segment shows beyond doubt, or NO_COLOR: for gaps,
    deep shadow, strangers, and colours far from every centre.
    nearest: (N,) 0 to K - 1, the likeliest of the K colours, for gaps and strangers too; NO_COLOR
    everywhere if none of the K is shown.
    shadow: (N,) whether the segment is a gap or in deep shadow, see SHADOW.
    """

    centres: tuple[Lab | None, ...]
    strangers: tuple[Lab, ...]
    material: NDArray[np.int64]
    owner: NDArray[np.int64]
    nearest: NDArray[np.int64]
    shadow: NDArray[np.bool_]


def classify(segments: Segments, colors: Sequence[Color]) -> Classification:
    """Find which of K colours each segment of a picture shows, judged by the picture's own colours.

    segments: N segments. colors: K colours of the palette, 8 at most: time and memory double with
    each.
    """
    centres, strangers = _claim_modes(segments, colors)
    return classify_by_centres(segments.lab, segments.area, colors, centres, strangers)


def sum_shares(classification: Classification, segments: Segments) -> tuple[float, ...]:
    """Sum up each colour's share of the area that some colour owns.

    Returns K numbers of 0 to 1 that add up to 1, or K zeros where no segment has an owner.
    """
    sure = classification.owner != NO_COLOR
    count = len(classification.centres)
    area = np.bincount(classification.owner[sure], weights=segments.area[sure], minlength=count)
    return tuple((area / max(area.sum(), 1)).tolist())


def classify_by_centres(
    lab: Doubles,
    area: Doubles,
    colors: Sequence[Color],
    centres: tuple[Lab | None, ...],
    strangers: tuple[Lab, ...] = (),
) -> Classification:
    """Find which of K colours each of N segments shows, where the colours' looks are known.

    lab: (N, 3) mean L*a*b* of the segments. area: (N,) pixels. colors: K colours of the palette;
    their spread of lightness is used. centres, strangers: see Classification.
    """
    looks = _list_looks(colors, centres, strangers)
    no_color = np.full(len(area), NO_COLOR)
    if not len(looks.index):  # the picture has no colour of its own
        shadow = lab[:, 0] < _DARKEST
        return Classification(centres, strangers, no_color, no_color, no_color, shadow)
    distance = _compute_distances(lab, looks)
    unlikeliness = distance + np.log([sum(spread) for spread in looks.spread])
    likeliest = _pick_likeliest(unlikeliness, area)
    material = looks.index[likeliest]
    if not looks.shown:  # none of the K colours, only strangers
        shadow = lab[:, 0] < np.maximum(looks.darkest[likeliest], _DARKEST)
        return Classification(centres, strangers, material, no_color, no_color, shadow)
    likeliest_shown = np.where(
        likeliest < looks.shown, likeliest, unlikeliness[:, : looks.shown].argmin(axis=1)
    )
    nearest = looks.index[likeliest_shown]
    shadow = lab[:, 0] < looks.darkest[likeliest_shown]
    near = distance[np.arange(len(area)), likeliest] < _UNLIKELY
    owner = np.where((material == nearest) & near & ~shadow, nearest, NO_COLOR)
    return Classification(centres, strangers, material, owner, nearest, shadow)


@dataclass(frozen=True, eq=False)
class _Looks:
    """The J colours that a picture shows: first those that were looked for, then the strangers.

    index: (J,) the colour as Classification.material numbers it. lab: J times L*a*b*. spread: J
    times the standard deviations of L* towards dark and towards light. shown: how many of the J
    were looked for.
    """

    index: NDArray[np.int64]
    lab: tuple[Lab, ...]
    spread: tuple[tuple[float, float], ...]
    shown: int

    @property
    def darkest(self) -> Doubles:
        """(J,) the L* below which a segment of each colour is in shadow."""
        return np.array([lab[0] for lab in self.lab]) * SHADOW


def _list_looks(
    colors: Sequence[Color], centres: Sequence[Lab | None], strangers: tuple[Lab, ...]
) -> _Looks:
    """List what the colours that are shown, and the strangers, look like on the picture."""
    shown = [(index, centre) for index, centre in enumerate(centres) if centre is not None]
    spread = [_estimate_spread(colors[index], centre) for index, centre in shown]
    of_strangers = range(len(centres), len(centres) + len(strangers))
    return _Looks(
        np.array([*(index for index, _ in shown), *of_strangers], np.int64),
        (*(centre for _, centre in shown), *strangers),
        (*spread, *(_estimate_usual_spread(stranger) for stranger in strangers)),
        len(shown),
    )


def _compute_distances(lab: Doubles, looks: _Looks) -> Doubles:
    """Compute the distance of segments (N, 3) from each of J colours. Returns (N, J)."""
    pairs = zip(looks.lab, looks.spread, strict=True)
    return np.stack([_compute_distance(lab, centre, spread) for centre, spread in pairs], axis=1)


def _pick_likeliest(unlikeliness: Doubles, area: Doubles) -> NDArray[np.int64]:
    """Pick the likeliest column of each row; the more area a column has, the likelier it is.

    unlikeliness: (N, J) negative log likelihood. area: (N,) pixels. The prior of a column is a
    power of the area that it had in the round before. Returns (N,).
    """
    index = unlikeliness.argmin(axis=1)
    for _ in range(_ROUNDS):
        share = np.bincount(index, weights=area, minlength=unlikeliness.shape[1]) / area.sum()
        index = (unlikeliness - _ABUNDANCE * np.log(share + 1e-4)).argmin(axis=1)
    return np.asarray(index)


def _claim_modes(
    segments: Segments, colors: Sequence[Color]
) -> tuple[tuple[Lab | None, ...], tuple[Lab, ...]]:
    """Find the centres and strangers of Classification.

    Each colour claims at most one of the picture's colour modes, and each mode is claimed at most
    once. Colours that find none among the deep modes try the shallow ones.
    """
    modes = color_modes.find_modes(segments, color_modes.COARSE)
    deep = modes.valley < color_modes.DEEP
    centres = _claim_deep_modes(modes, deep, colors)
    if None in centres:
        centres = _claim_shallow_modes(segments, colors, centres)
    return tuple(centres), _list_strangers(modes.lab[deep], centres)


def _claim_deep_modes(
    modes: Modes, deep: NDArray[np.bool_], colors: Sequence[Color]
) -> list[Lab | None]:
    """Find the L*a*b* of the deep mode that each colour claims, None for one that claims none."""
    drift = np.where(modes.weight < _SMALL, _SMALL_DRIFT, _DRIFT)
    reach = np.where(deep, _limit_drift(modes, colors, drift), 0)
    choice = _choose_modes(modes, colors, reach)
    return [None if mode is None else cielab.to_lab(modes.lab[mode]) for mode in choice]


def _claim_shallow_modes(
    segments: Segments, colors: Sequence[Color], centres: Sequence[Lab | None]
) -> list[Lab | None]:
    """Complete `centres` by modes of a finer search that lie near a missing colour's place.

    Modes that are small, near a centre that is claimed already, or its shadow, are left alone.
    """
    modes = color_modes.find_modes(segments, color_modes.FINE)
    reach = np.where(modes.weight < _SHALLOW_LEAST, 0, _SHALLOW_DRIFT)
    for centre in centres:
        if centre is not None:
            reach[cielab.ciede2000(modes.lab, centre) < _DISTINCT] = 0
            reach[_is_shadow(modes.lab, centre)] = 0
    missing = [index for index, centre in enumerate(centres) if centre is None]
    choice = _choose_modes(modes, [colors[index] for index in missing], reach[None])
    completed = list(centres)
    for index, mode in zip(missing, choice, strict=True):
        if mode is not None:
            completed[index] = cielab.to_lab(modes.lab[mode])
    return completed


def _list_strangers(modes: Doubles, centres: Sequence[Lab | None]) -> tuple[Lab, ...]:
    """List the modes (M, 3) that no centre explains, not even in another light."""
    claimed = [centre for centre in centres if centre is not None]
    return tuple(
        cielab.to_lab(lab)
        for lab in modes
        if all(
            _compute_distance(lab[None], centre, _estimate_usual_spread(centre))[0] > _STRANGER
            for centre in claimed
        )
    )


def _limit_drift(modes: Modes, colors: Sequence[Color], drift: Doubles) -> Doubles:
    """Compute the CIEDE2000 within which each colour may claim each mode: `drift` (M,) as a rule.

    A large mode of the colour's own hue may lie farther off; a gray mode of a vivid colour, and a
    vivid mode of a gray, may not lie as far. Returns (K, M).
    """
    palette, picture = np.array([color.lab[1:] for color in colors]), modes.lab[:, 1:]
    chroma = np.linalg.norm(palette, axis=1)[:, None], np.linalg.norm(picture, axis=1)[None]
    one_hue = palette @ picture.T >= np.cos(np.radians(_ONE_HUE)) * chroma[0] * chroma[1]
    one_hue &= (np.minimum(*chroma) > _GRAY) & (modes.weight > _LARGE)
    faded = (chroma[0] > _VIVID) & (chroma[1] < _GRAY)
    hue = np.degrees(np.arctan2(picture[:, 1], picture[:, 0]))
    by_lamps = (hue > _LAMP_HUES[0]) & (hue < _LAMP_HUES[1])
    faded |= (chroma[0] < _GRAY) & (chroma[1] > np.where(by_lamps, _LAMP_LIT, _TINTED))
    return np.where(one_hue, _LARGE_DRIFT, np.where(faded, np.minimum(drift, _FADED_DRIFT), drift))


def _is_shadow(lab: Doubles, centre: Lab) -> NDArray[np.bool_]:
    """(M,) whether colours (M, 3) are what `centre` looks like in deep shadow."""
    off = np.linalg.norm(lab[:, 1:] - cielab.shade(centre, lab[:, 0]), axis=1)
    return np.asarray((off < _CHROMA_SPREAD / 2) & (lab[:, 0] < SHADOW * centre[0]))


def _choose_modes(modes: Modes, colors: Sequence[Color], reach: Doubles) -> list[int | None]:
    """Choose the mode that each colour claims, so that the sum of the claims' worths is highest.

    reach: (K, M) or (1, M) CIEDE2000 within which a colour may claim a mode. A claim is worth more
    the nearer the mode is and the more area it has.
    """
    palette = np.array([color.lab for color in colors])
    far = cielab.ciede2000(palette[:, None], modes.lab[None])
    worth = _LARGE_DRIFT - far + _CROWD * np.log(modes.weight / modes.weight.min(initial=1))
    worth += _EXPLAINED * modes.weight
    worth[far > reach] = -np.inf
    return _assign(worth)


def _assign(worth: Doubles) -> list[int | None]:
    """Assign a column to each row or leave it without one, so that the sum of worths is highest.

    worth: (K, M), -inf where a pair is not allowed. Returns K column indices, no index twice, None
    for a row without a column. This is scipy.optimize.linear_sum_assignment (maximize=True) in
    which a row may stay unassigned, at a worth of 0; scipy is not a requirement of this package.
    Solved by dynamic programming over the sets of rows that are assigned: 2**K sets, K at most 8.
    """
    best_worth, choices = _fill_assignment_tables(worth)
    columns: list[int | None] = [None] * len(worth)
    assigned = int(np.argmax(best_worth))
    for column in reversed(range(worth.shape[1])):
        row = int(choices[column][assigned]) - 1
        if row >= 0:
            columns[row] = column
            assigned &= ~(1 << row)
    return columns


def _fill_assignment_tables(worth: Doubles) -> tuple[Doubles, list[NDArray[np.int64]]]:
    """Compute the highest worth for each set of assigned rows; a set is a bit mask of rows.

    Returns (2**K,) the worth of each set after all columns, and for each column (2**K,) what it
    was used for on the way there: 0 for no row, r + 1 for row r.
    """
    sets = np.arange(1 << len(worth))
    best = np.where(sets == 0, 0.0, -np.inf)
    choices: list[NDArray[np.int64]] = []
    for column in worth.T:
        options = [best]
        for row, gain in enumerate(column):
            without = sets & ~(1 << row)
            options.append(np.where(sets == without, -np.inf, best[without] + gain))
        choices.append(np.argmax(options, axis=0))
        best = np.max(options, axis=0)
    return best, choices


def _compute_distance(lab: Doubles, centre: Lab, spread: tuple[float, float]) -> Doubles:
    """Compute half the squared distance of colours (N, 3) from `centre` and its shade curve: (N,).

    In standard deviations: of a*, b* from the shade curve, and of L* from the centre's. spread:
    standard deviations of L* towards dark and towards light.
    """
    lightness = lab[:, 0] - centre[0]
    lightness = lightness / np.where(lightness < 0, *spread)
    off = (lab[:, 1:] - cielab.shade(centre, lab[:, 0])) / _CHROMA_SPREAD
    return np.asarray(0.5 * (off**2).sum(axis=1) + 0.5 * lightness**2)


def _estimate_spread(color: Color, centre: Lab) -> tuple[float, float]:
    """Estimate the standard deviations of L* towards dark and light of a colour's granules.

    centre: their colour on the picture. Averages the spread on the colour's own photograph with
    the usual one.
    """
    p5, _, p50, _, p95 = color.lightness
    own = ((p50 - p5) / 1.645, (p95 - p50) / 1.645)
    darker, lighter = (
        _OWN_LIGHT * one + (1 - _OWN_LIGHT) * usual
        for one, usual in zip(own, _estimate_usual_spread(centre), strict=True)
    )
    return darker, lighter


def _estimate_usual_spread(centre: Lab) -> tuple[float, float]:
    """Estimate the same of granules of any colour, from how light they are."""
    return _DARKER[0] * centre[0] + _DARKER[1], _LIGHTER[0] * centre[0] + _LIGHTER[1]
