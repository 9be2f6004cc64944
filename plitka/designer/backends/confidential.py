"""A backend of which nothing that leaves it repeats its secrets."""

import unicodedata
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import chain

import httpx

from plitka.designer.backends import http
from plitka.designer.backends.address import Server
from plitka.designer.backends.base import Backend, Event, Shot
from plitka.designer.errors import Fault
from plitka.request.recipe import Recipe
from plitka.runtime.redaction import Redact, make_redactor

_MAX_READ = 65536  # characters of a server's message that are looked through
_MAX_SHOWN = 800  # that are shown: a sentence, or the end of a traceback
_INVISIBLE = {"Cc", "Cf", "Cs"}  # control characters, formats that turn text around, surrogates


class ConfidentialBackend:
    """Makes photographs by a backend that asks `server`.

    Servers repeat what they are sent: in messages, in their logs, in pictures. So the words of
    each fault are freed of the secrets, and a picture with one inside is none.
    """

    def __init__(self, backend: Backend, server: Server) -> None:
        self.kind = backend.kind
        self.title = backend.title
        self._backend = backend
        self._secrets = server.secrets
        self._redact: Redact = make_redactor(server.secrets)

    async def check(self) -> None:
        try:
            await self._backend.check()
        except Fault as fault:
            raise self._redact_fault(fault) from None
        except httpx.HTTPError as error:
            raise http.make_unreachable_fault(self.title, error) from None

    async def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        try:
            # Closed here, while the connection is open by which it cancels: the end of this
            # generator alone would leave the inner one to be collected later.
            async with aclosing(self._backend.photograph(recipe)) as events:
                async for event in events:
                    if isinstance(event, Shot):
                        self._check_shot(event)
                    yield event
        except Fault as fault:
            raise self._redact_fault(fault) from None
        except httpx.HTTPError as error:
            raise http.make_unreachable_fault(self.title, error) from None

    def _check_shot(self, shot: Shot) -> None:
        """Raise Fault for a picture that repeats a secret."""
        shown = shot.shown
        names = (*shown.shares, *shown.measured, *shown.intervals, *chain(*shown.groups))
        within = any(secret.encode() in shot.content for secret in self._secrets)
        if within or any(self._redact(text) != text for text in map(_drop_invisible, names)):
            raise http.make_strange_fault()

    def _redact_fault(self, fault: Fault) -> Fault:
        values = {
            key: self._clean(value) if isinstance(value, str) else value
            for key, value in fault.values.items()
        }
        return Fault(fault.code, self._clean(fault.detail), fault.status, **values)

    def _clean(self, text: str) -> str:
        """A server's text without secrets, and as long as can be read."""
        ends = text if len(text) <= _MAX_READ else text[: _MAX_READ // 2] + text[-_MAX_READ // 2 :]
        told = self._redact(_drop_invisible(ends)).strip()
        if len(told) <= _MAX_SHOWN:
            return told
        return f"{told[: _MAX_SHOWN // 2]} … {told[-_MAX_SHOWN // 2 :]}"


def _drop_invisible(text: str) -> str:
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in _INVISIBLE
    )
