"""Inputs beside params_json: noted by the gate, and named in the log and the metrics."""

import json
from collections.abc import Iterator

import pytest

from plitka.serving.request_checks import check_request
from plitka.serving.unknown_inputs import KEY, note_unknown, read_unknown
from plitka.serving.work_kind import TRAININGS
from tests.support.server import CogServer, cog_server


def context(given: dict[str, object], **sent: str) -> dict[str, str]:
    content = json.dumps({"input": given, "context": sent}).encode()
    body: dict[str, dict[str, str]] = check_request(content, "one", ())
    return body["context"]


def test_the_gate_notes_the_inputs_that_are_not_known() -> None:
    noted = context({"params_json": "red", "prompt": "a cat", "width": 3}, mine="kept")
    assert noted == {"mine": "kept", "prediction_id": "one", KEY: '["prompt", "width"]'}
    assert read_unknown(noted) == ["prompt", "width"]


def test_a_request_of_known_inputs_has_no_note_and_none_of_a_clients_making() -> None:
    assert context({"params_json": "red"}, **{KEY: '["forged"]'}) == {"prediction_id": "one"}


def test_inputs_of_a_training_are_others() -> None:
    content = json.dumps({"input": {"steps": 5}}).encode()
    assert KEY not in check_request(content, "one", (), TRAININGS)["context"]


def test_many_and_strange_names_are_shortened_and_made_printable() -> None:
    noted = note_unknown({}, {f"\x1b[31m{n}" + "x" * 200: n for n in range(100)})
    names = read_unknown(noted)
    assert len(names) == 21
    assert names[-1] == "and 80 more"
    assert all(name.isprintable() and len(name) < 600 for name in names)


@pytest.mark.parametrize("noted", [None, 5, "", "{}", "[5]", "[[", "[" * 100_000, '"a"', "null"])
def test_what_the_gate_never_writes_names_nothing(noted: object) -> None:
    assert read_unknown({KEY: noted}) == []


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    folder = tmp_path_factory.mktemp("gate")
    settings = {"PLITKA_ENGINE": "render"}
    with cog_server(folder, settings, gate=True, arguments=("--port", "0")) as running:
        yield running


def test_the_log_and_the_metrics_name_them(gate: CogServer) -> None:
    inputs = {"params_json": "60% blac", "prompt": "a cat", "num_outputs": 4}
    body = gate.client.post("/predictions", json={"input": inputs}).json()
    said = "not known, and ignored, beside params_json: prompt, num_outputs"
    gate.poll(lambda: said in gate.log.read_text(), 30)  # Cog's answer may come before
    assert body["metrics"]["unknown_inputs"] == ["prompt", "num_outputs"]
    assert 'did you mean "black"?' in body["error"]
