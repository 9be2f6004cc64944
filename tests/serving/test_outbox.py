import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plitka.serving import outbox
from plitka.serving.outbox import Outbox


def test_a_folder_outlives_its_prediction_and_goes_some_predictions_later() -> None:
    outbox = Outbox()
    files = []
    for _ in range(20):
        file = outbox.open_folder().prepare_file("preview")
        file.write_bytes(b"picture")
        files.append(file)
    assert all(file.exists() for file in files[-3:])
    assert sum(file.exists() for file in files) <= 4
    assert len({file.name for file in files}) == 20
    assert all(file.name.startswith("preview-") for file in files)


def test_what_dead_processes_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, stranger = tmp_path / "plitka-4194999-abc", tmp_path / "plitka-notes"
    for folder in (dead, stranger):
        (folder / "mark").mkdir(parents=True)
        (folder / "mark" / "preview.png").touch()
    alive = Outbox().open_folder().prepare_file("final").parent
    Outbox()
    assert not dead.exists()
    assert stranger.exists()
    assert alive.exists()


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A folder named as one of a dead process, with more folders in each other than are ours."""
    root = tmp_path / "plitka-4194999-deep"
    folders = [Path(str(root) + "/d" * depth) for depth in range(1050)]  # Python recurses 1,000
    for folder in folders:
        folder.mkdir()
    yield root
    for folder in reversed(folders):
        folder.rmdir()


@pytest.mark.parametrize("owner", [os.geteuid(), 65534])
def test_what_others_left_in_the_temporary_folder_is_no_matter(
    tmp_path: Path, deep: Path, monkeypatch: pytest.MonkeyPatch, owner: int
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    linked, elsewhere = tmp_path / "plitka-4194999-linked", tmp_path / "elsewhere"
    (elsewhere / "mark").mkdir(parents=True)
    (elsewhere / "mark" / "file").touch()
    linked.symlink_to(elsewhere)
    if os.geteuid() == 0:
        os.chown(deep, owner, -1)
    Outbox().open_folder().prepare_file("final")
    assert deep.exists()
    assert (elsewhere / "mark" / "file").exists()


def test_what_is_no_folder_of_cogs_is_left_where_cogs_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cogs, home = tmp_path / "predictions", tmp_path / "home"
    monkeypatch.setattr(outbox, "COGS_FOLDERS", cogs)
    monkeypatch.setattr(outbox, "_COGS_SECONDS", 0.0)
    for folder in (cogs / "made" / "inputs", cogs / "made" / "outputs", cogs / "other" / "x"):
        folder.mkdir(parents=True)
    (home / "inputs").mkdir(parents=True)
    (cogs / "link").symlink_to(home)
    Outbox().open_folder()
    assert (home / "inputs").exists()
    assert (cogs / "other" / "x").exists()
    assert not (cogs / "made").exists()
