"""Makes the samples of a training and encodes them, before the first step."""

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from plitka.request.prompt import build_prompt
from plitka.training.draws import Kind
from plitka.training.inspection import Inspection
from plitka.training.sample_making import SampleMaker, make_samples
from plitka.training.samples import Sample
from plitka.training.sdxl.latents import (
    Latents,
    encode_samples,
    is_made_for,
    load_latents,
    name_latents,
)
from plitka.training.sdxl.networks import Networks
from plitka.training.sdxl.processes import Processes


def prepare_latents(
    counts: Mapping[Kind, int],
    inspection: Inspection,
    networks: Networks,
    processes: Processes,
    folder: Path,
    mark: str,
    seed: int,
    render_aware: bool,
    tell: Callable[[int, int], None],
) -> dict[Kind, Latents]:
    """Make and encode the samples of all kinds, or read them where a folder has them already.

    counts: how many of each kind. folder: of the latents, which a later --resume reads. mark: of
    the training; those of another one, that was ended before its first state, are made anew. tell:
    called with how many of how many are made. The first of several processes makes them.
    """
    if processes.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        missing = [kind for kind in counts if not is_made_for(folder / name_latents(kind), mark)]
        total, done = sum(counts[kind] for kind in missing), 0
        for kind in missing:

            def count_up(number: int, before: int = done) -> None:
                tell(before + number, total)

            with_render = render_aware and kind[1]
            samples = make_samples(
                SampleMaker(inspection, seed, kind, with_render), counts[kind], count_up
            )
            write_prompt = partial(_write_prompt, networks)
            with closing(samples):
                encoded = encode_samples(networks.pipe.vae, samples, write_prompt, processes.device)
            encoded.save(folder / name_latents(kind), mark)
            done += counts[kind]
    processes.wait()
    return {kind: load_latents(folder / name_latents(kind)) for kind in counts}


def _write_prompt(networks: Networks, sample: Sample) -> str:
    return build_prompt(sample.recipe, networks.subject)
