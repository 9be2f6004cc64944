"""Cog's interface to Plitka: setup loads the engine, predict yields files and records metrics."""

from collections.abc import Iterator
from typing import Any

from cog import BasePredictor, Input, Path, streaming

from plitka import __version__, pipeline
from plitka.images import png
from plitka.request import parsing
from plitka.request.recipe import RecipeError
from plitka.runtime import background, logs
from plitka.runtime.memory import trim_heap
from plitka.runtime.timing import log
from plitka.serving import health, unknown_inputs
from plitka.serving.outbox import Outbox
from plitka.settings import read_settings


class Predictor(BasePredictor):
    """Photorealistic rubber-crumb tiles with exactly the colours asked for."""

    def setup(self, weights: Path | str | None = None) -> None:
        """Read the settings, and load the engine that they name.

        weights: a folder, .tar, .zip or .safetensors with a LoRA and embeddings, or the https
        address of one. Raises EngineError.
        """
        self.settings = read_settings()
        logs.configure(self.settings.log)
        self.palette = self.settings.load_palette(weights)
        self.outbox = Outbox()
        self.engine = self.settings.choose_engine(weights).load(prepared=True)
        self.overlap = self.settings.options.overlap
        background.start_thread()

    def healthcheck(self) -> bool:
        """Return True, or raise EngineError or PictureError if the next prediction would fail."""
        health.check_health(self.engine, self.outbox)
        return True

    @streaming
    def predict(
        self,
        params_json: str = Input(
            description="The tile in words (60% black, 40% white, 45 degrees, seed 7) or as JSON"
        ),
    ) -> Iterator[Path]:
        """Make a tile's preview, final picture and colormap.

        Yields each as a PNG file. Raises ValueError for a bad request.
        """
        folder = self.outbox.open_folder()
        logs.set_prediction(self.scope.context.get("prediction_id"), folder.mark)
        if unknown := unknown_inputs.read_unknown(self.scope.context):
            log.warning("not known, and ignored, beside params_json: %s", ", ".join(unknown))
            self.record_metric("unknown_inputs", unknown)
        try:
            recipe = parsing.parse(params_json, self.palette)
            self.engine.check(recipe)
        except RecipeError as fault:
            raise ValueError(str(fault)) from None  # Cog's error starts with the class's name
        self.record_metric("version", __version__)
        self.record_metric("files", folder.mark)
        recorded: dict[str, Any] = {}
        try:
            for picture in pipeline.make(recipe, self.engine, self.overlap):
                file = folder.prepare_file(picture.kind)
                png.save(picture.image, file, picture.record)
                for name, value in picture.metrics.items():
                    if recorded.get(name) != value:
                        self.record_metric(name, value)
                recorded = picture.metrics
                yield Path(file)
        finally:
            trim_heap()
