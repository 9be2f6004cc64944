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
_POLL = 0.5  # seconds, as Replicate's own client has it
_PATIENCE = 5  # answers in a row that say "later" or "server error"
_ENDED = {"succeeded", "failed", "canceled", "aborted"}


class ReplicateBackend:
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
                started = self._answer(await api.post(self._path, json=body))
                # Closed by hand: a generator within a generator would else be left to be collected,
                # when the connection by which it cancels is gone.
                async with aclosing(self._followed(api, started)) as events:
                    async for event in events:
                        yield event
            except httpx.HTTPError as error:
                raise http.unreachable_fault(self.title, error) from None

    async def _followed(
        self, api: httpx.AsyncClient, prediction: dict[str, Any]
    ) -> AsyncGenerator[Event]:
        """Look at the prediction until it has ended. Leaving early cancels it."""
        # The address is put together here: one out of the answer could lead the token astray.
        path = f"/v1/predictions/{_number(prediction)}"
        count = 0
        ended = False
        try:
            while True:
                if (progress := parse_progress(str(prediction.get("logs") or ""))) is not None:
                    yield progress
                for uri in _outputs(prediction)[count:]:
                    content = (
                        http.decode_data_uri(uri)
                        if http.is_data_uri(uri)
                        else await http.fetch(uri, api)
                    )
                    yield parse_shot(content, count)
                    count += 1
                ended = prediction.get("status") in _ENDED
                if ended:
                    _check(prediction, count)
                    return
                await asyncio.sleep(_POLL)
                prediction = await self._looked_at(api, path)
        finally:
            if not ended:
                await _cancelled(api, path)

    async def _looked_at(self, api: httpx.AsyncClient, path: str) -> dict[str, Any]:
        for attempt in range(_PATIENCE):
            response = await api.get(path)
            if response.status_code != 429 and response.status_code < 500:
                break
            await asyncio.sleep(_POLL * 2**attempt)
        return self._answer(response)

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        said = http.read_error(response, ("detail", "title")).replace(self._token, "…")
        if response.status_code == httpx.codes.NOT_FOUND:
            raise Fault("deployment_unknown", said, status=502, where=self.title)
        if response.status_code not in {200, 201, 202}:
            raise http.refusal_fault(response, self.title, said)
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Fault("photograph_strange", status=502)
        return body


def _number(prediction: dict[str, Any]) -> str:
    number = str(prediction.get("id", ""))
    if not number.isalnum():
        raise Fault("photograph_strange", status=502)
    return number


def _outputs(prediction: dict[str, Any]) -> list[str]:
    output = prediction.get("output")
    return [uri for uri in output if isinstance(uri, str)] if isinstance(output, list) else []


async def _cancelled(api: httpx.AsyncClient, path: str) -> None:
    try:
        await api.post(f"{path}/cancel", timeout=5)
    except httpx.HTTPError:
        return  # nothing more can be done from here


def _check(prediction: dict[str, Any], count: int) -> None:
    """Raise Fault where a prediction has not ended well."""
    status = prediction.get("status")
    if status in {"canceled", "aborted"}:
        raise Fault("photograph_cancelled_there", status=502)
    if status == "failed":
        raise Fault(
            "photograph_failed", extract_message(str(prediction.get("error") or "")), status=502
        )
    if count == 0:
        raise Fault("photograph_strange", status=502)
