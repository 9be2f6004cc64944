"""The designer is told to end: what it had begun elsewhere, and would be paid for, is cancelled."""

import json
import signal
from pathlib import Path

import httpx
import pytest

from tests.support.designer import designer
from tests.support.replicate_api import replicate_api

RECIPE = json.dumps({"colors": [{"name": "red", "proportion": 100}], "seed": 1})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_photograph_under_way_is_cancelled_where_it_is_made(
    number: signal.Signals, tmp_path: Path
) -> None:
    with replicate_api() as api:
        under_way = {
            "id": "p1",
            "status": "processing",
            "logs": "512x512:  40%|####  | 14/35 [00:03",
        }
        api.answers = [(201, under_way)] * 1000
        env = {
            "PLITKA_PHOTOGRAPH": "replicate:maker/tiles",
            "REPLICATE_API_TOKEN": "r8_0123456789",
            "REPLICATE_API_BASE_URL": api.address,
        }
        with (
            designer(tmp_path, env) as run,
            httpx.stream("POST", f"{run.url}photograph", content=RECIPE) as lines,
        ):
            next(line for line in lines.iter_lines() if '"preview"' in line)
            run.process.send_signal(number)
            assert run.process.wait(timeout=60) != 0
        assert ("POST", "/v1/predictions/p1/cancel") in api.requests
    assert "Traceback" not in run.log.read_text(encoding="utf-8")
