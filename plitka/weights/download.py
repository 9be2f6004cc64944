"""Fetches weights from an https address, once, into a cache.

The address is the operator's own (COG_WEIGHTS, --weights), never one from a request, so it may lead
anywhere that the operator's machine can reach, private networks included: nothing here guards
against that. What comes is not trusted: only sizes and first bytes are looked at, and the checks of
packages and weights follow.

The cache has a folder for each address (cache_entry): the file, what the server said of it
(state.json), and while it is fetched a part that a later attempt goes on with.
"""

import base64
import hashlib
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from plitka.errors import WeightsError, extract_first_line
from plitka.runtime import logs
from plitka.runtime.memory import format_gib
from plitka.runtime.timing import log
from plitka.weights import content
from plitka.weights.address import (
    describe_address,
    make_address_error,
    make_key,
    refuse_address,
)
from plitka.weights.cache_entry import (
    State,
    hold_entry,
    is_sendable,
    make_name,
    read_state,
    write_state,
)
from plitka.weights.https_client import explain_connection, is_untrusted, open_client

if TYPE_CHECKING:
    import httpx2

MAX_BYTES = 4 * 2**30 + 2**26  # what an archive may hold unpacked, and room for its own entries
_MAX_REDIRECTS = 5
_TAR_BLOCK = 512  # bytes; less of a file does not show what it is
_PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each new attempt; a longer part starts them anew
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_ABSENT = frozenset({401, 403, 404, 410})


class _Broken(Exception):
    """A connection or a server failed in a way that another attempt may mend."""


def find_cache(env: Mapping[str, str]) -> Path:
    """The folder that weights are kept in: plitka/weights in the user's folder of caches.

    A user without a home, as a container may run by, has it in the folder for temporary files,
    where cache_entry refuses what another user may have put there.
    """
    named, home = Path(env.get("XDG_CACHE_HOME", "")), Path(env.get("HOME", ""))
    if named.is_absolute():
        caches = named
    elif home.is_absolute():
        caches = home / ".cache"
    else:
        try:
            caches = Path(tempfile.gettempdir())
        except FileNotFoundError:  # none can be written; the fault is named where one is needed
            caches = Path("/var/cache")
    return caches / "plitka" / "weights"


def fetch_weights_file(address: str, cache: Path, limit: int = MAX_BYTES) -> Path:
    """Fetch an archive or a safetensors file and return where it lies in the cache.

    address: https, of the operator's. cache: folder, made where there is none. limit: bytes. A file
    that was fetched before is fetched anew only where the server says that it has changed; where
    the server does not answer, it is used as it is. Raises WeightsError.
    """
    refuse_address(address, address)
    where = describe_address(address)
    folder = cache / hashlib.sha256(make_key(address).encode()).hexdigest()[:24]
    start = time.perf_counter()
    with open_client(where) as client:
        try:  # the client's own errors are none of the system's, so those are of the files
            with hold_entry(folder, where):
                path, verdict = _Fetch(client, address, folder, limit).run()
        except OSError as error:
            reason = error.strerror or extract_first_line(error)
            raise WeightsError(
                f"{where}: cannot be kept in {folder} ({reason}); make room there, or set"
                " XDG_CACHE_HOME to a folder that can be written"
            ) from error
    seconds = time.perf_counter() - start
    fields = {"stage": "fetch weights", "seconds": round(seconds, 3)}
    size = format_gib(path.stat().st_size)
    log.info("fetch weights: %.2f s, %s, %s, %s", seconds, where, size, verdict, extra=fields)
    return path


class _Fetch:
    """The fetching of one address into its folder of the cache, which is locked meanwhile."""

    def __init__(self, client: "httpx2.Client", address: str, folder: Path, limit: int) -> None:
        self._client = client
        self._address = address
        self._where = describe_address(address)
        self._folder = folder
        self._limit = limit
        self._part = folder / "part"
        self._kept = self._find_kept()

    def run(self) -> tuple[Path, str]:
        """Fetch what is not here or has changed. Gives the file and what was done, for the log.

        Where no weights come, the file that was fetched before is used.
        """
        kept = self._kept
        if kept is None:
            return self._fetch()
        try:
            if not self._is_current(kept):
                return self._fetch()
        except WeightsError as fault:
            log.warning("%s; the file fetched before is used", fault)
        return self._folder / kept.name, "from the cache"

    def _fetch(self) -> tuple[Path, str]:
        pauses, longest = iter(_PAUSES), 0
        while True:
            try:
                return self._attempt()
            except _Broken as broken:
                fault = broken
            size = _measure(self._part) or 0
            if size > longest:
                pauses, longest = iter(_PAUSES), size
            pause = next(pauses, None)
            if pause is None:
                break
            log.info("%s: %s, another attempt in %g s", self._where, fault, pause)
            time.sleep(pause)
        raise WeightsError(
            f"{self._where}: could not be fetched ({fault}); check the connection and the address"
            " and try again, or download the file and give its path"
        )

    def _find_kept(self) -> State | None:
        """What was said of the file that was fetched before, None where there is none."""
        kept = read_state(self._folder / "state.json")
        if kept is None or kept.size is None:
            return None
        return kept if _measure(self._folder / kept.name) == kept.size else None

    def _is_current(self, kept: State) -> bool:
        """Ask the server, without fetching, whether the file that was fetched before has changed.

        Where it does not say, the file is used as it is: signed addresses expire, and many answer
        nothing but GET.
        """
        headers = {"Accept-Encoding": "identity"}
        headers |= {"If-None-Match": kept.etag} if kept.etag else {}
        headers |= {"If-Modified-Since": kept.modified} if kept.modified else {}
        try:
            with self._open("HEAD", headers) as response:
                status = response.status_code
                if status == 200:
                    said = self._describe_answer(response, 0)
                    is_silent = said.size is None and said.validator is None
                    return is_silent or said.is_same(kept)
        except _Broken as fault:
            log.warning("%s: %s; the file fetched before is used", self._where, fault)
            return True
        if status not in (304, 405, 501):
            log.warning(
                "%s: the server answered %d; the file fetched before is used", self._where, status
            )
        return True

    def _attempt(self) -> tuple[Path, str]:
        part = read_state(self._folder / "part.json")
        have = _measure(self._part) or 0
        if part is None or part.validator is None or have == 0:
            part, have = None, 0
        headers = {"Accept-Encoding": "identity"}
        if part is not None and part.validator is not None:
            headers |= {"Range": f"bytes={have}-", "If-Range": part.validator}
        with self._open("GET", headers) as response:
            status = response.status_code
            if status == 416:
                self._part.unlink(missing_ok=True)
                raise _Broken("the file on the server has changed since a part of it was fetched")
            self._refuse_status(status)
            offset = have if status == 206 else 0
            if status == 206 and (part is None or _read_offset(response.headers) != have):
                self._part.unlink(missing_ok=True)
                raise _Broken("the server sent another part of the file than was asked for")
            said = self._describe_answer(response, offset)
            write_state(self._folder / "part.json", said)
            self._receive(response, offset, said.size)
            self._check_sum(response.headers, whole=status != 206)
        return self._keep(said), "resumed" if offset else "fetched"

    @contextmanager
    def _open(self, method: str, headers: Mapping[str, str]) -> Iterator["httpx2.Response"]:
        """Open the file, over redirects to https alone."""
        import httpx2

        address = self._address
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                with self._client.stream(method, address, headers=headers) as response:
                    if not response.has_redirect_location:
                        yield response
                        return
                    address = self._follow(address, response.headers["Location"])
        except httpx2.InvalidURL:
            raise make_address_error(self._address, address == self._address) from None
        except httpx2.TransportError as error:
            if is_untrusted(error):
                raise WeightsError(
                    f"{self._where}: its certificate is not trusted"
                    f" ({explain_connection(error)}); check the address and the clock, or name the"
                    " certificates to trust with SSL_CERT_FILE"
                ) from None
            raise _Broken(explain_connection(error)) from None
        raise WeightsError(
            f"{self._where}: redirects more than {_MAX_REDIRECTS} times; give the file's own"
            " address"
        )

    def _follow(self, address: str, location: str) -> str:
        try:
            address = urljoin(address, location)
        except ValueError:
            raise make_address_error(self._address, is_given=False) from None
        refuse_address(address, self._address)
        return address

    def _refuse_status(self, status: int) -> None:
        if status in (200, 206):
            return
        if status in _TRANSIENT:
            raise _Broken(f"the server answered {status}")
        if status in (401, 403):
            raise WeightsError(
                f"{self._where}: the server refuses it ({status}); a signed address may have"
                " expired, or the server wants a login; get a fresh address, or download the file"
                " and give its path"
            )
        if status in _ABSENT:
            raise WeightsError(
                f"{self._where}: no such file there ({status}); check the address, or take a fresh"
                " one where it was only kept for a time"
            )
        raise WeightsError(
            f"{self._where}: the server answered {status} instead of a file; check the"
            " address, or download the file and give its path"
        )

    def _describe_answer(self, response: "httpx2.Response", offset: int) -> State:
        """What the server says of the whole file; refuses one that is too large."""
        length = response.headers.get("Content-Length", "")
        size = offset + int(length) if length.isdecimal() else None
        if size is not None:
            self._refuse_size(size)
        return State(
            name=make_name(unquote(PurePosixPath(urlsplit(self._address).path).name)),
            size=size,
            etag=_read_text(response.headers, "ETag"),
            modified=_read_text(response.headers, "Last-Modified"),
        )

    def _refuse_size(self, size: int) -> None:
        if size > self._limit:
            self._part.unlink(missing_ok=True)
            raise WeightsError(
                f"{self._where}: larger than {format_gib(self._limit)}, which no LoRA with its"
                " embeddings is; give an archive of these alone"
            )

    def _receive(self, response: "httpx2.Response", offset: int, size: int | None) -> None:
        """Write what comes to the part. offset: how much of the file the part holds already."""
        from plitka.runtime.progress import ProgressBar

        with (
            self._part.open("ab" if offset else "wb") as file,
            ProgressBar(
                total=size,
                initial=offset,
                desc="weights",
                unit="B",
                unit_scale=True,
                mininterval=0.5,
                disable=not logs.shows_progress(),
            ) as bar,
        ):
            for chunk in response.iter_raw():
                if file.tell() == 0 and len(chunk) >= _TAR_BLOCK:
                    self._refuse_content(chunk)  # before all of it has come, where it shows
                self._refuse_size(file.tell() + len(chunk))
                file.write(chunk)
                bar.update(len(chunk))
        if size is not None and _measure(self._part) != size:
            raise _Broken(f"it ended after {_measure(self._part):,} of {size:,} bytes")

    def _refuse_content(self, start: bytes) -> None:
        """Raise WeightsError for what is no file of weights by its first bytes."""
        page = content.describe_page(start)
        if page is not None:
            verdict = (
                f"{page} came instead of weights; give the file's direct address, or a fresh one if"
                " the old one has expired"
            )
        elif content.is_pickle(start):
            verdict = (
                "a pickle came, which may run anything when it is loaded; give the address of the"
                " file in the form of safetensors"
            )
        else:
            return
        self._part.unlink(missing_ok=True)
        raise WeightsError(f"{self._where}: {verdict}")

    def _check_sum(self, headers: Mapping[str, str], whole: bool) -> None:
        """Compare the MD5 that the server states. whole: whether all came with this answer."""
        hashes = re.findall(r"\bmd5=([\w+/=]+)", headers.get("x-goog-hash", ""))
        if whole and "Content-MD5" in headers:
            hashes.append(headers["Content-MD5"])
        if not hashes:
            return
        with self._part.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        if set(hashes) != {base64.b64encode(digest.digest()).decode()}:
            self._part.unlink()
            raise _Broken("what came is damaged: its MD5 is not the one that the server states")

    def _keep(self, said: State) -> Path:
        """Check what came, and let it take the place of what was there before."""
        kind = content.find_kind(self._part)
        if kind is None:
            with self._part.open("rb") as file:
                self._refuse_content(file.read(content.START))
            self._part.unlink()
            raise WeightsError(
                f"{self._where}: neither a .tar, a .zip nor a .safetensors file came; give the"
                " address of one of these"
            )
        suffixes = content.SUFFIXES[kind]
        name = said.name if said.name.lower().endswith(suffixes) else said.name + suffixes[0]
        path = self._folder / name
        before = read_state(self._folder / "state.json")
        size = self._part.stat().st_size
        (self._folder / "state.json").unlink(missing_ok=True)
        self._part.replace(path)
        write_state(self._folder / "state.json", State(name, size, said.etag, said.modified))
        (self._folder / "part.json").unlink(missing_ok=True)
        if before is not None and before.name != name:
            (self._folder / before.name).unlink(missing_ok=True)
        return path


def _measure(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _read_text(headers: Mapping[str, str], name: str) -> str | None:
    """A header that can be sent back."""
    text = headers.get(name, "")
    return text if is_sendable(text) else None


def _read_offset(headers: Mapping[str, str]) -> int | None:
    match = re.match(r"bytes (\d{1,18})-\d+/", headers.get("Content-Range", ""))
    return None if match is None else int(match[1])
