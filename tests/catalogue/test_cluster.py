"""Actors of a cluster, of which some are lost. Ray itself runs in benchmarks/cluster.py."""

import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plitka.catalogue.cluster import Cluster, _Crew
from plitka.catalogue.drawing import Done, Failed, Job
from plitka.catalogue.rows import Row
from plitka.errors import EngineError
from tests.support.recipes import asked


class ActorLost(Exception):
    """As Ray tells it."""


@dataclass(frozen=True)
class Task:
    """A call of an actor's method."""

    actor: "Actor"
    job: Job | None


@dataclass(eq=False)
class Actor:
    """An actor that may be lost: told by how many calls it answers."""

    answers: float

    @property
    def load(self) -> SimpleNamespace:
        return SimpleNamespace(remote=lambda: Task(self, None))

    @property
    def draw(self) -> SimpleNamespace:
        return SimpleNamespace(remote=lambda job: Task(self, job))


@dataclass
class FakeRay:
    """What the crew asks of Ray; lives: how many calls each actor answers, as they are hired."""

    lives: list[float]
    hired: list[Actor] = field(default_factory=list)
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(RayActorError=ActorLost))

    def remote(self, **_: object) -> Any:
        return lambda _: SimpleNamespace(remote=self._hire)

    def _hire(self, _: object) -> Actor:
        self.hired.append(Actor(self.lives[len(self.hired)] if self.lives else float("inf")))
        return self.hired[-1]

    def put(self, value: object) -> object:
        return value

    def wait(self, tasks: Sequence[Task], num_returns: int) -> tuple[list[Task], list[Task]]:
        return list(tasks[:num_returns]), list(tasks[num_returns:])

    def get(self, task: Task) -> Done | None:
        if task.actor.answers <= 0:
            raise ActorLost("the node has died\nand more")
        task.actor.answers -= 1
        return None if task.job is None else Done(1.0, 1.0)


def make_jobs(count: int) -> list[Job]:
    return [Job(Row(n, f"A{n}", f"A{n}", asked({"red": 100})), "") for n in range(count)]


def draw(ray: FakeRay, count: int, actors: int) -> dict[int, Done | Failed]:
    crew = _Crew(ray, SimpleNamespace(), 0, deque(make_jobs(count)))  # type: ignore[arg-type]
    results = list(crew.draw(actors))
    assert len(results) == count
    return {job.row.number: result for job, result in results}


ENDLESS = float("inf")


@pytest.mark.parametrize(
    "lives",
    [[ENDLESS] * 2, [ENDLESS, 3, ENDLESS], [0, 1, ENDLESS, ENDLESS], [1, 1, 1, ENDLESS, ENDLESS]],
)
def test_a_lost_actor_costs_no_tile(lives: list[float]) -> None:
    results = draw(FakeRay(lives), 7, actors=2)
    assert all(isinstance(result, Done) for result in results.values())


def test_a_tile_at_which_three_actors_were_lost_is_given_up() -> None:
    (result,) = draw(FakeRay([1, 1, 1, ENDLESS]), 1, actors=1).values()
    assert result == Failed("3 actors were lost at it: the node has died")


def test_actors_that_never_load_end_the_run() -> None:
    with pytest.raises(EngineError, match=r"6 actors in a row .* \(the node has died\)"):
        draw(FakeRay([0] * 20), 3, actors=2)


def test_without_ray_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    drawing = Cluster("auto", 0, 0).draw(SimpleNamespace(), [])  # type: ignore[arg-type]
    with pytest.raises(EngineError, match=r"script/setup requirements-cluster\.txt"):
        next(drawing)


def test_the_manifest_runs_the_command_that_the_page_names() -> None:
    deploy = (Path(__file__).parents[2] / "deploy" / "kuberay.yaml").read_text()
    assert "python -m plitka catalogue" in deploy
    assert "--ray auto" in deploy
