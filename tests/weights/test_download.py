"""Weights from an https address: fetched once, whole or not at all, from a host on this machine."""

import base64
import hashlib
import io
import json
import logging
import os
import shutil
import stat
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import tqdm
from safetensors.numpy import save

from plitka.errors import WeightsError
from plitka.weights import download
from plitka.weights.address import describe_address, is_address
from plitka.weights.download import fetch_weights_file, find_cache
from plitka.weights.settings import read_weights_settings
from tests.support.https_server import (
    CERTIFICATE,
    Answer,
    Headers,
    HttpsServer,
    answer_file,
    https_server,
)

WEIGHTS = save({"clip_l": np.zeros((2, 768), np.float32), "clip_g": np.ones((2, 1280), np.float32)})


def pack_tar(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("embeddings.pti")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def pack_zip(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("embeddings.pti", content)
    return packed.getvalue()


TAR = pack_tar(WEIGHTS)


@pytest.fixture(autouse=True)
def _trusted_and_hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(download, "_PAUSES", (0.0, 0.0))


@pytest.fixture
def host() -> Iterator[HttpsServer]:
    """A host that serves TAR under every path."""
    with https_server(lambda path, headers: answer_file(TAR, headers)) as served:
        yield served


def refusal(address: str, cache: Path, limit: int = download.MAX_BYTES) -> str:
    with pytest.raises(WeightsError) as fault:
        fetch_weights_file(address, cache, limit)
    assert [path for path in cache.rglob("*") if path.suffix in (".tar", ".safetensors")] == []
    return str(fault.value)


def test_a_file_is_fetched_once(
    host: HttpsServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tqdm.tqdm, "monitor", None)
    monkeypatch.setattr(tqdm.tqdm, "monitor_interval", 10)
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "plitka")
    address = f"{host.address}/pbxt/trained_model.tar?X-Amz-Signature=veiled&file=1"
    path = fetch_weights_file(address, tmp_path)
    assert path.name == "trained_model.tar"
    assert path.read_bytes() == TAR
    assert fetch_weights_file(address.replace("veiled", "other"), tmp_path) == path
    first, second = host.asked
    assert "If-None-Match" not in first[1]
    assert second[1]["If-None-Match"] == '"1"'
    assert len(host.fetched) == 1
    assert [record.message for record in caplog.records if "0.0 GiB" in record.message] == [
        record.message for record in caplog.records if "fetch weights: " in record.message
    ]
    assert "veiled" not in caplog.text
    assert "other" not in caplog.text
    assert "weights: 100%" in capsys.readouterr().err  # the progress bar
    assert tqdm.tqdm.monitor is None  # whose thread does not start


def test_another_file_of_the_same_place_is_another(host: HttpsServer, tmp_path: Path) -> None:
    first = fetch_weights_file(f"{host.address}/get?id=1", tmp_path)
    assert fetch_weights_file(f"{host.address}/get?id=2", tmp_path) != first


@pytest.mark.parametrize("asked", ["token", "sp", "st", "sr", "policy", "exp", "signed"])
def test_what_signs_an_address_elsewhere_tells_files_apart_here(
    asked: str, host: HttpsServer, tmp_path: Path
) -> None:
    first = fetch_weights_file(f"{host.address}/dl?{asked}=a", tmp_path)
    assert fetch_weights_file(f"{host.address}/dl?{asked}=b", tmp_path) != first


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={0}&X-Amz-Expires=60&X-Amz-Signature={0}",
        "x-goog-credential=a%40b&x-goog-date={0}&x-goog-signature={0}",
        "AWSAccessKeyId={0}&Expires={0}&Signature={0}",
        "Policy={0}&Signature={0}&Key-Pair-Id={0}",
        "sv=2024-11-04&sr=b&sp=r&st={0}&se={0}&skoid={0}&sig={0}",
        "__token__=exp={0}~hmac={0}",
    ],
)
def test_an_address_that_is_signed_anew_is_of_the_same_file(
    query: str, host: HttpsServer, tmp_path: Path
) -> None:
    first = fetch_weights_file(f"{host.address}/dl?id=1&{query.format(1)}", tmp_path)
    assert fetch_weights_file(f"{host.address}/dl?{query.format(2)}&id=1", tmp_path) == first
    assert fetch_weights_file(f"{host.address}/dl?id=2&{query.format(2)}", tmp_path) != first


@pytest.mark.parametrize(
    ("body", "name", "kept"),
    [
        (TAR, "trained_model.tar", "trained_model.tar"),
        (TAR, "get", "get.tar"),
        (pack_zip(WEIGHTS), "weights.bin", "weights.bin.zip"),
        (WEIGHTS, "a%20lora%2F..", "a_lora_...safetensors"),
        (WEIGHTS, "embeddings.pti", "embeddings.pti"),
        (WEIGHTS, "", "weights.safetensors"),
        (TAR, "lora.safetensors", "lora.safetensors.tar"),
        (WEIGHTS, "lora.zip", "lora.zip.safetensors"),
        (WEIGHTS, "lora.ckpt", "lora.ckpt.safetensors"),
        (pack_zip(WEIGHTS), "weights.TAR", "weights.TAR.zip"),
    ],
)
def test_archives_and_safetensors_are_kept_under_fitting_names(
    body: bytes, name: str, kept: str, tmp_path: Path
) -> None:
    with https_server(lambda path, headers: answer_file(body, headers)) as served:
        path = fetch_weights_file(f"{served.address}/{name}", tmp_path)
    assert path.name == kept
    assert path.read_bytes() == body


@pytest.mark.parametrize("etag", ['"1"', None])
def test_a_changed_file_is_fetched_anew(etag: str | None, tmp_path: Path) -> None:
    changed = pack_tar(WEIGHTS + WEIGHTS)
    with https_server(lambda path, headers: answer_file(TAR, headers, etag)) as served:
        path = fetch_weights_file(f"{served.address}/a.tar", tmp_path)
        served.answers = lambda path, headers: answer_file(changed, headers, etag and '"2"')
        assert fetch_weights_file(f"{served.address}/a.tar", tmp_path) == path
    assert path.read_bytes() == changed


def test_an_unchanged_file_is_not_read_again_where_the_host_knows_no_conditions(
    tmp_path: Path,
) -> None:
    modified = {"Last-Modified": "Sat, 28 Nov 2026 10:00:00 GMT"}
    with https_server(lambda path, headers: Answer(TAR, headers=modified)) as served:
        path = fetch_weights_file(f"{served.address}/a.tar", tmp_path)
        served.answers = lambda path, headers: Answer(b"x" * len(TAR), headers=modified)
        assert fetch_weights_file(f"{served.address}/a.tar", tmp_path) == path
        assert served.asked[1][1]["If-Modified-Since"] == modified["Last-Modified"]
        assert len(served.fetched) == 1
    assert path.read_bytes() == TAR


def test_a_host_that_answers_nothing_but_get_gives_the_file_once(tmp_path: Path) -> None:
    with https_server(lambda path, headers: Answer(TAR)) as served:
        served.heads = False
        path = fetch_weights_file(f"{served.address}/a.tar", tmp_path)
        assert fetch_weights_file(f"{served.address}/a.tar", tmp_path) == path
        assert len(served.fetched) == 1


@pytest.mark.parametrize("status", [403, 404, 500, None])
def test_the_cached_file_is_used_where_the_host_does_not_give_it(
    status: int | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with https_server(lambda path, headers: answer_file(TAR, headers)) as served:
        path = fetch_weights_file(f"{served.address}/a.tar?sig=veiled", tmp_path)
        if status is not None:
            served.answers = lambda path, headers: Answer(status=status)
            assert fetch_weights_file(f"{served.address}/a.tar?sig=veiled", tmp_path) == path
    if status is None:
        assert fetch_weights_file(f"{served.address}/a.tar?sig=veiled", tmp_path) == path
    assert "the file fetched before is used" in caplog.text
    assert "veiled" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(b"<html><title>Sign in</title>" + bytes(600)), "a web page (Sign in) came"),
        (Answer(b"no weights"), "neither a .tar, a .zip nor"),
        (Answer(TAR + bytes(2**20)), "larger than 0.0 GiB"),
        (Answer(TAR, cut=1000, headers={"Content-Length": "30000"}), "could not be fetched"),
        (Answer(status=302, headers={"Location": "http://localhost/a.tar"}), "is refused"),
    ],
)
def test_the_cached_file_is_used_where_no_weights_come_in_its_place(
    answer: Answer, verdict: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limit = 2**20
    with https_server(lambda path, headers: answer_file(TAR, headers)) as served:
        path = fetch_weights_file(f"{served.address}/a.tar?sig=veiled", tmp_path, limit)
        served.answers = lambda _, headers: answer
        assert fetch_weights_file(f"{served.address}/a.tar?sig=veiled", tmp_path, limit) == path
        assert path.read_bytes() == TAR
        assert verdict in caplog.text
        assert "the file fetched before is used" in caplog.text
        assert "veiled" not in caplog.text
        changed = pack_tar(WEIGHTS + WEIGHTS)
        served.answers = lambda _, headers: answer_file(changed, headers, '"2"')
        fetch_weights_file(f"{served.address}/a.tar?sig=veiled", tmp_path, limit)
        assert path.read_bytes() == changed


def test_a_cut_file_is_resumed(tmp_path: Path) -> None:
    cuts = [1000, 5000, None]

    def answers(path: str, headers: Headers) -> Answer:
        return answer_file(TAR, headers, cut=cuts.pop(0))

    with https_server(answers) as served:
        path = fetch_weights_file(f"{served.address}/a.tar", tmp_path)
    assert path.read_bytes() == TAR
    ranges = [headers.get("Range") for _, headers in served.asked]
    assert ranges == [None, "bytes=1000-", "bytes=6000-"]
    assert served.asked[1][1]["If-Range"] == '"1"'


def test_what_an_earlier_run_left_is_resumed(tmp_path: Path) -> None:
    with https_server(lambda path, headers: answer_file(TAR, headers, cut=1000)) as served:
        served.answers = lambda path, headers: (
            Answer(status=503) if "Range" in headers else answer_file(TAR, headers, cut=1000)
        )
        assert "the server answered 503" in refusal(f"{served.address}/a.tar", tmp_path)
        served.answers = lambda path, headers: answer_file(TAR, headers)
        path = fetch_weights_file(f"{served.address}/a.tar", tmp_path)
    assert served.asked[-1][1]["Range"] == "bytes=1000-"
    assert path.read_bytes() == TAR


@pytest.mark.parametrize("etag", ['"1"', 'W/"1"', None])
def test_a_cut_file_is_begun_anew_where_the_host_knows_no_ranges(
    etag: str | None, tmp_path: Path
) -> None:
    cuts = [1000, None]
    said = {} if etag is None else {"ETag": etag}
    with https_server(lambda path, headers: Answer(TAR, 200, said, cuts.pop(0))) as served:
        path = fetch_weights_file(f"{served.address}/a.tar", tmp_path)
    assert path.read_bytes() == TAR
    assert ("Range" in served.asked[1][1]) == (etag == '"1"')


def test_a_file_that_changes_between_two_parts_is_not_mixed(tmp_path: Path) -> None:
    changed = pack_tar(b"\1" * len(WEIGHTS))
    versions = [(TAR, '"1"', 1000), (changed, '"2"', None)]

    def answers(path: str, headers: Headers) -> Answer:
        body, etag, cut = versions.pop(0)
        return answer_file(body, headers, etag, cut)

    with https_server(answers) as served:
        path = fetch_weights_file(f"{served.address}/a.tar", tmp_path)
    assert path.read_bytes() == changed


@pytest.mark.parametrize("said", [f"bytes 5-{len(TAR) - 1}/{len(TAR)}", ""])
def test_a_wrong_part_is_not_taken(said: str, tmp_path: Path) -> None:
    def answers(path: str, headers: Headers) -> Answer:
        if "Range" in headers:
            return Answer(TAR[5:], 206, {"Content-Range": said})
        return answer_file(TAR, headers, cut=1000 if len(served.asked) == 1 else None)

    with https_server(answers) as served:
        path = fetch_weights_file(f"{served.address}/a.tar", tmp_path)
    assert path.read_bytes() == TAR


def test_a_part_that_is_whole_already_is_begun_anew(tmp_path: Path) -> None:
    with https_server(lambda path, headers: answer_file(TAR, headers, cut=1000)) as served:
        served.answers = lambda path, headers: (
            Answer(status=404) if "Range" in headers else answer_file(TAR, headers, cut=1000)
        )
        assert "no such file there (404)" in refusal(f"{served.address}/a.tar", tmp_path)
        (part,) = tmp_path.rglob("part")
        part.write_bytes(TAR)
        served.answers = lambda path, headers: (
            Answer(status=416) if "Range" in headers else answer_file(TAR, headers)
        )
        assert fetch_weights_file(f"{served.address}/a.tar", tmp_path).read_bytes() == TAR


def test_a_host_that_recovers_is_asked_again(tmp_path: Path) -> None:
    statuses = [503, 502, 200]
    with https_server(
        lambda path, headers: Answer(TAR, status) if (status := statuses.pop(0)) else Answer()
    ) as served:
        assert fetch_weights_file(f"{served.address}/a.tar", tmp_path).read_bytes() == TAR


def test_a_file_without_a_stated_size_is_fetched(tmp_path: Path) -> None:
    with https_server(lambda path, headers: Answer(TAR, headers={"Content-Length": ""})) as served:
        assert fetch_weights_file(f"{served.address}/a.tar", tmp_path).read_bytes() == TAR


@pytest.mark.parametrize("headers", [{}, {"Content-Length": ""}], ids=["stated", "streamed"])
def test_a_file_above_the_limit_is_refused(headers: Headers, tmp_path: Path) -> None:
    with https_server(lambda path, _: Answer(TAR, headers=headers)) as served:
        assert "larger than 0.0 GiB" in refusal(f"{served.address}/a.tar", tmp_path, limit=4000)
    assert len(served.asked) == 1
    assert list(tmp_path.rglob("part")) == []


def test_a_file_that_ends_early_is_not_taken(tmp_path: Path) -> None:
    with https_server(lambda path, _: Answer(TAR, cut=len(TAR) - 1)) as served:
        fault = refusal(f"{served.address}/a.tar", tmp_path)
    assert "could not be fetched" in fault
    assert "try again" in fault


@pytest.mark.parametrize("name", ["Content-MD5", "x-goog-hash"])
def test_a_damaged_file_is_told_by_the_hash_that_the_host_states(name: str, tmp_path: Path) -> None:
    digest = hashlib.md5(TAR, usedforsecurity=False).digest()
    said = {name: ("md5=" if name[0] == "x" else "") + base64.b64encode(digest).decode()}
    damaged = TAR[:-1] + b"\1"
    with https_server(lambda path, _: Answer(damaged, headers=said)) as served:
        assert "damaged" in refusal(f"{served.address}/a.tar", tmp_path)
        served.answers = lambda path, _: Answer(TAR, headers=said)
        assert fetch_weights_file(f"{served.address}/a.tar", tmp_path).read_bytes() == TAR


def test_a_file_is_hashed_once_whatever_the_host_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    file_digest = hashlib.file_digest

    def note_digest(file: BufferedReader, digest: Callable[[], Any]) -> Any:
        hashed.append(file.name)
        return file_digest(file, digest)

    monkeypatch.setattr(hashlib, "file_digest", note_digest)
    sums = [
        base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        for body in (TAR, b"other")
    ]
    right = ",".join([f"md5={sums[0]}"] * 100)
    said = {"x-goog-hash": f"crc32c=AAAAAA==,{right}", "Content-MD5": sums[0]}
    with https_server(lambda path, _: Answer(TAR, headers=said)) as served:
        path = fetch_weights_file(f"{served.address}/a.tar", tmp_path / "right")
        assert path.read_bytes() == TAR
        assert len(hashed) == 1
        said["x-goog-hash"] += f",md5={sums[1]}"
        assert "damaged" in refusal(f"{served.address}/a.tar", tmp_path / "wrong")


NOT_WEIGHTS = [
    (b"<!DOCTYPE html><html><title>\nSign in</title>", "a web page (Sign in) came"),
    (b"\n<HTML><body>", "a web page came"),
    (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "answer (AccessDenied)"),
    (b'{"detail": "Not found."}', "a JSON answer (Not found.) came"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "a Git LFS pointer came"),
    (b'{"data":{"detail": "Not found."}}', "a JSON answer (Not found.) came"),
    (b"\x80\x02}q\x00.", "a pickle came"),
    (pack_zip(WEIGHTS).replace(b"embeddings.pti", b"model/data.pkl"), "a pickle came"),
    (b"\x1f\x8b\x08\0\0\0\0\0\0\3K", "neither a .tar, a .zip nor a .safetensors file came"),
    (b"PK\x03\x04 and no more", "neither a .tar, a .zip nor a .safetensors file came"),
    (b"", "neither a .tar, a .zip nor a .safetensors file came"),
    (WEIGHTS[:9], "neither a .tar, a .zip nor a .safetensors file came"),
]


@pytest.mark.parametrize(("body", "verdict"), NOT_WEIGHTS)
def test_what_is_no_weights_is_named(body: bytes, verdict: str, tmp_path: Path) -> None:
    with https_server(lambda path, _: Answer(body)) as served:
        fault = refusal(f"{served.address}/a.tar?token=veiled", tmp_path)
    assert verdict in fault
    assert fault.startswith(f"{served.address}/a.tar: ")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (401, "the server refuses it (401)"),
        (403, "a signed address may have expired"),
        (404, "no such file there (404)"),
        (410, "no such file there (410)"),
        (400, "answered 400 instead of a file"),
    ],
)
def test_a_refusal_is_told_at_once(status: int, verdict: str, tmp_path: Path) -> None:
    with https_server(lambda path, _: Answer(b"<Error/>", status)) as served:
        fault = refusal(f"{served.address}/a.tar?Signature=veiled", tmp_path)
    assert verdict in fault
    assert "veiled" not in fault
    assert len(served.asked) == 1


def redirect(location: str) -> Callable[[str, Headers], Answer]:
    def answers(path: str, headers: Headers) -> Answer:
        if path.startswith("/to"):
            return answer_file(TAR, headers)
        return Answer(status=302, headers={"Location": location})

    return answers


@pytest.mark.parametrize("by", ["/to/file.tar?sig=1", "https://localhost:{port}/to/file.tar"])
def test_redirects_to_https_are_followed(by: str, tmp_path: Path) -> None:
    with https_server(redirect("")) as served:
        served.answers = redirect(by.format(port=served.address.rpartition(":")[2]))
        path = fetch_weights_file(f"{served.address}/a.tar", tmp_path)
    assert path.name == "a.tar"
    assert path.read_bytes() == TAR


@pytest.mark.parametrize(
    ("location", "verdict"),
    [
        ("http://localhost/to/a.tar?sig=veiled", "http, to which it redirects is refused"),
        ("file:///etc/passwd", "file, to which it redirects is refused"),
        ("https://user:veiled@localhost/to/a.tar", "holds a user or a password"),
        ("/again", "redirects more than 5 times"),
        ("https://[veiled", "redirects to what is not an address"),
        ("https://host:veiled/a.tar", "redirects to what is not an address"),
        ("https://ho..st/a.tar", "redirects to what is not an address"),
    ],
)
def test_other_redirects_are_refused(location: str, verdict: str, tmp_path: Path) -> None:
    with https_server(redirect(location)) as served:
        fault = refusal(f"{served.address}/a.tar", tmp_path)
    assert verdict in fault
    assert "veiled" not in fault
    assert not any(path.startswith("/to") for path, _ in served.asked)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://host/a.tar?sig=veiled", "http://host/a.tar: http is refused"),
        ("ftp://host/a.tar", "ftp://host/a.tar: ftp is refused"),
        ("file:///etc/passwd", "file:///etc/passwd: file is refused"),
        ("data:text/plain,veil", "data is refused"),
        ("s3://bucket/a.tar", "s3://bucket/a.tar: s3 is refused"),
        ("https://user:veiled@host/a.tar", "https://host/a.tar: the address holds a user"),
        ("https://veiled@host/a.tar", "https://host/a.tar: the address holds a user"),
        ("https:///a.tar", "names no host"),
        ("https://host:port/a.tar", "not an address"),
        ("https://[::1/a.tar", "not an address"),
        ("https://ho..st/a.tar", "not an address"),
        (f"https://{'a' * 64}.org/a.tar", "not an address"),
        ("https://user:veiled/veiled@host/a.tar", "https://host/a.tar: not an address"),
    ],
)
def test_other_addresses_are_refused(address: str, sentence: str, tmp_path: Path) -> None:
    fault = refusal(address, tmp_path)
    assert sentence in fault
    assert "veiled" not in fault
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_that_nobody_vouches_for_is_refused(
    host: HttpsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    fault = refusal(f"{host.address}/a.tar?sig=veiled", tmp_path)
    assert "its certificate is not trusted (self-signed certificate" in fault
    assert "SSL_CERT_FILE" in fault
    assert "veiled" not in fault


@pytest.mark.parametrize("named", ["nowhere.pem", "", "embeddings.safetensors"])
def test_certificates_that_cannot_be_read_are_told(
    named: str, host: HttpsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "embeddings.safetensors").write_bytes(WEIGHTS)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / named))
    fault = refusal(f"{host.address}/a.tar?sig=veiled", tmp_path / "cache")
    assert "the certificates to trust cannot be read" in fault
    assert "SSL_CERT_FILE" in fault
    assert "kept" not in fault
    assert "veiled" not in fault


@pytest.mark.parametrize("proxy", ["gopher://u:veiled@localhost", "http://u:veiled/w@localhost"])
def test_a_proxy_that_cannot_be_used_is_told(
    proxy: str, host: HttpsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    fault = refusal(f"{host.address}/a.tar", tmp_path)
    assert "the proxy that HTTPS_PROXY" in fault
    assert "veiled" not in fault


def test_a_host_that_is_not_there_is_told(tmp_path: Path) -> None:
    with https_server(lambda path, _: Answer()) as served:
        pass
    fault = refusal(f"{served.address}/a.tar?sig=veiled", tmp_path)
    assert "could not be fetched (" in fault
    assert "refused" in fault
    assert "veiled" not in fault
    assert "its host is not known" in refusal("https://nowhere.invalid/a.tar", tmp_path)


def test_two_at_once_fetch_it_once(tmp_path: Path) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def answers(path: str, headers: Headers) -> Answer:
        begun.set()
        may_end.wait(60)
        return answer_file(TAR, headers)

    with https_server(answers) as served:
        paths: list[Path] = []
        threads = [
            threading.Thread(
                target=lambda: paths.append(fetch_weights_file(f"{served.address}/a", tmp_path))
            )
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        begun.wait(60)
        may_end.set()
        for thread in threads:
            thread.join()
    assert paths[0] == paths[1]
    assert paths[0].read_bytes() == TAR
    assert sorted("If-None-Match" in headers for _, headers in served.asked) == [False, True]


def test_a_cache_that_cannot_be_written_is_told(host: HttpsServer, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"")
    fault = refusal(f"{host.address}/a.tar", tmp_path / "cache")
    assert "cannot be kept in" in fault
    assert "XDG_CACHE_HOME" in fault


def test_a_damaged_cache_is_fetched_anew(host: HttpsServer, tmp_path: Path) -> None:
    path = fetch_weights_file(f"{host.address}/a.tar", tmp_path)
    path.write_bytes(TAR[:-1])
    assert fetch_weights_file(f"{host.address}/a.tar", tmp_path).read_bytes() == TAR
    (path.parent / "state.json").write_text("{}")
    assert fetch_weights_file(f"{host.address}/a.tar", tmp_path).read_bytes() == TAR
    shutil.rmtree(path.parent)
    assert fetch_weights_file(f"{host.address}/a.tar", tmp_path).read_bytes() == TAR


def find_entry(address: str, cache: Path) -> Path:
    """The folder that an address has in the cache, without the file that was fetched."""
    path = fetch_weights_file(address, cache)
    path.unlink()
    return path.parent


@pytest.mark.parametrize("name", ["state.json", "part.json"])
@pytest.mark.parametrize(
    "note",
    [
        {"name": "{elsewhere}"},
        {"name": "../../elsewhere"},
        {"name": ".."},
        {"name": "."},
        {"name": ""},
        {"name": 5},
        {"name": None},
        {"name": ["a.tar"]},
        {"name": "a\0b"},
        {"name": "a" * 300},
        {"name": "\ud800"},
        {"size": "1"},
        {"size": -1},
        {"size": True},
        {"size": [1]},
        {"etag": 5},
        {"etag": ["1"]},
        {"etag": '"1"\r\nX-Other: 1'},
        {"etag": '"é"'},
        {"modified": {}},
        {"more": 1},
        *("[" * 100_000, "[]", "null", "5", '"a"', "\0", ""),
    ],
    ids=lambda note: str(note)[:40],
)
def test_a_damaged_note_in_the_cache_counts_as_none(
    note: dict[str, object] | str, name: str, host: HttpsServer, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"1")
    address, cache = f"{host.address}/a.tar", tmp_path / "cache"
    entry = find_entry(address, cache)
    (entry / "part").write_bytes(TAR[:600])
    if isinstance(note, dict):
        sound = {"name": "b.tar", "size": 1, "etag": '"1"', "modified": None}
        note = json.dumps(sound | note).replace("{elsewhere}", str(elsewhere))
    (entry / name).write_text(note)
    assert fetch_weights_file(address, cache).read_bytes() == TAR
    assert elsewhere.read_bytes() == b"1"
    assert not any("Range" in headers for _, headers in host.asked)


def test_a_note_without_a_size_proves_no_file(host: HttpsServer, tmp_path: Path) -> None:
    entry = find_entry(f"{host.address}/a.tar", tmp_path)
    note = {"name": "a.tar", "size": None, "etag": '"1"', "modified": None}
    (entry / "state.json").write_text(json.dumps(note))
    assert fetch_weights_file(f"{host.address}/a.tar", tmp_path).read_bytes() == TAR


@pytest.mark.parametrize(
    "name",
    ["lock", "part", "part.json", "part.json.new", "state.json", "state.json.new", "a.tar"],
)
@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_no_link_in_the_cache_is_followed(
    name: str, target: str, host: HttpsServer, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(TAR)
    address, cache = f"{host.address}/a.tar", tmp_path / "cache"
    entry = find_entry(address, cache)
    (entry / name).unlink(missing_ok=True)
    (entry / name).symlink_to(tmp_path / target)
    path = fetch_weights_file(address, cache)
    assert path.read_bytes() == TAR
    assert not path.is_symlink()
    assert len(host.fetched) == 2
    assert elsewhere.read_bytes() == TAR
    assert not (tmp_path / "nowhere").exists()


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a folder belong to another user, or this process run by another than its owner."""
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder for all users, as /tmp is."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    return shared


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_weights_that_another_user_may_have_put_into_the_cache_are_not_believed(
    depth: int, host: HttpsServer, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    address, cache = f"{host.address}/a.tar", find_cache({})
    path = fetch_weights_file(address, cache)
    give_away(list(path.parents)[depth], monkeypatch)
    with pytest.raises(WeightsError, match=r"belongs to another user .* set XDG_CACHE_HOME"):
        fetch_weights_file(address, cache)


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_cache_for_all_users_is_not_believed(mode: int, host: HttpsServer, shared: Path) -> None:
    path = fetch_weights_file(f"{host.address}/a.tar", shared / "plitka")
    path.parent.chmod(mode)
    with pytest.raises(WeightsError, match=r"written by all users.* set XDG_CACHE_HOME"):
        fetch_weights_file(f"{host.address}/a.tar", shared / "plitka")


def test_a_link_to_a_cache_in_a_folder_for_all_users_is_looked_through(
    host: HttpsServer, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shared / "of-another").mkdir()
    (tmp_path / "cache").symlink_to(shared / "of-another")
    give_away(shared / "of-another", monkeypatch)
    with pytest.raises(WeightsError, match="belongs to another user"):
        fetch_weights_file(f"{host.address}/a.tar", tmp_path / "cache")


def test_the_cache_is_made_for_its_user_alone(host: HttpsServer, shared: Path) -> None:
    path = fetch_weights_file(f"{host.address}/a.tar", shared / "plitka" / "weights")
    for folder in list(path.parents)[:3]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_long_name_in_any_script_can_be_kept(host: HttpsServer, tmp_path: Path) -> None:
    path = fetch_weights_file(f"{host.address}/{quote('瓷砖' * 60)}.tar", tmp_path)
    assert path.read_bytes() == TAR
    assert path.suffix == ".tar"
    assert fetch_weights_file(f"{host.address}/{quote('瓷砖' * 60)}.tar", tmp_path) == path
    assert len(host.fetched) == 1


def test_the_cache_lies_where_the_user_keeps_caches(tmp_path: Path) -> None:
    assert find_cache({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "plitka" / "weights"
    home = {"HOME": str(tmp_path)}
    for env in (home, {**home, "XDG_CACHE_HOME": ""}, {**home, "XDG_CACHE_HOME": "not/absolute"}):
        assert find_cache(env) == tmp_path / ".cache" / "plitka" / "weights"


def test_the_cache_of_a_user_without_a_home_is_a_temporary_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def raise_error() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", raise_error)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for env in ({}, {"HOME": ""}, {"HOME": "not/absolute", "XDG_CACHE_HOME": ""}):
        cache = read_weights_settings(env).cache
        assert cache == find_cache(env) == tmp_path / "plitka" / "weights"


def test_addresses_are_told_from_paths() -> None:
    for text in ("https://host/a.tar", "http://host", "s3://bucket/a", "file:///a", "data:,a"):
        assert is_address(text), text
    for text in ("a.tar", "/a/b.tar", "owner/name", "C:\\a.tar", "~/a", ""):
        assert not is_address(text), text
    assert describe_address("https://u:p@host:1/a.tar?sig=1#x") == "https://host:1/a.tar"
    assert describe_address("data:,a@b?c") == "data:,a@b"
    for secret, named in (
        ("https://u:veil/ed@host/a.tar?sig=veiled", "https://host/a.tar"),
        ("https://u:veil@ed/@host/a.tar", "https://host/a.tar"),
        ("https://u:veil?ed@host/a.tar", "https://…"),
        ("https://u:veil#ed@host/a.tar", "https://…"),
        ("s3://u:veil/ed@host/a.tar", "s3://host/a.tar"),
        ("https://host/a.tar?GoogleAccessId=me@host&Signature=veiled", "https://host/a.tar"),
    ):
        assert describe_address(secret) == named
