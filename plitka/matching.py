"""Picture + layout -> the same picture with the layout's shares and palette colours.

The picture's own granules are given to colours: those whose colour is near, and that lie where the
layout has it, under the constraint that areas meet the shares. They are then recoloured along
their own edges: light and shade stay the picture's, as deep as the new colour makes them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plitka import cielab, dealing, fidelity, recolouring, scene
from plitka.layout import Layout
from plitka.palette import Colour
from plitka.scene import Scene
from plitka.sorting import NOBODY
from plitka.toning import Material, Toning, Tonings

Image = NDArray[np.uint8]

# Total variation; a picture as near to its recipe keeps all its granules: measuring is no surer
# than that, and to recolour 4 points of a tile changes it more than any white balance.
_CLOSE = 0.04
_NEAR = 0.12  # the same of a picture that keeps those that need not change
_LEFT = 0.02  # what may be left of the difference there
_ALIKE = 1.0  # CIEDE2000; what a colour of the picture may keep where granules are dealt anew
_ATTEMPTS = 3  # to give the shares; another one only where what is measured afterwards is off
_SHALLOWER = 0.6  # times light and shade, where they hid one of two near colours
_WELL_APART = 25.0  # CIEDE2000
_GOOD = 0.03  # total variation that is good enough


def match(image: Image, layout: Layout) -> Image:
    """Give a picture the shares and colours of a layout.

    image: (size, size, 3) RGB, 0..255: any picture, of a tile or not.
    """
    size = image.shape[0]
    if image.shape != (size, size, 3):
        raise ValueError(f"the picture must be square and RGB; its shape is {image.shape}")
    seen = scene.view(image, layout)
    shares = np.array(layout.shares)
    shown = _shown(seen)
    off = fidelity.total_variation(shown, layout.shares)
    near = off <= _NEAR
    kept = recolouring.balanced(seen, layout.colours) if near else seen.lab
    if off <= _CLOSE:
        return cielab.to_rgb(kept)
    depth = 1.0
    target = shares + (np.array(shown) - shares) * _LEFT / off if near else shares
    best, least = image, np.inf
    for _ in range(_ATTEMPTS):
        tonings = _tonings(seen, layout, near, depth)
        owner = dealing.deal(seen, layout, tonings, target, near)
        lab = recolouring.recoloured(seen, owner, tonings, len(shares))
        matched = cielab.to_rgb(recolouring.patched(seen, kept, owner, lab) if near else lab)
        shown = _checked(matched, layout.colours)
        off = fidelity.total_variation(shown, layout.shares)
        if off < least:
            best, least = matched, off
        if off <= _GOOD:
            break
        if min(shown) > 0:
            target = np.maximum(target + shares - np.array(shown), shares / 4)
        else:
            depth *= _SHALLOWER
    return best


def _shown(seen: Scene) -> tuple[float, ...]:
    """The shares; all 0 where a colour is missing or one is not of the recipe."""
    found, area = seen.found, seen.cut.area
    strange = found.material >= len(found.centres)
    if not all(found.centres) or area[strange].sum() > _CLOSE * area.sum():
        return (0.0,) * len(found.centres)
    sure = found.owner != NOBODY
    shown = np.bincount(found.owner[sure], weights=area[sure], minlength=len(found.centres))
    return tuple((shown / max(shown.sum(), 1)).tolist())


def _checked(image: Image, colours: Sequence[Colour]) -> tuple[float, ...]:
    """The shares that a matched picture has. A glance may miss one of two near colours."""
    labs = np.array([colour.lab for colour in colours])
    apart = cielab.difference(labs[:, None], labs[None])[np.triu_indices(len(labs), 1)]
    if apart.min(initial=_WELL_APART) < _WELL_APART:
        return fidelity.measure(image, colours).shares
    return fidelity.glance(image, colours)


def _tonings(seen: Scene, layout: Layout, kept: bool, depth: float) -> Tonings:
    def toning(one: Material, index: int, colour: Colour) -> Toning:
        if kept and one.colour == index:
            return Toning.shift(one, index, colour, recolouring.ALIKE)
        return Toning.of(one, index, layout.colours, _ALIKE, depth)

    return Tonings.of(
        [
            [toning(one, index, colour) for index, colour in enumerate(layout.colours)]
            for one in seen.materials
        ]
    )
