"""sRGB (IEC 61966-2-1) and CIE L*a*b* under D65: conversions of one colour, without NumPy."""

from typing import TypeAlias

RGB: TypeAlias = tuple[int, int, int]
"""Red, green and blue as bytes, 0 to 255."""
Lab: TypeAlias = tuple[float, float, float]
"""CIE 1976 L* (0 to 100), a*, b* under D65."""

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Relative luminance of linear R, G and B."""

# Linear sRGB to XYZ and the white point (x 0.3127, y 0.3290), at full precision.
_TO_XYZ = (
    (0.4123907992659593, 0.357584339383878, 0.1804807884018343),
    (0.21263900587151024, 0.715168678767756, 0.07219231536073371),
    (0.01933081871559182, 0.11919477979462598, 0.9505321522496607),
)
_WHITE = (0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290)
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27  # of CIE L*: where its cube root becomes a line


def decode_srgb(value: float) -> float:
    """Decode one sRGB channel, 0 to 1, to linear light, 0 to 1."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def srgb_to_lab(srgb: RGB) -> Lab:
    """Convert one sRGB colour to L*a*b*."""
    linear = [decode_srgb(channel / 255) for channel in srgb]
    x, y, z = (
        _compress_light(sum(a * b for a, b in zip(row, linear, strict=True)) / white)
        for row, white in zip(_TO_XYZ, _WHITE, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def parse_hex(digits: str) -> RGB:
    """Parse six hexadecimal digits, "1e90ff", as sRGB. Raises ValueError for anything else."""
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def format_hex(srgb: RGB) -> str:
    """Format an sRGB colour as a hex in lower case, "#1e90ff"."""
    return "#{:02x}{:02x}{:02x}".format(*srgb)


def _compress_light(value: float) -> float:
    """Compute f(t) of CIE L*a*b*, a cube root with a line near 0; value: X/Xn, Y/Yn or Z/Zn."""
    return float(value ** (1 / 3)) if value > _EPSILON else (_KAPPA * value + 16) / 116
