"""Worker processes: one function for many jobs; a process that dies costs its own job alone.

`concurrent.futures` has no such pool: there the death of one process fails all jobs of all, and
nobody can tell whose it was.
"""

import math
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any, Generic, TypeVar

from plitka.runtime.memory import measure_free_main_memory

Job = TypeVar("Job")
Result = TypeVar("Result")

_CGROUP = Path("/sys/fs/cgroup")
_PATIENCE = 3  # processes in a row that die before they work, of those that were asked for
_FEW = 4  # jobs that are done before a process has started
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Death:
    """In place of a job's result: the process that did it died. reason: of what, as a phrase."""

    reason: str


@dataclass(frozen=True)
class Work(Generic[Job, Result]):
    """What worker processes do.

    function: does one job. prepare: is called once in each process, before its first job. Both are
    found by their names in the process. memory: bytes that a process may take with a job.
    """

    function: Callable[[Job], Result]
    prepare: Callable[[], None]
    memory: int


def do_jobs(
    work: Work[Job, Result], jobs: Sequence[Job], workers: int | None = None
) -> Generator[tuple[Job, Result | Death], None, None]:
    """Do jobs in processes; gives each as it is ready.

    workers: how many processes; None for as many as processors and memory allow, and for this
    process alone where there are fewer than _FEW jobs. A process has one job at a time and computes
    in one thread. Close the iterator, and all processes end at once. Raises OSError where not even
    one process can be started, or one after the other dies before it has done anything.
    """
    if workers is None and len(jobs) < _FEW:
        for job in jobs:
            yield job, work.function(job)
        return
    room = max(measure_free_main_memory() // work.memory, 1)
    most = min(workers or min(count_processors(), room), len(jobs))
    patience = _PATIENCE if workers else most
    waiting = deque(jobs)
    busy: dict[Any, _Worker[Job, Result]] = {}  # by their pipes
    try:
        while waiting or busy:
            while waiting and len(busy) < most:
                try:
                    worker = _start(work, waiting[0])
                except OSError:  # no more processes, descriptors or memory to be had
                    if not busy:
                        raise
                    most = len(busy)
                else:
                    busy[worker.pipe] = worker
                    waiting.popleft()
            for pipe in connection.wait(list(busy)):
                worker = busy[pipe]
                job = worker.job
                result = worker.receive()
                if result is None:
                    patience = max(patience, _PATIENCE if workers else 0)
                    continue
                if isinstance(result, Death) and not worker.is_ready:
                    most -= 0 if workers else 1  # those that nobody has asked for are done without
                    patience -= 1
                    if patience == 0:
                        raise ChildProcessError(f"no worker process starts: {result.reason}")
                    waiting.appendleft(busy.pop(pipe).end())
                    continue
                if isinstance(result, Death) or not waiting or not worker.give(waiting[0]):
                    busy.pop(pipe).end()
                else:
                    waiting.popleft()
                yield job, result
    finally:
        for worker in busy.values():
            worker.end()


def count_processors(cgroup: Path = _CGROUP) -> int:
    """Count the processors that this process may use, within its container's limit; at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = map(int, (cgroup / "cpu.max").read_text().split())
    except (OSError, ValueError):  # no second version of control groups, or "max"
        return count or 1
    return max(min(count or 1, math.ceil(quota / period)), 1)


@dataclass(eq=False)
class _Worker(Generic[Job, Result]):
    """A process with the job that it has. is_ready: whether it has come so far as to do jobs."""

    process: SpawnProcess
    pipe: "Connection[Any, Any]"
    job: Job
    is_ready: bool = False

    def give(self, job: Job) -> bool:
        """Give it the next job; False where it has died since."""
        try:
            self.pipe.send(job)
        except OSError:
            return False
        self.job = job
        return True

    def receive(self) -> Result | Death | None:
        """Receive the result of its job, or its Death; None where it only says that it is ready."""
        try:
            received: Result = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return Death(_describe_end(self.process.exitcode or 0))
        if self.is_ready:
            return received
        self.is_ready = True
        return None

    def end(self) -> Job:
        """End it at once, whatever it does; gives the job that it had."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        return self.job


def _start(work: Work[Job, Result], job: Job) -> _Worker[Job, Result]:
    """Start a process and give it its first job."""
    context: SpawnContext = get_context("spawn")  # a fork would inherit locks that threads hold
    resource_tracker.ensure_running()  # or the first process would start it and unblock the signal
    pipe, end = context.Pipe()
    packed = pickle.dumps((work.prepare, work.function))
    process = context.Process(target=_do_jobs_of, args=(end, packed), daemon=True)
    # Ctrl-C is for this process alone, which then ends the others.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        end.close()
    worker: _Worker[Job, Result] = _Worker(process, pipe, job)
    worker.give(job)  # where it has died already, its end is what is received
    return worker


def _do_jobs_of(pipe: "Connection[Any, Any]", packed: bytes) -> None:
    """Do the jobs that come through a pipe until it is closed: what a worker process runs."""
    for name in _THREADS:  # before NumPy is imported: its libraries ask for them once
        os.putenv(name, "1")
    prepare, function = pickle.loads(packed)
    prepare()
    reply: object = None  # that it is ready
    while True:
        try:
            pipe.send(reply)
            job = pipe.recv()
        except (EOFError, ConnectionError):  # the program has ended
            return
        reply = function(job)


def _describe_end(status: int) -> str:
    """Describe how a process ended. status: as subprocess has it, negative for a signal."""
    if status >= 0:
        return f"its process ended with status {status}"
    name = signal.strsignal(-status) or f"signal {-status}"
    hint = "; too little memory?" if -status == signal.SIGKILL else ""
    return f"its process was ended ({name}{hint})"
