"""A storm of hostile requests against the running server: a fuzz test.

    python -m benchmarks.storm --requests 5000

Starts the gateway with Cog's server behind it, sends generated requests, one after the other, and
checks every response. Schemathesis makes valid and invalid ones from the OpenAPI schema that the
server serves; hypothesis makes recipes, broken recipes, hostile fields and webhooks, and requests
that no client would send, which go through a socket of their own. Exits with 1 if one response was
not as it has to be.
"""

import argparse
import gzip
import json
import re
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import schemathesis
from hypothesis import strategies as st

from tests.support.raw_http import exchange
from tests.support.recipes import TILE
from tests.support.request_strategies import requests as recipes
from tests.support.server import CogServer, cog_server

# method, path, content, headers; or the whole request as it goes out
Throw = tuple[str, str, bytes, dict[str, str]] | bytes

ANSWERS = {200, 400, 404, 405, 413, 415, 417, 422, 505}
_CODE = re.compile(r'Traceback|File "|site-packages|\.py\b')
_WARM_UP = 0.4  # of all requests, before memory is taken: tiles of every kind must have been made
_MAX_GROWTH = 0.05  # growth that is allowed after that: what the allocator keeps differs by tile
_ROUND = 250  # requests of one kind in a row
_JSON = {"Content-Type": "application/json"}


@dataclass
class Tally:
    """What was sent and what came back."""

    kinds: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    seconds: float = 0.0
    memory_before: int = 0
    memory_after: int = 0

    @property
    def thrown(self) -> int:
        return self.kinds.total()

    @property
    def growth(self) -> float:
        return self.memory_after / self.memory_before - 1


def storm(server: CogServer, count: int, seed: int, report: Callable[[str], None]) -> Tally:
    """Send `count` requests to a server behind the gateway. report: is called with progress."""
    tally = Tally()
    worker = server.worker().pid
    kinds = {**_make_strategies(server), **_OUR_STRATEGIES}
    start = time.monotonic()
    round_ = 0
    while tally.thrown < count:
        for name, thrown in kinds.items():
            left = min(_ROUND, max(1, count // len(kinds)), count - tally.thrown)
            if left > 0:
                _throw_all(server, name, thrown, left, seed + round_, tally)
            if not tally.memory_before and tally.thrown >= count * _WARM_UP:
                tally.memory_before = _measure_memory(server)
        round_ += 1
        spent = time.monotonic() - start
        report(f"{tally.thrown} thrown, {spent:.0f} s, {dict(tally.answers)}")
    tally.seconds = time.monotonic() - start
    server.settle()
    tally.memory_after = _measure_memory(server)
    if server.health()["status"] != "READY":
        tally.faults.append(f"health: {server.health()}")
    if server.worker().pid != worker:
        tally.faults.append("the worker is another one than before")
    if server.predict(TILE).json()["status"] != "succeeded":
        tally.faults.append("no tile is made any more")
    return tally


def _throw_all(
    server: CogServer, name: str, thrown: st.SearchStrategy[Throw], n: int, seed: int, tally: Tally
) -> None:
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=n,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(thrown)
    def go(throw: Throw) -> None:
        tally.kinds[name] += 1
        start = time.monotonic()
        try:
            answer = _send(server, throw)
        except (httpx.HTTPError, OSError, ValueError) as error:
            tally.faults.append(f"{name}: {throw!r:.500} -> {error!r}")
            return
        tally.slowest = max(tally.slowest, time.monotonic() - start)
        outcome, fault = judge(answer)
        tally.answers[outcome] += 1
        if fault:
            tally.faults.append(f"{name}: {throw!r:.500} -> {fault}: {answer.text[:500]}")

    go()


def _send(server: CogServer, throw: Throw) -> httpx.Response:
    """Send a request. Raises httpx.HTTPError, OSError, or ValueError for what is no response."""
    if isinstance(throw, bytes):
        answer = exchange(server.client.base_url, throw)
        return httpx.Response(answer.status, content=answer.content)
    method, path, content, headers = throw
    return server.client.request(method, path, content=content, headers=headers)


def judge(answer: httpx.Response) -> tuple[str, str]:
    """Judge a response: what to count it as, and what is wrong with it, or ""."""
    status = answer.status_code
    if status not in ANSWERS:
        return str(status), "not an answer that it may give"
    if _CODE.search(answer.text):
        return str(status), "shows code"
    try:
        body = answer.json()
    except ValueError:
        return str(status), "not JSON"
    if status != 200:
        details = body.get("detail") or []
        named = details and all(fault["loc"] and fault["msg"] for fault in details)
        return str(status), "" if named else "names no field"
    if body.get("status") != "failed":
        return f"200 {body.get('status', '')}".strip(), ""
    _, is_ours, said = body["error"].partition("ValueError: ")
    clean = is_ours and all(": " in line and line.isprintable() for line in said.split("\n"))
    return "200 failed", "" if clean else "names no field"


def _measure_memory(server: CogServer) -> int:
    """Measure the bytes of gateway, Cog's server and worker: the least after six equal tiles.

    After some of equal tiles the allocator keeps 19 MiB more than after others.
    """
    held = []
    for _ in range(6):
        server.predict(TILE)
        server.settle()
        held.append(sum(process.memory_full_info().uss for process in server.family()))
    return min(held)


# What is sent


def _make_strategies(server: CogServer) -> dict[str, st.SearchStrategy[Throw]]:
    """Make requests by the schema, and such as break it."""
    url = str(server.client.base_url).rstrip("/")
    schema: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
    post, cancel = schema["/predictions"]["POST"], schema["/predictions/{prediction_id}/cancel"]
    modes = schemathesis.GenerationMode
    return {
        "by the schema": post.as_strategy(generation_mode=modes.POSITIVE).map(_as_throw),
        "against the schema": post.as_strategy(generation_mode=modes.NEGATIVE).map(_as_throw),
        "cancel": cancel["POST"].as_strategy(generation_mode=modes.POSITIVE).map(_as_throw),
    }


def _as_throw(case: Any) -> Throw:
    sent = case.as_transport_kwargs(base_url="http://server")
    content = sent.get("data") or b""
    if sent.get("json") is not None:
        content = json.dumps(sent["json"]).encode()
    headers = {**_JSON, **{k: str(v) for k, v in (sent.get("headers") or {}).items()}}
    printable = {k: v for k, v in headers.items() if v.isascii() and v.isprintable()}
    path = str(sent["url"]).removeprefix("http://server")
    return case.method, path, content if isinstance(content, bytes) else b"", printable


def _prediction(params_json: object, **fields: object) -> bytes:
    return json.dumps({"input": {"params_json": params_json}, **fields}).encode()


def _post(content: bytes) -> Throw:
    return "POST", "/predictions", content, _JSON


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
_PATHS = st.sampled_from(
    ["../../etc/passwd", "..", ".", "/tmp/x", "a\0b", "a/b", "%2e%2e", "con", "x" * 300, "-rf", "~"]
)
_ADDRESSES = st.sampled_from(
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
        "http://[::1",
        "ftp://x",
        "http://user:pass@host/",
    ]
)
_FIELDS = st.dictionaries(
    st.sampled_from(
        ["id", "webhook", "output_file_prefix", "context", "input", "webhook_events_filter", "x"]
    ),
    _PATHS | _ADDRESSES | _VALUES,
    min_size=1,
)


@st.composite
def _broken(draw: st.DrawFn) -> bytes:
    """A sound request in which some bytes are others, are gone or stand twice."""
    body = bytearray(_prediction(TILE))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(body) - 1))
        part = draw(st.sampled_from([b"", b"\0", b"\xff", b"9" * 400, b'"', b"{", b"\\u0000"]))
        body[place : place + draw(st.integers(0, 3))] = part
    return bytes(body)


_WEBHOOKS = st.builds(
    lambda parts: "".join(parts),
    st.lists(
        st.sampled_from(
            [
                *(
                    "http://",
                    "https://",
                    "HTTP:",
                    "//",
                    "/",
                    "\\",
                    "@",
                    "#",
                    "?",
                    ":",
                    ".",
                    " ",
                    "\t",
                ),
                *("127.0.0.1", "127.0.0.2", "169.254.169.254", "localhost", "0x7f.1", "2130706433"),
                *(
                    "[::1]",
                    "[::ffff:7f00:1]",
                    "user:pw@",
                    ":80",
                    ":99999",
                    "%2e%2e",
                    "%00",
                    "\u3002",
                ),
                *("\uff0f", "\u00ad", "\0", "\r\n", "..", "xn--", "a" * 300),
            ]
        ),
        max_size=8,
    ),
)


@st.composite
def _raw(draw: st.DrawFn) -> bytes:
    """A request in which line, headers and coding of the body are odd, and nothing is missing."""
    body = _prediction(draw(st.sampled_from(["{}", TILE[:40], "", "\ud800"])))
    coding = draw(st.sampled_from(["identity", "gzip", "deflate", "br", "zstd", "gzip, gzip", "x"]))
    if coding == "gzip" and draw(st.booleans()):
        body = gzip.compress(body)
    if coding == "deflate" and draw(st.booleans()):
        body = zlib.compress(body)
    body = body[: draw(st.sampled_from([None, len(body) // 2]))]
    line = " ".join(
        (
            draw(st.sampled_from(["POST"] * 4 + ["PUT", "OPTIONS", "TRACE", "CONNECT", "P@ST"])),
            draw(
                st.sampled_from(["/predictions"] * 5 + ["/predictions/a", "/live", "*", "http://["])
                | st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=9)
            ),
            draw(st.sampled_from(["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/2.0", "HTTP/x", ""])),
        )
    )
    odd = st.sampled_from(
        [
            *("Expect: tea", "Host: other", "no colon", "A : b", "A: b\0c", ": x", " folded"),
            *("Content-Length: 1", "Content-Length: x", "Transfer-Encoding: chunked"),
            *("Transfer-Encoding: gzip", "Upgrade: h2c", "A: " + "b" * 9000, "traceparent: \xff"),
            *("Prefer: respond-sync", "Accept: */*;q=x", "Content-Type: text/plain"),
        ]
    )
    headers = draw(st.lists(odd, max_size=3))
    lines = [line, "Host: gate", "Connection: close", f"Content-Encoding: {coding}", *headers]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    return head.encode("latin-1") + body


_OUR_STRATEGIES: dict[str, st.SearchStrategy[Throw]] = {
    "recipes": recipes.map(lambda body: _post(_prediction(json.dumps(body)))),
    "no recipes": st.text(max_size=200).map(lambda text: _post(_prediction(text))),
    "nested": st.integers(1, 30_000).map(lambda n: _post(_prediction("[" * n + "]" * n))),
    "other types": _VALUES.map(lambda value: _post(_prediction(value))),
    "broken bytes": _broken().map(_post),
    "hostile fields": _FIELDS.map(
        lambda fields: _post(json.dumps({"input": {"params_json": "{}"}, **fields}).encode())
    ),
    "hostile webhooks": _WEBHOOKS.map(lambda text: _post(_prediction("{}", webhook=text))),
    "raw requests": _raw(),
    "other paths": st.tuples(
        st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
        st.sampled_from(["/shutdown", "/trainings", "/predictions/..%2F..%2Fx", "/%00", "/x"]),
        st.binary(max_size=50),
        st.just(_JSON),
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.storm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--requests", type=int, default=5000, help="default: 5000")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder, "temporary")
        temporary.mkdir()
        env = {"PLITKA_ENGINE": "render", "TMPDIR": str(temporary)}
        with cog_server(Path(folder), env, gate=True, arguments=("--port", "0")) as server:
            tally = storm(server, options.requests, options.seed, lambda line: print(line))
            files = sum(1 for path in temporary.rglob("*") if path.is_file())
    if tally.growth > _MAX_GROWTH:
        tally.faults.append(f"memory grew by {tally.growth:.1%}")
    print(f"{tally.thrown} requests in {tally.seconds:.0f} s, the slowest {tally.slowest:.1f} s")
    print("kinds: " + ", ".join(f"{kind} {n}" for kind, n in tally.kinds.items()))
    print("answers: " + ", ".join(f"{kind}: {n}" for kind, n in sorted(tally.answers.items())))
    before, after = tally.memory_before / 2**20, tally.memory_after / 2**20
    print(f"memory: {before:.1f} MiB before, {after:.1f} after, {tally.growth:+.1%}")
    print(f"temporary files: {files}; faults: {len(tally.faults)}")
    for fault in tally.faults[:20]:
        print(fault)
    return 1 if tally.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
