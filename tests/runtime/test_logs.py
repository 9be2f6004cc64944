"""How Plitka logs: levels, JSON, the prediction's id, no secrets."""

import json
import logging
import threading

import pytest

from plitka.runtime import logs
from plitka.runtime.timing import log
from tests.conftest import StartServer
from tests.support.recipes import TILE

TOKEN = "hf_abcdefghijklmnop"


def said(capsys: pytest.CaptureFixture[str], *messages: str, **env: str) -> list[str]:
    logs.configure(logs.read_log_settings(env))
    for message in messages:
        log.info(message)
        log.debug("detail")
    return capsys.readouterr().err.splitlines()


@pytest.fixture(autouse=True)
def _as_before() -> object:
    yield
    logs.configure(logs.LogSettings(), "WARNING")


def test_levels_say_what_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "layout") == ["layout"]
    assert said(capsys, "layout", PLITKA_LOG_LEVEL="debug") == ["layout", "detail"]
    assert said(capsys, "layout", PLITKA_LOG_LEVEL="WARNING") == []
    with pytest.raises(logs.LogError, match=r"PLITKA_LOG_LEVEL: got 'loud'; allowed: DEBUG, INFO"):
        logs.read_log_settings({"PLITKA_LOG_LEVEL": "loud"})


def test_json_lines_carry_level_time_and_prediction(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_prediction("tile-1", "other")
    (line,) = said(capsys, "layout", PLITKA_LOG_FORMAT="json")
    fields = json.loads(line)
    assert (fields["level"], fields["prediction"], fields["message"]) == (
        "INFO",
        "tile-1",
        "layout",
    )
    assert fields["time"].endswith("Z")


@pytest.mark.parametrize(
    "secret",
    [
        f"token {TOKEN}",
        "Authorization: Bearer r8_abcdefghijkl",
        "https://user:hunter22@example.com/",
        "https://x/?X-Amz-Signature=abc123&b=1",
        "https://x/?sv=2024&sig=abc123&b=1",
        "the value s3cretvalue of the environment",
        "https://user:hunt:er@hunter22@example.com/",
        "https://hunter22@example.com/",
        "Authorization: Basic dXNlcjpodW50ZXIyMg==",
        "[(b'authorization', b'Basic dXNlcjpodW50ZXIyMg==')]",
        "authorization: Token hunter22",
        "proxy-authorization=Bearer%20hunter22",
        "bearer   hunter22",
        '{"access_token": "hunter22", "n": 1}',
        "{'password': 'hunter22'}",
        '{\\"api_key\\": \\"hunter22\\"}',
        "MY_SECRET=hunter22 other",
        "curl 'https://x/?a=b&refresh_token=hunter22'",
        "value s3cret%76alue in an address",
        "value czNjcmV0dmFsdWU= in Base64",
        "value eDpzM2NyZXR2YWx1ZQ== in Base64",
        "value 7333637265747661 6c7565 s3cretvalue".replace("61 6c", "616c"),
        "value S3CRETVALUE",
        "postgres://user:hunter22/abc123@example.com/db",
        "'redis://user:abc123'hunter22@example.com/0'",
        "Authorization: Token hunter22 abc123",
        'authorization: Digest username="u", response="abc123", nonce="hunter22"',
        '{"Authorization": "Digest username=\\"u\\", response=\\"abc123\\""}',
        "('X-Api-Key', b'hunter22 abc123')",
        "x-auth-token: hunter22 abc123",
        "Cookie: session=hunter22; other=abc123",
        'MY_SECRET="hunter22 abc123" other',
        '{"password": "it\'s hunter22"}',
        '{"password": "a\\"hunter22"}',
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_hidden(capsys: pytest.CaptureFixture[str], secret: str, form: str) -> None:
    env = {"PLITKA_LOG_FORMAT": form, "MY_API_KEY": "s3cretvalue"}
    (line,) = said(capsys, secret, **env)
    assert "[hidden]" in line
    words = ("dXNlcjpodW50ZXIyMg", "czNjcmV0dmFsdWU", "zM2NyZXR2YWx1Z", "s3cret%76alue")
    for word in (TOKEN, "r8_abcdefghijkl", "hunter22", "abc123", "s3cretvalue", *words):
        assert word.lower() not in line.lower()
    assert form == "text" or json.loads(line)["level"] == "INFO"


@pytest.mark.parametrize(
    "secret",
    ['quo"ted', "back\\slash", "two\nlines", "tab\tbed", "\u00e9t\u00e9 \u2028x", "s p a c e"],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_secret_with_signs_that_json_escapes_is_hidden(
    capsys: pytest.CaptureFixture[str], secret: str, form: str
) -> None:
    env = {"PLITKA_LOG_FORMAT": form, "DATABASE_PASSWORD": secret}
    logs.configure(logs.read_log_settings(env))
    log.info("value %s end", secret)
    log.info("value %s end", json.dumps({"a": secret}))
    log.info("value %r end", {"a": secret})
    log.info("said", extra={"said": secret, "parts": [{secret: secret}]})
    said = capsys.readouterr().err
    for way in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], json.dumps(secret)[1:-4]):
        assert way not in said
    assert form == "text" or [json.loads(line) for line in said.splitlines()]


def test_each_line_of_a_secret_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["-----BEGIN KEY-----", "hunter22hunter22", "abc123abc123", "-----END KEY-----"]
    told = said(capsys, *lines, "\n".join(lines), TLS_PRIVATE_KEY="\n".join(lines))
    assert set(told) == {"[hidden]"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_tracebacks_hide_secrets_in_every_line(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    env = {"PLITKA_LOG_FORMAT": form, "DATABASE_PASSWORD": "s3cretvalue\n"}
    logs.configure(logs.read_log_settings(env))
    try:
        try:
            raise KeyError("s3cretvalue")
        except KeyError as error:
            raise ValueError("first\nhttps://u:hunter22@h/ s3cretvalue") from error
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "s3cretvalue" not in said
    assert "hunter22" not in said


@pytest.mark.parametrize(
    "name",
    [
        *("HF_TOKEN", "my_secret", "PGPASSWORD", "DB_PASSWD", "SSH_PASSPHRASE", "OPENAI_API_KEY"),
        *("AWS_SECRET_ACCESS_KEY", "TLS_PRIVATE_KEY", "GOOGLE_CREDENTIALS", "API_TOKENS"),
    ],
)
def test_variables_named_like_secrets_are_secret(name: str) -> None:
    assert logs.read_log_settings({name: "a value"}).secrets == ("a value",)


def test_the_password_of_an_address_in_any_variable_is_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    env = {
        "HTTPS_PROXY": "http://user:hunt%65r22@proxy:8080",
        "PLITKA_PHOTOGRAPH": "http://lone-t0ken@h",
    }
    assert said(capsys, "hunter22 and hunt%65r22 and lone-t0ken", **env) == [
        "[hidden] and [hidden] and [hidden]"
    ]


@pytest.mark.parametrize(
    "plain",
    [
        *("the prompt has 80 tokens: 77 are read", "Basic settings of http://127.0.0.1:5000/a@b"),
        *(
            "token <s0><s1>",
            "two keys: a, b",
            "authorized by Bearer",
            "https://huggingface.co/a/b?c=d",
        ),
        *("secrets are hidden", "key=value", "sha256 0123456789abcdef"),
        *("'http://a:80' and 'b@c'", "http://h:8080/x@2x.png", "https://h/x@y:z@w", "a cookie"),
    ],
)
def test_ordinary_words_stay(capsys: pytest.CaptureFixture[str], plain: str) -> None:
    assert said(capsys, plain) == [plain]


def test_a_long_line_is_searched_in_linear_time() -> None:
    """Each would take minutes if the time grew with the square of its length."""
    redact = logs.make_redactor(("s3cretvalue",))
    for part in (
        "a",
        "token",
        "://",
        "Bearer ",
        "?",
        "%25",
        "\\",
        "authorization:",
        "Basic ",
        "s3cr",
        "://a:",
        "://:",
        "cookie: ",
        'cookie: a="',
        "a-",
        'token="',
        '"token": "\\',
        "-key:",
    ):
        redact(part * (200_000 // len(part)))


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logs.LogSettings())
    logging.getLogger("httpx").info("GET https://x")
    logging.getLogger("httpx").warning("odd")
    assert capsys.readouterr().err.splitlines() == ["odd"]


def test_the_server_writes_json_with_the_id_of_the_request(start_server: StartServer) -> None:
    server = start_server(PLITKA_ENGINE="render", PLITKA_LOG_FORMAT="json")
    body = server.predict(TILE, context={"prediction_id": "tile-9"}).json()
    lines = [json.loads(line) for line in body["logs"].splitlines() if line]
    assert {line["prediction"] for line in lines} == {"tile-9"}
    stages = {line["stage"]: line["seconds"] for line in lines if "stage" in line}
    assert {"layout", "preview", "final", "colormap"} <= set(stages)


def test_a_wrong_setting_of_the_log_fails_setup_with_its_sentence(
    start_server: StartServer,
) -> None:
    health = start_server(PLITKA_ENGINE="render", PLITKA_LOG_FORMAT="xml").health()
    assert health["status"] == "SETUP_FAILED"
    assert "PLITKA_LOG_FORMAT: got 'xml'; allowed: text, json" in health["setup"]["logs"]


def test_a_thread_that_was_cancelled_while_it_logged_holds_up_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(logs.LogSettings())
    for handler in logging.getLogger().handlers:
        if type(handler).__module__ == logs.__name__:
            handler.acquire()  # what comes before the first line of its `try`
    other = threading.Thread(target=log.info, args=("layout",), daemon=True)
    other.start()
    other.join(10)
    assert not other.is_alive()
    assert capsys.readouterr().err == "layout\n"
