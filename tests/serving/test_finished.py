"""Answers that are kept for who comes back."""

from plitka.serving.finished import Finished


def test_an_answer_is_kept_for_ten_minutes() -> None:
    finished = Finished()
    finished.keep("a", b"1", now=0)
    assert finished.find("a", now=599) == b"1"
    assert finished.find("a", now=600) is None
    assert finished.find("b", now=0) is None


def test_no_more_than_eight_are_kept_the_last_ones() -> None:
    finished = Finished()
    for number in range(9):
        finished.keep(str(number), b"", now=number)
    assert [name for name in map(str, range(9)) if finished.find(name, now=9) is not None] == [
        *map(str, range(1, 9))
    ]


def test_an_answer_takes_the_place_of_the_one_before_of_the_same_id() -> None:
    finished = Finished()
    for number in range(8):
        finished.keep(str(number), b"old", now=0)
    finished.keep("0", b"new", now=1)
    finished.keep("8", b"", now=1)
    assert finished.find("0", now=2) == b"new"
    assert finished.find("1", now=2) is None
