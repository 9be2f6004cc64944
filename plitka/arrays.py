"""Types of the NumPy arrays that pass between rooms. Imports: nothing of plitka.

Imports: nothing of the project.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
"""Single precision, for values that each pixel has: L*a*b*, linear light, heights."""

Doubles: TypeAlias = NDArray[np.float64]
"""Double precision, for values that each segment, material or colour has: areas, costs."""

Image: TypeAlias = NDArray[np.uint8]
"""(height, width, 3) sRGB in the order R, G, B, 0 to 255."""
