"""Whose a folder is that this user cannot write to, for messages."""

import os
from pathlib import Path


def say_owner(folder: Path) -> str:
    """Say whose a folder is, or else the nearest above it; "" where it is this user's own."""
    own = os.geteuid()
    for place in (folder, *folder.parents):
        try:
            owner = place.stat().st_uid
        except OSError:
            continue
        return "" if owner == own else f": {place} is user {owner}'s, and this one is {own}"
    return ""
