"""Trainings on a small SDXL: its networks, samples of renders as latents, and a loop over them."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from plitka.color import palette
from plitka.engines.sdxl.options import SdxlSettings
from plitka.request import parsing
from plitka.request.prompt import build_prompt
from plitka.runtime.timing import Stages
from plitka.tile import render
from plitka.tile.layout import lay
from plitka.training.draws import Draws, Kind, draw_all
from plitka.training.inspection import Inspection, TrainingPhotograph
from plitka.training.options import TrainingOptions
from plitka.training.samples import Sample
from plitka.training.sdxl.latents import Latents, encode_samples
from plitka.training.sdxl.loop import Loop
from plitka.training.sdxl.networks import Networks, find_weights, load_networks
from plitka.training.sdxl.processes import Processes
from plitka.training.sdxl.timesteps import TIMESTEPS, find_visited
from plitka.weights.settings import read_weights_settings
from tests.support.small_sdxl import SmallSdxl

SIZE = 128
MIXTURES = (
    {"red": 100},
    {"blue": 100},
    {"red": 60, "blue": 40},
    {"white": 70, "black": 30},
    {"red": 50, "white": 30, "black": 20},
    {"blue": 50, "white": 50},
)
OPTIONS = TrainingOptions(rank=4, batch=4, resolution=SIZE, rate=3e-3, drawn=1)


def replace_options(**changed: Any) -> TrainingOptions:
    return replace(OPTIONS, **changed)


def render_mixture(mixture: dict[str, int], seed: int, size: int) -> Sample:
    """A render as a sample of its recipe."""
    colors = [{"name": name, "proportion": share} for name, share in mixture.items()]
    recipe = parsing.parse(json.dumps({"colors": colors, "seed": seed}), palette.load())
    return Sample(render.render_picture(lay(recipe), size), recipe, 0, None)


def photograph_renders(folder: Path, count: int, size: int = 192) -> Inspection:
    """Renders as photographs, in files; two of them are held out."""
    folder.mkdir(parents=True, exist_ok=True)
    photographs = []
    for number in range(count):
        sample = render_mixture(MIXTURES[number % len(MIXTURES)], number, size)
        file = folder / f"{number:02d}.png"
        cv2.imwrite(str(file), sample.pixels[..., ::-1])
        shares = sample.recipe.shares
        photographs.append(
            TrainingPhotograph(
                name=file.name,
                file=file,
                digest=f"{number:064x}",
                size=(size, size),
                colors=tuple(part.color for part in shares),
                shares=tuple(part.share for part in shares),
                given="as it is",
                origin="given",
                measured=tuple(part.share for part in shares),
                scale=1.0,
            )
        )
    return Inspection(tuple(photographs), (2, 3), palette.load(), (), (), ())


def make_settings(files: SmallSdxl, **changed: str | Path) -> SdxlSettings:
    """The settings of a training on the small SDXL."""
    return SdxlSettings(read_weights_settings(files.settings(**changed)))


def make_environment() -> dict[str, str]:
    """The environment of a process that imports the tests, with one thread."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}


def load_small(
    files: SmallSdxl, options: TrainingOptions = OPTIONS, dtype: str = "float32"
) -> Networks:
    """The networks of a training."""
    stages = Stages()
    weights = find_weights(make_settings(files), stages)
    return load_networks(weights, options, make_processes(dtype).device, stages)


def make_processes(dtype: str = "float32") -> Processes:
    """This process, with the CPU as a device of a dtype that cards have."""
    processes = Processes()
    processes.device = replace(processes.device, dtype=dtype)
    return processes


def encode_renders(networks: Networks, count: int, first: int = 0) -> Latents:
    """Renders as latents, with their prompts."""
    numbers = range(first, first + count)
    samples = [(n, render_mixture(MIXTURES[n % len(MIXTURES)], n, SIZE)) for n in numbers]
    return encode_samples(
        networks.pipe.vae,
        samples,
        lambda sample: build_prompt(sample.recipe, networks.subject),
        Processes().device,
    )


def random_latents(count: int, side: int = 8) -> Latents:
    """Latents of nothing, each with a caption of its own."""
    generator = torch.Generator().manual_seed(3)
    mean = torch.randn(count, 4, side, side, generator=generator)
    captions = tuple(f"ohwx_rubber_tile <s0><s1>, {number}% red" for number in range(count))
    return Latents(mean, 0.01 * torch.ones_like(mean), captions)


def make_loop(
    networks: Networks,
    latents: Latents,
    steps: int,
    options: TrainingOptions = OPTIONS,
    plan: Any = "fast",
    warnings: list[str] | None = None,
    dtype: str = "float32",
) -> Loop:
    """A loop over one kind of latents, which are taken for photographs."""
    visited = find_visited(networks.noise)
    size = latents.mean.shape[-1] * 8
    draws = draw_all(
        options.seed,
        steps,
        options.batch,
        size,
        len(latents),
        0.0,
        visited.highest.timestep,
        TIMESTEPS,
        with_half_size=False,
    )
    kinds: dict[Kind, Latents] = {(size, False): latents}
    return Loop(
        networks,
        kinds,
        take_from(draws, len(latents)),
        visited,
        options,
        make_processes(dtype),
        plan,
        (warnings if warnings is not None else []).append,
    )


def take_from(draws: Draws, count: int) -> Draws:
    """Draws of no more than so many samples."""
    return Draws(
        draws.sizes,
        draws.matched,
        draws.samples % count,
        draws.timesteps,
        draws.dropped,
        draws.noise,
    )


def run(loop: Loop, steps: int) -> Loop:
    """Run so many steps."""
    for _ in range(steps):
        loop.advance(stop=False)
    return loop


def read_values(loop: Loop) -> dict[str, NDArray[np.float32]]:
    """What is trained, and its average, as arrays."""
    values = {
        name: value.detach().numpy().copy() for name, value in loop.networks.trained().items()
    }
    return values | {f"average {n}": value.numpy().copy() for n, value in loop.average.items()}
