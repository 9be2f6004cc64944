"""The Cog face of Plitka: loads the engine, makes the pictures, hands out files and metrics."""

from collections.abc import Iterator
from typing import Any

from cog import BasePredictor, Input, Path, streaming

from plitka import __version__, images, pipeline
from plitka.color import palette
from plitka.engines import registry
from plitka.request import parsing
from plitka.request.recipe import RecipeError
from plitka.runtime import background, logs
from plitka.runtime.memory import trim_heap
from plitka.serving import health
from plitka.serving.outbox import Outbox
from plitka.settings import read_settings


class Predictor(BasePredictor):
    """Photorealistic rubber-crumb tiles with exactly the colours asked for."""

    def setup(self, weights: Path | str | None = None) -> None:
        """Load the engine that PLITKA_ENGINE names, sdxl where it names none."""
        self.settings = read_settings()
        logs.configure(self.settings.log)
        self.palette = palette.load(self.settings.palette_file)
        self.outbox = Outbox()
        self.engine = registry.load_engine(
            self.settings.engine, lambda: self.settings.sdxl, weights
        )
        self.overlap = self.settings.options.overlap
        background.start_thread()

    def healthcheck(self) -> bool:
        """Whether the next prediction would succeed; what is raised says why not."""
        health.check_health(self.engine, self.outbox)
        return True

    @streaming
    def predict(
        self,
        params_json: str = Input(
            description="The tile as JSON: colors with proportions, angle, quality, seed, overrides"
        ),
    ) -> Iterator[Path]:
        """Make a tile's preview, final picture and colormap."""
        folder = self.outbox.folder()
        logs.set_prediction(self.scope.context.get("prediction_id"), folder.mark)
        try:
            asked = parsing.parse(params_json, self.palette)
            self.engine.check(asked)
        except RecipeError as fault:
            raise ValueError(str(fault)) from None  # its class name is part of Cog's error
        self.record_metric("version", __version__)
        self.record_metric("files", folder.mark)
        told: dict[str, Any] = {}
        try:
            for picture in pipeline.make(asked, self.engine, self.overlap):
                file = folder.file(picture.kind)
                images.save(picture.image, file, picture.record)
                for name, value in picture.metrics.items():
                    if told.get(name) != value:
                        self.record_metric(name, value)
                told = picture.metrics
                yield Path(file)
        finally:
            trim_heap()
