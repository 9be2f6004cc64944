"""Rows that a deployment on Replicate draws: rate limits, faults on the way, each row once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plitka.catalogue import run
from plitka.catalogue.deployment import Deployment
from plitka.catalogue.drawing import Done, Failed
from plitka.catalogue.replicate_api import Server
from plitka.catalogue.rows import read_sheet
from plitka.catalogue.run import Order, Processes
from plitka.catalogue.shelf import LocalShelf
from plitka.cli.main import main
from plitka.color import palette
from plitka.engines.registry import EngineChoice
from plitka.errors import EngineError
from tests.support.replicate_deployment import (
    TOKEN,
    ReplicateDeployment,
    replicate_deployment,
)

TABLE = "name,red,white\nA1,60,40\nA2,50,50\nA3,25,75\n"


@pytest.fixture
def deployment() -> Iterator[ReplicateDeployment]:
    with replicate_deployment() as running:
        yield running


@pytest.fixture
def order(tmp_path: Path) -> Order:
    (tmp_path / "recipes.csv").write_text(TABLE)
    sheet = read_sheet(tmp_path / "recipes.csv", palette.load())
    choice = EngineChoice("replicate:me/plitka", None, None, "render", None)
    return Order(sheet, choice, ("colormap",), overlap=False)


def draw(
    order: Order, folder: Path, at: ReplicateDeployment, name: str = "me/plitka"
) -> list[Done | Failed]:
    shelf = LocalShelf(folder, zipped=False)
    crew = Deployment(name, Server(at.address, TOKEN), count=2, poll_seconds=0)
    with shelf.hold():
        missing = run.find_missing(order, shelf)
        return [result for _, result in run.draw_missing(order, shelf, missing, crew)]


def test_its_tiles_are_those_of_this_machine(
    order: Order, deployment: ReplicateDeployment, tmp_path: Path
) -> None:
    assert all(isinstance(one, Done) for one in draw(order, tmp_path / "there", deployment))
    here = LocalShelf(tmp_path / "here", zipped=False)
    own = Order(
        order.sheet, EngineChoice("render", None, None, "render", None), ("colormap",), False
    )
    with here.hold():
        jobs = run.find_missing(own, here)
        assert len(list(run.draw_missing(own, here, jobs, Processes(1)))) == 3
    for name in ("A1", "A2", "A3"):
        for file in ("colormap.png", "tile.json"):
            there = tmp_path / "there" / "tiles" / name / file
            assert there.read_bytes() == (tmp_path / "here" / "tiles" / name / file).read_bytes()


def test_rate_limits_and_faults_on_the_way_cost_no_tile_and_draw_none_twice(
    order: Order, deployment: ReplicateDeployment, tmp_path: Path
) -> None:
    deployment.faults = [429, 429, 500, "lost", 503, 429, "lost"]
    results = draw(order, tmp_path / "out", deployment)
    assert all(isinstance(one, Done) for one in results)
    assert list(deployment.count_drawn().values()) == [1, 1, 1]


def test_what_a_run_before_has_asked_for_is_not_asked_for_again(
    order: Order, deployment: ReplicateDeployment, tmp_path: Path
) -> None:
    assert len(draw(order, tmp_path / "out", deployment)) == 3
    for record in (tmp_path / "out" / ".plitka").glob("*.json"):  # as if it was killed before that
        record.unlink()
    assert all(isinstance(one, Done) for one in draw(order, tmp_path / "out", deployment))
    assert list(deployment.count_drawn().values()) == [1, 1, 1]
    assert draw(order, tmp_path / "out", deployment) == []


def test_a_prediction_that_fails_is_asked_for_once_more(
    order: Order, deployment: ReplicateDeployment, tmp_path: Path
) -> None:
    deployment.failing = 1
    assert all(isinstance(one, Done) for one in draw(order, tmp_path / "out", deployment))
    deployment.failing = 100
    results = draw(order, tmp_path / "other", deployment)
    assert {one.reason for one in results if isinstance(one, Failed)} == {
        "the deployment answers: CUDA out of memory"
    }


def test_a_run_that_is_ended_does_not_wait_for_predictions(
    order: Order, deployment: ReplicateDeployment, tmp_path: Path
) -> None:
    shelf = LocalShelf(tmp_path / "out", zipped=False)
    crew = Deployment("me/plitka", Server(deployment.address, TOKEN), count=3, poll_seconds=0)
    with shelf.hold():
        drawing = run.draw_missing(order, shelf, run.find_missing(order, shelf), crew)
        next(drawing)
        deployment.stalling = True
        drawing.close()


def test_a_deployment_that_is_not_there_ends_it_at_once(
    order: Order, deployment: ReplicateDeployment, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match="has no deployment me/other"):
        draw(order, tmp_path / "out", deployment, "me/other")


def test_without_a_token_nothing_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPLICATE_API_TOKEN", raising=False)
    (tmp_path / "recipes.csv").write_text(TABLE)
    command = ["catalogue", str(tmp_path / "recipes.csv"), "--out", str(tmp_path / "out")]
    assert main([*command, "--replicate", "me/plitka"]) == 1
    assert "REPLICATE_API_TOKEN" in capsys.readouterr().err


def test_the_command_draws_by_a_deployment(
    deployment: ReplicateDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    monkeypatch.setenv("REPLICATE_API_BASE_URL", deployment.address)
    (tmp_path / "recipes.csv").write_text("red\n100\n")
    command = ["catalogue", str(tmp_path / "recipes.csv"), "--out", str(tmp_path / "out")]
    assert main([*command, "--replicate", "me/plitka", "--pictures", "colormap"]) == 0
    assert (tmp_path / "out" / "tiles" / "red-100" / "colormap.png").is_file()
