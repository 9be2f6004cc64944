"""Handing an answer to its client: the place in the line while it waits, then what Cog says."""

from aiohttp import web

from plitka.serving.answers import Connection, Refusal
from plitka.serving.cog_client import STREAM_HEADERS, write_event
from plitka.serving.connections import Connections
from plitka.serving.predictions import Answer, Prediction
from plitka.serving.queue import Line

_PIECE = 2**16  # bytes
_REPEAT_SECONDS = 15.0  # after which a stream says again where it waits: proxies cut silent ones


async def hand_over(
    request: web.Request,
    prediction: Prediction,
    answer: Answer,
    line: Line[Prediction],
    readers: Connections,
) -> web.StreamResponse:
    """Hand an answer over while it comes. readers: the clients that take answers.

    Raises Refusal for one that has not begun, ConnectionResetError for one that is cut: so is the
    client's.
    """
    response = await _tell_places(request, prediction, answer, line)
    client = request.protocol
    assert isinstance(client, Connection)
    readers.admit(client)
    try:
        if response is None:
            if not answer.status:
                answer.task.result()
            response = web.StreamResponse(status=answer.status, headers=answer.headers)
            await response.prepare(request)
        elif (fault := await _find_fault(answer)) is not None:
            ended = prediction.describe("failed", error=fault)
            await response.write(write_event("completed", ended))
            await response.write_eof()
            return response
        while True:
            while answer.pieces:
                piece = answer.pieces.popleft()
                for start in range(0, len(piece), _PIECE):  # or all of it waits in memory
                    await response.write(piece[start : start + _PIECE])
            if answer.is_whole and not answer.pieces:
                answer.task.result()
                await response.write_eof()
                return response
            await answer.wait()
    finally:
        readers.remove(client)


async def _tell_places(
    request: web.Request, prediction: Prediction, answer: Answer, line: Line[Prediction]
) -> web.StreamResponse | None:
    """Wait until an answer begins; returns the response if it is a stream that has said so."""
    response = None
    told, has_changed = 0, True
    while not answer.status and not answer.is_whole:
        place = line.find_place(prediction)
        if answer.is_stream and place and (place != told or not has_changed):
            if response is None:
                response = web.StreamResponse(headers=STREAM_HEADERS)
                await response.prepare(request)
            starting = {"id": prediction.identifier, "status": "starting", "place": place}
            await response.write(write_event("starting", starting))
            told = place
        has_changed = await answer.wait(_REPEAT_SECONDS)
    return response


async def _find_fault(answer: Answer) -> str | None:
    """Find why a stream that has begun gets no events of Cog's; None if it does."""
    if not answer.status:
        fault = answer.task.exception()
        if isinstance(fault, Refusal):
            return str(fault)
        answer.task.result()
    if answer.status == 200:
        return None
    while not answer.is_whole:
        await answer.wait()
    return b"".join(answer.pieces).decode(errors="replace")
