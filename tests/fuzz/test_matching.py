"""Any picture is matched to any recipe, or is too small; and the same way each time."""

import pytest
from hypothesis import HealthCheck, given, settings

from plitka.arrays import Image
from plitka.tile.layout import Layout
from tests.fuzz import matching


@pytest.mark.long
def test_any_picture_is_matched_to_any_recipe() -> None:
    @settings(
        max_examples=12,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(matching.pictures(largest=160), matching.layouts())
    def check(image: Image, layout: Layout) -> None:
        matching.check(image, layout)

    check()
