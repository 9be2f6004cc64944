"""Those who take photographs for the designer: the engine in the program, and Replicate."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plitka.designer.backends import cog_server, select
from plitka.designer.backends.address import SettingError
from plitka.designer.backends.base import Backend, Event, Progress, Shot
from plitka.designer.errors import Fault
from plitka.images.png import encode_png
from plitka.request.recipe import Recipe
from plitka.settings import Settings
from tests.support.hostile_cog import COMPLETED, write_event, write_output
from tests.support.raw_server import raw_server, respond, stream_events
from tests.support.recipes import parse
from tests.support.replicate_api import Replicate, replicate_api
from tests.support.small_sdxl import SmallSdxl

ASKED = parse('{"colors": [{"name": "red", "proportion": 100}], "seed": 1}')


def asking(preview: int, final: int, **over: float) -> Recipe:
    steps = {"num_inference_steps_preview": preview, "num_inference_steps_final": final}
    return parse(json.dumps({**ASKED.request(), "overrides": {**steps, **over}}))


def selected(variables: dict[str, str]) -> Backend:
    return select.select_backend(Settings({**os.environ, **variables}))


def test_a_photograph_in_this_program_is_made_and_ended(
    small_sdxl: SmallSdxl, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in small_sdxl.settings().items():
        monkeypatch.setenv(name, value)
    here = selected({})
    asked, long = asking(2, 2), asking(2, 150, strength=1)

    async def both() -> tuple[list[Event], list[Event]]:
        ended = await taken(here, long, lambda event: is_step(event, "final"))
        return ended, await taken(here, asked)

    ended, made = asyncio.run(both())
    assert [event.kind for event in ended if isinstance(event, Shot)] == ["preview"]
    assert Progress("loading") in ended
    assert Progress("loading") not in made
    assert [e.kind for e in made if isinstance(e, Shot)] == ["preview", "final", "colormap"]
    assert Progress("final", 1, 1) in made


def test_a_photograph_that_waits_at_a_gate_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cog_server, "_RETRY_SECONDS", 0.01)
    full = respond(b"{}", "429 Too Many Requests", "Content-Type: application/json")
    queued = [write_event("starting", {"place": 1}), write_output(), COMPLETED]
    answers = iter([[full], [stream_events(), *queued]])
    with raw_server(lambda _: next(answers)) as server:
        events = asyncio.run(taken(selected({"PLITKA_PHOTOGRAPH": server.address}), ASKED))
    stages = [event.stage for event in events if isinstance(event, Progress)]
    assert stages == ["starting", "waiting", "waiting"]
    assert [event.kind for event in events if isinstance(event, Shot)] == ["preview"]


@pytest.fixture
def replicate() -> Iterator[Replicate]:
    with replicate_api() as api:
        yield api


def prediction(status: str, outputs: int = 0, **more: object) -> dict[str, Any]:
    kinds = ("preview", "final", "colormap")[:outputs]
    return {"id": "abc123", "status": status, "output": [uri(kind) for kind in kinds], **more}


def uri(kind: str) -> str:
    content = encode_png(np.zeros((8, 8, 3), np.uint8), {"picture": kind, "measured": {"red": 1.0}})
    return "data:image/png;base64," + base64.b64encode(content).decode()


def deployment(api: Replicate) -> Backend:
    return selected(
        {
            "PLITKA_PHOTOGRAPH": "replicate:maker/tiles",
            "REPLICATE_API_TOKEN": "r8_secret",
            "REPLICATE_API_BASE_URL": api.address,
        }
    )


def is_step(event: Event, stage: str) -> bool:
    return isinstance(event, Progress) and event.stage == stage and event.step > 0


async def taken(
    photographer: Backend,
    asked: Recipe,
    enough: Callable[[Event], bool] = lambda event: False,
) -> list[Event]:
    """What a photographer tells, until somebody has seen enough."""
    events = []
    async with aclosing(photographer.photograph(asked)) as coming:
        async for event in coming:
            events.append(event)
            if enough(event):
                break
    return events


def test_a_deployment_on_replicate_is_followed_to_its_end(replicate: Replicate) -> None:
    bar = "512x512:  29%|##9  | 5/17 [00:01<00:02]\r"
    replicate.answers = [
        (201, prediction("starting")),
        (503, {}),
        (200, prediction("processing", logs=bar)),
        (200, prediction("processing", 1)),
        (200, prediction("succeeded", 3)),
    ]
    events = asyncio.run(taken(deployment(replicate), ASKED))
    assert Progress("preview", 5, 17) in events
    shots = [event for event in events if isinstance(event, Shot)]
    assert [shot.kind for shot in shots] == ["preview", "final", "colormap"]
    assert shots[1].shown.shares == {"red": 1.0}
    assert replicate.requests[0] == ("POST", "/v1/deployments/maker/tiles/predictions")
    assert set(replicate.requests[1:]) == {("GET", "/v1/predictions/abc123")}
    assert replicate.tokens == {"Bearer r8_secret"}


def test_leaving_a_prediction_on_replicate_cancels_it(replicate: Replicate) -> None:
    replicate.answers = [(201, prediction("starting")), (200, prediction("processing", 1))]
    asyncio.run(taken(deployment(replicate), ASKED, lambda event: isinstance(event, Shot)))
    assert replicate.requests[-1] == ("POST", "/v1/predictions/abc123/cancel")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((401, {"detail": "Invalid token r8_secret."}), "token_refused"),
        ((404, {"detail": "Not found."}), "deployment_unknown"),
        ((402, {"detail": "Billing required, not r8_secret."}), "server_refused"),
        ((201, "what"), "photograph_strange"),
        ((201, {"id": "../account"}), "photograph_strange"),
        ((201, prediction("failed", error="ValueError: colors: none")), "photograph_failed"),
        ((201, prediction("canceled")), "photograph_cancelled_there"),
        ((201, prediction("succeeded", output=["data:image/png;base64,!"])), "photograph_strange"),
        ((201, prediction("succeeded", output=["http://169.254.0.1/x"])), "photograph_strange"),
    ],
)
def test_what_replicate_refuses_is_a_fault_with_a_name(
    answer: tuple[int, object], code: str, replicate: Replicate
) -> None:
    replicate.answers = [answer]
    with pytest.raises(Fault) as caught:
        asyncio.run(taken(deployment(replicate), ASKED))
    assert caught.value.code == code
    assert "r8_secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("env", "word"),
    [
        ({"PLITKA_PHOTOGRAPH": "replicate:a/b"}, "REPLICATE_API_TOKEN"),
        ({"PLITKA_PHOTOGRAPH": "ftp://x"}, "PLITKA_PHOTOGRAPH"),
        ({"PLITKA_PHOTOGRAPH": "replicate:secret"}, "replicate:OWNER/DEPLOYMENT"),
    ],
)
def test_a_wrong_setting_is_named(env: dict[str, str], word: str) -> None:
    with pytest.raises(SettingError, match=word) as caught:
        selected(env)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (respond(b'{"status": "READY"}'), None),
        (respond(b'{"status": "BUSY"}'), None),
        (respond(b'{"status": "STARTING"}'), "server_not_ready"),
        (respond(b'{"status": "SETUP_FAILED", "setup": {"logs": "x"}}'), "server_setup_failed"),
        (respond(b"{}", "401 Unauthorized"), "token_refused"),
        (respond(b"<html>"), "photograph_strange"),
    ],
)
def test_a_cog_server_is_there_when_its_health_says_so(answer: bytes, code: str | None) -> None:
    with raw_server(lambda _: [answer]) as server:
        backend = selected({"PLITKA_PHOTOGRAPH": server.address})
        assert asyncio.run(why_not(backend)) == code
        assert [head.split()[1] for head in server.heads] == [b"/health-check"]
    assert asyncio.run(why_not(backend)) == "server_unreachable"


def test_this_program_takes_photographs_with_weights_and_a_device(tmp_path: Path) -> None:
    weights = {"PLITKA_BASE": str(tmp_path), "PLITKA_LORA": "none", "PLITKA_EMBEDDINGS": "none"}
    assert asyncio.run(why_not(selected({**weights, "PLITKA_DEVICE": "cpu"}))) is None
    missing = {**weights, "PLITKA_LORA": "/absent", "PLITKA_DEVICE": "cpu"}
    assert asyncio.run(why_not(selected(missing))) == "engine"
    program = (
        "import asyncio, sys; from plitka.settings import Settings;"
        "from plitka.designer.backends.select import select_backend;"
        f"asyncio.run(select_backend(Settings({weights | {'PLITKA_DEVICE': 'cpu'}})).check());"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


async def why_not(backend: Backend) -> str | None:
    """The code of the fault that says why no photograph could be taken; None where one could."""
    try:
        await backend.check()
    except Fault as fault:
        return fault.code
    return None
