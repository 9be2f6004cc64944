"""Hold-out: which photographs are kept from training, to measure on them what it is worth."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_PART = 0.1  # of the photographs
_FEWEST, _MOST = 2, 8


@dataclass(frozen=True)
class Candidate:
    """Photographs that are held out together or not at all.

    photographs: how many they are. recipes: of each. colors: the codes of all.
    """

    photographs: int
    recipes: frozenset[str]
    colors: frozenset[str]


def choose_held_out(candidates: Sequence[Candidate], seed: int) -> tuple[int, ...]:
    """Choose candidates for the hold-out, in an order drawn by the seed; gives their indices.

    A tenth of the photographs are chosen, 2 at least and 8 at most. Each colour stays on
    photographs that are trained on, unless fewer than 2 could be chosen so. Mixtures come first,
    then what else shows a recipe that none of those chosen shows: by their recipes pictures are
    drawn and measured.
    """
    total = sum(one.photographs for one in candidates)
    wanted = min(max(round(_PART * total), _FEWEST), _MOST)
    order = np.random.default_rng([seed, len(candidates)]).permutation(len(candidates)).tolist()
    left = Counter(code for one in candidates for code in one.colors)
    chosen: list[int] = []

    def count_chosen() -> int:
        return sum(candidates[index].photographs for index in chosen)

    def take(most: int, wish: Callable[[Candidate], bool]) -> None:
        for index in order:
            one = candidates[index]
            if index not in chosen and count_chosen() + one.photographs <= most and wish(one):
                chosen.append(index)
                left.subtract(one.colors)

    def is_new(one: Candidate) -> bool:
        return not one.recipes <= {each for index in chosen for each in candidates[index].recipes}

    def leaves_colors(one: Candidate) -> bool:
        return all(left[code] > 1 for code in one.colors)

    take(wanted, lambda one: leaves_colors(one) and is_new(one) and len(one.colors) > 1)
    take(wanted, lambda one: leaves_colors(one) and is_new(one))
    take(wanted, leaves_colors)
    if count_chosen() < _FEWEST:
        take(_FEWEST, lambda one: one.photographs < total)
    return tuple(sorted(chosen))
