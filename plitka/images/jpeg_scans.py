"""The segments and scans of a JPEG file, counted before it is decoded.

A scan of some ninety bytes takes the decoder a pass over all pixels, and a segment of four bytes
takes Pillow a step in Python: a small file could keep it busy for hours.
"""

import re

from plitka.images.errors import Unreadable

_MAX_SCANS = 100  # of one picture; cameras write 1, programs 10
_MAX_SEGMENTS = 20_000  # a profile of 16 MB has 250
_MAX_JUNK = 2**16  # bytes between segments, which belong to nothing

_START_OF_SCAN, _END, _COMMENT = 0xDA, 0xD9, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
# In a scan's data 0xFF stands before 0, or before a restart, or is padding.
_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


def take_picture(content: bytes) -> bytes | None:
    """Take the segments of the first picture that its pixels are decoded of, as a JPEG file.

    What cameras and programs tell of it is left out. None where the file ends before the picture
    does. Raises Unreadable for a file of more scans or segments than any camera writes.
    """
    at, scans, junk = 2, 0, 0
    parts = [content[:2]]
    for _ in range(_MAX_SEGMENTS):
        found = content.find(b"\xff", at)
        marker = content[found + 1 : found + 2]
        if found < 0 or not marker:
            return None
        if marker[0] == _END:
            return b"".join([*parts, content[found : found + 2]])
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
                return None
            at = ended.start()
        if marker[0] not in _APPLICATION and marker[0] != _COMMENT:
            parts.append(content[found:at])
    raise Unreadable("is damaged: it has too many segments")
