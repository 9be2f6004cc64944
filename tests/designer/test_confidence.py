"""What the designer is told in confidence is not told on: tokens and passwords of servers."""

import base64
import html
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from PIL import Image, PngImagePlugin

from plitka.designer.errors import Fault
from plitka.images import png
from tests.support.designer import designer
from tests.support.hostile_cog import (
    ASKED,
    COMPLETED,
    fault_of,
    photograph,
    write_event,
    write_output,
)
from tests.support.raw_server import raw_server, respond, stream_events

TOKEN = 'r8"t0k/en+<odd>&letters=~.0123456789'
PASSWORD = "p%40ss+w%2Ford~7"

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "percent": lambda text: quote(text, safe=""),
    "percent of all": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON": json.dumps,
    "JSON twice": lambda text: json.dumps(json.dumps(text)),
    "JSON escapes": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "Python": repr,
    "HTML": html.escape,
    "HTML numbers": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "hexadecimal": lambda text: text.encode().hex(),
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 of a header": lambda text: base64.b64encode(f"Bearer {text}".encode()).decode(),
    "Base64 of JSON": lambda text: base64.b64encode(json.dumps({"t": text}).encode()).decode(),
    "Base64 for addresses": lambda text: base64.urlsafe_b64encode(b"xy" + text.encode()).decode(),
    "Basic": lambda text: base64.b64encode(f"somebody:{text}".encode()).decode(),
    "between zero-width spaces": "\u200b".join,
}


def ways_to_tell(said: str) -> dict[str, Callable[[bytes], Iterable[bytes]]]:
    """Answers of a Cog server that say this."""
    failed = {"status": "failed", "error": said}
    setup = {"status": "SETUP_FAILED", "setup": {"logs": "line\n" * 400 + said}}
    error = json.dumps({"error": said}).encode()
    text = PngImagePlugin.PngInfo()
    text.add_itxt(png.TEXT_KEY, json.dumps({"groups": [[said]], "measured": {said: 1}}))
    record = io.BytesIO()
    Image.new("RGB", (8, 8)).save(record, "PNG", pnginfo=text)

    def answer_health(head: bytes) -> Iterable[bytes]:
        is_health = b"health-check" in head
        return [respond(json.dumps(setup).encode()) if is_health else respond(b"", "503 Busy")]

    return {
        "failed": lambda _: [stream_events(), write_event("completed", failed)],
        "refused": lambda _: [respond(error, "400 Bad Request")],
        "refused at length": lambda _: [
            respond(json.dumps({"detail": "a" * 395 + said + "b" * 395}).encode(), "400 No")
        ],
        "health": answer_health,
        "redirected": lambda _: [respond(error, "302 Found", f"Location: /{quote(said)}")],
        "address": lambda _: [
            stream_events(),
            write_event("output", {"chunk": f"https://{quote(said)[:50]}.invalid/"}),
        ],
        "picture": lambda _: [stream_events(), write_output(record.getvalue()), COMPLETED],
    }


def is_told(secret: str, fault: Fault) -> bool:
    """Whether a fault repeats a secret in any form that a server may have given it."""
    texts = (fault.detail, *map(str, fault.values.values()))
    return any(make(secret).lower() in text.lower() for make in FORMS.values() for text in texts)


@pytest.mark.parametrize("form", FORMS)
def test_no_fault_repeats_the_token_in_any_form(form: str) -> None:
    said = FORMS[form](TOKEN)
    for way, answer in ways_to_tell(f"you sent {said} to us").items():
        with raw_server(answer) as server:
            fault = fault_of(server, PLITKA_PHOTOGRAPH_TOKEN=TOKEN)
        assert not is_told(TOKEN, fault), (way, fault.as_json())
        if way in {"failed", "refused"}:
            assert fault.detail.startswith("you sent")
            assert fault.detail.endswith("to us")
        assert any(f"Authorization: Bearer {TOKEN}".encode() in head for head in server.heads)


def test_a_server_that_repeats_all_that_it_gets_shows_nothing_on_the_page(tmp_path: Path) -> None:
    """The program as it runs: what it answers, and what it logs."""

    def repeat_head(head: bytes) -> Iterable[bytes]:
        said = head.decode("latin-1")
        error = {"status": "failed", "error": f"{said} {FORMS['Base64'](said)} {quote(said)}"}
        return [
            stream_events(),
            write_event("log", {"data": said}),
            write_event("completed", error),
        ]

    with raw_server(repeat_head) as server:
        named = server.address.replace("//", f"//somebody:{PASSWORD}@")
        for variables in (
            {"PLITKA_PHOTOGRAPH": server.address, "PLITKA_PHOTOGRAPH_TOKEN": TOKEN},
            {"PLITKA_PHOTOGRAPH": named, "PLITKA_LOG_FORMAT": "json", "PLITKA_LOG_LEVEL": "DEBUG"},
        ):
            with designer(tmp_path, variables) as running:
                start = httpx.get(running.url + "start").text
                body = json.dumps(ASKED.request())
                told = httpx.post(running.url + "photograph", content=body).text
            assert '"fault": "photograph_failed"' in told
            assert "PUT /predictions" in told
            log = running.log.read_text(encoding="utf-8")
            assert "photograph_failed" in log
            for secret in (TOKEN, PASSWORD, "p@ss+w/ord~7", "somebody"):
                for make in FORMS.values():
                    for text in (start, told, log):
                        assert make(secret).lower() not in text.lower()
        basic = base64.b64encode(b"somebody:p@ss+w/ord~7")
        assert b"Basic " + basic in server.heads[-1]
        assert basic.decode() not in told + log


def test_a_message_keeps_its_words_and_lines_but_no_signs_that_act() -> None:
    said = "first\nsecond\x1b]0;title\x07 \u202edesrever\u2066 \ud800 \x00<b>&amp;</b>"
    with raw_server(ways_to_tell(said)["failed"]) as server:
        assert fault_of(server).detail == "first\nsecond]0;title desrever  <b>&amp;</b>"


def answer_with(body: bytes, status: str) -> Callable[[bytes], Iterable[bytes]]:
    return lambda _: [respond(body, status)]


@pytest.mark.parametrize("form", FORMS)
def test_replicate_repeats_no_token_either(form: str) -> None:
    body = json.dumps({"detail": f"no {FORMS[form](TOKEN)} here"}).encode()
    for status in ("400 No", "404 No", "500 No"):
        with (
            raw_server(answer_with(body, status)) as server,
            pytest.raises(Fault) as caught,
        ):
            photograph(
                PLITKA_PHOTOGRAPH="replicate:maker/tiles",
                REPLICATE_API_TOKEN=TOKEN,
                REPLICATE_API_BASE_URL=server.address,
            )
        assert caught.value.detail.startswith("no ")
        assert caught.value.detail.endswith(" here")
        assert not is_told(TOKEN, caught.value)
