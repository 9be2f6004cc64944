"""Which sample each step takes, at which noise level: all that is random, drawn ahead.

A pure function of seed and sizes. So a training that goes on from a state goes on as if it had not
ended, and each process of several takes its part of the same batch.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Kind: TypeAlias = tuple[int, bool]
"""A kind of sample: pixels a side, and whether it is matched."""

HALF_SIZE = 512
"""Pixels a side of the preview; a quarter of the steps trains on pictures of this size."""

_AT_HALF_SIZE = 0.25  # of the steps
_VISITED = 0.85  # of the samples at noise levels that pictures visit
_DROPPED = 0.05  # of the captions
_MOST_OF_A_KIND = 640  # samples that are kept as latents; those of 1024 pixels take 0.5 MiB each
_VIEWS = 8  # of each photograph, of a kind


@dataclass(frozen=True, eq=False)
class Draws:
    """What each step trains on; S steps, B samples a step.

    sizes: (S,) pixels a side. matched: (S, B) whether the sample is a matched one. samples: (S, B)
    index among the samples of its kind. timesteps: (S, B) 0 to 999. dropped: (S, B) whether the
    caption is left out. noise: (S, B) seeds.
    """

    sizes: NDArray[np.int64]
    matched: NDArray[np.bool_]
    samples: NDArray[np.int64]
    timesteps: NDArray[np.int64]
    dropped: NDArray[np.bool_]
    noise: NDArray[np.int64]

    def count_samples(self) -> dict[Kind, int]:
        """Count the samples of each kind that are to be made."""
        counts: dict[Kind, int] = {}
        for size in np.unique(self.sizes).tolist():
            rows = self.sizes == size
            for matched in (False, True):
                drawn = self.samples[rows][self.matched[rows] == matched]
                if drawn.size:
                    counts[size, matched] = int(drawn.max()) + 1
        return counts


def draw_all(
    seed: int,
    steps: int,
    batch: int,
    resolution: int,
    photographs: int,
    augment: float,
    visited: int,
    timesteps: int,
    with_half_size: bool,
) -> Draws:
    """Draw what all steps train on.

    photographs: that are trained on. with_half_size: whether some steps are of previews' size.
    augment: the share of matched samples, 0 to 0.5. visited: the
    highest timestep that pictures visit, of `timesteps`.
    """
    rng = np.random.default_rng([seed, steps, batch])
    sizes = np.full(steps, resolution)
    if resolution > HALF_SIZE and with_half_size:
        sizes[rng.random(steps) < _AT_HALF_SIZE] = HALF_SIZE
    shape = (steps, batch)
    is_visited = rng.random(shape) < _VISITED
    levels = np.where(
        is_visited,
        rng.integers(0, visited + 1, shape),
        rng.integers(min(visited + 1, timesteps - 1), timesteps, shape),
    )
    # Matching repaints what pictures do not visit, so there photographs alone are trained on.
    matched = is_visited & (rng.random(shape) < augment / _VISITED)
    dropped = rng.random(shape) < _DROPPED
    noise = rng.integers(0, 2**62, shape)
    samples = np.zeros(shape, np.int64)
    for size in np.unique(sizes).tolist():
        for is_matched in (False, True):
            places = (sizes == size)[:, None] & (matched == is_matched)
            samples[places] = _go_round(int(places.sum()), photographs, rng)
    return Draws(sizes, matched, samples, levels, dropped, noise)


def _go_round(count: int, photographs: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw `count` samples of one kind: all of them in a new order, again and again."""
    kept = max(min(count, _VIEWS * photographs, _MOST_OF_A_KIND), 1)
    rounds = -(-count // kept)
    orders = [rng.permutation(kept) for _ in range(rounds)] or [np.zeros(0, np.int64)]
    return np.concatenate(orders)[:count]
