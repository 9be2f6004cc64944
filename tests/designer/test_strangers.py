"""The designer's server against whoever can reach it: odd headers, paths, bodies, connections."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import ExitStack, suppress
from typing import TypeAlias

import httpx
import httpx2
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message

from plitka.color import palette
from plitka.designer.backends.base import Backend, Event
from plitka.designer.backends.select import select_backend
from plitka.designer.errors import Fault
from plitka.designer.middleware import read_body
from plitka.designer.offers import Defaults
from plitka.designer.server import make_app
from plitka.images import png
from plitka.request.parsing import parse
from plitka.request.recipe import Recipe, RecipeError
from plitka.settings import Settings
from tests.support.designer import Designer

Response: TypeAlias = httpx.Response | httpx2.Response  # of a server, and of the test client

RECIPE = b'{"colors": [{"name": "red", "proportion": 100}], "seed": 7}'
OWN = "127.0.0.1:8017"
POSTED = (
    "/recipe",
    "/dropped",
    "/draft",
    "/pictures/final",
    "/scene/room",
    "/scene/room/small",
    "/own-photo",
    "/own-photo/laid",
    "/photograph",
)
PATHS = ("/", "/start", "/page/main.js", "/page/none", "/gallery/forest.jpg", "/nowhere")
MANY = settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

OWN_HOSTS = ("127.0.0.1", "127.0.0.1:8017", "localhost:1", "LocalHost:65535", "[::1]:80")
STRANGE_HOSTS = (
    *("", "[", "]", "[::1", "::1", "[::1]x", "[::1%25lo]", "[::2]", "[127.0.0.1]", "127.0.0.1:"),
    *("127.0.0.1:abc", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:8017:8017", "127.0.0.1."),
    *("localhost.", "localhost.evil.com", "evil.com", "evil.com:8017", "evil@127.0.0.1", "@"),
    *("127.0.0.1@evil.com", "127.0.0.1/x", "127.0.0.1?x", "127.0.0.1#x", "127.0.0.1\\x", "0"),
    *("0.0.0.0", "127.1", "127.0.0.2", "2130706433", "0x7f.1", "localhost, evil.com", "a b", "%"),
    *("127.0.0.1:\u0661".encode(), b"\xff", b"localh\xc3\xb6st", b"127.0.0.1\xa0", b"%31"),
)
STRANGE_ORIGINS = (
    *("", "null", "NULL", "http://[", "http://", "http:///", OWN, f"//{OWN}", "file://", "about:"),
    *(f"https://{OWN}", f"ws://{OWN}", f"http://{OWN}/", f"http://x@{OWN}", f"http://{OWN}:1"),
    *("http://127.0.0.1", "http://localhost:8017", "http://127.0.0.1:8018", f"http://{OWN}."),
    *("https://example.com", f"http://{OWN} http://{OWN}", f"http://{OWN}?", b"\xff", "\t"),
)


def as_bytes(header: str | bytes) -> bytes:
    return header if isinstance(header, bytes) else header.encode("latin-1")


def ask(backend: Backend) -> TestClient:
    """Ask the application as it is served, without a network between."""
    app = make_app(backend, palette.load(), Defaults())
    return TestClient(app, f"http://{OWN}", raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture(scope="module")
def client() -> TestClient:
    return ask(select_backend(Settings({"PLITKA_PHOTOGRAPH": "http://127.0.0.1:9"})))


def check(answer: Response, *statuses: int) -> None:
    """Check that a response is an error in JSON, of one of these statuses, and has the headers."""
    assert answer.status_code in statuses, answer.text
    check_headers(answer)
    check_fault(answer)


def check_fault(answer: Response) -> None:
    """Check the fields of a fault; one that can be said in each language has `details`."""
    fault = answer.json()
    assert fault.keys() - {"details"} == {"fault", "detail", "values"}
    assert fault.get("details", {"en": "", "ru": ""}).keys() == {"en", "ru"}


def check_headers(answer: Response) -> None:
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_this_machine_is_answered_by_all_its_names(host: str, client: TestClient) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200
    own = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/recipe", content=RECIPE, headers=own).status_code == 200


@pytest.mark.parametrize("host", STRANGE_HOSTS)
@pytest.mark.parametrize("path", ["/", "/page/main.js", "/nowhere"])
def test_another_host_is_refused(host: str | bytes, path: str, client: TestClient) -> None:
    check(client.get(path, headers=[(b"Host", as_bytes(host))]), 403)


@pytest.mark.parametrize("origin", STRANGE_ORIGINS)
def test_another_origin_is_refused(origin: str | bytes, client: TestClient) -> None:
    check(client.get("/start", headers=[(b"Origin", as_bytes(origin))]), 403)
    headers = [(b"Host", OWN.encode()), (b"Origin", as_bytes(origin))]
    check(client.post("/recipe", content=RECIPE, headers=headers), 403)


def test_one_good_host_or_origin_does_not_excuse_a_second_one(client: TestClient) -> None:
    for name, own in (("Host", OWN), ("Origin", f"http://{OWN}")):
        for pair in ((own, "evil.com"), ("evil.com", own)):
            check(client.get("/start", headers=[(name, one) for one in pair]), 403)
    check(client.get("/start", headers=[("Host", OWN), ("Host", OWN)]), 403)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "what", "Same-Origin"])
def test_a_browser_that_says_another_site_asks_is_believed(site: str, client: TestClient) -> None:
    fetch = {"Sec-Fetch-Site": site}
    for path in PATHS:
        check(client.get(path, headers=fetch), 403)
        image = {**fetch, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
        check(client.get(path, headers=image), 403)
    followed = {**fetch, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=followed).status_code == 200
    check(client.post("/recipe", content=RECIPE, headers=followed), 403)
    framed = {**followed, "Sec-Fetch-Dest": "iframe"}
    check(client.get("/", headers=framed), 403)


ODD = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([as_bytes(one) for one in (*OWN_HOSTS, *STRANGE_HOSTS, *STRANGE_ORIGINS)]),
    st.just(f"http://{OWN}".encode()),
    st.lists(st.sampled_from(list(b"[]:/@.%\\?#0127locahst")), max_size=20).map(bytes),
).map(lambda value: value.translate(None, b"\r\n\0"))
NAMES = st.sampled_from(
    [
        *("Host", "Origin", "Referer", "Content-Type", "Content-Length", "Range", "If-Range"),
        *("If-None-Match", "If-Modified-Since", "Accept", "Accept-Encoding", "Cookie", "Expect"),
        *("Sec-Fetch-Site", "Sec-Fetch-Mode", "X-Forwarded-Host", "X-Forwarded-Proto", "Upgrade"),
    ]
).map(str.encode)


@MANY
@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE", "TRACE", "X"]),
    st.sampled_from([*PATHS, "/recipe"]),
    st.lists(st.tuples(NAMES, ODD), max_size=4),
)
def test_no_headers_break_the_server(
    client: TestClient, method: str, path: str, headers: list[tuple[bytes, bytes]]
) -> None:
    answer = client.request(method, path, headers=headers)
    assert answer.status_code < 500
    check_headers(answer)
    named = {name.lower(): value.lower() for name, value in headers}
    if named.get(b"host", OWN.encode()) not in {one.lower().encode() for one in (*OWN_HOSTS, OWN)}:
        assert answer.status_code == 403
    if answer.status_code >= 400 and method != "HEAD":
        check_fault(answer)


@MANY
@given(st.sampled_from(["/", "/page/", "/gallery/", "/pictures/"]), st.binary(max_size=60))
def test_no_path_breaks_the_server(client: TestClient, start: str, rest: bytes) -> None:
    path = start + "".join(f"%{byte:02x}" for byte in rest)
    answer = client.get(path)
    assert answer.status_code in {200, 404, 405}
    check_headers(answer)


@pytest.mark.parametrize(
    "path",
    [
        *("/page/..%2fserver.py", "/page/%2e%2e/server.py", "/page/..%5cserver.py", "/page/%00"),
        *("/page/main.js%00.css", "/page//etc/passwd", "/page/%2fetc%2fpasswd", "/page/words"),
        *("/page", "/page/", "/page/" + "a" * 5000, "/page/..%252fserver.py"),
        *(
            "/page/%ff",
            "//evil.com/page/",
            "/page/.",
            "/page/%2e%2e",
            "/page/words/../../server.py",
        ),
    ],
)
def test_nothing_beside_the_page_is_served(path: str, client: TestClient) -> None:
    for method in ("GET", "HEAD"):
        answer = client.request(method, path)
        assert answer.status_code == 404
        check_headers(answer)


def test_a_file_of_the_page_is_sent_whole_or_not_at_all(client: TestClient) -> None:
    whole = client.get("/page/main.js")
    for part in ("bytes=0-0", "bytes=9-1", "bytes=x", "lines=1", "bytes=" + "0-1," * 1000):
        assert client.get("/page/main.js", headers={"Range": part}).content == whole.content
    same = client.get("/page/main.js", headers={"If-None-Match": whole.headers["ETag"]})
    assert same.status_code == 304
    check_headers(same)


def test_a_wrong_method_is_told_the_right_one(client: TestClient) -> None:
    answer = client.delete("/recipe")
    check(answer, 405)
    assert answer.headers["Allow"] == "POST"


class Broken:
    """A backend that nobody foresaw."""

    kind = "cog"

    title = "broken"

    async def check(self) -> None:
        """Be there."""

    def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        raise RuntimeError("in /home/somebody/secret.py")


def test_an_error_that_nobody_foresaw_has_the_headers_and_no_traceback() -> None:
    answer = ask(Broken()).post("/photograph", content=RECIPE)
    check(answer, 500)
    assert answer.json() == {"fault": "server_broken", "detail": "RuntimeError", "values": {}}


# Bodies

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "colors": JSON_VALUES
        | st.lists(
            st.fixed_dictionaries({}, optional={"name": JSON_VALUES, "proportion": JSON_VALUES}),
            max_size=3,
        ),
        "angle": JSON_VALUES,
        "seed": JSON_VALUES,
        "quality": JSON_VALUES,
        "overrides": JSON_VALUES,
        "params_json": JSON_VALUES,
    },
)
BODIES = st.one_of(
    st.binary(max_size=200),
    (JSON_VALUES | REQUESTS).map(lambda value: json.dumps(value).encode()),
    (JSON_VALUES | REQUESTS).map(
        lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    ),
    st.sampled_from(
        [
            b"[" * 100_000,
            b'{"params_json":' * 20_000,
            b'{"colors":[{"name":"red","proportion":' + b"9" * 60_000 + b"}]}",
            b'{"colors":[{"name":"red","proportion":1e99999}]}',
            b'{"colors":[{"name":"\\ud800","proportion":100}]}',
            b'{"angle":NaN,"seed":-Infinity}',
            b'{"seed":' + b"-" * 60_000 + b"}",
            b"\xef\xbb\xbf" + RECIPE[:-1],
            RECIPE.decode().encode("utf-16"),
        ]
    ),
)


def is_recipe(body: bytes) -> bool:
    """Whether a body happens to be a recipe, as a colour's name alone is."""
    try:
        parse(body.decode("utf-8", "replace"), palette.load())
    except RecipeError:
        return False
    return True


@MANY
@given(
    st.sampled_from(POSTED),
    BODIES,
    st.sampled_from(["application/json", "image/png", "IMAGE/PNG; x", "", "text/plain"]),
)
def test_no_body_breaks_the_server(client: TestClient, path: str, body: bytes, kind: str) -> None:
    assume(not is_recipe(body))
    answer = client.post(path, content=body, headers={"Content-Type": kind})
    check(answer, 400, 404, 413, 422)


def write_png(record: object, text: str | None = None, side: int = 128) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(png.TEXT_KEY, json.dumps(record) if text is None else text)
    file = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def test_a_scene_is_drawn_of_a_picture_whose_recipe_names_no_seed(client: TestClient) -> None:
    request = {"colors": [{"name": "red", "proportion": 100}]}
    for seed in ({}, {"seed": -1}):
        png = write_png({"request": {**request, **seed}})
        answer = client.post("/scene/room", content=png, headers={"Content-Type": "image/png"})
        assert answer.status_code == 200, answer.text


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def read() -> bytes:
        request = Request({"type": "http", "method": "POST", "headers": []}, receive)
        return await read_body(request, 100, seconds=0)

    with pytest.raises(Fault, match="body_slow"):
        asyncio.run(read())


# The server that is run, by bare connections


def converse(designing: Designer, *parts: bytes) -> bytes:
    """Send bytes and read until the server closes, or has answered what it could understand."""
    url = httpx.URL(designing.url)
    with socket.create_connection((url.host, url.port), timeout=60) as connection:
        received = b""
        with suppress(OSError):  # closed by the server while more was coming
            for part in parts:
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                received += chunk
        return received


GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
POST = b"POST /recipe HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"\0" * 100,
        b"GET\r\n\r\n",
        GET.replace(b"1.1", b"9.9") + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS greeting
        b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        GET + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
        GET + b"X: a\r\n" * 20_000 + b"\r\n",
        GET + b": x\r\n\r\n",
        GET.replace(b"GET /", b"GET http://evil.com/") + b"\r\n",
        GET.replace(b"GET /", b"OPTIONS *") + b"\r\n",
        GET.replace(b"GET /", b"CONNECT evil.com:443") + b"\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 1, 2\r\n\r\nab",
        POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 9\r\n\r\n{",  # and no more
    ],
)
def test_what_is_no_request_is_refused_and_the_server_goes_on(
    sent: bytes, designing: Designer
) -> None:
    answer = converse(designing, sent)
    assert b"Traceback" not in answer
    assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 500"))
    assert httpx.get(designing.url).status_code == 200


def test_an_upgrade_to_another_protocol_is_passed_over(designing: Designer) -> None:
    for kind in (b"websocket", b"h2c"):
        upgrade = b"Connection: Upgrade\r\nUpgrade: " + kind + b"\r\n"
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        answer = converse(designing, GET + upgrade + key + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer[:100]


def test_headers_of_a_proxy_change_nothing(designing: Designer) -> None:
    for name in ("X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Forwarded-For"):
        origin = designing.url.rstrip("/").replace("http:", "https:")
        sent = {name: "https", "Origin": origin}
        answer = httpx.post(designing.url + "recipe", content=RECIPE, headers=sent)
        check(answer, 403)


def test_connections_that_send_nothing_keep_nobody_out(designing: Designer) -> None:
    url = httpx.URL(designing.url)
    slow = b"POST /dropped HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n\x89PNG"
    with ExitStack() as stack:
        for count in range(200):
            opened = socket.create_connection((url.host, url.port), timeout=60)
            stack.enter_context(opened)
            opened.sendall((b"", b"GET / HT", slow)[count % 3])
        answer = httpx.post(designing.url + "draft", content=RECIPE, timeout=60)
        assert answer.headers["Content-Type"] == "image/jpeg"


def test_drawings_that_nobody_waits_for_keep_nobody_out(designing: Designer) -> None:
    url = httpx.URL(designing.url)
    for seed in range(1000, 1060):
        body = RECIPE.replace(b"7", str(seed).encode())
        head = f"POST /pictures/final HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}"
        with socket.create_connection((url.host, url.port), timeout=60) as opened:
            opened.sendall(head.encode() + b"\r\n\r\n" + body)
    answer = httpx.post(designing.url + "draft", content=RECIPE, timeout=60)
    assert answer.headers["Content-Type"] == "image/jpeg"
