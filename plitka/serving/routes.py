"""The gate's routes: what is passed on to Cog's server, and what comes back."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from plitka import __version__
from plitka.request.schema import make_schema
from plitka.runtime.memory import trim_heap
from plitka.serving import cogs_folders, probes
from plitka.serving.answers import Refusal, to_response
from plitka.serving.checkup import RETRY_SECONDS, Checkup, in_thread, refuse_status
from plitka.serving.cog_client import ANSWER_SECONDS, JSON, Cog
from plitka.serving.connections import Connections
from plitka.serving.drawing import Drawing
from plitka.serving.finished import Finished
from plitka.serving.handover import hand_over
from plitka.serving.metrics import CONTENT_TYPE, Metrics
from plitka.serving.predictions import Answer, Outcome, Prediction, Webhook
from plitka.serving.queue import MOST_WAITING
from plitka.serving.receiving import Reception
from plitka.serving.request_checks import EVENTS, Json, check_identifier
from plitka.serving.turns import Turns
from plitka.serving.webhook_relay import WebhookRelay
from plitka.serving.wishes import Wish, read_wish
from plitka.serving.work_kind import PREDICTIONS, REFUSED, TRAININGS, WorkKind

STALL_SECONDS = 600.0

_MOST_READERS = 8  # of one prediction; for each its pictures may be held, 10 MB
_MOST_ANSWERS = 32  # under way; the one that has not been read for longest gives way
_WEBHOOK_SECONDS = 3.0  # that webhooks have to be called at the end
_CANCEL_SECONDS = 0.02  # before Cog is asked again to cancel what it may be about to take
_POLL_SECONDS = 0.05
_TRIM_SECONDS = 60.0
_GRACE_SECONDS = 5.0  # that a running prediction has to end after SIGTERM; then it is cancelled
_TRACES = ("traceparent", "tracestate")
_SCHEMA_PATH = "/params_json.schema.json"
_NOT_HERE = ("docs_", "shutdown_")  # of Cog's places, how their names begin
_STOPPING = "this server is being stopped; ask again, another may be there"
_log = logging.getLogger(__name__)


@dataclass
class Gateway:
    """Passes requests on to Cog's server at `address`.

    webhook_hosts: that requests may name in `webhook`, in their normal form. relay: the way of
    webhooks. stalled_after: seconds that a prediction may make no progress. kind: what Cog's server
    does. file_hosts: from which requests may let it fetch files, in their normal form.
    most_waiting: requests that may wait for their turn.
    """

    address: str
    webhook_hosts: Collection[str] = ()
    relay: WebhookRelay = field(default_factory=WebhookRelay)
    stalled_after: float = STALL_SECONDS
    kind: WorkKind = PREDICTIONS
    file_hosts: Collection[str] = ()
    most_waiting: int = MOST_WAITING
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)  # answers and calls under way
    _asked: set[Prediction] = field(default_factory=set)  # that have answers under way

    def __post_init__(self) -> None:
        self.cog = Cog(self.address)
        self.checkup = Checkup(self.cog, self.stalled_after)
        self.metrics = Metrics(__version__, self.kind.plural)
        most = self.most_waiting if self.kind.queues else 0
        self.turns = Turns(self.cog, self.kind, most, self._note_turn)
        self.reception = Reception(self.kind, self.webhook_hosts, self.file_hosts)
        self.finished = Finished()
        self.drawing = Drawing(self.cog, self.kind, self._note_end)

    def make_app(self) -> web.Application:
        """Make the server, with all its routes."""
        self._readers = Connections(_MOST_ANSWERS)
        app = web.Application(client_max_size=self.kind.max_body)
        app.cleanup_ctx.append(self._connect)
        app.on_shutdown.append(self._end_predictions)
        app.add_routes(
            [
                web.get("/", self._answer_root),
                web.get("/openapi.json", self._pass_on),
                web.get("/health-check", self._pass_on),
                web.get("/live", self.checkup.answer_live),
                web.get("/ready", self.checkup.answer_ready),
                web.get("/metrics", self._answer_metrics),
            ]
        )
        for kind in (PREDICTIONS, TRAININGS):
            place = f"/{kind.plural}"
            run, cancel = (
                (self._run, self._cancel) if kind is self.kind else (self._refuse, self._refuse)
            )
            app.add_routes(
                [
                    web.post(place, run),
                    web.put(f"{place}/{{id}}", run),
                    web.post(f"{place}/{{id}}/cancel", cancel),
                ]
            )
        if self.kind.queues:
            app.add_routes(
                [
                    web.get(f"/{self.kind.plural}/{{id}}", self._show),
                    web.get(_SCHEMA_PATH, self._answer_schema),
                ]
            )
        return app

    async def _refuse(self, request: web.Request) -> web.Response:
        """Refuse what this server does not do: Cog's would do it all the same, and wrongly."""
        other = request.path.split("/")[1]
        refusal = to_response(Refusal(404, ("path",), REFUSED[other]))
        refusal.force_close()  # its body may be large, and nobody reads it
        return refusal

    async def _connect(self, app: web.Application) -> AsyncIterator[None]:
        """Keep the client session for as long as the server runs."""
        async with self.cog.connect():
            trimming = asyncio.create_task(self._trim_regularly())
            yield
            for task in (trimming, *self._tasks):
                task.cancel()
            await asyncio.gather(trimming, *self._tasks, return_exceptions=True)
            await self.turns.stop()

    async def _trim_regularly(self) -> None:
        """Give back what requests took: without it, the most that they have taken stays."""
        while True:
            await asyncio.sleep(_TRIM_SECONDS)
            self.finished.forget(asyncio.get_running_loop().time())
            await asyncio.to_thread(trim_heap)

    # Predictions, or trainings

    async def _run(self, request: web.Request) -> web.StreamResponse:
        wish = read_wish(request.headers)
        try:
            body = await self.reception.read_body(request)
            if "webhook" in body:
                await self.relay.check(body["webhook"])
            await self._check_server(wish, str(body["id"]))
            prediction, is_known = self._find_or_enter(request.method, body, wish)
        except Refusal as refusal:
            self.metrics.count_refusal(refusal.status)
            raise
        if is_known and not wish.is_stream:
            prediction.stays = prediction.is_promised = True
            return web.json_response(self._describe(prediction), status=202)
        answer = self._begin(prediction, request, wish)
        if wish.is_async and wish.wait is None and not await self._is_refused(answer):
            prediction.is_promised, answer.has_client = True, False
            place = self.turns.line.find_place(prediction)
            body = {"id": prediction.identifier, "status": "starting"}
            return web.json_response(self._describe(prediction) if place else body, status=202)
        prediction.clients += 1
        try:
            if wish.wait is not None:
                await asyncio.wait([answer.task], timeout=wish.wait)
                if not answer.task.done() and not prediction.has_answer:
                    prediction.stays = prediction.is_promised = True
                    answer.has_client = False
                    return web.json_response(self._describe(prediction), status=202)
            return await hand_over(request, prediction, answer, self.turns.line, self._readers)
        finally:
            prediction.clients -= 1
            if not prediction.clients and not prediction.stays:
                self._abandon(prediction)

    async def _check_server(self, wish: Wish, identifier: str) -> None:
        """Raise Refusal if no prediction would succeed, as far as that is known before its turn.

        Who is answered at once would not hear of it later.
        """
        await in_thread(None, cogs_folders.check_prediction, identifier)
        if wish.is_async or wish.wait is not None:
            status = await self.cog.fetch_status()
            if status not in probes.READY:
                raise refuse_status(status)

    def _find_or_enter(self, method: str, body: Json, wish: Wish) -> tuple[Prediction, bool]:
        """Find the prediction that a PUT names, or let a new one wait; whether it was known.

        Raises Refusal.
        """
        identifier = str(body["id"])
        known = self.turns.find(identifier) if method == "PUT" else None
        if known is not None:
            if known.holds >= _MOST_READERS:
                message = f"{_MOST_READERS} clients wait for this {self.kind.name} already"
                raise Refusal(429, self.kind.place, message)
            return known, True
        webhook = None
        if "webhook" in body:
            webhook = Webhook(body["webhook"], body.get("webhook_events_filter", EVENTS))
            body = {**body, "webhook": self.relay.wrap(webhook.address)}
        prediction = Prediction(
            identifier,
            json.dumps(body).encode(),
            body.get("input", {}) if self.kind.queues else None,  # photographs are not told again
            webhook,
            asked_at=asyncio.get_running_loop().time(),
            stays=wish.is_async,
        )
        self.turns.enter(prediction)
        place = self.turns.line.find_place(prediction)
        if place and webhook is not None and webhook.wants("start"):
            told = prediction.describe("starting", place=place)
            prediction.call = self._start(self.relay.tell(webhook.address, told, calls=1))
        return prediction, False

    def _begin(self, prediction: Prediction, request: web.Request, wish: Wish) -> Answer:
        """Begin to wait for an answer of Cog's."""
        traces = {name: request.headers[name] for name in _TRACES if name in request.headers}
        answer = Answer(wish.is_stream, is_first=not prediction.holds)
        prediction.answers.add(answer)
        prediction.holds += 1
        self._asked.add(prediction)
        answer.task = self._start(self.drawing.draw(prediction, answer, traces))
        answer.task.add_done_callback(lambda task: self._end_answer(prediction, answer, task))
        return answer

    async def _is_refused(self, answer: Answer) -> bool:
        """Whether Cog refuses a training, of which nobody would hear who is answered at once.

        Waits until Cog has begun with it. A prediction's end can be asked for.
        """
        if self.kind.queues:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                while not answer.task.done() and await self.cog.fetch_status() == "READY":
                    await asyncio.sleep(_POLL_SECONDS)
        return answer.task.done() and (answer.status >= 400 or not answer.status)

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _abandon(self, prediction: Prediction) -> None:
        """Let go of a prediction whose last client is gone; Cog cancels what it runs."""
        if self.turns.line.find_place(prediction):
            self.turns.leave(prediction)
        for answer in prediction.answers:
            answer.task.cancel()

    def _end_answer(
        self, prediction: Prediction, answer: Answer, task: "asyncio.Task[None]"
    ) -> None:
        """After an answer, whole or not: give the slot on, count, tell who has no connection."""
        answer.changed.set()
        prediction.answers.discard(answer)
        self.turns.release(prediction)
        if prediction.call is not None:
            prediction.call.cancel()
        if not prediction.holds:
            self._asked.discard(prediction)  # nobody looks before it is among the kept ones
            self.drawing.forget(prediction)
        if task.cancelled():
            if not prediction.holds and not prediction.has_answer:
                self.metrics.count("left")
            return
        fault = task.exception()
        if isinstance(fault, Refusal):
            self.metrics.count_refusal(fault.status)
        elif fault is not None:
            self.metrics.count("unavailable")
            if not answer.has_client and not isinstance(fault, ConnectionResetError):
                _log.error("%s: no answer", prediction.identifier, exc_info=fault)
        elif answer.status >= 400:
            self.metrics.count_refusal(answer.status)
        self._tell_end(prediction, answer, fault)

    def _tell_end(
        self, prediction: Prediction, answer: Answer, fault: BaseException | None
    ) -> None:
        """Call the webhook of a prediction of whose end Cog tells nobody."""
        if fault is not None or answer.status >= 400:
            error = str(fault or b"".join(answer.pieces).decode(errors="replace"))
            ended = prediction.describe("failed", error=error)
            if prediction.is_promised:
                self._keep(prediction, json.dumps(ended).encode())
            if answer.has_client:
                return  # who is told
        elif prediction.is_canceled and not prediction.is_cogs:
            ended = prediction.describe("canceled")
        else:
            return
        webhook, prediction.webhook = prediction.webhook, None  # once, whoever else waits
        if webhook is not None and webhook.wants("completed"):
            self._start(self.relay.tell(webhook.address, ended))

    def _keep(self, prediction: Prediction, content: bytes) -> None:
        """Keep an answer for who comes back for it."""
        self.finished.keep(prediction.identifier, content, asyncio.get_running_loop().time())

    def _note_turn(self, prediction: Prediction) -> None:
        """Note that a prediction has the slot."""
        self.metrics.note_wait(asyncio.get_running_loop().time() - prediction.asked_at)
        if prediction.call is not None:
            prediction.call.cancel()

    def _note_end(self, prediction: Prediction, outcome: Outcome) -> None:
        self.metrics.note_outcome(outcome)
        if prediction.is_promised:
            self._keep(prediction, outcome.content)

    def _describe(self, prediction: Prediction) -> Json:
        """Describe one that waits or runs, as far as it is."""
        given = {} if prediction.given is None else {"input": prediction.given}
        place = self.turns.line.find_place(prediction)
        if place:
            return prediction.describe("starting", **given, place=place)
        return prediction.describe("processing", **given)

    async def _show(self, request: web.Request) -> web.Response:
        """Show one that waits or runs, or one that ended without a client to take its answer."""
        place = self.kind.place
        identifier = check_identifier(request.match_info["id"], self.kind, place)
        ending = (each for each in self._asked if each.identifier == identifier)
        prediction = self.turns.find(identifier) or next(ending, None)
        if prediction is not None:
            return web.json_response(self._describe(prediction))
        content = self.finished.find(identifier, asyncio.get_running_loop().time())
        if content is None:
            message = f"no {self.kind.name} of this id waits, runs, or is kept for who comes back"
            raise Refusal(404, place, message)
        return web.Response(body=content, content_type=JSON)

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        """Cancel all of an id: those that wait, and the one that has the slot.

        That one may be on its way to Cog, which does not know it yet.
        """
        place = self.kind.place
        identifier = check_identifier(request.match_info["id"], self.kind, place)
        is_canceled = self.turns.cancel(identifier)
        path = f"/{self.kind.plural}/{identifier}/cancel"
        holder = self.turns.holder
        end = asyncio.get_running_loop().time() + ANSWER_SECONDS
        while holder is not None and holder.identifier == identifier and not holder.has_answer:
            status, content, headers = await self.cog.ask("POST", path)
            if status != 404 or asyncio.get_running_loop().time() > end:
                return web.Response(status=status, body=content, headers=headers)
            holder.is_canceled = True
            await asyncio.sleep(_CANCEL_SECONDS)
        if not is_canceled and not (holder and holder.is_canceled and not holder.is_cogs):
            raise Refusal(404, place, f"no {self.kind.name} of this id is running")
        return web.json_response({})

    # What is answered at once

    async def _pass_on(self, request: web.Request) -> web.Response:
        status, content, headers = await self.cog.ask("GET", request.path)
        return web.Response(status=status, body=content, headers=headers)

    async def _answer_root(self, request: web.Request) -> web.Response:
        """Answer where all is that this server has: Cog's answer, less what the gate refuses."""
        status, content, headers = await self.cog.ask("GET", "/")
        if status == 200:
            refused = (*_NOT_HERE, *({PREDICTIONS.plural, TRAININGS.plural} - {self.kind.plural}))
            told = {k: v for k, v in json.loads(content).items() if not k.startswith(refused)}
            if self.kind.queues:
                told["params_json_schema_url"] = _SCHEMA_PATH
            content = json.dumps(told).encode()
        return web.Response(status=status, body=content, headers=headers)

    async def _answer_schema(self, request: web.Request) -> web.Response:
        return web.json_response(make_schema(), content_type="application/schema+json")

    async def _answer_metrics(self, request: web.Request) -> web.Response:
        vitals = await self.checkup.measure_vitals(self.turns.line)
        return web.Response(body=self.metrics.write(vitals), headers={"Content-Type": CONTENT_TYPE})

    # The end

    async def _end_predictions(self, app: web.Application) -> None:
        """At SIGTERM: refuse who waits, give what runs _GRACE_SECONDS, then cancel it."""
        self.turns.close(Refusal(503, ("server",), _STOPPING, retry_after=RETRY_SECONDS))

        async def is_done() -> bool:
            return self.turns.holder is None

        await _wait_until(is_done, _GRACE_SECONDS)
        if (holder := self.turns.holder) is not None:
            path = f"/{self.kind.plural}/{holder.identifier}/cancel"
            with suppress(Refusal):
                await self.cog.ask("POST", path)
            if holder.stays:
                await _wait_until(is_done, _WEBHOOK_SECONDS)
        await _wait_until(self.relay.is_quiet, _WEBHOOK_SECONDS)


async def _wait_until(happens: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Poll until something happens, or give up after some seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await happens():
                await asyncio.sleep(_POLL_SECONDS)
