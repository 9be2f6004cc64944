"""Settings that name the server of photographs: read once, at start, or refused in a sentence."""

import base64
import os
import socket
import subprocess
import sys

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plitka.designer.backends.address import SettingError, parse_server
from plitka.designer.backends.select import select_backend
from plitka.settings import Settings

SECRET = "geheim"
VARIABLE, TOKEN_VARIABLE = "PLITKA_PHOTOGRAPH", "PLITKA_PHOTOGRAPH_TOKEN"

WRONG = (
    *("http://[::1", "http://]", "http://[]", "http://[::1]x", "http://[::g]", "http://[1.2.3.4]"),
    *("http://[fe80::1%lo]", "http://[fe80::1%25lo]", "http://h:99999", "http://h:65536"),
    *("http://h:0", "http://h:00", "http://h:", "http://h:abc", "http://h:-1", "http://h:+1"),
    *("http://h:1:2", "http://h:1.5", "http://h:\u0661", "http://h:0x50", "http://h: 80"),
    *("http://", "https://", "http:///x", "http://:80", "http://@h:", "http:h", "http:/h", "http:"),
    *("http://h?x", "http://h/?", "http://h#x", "http://h/#", "http://h/x?key=geheim"),
    *("http://h h", "http://h\tx", "http://h\nx", "http://h/\x01", "http://h\x00", "http://h\x7f"),
    *("http://h\\x", "http:\\\\h", "http://h\\@other", "http://\u00e9.example", "http://h/\u00e9"),
    *("http://a..b", "http://.h", "http://-h", "http://h-", f"http://{'a' * 64}", "http://h%31"),
    *(f"http://{'a.' * 130}b", "http://xn--a", "http://a_b..", "http://h,h", "http://*"),
    *("http://user:geheim@", "http://user:geheim@h:x", "http://user:geheim@[::1", "http://a@b@h"),
    *("http://us%3Aer:geheim@h", "http://user:geheim%0A@h", "http://user:geheim@h@h"),
    *("http://h\udcff", "ftp://h", "h", "h:80", "//h", "localhost:5000", "javascript:geheim"),
    *("file:///geheim", "SDXL", "sdxl x", "replicate:", "replicate:a", "replicate:a/"),
    *("replicate:/b", "replicate:a/b/c", "replicate:../b", "replicate:a/..", "replicate:a b/c"),
    *("replicate:\u0430/b", "replicate:a/b?x"),
)


@pytest.mark.parametrize("address", WRONG)
def test_a_wrong_address_is_refused_by_the_name_of_its_variable(address: str) -> None:
    with pytest.raises(SettingError, match=f"^{VARIABLE}: ") as caught:
        select_backend(Settings({VARIABLE: address, "REPLICATE_API_TOKEN": "r8_x"}))
    assert SECRET not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("address", [one for one in WRONG if one.startswith("http")])
def test_an_address_of_replicate_is_read_as_strictly(address: str) -> None:
    with pytest.raises(SettingError, match=r"^REPLICATE_API_BASE_URL: ") as caught:
        select_backend(
            Settings(
                {
                    VARIABLE: "replicate:maker/tiles",
                    "REPLICATE_API_TOKEN": "r8_x",
                    "REPLICATE_API_BASE_URL": address,
                }
            )
        )
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://user:geheim@127.0.0.1:1080"),
        ("http_proxy", "foo://user:geheim@127.0.0.1:1080"),
        ("http_proxy", "http://user:geheim@[::1"),
        ("SSL_CERT_FILE", "/nowhere/geheim"),
        ("SSL_CERT_FILE", __file__),
        ("SSLKEYLOGFILE", "/nowhere/geheim"),
    ],
)
def test_proxies_and_certificates_that_cannot_be_used_are_told_at_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    for by in ("https://example.com", "replicate:maker/tiles"):
        with pytest.raises(SettingError, match=name.upper()) as caught:
            select_backend(Settings({VARIABLE: by, "REPLICATE_API_TOKEN": "r8_x"}))
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "[::1]"])
def test_a_server_on_this_machine_is_asked_through_no_proxy(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")  # which httpx could not use
    assert select_backend(Settings({VARIABLE: f"http://{host}:5000"})).kind == "cog"


@pytest.mark.parametrize("token", ["a b", "a\nb", "a\rX: y", "\u00e9", "a\x00", "a\x7f", "\udcff1"])
@pytest.mark.parametrize("by", ["http://127.0.0.1:9", "replicate:maker/tiles"])
def test_a_token_that_can_be_none_is_refused_by_the_name_of_its_variable(
    token: str, by: str
) -> None:
    names = (TOKEN_VARIABLE, "REPLICATE_API_TOKEN")
    with pytest.raises(SettingError, match=f"^{names[by[0] == 'r']}: the token") as caught:
        select_backend(Settings({VARIABLE: by, **dict.fromkeys(names, SECRET + token)}))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("HTTPS://Example.COM/", "https://example.com"),
        ("http://[0:0::1]:80/a/b/", "http://[::1]:80/a/b"),
        ("http://host.internal.", "http://host.internal."),
        ("http://a_b-c.d:65535/%7Ex", "http://a_b-c.d:65535/%7Ex"),
        ("http://xn--e1afmkfd.xn--p1ai", "http://xn--e1afmkfd.xn--p1ai"),
        (" http://h:5000\n", "http://h:5000"),
    ],
)
def test_a_right_address_is_the_title(text: str, address: str) -> None:
    assert select_backend(Settings({VARIABLE: text})).title == address


@pytest.mark.parametrize(
    ("user", "credentials"),
    [
        ("somebody:geheim", "somebody:geheim"),
        ("somebody", "somebody:"),
        (":geheim", ":geheim"),
        ("some%40body:ge%3Aheim", "some@body:ge:heim"),
        ("a:b:geheim", "a:b:geheim"),
    ],
)
def test_a_user_in_the_address_is_authorized_and_never_shown(user: str, credentials: str) -> None:
    server = parse_server(f"https://{user}@h:1/x", VARIABLE, "", TOKEN_VARIABLE)
    basic = base64.b64encode(credentials.encode()).decode()
    assert server.authorization == f"Basic {basic}"
    assert server.address == "https://h:1/x"
    assert basic in server.secrets
    assert not any(secret in repr(server) for secret in server.secrets)


def test_a_user_and_a_token_exclude_each_other() -> None:
    for user in ("user:geheim", "geheim", ":geheim", ""):
        with pytest.raises(SettingError, match=TOKEN_VARIABLE) as caught:
            select_backend(Settings({VARIABLE: f"http://{user}@h", TOKEN_VARIABLE: SECRET}))
        assert SECRET not in str(caught.value)


@settings(deadline=None, max_examples=1000)
@given(
    st.one_of(
        st.text(st.characters(codec=None), max_size=30),
        st.text("ab01.:/@[]%?#\\ xn-\t", max_size=30),
    )
)
def test_any_address_is_read_as_its_client_reads_it_or_refused(rest: str) -> None:
    try:
        server = parse_server(f"http://{rest}", VARIABLE, "", TOKEN_VARIABLE)
    except SettingError as error:
        assert str(error).startswith(VARIABLE)  # noqa: PT017
        return
    read = httpx.URL(server.address)
    assert not read.userinfo
    host = server.address.split("/")[2]
    assert read.netloc.decode() in {host, host.removesuffix(":80")}


def design(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "plitka", "design", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, VARIABLE: "", **env},
        timeout=60,
    )


@pytest.mark.parametrize("address", ["http://[::1", "http://h:99999", "http://user:geheim@h:abc"])
def test_the_program_ends_at_once_with_one_sentence(address: str) -> None:
    done = design("--port", "0", **{VARIABLE: address})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{VARIABLE}: ")
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stderr


@pytest.mark.parametrize("port", ["-1", "65536", "70000", "99999999999999999999"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    done = design(f"--port={port}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"port {port} of 127.0.0.1: allowed: 0 to 65535")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["", "abc", "1.5", "9" * 5000])
def test_a_port_that_is_no_number_is_a_wrong_argument(port: str) -> None:
    done = design(f"--port={port}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_by_another_program_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = design(f"--port={port}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"port {port} of 127.0.0.1: ")
