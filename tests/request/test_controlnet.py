import pytest

from plitka.request.controlnet import choose_controlnet


@pytest.mark.parametrize(
    ("angle", "kind"),
    [
        (0, None),
        (180, None),
        (90, "canny"),
        (45, "softedge"),
        (135, "softedge"),
        (1, "canny"),
        (22.5, "canny"),
        (22.51, "softedge"),
        (67.49, "softedge"),
        (67.5, "canny"),
        (112.5, "canny"),
        (157.49, "softedge"),
        (157.5, "canny"),
        (179.9, "canny"),
    ],
)
def test_the_angle_chooses_canny_near_an_axis_and_softedge_between(
    angle: float, kind: str | None
) -> None:
    assert choose_controlnet(angle).kind == kind


def test_the_top_view_needs_none_and_says_so() -> None:
    assert choose_controlnet(0).reason == "top view is reliable without it"


@pytest.mark.parametrize(("angle", "kind"), [(0, "canny"), (45, "softedge"), (90, "canny")])
def test_it_can_be_forced_on_and_off_and_the_reason_says_so(angle: float, kind: str) -> None:
    on, off = choose_controlnet(angle, forced=True), choose_controlnet(angle, forced=False)
    assert (on.kind, off.kind) == (kind, None)
    assert on.reason.startswith("forced on by use_controlnet")
    assert off.reason == "forced off by use_controlnet"


def test_the_reason_states_the_angle() -> None:
    assert choose_controlnet(100).reason == "100 degrees is within 22.5 degrees of an axis"
    assert choose_controlnet(45).reason == "45 degrees is not within 22.5 degrees of an axis"


def test_a_scale_of_0_is_none_and_says_so() -> None:
    assert choose_controlnet(45, scale=0) == choose_controlnet(90, forced=True, scale=0)
    assert choose_controlnet(45, scale=0).reason == "controlnet_scale is 0"
