"""The line for Cog's one slot, alone."""

import pytest

from plitka.serving.queue import Line, LineFullError, Pace


def make_line(most: int, *names: str) -> Line[str]:
    """A line that these have joined; the first of them has the slot."""
    line: Line[str] = Line(most)
    for name in names:
        line.join(name)
        line.advance()
    return line


def test_who_comes_first_is_served_first() -> None:
    line = make_line(8, *"abcd")
    served = [line.holder]
    while line.holder is not None:
        line.leave(line.holder)
        served.append(line.advance())
    assert served == ["a", "b", "c", "d", None]


def test_the_place_is_how_many_turns_there_are_until_ones_own() -> None:
    line = make_line(8, *"abcd")
    assert [line.find_place(name) for name in "abcdx"] == [0, 1, 2, 3, None]
    line.leave("b")
    assert [line.find_place(name) for name in "abcd"] == [0, None, 1, 2]


def test_no_more_may_wait_than_are_allowed_and_the_one_at_work_does_not_count() -> None:
    line = make_line(2, *"abc")
    with pytest.raises(LineFullError):
        line.join("d")
    line.leave("b")
    line.join("d")
    assert line.waiting == ["c", "d"]


def test_where_nobody_may_wait_one_may_still_have_a_slot_that_is_free_in_a_moment() -> None:
    line = make_line(0, "a")
    with pytest.raises(LineFullError):
        line.join("b")
    line.leave("a")
    line.join("b")
    with pytest.raises(LineFullError):
        line.join("c")
    assert line.advance() == "b"


def test_the_slot_is_given_to_nobody_while_it_is_taken() -> None:
    line = make_line(8, *"ab")
    assert line.advance() is None
    line.leave("a")
    assert line.holder is None
    assert line.advance() == "b"


def test_those_who_are_refused_are_told_times_a_prediction_apart() -> None:
    pace = Pace()
    for seconds in (1.0, 3.0):
        pace.note(seconds)
    assert [pace.promise(now=100.0, most=3) for _ in range(6)] == [2, 4, 6, 8, 8, 8]
    assert pace.promise(now=200.0, most=3) == 2, "all that was promised is past"


def test_nobody_is_told_to_come_again_later_than_in_a_minute() -> None:
    pace = Pace()
    pace.note(25.0)
    assert [pace.promise(now=100.0, most=32) for _ in range(4)] == [25, 50, 60, 60]


def test_a_time_to_come_again_is_a_second_at_least_and_guessed_before_the_first() -> None:
    pace = Pace()
    assert pace.promise(now=0.0, most=32) == 5
    for _ in range(16):
        pace.note(0.01)
    assert pace.seconds == pytest.approx(0.01)
    assert pace.promise(now=100.0, most=32) == 1
