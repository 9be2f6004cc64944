from pathlib import Path

import pytest

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
        folder.mkdir()
    alive = Outbox().open_folder().prepare_file("final").parent
    Outbox()
    assert not dead.exists()
    assert stranger.exists()
    assert alive.exists()
