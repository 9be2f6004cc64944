"""Pictures from outside come in sRGB, whatever says in what colours they are, or not at all."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageCms

from plitka.images import photograph
from plitka.images.errors import Unreadable
from plitka.images.photograph import Photograph
from tests.support import icc
from tests.support.icc import cmyk_profile, gray_profile, rgb_profile
from tests.support.picture_files import chunk, draw_corners, encode, exif, insert_chunk

FORMATS = ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIC"]
WIDE = ["Display P3", "Adobe RGB", "ProPhoto", "Rec. 2020"]
ORANGE, BLUE = (200, 100, 50), (10, 20, 220)


@cache
def in_space(name: str) -> Image.Image:
    """The picture of corners, its colours counted in another space."""
    source = ImageCms.createProfile("sRGB")
    target = ImageCms.ImageCmsProfile(io.BytesIO(rgb_profile(name)))
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    transform = ImageCms.buildTransform(source, target, "RGB", "RGB", intent)
    return transform.apply(draw_corners())


def shows_corners(read: Photograph, slack: int = 2) -> bool:
    """Whether the corners are as they were drawn, within `slack` levels."""
    first, last = read.pixels[0, 0].astype(int), read.pixels[-1, -1].astype(int)
    return bool(max(np.abs(first - ORANGE).max(), np.abs(last - BLUE).max()) <= slack)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("space", WIDE)
def test_a_profile_is_followed_in_every_format(space: str, format: str) -> None:
    content = encode(format, in_space(space), icc_profile=rgb_profile(space))
    read = photograph.read(content)
    assert shows_corners(read, 2 if format in ("PNG", "TIFF") else 15)  # lossy, then amplified
    assert read.notes == (f"{space} brought to sRGB",)


@pytest.mark.parametrize("format", FORMATS)
def test_srgb_stays_as_it_is_and_nothing_is_said(format: str) -> None:
    plain = photograph.read(encode(format))
    profiled = photograph.read(encode(format, icc_profile=rgb_profile("sRGB")))
    assert plain.notes == profiled.notes == ()
    assert np.array_equal(plain.pixels, profiled.pixels)


def parametric(space: str) -> tuple[bytes, bytes]:
    """gAMA and cHRM of a space."""
    primaries, white, _ = icc.SPACES[space]
    numbers = [round(100_000 * number) for xy in (white, *primaries) for number in xy]
    power = {"Adobe RGB": 563 / 256, "ProPhoto": 1.8}[space]
    return struct.pack(">I", round(100_000 / power)), struct.pack(">8I", *numbers)


@pytest.mark.parametrize("space", ["Adobe RGB", "ProPhoto"])
def test_png_gamma_and_primaries_are_followed(space: str) -> None:
    gamma, primaries = parametric(space)
    png = insert_chunk(encode("PNG", in_space(space)), b"cHRM", primaries)
    assert shows_corners(photograph.read(insert_chunk(png, b"gAMA", gamma)))


def test_png_chunks_count_in_the_order_of_the_format() -> None:
    """cICP before iCCP before sRGB before gAMA and cHRM."""
    gamma, primaries = parametric("ProPhoto")
    chunks = {b"cHRM": primaries, b"gAMA": gamma}
    p3 = encode("PNG", in_space("Display P3"), icc_profile=rgb_profile("Display P3"))
    srgb = insert_chunk(encode("PNG"), b"sRGB", b"\0")
    both = insert_chunk(p3, b"sRGB", b"\0")
    coded = encode("PNG", in_space("Display P3"), icc_profile=rgb_profile("ProPhoto"))
    coded = insert_chunk(coded, b"cICP", bytes([12, 13, 0, 1]))
    for png in (srgb, both, coded):
        assert shows_corners(photograph.read(png))
        for kind, data in chunks.items():
            png = insert_chunk(png, kind, data)
        assert shows_corners(photograph.read(png))


def test_a_gamma_as_good_as_srgbs_is_srgb() -> None:
    png = insert_chunk(encode("PNG"), b"gAMA", struct.pack(">I", 45455))
    read = photograph.read(png)
    assert shows_corners(read, 0)
    assert read.notes == ()


@pytest.mark.parametrize(
    ("codes", "space"), [((12, 13), "Display P3"), ((9, 14), "Rec. 2020"), ((2, 2), "sRGB")]
)
def test_code_points_are_followed(codes: tuple[int, int], space: str) -> None:
    picture = draw_corners() if space == "sRGB" else in_space(space)
    png = insert_chunk(encode("PNG", picture), b"cICP", bytes([*codes, 0, 1]))
    assert shows_corners(photograph.read(png))
    named = {"color_primaries": codes[0], "transfer_characteristics": codes[1]}
    assert shows_corners(photograph.read(encode("HEIC", picture, **named)), 9)
    avif = bytearray(encode("AVIF", picture))
    place = avif.index(b"nclx") + 4
    avif[place : place + 4] = struct.pack(">HH", *codes)
    assert shows_corners(photograph.read(bytes(avif)), 9)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_refused_by_name(transfer: int, name: str) -> None:
    avif = bytearray(encode("AVIF"))
    place = avif.index(b"nclx") + 4
    avif[place : place + 4] = struct.pack(">HH", 9, transfer)
    for content in (
        insert_chunk(encode("PNG"), b"cICP", bytes([9, transfer, 0, 1])),
        encode("HEIC", color_primaries=9, transfer_characteristics=transfer),
        bytes(avif),
    ):
        with pytest.raises(Unreadable, match=rf"high dynamic range \({name}\)"):
            photograph.read(content)


@pytest.mark.parametrize("codes", [(0, 13, 0, 1), (1, 99, 0, 1), (1, 13, 1, 1), (1, 13, 0, 0)])
def test_code_points_that_are_not_understood_are_refused(codes: tuple[int, ...]) -> None:
    with pytest.raises(Unreadable, match="save it in sRGB"):
        photograph.read(insert_chunk(encode("PNG"), b"cICP", bytes(codes)))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("number", "index"), [(2, ""), (0xFFFF, "R03")])
def test_exif_says_adobe_rgb_where_there_is_no_profile(
    number: int, index: str, format: str
) -> None:
    tags = exif(1, number, index)
    read = photograph.read(encode(format, in_space("Adobe RGB"), exif=tags))
    assert shows_corners(read, 2 if format in ("PNG", "TIFF") else 6)
    assert read.notes == ("Adobe RGB brought to sRGB",)
    profile = rgb_profile("sRGB")
    assert shows_corners(photograph.read(encode(format, exif=tags, icc_profile=profile)), 3)


def test_an_uncalibrated_camera_is_taken_for_srgb_and_said() -> None:
    read = photograph.read(encode("JPEG", exif=exif(1, 0xFFFF)))
    assert shows_corners(read)
    assert read.notes == ("its colour space is not said, taken for sRGB",)


def test_gray_follows_its_profile() -> None:
    picture = Image.new("L", (8, 8), 128)
    for format in ("PNG", "JPEG", "TIFF"):
        read = photograph.read(encode(format, picture, icc_profile=gray_profile(1.0)))
        assert abs(int(read.pixels[0, 0, 0]) - 188) <= 1
        assert np.ptp(read.pixels) <= 1
        assert read.notes == ("Gray 1.0 brought to sRGB",)
        wide = photograph.read(encode(format, picture, icc_profile=rgb_profile("ProPhoto")))
        assert abs(int(wide.pixels[0, 0, 0]) - 146) <= 2  # 0.5 ** 1.8 of the light


def test_cmyk_follows_its_profile_and_is_refused_without() -> None:
    inks = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for format in ("JPEG", "TIFF"):
        read = photograph.read(encode(format, inks, icc_profile=cmyk_profile()))
        assert np.abs(read.pixels[0, 0].astype(int) - (255, 0, 0)).max() <= 3
        with pytest.raises(Unreadable, match="is CMYK without a colour profile"):
            photograph.read(encode(format, inks))
    content = encode("JPEG", inks, icc_profile=cmyk_profile())
    start = content.index(b"\xff\xeeAdobe"[:2] + b"\0\x0eAdobe")
    with pytest.raises(Unreadable, match="is CMYK that does not say how its inks are counted"):
        photograph.read(content[:start] + content[start + 16 :])


def test_lab_is_read() -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = to_lab.apply(draw_corners())
    for options in ({}, {"icc_profile": lab.info.get("icc_profile", b"")}):
        lab.info.pop("icc_profile", None)
        read = photograph.read(encode("TIFF", lab, **options))
        assert shows_corners(read, 12)  # 8 bits of L*a*b* are coarse
        assert len(read.notes) == 1


def test_a_bitmap_follows_the_profile_in_its_header() -> None:
    pixels = encode("BMP", in_space("Display P3"))[54:]
    profile = rgb_profile("Display P3")

    def bitmap(kind: bytes, tail: bytes, length: int) -> bytes:
        width, height = draw_corners().size
        header = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0)
        header += bytes(16) + kind + bytes(48)
        header += struct.pack("<IIII", 4, 124 + len(pixels), length, 0)
        return b"BM" + struct.pack("<IHHI", 0, 0, 0, 138) + header + pixels + tail

    assert shows_corners(photograph.read(bitmap(b"DEBM", profile, len(profile))))
    with pytest.raises(Unreadable, match="in another file"):
        photograph.read(bitmap(b"KNIL", b"x.icc\0", 6))
    with pytest.raises(Unreadable, match="its colour profile is damaged"):
        photograph.read(bitmap(b"DEBM", profile[:99], len(profile)))


def other(profile: bytes, place: int, value: bytes) -> bytes:
    return profile[:place] + value + profile[place + len(value) :]


P3 = rgb_profile("Display P3")
CURVE = icc.curve(icc.srgb_light)[12:]
BAD_PROFILES: dict[str, bytes] = {
    "no profile": b"no profile",
    "cut": P3[:300],
    "zeros behind the header": P3[:132] + bytes(len(P3) - 132),
    "no curves": P3.replace(b"TRC", b"XXX"),
    "curves of zeros": P3.replace(CURVE, bytes(2048)),
    "zeros within its curves": P3.replace(CURVE, CURVE[:800] + bytes(400) + CURVE[1200:]),
    "a curve that falls": P3.replace(CURVE, CURVE[:600] + CURVE[1400:600:-1] + CURVE[1400:]),
    "a device link": other(P3, 12, b"link"),
    "named colours": other(P3, 12, b"nmcl"),
    "an unknown class": other(P3, 12, b"what"),
    "of gray": gray_profile(2.2),
    "of inks": cmyk_profile(),
    "of HSV": other(P3, 16, b"HSV "),
    "a thousand tags": other(P3, 128, struct.pack(">I", 1000)),
}


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIC"])
@pytest.mark.parametrize("name", sorted(BAD_PROFILES))
def test_a_profile_that_cannot_be_followed_is_refused(name: str, format: str) -> None:
    content = encode(format, icc_profile=BAD_PROFILES[name])
    with pytest.raises(Unreadable, match=r"its colour profile|cut off or damaged"):
        photograph.read(content)


def test_a_profile_that_the_decoder_would_pass_over_is_refused() -> None:
    jpeg = encode("JPEG", icc_profile=P3)
    count = jpeg.index(b"ICC_PROFILE\0") + 13
    cases: list[Callable[[], bytes]] = [
        lambda: insert_chunk(encode("PNG"), b"iCCP", b"P3\0\0no deflate"),
        lambda: insert_chunk(encode("PNG"), b"iCCP", b"P3\0\1" + bytes(9)),
        lambda: insert_chunk(encode("PNG"), b"iCCP", b"P3"),
        lambda: jpeg[:count] + b"\2" + jpeg[count + 1 :],  # the second part is missing
    ]
    for case in cases:
        with pytest.raises(Unreadable, match="its colour profile is damaged"):
            photograph.read(case())


def test_a_profile_of_20_megabytes_is_refused_before_it_is_unpacked() -> None:
    packed = b"huge\0\0" + zlib.compress(bytes(20 * 2**20))
    with pytest.raises(Unreadable, match="more than 16,777,216 bytes"):
        photograph.read(insert_chunk(encode("PNG"), b"iCCP", packed))
    large = P3 + bytes(2**21)
    large = struct.pack(">I", len(large)) + large[4:]
    read = photograph.read(encode("PNG", in_space("Display P3"), icc_profile=large))
    assert shows_corners(read)


def test_names_of_profiles_cannot_steer_a_terminal() -> None:
    name = b"Display P3\0"
    nasty = P3.replace(name, b"\x1b[2J\n[x]\0\0\0")
    assert nasty != P3
    (note,) = photograph.read(encode("PNG", icc_profile=nasty)).notes
    assert note.isprintable()


def test_a_chunk_behind_the_pixels_says_nothing_of_them() -> None:
    png = encode("PNG")
    late = png[:-12] + chunk(b"gAMA", struct.pack(">I", 100_000)) + png[-12:]
    assert shows_corners(photograph.read(late), 0)
