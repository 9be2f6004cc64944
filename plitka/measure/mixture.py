"""Mixture: the shares of colours whose granules overlap in light and shade, fitted as a whole.

Gray in the light looks like light gray in the shade, so no segment can say which of the two it is;
but all segments together can say how much there is of each. Each colour has a distribution of its
own over L*a*b*, from the palette; the shares are those whose mixture is likeliest (by expectation
maximization; Dempster, Laird and Rubin 1977).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from plitka.arrays import Doubles
from plitka.color import cielab
from plitka.color.palette import Color
from plitka.color.tone import compute_tone
from plitka.color.tone_table import RANKS
from plitka.measure.classification import Classification, sum_shares
from plitka.measure.segmentation import Segments

# A score is L* as a colour's own distribution has it: the palette's percentiles of pixels, as a
# normal distribution has them, beyond them as far again as the last two lie apart. Segments of
# one-colour photographs and renders have scores of this mean and standard deviation, whatever the
# colour (within 0.04).
_SCORES = np.array([-3.2, -1.645, -0.6745, 0.0, 0.6745, 1.645, 3.2])
_MEAN_SCORE, _SCORE_SPREAD = 0.08, 0.95
_MEANS_SPREAD = 0.85  # the same of the segments' means, edges and all
_STEPS = np.linspace(-4, 4, 161)  # scores at which the curves of shade are tabulated
_STEP_RANKS = np.array([NormalDist().cdf(step) for step in _STEPS.tolist()])

# How far a*, b* of segments lie off their colour's curve of shade: a figure of the picture's own,
# times hypot(1, chroma_std / _STEADY); but edges and dirt lie anywhere near.
_FIRST_SPREAD, _LEAST_SPREAD, _MOST_SPREAD = 1.5, 0.4, 5.0  # a*, b*
_STEADY = 6.0  # a*, b*
_STRAY, _STRAY_SPREAD = 0.1, 8.0  # share of edges and dirt, and their spread in a*, b*

# Claims place a colour where they are far off and the picture is off as a whole; else the mode is
# the palette's colour, blurred, or that of look-alikes together. CIEDE2000; the mean of renders is
# 3.7 at most, that of photographs in another light 6 and more.
_CLOSE, _TRUE_COLORS = 8.0, 5.0
_DRIFT = 1.5  # a*, b*: how far a colour's curve may lie off its place
INDEPENDENT = 0.1
"""The fraction of segments that count: those of a granule, and of what is around it, are alike."""
_MOVES, _ROUNDS = 6, 6  # of the curves, and of the shares after each
_GAP = 0.6  # of a colour's L*; what is darker in the mean is a gap, which belongs to none
FAINT = 0.03
"""Share below which a colour that claims no mode of the picture is edges of others."""

# Where a light granule lies lower than a darker one, its shaded rim goes to that, the more so the
# nearer their a*, b* are. Difference of L*, the share lost for each unit of the product of both
# shares, and how much more of it where a*, b* are the same; fitted on the 25 photographs of mixed
# tiles and on 83 renders together, and much the same on either alone. On photographs it takes the
# mean error from 2.3 to 1.1 points.
_RIM = (0.0, 8.0, 20.0, 32.0, 44.0, 70.0)
_RIM_LOSS = (0.0, 0.095, 0.055, 0.14, 0.135, 0.065)
_RIM_ALIKE_LOSS = (0.0, 0.185, 0.345, 0.2, 0.24, 0.2)
_ALIKE = 45.0  # a*, b*


@dataclass(frozen=True, eq=False)
class Mixture:
    """The shares of K colours that N segments were fitted with, and what the fit rests on.

    shares: (K,) of the area in light that shows these colours; 0 to 1, together 1. weights: (K,)
    the same of all area, gaps included, before any correction.
    likeness: (N, K) the density of each colour at each segment, over that of the whole mixture.
    pull: (N, K, 3) how the log density of the mixture at each segment changes as each colour's
    L*, a* and b* drift. area: (N,) together 1.
    scatter: how far a*, b* of the segments lie off the curves of shade, in those of a steady
    colour: 0.4 to 1.8 on renders, 0.7 to 2.1 on photographs.
    exchangeable: pairs of colours that lie nearer to each other than the picture is off the
    palette, and of which at least one claims no mode: either may be the other.
    """

    shares: Doubles
    weights: Doubles
    likeness: Doubles
    pull: Doubles
    area: Doubles
    scatter: float
    exchangeable: tuple[tuple[int, int], ...]


def fit_mixture(
    segments: Segments, insides: Doubles, colors: Sequence[Color], shown: Classification
) -> Mixture:
    """Fit the shares of K colours to segments.

    insides: (N, 3) L*a*b* of the insides of the segments. shown: what the segments show, one of
    the K colours at least; segments that show strangers are left out.
    """
    known = shown.material < len(colors)
    lab, area = insides[known], segments.area[known] / segments.area[known].sum()
    centres, drift = _place_colors(segments, colors, shown)
    fit = _maximize_likelihood(_compare_to_colors(lab, colors, centres), area)
    lit = segments.lab[known, :1] > _GAP * centres[:, 0]
    seen = fit.weights * np.einsum("n,nk,nk->k", area, fit.likeness, lit) + 1e-12 * fit.weights
    shares = seen / _expect_light(colors, centres[:, 0])
    shares = _mend_rims(shares / shares.sum(), centres)
    shares = _drop_faint(shares, shown)
    exchangeable = _list_exchangeable(colors, shown, drift)
    return Mixture(shares, fit.weights, fit.likeness, fit.pull, area, fit.scatter, exchangeable)


def _place_colors(
    segments: Segments, colors: Sequence[Color], shown: Classification
) -> tuple[Doubles, float]:
    """Place K colours where the picture shows them, or else where the palette has them.

    Returns (K, 3) L*a*b*, and how far the picture is off the palette, as mean CIEDE2000.
    """
    palette = np.array([color.lab for color in colors])
    claimed = np.array(
        [at if of is None else of for of, at in zip(shown.centres, palette, strict=True)]
    )
    distances = cielab.ciede2000(claimed[:, None], palette[None])
    # A mode nearer to another of the colours is that colour's, whoever claims it.
    own = distances.argmin(axis=1) == np.arange(len(colors))
    off_palette = np.where(own, distances.diagonal(), 0)
    drift = float(off_palette @ np.array(sum_shares(shown, segments)))
    trusted = (off_palette > _CLOSE) & (drift >= _TRUE_COLORS)
    return np.where(trusted[:, None], claimed, palette), drift


@dataclass(frozen=True, eq=False)
class _Comparison:
    """How N segments compare with K colours at their places.

    score, slope: (N, K) see `_score_lightness`. lightness: (N, K) the density of L*. astray: (N, K,
    2) a*, b* off each colour's curve of shade. usual: (K,) how far those lie off as a rule, in what
    they do for a steady colour.
    """

    score: Doubles
    slope: Doubles
    lightness: Doubles
    astray: Doubles
    usual: Doubles


def _compare_to_colors(lab: Doubles, colors: Sequence[Color], centres: Doubles) -> _Comparison:
    """Compare segments (N, 3) with K colours that lie at `centres` (K, 3)."""
    score, slope = _score_lightness(lab[:, 0], colors, centres[:, 0])
    lightness = np.exp(-0.5 * ((score - _MEAN_SCORE) / _SCORE_SPREAD) ** 2) * slope
    curves = [_shade(*of) for of in zip(colors, centres, score.T, strict=True)]
    astray = lab[:, None, 1:] - np.stack(curves, axis=1)
    usual = np.array([np.hypot(1, np.hypot(*color.chroma_std) / _STEADY) for color in colors])
    return _Comparison(score, slope, lightness, astray, usual)


@dataclass(frozen=True, eq=False)
class _Fit:
    """The likeliest mixture; see Mixture."""

    weights: Doubles
    likeness: Doubles
    pull: Doubles
    scatter: float


def _maximize_likelihood(compared: _Comparison, area: Doubles) -> _Fit:
    """Find the likeliest weights, by turns with where the curves lie and how far segments scatter.

    area: (N,) together 1.
    """
    astray, usual = compared.astray, compared.usual
    scatter, spread = _FIRST_SPREAD, _FIRST_SPREAD * usual
    weights = np.full(len(usual), 1 / len(usual))
    shift = np.zeros((len(usual), 2))
    for _ in range(_MOVES):
        off = astray - shift
        square = off[..., 0] ** 2 + off[..., 1] ** 2
        near = np.exp(-0.5 * square / spread**2) * ((1 - _STRAY) / spread**2)
        whole = near + np.exp(square * (-0.5 / _STRAY_SPREAD**2)) * (_STRAY / _STRAY_SPREAD**2)
        density = compared.lightness * whole + 1e-30
        for _ in range(_ROUNDS):
            weights = weights * (density.T @ (area / (density @ weights)))
        likeness = density / (density @ weights)[:, None]
        belongs = likeness * weights
        certain, steep = belongs * (near / whole), spread**2
        sure = certain * area[:, None]
        amount = sure.sum(axis=0) + 1e-12
        scatter = np.sqrt((sure * square / usual**2).sum() / (2 * amount.sum()))
        scatter = float(np.clip(scatter, _LEAST_SPREAD, _MOST_SPREAD))
        spread = usual * scatter
        mean = np.einsum("nk,nkc->kc", sure, astray) / amount[:, None]
        heard = INDEPENDENT * len(area) * amount / spread**2
        shift = mean * (heard / (heard + 1 / _DRIFT**2))[:, None]
    pull = np.empty((*likeness.shape, 3))
    pull[..., 0] = belongs * ((compared.score - _MEAN_SCORE) * compared.slope / _SCORE_SPREAD**2)
    pull[..., 1:] = (certain / steep)[..., None] * off
    return _Fit(weights, likeness, pull, scatter)


def _list_exchangeable(
    colors: Sequence[Color], shown: Classification, drift: float
) -> tuple[tuple[int, int], ...]:
    """List the pairs of Mixture.exchangeable. drift: see `_place_colors`."""
    if drift < _TRUE_COLORS:
        return ()
    palette = np.array([color.lab for color in colors])
    near = cielab.ciede2000(palette[:, None], palette[None]) < drift
    unclaimed = np.array([centre is None for centre in shown.centres])
    pairs = np.argwhere(np.triu(near & (unclaimed[:, None] | unclaimed[None]), 1))
    return tuple((one, other) for one, other in pairs.tolist())


def _list_knots(color: Color, median: float) -> Doubles:
    """List the L* of _SCORES of a colour whose median L* is `median`."""
    p5, p25, p50, p75, p95 = color.lightness
    return np.array([2 * p5 - p25, p5, p25, p50, p75, p95, 2 * p95 - p75]) + (median - p50)


def _score_lightness(
    lightness: Doubles, colors: Sequence[Color], medians: Doubles
) -> tuple[Doubles, Doubles]:
    """Compute the scores that N L* have in K colours, and how fast they rise with L*.

    medians: (K,) L* of the colours on the picture. Returns twice (N, K).
    """
    pairs = []
    for color, median in zip(colors, medians.tolist(), strict=True):
        knots = _list_knots(color, median)
        slope = np.diff(_SCORES) / np.maximum(np.diff(knots), 0.1)
        at = np.clip(np.searchsorted(knots, lightness) - 1, 0, len(slope) - 1)
        pairs.append((_SCORES[at] + (lightness - knots[at]) * slope[at], slope[at]))
    scores, slopes = zip(*pairs, strict=True)
    return np.stack(scores, axis=1), np.stack(slopes, axis=1)


def _shade(color: Color, centre: Doubles, score: Doubles) -> Doubles:
    """Look up a*, b* of granules of a colour where light and shade give them these scores.

    Unlike `cielab.shade` this knows the colour's own tone: dark blue has a chroma of 46 in the
    light and of 17 in pits, where the powers of light would leave it 30. centre: (3,) L*a*b* at
    median lightness, to which the tone is moved. score: (N,). Returns (N, 2).
    """
    shift = float(centre[0]) - color.lightness[2]
    p5, p25, p50, p75, p95 = (min(max(light + shift, 0.0), 100.0) for light in color.lightness)
    moved = replace(color, lab=cielab.to_lab(centre), lightness=(p5, p25, p50, p75, p95))
    tone = compute_tone(moved)
    curve = np.column_stack([np.interp(_STEP_RANKS, RANKS, tone[:, axis]) for axis in (1, 2)])
    step = np.rint((score - _STEPS[0]) / (_STEPS[1] - _STEPS[0]))
    return np.asarray(curve[step.clip(0, len(_STEPS) - 1).astype(np.intp)])


def _expect_light(colors: Sequence[Color], medians: Doubles) -> Doubles:
    """Compute which part (K,) of its own tile each colour shows in light, not as gaps.

    medians: (K,) L* of the colours on the picture.
    """
    pairs = zip(colors, medians.tolist(), strict=True)
    scores = [np.interp(_GAP * at, _list_knots(color, at), _SCORES) for color, at in pairs]
    usual = NormalDist(_MEAN_SCORE, _MEANS_SPREAD)
    return 1 - np.array([usual.cdf(float(score)) for score in scores])


def _mend_rims(shares: Doubles, centres: Doubles) -> Doubles:
    """Give lighter colours the rims back that darker ones have taken; see _RIM. Returns (K,).

    centres: (K, 3) L*a*b* of the colours.
    """
    step = centres[:, None] - centres[None, :]
    rise = np.abs(step[..., 0])
    alike = np.exp(-(step[..., 1:] ** 2).sum(axis=2) / _ALIKE**2)
    lost = np.interp(rise, _RIM, _RIM_LOSS) + alike * np.interp(rise, _RIM, _RIM_ALIKE_LOSS)
    mended = np.maximum(shares + shares * ((np.sign(step[..., 0]) * lost) @ shares), 0)
    return np.asarray(mended / mended.sum())


def _drop_faint(shares: Doubles, shown: Classification) -> Doubles:
    """Set the shares (K,) of colours to 0 that claim no mode and are less than edges make."""
    claimed = np.array([centre is not None for centre in shown.centres])
    kept = np.where(claimed | (shares >= FAINT), shares, 0)
    return np.asarray(kept / kept.sum())
