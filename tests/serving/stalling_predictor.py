"""The real predictor, and two requests that end only with the worker: one waits, one computes."""

import threading
from collections.abc import Iterator

import cog

import predict

HANG, COMPUTE = "hang", "compute"


class Predictor(predict.Predictor):
    @cog.streaming
    def predict(self, params_json: str = cog.Input(description="a recipe")) -> Iterator[cog.Path]:
        if params_json == HANG:
            threading.Event().wait()
        while params_json == COMPUTE:
            sum(range(100_000))
        yield from super().predict(params_json)
