"""The pipeline: Recipe -> preview, final and colormap, each as soon as it is ready.

Imports: engines, matching, and what lies below them.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plitka import __version__
from plitka.engines.base import Drawn, DrawRequest, Engine, Guides
from plitka.matching.match import match
from plitka.measure.shares import measure, total_variation
from plitka.request.controlnet import ControlNetChoice
from plitka.request.plan import PICTURE_SIZES, PictureKind, Plan, make_plan
from plitka.request.recipe import Recipe, draw_seed
from plitka.runtime.background import BackgroundWorker
from plitka.runtime.memory import measure_peak_memory_mb
from plitka.runtime.timing import Stages, log
from plitka.tile import render
from plitka.tile.layout import NONE, Layout, lay

Json: TypeAlias = dict[str, Any]
_Measured: TypeAlias = tuple[NDArray[np.uint8], tuple[float, ...]]  # an image and its shares


@dataclass(frozen=True)
class Picture:
    """One picture of a prediction.

    image: (size, size, 3) RGB, 0 to 255. shares: each colour's share of the visible area as
    measured on the picture, 0 to 1, in the order of the recipe. record: how it was made, for its
    PNG file; equal for equal requests. metrics: what is known about the run so far, in types that
    Cog takes as metrics; those of the last picture are complete.
    """

    kind: PictureKind
    image: NDArray[np.uint8]
    shares: tuple[float, ...]
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
    with stages("layout"):
        layout = lay(plan.recipe)
    with BackgroundWorker(overlap) as worker:
        yield from _make_pictures(_Run(plan, layout, engine, stages), worker, at_step)


def make_one(kind: PictureKind, recipe: Recipe, engine: Engine, layout: Layout) -> Picture:
    """Make one of the pictures of `make`. layout: the recipe's, whose seed is drawn already."""
    engine.check(recipe)
    run = _Run(plan_for_engine(recipe, engine), layout, engine, Stages())
    if kind == "colormap":
        return run.report_colormap(*run.draw_colormap())
    with run.stages(kind):
        drawn = run.draw(kind, run.make_guides(kind))
    return run.match_and_report(kind, drawn)


def plan_for_engine(recipe: Recipe, engine: Engine) -> Plan:
    """Plan a recipe for an engine, which may know no tokens and use no ControlNet."""
    plan = make_plan(recipe, engine.knows_tokens)
    if engine.uses_controlnet:
        return plan
    unused = ControlNetChoice(None, f"the {engine.name} engine draws without one")
    return replace(plan, control=unused)


def is_matched(plan: Plan, engine: Engine) -> bool:
    """Whether the pictures of a plan are matched to its layout."""
    return plan.color_control == "layout" and engine.needs_matching


def _make_pictures(
    run: "_Run", worker: BackgroundWorker, at_step: Callable[[PictureKind], None]
) -> Iterator[Picture]:
    """Make the three pictures.

    The worker's thread makes the final picture's guides and the colormap while the preview is
    drawn, and draws the final picture while the preview is matched and handed out.
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
    yield run.match_and_report("final", final.result())
    yield run.report_colormap(*colormap.result())


class _Run:
    """One run of the pipeline: the steps that it consists of, and its report."""

    def __init__(self, plan: Plan, layout: Layout, engine: Engine, stages: Stages) -> None:
        self.stages = stages
        self._plan = plan
        self._layout = layout
        self._engine = engine
        self._matched = is_matched(plan, engine)
        self._report = _Report(plan, engine.name, self._matched, stages)

    def make_guides(self, kind: PictureKind) -> Guides:
        return self._engine.make_guides(self._plan, self._layout, PICTURE_SIZES[kind])

    def draw(
        self, kind: PictureKind, guides: Guides, at_step: Callable[[], None] = lambda: None
    ) -> Drawn:
        """Draw the preview or the final picture."""
        steps = self._plan.steps_preview if kind == "preview" else self._plan.steps_final
        request = DrawRequest(self._plan, self._layout, PICTURE_SIZES[kind], steps, guides)
        return self._engine.draw(request, at_step)

    def draw_colormap(self) -> _Measured:
        with self.stages("colormap"):
            size = PICTURE_SIZES["colormap"]
            image = render.render_colormap(self._layout, size)
            return image, _measure_exactly(self._layout, size)

    def match_and_report(self, kind: PictureKind, drawn: Drawn) -> Picture:
        """Match the picture to the layout where it is to be, and measure its shares."""
        if not self._matched:
            with self.stages(f"measure_{kind}"):
                shares = measure(drawn.image, self._layout.colors).shares
            self._report.add_drawn(kind, drawn, shares)
            return self._report.complete(kind, drawn.image, shares)
        with self.stages(f"match_{kind}"):
            matched = match(drawn.image, self._layout)
        self._report.add_drawn(kind, drawn, matched.before.shares)
        return self._report.complete(kind, matched.image, matched.after.shares)

    def report_colormap(self, image: NDArray[np.uint8], shares: tuple[float, ...]) -> Picture:
        return self._report.complete("colormap", image, shares)


class _Report:
    """What is known about one run so far: the source of each picture's record and metrics."""

    def __init__(self, plan: Plan, engine: str, matched: bool, stages: Stages) -> None:
        self._plan = plan
        self._engine = engine
        self._matched = matched
        self._stages = stages
        self._shares: dict[PictureKind, tuple[float, ...]] = {}
        self._shares_before: dict[PictureKind, tuple[float, ...]] = {}  # as drawn, not yet matched
        self._steps: Json = {}
        self._engine_metrics: Json = {}

    def add_drawn(self, kind: PictureKind, drawn: Drawn, shares: tuple[float, ...]) -> None:
        """Add what the engine reports about a picture, and its shares before matching."""
        self._shares_before[kind] = shares
        self._steps[kind] = drawn.steps
        if drawn.metrics:
            self._engine_metrics[kind] = drawn.metrics

    def complete(
        self, kind: PictureKind, image: NDArray[np.uint8], shares: tuple[float, ...]
    ) -> Picture:
        """Add a finished picture, and return it with its record and the metrics so far."""
        self._shares[kind] = shares
        return Picture(kind, image, shares, self._make_record(kind, shares), self._make_metrics())

    def _make_record(self, kind: PictureKind, shares: Sequence[float]) -> Json:
        plan = self._plan
        return {
            "version": __version__,
            "picture": kind,
            "request": plan.recipe.request(),
            "seed": plan.recipe.seed,
            "prompt": plan.prompt,
            "negative_prompt": plan.negative_prompt,
            "engine": self._engine,
            "controlnet": plan.control.kind,
            **self._describe_shares(shares),
            "matched": self._matched and kind in self._shares_before,
            "before_matching": self._describe_shares(self._shares_before.get(kind, shares)),
        }

    def _describe_shares(self, shares: Sequence[float]) -> Json:
        names = [part.name for part in self._plan.recipe.shares]
        measured = {name: round(share, 5) for name, share in zip(names, shares, strict=True)}
        return {"measured": measured, "total_variation": self._total_variation(shares)}

    def _make_metrics(self) -> Json:
        plan = self._plan
        return {
            "seed": plan.recipe.seed,
            "engine": self._engine,
            "controlnet": plan.control.kind or "none",
            "controlnet_reason": plan.control.reason,
            "steps": dict(self._steps),
            **({"drawing": dict(self._engine_metrics)} if self._engine_metrics else {}),
            "seconds": dict(self._stages.seconds),
            "peak_memory_mb": measure_peak_memory_mb(),
            "colors": [
                {
                    "name": part.name,
                    "requested": round(part.share, 5),
                    **{kind: round(shares[i], 5) for kind, shares in self._shares.items()},
                    "before_matching": {
                        kind: round(shares[i], 5) for kind, shares in self._shares_before.items()
                    },
                }
                for i, part in enumerate(plan.recipe.shares)
            ],
            "total_variation": {
                kind: self._total_variation(shares) for kind, shares in self._shares.items()
            },
            "total_variation_before_matching": {
                kind: self._total_variation(shares) for kind, shares in self._shares_before.items()
            },
            "matched": self._matched,
        }

    def _total_variation(self, shares: Sequence[float]) -> float:
        requested = [part.share for part in self._plan.recipe.shares]
        return round(total_variation(shares, requested), 5)


def _describe_controlnet(plan: Plan) -> str:
    return f"{plan.control.kind or 'none'} ({plan.control.reason})"


def _measure_exactly(layout: Layout, size: int) -> tuple[float, ...]:
    """Each colour's share of the layout's visible area, counted at `size` pixels a side."""
    colors = layout.map_colors(size)
    area = np.bincount(colors[colors != NONE], minlength=len(layout.colors))
    return tuple((area / area.sum()).tolist())
