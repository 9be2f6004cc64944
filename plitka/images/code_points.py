"""Code points for colours (CICP, ITU-T H.273) -> an RGB colour space.

They stand in PNG (cICP), in HEIC and AVIF (nclx), and in ICC profiles of high dynamic range.
"""

from plitka.images.errors import Unreadable
from plitka.images.matrix_profile import D65, SRGB_CURVE, Chromaticity, Curve, Space

_Primaries = tuple[str, Chromaticity, Chromaticity, Chromaticity, Chromaticity]

_C = (0.310, 0.316)
_NTSC: _Primaries = ("SMPTE 170M", (0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65)
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_PRIMARIES: dict[int, _Primaries] = {
    1: ("BT.709", (0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    4: ("BT.470 M", (0.670, 0.330), (0.210, 0.710), (0.140, 0.080), _C),
    5: ("BT.470 BG", (0.640, 0.330), (0.290, 0.600), (0.150, 0.060), D65),
    6: _NTSC,
    7: _NTSC,
    8: ("film", (0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ("Rec. 2020", (0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ("DCI-P3", *_P3, (0.314, 0.351)),
    12: ("Display P3", *_P3, D65),
    22: ("EBU 3213", (0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}

_VIDEO = Curve(1 / 0.45, 1 / 1.099297, 0.099297 / 1.099297, 1 / 4.5, 0.081243)
_CURVES = {
    **dict.fromkeys([1, 6, 14, 15], _VIDEO),
    4: Curve(2.2),
    5: Curve(2.8),
    7: Curve(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913),
    8: Curve(1.0),
    13: SRGB_CURVE,
}
_HIGH_RANGE = {16: "PQ", 18: "HLG"}
_UNSPECIFIED = 2


def refuse_high_range(transfer: int) -> None:
    """Raise Unreadable for a transfer of high dynamic range, whose white is no sheet of paper."""
    if transfer in _HIGH_RANGE:
        raise Unreadable(
            f"is of high dynamic range ({_HIGH_RANGE[transfer]}); save it as an ordinary picture, "
            "in sRGB"
        )


def find_space(primaries: int, transfer: int) -> Space | None:
    """Find the space of two code points; None where both leave it open.

    Raises Unreadable for high dynamic range, and for code points that stand for nothing known.
    """
    refuse_high_range(transfer)
    if primaries == transfer == _UNSPECIFIED:
        return None
    named = _PRIMARIES.get(1 if primaries == _UNSPECIFIED else primaries)
    curve = _CURVES.get(13 if transfer == _UNSPECIFIED else transfer)
    if named is None or curve is None:
        raise Unreadable(
            f"names colours that are not known here (CICP {primaries}/{transfer}); save it in sRGB"
        )
    return Space(*named, curve)
