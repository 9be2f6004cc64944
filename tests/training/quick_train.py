"""train.py for tests on a small SDXL: small samples, one drawing, a state every few steps."""

from functools import partial

import train as real
from plitka.training.options import TrainingOptions

vars(real)["TrainingOptions"] = partial(
    TrainingOptions, resolution=128, batch=2, drawn=1, evaluate_every=4
)
train = real.train
