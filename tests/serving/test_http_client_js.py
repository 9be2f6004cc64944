"""The client of the examples in JavaScript, in a browser, against the gate before a fake Cog.

The page that it runs in is the gate's own, because no page of another origin may ask the gate.
"""

import asyncio
import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from plitka.serving.routes import Gateway
from tests.support.documents import ROOT
from tests.support.fake_cog import FakeCog, fake_cog
from tests.support.gates import run_gate

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CLIENT = ROOT / "examples" / "http_client.mjs"
PICTURE = "data:image/png;base64,aGVsbG8="
RECIPE = '"60% red, 40% white, seed 7"'


@contextmanager
def served(most_waiting: int = 32, draws: bool = True) -> Iterator[tuple[str, FakeCog]]:
    """A gate in a thread of its own: the browser's is this one. draws: all that is asked for."""
    loop = asyncio.new_event_loop()
    stopped = asyncio.Event()
    addresses: list[tuple[str, FakeCog]] = []
    ready = threading.Event()

    async def serve() -> None:
        async with (
            fake_cog(output=PICTURE) as cog,
            run_gate(Gateway(cog.address, most_waiting=most_waiting)) as opened,
        ):
            drawing = asyncio.create_task(cog.draw_all()) if draws else None
            addresses.append((str(opened.client.base_url), cog))
            ready.set()
            await stopped.wait()
            if drawing is not None:
                drawing.cancel()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
        loop.close()


def run(browser: "Browser", address: str, program: str) -> Any:
    """Run a program in a page of the gate's; `plitka` is a client of it that pauses for nothing."""
    module = base64.b64encode(CLIENT.read_bytes()).decode()
    page = browser.new_page()
    try:
        page.goto(f"{address}/health-check")
        return page.evaluate(
            f"""async () => {{
              const {{ Plitka, read }} = await import("data:text/javascript;base64,{module}");
              const waited = [];
              const pause = async (seconds) => {{ waited.push(seconds); await on(waited.length); }};
              let on = async () => {{}};
              const plitka = new Plitka(location.origin, {{ pause }});
              const tell = ({{ status, faults }}) => ({{ status, faults }});
              {program}
            }}"""
        )
    finally:
        page.close()


def test_pictures_are_waited_for_streamed_looked_for_and_read(browser: "Browser") -> None:
    with served() as (address, cog):
        told = run(
            browser,
            address,
            f"""
            const made = await plitka.make({RECIPE});
            for await (const _ of plitka.stream({RECIPE}));
            const later = await plitka.wait(await plitka.start({{ colors: [] }}));
            return [made.output, later.output, [...(await read(made.output[0]))]];
            """,
        )
        assert told == [[PICTURE], [PICTURE], list(b"hello")]
        texts = [body["input"]["params_json"] for body in cog.bodies.values()]
        assert texts == [RECIPE.strip('"')] * 2 + ['{"colors":[]}']


def test_a_full_queue_is_asked_again_and_a_cancelled_prediction_is_told(browser: "Browser") -> None:
    with served(most_waiting=0, draws=False) as (address, _):
        told = run(
            browser,
            address,
            f"""
            const running = await plitka.start({RECIPE});
            on = async (times) => times === 2 && (await plitka.cancel(running));
            const other = await plitka.start({RECIPE});
            const ends = [await plitka.cancel(other)];
            ends.push(await plitka.wait(running).catch(tell));
            ends.push(await plitka.cancel(running));
            return [ends, waited.length >= 2 && Math.min(...waited) >= 1];
            """,
        )
        assert told == [[True, {"status": 200, "faults": ["canceled"]}, False], True]


def test_faults_are_told_with_their_status(browser: "Browser") -> None:
    with served() as (address, _):
        told = run(
            browser,
            address,
            """
            const nowhere = new Plitka("http://127.0.0.1:9", { pause });
            return [
              await plitka.wait("tile-of-nobody").catch(tell),
              await plitka.start(undefined).catch(tell),
              await nowhere.start("red").catch(tell),
            ];
            """,
        )
        unknown, formless, nowhere = told
        assert unknown["status"] == 404
        assert unknown["faults"][0].startswith("path.prediction_id: no prediction")
        assert formless["status"] == 422
        assert formless["faults"][0].startswith("body.input.params_json: is missing")
        assert nowhere.get("status") is None
        assert nowhere["faults"][0].startswith("no answer")
