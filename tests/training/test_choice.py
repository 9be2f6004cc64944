"""Which state of a training is kept, and at which scale its LoRA."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plitka.errors import TrainingError
from plitka.training.choice import (
    Evaluation,
    ScaleTrial,
    choose_scale,
    choose_step,
    list_contenders,
)
from tests.support.trainings import evaluated

FIGURES = st.sampled_from([0.9, 0.99, 1.0, 1.01, 1.015, 1.02, 1.03, 1.2, math.nan, math.inf])
EVALUATIONS = st.lists(st.tuples(FIGURES, FIGURES), min_size=1, max_size=8).map(
    lambda rows: [evaluated(100 * n, loss, texture) for n, (loss, texture) in enumerate(rows, 1)]
)


def test_of_losses_near_the_least_the_least_texture_distance_counts() -> None:
    evaluations = [
        evaluated(100, 0.20, 0.5),  # the best texture, but its loss is not near
        evaluated(200, 0.1019, 0.8),
        evaluated(400, 0.1000, 1.0),
        evaluated(600, 0.1005, 0.9),
    ]
    assert choose_step(evaluations) == 200
    assert choose_step(evaluations[2:]) == 600


def test_of_equals_the_earliest_is_kept() -> None:
    assert choose_step([evaluated(400, 0.1, 1.0), evaluated(200, 0.1, 1.0)]) == 200


def test_the_mean_of_the_drawings_counts() -> None:
    one = evaluated(100, 0.1, 1.0, 0.06)
    assert one.texture == pytest.approx(1.0)
    assert one.total_variation == pytest.approx(0.06)


def test_a_state_that_another_beats_in_both_is_no_contender() -> None:
    evaluations = [
        evaluated(200, 0.1010, 0.9),
        evaluated(400, 0.1000, 0.8),  # better than the one before in both
        evaluated(600, 0.1015, 0.7),  # better texture, worse loss
        evaluated(800, 0.2000, 0.1),  # the loss is not near
    ]
    assert list_contenders(evaluations) == {400, 600}


@given(first=EVALUATIONS, more=EVALUATIONS)
def test_what_is_chosen_in_the_end_was_a_contender_all_along(
    first: list[Evaluation], more: list[Evaluation]
) -> None:
    """So a training may forget the states that are none."""
    later = [replace(one, step=one.step + 1000) for one in more]
    for count in range(len(later) + 1):
        try:
            chosen = choose_step(first + later[:count])
        except TrainingError:
            continue
        for since in range(count + 1):
            seen = first + later[:since]
            if any(one.step == chosen for one in seen):
                assert chosen in list_contenders(seen)


def test_states_whose_figures_are_no_numbers_are_never_chosen() -> None:
    broken = evaluated(100, math.nan, 0.1)
    assert choose_step([broken, evaluated(200, 0.1, 1.0)]) == 200
    assert choose_step([evaluated(200, 0.1, 1.0), broken]) == 200
    with pytest.raises(TrainingError, match="no state of the training can draw"):
        choose_step([broken])
    assert list_contenders([broken]) == set()


def test_the_state_before_the_first_step_is_compared_with_and_never_chosen() -> None:
    evaluations = [evaluated(0, 0.01, 0.1), evaluated(200, 0.1, 1.0)]
    assert choose_step(evaluations) == 200
    assert list_contenders(evaluations) == {200}
    assert list_contenders(evaluations[:1]) == set()


def test_the_scale_with_the_least_texture_distance_is_used_the_smallest_of_equals() -> None:
    trials = [ScaleTrial(1.0, 0.9, 0.01), ScaleTrial(0.75, 0.8, 0.09), ScaleTrial(0.9, 0.8, 0.02)]
    assert choose_scale(trials) == 0.75
