"""Makes the samples of a training and encodes them, before the first step."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from plitka.errors import TrainingError
from plitka.measure.reading import MEMORY, use_one_thread
from plitka.request.prompt import build_prompt
from plitka.runtime.processes import Death, Work, do_jobs
from plitka.training.draws import Kind
from plitka.training.inspection import Inspection
from plitka.training.samples import Sample, make_sample
from plitka.training.sdxl.latents import Latents, encode_samples, load_latents, name_latents
from plitka.training.sdxl.networks import Networks
from plitka.training.sdxl.processes import Processes


@dataclass(frozen=True)
class _Maker:
    """Makes one sample in a worker process, by its number."""

    inspection: Inspection
    seed: int
    kind: Kind
    with_render: bool

    def __call__(self, number: int) -> Sample:
        size, matched = self.kind
        sample = make_sample(self.inspection, self.seed, number, size, matched)
        return sample if self.with_render else replace(sample, render=None)


def prepare_latents(
    counts: Mapping[Kind, int],
    inspection: Inspection,
    networks: Networks,
    processes: Processes,
    folder: Path,
    seed: int,
    render_aware: bool,
    tell: Callable[[int, int], None],
) -> dict[Kind, Latents]:
    """Make and encode the samples of all kinds, or read them where a folder has them already.

    counts: how many of each kind. folder: of the latents, which a later --resume reads. tell:
    called with how many of how many are made. The first of several processes makes them.
    """
    if processes.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        missing = [kind for kind in counts if not (folder / name_latents(kind)).is_file()]
        total, done = sum(counts[kind] for kind in missing), 0
        for kind in missing:
            maker = _Maker(inspection, seed, kind, render_aware and kind[1])

            def count_up(number: int, before: int = done) -> None:
                tell(before + number, total)

            samples = _make_samples(maker, counts[kind], count_up)
            write_prompt = partial(_write_prompt, networks)
            with closing(samples):
                encoded = encode_samples(networks.pipe.vae, samples, write_prompt, processes.device)
            encoded.save(folder / name_latents(kind))
            done += counts[kind]
    processes.wait()
    return {kind: load_latents(folder / name_latents(kind)) for kind in counts}


def _make_samples(
    maker: _Maker, count: int, tell: Callable[[int], None]
) -> Generator[tuple[int, Sample], None, None]:
    """Make the samples of one kind in worker processes; gives each with its number."""
    work = Work(maker, use_one_thread, MEMORY)
    done = do_jobs(work, range(count))
    with closing(done) as results:
        for made, (number, sample) in enumerate(results, start=1):
            if isinstance(sample, Death):
                raise TrainingError(f"a sample could not be made: {sample.reason}")
            yield number, sample
            tell(made)


def _write_prompt(networks: Networks, sample: Sample) -> str:
    return build_prompt(sample.recipe, networks.subject)
