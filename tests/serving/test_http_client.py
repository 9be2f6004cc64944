"""The client of the examples, against the gate before a server in Cog's place.

docs/http-client.md is followed against Cog's own server, with pictures.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from examples.http_client import PICTURES, Plitka, PlitkaError, save
from plitka.serving.routes import Gateway
from tests.support.fake_cog import FakeCog, fake_cog
from tests.support.gates import run_gate

REQUEST = "60% red, 40% white, seed 7"
PICTURE = "data:image/png;base64,aGVsbG8="


class Proxy(threading.Thread):
    """Passes connections on to a server. The first one's client is hung up on as soon as it asks.

    The server does not hear of that before hang_up.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.held: socket.socket | None = None

    def hang_up(self) -> None:
        if self.held is not None:
            self.held.close()

    def run(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.server)
                if self.held is None:
                    self.held = server
                    while not (asked := client.recv(2**16)).endswith(b"}}"):
                        server.sendall(asked)
                    server.sendall(asked)
                    client.close()
                else:
                    for pair in ((client, server), (server, client)):
                        threading.Thread(target=pass_on, args=pair, daemon=True).start()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(2**16):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def dropping_proxy(address: httpx.URL | str) -> Iterator[Proxy]:
    url = httpx.URL(address)
    proxy = Proxy((url.host, url.port or 80))
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.hang_up()
        proxy.listener.close()


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not happens():
            await asyncio.sleep(0.001)


def run(test: Callable[[str, FakeCog], None], most_waiting: int = 32, draws: bool = True) -> None:
    """Run a test, which gets the gate's address, in a thread. draws: all that is asked for."""

    async def serve() -> None:
        async with (
            fake_cog(output=PICTURE) as cog,
            run_gate(Gateway(cog.address, most_waiting=most_waiting)) as opened,
        ):
            drawing = asyncio.create_task(cog.draw_all()) if draws else None
            await asyncio.to_thread(test, str(opened.client.base_url), cog)
            if drawing is not None:
                drawing.cancel()

    asyncio.run(serve())


def test_pictures_are_waited_for_looked_for_and_saved(tmp_path: Path) -> None:
    def test(address: str, cog: FakeCog) -> None:
        plitka = Plitka(address)
        assert plitka.make(REQUEST)["output"] == [PICTURE]
        assert plitka.wait(plitka.start({"colors": []}))["output"] == [PICTURE]
        asked = [body["input"]["params_json"] for body in cog.bodies.values()]
        assert asked == [REQUEST, '{"colors": []}']

    run(test)
    save(PICTURE, tmp_path / "tile" / f"{PICTURES[0]}.png")
    assert (tmp_path / "tile" / "preview.png").read_bytes() == b"hello"


def test_a_request_whose_connection_is_lost_is_repeated_and_joins_the_one_that_runs() -> None:
    async def serve() -> None:
        async with (
            fake_cog(output=PICTURE) as cog,
            run_gate(gate := Gateway(cog.address)) as opened,
        ):
            loop = asyncio.get_running_loop()
            with dropping_proxy(opened.client.base_url) as proxy:

                async def go_on() -> None:
                    await cog.until(lambda: bool(cog.asked))
                    if pauses == ["lost"]:
                        return  # the gate does not know yet that the first connection is gone
                    proxy.hang_up()
                    (running,) = gate._asked
                    await until(lambda: not running.clients)
                    cog.finish(running.identifier)

                def pause(seconds: float) -> None:
                    pauses.append("lost" if not pauses else "looks")
                    if len(pauses) < 3:
                        asyncio.run_coroutine_threadsafe(go_on(), loop).result(30)

                pauses: list[str] = []
                made = await asyncio.to_thread(Plitka(proxy.address, pause=pause).make, REQUEST)
            assert made["output"] == [PICTURE]
            assert len(cog.asked) == 1, "drawn once"

    asyncio.run(serve())


def test_a_request_that_went_with_its_connection_is_asked_for_anew() -> None:
    def test(address: str, cog: FakeCog) -> None:
        with dropping_proxy(address) as proxy:
            plitka = Plitka(proxy.address, pause=lambda _: proxy.hang_up())
            assert plitka.make(REQUEST)["output"] == [PICTURE]

    run(test)


def test_a_server_that_never_answers_is_asked_three_times_and_told_so() -> None:
    waited: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(PlitkaError, match=f"127.0.0.1:{port}/predictions/tile-") as told:
        Plitka(f"http://127.0.0.1:{port}", pause=waited.append).start(REQUEST)
    assert (told.value.status, len(waited)) == (None, 2)


def test_who_waits_bears_a_moment_in_which_its_prediction_is_not_known() -> None:
    def test(address: str, cog: FakeCog) -> None:
        def pause(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 2:
                httpx.put(
                    f"{address}/predictions/tile-1",
                    json={"input": {"params_json": REQUEST}},
                    headers={"Prefer": "respond-async"},
                )

        waited: list[float] = []
        assert Plitka(address, pause=pause).wait("tile-1")["output"] == [PICTURE]

    run(test)


def test_a_full_queue_is_asked_again_after_the_seconds_that_it_says() -> None:
    def test(address: str, cog: FakeCog) -> None:
        waited: list[float] = []

        def pause(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 2:
                assert plitka.cancel(running)

        plitka = Plitka(address, pause=pause)
        running = plitka.start(REQUEST)
        other = plitka.start(REQUEST)
        assert plitka.cancel(other)
        with pytest.raises(PlitkaError, match="canceled"):
            plitka.wait(running)
        assert len(waited) >= 2
        assert min(waited) >= 1

    run(test, most_waiting=0, draws=False)


def test_whose_patience_ends_is_told_what_the_server_says() -> None:
    def test(address: str, cog: FakeCog) -> None:
        plitka = Plitka(address, patience=0)
        running = plitka.start(REQUEST)
        with pytest.raises(PlitkaError, match="HTTP 429\nserver: "):
            plitka.start(REQUEST)
        assert plitka.cancel(running)
        assert not plitka.cancel(running)

    run(test, most_waiting=0, draws=False)


def test_what_the_gate_refuses_is_told_with_its_place() -> None:
    def test(address: str, cog: FakeCog) -> None:
        with pytest.raises(PlitkaError, match="no prediction of this id") as told:
            Plitka(address, pause=lambda _: None).wait("tile-of-nobody")
        assert told.value.status == 404
        assert told.value.faults[0].startswith("path.prediction_id: no prediction")

    run(test)
