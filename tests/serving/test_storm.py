"""A small storm: `python -m benchmarks.storm` is the large one."""

from pathlib import Path

import pytest

from benchmarks.storm import storm
from tests.support.server import cog_server


@pytest.mark.long
def test_hostile_requests_are_answered_as_they_have_to_be(tmp_path: Path) -> None:
    env = {"PLITKA_ENGINE": "render"}
    with cog_server(tmp_path, env, gate=True, arguments=("--port", "0")) as server:
        tally = storm(server, 120, 7, lambda line: None)
    assert tally.faults == []
    assert tally.thrown >= 120
    assert {"200 failed", "400", "404", "405", "422"} <= set(tally.answers)
