"""Whether the true share lies in the interval that `measure` gives, and which colours it groups.

    PLITKA_SHARED=… python -m benchmarks.color_intervals [--recipes 500] [--seed 20000]

Random recipes of 2 to 6 colours of the palette, each name equally likely, are rendered at every
angle, at 512 and at 1024, and measured; then the photographs of mixed tiles, where there are some;
then mixes of look-alikes. 90% intervals should hold 85 to 97% of true shares.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from rich.progress import track

from benchmarks.color_pictures import labelled
from benchmarks.report import print_table
from plitka.color import palette
from plitka.color.palette import Color
from plitka.images import photograph
from plitka.measure.shares import Measurement, measure
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.tile import render
from plitka.tile.layout import lay, recolor_layout
from plitka.tile.lighting import compute_lighting

_LAYOUT = 5  # recipes of each layout
_MOST_OFF = 6.0  # points that a group, or a colour that is told apart, may be off by

NAMED = {
    "Granite": {"GRAY": 45, "LTGRAY": 25, "DKGRAY": 20, "WHITE": 10},
    "Birch": {"PEARL": 65, "LTGRAY": 20, "DKGRAY": 15},
    "Olive": {"KHAKI": 45, "LTGREEN": 30, "WHTGRN": 15, "BROWN": 10},
    "white, pearl": {"WHITE": 50, "PEARL": 50},
    "black, dark gray": {"BLACK": 50, "DKGRAY": 50},
    "four greens": {"DKGREEN": 25, "GRSGRN": 25, "GRNAPL": 25, "LIMEGRN": 25},
    "four pale greens": {"LTGREEN": 25, "WHTGRN": 25, "EMERALD": 25, "GREEN": 25},
    "violet, purple": {"VIOLET": 60, "PURPLE": 40},
}


@dataclass(frozen=True)
class Case:
    """A picture whose true shares are known, and what is measured on it. size: pixels a side."""

    colors: tuple[Color, ...]
    true: tuple[float, ...]
    measured: Measurement
    size: int

    @property
    def told_apart(self) -> list[bool]:
        """Whether each colour is in no group."""
        grouped = {index for group in self.measured.groups for index in group}
        return [index not in grouped for index in range(len(self.colors))]

    @property
    def errors(self) -> list[float]:
        """Points that each group, and each colour that is told apart, is off by."""
        alone = [(index,) for index, told in enumerate(self.told_apart) if told]
        off = np.subtract(self.measured.shares, self.true)
        return [100 * float(abs(off[list(one)].sum())) for one in (*alone, *self.measured.groups)]

    def describe_shares(self) -> list[str]:
        shares = zip(self.true, self.measured.shares, self.measured.intervals, strict=True)
        return [
            f"{color.code} {100 * true:.0f}: {100 * share:.1f} ({100 * low:.0f}-{100 * high:.0f})"
            for color, (true, share, (low, high)) in zip(self.colors, shares, strict=True)
        ]

    def describe_groups(self) -> list[str]:
        return ["+".join(sorted(self.colors[i].code for i in one)) for one in self.measured.groups]


@dataclass(frozen=True)
class Answer:
    """One colour of a picture: its true share, its interval, and what kind of case it is."""

    share: float
    low: float
    high: float
    told_apart: bool
    colors: int
    size: int

    @property
    def covered(self) -> bool:
        return self.low - 1e-9 <= self.share <= self.high + 1e-9


KINDS: dict[str, Callable[[Answer], bool]] = {
    "all": lambda _: True,
    "told apart": lambda one: one.told_apart,
    "in groups": lambda one: not one.told_apart,
    "share below 5%": lambda one: one.share < 0.05,
    "share 5 to 15%": lambda one: 0.05 <= one.share < 0.15,
    "share 15 to 40%": lambda one: 0.15 <= one.share < 0.4,
    "share 40% and more": lambda one: one.share >= 0.4,
    "2 colours": lambda one: one.colors == 2,
    "3 or 4 colours": lambda one: one.colors in (3, 4),
    "5 or 6 colours": lambda one: one.colors > 4,
    "512": lambda one: one.size == 512,
    "1024": lambda one: one.size == 1024,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20000, help="of the first layout")
    options = parser.parse_args()
    recipes = draw_recipes(options.recipes, options.seed)
    report("renders", list(track(recipes, "Measuring", total=options.recipes)))
    report("photographs", list(measure_photographs()))
    print_named(options.seed)


def draw_recipes(count: int, seed: int) -> Iterator[Case]:
    """Draw random recipes, render and measure them."""
    known = palette.load().colors
    for first in range(0, count, _LAYOUT):
        rng = np.random.default_rng((seed, first))
        angle = float(rng.choice([0.0, 45.0, 90.0, 135.0, rng.uniform(1, 179)]))
        size = int(rng.choice([512, 1024]))
        laid = light = None
        for _ in range(min(_LAYOUT, count - first)):
            chosen = rng.permutation(len(known))[: int(rng.integers(2, 7))]
            parts = np.maximum(np.rint(100 * rng.dirichlet(np.ones(len(chosen)))), 1)
            shares = [
                ColorShare(known[index], known[index].phrase, float(part))
                for index, part in zip(chosen, parts / parts.sum(), strict=True)
            ]
            recipe = Recipe(tuple(shares), angle=angle, seed=seed + first)
            laid = lay(recipe) if laid is None else recolor_layout(laid, recipe)
            light = light or compute_lighting(laid, size)
            measured = measure(render.render_picture(laid, size, light), laid.colors)
            yield Case(laid.colors, laid.shares, measured, size)


def measure_photographs() -> Iterator[Case]:
    """Measure the photographs of tiles of several colours, where there are some."""
    for photo in labelled():
        if len(photo.colors) > 1:
            image = photograph.load(photo.file).pixels
            yield Case(photo.colors, photo.shares, measure(image, photo.colors), len(image))


def report(name: str, cases: list[Case]) -> None:
    """Print coverage and width of intervals by kind, the errors, and the groups."""
    if not cases:
        return
    answers = [
        Answer(share, *interval, told, len(case.colors), case.size)
        for case in cases
        for share, interval, told in zip(
            case.true, case.measured.intervals, case.told_apart, strict=True
        )
    ]
    rows = []
    for kind, belongs in KINDS.items():
        of = [answer for answer in answers if belongs(answer)]
        if of:
            covered = np.mean([answer.covered for answer in of])
            width = np.mean([answer.high - answer.low for answer in of])
            rows.append([kind, str(len(of)), f"{100 * covered:.1f}%", f"{100 * width:.1f}"])
    print(f"\n{name}: {len(cases)} pictures\n")
    print_table(["shares", "number", "in the interval", "mean width, points"], rows)
    errors = [error for case in cases for error in case.errors]
    groups = Counter(group for case in cases for group in case.describe_groups())
    grouped = sum(bool(case.measured.groups) for case in cases)
    print(
        f"\ngroups and colours told apart: mean error {np.mean(errors):.2f} points, worst "
        f"{max(errors):.1f}, {sum(error > _MOST_OFF for error in errors)} beyond {_MOST_OFF:.0f}\n"
        f"pictures with groups: {grouped} of {len(cases)}: "
        + ", ".join(f"{group} {times}" for group, times in groups.most_common())
    )


def print_named(seed: int) -> None:
    """Print what is measured on mixes of look-alikes."""
    print("\nlook-alikes\n")
    rows = []
    for name, recipe in NAMED.items():
        colors = [palette.load().find(code) for code in recipe]
        parts = zip(colors, recipe.values(), strict=True)
        shares = tuple(ColorShare(color, color.phrase, part / 100) for color, part in parts)
        laid = lay(Recipe(shares, seed=seed))
        for size in (512, 1024):
            measured = measure(render.render_picture(laid, size), laid.colors)
            case = Case(laid.colors, laid.shares, measured, size)
            found = "; ".join(case.describe_shares())
            rows.append([name, str(size), found, ", ".join(case.describe_groups())])
    print_table(["mix", "size", "true: measured (interval)", "not told apart"], rows)


if __name__ == "__main__":
    main()
