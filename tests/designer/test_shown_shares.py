"""What a picture shows of its colours, read from its record."""

import json
from typing import Any

import pytest

from plitka import pipeline
from plitka.designer.shown_shares import ShownShares, read_shares
from plitka.engines.procedural import RenderEngine
from tests.support.recipes import asked


def test_a_render_shows_what_is_counted_and_beside_it_what_is_measured() -> None:
    preview = next(pipeline.make(asked({"red": 60, "white": 40}), RenderEngine()))
    shown = read_shares(json.loads(json.dumps(preview.record)))
    assert shown.counted
    assert shown.shares == preview.record["shares"]
    assert shown.measured == preview.record["measured"]
    assert set(shown.intervals) == {"red", "white"}


def test_a_record_of_an_older_version_shows_what_was_measured() -> None:
    measured = {"red": 0.52, "white": 0.48}
    old = {"measured": measured, "total_variation": 0.02}
    assert read_shares(old) == ShownShares(measured, measured=measured)


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ({}, ShownShares()),
        ({"shares": 7, "measured": None, "intervals": [], "groups": {}}, ShownShares()),
        (
            {"shares": {"red": "0.5", "white": True, "blue": 7, "sand": 0.5}, "counted": "yes"},
            ShownShares({"sand": 0.5}),
        ),
        (
            {"intervals": {"red": [0.1], "white": [0, 2], "sand": [0, 0.5], "blue": "01"}},
            ShownShares(intervals={"sand": (0, 0.5)}),
        ),
        ({"groups": [["red", 7], "red", ["red", "pink"]]}, ShownShares(groups=(("red", "pink"),))),
    ],
)
def test_what_is_not_as_it_should_be_is_left_out(
    record: dict[str, Any], shown: ShownShares
) -> None:
    assert read_shares(record) == shown
