"""Pictures and recipes as hypothesis makes them up, and what matching owes to all of them."""

import json

import numpy as np
from hypothesis import strategies as st

from plitka.arrays import Image
from plitka.color import palette
from plitka.matching.match import match
from plitka.measure.shares import Measurement, TooSmall
from plitka.tile import render
from plitka.tile.layout import Layout, lay
from tests.fuzz.target import refuse_warnings
from tests.support.recipes import asked, parse

_NAMES = [color.phrase for color in palette.load().colors]


def _noise(size: int, seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def _flat(size: int, seed: int) -> Image:
    return np.full((size, size, 3), _noise(1, seed), np.uint8)


def _extreme(size: int, seed: int) -> Image:
    return np.full((size, size, 3), 255 * (seed % 2), np.uint8)


def _gradient(size: int, seed: int) -> Image:
    ramp = np.linspace(0, 255, size).astype(np.uint8)
    plane = np.stack([np.broadcast_to(ramp, (size, size)), np.full((size, size), seed % 256)], -1)
    return np.dstack([plane[..., 0], plane[..., 1], plane[..., 0].T]).astype(np.uint8)


def _checkers(size: int, seed: int) -> Image:
    one, other = _flat(size, seed), _flat(size, seed + 1)
    side = 1 + seed % 3
    odd = (np.indices((size, size)) // side).sum(0) % 2
    return np.where(odd[..., None] == 1, one, other)


def _halves(size: int, seed: int) -> Image:
    image = _flat(size, seed).copy()
    image[:, size // 2 :] = _flat(1, seed + 1)
    return image


def _specks(size: int, seed: int) -> Image:
    image = _flat(size, seed).copy()
    image[np.random.default_rng(seed).random((size, size)) < 0.01] = 255
    return image


def _tile(size: int, seed: int) -> Image:
    names = {_NAMES[seed % len(_NAMES)]: 60.0, _NAMES[(seed + 3) % len(_NAMES)]: 40.0}
    return render.render_picture(lay(asked(names, seed % 180, seed)), max(size, 128))[:size, :size]


_KINDS = (_noise, _flat, _extreme, _gradient, _checkers, _halves, _specks, _tile)


@st.composite
def pictures(draw: st.DrawFn, largest: int = 700) -> Image:
    """A picture of 1 to `largest` pixels a side; some are not square."""
    kind = draw(st.sampled_from(_KINDS))
    size = draw(st.integers(1, largest) | st.integers(128, largest) | st.integers(120, 260))
    image = kind(size, draw(st.integers(0, 1000)))
    return image[:: draw(st.sampled_from([1] * 15 + [7]))]


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """A layout of one to eight colours: named, free, nearly equal, some of tiny shares."""
    count = draw(st.integers(1, 8))
    named = st.sampled_from(_NAMES).map(lambda name: {"name": name})
    free = st.integers(0, 2**24 - 1).map(lambda number: {"hex": f"#{number:06x}"})
    near = st.integers(0x808080, 0x80808A).map(lambda number: {"hex": f"#{number:06x}"})
    colors = [draw(named | free | near) for _ in range(count)]
    parts = [draw(st.sampled_from([0.001, 0.5, 1, 5, 30])) for _ in range(count)]
    whole = sum(parts)
    entries = [
        {**color, "proportion": part / whole} for color, part in zip(colors, parts, strict=True)
    ]
    angle = draw(st.sampled_from([0, 45, 90.5]))
    return lay(parse(json.dumps({"colors": entries, "angle": angle, "seed": 7})))


def check(image: Image, layout: Layout) -> bool:
    """Match twice, and assert what is promised; whether the picture was one that is matched."""
    given = image.copy()
    height, width, _ = image.shape
    with refuse_warnings():
        try:
            first = match(image, layout)
        except TooSmall:
            return False
        except ValueError:
            assert height != width
            return False
        again = match(image, layout)
    assert np.array_equal(image, given), "the picture was changed"
    assert first.image.shape == image.shape
    assert first.image.dtype == np.uint8
    assert np.array_equal(first.image, again.image), "another picture at the second time"
    for measured in (first.before, first.after):
        _check_measurement(measured, len(layout.shares))
    return True


def _check_measurement(measured: Measurement, count: int) -> None:
    assert len(measured.shares) == len(measured.intervals) == count
    assert all(0 <= share <= 1 for share in measured.shares), measured.shares
    whole = sum(measured.shares)
    assert whole == 0 or abs(whole - 1) < 1e-6, measured.shares
    for low, high in measured.intervals:
        assert 0 <= low <= high <= 1
    assert 0 <= measured.gaps <= 1
    assert 0 <= measured.undecided <= 1
