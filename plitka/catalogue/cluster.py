"""Draws a catalogue on a Ray cluster: actors that load the engine once, wherever there is room.

A node or an actor that is lost costs the tiles that it was at: they are drawn by others.
"""

import logging
from collections import Counter, deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plitka.catalogue.drawing import Done, Drawer, Failed, Job
from plitka.errors import EngineError

_ROOT = Path(__file__).resolve().parents[2]  # where Plitka is, on every node
_MOST_LOSSES = 3  # of actors at one tile, which then is given up
_MOST_FAILED_LOADS = 6  # one after another, without any that succeeds: no actor ever will


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster. address: as `ray.init` takes it. actors: how many; 0 takes all that fit.

    gpus: that each actor needs, 0 or 1; besides it needs one CPU.
    """

    address: str
    actors: int
    gpus: int

    def draw(
        self, drawer: Drawer, jobs: Sequence[Job]
    ) -> Generator[tuple[Job, Done | Failed], None, None]:
        """Draw tiles; gives each as it is ready. Closed, it ends the actors."""
        ray = import_ray()
        try:
            ray.init(
                self.address,
                ignore_reinit_error=True,
                logging_level=logging.WARNING,
                log_to_driver=False,
                runtime_env={"env_vars": {"PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}},
            )
        except (ConnectionError, ValueError) as fault:
            raise EngineError(
                f"--ray {self.address}: no cluster is there ({fault}); start one by"
                " `ray start --head`, or leave --ray out"
            ) from None
        crew = _Crew(ray, drawer, self.gpus, deque(jobs))
        try:
            yield from crew.draw(min(self.actors or self._count_places(ray), len(jobs)))
        finally:
            ray.shutdown()

    def _count_places(self, ray: Any) -> int:
        """Count the actors that fit into the cluster as it is now."""
        there = ray.cluster_resources()
        places = int(there.get("CPU", 0))
        if self.gpus:
            places = min(places, int(there.get("GPU", 0)) // self.gpus)
        if places == 0:
            raise EngineError(
                f"--ray: the cluster has {there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g}"
                f" GPUs; an actor needs 1 CPU and {self.gpus} GPUs"
            )
        return places


def import_ray() -> Any:
    """Import Ray. Raises EngineError where it is missing."""
    try:
        import ray
        import ray.exceptions
    except ModuleNotFoundError as missing:
        raise EngineError(
            f"{missing.name} is not installed, which --ray needs. In the project's folder:"
            " script/setup requirements-cluster.txt"
        ) from None
    return ray


class _Artist:
    """What an actor is: a drawer that has loaded its engine."""

    def __init__(self, drawer: Drawer) -> None:
        self._drawer = drawer

    def load(self) -> None:
        self._drawer.load()

    def draw(self, job: Job) -> Done | Failed:
        return self._drawer.draw(job)


@dataclass
class _Crew:
    """The actors of one run, and what each is at; none has a job before it has loaded."""

    ray: Any
    drawer: Drawer
    gpus: int
    waiting: deque[Job]
    _tasks: dict[Any, tuple[Any, Job | None]] = field(default_factory=dict)  # actor, and its job
    _idle: list[Any] = field(default_factory=list)
    _losses: Counter[int] = field(default_factory=Counter)  # of actors, by the rows' numbers
    _failed_loads: int = 0  # one after another

    def draw(self, actors: int) -> Generator[tuple[Job, Done | Failed], None, None]:
        remote = self.ray.remote(num_cpus=1, num_gpus=self.gpus)(_Artist)
        drawer = self.ray.put(self.drawer)
        for _ in range(actors):
            self._hire(remote, drawer)
        left = len(self.waiting)
        while left:
            (ready, *_), _ = self.ray.wait(list(self._tasks), num_returns=1)
            actor, job = self._tasks.pop(ready)
            try:
                result = self.ray.get(ready)
            except self.ray.exceptions.RayActorError as loss:  # with its node, or without
                result = self._note_loss(job, loss)
                self._hire(remote, drawer)
            else:
                self._failed_loads = 0
                self._idle.append(actor)
            self._give_jobs()
            if job is not None and result is not None:
                left -= 1
                yield job, result

    def _hire(self, remote: Any, drawer: Any) -> None:
        actor = remote.remote(drawer)
        self._tasks[actor.load.remote()] = (actor, None)

    def _give_jobs(self) -> None:
        """Give jobs to the actors that have none."""
        while self._idle and self.waiting:
            actor, job = self._idle.pop(), self.waiting.popleft()
            self._tasks[actor.draw.remote(job)] = (actor, job)

    def _note_loss(self, job: Job | None, loss: Exception) -> Failed | None:
        """Put a job back whose actor was lost, or give it up after _MOST_LOSSES.

        job: None where the actor was lost before it had its engine; raises EngineError where that
        goes on and on.
        """
        why = str(loss).splitlines()[0]
        if job is None:
            self._failed_loads += 1
            if self._failed_loads < _MOST_FAILED_LOADS:
                return None
            raise EngineError(
                f"--ray: {_MOST_FAILED_LOADS} actors in a row were lost while they loaded the"
                f" engine ({why}); `python -m plitka check` on a node says more"
            )
        self._losses[job.row.number] += 1
        if self._losses[job.row.number] < _MOST_LOSSES:
            self.waiting.appendleft(job)
            return None
        return Failed(f"{_MOST_LOSSES} actors were lost at it: {why}")
