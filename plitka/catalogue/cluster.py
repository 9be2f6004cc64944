"""Draws a catalogue on a Ray cluster by Ray Data: by actors that load the engine once.

A node or an actor that is lost costs the tile that it was at: it is drawn again, by the actor that
Ray starts in its place, wherever there is room.
"""

import logging
import pickle
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
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
        try:
            actors = min(self.actors or self._count_places(ray), len(jobs))
            ledger = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Ledger).remote()
            yield from self._draw_rows(ray, actors, jobs, (drawer, ledger))
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

    def _draw_rows(
        self, ray: Any, actors: int, jobs: Sequence[Job], given: tuple[Drawer, Any]
    ) -> Generator[tuple[Job, Done | Failed], None, None]:
        """Map the jobs, one to a block, to what became of them. given: to each actor."""
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = [{"place": at, "job": pickle.dumps(job)} for at, job in enumerate(jobs)]
        blocks = ray.data.from_items(rows, override_num_blocks=len(rows))
        results = blocks.map(
            Artist,
            fn_constructor_args=given,
            compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
            num_cpus=1,
            num_gpus=self.gpus,
        )
        try:
            for batch in results.iter_batches(batch_size=None, prefetch_batches=0):
                for at, result in zip(batch["place"], batch["result"], strict=True):
                    yield jobs[at], pickle.loads(result)
        except ray.data.exceptions.ExecutionTimeoutError:
            raise EngineError(
                "--ray: no tile was drawn for half an hour; the cluster seems to have no room for"
                f" an actor, which needs 1 CPU and {self.gpus} GPUs (see `ray status`); the same"
                " command continues"
            ) from None


def import_ray() -> Any:
    """Import Ray with Ray Data. Raises EngineError where either is missing."""
    try:
        import ray.data
        import ray.data.exceptions
    except ModuleNotFoundError as missing:
        raise EngineError(
            f"{missing.name} is not installed, and --ray needs it. In the project's folder run"
            " script/setup requirements-cluster.txt"
        ) from None
    return ray


class Ledger:
    """Which tiles actors have begun with, and which actors load their engines: kept by one actor.

    An actor that was lost begins again under the same name, with the same tile.
    """

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()  # by the rows' numbers
        self._loading: set[str] = set()
        self._failed_loads = 0  # one after another

    def begin_load(self, actor: str) -> bool:
        """Note that an actor loads its engine; False where so many were lost that none will."""
        self._failed_loads += actor in self._loading
        self._loading.add(actor)
        return self._failed_loads < _MOST_FAILED_LOADS

    def end_load(self, actor: str) -> None:
        self._loading.discard(actor)
        self._failed_loads = 0

    def begin(self, number: int) -> bool:
        """Note that an actor begins with a row; False where that was the end of too many."""
        self._begun[number] += 1
        return self._begun[number] <= _MOST_LOSSES


class Artist:
    """What an actor is: a drawer that has loaded its engine, and maps jobs to results."""

    def __init__(self, drawer: Drawer, ledger: Any) -> None:
        import ray

        self._ray, self._ledger, self._drawer = ray, ledger, drawer
        name = ray.get_runtime_context().get_actor_id()
        self._can_load = ray.get(ledger.begin_load.remote(name))
        if self._can_load:
            drawer.load()
            ray.get(ledger.end_load.remote(name))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        result = self._draw(pickle.loads(row["job"]))
        return {"place": row["place"], "result": pickle.dumps(result)}

    def _draw(self, job: Job) -> Done | Failed:
        if not self._can_load:
            return Failed(
                f"--ray: {_MOST_FAILED_LOADS} actors in a row were lost while they loaded the"
                " engine; `python -m plitka check` on a node says more",
                is_final=True,
            )
        if not self._ray.get(self._ledger.begin.remote(job.row.number)):
            return Failed(f"{_MOST_LOSSES} actors were lost at it, one after another")
        return self._drawer.draw(job)
