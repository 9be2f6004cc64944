"""Compiled code is kept in the snapshot, and read from nowhere else."""

import hashlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters
from torch._inductor.utils import fresh_cache

from plitka.engines.sdxl.compiled_code import FOLDER, CompiledCode
from plitka.engines.sdxl.device import Device

DEVICE = Device("cpu", "A processor (with 2 cores)", "float32", 0)


@pytest.fixture
def start() -> Iterator[None]:
    """As a process that has compiled nothing."""
    with fresh_cache():
        forget()
        yield
    forget()


def forget() -> None:
    torch._dynamo.reset()
    torch.compiler._cache.CacheArtifactManager.clear()
    counters.clear()


def compile_something() -> None:
    compiled = torch.compile(lambda samples: samples * 2, dynamic=False)
    with torch.inference_mode():
        compiled(torch.zeros(8))


@pytest.mark.long
@pytest.mark.usefixtures("start")
def test_what_one_start_has_compiled_the_next_one_reads_and_where_it_cannot_be_kept_it_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kept = CompiledCode(tmp_path, DEVICE)
    kept.load()  # nothing is there
    compile_something()
    kept.save()
    name = f"A_processor_with_2_cores_-{torch.__version__.replace('+', '_')}-float32.artifacts"
    assert [file.name for file in (tmp_path / FOLDER).iterdir()] == [name]
    written = kept.path.stat().st_mtime_ns
    with fresh_cache():
        forget()
        kept = CompiledCode(tmp_path, DEVICE)
        kept.load()
        compile_something()
        assert counters["inductor"]["fxgraph_cache_miss"] == 0
        assert counters["aot_autograd"]["autograd_cache_hit"] == 1
        kept.save()
        assert kept.path.stat().st_mtime_ns == written  # it holds all of it
    shutil.rmtree(tmp_path / FOLDER)
    (tmp_path / FOLDER).write_text("a file where the folder would be")
    kept = CompiledCode(tmp_path, DEVICE)
    kept.save()
    assert f"not kept, and compiled again at the next start: File exists; let {kept.path}" in (
        caplog.text
    )


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("damaged", "it is damaged"),
        ("writable by all", "all users may write to it"),
        ("a link", "Too many levels of symbolic links"),
        ("in a folder of all", "all users may write to it"),
    ],
)
def test_code_that_others_may_have_put_there_is_not_read(
    how: str, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_code(tmp_path, b"would be unpickled")
    if how == "damaged":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "writable by all":
        path.chmod(0o666)
    elif how == "a link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.parent.chmod(0o777)
    CompiledCode(tmp_path, DEVICE).load()
    assert len(caplog.messages) == 1
    assert f"{path} is not used: " in caplog.text
    assert why in caplog.text


def test_what_torch_cannot_read_is_compiled_anew(tmp_path: Path) -> None:
    write_code(tmp_path, b"of another torch")
    CompiledCode(tmp_path, DEVICE).load()


def write_code(snapshot: Path, content: bytes) -> Path:
    path = CompiledCode(snapshot, DEVICE).path
    path.parent.mkdir()
    digest = hashlib.sha256(content).hexdigest()
    path.write_bytes(f"plitka compiled code, form 1, SHA-256 {digest}\n".encode() + content)
    return path
