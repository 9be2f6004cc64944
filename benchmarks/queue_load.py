"""The queue under load: one client without a pause, or many at once, with the render engine.

    python -m benchmarks.queue_load --sequential 1000 --out sequential.json
    python -m benchmarks.queue_load --clients 64 --seconds 300 --out crowd.json
    python -m benchmarks.queue_load --sequential 1000 --drawn-once --out sequential.json

Goes through the gate and Cog's real server. Counts what every request came to, and looks whether
those who waited were served in the order in which they came. Prints a summary as JSON, and exits
with 1 if an answer was anything but a picture, or a 429 where many ask at once, if the order was
another, or if memory grew. With --drawn-once the worker draws the one recipe that is asked for
once, and hands it out again and again: all but the engine is as ever, and some ten times faster.
"""

import argparse
import asyncio
import json
import platform
import re
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.soak import check_pictures, measure_memory
from plitka import __version__
from plitka.serving.queue import MOST_WAITING
from tests.support.server import CogServer, cog_server

MAX_GROWTH = 0.05  # of memory, from the first window of pictures to the last
RECIPE = json.dumps(
    {"colors": [{"name": "red", "proportion": 100}], "quality": "preview", "seed": 1}
)
REPEATING = Path(__file__).with_name("repeating_predictor.py")
_BODY = {"input": {"params_json": RECIPE}}
_WINDOW = 20  # measurements
_TRIM_SECONDS = 65.0  # in which the gate gives back what requests took
_STARTING = re.compile(rb'^data: (\{.*"status": "starting".*\})$', re.MULTILINE)


@dataclass
class Stream:
    """A stream, by the number of what the clients had heard when it was asked for and so on.

    waits: heard its place in the queue. begins: heard that it is drawn.
    """

    asked: int
    waits: int | None = None
    begins: int | None = None


@dataclass
class Load:
    """What was seen. answers: by what they were. waits: seconds until a picture. memory: bytes."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    rest: list[int] = field(default_factory=list)  # bytes, before and after, with nobody there
    streams: list[Stream] = field(default_factory=list)
    heard: int = 0  # events of streams
    faults: list[str] = field(default_factory=list)


def ask_in_turn(server: CogServer, count: int) -> Load:
    """Ask for one picture after another, each as soon as the last one is there."""
    load = Load()
    for number in range(count):
        start = time.perf_counter()
        answer = server.client.post("/predictions", json=_BODY)
        load.seconds.append(time.perf_counter() - start)
        load.answers[name_answer(answer, load)] += 1
        load.memory.append(measure_memory(server))
        if (number + 1) % 50 == 0:
            print(f"{number + 1}: {dict(load.answers)}, {load.memory[-1] >> 20} MiB", flush=True)
    return load


def name_answer(answer: httpx.Response, load: Load) -> str:
    """Say what an answer is: `picture`, or its status."""
    if answer.status_code != 200:
        return str(answer.status_code)
    try:
        check_pictures(answer.json())
    except (OSError, ValueError) as fault:
        load.faults.append(str(fault))
        return "no picture"
    return "picture"


async def ask_at_once(server: CogServer, clients: int, seconds: float) -> Load:
    """Have clients ask again and again, half of them by streams; who gets a 429 waits as told."""
    load = Load()
    end = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=server.client.base_url, timeout=600, limits=limits
    ) as client:

        async def measure() -> None:
            while time.monotonic() < end:
                load.memory.append(measure_memory(server))
                print(f"{dict(load.answers)}, {load.memory[-1] >> 20} MiB", flush=True)
                await asyncio.sleep(5)

        async def ask(number: int) -> None:
            asked = 0
            while time.monotonic() < end:
                asked += 1
                identifier = f"load-{number}-{asked}"
                start = time.perf_counter()
                name, pause = await ask_once(client, identifier, load, is_stream=number % 2 == 0)
                load.answers[name] += 1
                if name == "picture":
                    load.seconds.append(time.perf_counter() - start)
                await asyncio.sleep(pause)

        await asyncio.gather(measure(), *(ask(number) for number in range(clients)))
    return load


async def ask_once(
    client: httpx.AsyncClient, identifier: str, load: Load, is_stream: bool
) -> tuple[str, float]:
    """Ask once; returns what came, and how long to wait before the next."""
    path = f"/predictions/{identifier}"
    if not is_stream:
        answer = await client.put(path, json=_BODY)
        pause = float(answer.headers.get("Retry-After", 0))
        return await asyncio.to_thread(name_answer, answer, load), pause
    headers = {"Accept": "text/event-stream"}
    stream = Stream(load.heard)
    load.streams.append(stream)
    async with client.stream("PUT", path, json=_BODY, headers=headers) as answer:
        if answer.status_code != 200:
            return str(answer.status_code), float(answer.headers.get("Retry-After", 0))
        name = last = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                last = line.removeprefix("data: ")
                load.heard += 1
                if name == "starting" and stream.waits is None:
                    stream.waits = load.heard
                if name == "start":
                    stream.begins = load.heard
        if name != "completed":
            load.faults.append(f"{identifier}: the stream ends with {name}")
            return "cut", 0
        whole = httpx.Response(200, content=last.encode())
        return await asyncio.to_thread(name_answer, whole, load), 0


def measure_rest(server: CogServer) -> int:
    """Measure memory after a picture, when all that is free has been given back."""
    server.request(RECIPE)
    time.sleep(_TRIM_SECONDS)
    return min(measure_memory(server) for _ in range(_WINDOW))


def count_overtaken(load: Load) -> int:
    """Count those that were begun before one that had its place before they were asked for.

    Of two that were asked for together, who was first is not known here: their client may read the
    head of one answer and its first event at once, and those of the other, which came before, by
    two reads.
    """
    waited = [
        (one.asked, one.waits, one.begins)
        for one in load.streams
        if one.waits is not None and one.begins is not None
    ]
    return sum(
        any(waits < asked and begins < later for _, waits, later in waited)
        for asked, _, begins in waited
    )


def summarize(load: Load, allowed: frozenset[str], drawn_once: bool) -> dict[str, Any]:
    """Summarize what was seen, and what of it should not be. allowed: answers."""
    broken = list(load.faults)
    broken += [f"{name}: {count}" for name, count in load.answers.items() if name not in allowed]
    warm = load.memory[len(load.memory) // 10 :]
    before, after = (statistics.median(part) for part in (warm[:_WINDOW], warm[-_WINDOW:]))
    if load.rest:  # in a crowd there are always some answers on their way
        before, after = load.rest
    growth = after / before - 1
    if growth > MAX_GROWTH:
        broken.append(f"memory grew by {growth:.1%}")
    overtaken = count_overtaken(load)
    if overtaken:
        broken.append(f"{overtaken} were overtaken")
    return {
        "version": __version__,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "drawn_once": drawn_once,
        "machine": f"{psutil.cpu_count()} cores, {platform.platform()}",
        "answers": dict(load.answers),
        "seconds": [round(value, 2) for value in statistics.quantiles(load.seconds, n=20)[::9]],
        "waited": sum(stream.waits is not None for stream in load.streams),
        "overtaken": overtaken,
        "memory_mib": [round(before / 2**20, 1), round(after / 2**20, 1)],
        "most_memory_mib": round(max(load.memory) / 2**20, 1),
        "memory_growth": round(growth, 4),
        "broken": broken,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.queue_load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sequential", type=int, metavar="COUNT", help="requests, one by one")
    parser.add_argument("--clients", type=int, default=64, help="at once; default: 64")
    parser.add_argument("--seconds", type=float, default=300, help="default: 300")
    parser.add_argument("--queue", type=int, default=MOST_WAITING, help="of the gate")
    parser.add_argument("--drawn-once", action="store_true", help="draw one tile, repeat it")
    parser.add_argument("--out", type=Path, help="file for the summary")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, temporary = Path(name, "server"), Path(name, "temporary")
        folder.mkdir()
        temporary.mkdir()
        env = {"PLITKA_ENGINE": "render", "TMPDIR": str(temporary)}
        arguments = ("--port", "0", "--queue", str(options.queue))
        stub = REPEATING if options.drawn_once else None
        with cog_server(folder, env, gate=True, arguments=arguments, stub=stub) as server:
            if options.sequential:
                load, allowed = ask_in_turn(server, options.sequential), frozenset({"picture"})
            else:
                before = measure_rest(server)
                load = asyncio.run(ask_at_once(server, options.clients, options.seconds))
                load.rest = [before, measure_rest(server)]
                allowed = frozenset({"picture", "429"})
            if "Traceback" in server.log.read_text(encoding="utf-8", errors="replace"):
                load.faults.append("a traceback in the log")
    text = json.dumps(summarize(load, allowed, options.drawn_once), indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(f"{text}\n", encoding="utf-8")
    return 1 if load.faults or json.loads(text)["broken"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
