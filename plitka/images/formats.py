"""The formats of photographs: which are read, and by their first bytes, which a file has.

A file's name counts for nothing: what a decoder gets is decided by the content alone, and the
decoders are a closed list. So no EPS named .png ever reaches Ghostscript.
"""

from typing import Literal, TypeAlias

from plitka.images.errors import Unreadable

Format: TypeAlias = Literal["PNG", "JPEG", "WebP", "TIFF", "BMP", "HEIC", "AVIF"]

_READ = "PNG, JPEG, WebP, TIFF, BMP, HEIC and AVIF are read"

_SIGNATURES: dict[bytes, Format] = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
}

# The brands of an ISO base media file -> its format. A HEIF file names many; the first of these
# that it names, in this order, is the coding of its picture.
_BRANDS: dict[bytes, Format] = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    **dict.fromkeys(
        [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"], "HEIC"
    ),
    b"mif1": "HEIC",
    b"msf1": "HEIC",
}

_STRANGERS = {
    b"GIF8": "GIF",
    b"%!PS": "EPS or PostScript",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"%PDF": "PDF",
    b"8BPS": "PSD",
    b"\0\0\1\0": "ICO",
    b"\0\0\2\0": "CUR",
    b"icns": "ICNS",
    b"SIMPLE  =": "FITS",
    b"\xd7\xcd\xc6\x9a": "WMF",
    b"\1\0\0\0": "EMF",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"II\xbc\1": "JPEG XR",
    b"DDS ": "DDS",
    b"qoif": "QOI",
    b"\x76\x2f\x31\1": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"gimp xcf": "XCF",
    b"FORM": "IFF",
    b"AT&TFORM": "DjVu",
    b"P1": "PBM",
    b"P2": "PGM",
    b"P3": "PPM",
    b"P4": "PBM",
    b"P5": "PGM",
    b"P6": "PPM",
    b"P7": "PAM",
    b"FUJIFILMCCD-RAW": "a camera's raw file",
    b"IIRO": "a camera's raw file",
    b"IIRS": "a camera's raw file",
    b"IIU\0": "a camera's raw file",
    b"<svg": "SVG",
    b"<?xml": "XML",
    b"<!DOCTYPE": "HTML",
    b"<html": "HTML",
    b"PK\3\4": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"version https://git-lfs": "a pointer of Git LFS, whose file was not fetched",
}

_STRANGE_BRANDS = {b"crx ": "a camera's raw file", b"jxl ": "JPEG XL", b"jp2 ": "JPEG 2000"}


def identify(content: bytes) -> Format:
    """Identify the format by the first bytes. Raises Unreadable for all that are not read."""
    for signature, kind in _SIGNATURES.items():
        if content.startswith(signature):
            return kind
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "WebP"
    if content[4:8] == b"ftyp":
        return _identify_brands(content)
    if not any(content):
        raise Unreadable("holds nothing but zeros; it was not copied whole")
    for signature, name in _STRANGERS.items():
        if content.startswith(signature):
            raise Unreadable(f"is {name}; {_READ}")
    raise Unreadable(f"not a picture of a known format; {_READ}")


def _identify_brands(content: bytes) -> Format:
    """Identify an ISO base media file by the brands in its first box."""
    end = min(int.from_bytes(content[:4], "big"), len(content), 4096)
    major = content[8:12]
    named = {major, *(content[at : at + 4] for at in range(16, end, 4))}
    for brand, kind in _BRANDS.items():
        if brand in named and not (brand in (b"mif1", b"msf1") and major in _STRANGE_BRANDS):
            return kind
    raise Unreadable(f"is {_STRANGE_BRANDS.get(major, 'a video')}; {_READ}")
