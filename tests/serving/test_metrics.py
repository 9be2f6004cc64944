"""What Prometheus is told, and that whatever deploy/ asks it for is there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from plitka import pipeline
from plitka.engines.procedural import RenderEngine
from plitka.serving import metrics
from plitka.serving.metrics import Metrics, Vitals
from plitka.serving.predictions import Outcome, read_outcome
from tests.support.recipes import TILE, asked
from tests.support.server import CogServer, cog_server

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
BAD = json.dumps({"colors": []})
NAN = float("nan")
VITALS = Vitals(
    is_alive=True,
    is_ready=False,
    waiting=3,
    running=1,
    most_waiting=32,
    memory={"gate": 1, "cog": 2, "worker": 3},
    free_memory=4,
    free_disk={"cog": 5.0, "pictures": NAN},
)

Samples = dict[tuple[str, tuple[str, ...]], float]


def read_samples(text: str) -> Samples:
    """Values by the names of samples and the values of their labels."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    """A gate that has made a tile, refused one, and failed with one."""
    folder, env = tmp_path_factory.mktemp("gate"), {"PLITKA_ENGINE": "render"}
    with cog_server(folder, env, gate=True, arguments=("--port", "0", "--queue", "5")) as running:
        assert running.request(TILE).json()["status"] == "succeeded"
        assert running.request(BAD).json()["status"] == "failed"
        assert running.request(5).status_code == 422
        yield running


def fetch(gate: CogServer) -> Samples:
    answer = gate.client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read_samples(answer.text)


def test_requests_are_counted_by_how_they_ended(gate: CogServer) -> None:
    found = fetch(gate)
    counted = {
        labels[0]: v for (name, labels), v in found.items() if name.endswith("requests_total")
    }
    assert counted == {
        "succeeded": 1,
        "failed": 1,
        "canceled": 0,
        "left": 0,
        "full": 0,
        "refused": 1,
        "unavailable": 0,
    }


def test_stages_shares_and_waits_of_a_tile_are_there(gate: CogServer) -> None:
    found = fetch(gate)
    for stage in ("layout", "preview", "final", "colormap"):
        assert found["plitka_stage_seconds_count", (stage,)] == 1
    assert found["plitka_prediction_seconds_count", ()] == 2
    assert found["plitka_queue_wait_seconds_count", ()] == 2
    assert found["plitka_total_variation_count", ("final",)] == 1
    assert 0 < found["plitka_total_variation_measured_sum", ("preview",)] < 0.1
    assert found["plitka_worker_peak_memory_bytes", ()] > 2**26


def test_the_server_itself_is_told_of(gate: CogServer) -> None:
    found = fetch(gate)
    assert found["plitka_queue_limit", ()] == 5
    assert (found["plitka_queue_length", ()], found["plitka_running", ()]) == (0, 0)
    assert (found["plitka_worker_alive", ()], found["plitka_ready", ()]) == (1, 1)
    for process in ("gate", "cog", "worker"):
        assert found["plitka_memory_bytes", (process,)] > 2**23
    for disk in ("cog", "pictures"):
        assert found["plitka_free_disk_bytes", (disk,)] > 2**20
    assert found["plitka_free_memory_bytes", ()] > 2**20


def find_expressions(document: Any) -> Iterator[str]:
    """Find all that Prometheus would be asked: values of `expr` and `query`, at any depth."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in ("expr", "query") and isinstance(value, str):
                yield value
            yield from find_expressions(value)
    elif isinstance(document, list):
        for value in document:
            yield from find_expressions(value)


def test_whatever_deploy_asks_prometheus_for_is_told_by_the_gate(gate: CogServer) -> None:
    known = {name for name, _ in fetch(gate)}
    documents = [json.loads((DEPLOY / "grafana.json").read_text())]
    documents += yaml.safe_load_all((DEPLOY / "keda.yaml").read_text())
    asked_for = [
        name
        for document in documents
        for expression in find_expressions(document)
        for name in re.findall(r"plitka_\w+", expression)
    ]
    assert len(asked_for) > 15
    assert set(asked_for) - known == set()


def test_the_dashboard_shows_each_panel_in_a_place_of_its_own() -> None:
    dashboard = json.loads((DEPLOY / "grafana.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    covered = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(covered)) == len(covered)
    assert max(x for x, _ in covered) < 24


def test_the_pod_monitor_finds_the_pods_and_their_port() -> None:
    (monitor,) = yaml.safe_load_all((DEPLOY / "prometheus.yaml").read_text())
    deployment = next(iter(yaml.safe_load_all((DEPLOY / "plitka.yaml").read_text())))
    template = deployment["spec"]["template"]
    assert monitor["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    ports = {
        port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]
    }
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    annotations = template["metadata"]["annotations"]
    assert str(ports[endpoint["port"]]) == annotations["prometheus.io/port"]
    assert endpoint["path"] == annotations["prometheus.io/path"] == "/metrics"


# Without a server


def test_the_stages_of_the_pipeline_are_known_by_name() -> None:
    *_, last = pipeline.make(asked({"red": 100}), RenderEngine())
    assert set(last.metrics["seconds"]) <= set(metrics.STAGES)


def test_labels_are_few_whatever_a_worker_says() -> None:
    counted = Metrics("5.0.0", "predictions")
    for number in range(100):
        told = {"seconds": {f"stage {number}": 1.0}, "total_variation": {f"p{number}": 0.1}}
        counted.note_outcome(Outcome(f"status {number}", told, b""))
    found = read_samples(counted.write(VITALS).decode())
    assert {labels[0] for name, labels in found if name == "plitka_stage_seconds_count"} == {
        "other"
    }
    assert not [labels for name, labels in found if name == "plitka_total_variation_count"]
    results = {labels[0] for name, labels in found if name == "plitka_requests_total"}
    assert results == set(metrics.RESULTS)


@pytest.mark.parametrize("told", [None, 5, {"final": None}, {"final": "x"}, []])
def test_what_is_no_number_is_left_out(told: object) -> None:
    counted = Metrics("5.0.0", "predictions")
    measured = {"seconds": told, "total_variation": told, "predict_time": told}
    counted.note_outcome(Outcome("failed", measured, b""))
    found = read_samples(counted.write(VITALS).decode())
    assert found["plitka_requests_total", ("failed",)] == 1
    assert ("plitka_stage_seconds_count", ("final",)) not in found


def test_two_gates_in_one_process_count_each_their_own() -> None:
    first, second = Metrics("5.0.0", "predictions"), Metrics("5.0.0", "predictions")
    first.count_refusal(429)
    for counted, times in ((first, 1), (second, 0)):
        found = read_samples(counted.write(VITALS).decode())
        assert found["plitka_requests_total", ("full",)] == times


SEEDED = b'{"status": "failed", "metrics": {"seed": 7}}'


@pytest.mark.parametrize(
    ("content", "is_stream", "outcome"),
    [
        (b'{"status": "canceled"}', False, Outcome("canceled", {}, b'{"status": "canceled"}')),
        (SEEDED, False, Outcome("failed", {"seed": 7}, SEEDED)),
        (
            b'event: log\ndata: {}\n\nevent: completed\ndata: {"status": "succeeded"}\n\n',
            True,
            Outcome("succeeded", {}, b'{"status": "succeeded"}'),
        ),
        (b'{"status": ', False, None),
        (b"[]", False, None),
        (b'{"status": 5}', False, None),
        (b"event: log\ndata: {}\n\n", True, None),
    ],
)
def test_how_a_prediction_ended_is_read_from_cogs_answer(
    content: bytes, is_stream: bool, outcome: Outcome | None
) -> None:
    assert read_outcome(content, is_stream) == outcome
