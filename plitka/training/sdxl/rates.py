"""Learning rates of a training, as functions of how far it is."""

import math

_ROWS_RATE = 10.0  # times the LoRA's
_WARM_UP = 0.05  # of all steps
_LAST = 0.1  # of the rate, at the end
_ROWS_FREEZE = 0.7  # of all steps; then the rows stay as they are
_ROWS_FALL = 1.7


def compute_lora_rate(highest: float, done: float) -> float:
    """Compute the LoRA's rate: up in a line, then down along a cosine.

    highest: the rate after the warm-up. done: the part of all steps that is done, 0 to 1.
    """
    if done < _WARM_UP:
        return highest * done / _WARM_UP
    fallen = (done - _WARM_UP) / (1 - _WARM_UP)
    return highest * (_LAST + (1 - _LAST) * (1 + math.cos(math.pi * fallen)) / 2)


def compute_rows_rate(highest: float, done: float) -> float:
    """Compute the rows' rate, 0 once they are frozen. highest, done: as for the LoRA's."""
    return _ROWS_RATE * highest * (1 - done) ** _ROWS_FALL if done < _ROWS_FREEZE else 0.0
