"""Opens the photographs of a training: a folder, or an archive of one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from plitka.errors import TrainingError, WeightsError
from plitka.images.photograph import SUFFIXES
from plitka.measure.captions import CAPTION_SUFFIX
from plitka.weights.archive import Contents, open_temporary_folder, unpack

MOST_FILES = 4000
MOST_BYTES = 4 * 2**30  # unpacked

_PHOTOGRAPHS = Contents(
    lambda name: PurePosixPath(name).suffix.lower() in {*SUFFIXES, CAPTION_SUFFIX},
    "photographs are taken from one of these, with their captions in .txt files or in their names",
    "the photographs and their captions",
    MOST_FILES,
    MOST_BYTES,
)


@contextmanager
def open_photographs(path: Path) -> Iterator[Path]:
    """Give the folder of the photographs; an archive is unpacked while the block lasts.

    Of an archive, photographs and texts are unpacked, and nothing else. Its folder has its name.
    Raises TrainingError for what is neither a folder nor an archive of plain files within bounds.
    """
    if path.is_dir():
        yield path
        return
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(open_temporary_folder(path.name)) / path.name
            folder.mkdir()
            unpack(path, path.name, folder, _PHOTOGRAPHS)
        except WeightsError as fault:
            raise TrainingError(str(fault)) from None
        yield folder
