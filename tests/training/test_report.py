"""The report of a training: what it tells, and that the page is sound wherever it is opened."""

import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from plitka.training import pictures
from plitka.training.charts import Line, draw_chart, list_ticks, smooth
from plitka.training.inspection import Inspection
from plitka.training.pictures import Pictures, list_shown_steps, load_pictures
from plitka.training.record import TrainingFacts
from plitka.training.report import MOST_PHOTOGRAPHS, write_report
from tests.support.trainings import (
    CALIBRATED,
    evaluated,
    inspected,
    photographed,
    save_pictures,
    trained,
)

NONE = Pictures((), {}, {})
VOID = {"meta", "img", "br", "line", "polyline", "circle"}


class Page(HTMLParser):
    """A page taken apart: its elements, and whether each that was opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def report(
    facts: TrainingFacts | None = None,
    inspection: Inspection | None = None,
    shown: Pictures = NONE,
) -> Page:
    return Page(write_report(facts or trained(), inspection or inspected(), shown))


def load_shown(out: Path, facts: TrainingFacts) -> Pictures:
    save_pictures(out, facts)
    steps = list_shown_steps(facts.evaluations, facts.chosen)
    return load_pictures(out, steps, len(facts.evaluation.drawings), {})


def test_it_tells_which_step_was_kept_and_why() -> None:
    page = report()
    assert "Step 400 of 600 was kept" in page.text
    assert "Trained on 3 photographs of your tiles, checked on 2 more" in page.text
    assert "in 21 min on NVIDIA L4" in page.text
    assert "was least at step 600: 0.1200" in page.text
    assert "loss too high" in page.text
    assert "is noted in the file: 0.75" in page.text


def test_it_needs_nothing_beside_it_and_runs_nothing(tmp_path: Path) -> None:
    facts = trained()
    page = report(facts, None, load_shown(tmp_path, facts))
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "iframe", "object", "base", "form"}
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        assert "href" not in attributes
        source = attributes.get("src")
        assert source is None or source.startswith("data:image/jpeg;base64,")
    text = write_report(facts, inspected(), NONE)
    assert not re.search(r"https?://|@import|url\(", text)


def test_it_has_one_heading_of_each_rank_above_and_words_for_every_picture(
    tmp_path: Path,
) -> None:
    facts = trained()
    page = report(facts, None, load_shown(tmp_path, facts))
    assert len(page.find("h1")) == 1
    assert page.find("html") == [{"lang": "en"}]
    images = page.find("img")
    assert len(images) == 2 + 2 * 4
    assert all(image["alt"] for image in images)
    assert images[0]["alt"] == "Photograph of 50% red, 50% blue"
    assert images[1]["alt"] == "50% red, 50% blue, drawn at step 400"
    charts = page.find("svg")
    assert len(charts) == 3
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    for table in page.find("div"):
        if "scroll" in (table.get("class") or ""):
            assert table["tabindex"] == "0"
            assert table["aria-label"]


def test_corrected_captions_are_shown_with_what_was_given_and_measured() -> None:
    image = np.full((40, 40, 3), 90, np.uint8)
    page = report(shown=Pictures((), {}, {"2.jpg": image}))
    text = page.text
    assert "1 of 5 photographs" in text
    assert "2.jpg 70% red, 30% white 30% red, 70% white 31% red, 69% white" in re.sub(
        r"\s+", " ", " ".join(page.texts)
    )
    assert len(page.find("img")) == 1


def test_of_many_corrected_captions_the_rest_is_counted() -> None:
    changed = [
        photographed(f"{number}.jpg", {"RED": 1.0}, given=None, origin="measured")
        for number in range(MOST_PHOTOGRAPHS + 7)
    ]
    page = report(inspection=inspected(*changed))
    assert "And 7 more; training.json has them all." in page.text
    assert "none that could be read" in page.text


def test_captions_that_were_all_used_as_given_are_said_to_be() -> None:
    page = report(inspection=inspected(photographed("1.jpg", {"RED": 1.0})))
    assert "The captions of all 1 photograph were used as given." in page.text


def test_names_from_outside_are_text_and_nothing_else() -> None:
    evil = "<img src=x onerror=alert(1)>&.jpg"
    inspection = inspected(
        photographed(evil, {"RED": 1.0}, origin="corrected", given="<b>60% red</b>"),
        warnings=(f"{evil}: is small",),
        palette_rows=({**CALIBRATED, "median_srgb": '"><script>'},),
    )
    page = report(trained(device="<i>card</i>", base="a&b<c>"), inspection)
    assert {name for name, _ in page.elements}.isdisjoint({"script", "b"})
    assert page.find("img") == []
    assert page.text.count(evil) == 2


def test_warnings_and_calibrated_colors_are_there_where_there_are_any() -> None:
    assert "Warnings" not in report().text
    assert "Your colours" not in report().text
    page = report(
        trained(warnings=("memory ran out",)),
        inspected(warnings=("1.jpg: is small",), palette_rows=(CALIBRATED,)),
    )
    assert "Warnings 1.jpg: is small memory ran out" in page.text
    assert "brick red" in page.text


def test_a_training_with_one_evaluation_and_no_trials_has_a_report() -> None:
    facts = trained(evaluations=(evaluated(20, 0.1, 1.0),), chosen=20, trials=(), curve=())
    assert "Step 20 of 600 was kept" in report(facts).text


def test_figures_that_are_no_numbers_do_not_break_it() -> None:
    facts = trained()
    broken = replace(facts.evaluations[1], loss=math.nan)
    page = report(
        replace(facts, evaluations=(facts.evaluations[0], broken, *facts.evaluations[2:]))
    )
    assert "nan" in page.text
    assert not any("nan" in str(line["points"]) for line in page.find("polyline"))


def test_the_page_is_the_same_each_time(tmp_path: Path) -> None:
    facts = trained()
    shown = load_shown(tmp_path, facts)
    assert write_report(facts, inspected(), shown) == write_report(facts, inspected(), shown)


# Pictures


def test_pictures_that_are_gone_are_left_out(tmp_path: Path) -> None:
    facts = trained()
    save_pictures(tmp_path, facts)
    (tmp_path / "samples" / "step-000200-2.jpg").unlink()
    (tmp_path / "samples" / "photograph-1.jpg").write_bytes(b"damaged")
    loaded = load_pictures(tmp_path, [200, 400], 2, {"x.jpg": tmp_path / "x.jpg"})
    assert loaded.held_out == ()
    assert list(loaded.drawings) == [400]
    assert loaded.photographs == {}


def test_pictures_are_small_in_the_report_whatever_their_form(tmp_path: Path) -> None:
    pictures.save_drawing(tmp_path, 0, 0, np.zeros((1024, 1024, 3), np.uint8))
    pictures.save_held_out(tmp_path, 0, np.zeros((300, 1200, 3), np.uint8))
    loaded = load_pictures(tmp_path, [0], 1, {})
    assert loaded.drawings[0][0].shape == (288, 288, 3)
    assert loaded.held_out[0].shape == (72, 288, 3)


# Charts


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.235, [0, 0.05, 0.1, 0.15, 0.2, 0.25]),
        (0.114, 0.152, [0.11, 0.12, 0.13, 0.14, 0.15, 0.16]),
        (3, 3, [3.0, 3.1, 3.2, 3.3]),
    ],
)
def test_ticks_are_round_and_hold_all_values(low: float, high: float, ticks: list[float]) -> None:
    found = list_ticks(low, high)
    assert found[0] <= low + 1e-9
    assert found[-1] >= high - 1e-9
    assert found == pytest.approx(ticks)


def test_a_curve_is_smoothed_by_what_came_before() -> None:
    points = [(step, float(step)) for step in range(4)]
    assert smooth(points, 2) == [(0, 0.0), (1, 0.5), (2, 1.5), (3, 2.5)]


@pytest.mark.parametrize(
    "points", [[], [(10, 0.5)], [(0, math.nan), (5, 1.0)], [(0, 0.0), (1e6, 0.0)]]
)
def test_charts_are_drawn_of_whatever_there_is(points: list[tuple[float, float]]) -> None:
    text = draw_chart("a & b", [Line(points, "main", dots=True)], 10, percent=True)
    places = [float(x) for x in re.findall(r'(?:cx|cy|x1|y1)="([^"]+)"', text)]
    assert all(0 <= place <= 400 for place in places)
    assert 'aria-label="a &amp; b"' in text
    Page(text)


def test_long_curves_are_thinned_out() -> None:
    points = [(step, 1 + math.sin(step)) for step in range(20_000)]
    assert len(draw_chart("loss", [Line(points, "main")], 0)) < 10_000
