"""Runs the designer's server on this machine."""

import signal
import socket
import webbrowser
from pathlib import Path

import uvicorn

from plitka.color import palette
from plitka.designer import offers, server
from plitka.designer.backends import select
from plitka.settings import Settings

HOST = "127.0.0.1"

_SHUTDOWN_SECONDS = 2  # for responses under way when the program is told to end


def run(settings: Settings, weights: Path | str | None, port: int, show: bool) -> None:
    """Serve the page until the program is told to end.

    weights: as setup() takes them, for the sdxl engine in this program. port: 0 takes a free one.
    show: whether to open the page in the browser. Raises OSError if the port is taken, SettingError
    for a setting that names no backend, OrderError and LogoError for those of offers, and what
    loading a palette raises.
    """
    backend = select.select_backend(settings, weights)
    is_here = settings.photographer.backend == "sdxl"
    colors = (
        settings.load_palette(weights, "sdxl") if is_here else palette.load(settings.palette_file)
    )
    defaults = offers.read_defaults(settings)
    with _open_socket(port) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        config = uvicorn.Config(
            server.make_app(backend, colors, defaults),
            http="h11",
            lifespan="on",
            ws="none",
            log_config=None,  # by our own log, which hides secrets
            log_level="warning",
            proxy_headers=False,  # whoever can send them is no proxy
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
        where = backend.title or "the sdxl engine in this program"
        print(f"The designer is at {address} (Ctrl-C ends it)")
        print(f"Photographs: {where}", flush=True)
        if show:
            webbrowser.open(address)  # the socket listens: the browser waits for the server
        if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # the terminal was closed
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        uvicorn.Server(config).run(sockets=[listener])


def _open_socket(port: int) -> socket.socket:
    """Open a socket that listens on this machine. Raises OSError."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "allowed: 0 to 65535"
        raise OSError(f"port {port} of {HOST}: {reason}; name another one with --port") from None
    return listener
