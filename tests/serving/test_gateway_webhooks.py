"""Webhook addresses: whatever the gate lets through, every client calls a host that was allowed."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from itertools import product
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import yarl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plitka.serving.webhook_address import (
    AddressError,
    check_webhook,
    parse_address,
    parse_allowed_host,
)
from tests.serving.stalling_predictor import COMPUTE
from tests.support.recipes import TILE
from tests.support.server import CogServer, cog_server

BAD = json.dumps({"colors": []})
ALLOWED = ("127.0.0.1", "localhost", "hooks.example.com", "::1")

HOSTILE = [
    "http://127.0.0.2:9999\\@127.0.0.1/",
    "http://127.0.0.2:9999\\\\@127.0.0.1/",
    "http://127.0.0.2\\.127.0.0.1/",
    "http:\\\\127.0.0.2@127.0.0.1/",
    "http://127.0.0.2#@127.0.0.1/",
    "http://127.0.0.2?@127.0.0.1/",
    "http://127.0.0.1?@127.0.0.2/",
    "http://127.0.0.1#@127.0.0.2/",
    "http://127.0.0.2;@127.0.0.1/",
    "http://user@127.0.0.1/",
    "http://user:pass@127.0.0.1/",
    "http://@127.0.0.1/",
    "http://127.0.0.1@127.0.0.2/",
    "http://127.0.0.1:80@127.0.0.2/",
    "http:/127.0.0.1/",
    "http:127.0.0.1/",
    "http:///127.0.0.1/",
    "http:////127.0.0.1/",
    "//127.0.0.1/",
    "127.0.0.1/",
    "/127.0.0.1",
    "",
    " http://127.0.0.1/",
    "http://127.0.0.1/ ",
    "http://127.0.0.1 /",
    "http://127.0.0.1\t/",
    "ht\ttp://127.0.0.1/",
    "http://127.0.0.\n1/",
    "http://127.0.0.1/\r\nX: y",
    "http://127.0.0.1\0/",
    "http://127.0.0.1/\0",
    "http://127.0.0.1/\x7f",
    "http://127.0.0.1/\x85",
    "http://127.0.0.1/ы",
    "http://127.0.0.1/\u2028",
    "http://127。0。0。1/",
    "http://127.0.0.\uff11/",
    "http://\uff4cocalhost/",
    "http://ⓛocalhost/",
    "http://LOCALHOST\u017f/",
    "http://loc\u00adalhost/",
    "http://localhost\u200b/",
    "http://localhost%00.evil.example/",
    "http://%6cocalhost/",
    "http://127.0.0.1%2f@127.0.0.2/",
    "http://127.0.0.1%5c/",
    "http://127.0.0.1./",
    "http://localhost./",
    "http://.localhost/",
    "http://localhost../",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.01/",
    "http://127.0.0.0x1/",
    "http://127.0.0.1.5/",
    "http://127.0.0.256/",
    "http://evil.127/",
    "http://evil.0x7f/",
    "http://[::1/",
    "http://::1/",
    "http://[::1]x/",
    "http://[::1%25eth0]/",
    "http://[::1%eth0]/",
    "http://[127.0.0.1]/",
    "http://[v1.x]/",
    "http://[]/",
    "http://[::1]:/",
    "http://127.0.0.1:/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:080/",
    "http://127.0.0.1:65536/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:-1/",
    "http://127.0.0.1:+80/",
    "http://127.0.0.1:8_0/",
    "http://127.0.0.1:80:80/",
    "http://127.0.0.1:\uff18\uff10/",
    "http://127.0.0.1/../x",
    "http://127.0.0.1/a/./x",
    "http://127.0.0.1/a/%2e%2E/x",
    "http://127.0.0.1/a/.%2e",
    "http://127.0.0.1/\\evil",
    "http://127.0.0.1/%",
    "http://127.0.0.1/%zz",
    "http://127.0.0.1/a|b",
    'http://127.0.0.1/a"b',
    "http://127.0.0.1/<b>",
    "http://127.0.0.1/?a b",
    "http://127.0.0.1/?a'b",
    "http://127.0.0.1/#fragment",
    "http://127.0.0.1/" + "x" * 2048,
    "ftp://127.0.0.1/",
    "file:///127.0.0.1",
    "javascript://127.0.0.1/",
    "https+http://127.0.0.1/",
    "ws://127.0.0.1/",
    "http://-localhost/",
    "http://local_host/",
    "http://" + "a." * 140 + "example/",
    "http://xn--/",
    "http://169.254.169.254/latest/meta-data/",
    "http://hooks.example.com.evil.example/",
    "http://evilhooks.example.com/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::]/",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_an_address_that_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        check_webhook(text, ALLOWED)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("http://127.0.0.1", "http://127.0.0.1/"),
        ("HTTP://LocalHost:80/A", "http://localhost/A"),
        ("https://hooks.example.com:443/a%2Fb?c=d&e", "https://hooks.example.com/a%2Fb?c=d&e"),
        ("https://hooks.example.com:80/", "https://hooks.example.com:80/"),
        ("http://[0:0:0:0:0:0:0:1]:8080/x@y:z;a=b", "http://[::1]:8080/x@y:z;a=b"),
        ("http://127.0.0.1:65535//a//b/?x=/../", "http://127.0.0.1:65535//a//b/?x=/../"),
        ("http://127.0.0.1/a...b/%7Euser/", "http://127.0.0.1/a...b/%7Euser/"),
    ],
)
def test_a_plain_address_is_taken_in_its_normal_form(text: str, normal: str) -> None:
    assert check_webhook(text, ALLOWED) == normal
    assert check_webhook(normal, ALLOWED) == normal


ODD = st.sampled_from([
    *"\\@/?#:;.%[]&=' \t\r\n\0\x7f\u3002\uff0f\uff20\u2100\u00ad_-x0",
    "127.0.0.2", "127.0.0.1", "localhost", "%2e", "%40", "%5c", "0x7f", "0177", ":80", "://", "//",
    "http:", "HTTPS://", "user:pw@", "[::1]", "[::ffff:7f00:2]", "..", "xn--", "\u017f", "\uff4c",
])  # fmt: skip


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """An allowed address with things put into it anywhere."""
    text = draw(
        st.sampled_from(["http://127.0.0.1/", "https://localhost:8080/a?b", "http://[::1]"])
    )
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(ODD | st.characters()) + text[place:]
    return text


class Refused(Exception):
    """What the transport below raises instead of a call, with the host that would be called."""


def called_by_httpx(address: str) -> str:
    """The host that httpx connects to."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise Refused(request.url.host)

    with pytest.raises(Refused) as caught, httpx.Client(transport=httpx.MockTransport(refuse)) as c:
        c.post(address)
    return str(caught.value)


@settings(max_examples=400, deadline=None)
@given(addresses())
@example("http://127.0.0.2:9999\\@127.0.0.1/")
def test_whatever_is_accepted_is_called_at_an_allowed_host(text: str) -> None:
    try:
        accepted = check_webhook(text, ALLOWED)
    except AddressError:
        return
    assert called_by_httpx(accepted) in ALLOWED
    assert yarl.URL(accepted).host in ALLOWED
    assert urlsplit(accepted).hostname in ALLOWED
    assert str(parse_address(accepted)) == accepted
    assert accepted.isascii()
    assert accepted.isprintable()


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Hooks.Example.COM", "hooks.example.com"),
        ("::1", "::1"),
        ("[2001:DB8:0:0::7]", "2001:db8::7"),
        ("192.0.2.7", "192.0.2.7"),
        ("xn--e1afmkfd.example", "xn--e1afmkfd.example"),
    ],
)
def test_a_host_that_is_allowed_is_taken_in_its_normal_form(text: str, host: str) -> None:
    assert parse_allowed_host(text) == host


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("http://hooks.example.com", "without http://"),
        ("hooks.example.com/x", "name the host alone"),
        ("hooks.example.com:443", "has a port"),
        ("[::1]:443", "has a port"),
        ("127.0.0.1:", "has a port"),
        ("*.example.com", "allowed: a name like"),
        ("user@example.com", "allowed: a name like"),
        ("example.com.", "allowed: a name like"),
        ("", "allowed: a name like"),
        (" ", "allowed: a name like"),
        ("127.1", "allowed: a name like"),
        ("0x7f000001", "allowed: a name like"),
        ("[localhost]", "allowed: a name like"),
        ("[::1", "allowed: a name like"),
        ("fe80::1%eth0", "allowed: a name like"),
        ("пример.example", "allowed: a name like"),
        ("\uff4cocalhost", "allowed: a name like"),
    ],
)
def test_what_is_no_host_is_refused_with_advice(text: str, advice: str) -> None:
    with pytest.raises(AddressError, match=advice) as caught:
        parse_allowed_host(text)
    assert repr(text) in str(caught.value)


# Cog's own client


class Listener(TCPServer):
    """Takes webhooks; `called` holds the ids of their predictions.

    statuses: of its answers, the last one for ever. elsewhere: where a redirect leads.
    """

    def __init__(self, host: str, statuses: tuple[int, ...], elsewhere: str) -> None:
        self.called: list[str] = []
        self.statuses_told: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.statuses = statuses
        self.elsewhere = elsewhere
        self.heard = threading.Condition()
        super().__init__((host, 0), _Hook)
        self.server_port = int(self.server_address[1])

    def wait_for(self, identifier: str) -> None:
        """Wait until a call for a prediction has come."""
        with self.heard:
            assert self.heard.wait_for(lambda: identifier in self.called, 60)


class _Hook(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        statuses = self.server.statuses
        self.send_response(statuses[min(len(self.server.called), len(statuses) - 1)])
        self.send_header("Location", self.server.elsewhere)
        self.end_headers()
        with self.server.heard:
            self.server.called.append(body["id"])
            self.server.statuses_told.append(body["status"])
            self.server.headers.append(dict(self.headers.items()))
            self.server.heard.notify_all()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listener(
    host: str = "127.0.0.1", statuses: tuple[int, ...] = (200,), elsewhere: str = ""
) -> Iterator[Listener]:
    server = Listener(host, statuses, elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    folder = tmp_path_factory.mktemp("gate")
    arguments = ("--port", "0", "--webhook-host", "127.0.0.1", "--webhook-host", "LOCALHOST")
    with cog_server(folder, {"PLITKA_ENGINE": "render"}, gate=True, arguments=arguments) as running:
        yield running


def ask(gate: CogServer, identifier: str, webhook: str) -> httpx.Response:
    """Ask for a prediction that fails at once, and is told to a webhook."""
    gate.settle()
    body = {
        "input": {"params_json": BAD},
        "webhook": webhook,
        "webhook_events_filter": ["completed"],
    }
    return gate.client.put(f"/predictions/{identifier}", json=body)


def test_cog_calls_what_is_allowed_and_nothing_that_the_gate_could_have_misread(
    gate: CogServer,
) -> None:
    with listener() as allowed, listener("127.0.0.2") as other:
        at, away = f"127.0.0.1:{allowed.server_port}", f"127.0.0.2:{other.server_port}"
        for text in (
            f"http://{away}\\@{at}/",
            f"http://{away}#@{at}/",
            f"http://{away}?@{at}/",
            f"http://{away}/",
            f"http://{at}@{away}/",
            f"http:\\\\{away}/@{at}/",
            f"http://127.0.0.1\t:{other.server_port}\\@{away}/",
        ):
            answer = ask(gate, "hostile", text)
            assert answer.status_code == 422
            assert answer.json()["detail"][0]["loc"] == ["body", "webhook"]
        sound = (
            f"http://{at}",
            f"HTTP://{at}/A?b=c@{away}",
            f"http://localhost:{allowed.server_port}/",
        )
        for number, text in enumerate(sound):
            assert ask(gate, f"sound-{number}", text).json()["status"] == "failed"
            allowed.wait_for(f"sound-{number}")
        assert other.called == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(gate: CogServer, status: int) -> None:
    with listener("127.0.0.2") as other:
        elsewhere = f"http://127.0.0.2:{other.server_port}/"
        with listener(statuses=(status,), elsewhere=elsewhere) as allowed:
            ask(gate, f"moved-{status}", f"http://127.0.0.1:{allowed.server_port}/")
            allowed.wait_for(f"moved-{status}")
            port = str(allowed.server_port)
            CogServer.poll(lambda: f"{port} redirects, which is" in gate.log.read_text(), 60)
            assert allowed.called == [f"moved-{status}"]
        assert other.called == []


def test_a_call_that_fails_is_made_again_with_all_that_cog_says(gate: CogServer) -> None:
    with listener(statuses=(500, 200)) as allowed:
        gate.settle()
        body = {"input": {"params_json": BAD}, "webhook_events_filter": ["completed"]}
        body["webhook"] = f"http://127.0.0.1:{allowed.server_port}/a?b=%2F"
        headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        gate.client.put("/predictions/again", json=body, headers=headers)
        with allowed.heard:
            assert allowed.heard.wait_for(lambda: len(allowed.called) == 2, 60)
    last = allowed.headers[-1]
    assert last["User-Agent"].startswith("coglet/")
    assert last["Content-Type"] == "application/json"
    assert last["traceparent"] == headers["traceparent"]


def test_sigterm_ends_the_gate_although_a_webhook_does_not_answer(tmp_path: Path) -> None:
    arguments = ("--port", "0", "--webhook-host", "127.0.0.1")
    env = {"PLITKA_ENGINE": "render"}
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        cog_server(tmp_path, env, gate=True, arguments=arguments) as server,
    ):
        ask(server, "silent", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        called, _ = silent.accept()
        with called:
            assert called.recv(5) == b"POST "
            server.process.terminate()
            assert server.process.wait(20) == 0


def test_at_sigterm_the_webhook_hears_that_a_prediction_without_a_connection_is_canceled(
    tmp_path: Path,
) -> None:
    arguments = ("--port", "0", "--webhook-host", "127.0.0.1")
    env = {"PLITKA_ENGINE": "render"}
    stub = Path(__file__).with_name("stalling_predictor.py")
    with (
        listener() as allowed,
        cog_server(tmp_path, env, gate=True, arguments=arguments, stub=stub) as server,
    ):
        body = {
            "input": {"params_json": COMPUTE},
            "webhook": f"http://127.0.0.1:{allowed.server_port}/",
            "webhook_events_filter": ["completed"],
        }
        headers = {"Prefer": "respond-async"}
        assert server.client.post("/predictions", json=body, headers=headers).status_code == 202
        server.wait_for("BUSY")
        server.process.terminate()
        assert server.process.wait(60) == 0
        assert allowed.statuses_told == ["canceled"]


def test_nobody_can_have_the_gate_call_an_address_by_the_port_of_its_own(gate: CogServer) -> None:
    ports = {
        connection.laddr.port
        for connection in gate.process.net_connections("tcp4")
        if connection.status == psutil.CONN_LISTEN
    }
    (own,) = ports - {gate.client.base_url.port}
    with listener() as other:
        target = base64.urlsafe_b64encode(f"http://127.0.0.1:{other.server_port}/".encode())
        for signature in ("0" * 64, "x", "\N{LATIN SMALL LETTER E WITH ACUTE}"):
            url = f"http://127.0.0.1:{own}/{signature}/{target.decode()}"
            answer = httpx.post(url, json={"id": "forged"})
            assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (404, ["path"])
        assert other.called == []


def list_ports(gate: CogServer) -> set[int]:
    """The ports that the gate, its relay and Cog's server listen on."""
    return {
        connection.laddr.port
        for process in gate.family()
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def wait_for_line(gate: CogServer, text: str, times: int = 1) -> None:
    CogServer.poll(lambda: gate.log.read_text().count(text) >= times, 60)


OWN_NAMES = ("127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]")


def test_a_webhook_that_leads_back_to_the_server_is_refused(tmp_path: Path) -> None:
    hosts = [argument for host in OWN_NAMES for argument in ("--webhook-host", host)]
    env, arguments = {"PLITKA_ENGINE": "render"}, ("--port", "0", *hosts)
    with cog_server(tmp_path, env, gate=True, arguments=arguments) as server:
        ports = list_ports(server)
        assert len(ports) == 3
        for host, port in product(OWN_NAMES, sorted(ports)):
            answer = ask(server, "back", f"http://{host}:{port}/shutdown")
            assert answer.status_code == 422
            (fault,) = answer.json()["detail"]
            assert fault["loc"] == ["body", "webhook"]
            assert f":{port} leads back to this server" in fault["msg"]
        assert server.predict(TILE).json()["status"] == "succeeded"


def test_passwords_for_hosts_do_not_go_to_webhooks(tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login me password veiled\n")
    netrc.chmod(0o600)
    (tmp_path / "server").mkdir()
    env = {"PLITKA_ENGINE": "render", "HOME": str(tmp_path), "NETRC": str(netrc)}
    arguments = ("--port", "0", "--webhook-host", "127.0.0.1")
    with (
        listener() as allowed,
        cog_server(tmp_path / "server", env, gate=True, arguments=arguments) as server,
    ):
        ask(server, "netrc", f"http://127.0.0.1:{allowed.server_port}/")
        allowed.wait_for("netrc")
    assert "Authorization" not in allowed.headers[0]


def test_webhooks_are_called_by_the_proxy_that_is_named_with_its_password(tmp_path: Path) -> None:
    arguments = ("--port", "0", "--webhook-host", "hooks.example.com")
    with listener() as proxy:
        named = f"http://me:veiled@127.0.0.1:{proxy.server_port}"
        env = {"PLITKA_ENGINE": "render", "http_proxy": named, "NO_PROXY": "", "no_proxy": ""}
        with cog_server(tmp_path, env, gate=True, arguments=arguments) as server:
            ask(server, "by-proxy", "http://hooks.example.com/")
            proxy.wait_for("by-proxy")
    assert proxy.headers[0]["Host"] == "hooks.example.com"
    assert proxy.headers[0]["Proxy-Authorization"].startswith("Basic ")
    assert "Authorization" not in proxy.headers[0]


def test_the_gates_own_log_is_json_where_that_is_asked_for_and_holds_no_secret(
    tmp_path: Path,
) -> None:
    arguments = ("--port", "0", "--webhook-host", "127.0.0.1")
    env = {"PLITKA_ENGINE": "render", "PLITKA_LOG_FORMAT": "json", "HOOK_SECRET": "127.0.0.1"}
    with (
        listener(statuses=(302,), elsewhere="http://127.0.0.2/") as moved,
        cog_server(tmp_path, env, gate=True, arguments=arguments) as server,
    ):
        ask(server, "moved", f"http://127.0.0.1:{moved.server_port}/")
        told = "redirects, which is not followed"
        CogServer.poll(lambda: told in server.log.read_text(), 60)
        (line,) = [each for each in server.log.read_text().splitlines() if told in each]
    fields = json.loads(line)
    assert (fields["level"], fields["logger"]) == ("WARNING", "plitka.serving.webhook_relay")
    assert fields["message"] == f"a webhook at [hidden]:{moved.server_port} {told}"


@pytest.mark.parametrize("events", ["start", ["begin"], [["start"]], [None], {"start": 1}, 5, True])
def test_events_that_are_none_are_refused(gate: CogServer, events: object) -> None:
    answer = gate.predict(BAD, webhook="http://127.0.0.1/", webhook_events_filter=events)
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (
        422,
        ["body", "webhook_events_filter"],
    )


@pytest.mark.parametrize("value", [5, "x", [], [{}], True])
def test_an_input_that_is_no_object_is_refused(gate: CogServer, value: object) -> None:
    answer = gate.client.post("/predictions", json={"input": value})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "input"])


def test_fields_that_cog_does_not_know_are_not_handed_on(gate: CogServer) -> None:
    unknown = {"version": 5, "stream": True, "logs": ["x"], "\0": None, "webhook": None, "id": None}
    answer = gate.predict(BAD, **unknown)
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")


def test_a_host_that_is_none_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    arguments = ("--port", "0", "--webhook-host", "http://hooks.example.com/x")
    with (
        pytest.raises(RuntimeError, match="name the host alone, without http://"),
        cog_server(tmp_path, {}, gate=True, arguments=arguments),
    ):
        pass
