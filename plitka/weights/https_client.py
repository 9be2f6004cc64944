"""The https client that weights are fetched by, and why a connection of it failed."""

import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plitka.errors import WeightsError, extract_first_line

if TYPE_CHECKING:
    import httpx2


@contextmanager
def open_client(where: str) -> Iterator["httpx2.Client"]:
    """Make a client by the certificates and the proxy that the environment names.

    It follows no redirect. where: what sentences call the address. Raises WeightsError.
    """
    with _quiet_client_logs(), _make_client(where) as client:
        yield client


def _make_client(where: str) -> "httpx2.Client":
    import httpx2  # what huggingface_hub speaks through

    timeout = httpx2.Timeout(30, connect=10)
    try:
        return httpx2.Client(timeout=timeout, follow_redirects=False)
    except OSError as error:
        raise WeightsError(
            f"{where}: the certificates to trust cannot be read"
            f" ({error.strerror or extract_first_line(error)}); set SSL_CERT_FILE to a file of"
            " them, or to nothing for the system's own"
        ) from None
    except (ImportError, ValueError, httpx2.InvalidURL):  # whose text may hold a password
        raise WeightsError(
            f"{where}: the proxy that HTTPS_PROXY, ALL_PROXY or HTTP_PROXY names cannot be used;"
            " set these to an http address, or to nothing"
        ) from None


@contextmanager
def _quiet_client_logs() -> Iterator[None]:
    """Keep the client from writing down addresses, which it does with their signatures."""
    loggers = [logging.getLogger(name) for name in ("httpx2", "httpcore2")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def is_untrusted(error: BaseException) -> bool:
    """Whether a connection failed as nobody vouches for the server's certificate."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _list_causes(error))


def explain_connection(error: BaseException) -> str:
    """Why a connection failed, in a few words that hold no address."""
    for cause in _list_causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, socket.gaierror):
            return "its host is not known"
        if isinstance(cause, TimeoutError):
            return "no answer in time"
    return extract_first_line(error)
