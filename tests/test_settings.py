"""Settings: read once from the environment, and all of them told in docs/settings.md."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from plitka.cli.main import main
from plitka.designer.backends.select import select_backend
from plitka.settings import VARIABLES, Settings, write_page

ROOT = Path(__file__).resolve().parents[1]


class Watched(Mapping[str, str]):
    """An environment without any variable that notes which are looked up."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


PARTS = (
    "engine",
    "sdxl",
    "log",
    "palette_file",
    "bank_folder",
    "init",
    "package",
    "training_folder",
    "photographer",
    "port",
    "queue",
    "company",
    "order",
)


def test_the_page_is_what_the_program_says_of_itself() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == write_page() + "\n", "python -m plitka.settings > docs/settings.md"


def test_every_variable_that_is_read_is_on_the_page_and_no_other() -> None:
    watched = Watched()
    for part in PARTS:
        getattr(Settings(watched), part)
    # HOME is the user's own: what ~ means on the page.
    assert watched.names - {"HOME"} == {variable.name for variable in VARIABLES}


def test_an_empty_environment_gives_the_defaults_of_the_page() -> None:
    empty, unset = Settings(dict.fromkeys((v.name for v in VARIABLES), "")), Settings({})
    for part in PARTS:
        assert getattr(empty, part) == getattr(unset, part), part
    assert (empty.engine, empty.port, empty.package) == ("sdxl", "5000", None)


def test_a_fault_in_what_a_command_has_no_use_for_does_not_stop_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PLITKA_COMPILE", "maybe")
    monkeypatch.setenv("PLITKA_GPU_MEMORY_FRACTION", "2")
    monkeypatch.setenv("PLITKA_ENGINE", "redner")
    assert main(["plan", "--color", "red=100"]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == -1
    assert main(["make", "--color", "red=100", "--out", str(tmp_path)]) == 1
    assert "no engine 'redner'" in capsys.readouterr().err


def test_settings_are_read_when_the_program_starts_and_not_again() -> None:
    code = (
        "import os; from plitka.settings import read_settings; settings = read_settings();"
        "os.environ.update(PLITKA_ENGINE='paint', PLITKA_LORA_SCALE='9');"
        "print(settings.engine, settings.weights.lora_scale)"
    )
    environment = {"PATH": "", "PLITKA_ENGINE": "render", "PLITKA_LORA_SCALE": "0.5"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["render", "0.5"], done.stderr


def test_check_tells_every_wrong_setting_and_what_is_wrong_with_the_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {
        "PLITKA_BASE": "/absent",
        "PLITKA_LORA": "/absent.safetensors",
        "PLITKA_PALETTE": "/absent.csv",
        "PLITKA_OVERLAP": "perhaps",
        "PLITKA_GPU_MEMORY_FRACTION": "2",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    assert main(["check"]) == 1
    faults = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAULT")]
    files = ("/absent: no such", "/absent.safetensors: no such")
    for sign in (*files, "/absent.csv", "PLITKA_OVERLAP", "PLITKA_GPU_MEMORY_FRACTION"):
        assert any(sign in fault for fault in faults), sign
    monkeypatch.setenv("PLITKA_LORA_SCALE", "much")
    assert main(["check"]) == 1
    said = capsys.readouterr().out
    assert all(name in said for name in ("LORA_SCALE", "absent.csv", "OVERLAP", "FRACTION"))
    assert main(["check", "--engine", "render"]) == 1
    said = capsys.readouterr().out
    assert all(name in said for name in ("absent.csv", "OVERLAP"))
    assert "LORA_SCALE" not in said


def test_a_designer_whose_photographs_a_server_makes_reads_no_setting_of_the_engine_here() -> None:
    settings = Settings({"PLITKA_PHOTOGRAPH": "http://127.0.0.1:9", "PLITKA_COMPILE": "maybe"})
    assert select_backend(settings).kind == "cog"


def test_no_token_is_shown_where_settings_are_printed() -> None:
    tokens = ("REPLICATE_API_TOKEN", "PLITKA_PHOTOGRAPH_TOKEN")
    settings = Settings(dict.fromkeys(tokens, "r8_secret"))
    assert "r8_secret" not in f"{settings!r} {settings.photographer!r}"


def test_a_port_that_is_none_is_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "plitka.serving.gateway"],
        cwd=ROOT, env={"PATH": "", "PORT": "abc"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "got 'abc'; allowed: 0 to 65535, here or in the variable PORT" in done.stderr
