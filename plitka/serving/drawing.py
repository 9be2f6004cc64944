"""One prediction at Cog's server: asked for when it is its turn, and its answer taken as it comes.

What comes is held here until the client takes it: one that reads slowly keeps nobody waiting.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from plitka.serving import cogs_folders
from plitka.serving.answers import Refusal
from plitka.serving.checkup import in_thread, refuse_status
from plitka.serving.cog_client import (
    ANSWER_SECONDS,
    EVENTS,
    STREAM_HEADERS,
    Cog,
    keep_headers,
    write_event,
)
from plitka.serving.predictions import (
    LONGEST_NEVER_SENT,
    Answer,
    Outcome,
    Prediction,
    read_outcome,
    was_never_sent,
)
from plitka.serving.request_checks import Json
from plitka.serving.turns import DEAD
from plitka.serving.work_kind import WorkKind

_JOIN_SECONDS = 0.05  # after which Cog has the request that it begins with
_FIRST_PAUSE, _LAST_PAUSE = 0.005, 0.25  # seconds before Cog is asked again after a 409


@dataclass
class Drawing:
    """Has Cog's server draw. on_end: called with what each prediction has come to."""

    cog: Cog
    kind: WorkKind
    on_end: Callable[[Prediction, Outcome], None]
    _removals: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)  # of folders, by id

    async def draw(
        self, prediction: Prediction, answer: Answer, headers: Mapping[str, str]
    ) -> None:
        """Wait for the turn, ask Cog, and take its answer. headers: that Cog is to see.

        Raises Refusal where there is no answer, ConnectionResetError where it is cut.
        """
        await prediction.turn.wait()
        if prediction.refusal is not None:
            raise prediction.refusal
        accept = {"Accept": EVENTS} if answer.is_stream else {}
        received = await self._ask(prediction, answer, {**headers, **accept})
        if received is None:
            canceled = prediction.describe("canceled")
            _fill_canceled(answer, canceled)
            self._end(prediction, Outcome("canceled", {}, json.dumps(canceled).encode()))
            return
        is_stream = received.content_type == EVENTS
        async with received:
            kept = await self._pass_on(received, prediction, answer, is_stream)
        if received.status == 200:
            content = b"".join(kept)
            outcome = await asyncio.to_thread(read_outcome, content, is_stream)
            self._end(prediction, outcome or Outcome("failed", {}, content))

    async def _pass_on(
        self,
        received: aiohttp.ClientResponse,
        prediction: Prediction,
        answer: Answer,
        is_stream: bool,
    ) -> list[bytes]:
        """Pass Cog's answer on as it comes. Returns the pieces that tell how the prediction ended.

        A short one is held back until it is whole: raises Refusal if no worker has seen the
        prediction.
        """
        kept: list[bytes] = []
        held = 0 if is_stream else LONGEST_NEVER_SENT
        if is_stream:
            answer.begin(received.status, keep_headers(received))
        async for piece in self.cog.read_pieces(received, prediction.identifier):
            if not is_stream or b"event: completed\n" in piece:
                kept.append(piece)
            if held <= 0:
                answer.add(piece)
                continue
            held -= len(piece)
            if held <= 0:
                _begin(answer, received, kept)
        if held > 0:
            if was_never_sent(b"".join(kept)):
                raise refuse_status("UNHEALTHY")
            _begin(answer, received, kept)
        return kept

    def _end(self, prediction: Prediction, outcome: Outcome) -> None:
        """Note the end of a prediction, once, although several may hear of it."""
        if not prediction.has_answer:
            prediction.has_answer = True
            self.on_end(prediction, outcome)

    async def _ask(
        self, prediction: Prediction, answer: Answer, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse | None:
        """Ask until Cog takes it; None if it was cancelled before. Raises Refusal.

        Nobody else has the slot: a 409 says that Cog has not freed it yet, or never will, a 202 the
        same of another prediction of this id.
        """
        identifier = prediction.identifier
        method, path = "POST", f"/{self.kind.plural}"  # which the client library never sends twice
        if not answer.is_first:
            method, path = "PUT", f"{path}/{identifier}"
            await asyncio.sleep(_JOIN_SECONDS)
        pause, ready = _FIRST_PAUSE, 0.0
        while not prediction.is_canceled:
            while (removal := self._removals.get(identifier)) is not None:
                await asyncio.shield(removal)
            await in_thread(None, cogs_folders.check_prediction, identifier)
            if (status := await self.cog.fetch_status()) in DEAD:
                raise refuse_status(status)  # or Cog would say that this prediction has failed
            received = await self.cog.begin(method, path, prediction.content, headers)
            if received.status not in (202, 409):
                prediction.is_cogs = received.status == 200
                return received
            received.close()
            status = await self.cog.fetch_status()
            ready += pause if status == "READY" else 0
            if status in DEAD:
                raise refuse_status(status)
            if ready > ANSWER_SECONDS:
                raise Refusal(503, ("server",), "Cog's server says READY and accepts no request")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)
        return None

    def forget(self, prediction: Prediction) -> None:
        """Remove the folders that Cog has made, or a flood would use up a disk's inodes."""
        identifier = prediction.identifier
        if prediction.has_answer and identifier not in self._removals:
            self._removals[identifier] = asyncio.create_task(self._remove_folders(identifier))

    async def _remove_folders(self, identifier: str) -> None:
        """Nobody asks Cog for another of this id meanwhile, for which it makes them anew."""
        try:
            with suppress(Refusal):
                await in_thread(None, cogs_folders.remove_folders, identifier)
        finally:
            del self._removals[identifier]


def _fill_canceled(answer: Answer, body: Json) -> None:
    """Answer as Cog does for one that was cancelled."""
    if answer.is_stream:
        answer.begin(200, STREAM_HEADERS)
        answer.add(write_event("completed", body))
    else:
        answer.fill(200, body)


def _begin(answer: Answer, received: aiohttp.ClientResponse, pieces: Sequence[bytes]) -> None:
    """Begin an answer with the pieces that were held back."""
    answer.begin(received.status, keep_headers(received))
    for piece in pieces:
        answer.add(piece)
