"""The palette that comes with weights: in a package of a training of one's own, or in a snapshot.

Here it is only found; what it says is read by color/palette.
"""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from plitka.errors import WeightsError
from plitka.weights import archive, snapshot
from plitka.weights.adapter_files import is_checkpoint
from plitka.weights.header import list_names
from plitka.weights.places import Folder, is_hidden
from plitka.weights.settings import WeightsSettings
from plitka.weights.snapshot import PALETTE

_MOST_BYTES = 1 << 20  # as color/palette reads of any palette


def read_packed_palette(
    settings: WeightsSettings, source: Path | str | None
) -> tuple[str, bytes] | None:
    """Read the palette of a package, else that of the snapshot that PLITKA_BASE names.

    source: what setup() was given as weights. Gives what sentences call the file, and its content;
    None where there is none. Raises WeightsError.
    """
    if source is not None and str(source):
        with archive.open_folder(source, settings.cache, _CONTENTS) as folder:
            return None if folder is None else _read_member(folder)
    baked = snapshot.find_snapshot(settings)
    if baked is None or PALETTE not in baked.files:
        return None
    return _read_file(baked.folder / PALETTE, str(baked.folder / PALETTE))


def _is_palette(name: str) -> bool:
    return PurePosixPath(name).name == PALETTE


_CONTENTS = replace(archive.WEIGHTS, is_wanted=_is_palette)


def _read_member(folder: Folder) -> tuple[str, bytes] | None:
    names = [
        name
        for name in folder.names
        if _is_palette(name) and not is_hidden(name) and not is_checkpoint(name)
    ]
    depth = min((name.count("/") for name in names), default=0)
    names = [name for name in names if name.count("/") == depth]
    if not names:
        return None
    if len(names) > 1:
        raise WeightsError(f"{folder.title}: holds {list_names(names)}; leave one of them")
    return _read_file(folder.path / names[0], folder.name_member(names[0]))


def _read_file(path: Path, title: str) -> tuple[str, bytes]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise WeightsError(f"{title}: cannot be read ({error.strerror}); copy it again") from None
    if len(content) > _MOST_BYTES:
        raise WeightsError(
            f"{title}: larger than 1 MiB, and no palette is; take the file that the training wrote"
        )
    return title, content
