"""Photographs by a Cog server: https://cog.run/http/."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

from plitka.designer.backends import http
from plitka.designer.backends.address import Server
from plitka.designer.backends.base import (
    CHECK_SECONDS,
    LOG_TAIL,
    Event,
    Progress,
    extract_message,
    parse_progress,
    parse_shot,
)
from plitka.designer.backends.http import Answer, Api
from plitka.designer.backends.outputs import fetch_output
from plitka.designer.errors import Fault
from plitka.request.recipe import Recipe

_BUSY = (httpx.codes.CONFLICT, httpx.codes.TOO_MANY_REQUESTS)  # of Cog, and of a full gate
_ANSWERING = ("READY", "BUSY")  # states of a server that takes requests
_MAX_HEALTH = 2**20  # bytes of a health check, which holds the log of setup()
_RETRY_SECONDS = 1.0  # between two attempts at a busy server


class CogServerBackend:
    """Makes photographs by a Cog server."""

    kind = "cog"

    def __init__(self, server: Server) -> None:
        self.title = server.address
        self._server = server

    async def check(self) -> None:
        async with http.open_api(self._server, CHECK_SECONDS) as api:
            answer = await api.ask("GET", "health-check", max_bytes=_MAX_HEALTH)
            if answer.status != httpx.codes.OK:
                raise http.make_refusal_fault(answer.status, self.title)
            health = answer.read_json()
            if health.get("status") not in _ANSWERING:
                raise self._read_health(health)

    async def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        """Run a prediction, as soon as the server is not busy with another one."""
        yield Progress("starting")
        body = {"input": {"params_json": json.dumps(recipe.request())}}
        async with http.open_api(self._server) as api:
            busy = True
            while busy:
                prediction = secrets.token_hex(8)
                async with api.stream(
                    "PUT", f"predictions/{prediction}", body, {"Accept": "text/event-stream"}
                ) as response:
                    busy = response.status_code in _BUSY
                    if not busy:
                        # Closed here, while the connection is open by which it cancels.
                        async with aclosing(self._follow(api, prediction, response)) as events:
                            async for event in events:
                                yield event
                if busy:
                    yield Progress("waiting")
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(
        self, api: Api, prediction: str, response: httpx.Response
    ) -> AsyncGenerator[Event]:
        """Follow the event stream of one prediction to its end. Closing it early cancels it.

        prediction: its id.
        """
        if response.status_code != httpx.codes.OK:
            raise await self._read_fault(api, await api.read_answer(response))
        ended = False
        try:
            count, log = 0, ""
            async with aclosing(_read_events(api, response)) as events:
                async for name, data in events:
                    if name == "log":
                        log = (log + str(data.get("data", "")))[-LOG_TAIL:]
                        if (progress := parse_progress(log)) is not None:
                            yield progress
                    elif name == "starting":  # the gate in front of it queues
                        yield Progress("waiting")
                    elif name == "output":
                        content = await fetch_output(str(data.get("chunk", "")), api)
                        yield parse_shot(content, count)
                        count += 1
                    elif name == "completed":
                        ended = True
                        _check_completed(data, count)
                        return
            raise Fault("server_gone", status=502, where=self.title)
        finally:
            if not ended:
                await api.cancel(f"predictions/{prediction}/cancel")

    async def _read_fault(self, api: Api, answer: Answer) -> Fault:
        """Read why a server refused a prediction; asks its health check where it is not ready."""
        if answer.status != httpx.codes.SERVICE_UNAVAILABLE:
            message = answer.read_error(("error", "detail"))
            return http.make_refusal_fault(answer.status, self.title, message)
        return self._read_health((await api.ask("GET", "health-check")).read_json())

    def _read_health(self, health: dict[str, Any]) -> Fault:
        """Read from a health check why a server is not ready."""
        if health.get("status") == "SETUP_FAILED":
            setup = health.get("setup")
            logs = str(setup.get("logs", "")) if isinstance(setup, dict) else ""
            last = logs.strip().rpartition("EngineError: ")[2] or logs
            return Fault("server_setup_failed", last, status=502, where=self.title)
        return Fault("server_not_ready", status=502, where=self.title)


async def _read_events(
    api: Api, response: httpx.Response
) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    """Read server-sent events, as (name, data). Raises Fault if data is no JSON object."""
    name = ""
    async with aclosing(api.read_lines(response)) as lines:
        async for line in lines:
            if line.startswith("event:"):
                name = line.removeprefix("event:").strip()
            elif line.startswith("data:"):
                yield name, http.parse_object(line.removeprefix("data:"))


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
        raise http.make_strange_fault()
