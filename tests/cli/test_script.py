"""script/plitka: the command line without an environment to activate."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.page_run import lay_out


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the project with its environment installed, in a folder with a space."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    lay_out(folder)
    return folder


def call(script: Path, *arguments: str, at: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments],
        cwd=at,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_runs_in_any_folder_by_a_link_and_prints_what_the_command_prints(
    clone: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "plitka").mkdir(parents=True)
    (elsewhere / "plitka" / "__init__.py").write_text("raise SystemExit('another plitka')\n")
    (elsewhere / "request.json").write_text('{"colors": [{"name": "red", "proportion": 100}]}')
    link = tmp_path / "tile"
    link.symlink_to(clone / "script" / "plitka")
    done = call(link, "plan", (elsewhere / "request.json").read_text(), at=elsewhere)
    assert json.loads(done.stdout)["colors"] == [{"name": "red", "share": 1.0}]
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_that_fails_ends_with_its_status_and_message(clone: Path) -> None:
    done = call(clone / "script" / "plitka", "plan", "60% blurple", at=clone)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "blurple" in done.stderr


def test_without_python_3_11_it_says_so_and_runs_nothing(clone: Path) -> None:
    (clone / ".venv" / "bin").unlink()
    done = call(clone / "script" / "plitka", "palette", at=clone, PYTHON="/bin/false")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Plitka needs Python 3.11, and PYTHON=/bin/false is not that." in done.stderr


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        (["design", "--port", "0"], "requirements-ui.txt"),
        (["catalogue", "recipes.csv", "--out", "shop"], "requirements-catalogue.txt"),
        (["catalogue", "recipes.csv", "--out", "a", "--ray", "auto"], "requirements-cluster.txt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_it_installs_what_the_command_needs_and_says_where_that_failed(
    clone: Path, command: list[str], needed: str
) -> None:
    for path in clone.glob("requirements*.txt"):
        path.unlink()
        path.write_text("./nowhere\n")
    done = call(clone / "script" / "plitka", *command, at=clone)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"Could not install {needed}; the whole log is" in done.stderr
