"""The real predictor, with faults that a test can switch on while the server runs.

A file in the folder that FAULTS names says what happens at the next calls of a module:
`unet` with "out of memory 1" in it makes the next call of the UNet run out of memory as CUDA does,
"nan 1" makes it return NaN.
"""

import os
from pathlib import Path
from typing import Any

import cog
import torch

import predict

FOLDER = Path(os.environ["FAULTS"])


class Predictor(predict.Predictor):
    def setup(self, weights: cog.Path | str | None = None) -> None:
        super().setup(weights)
        engine: Any = self.engine
        pipe = engine.pipe
        for name, module in (("unet", pipe.unet.conv_out), ("vae", pipe.vae.decoder)):
            module.register_forward_hook(Fault(FOLDER / name))


class Fault:
    def __init__(self, order: Path) -> None:
        self._order = order

    def __call__(self, module: Any, given: Any, result: Any) -> Any:
        if not self._order.exists():
            return None
        what, _, times = self._order.read_text().rpartition(" ")
        self._order.write_text(f"{what} {int(times) - 1}")
        if int(times) <= 1:
            self._order.unlink()
        if what == "out of memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return result * torch.nan
