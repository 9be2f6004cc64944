"""How a client wants to be answered, read from its headers."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from plitka.serving.wishes import Wish, read_wish


@pytest.mark.parametrize(
    ("headers", "wish"),
    [
        ([], Wish()),
        ([("Prefer", "respond-async")], Wish(is_async=True)),
        ([("Prefer", "Respond-Async")], Wish(is_async=True)),
        ([("Prefer", "wait=5")], Wish(wait=5)),
        ([("Prefer", 'wait = "5"')], Wish(wait=5)),
        ([("Prefer", "wait=0")], Wish(wait=0)),
        ([("Prefer", "respond-async, wait=10")], Wish(is_async=True, wait=10)),
        ([("Prefer", "handling=lenient"), ("Prefer", "wait=10; x")], Wish(wait=10)),
        ([("Prefer", "wait=3, wait=9")], Wish(wait=3)),
        ([("Prefer", "wait")], Wish()),
        ([("Prefer", "wait=0.5")], Wish()),
        ([("Prefer", "wait=-1")], Wish()),
        ([("Prefer", "wait=٣")], Wish()),
        ([("Prefer", "wait=99999999")], Wish()),
        ([("Prefer", "\udcff")], Wish()),
        ([("Accept", "text/event-stream")], Wish(is_stream=True)),
        ([("Accept", "text/html, Text/Event-Stream;q=0.9")], Wish(is_stream=True)),
        ([("Accept", "text/event-stream"), ("Prefer", "wait=5")], Wish(is_stream=True)),
        ([("Accept", "application/json")], Wish()),
    ],
)
def test_accept_and_prefer_say_how(headers: list[tuple[str, str]], wish: Wish) -> None:
    assert read_wish(CIMultiDictProxy(CIMultiDict(headers))) == wish
