"""healthcheck(): memory within the container's limit, disk, device."""

from pathlib import Path

import psutil
import pytest

from plitka.engines.procedural import RenderEngine
from plitka.errors import EngineError
from plitka.runtime.memory import measure_free_main_memory
from plitka.serving import health
from plitka.serving.outbox import Outbox


def cgroup(folder: Path, limit: str, used: int, cached: int) -> Path:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")
    return folder


def test_memory_is_counted_within_the_containers_limit(tmp_path: Path) -> None:
    folder = cgroup(tmp_path, str(1000), 900, 300)
    assert measure_free_main_memory(folder) == 400
    assert measure_free_main_memory(cgroup(tmp_path, str(1000), 2000, 0)) == 0


def test_without_a_limit_it_is_the_machines(tmp_path: Path) -> None:
    machine = psutil.virtual_memory().available
    for folder in (tmp_path / "absent", cgroup(tmp_path, "max", 1, 1)):
        assert measure_free_main_memory(folder) == pytest.approx(machine, rel=0.2)


def test_an_engine_with_room_is_well_and_one_without_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox()
    health.check_health(RenderEngine(), outbox)
    monkeypatch.setattr(health, "measure_free_main_memory", lambda: 100 * 2**20)
    with pytest.raises(EngineError, match="memory: 100 MiB are free, and a picture needs 256"):
        health.check_health(RenderEngine(), outbox)
