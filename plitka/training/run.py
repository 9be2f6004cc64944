"""One training from its photographs to its package: the stages, in order.

What needs torch is imported after the photographs were inspected. No network is loaded before all
that is wrong was told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plitka.color.palette import Palette
from plitka.engines.sdxl.options import SdxlSettings
from plitka.errors import TrainingError
from plitka.training.inspection import inspect
from plitka.training.options import TrainingOptions
from plitka.training.past_states import refuse_folder
from plitka.training.photographs import open_photographs
from plitka.training.progress import Inspected, Observer

_ONLY_THE_MACHINE = (
    "The photographs have no faults; only what is said above stands in the way of training."
)


@dataclass(frozen=True)
class TrainingRequest:
    """One training.

    photographs: a folder, .zip or .tar. out: the folder for the package and the states. check:
    whether it ends before a model is loaded. resume: whether it goes on from the last state.
    """

    photographs: Path
    out: Path
    options: TrainingOptions
    check: bool = False
    resume: bool = False


def train(
    request: TrainingRequest,
    settings: SdxlSettings,
    palette: Palette,
    observe: Observer,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Path | None:
    """Train; returns trained_model.tar, None for a check.

    Raises TrainingError with all faults of photographs, base, memory and disk, EngineError for what
    comes up later, Interrupted where `is_stopped` says so.
    """
    if not request.check:
        refuse_folder(request.out, request.resume)
    with open_photographs(request.photographs) as folder:
        inspection = inspect(folder, request.options, palette)
        from plitka.training.sdxl.planning import list_faults

        faults = list_faults(inspection, request.options, request.out, settings)
        if not inspection.faults:
            observe(Inspected(inspection))
        if faults and not inspection.faults and request.check:
            faults.append(_ONLY_THE_MACHINE)
        if faults or inspection.faults:
            raise TrainingError("\n".join([*inspection.faults, *faults]))
        if request.check:
            return None
        from plitka.training.package import write_package
        from plitka.training.sdxl.trainer import train_sdxl

        trained = train_sdxl(
            inspection, request.options, request.out, settings, request.resume, observe, is_stopped
        )
        return None if trained is None else write_package(request.out, *trained, inspection)
