"""ICC profiles for tests, written by the specification: version 2, matrix and tone curves."""

import struct
from collections.abc import Callable, Sequence

import numpy as np

XY = tuple[float, float]
D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
PCS = (0.9642, 1.0, 0.8249)


def srgb_light(x: float) -> float:
    return x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4


def video_light(x: float) -> float:
    return x / 4.5 if x < 0.0812 else ((x + 0.099) / 1.099) ** (1 / 0.45)


def gamma(power: float) -> Callable[[float], float]:
    return lambda x: x**power


SPACES: dict[str, tuple[Sequence[XY], XY, Callable[[float], float]]] = {
    "sRGB": ([(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)], D65, srgb_light),
    "Display P3": ([(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)], D65, srgb_light),
    "Adobe RGB": ([(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)], D65, gamma(563 / 256)),
    "ProPhoto": ([(0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)], D50, gamma(1.8)),
    "Rec. 2020": ([(0.708, 0.292), (0.17, 0.797), (0.131, 0.046)], D65, video_light),
}


def rgb_profile(name: str) -> bytes:
    """The profile of one of SPACES."""
    primaries, white, light = SPACES[name]
    adaptation = adapt(white)
    lifted = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    x, y = white
    colorants = lifted * np.linalg.solve(lifted, [x / y, 1, (1 - x - y) / y])
    columns = (adaptation @ colorants).T
    tags = {b"desc": text(name), b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": xyz(PCS)}
    tags |= {
        key: xyz(column) for key, column in zip([b"rXYZ", b"gXYZ", b"bXYZ"], columns, strict=True)
    }
    tags |= dict.fromkeys([b"rTRC", b"gTRC", b"bTRC"], curve(light))
    return join(tags, b"RGB ")


def gray_profile(power: float) -> bytes:
    tags = {b"desc": text(f"Gray {power}"), b"wtpt": xyz(PCS), b"kTRC": curve(gamma(power))}
    return join(tags, b"GRAY")


def cmyk_profile() -> bytes:
    """A press whose paper is white and whose inks take all of their light: an 8-bit table."""
    nodes = np.stack(np.meshgrid(*[np.array([0.0, 1.0])] * 4, indexing="ij"), -1).reshape(-1, 4)
    table = []
    for cyan, magenta, yellow, black in nodes:
        rgb = (1 - np.array([cyan, magenta, yellow])) * (1 - black)
        table.append(lab_of(rgb))
    lab = np.array(table)
    coded = np.clip(np.rint(lab * [2.55, 1, 1] + [0, 128, 128]), 0, 255).astype(np.uint8)
    identity = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0])
    lut += struct.pack(">9i", *(65536 * one for one in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    lut += identity * 4 + coded.tobytes() + identity * 3
    tags = {b"desc": text("Press"), b"wtpt": xyz(PCS), b"A2B0": lut, b"A2B1": lut}
    return join(tags, b"CMYK", b"prtr", b"Lab ")


def lab_of(linear: np.ndarray) -> np.ndarray:
    """L*a*b* of linear sRGB, of white D50."""
    to_xyz = np.array(
        [[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7142]]
    )
    ratio = to_xyz @ linear / np.array(PCS)
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def adapt(white: XY) -> np.ndarray:
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    x, y = white
    gains = (bradford @ PCS) / (bradford @ [x / y, 1, (1 - x - y) / y])
    return np.asarray(np.linalg.inv(bradford) @ np.diag(gains) @ bradford)


def curve(light: Callable[[float], float], nodes: int = 1024) -> bytes:
    values = [round(65535 * light(node / (nodes - 1))) for node in range(nodes)]
    return b"curv" + bytes(4) + struct.pack(f">I{nodes}H", nodes, *values)


def xyz(values: Sequence[float] | np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in values))


def text(name: str) -> bytes:
    written = name.encode() + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(written)) + written + bytes(78)


def join(
    tags: dict[bytes, bytes], space: bytes, device: bytes = b"mntr", connection: bytes = b"XYZ "
) -> bytes:
    at = 132 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for signature, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", signature, at + len(data), len(content))
        data += padded
    size = at + len(data)
    header = struct.pack(">I4sI", size, bytes(4), 0x02400000) + device + space + connection
    header += struct.pack(">6H", 2001, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + xyz(PCS)[8:]
    return header.ljust(128, b"\0") + table + data
