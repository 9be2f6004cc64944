"""The Cog face of Plitka: loads the engine, makes the pictures, hands out files and metrics."""

import logging
from collections.abc import Iterator
from typing import Any

from cog import BasePredictor, Input, Path, streaming

from plitka import engines, pictures, recipe, studio


class Predictor(BasePredictor):
    """Photorealistic rubber-crumb tiles with exactly the colours asked for."""

    def setup(self, weights: Path | str | None = None) -> None:
        """Load the engine that PLITKA_ENGINE names, sdxl where it names none."""
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        self.outbox = pictures.Outbox()
        self.engine = engines.load(weights=weights)

    @streaming
    def predict(
        self,
        params_json: str = Input(
            description="The tile as JSON: colors with proportions, angle, quality, seed, overrides"
        ),
    ) -> Iterator[Path]:
        """Make a tile's preview, final picture and colormap."""
        try:
            asked = recipe.parse(params_json)
            self.engine.check(asked)
        except recipe.RecipeError as fault:
            raise ValueError(str(fault)) from None  # its class name is part of Cog's error
        folder = self.outbox.folder()
        told: dict[str, Any] = {}
        for picture in studio.make(asked, self.engine):
            file = folder.file(picture.kind)
            pictures.save(picture.image, file, picture.record)
            for name, value in picture.metrics.items():
                if told.get(name) != value:
                    self.record_metric(name, value)
            told = picture.metrics
            yield Path(file)
