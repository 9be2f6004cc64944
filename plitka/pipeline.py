"""The conductor: Recipe -> preview, final and colormap, each as soon as it is ready."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plitka import __version__
from plitka.engines.base import Drawn, Engine, Guides
from plitka.matching.match import match
from plitka.measure.shares import measure, total_variation
from plitka.request.controlnet import ControlNetChoice
from plitka.request.plan import PICTURE_SIZES, PictureKind, Plan, make_plan
from plitka.request.recipe import Recipe, draw_seed
from plitka.runtime.background import BackgroundWorker
from plitka.runtime.memory import peak_memory_mb
from plitka.runtime.timing import Stages, log
from plitka.tile import render
from plitka.tile.layout import NONE, Layout, lay

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """One picture of a prediction.

    image: (size, size, 3) RGB, 0..255. shares: what was measured on it, in the order of the
    recipe's colours. record: how it was made, for its PNG file; equal for equal requests.
    metrics: what was learnt up to here, in types that Cog takes as metrics; the last picture's
    are complete.
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
    at_step: is called after each denoising step of a picture, and may raise to end the run.
    """
    engine.check(recipe)
    stages = Stages()
    settled = plan_for_engine(draw_seed(recipe), engine)
    log.info("seed %d, ControlNet %s", settled.recipe.seed, _control(settled))
    with stages("layout"):
        layout = lay(settled.recipe)
    with BackgroundWorker(overlap) as ahead:
        yield from _pictures(_Workbench(settled, layout, engine, stages), ahead, at_step)


def make_one(kind: PictureKind, recipe: Recipe, engine: Engine, layout: Layout) -> Picture:
    """One of the pictures that `make` makes, of a recipe whose seed is drawn and of its layout."""
    engine.check(recipe)
    settled = plan_for_engine(recipe, engine)
    bench = _Workbench(settled, layout, engine, Stages())
    run = _Record(settled, engine.name, is_matched(settled, engine), bench.stages)
    if kind == "colormap":
        return run.picture(kind, *bench.colormap())
    steps = settled.steps_preview if kind == "preview" else settled.steps_final
    return run.picture(kind, *bench.finished(kind, bench.draw(kind, steps), run))


def plan_for_engine(recipe: Recipe, engine: Engine) -> Plan:
    """The plan that an engine follows."""
    settled = make_plan(recipe, engine.tokens)
    if engine.uses_controlnet:
        return settled
    unused = ControlNetChoice(None, f"the {engine.name} engine draws without one")
    return replace(settled, control=unused)


def _pictures(
    bench: "_Workbench", ahead: BackgroundWorker, at_step: Callable[[PictureKind], None]
) -> Iterator[Picture]:
    """What needs no result of the step before it is done ahead, while that step is at work."""
    settled = bench.settled
    run = _Record(settled, bench.engine.name, is_matched(settled, bench.engine), bench.stages)
    guides = ahead.start(lambda: bench.guides("final"))
    colormap = ahead.start(bench.colormap)

    def at_final_step() -> None:
        ahead.go_on()
        at_step("final")

    preview = bench.draw("preview", settled.steps_preview, at_step=lambda: at_step("preview"))
    final = ahead.start(
        lambda: bench.draw("final", settled.steps_final, guides.result(), at_final_step)
    )
    yield run.picture("preview", *bench.finished("preview", preview, run))
    yield run.picture("final", *bench.finished("final", final.result(), run))
    yield run.picture("colormap", *colormap.result())


@dataclass(frozen=True)
class _Workbench:
    """The steps of one run, each a stage."""

    settled: Plan
    layout: Layout
    engine: Engine
    stages: Stages

    def guides(self, kind: PictureKind) -> Guides:
        with self.stages(f"guides_{kind}"):
            return self.engine.guides(self.settled, self.layout, PICTURE_SIZES[kind])

    def draw(
        self,
        kind: PictureKind,
        steps: int,
        guides: Guides | None = None,
        at_step: Callable[[], None] = lambda: None,
    ) -> Drawn:
        with self.stages(kind):
            return self.engine.draw(
                self.settled, self.layout, PICTURE_SIZES[kind], steps, guides, at_step
            )

    def finished(
        self, kind: PictureKind, drawn: Drawn, run: "_Record"
    ) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
        """The picture, matched where it is to be, and the shares measured on it."""
        image, colors = drawn.image, self.layout.colors
        if not is_matched(self.settled, self.engine):
            with self.stages(f"measure_{kind}"):
                shares = measure(image, colors).shares
            run.drawn(kind, drawn, shares)
            return image, shares
        with self.stages(f"match_{kind}"):
            matched = match(image, self.layout)
        run.drawn(kind, drawn, matched.before.shares)
        return matched.image, matched.after.shares

    def colormap(self) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
        with self.stages("colormap"):
            size = PICTURE_SIZES["colormap"]
            return render.render_colormap(self.layout, size), _exact_shares(self.layout, size)


def is_matched(settled: Plan, engine: Engine) -> bool:
    """Whether the engine's pictures are matched to the layout: the render's are it already."""
    return settled.color_control == "layout" and engine.name != "render"


class _Record:
    """What one run has learnt so far, picture by picture."""

    def __init__(self, settled: Plan, engine: str, matched: bool, stages: Stages) -> None:
        self._plan = settled
        self._engine = engine
        self._matched = matched
        self._stages = stages
        self._measured: dict[PictureKind, tuple[float, ...]] = {}
        self._before: dict[PictureKind, tuple[float, ...]] = {}  # the same before matching
        self._steps: Json = {}
        self._drawn: Json = {}

    def drawn(self, kind: PictureKind, drawn: Drawn, shares: tuple[float, ...]) -> None:
        """Keep what the engine tells of a picture, and its shares before matching."""
        self._before[kind] = shares
        self._steps[kind] = drawn.steps
        if drawn.metrics:
            self._drawn[kind] = drawn.metrics

    def picture(
        self, kind: PictureKind, image: NDArray[np.uint8], shares: tuple[float, ...]
    ) -> Picture:
        self._measured[kind] = shares
        return Picture(kind, image, shares, self._record(kind, shares), self._metrics())

    def _record(self, kind: PictureKind, shares: Sequence[float]) -> Json:
        settled = self._plan
        return {
            "version": __version__,
            "picture": kind,
            "request": settled.recipe.request(),
            "seed": settled.recipe.seed,
            "prompt": settled.prompt,
            "negative_prompt": settled.negative_prompt,
            "engine": self._engine,
            "controlnet": settled.control.kind,
            **self._measurement(shares),
            "matched": self._matched and kind in self._before,
            "before_matching": self._measurement(self._before.get(kind, shares)),
        }

    def _measurement(self, shares: Sequence[float]) -> Json:
        names = [part.name for part in self._plan.recipe.shares]
        measured = {name: round(share, 5) for name, share in zip(names, shares, strict=True)}
        return {"measured": measured, "total_variation": self._total_variation(shares)}

    def _metrics(self) -> Json:
        settled = self._plan
        return {
            "seed": settled.recipe.seed,
            "engine": self._engine,
            "controlnet": settled.control.kind or "none",
            "controlnet_reason": settled.control.reason,
            "steps": dict(self._steps),
            **({"drawing": dict(self._drawn)} if self._drawn else {}),
            "seconds": dict(self._stages.seconds),
            "peak_memory_mb": peak_memory_mb(),
            "colors": [
                {
                    "name": part.name,
                    "requested": round(part.share, 5),
                    **{kind: round(shares[i], 5) for kind, shares in self._measured.items()},
                    "before_matching": {
                        kind: round(shares[i], 5) for kind, shares in self._before.items()
                    },
                }
                for i, part in enumerate(settled.recipe.shares)
            ],
            "total_variation": {
                kind: self._total_variation(shares) for kind, shares in self._measured.items()
            },
            "total_variation_before_matching": {
                kind: self._total_variation(shares) for kind, shares in self._before.items()
            },
            "matched": self._matched,
        }

    def _total_variation(self, shares: Sequence[float]) -> float:
        requested = [part.share for part in self._plan.recipe.shares]
        return round(total_variation(shares, requested), 5)


def _control(settled: Plan) -> str:
    return f"{settled.control.kind or 'none'} ({settled.control.reason})"


def _exact_shares(layout: Layout, size: int) -> tuple[float, ...]:
    colors = layout.map_colors(size)
    area = np.bincount(colors[colors != NONE], minlength=len(layout.colors))
    return tuple((area / area.sum()).tolist())
