"""The words that people would try first: which are understood, and which refused with what."""

import pytest

from benchmarks import first_words
from tests.support.first_words import Try, answer, list_tries

TRIES = list_tries()


@pytest.mark.parametrize("one", TRIES, ids=[f"{n}-{one.text[:40]}" for n, one in enumerate(TRIES)])
def test_a_first_try_is_understood_or_refused_as_the_list_has_it(one: Try) -> None:
    outcome, said = answer(one)
    assert outcome == one.outcome, said
    if outcome == "understood":
        assert said == one.says
    else:
        assert one.says in said
        assert all(line.isprintable() for line in said.split("\n"))


def test_the_list_is_of_a_hundred_words_in_both_languages() -> None:
    assert len(TRIES) > 100
    assert {one.language for one in TRIES} == {"en", "ru"}


def test_the_docs_tell_what_becomes_of_each() -> None:
    page = first_words.PAGE.read_text(encoding="utf-8")
    assert first_words.replace_tables(page) == page
