"""The gateway: a small HTTP server in front of Cog's own, for requests that strangers send.

    python -m plitka.serving.gateway --port 5000

starts Cog's server on a port that only this machine reaches, and passes valid requests for
predictions on to it. Cog 0.23.1 alone accepts more than that: it makes folders at the path that an
`id` names, an `id` that is no folder name stops it for good, it calls any address that is a
`webhook`, and anybody may POST /shutdown. The gateway also answers probes by HTTP status, and puts
the prediction's id into its context, for the log.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn
from urllib.parse import urlsplit

from aiohttp import web

from plitka.runtime import logs
from plitka.serving import cog_process, probes
from plitka.serving.answers import Connection, answer_errors
from plitka.serving.cog_process import StartError
from plitka.serving.connections import Connections, measure_capacity
from plitka.serving.proxies import Proxies, ProxyError, bypass_proxies, read_proxies
from plitka.serving.queue import MOST_WAITING
from plitka.serving.routes import STALL_SECONDS, Gateway
from plitka.serving.turns import DEAD
from plitka.serving.webhook_address import AddressError, parse_allowed_host
from plitka.serving.webhook_relay import WebhookRelay
from plitka.serving.work_kind import PREDICTIONS, TRAININGS
from plitka.settings import Settings, read_settings

ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}
"""Environment that makes all threads of Cog's server and of its worker share one heap of the C
library. Of a heap of its own for each, up to 64 MiB stay allocated, trimmed or not. cog.yaml has
the same."""

_QUEUE = 1024  # connections that wait to be taken
_MOST_QUEUE = 1024  # requests, of half a MiB at the most
_SPARE_CLIENTS = 32  # for probes, cancels and those who are told that the queue is full
_LOOK_SECONDS = 0.2  # between two looks whether the engine is loaded
_EXIT_SECONDS = 5.0  # that responses have to end after SIGTERM


async def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Run Cog's server and the gateway until one of them ends.

    Returns the exit status: 0 after SIGTERM, SIGINT or SIGHUP, 1 if Cog's server ended by itself.
    Raises StartError.
    """
    cog_process.raise_file_limit()
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    port = cog_process.find_free_port()
    relay = WebhookRelay(_read_proxies(options.webhook_host, settings))
    gateway = Gateway(
        f"http://127.0.0.1:{port}",
        frozenset(options.webhook_host),
        relay,
        options.stalled_after,
        kind=TRAININGS if options.train else PREDICTIONS,
        file_hosts=frozenset(options.images_host),
        most_waiting=options.queue,
    )
    _check_queue(options.queue)
    runner = web.AppRunner(
        gateway.make_app(), handler_cancellation=True, shutdown_timeout=_EXIT_SECONDS
    )
    webhooks = web.AppRunner(relay.make_app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await webhooks.setup()
    listener = cog = None
    try:
        listener = await listen(runner, options.host, options.port)
        await web.TCPSite(webhooks, "127.0.0.1", 0).start()
        relay.address = "http://{}:{}".format(*webhooks.addresses[0][:2])
        host, bound = listener.sockets[0].getsockname()[:2]
        ports = {named.getsockname()[1] for named in listener.sockets}
        relay.own_ports = frozenset({*ports, port, webhooks.addresses[0][1]})
        variables = {**ONE_HEAP, **bypass_proxies(settings.variables)}
        cog = await cog_process.start_cog(port, options.upload_url, variables, gateway.kind)
        gateway.checkup.pid = cog.pid
        address = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
        _say(f"The gate listens on {address}")
        telling = asyncio.create_task(_tell_ready(gateway, address))
        await asyncio.wait(
            [asyncio.create_task(cog.wait()), asyncio.create_task(stopped.wait())],
            return_when=asyncio.FIRST_COMPLETED,
        )
        telling.cancel()
        if not stopped.is_set():
            with suppress(OSError):
                print(cog_process.say_end(cog), file=sys.stderr, flush=True)
        return 0 if stopped.is_set() else 1
    finally:
        if listener is not None:
            listener.close()
        await runner.cleanup()
        if cog is not None:
            await cog_process.stop_cog(cog)
        await webhooks.cleanup()  # Cog's last calls go through it


async def _serve_and_exit(options: argparse.Namespace, settings: Settings) -> NoReturn:
    """Serve, and end the process. Raises StartError.

    Python itself would wait for threads, of which one may wait for a disk that does not answer.
    """
    status = await serve(options, settings)
    logging.shutdown()
    os._exit(status)


async def listen(runner: web.AppRunner, host: str, port: int) -> asyncio.Server:
    """Take connections for a server that is set up. Raises StartError."""
    server = runner.server
    assert server is not None
    server.request_handler = answer_errors(server.request_handler)
    loop = asyncio.get_running_loop()
    capacity = measure_capacity()
    connections = Connections(capacity.clients)
    try:
        listener = await loop.create_server(
            lambda: Connection(server, connections, loop=loop), host, port, backlog=capacity.burst
        )
        for opened in listener.sockets:
            # The event loop's backlog is both the burst that it takes and the system's queue.
            with socket.socket(fileno=os.dup(opened.fileno())) as same:
                same.listen(_QUEUE)
        return listener
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{host}:{port}: cannot listen there ({reason}); --host and --port say where"
        raise StartError(message) from None


def _check_queue(most: int) -> None:
    """Raise StartError where fewer clients can be connected than may wait."""
    clients = measure_capacity().clients
    if most + _SPARE_CLIENTS > clients:
        raise StartError(
            f"--queue {most}: this process may open files for {clients} clients, and"
            f" {_SPARE_CLIENTS} of them must not be in the queue; take a shorter queue, or raise"
            " the limit: `ulimit -n 4096`, or --ulimit nofile=4096 of docker run"
        )


async def _tell_ready(gateway: Gateway, address: str) -> None:
    """Write a line when the engine is loaded, or when it cannot be."""
    while (status := await gateway.cog.fetch_status()) not in (*probes.READY, *DEAD):
        await asyncio.sleep(_LOOK_SECONDS)
    if status in probes.READY:
        _say(f"Ready: {address} takes requests")
    else:
        _say(f"Not ready: {status}; {address}/health-check says why")


def _say(text: str) -> None:
    """Write a line to standard output, which nobody may read: that is no reason to end."""
    with suppress(OSError):
        os.write(1, f"{text}\n".encode())


def _read_proxies(webhook_hosts: Sequence[str], settings: Settings) -> Proxies:
    """Read by which proxies webhooks are called, if any may be. Raises StartError."""
    try:
        return read_proxies(settings.variables) if webhook_hosts else Proxies()
    except ProxyError as fault:
        raise StartError(str(fault)) from None


def _read_port(text: str) -> int:
    """Read a port; 0 takes a free one."""
    if text.isdecimal() and text.isascii() and len(text) < 6 and int(text) < 65536:
        return int(text)
    message = f"got {text!r}; allowed: 0 to 65535, here or in the variable PORT"
    raise argparse.ArgumentTypeError(message)


def _read_queue(text: str) -> int:
    if text.isdecimal() and text.isascii() and len(text) < 6 and int(text) <= _MOST_QUEUE:
        return int(text)
    message = f"got {text!r}; allowed: 0 to {_MOST_QUEUE}, here or in the variable PLITKA_QUEUE"
    raise argparse.ArgumentTypeError(message)


def _read_host(text: str) -> str:
    try:
        return parse_allowed_host(text)
    except AddressError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _read_own_host(text: str) -> str:
    if text.strip():
        return text
    message = "names nothing; 127.0.0.1 is this machine alone, 0.0.0.0 all who reach it"
    raise argparse.ArgumentTypeError(message)


def _read_upload_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a host or a port
        is_address = False
    if is_address and text.isprintable() and " " not in text:
        return text
    raise argparse.ArgumentTypeError("is no address; allowed: http://HOST/… or https://HOST/…")


def _read_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 1 <= seconds <= 86400:
        return seconds
    raise argparse.ArgumentTypeError(f"got {text!r}; allowed: 1 to 86400 seconds")


def main() -> int:
    """Run the gateway with the arguments and settings of the process."""
    cog_process.open_streams()
    settings = read_settings()
    parser = argparse.ArgumentParser(
        prog="python -m plitka.serving.gateway",
        description="Serve Plitka: Cog's own server behind a gate that passes on valid requests.",
    )
    parser.add_argument(
        "--host",
        type=_read_own_host,
        default="127.0.0.1",
        help="address to listen on; default: 127.0.0.1",
    )
    parser.add_argument(
        "--port",
        type=_read_port,
        default=settings.port,
        help="port to listen on, 0 for a free one; default: PORT, 5000",
    )
    parser.add_argument(
        "--upload-url",
        type=_read_upload_url,
        metavar="URL",
        help="address to which pictures are uploaded with PUT",
    )
    parser.add_argument(
        "--webhook-host",
        action="append",
        type=_read_host,
        default=[],
        metavar="HOST",
        help="a host to which requests may send webhooks; repeat for each host",
    )
    parser.add_argument(
        "--stalled-after",
        type=_read_seconds,
        default=STALL_SECONDS,
        metavar="SECONDS",
        help=f"how long a prediction may make no progress before /live answers 503; default:"
        f" {STALL_SECONDS:.0f}",
    )
    parser.add_argument(
        "--queue",
        type=_read_queue,
        metavar="N",
        help=f"how many requests may wait for their turn; further ones get 429;"
        f" default: PLITKA_QUEUE, {MOST_WAITING}; trainings do not wait",
    )
    parser.add_argument(
        "--train", action="store_true", help="serve trainings instead of predictions"
    )
    parser.add_argument(
        "--images-host",
        action="append",
        type=_read_host,
        default=[],
        metavar="HOST",
        help="a host from which trainings may fetch photographs; repeat for each host",
    )
    options = parser.parse_args()
    if options.images_host and not options.train:
        parser.error("--images-host is for trainings, with --train")
    if options.queue is not None and options.train:
        parser.error("--queue is for predictions: trainings do not wait for their turn")
    if options.queue is None:
        try:
            options.queue = _read_queue(settings.queue)
        except argparse.ArgumentTypeError as fault:
            parser.error(f"argument --queue: {fault}")
    try:
        logs.configure(settings.log)
        asyncio.run(_serve_and_exit(options, settings))
    except (StartError, logs.LogError) as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
