"""Requests for predictions as they come in: read in time, decoded, and checked."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from plitka.serving.answers import Refusal
from plitka.serving.request_checks import (
    Json,
    check_request,
    check_texts,
    decode_content,
    refuse_size,
)
from plitka.serving.work_kind import PREDICTIONS, WorkKind

BODY_SECONDS = PREDICTIONS.body_seconds


@dataclass
class Reception:
    """Takes requests. webhook_hosts, file_hosts: that they may name, in their normal form."""

    kind: WorkKind
    webhook_hosts: Collection[str]
    file_hosts: Collection[str]
    _receiving: int = 0  # requests whose bodies are on their way

    async def read_body(self, request: web.Request) -> Json:
        """Read and check a request's body. Raises Refusal."""
        if self.kind.most_bodies is not None and self._receiving >= self.kind.most_bodies:
            message = f"{self._receiving} requests are being received already; ask again later"
            raise Refusal(503, ("server",), message)
        self._receiving += 1
        try:
            content = await _read_content(request, self.kind)
        finally:
            self._receiving -= 1
        encoding = request.headers.get("Content-Encoding", "")
        identifier = request.match_info.get("id")

        def check() -> Json:
            decoded = decode_content(content, encoding, self.kind.max_body)
            body = check_request(
                decoded, identifier, self.webhook_hosts, self.kind, self.file_hosts
            )
            check_texts(body.get("input", {}), self.kind)
            return body

        if len(content) < PREDICTIONS.max_body:
            return check()
        return await asyncio.to_thread(check)  # photographs take a second, in which probes wait


async def _read_content(request: web.Request, kind: WorkKind) -> bytes:
    """Read a request's body as it was sent. Raises Refusal."""
    seconds = BODY_SECONDS if kind is PREDICTIONS else kind.body_seconds
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError:
        message = f"did not arrive within {seconds:.0f} seconds"
        raise Refusal(408, ("body",), message) from None
    except web.HTTPRequestEntityTooLarge:
        raise refuse_size(kind.max_body) from None
    except (aiohttp.http_exceptions.HttpProcessingError, web.RequestPayloadError):
        raise Refusal(400, ("body",), "cut off, or not encoded as its headers say") from None
