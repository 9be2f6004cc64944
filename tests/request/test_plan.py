import json

import pytest

from plitka.request.plan import count_steps, make_plan
from plitka.request.prompt import DEFAULT_NEGATIVE_PROMPT
from tests.support.recipes import parse

RED = [{"name": "red", "proportion": 100}]


def planned(**request: object) -> dict[str, object]:
    planned = make_plan(parse(json.dumps({"colors": RED, **request}))).as_json()
    # What the command prints must survive JSON unchanged.
    assert json.loads(json.dumps(planned)) == planned
    return planned


def test_a_plain_request_is_planned_with_all_defaults() -> None:
    assert planned() == {
        "colors": [{"name": "red", "share": 1.0}],
        "understood": [{"word": "red", "source": "palette", "code": "RED", "hex": "#c74a3d"}],
        "angle": 0,
        "quality": "standard",
        "seed": -1,
        "trigger": "ohwx_rubber_tile",
        "prompt": (
            "ohwx_rubber_tile <s0><s1>, 100% red, "
            "photorealistic rubber tile, high quality, detailed texture"
        ),
        "negative_prompt": DEFAULT_NEGATIVE_PROMPT,
        "steps": {"preview": 35, "final": 50},
        "guidance_scale": 6.5,
        "controlnet": None,
        "controlnet_reason": "top view is reliable without it",
        "color_control": "layout",
        "strength": 0.5,
    }


@pytest.mark.parametrize(
    ("quality", "preview", "final", "guidance", "strength"),
    [
        ("preview", 35, 40, 6.5, 0.45),
        ("standard", 35, 50, 6.5, 0.5),
        ("high", 40, 60, 6.0, 0.55),
        ("fast", 32, 44, 6.5, 0.5),
        ("turbo", 8, 8, 1.0, 0.5),
    ],
)
def test_a_quality_stands_for_its_profile(
    quality: str, preview: int, final: int, guidance: float, strength: float
) -> None:
    result = planned(quality=quality)
    assert result["steps"] == {"preview": preview, "final": final}
    assert result["guidance_scale"] == guidance
    assert result["strength"] == strength


@pytest.mark.parametrize(
    ("overrides", "key", "value"),
    [
        ({"num_inference_steps": 20}, "steps", {"preview": 35, "final": 20}),
        (
            {"num_inference_steps": 20, "num_inference_steps_final": 30},
            "steps",
            {"preview": 35, "final": 30},
        ),
        ({"num_inference_steps_preview": 1}, "steps", {"preview": 1, "final": 50}),
        ({"guidance_scale": 1}, "guidance_scale", 1.0),
        ({"strength": 0.05}, "strength", 0.05),
        ({"color_control": "prompt"}, "strength", None),
        ({"color_control": "prompt", "strength": 0.3}, "strength", None),
        ({"negative_prompt": "moss"}, "negative_prompt", "moss"),
        ({"use_controlnet": True}, "controlnet", "canny"),
    ],
)
def test_an_override_wins_over_the_profile(
    overrides: dict[str, object], key: str, value: object
) -> None:
    assert planned(overrides=overrides)[key] == value


def test_a_whole_angle_is_printed_whole() -> None:
    assert json.dumps(planned(angle=45.0)["angle"]) == "45"
    assert json.dumps(planned(angle=22.5)["angle"]) == "22.5"
    assert json.dumps(planned(angle=180)["angle"]) == "0"


@pytest.mark.parametrize(
    ("length", "strength", "run"), [(2, 0.05, 1), (50, 0.58, 29), (6, 1.0, 6), (6, None, 6)]
)
def test_image_to_image_runs_its_share_of_the_steps_and_at_least_one(
    length: int, strength: float | None, run: int
) -> None:
    assert count_steps(length, strength) == run
