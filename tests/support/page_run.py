"""A page of the documents, followed from its top to its end by one shell in a fresh folder.

The folder is what a clone is: the project's files, an environment that is installed, and nothing
made by earlier pages. Nothing is activated: a page that needs that says it.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.documents import ROOT, Block, Step, find_difference, list_steps

PAGE_SECONDS = 300  # far more than any page takes: one that hangs ends
STOP_SECONDS = 20
SERVER_PORT, DESIGNER_PORT = 5000, 8017  # in the documents; a page gets free ones in their place
_LINKED = ("benchmarks", "deploy", "docs", "model_files", "plitka", "refs", "tests")
_COPIED = ("examples", "script")

_START = """
set -eo pipefail
server=
stop_server() {
  if [[ -n $server ]]; then
    kill -- "-$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
}
wait_for() {
  until curl -sfo /dev/null "$1"; do
    kill -0 "$server" 2>/dev/null
    sleep 0.1
  done
}
"""


@dataclass(frozen=True)
class Failure:
    """A step that went otherwise than its page says."""

    step: Step
    how: str

    def __str__(self) -> str:
        return f"{self.step.block.place}\n{self.step.script}{self.how}"


def lay_out(folder: Path) -> None:
    """Make a folder into what a clone of the project is, with its environment installed."""
    for name in _LINKED:
        (folder / name).symlink_to(ROOT / name)
    for name in _COPIED:  # a script finds the project by where it lies
        subprocess.run(["cp", "-r", ROOT / name, folder / name], check=True)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            (folder / path.name).symlink_to(path)
    environment = folder / ".venv"
    installed = environment / "installed"
    installed.mkdir(parents=True)
    for path in Path(sys.prefix).iterdir():
        if path.name in ("bin", "include", "lib", "lib64", "pyvenv.cfg", "share"):
            (environment / path.name).symlink_to(path)
    for path in ROOT.glob("requirements*.txt"):
        (installed / path.name).write_bytes(path.read_bytes())


def follow(blocks: list[Block], folder: Path) -> list[Failure]:
    """Run what a page says, in order, up to the first step that fails; compare what is shown.

    folder: as `lay_out` made it.
    """
    ports = _find_free_ports()
    steps = list_steps(blocks)
    logs = folder / ".printed"
    logs.mkdir()
    script = _START + "".join(_write(number, step, logs) for number, step in enumerate(steps))
    shell = subprocess.Popen(
        ["bash", "-c", _move(script, ports)],
        cwd=folder,
        env=_environment(ports),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(logs / "shell").open("wb"),
        start_new_session=True,
    )
    try:
        shell.wait(PAGE_SECONDS)
    except subprocess.TimeoutExpired:
        shell.kill()
    finally:
        _end_all(shell)
    failures = []
    for number, step in enumerate(steps):
        printed = _read(logs / f"{number}")
        if not (logs / f"{number}.done").exists():
            how = f"does not end with status {step.status}:\n{printed}{_read(logs / 'shell')}"
            failures.append(Failure(step, how))
            break
        if step.shown is not None:
            shown = _move(step.shown, ports)
            if "in any order" in step.block.marks:
                shown, printed = _sort_lines(shown), _sort_lines(printed)
            difference = find_difference(shown, printed)
            failures += [Failure(step, difference)] if difference else []
    return failures


def _write(number: int, step: Step, logs: Path) -> str:
    log = shlex.quote(str(logs / f"{number}"))
    done = f"touch {log}.done\n"
    braced = f"{{\n{step.script}}} > {log} 2>&1"
    if "serves" in step.block.marks:
        address = shlex.quote(step.block.marks["serves"])
        return f"stop_server\nset -m\n{braced} &\nset +m\nserver=$!\nwait_for {address}\n{done}"
    if step.status:
        return f"set +e\n{braced}\n[[ $? == {step.status} ]] || exit 1\nset -e\n{done}"
    return f"{braced}\n{done}"


def _sort_lines(text: str) -> str:
    return "\n".join(sorted(line.strip() for line in text.splitlines()))


def _find_free_ports() -> Mapping[int, int]:
    """Find a free port for each of the documents'."""
    wanted = (SERVER_PORT, DESIGNER_PORT)
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in wanted]
    free = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return dict(zip(wanted, free, strict=True))


def _move(text: str, ports: Mapping[int, int]) -> str:
    """Put a page's own ports in the place of those of the documents."""
    for port, free in ports.items():
        text = re.sub(rf"\b(127\.0\.0\.1|localhost):{port}\b", rf"\1:{free}", text)
    return re.sub(r"(?m)^\./script/design\b", rf"\g<0> --port {ports[DESIGNER_PORT]}", text)


def _environment(ports: Mapping[int, int]) -> Mapping[str, str]:
    """This process's environment, without what activates the project's or sets it."""
    own = {str(Path(sys.prefix) / "bin"), str(Path(sys.executable).parent)}
    places = [place for place in os.environ["PATH"].split(os.pathsep) if place not in own]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PLITKA_", "PYTEST_", "COG_", "PYTHONPATH", "VIRTUAL_ENV"))
    }
    return {
        **kept,
        "PATH": os.pathsep.join(places),
        "PORT": str(ports[SERVER_PORT]),
        "HF_HUB_OFFLINE": "1",
        "BROWSER": "true",  # a page that opens a browser opens none
        "COLUMNS": "80",
    }


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""


def _end_all(shell: subprocess.Popen[bytes]) -> None:
    """End the servers that a page has left running, and wait until they are gone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_SECONDS
        left = _family(shell.pid)
        for process in left:
            process.send_signal(number)
        psutil.wait_procs(left, max(0.0, deadline - time.monotonic()))
    shell.wait()


def _family(session: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.pid != session:
                found.append(process)
        except (ProcessLookupError, PermissionError):
            continue
    return found
