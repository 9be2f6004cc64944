"""Cog's server as a process behind the gate: started, watched, ended with all that it started."""

import asyncio
import ctypes
import os
import resource
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from contextlib import suppress

import psutil

from plitka.serving.work_kind import WorkKind

_EXIT_SECONDS = 5.0  # that Cog's server has to end
_WANTED_FILES = 4096  # open at once, of which each client takes two
_DEATH_SIGNAL = 1  # prctl's PR_SET_PDEATHSIG
_NEEDED_FILES = 256  # with fewer, Cog's server starts and never gets ready


class StartError(Exception):
    """Why the server cannot be started, and what to do."""


def raise_file_limit() -> None:
    """Let this process and those it starts open enough files. Raises StartError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    if soft != resource.RLIM_INFINITY and soft < _NEEDED_FILES:
        raise StartError(
            f"a process may open {soft} files here, and the server needs {_NEEDED_FILES}; raise the"
            " limit: `ulimit -n 4096`, or --ulimit nofile=4096 of docker run"
        )


async def start_cog(
    port: int, upload_url: str | None, variables: Mapping[str, str], kind: WorkKind
) -> Process:
    """Start Cog's server on a port of 127.0.0.1. variables: its environment. kind: what it does.

    On Linux it ends with this process, however that ends: else it would go on by itself, and hold
    the GPU.
    """
    command = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
    command += [*kind.arguments, *(["--upload-url", upload_url] if upload_url else [])]
    return await asyncio.create_subprocess_exec(
        *command, env={**variables, "PORT": str(port)}, preexec_fn=_tie_to_parent()
    )


def open_streams() -> None:
    """Open /dev/null where standard input, output or error is closed.

    Files that are opened later would take their numbers, and Cog's server would never get ready.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(opened, True)


def _tie_to_parent() -> Callable[[], None] | None:
    """Make what has a child get SIGTERM when its parent dies; None where the system cannot."""
    if sys.platform != "linux":
        return None
    library, parent = ctypes.CDLL(None), os.getpid()

    def tie() -> None:
        library.prctl(_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # it has died already
            os._exit(1)

    return tie


async def stop_cog(cog: Process) -> None:
    """End Cog's server and what it has started: asked first, after _EXIT_SECONDS killed."""
    family = find_family(cog.pid)
    if cog.returncode is None:
        cog.terminate()
        try:
            await asyncio.wait_for(cog.wait(), _EXIT_SECONDS)
        except TimeoutError:
            cog.kill()
            await cog.wait()
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def find_family(pid: int) -> list[psutil.Process]:
    """Find a process and all that it has started, if it still runs."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def find_free_port() -> int:
    """Find a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def say_end(cog: Process) -> str:
    """Say how Cog's server ended."""
    code = cog.returncode
    how = f"with status {code}" if code is None or code >= 0 else f"by signal {-code}"
    return f"Cog's server ended {how}; its own lines above say why"
