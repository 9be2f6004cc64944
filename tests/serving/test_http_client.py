"""The client of the examples, against the gate before a server in Cog's place.

docs/http-client.md is followed against Cog's own server, with pictures.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.http_client import PICTURES, Plitka, PlitkaError, save
from plitka.serving.routes import Gateway
from tests.support.fake_cog import FakeCog, fake_cog
from tests.support.gates import run_gate

REQUEST = "60% red, 40% white, seed 7"
PICTURE = "data:image/png;base64,aGVsbG8="


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
        with pytest.raises(PlitkaError, match="no prediction of this id"):
            Plitka(address).wait("tile-of-nobody")

    run(test)
