"""Predictions, or trainings, as the gate has them, and the answers to those who asked for them."""

import asyncio
import json
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from plitka.serving.answers import Refusal
from plitka.serving.cog_client import JSON
from plitka.serving.request_checks import Json


@dataclass(frozen=True)
class Webhook:
    """Where a prediction is told of. events: of which kinds, as a request names them."""

    address: str
    events: Collection[str]

    def wants(self, event: str) -> bool:
        return event in self.events


@dataclass(eq=False)
class Prediction:
    """One that was asked for, until its last answer has ended.

    content: the request's body for Cog. given: its input, None if it is not told again. asked_at:
    by the event loop's clock. stays: whether it is drawn although no client waits for it.
    is_promised: whether somebody was answered with 202, and comes back for it. clients: who wait
    for it, or take their answers. holds: answers of Cog's that are under way or will be.
    is_cogs: whether Cog has taken it, and calls its webhook. has_answer: whether one of its answers
    has ended, so that it would run anew for who asks again. is_canceled: before Cog had it.
    refusal: why it is not drawn. turn: set when Cog's slot is its own, or when it will not be
    drawn. call: of its webhook, under way.
    """

    identifier: str
    content: bytes
    given: Json | None
    webhook: Webhook | None
    asked_at: float
    stays: bool = False
    is_promised: bool = False
    clients: int = 0
    holds: int = 0
    is_cogs: bool = False
    has_answer: bool = False
    is_canceled: bool = False
    refusal: Refusal | None = None
    turn: asyncio.Event = field(default_factory=asyncio.Event)
    answers: set["Answer"] = field(default_factory=set)
    call: "asyncio.Task[None] | None" = None

    def describe(self, status: str, **more: object) -> Json:
        """Describe it as Cog does where nothing is known of it but the status."""
        return {"id": self.identifier, "logs": "", "metrics": {}, "status": status, **more}


@dataclass(eq=False)
class Answer:
    """An answer of Cog's, as far as it is there.

    is_first: whether Cog is to begin with it; others join. has_client: whether somebody waits to
    take it. status: 0 until it begins. changed: set by whatever happens to it, or to its place in
    the line. task: what takes it from Cog; its exception is why there is none, or why it is cut.
    """

    is_stream: bool
    is_first: bool
    has_client: bool = True
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: deque[bytes] = field(default_factory=deque)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None]" = field(init=False)

    @property
    def is_whole(self) -> bool:
        """Whether nothing more comes."""
        return self.task.done()

    def begin(self, status: int, headers: dict[str, str]) -> None:
        self.status, self.headers = status, headers
        self.changed.set()

    def add(self, piece: bytes) -> None:
        self.pieces.append(piece)
        self.changed.set()

    def fill(self, status: int, body: Json) -> None:
        """Answer with JSON of the gate's own, whole."""
        self.begin(status, {"Content-Type": JSON})
        self.add(json.dumps(body).encode())

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait for the next change; returns False after some seconds without one."""
        try:
            await asyncio.wait_for(self.changed.wait(), seconds)
        except TimeoutError:
            return False
        self.changed.clear()
        return True


@dataclass(frozen=True)
class Outcome:
    """How a prediction ended, as Cog tells it.

    metrics: as the worker recorded them. content: all of it, in JSON.
    """

    status: str
    metrics: dict[str, Any]
    content: bytes


_COMPLETED = b"event: completed\ndata: "


_NEVER_SENT = b'"error":"Failed to send request'  # to the worker, which has died
LONGEST_NEVER_SENT = 4096
"""Bytes of an answer from which on it is no such one."""


def was_never_sent(content: bytes) -> bool:
    """Whether an answer calls a prediction failed that no worker has seen."""
    return len(content) < LONGEST_NEVER_SENT and _NEVER_SENT in content


def read_outcome(content: bytes, is_stream: bool) -> Outcome | None:
    """Read how a prediction ended, from an answer or its end; None where it does not tell that."""
    if is_stream:
        start = content.rfind(_COMPLETED)
        if start < 0:
            return None
        content = content[start + len(_COMPLETED) :].rstrip()
    try:
        body = json.loads(content)
    except ValueError:  # cut, or not Cog's
        return None
    if not isinstance(body, dict) or not isinstance(body.get("status"), str):
        return None
    metrics = body.get("metrics")
    return Outcome(body["status"], metrics if isinstance(metrics, dict) else {}, content)
