"""Region merging: joins the segments of a picture into regions, one or a few for each granule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plitka.arrays import Doubles
from plitka.measure.segmentation import SegmentMap, Segments

_LARGEST_GRANULE = 1.0  # of the layout's mean granule; segments are merged up to this area
_ROUNDS = 3
_FIRMNESS = 2.5  # how fast bonds weaken with contrast, in median contrasts
_LAYOUT_EDGE = 0.4  # what an edge of the layout adds to a contrast, in median contrasts


@dataclass(frozen=True, eq=False)
class Regions:
    """The R regions into which N segments are merged, and how firmly neighbours hold together.

    of_segment: (N,) the region that each segment is a part of, 0 to R - 1 without gaps. one,
    other: (E,) the regions of each pair that touch. bond: (E,) the length in pixels along which
    they touch, times 0 to 1: the less the more contrast the picture has there.
    """

    of_segment: NDArray[np.int64]
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    bond: Doubles


def merge_segments(segments: Segments, granules: SegmentMap) -> Regions:
    """Merge neighbouring segments into regions of a granule's size at most.

    Two segments merge where each has its lowest contrast with the other, round by round. Where
    the picture itself shows no edges, those of the layout decide.
    granules: (h, w) the layout's granule at each pixel, -1 for none.
    """
    largest = _LARGEST_GRANULE * granules.size / max(int(granules.max()) + 1, 1)
    granule = _locate_granules(segments, granules)
    graph = _Graph(segments.area, segments.lab, granule, _find_edges(segments))
    usual = _compute_usual_contrast(graph)
    region = np.arange(len(segments.area))
    for _ in range(_ROUNDS):
        contrast = _compute_merge_contrast(graph, usual, largest)
        target = _pick_targets(graph.edges, contrast, len(graph.area))
        if target is None:
            break
        _, number = np.unique(target, return_inverse=True)
        region = number[region]
        graph = _contract(graph, number)
    edges = graph.edges
    firm = np.exp(-_FIRMNESS * edges.contrast / usual)
    return Regions(region, edges.one, edges.other, edges.length * firm)


@dataclass(frozen=True, eq=False)
class _Edges:
    """Pairs of nodes that touch, each pair once.

    one, other: (E,) the nodes. contrast: (E,) the picture's mean contrast along their border, as
    Segments has it. length: (E,) of the border, in pixels.
    """

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    contrast: Doubles
    length: Doubles


@dataclass(frozen=True, eq=False)
class _Graph:
    """Region adjacency graph: segments, or what they are merged into, as nodes.

    area: (N,) pixels. lab: (N, 3) mean L*a*b*. granule: (N,) the layout's granule under the
    largest part of each node.
    """

    area: Doubles
    lab: Doubles
    granule: NDArray[np.int64]
    edges: _Edges


def _find_edges(segments: Segments) -> _Edges:
    """Find the pairs of segments that touch, on every second row and every second column."""
    index, contrast = segments.map, segments.contrast
    pairs = []
    for here, there in ((np.s_[::2, :-1], np.s_[::2, 1:]), (np.s_[:-1, ::2], np.s_[1:, ::2])):
        where = np.flatnonzero(index[here] != index[there])
        strength = contrast[here].ravel()[where] + contrast[there].ravel()[where]
        pairs.append((index[here].ravel()[where], index[there].ravel()[where], strength / 2))
    one, other, strength = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return _sum_edges(
        one.astype(np.int64),
        other.astype(np.int64),
        strength.astype(np.float64),
        np.ones(len(one)),
    )


def _sum_edges(
    one: NDArray[np.int64], other: NDArray[np.int64], contrast: Doubles, length: Doubles
) -> _Edges:
    """Sum up edges between the same two nodes, in either order; edges within a node are dropped.

    one, other: (n,) nodes. contrast: (n,) summed over the length. length: (n,) pixels.
    """
    low, high = np.minimum(one, other), np.maximum(one, other)
    between = np.flatnonzero(low != high)
    count = int(high.max(initial=0)) + 1
    key, index = np.unique((low * count + high)[between], return_inverse=True)
    total = np.bincount(index, weights=length[between], minlength=len(key)).astype(np.float64)
    strength = np.bincount(index, weights=contrast[between], minlength=len(key))
    return _Edges(key // count, key % count, strength / np.maximum(total, 1e-9), total)


def _compute_contrast(graph: _Graph) -> Doubles:
    """Add up the contrast of each edge: at the border, and the nodes' L*a*b* distance. (E,)."""
    edges = graph.edges
    distance = np.linalg.norm(graph.lab[edges.one] - graph.lab[edges.other], axis=1)
    return np.asarray(edges.contrast + distance)


def _compute_usual_contrast(graph: _Graph) -> float:
    """Compute the median contrast of all edges, above 0; 1 where there are none."""
    contrast = _compute_contrast(graph)
    return float(np.median(contrast)) + 1e-6 if len(contrast) else 1.0


def _compute_merge_contrast(graph: _Graph, usual: float, largest: float) -> Doubles:
    """Compute the contrast that stands against merging along each edge, inf where not allowed.

    usual: median contrast of the segments. largest: pixels that a merged node may have. Returns
    (E,).
    """
    one, other = graph.edges.one, graph.edges.other
    contrast = _compute_contrast(graph)
    contrast += _LAYOUT_EDGE * usual * (graph.granule[one] != graph.granule[other])
    contrast[graph.area[one] + graph.area[other] > largest] = np.inf
    return contrast


def _pick_targets(edges: _Edges, contrast: Doubles, count: int) -> NDArray[np.int64] | None:
    """Pick the merge target of each node: the node itself, or the lower of two that merge.

    Two nodes merge where each is the other's neighbour of lowest contrast.
    contrast: (E,) inf where merging is not allowed. Returns (count,), None if no two merge.
    """
    allowed = np.flatnonzero(np.isfinite(contrast))
    order = allowed[np.argsort(contrast[allowed], kind="stable")[::-1]]
    # Of a node's edges the one of lowest contrast is written last, and stays.
    nearest = np.arange(count)
    ends = np.stack([edges.one[order], edges.other[order]], axis=1)
    nearest[ends.ravel()] = ends[:, ::-1].ravel()
    itself = np.arange(count)
    mutual = (nearest[nearest] == itself) & (nearest != itself)
    if not mutual.any():
        return None
    return np.where(mutual, np.minimum(nearest, itself), itself).astype(np.int64)


def _contract(graph: _Graph, number: NDArray[np.int64]) -> _Graph:
    """Merge nodes; number: (N,) the new number of each, 0 and up without gaps."""
    area = np.bincount(number, weights=graph.area).astype(np.float64)
    sums = [np.bincount(number, weights=graph.area * channel) for channel in graph.lab.T]
    lab = np.stack(sums, axis=1).astype(np.float64) / area[:, None]
    order = np.argsort(graph.area, kind="stable")
    largest_part = np.zeros(len(area), np.int64)
    largest_part[number[order]] = order
    old = graph.edges
    edges = _sum_edges(number[old.one], number[old.other], old.contrast * old.length, old.length)
    return _Graph(area, lab, graph.granule[largest_part], edges)


def _locate_granules(segments: Segments, granules: SegmentMap) -> NDArray[np.int64]:
    """Look up the layout's granule at the centroid of each segment. Returns (N,)."""
    height, width = granules.shape
    index = segments.map.ravel()
    across = np.bincount(index, weights=np.tile(np.arange(width, dtype=np.float64), height))
    down = np.bincount(index, weights=np.repeat(np.arange(height, dtype=np.float64), width))
    column, row = (np.rint(total / segments.area).astype(int) for total in (across, down))
    return np.asarray(granules[row, column], np.int64)
