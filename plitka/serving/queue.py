"""The line for Cog's one slot: first come, first served; and when to ask again where it is full."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MOST_WAITING = 32  # where nobody says otherwise

_REMEMBERED = 16  # predictions whose seconds tell how long the next takes
_MOST_PROMISED = 60.0  # seconds: the pace may change, and to ask again costs little
_FIRST_GUESS = 5.0  # seconds of a prediction, before there was one

Who = TypeVar("Who")


class LineFullError(Exception):
    """Nobody else may wait."""


@dataclass
class Line(Generic[Who]):
    """Who has the slot, and who waits for it, in the order in which they came.

    most: that may wait. None of them waits while the slot is free and has been given on by advance.
    """

    most: int
    holder: Who | None = None
    waiting: list[Who] = field(default_factory=list)

    def join(self, who: Who) -> None:
        """Let somebody wait, behind all others. Raises LineFullError.

        Who would be the next to have a free slot does not count as one who waits.
        """
        if len(self.waiting) >= self.most + (self.holder is None):
            raise LineFullError
        self.waiting.append(who)

    def find_place(self, who: Who) -> int | None:
        """Find a place: 0 has the slot, 1 is the next; None for who is not in the line."""
        if who == self.holder:
            return 0
        return next((place for place, each in enumerate(self.waiting, 1) if each == who), None)

    def leave(self, who: Who) -> None:
        """Leave the line, or the slot, which stays free until advance gives it on."""
        if who == self.holder:
            self.holder = None
        else:
            self.waiting = [each for each in self.waiting if each != who]

    def advance(self) -> Who | None:
        """Give the slot to the first who waits, if it is free; returns who has it since now."""
        if self.holder is not None or not self.waiting:
            return None
        self.holder = self.waiting.pop(0)
        return self.holder


@dataclass
class Pace:
    """How long predictions take, by the last few, and when a slot is promised to the refused."""

    _seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _promised: float = 0.0  # the last time at which somebody was told to ask again

    def note(self, seconds: float) -> None:
        """Note how long a prediction had the slot."""
        self._seconds.append(seconds)

    @property
    def seconds(self) -> float:
        """Seconds of a prediction, on the average."""
        return sum(self._seconds) / len(self._seconds) if self._seconds else _FIRST_GUESS

    def promise(self, now: float, most: int) -> int:
        """Say in how many whole seconds to ask again.

        One place is free after each prediction. So those who are refused one after another are
        told times that lie as far apart, up to the time that a full line of `most` takes, and up
        to a minute.
        """
        latest = now + min(self.seconds * (most + 1), _MOST_PROMISED)
        self._promised = min(max(now, self._promised) + self.seconds, latest)
        return max(1, math.ceil(self._promised - now))
