"""A server that cannot go on says so: folders, hanging workers, a stopped Cog, and the start."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from plitka.images.errors import PictureError
from plitka.serving import cog_process, cogs_folders, outbox
from plitka.serving.answers import Refusal
from plitka.serving.outbox import COGS_FOLDERS
from plitka.serving.probes import Progress, Work
from script import openapi_schema
from tests.serving.stalling_predictor import COMPUTE, HANG
from tests.support.raw_http import open_socket
from tests.support.recipes import TILE
from tests.support.server import CogServer, cog_server

ROOT = Path(__file__).resolve().parents[2]
STALLING = Path(__file__).with_name("stalling_predictor.py")
PROBES = ("/live", "/ready")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[CogServer]:
    """A gate before a predictor that hangs or computes for ever when it is asked to."""
    env, arguments = {"PLITKA_ENGINE": "render"}, ("--port", "0", "--stalled-after", "2")
    with cog_server(tmp_path, env, gate=True, stub=STALLING, arguments=arguments) as running:
        yield running


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    """One gate for the tests that leave it as it was."""
    folder, env = tmp_path_factory.mktemp("sound"), {"PLITKA_ENGINE": "render"}
    with cog_server(folder, env, gate=True, arguments=("--port", "0")) as running:
        yield running


def place(answer: httpx.Response) -> list[str]:
    found: list[str] = answer.json()["detail"][0]["loc"]
    return found


def wait_until(happens: Callable[[], bool], seconds: float = 60) -> None:
    """Poll; fails if it has not happened after some time."""
    CogServer.poll(happens, seconds)


def test_the_gate_and_the_worker_know_the_same_folders_of_cog() -> None:
    assert cogs_folders.COGS_FOLDERS == COGS_FOLDERS


@pytest.fixture
def blocked() -> Iterator[str]:
    """The id of a prediction whose folder Cog cannot make: a file is in its place."""
    file = COGS_FOLDERS / "blocked"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")
    yield file.name
    file.unlink()


def test_a_prediction_whose_folder_cannot_be_made_is_refused_before_cog_sees_it(
    sound: CogServer, blocked: str
) -> None:
    body = {"input": {"params_json": TILE}}
    answer = sound.client.put(f"/predictions/{blocked}", json=body)
    assert (answer.status_code, place(answer)) == (503, ["server"])
    assert f"{COGS_FOLDERS / blocked}" in answer.text
    assert sound.health()["status"] == "READY"
    assert sound.predict(TILE).json()["status"] == "succeeded"


def test_probes_and_predictions_are_503_while_no_file_can_be_written_where_cog_will(
    sound: CogServer,
) -> None:
    sound.process.rlimit(psutil.RLIMIT_FSIZE, (1, -1))  # no file of the gate's may grow
    for path in PROBES:
        answer = sound.client.get(path)
        assert (answer.status_code, place(answer)) == (503, ["server"])
        assert "cannot be written to (File too large)" in answer.text
    answer = sound.request(TILE)
    assert (answer.status_code, place(answer)) == (503, ["server"])
    sound.process.rlimit(psutil.RLIMIT_FSIZE, (-1, -1))
    assert [sound.client.get(path).status_code for path in PROBES] == [200, 200]
    assert sound.predict(TILE).json()["status"] == "succeeded"


def test_a_folder_is_made_and_what_is_tried_in_it_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "coglet" / "predictions"
    cogs_folders.check_disk(folder)
    assert list(folder.iterdir()) == []
    for spoiled in (tmp_path / "coglet", folder, folder / "x"):
        spoiled.parent.mkdir(exist_ok=True)
        if spoiled.is_dir():
            for inner in (folder, spoiled):
                if inner.is_dir():
                    inner.rmdir()
        spoiled.write_bytes(b"")
        with pytest.raises(Refusal, match="cannot be written to"):
            cogs_folders.check_disk(folder / "x" if spoiled.name == "x" else folder)
        spoiled.unlink()


def test_a_folder_of_another_user_is_told_with_both_users() -> None:
    with as_nobody() as user, pytest.raises(Refusal) as refused:
        cogs_folders.check_disk(Path("/none-of-ours/predictions"))
    assert str(refused.value).endswith(f": / is user 0's, and this one is {user}")
    with as_nobody() as user, pytest.raises(PictureError) as told:
        outbox._check_folder(Path("/none-of-ours/predictions"))
    assert str(told.value).endswith(f": / is user 0's, and this one is {user}")


@contextmanager
def as_nobody() -> Iterator[int]:
    """As a user that may write nothing, where this one is root; gives the user."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield os.geteuid()
    finally:
        os.seteuid(own)


def test_requests_that_cog_does_not_take_leave_no_folders(sound: CogServer) -> None:
    for number in range(5):
        body = {"input": {"params_json": 5}}
        assert sound.client.put(f"/predictions/none-{number}", json=body).status_code == 422
    assert list(COGS_FOLDERS.glob("none-*")) == []


def test_a_prediction_that_has_ended_leaves_no_folders(sound: CogServer) -> None:
    def is_clear(identifier: str) -> bool:
        return not (COGS_FOLDERS / identifier).exists()

    body = {"input": {"params_json": "{}"}}
    for identifier in ("ended-0", "ended-1", "ended-0"):  # one of them twice
        sound.settle()
        answer = sound.client.put(f"/predictions/{identifier}", json=body)
        assert answer.json()["status"] == "failed"
        wait_until(partial(is_clear, identifier))
    with sound.stream(TILE, prediction="ended-2") as events:
        assert [event.name for event in events][-1] == "completed"
    wait_until(partial(is_clear, "ended-2"))


# A busy server that gets nothing done


def live(gate: CogServer) -> httpx.Response:
    return gate.client.get("/live")


def test_a_worker_that_hangs_is_not_live_and_one_that_computes_is(gate: CogServer) -> None:
    with ThreadPoolExecutor() as pool:
        computing = pool.submit(gate.request, COMPUTE)
        gate.wait_for("BUSY")
        before = gate.worker().cpu_times().user
        # Far more than the limit of two seconds, of which each is work.
        try:
            while gate.worker().cpu_times().user < before + 4:
                assert live(gate).json() == {"status": "BUSY"}
        finally:
            gate.worker().kill()
        assert computing.result().json()["status"] == "failed"


@pytest.mark.parametrize(
    "accept", ["application/json", pytest.param("text/event-stream", marks=pytest.mark.long)]
)
def test_a_worker_that_hangs_is_not_live_although_the_connection_is_kept(
    gate: CogServer, accept: str
) -> None:
    def ask() -> int:
        body = {"input": {"params_json": HANG}}
        headers = {"Accept": accept}
        return gate.client.post("/predictions", json=body, headers=headers).status_code

    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask)
        gate.wait_for("BUSY")
        try:
            wait_until(lambda: live(gate).status_code == 503)
            answer = live(gate)
            assert (answer.json()["status"], place(answer)) == ("BUSY", ["server"])
            assert "without progress" in answer.text
            assert gate.client.get("/ready").status_code == 503
        finally:
            gate.worker().kill()  # else the connection lasts for ever
        assert asked.result() == 200


def ask_again(gate: CogServer) -> None:
    gate.client.put("/predictions/hanging", json={"input": {"params_json": HANG}})


def listen_again(gate: CogServer) -> None:
    body, headers = {"input": {"params_json": HANG}}, {"Accept": "text/event-stream"}
    with gate.client.stream("PUT", "/predictions/hanging", json=body, headers=headers) as events:
        next(events.iter_lines())


ASKING: dict[str, Callable[[CogServer], object]] = {
    "refused for want of a slot": lambda gate: gate.request(TILE),
    "refused for its input": lambda gate: gate.request(5),
    "refused by the gate": lambda gate: gate.request(TILE, id="/"),
    "the same again": ask_again,
    "the same again as a stream": listen_again,
    "cancel another": lambda gate: gate.client.post("/predictions/x/cancel"),
    "schema": lambda gate: gate.client.get("/openapi.json"),
    "health check": lambda gate: gate.client.get("/health-check"),
}


@pytest.mark.long
def test_a_worker_that_hangs_is_not_live_although_clients_go_on_asking(tmp_path: Path) -> None:
    """What passed for progress would make it live again, before the first look or the second."""
    env = {"PLITKA_ENGINE": "render"}
    arguments = ("--port", "0", "--stalled-after", "2", "--queue", "0")

    def is_found_twice(ask: Callable[[CogServer], object]) -> bool:
        for _ in range(2):
            for _ in range(10):
                ask(running)
            if live(running).status_code != 503:
                return False
        return True

    with cog_server(tmp_path, env, gate=True, stub=STALLING, arguments=arguments) as running:
        begin = {"input": {"params_json": HANG}}
        headers = {"Prefer": "respond-async"}
        running.client.put("/predictions/hanging", json=begin, headers=headers)
        running.wait_for("BUSY")
        for ask in ASKING.values():
            wait_until(partial(is_found_twice, ask), 30)
        assert "without progress" in live(running).text
        running.worker().kill()


@pytest.mark.long
def test_a_slot_that_cog_keeps_taken_after_its_answer_is_not_live(
    gate: CogServer, blocked: str
) -> None:
    listening = re.search(r"Starting coglet server on ([\d.]+:\d+)", gate.log.read_text())
    assert listening is not None
    # Past the gate, as if the folder had been spoiled a moment after the gate looked.
    url = f"http://{listening[1]}/predictions/{blocked}"
    assert httpx.put(url, json={"input": {"params_json": TILE}}).json()["status"] == "failed"
    assert gate.health()["status"] == "BUSY"
    wait_until(lambda: live(gate).status_code == 503)
    assert "without progress" in live(gate).text


def test_progress_is_work_or_events_and_not_the_cost_of_probes() -> None:
    def stall(works: list[Work], busy: bool = True) -> float | None:
        progress = Progress(limit=600)
        return [progress.find_stall(busy, work) for work in works][-1]

    def run(step: float, cpu: float = 0, written: int = 0, events: int = 0) -> list[Work]:
        """2,000 seconds with a health check at each step; cpu and written are used at each."""
        steps = range(int(2000 / step))
        return [Work(step * n, events * n, n, cpu * n, written * n) for n in steps]

    assert stall(run(10)) == 1990
    assert stall(run(10, cpu=0.01, written=6000)) == 1990, "probes as Kubernetes sends them"
    assert stall(run(0.05, cpu=0.0015, written=6000)) is not None, "20 probes a second"
    assert stall(run(0.05, cpu=0.05)) is None, "one core at work"
    assert stall(run(10, cpu=0.5)) is None, "5% of a core"
    assert stall(run(10, written=500_000)) is None, "a slow download"
    assert stall(run(10, events=1)) is None, "events of a stream"
    assert stall(run(10), busy=False) is None
    assert stall(run(10)[:61]) is None, "just the limit"
    ended = [Work(0, 0, 0, 50, 9_000), *(Work(200 * n, 0, n, 1, 0) for n in range(1, 5))]
    assert stall(ended) == 800, "a process has ended"


def test_what_nobody_looked_at_is_no_stall() -> None:
    progress = Progress(limit=600)
    assert progress.find_stall(False, Work(0, 0, 0, 9, 0)) is None
    assert progress.find_stall(True, Work(5000, 1, 1, 9, 0)) is None, "it was idle for most of that"
    # With `respond-async` the gate sees no end of the one and no beginning of the other.
    assert progress.find_stall(True, Work(9000, 1, 2, 19, 0)) is None, "another prediction"
    assert progress.find_stall(True, Work(9001, 1, 3, 19, 0)) is None, "asked twice"
    assert progress.find_stall(True, Work(9301, 1, 4, 19, 0)) == 601, "now it is sure"


# A server that does not answer


@pytest.mark.long
def test_while_cog_is_stopped_all_is_answered_in_time_and_afterwards_it_goes_on(
    gate: CogServer,
) -> None:
    manifest = next(iter(yaml.safe_load_all((ROOT / "deploy" / "plitka.yaml").read_text())))
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    limits = [
        container[probe]["timeoutSeconds"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    ]
    asked = [("GET", path) for path in (*PROBES, "/health-check", "/", "/openapi.json")]
    (cog,) = gate.process.children()
    cog.suspend()
    try:
        with ThreadPoolExecutor(len(asked)) as pool:
            answers = list(pool.map(lambda a: gate.client.request(*a, timeout=min(limits)), asked))
    finally:
        cog.resume()
    assert [answer.status_code for answer in answers] == [503, 503, 504, 504, 504]
    assert all(place(answer) == ["server"] for answer in answers)
    assert [answer.json()["status"] for answer in answers[:2]] == ["UNREACHABLE"] * 2
    assert gate.client.get("/live").status_code == 200
    assert gate.predict(TILE).json()["status"] == "succeeded"


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; not one that is only waited for."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_sigterm_ends_all_although_cog_is_stopped(gate: CogServer) -> None:
    family = gate.family()
    (cog,) = gate.process.children()
    cog.suspend()
    gate.process.terminate()
    assert gate.process.wait(60) == 0
    wait_until(lambda: not any(is_alive(process) for process in family))


HANGING_DISK = """
import sys, threading
def hang(event, given):
    if event == "os.mkdir" and ".trial-" in str(given[0]):
        threading.Event().wait()
sys.addaudithook(hang)
"""


@pytest.mark.long
def test_sigterm_ends_all_although_the_disk_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HANGING_DISK)
    (tmp_path / "server").mkdir()
    env = {"PLITKA_ENGINE": "render", "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    arguments = ("--port", "0")
    with cog_server(tmp_path / "server", env, gate=True, arguments=arguments) as running:
        assert "its disk does not answer" in running.client.get("/live").text
        assert "its disk does not answer" in running.request(TILE).text
        running.process.terminate()
        assert running.process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("params_json", [pytest.param(TILE, marks=pytest.mark.long), HANG])
def test_nothing_outlives_the_gate(gate: CogServer, number: int, params_json: str) -> None:
    family = gate.family()
    body = {"input": {"params_json": params_json}}
    gate.client.post("/predictions", json=body, headers={"Prefer": "respond-async"})
    gate.process.send_signal(number)
    try:
        wait_until(lambda: not any(is_alive(process) for process in family))
    finally:
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()


# The start


def start(*arguments: str, files: int | None = None, **env: str) -> tuple[int, str]:
    """Start the gate, which cannot; returns its status and what it says."""
    limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files else None
    run = subprocess.run(
        [sys.executable, "-m", "plitka.serving.gateway", *arguments],
        cwd=ROOT,
        env={"PATH": str(Path(sys.executable).parent), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=limit,
    )
    assert "Traceback" not in run.stderr
    return run.returncode, run.stderr


@pytest.mark.parametrize("files", [20, 64, 128, 255])
def test_too_few_files_end_the_start_with_a_sentence(files: int) -> None:
    status, said = start("--port", "0", files=files)
    assert status == 1
    assert f"a process may open {files} files here" in said
    assert len(said.splitlines()) == 1


def test_a_low_limit_of_files_is_raised_where_that_is_allowed(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        with cog_server(
            tmp_path, {"PLITKA_ENGINE": "render"}, gate=True, arguments=("--port", "0")
        ) as running:
            assert running.process.rlimit(psutil.RLIMIT_NOFILE)[0] == min(hard, 4096)
            assert running.worker().rlimit(psutil.RLIMIT_NOFILE)[0] == min(hard, 4096)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "streams",
    [
        pytest.param(">/dev/full", marks=pytest.mark.long),
        pytest.param(">&-", marks=pytest.mark.long),
        pytest.param(">&- 2>&-", marks=pytest.mark.long),
        "<&- >&- 2>&-",
    ],
)
def test_a_server_whose_output_goes_nowhere_serves_all_the_same(
    tmp_path: Path, streams: str
) -> None:
    openapi_schema.write(tmp_path / ".cog" / "openapi_schema.json", openapi_schema.PREDICTOR)
    port = cog_process.find_free_port()
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PLITKA_ENGINE": "render",
        "COG_PREDICT_TYPE_STUB": f"{openapi_schema.PREDICTOR}:Predictor",
    }
    command = f"exec {sys.executable} -m plitka.serving.gateway --port {port} {streams}"
    running = psutil.Popen(command, shell=True, cwd=tmp_path, env=env, start_new_session=True)
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        try:
            return httpx.get(f"{url}/ready").status_code == 200
        except httpx.TransportError:
            assert running.poll() is None
            return False

    try:
        wait_until(is_ready)
        body = {"input": {"params_json": TILE}}
        answer = httpx.post(f"{url}/predictions", json=body, timeout=60)
        assert answer.json()["status"] == "succeeded"
    finally:
        running.terminate()
        assert running.wait(60) == 0


WAITING = {
    "silent": b"",
    "in the middle of a head": b"GET /live HTTP/1.1\r\nHost: ",
    "in the middle of a body": b"POST /predictions HTTP/1.1\r\nHost: \r\nContent-Length: 9\r\n\r\n",
    "between requests": b"GET /health-check HTTP/1.1\r\nHost: a\r\n\r\n",
    "not reading": b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 20,
}
TEDIOUS = ("in the middle of a head", "in the middle of a body", "not reading")


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    """A gate that may open few files."""
    folder, env = tmp_path_factory.mktemp("narrow"), {"PLITKA_ENGINE": "render"}
    with cog_server(folder, env, gate=True, files=256, arguments=("--port", "0")) as running:
        yield running


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(sent, marks=[pytest.mark.long] if name in TEDIOUS else [], id=name)
        for name, sent in WAITING.items()
    ],
)
def test_clients_that_keep_their_connections_shut_nobody_out(
    narrow: CogServer, sent: bytes
) -> None:
    running = narrow
    with ExitStack() as clients:
        for _ in range(400):
            client = clients.enter_context(open_socket(running.client.base_url))
            with suppress(ConnectionError):  # the gate has closed it already
                client.sendall(sent)
        for path in PROBES:
            with httpx.Client(base_url=running.client.base_url) as another:
                assert another.get(path).status_code == 200
        assert running.predict(TILE).json()["status"] == "succeeded"
        assert running.process.num_fds() < 256
        assert "Traceback" not in running.log.read_text()


def test_a_port_that_is_taken_ends_the_start_with_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, said = start("--port", str(port))
    assert status == 1
    assert f"127.0.0.1:{port}: cannot listen there" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "no.such.host.invalid", "a..b", "300.1.1.1", "[::1]"]
)
def test_a_host_that_cannot_be_listened_on_ends_the_start_with_a_sentence(host: str) -> None:
    status, said = start("--port", "0", "--host", host)
    assert status == 1
    assert f"{host}:0: cannot listen there" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "65536"),
        ("--port", "x"),
        ("--port", "9" * 5000),
        ("--port", "\u0663"),
        ("--stalled-after", "0"),
        ("--stalled-after", "nan"),
        ("--stalled-after", "soon"),
        ("--queue", "-1"),
        ("--queue", "1025"),
        ("--queue", "many"),
        ("--webhook-host", "http://hooks.example.com/"),
        ("--webhook-host", "hooks.example.com:443"),
        ("--host", ""),
        ("--upload-url", "not a url"),
        ("--upload-url", "http:///tiles"),
        ("--upload-url", "ftp://example.com/"),
        ("--upload-url", "http://[/"),
        ("--upload-url", "http://example.com:99999/"),
    ],
)
def test_an_argument_that_is_not_allowed_is_told_what_is(arguments: tuple[str, str]) -> None:
    status, said = start(*arguments)
    assert status == 2
    assert re.search("allowed: |name the host alone|names nothing", said)


def test_a_queue_that_is_none_or_too_long_for_the_open_files_is_told_what_is() -> None:
    status, said = start("--port", "0", PLITKA_QUEUE="many")
    assert status == 2
    assert "got 'many'; allowed: 0 to 1024, here or in the variable PLITKA_QUEUE" in said
    status, said = start("--port", "0", "--queue", "1000", files=1024)
    assert (status, len(said.splitlines())) == (1, 1)
    assert "--queue 1000: this process may open files for 384 clients" in said


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy"])
@pytest.mark.parametrize(
    "value",
    [
        "http://me:veiledpw/x@proxy.example:8080",
        "http://me:veiledpw@[",
        "http://me:veiledpw@proxy.example:99999",
        "socks5://me:veiledpw@proxy.example",
        "http://",
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(name: str, value: str) -> None:
    status, said = start(
        "--port", "0", "--webhook-host", "hooks.example.com", files=None, **{name: value}
    )
    assert status == 1
    assert f"{name.upper()}: is no http proxy" in said
    assert "veiledpw" not in said
    assert len(said.splitlines()) == 1


def test_a_setting_of_the_log_that_is_none_ends_the_start_with_a_sentence() -> None:
    status, said = start("--port", "0", PLITKA_LOG_FORMAT="xml")
    assert (status, len(said.splitlines())) == (1, 1)
    assert "PLITKA_LOG_FORMAT: got 'xml'; allowed: text, json" in said


def test_cogs_server_that_ends_at_its_start_ends_the_gate_with_its_reason() -> None:
    status, said = start("--port", "0")
    assert status == 1
    assert "COG_PREDICT_TYPE_STUB environment variable is not set" in said
    assert said.splitlines()[-1].startswith("Cog's server ended with status 1; ")
