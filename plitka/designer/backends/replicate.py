"""Photographs by a deployment on Replicate: https://replicate.com/docs/reference/http."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

from plitka.designer.backends import http
from plitka.designer.backends.address import Server
from plitka.designer.backends.base import (
    MAX_OUTPUTS,
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

ADDRESS = "https://api.replicate.com"

_HOST = re.compile(r"(?:[\w-]+\.)*replicate\.(?:com|delivery)", re.ASCII)  # keeps the outputs
_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_POLL_SECONDS = 0.5  # as in Replicate's own client
_ATTEMPTS = 5  # at a request that is answered by 429 (too many requests) or a server error
_UNDER_WAY = {"starting", "processing"}
_ENDED = {"succeeded", "failed", "canceled", "aborted"}


class ReplicateBackend:
    """Makes photographs by the deployment `owner`/`name`. server: Replicate's API."""

    kind = "replicate"

    def __init__(self, owner: str, name: str, server: Server) -> None:
        self.title = f"replicate.com/deployments/{owner}/{name}"
        self._path = f"/v1/deployments/{owner}/{name}/predictions"
        self._server = server

    async def check(self) -> None:
        """Do nothing: there is a token, and to ask whether it is right costs a request."""

    async def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        yield Progress("starting")
        body = {"input": {"params_json": json.dumps(recipe.request())}}
        async with http.open_api(self._server) as api:
            prediction = self._parse_prediction(await api.ask("POST", self._path, body))
            # Closed here, while the connection is open by which it cancels.
            async with aclosing(self._follow(api, prediction)) as events:
                async for event in events:
                    yield event

    async def _follow(self, api: Api, prediction: dict[str, Any]) -> AsyncGenerator[Event]:
        """Poll the prediction until it has ended. Closing it early cancels it."""
        # Not the address in the response, which could send the token to another host.
        path = f"/v1/predictions/{_read_id(prediction)}"
        count = 0
        ended = False
        try:
            while True:
                status = _read_status(prediction)
                if (progress := parse_progress(str(prediction.get("logs") or ""))) is not None:
                    yield progress
                for uri in _list_outputs(prediction)[count:]:
                    content = await fetch_output(uri, api, is_own_host)
                    yield parse_shot(content, count)
                    count += 1
                ended = status in _ENDED
                if ended:
                    _check_ended(prediction, count)
                    return
                await asyncio.sleep(_POLL_SECONDS)
                prediction = await self._poll(api, path)
        finally:
            if not ended:
                await api.cancel(f"{path}/cancel")

    async def _poll(self, api: Api, path: str) -> dict[str, Any]:
        """Get the prediction as it is now; waits longer after each attempt that fails."""
        for attempt in range(_ATTEMPTS):
            answer = await api.ask("GET", path)
            if answer.status != 429 and answer.status < 500:
                break
            await asyncio.sleep(_POLL_SECONDS * 2**attempt)
        return self._parse_prediction(answer)

    def _parse_prediction(self, answer: Answer) -> dict[str, Any]:
        """Parse the prediction in a response. Raises Fault for any other response."""
        if answer.status in {200, 201, 202}:
            return answer.read_json()
        message = answer.read_error(("detail", "title"))
        if answer.status == httpx.codes.NOT_FOUND:
            raise Fault("deployment_unknown", message, status=502, where=self.title)
        raise http.make_refusal_fault(answer.status, self.title, message)


def is_own_host(host: str) -> bool:
    """Whether outputs are kept by a host of this name."""
    return _HOST.fullmatch(host) is not None


def _read_id(prediction: dict[str, Any]) -> str:
    """Read the prediction's id, which becomes part of an address. Raises Fault."""
    identifier = str(prediction.get("id", ""))
    if not _ID.fullmatch(identifier):
        raise http.make_strange_fault()
    return identifier


def _read_status(prediction: dict[str, Any]) -> str:
    """Read the prediction's status. Raises Fault for one that Replicate does not have."""
    status = prediction.get("status")
    if not isinstance(status, str) or status not in _UNDER_WAY | _ENDED:
        raise http.make_strange_fault()
    return status


def _list_outputs(prediction: dict[str, Any]) -> list[str]:
    """List the outputs so far. Raises Fault for more than a photograph has."""
    output = prediction.get("output")
    if not isinstance(output, list):
        return []
    if len(output) > MAX_OUTPUTS:
        raise http.make_strange_fault()
    return [uri for uri in output if isinstance(uri, str)]


def _check_ended(prediction: dict[str, Any], count: int) -> None:
    """Raise Fault if a prediction has not succeeded with at least one picture."""
    status = prediction.get("status")
    if status in {"canceled", "aborted"}:
        raise Fault("photograph_cancelled_there", status=502)
    if status == "failed":
        raise Fault(
            "photograph_failed", extract_message(str(prediction.get("error") or "")), status=502
        )
    if count == 0:
        raise http.make_strange_fault()
