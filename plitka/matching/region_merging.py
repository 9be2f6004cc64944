"""Region merging: joins neighbouring basins of a picture into its granules."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles, Floats
from plitka.measure.segmentation import SegmentMap

# What stands against merging two neighbours, together `_compute_costs`; up to _LIMIT they merge.
# Fitted as the watershed's weights are. The limit is where the regions of photographs mix over the
# same length as the colours of mixed tiles do.
_LIMIT = 1.22
_DIFFERENCE = 0.05  # for each unit of L*a*b* between their means
_SIZE = 0.3  # for each e-fold of their area over _USUAL_AREA
_LARGE_SIZE = 0.7  # more, for each e-fold over _LARGE_AREA
_RAGGEDNESS = 5.0  # for what an ellipse has, and their union lacks, of the area of such spread
_ROUND = 0.9  # an area, over that of the ellipse, that is no raggedness yet
_CRUMB = -0.5  # where one of them is but a crumb

_USUAL_AREA = 300.0  # pixels of a granule's visible area
_LARGE_AREA = 500.0  # pixels; few granules of photographs are larger
_LARGEST_AREA = 2000.0  # pixels that no granule exceeds by merging
# What is smaller, thinner, or all but enclosed by another is no granule, but an edge, a glint or a
# shaded facet of one, and goes to that neighbour at any cost, unless that is of another colour.
_CRUMB_AREA = 50.0  # pixels
_CRUMB_WIDTH = 5.0  # pixels, of the ellipse of such spread
_ENCLOSED = 0.7  # of the border of the smaller of two
_OTHER_COLOR = 30.0  # L*a*b*
_SMALLEST_PART = 0.05  # of _USUAL_AREA, below which size makes no more difference
_ROUNDS = 40
_ROWS = 2  # every so many rows are looked at for the shape and colour of basins


def merge_basins(basins: SegmentMap, lab: Floats, strength: Floats) -> SegmentMap:
    """Merge basins into granules: again and again, pairs of neighbours that want each other most.

    Two merge where each is the other's neighbour of least cost, as long as that is low enough:
    where the border between them is faint, for this picture, their colours are alike, and their
    union is small and compact. Crumbs are merged at any cost.

    basins: (h, w) of a picture whose granules have about 20 pixels across. lab: (h, w, 3) L*a*b*.
    strength: (h, w) how likely a border runs through each pixel. Returns (h, w) the granule of each
    pixel, 0 and up without gaps.
    """
    graph = _build_graph(basins, lab, strength)
    usual = float(np.median(graph.border)) + 1e-6 if len(graph.border) else 1.0
    region = np.arange(len(graph.area))
    for limit in (_LIMIT, np.inf):
        for _ in range(_ROUNDS):
            costs = _compute_costs(graph, usual)
            if limit == np.inf:
                costs[~_find_crumbs(graph)] = np.inf
            target = _pick_targets(graph, costs, limit)
            if target is None:
                break
            _, number = np.unique(target, return_inverse=True)
            region = number[region]
            graph = _contract(graph, number)
    return np.asarray(region.astype(np.int32).take(basins))


@dataclass(frozen=True, eq=False)
class _Graph:
    """Region adjacency graph of N regions, with E pairs that touch, each pair once.

    area: (N,) pixels. moments: (5, N) sums of x, y, xx, yy and xy over `weight` (N,) sampled
    pixels; lab: (3, N) sums of L*a*b* over the same. one, other: (E,) the regions of each pair.
    border: (E,) the mean root of the strength along their border. length: (E,) sampled pixels of
    the border.
    """

    area: Doubles
    weight: Doubles
    moments: Doubles
    lab: Doubles
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    border: Doubles
    length: Doubles


def _build_graph(basins: SegmentMap, lab: Floats, strength: Floats) -> _Graph:
    """Build the graph of basins; see `merge_basins`."""
    area = np.bincount(basins.ravel()).astype(np.float64)
    part = basins[::_ROWS].ravel().astype(np.intp)
    planes = cv2.split(lab[::_ROWS])
    totals = [np.bincount(part, weights=plane.ravel(), minlength=len(area)) for plane in planes]
    weight, moments = _sum_moments(basins, len(area))
    one, other, border, length = _find_borders(basins, strength)
    return _Graph(area, weight, moments, np.stack(totals), one, other, border, length)


def _sum_moments(basins: SegmentMap, count: int) -> tuple[Doubles, Doubles]:
    """Sum up the moments of `count` basins, on every second row: (count,) `weight`, (5, count).

    They are sums of whole numbers, and so the same in any order: here of runs of pixels of one
    basin in a row, from the sums of all columns before.
    """
    rows, columns = basins[::_ROWS].shape
    begins = np.ones((rows, columns), np.bool_)
    np.not_equal(basins[::_ROWS, 1:], basins[::_ROWS, :-1], out=begins[:, 1:])
    first = np.flatnonzero(begins)
    run = basins[::_ROWS].ravel().take(first)
    row, start = np.divmod(first, columns)
    end = start + np.diff(first, append=rows * columns)
    x = np.arange(columns, dtype=np.float64)
    sums = (np.concatenate([[0.0], np.cumsum(power)]) for power in (x, x * x))
    of_x, of_xx = (up_to.take(end) - up_to.take(start) for up_to in sums)
    of_one, y = (end - start).astype(np.float64), row * float(_ROWS)
    planes = (of_one, of_x, y * of_one, of_xx, y * y * of_one, y * of_x)
    totals = [np.bincount(run, weights=plane, minlength=count) for plane in planes]
    weight, *moments = (np.asarray(total, np.float64) for total in totals)
    return weight, np.stack(moments)


def _find_borders(
    basins: SegmentMap, strength: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Doubles, Doubles]:
    """Find the pairs of basins that touch, on every second row and column: see _Graph."""
    found = []
    for here, there in ((np.s_[::2, :-1], np.s_[::2, 1:]), (np.s_[:-1, ::2], np.s_[1:, ::2])):
        where = np.flatnonzero(basins[here] != basins[there])
        stronger = np.maximum(strength[here].ravel()[where], strength[there].ravel()[where])
        found.append((basins[here].ravel()[where], basins[there].ravel()[where], stronger))
    one, other, stronger = (np.concatenate(part) for part in zip(*found, strict=True))
    ones = np.ones(len(one))
    return _sum_pairs(one.astype(np.int64), other.astype(np.int64), np.sqrt(stronger), ones)


def _sum_pairs(
    one: NDArray[np.int64], other: NDArray[np.int64], border: Doubles, length: Doubles
) -> tuple[NDArray[np.int64], NDArray[np.int64], Doubles, Doubles]:
    """Sum up borders of the same two regions, in either order; those within a region are dropped.

    border: (n,) mean over each length. length: (n,). Returns the same, each pair once.
    """
    low, high = np.minimum(one, other), np.maximum(one, other)
    between = np.flatnonzero(low != high)
    count = int(high.max(initial=0)) + 1
    key, pair = np.unique((low * count + high)[between], return_inverse=True)
    total = np.bincount(pair, weights=length[between], minlength=len(key)).astype(np.float64)
    sums = np.bincount(pair, weights=(border * length)[between], minlength=len(key))
    return key // count, key % count, sums / np.maximum(total, 1e-9), total


def _compute_costs(graph: _Graph, usual: float) -> Doubles:
    """Compute what stands against merging each pair, inf where the union would be too large: (E,).

    usual: the median of all borders of the picture.
    """
    area = graph.area[graph.one] + graph.area[graph.other]
    cost = (graph.border / usual) ** 2
    cost += _DIFFERENCE * _compare_colors(graph)
    cost += _SIZE * np.log(np.maximum(area / _USUAL_AREA, _SMALLEST_PART))
    cost += _LARGE_SIZE * np.log(np.maximum(area / _LARGE_AREA, 1))
    cost += _RAGGEDNESS * np.maximum(_ROUND - _compute_fill(graph), 0)
    small = graph.area < _CRUMB_AREA
    cost += _CRUMB * (small[graph.one] | small[graph.other])
    cost[area > _LARGEST_AREA] = np.inf
    return cost


def _find_crumbs(graph: _Graph) -> NDArray[np.bool_]:
    """Find the pairs of which one is but a crumb of the other: (E,)."""
    across, along, mixed = _compute_spread(graph.moments, graph.weight)
    half, rest = (across + along) / 2, np.hypot((across - along) / 2, mixed)
    width = 4 * np.sqrt(np.maximum(half - rest, 0))  # an ellipse has a quarter of it as spread
    crumb = (graph.area < _CRUMB_AREA) | (width < _CRUMB_WIDTH)
    around = np.zeros(len(graph.area))
    for ends in (graph.one, graph.other):
        around += np.bincount(ends, weights=graph.length, minlength=len(around))
    smaller = np.where(graph.area[graph.one] < graph.area[graph.other], graph.one, graph.other)
    enclosed = graph.length > _ENCLOSED * around[smaller]
    part = crumb[graph.one] | crumb[graph.other] | enclosed
    return part & (_compare_colors(graph) < _OTHER_COLOR)


def _compare_colors(graph: _Graph) -> Doubles:
    """Compute the L*a*b* distance of the means of each pair: (E,)."""
    mean = graph.lab / np.maximum(graph.weight, 1e-9)
    step = mean.take(graph.one, axis=1)
    step -= mean.take(graph.other, axis=1)
    step *= step
    return np.asarray(np.sqrt(step[0] + step[1] + step[2]))


def _compute_fill(graph: _Graph) -> Doubles:
    """Compute the area of each pair's union over that of the ellipse of the same spread: (E,).

    1 for an ellipse, less for what is ragged or bent.
    """
    moments = graph.moments.take(graph.one, axis=1)
    moments += graph.moments.take(graph.other, axis=1)
    weight = graph.weight[graph.one] + graph.weight[graph.other]
    across, along, mixed = _compute_spread(moments, weight)
    spread = np.sqrt(np.maximum(across * along - mixed * mixed, 1e-6))
    return np.asarray((graph.area[graph.one] + graph.area[graph.other]) / (4 * np.pi * spread))


def _compute_spread(moments: Doubles, weight: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Compute the variances of x and of y, and their covariance, in pixels squared: (n,) each.

    moments: (5, n), weight: (n,); see _Graph. A pixel has a variance of its own.
    """
    x, y, xx, yy, xy = moments / np.maximum(weight, 1e-9)
    return xx - x * x + 1 / 12, yy - y * y + 1 / 12, xy - x * y


def _pick_targets(graph: _Graph, costs: Doubles, limit: float) -> NDArray[np.int64] | None:
    """Pick the merge target of each region: itself, or the other of a pair that merges.

    costs: (E,). limit: pairs of this cost and more do not merge. Returns (N,), None if no two do.
    """
    allowed = np.flatnonzero(costs < limit)
    order = allowed[np.argsort(-costs[allowed], kind="stable")]
    # Of a region's pairs the one of least cost is written last, and stays.
    best = np.full(len(graph.area), -1)
    ends = np.stack([graph.one[order], graph.other[order]], axis=1)
    best[ends.ravel()] = np.repeat(order, 2)
    mutual = order[(best[graph.one[order]] == order) & (best[graph.other[order]] == order)]
    if not len(mutual):
        return None
    target = np.arange(len(graph.area))
    target[graph.other[mutual]] = graph.one[mutual]
    return target


def _contract(graph: _Graph, number: NDArray[np.int64]) -> _Graph:
    """Merge regions; number: (N,) the new number of each, 0 and up without gaps."""

    def total(values: Doubles) -> Doubles:
        return np.bincount(number, weights=values).astype(np.float64)

    one, other, border, length = _sum_pairs(
        number[graph.one], number[graph.other], graph.border, graph.length
    )
    return _Graph(
        total(graph.area),
        total(graph.weight),
        np.stack([total(plane) for plane in graph.moments]),
        np.stack([total(plane) for plane in graph.lab]),
        one,
        other,
        border,
        length,
    )
