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
    LOG_TAIL,
    Event,
    Progress,
    extract_message,
    parse_progress,
    parse_shot,
)
from plitka.designer.errors import Fault
from plitka.request.recipe import Recipe

_RETRY_SECONDS = 1.0  # between two attempts at a busy server


class CogServerBackend:
    """Makes photographs by a Cog server at `address`, which gets `token` as Bearer token."""

    kind = "cog"

    def __init__(self, address: str, token: str | None = None) -> None:
        self.title = http.hide_credentials(address)
        self._address = address
        self._token = token

    async def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        async with http.open_client(self._address, self._token) as api:
            try:
                # Closed here, while the connection is open by which it cancels: the end of this
                # generator alone would leave the inner one to be collected later.
                async with aclosing(self._predict(api, recipe)) as events:
                    async for event in events:
                        yield event
            except httpx.HTTPError as error:
                raise http.make_unreachable_fault(self.title, error) from None

    async def _predict(self, api: httpx.AsyncClient, recipe: Recipe) -> AsyncGenerator[Event]:
        """Run a prediction, as soon as the server is not busy with another one."""
        yield Progress("starting")
        busy = True
        while busy:
            prediction = secrets.token_hex(8)
            async with api.stream(
                "PUT",
                f"predictions/{prediction}",
                json={"input": {"params_json": json.dumps(recipe.request())}},
                headers={"Accept": "text/event-stream"},
            ) as response:
                busy = response.status_code == httpx.codes.CONFLICT
                if not busy:
                    async with aclosing(self._follow(api, prediction, response)) as events:
                        async for event in events:
                            yield event
            if busy:
                yield Progress("waiting")
                await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(
        self, api: httpx.AsyncClient, prediction: str, response: httpx.Response
    ) -> AsyncGenerator[Event]:
        """Follow the event stream of one prediction to its end. Closing it early cancels it.

        prediction: its id.
        """
        if response.status_code != httpx.codes.OK:
            await response.aread()
            raise await self._read_fault(api, response)
        ended = False
        try:
            count, log = 0, ""
            async for name, data in _read_events(response):
                if name == "log":
                    log = (log + str(data.get("data", "")))[-LOG_TAIL:]
                    if (progress := parse_progress(log)) is not None:
                        yield progress
                elif name == "output":
                    content = await http.fetch_output(str(data.get("chunk", "")), api)
                    yield parse_shot(content, count)
                    count += 1
                elif name == "completed":
                    ended = True
                    _check_completed(data, count)
            if not ended:
                raise Fault("server_gone", status=502, where=self.title)
        finally:
            if not ended:
                await _cancel(api, prediction)

    async def _read_fault(self, api: httpx.AsyncClient, response: httpx.Response) -> Fault:
        """Read why a server refused a prediction; asks its health check where it is not ready."""
        message = http.read_error(response, ("error", "detail"))
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return http.make_refusal_fault(response, self.title, message)
        health = (await api.get("health-check")).json()
        if health.get("status") == "SETUP_FAILED":
            logs = str(health.get("setup", {}).get("logs", ""))
            last = logs.strip().rpartition("EngineError: ")[2] or logs
            return Fault("server_setup_failed", last[-800:], status=502, where=self.title)
        return Fault("server_not_ready", status=502, where=self.title)


async def _cancel(api: httpx.AsyncClient, prediction: str) -> None:
    try:
        await api.post(f"predictions/{prediction}/cancel", timeout=5)
    except httpx.HTTPError:
        return  # the server cannot be reached; closing the stream cancels the prediction, too


async def _read_events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Read server-sent events, as (name, data). Raises Fault if data is not JSON."""
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


def _check_completed(completed: dict[str, Any], count: int) -> None:
    """Raise Fault if a prediction has not succeeded with at least one picture."""
    status = completed.get("status")
    if status == "canceled":
        raise Fault("photograph_cancelled_there", status=502)
    if status != "succeeded":
        raise Fault(
            "photograph_failed", extract_message(str(completed.get("error", ""))), status=502
        )
    if count == 0:
        raise Fault("photograph_strange", status=502)
