"""Outputs of predictions at addresses: which of them the designer calls."""

import asyncio
from typing import Any

import pytest

from plitka.designer.backends import http, outputs, replicate
from plitka.designer.backends.address import Server
from plitka.designer.errors import Fault
from tests.support.hostile_cog import PICTURE, known_faults
from tests.support.https_server import CERTIFICATE, Answer, https_server
from tests.support.raw_server import raw_server, respond

TOKEN = "r8_0123456789"


def fetch(uri: str, address: str, **allowed: Any) -> bytes:
    async def get() -> bytes:
        async with http.open_api(Server(address, f"Bearer {TOKEN}", (TOKEN,))) as api:
            return await outputs.fetch_output(uri, api, **allowed)

    return asyncio.run(get())


def test_an_output_at_the_server_itself_is_fetched_with_the_token() -> None:
    with raw_server(lambda _: [respond(PICTURE)]) as server:
        for uri in ("out.png", "/out.png", f"{server.address}/out.png", "./a/../out.png"):
            assert fetch(uri, server.address) == PICTURE
    assert len(server.heads) == 4
    assert all(TOKEN.encode() in head for head in server.heads)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:{port}/x",
        "https://127.0.0.1:{port}/x",
        "https://localhost:{port}/x",
        "https://[::1]:{port}/x",
        "https://[::ffff:127.0.0.1]:{port}/x",
        "https://0.0.0.0:{port}/x",
        "https://2130706433:{port}/x",
        "https://0x7f000001:{port}/x",
        "https://127.1:{port}/x",
        "https://localhost.:{port}/x",
        "//127.0.0.1:{port}/x",
        "http:\\\\127.0.0.1:{port}/x",
        "{own}\\@127.0.0.1:{port}/x",
        "{own}@127.0.0.1:{port}/x",
        "https://user:password@localhost:{port}/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/x",
        "https://192.168.1.1/x",
        "https://[fd00::1]/x",
        "https://[fe80::1%25lo]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[2002:7f00:1::]/x",
        "https://100.64.0.1/x",
        "https://224.0.0.1/x",
        "ftp://127.0.0.1:{port}/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https://[",
        "https://a..b/",
        "https://xn--a/",
        "https://h:99999/",
        "https://\u0661.example/",
        "https://\ud800/",
        "\x00",
        "a" * 10_000,
    ],
)
def test_a_server_cannot_make_the_designer_call_what_only_this_machine_reaches(uri: str) -> None:
    """No byte goes to the other server, whatever it would have answered."""
    with (
        raw_server(lambda _: [respond(PICTURE)]) as other,
        raw_server(lambda _: [respond(b"", "404 Not Found")]) as own,
    ):
        named = uri.replace("{port}", str(other.port)).replace("{own}", own.address)
        with pytest.raises(Fault) as caught:
            fetch(named, own.address)
    assert caught.value.code in known_faults()
    assert other.heads == []


def test_an_output_at_another_host_is_fetched_by_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    checked: list[str] = []

    def may_call(address: outputs.IpAddress) -> bool:
        checked.append(str(address))
        return True

    with https_server(lambda *_: Answer(PICTURE)) as other:
        uri = f"{other.address}/out.png?signature=1"
        assert fetch(uri, "http://127.0.0.1:9", may_call=may_call) == PICTURE
        ((path, headers),) = other.asked
        assert path == "/out.png?signature=1"
        assert headers["Host"] == other.address.removeprefix("https://")
        assert "Authorization" not in headers
        assert "127.0.0.1" in checked
        with pytest.raises(Fault, match="photograph_strange"):
            fetch(uri, "http://127.0.0.1:9", may_name=lambda host: host == "example.com")
        wrong = uri.replace("localhost", "2130706433")  # whom the certificate does not name
        with pytest.raises(Fault, match="server_unreachable"):
            fetch(wrong, "http://127.0.0.1:9", may_call=may_call)
        assert len(other.asked) == 1


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("replicate.delivery", True),
        ("pbxt.replicate.delivery", True),
        ("replicate.delivery.evil.com", False),
        ("evilreplicate.delivery", False),
        ("169.254.169.254", False),
        ("localhost", False),
    ],
)
def test_outputs_of_replicate_are_kept_by_replicate(host: str, kept: bool) -> None:
    assert replicate.is_own_host(host) is kept
