"""What `train` does: reads the options, trains, and tells what happens meanwhile.

What trains, and rich, are imported when the command runs.
"""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from plitka.cli.terminal import print_error
from plitka.color import palette
from plitka.settings import Settings

if TYPE_CHECKING:
    from plitka.training.progress import Event


def run_train(options: argparse.Namespace, settings: Settings) -> None:
    """Train, or only inspect the photographs; tells each event, and last a summary.

    Raises TrainingError, EngineError, and KeyboardInterrupt where the training was asked to end.
    """
    from plitka.cli import training_report
    from plitka.training import run
    from plitka.training.options import TrainingOptions
    from plitka.training.progress import Interrupted, Started
    from plitka.training.signals import catch_stop

    request = run.TrainingRequest(
        photographs=options.photographs,
        out=options.out,
        options=TrainingOptions(
            steps=options.steps,
            rank=options.rank,
            batch=options.batch,
            resolution=options.resolution,
            seed=options.seed,
            vectors=options.vectors,
            augment=options.augment,
            captions=options.captions,
            render_aware=options.render_aware,
            minutes=options.minutes,
        ),
        check=options.check,
        resume=options.resume,
    )
    known = palette.load(settings.palette_file)
    report = training_report.Json() if options.json else training_report.Lines(options.verbose)
    stop = _Stop()
    with ExitStack() as stack, report:

        def observe(event: "Event") -> None:
            if isinstance(event, Started):  # until then Ctrl-C ends it at once: nothing is lost
                stop.is_asked = stack.enter_context(catch_stop())
            report.tell(event)

        try:
            written = run.train(request, settings.sdxl, known, observe, lambda: stop.is_asked())
        except Interrupted as interrupted:
            report.end()
            print_error(str(interrupted))
            raise KeyboardInterrupt from None
        report.end()
        if written is not None or options.check:  # of several processes the first alone sums up
            report.sum_up(written, Path(options.out))


class _Stop:
    """Whether the program was asked to end; it is not before it listens for that."""

    def __init__(self) -> None:
        self.is_asked: Callable[[], bool] = lambda: False
