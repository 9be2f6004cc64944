"""Whole trainings on a small SDXL: from photographs to a choice, stopped, resumed, in processes."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from plitka.cli.main import main
from plitka.color import palette
from plitka.errors import TrainingError
from plitka.training import run
from plitka.training.inspection import Inspection
from plitka.training.options import TrainingOptions
from plitka.training.package import Adapter, write_package
from plitka.training.progress import Evaluated, Event, Interrupted, Saved, Stepped, Warned
from plitka.training.record import TrainingFacts
from plitka.training.sdxl.planning import list_faults
from plitka.training.sdxl.preparation import prepare_latents
from plitka.training.sdxl.processes import Processes
from plitka.training.sdxl.trainer import train_sdxl
from tests.support import small_training
from tests.support.settings import load_engine
from tests.support.small_sdxl import SmallSdxl

OPTIONS = small_training.replace_options(steps=6, batch=2, evaluate_every=3)

Trained = tuple[Adapter, TrainingFacts]


@pytest.fixture(scope="module")
def inspection(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    return small_training.photograph_renders(tmp_path_factory.mktemp("renders"), 8)


def train(
    files: SmallSdxl,
    inspection: Inspection,
    out: Path,
    options: TrainingOptions = OPTIONS,
    resume: bool = False,
    observe: Callable[[Event], None] = lambda event: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Trained:
    settings = small_training.make_settings(files)
    trained = train_sdxl(inspection, options, out, settings, resume, observe, is_stopped)
    assert trained is not None
    return trained


@pytest.fixture(scope="module")
def trained(
    small_sdxl: SmallSdxl, inspection: Inspection, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Trained, list[Event]]:
    out, events = tmp_path_factory.mktemp("trained"), list[Event]()
    return out, train(small_sdxl, inspection, out, observe=events.append), events


def assert_equal(one: Adapter, other: Adapter) -> None:
    for module, factors in one.lora.items():
        for mine, theirs in zip(factors, other.lora[module], strict=True):
            assert np.array_equal(mine, theirs), module
    for half, rows in one.rows.items():
        assert np.array_equal(rows, other.rows[half])


def test_a_training_tells_evaluates_and_chooses(
    trained: tuple[Path, Trained, list[Event]],
) -> None:
    out, (_, facts), events = trained
    assert [one.step for one in facts.evaluations] == [0, 3, 6]
    assert [event.evaluation for event in events if isinstance(event, Evaluated)] == [
        *facts.evaluations
    ]
    assert facts.chosen in (3, 6)
    assert [trial.scale for trial in facts.trials] == [0.6, 0.75, 0.9, 1.0]
    assert facts.scale == min(facts.trials, key=lambda trial: trial.texture).scale
    assert [event.step for event in events if isinstance(event, Saved)] == [0, 3, 6]
    assert [event.step for event in events if isinstance(event, Stepped)] == [6]
    assert (out / "samples" / "photograph-1.jpg").is_file()
    assert sorted(file.name for file in (out / "samples").glob("step*")) == [
        f"step-{step:06d}-1.jpg" for step in (0, 3, 6)
    ]
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "drawings" in line] == [0, 3, 6]


def test_the_package_draws_as_what_was_trained(
    small_sdxl: SmallSdxl,
    trained: tuple[Path, Trained, list[Event]],
    inspection: Inspection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, (adapter, facts), _ = trained
    archive = write_package(out, adapter, facts, inspection)
    for name, value in small_sdxl.settings().items():
        monkeypatch.setenv(name, value)
    for name in ("PLITKA_LORA", "PLITKA_EMBEDDINGS"):
        monkeypatch.delenv(name)
    engine: Any = load_engine("sdxl", archive)
    assert engine.subject.text == "ohwx_rubber_tile <s0><s1>"
    base: Any = small_training.load_small(small_sdxl)
    weights = dict(engine.pipe.unet.named_modules())
    plain = dict(base.pipe.unet.named_modules())
    for module, (down, up) in adapter.lora.items():
        change = (weights[module].weight - plain[module].base_layer.weight).detach().numpy()
        product = np.einsum("or...,ri...->oi...", up[..., 0, 0] if up.ndim == 4 else up, down)
        assert np.abs(change - facts.scale * product).max() < 1e-5, module


@pytest.mark.long
def test_stopped_and_resumed_it_gives_the_same_to_the_bit(
    small_sdxl: SmallSdxl,
    inspection: Inspection,
    trained: tuple[Path, Trained, list[Event]],
    tmp_path: Path,
) -> None:
    asked = iter([False, True])  # after the second step
    with pytest.raises(Interrupted, match="after step 2 of 6; --resume"):
        train(small_sdxl, inspection, tmp_path, is_stopped=lambda: next(asked))
    adapter, facts = train(small_sdxl, inspection, tmp_path, resume=True)
    assert_equal(trained[1][0], adapter)
    assert facts.evaluations == trained[1][1].evaluations
    assert facts.curve == trained[1][1].curve


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"rank": 8}, r"another rank \(then 4, now 8\)"),
        ({"seed": 5}, r"another seed \(then 0, now 5\)"),
        ({"vectors": 3}, "another vectors"),
    ],
)
def test_another_training_is_not_gone_on_with(
    small_sdxl: SmallSdxl,
    inspection: Inspection,
    trained: tuple[Path, Trained, list[Event]],
    changed: dict[str, Any],
    told: str,
) -> None:
    with pytest.raises(TrainingError, match=told):
        train(small_sdxl, inspection, trained[0], replace(OPTIONS, **changed), resume=True)


def test_other_photographs_are_named_as_what_differs(
    small_sdxl: SmallSdxl, inspection: Inspection, trained: tuple[Path, Trained, list[Event]]
) -> None:
    first, *rest = inspection.photographs
    other = replace(inspection, photographs=(replace(first, digest="f" * 64), *rest))
    with pytest.raises(TrainingError, match="another photographs"):
        train(small_sdxl, other, trained[0], resume=True)


def test_a_folder_with_states_is_not_begun_anew_and_one_without_not_gone_on_with(
    small_sdxl: SmallSdxl, trained: tuple[Path, Trained, list[Event]], tmp_path: Path
) -> None:
    settings = small_training.make_settings(small_sdxl)
    for out, resume, told in ((trained[0], False, "--resume"), (tmp_path, True, "no state")):
        request = run.TrainingRequest(tmp_path, out, OPTIONS, resume=resume)
        with pytest.raises(TrainingError, match=told):
            run.train(request, settings, palette.load(), lambda event: None)


def test_samples_of_another_training_that_left_no_state_are_made_anew(
    small_sdxl: SmallSdxl, inspection: Inspection, tmp_path: Path
) -> None:
    networks, processes = small_training.load_small(small_sdxl), Processes()

    def prepare(mark: str, seed: int) -> Tensor:
        kind = (small_training.SIZE, False)
        made = prepare_latents(
            {kind: 2}, inspection, networks, processes, tmp_path, mark, seed, False, print
        )
        return made[kind].mean

    first = prepare("one", 0)
    assert torch.equal(prepare("one", 0), first)
    assert not torch.equal(prepare("another", 1), first)


def list_machine_faults(
    small_sdxl: SmallSdxl, inspection: Inspection, out: Path, **changed: Any
) -> list[str]:
    settings = small_training.make_settings(small_sdxl, **changed)
    return list_faults(inspection, OPTIONS, out, settings)


def test_a_machine_that_can_train_has_no_faults(
    small_sdxl: SmallSdxl, inspection: Inspection, tmp_path: Path
) -> None:
    assert list_machine_faults(small_sdxl, inspection, tmp_path / "not" / "there") == []


def test_base_memory_and_disk_are_looked_at_before_anything_is_loaded(
    small_sdxl: SmallSdxl, inspection: Inspection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (missing,) = list_machine_faults(small_sdxl, inspection, tmp_path, BASE=tmp_path / "none")
    assert "set PLITKA_BASE to what is there" in missing
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=2**20, available=9))
    usage = SimpleNamespace(total=2**20, used=2**20, free=9)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    memory, disk = list_machine_faults(small_sdxl, inspection, tmp_path)
    assert "of memory is free and this training needs" in memory
    assert disk.startswith(str(tmp_path))


def test_a_base_with_embeddings_in_it_is_none_to_train_on(
    small_sdxl: SmallSdxl, inspection: Inspection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in small_sdxl.settings().items():
        monkeypatch.setenv(name, value)
    assert main(["bake", str(tmp_path / "baked")]) == 0
    faults = list_machine_faults(small_sdxl, inspection, tmp_path, BASE=tmp_path / "baked")
    assert any("in it already" in fault for fault in faults)


@pytest.mark.long
def test_when_the_minutes_are_over_it_ends_with_what_it_has(
    small_sdxl: SmallSdxl, inspection: Inspection, tmp_path: Path
) -> None:
    options = replace(OPTIONS, steps=50, minutes=1e-9, augment=0.0)
    warned = list[Event]()
    _, facts = train(
        small_sdxl,
        inspection,
        tmp_path,
        options,
        observe=lambda event: warned.append(event) if isinstance(event, Warned) else None,
    )
    assert (facts.steps, facts.chosen) == (1, 1)
    assert "step 1 of 50" in facts.ended


@pytest.mark.long
def test_render_aware_samples_have_the_noise_of_pictures_that_begin_with_the_render(
    small_sdxl: SmallSdxl,
    inspection: Inspection,
    trained: tuple[Path, Trained, list[Event]],
    tmp_path: Path,
) -> None:
    adapter, facts = train(
        small_sdxl, inspection, tmp_path, replace(OPTIONS, render_aware=True, steps=3)
    )
    assert facts.options.render_aware
    assert all(np.isfinite(up).all() for _, up in adapter.lora.values())


PROCESSES = """
import sys
from pathlib import Path
import numpy as np
from tests.support import small_training
from tests.support.small_sdxl import SmallSdxl
files = SmallSdxl(*(Path(name) for name in sys.argv[1:6]))
networks = small_training.load_small(files)
loop = small_training.make_loop(networks, small_training.random_latents(6), 4)
small_training.run(loop, 3)
if loop.processes.is_first:
    np.savez(sys.argv[6], count=loop.processes.count, losses=loop.losses,
             **{name: value.detach().numpy() for name, value in networks.trained().items()})
loop.processes.wait()
loop.processes.close()
"""


@pytest.mark.long
def test_two_processes_train_as_one_does(small_sdxl: SmallSdxl, tmp_path: Path) -> None:
    script, out = tmp_path / "train_in_processes.py", tmp_path / "values.npz"
    script.write_text(PROCESSES)
    files = [small_sdxl.base, small_sdxl.vae, small_sdxl.canny, small_sdxl.softedge]
    # What `accelerate launch` does on a machine with two GPUs.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*launch, str(script), *map(str, files), str(small_sdxl.embeddings), str(out)],
        check=True,
        cwd=Path(__file__).parents[2],
        env=small_training.make_environment(),
    )
    loop = small_training.make_loop(
        small_training.load_small(small_sdxl), small_training.random_latents(6), 4
    )
    small_training.run(loop, 3)
    values = np.load(out)
    assert values["count"] == 2
    assert values["losses"] == pytest.approx(loop.losses, rel=1e-5)
    for name, value in loop.networks.trained().items():
        assert np.allclose(values[name], value.detach().numpy(), atol=1e-5), name
