"""A server in Cog's place whose one slot is in the test's hand: who has it, and until when."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

FULL = {"error": "At capacity - all prediction slots busy", "status": "failed"}


@dataclass
class FakeCog:
    """asked: ids of the predictions that it took, in order. output: of each, as text.

    late: requests that it still refuses, or calls itself BUSY to, after each answer. status: that
    its health check tells, in place of READY and BUSY.
    """

    output: str = "a picture"
    late: int = 0
    status: str = ""
    address: str = ""
    asked: list[str] = field(default_factory=list)
    refused: int = 0  # with 409
    canceled: list[str] = field(default_factory=list)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    _holder: str | None = None
    _still: int = 0
    _ends: dict[str, "asyncio.Future[str]"] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def finish(self, identifier: str, status: str = "succeeded") -> None:
        """End the prediction that has the slot; unsent: as Cog does where its worker has died."""
        self._ends[identifier].set_result(status)

    async def until(self, happens: Callable[[], bool]) -> None:
        """Wait until something has happened here."""
        async with asyncio.timeout(30):
            while not happens():
                self._changed.clear()
                await self._changed.wait()

    async def draw_all(self) -> None:
        """End each prediction as soon as it is begun, for ever."""
        while True:
            await self.until(lambda: self._holder is not None)
            if not self._ends[str(self._holder)].done():
                self.finish(str(self._holder))
            self._changed.clear()
            await self._changed.wait()

    def make_app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/health-check", self._answer_health),
                web.post("/{kind}", self._draw),
                web.put("/{kind}/{id}", self._draw),
                web.post("/{kind}/{id}/cancel", self._answer_cancel),
            ]
        )
        return app

    def _is_busy(self) -> bool:
        self._still -= 1
        return self._holder is not None or self._still >= 0

    async def _answer_health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": self.status or ("READY", "BUSY")[self._is_busy()]})

    async def _draw(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        identifier = str(body["id"])
        is_stream = request.headers.get("Accept") == "text/event-stream"
        if identifier == self._holder and not is_stream:
            return web.json_response({"id": identifier, "status": "processing"}, status=202)
        if identifier != self._holder:
            if self._is_busy() or self.status:
                self.refused += 1
                self._changed.set()
                return web.json_response(FULL, status=409)
            self._holder = identifier
            self.asked.append(identifier)
            self.bodies[identifier] = body
            self._ends[identifier] = asyncio.get_running_loop().create_future()
            self._changed.set()
        try:
            if is_stream:
                return await self._stream(request, identifier)
            told = json.dumps(await self._run(identifier), separators=(",", ":"))
            return web.Response(text=told, content_type="application/json")
        finally:
            if identifier == self._holder:
                self._holder, self._still = None, self.late
            self._changed.set()

    async def _run(self, identifier: str) -> dict[str, Any]:
        status = await asyncio.shield(self._ends[identifier])
        told: dict[str, Any] = {"id": identifier, "logs": "", "metrics": {"predict_time": 0.5}}
        if status == "unsent":
            return {**told, "status": "failed", "error": "Failed to send request: Broken pipe"}
        told["status"] = status
        return {**told, "output": [self.output]} if status == "succeeded" else told

    async def _stream(self, request: web.Request, identifier: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for name in ("start", "completed"):
            told: object = {"id": identifier, "status": "processing"}
            if name == "completed":
                told = await self._run(identifier)
            await response.write(f"event: {name}\ndata: {json.dumps(told)}\n\n".encode())
        await response.write_eof()
        return response

    async def _answer_cancel(self, request: web.Request) -> web.Response:
        identifier = request.match_info["id"]
        self.canceled.append(identifier)
        if identifier != self._holder:
            return web.json_response({}, status=404)
        self.finish(identifier, "canceled")
        return web.json_response({})


@asynccontextmanager
async def fake_cog(**given: Any) -> AsyncIterator[FakeCog]:
    """Run one; given: its fields."""
    cog = FakeCog(**given)
    runner = web.AppRunner(cog.make_app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        cog.address = "http://{}:{}".format(*runner.addresses[0][:2])
        yield cog
    finally:
        await runner.cleanup()
