"""Photographs by a deployment on Replicate: https://replicate.com/docs/reference/http."""

import asyncio
import json
from collections.abc import AsyncGenerator
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

_ADDRESS = "https://api.replicate.com"
_POLL_SECONDS = 0.5  # as in Replicate's own client
_ATTEMPTS = 5  # at a request that is answered by 429 (too many requests) or a server error
_ENDED = {"succeeded", "failed", "canceled", "aborted"}


class ReplicateBackend:
    """Makes photographs by the deployment `owner`/`name`. address: of another API, for tests."""

    kind = "replicate"

    def __init__(self, owner: str, name: str, token: str, address: str | None = None) -> None:
        self.title = f"replicate.com/deployments/{owner}/{name}"
        self._path = f"/v1/deployments/{owner}/{name}/predictions"
        self._address = address or _ADDRESS
        self._token = token

    async def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        async with http.open_client(self._address, self._token) as api:
            try:
                yield Progress("starting")
                body = {"input": {"params_json": json.dumps(recipe.request())}}
                prediction = self._parse_prediction(await api.post(self._path, json=body))
                # Closed here, while the connection is open by which it cancels: the end of this
                # generator alone would leave the inner one to be collected later.
                async with aclosing(self._follow(api, prediction)) as events:
                    async for event in events:
                        yield event
            except httpx.HTTPError as error:
                raise http.make_unreachable_fault(self.title, error) from None

    async def _follow(
        self, api: httpx.AsyncClient, prediction: dict[str, Any]
    ) -> AsyncGenerator[Event]:
        """Poll the prediction until it has ended. Closing it early cancels it."""
        # Not the address in the response, which could send the token to another host.
        path = f"/v1/predictions/{_read_id(prediction)}"
        count = 0
        ended = False
        try:
            while True:
                if (progress := parse_progress(str(prediction.get("logs") or ""))) is not None:
                    yield progress
                for uri in _list_outputs(prediction)[count:]:
                    yield parse_shot(await http.fetch_output(uri, api), count)
                    count += 1
                ended = prediction.get("status") in _ENDED
                if ended:
                    _check_ended(prediction, count)
                    return
                await asyncio.sleep(_POLL_SECONDS)
                prediction = await self._poll(api, path)
        finally:
            if not ended:
                await _cancel(api, path)

    async def _poll(self, api: httpx.AsyncClient, path: str) -> dict[str, Any]:
        """Get the prediction as it is now; waits longer after each attempt that fails."""
        for attempt in range(_ATTEMPTS):
            response = await api.get(path)
            if response.status_code != 429 and response.status_code < 500:
                break
            await asyncio.sleep(_POLL_SECONDS * 2**attempt)
        return self._parse_prediction(response)

    def _parse_prediction(self, response: httpx.Response) -> dict[str, Any]:
        """Parse the prediction in a response. Raises Fault for any other response."""
        message = http.read_error(response, ("detail", "title")).replace(self._token, "…")
        if response.status_code == httpx.codes.NOT_FOUND:
            raise Fault("deployment_unknown", message, status=502, where=self.title)
        if response.status_code not in {200, 201, 202}:
            raise http.make_refusal_fault(response, self.title, message)
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Fault("photograph_strange", status=502)
        return body


def _read_id(prediction: dict[str, Any]) -> str:
    """Read the prediction's id, which becomes part of an address. Raises Fault."""
    identifier = str(prediction.get("id", ""))
    if not identifier.isalnum():
        raise Fault("photograph_strange", status=502)
    return identifier


def _list_outputs(prediction: dict[str, Any]) -> list[str]:
    output = prediction.get("output")
    return [uri for uri in output if isinstance(uri, str)] if isinstance(output, list) else []


async def _cancel(api: httpx.AsyncClient, path: str) -> None:
    try:
        await api.post(f"{path}/cancel", timeout=5)
    except httpx.HTTPError:
        return  # the server cannot be reached; nothing more can be done from here


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
        raise Fault("photograph_strange", status=502)
