"""Draws a catalogue by a deployment on Replicate: a prediction for each row, several at once."""

import io
import json
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from plitka.catalogue.drawing import SHOWN, Done, Drawer, Failed, Job, assemble, describe_tile
from plitka.catalogue.replicate_api import Api, Refused, Server, Stopped
from plitka.catalogue.shelf import RECORDS, MadeTile
from plitka.errors import EngineError
from plitka.images import png
from plitka.images.errors import Unreadable

_ATTEMPTS = 2  # at a prediction that fails there


@dataclass(frozen=True)
class Deployment:
    """A deployment on Replicate, as OWNER/NAME. count: of predictions at once."""

    name: str
    server: Server
    count: int
    poll_seconds: float = field(default=1.0)

    def draw(
        self, drawer: Drawer, jobs: Sequence[Job]
    ) -> Generator[tuple[Job, Done | Failed], None, None]:
        """Draw tiles. Closed, it waits for nothing: predictions that run are found again."""
        api = Api(self.server, self.name, self.poll_seconds)
        pool = ThreadPoolExecutor(self.count)
        try:
            futures: dict[Future[Done | Failed], Job] = {
                pool.submit(_draw_tile, api, drawer, job): job for job in jobs
            }
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            api.stop()
            pool.shutdown(cancel_futures=True)
            api.close()


def _draw_tile(api: Api, drawer: Drawer, job: Job) -> Done | Failed:
    """Have one tile predicted, and put it on the shelf."""
    start = time.perf_counter()
    try:
        prediction = _predict(api, drawer, job)
        predicted = time.perf_counter() - start
        pictures = [api.fetch(uri) for uri in prediction["output"]]
        drawer.shelf.put(_make_tile(job, drawer, pictures, time.perf_counter() - start))
    except Refused as refusal:
        return Failed(str(refusal), is_final=True)
    except Stopped:
        return Failed("stopped")
    except EngineError as fault:
        return Failed(str(fault))
    except OSError as fault:
        return Failed(str(fault), is_final=True)
    return Done(round(time.perf_counter() - start, 3), round(predicted, 3))


def _predict(api: Api, drawer: Drawer, job: Job) -> dict[str, Any]:
    """Have a prediction made; the one that a run before has asked for, where it is there."""
    request = json.dumps(job.row.recipe.request())
    prediction = _find_asked(api, drawer, job)
    why = "nothing"
    for _ in range(_ATTEMPTS):
        if prediction is None:
            prediction = api.create(request)
            note = json.dumps({"key": job.key, "id": prediction["id"]}).encode()
            drawer.shelf.write(_place_note(job), note)
        ended = api.follow(prediction)
        if ended["status"] == "succeeded" and isinstance(ended.get("output"), list):
            return ended
        why = str(ended.get("error") or ended["status"])
        prediction = None
    raise EngineError(f"the deployment answers: {why}")


def _find_asked(api: Api, drawer: Drawer, job: Job) -> dict[str, Any] | None:
    """Find the prediction that a run before has asked for; None where it is of no use any more."""
    note = drawer.shelf.read_note(_place_note(job))
    try:
        asked = json.loads(note or b"{}")
    except ValueError:
        return None
    if not isinstance(asked, dict) or asked.get("key") != job.key:
        return None
    prediction = api.get(str(asked.get("id")))
    if prediction is None:
        return None
    kept = isinstance(prediction.get("output"), list)  # Replicate keeps outputs for an hour
    return prediction if kept or prediction["status"] in ("starting", "processing") else None


def _place_note(job: Job) -> str:
    return f"{RECORDS}/{job.row.stem}.asked"


def _make_tile(job: Job, drawer: Drawer, pictures: Sequence[bytes], seconds: float) -> MadeTile:
    """Make a tile of the pictures that came, each of which says what it is.

    Raises EngineError where they are not those of the job's row.
    """
    records = {}
    files = {}
    for content in pictures:
        record = _read_record(content)
        if record.get("request") != job.row.recipe.request():
            raise EngineError("the deployment answers with another tile; is it Plitka?")
        records[record["picture"]] = record
        files[record["picture"]] = content
    missing = [kind for kind in drawer.pictures if kind not in files]
    if missing:
        raise EngineError(f"the deployment answers without {', '.join(missing)}")
    shown = next(kind for kind in SHOWN if kind in drawer.pictures)
    told = describe_tile(job.row, records[shown])
    named = {f"{kind}.png": files[kind] for kind in drawer.pictures}
    image = np.asarray(Image.open(io.BytesIO(files[shown])).convert("RGB"))
    return assemble(job, named, told, image, seconds)


def _read_record(content: bytes) -> dict[str, Any]:
    try:
        record = json.loads(png.read_record(content) or "{}")
    except (Unreadable, ValueError):
        record = {}
    return record if isinstance(record, dict) else {}
