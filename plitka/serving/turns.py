"""Turns at Cog's one slot: who waits is let in when the slot is free again, and not before.

Cog answers a moment before it frees its slot, and refuses whoever comes in between with 409. So
after each prediction its health check is asked until it no longer says BUSY.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from plitka.serving.answers import Refusal
from plitka.serving.checkup import refuse_status
from plitka.serving.cog_client import Cog
from plitka.serving.predictions import Prediction
from plitka.serving.queue import Line, LineFullError, Pace
from plitka.serving.work_kind import WorkKind

DEAD = ("UNHEALTHY", "SETUP_FAILED", "DEFUNCT")  # no prediction would succeed

_FIRST_POLL, _LAST_POLL = 0.005, 0.1  # seconds between two looks at a slot that is not free


@dataclass
class Turns:
    """Lets predictions in, one after another.

    most: that may wait. on_turn: called with each that gets the slot.
    """

    cog: Cog
    kind: WorkKind
    most: int
    on_turn: Callable[[Prediction], None]
    closed: Refusal | None = None
    pace: Pace = field(default_factory=Pace)
    _settling: "asyncio.Task[None] | None" = None
    _since: float = 0.0  # when the holder got the slot
    _is_dead: bool = False  # when Cog was asked last

    def __post_init__(self) -> None:
        self.line: Line[Prediction] = Line(self.most)

    @property
    def holder(self) -> Prediction | None:
        """Whose turn it is."""
        return self.line.holder

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self.line.waiting)

    def find(self, identifier: str) -> Prediction | None:
        """Find one that waits or runs, and of which Cog has told no end."""
        holder = self.line.holder
        known = [*([holder] if holder and not holder.has_answer else []), *self.line.waiting]
        return next((each for each in known if each.identifier == identifier), None)

    def enter(self, prediction: Prediction) -> None:
        """Let a prediction wait for its turn, which may be now. Raises Refusal."""
        if self.closed is not None:
            raise self.closed
        try:
            self.line.join(prediction)
        except LineFullError:
            raise self._refuse() from None
        if self._is_dead and self.line.holder is None:
            self._start_settling()
        if self._settling is None:
            self._advance()

    def leave(self, prediction: Prediction) -> None:
        """Give up the place, or the slot, of one that nobody wants any more."""
        is_holder = prediction is self.line.holder
        self.line.leave(prediction)
        if is_holder:
            self._start_settling()
        else:
            self._tell()

    def release(self, prediction: Prediction) -> None:
        """Note that one of Cog's answers has ended; the last of them gives the slot on."""
        prediction.holds -= 1
        if not prediction.holds and prediction is self.line.holder:
            if prediction.has_answer:
                self.pace.note(asyncio.get_running_loop().time() - self._since)
            self.leave(prediction)

    def cancel(self, identifier: str) -> bool:
        """Cancel those of an id that wait; whether there were any."""
        canceled = [each for each in self.line.waiting if each.identifier == identifier]
        for prediction in canceled:
            prediction.is_canceled = True
            self._drop(prediction)
        return bool(canceled)

    def refuse_all(self, refusal: Refusal) -> None:
        """Refuse all that wait."""
        for prediction in list(self.line.waiting):
            prediction.refusal = refusal
            self._drop(prediction)

    def close(self, refusal: Refusal) -> None:
        """Refuse all that wait, and all that will ask."""
        self.closed = refusal
        self.refuse_all(refusal)

    async def stop(self) -> None:
        """Look after the slot no longer."""
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.wait([self._settling])

    def _drop(self, prediction: Prediction) -> None:
        self.line.leave(prediction)
        prediction.turn.set()
        self._tell()

    def _refuse(self) -> Refusal:
        """Make the refusal of one for whom there is no place."""
        if not self.kind.queues:
            message = f"a {self.kind.name} runs already, and this server runs one at a time"
            return Refusal(409, ("server",), message)
        now = asyncio.get_running_loop().time()
        seconds = self.pace.promise(now, self.most)
        message = f"{self.most} wait already, and no more may; ask again in {seconds} seconds"
        return Refusal(429, ("server",), message, retry_after=seconds)

    def _advance(self) -> None:
        prediction = self.line.advance()
        if prediction is not None:
            self._since = asyncio.get_running_loop().time()
            prediction.turn.set()
            self.on_turn(prediction)
            self._tell()

    def _tell(self) -> None:
        """Let those who wait know that their places may have changed."""
        for prediction in self.line.waiting:
            for answer in prediction.answers:
                answer.changed.set()

    def _start_settling(self) -> None:
        if self._settling is None:
            self._settling = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        """Wait until Cog's slot is free, and give it on; a dead worker's is given to nobody."""
        pause = _FIRST_POLL
        while (status := await self.cog.fetch_status()) == "BUSY":
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_POLL)
        self._settling = None
        self._is_dead = status in DEAD
        if self._is_dead:
            self.refuse_all(refuse_status(status))
        self._advance()
