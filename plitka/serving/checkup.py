"""Whether the server is well: what probes say, by Cog's health check, the disk and the worker."""

import asyncio
import math
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
from aiohttp import web

from plitka.runtime.memory import measure_free_main_memory
from plitka.serving import cogs_folders, probes
from plitka.serving.answers import Refusal
from plitka.serving.cog_client import ANSWER_SECONDS, Cog
from plitka.serving.cog_process import find_family
from plitka.serving.metrics import Vitals
from plitka.serving.predictions import Prediction
from plitka.serving.queue import Line

DISKS = {"cog": cogs_folders.COGS_FOLDERS, "pictures": Path(tempfile.gettempdir())}
"""Where Cog makes its folders, and where the worker writes pictures."""

RETRY_SECONDS = 30  # after which a server that cannot go on may be there again, or another

_THREAD_SECONDS = 3.0  # that the disk and the system may take for what is done at once
_STATUSES = {
    "STARTING": "the engine is being loaded",
    "UNREACHABLE": f"Cog's server does not answer, or not within {ANSWER_SECONDS:.0f} seconds",
    "SETUP_FAILED": "the engine could not be loaded; setup.logs of /health-check says why",
    "UNHEALTHY": "the worker has died, or user_healthcheck_error of /health-check says why",
}

Answer = TypeVar("Answer")


@dataclass
class Checkup:
    """Examines Cog's server. pid: of it, 0 before it is started."""

    cog: Cog
    stalled_after: float
    pid: int = 0
    _measuring: "asyncio.Task[probes.Work | Refusal] | None" = None
    _prober: Executor = field(
        default_factory=lambda: ThreadPoolExecutor(1)
    )  # predictions have another

    def __post_init__(self) -> None:
        self._progress = probes.Progress(self.stalled_after)

    async def answer_live(self, request: web.Request) -> web.Response:
        """Answer a liveness probe: 503 if only a restart would help."""
        status, fault = await self.examine()
        return _answer_probe(status, status not in probes.DEAD, fault)

    async def answer_ready(self, request: web.Request) -> web.Response:
        """Answer a readiness probe: 200 if a prediction would be accepted, now or after another."""
        status, fault = await self.examine()
        return _answer_probe(status, status in probes.READY, fault)

    async def examine(self) -> tuple[str, Refusal | None]:
        """Find the status in Cog's health check, and what keeps it from going on."""
        status, work = await asyncio.gather(self.cog.fetch_status(), self._measure())
        if isinstance(work, Refusal):
            return status, work
        stall = self._progress.find_stall(status == "BUSY", work)
        if stall is None:
            return status, None
        message = f"busy for {stall:.0f} s without progress; the worker hangs, and a restart helps"
        return status, Refusal(503, ("server",), message)

    async def measure_vitals(self, line: Line[Prediction]) -> Vitals:
        """Measure what metrics say of this moment. line: of those that wait."""
        (status, fault), memory, disks = await asyncio.gather(
            self.examine(),
            asyncio.to_thread(self._measure_memory),
            asyncio.gather(*(_measure_disk(self._prober, folder) for folder in DISKS.values())),
        )
        return Vitals(
            is_alive=status not in probes.DEAD,
            is_ready=status in probes.READY and fault is None,
            waiting=len(line.waiting),
            running=int(line.holder is not None),
            most_waiting=line.most,
            memory=memory,
            free_memory=measure_free_main_memory(),
            free_disk=dict(zip(DISKS, disks, strict=True)),
        )

    def _measure_memory(self) -> dict[str, int]:
        """Measure the resident bytes of the gate, of Cog's server and of what that has started."""
        family = find_family(self.pid)
        families = {"gate": [psutil.Process()], "cog": family[:1], "worker": family[1:]}
        return {name: sum(map(_measure_resident, family)) for name, family in families.items()}

    async def _measure(self) -> probes.Work | Refusal:
        """Try the disk, and measure what Cog's processes have done; returns what is wrong.

        Probes that come meanwhile share it, so that a flood of them does not slow it down.
        """
        if self._measuring is None or self._measuring.done():
            self._measuring = asyncio.create_task(self._measure_once())
        return await asyncio.shield(self._measuring)

    async def _measure_once(self) -> probes.Work | Refusal:
        def measure() -> probes.Work:
            cogs_folders.check_disk()
            return probes.measure_work(self.pid, self.cog.events, self.cog.checks)

        try:
            return await in_thread(self._prober, measure)
        except Refusal as fault:
            return fault


async def _measure_disk(executor: Executor, folder: Path) -> float:
    """Measure the free bytes of a folder's disk; NaN where there is no answer."""
    try:
        return float((await in_thread(executor, shutil.disk_usage, folder)).free)
    except (OSError, Refusal):
        return math.nan


def _measure_resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has ended
        return 0


def refuse_status(status: str) -> Refusal:
    """Make the refusal of a server with this status."""
    message = _STATUSES.get(status, "see /health-check")
    return Refusal(503, ("server",), message, retry_after=RETRY_SECONDS)


async def in_thread(
    executor: Executor | None, function: Callable[..., Answer], *arguments: Any
) -> Answer:
    """Run what waits for the system beside the event loop. Raises Refusal if it takes too long."""
    running = asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
    try:
        return await asyncio.wait_for(running, _THREAD_SECONDS)
    except TimeoutError:
        message = f"{cogs_folders.COGS_FOLDERS}: its disk does not answer"
        raise Refusal(503, ("server",), message) from None


def _answer_probe(status: str, is_well: bool, fault: Refusal | None) -> web.Response:
    if is_well and fault is None:
        return web.json_response({"status": status})
    refusal = fault or refuse_status(status)
    return web.json_response({"status": status, **refusal.body}, status=503)
