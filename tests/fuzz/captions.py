"""Fuzzing target: a caption, in a text or a file's name. It names shares, or says why not.

Content: the photograph's name, then after a zero byte the text beside it; without one, only a name.
"""

import math
from pathlib import Path

from plitka.color import palette
from plitka.color.mix import MAX_COLORS
from plitka.color.palette import UnknownColor
from plitka.measure import captions
from plitka.measure.captions import Caption, CaptionError
from plitka.measure.text_file import TextError
from tests.fuzz.target import Target, is_sentence, open_workplace, refuse_warnings

_PALETTE = palette.load()
_LONGEST_NAME = 200  # bytes; file systems end at 255


def check(content: bytes) -> bool:
    name, has_text, text = content.partition(b"\0")
    stem = name[:_LONGEST_NAME].decode("utf-8", "surrogateescape").replace("/", "_")
    file = open_workplace() / f"{stem}.jpg"
    beside = file.with_suffix(".txt")
    if has_text:
        beside.write_bytes(text)
    try:
        with refuse_warnings():
            return _read(file)
    finally:
        beside.unlink(missing_ok=True)


def _read(file: Path) -> bool:
    try:
        caption = captions.read_caption(file, _PALETTE)
    except (CaptionError, UnknownColor, TextError) as refusal:
        said = str(refusal)
    else:
        _check_caption(caption)
        return True
    said = said.replace(
        file.with_suffix(".txt").name, ""
    )  # names are made plain where they are shown
    assert is_sentence(said), said
    return False


def _check_caption(caption: Caption) -> None:
    assert 1 <= len(caption.colors) <= MAX_COLORS
    assert len(set(caption.colors)) == len(caption.colors) == len(caption.percent)
    assert all(percent > 0 for percent in caption.percent), caption.percent
    assert math.isclose(math.fsum(caption.percent), 100, rel_tol=1e-9), caption.percent


TARGET = Target(
    "captions",
    check,
    tokens=(
        *(
            b"REDp60_BLUEp40",
            b"REDp",
            b"_2",
            b"\0",
            b"60% red, 40% blue",
            b"% of ",
            b"59,5%",
            b"p40.5",
        ),
        *(
            b"\xef\xbb\xbf",
            b"\xff\xfe6\x000\x00%\x00",
            b"\xfe\xff\x006\x000\x00%",
            b"\r\n",
            b"\xcf\xe5",
        ),
        *("красный".encode(), "красный".encode("cp1251"), b"dark green", b"light grey", b"#1e90ff"),
        *(
            b"nan%",
            b"inf%",
            b"1e5%",
            "½".encode(),
            "\uff16\uff10\uff05".encode(),
            b"100%",
            b"0%",
            b"%%",
            b"-",
        ),
    ),
    longest=8192,
)
