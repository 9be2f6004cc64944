"""Photographs by a Cog server: https://cog.run/http/."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx

from plitka.designer.backends import http
from plitka.designer.backends.base import (
    Event,
    Progress,
    extract_message,
    parse_progress,
    parse_shot,
)
from plitka.designer.errors import Fault
from plitka.request.recipe import Recipe

_BUSY_AGAIN = 1.0  # seconds between two attempts at a busy server


class CogServerBackend:
    kind = "cog"

    def __init__(self, address: str, token: str | None = None) -> None:
        self.title = http.hide_credentials(address)
        self._address = address
        self._token = token

    async def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        async with http.open_client(self._address, self._token) as api:
            try:
                # Closed by hand: a generator within a generator would else be left to be collected,
                # when the connection by which it cancels is gone.
                async with aclosing(self._attempts(api, recipe)) as events:
                    async for event in events:
                        yield event
            except httpx.HTTPError as error:
                raise http.unreachable_fault(self.title, error) from None

    async def _attempts(self, api: httpx.AsyncClient, recipe: Recipe) -> AsyncGenerator[Event]:
        """The photograph, as soon as the server is not busy with another one."""
        yield Progress("starting")
        busy = True
        while busy:
            number = secrets.token_hex(8)
            async with api.stream(
                "PUT",
                f"predictions/{number}",
                json={"input": {"params_json": json.dumps(recipe.request())}},
                headers={"Accept": "text/event-stream"},
            ) as response:
                busy = response.status_code == httpx.codes.CONFLICT
                if not busy:
                    async with aclosing(self._followed(api, number, response)) as events:
                        async for event in events:
                            yield event
            if busy:
                yield Progress("waiting")
                await asyncio.sleep(_BUSY_AGAIN)

    async def _followed(
        self, api: httpx.AsyncClient, number: str, response: httpx.Response
    ) -> AsyncGenerator[Event]:
        """The events of one prediction. Leaving early cancels it."""
        if response.status_code != httpx.codes.OK:
            await response.aread()
            raise await self._fault(api, response)
        ended = False
        try:
            count, log = 0, ""
            async for name, data in _events(response):
                if name == "log":
                    log = (log + str(data.get("data", "")))[-4000:]
                    if (progress := parse_progress(log)) is not None:
                        yield progress
                elif name == "output":
                    yield parse_shot(await _content(str(data.get("chunk", "")), api), count)
                    count += 1
                elif name == "completed":
                    ended = True
                    _check(data, count)
            if not ended:
                raise Fault("server_gone", status=502, where=self.title)
        finally:
            if not ended:
                await _cancelled(api, number)

    async def _fault(self, api: httpx.AsyncClient, response: httpx.Response) -> Fault:
        said = http.read_error(response, ("error", "detail"))
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return http.refusal_fault(response, self.title, said)
        health = (await api.get("health-check")).json()
        if health.get("status") == "SETUP_FAILED":
            logs = str(health.get("setup", {}).get("logs", ""))
            last = logs.strip().rpartition("EngineError: ")[2] or logs
            return Fault("server_setup_failed", last[-800:], status=502, where=self.title)
        return Fault("server_not_ready", status=502, where=self.title)


async def _cancelled(api: httpx.AsyncClient, number: str) -> None:
    try:
        await api.post(f"predictions/{number}/cancel", timeout=5)
    except httpx.HTTPError:
        return  # it is gone already; closing the stream has cancelled it, too


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Server-sent events as (name, data)."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            try:
                data = json.loads(line.removeprefix("data:"))
            except ValueError:
                raise Fault("photograph_strange", status=502) from None
            yield name, data if isinstance(data, dict) else {}


async def _content(uri: str, api: httpx.AsyncClient) -> bytes:
    return http.decode_data_uri(uri) if http.is_data_uri(uri) else await http.fetch(uri, api)


def _check(completed: dict[str, Any], count: int) -> None:
    """Raise Fault where a prediction has not ended well."""
    status = completed.get("status")
    if status == "canceled":
        raise Fault("photograph_cancelled_there", status=502)
    if status != "succeeded":
        raise Fault(
            "photograph_failed", extract_message(str(completed.get("error", ""))), status=502
        )
    if count == 0:
        raise Fault("photograph_strange", status=502)
