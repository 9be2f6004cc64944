"""How often lines cross each other: filling what crosses itself takes time that grows with it."""

from collections.abc import Iterable

from plitka.request.lettering import Contour

MOST_CROSSINGS = 1000
_CHUNK = 64  # sides that are looked at together, so that little is found in vain


def cross_too_often(contours: Iterable[Contour]) -> bool:
    """Whether the sides of lines, each closed, cross each other more than MOST_CROSSINGS times."""
    import numpy as np
    import shapely

    pairs = [
        side
        for contour in contours
        for side in zip(contour, (*contour[1:], contour[0]), strict=True)
    ]
    sides = shapely.linestrings(np.array(pairs, float))
    tree = shapely.STRtree(sides)
    found = 0
    for first in range(0, len(sides), _CHUNK):
        found += tree.query(sides[first : first + _CHUNK], predicate="crosses").shape[1]
        if found > 2 * MOST_CROSSINGS:  # each crossing is found from both sides
            return True
    return False
