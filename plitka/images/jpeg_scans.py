"""The segments and scans of a JPEG file, counted before it is decoded.

A scan of some ninety bytes takes the decoder a pass over all pixels, and a segment of four bytes
takes Pillow a step in Python: a small file could keep it busy for hours.
"""

import re

from plitka.images.errors import Unreadable

_MAX_SCANS = 100  # of one picture; cameras write 1, programs 10
_MAX_SEGMENTS = 20_000  # a profile of 16 MB has 250
_MAX_JUNK = 2**16  # bytes between segments, which belong to nothing

_START_OF_SCAN, _END = 0xDA, 0xD9
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
# In a scan's data 0xFF stands before 0, or before a restart, or is padding.
_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


def check_scans(content: bytes) -> None:
    """Raise Unreadable for a JPEG file of more scans or segments than any camera writes."""
    at, scans, junk = 2, 0, 0
    for _ in range(_MAX_SEGMENTS):
        found = content.find(b"\xff", at)
        marker = content[found + 1 : found + 2]
        if found < 0 or not marker or marker[0] == _END:
            return  # what is missing, the decoder says
        junk += found - at
        if junk > _MAX_JUNK:
            raise Unreadable("is damaged: something in it is no JPEG")
        at = found + 1
        if marker[0] in (0x00, 0xFF):
            continue
        at = found + 2
        if marker[0] in _ALONE:
            continue
        at += max(int.from_bytes(content[at : at + 2], "big"), 2)
        if marker[0] == _START_OF_SCAN:
            scans += 1
            if scans > _MAX_SCANS:
                raise Unreadable(f"has more than {_MAX_SCANS} scans; save it anew")
            ended = _IN_SCAN.search(content, at)
            if ended is None:
                return
            at = ended.start()
    raise Unreadable("is damaged: it has too many segments")
