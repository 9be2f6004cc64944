"""The user's home in a path."""

import os
from pathlib import Path


def expand_home(path: Path | str) -> Path:
    """Put the home in the place of a leading `~` or `~user`.

    Where there is no such user, or the user of a container has no home, the path stays as it is,
    so that what looks for it says that it is not there.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises where there is none
