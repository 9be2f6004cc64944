"""The gate in this process, before any server in Cog's place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from aiohttp import web

from plitka.serving import gateway
from plitka.serving.routes import Gateway


@dataclass(frozen=True)
class OpenGate:
    """A gate that listens. runner: its server, ended by runner.cleanup()."""

    client: httpx.AsyncClient
    runner: web.AppRunner


@asynccontextmanager
async def run_gate(gate: Gateway) -> AsyncIterator[OpenGate]:
    """Serve a gate, and the relay of its webhooks where it may call any."""
    runner = web.AppRunner(gate.make_app(), handler_cancellation=True, shutdown_timeout=1)
    relay = web.AppRunner(gate.relay.make_app(), shutdown_timeout=0.1)
    await runner.setup()
    await relay.setup()
    await web.TCPSite(relay, "127.0.0.1", 0).start()
    gate.relay.address = "http://{}:{}".format(*relay.addresses[0][:2])
    listener = await gateway.listen(runner, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()[:2]
    limits = httpx.Limits(max_connections=None)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://{host}:{port}", timeout=60, limits=limits, verify=False
        ) as client:
            yield OpenGate(client, runner)
    finally:
        listener.close()
        await runner.cleanup()
        await relay.cleanup()


@asynccontextmanager
async def open_gate(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A gate before Cog's server at an address."""
    async with run_gate(Gateway(address)) as gate:
        yield gate.client
