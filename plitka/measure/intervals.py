"""Intervals: how far a measured share may be off, and which colours a picture does not tell apart.

A share is uncertain for three reasons: only so many granules are in view; a colour lies a little
off its place, which moves shares between colours that overlap, and no others; and granules'
outlines, gaps and labels are never quite right, which no picture shows by itself. The weights of
the three were fitted so that 90% intervals hold 90% of true shares, on renders and on photographs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plitka.arrays import Doubles
from plitka.measure.mixture import FAINT, INDEPENDENT, Mixture

_DEVIATIONS = 1.645  # half of a normal distribution's 90%, in standard deviations
_SAMPLING = 0.5  # of the standard deviation by the number of segments
_DRIFT = np.array([0.1, 0.45, 0.45])  # standard deviations of L*, a*, b*: a colour off its curve
_OUTLINE = (0.05, 0.045)  # of the product of a share and the rest: plus times Mixture.scatter
_IGNORANCE = 1.0  # standard deviation of a share before anything is known
_ABSENT = 1e-3  # share
_FEWEST = 100.0  # segments
_SURE = 0.03  # half of an interval, by overlap alone; a less sure colour joins a group


@dataclass(frozen=True, eq=False)
class Certainty:
    """What is known of K shares: see Measurement.

    intervals: K times the lowest and the highest share. groups: sets of ascending indices.
    """

    intervals: tuple[tuple[float, float], ...]
    groups: tuple[tuple[int, ...], ...]


def judge_shares(mixture: Mixture) -> Certainty:
    """Judge how sure the shares of a mixture are."""
    covariance = _estimate_covariance(mixture)
    groups = _find_groups(_estimate_overlap(mixture, covariance))
    shares = mixture.shares
    outline = _estimate_outline(mixture, shares)
    half = _DEVIATIONS * np.sqrt(np.diag(covariance) + outline**2)
    most = np.ones(len(shares))
    for group in groups:
        members = list(group)
        total = shares[members].sum(keepdims=True)
        spread = _sum_block(covariance, group, group) + _estimate_outline(mixture, total) ** 2
        most[members] = np.minimum(total + _DEVIATIONS * np.sqrt(np.maximum(spread, 0)), 1)
    low = np.maximum(shares - half, 0)
    high = np.minimum(np.where(shares > 0, shares + half, np.maximum(half, FAINT)), most)
    return Certainty(tuple(zip(low.tolist(), high.tolist(), strict=True)), groups)


def _estimate_outline(mixture: Mixture, shares: Doubles) -> Doubles:
    """Estimate the standard deviations of shares (n,) by what no picture shows."""
    fixed, by_scatter = _OUTLINE
    return np.asarray((fixed + by_scatter * mixture.scatter) * shares * (1 - shares))


def _estimate_covariance(mixture: Mixture) -> Doubles:
    """Estimate the covariance (K, K) of shares by sampling and by drift of the colours.

    The information on the shares is the segments' (Fisher's); what a drift does to the shares is
    the linear answer of the likeliest shares to it.
    """
    weights, area = mixture.weights, mixture.area
    known_by = _count_independent(mixture) * area[:, None]
    # Shares change along directions that keep their sum.
    along = np.linalg.svd(np.ones((1, len(weights))))[2][1:].T
    likeness = mixture.likeness @ along
    # A colour that is not there is held at 0 by how much less likely it makes the picture.
    slope = _count_independent(mixture) * (1 - area @ mixture.likeness)
    held = np.where(weights < _ABSENT, slope, 0) ** 2 + 1 / _IGNORANCE**2
    information = likeness.T @ (likeness * known_by) + (along.T * held) @ along
    # At the likeliest place of a colour its segments pull it nowhere.
    belongs = mixture.likeness[..., None]
    pull = mixture.pull - belongs * np.einsum("n,nkc->kc", area, mixture.pull)
    pull = (pull * _DRIFT).reshape(len(area), -1)
    answer = np.linalg.solve(information, likeness.T @ (pull * known_by))
    covariance = _SAMPLING**2 * np.linalg.inv(information) + answer @ answer.T
    covariance = np.asarray(along @ covariance @ along.T)
    for one, other in mixture.exchangeable:
        exchanged = np.zeros(len(weights))
        exchanged[[one, other]] = mixture.shares[[one, other]].sum() * np.array([1, -1])
        covariance += np.outer(exchanged, exchanged)
    return covariance


def _estimate_overlap(mixture: Mixture, covariance: Doubles) -> Doubles:
    """Estimate the part (K, K) of a covariance that is there only because colours overlap."""
    weights = mixture.weights
    counted = np.diag(weights) - np.outer(weights, weights)
    return covariance - _SAMPLING**2 * counted / _count_independent(mixture)


def _count_independent(mixture: Mixture) -> float:
    """Count the segments that are independent of each other; flat pictures have few, but sure."""
    return max(INDEPENDENT * len(mixture.area), _FEWEST)


def _find_groups(covariance: Doubles) -> tuple[tuple[int, ...], ...]:
    """Find the smallest sets of colours whose sums of shares are sure.

    The colour, or set, whose share is the least sure is joined with the one that makes their sum
    the surest, until all are sure. covariance: (K, K).
    """
    sets: list[tuple[int, ...]] = [(index,) for index in range(len(covariance))]
    while len(sets) > 1:
        spread = [_sum_block(covariance, one, one) for one in sets]
        worst = int(np.argmax(spread))
        if _DEVIATIONS * np.sqrt(max(spread[worst], 0)) <= _SURE:
            break
        joined = [
            other + 2 * _sum_block(covariance, sets[worst], one) if index != worst else np.inf
            for index, (one, other) in enumerate(zip(sets, spread, strict=True))
        ]
        best = int(np.argmin(joined))
        union = tuple(sorted((*sets[worst], *sets[best])))
        sets = [one for index, one in enumerate(sets) if index not in (worst, best)] + [union]
    return tuple(sorted(one for one in sets if len(one) > 1))


def _sum_block(covariance: Doubles, rows: Sequence[int], columns: Sequence[int]) -> float:
    """Sum up the covariances of two sets of colours: that of their sums of shares."""
    return float(covariance[np.ix_(list(rows), list(columns))].sum())
