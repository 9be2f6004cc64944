"""Actors of a cluster, of which some are lost. Ray itself runs in benchmarks/cluster.py."""

import pickle
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plitka.catalogue.cluster import Artist, Cluster, Ledger
from plitka.catalogue.drawing import Done, Failed, Job
from plitka.catalogue.rows import Row
from plitka.errors import EngineError
from tests.support.recipes import asked


class Lost(BaseException):
    """The actor's process has ended."""


@dataclass
class Drawer:
    """A drawer whose process ends at some tiles, or while it loads."""

    ends_at: tuple[int, ...] = ()
    ends_loading: bool = False
    drawn: list[int] = field(default_factory=list)

    def load(self) -> None:
        if self.ends_loading:
            raise Lost

    def draw(self, job: Job) -> Done:
        if job.row.number in self.ends_at:
            raise Lost
        self.drawn.append(job.row.number)
        return Done(1.0, 1.0)


class RemoteLedger:
    """The ledger as actors have it: its methods are called by `remote`."""

    def __init__(self) -> None:
        self._ledger = Ledger()

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=getattr(self._ledger, name))


@dataclass
class Actors:
    """Actors as Ray keeps them: one that is lost is started again, with its tile."""

    monkeypatch: pytest.MonkeyPatch
    ledger: RemoteLedger = field(default_factory=RemoteLedger)

    def start(self, drawer: Drawer, name: str = "one") -> Artist:
        context = SimpleNamespace(get_actor_id=lambda: name)
        ray = SimpleNamespace(get=lambda value: value, get_runtime_context=lambda: context)
        self.monkeypatch.setitem(sys.modules, "ray", ray)
        return Artist(drawer, self.ledger)  # type: ignore[arg-type]

    def draw(self, drawer: Drawer, number: int) -> Any:
        """Draw a tile, by as many actors as it takes."""
        while True:
            try:
                artist = self.start(drawer)
                job = Job(Row(number, f"A{number}", f"A{number}", asked({"red": 100})), "")
                row = artist({"place": 5, "job": pickle.dumps(job)})
            except Lost:
                continue
            assert row["place"] == 5
            return pickle.loads(row["result"])


@pytest.fixture
def actors(monkeypatch: pytest.MonkeyPatch) -> Actors:
    return Actors(monkeypatch)


def test_a_tile_at_which_three_actors_were_lost_is_given_up_and_others_are_drawn(
    actors: Actors,
) -> None:
    drawer = Drawer(ends_at=(2,))
    assert actors.draw(drawer, 1) == Done(1.0, 1.0)
    assert actors.draw(drawer, 2) == Failed("3 actors were lost at it, one after another")
    assert actors.draw(drawer, 3) == Done(1.0, 1.0)
    assert drawer.drawn == [1, 3]


def test_a_tile_that_has_cost_two_actors_is_drawn_by_the_third(actors: Actors) -> None:
    for _ in range(2):
        assert actors.ledger.begin.remote(7)
    assert actors.draw(Drawer(), 7) == Done(1.0, 1.0)


def test_actors_that_never_load_end_the_run(actors: Actors) -> None:
    result = actors.draw(Drawer(ends_loading=True), 1)
    assert result.is_final
    assert "6 actors in a row were lost while they loaded the engine" in result.reason


def test_an_actor_that_loads_shows_that_others_can(actors: Actors) -> None:
    for attempt in range(20):
        with pytest.raises(Lost):
            actors.start(Drawer(ends_loading=True), "weak")
        if attempt % 4 == 0:
            actors.start(Drawer(), f"strong {attempt}")
    assert actors.draw(Drawer(), 1) == Done(1.0, 1.0)


def test_without_ray_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    drawing = Cluster("auto", 0, 0).draw(SimpleNamespace(), [])  # type: ignore[arg-type]
    with pytest.raises(EngineError, match=r"script/setup requirements-cluster\.txt"):
        next(drawing)


def test_the_manifest_runs_the_command_that_the_page_names() -> None:
    deploy = (Path(__file__).parents[2] / "deploy" / "kuberay.yaml").read_text()
    assert "python -m plitka catalogue" in deploy
    assert "--ray auto" in deploy
