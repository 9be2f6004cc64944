"""The queue of the gate, before a server in Cog's place whose slot is in the test's hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from aiohttp import web

from plitka.serving.routes import Gateway
from plitka.serving.work_kind import TRAININGS
from tests.support.fake_cog import FakeCog, fake_cog
from tests.support.gates import OpenGate, run_gate

BODY = {"input": {"params_json": "{}"}}
ASYNC = {"Prefer": "respond-async"}


@dataclass(frozen=True)
class Queue:
    """A gate before a Cog, and clients of it."""

    cog: FakeCog
    gate: Gateway
    open: OpenGate

    async def ask(self, identifier: str, **headers: str) -> httpx.Response:
        """Ask for a prediction, and wait for the answer."""
        return await self.open.client.put(f"/predictions/{identifier}", json=BODY, headers=headers)

    async def begin(self, *identifiers: str) -> list["asyncio.Task[httpx.Response]"]:
        """Let clients ask, one after another; the first has the slot when all have."""
        tasks = []
        for identifier in identifiers:
            tasks.append(asyncio.create_task(self.ask(identifier)))
            await self.until_known(identifier)
        await self.cog.until(lambda: bool(self.cog.asked))
        return tasks

    async def until_known(self, identifier: str) -> None:
        await until(lambda: self.gate.turns.find(identifier) is not None)

    async def cancel(self, identifier: str) -> httpx.Response:
        return await self.open.client.post(f"/predictions/{identifier}/cancel")

    async def show(self, identifier: str) -> httpx.Response:
        return await self.open.client.get(f"/predictions/{identifier}")

    @asynccontextmanager
    async def stream(self, identifier: str) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
        """Ask for a prediction's events, as names and data."""
        async with self.open.client.stream(
            "PUT", f"/predictions/{identifier}", json=BODY, headers={"Accept": "text/event-stream"}
        ) as response:
            assert response.status_code == 200
            yield read_events(response)


async def read_events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not happens():
            await asyncio.sleep(0.001)


def run(
    test: Callable[[Queue], Coroutine[Any, Any, None]],
    cog: dict[str, Any] | None = None,
    **options: Any,
) -> None:
    """Run a test with a gate of these options before a Cog with these fields."""

    async def serve() -> None:
        async with fake_cog(**(cog or {})) as server:
            gate = Gateway(server.address, **options)
            async with run_gate(gate) as opened:
                await test(Queue(server, gate, opened))

    asyncio.run(serve())


def status_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["status"]


def place_of(answer: httpx.Response) -> tuple[int, list[str]]:
    return answer.status_code, answer.json()["detail"][0]["loc"]


def test_who_comes_first_is_served_first_and_each_gets_a_picture() -> None:
    async def test(queue: Queue) -> None:
        names = [f"tile-{number}" for number in range(12)]
        asked = await queue.begin(*names)
        assert queue.cog.asked == names[:1]
        drawing = asyncio.create_task(queue.cog.draw_all())
        answers = await asyncio.gather(*asked)
        drawing.cancel()
        assert [status_of(answer) for answer in answers] == [(200, "succeeded")] * 12
        assert [answer.json()["id"] for answer in answers] == names
        assert queue.cog.asked == names
        assert queue.cog.refused == 0

    run(test, {"late": 2})


def test_one_request_after_another_never_meets_a_slot_that_is_not_free_yet() -> None:
    async def test(queue: Queue) -> None:
        drawing = asyncio.create_task(queue.cog.draw_all())
        for number in range(20):
            assert status_of(await queue.ask(f"tile-{number}")) == (200, "succeeded")
        same = [status_of(await queue.ask("tile")) for _ in range(5)]
        drawing.cancel()
        assert same == [(200, "succeeded")] * 5
        assert len(queue.cog.asked) == 25

    run(test, {"late": 3})


def test_a_409_of_a_server_that_lives_is_waited_out_and_never_handed_on() -> None:
    async def test(queue: Queue) -> None:
        past = asyncio.create_task(
            httpx.AsyncClient().post(f"{queue.cog.address}/predictions", json={"id": "past"})
        )  # as if its health check had been READY too early
        await queue.cog.until(lambda: queue.cog.asked == ["past"])
        asked = asyncio.create_task(queue.ask("tile"))
        await queue.cog.until(lambda: queue.cog.refused >= 3)
        queue.cog.finish("past")
        await past
        await queue.cog.until(lambda: queue.cog.asked == ["past", "tile"])
        queue.cog.finish("tile")
        assert status_of(await asked) == (200, "succeeded")

    run(test)


def test_a_stream_tells_its_place_as_it_moves_and_then_what_cog_says() -> None:
    async def test(queue: Queue) -> None:
        asked = await queue.begin("a", "b", "c")
        async with queue.stream("d") as events:
            assert await anext(events) == (
                "starting",
                {"id": "d", "status": "starting", "place": 3},
            )
            queue.cog.finish("a")
            assert (await anext(events))[1]["place"] == 2
            await queue.cancel("c")
            assert (await anext(events))[1]["place"] == 1
            drawing = asyncio.create_task(queue.cog.draw_all())
            rest = [event async for event in events]
            drawing.cancel()
        assert [name for name, _ in rest] == ["start", "completed"]
        assert rest[-1][1]["output"] == ["a picture"]
        await asyncio.gather(*asked)

    run(test)


def test_a_stream_that_need_not_wait_is_as_cogs() -> None:
    async def test(queue: Queue) -> None:
        async with queue.stream("a") as events:
            assert (await anext(events))[0] == "start"
            queue.cog.finish("a")
            assert [name async for name, _ in events] == ["completed"]

    run(test)


def test_who_is_answered_at_once_can_look_where_it_waits_and_fetch_its_picture() -> None:
    async def test(queue: Queue) -> None:
        await queue.begin("a", "b")
        told = await queue.ask("c", **ASYNC)
        assert status_of(told) == (202, "starting")
        assert (told.json()["place"], told.json()["input"]) == (2, BODY["input"])
        assert (await queue.ask("c", **ASYNC)).json() == told.json(), "asked again"
        queue.cog.finish("a")
        await queue.cog.until(lambda: len(queue.cog.asked) == 2)
        assert (await queue.show("c")).json()["place"] == 1
        queue.cog.finish("b")
        await queue.cog.until(lambda: len(queue.cog.asked) == 3)
        assert status_of(await queue.show("c")) == (200, "processing")
        assert status_of(await queue.ask("c", **ASYNC)) == (202, "processing")
        async with queue.stream("c") as events:  # another looks on meanwhile
            assert (await anext(events))[0] == "start"
            queue.cog.finish("c")
            assert [name async for name, _ in events] == ["completed"]
        await until(lambda: queue.gate.turns.find("c") is None)
        shown = await queue.show("c")
        assert (status_of(shown), shown.json()["output"]) == ((200, "succeeded"), ["a picture"])
        assert queue.cog.asked == ["a", "b", "c"]
        assert place_of(await queue.show("a")) == (404, ["path", "prediction_id"])

    run(test)


def test_between_its_end_and_its_place_among_those_kept_a_prediction_is_never_unknown() -> None:
    async def test(queue: Queue) -> None:
        seen: set[tuple[int, str]] = set()

        async def look(name: str) -> None:
            answer = await queue.show(name)
            while answer.is_success and answer.json()["status"] in ("starting", "processing"):
                answer = await queue.show(name)
            seen.add((answer.status_code, answer.json().get("status")))

        for number in range(20):
            names = [f"running-{number}", f"waiting-{number}"]
            for name in names:
                assert (await queue.ask(name, **ASYNC)).status_code == 202
            looks = [look(name) for name in names for _ in range(8)]
            await asyncio.gather(*map(queue.cancel, reversed(names)), *looks)
        assert seen == {(200, "canceled")}

    run(test)


def test_the_first_that_is_answered_at_once_is_told_as_by_cog() -> None:
    async def test(queue: Queue) -> None:
        assert (await queue.ask("a", **ASYNC)).json() == {"id": "a", "status": "starting"}
        await queue.cog.until(lambda: queue.cog.asked == ["a"])
        queue.cog.finish("a")

    run(test)


def test_after_the_seconds_that_it_would_wait_a_client_is_told_how_far_it_is() -> None:
    async def test(queue: Queue) -> None:
        (first,) = await queue.begin("a")
        assert status_of(await queue.ask("b", Prefer="wait=1")) == (202, "starting")
        assert status_of(await queue.ask("c", Prefer="wait=0")) == (202, "starting")
        queue.cog.finish("a")
        drawing = asyncio.create_task(queue.cog.draw_all())
        await first
        await until(lambda: queue.gate.turns.find("c") is None)
        assert status_of(await queue.ask("d", Prefer="wait=60")) == (200, "succeeded")
        drawing.cancel()
        assert queue.cog.asked == ["a", "b", "c", "d"], "all of them were drawn"
        assert status_of(await queue.show("b")) == (200, "succeeded")
        assert (await queue.show("d")).status_code == 404, "its client has it"

    run(test)


def test_who_is_cancelled_while_waiting_is_answered_as_by_cog_and_never_drawn() -> None:
    async def test(queue: Queue) -> None:
        first, second = await queue.begin("a", "b")
        async with queue.stream("c") as events:
            assert (await anext(events))[0] == "starting"
            assert (await queue.ask("d", **ASYNC)).status_code == 202
            for identifier in "bcd":
                answer = await queue.cancel(identifier)
                assert (answer.status_code, answer.json()) == (200, {})
            assert status_of(await second) == (200, "canceled")
            name, last = [event async for event in events][-1]
            assert (name, last["id"], last["status"]) == ("completed", "c", "canceled")
        assert place_of(await queue.cancel("b")) == (404, ["path", "prediction_id"])
        queue.cog.finish("a")
        assert status_of(await first) == (200, "succeeded")
        assert queue.cog.asked == ["a"]

    run(test)


def test_a_prediction_at_work_is_cancelled_at_cog() -> None:
    async def test(queue: Queue) -> None:
        (asked,) = await queue.begin("a")
        assert (await queue.cancel("a")).json() == {}
        assert status_of(await asked) == (200, "canceled")
        assert queue.cog.canceled == ["a"]

    run(test)


def test_who_hangs_up_leaves_the_queue_and_who_was_answered_at_once_stays() -> None:
    async def test(queue: Queue) -> None:
        first, second, third = await queue.begin("a", "b", "c")
        async with queue.stream("d") as events:
            assert (await anext(events))[1]["place"] == 3
        await queue.ask("e", **ASYNC)
        second.cancel()
        await until(lambda: queue.gate.turns.waiting == 2)
        assert (await queue.show("e")).json()["place"] == 2
        drawing = asyncio.create_task(queue.cog.draw_all())
        await asyncio.gather(first, third)
        await until(lambda: queue.gate.turns.find("e") is None)
        drawing.cancel()
        assert queue.cog.asked == ["a", "c", "e"]

    run(test)


def test_where_the_queue_is_full_a_client_is_told_when_to_come_again() -> None:
    async def test(queue: Queue) -> None:
        asked = await queue.begin("a", "b", "c")
        answers = [await queue.ask("d"), await queue.ask("e", **ASYNC)]
        async with queue.open.client.stream(
            "POST", "/predictions", json=BODY, headers={"Accept": "text/event-stream"}
        ) as stream:
            await stream.aread()
            answers.append(stream)
        assert [place_of(answer) for answer in answers] == [(429, ["server"])] * 3
        assert [answer.headers["Retry-After"] for answer in answers] == ["5", "10", "15"]
        joined = asyncio.create_task(queue.ask("c"))
        assert status_of(await joined) == (202, "starting"), "no place more is taken"
        drawing = asyncio.create_task(queue.cog.draw_all())
        await asyncio.gather(*asked)
        assert status_of(await queue.ask("d")) == (200, "succeeded")
        drawing.cancel()

    run(test, most_waiting=2)


def test_without_a_queue_only_the_moment_until_the_slot_is_free_is_waited_for() -> None:
    async def test(queue: Queue) -> None:
        (asked,) = await queue.begin("a")
        assert (await queue.ask("b")).status_code == 429
        queue.cog.finish("a")
        await asked
        drawing = asyncio.create_task(queue.cog.draw_all())
        assert status_of(await queue.ask("b")) == (200, "succeeded")
        drawing.cancel()

    run(test, {"late": 3}, most_waiting=0)


def test_the_same_id_again_joins_the_one_that_waits_and_is_drawn_once() -> None:
    async def test(queue: Queue) -> None:
        first, second = await queue.begin("a", "b")
        async with queue.stream("b") as events:
            assert (await anext(events))[1]["place"] == 1
            second.cancel()
            queue.cog.finish("a")
            await queue.cog.until(lambda: queue.cog.asked == ["a", "b"])
            async with queue.stream("b") as others:
                assert (await anext(others))[0] == "start"
                queue.cog.finish("b")
                for each in (events, others):
                    assert [event async for event in each][-1][1]["status"] == "succeeded"
        await first
        assert queue.cog.asked == ["a", "b"]

    run(test)


@pytest.mark.parametrize("hangs_up", [True, False])
def test_who_joins_and_is_answered_at_once_gets_the_picture_whatever_the_first_does(
    hangs_up: bool,
) -> None:
    async def test(queue: Queue) -> None:
        (first,) = await queue.begin("a")
        assert status_of(await queue.ask("a")) == (202, "processing")
        prediction = queue.gate.turns.find("a")
        assert prediction is not None
        if hangs_up:
            first.cancel()
            await until(lambda: not prediction.clients)
        queue.cog.finish("a")
        await until(lambda: queue.gate.turns.find("a") is None)
        assert status_of(await queue.show("a")) == (200, "succeeded")

    run(test)


def test_a_post_with_the_id_of_another_is_one_of_its_own() -> None:
    async def test(queue: Queue) -> None:
        (first,) = await queue.begin("a")
        second = asyncio.create_task(
            queue.open.client.post("/predictions", json={**BODY, "id": "a"})
        )
        await until(lambda: queue.gate.turns.waiting == 1)
        drawing = asyncio.create_task(queue.cog.draw_all())
        answers = await asyncio.gather(first, second)
        drawing.cancel()
        assert [status_of(answer) for answer in answers] == [(200, "succeeded")] * 2
        assert queue.cog.asked == ["a", "a"]

    run(test)


def test_who_does_not_read_its_answer_keeps_nobody_waiting() -> None:
    async def test(queue: Queue) -> None:
        drawing = asyncio.create_task(queue.cog.draw_all())
        url = queue.open.client.base_url
        _, writer = await asyncio.open_connection(url.host, url.port, limit=2**10)
        content = json.dumps(BODY)
        head = f"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write((head + content).encode())
        await queue.cog.until(lambda: len(queue.cog.asked) == 1)
        assert status_of(await queue.ask("next")) == (200, "succeeded")
        writer.close()
        drawing.cancel()

    run(test, {"output": "x" * 2**24})


# When the server cannot go on


def test_when_the_worker_has_died_all_that_wait_are_told_503() -> None:
    async def test(queue: Queue) -> None:
        first, second = await queue.begin("a", "b")
        async with queue.stream("c") as events:
            assert (await anext(events))[0] == "starting"
            assert (await queue.ask("lost", **ASYNC)).status_code == 202
            queue.cog.status = "UNHEALTHY"
            queue.cog.finish("a", "failed")
            assert status_of(await first) == (200, "failed"), "as Cog says of a worker that died"
            assert place_of(await second) == (503, ["server"])
            name, last = [event async for event in events][-1]
        assert (name, last["status"]) == ("completed", "failed")
        assert "the worker has died" in last["error"]
        assert status_of(await queue.show("lost")) == (200, "failed")
        for headers in ({}, ASYNC, {"Prefer": "wait=9"}):
            assert place_of(await queue.ask("d", **headers)) == (503, ["server"])
        assert queue.cog.asked == ["a"]
        queue.cog.status = ""
        drawing = asyncio.create_task(queue.cog.draw_all())
        assert status_of(await queue.ask("e")) == (200, "succeeded"), "it is well again"
        drawing.cancel()

    run(test)


def test_a_prediction_that_the_worker_never_got_has_not_failed_but_is_told_503() -> None:
    async def test(queue: Queue) -> None:
        (asked,) = await queue.begin("a")
        queue.cog.finish("a", "unsent")
        answer = await asked
        assert place_of(answer) == (503, ["server"])
        assert int(answer.headers["Retry-After"]) > 0

    run(test)


def test_a_409_of_a_server_whose_worker_is_dead_becomes_503() -> None:
    async def test(queue: Queue) -> None:
        queue.cog.status = "UNHEALTHY"
        assert place_of(await queue.ask("a")) == (503, ["server"])

    run(test)


def test_at_the_end_those_who_wait_are_told_503_and_what_runs_is_finished() -> None:
    async def test(queue: Queue) -> None:
        first, second = await queue.begin("a", "b")
        async with queue.stream("c") as events:
            assert (await anext(events))[0] == "starting"
            ending = asyncio.create_task(queue.open.runner.cleanup())
            assert place_of(await second) == (503, ["server"])
            assert [event async for event in events][-1][1]["status"] == "failed"
            queue.cog.finish("a")
            assert status_of(await first) == (200, "succeeded")
            await ending
        assert queue.cog.canceled == []

    run(test)


def test_trainings_do_not_wait_for_one_another() -> None:
    async def test(queue: Queue) -> None:
        def ask(identifier: str) -> Awaitable[httpx.Response]:
            given = {"input": {"images": "data:,x"}}
            return queue.open.client.put(f"/trainings/{identifier}", json=given)

        first = asyncio.ensure_future(ask("a"))
        await queue.cog.until(lambda: queue.cog.asked == ["a"])
        assert place_of(await ask("b")) == (409, ["server"])
        queue.cog.finish("a")
        assert status_of(await first) == (200, "succeeded")
        again = asyncio.ensure_future(ask("c"))
        await queue.cog.until(lambda: queue.cog.asked == ["a", "c"])
        queue.cog.finish("c")
        assert status_of(await again) == (200, "succeeded"), "whose slot was not free yet"
        assert (await queue.open.client.get("/trainings/a")).status_code == 405

    run(test, {"late": 3}, kind=TRAININGS)


# Webhooks of those that Cog does not have


class Listener:
    """Takes webhooks; told: statuses by prediction."""

    def __init__(self, answers: tuple[int, ...] = ()) -> None:
        self.told: dict[str, list[str]] = {}
        self._answers = list(answers)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.told.setdefault(body["id"], []).append(body["status"])
        return web.Response(status=self._answers.pop(0) if self._answers else 200)


@asynccontextmanager
async def listen(*answers: int) -> AsyncIterator[tuple[Listener, str]]:
    listener = Listener(answers)
    app = web.Application()
    app.add_routes([web.post("/", listener.take)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield listener, "http://{}:{}/".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


HOSTS = frozenset({"127.0.0.1"})


async def ask_hooked(queue: Queue, identifier: str, hook: str, *events: str) -> None:
    body = {**BODY, "webhook": hook, **({"webhook_events_filter": events} if events else {})}
    answer = await queue.open.client.put(f"/predictions/{identifier}", json=body, headers=ASYNC)
    assert answer.status_code == 202


def test_a_webhook_hears_that_one_waits_and_that_it_is_cancelled_where_it_asked_to() -> None:
    async def test(queue: Queue) -> None:
        async with listen() as (listener, hook):
            (first,) = await queue.begin("a")
            await ask_hooked(queue, "all", hook)
            await ask_hooked(queue, "start", hook, "start")
            await ask_hooked(queue, "end", hook, "completed")
            await until(lambda: len(listener.told) == 2)
            for identifier in ("all", "start", "end"):
                await queue.cancel(identifier)
            await until(lambda: "end" in listener.told and len(listener.told["all"]) == 2)
            queue.cog.finish("a")
            await first
            assert listener.told == {
                "all": ["starting", "canceled"],
                "start": ["starting"],
                "end": ["canceled"],
            }

    run(test, webhook_hosts=HOSTS)


def test_a_webhook_that_leads_back_to_the_server_only_later_is_not_called() -> None:
    async def test(queue: Queue) -> None:
        async with listen() as (listener, hook):
            (first,) = await queue.begin("a")
            await ask_hooked(queue, "b", hook, "completed")
            queue.gate.relay.own_ports = [int(hook.split(":")[2].partition("/")[0])]
            await queue.cancel("b")
            queue.cog.finish("a")
            await first
            await until(lambda: not queue.gate._tasks)
            assert listener.told == {}

    run(test, webhook_hosts=HOSTS)


def test_a_webhook_hears_of_a_server_that_cannot_go_on_again_where_it_did_not_listen() -> None:
    async def test(queue: Queue) -> None:
        async with listen(503, 503) as (listener, hook):
            (first,) = await queue.begin("a")
            await ask_hooked(queue, "b", hook, "completed")
            queue.cog.status = "UNHEALTHY"
            queue.cog.finish("a", "failed")
            await first
            await until(lambda: listener.told == {"b": ["failed"] * 3})

    run(test, webhook_hosts=HOSTS)


def test_at_the_end_the_webhooks_of_those_who_wait_hear_of_it() -> None:
    async def test(queue: Queue) -> None:
        async with listen() as (listener, hook):
            (first,) = await queue.begin("a")
            await ask_hooked(queue, "b", hook, "completed")
            ending = asyncio.create_task(queue.open.runner.cleanup())
            await until(lambda: listener.told == {"b": ["failed"]})
            queue.cog.finish("a")
            await first
            await ending

    run(test, webhook_hosts=HOSTS)


@pytest.mark.parametrize(
    ("body", "got"),
    [
        ({"colors": [{"name": "red", "proportion": 100}]}, "is missing"),
        ({"input": {}}, "is missing"),
        ({"input": {"params_json": None}}, "got null"),
        ({"input": {"params_json": 5}}, "got a number"),
        ({"input": {"params_json": True}}, "got true"),
        ({"input": {"params_json": {"colors": []}}}, "got an object"),
    ],
)
def test_what_cog_would_refuse_after_a_wait_is_refused_at_once_with_the_form(
    body: dict[str, Any], got: str
) -> None:
    async def test(queue: Queue) -> None:
        (first,) = await queue.begin("a")
        answer = await queue.open.client.post("/predictions", json=body, headers=ASYNC)
        assert place_of(answer) == (422, ["body", "input", "params_json"])
        assert answer.json()["detail"][0]["msg"] == (
            f"{got}; allowed: a text that holds the request as JSON, as in "
            r'{"input": {"params_json": "{\"colors\": …}"}}'
        )
        queue.cog.finish("a")
        await first

    run(test)
