"""The pipeline: Recipe -> preview, final and colormap, each as soon as it is ready.

Imports: engines, ground, matching, and what lies below them.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plitka import __version__
from plitka.engines.base import Drawn, DrawRequest, Engine, Guides
from plitka.ground.ground import make_ground
from plitka.ground.mat import Mat, Weaver, weave_picture
from plitka.ground.plan_view import (
    ColorPlan,
    deal_plan,
    draw_color_plan,
    draw_plan,
    measure_scale,
)
from plitka.ground.zones import ZoneArea, measure_zones, sum_up_shares
from plitka.matching.match import Begin, match
from plitka.measure.description import name_groups, name_intervals, name_shares, round_interval
from plitka.measure.shares import Measurement, measure, total_variation
from plitka.request.controlnet import ControlNetChoice
from plitka.request.plan import PICTURE_SIZES, PictureKind, Plan, make_plan
from plitka.request.recipe import Recipe, draw_seed
from plitka.request.shares import ColorShare
from plitka.runtime.background import BackgroundWorker
from plitka.runtime.memory import measure_peak_memory_mb
from plitka.runtime.timing import Stages, log
from plitka.tile import render
from plitka.tile.layout import NONE, Layout

Json: TypeAlias = dict[str, Any]
_Shares: TypeAlias = tuple[float, ...]  # of the visible area, 0 to 1, in the recipe's order


@dataclass(frozen=True)
class Picture:
    """One picture of a prediction.

    image: (size, size, 3) RGB, 0 to 255; of a surface, its plan view, whose longer side has that
    size. shares: each colour's share of the visible area, 0 to 1, in the order of `sum_up_shares`,
    which is the recipe's own without a surface: counted on the layout where the picture shows it
    exactly, else measured on the picture. measured: what a stranger finds on the picture, who
    knows only which colours to look for; None for the colormap, and for surfaces. record: how it
    was made, for its PNG file; equal for equal requests. metrics: what is known about the run so
    far, in types that Cog takes as metrics; those of the last picture are complete.
    """

    kind: PictureKind
    image: NDArray[np.uint8]
    shares: _Shares
    measured: Measurement | None
    record: Json
    metrics: Json


def make(
    recipe: Recipe,
    engine: Engine,
    overlap: bool = True,
    at_step: Callable[[PictureKind], None] = lambda kind: None,
) -> Generator[Picture, None, None]:
    """Make the pictures of a recipe, in order: preview, final, colormap.

    overlap: whether the final picture is drawn while the preview is matched and handed out. The
    pictures are the same.
    at_step: called after each denoising step of a picture; may raise to abort the run.
    """
    engine.check(recipe)
    stages = Stages()
    plan = plan_for_engine(draw_seed(recipe), engine)
    log.info("seed %d, ControlNet %s", plan.recipe.seed, _describe_controlnet(plan))
    if recipe.surface is not None:
        surface = _SurfaceRun(plan, engine, stages, lambda: at_step("preview"))
        yield from map(surface.make, PICTURE_SIZES)
        return
    with stages("layout"):
        layout = engine.lay(plan.recipe)
    with BackgroundWorker(overlap) as worker:
        yield from _make_pictures(_Run(plan, layout, engine, stages), worker, at_step)


def make_one(kind: PictureKind, recipe: Recipe, engine: Engine, layout: Layout) -> Picture:
    """Make one of the pictures of `make`. layout: the recipe's, whose seed is drawn already.

    A surface is laid with tiles of its own, and does without.
    """
    engine.check(recipe)
    if recipe.surface is not None:
        return _SurfaceRun(plan_for_engine(recipe, engine), engine, Stages()).make(kind)
    run = _Run(plan_for_engine(recipe, engine), layout, engine, Stages())
    if kind == "colormap":
        return run.report_colormap(*run.draw_colormap())
    with run.stages(kind):
        drawn = run.draw(kind, run.make_guides(kind))
    return run.match_and_report(kind, drawn)


def plan_for_engine(recipe: Recipe, engine: Engine) -> Plan:
    """Plan a recipe for an engine, which has a subject of its own and may use no ControlNet."""
    plan = make_plan(recipe, engine.subject, engine.presets)
    if engine.uses_controlnet:
        return plan
    unused = ControlNetChoice(None, f"the {engine.name} engine draws without one")
    return replace(plan, control=unused)


def is_matched(plan: Plan, engine: Engine) -> bool:
    """Whether the pictures of a plan are matched to its layout."""
    return plan.color_control == "layout" and not engine.draws_exactly


def _make_pictures(
    run: "_Run", worker: BackgroundWorker, at_step: Callable[[PictureKind], None]
) -> Iterator[Picture]:
    """Make the three pictures.

    The worker's thread makes the final picture's guides and the colormap while the preview is
    drawn, draws the final picture while the preview is matched and handed out, and then measures
    it while its granules are found.
    """

    def make_final_guides() -> Guides:
        with run.stages("guides_final"):
            return run.make_guides("final")

    def at_final_step() -> None:
        worker.check_cancelled()
        at_step("final")

    def draw_final() -> Drawn:
        guides = final_guides.result()
        with run.stages("final"):
            return run.draw("final", guides, at_final_step)

    final_guides = worker.submit(make_final_guides)
    colormap = worker.submit(run.draw_colormap)
    with run.stages("preview"):
        preview = run.draw("preview", run.make_guides("preview"), lambda: at_step("preview"))
    final = worker.submit(draw_final)
    yield run.match_and_report("preview", preview)
    drawn = final.result()  # and the worker has nothing more to do
    yield run.match_and_report("final", drawn, lambda work: worker.submit(work).result)
    yield run.report_colormap(*colormap.result())


class _Run:
    """One run of the pipeline: the steps that it consists of, and its report."""

    def __init__(self, plan: Plan, layout: Layout, engine: Engine, stages: Stages) -> None:
        self.stages = stages
        self._plan = plan
        self._layout = layout
        self._engine = engine
        self._matched = is_matched(plan, engine)
        self._report = _Report(plan, engine.name, self._matched, stages, plan.recipe.shares)

    def make_guides(self, kind: PictureKind) -> Guides:
        return self._engine.make_guides(self._plan, self._layout, PICTURE_SIZES[kind])

    def draw(
        self, kind: PictureKind, guides: Guides, at_step: Callable[[], None] = lambda: None
    ) -> Drawn:
        """Draw the preview or the final picture."""
        steps = self._plan.steps_preview if kind == "preview" else self._plan.steps_final
        request = DrawRequest(self._plan, self._layout, PICTURE_SIZES[kind], steps, guides)
        return self._engine.draw(request, at_step)

    def draw_colormap(self) -> tuple[NDArray[np.uint8], _Shares]:
        """Draw the colormap; returns it with its shares."""
        with self.stages("colormap"):
            size = PICTURE_SIZES["colormap"]
            return render.render_colormap(self._layout, size), _count_shares(self._layout, size)

    def match_and_report(
        self, kind: PictureKind, drawn: Drawn, begin: Begin = lambda work: work
    ) -> Picture:
        """Match the picture to the layout where it is to be, and find its shares.

        begin: see `match`.
        """
        if self._matched:
            with self.stages(f"match_{kind}"):
                matched = match(drawn.image, self._layout, begin)
            self._report.add_drawn(kind, drawn, matched.before)
            return self._report.complete(kind, matched.image, measured=matched.after)
        with self.stages(f"measure_{kind}"):
            measured = measure(drawn.image, self._layout.colors)
            exact = self._engine.draws_exactly
            counted = _count_shares(self._layout, PICTURE_SIZES[kind]) if exact else None
        self._report.add_drawn(kind, drawn, measured)
        return self._report.complete(kind, drawn.image, counted, measured)

    def report_colormap(self, image: NDArray[np.uint8], shares: _Shares) -> Picture:
        return self._report.complete("colormap", image, shares)


class _SurfaceRun:
    """One run for a surface: a tile of each mix is drawn, and the surface is laid with them."""

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        stages: Stages,
        at_step: Callable[[], None] = lambda: None,
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._stages = stages
        self._at_step = at_step
        self._parts = sum_up_shares(plan.recipe)
        self._report = _Report(plan, engine.name, is_matched(plan, engine), stages, self._parts)
        self._measured: dict[tuple[ColorShare, ...], Measurement] = {}
        self._weaver = Weaver()
        with stages("ground"):
            self._ground = make_ground(plan.recipe, self._weave)

    def make(self, kind: PictureKind) -> Picture:
        """Make one of the surface's pictures, all of them seen from above."""
        size = PICTURE_SIZES[kind]
        with self._stages(kind):
            dealt = deal_plan(self._ground, self._plan.recipe, self._parts, size)
            colormap = kind == "colormap"
            image = draw_color_plan(dealt) if colormap else draw_plan(self._ground, size)
        self._report.add_surface(kind, self._describe(dealt, size))
        if kind == "colormap" or self._engine.draws_exactly:
            return self._report.complete(kind, image, dealt.count_shares())
        return self._report.complete(kind, image, self._sum_up_measured(), exact=False)

    def _sum_up_measured(self) -> _Shares:
        """Sum up what was measured on the tiles, each as much as there is of its zone."""
        zones = measure_zones(self._plan.recipe)
        whole = sum(zone.area_m2 for zone in zones)
        summed = dict.fromkeys((part.color.srgb for part in self._parts), 0.0)
        for zone in zones:
            measured = self._measured[zone.shares].shares
            for part, share in zip(zone.shares, measured, strict=True):
                summed[part.color.srgb] += share * zone.area_m2 / whole
        return tuple(summed.values())

    def _weave(self, tile: Recipe) -> Mat:
        """Draw a tile of one mix, and make a mat of it."""
        self._at_step()
        if self._engine.name == "render":  # whose granules can be laid so that they repeat
            return self._weaver(tile)
        layout = self._engine.lay(tile)
        run = _Run(plan_for_engine(tile, self._engine), layout, self._engine, self._stages)
        drawn = run.draw("final", run.make_guides("final"), self._at_step)
        self._report.add_steps(drawn.steps)
        picture = run.match_and_report("final", drawn)
        if picture.measured is not None and not self._engine.draws_exactly:
            self._measured[tile.shares] = picture.measured
        return weave_picture(picture.image, layout)

    def _describe(self, dealt: ColorPlan, size: int) -> Json:
        """Describe a plan view: its scale and its zones, with what is counted of each mix."""
        surface = self._plan.recipe.surface
        assert surface is not None, "a recipe without a surface"
        zones = zip(measure_zones(self._plan.recipe), dealt.shares, strict=True)
        return {
            "width_mm": surface.width_mm,
            "length_mm": surface.length_mm,
            "mm_per_pixel": round(measure_scale(self._ground, size).mm_per_pixel, 6),
            "zones": [self._describe_zone(zone, counted) for zone, counted in zones],
        }

    def _describe_zone(self, zone: ZoneArea, counted: _Shares) -> Json:
        names = [part.name for part in zone.shares]
        line: Json = {"line": zone.line, "line_m": round(zone.line_m, 4)} if zone.line else {}
        measured = self._measured.get(zone.shares)
        told = {"measured": name_shares(measured.shares, names)} if measured is not None else {}
        return {
            "name": zone.name,
            "area_m2": round(zone.area_m2, 5),
            **line,
            "requested": name_shares((part.share for part in zone.shares), names),
            "shares": name_shares(counted, names),
            **told,
        }


class _Report:
    """What is known about one run so far: the source of each picture's record and metrics."""

    def __init__(
        self,
        plan: Plan,
        engine: str,
        matched: bool,
        stages: Stages,
        parts: Sequence[ColorShare],
    ) -> None:
        """parts: the colours that pictures are to show, and their shares."""
        self._plan = plan
        self._engine = engine
        self._matched = matched
        self._stages = stages
        self._names = [part.name for part in parts]
        self._requested = [part.share for part in parts]
        self._surfaces: dict[PictureKind, Json] = {}
        self._shown: dict[PictureKind, _Shown] = {}
        self._measured: dict[PictureKind, Measurement] = {}
        self._before: dict[PictureKind, Measurement] = {}  # as drawn, not yet matched
        self._steps: Json = {}
        self._engine_metrics: Json = {}

    def add_drawn(self, kind: PictureKind, drawn: Drawn, measured: Measurement) -> None:
        """Add what the engine reports about a picture, and what it shows before matching."""
        self._before[kind] = measured
        self._steps[kind] = drawn.steps
        if drawn.metrics:
            self._engine_metrics[kind] = drawn.metrics

    def add_steps(self, steps: int) -> None:
        """Add the steps of one of the tiles that a surface is laid with."""
        self._steps["tiles"] = self._steps.get("tiles", 0) + steps

    def add_surface(self, kind: PictureKind, described: Json) -> None:
        """Add what is known of the surface on a picture."""
        self._surfaces[kind] = described

    def complete(
        self,
        kind: PictureKind,
        image: NDArray[np.uint8],
        counted: _Shares | None = None,
        measured: Measurement | None = None,
        exact: bool = True,
    ) -> Picture:
        """Add a finished picture, and return it with its record and the metrics so far.

        counted: its shares on the layout, where it shows that exactly. measured: what a stranger
        finds on it. One of the two at least is given. exact: whether `counted` is counted on this
        picture's layout, or put together from the tiles that a surface is laid with.
        """
        self._shown[kind] = shown = self._sum_up(counted, measured, exact)
        if measured is not None:
            self._measured[kind] = measured
        record = self._make_record(kind)
        return Picture(kind, image, shown.shares, measured, record, self._make_metrics())

    def _sum_up(
        self, counted: _Shares | None, measured: Measurement | None, exact: bool
    ) -> "_Shown":
        """Sum up what a picture shows: what is counted, where that is known."""
        if counted is not None:
            variation = total_variation(counted, self._requested)
            return _Shown(counted, exact, round(variation, 5))
        assert measured is not None
        return _Shown(measured.shares, False, self._compare(measured))

    def _make_record(self, kind: PictureKind) -> Json:
        plan = self._plan
        return {
            "version": __version__,
            "picture": kind,
            "request": plan.recipe.request(),
            "understood": plan.recipe.understood(),
            "seed": plan.recipe.seed,
            "trigger": plan.subject.trigger,
            "prompt": plan.prompt,
            "negative_prompt": plan.negative_prompt,
            "engine": self._engine,
            "controlnet": plan.control.kind,
            **self._describe_shares(kind),
            **({"surface": self._surfaces[kind]} if kind in self._surfaces else {}),
        }

    def _describe_shares(self, kind: PictureKind) -> Json:
        shown = self._shown[kind]
        shares = name_shares(shown.shares, self._names)
        variation = {"total_variation": shown.total_variation}
        described: Json = {"shares": shares, "counted": shown.counted, **variation}
        if kind not in self._measured:  # the colormap, whose counted shares older readers look for
            old = {"measured": shares, **variation}
            return {**described, **old, "matched": False, "before_matching": old}
        measured, before = self._measured[kind], self._before[kind]
        return {
            **described,
            **self._describe_measured(measured),
            "total_variation_measured": self._compare(measured),
            "matched": self._matched,
            "before_matching": {
                **self._describe_measured(before),
                "total_variation": self._compare(before),
            },
        }

    def _describe_measured(self, measured: Measurement) -> Json:
        return {
            "measured": name_shares(measured.shares, self._names),
            "intervals": name_intervals(measured, self._names),
            "groups": name_groups(measured, self._names),
        }

    def _make_metrics(self) -> Json:
        plan = self._plan
        return {
            "seed": plan.recipe.seed,
            "understood": plan.recipe.understood(),
            "engine": self._engine,
            "trigger": plan.subject.trigger,
            "controlnet": plan.control.kind or "none",
            "controlnet_reason": plan.control.reason,
            "steps": dict(self._steps),
            **({"drawing": dict(self._engine_metrics)} if self._engine_metrics else {}),
            "seconds": dict(self._stages.seconds),
            "peak_memory_mb": measure_peak_memory_mb(),
            "colors": [self._describe_color(index) for index in range(len(self._names))],
            "groups": self._name_groups(self._measured),
            "groups_before_matching": self._name_groups(self._before),
            "total_variation": {kind: s.total_variation for kind, s in self._shown.items()},
            "total_variation_measured": self._compare_each(self._measured),
            "total_variation_before_matching": self._compare_each(self._before),
            "counted": [kind for kind, shown in self._shown.items() if shown.counted],
            "matched": self._matched,
            **self._list_zones(),
        }

    def _list_zones(self) -> Json:
        """List the zones of the last picture; nothing without a surface."""
        described = list(self._surfaces.values())
        return {"zones": described[-1]["zones"]} if described else {}

    def _describe_color(self, index: int) -> Json:
        return {
            "name": self._names[index],
            "requested": round(self._requested[index], 5),
            **{kind: round(shown.shares[index], 5) for kind, shown in self._shown.items()},
            "measured": {kind: round(m.shares[index], 5) for kind, m in self._measured.items()},
            "intervals": _list_intervals(self._measured, index),
            "before_matching": {
                kind: round(m.shares[index], 5) for kind, m in self._before.items()
            },
            "intervals_before_matching": _list_intervals(self._before, index),
        }

    def _name_groups(self, measured: Mapping[PictureKind, Measurement]) -> Json:
        return {kind: name_groups(m, self._names) for kind, m in measured.items()}

    def _compare_each(self, measured: Mapping[PictureKind, Measurement]) -> Json:
        return {kind: self._compare(m) for kind, m in measured.items()}

    def _compare(self, measured: Measurement) -> float:
        return round(measured.compare(self._requested), 5)


@dataclass(frozen=True)
class _Shown:
    """What one picture shows: its shares, whether they are counted, and how far they are off."""

    shares: _Shares
    counted: bool
    total_variation: float


def _list_intervals(measured: Mapping[PictureKind, Measurement], index: int) -> Json:
    return {kind: round_interval(m.intervals[index]) for kind, m in measured.items()}


def _describe_controlnet(plan: Plan) -> str:
    return f"{plan.control.kind or 'none'} ({plan.control.reason})"


def _count_shares(layout: Layout, size: int) -> _Shares:
    """Count each colour's share of the layout's visible area at `size` pixels a side."""
    colors = layout.map_colors(size)
    area = np.bincount(colors[colors != NONE], minlength=len(layout.colors))
    return tuple((area / area.sum()).tolist())
