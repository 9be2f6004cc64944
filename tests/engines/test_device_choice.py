"""Which device draws: what is wanted, what is there, and what torch cannot use."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from plitka.engines.sdxl import options
from plitka.engines.sdxl.device_choice import choose_device
from plitka.errors import EngineError

GIB = 2**30


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Four cards of 24 GiB: `used` of each, and the `contexts` that CUDA was made to take."""
    state = SimpleNamespace(used=[9 * GIB, 2 * GIB, 1 * GIB, 5 * GIB], contexts=[])

    def measure(index: int) -> tuple[int, int]:
        state.contexts.append(index)
        return 24 * GIB - state.used[index], 24 * GIB

    for name, value in {
        "is_available": lambda: True,
        "device_count": lambda: 4,
        "get_device_name": lambda index: f"card {index}",
        "get_device_properties": lambda index: SimpleNamespace(total_memory=24 * GIB),
        "device_memory_used": lambda index: state.used[index],
        "mem_get_info": measure,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return state


@pytest.mark.parametrize(
    ("wanted", "name"), [(None, "cuda:2"), ("cuda", "cuda:2"), ("cuda:1", "cuda:1"), ("cpu", "cpu")]
)
def test_the_freest_card_is_taken_or_the_wanted_one_and_no_other_is_touched(
    wanted: str | None, name: str, cards: Any
) -> None:
    assert choose_device(0.5, wanted).name == name
    assert cards.contexts == ([] if name == "cpu" else [int(name[-1])])


def test_where_the_driver_does_not_say_what_is_free_the_first_card_is_taken_and_it_is_said(
    cards: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(index: int) -> int:
        raise RuntimeError("NVML is not there")

    monkeypatch.setattr(torch.cuda, "device_memory_used", fail)
    assert choose_device().name == "cuda:0"
    assert cards.contexts == [0]
    assert "NVML is not there" in caplog.text
    assert "PLITKA_DEVICE" in caplog.text


def test_a_card_that_is_not_there_is_an_error(cards: Any) -> None:
    with pytest.raises(EngineError, match=r"PLITKA_DEVICE: got 'cuda:4'.*cuda:3"):
        choose_device(wanted="cuda:4")


@pytest.fixture
def old_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a machine with a card whose driver is too old for this torch."""

    def fail() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 12040).")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", fail)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024"
    )
    return tmp_path


@pytest.mark.parametrize("wanted", [None, "cuda"])
def test_a_driver_that_is_too_old_is_an_error_that_names_it(
    wanted: str | None, old_driver: Path
) -> None:
    with pytest.raises(
        EngineError, match=r"too old.*550\.54\.15.*driver 580 or newer.*PLITKA_DEVICE=cpu"
    ):
        choose_device(wanted=wanted, root=old_driver)


def test_beside_such_a_card_the_processor_draws_where_it_is_wanted(old_driver: Path) -> None:
    assert choose_device(wanted="cpu", root=old_driver).name == "cpu"


def test_without_any_card_the_processor_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device(root=tmp_path).name == "cpu"


@pytest.mark.parametrize(
    ("env", "device"),
    [
        ({}, None),
        ({"PLITKA_DEVICE": ""}, None),
        ({"PLITKA_DEVICE": " CUDA:1 "}, "cuda:1"),
        ({"CUDA_VISIBLE_DEVICES": "1"}, None),
        ({"CUDA_VISIBLE_DEVICES": ""}, None),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, "cpu"),
        ({"CUDA_VISIBLE_DEVICES": "-1", "PLITKA_DEVICE": "cuda"}, "cuda"),
    ],
)
def test_who_names_a_device_or_hides_all_cards_is_heard(
    env: dict[str, str], device: str | None
) -> None:
    assert options.read_device(env) == device


@pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:x", "cpu:1", "0"])
def test_what_is_no_device_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match=r"PLITKA_DEVICE: got .*allowed: cuda"):
        options.read_device({"PLITKA_DEVICE": text})
