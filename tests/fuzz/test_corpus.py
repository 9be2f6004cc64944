"""The fuzzing targets without a fuzzer: seeds, what was found once, and seeds that are changed."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.target import Target, watch_writes
from tests.fuzz.targets import TARGETS, list_found, list_seeds

EACH = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


@EACH
def test_sound_seeds_are_read_and_the_others_refused_as_promised(target: Target) -> None:
    seeds = list_seeds(target)
    assert {file.name for file in seeds if target.check(file.read_bytes())} == {
        file.name for file in seeds if file.name.startswith("sound")
    }


@EACH
def test_repairing_sound_content_leaves_it_sound(target: Target) -> None:
    for file in list_seeds(target):
        if file.name.startswith("sound"):
            assert target.check(target.repair(file.read_bytes())), file.name


@pytest.mark.parametrize(
    ("target", "file"),
    [
        pytest.param(target, file, id=f"{target.name}-{file.name}")
        for target in TARGETS.values()
        for file in list_found(target)
    ],
)
def test_what_once_broke_a_target_breaks_it_no_more(target: Target, file: Path) -> None:
    target.check(file.read_bytes())


def test_the_watch_of_archives_sees_what_is_written(tmp_path: Path) -> None:
    with watch_writes().watch() as written:
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_bytes(b"")
        (tmp_path / "link").symlink_to("file")
        (tmp_path / "file").read_bytes()
    (tmp_path / "later").write_bytes(b"")
    assert {Path(path).name for path in written} == {"folder", "file", "link"}


@st.composite
def change(draw: st.DrawFn, target: Target) -> bytes:
    """A seed in which some bytes are others, are gone, or stand where none were."""
    seeds = [file.read_bytes() for file in list_seeds(target)]
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(content)))
        new = draw(st.sampled_from(target.tokens) | st.binary(max_size=8))
        content[place : place + draw(st.integers(0, 8))] = new
    changed = bytes(content[: target.longest])
    return target.repair(changed) if draw(st.booleans()) else changed


@EACH
def test_changed_seeds_are_read_or_refused_as_promised(target: Target) -> None:
    @settings(
        max_examples=300,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(change(target))
    def check(content: bytes) -> None:
        target.check(content)

    check()
