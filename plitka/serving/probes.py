"""Probes: whether Cog's server can go on, by what it says and by what its worker gets done.

A server that hangs says BUSY for ever, so one that is busy has to get on with something. What
clients ask of it meanwhile is no work: Cog's HTTP server answers that, whose own is not counted,
and of the worker's what health checks cost is deducted.
"""

import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

from plitka.serving.cog_process import find_family

READY = ("READY", "BUSY")
DEAD = ("UNHEALTHY", "SETUP_FAILED", "DEFUNCT", "UNREACHABLE")

# What a busy server may use without getting anything done. A thread that waits for a GPU spins, and
# a download writes what it gets: both are far above. A health check was measured at 0.7 ms and
# 8,260 bytes of the worker's, with the render engine on 2 cores.
_IDLE_SHARE = 0.02  # of one core
_IDLE_RATE = 16 * 2**10  # bytes a second
_CHECK_SECONDS, _CHECK_BYTES = 0.003, 12 * 2**10  # for each health check
_LEAST_SECONDS, _LEAST_BYTES = 0.05, 64 * 2**10  # processor time is counted in steps of 0.01


@dataclass(frozen=True)
class Work:
    """What a server's worker has done until now.

    at: seconds of a clock that goes forward only. events: of predictions, that the gate has seen.
    checks: health checks that it has asked for. cpu_seconds, written_bytes: of the worker and all
    that it has started, as far as they live.
    """

    at: float
    events: int
    checks: int
    cpu_seconds: float
    written_bytes: int

    def has_gone_on_since(self, earlier: "Work") -> bool:
        """Whether that is more than waiting and answering health checks."""
        seconds, checks = self.at - earlier.at, self.checks - earlier.checks
        idle_seconds = _LEAST_SECONDS + _IDLE_SHARE * seconds + _CHECK_SECONDS * checks
        idle_bytes = _LEAST_BYTES + _IDLE_RATE * seconds + _CHECK_BYTES * checks
        return (
            self.events != earlier.events
            or self.cpu_seconds - earlier.cpu_seconds > idle_seconds
            or self.written_bytes - earlier.written_bytes > idle_bytes
        )


def measure_work(pid: int, events: int, checks: int) -> Work:
    """Measure what the processes below Cog's server, which is `pid`, have done."""
    cpu_seconds, written = 0.0, 0
    for process in find_family(pid)[1:]:
        with suppress(psutil.Error):  # it has ended, or is not ours to look into
            times = process.cpu_times()
            cpu_seconds += times.user + times.system
            written += process.io_counters().write_chars
    return Work(time.monotonic(), events, checks, cpu_seconds, written)


@dataclass
class Progress:
    """For how long a server has been busy and got nothing done. limit: in seconds."""

    limit: float
    _last: Work | None = None  # when it was last seen to get on, None while it is not busy
    _seen: float = 0.0  # when it was last looked at
    _stalled: float = 0.0  # seconds since then, as far as somebody looked

    def find_stall(self, is_busy: bool, work: Work) -> float | None:
        """Take a measurement; returns the seconds without progress, if they are over the limit.

        It may have been idle where nobody looked, so a long time between two looks counts as half
        of the limit.
        """
        if not is_busy:
            self._last = None
            return None
        if self._last is None or work.has_gone_on_since(self._last):
            self._last, self._stalled = work, 0.0
        else:
            self._stalled += min(work.at - self._seen, self.limit / 2)
        self._seen = work.at
        return self._stalled if self._stalled > self.limit else None
