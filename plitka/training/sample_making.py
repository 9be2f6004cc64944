"""Makes the samples of one kind in worker processes, which know nothing of torch."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace

from plitka.errors import TrainingError
from plitka.images.errors import PictureError
from plitka.measure.reading import MEMORY, use_one_thread
from plitka.runtime.processes import Death, Work, do_jobs
from plitka.training.draws import Kind
from plitka.training.inspection import Inspection
from plitka.training.samples import Sample, make_sample


@dataclass(frozen=True)
class SampleMaker:
    """Makes one sample of a kind by its number. with_render: whether it keeps its render."""

    inspection: Inspection
    seed: int
    kind: Kind
    with_render: bool

    def __call__(self, number: int) -> "Sample | str":
        """Make a sample; gives a sentence where its photograph cannot be read any more."""
        size, matched = self.kind
        try:
            sample = make_sample(self.inspection, self.seed, number, size, matched)
        except PictureError as fault:
            return str(fault)
        return sample if self.with_render else replace(sample, render=None)


def make_samples(
    maker: SampleMaker, count: int, tell: Callable[[int], None]
) -> Generator[tuple[int, Sample], None, None]:
    """Make so many samples of one kind; gives each with its number, as it is ready.

    tell: called with how many are made. Raises TrainingError where one cannot be made, since its
    photograph is gone or memory ran out.
    """
    work = Work(maker, use_one_thread, MEMORY)
    done = do_jobs(work, range(count))
    with closing(done) as results:
        for made, (number, sample) in enumerate(results, start=1):
            if not isinstance(sample, Sample):
                reason = sample.reason if isinstance(sample, Death) else sample
                raise TrainingError(f"a sample could not be made: {reason}; go on with --resume")
            yield number, sample
            tell(made)
