"""Plitka behind Cog's real HTTP server."""

import json
import threading
from pathlib import Path

import pytest

from plitka.serving.gateway import ONE_HEAP
from tests.conftest import StartServer
from tests.support.recipes import TILE
from tests.support.server import CogServer, open_png, read_record


def test_a_prediction_gives_three_pictures_and_equal_requests_give_equal_bytes(
    server: CogServer,
) -> None:
    first, second = (server.predict(TILE).json() for _ in range(2))
    assert first["status"] == "succeeded"
    assert [open_png(uri).size for uri in first["output"]] == [(512,) * 2, (1024,) * 2, (1024,) * 2]
    assert [open_png(uri).mode for uri in first["output"]] == ["RGB"] * 3
    assert [read_record(uri)["picture"] for uri in first["output"]] == [
        "preview",
        "final",
        "colormap",
    ]
    assert first["output"] == second["output"]


def test_another_seed_gives_another_picture_and_is_reported(server: CogServer) -> None:
    body = {**json.loads(TILE), "seed": -1}
    first, second = (server.predict(json.dumps(body)).json() for _ in range(2))
    assert first["output"][1] != second["output"][1]
    assert first["metrics"]["seed"] != second["metrics"]["seed"]
    assert read_record(first["output"][1])["seed"] == first["metrics"]["seed"]


def test_metrics_tell_what_was_measured(server: CogServer) -> None:
    metrics = server.predict(TILE).json()["metrics"]
    assert metrics["engine"] == "render"
    assert metrics["controlnet"] == "none"
    assert [color["name"] for color in metrics["colors"]] == ["red", "white"]
    assert metrics["total_variation"]["final"] < 0.06
    assert metrics["seconds"]["final"] > 0


def test_a_surface_comes_with_its_zones_in_record_and_metrics(server: CogServer) -> None:
    colors = [{"name": "light green", "proportion": 100}]
    border = {"shape": "border", "width_mm": 100, "line": "metal", "colors": colors}
    surface = {"width_mm": 1000, "length_mm": 500, "zones": [border]}
    made = server.predict(json.dumps({**json.loads(TILE), "surface": surface})).json()
    assert made["status"] == "succeeded"
    assert [open_png(uri).size for uri in made["output"]] == [(512, 256), (1024, 512), (1024, 512)]
    assert made["metrics"]["zones"] == read_record(made["output"][2])["surface"]["zones"]
    assert [zone["name"] for zone in made["metrics"]["zones"]] == ["base", "border 1"]


def test_log_lines_of_the_stages_reach_the_prediction(server: CogServer) -> None:
    with server.stream(TILE) as events:
        lines = "".join(event.data["data"] for event in events if event.name == "log")
    for stage in ("layout", "preview", "final", "colormap"):
        assert f"{stage}: " in lines


@pytest.mark.parametrize(
    "wrapped",
    [
        json.dumps({"params_json": json.loads(TILE)}),
        json.dumps({"params_json": TILE}),
        json.dumps(TILE),
    ],
    ids=["object in params_json", "string in params_json", "string"],
)
def test_a_wrapped_request_is_the_same_request(server: CogServer, wrapped: str) -> None:
    assert (
        read_record(server.predict(wrapped).json()["output"][0])["request"]
        == read_record(server.predict(TILE).json()["output"][0])["request"]
    )


def test_a_bad_request_fails_with_all_its_faults_and_nothing_else(server: CogServer) -> None:
    bad = json.dumps({"colors": [{"name": "blurple", "proportion": 100}], "angle": 200})
    body = server.predict(bad).json()
    assert body["status"] == "failed"
    assert 'ValueError: colors[0].name: unknown colour "blurple"' in body["error"]
    assert 'did you mean "purple"' in body["error"]
    assert "angle: got 200" in body["error"]
    assert "Traceback" not in body["error"]
    assert not body.get("output")


def test_a_missing_or_wrong_input_is_a_422(server: CogServer) -> None:
    assert server.client.post("/predictions", json={"input": {}}).status_code == 422
    assert server.predict({"colors": []}).status_code == 422


def test_pictures_are_streamed_the_preview_first(server: CogServer) -> None:
    with server.stream(TILE) as events:
        seen = list(events)
    outputs = [event.data["chunk"] for event in seen if event.name == "output"]
    assert [read_record(uri)["picture"] for uri in outputs] == ["preview", "final", "colormap"]
    names = [event.name for event in seen]
    assert names[0] == "start"
    assert seen[-1].data["status"] == "succeeded"
    # The preview comes while the final picture is still to be made.
    logs_after = [e.data["data"] for e in seen[names.index("output") :] if e.name == "log"]
    assert any(line.startswith("final: ") for line in logs_after)


def test_a_cancelled_prediction_stops_and_the_next_one_is_good(server: CogServer) -> None:
    with server.stream(TILE, prediction="to-be-cancelled") as events:
        for event in events:
            if event.name == "output":
                server.client.post("/predictions/to-be-cancelled/cancel")
                break
        last = list(events)[-1]
    assert last.data["status"] == "canceled"
    assert len(last.data["output"]) < 3
    assert len(server.predict(TILE).json()["output"]) == 3


def test_a_client_that_hangs_up_leaves_a_server_that_works(server: CogServer) -> None:
    with server.stream(TILE) as events:
        next(event for event in events if event.name == "output")
    assert server.predict(TILE).json()["status"] == "succeeded"


def test_the_schema_is_served_with_its_streaming_mark(server: CogServer) -> None:
    schema = server.client.get("/openapi.json").json()
    assert schema["paths"]["/predictions"]["post"]["x-cog-streaming"] is True
    assert schema["components"]["schemas"]["Input"]["required"] == ["params_json"]


def test_files_of_past_predictions_do_not_pile_up(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(PLITKA_ENGINE="render", TMPDIR=str(tmp_path))
    for _ in range(6):
        assert server.predict(TILE).json()["status"] == "succeeded"
    assert len(list(tmp_path.rglob("preview-*.png"))) <= 4


def test_memory_of_a_tile_goes_back_to_the_system(start_server: StartServer) -> None:
    server = start_server(PLITKA_ENGINE="render", **ONE_HEAP)  # as in the image and at the gate
    worker = server.worker()
    before = worker.memory_info().rss
    for _ in range(2):
        server.predict(TILE)
        server.settle()
    grown = (worker.memory_info().rss - before) / 2**20
    assert grown < 100, f"{grown:.0f} MiB"


def test_files_are_named_after_what_they_show_and_names_never_repeat(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(PLITKA_ENGINE="render", TMPDIR=str(tmp_path))
    for _ in range(2):
        server.predict(TILE)
    names = [file.name for file in tmp_path.rglob("*.png")]
    assert len(names) == len(set(names)) == 6
    assert sorted(name.split("-")[0] for name in names) == sorted(
        ["preview", "final", "colormap"] * 2
    )


def test_two_requests_at_once_the_second_is_told_to_wait(server: CogServer) -> None:
    with server.stream(TILE) as events:
        next(events)
        statuses = [server.request(TILE).status_code]
        thread = threading.Thread(target=lambda: list(events))
        thread.start()
        thread.join()
    assert statuses == [409]


def test_without_an_engine_setup_fails_and_says_what_to_do(start_server: StartServer) -> None:
    health = start_server(PLITKA_ENGINE="", PLITKA_BASE="/absent").health()
    assert health["status"] == "SETUP_FAILED"
    assert "PLITKA_ENGINE=render" in health["setup"]["logs"]
