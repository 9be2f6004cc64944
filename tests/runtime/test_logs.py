"""How Plitka logs: levels, JSON, the prediction's id, no secrets."""

import json
import logging

import pytest

from plitka.runtime import logs
from plitka.runtime.timing import log
from tests.conftest import StartServer
from tests.support.recipes import TILE

TOKEN = "hf_abcdefghijklmnop"


def said(capsys: pytest.CaptureFixture[str], *messages: str, **env: str) -> list[str]:
    logs.configure(logs.read_log_settings(env))
    for message in messages:
        log.info(message)
        log.debug("detail")
    return capsys.readouterr().err.splitlines()


@pytest.fixture(autouse=True)
def _as_before() -> object:
    yield
    logs.configure(logs.LogSettings(), "WARNING")


def test_levels_say_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "layout") == ["layout"]
    assert said(capsys, "layout", PLITKA_LOG_LEVEL="debug") == ["layout", "detail"]
    assert said(capsys, "layout", PLITKA_LOG_LEVEL="WARNING") == []
    with pytest.raises(logs.LogError, match=r"PLITKA_LOG_LEVEL: got 'loud'; allowed: DEBUG, INFO"):
        logs.read_log_settings({"PLITKA_LOG_LEVEL": "loud"})


def test_json_lines_carry_level_time_and_prediction(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_prediction("tile-1", "other")
    (line,) = said(capsys, "layout", PLITKA_LOG_FORMAT="json")
    fields = json.loads(line)
    assert (fields["level"], fields["prediction"], fields["message"]) == (
        "INFO",
        "tile-1",
        "layout",
    )
    assert fields["time"].endswith("Z")


@pytest.mark.parametrize(
    "secret",
    [
        f"token {TOKEN}",
        "Authorization: Bearer r8_abcdefghijkl",
        "https://user:hunter22@example.com/",
        "https://x/?X-Amz-Signature=abc123&b=1",
        "the value s3cretvalue of the environment",
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_hidden(capsys: pytest.CaptureFixture[str], secret: str, form: str) -> None:
    env = {"PLITKA_LOG_FORMAT": form, "MY_API_KEY": "s3cretvalue"}
    (line,) = said(capsys, secret, **env)
    assert "[hidden]" in line
    for word in (TOKEN, "r8_abcdefghijkl", "hunter22", "abc123", "s3cretvalue"):
        assert word not in line


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logs.LogSettings())
    logging.getLogger("httpx").info("GET https://x")
    logging.getLogger("httpx").warning("odd")
    assert capsys.readouterr().err.splitlines() == ["odd"]


def test_the_server_writes_json_with_the_id_of_the_request(start_server: StartServer) -> None:
    server = start_server(PLITKA_ENGINE="render", PLITKA_LOG_FORMAT="json")
    body = server.predict(TILE, context={"prediction_id": "tile-9"}).json()
    lines = [json.loads(line) for line in body["logs"].splitlines() if line]
    assert {line["prediction"] for line in lines} == {"tile-9"}
    stages = {line["stage"]: line["seconds"] for line in lines if "stage" in line}
    assert {"layout", "preview", "final", "colormap"} <= set(stages)


def test_a_wrong_setting_of_the_log_fails_setup_with_its_sentence(
    start_server: StartServer,
) -> None:
    health = start_server(PLITKA_ENGINE="render", PLITKA_LOG_FORMAT="xml").health()
    assert health["status"] == "SETUP_FAILED"
    assert "PLITKA_LOG_FORMAT: got 'xml'; allowed: text, json" in health["setup"]["logs"]
