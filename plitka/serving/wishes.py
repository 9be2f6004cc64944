"""How a client wants to be answered: with a stream, at once, or as far as it is after a while."""

import re
from dataclasses import dataclass

from multidict import CIMultiDictProxy

_WAIT = re.compile(r'"?([0-9]{1,6})"?')


@dataclass(frozen=True)
class Wish:
    """is_stream: by events as they come. is_async: at once, and by a webhook.

    wait: seconds after which it is answered as far as it is; None for the end.
    """

    is_stream: bool = False
    is_async: bool = False
    wait: int | None = None

    @property
    def stays(self) -> bool:
        """Whether the prediction stays where its client hangs up."""
        return self.is_async


def read_wish(headers: CIMultiDictProxy[str]) -> Wish:
    """Read Accept and Prefer (RFC 7240).

    A stream shows all there is, so Prefer does not count beside it. Of preferences that are named
    twice the first holds; others, and times that are no whole seconds, do not count.
    """
    accepted = ",".join(headers.getall("Accept", ())).split(",")
    if any(_name(each) == "text/event-stream" for each in accepted):
        return Wish(is_stream=True)
    preferences: dict[str, str] = {}
    for each in ",".join(headers.getall("Prefer", ())).split(","):
        name, _, value = each.partition(";")[0].partition("=")
        preferences.setdefault(name.strip().lower(), value.strip())
    wait = _WAIT.fullmatch(preferences.get("wait", ""))
    return Wish(
        is_async="respond-async" in preferences,
        wait=int(wait[1]) if wait else None,
    )


def _name(media_range: str) -> str:
    return media_range.partition(";")[0].strip().lower()
