"""Runs the designer's server on this machine."""

import socket
import webbrowser

import uvicorn

from plitka.color import palette
from plitka.designer import server
from plitka.designer.backends import select
from plitka.engines import registry
from plitka.settings import Settings

HOST = "127.0.0.1"

_FAREWELL = 2  # seconds for answers under way when the program is told to end


def run(settings: Settings, port: int, show: bool) -> None:
    """Serve the page until the program is told to end. Raises OSError where the port is taken.

    show: whether to open the page in the browser.
    """
    photographer = select.select_backend(
        settings.photographer,
        lambda: registry.load_engine("sdxl", lambda: settings.sdxl),
        settings.options.overlap,
    )
    own_palette = palette.load(settings.palette_file)
    with _bound(port) as listening:
        address = f"http://{HOST}:{listening.getsockname()[1]}/"
        config = uvicorn.Config(
            server.make_app(photographer, own_palette),
            lifespan="off",
            ws="none",
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_FAREWELL,
        )
        where = photographer.title or "the sdxl engine in this program"
        print(f"The designer is at {address} (Ctrl-C ends it)")
        print(f"Photographs: {where}", flush=True)
        if show:
            webbrowser.open(address)  # the socket listens: the browser waits for the server
        uvicorn.Server(config).run(sockets=[listening])


def _bound(port: int) -> socket.socket:
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        reason = error.strerror if isinstance(error, OSError) else "allowed: 0 to 65535"
        raise OSError(f"port {port} of {HOST}: {reason}; name another one with --port") from None
    return listening
