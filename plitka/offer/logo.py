"""A company's logo: any picture -> a small PNG that this program has written itself."""

import io
from pathlib import Path

from PIL import Image

from plitka.errors import LogoError
from plitka.images import photograph, regular_file
from plitka.images.errors import Unreadable
from plitka.printable import make_printable

MAX_LOGO_BYTES = 8 * 2**20
"""Of a logo's file."""

_MOST = (640, 240)  # pixels of width and height, of which 300 make an inch on paper


def read_logo(content: bytes) -> bytes:
    """Read a picture, and write it anew as PNG: upright, on white, no larger than it is shown.

    Raises LogoError for what is no picture.
    """
    if len(content) > MAX_LOGO_BYTES:
        raise LogoError(f"has more than the {MAX_LOGO_BYTES // 2**20} MB that are read")
    try:
        picture = Image.fromarray(photograph.read(content).pixels)
    except Unreadable as why:
        raise LogoError(str(why)) from None
    picture.thumbnail(_MOST, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def load_logo(path: Path) -> bytes:
    """Read a logo's file. Raises LogoError, which names it."""
    try:
        return read_logo(regular_file.read_content(path, MAX_LOGO_BYTES))
    except (Unreadable, LogoError) as why:
        raise LogoError(f"{make_printable(str(path))}: {why}") from None
