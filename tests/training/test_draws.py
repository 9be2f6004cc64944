"""What is drawn for each step of a training."""

import numpy as np
import pytest

from plitka.training.draws import HALF_SIZE, Draws, draw_all

VISITED, TIMESTEPS = 501, 1000


def draw(**changed: int | float) -> Draws:
    asked: dict[str, int | float] = {
        "seed": 0,
        "steps": 2000,
        "batch": 4,
        "resolution": 1024,
        "photographs": 20,
        "augment": 0.5,
        "visited": VISITED,
        "timesteps": TIMESTEPS,
        "with_half_size": True,
    }
    return draw_all(**{**asked, **changed})  # type: ignore[arg-type]


def test_85_of_100_samples_have_noise_that_pictures_visit_and_the_rest_has_more() -> None:
    drawn = draw().timesteps
    inside = drawn <= VISITED
    assert abs(inside.mean() - 0.85) < 0.02
    assert drawn.min() == 0
    assert TIMESTEPS - 20 < drawn.max() < TIMESTEPS
    tenths = np.histogram(drawn[inside], bins=10, range=(0, VISITED + 1))[0] / inside.sum()
    assert np.abs(tenths - 0.1).max() < 0.02


@pytest.mark.parametrize("augment", [0.0, 0.2, 0.5])
def test_the_share_of_matched_samples_is_the_one_asked_for(augment: float) -> None:
    assert abs(draw(augment=augment).matched.mean() - augment) < 0.02


def test_matched_samples_have_no_more_noise_than_pictures() -> None:
    drawn = draw()
    assert drawn.timesteps[drawn.matched].max() <= VISITED


def test_a_quarter_of_the_steps_is_of_previews_size() -> None:
    drawn = draw()
    assert set(drawn.sizes.tolist()) == {HALF_SIZE, 1024}
    assert abs((drawn.sizes == HALF_SIZE).mean() - 0.25) < 0.03
    assert set(draw(resolution=HALF_SIZE).sizes.tolist()) == {HALF_SIZE}
    assert set(draw(with_half_size=False).sizes.tolist()) == {1024}


def test_five_captions_in_a_hundred_are_left_out() -> None:
    assert abs(draw().dropped.mean() - 0.05) < 0.01


def test_all_samples_of_a_kind_are_taken_before_one_comes_again() -> None:
    drawn = draw()
    counts = drawn.count_samples()
    assert set(counts) == {(512, False), (512, True), (1024, False), (1024, True)}
    for (size, matched), count in counts.items():
        of_kind = (drawn.sizes == size)[:, None] & (drawn.matched == matched)
        taken = drawn.samples[of_kind]
        assert sorted(taken[:count].tolist()) == list(range(count))
        often = np.bincount(taken, minlength=count)
        assert often.max() - often.min() <= 1


def test_few_steps_need_few_samples() -> None:
    drawn = draw(steps=2, batch=1, augment=0.0)
    assert sum(drawn.count_samples().values()) <= 2


def test_equal_arguments_draw_equally_and_another_seed_does_not() -> None:
    one, same, other = draw(), draw(), draw(seed=1)
    assert np.array_equal(one.noise, same.noise)
    assert not np.array_equal(one.noise, other.noise)
