"""Hold-out: each colour stays in training, mixtures are measured, near duplicates stay together."""

import cv2
import numpy as np
import pytest

from plitka.tile.layout import lay
from plitka.tile.render import render_picture
from plitka.training.hold_out import Candidate, choose_held_out
from plitka.training.near_duplicates import group_near_duplicates, take_fingerprint
from tests.support.recipes import asked


def candidates(*mixtures: str) -> list[Candidate]:
    """One photograph of each mixture, by the letters of its colours."""
    return [Candidate(1, frozenset({each}), frozenset(each)) for each in mixtures]


def count_photographs(given: list[Candidate], seed: int = 0) -> int:
    return sum(given[index].photographs for index in choose_held_out(given, seed))


@pytest.mark.parametrize(("photographs", "held"), [(8, 2), (20, 2), (40, 4), (80, 8), (200, 8)])
def test_a_tenth_is_held_out_two_at_least_and_eight_at_most(photographs: int, held: int) -> None:
    assert count_photographs(candidates(*["ab"] * photographs)) == held


@pytest.mark.parametrize("seed", range(20))
def test_each_color_stays_in_training(seed: int) -> None:
    given = candidates(*["ab", "ac", "bc", "d", "e", "ef", "fa", "cb", "ba"] * 2, "g", "gh")
    held = choose_held_out(given, seed)
    trained = {code for index, one in enumerate(given) if index not in held for code in one.colors}
    assert trained == set("abcdefgh")


@pytest.mark.parametrize("seed", range(5))
def test_mixtures_of_different_recipes_come_first(seed: int) -> None:
    given = candidates(*"abcdef" * 5, "ab", "ab", "bc", "cd", "de")
    shown = [given[index].recipes for index in choose_held_out(given, seed)]
    assert len(shown) == len(set(shown)) == 4
    assert all(len(next(iter(recipes))) == 2 for recipes in shown)


def test_what_shows_the_same_granules_is_held_out_as_one() -> None:
    given = [Candidate(5, frozenset("a"), frozenset("a"))] * 2
    given += [Candidate(3, frozenset("b"), frozenset("ab"))] * 10
    assert count_photographs(given) == 3


def test_where_each_color_is_shown_once_two_are_held_out_nevertheless() -> None:
    assert count_photographs(candidates(*"abcdefgh")) == 2


def test_another_seed_chooses_others_and_the_same_the_same() -> None:
    given = candidates(*["ab"] * 40)
    assert choose_held_out(given, 1) == choose_held_out(given, 1)
    assert len({choose_held_out(given, seed) for seed in range(9)}) > 1


def test_near_duplicates_are_found_however_they_were_saved_or_turned() -> None:
    one, other = (
        render_picture(lay(asked({"red": 60, "white": 40}, seed=seed)), 512) for seed in (1, 2)
    )
    small = cv2.resize(one, (300, 300), interpolation=cv2.INTER_AREA)
    turned = np.ascontiguousarray(np.rot90(one)[:, ::-1])
    brighter = np.clip(one * 0.8 + 30, 0, 255).astype(np.uint8)
    cut = np.ascontiguousarray(one[6:-6, 6:-6])
    pictures = [other, one, small, turned, brighter, cut]
    prints = [take_fingerprint(picture) for picture in pictures]
    assert group_near_duplicates(prints) == [[0], [1, 2, 3, 4, 5]]


def test_flat_pictures_are_no_duplicates_and_none_are_no_group() -> None:
    flat = take_fingerprint(np.full((512, 512, 3), 128, np.uint8))
    assert group_near_duplicates([flat, flat]) == [[0], [1]]
    assert group_near_duplicates([]) == []
