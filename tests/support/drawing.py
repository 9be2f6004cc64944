"""A short way for the tests to let an engine draw."""

from collections.abc import Callable

from plitka.engines.base import Drawn, DrawRequest, Engine
from plitka.request.plan import Plan
from plitka.tile.layout import Layout, lay


def draw(
    engine: Engine,
    plan: Plan,
    size: int,
    steps: int,
    layout: Layout | None = None,
    at_step: Callable[[], None] = lambda: None,
) -> Drawn:
    """Draw with the engine's own guides. layout: laid here where it is not given."""
    layout = layout or lay(plan.recipe)
    guides = engine.make_guides(plan, layout, size)
    return engine.draw(DrawRequest(plan, layout, size, steps, guides), at_step)
