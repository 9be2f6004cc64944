"""The designer's server, asked directly, and its command."""

import json
import os
import socket
import subprocess
import sys

import httpx
import numpy as np
import pytest

from plitka.color import palette
from plitka.designer import gallery, png_recipe
from plitka.designer.renderer import Renderer
from plitka.ground import quilting
from tests.support.designer import Designer


def body(red: float, angle: float = 0, seed: int = 7) -> str:
    colors = [{"name": "red", "proportion": red}, {"name": "sand", "proportion": 100 - red}]
    return json.dumps({"colors": colors, "angle": angle, "seed": seed})


def test_only_its_own_page_is_answered(designing: Designer) -> None:
    stranger = "https://example.com"
    with httpx.Client(base_url=designing.url) as client:
        assert client.get("start", headers={"Host": "example.com"}).status_code == 403
        for path in ("recipe", "typed", "draft", "photograph", "dropped"):
            refused = client.post(path, content=body(50), headers={"Origin": stranger})
            assert refused.status_code == 403
            assert refused.json()["fault"] == "stranger"
        own = {"Origin": designing.url.rstrip("/")}
        assert client.post("recipe", content=body(50), headers=own).status_code == 200


def test_the_browser_is_told_to_ask_nobody_else(designing: Designer) -> None:
    policy = httpx.get(designing.url).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("path", "content", "status", "fault"),
    [
        ("recipe", b"{", 422, "recipe"),
        ("recipe", b"\xff\xfe", 422, "recipe"),
        ("draft", b"[" * 100_000, 422, "recipe"),
        ("draft", b" " * 200_000, 413, "picture_large"),
        ("pictures/final", b'{"colors": []}', 422, "recipe"),
        ("pictures/poster", body(50).encode(), 404, "no_such_page"),
        ("scene/room", b"{}", 422, "recipe"),
        ("scene/moon", body(50).encode(), 404, "no_such_page"),
        ("scene/room/small", b"{}", 422, "recipe"),
        ("own-photo", b"GIF89a", 422, "own_unreadable"),
        ("own-photo", b"", 422, "own_unreadable"),
        ("own-photo/laid", b"{}", 422, "own_broken"),
        ("typed", b"blurple", 422, "typed"),
        ("typed", b"\xff\xfe", 422, "typed"),
        ("typed", b"60% black, 60% white", 422, "typed_recipe"),
        ("typed", b"60% blurple, 40% white", 422, "typed_recipe"),
        ("typed", b"{", 422, "typed_recipe"),
        ("typed", b" " * 200_000, 413, "picture_large"),
        ("photograph", b"{}", 422, "recipe"),
        ("dropped", b"JPEG", 400, "picture_no_png"),
    ],
)
def test_bad_input_is_a_fault_with_a_name(
    path: str, content: bytes, status: int, fault: str, designing: Designer
) -> None:
    answer = httpx.post(designing.url + path, content=content)
    assert (answer.status_code, answer.json()["fault"]) == (status, fault)


def test_a_picture_comes_with_the_shares_it_shows_and_what_a_stranger_measures(
    designing: Designer,
) -> None:
    answer = httpx.post(designing.url + "pictures/preview", content=body(30))
    shown = json.loads(answer.headers["Plitka-Shares"])
    assert set(shown) == {"shares", "counted", "measured", "intervals", "groups"}
    assert shown["counted"] is True
    assert shown["shares"] == pytest.approx({"red": 0.3, "sand": 0.7}, abs=0.003)
    for name in ("red", "sand"):
        low, high = shown["intervals"][name]
        assert 0 <= low <= shown["measured"][name] <= high <= 1
    assert shown["groups"] == []


@pytest.mark.parametrize(
    ("text", "name", "source"),
    [
        ("чёрного", "black", "russian"),
        ("dkgreen", "dark green", "palette"),
        ("navy", "#000080", "css"),
        ("ral3020", "#bb1e10", "ral"),
        (" #F00 ", "#ff0000", "hex"),
    ],
)
def test_a_typed_color_is_told_as_the_page_keeps_it(
    text: str, name: str, source: str, designing: Designer
) -> None:
    told = httpx.post(designing.url + "typed", content=text.encode()).json()
    assert (told["color"]["name"], told["understood"][0]["source"]) == (name, source)
    assert told["color"]["free"] is name.startswith("#")


def test_a_typed_recipe_is_read_in_any_form(designing: Designer) -> None:
    texts = ("30% red, 70% sand, seed 7", "30% красного, остальное песочное, сид 7", body(30))
    told = [httpx.post(designing.url + "typed", content=text.encode()).json() for text in texts]
    assert len({json.dumps(one["recipe"]) for one in told}) == 1
    assert [said["word"] for said in told[1]["understood"]] == ["красного", "песочное"]


def test_a_recipe_that_is_wrong_is_told_in_each_language(designing: Designer) -> None:
    answer = httpx.post(designing.url + "typed", content=b"60% black, 60% white").json()
    assert answer["detail"] == answer["details"]["en"]
    assert answer["detail"].startswith("colors: proportions add up to 120%")
    assert answer["details"]["ru"].startswith("Доли дают в сумме 120 %")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("60% чёрный, 25% серый, 15% красный", {"kind": "recipe", "count": 3}),
        ("navy", {"kind": "color", "hex": "#000080"}),
        ("60% чёрный, 25", {"kind": "begun"}),
        ("60", {"kind": "begun"}),
        ("blurple", {"kind": "nothing"}),
        ("", {"kind": "nothing"}),
    ],
)
def test_what_is_being_typed_is_foreseen(
    text: str, told: dict[str, object], designing: Designer
) -> None:
    answer = httpx.post(designing.url + "typing", content=text.encode())
    assert (answer.status_code, answer.json()) == (200, told)


def test_nothing_but_the_page_is_served(designing: Designer) -> None:
    for path in (
        "page/../server.py",
        "page/%2e%2e/server.py",
        "page/..%2fserver.py",
        "gallery/x.jpg",
    ):
        assert httpx.get(designing.url + path).status_code == 404


def test_every_sample_of_the_gallery_is_a_picture(designing: Designer) -> None:
    assert len(gallery.SAMPLES) >= 12
    for sample in gallery.SAMPLES:
        answer = httpx.get(f"{designing.url}gallery/{sample.code}.jpg", timeout=60)
        assert answer.headers["Content-Type"] == "image/jpeg"


def test_a_floor_goes_on_over_the_borders_of_the_tile() -> None:
    """Its surface meets itself, right to left and bottom to top, as smoothly as it goes on."""
    asked = gallery.SAMPLES[0].recipe(palette.load())
    png, _ = Renderer().make_picture(asked, "final", lambda: None)
    tile = png_recipe.read_pixels(png)
    endless = quilting.quilt(tile, asked.angle, asked.seed).astype(float)
    for way in (0, 1):
        steps = np.abs(endless - np.roll(endless, 1, way)).mean(axis=(1 - way, 2))
        assert steps[0] < np.quantile(steps, 0.99)


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env={**os.environ, **env}
    )


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run("-m", "plitka", "design", "--port", str(port), PLITKA_PHOTOGRAPH="")
    assert done.returncode == 1
    assert done.stderr.startswith(f"port {port} of 127.0.0.1: ")
    assert "--port" in done.stderr


def test_a_wrong_setting_ends_the_program_with_its_name() -> None:
    done = run("-m", "plitka", "design", PLITKA_PHOTOGRAPH="gopher://x")
    assert done.returncode == 1
    assert done.stderr.startswith("PLITKA_PHOTOGRAPH: allowed are")


def test_what_is_not_installed_is_named_with_the_way_to_install_it() -> None:
    without = "import sys; sys.modules['uvicorn'] = None; from plitka.cli.main import main; "
    done = run("-c", without + "sys.exit(main(['design']))")
    assert done.returncode == 1
    assert "uvicorn is not installed" in done.stderr
    assert "-m pip install -r requirements-ui.txt" in done.stderr
