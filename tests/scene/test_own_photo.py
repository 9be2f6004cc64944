"""One's own photo: which formats are read, where the floor lies, and what of its light stays."""

import io

import numpy as np
import pytest
from PIL import Image

from plitka.arrays import Doubles, Floats
from plitka.ground.ground import Ground
from plitka.ground.mat import Mat
from plitka.images.errors import Unreadable
from plitka.images.jpeg import encode_jpeg
from plitka.scene.errors import UnusableFloor
from plitka.scene.floor_area import FloorArea, check_area, draw_mask, find_homography
from plitka.scene.own_photo import lay_floor, read_photo
from tests.support.picture_files import encode, exif

WIDTH, HEIGHT = 480, 320
FLOOR = FloorArea(((0.3, 0.4), (0.72, 0.4), (1.05, 0.98), (-0.08, 0.98)), 4.0, 5.0)
WHOLE = FloorArea(((0, 0), (1, 0), (1, 1), (0, 1)), 4.0, 3.0)


def gray_ground(value: int = 188) -> Ground:
    """A poured ground of one gray."""
    picture = np.full((64, 64, 3), value, np.uint8)
    mat = Mat(picture, np.zeros((64, 64), np.int32), np.zeros(1, np.uint8), 64)
    return Ground(None, None, "square", None, 0.0, 7, 100.0, mat, ())


def places(area: FloorArea) -> Doubles:
    """Where each pixel looks at the floor, in mm: (2, HEIGHT, WIDTH)."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    pixels = np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
    mapped = find_homography(area, WIDTH, HEIGHT) @ pixels
    return np.asarray((mapped[:2] / mapped[2]).reshape(2, HEIGHT, WIDTH))


def photograph(linear: Floats) -> np.ndarray:
    """An sRGB picture of linear light, (HEIGHT, WIDTH)."""
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.repeat(np.rint(255 * np.clip(encoded, 0, 1))[..., None], 3, 2).astype(np.uint8)


def linear_of(picture: np.ndarray) -> Doubles:
    value = picture[..., 1] / 255
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4))


def test_corners_are_mapped_exactly() -> None:
    matrix = find_homography(FLOOR, WIDTH, HEIGHT)
    for (x, y), laid in zip(
        FLOOR.corners, [(0, 0), (4000, 0), (4000, 5000), (0, 5000)], strict=True
    ):
        right, down, before = matrix @ (x * WIDTH, y * HEIGHT, 1)
        assert before > 0
        assert (right / before, down / before) == pytest.approx(laid, abs=1e-2)


def test_the_light_of_the_photo_stays_and_the_old_pattern_goes() -> None:
    """A checkerboard of 30 cm in the light of a lamp, with a shadow of 1.6 m on it."""
    right, down = places(FLOOR)
    squares = np.where((np.floor(right / 300) + np.floor(down / 300)) % 2 > 0, 0.6, 0.12)
    away = np.hypot(right - 1900, down - 3200)
    light = np.where(away < 800, 0.35, 1.0)
    laid = linear_of(lay_floor(photograph(squares * light), FLOOR, gray_ground(), 0.3, 1.0))
    inside = (right > 700) & (right < 3300) & (down > 1200) & (down < 4500)
    shadow, lit = inside & (away < 500), inside & (away > 1150)
    assert laid[shadow].mean() / laid[lit].mean() == pytest.approx(0.35, abs=0.05)
    assert laid[shadow].std() / laid[shadow].mean() < 0.1
    assert laid[lit].std() / laid[lit].mean() < 0.1  # of the checker it was 0.67


def test_all_but_the_floor_stays_to_the_byte() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    hole = ((0.45, 0.6), (0.55, 0.6), (0.55, 0.8), (0.45, 0.8))
    area = FloorArea(FLOOR.corners, 4.0, 5.0, holes=(hole,))
    laid = lay_floor(photo, area, gray_ground(), 0.3, 1.0)
    same = (laid == photo).all(-1)
    assert bool(same[: int(0.39 * HEIGHT)].all())
    assert bool(
        same[int(0.62 * HEIGHT) : int(0.78 * HEIGHT), int(0.47 * WIDTH) : int(0.53 * WIDTH)].all()
    )
    assert same[int(0.85 * HEIGHT), WIDTH // 4 : WIDTH // 2].mean() < 0.1


def test_an_outline_is_laid_in_place_of_the_rectangle() -> None:
    outline = ((0.0, 0.6), (0.5, 0.5), (1.0, 0.6), (1.0, 1.0), (0.0, 1.0))
    mask = draw_mask(FloorArea(FLOOR.corners, 4.0, 5.0, outline), WIDTH, HEIGHT)
    assert mask[HEIGHT - 2, 3] == 1
    assert mask[int(0.45 * HEIGHT), WIDTH // 2] == 0
    assert mask.mean() == pytest.approx(0.45, abs=0.01)


def test_over_its_horizon_a_floor_is_not_laid() -> None:
    area = FloorArea(FLOOR.corners, 4.0, 5.0, ((0, 0), (1, 0), (1, 1), (0, 1)))
    photo = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    laid = lay_floor(photo, area, gray_ground(), 0.3, 1.0)
    assert bool((laid[:20] == 90).all())
    assert not bool((laid[-20:] == 90).all())


@pytest.mark.parametrize(
    ("format", "options"),
    [("JPEG", {"subsampling": 0}), ("PNG", {}), ("WEBP", {}), ("HEIC", {}), ("turned", {})],
)
def test_every_format_gives_the_same_photo(format: str, options: dict[str, object]) -> None:
    picture = Image.new("RGB", (96, 64), (200, 100, 50))
    picture.paste((10, 20, 220), (48, 32, 96, 64))
    if format == "turned":  # as a phone that was held upright saves it
        content = encode("JPEG", picture.transpose(Image.Transpose.ROTATE_90), exif=exif(6))
    else:
        content = encode(format, picture, **options)
    read = read_photo(content).astype(int)
    assert read.shape == (64, 96, 3)
    away = np.abs(read - np.asarray(picture, int)).mean(-1)
    assert float(np.median(away)) < 5
    assert float((away > 12).mean()) < 0.1  # along the edge between the colours


def test_a_saved_photo_does_not_say_where_it_was_taken() -> None:
    tags = Image.Exif()
    tags[0x010F] = "A camera"
    tags.get_ifd(0x8825)[1] = "N"
    tags.get_ifd(0x8825)[2] = (59.0, 56.0, 3.0)
    content = encode("JPEG", Image.new("RGB", (64, 48), "gray"), exif=tags.tobytes())
    assert b"A camera" in content
    laid = lay_floor(read_photo(content), WHOLE, gray_ground(), 0.3, 1.0)
    saved = encode_jpeg(laid, 92)
    assert b"A camera" not in saved
    assert b"Exif" not in saved
    with Image.open(io.BytesIO(saved)) as read:
        assert dict(read.getexif()) == {}


def test_a_large_photo_is_made_smaller() -> None:
    content = encode("PNG", Image.new("L", (6000, 4000), 128))
    height, width = read_photo(content).shape[:2]
    assert width * height <= 12_000_000
    assert width / height == pytest.approx(1.5, abs=0.001)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"GIF89a", "is GIF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is SVG"),
        (encode("JPEG")[:300], "cut off"),
        (encode("PNG", Image.new("1", (20000, 20000)), compress_level=1), "20000x20000 pixels"),
    ],
    ids=["empty", "gif", "svg", "cut", "bomb"],
)
def test_a_hostile_photo_is_refused_in_words(content: bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        read_photo(content)


@pytest.mark.parametrize(
    ("area", "reason"),
    [
        (FloorArea(((0, 0), (1, 1), (1, 0), (0, 1)), 4, 3), "corners"),  # crossed
        (FloorArea(((0, 0), (0.5, 0), (1, 0), (0.2, 0)), 4, 3), "corners"),  # on a line
        (FloorArea(((0, 0), (1, 0), (0.2, 0.2), (0, 1)), 4, 3), "corners"),  # hollow
        (FloorArea(((0, 0), (1, 0), (float("nan"), 1), (0, 1)), 4, 3), "corners"),
        (FloorArea(WHOLE.corners, 0, 3), "sides"),
        (FloorArea(WHOLE.corners, 4, float("inf")), "sides"),
        (FloorArea(WHOLE.corners, 4, 3, ((0, 0), (1, 1))), "outline"),
        (FloorArea(WHOLE.corners, 4, 3, holes=(((0, 0), (99, 1), (0, 1)),)), "outline"),
    ],
)
def test_what_is_no_floor_is_refused(area: FloorArea, reason: str) -> None:
    with pytest.raises(UnusableFloor) as caught:
        check_area(area)
    assert caught.value.reason == reason


def test_a_floor_beside_the_photo_is_refused() -> None:
    beside = FloorArea(((2, 0), (3, 0), (3, 1), (2, 1)), 4, 3)
    with pytest.raises(UnusableFloor, match="nothing of the floor"):
        lay_floor(np.zeros((40, 60, 3), np.uint8), beside, gray_ground(), 0.3, 1.0)


def test_tiles_of_500_mm_lie_where_the_corners_say() -> None:
    """Straight from above, 4 m wide: a joint every 500 mm is one every 60 pixels."""
    mat = gray_ground().mat
    tiled = Ground(4000, 3000, "square", (500.0, 500.0), 0.0, 7, 100.0, mat, ())
    photo = np.full((360, 480, 3), 128, np.uint8)
    laid = lay_floor(photo, WHOLE, tiled, 0.3, 1.0).astype(float).sum(-1)
    profile = laid.mean(axis=0)
    around = (np.roll(profile, 4) + np.roll(profile, -4)) / 2
    joints = [int(x) for x in np.flatnonzero(around - profile > 15) if 5 < x < 475]
    assert {round(x / 60) for x in joints} == {1, 2, 3, 4, 5, 6, 7}
    assert max(abs(x + 0.5 - 60 * round(x / 60)) for x in joints) <= 1
