"""A hub of models on this machine, as huggingface_hub talks to it: listings and files, no more."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Hub:
    """address: for HF_ENDPOINT. fetched: files that were asked for, as `owner/name/path`.

    glanced: those of which a part was asked for.
    """

    address: str
    fetched: list[str] = field(default_factory=list)
    glanced: list[str] = field(default_factory=list)


@contextmanager
def hub(repositories: Mapping[str, Path], refuses: str = "") -> Iterator[Hub]:
    """Serve folders as repositories: `{"owner/name": folder}`.

    refuses: the end of paths that are listed and not given.
    """
    fetched: list[str] = []
    glanced: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing is logged."""

        def _answer(self, with_body: bool) -> None:
            status, body, headers = self._found(with_body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def _found(self, with_body: bool) -> tuple[int, bytes, dict[str, str]]:
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            if parts[:2] == ["api", "models"]:
                folder = repositories.get("/".join(parts[2:4]))
                if folder is not None and parts[4] == "revision":
                    return _json({"id": "/".join(parts[2:4]), "sha": COMMIT, "siblings": []})
                if folder is not None and parts[4] == "tree":
                    return _json([_entry(folder, file) for file in _files(folder)])
            folder = repositories.get("/".join(parts[:2]))
            if folder is not None and parts[2:3] == ["resolve"]:
                file, name = folder.joinpath(*parts[4:]), "/".join([*parts[:2], *parts[4:]])
                if file.is_file() and with_body and refuses and name.endswith(refuses):
                    return 403, b"{}", {"X-Error-Message": "Not for you."}
                if file.is_file():
                    body = file.read_bytes()
                    headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{_digest(body)}"'}
                    if with_body and "Range" in self.headers:
                        glanced.append(name)
                        first, last = map(int, self.headers["Range"][len("bytes=") :].split("-"))
                        return 206, body[first : last + 1], headers
                    if with_body:
                        fetched.append(name)
                    return 200, body, headers
            return 404, b"{}", {"X-Error-Code": "RepoNotFound"}

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Hub(f"http://127.0.0.1:{server.server_address[1]}", fetched, glanced)
        finally:
            server.shutdown()
            thread.join()


def _json(value: object) -> tuple[int, bytes, dict[str, str]]:
    return 200, json.dumps(value).encode(), {"Content-Type": "application/json"}


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _entry(folder: Path, file: Path) -> dict[str, object]:
    body = file.read_bytes()
    path = file.relative_to(folder).as_posix()
    return {"type": "file", "path": path, "size": len(body), "oid": _digest(body)}


def _digest(body: bytes) -> str:
    return hashlib.sha1(body, usedforsecurity=False).hexdigest()
